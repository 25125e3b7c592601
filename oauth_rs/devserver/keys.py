"""Signing keys of the development server: made in memory, rotated, published (RFC 7517, RFC 7518, RFC 9864).

Does not store keys, does not encrypt them, and signs with asymmetric algorithms only.
"""

import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

# Kept keys that no longer sign: a client that posts `keep=true` for ever must not grow the key set for ever.
RETIRED_LIMIT = 8

# The name in the JWS header -> PyJWT's name (it has no `Ed25519` of RFC 9864) and how a key is made.
ALGORITHMS: dict[str, tuple[str, Callable[[], Any]]] = {
    "RS256": ("RS256", lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "ES256": ("ES256", lambda: ec.generate_private_key(ec.SECP256R1())),
    "Ed25519": ("EdDSA", Ed25519PrivateKey.generate),
    "EdDSA": ("EdDSA", Ed25519PrivateKey.generate),
}
_SIGNATURES = get_default_algorithms()


def base64url(data: bytes) -> str:
    """`data` in base64url without padding, RFC 7515 section 2."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key, the algorithm it signs with, and its RFC 7638 thumbprint as `kid`."""

    algorithm: str
    kid: str
    public: dict[str, Any] = field(repr=False)
    private: Any = field(repr=False)

    @classmethod
    def generate(cls, algorithm: str) -> "SigningKey":
        """A new key. `ValueError` for an algorithm that is not in `ALGORITHMS`."""
        if algorithm not in ALGORITHMS:
            raise ValueError(f"unknown algorithm {algorithm!r}: choose one of {', '.join(ALGORITHMS)}")
        name, make = ALGORITHMS[algorithm]
        private = make()
        public: dict[str, Any] = _SIGNATURES[name].to_jwk(private.public_key(), as_dict=True)
        public.pop("key_ops", None)  # RFC 7517 section 4.3: not together with `use`
        return cls(algorithm=algorithm, kid=_thumbprint(public), public=public, private=private)

    def sign(self, message: bytes) -> bytes:
        return _SIGNATURES[ALGORITHMS[self.algorithm][0]].sign(message, self.private)

    def jwk(self) -> dict[str, Any]:
        """The public half as a JWK."""
        return {**self.public, "use": "sig", "alg": self.algorithm, "kid": self.kid}

    def public_pem(self) -> bytes:
        """The public half as PEM: what a confused verifier takes for an HMAC secret."""
        pem: bytes = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem


@dataclass(frozen=True, slots=True, kw_only=True)
class _Published:
    signing: dict[str, SigningKey]
    retired: tuple[SigningKey, ...] = ()


class KeyRing:
    """The keys that sign now, one per algorithm in use, and the retired ones that are still published.

    Threads may share it: a change replaces the whole state under a lock, a read takes what is there.
    """

    def __init__(self, algorithm: str) -> None:
        self._algorithm = algorithm
        self._lock = threading.Lock()
        self._published = _Published(signing={algorithm: SigningKey.generate(algorithm)})

    def signing(self, algorithm: str | None = None) -> SigningKey:
        """The key that signs with `algorithm`, made and published when first asked for."""
        name = algorithm or self._algorithm
        with self._lock:
            signing, retired = self._published.signing, self._published.retired
            if name not in signing:
                signing = {**signing, name: SigningKey.generate(name)}
                self._published = _Published(signing=signing, retired=retired)
        return signing[name]

    def rotate(self, *, keep: bool = False) -> SigningKey:
        """A new key signs. With `keep` the old ones stay published, the latest `RETIRED_LIMIT` of them."""
        fresh = SigningKey.generate(self._algorithm)
        with self._lock:
            old = (*self._published.signing.values(), *self._published.retired) if keep else ()
            self._published = _Published(signing={self._algorithm: fresh}, retired=old[:RETIRED_LIMIT])
        return fresh

    def jwks(self) -> dict[str, Any]:
        """The published key set, the signing keys first."""
        published = self._published
        return {"keys": [key.jwk() for key in (*published.signing.values(), *published.retired)]}


def _thumbprint(public: dict[str, Any]) -> str:
    # RFC 7638 section 3: here `public` has the required members of its key type and no other.
    return base64url(sha256(json.dumps(public, sort_keys=True, separators=(",", ":")).encode()).digest())
