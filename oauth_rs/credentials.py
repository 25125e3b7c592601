"""Who may sign requests: OAuth 1.0a clients and tokens (RFC 5849), MAC keys, and where they are looked up.

A source answers at once, from memory, or with a flow. Sources that ask a database are in stores/. None judges: whether
a token has expired or belongs to the client is for the schemes.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from .flow import Flow, call
from .jose.jwk import MAX_RSA_BITS, MIN_RSA_BITS
from .jose.roca import fingerprinted
from .members import takes
from .signature_methods import SignatureMethod

_HMAC = (SignatureMethod.HMAC_SHA1, SignatureMethod.HMAC_SHA256)
_RSA = (SignatureMethod.RSA_SHA1, SignatureMethod.RSA_SHA256)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth1Client:
    """An application that signs requests with its `secret`, with the private half of `rsa_key`, or with either.

    `rsa_key` is a public key, or one in PEM, of 2048 to 8192 bits. `methods` are names or aliases of the signature
    methods it may use; by default the HMAC ones when it has a secret, the RSA ones when it has a key. `scopes` are what
    it may do without a token. Raises ValueError for a method that it has no secret or key for.
    """

    client_id: str
    secret: str = field(default="", repr=False)
    rsa_key: RSAPublicKey | str | None = field(default=None, repr=False)
    methods: Collection[str] = ()
    scopes: Collection[str] = ()

    def __post_init__(self) -> None:
        _check_texts(client_id=self.client_id, secret=self.secret)
        key = _public_key(self.rsa_key) if isinstance(self.rsa_key, str) else self.rsa_key
        if key is not None and not (isinstance(key, RSAPublicKey) and MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS):
            raise ValueError(f"rsa_key is an RSA public key of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
        if key is not None and fingerprinted(key.public_numbers().n):
            raise ValueError("rsa_key was made by a flawed generator (CVE-2017-15361): make another")
        possible = (*(_HMAC if self.secret else ()), *(_RSA if key else ()))
        methods = frozenset(map(SignatureMethod, _several(self.methods, "methods"))) or frozenset(possible)
        unsupported = methods - {*possible, *([SignatureMethod.PLAINTEXT] if self.secret else [])}
        if unsupported or not methods:
            raise ValueError(f"client {self.client_id!r} needs a secret for HMAC methods, an rsa_key for RSA methods")
        object.__setattr__(self, "rsa_key", key)
        object.__setattr__(self, "methods", methods)
        object.__setattr__(self, "scopes", frozenset(_several(self.scopes, "scopes")))


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth1Token:
    """What `subject` allowed the client `client_id`. `expires_at` is a NumericDate, 0 for never."""

    token: str
    client_id: str
    secret: str = field(repr=False)
    subject: str = ""
    scopes: Collection[str] = ()
    expires_at: int = 0

    def __post_init__(self) -> None:
        _check_texts(token=self.token, client_id=self.client_id, secret=self.secret, subject=self.subject)
        object.__setattr__(self, "scopes", frozenset(_several(self.scopes, "scopes")))


@dataclass(frozen=True, slots=True, kw_only=True)
class MACKey:
    """A key of OAuth 2.0 MAC, known to clients as `kid` (`id` in the first drafts).

    `key` is used byte for byte: decode it first where an issuer hands out base64. `algorithm` is `hmac-sha-1`,
    `hmac-sha-256` or an alias. Times are NumericDates: `expires_at` is 0 for never; `issued_at` is what draft -00
    counts its nonces' age from, and requests in its form are refused without it.
    """

    kid: str
    key: bytes | str = field(repr=False)
    algorithm: str = SignatureMethod.HMAC_SHA256
    subject: str = ""
    client_id: str = ""
    scopes: Collection[str] = ()
    expires_at: int = 0
    issued_at: int | None = None

    def __post_init__(self) -> None:
        _check_texts(kid=self.kid, subject=self.subject, client_id=self.client_id)
        key = self.key.encode() if isinstance(self.key, str) else self.key
        algorithm = SignatureMethod(self.algorithm)
        if not key or algorithm not in _HMAC:
            raise ValueError("a MACKey has a key that is not empty, for hmac-sha-1 or hmac-sha-256")
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "algorithm", algorithm)
        object.__setattr__(self, "scopes", frozenset(_several(self.scopes, "scopes")))


C = TypeVar("C", OAuth1Client, OAuth1Token, MACKey)
OAuth1Pair: TypeAlias = tuple[OAuth1Client | None, OAuth1Token | None]


class Credentials(Protocol):
    """Finds what signed requests are checked with.

    Unknown ones are None, never an exception. Raises Unavailable when that cannot be known.
    """

    def oauth1(self, client_id: str, token: str, /) -> OAuth1Pair | Flow[OAuth1Pair]:
        """The client and the token, each None when unknown; no token is asked for where `token` is ""."""

    def mac_key(self, kid: str, /) -> MACKey | Flow[MACKey | None] | None: ...


class StaticCredentials:
    """Credentials that are known from the start. Raises ValueError for what is there twice."""

    def __init__(
        self,
        *,
        clients: Iterable[OAuth1Client] = (),
        tokens: Iterable[OAuth1Token] = (),
        mac_keys: Iterable[MACKey] = (),
    ) -> None:
        self._clients = _by("client_id", OAuth1Client, clients)
        self._tokens = _by("token", OAuth1Token, tokens)
        self._mac_keys = _by("kid", MACKey, mac_keys)

    def oauth1(self, client_id: str, token: str, /) -> OAuth1Pair:
        return self._clients.get(client_id), self._tokens.get(token) if token else None

    def mac_key(self, kid: str, /) -> MACKey | None:
        found: MACKey | None = self._mac_keys.get(kid)
        return found


class FunctionCredentials:
    """Credentials that functions of the application find; each may be a coroutine function.

    `client(client_id)`, `token(client_id, token)` and `mac_key(kid)` give an OAuth1Client, an OAuth1Token, a MACKey, or
    None for one that is unknown. They raise Unavailable when they cannot tell; any other exception is a 500. Plain
    functions are called in worker threads by the ASGI middleware, for they may block.
    """

    def __init__(
        self,
        *,
        client: Callable[[str], Any] | None = None,
        token: Callable[[str, str], Any] | None = None,
        mac_key: Callable[[str], Any] | None = None,
    ) -> None:
        given = [each for each in ((client, 1), (token, 2), (mac_key, 1)) if each[0] is not None]
        if not given or not all(takes(*each) for each in given):
            raise TypeError("give at least one function: client= and mac_key= take one text, token= takes two")
        self._client, self._token, self._mac_key = client, token, mac_key

    def oauth1(self, client_id: str, token: str, /) -> Flow[OAuth1Pair]:
        # Both are asked whatever the first one finds: whether a client exists is not to be told from the time it takes.
        client = yield from _ask(OAuth1Client, self._client, client_id)
        granted = (yield from _ask(OAuth1Token, self._token, client_id, token)) if token else None
        return client, granted

    def mac_key(self, kid: str, /) -> Flow[MACKey | None]:
        return (yield from _ask(MACKey, self._mac_key, kid))


def _ask(kind: type[C], function: Callable[..., Any] | None, *arguments: str) -> Flow[C | None]:
    if function is None:
        return None
    found = yield from call(function, *arguments)
    if found is not None and not isinstance(found, kind):
        raise TypeError(f"the function gives an {kind.__name__} or None")
    return found


def _check_texts(**texts: str) -> None:
    for name, text in texts.items():
        if not isinstance(text, str):
            raise TypeError(f"{name} is text")


def _by(attribute: str, kind: type, values: Iterable[Any]) -> dict[str, Any]:
    listed = list(values)
    if not all(isinstance(value, kind) for value in listed):
        raise TypeError("clients, tokens and mac_keys list OAuth1Client, OAuth1Token and MACKey objects")
    found = {getattr(value, attribute): value for value in listed}
    if len(found) < len(listed) or "" in found:
        raise ValueError(f"every {attribute} is there once, and not empty")
    return found


def _public_key(pem: str) -> Any:
    try:
        return load_pem_public_key(pem.encode())
    except (UnsupportedAlgorithm, ValueError) as error:
        raise ValueError("rsa_key is an RSA public key in PEM, not one of another kind") from error


def _several(values: Collection[str], name: str) -> Collection[str]:
    if isinstance(values, str):
        raise TypeError(f"{name} is a list, not one string")
    return values
