"""Tokens, good and bad, made the way issuers make them: with PyJWT's algorithms, not with the code under test."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm, RSAPSSAlgorithm

from oauth_rs import JWTProvider, StaticKeys

ISSUER = "https://id.example.com"
API = "https://api.example.com"
LIFE = 3600  # seconds: tokens that are made when a test file is read must be good when its last test runs

ALGORITHMS: dict[str, Any] = {
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "PS256": RSAPSSAlgorithm(RSAPSSAlgorithm.SHA256),
    "ES256": ECAlgorithm(ECAlgorithm.SHA256),
    "ES384": ECAlgorithm(ECAlgorithm.SHA384),
    "ES512": ECAlgorithm(ECAlgorithm.SHA512),
    "Ed25519": OKPAlgorithm(),
    "EdDSA": OKPAlgorithm(),
}
_CURVES: dict[str, ec.EllipticCurve] = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
}


@cache
def private_key(algorithm: str, kid: str) -> Any:  # noqa: ARG001 - kid keeps several keys apart
    """One key per algorithm and kid for the whole run: RSA keys take a tenth of a second to make."""
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm])
    if algorithm.startswith("Ed"):
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 2048)


def encode(data: bytes | Mapping[str, Any]) -> bytes:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return urlsafe_b64encode(raw).rstrip(b"=")


class Issuer:
    """An issuer with one signing key. Every token it makes is good until told otherwise."""

    def __init__(self, algorithm: str = "ES256", *, kid: str = "k1", issuer: str = ISSUER) -> None:
        self.algorithm = algorithm
        self.kid = kid
        self.issuer = issuer
        self.private_key = private_key(algorithm, kid)

    @property
    def jwk(self) -> dict[str, Any]:
        public: dict[str, Any] = ALGORITHMS[self.algorithm].to_jwk(self.private_key.public_key(), as_dict=True)
        public.pop("key_ops", None)
        return {**public, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [self.jwk]}

    def keys(self) -> StaticKeys:
        return StaticKeys.from_jwks(self.jwks)

    def provider(self, **options: Any) -> JWTProvider:
        return JWTProvider(self.issuer, **{"audience": API, "keys": self.keys(), **options})

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.issuer,
            "sub": "ada",
            "aud": API,
            "exp": now + LIFE,
            "iat": now,
            "jti": "1",
            "client_id": "app",
            "scope": "photos profile",
            **changes,
        }

    def token(self, *, header: Mapping[str, Any] | None = None, drop: Collection[str] = (), **changes: Any) -> str:
        """A signed access token with `changes` to its claims and `header`; `drop` names claims and members to omit."""
        members = {"typ": "at+jwt", "alg": self.algorithm, "kid": self.kid, **(header or {})}
        payload = {name: value for name, value in self.claims(**changes).items() if name not in drop}
        return self.sign({name: value for name, value in members.items() if name not in drop}, encode(payload))

    def sign(self, header: Mapping[str, Any] | bytes, payload: bytes) -> str:
        """A compact JWS over `payload`, which is base64url already, whatever its header says."""
        signing_input = encode(header) + b"." + payload
        signature = ALGORITHMS[self.algorithm].sign(signing_input, self.private_key)
        return (signing_input + b"." + encode(signature)).decode()
