"""How this application proves itself to an endpoint of a provider (RFC 6749 section 2.3, RFC 7523, RFC 8705).

Each way is a value; what it adds to a request is a `Proof`. Nothing is fetched here, the only files read are those of
a certificate, once, and nothing is shown: secrets, keys and tokens stand in no `repr` but that of a `Proof`.
"""

import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote_plus

import jwt

from .flow import Certificate, Flow, call
from .members import offers, takes
from .pem import PrivateKey, check_pair, private_key

UNPROVED = "does not accept how this application proves itself"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 section 2.2
ASSERTION_SECONDS = 60  # an assertion is used at once; the rest is for clocks that differ


class Proof(NamedTuple):
    """What a request gets: headers, form fields, a certificate to show.

    `renew` gives another proof after this one was refused with 401, or the same where none can be had.
    """

    headers: tuple[tuple[str, str], ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    certificate: Certificate | None = None
    renew: "Callable[[], Flow[Proof]] | None" = None


class ClientAuth(Protocol):
    """One way to prove who calls. `client_id` is "" where only a token says it."""

    @property
    def client_id(self) -> str: ...

    def prove(self, url: str, /) -> Proof | Flow[Proof]:
        """The proof for a request to `url`. Raises Unavailable where it depends on something that does not answer."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """Id and secret in the `Authorization` header, each form-encoded first (RFC 6749 section 2.3.1)."""

    client_id: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        _check(self.client_id, self.secret)

    def prove(self, _url: str, /) -> Proof:
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
        return Proof(headers=(("Authorization", f"Basic {b64encode(pair.encode()).decode()}"),))


@dataclass(frozen=True, slots=True)
class ClientSecretPost:
    """Id and secret in the form: for providers that do not take them in a header."""

    client_id: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        _check(self.client_id, self.secret)

    def prove(self, _url: str, /) -> Proof:
        return Proof(fields=(("client_id", self.client_id), ("client_secret", self.secret)))


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """The certificate that TLS shows; the form names the client (RFC 8705 section 2).

    Raises ValueError for files that are not there or do not fit, and never shows the key. Does not check whether the
    certificate is valid today: it may be renewed.
    """

    client_id: str
    certificate: Certificate

    def __post_init__(self) -> None:
        _check(self.client_id, "certificate")
        if not isinstance(self.certificate, Certificate):
            raise TypeError("certificate is Certificate('chain.pem', 'key.pem')")
        check_pair(self.certificate.chain, self.certificate.key, self.certificate.password)

    def prove(self, _url: str, /) -> Proof:
        return Proof(fields=(("client_id", self.client_id),), certificate=self.certificate)


class PrivateKeyJWT:
    """An assertion signed with `key`, new for each request (RFC 7523 sections 2.2 and 3).

    `key` is a private key, or one in PEM: RSA of 2048 bits or more, a curve of the algorithm, or Ed25519 for `EdDSA`.
    `audience` is what the provider wants to be called, mostly its issuer: the URL of the endpoint when left out. Raises
    TypeError and ValueError.
    """

    def __init__(
        self,
        client_id: str,
        key: PrivateKey | str | bytes,
        *,
        algorithm: str = "ES256",
        kid: str = "",
        audience: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        _check(client_id, "key", kid, audience)
        self.client_id = client_id
        self._key = private_key(key, algorithm)
        self._algorithm = algorithm
        self._header = {"kid": kid} if kid else None
        self._audience = audience
        self._clock = clock

    def __repr__(self) -> str:
        return f"PrivateKeyJWT({self.client_id!r}, algorithm={self._algorithm!r})"

    def prove(self, url: str, /) -> Proof:
        now = int(self._clock())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self._audience or url,
            "iat": now,
            "exp": now + ASSERTION_SECONDS,
            "jti": secrets.token_urlsafe(16),
        }
        assertion = jwt.encode(claims, self._key, self._algorithm, self._header)
        named = (("client_id", self.client_id), ("client_assertion_type", ASSERTION), ("client_assertion", assertion))
        return Proof(fields=named)


class RenewedToken(Protocol):
    """An access token of this application that is kept and renewed, as by ClientCredentials of oauth_rs.outbound."""

    def current(self, refused: str, /) -> Flow[str]:
        """The token: another than `refused`, which may be "", where one can be had. Raises Unavailable and no other."""


@dataclass(frozen=True, slots=True)
class BearerToken:
    """An access token of this application, as RFC 7662 section 2.1 has it for introspection.

    `token` is text, a function that gives it (plain or a coroutine function), or what keeps and renews it: both are
    asked for each proof. What a function raises, and a TypeError or ValueError for what is no token, ends the request.
    """

    token: str | Callable[[], Any] | RenewedToken = field(repr=False)
    client_id: str = ""

    def __post_init__(self) -> None:
        token: object = self.token
        if isinstance(token, str):
            _check(self.client_id or "client", token)
            _bearing(token)
            return
        _check(self.client_id or "client", "token")
        if isinstance(token, type) or not (offers(token, "current") or takes(token, 0)):
            raise TypeError("the token of a client is text, a function that gives it, or ClientCredentials(...)")

    def prove(self, _url: str, /) -> Proof | Flow[Proof]:
        return _bearing(self.token) if isinstance(self.token, str) else self._ask("")

    def _ask(self, refused: str) -> Flow[Proof]:
        source: Any = self.token
        if not offers(source, "current"):
            return _bearing((yield from call(source)))
        token: str = yield from source.current(refused)
        return _bearing(token)._replace(renew=lambda: self._ask(token))  # a partial would show the token in its repr


def _bearing(token: object) -> Proof:
    if not isinstance(token, str):
        raise TypeError("the function of a BearerToken gives a token, as text")
    if not token or not token.isprintable() or not token.isascii() or " " in token:
        raise ValueError("the token of a client is ASCII without spaces, as the provider gave it")
    return Proof(headers=(("Authorization", f"Bearer {token}"),))


def _check(client_id: str, secret: str, *more: str) -> None:
    given: tuple[Any, ...] = (client_id, secret, *more)
    if not all(isinstance(text, str) for text in given):
        raise TypeError("the id and the secret of a client, and what is said beside, are text: str, not bytes or None")
    if not client_id or not secret:
        raise ValueError("a client has an id and a secret, a key, a certificate or a token, none of them empty")
    if not all(text.isprintable() for text in given):
        raise ValueError("the id and the secret of a client are printable text")
