"""One development server for the tests that do not change it, and what reads its tokens: PyJWT."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import jwt
import pytest
from jwt.algorithms import OKPAlgorithm

from oauth_rs.devserver import Client, DevServer

Read = Callable[[str, dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="session")
def server() -> Iterator[DevServer]:
    with DevServer.running(
        audience="https://api.example.com",
        more_audiences=["https://other.example.com"],
        algorithm="ES256",
        clients=[
            Client("demo", "secret", scopes={"photos", "albums"}),
            Client("odd:id", "s%c+r&t=", scopes={"photos"}),
            Client("bare", "secret"),
        ],
    ) as running:
        yield running


@pytest.fixture(scope="session")
def http(server: DevServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.issuer, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def read() -> Read:
    """Verifies a token with a key set; gives `header` and `payload`. PyJWT raises if the signature is bad."""
    verifier = jwt.PyJWS()
    verifier.register_algorithm("Ed25519", OKPAlgorithm())  # PyJWT has no RFC 9864 name

    def read(token: str, jwks: dict[str, Any]) -> dict[str, Any]:
        kid = jwt.get_unverified_header(token)["kid"]
        jwk = {**next(jwk for jwk in jwks["keys"] if jwk["kid"] == kid)}
        alg = jwk.pop("alg")
        key = jwt.PyJWK(jwk, "EdDSA" if alg == "Ed25519" else alg).key
        whole = verifier.decode_complete(token, key, algorithms=[alg])
        claims = jwt.decode(token, options={"verify_signature": False})
        return {"header": whole["header"], "claims": claims}

    return read
