import json
import socket
from collections.abc import Iterator

import httpx2
import jwt
import pytest

from oauth_rs.devserver import Answer, Client, DevServer
from oauth_rs.devserver.app import BODY_LIMIT
from oauth_rs.stores.sql import SQLCredentials

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NESTED = b'{"claims": {"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}}"


@pytest.fixture
def own() -> Iterator[DevServer]:
    """A server whose keys a test may rotate."""
    with DevServer.running(audience="https://api.example.com", algorithm="ES256") as server:
        yield server


@pytest.mark.parametrize("path", ["/token", "/dev/token", "/dev/rotate"])
def test_a_get_where_a_post_belongs_is_405(http: httpx2.Client, path: str) -> None:
    assert http.get(path).status_code == 405


@pytest.mark.parametrize("path", ["/", "/token/", "/jwks/", "/dev", "/%00", "/..%2f", "/.well-known/"])
def test_an_unknown_path_is_404_and_not_counted(http: httpx2.Client, server: DevServer, path: str) -> None:
    before = dict(server.hits)
    assert http.get(path).status_code == 404
    assert dict(server.hits) == before


def test_requests_are_counted_per_path_even_refused_ones(http: httpx2.Client, server: DevServer) -> None:
    before = server.hits.copy()
    http.get("/jwks")
    http.get("/jwks?x=1")
    http.get("/token")
    assert server.hits - before == {"/jwks": 2, "/token": 1}


def test_a_path_with_a_parameter_is_counted_under_its_template(http: httpx2.Client, server: DevServer) -> None:
    before = server.hits.copy()
    for name in ("a", "b", "%2f"):
        http.post(f"/github/applications/{name}/token")
    assert server.hits - before == {"/github/applications/{client_id}/token": 2}


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke", "/userinfo"])
def test_two_authorization_headers_are_an_invalid_request(http: httpx2.Client, path: str) -> None:
    headers = [("Authorization", "Basic ZGVtbzpzZWNyZXQ=")] * 2
    response = http.post(path, data={"token": "x"}, headers=headers)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


def test_a_fault_comes_before_the_endpoint_and_before_its_method(own: DevServer) -> None:
    with httpx2.Client(base_url=own.issuer, trust_env=False) as http:
        own.fault("/token", Answer(502), calls=2)
        assert [http.get("/token").status_code, http.post("/token").status_code] == [502, 502]
        assert [http.get("/token").status_code, http.post("/token").status_code] == [405, 400]
        assert own.hits == {"/token": 4}


def test_a_query_does_not_disturb_the_token_endpoint(http: httpx2.Client) -> None:
    assert http.post("/token?%%%=[|]", content=b"", headers=FORM).status_code == 400


def test_dev_token_without_a_body_mints_a_good_token(http: httpx2.Client) -> None:
    response = http.post("/dev/token")
    assert response.headers["cache-control"] == "no-store"
    assert jwt.get_unverified_header(response.json()["access_token"])["typ"] == "at+jwt"


def test_dev_token_lays_header_and_claims_over_and_drops(http: httpx2.Client) -> None:
    wish = {"claims": {"aud": "x", "nbf": 1}, "header": {"typ": "JWT"}, "drop": ["exp", "kid"], "alg": "EdDSA"}
    token = http.post("/dev/token", json=wish).json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "JWT"}
    assert (claims["aud"], claims["nbf"], "exp" in claims) == ("x", 1, False)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"1",
        b"\xff\xfe\xfd",
        b'{"claims": []}',
        b'{"header": null}',
        b'{"drop": "exp"}',
        b'{"alg": ["ES256"]}',
        b'{"alg": "HS512"}',
        b'{"claim": {}}',
        b'{"claims": {"exp": ' + b"9" * 5000 + b"}}",
    ],
    ids=range(13),
)
def test_dev_token_refuses_what_it_cannot_read(http: httpx2.Client, body: bytes) -> None:
    response = http.post("/dev/token", content=body, headers=JSON)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "body", [b'{"claims": {"a": "\\ud800"}}', b'{"claims": {"exp": NaN}}', b'{"drop": [1, null, {}]}', b'{"alg": ""}']
)
def test_dev_token_mints_odd_values_without_failing(http: httpx2.Client, body: bytes) -> None:
    assert http.post("/dev/token", content=body, headers=JSON).status_code == 200


def test_deep_nesting_does_not_fail_the_server(http: httpx2.Client) -> None:
    assert http.post("/dev/token", content=NESTED, headers=JSON).status_code < 500


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke", "/userinfo", "/dev/token", "/dev/rotate"])
def test_a_body_over_the_limit_is_413(http: httpx2.Client, path: str) -> None:
    response = http.post(path, content=b"a" * (BODY_LIMIT + 1), headers=FORM)
    assert (response.status_code, response.json()["error"]) == (413, "invalid_request")


def test_a_client_that_leaves_in_the_middle_of_its_body_does_no_harm(own: DevServer) -> None:
    host, port = own.issuer.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as leaver:
        leaver.sendall(b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ngrant")
    assert httpx2.get(f"{own.issuer}/jwks", trust_env=False).status_code == 200


def test_rotation_withdraws_the_old_key_unless_told_to_keep_it(own: DevServer) -> None:
    with httpx2.Client(base_url=own.issuer, trust_env=False) as http:
        first = http.post("/dev/rotate").json()["kid"]
        second = http.post("/dev/rotate", data={"keep": "true"}).json()["kid"]
        assert [key["kid"] for key in http.get("/jwks").json()["keys"]] == [second, first]
        third = http.post("/dev/rotate", data={"keep": "false"}).json()["kid"]
        assert [key["kid"] for key in own.jwks()["keys"]] == [third]


@pytest.mark.parametrize(
    "body", [b"keep=yes", b"keep=true&keep=true", b"keep=%ff", b"x=1", json.dumps({"keep": True}).encode() + b"=1"]
)
def test_an_unclear_rotation_is_refused_and_keeps_the_keys(http: httpx2.Client, server: DevServer, body: bytes) -> None:
    before = server.jwks()
    assert http.post("/dev/rotate", content=body, headers=FORM).status_code == 400
    assert server.jwks() == before


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", [], 400),
        (b"", [("Authorization", "OAuth a=b")] * 2, 400),
        (b"a" * (BODY_LIMIT + 1), [], 413),
    ],
    ids=["nothing", "two headers", "a long body"],
)
def test_the_endpoints_of_oauth1_are_there_with_a_store(
    store: SQLCredentials, body: bytes, headers: list[tuple[str, str]], status: int
) -> None:
    with DevServer.running(audience="urn:api", algorithm="ES256", credentials=store) as server:
        for path in ("/oauth1/initiate", "/oauth1/token"):
            assert httpx2.get(server.issuer + path, trust_env=False).status_code == 405
            reply = httpx2.post(server.issuer + path, content=body, headers=headers, trust_env=False)
            assert reply.status_code == status
        assert server.hits == {"/oauth1/initiate": 2, "/oauth1/token": 2}


@pytest.mark.parametrize("path", ["/oauth1/initiate", "/oauth1/authorize", "/oauth1/token"])
def test_the_endpoints_of_oauth1_are_not_there_without_one(http: httpx2.Client, path: str) -> None:
    assert http.post(path).status_code == 404


def test_a_websocket_is_not_served(http: httpx2.Client) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"}
    assert http.get("/jwks", headers=upgrade).status_code == 200


def test_a_server_without_clients_knows_nobody() -> None:
    with DevServer.running(audience="https://api.example.com", algorithm="ES256") as server:
        posted = {"grant_type": "client_credentials", "client_id": "client", "client_secret": "\0"}
        assert httpx2.post(f"{server.issuer}/token", data=posted, trust_env=False).status_code == 401


def test_the_name_of_a_client_is_not_looked_up_in_the_scopes_of_another() -> None:
    clients = [Client("a", "secret", scopes={"read"}), Client("b", "secret", scopes={"write"})]
    posted = {"grant_type": "client_credentials", "client_id": "a", "client_secret": "secret", "scope": "write"}
    with DevServer.running(audience="https://api.example.com", algorithm="ES256", clients=clients) as server:
        response = httpx2.post(f"{server.issuer}/token", data=posted, trust_env=False)
    assert response.json()["error"] == "invalid_scope"
