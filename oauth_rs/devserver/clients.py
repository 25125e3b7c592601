"""Clients of the development server, and what each of them is given (RFC 7591 section 2 has the real thing).

Does not check what they present: `authentication` does, and `oauth1` for signed requests.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from oauth_rs.credentials import OAuth1Client
from oauth_rs.jose.jwk import KeySet

_SCOPE_CHARACTERS = frozenset(chr(code) for code in range(0x21, 0x7F)) - {'"', "\\"}


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client with its secret and the scopes it may ask for. `ValueError` when one is unusable.

    Instead of with its secret it may authenticate with JWTs that a key of `jwks`, a JWK Set of public keys, verifies.
    OAuth 1.0a requests it signs with its secret, or with the private half of `rsa_key` (a public key, or one in PEM)
    and then with nothing else. Its access tokens are JWTs, with a `status` in the status list where that is wanted, or
    `opaque`. With `refresh` a refresh token comes with each, for client credentials too, although RFC 6749 section
    4.4.3 advises against it. RFC 6749 sections 2.3.1 and 3.3, RFC 7523 section 2.2, RFC 5849 section 3.4.
    """

    client_id: str
    secret: str = field(default="", repr=False)
    _: KW_ONLY
    scopes: AbstractSet[str] = frozenset()
    rsa_key: RSAPublicKey | str | None = field(default=None, repr=False)
    jwks: Mapping[str, Any] | None = field(default=None, repr=False, hash=False)
    opaque: bool = False
    refresh: bool = False
    status: bool = False
    keys: KeySet = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.client_id or not (self.secret or self.jwks):
            raise ValueError("a client needs an id and a secret, neither may be empty; jwks may stand for the secret")
        if not all(scope and set(scope) <= _SCOPE_CHARACTERS for scope in self.scopes):
            raise ValueError("a scope is printable ASCII without spaces, quotes or backslashes")
        if self.opaque and self.status:
            raise ValueError("opaque tokens carry no status: introspection tells it. Leave one of the two out")
        object.__setattr__(self, "scopes", frozenset(self.scopes))
        object.__setattr__(self, "keys", KeySet.from_jwks(self.jwks)[0] if self.jwks else KeySet([]))
        if self.signs:
            self.oauth1()

    @property
    def signs(self) -> bool:
        """True when it can sign OAuth 1.0a requests."""
        return bool(self.secret or self.rsa_key)

    def oauth1(self) -> OAuth1Client:
        """The same client as OAuth 1.0a knows it. `ValueError` unless it `signs`."""
        secret = "" if self.rsa_key else self.secret
        return OAuth1Client(client_id=self.client_id, secret=secret, rsa_key=self.rsa_key, scopes=self.scopes)
