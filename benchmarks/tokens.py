"""The token of every row: RFC 9068, 13 claims, a signing input of some 694 bytes, 1,037 bytes with an RSA signature.

Signed with PyJWT, by one key per algorithm that is made for the run.
"""

import json
import secrets
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, OKPAlgorithm, RSAAlgorithm

from oauth_rs import Bearer, DirectURL, Grant, JWTProvider, MemoryReplay, StaticKeys, symmetric_key
from oauth_rs.asgi import ASGIRequest
from oauth_rs.flow import Flow, Run
from oauth_rs.keys import KeySource
from oauth_rs.schemes import Site

ISSUER = "https://id.example.com/realms/main"
API = "https://api.example.com"
SITE = Site(DirectURL(), MemoryReplay())
REQUEST = ASGIRequest({"type": "http", "method": "GET", "path": "/photos", "headers": []})
KID = "Q7sVxw2m0fJtL9aRr4dK3g"
_JWK: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm, "HS256": HMACAlgorithm}


@cache
def signing_key(algorithm: str) -> Any:
    """The private key, or the shared secret."""
    if algorithm == "HS256":
        return secrets.token_bytes(32)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 2048)


def checking_key(algorithm: str) -> Any:
    """The public key, or the shared secret, as PyJWT takes it in hand."""
    key = signing_key(algorithm)
    return key if algorithm == "HS256" else key.public_key()


def public_pem(algorithm: str) -> str:
    pem: bytes = checking_key(algorithm).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


def jwk(algorithm: str) -> dict[str, Any]:
    """The checking key as a JWK."""
    members = dict(_JWK[algorithm].to_jwk(checking_key(algorithm), as_dict=True))
    members.pop("key_ops", None)
    return {**members, "kid": KID, "alg": algorithm, "use": "sig"}


def jwks(algorithm: str) -> dict[str, Any]:
    """The key set of the issuer, with one key."""
    return {"keys": [jwk(algorithm)]}


def keys(algorithm: str) -> KeySource:
    """The same key as this package takes it in hand."""
    if algorithm == "HS256":
        return StaticKeys(symmetric_key(signing_key(algorithm), kid=KID))
    return StaticKeys.from_jwks(jwks(algorithm))


def provider(algorithm: str, *, source: KeySource | None = None, cache_size: int = 0) -> JWTProvider:
    """Keeps no verified tokens unless told to."""
    return JWTProvider(ISSUER, audience=API, keys=source or keys(algorithm), cache_size=cache_size)


def bearer(algorithm: str, *, source: KeySource | None = None, cache_size: int = 0) -> Bearer:
    return Bearer(provider(algorithm, source=source, cache_size=cache_size))


def check(bearer: Bearer, text: str) -> Callable[[], object]:
    """The whole check of a bearer token, as the shells run it."""
    credentials = text.encode()
    return lambda: granted(bearer.authenticate(REQUEST, credentials, SITE))


def granted(verdict: Grant | Flow[Grant]) -> Grant:
    """What `verdict` says, when nothing has to be fetched for it."""
    return verdict if isinstance(verdict, Grant) else Run(verdict).result


def claims(number: int = 0) -> dict[str, Any]:
    """Each `number` gives other claims of the same length."""
    now = int(time.time())
    return {
        "iss": ISSUER,
        "sub": f"5f0c9a1e-77b4-4a7d-9d1c-{number:012d}",
        "aud": API,
        "client_id": f"web-client-{number % 16:02d}",
        "iat": now,
        "exp": now + 3600,
        "jti": f"0b8f6e1c-2d7a-4c55-8f3e-{number:012d}",
        "scope": "openid profile photos photos.upload orders.read",
        "auth_time": now - 120,
        "acr": "urn:example:loa:2fa",
        "amr": ["pwd", "otp"],
        "roles": ["editor", "reviewer", "auditor"],
        "groups": ["staff", "hamburg", "photo-desk", "release-managers"],
    }


def token(algorithm: str, number: int = 0) -> str:
    text = jwt.encode(
        claims(number), signing_key(algorithm), algorithm=algorithm, headers={"typ": "at+jwt", "kid": KID}
    )
    length = len(text.rpartition(".")[0])
    if not 690 <= length <= 700:
        raise ValueError(f"the signing input is to be 690 to 700 bytes long and has {length}")
    return text


def payload(number: int) -> str:
    """The claims as JSON, as the issuer writes them into the token."""
    return json.dumps(claims(number), separators=(",", ":"))
