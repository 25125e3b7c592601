"""The signature algorithms of access tokens, each as a function from key to check (RFC 7518 section 3, RFC 8037).

What belongs together stands in one table: a key of a type and curve can do these algorithms and no others. Does not
read keys (see jwk.py), nor decide which algorithm a token may use, nor make the text of a token the only one: who has
an ECDSA signature (r, s) has (r, n - s) too, and issuers send either.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

Verifier: TypeAlias = Callable[[bytes, bytes], bool]
"""Takes a message and its signature; True when the signature is good."""


def _pkcs1(digest: HashAlgorithm) -> Callable[[RSAPublicKey], Verifier]:
    return lambda key: _rsa(key, digest, PKCS1v15())


def _pss(digest: HashAlgorithm) -> Callable[[RSAPublicKey], Verifier]:
    # RFC 7518 section 3.5: MGF1 with the same hash, a salt as long as its output.
    return lambda key: _rsa(key, digest, PSS(MGF1(digest), digest.digest_size))


def _rsa(key: RSAPublicKey, digest: HashAlgorithm, padding: AsymmetricPadding) -> Verifier:
    verify, hashed, prehashed = key.verify, _hash(digest), Prehashed(digest)
    length = (key.key_size + 7) // 8

    def check(message: bytes, signature: bytes) -> bool:
        # RFC 8017 section 8.1.2. OpenSSL takes a PSS signature without its leading zeros too.
        if len(signature) != length:
            return False
        try:
            verify(signature, hashed(message).digest(), padding, prehashed)
        except InvalidSignature:
            return False
        return True

    return check


def _ecdsa(digest: HashAlgorithm, size: int) -> Callable[[EllipticCurvePublicKey], Verifier]:
    """`size` is the length of a coordinate in bytes: the signature is r and s side by side (RFC 7518 section 3.4)."""
    hashed, algorithm = _hash(digest), ECDSA(Prehashed(digest))

    def of(key: EllipticCurvePublicKey) -> Verifier:
        def check(message: bytes, signature: bytes) -> bool:
            if len(signature) != 2 * size:
                return False
            r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
            try:
                key.verify(encode_dss_signature(r, s), hashed(message).digest(), algorithm)
            except InvalidSignature:
                return False
            return True

        return check

    return of


def _hash(digest: HashAlgorithm) -> Callable[[bytes], Any]:
    """The same hash of hashlib: hashing with it first is quicker than having `verify` do it."""
    return cast("Callable[[bytes], Any]", getattr(hashlib, digest.name))


def _ed25519(key: Ed25519PublicKey) -> Verifier:
    def check(message: bytes, signature: bytes) -> bool:
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return check


def _hmac(name: str) -> Callable[[bytes], Verifier]:
    def of(secret: bytes) -> Verifier:
        keyed = hmac.new(secret, digestmod=name)  # copied for each message: the key is taken in once

        def check(message: bytes, signature: bytes) -> bool:
            mac = keyed.copy()
            mac.update(message)
            return hmac.compare_digest(mac.digest(), signature)

        return check

    return of


RSA: Mapping[str, Callable[[Any], Verifier]] = {
    "RS256": _pkcs1(SHA256()),
    "RS384": _pkcs1(SHA384()),
    "RS512": _pkcs1(SHA512()),
    "PS256": _pss(SHA256()),
    "PS384": _pss(SHA384()),
    "PS512": _pss(SHA512()),
}
EC: Mapping[str, Mapping[str, Callable[[Any], Verifier]]] = {
    "secp256r1": {"ES256": _ecdsa(SHA256(), 32)},
    "secp384r1": {"ES384": _ecdsa(SHA384(), 48)},
    "secp521r1": {"ES512": _ecdsa(SHA512(), 66)},
}
# RFC 9864 names the curve; EdDSA is the older name of the same signature, and either may stand in key or token.
OKP: Mapping[str, Callable[[Any], Verifier]] = {"Ed25519": _ed25519, "EdDSA": _ed25519}
HMAC: Mapping[str, Callable[[bytes], Verifier]] = {
    "HS256": _hmac("sha256"),
    "HS384": _hmac("sha384"),
    "HS512": _hmac("sha512"),
}
ASYMMETRIC = frozenset((*RSA, *(name for curve in EC.values() for name in curve), *OKP))
SUPPORTED = ASYMMETRIC | HMAC.keys()
