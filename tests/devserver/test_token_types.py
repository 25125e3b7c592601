import time
from collections.abc import Iterator
from typing import Any

import httpx2
import jwt
import pytest

from oauth_rs import SignatureMethod
from oauth_rs.devserver import Client, DevServer
from oauth_rs.devserver.token_types import audience_claim
from oauth_rs.stores.sql import SQLCredentials
from tests.devserver.conftest import BASIC, found

POSTED = {"grant_type": "client_credentials", "client_id": "demo", "client_secret": "secret"}


@pytest.fixture
def own(store: SQLCredentials) -> Iterator[DevServer]:
    """A server with a store."""
    with DevServer.running(
        audience="urn:api",
        algorithm="ES256",
        clients=[Client("demo", "secret", scopes={"photos", "albums"})],
        lifetime=60,
        credentials=store,
    ) as server:
        yield server


def post(server: DevServer, **members: str) -> httpx2.Response:
    return httpx2.post(f"{server.issuer}/token", data={**POSTED, **members}, trust_env=False)


@pytest.mark.parametrize("token_type", ["hmac", "DPoP", "N_A", "mac bearer", "\0"])
def test_another_token_type_is_an_invalid_request(own: DevServer, token_type: str) -> None:
    refused = post(own, token_type=token_type)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


def test_two_token_types_are_an_invalid_request(own: DevServer) -> None:
    body = "grant_type=client_credentials&client_id=demo&client_secret=secret&token_type=mac&token_type=mac"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    refused = httpx2.post(f"{own.issuer}/token", content=body, headers=form, trust_env=False)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("wrong", "error"), [({"client_secret": "wrong"}, "invalid_client"), ({"scope": "admin"}, "invalid_scope")]
)
def test_whoever_gets_no_bearer_token_gets_no_mac_token(own: DevServer, wrong: dict[str, str], error: str) -> None:
    refused = post(own, token_type="mac", **wrong).json()
    assert (refused["error"], "mac_key" in refused) == (error, False)


@pytest.mark.parametrize("token_type", ["", "bearer", "Bearer"])
def test_a_bearer_token_carries_no_key(own: DevServer, token_type: str) -> None:
    reply = post(own, token_type=token_type).json()
    claims = jwt.decode(reply["access_token"], options={"verify_signature": False})
    assert (reply["token_type"], "mac_key" in reply, "mac_key" in claims) == ("Bearer", False, False)


@pytest.mark.parametrize("token_type", ["mac", "MAC"])
def test_a_mac_token_carries_its_key(own: DevServer, token_type: str) -> None:
    reply = post(own, token_type=token_type, scope="photos").json()
    claims = jwt.decode(reply["access_token"], options={"verify_signature": False})
    assert reply.keys() == {"access_token", "token_type", "kid", "mac_key", "mac_algorithm", "expires_in", "scope"}
    assert (reply["token_type"], reply["mac_algorithm"]) == ("mac", "hmac-sha-256")
    assert (reply["expires_in"], reply["scope"]) == (60, "photos")
    assert {name: claims[name] for name in ("kid", "mac_key", "mac_algorithm", "scope")} == {
        name: reply[name] for name in ("kid", "mac_key", "mac_algorithm", "scope")
    }


def test_the_key_of_a_mac_token_is_in_the_store(own: DevServer, store: SQLCredentials) -> None:
    reply = post(own, token_type="mac", scope="photos").json()
    claims = jwt.decode(reply["access_token"], options={"verify_signature": False})
    key = found(store.mac_key(reply["kid"]))
    assert key is not None
    assert (key.key, key.algorithm) == (reply["mac_key"].encode(), SignatureMethod.HMAC_SHA256)
    assert (key.subject, key.client_id, key.scopes) == ("demo", "demo", {"photos"})
    assert (key.issued_at, key.expires_at) == (claims["iat"], claims["exp"])
    assert 0 < key.expires_at - time.time() <= 60


def test_every_mac_token_has_a_key_of_its_own(own: DevServer) -> None:
    one, other = (post(own, token_type="mac").json() for _ in range(2))
    assert one["kid"] != other["kid"]
    assert one["mac_key"] != other["mac_key"]


def test_without_a_store_the_key_is_in_the_token_alone(server: DevServer) -> None:
    assert post(server, token_type="mac").json()["mac_key"]


@pytest.mark.parametrize(
    ("client_id", "asked", "opaque"),
    [
        ("demo", "", False),
        ("demo", "jwt", False),
        ("demo", "opaque", True),
        ("hidden", "", True),
        ("hidden", "opaque", True),
        ("hidden", "jwt", False),
    ],
)
def test_a_token_has_the_format_that_is_asked_for_or_its_clients(
    server: DevServer,
    client_id: str,
    asked: str,
    opaque: bool,  # noqa: FBT001 - of the table
) -> None:
    reply = post(server, client_id=client_id, token_format=asked, scope="photos").json()
    assert reply["access_token"].startswith("pt_") is opaque
    assert (reply["token_type"], reply["scope"], reply["expires_in"]) == ("Bearer", "photos", 600)
    assert introspected(server, reply["access_token"])["client_id"] == client_id


@pytest.mark.parametrize(("client_id", "listed"), [("listed", True), ("demo", False), ("hidden", False)])
def test_tokens_of_clients_with_a_status_have_one(server: DevServer, client_id: str, listed: bool) -> None:  # noqa: FBT001
    told = introspected(server, post(server, client_id=client_id).json()["access_token"])
    uri = told.get("status", {}).get("status_list", {}).get("uri")
    assert uri == (f"{server.issuer}/statuslists/1" if listed else None)


def test_an_opaque_mac_token_has_its_key_in_the_answer_to_introspection(own: DevServer) -> None:
    reply = post(own, token_type="mac", token_format="opaque").json()
    told = introspected(own, reply["access_token"])
    assert (told["token_type"], told["mac_key"], told["kid"]) == ("mac", reply["mac_key"], reply["kid"])


@pytest.mark.parametrize("token_type", ["bearer", "mac"])
def test_a_refresh_token_comes_with_either_type_to_those_who_are_given_them(server: DevServer, token_type: str) -> None:
    assert "refresh_token" in post(server, client_id="lasting", token_type=token_type).json()
    assert "refresh_token" not in post(server, client_id="demo", token_type=token_type).json()


@pytest.mark.parametrize(
    ("audience", "claim"), [((), None), (("a",), "a"), (("a", "b"), ["a", "b"])], ids=["none", "one", "two"]
)
def test_one_audience_is_text_and_several_are_a_list(audience: tuple[str, ...], claim: str | list[str] | None) -> None:
    assert audience_claim(audience) == claim


def test_a_refreshed_token_is_for_the_audience_of_the_family_and_the_next_one_too(server: DevServer) -> None:
    audience = ["https://api.example.com", "https://other.example.com"]
    token = server.refresh_token(client_id="lasting", subject="ada", audience=audience)
    for _ in range(2):
        reply = post(server, grant_type="refresh_token", client_id="lasting", refresh_token=token).json()
        told = introspected(server, reply["access_token"])
        assert (told["sub"], told["client_id"], told["aud"]) == ("ada", "lasting", audience)
        token = reply["refresh_token"]


def introspected(server: DevServer, token: str) -> dict[str, Any]:
    reply = httpx2.post(f"{server.issuer}/introspect", data={"token": token}, auth=BASIC, trust_env=False)
    told: dict[str, Any] = reply.json()
    return told
