"""One development server for the tests that do not change it, and what reads its tokens (PyJWT) and its store."""

import itertools
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
from oauth_rs.devserver import Client, DevServer, User
from oauth_rs.devserver.issued import IssuedTokens
from oauth_rs.devserver.keys import KeyRing
from oauth_rs.devserver.status_list import StatusList
from oauth_rs.devserver.tokens import Mint
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Flow, Run, T
from oauth_rs.stores.sql import SQLCredentials
from tests.support.issuing import Issuer

API = "https://api.example.com"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
BASIC = ("demo", "secret")
SIGNER = Issuer("ES256", kid="c1", issuer="signer")
RSA_SIGNER = Issuer("RS256", kid="c2", issuer="signer")
"""Two keys of the client `signer`, which has no secret."""

Read = Callable[[str, dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="session")
def server() -> Iterator[DevServer]:
    with DevServer.running(
        audience=API,
        more_audiences=["https://other.example.com"],
        algorithm="ES256",
        clients=[
            Client("demo", "secret", scopes={"photos", "albums"}),
            Client("odd:id", "s%c+r&t=", scopes={"photos"}),
            Client("bare", "secret"),
            Client("hidden", "secret", scopes={"photos"}, opaque=True),
            Client("lasting", "secret", scopes={"photos", "albums"}, refresh=True),
            Client("listed", "secret", scopes={"photos"}, status=True),
            Client("signer", scopes={"photos"}, jwks={"keys": [SIGNER.jwk, RSA_SIGNER.jwk]}),
        ],
        users=[User("ada", name="Ada Lovelace", email="ada@example.org", preferred_username="al")],
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


class Clock:
    """Stands still until it is moved on."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def made_tokens(clock: Callable[[], float], *, prefix: str = "pt_") -> IssuedTokens:
    """Access tokens of an issuer without a server, whose client is `demo`."""
    keys = KeyRing("Ed25519")
    mint = Mint(issuer="http://127.0.0.1:9000", audience=API, client_id="demo", keys=keys, lifetime=60, clock=clock)
    return IssuedTokens(mint, statuses=StatusList(mint, ttl=60), prefix=prefix)


_numbers = itertools.count()


def assertion(server: DevServer, *, header: dict[str, Any] | None = None, **changes: Any) -> dict[str, str]:
    """The fields with which `signer` authenticates, once; `changes` are to its claims."""
    claims = {"sub": "signer", "aud": f"{server.issuer}/token", "jti": str(next(_numbers)), **changes}
    token = SIGNER.token(header={"typ": "JWT", **(header or {})}, **claims)
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": token}


def refused(response: httpx2.Response, error: str, status: int = 400) -> bool:
    """True when the answer is the error JSON of RFC 6749 section 5.2."""
    body = response.json()
    return (
        (response.status_code, body.pop("error")) == (status, error)
        and set(body) <= {"error_description"}
        and response.headers["cache-control"] == "no-store"
        and response.headers.get("www-authenticate", "").startswith("Basic ") is (status == 401)
    )


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
