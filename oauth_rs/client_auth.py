"""How this application proves itself to an endpoint of a provider (RFC 6749 section 2.3, RFC 7523, RFC 8705).

Each way is a value; what it adds to a request is a `Proof`. Nothing is fetched here, no file is read but once that of a
certificate, and nothing is shown: secrets, keys and tokens stand in no `repr`.
"""

import logging
import re
import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias
from urllib.parse import quote_plus

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from .flow import Certificate, Flow

QUIET_SECONDS = 60  # between records of a refusal: a stranger's token may be the cause, so many would fill the log
MISCONFIGURED_SECONDS = 30  # until it is worth asking again where this application was refused
UNPROVED = "does not accept how this application proves itself"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 section 2.2
ASSERTION_SECONDS = 60  # an assertion is used at once; the rest is for clocks that differ
PrivateKey: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey
_MIN_RSA_BITS = 2048
_KINDS: dict[str, type[PrivateKey]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSAPrivateKey),
    **dict.fromkeys(("ES256", "ES384", "ES512"), EllipticCurvePrivateKey),
    "EdDSA": Ed25519PrivateKey,
}
_PRIVATE_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}

logger = logging.getLogger("oauth_rs")


class Proof(NamedTuple):
    """What a request gets: headers, form fields, a certificate to show."""

    headers: tuple[tuple[str, str], ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    certificate: Certificate | None = None


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
        _check_pair(self.certificate)

    def prove(self, _url: str, /) -> Proof:
        return Proof(fields=(("client_id", self.client_id),), certificate=self.certificate)


class PrivateKeyJWT:
    """An assertion signed with `key`, new for each request (RFC 7523 sections 2.2 and 3).

    `key` is a private key, or one in PEM: RSA of 2048 bits or more, a curve of the algorithm, or Ed25519 for `EdDSA`.
    `audience` is what the provider wants to be called, mostly its issuer: the URL of the endpoint when left out. Raises
    ValueError.
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


@dataclass(frozen=True, slots=True)
class BearerToken:
    """An access token of this application, as RFC 7662 section 2.1 has it for introspection."""

    token: str = field(repr=False)
    client_id: str = ""

    def __post_init__(self) -> None:
        _check(self.client_id or "client", self.token)
        if not self.token.isascii() or " " in self.token:
            raise ValueError("the token of a client is ASCII without spaces, as the provider gave it")

    def prove(self, _url: str, /) -> Proof:
        return Proof(headers=(("Authorization", f"Bearer {self.token}"),))


class Complaints:
    """Tells the log that an endpoint refuses this application itself, at ERROR, once in QUIET_SECONDS."""

    __slots__ = ("_quiet_until",)

    def __init__(self) -> None:
        self._quiet_until = -inf

    def tell(self, endpoint: object, answer: object, now: float, *, what: str = UNPROVED) -> None:
        """`answer` is a status or a code that this package knows: nothing that the endpoint wrote is logged."""
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_SECONDS
            logger.error("configuration: %s %s: %s", endpoint, what, answer)


def private_key(key: PrivateKey | str | bytes, algorithm: str) -> PrivateKey:
    """`key`, when it can sign with `algorithm`. Raises ValueError, which never shows the key."""
    kind = _KINDS.get(algorithm)
    if kind is None:
        raise ValueError(f"{algorithm!r} signs nothing here: one of {', '.join(_KINDS)}")
    loaded = _loaded(key) if isinstance(key, str | bytes) else key
    if not isinstance(loaded, kind):
        raise ValueError(f"the key is not one for {algorithm}")  # noqa: TRY004 - a PEM text may hold any key
    if isinstance(loaded, RSAPrivateKey) and loaded.key_size < _MIN_RSA_BITS:
        raise ValueError(f"an RSA key has {_MIN_RSA_BITS} bits or more")
    if isinstance(loaded, EllipticCurvePrivateKey) and loaded.curve.name != _CURVES[algorithm]:
        raise ValueError(f"the key is not on the curve of {algorithm}")
    return loaded


def _loaded(pem: str | bytes) -> object:
    try:
        return load_pem_private_key(pem.encode() if isinstance(pem, str) else pem, None)
    except (ValueError, TypeError):
        pass  # raised out here, because that error may show the key and would be chained
    raise ValueError("the key is not a private key in PEM without a password")


def _check_pair(certificate: Certificate) -> None:
    try:
        chain, key = Path(certificate.chain).read_bytes(), Path(certificate.key).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in a path
        raise ValueError(f"the files of a certificate are there and can be read: {error}") from error
    certified, own = _certified(chain), _public(key, certificate.password)
    if certified is None:
        raise ValueError(f"there is no certificate in PEM in {certificate.chain}")
    if own is None:
        raise ValueError(f"there is no private key in PEM in {certificate.key}, or password= is not the one it has")
    if own != certified:
        raise ValueError(f"the key in {certificate.key} is not that of the first certificate in {certificate.chain}")


def _certified(chain: bytes) -> object:
    try:
        return load_pem_x509_certificate(chain).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def _public(pem: bytes, password: str | None) -> object:
    """The public part of the private key in `pem`; None, not an error that may show the key, where there is none."""
    found = _PRIVATE_KEY.search(pem)  # parameters of its curve, or the certificate, may stand before it
    if found is None:
        return None
    # A key without a password is taken as it is, whatever password is given: so does OpenSSL.
    secret = (password or "").encode() if b"ENCRYPTED" in found[0] else None
    try:
        return load_pem_private_key(found[0], secret).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _check(client_id: str, secret: str, *more: str) -> None:
    given: tuple[Any, ...] = (client_id, secret, *more)
    if not all(isinstance(text, str) for text in given):
        raise TypeError("the id and the secret of a client, and what is said beside, are text: str, not bytes or None")
    if not client_id or not secret:
        raise ValueError("a client has an id and a secret, a key, a certificate or a token, none of them empty")
    if not all(text.isprintable() for text in given):
        raise ValueError("the id and the secret of a client are printable text")
