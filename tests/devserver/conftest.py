"""One development server for the tests that do not change it, and what reads its tokens (PyJWT) and its store."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.fernet import Fernet
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import NullPool, create_engine

from oauth_rs import HTTPSettings
from oauth_rs.devserver import Client, DevServer
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Flow, Run, T
from oauth_rs.stores.sql import SQLCredentials

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


@pytest.fixture
def store(tmp_path: Path) -> SQLCredentials:
    return made_store(tmp_path)


def made_store(folder: Path) -> SQLCredentials:
    """A new store without tables, in a file of its own."""
    engine = create_engine(f"sqlite:///{folder}/credentials.sqlite", poolclass=NullPool)
    return SQLCredentials(engine, keys=[Fernet.generate_key()])


def found(flow: Flow[T]) -> T:
    """What a resource server finds in the store."""
    return BlockingHTTP(HTTPSettings()).drive(Run(flow))
