from collections.abc import Callable

import httpx2
import pytest

from oauth_rs.devserver import DevServer


def ask(http: httpx2.Client, token: str, *, method: str = "GET") -> httpx2.Response:
    return http.request(method, "/userinfo", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize(
    "make",
    [
        lambda _: "x y",
        lambda _: "x",
        lambda server: server.token(scope="openid", claims={"exp": 1}),
        lambda server: server.token(scope="openid", alg="none"),
        lambda server: server.opaque_token(scope="openid", claims={"exp": 1}),
        lambda server: server.refresh_token(client_id="lasting", scope="openid"),
    ],
    ids=["two words", "no token", "over", "not signed", "opaque and over", "a refresh token"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_that_is_not_good_is_a_401(
    http: httpx2.Client, server: DevServer, make: Callable[[DevServer], str], method: str
) -> None:
    reply = ask(http, make(server), method=method)
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_token")
    assert reply.headers["www-authenticate"] == 'Bearer realm="oauth_rs devserver", error="invalid_token"'


@pytest.mark.parametrize("authorization", ["Basic ZGVtbzpzZWNyZXQ=", "Token x", "openid"])
def test_another_scheme_is_a_401(http: httpx2.Client, authorization: str) -> None:
    assert http.get("/userinfo", headers={"Authorization": authorization}).status_code == 401


def test_without_a_token_the_challenge_has_no_error(http: httpx2.Client, server: DevServer) -> None:
    token = server.token(scope="openid")
    for reply in (http.get("/userinfo"), http.post("/userinfo", data={"access_token": token})):
        assert (reply.status_code, reply.json()) == (401, {})
        assert reply.headers["www-authenticate"] == 'Bearer realm="oauth_rs devserver"'


@pytest.mark.parametrize("scope", ["", "profile email", "openid2", "OpenID"])
def test_a_token_without_openid_is_a_403(http: httpx2.Client, server: DevServer, scope: str) -> None:
    reply = ask(http, server.token(scope=scope))
    assert (reply.status_code, reply.json()["error"]) == (403, "insufficient_scope")
    assert reply.headers["www-authenticate"] == 'Bearer realm="oauth_rs devserver", error="insufficient_scope"'


@pytest.mark.parametrize("make", ["token", "opaque_token"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_it_says_what_is_known_of_the_user(http: httpx2.Client, server: DevServer, make: str, method: str) -> None:
    reply = ask(http, getattr(server, make)(scope="openid profile", claims={"sub": "ada"}), method=method)
    assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-store")
    assert reply.json() == {
        "sub": "ada",
        "name": "Ada Lovelace",
        "email": "ada@example.org",
        "preferred_username": "al",
    }


def test_of_whom_it_does_not_know_it_makes_something_up(http: httpx2.Client, server: DevServer) -> None:
    members = ask(http, server.opaque_token(scope="openid", subject="bob")).json()
    assert members == {"sub": "bob", "name": "bob", "email": "bob@example.com", "preferred_username": "bob"}
    assert ask(http, server.token(scope="openid", drop=["sub"])).json()["sub"] == "nobody"
