from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from oauth_rs.devserver import DevServer
from tests.devserver.conftest import API, BASIC, Read, assertion, refused

MEDIA_TYPE = "application/token-introspection+jwt"


def ask(http: httpx2.Client, token: str, **headers: str) -> httpx2.Response:
    return http.post("/introspect", data={"token": token}, auth=BASIC, headers=headers)


@pytest.mark.parametrize(
    "make",
    [
        lambda _: "x",
        lambda _: "\N{SNOWMAN}",
        lambda _: "e30.e30.AAAA",
        lambda _: "pt_" + "a" * 43,
        lambda server: server.token(claims={"exp": 1}),
        lambda server: server.token(claims={"nbf": 9_999_999_999}),
        lambda server: server.token(alg="none"),
        lambda server: server.token(alg="HS256"),
        lambda server: server.token(drop=["exp"]),
        lambda server: server.token(claims={"iss": "https://other.example.com"}),
        lambda server: server.opaque_token(claims={"exp": 1}),
        lambda server: server.opaque_token(lifetime=0),
        lambda server: server.refresh_token(client_id="lasting"),
    ],
    ids=range(13),
)
@pytest.mark.parametrize("accept", ["application/json", MEDIA_TYPE])
def test_of_what_is_not_good_it_says_only_that(
    http: httpx2.Client, server: DevServer, read: Read, make: Callable[[DevServer], str], accept: str
) -> None:
    reply = ask(http, make(server), Accept=accept)
    signed = accept == MEDIA_TYPE
    body = read(reply.text, server.jwks())["claims"]["token_introspection"] if signed else reply.json()
    assert (reply.status_code, body) == (200, {"active": False})


@pytest.mark.parametrize("status", [1, 2, 3])
def test_a_token_whose_status_is_not_valid_is_not_active(http: httpx2.Client, server: DevServer, status: int) -> None:
    token = server.token(status=True)
    assert ask(http, token).json()["active"] is True
    server.set_status(token, status)
    assert ask(http, token).json() == {"active": False}


def test_a_token_of_a_withdrawn_key_is_not_active() -> None:
    with (
        DevServer.running(audience=API, algorithm="ES256") as own,
        httpx2.Client(base_url=own.issuer, trust_env=False) as client,
    ):
        kept, withdrawn = own.token(scope="introspect"), own.token()
        own.rotate(keep=True)
        asking = {"Authorization": f"Bearer {kept}"}
        assert client.post("/introspect", data={"token": withdrawn}, headers=asking).json()["active"] is True
        own.rotate()
        asking = {"Authorization": f"Bearer {own.token(scope='introspect')}"}
        assert client.post("/introspect", data={"token": withdrawn}, headers=asking).json() == {"active": False}


@pytest.mark.parametrize("data", [{}, {"token": ""}, {"token": ["x", "x"]}, {"token_type_hint": "access_token"}])
def test_a_question_without_one_token_is_an_invalid_request(http: httpx2.Client, data: dict[str, Any]) -> None:
    assert refused(http.post("/introspect", data=data or {"x": "y"}, auth=BASIC), "invalid_request")


@pytest.mark.parametrize("content", [b"{}", b"token=x", b"\xff"])
def test_what_is_no_form_is_an_invalid_request(http: httpx2.Client, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert refused(http.post("/introspect", content=content, headers=headers, auth=BASIC), "invalid_request")


@pytest.mark.parametrize("credentials", [("demo", "wrong"), ("nobody", "secret"), ("signer", ""), ("", "")])
def test_wrong_credentials_are_an_invalid_client(http: httpx2.Client, credentials: tuple[str, str]) -> None:
    assert refused(http.post("/introspect", data={"token": "x"}, auth=credentials), "invalid_client", 401)


def test_a_get_asks_nothing(http: httpx2.Client) -> None:
    assert http.get("/introspect?token=x", auth=BASIC).status_code == 405


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda _: "x", "invalid_token"),
        (lambda server: server.token(scope="introspect", claims={"exp": 1}), "invalid_token"),
        (lambda server: server.token(scope="introspect", alg="none"), "invalid_token"),
        (lambda server: server.token(scope="introspection"), "insufficient_scope"),
        (lambda server: server.opaque_token(), "insufficient_scope"),
    ],
    ids=["no token", "over", "not signed", "another scope", "no scope"],
)
def test_a_bearer_that_may_not_ask_is_told_so_with_a_bearer_challenge(
    http: httpx2.Client, server: DevServer, make: Callable[[DevServer], str], error: str
) -> None:
    headers = {"Authorization": f"Bearer {make(server)}"}
    reply = http.post("/introspect", data={"token": server.token()}, headers=headers)
    assert (reply.status_code, reply.json()["error"]) == (401, error)
    assert reply.headers["www-authenticate"] == f'Bearer realm="oauth_rs devserver", error="{error}"'


def test_a_bearer_token_and_a_secret_are_one_method_too_many(http: httpx2.Client, server: DevServer) -> None:
    headers = {"Authorization": f"Bearer {server.token(scope='introspect')}"}
    data = {"token": "x", "client_id": "demo", "client_secret": "secret"}
    assert refused(http.post("/introspect", data=data, headers=headers), "invalid_request")


def test_every_way_to_authenticate_gets_the_answer(http: httpx2.Client, server: DevServer) -> None:
    token = server.opaque_token()
    ways: list[dict[str, Any]] = [
        {"auth": BASIC},
        {"data": {"client_id": "demo", "client_secret": "secret"}},
        {"data": assertion(server)},
        {"headers": {"Authorization": f"Bearer {server.token(scope='introspect')}"}},
        {"headers": {"Authorization": f"Bearer {server.opaque_token(scope='introspect')}"}},
    ]
    for way in ways:
        data = {"token": token, "token_type_hint": "refresh_token", **way.get("data", {})}
        reply = http.post("/introspect", **{**way, "data": data})
        assert (reply.status_code, reply.json()["active"]) == (200, True)


@pytest.mark.parametrize("name", ["token", "opaque_token"])
def test_it_says_what_is_known_of_a_token(http: httpx2.Client, server: DevServer, name: str) -> None:
    claims = {"sub": "ada", "nbf": 5, "cnf": {"x5t#S256": "x"}, "roles": ["manager"]}
    reply = ask(http, getattr(server, name)(client_id="front", scope="albums photos", claims=claims))
    body = reply.json()
    assert (reply.headers["cache-control"], reply.headers["content-type"]) == ("no-store", "application/json")
    assert body.pop("exp") - body.pop("iat") == 600
    assert len(body.pop("jti")) >= 16
    assert body == {
        "active": True,
        "token_type": "Bearer",
        "username": "al",
        "client_id": "front",
        "scope": "albums photos",
        "iss": server.issuer,
        "aud": API,
        **claims,
    }


@pytest.mark.parametrize(
    ("claims", "token_type"),
    [
        ({}, "Bearer"),
        ({"cnf": 1}, "Bearer"),
        ({"cnf": {"x5t#S256": "x"}}, "Bearer"),
        ({"cnf": {"jkt": "x"}}, "DPoP"),
        ({"mac_key": "x"}, "mac"),
    ],
    ids=str,
)
def test_it_says_how_a_token_is_presented(
    http: httpx2.Client, server: DevServer, claims: dict[str, Any], token_type: str
) -> None:
    assert ask(http, server.token(claims=claims)).json()["token_type"] == token_type


@pytest.mark.parametrize("claims", [{}, {"sub": ""}, {"sub": 1}, {"sub": ["ada"]}], ids=str)
def test_a_client_and_what_is_no_subject_have_no_user_name(
    http: httpx2.Client, server: DevServer, claims: dict[str, Any]
) -> None:
    assert "username" not in ask(http, server.token(claims=claims)).json()


@pytest.mark.parametrize(
    "accept",
    [MEDIA_TYPE, MEDIA_TYPE.upper(), f"{MEDIA_TYPE}, application/json;q=0.5", f"text/html;q=0.9, {MEDIA_TYPE}"],
)
def test_who_asks_for_it_gets_the_answer_signed(
    http: httpx2.Client, server: DevServer, read: Read, accept: str
) -> None:
    reply = ask(http, server.opaque_token(subject="ada"), Accept=accept)
    token = read(reply.text, server.jwks())
    claims = token["claims"]
    assert reply.headers["content-type"] == MEDIA_TYPE
    assert token["header"]["typ"] == "token-introspection+jwt"
    assert claims.keys() == {"iss", "aud", "iat", "token_introspection"}
    assert (claims["iss"], claims["aud"]) == (server.issuer, "demo")
    assert (claims["token_introspection"]["active"], claims["token_introspection"]["sub"]) == (True, "ada")


@pytest.mark.parametrize(
    "accept", ["*/*", "", "application/json", f"application/json, {MEDIA_TYPE};q=0.5", "text/html"]
)
def test_everybody_else_gets_json(http: httpx2.Client, server: DevServer, accept: str) -> None:
    assert ask(http, server.token(), Accept=accept).json()["active"] is True


def test_a_bearer_that_asks_is_the_audience_by_its_client(http: httpx2.Client, server: DevServer, read: Read) -> None:
    asking = server.token(client_id="api", scope="introspect")
    headers = {"Authorization": f"Bearer {asking}", "Accept": MEDIA_TYPE}
    reply = http.post("/introspect", data={"token": "x"}, headers=headers)
    assert read(reply.text, server.jwks())["claims"]["aud"] == "api"


def test_a_signed_answer_is_no_access_token(http: httpx2.Client, server: DevServer) -> None:
    answer = ask(http, server.token(scope="introspect"), Accept=MEDIA_TYPE).text
    assert ask(http, answer).json() == {"active": False}


def test_calls_are_counted(http: httpx2.Client, server: DevServer) -> None:
    before = server.hits["/introspect"]
    ask(http, "x")
    http.post("/introspect")
    assert server.hits["/introspect"] == before + 2
