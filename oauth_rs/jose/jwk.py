"""Verification keys with their algorithms bound to them (RFC 7517, RFC 7518, RFC 8037, RFC 9864).

A key knows which algorithms it may verify; the header of a token can only select within them. Public keys come from
JWKs or PEM, symmetric ones only from a secret that is given as such. Nothing is guessed from bytes, and nothing is
fetched (see remote_keys.py). Does not check certificates (`x5c`, `x5t`).
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

from ..encoding import base64url_decode
from .algorithms import EC, HMAC, OKP, RSA, Verifier
from .roca import fingerprinted

MIN_RSA_BITS = 2048  # RFC 7518 section 3.3
MAX_RSA_BITS = 8192  # an 8192-bit check takes a quarter of a millisecond; larger keys only serve to keep us busy
MAX_KEYS = 100  # real sets hold fewer than ten; each key costs some 50 us to read
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
# White space and byte order marks hide the text of a key from PyJWT's look at a secret; so do the NULs of UTF-16.
_ASIDE = b"\t\n\r \xef\xbb\xbf\xff\xfe"
_MIN_SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}  # RFC 7518 section 3.2: as long as the hash


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """One verification key. Compared by identity: a key that is fetched again unchanged stays the same object."""

    kid: str | None
    _verifiers: Mapping[str, Verifier] = field(repr=False)

    @property
    def algorithms(self) -> Collection[str]:
        """The `alg` values this key may verify."""
        return self._verifiers.keys()

    def verify(self, algorithm: str, message: bytes, signature: bytes) -> bool:
        """True when `signature` over `message` is good under this key and `algorithm`, one of its own."""
        verifier = self._verifiers.get(algorithm)
        return verifier is not None and verifier(message, signature)


def public_key(jwk: Mapping[str, Any]) -> Key:
    """The key that a public JWK describes, bound to its `alg`, or to all that its type and curve can do.

    Raises ValueError for keys that are private, symmetric, weak, malformed, not for verifying, or of another kind.
    """
    kid, alg = jwk.get("kid"), jwk.get("alg")
    if not isinstance(kid, str | None) or not isinstance(alg, str | None):
        raise ValueError("kid and alg are strings")  # noqa: TRY004 - what came over the wire is bad, not the call
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("not a key for verifying signatures")
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise ValueError("a key with private members is not a public key")
    return _bound(kid, _material(jwk), alg)


def pem_key(pem: bytes | str, *, algorithm: str, kid: str | None = None) -> Key:
    """The key of a PEM `SubjectPublicKeyInfo` ("BEGIN PUBLIC KEY"), bound to `algorithm` alone. Raises ValueError."""
    try:
        material = load_pem_public_key(pem.encode() if isinstance(pem, str) else pem)
    except UnsupportedAlgorithm as error:
        raise ValueError("the curve or algorithm of this PEM is not supported") from error
    return _bound(kid, material, algorithm)


def symmetric_key(secret: bytes, *, algorithm: str = "HS256", kid: str | None = None) -> Key:
    """A key shared with the issuer, for HS256, HS384 or HS512 alone.

    Raises TypeError for text, and ValueError when the secret is shorter than the hash (RFC 7518 section 3.2) or is the
    text of an asymmetric key.
    """
    if not isinstance(secret, bytes | bytearray):
        raise TypeError("the secret is bytes: base64.b64decode(text) or text.encode(), as the issuer has it")
    if algorithm not in HMAC:
        raise ValueError(f"a symmetric key is for {', '.join(HMAC)}, not {algorithm}")
    secret = bytes(secret)
    if len(secret) < _MIN_SECRET_BYTES[algorithm]:
        raise ValueError(f"the secret of {algorithm} is at least {_MIN_SECRET_BYTES[algorithm]} bytes long")
    try:
        for spelling in (secret, secret.replace(b"\0", b"").lstrip(_ASIDE) or secret):
            HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(spelling)
    except InvalidKeyError as error:
        raise ValueError(
            "this secret is the text of an asymmetric key or of a JWK: take pem_key or public_key"
        ) from error
    return Key(kid, {algorithm: HMAC[algorithm](secret)})


class KeySet:
    """Keys to select from. `by_source` has them by the canonical JSON text of the JWK that each was read from."""

    __slots__ = ("_by_source", "_suited", "keys")

    def __init__(self, keys: Iterable[Key], *, by_source: Mapping[str, Key] | None = None) -> None:
        self.keys = tuple(keys)
        self._by_source = by_source or {}
        self._suited: dict[tuple[str, str | None], Key | None] = {}
        for key in self.keys:
            for slot in {(name, kid) for name in key.algorithms for kid in (key.kid, None)}:
                self._suited[slot] = None if slot in self._suited else key

    @classmethod
    def from_jwks(cls, document: Mapping[str, Any], *, known: "KeySet | None" = None) -> "tuple[KeySet, int]":
        """The usable keys of a JWK Set (RFC 7517 section 5), and how many were left out as unusable.

        Keys for encryption are left out too, and not counted: they belong in such a set. Keys already in `known` are
        taken from there, the same objects. Raises ValueError when there is no usable key.
        """
        jwks = document.get("keys")
        if not isinstance(jwks, list) or len(jwks) > MAX_KEYS:
            raise ValueError(f"a JWK Set has a list of at most {MAX_KEYS} keys")
        by_source: dict[str, Key] = {}
        signing = [jwk for jwk in jwks if not (isinstance(jwk, Mapping) and jwk.get("use") == "enc")]
        for jwk in signing:
            source = json.dumps(jwk, sort_keys=True)
            try:
                by_source[source] = (known and known._by_source.get(source)) or public_key(_mapping(jwk))  # noqa: SLF001
            except ValueError:
                continue  # one odd key does not spoil the set
        if not by_source:
            raise ValueError("no key of the set can be used")
        return cls(by_source.values(), by_source=by_source), len(signing) - len(by_source)

    def select(self, algorithm: str, kid: str | None) -> Key | None:
        """The one key for `algorithm` under `kid`, or the only one for `algorithm` when the token names none.

        None when there is no such key, or more than one: a choice would be a guess.
        """
        return self._suited.get((algorithm, kid))

    def covers(self, other: "KeySet") -> bool:
        """True when every key of `other` is here too."""
        return set(other.keys) <= set(self.keys)


def _mapping(jwk: Any) -> Mapping[str, Any]:
    if not isinstance(jwk, Mapping):
        raise ValueError("a JWK is a JSON object")  # noqa: TRY004 - what came over the wire is bad, not the call
    return jwk


def _material(jwk: Mapping[str, Any]) -> Any:
    members = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}.get(str(jwk.get("kty")))
    if members is None:
        raise ValueError("not an asymmetric key")
    for member in members:
        value = jwk.get(member)
        if not isinstance(value, str):
            raise ValueError("a number of a key is a string")  # noqa: TRY004 - what came over the wire is bad
        base64url_decode(value.encode())  # PyJWT's own decoder takes several spellings
    algorithm: Any = {"RSA": RSAAlgorithm, "EC": ECAlgorithm, "OKP": OKPAlgorithm}[jwk["kty"]]
    try:
        return algorithm.from_jwk(dict(jwk))
    except (InvalidKeyError, UnsupportedAlgorithm) as error:
        raise ValueError("not a usable key") from error


def _bound(kid: str | None, material: Any, algorithm: str | None) -> Key:
    possible = _algorithms(material)
    if algorithm is None:
        chosen: Iterable[str] = possible
    else:
        chosen = OKP if algorithm in OKP else (algorithm,)
    verifiers = {name: possible[name](material) for name in chosen if name in possible}
    if not verifiers:
        raise ValueError("the algorithm does not fit the key")
    return Key(kid, verifiers)


def _algorithms(material: Any) -> Mapping[str, Callable[[Any], Verifier]]:
    if isinstance(material, RSAPublicKey):
        _check_rsa(material)
        return RSA
    if isinstance(material, EllipticCurvePublicKey):
        return EC.get(material.curve.name, {})
    return OKP if isinstance(material, Ed25519PublicKey) else {}


def _check_rsa(key: RSAPublicKey) -> None:
    numbers = key.public_numbers()
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise ValueError(f"RSA keys have {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    if numbers.e < 3 or not numbers.e & 1:  # noqa: PLR2004 - RFC 8017 section 3.1
        raise ValueError("not a public exponent")
    if fingerprinted(numbers.n):
        raise ValueError("an RSA key made by a flawed generator (CVE-2017-15361)")
