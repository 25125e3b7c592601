import json
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Any

import httpx2
import pytest

from oauth_rs.devserver import DevServer
from tests.devserver.conftest import BASIC

CHECK = "/github/applications/demo/token"


def user(http: httpx2.Client, authorization: str) -> httpx2.Response:
    return http.get("/github/user", headers={"Authorization": authorization})


def check(http: httpx2.Client, token: Any, *, path: str = CHECK, auth: tuple[str, str] = BASIC) -> httpx2.Response:
    return http.post(path, json={"access_token": token}, auth=auth)


@pytest.mark.parametrize(
    "make",
    [
        lambda _: "",
        lambda _: "Bearer",
        lambda _: "Bearer x",
        lambda _: "token \xff",
        lambda server: f"Basic {server.token()}",
        lambda server: f"tokens {server.token()}",
        lambda server: server.token(),
        lambda server: f"token {server.token(claims={'exp': 1})}",
        lambda server: f"token {server.token(alg='none')}",
        lambda server: f"token {server.refresh_token(client_id='lasting')}",
    ],
    ids=range(10),
)
def test_what_is_no_good_token_has_bad_credentials(
    http: httpx2.Client, server: DevServer, make: Callable[[DevServer], str]
) -> None:
    headers: Any = {"Authorization": make(server).encode("latin-1")}
    for reply in (http.get("/github/user", headers=headers), http.get("/github/user")):
        assert (reply.status_code, reply.json()) == (401, {"message": "Bad credentials"})
        assert reply.headers["www-authenticate"] == 'Bearer realm="oauth_rs devserver"'


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "token", "Token"])
@pytest.mark.parametrize("make", ["token", "opaque_token"])
def test_a_token_has_a_user_and_scopes(http: httpx2.Client, server: DevServer, scheme: str, make: str) -> None:
    token = getattr(server, make)(scope="repo gist", claims={"sub": "ada"})
    reply = user(http, f"{scheme} {token}")
    members = reply.json()
    assert (reply.status_code, reply.headers["x-oauth-scopes"]) == (200, "gist, repo")
    assert isinstance(members.pop("id"), int)
    assert members == {"login": "al", "name": "Ada Lovelace", "email": "ada@example.org"}


def test_a_token_without_scopes_has_an_empty_list_of_them(http: httpx2.Client, server: DevServer) -> None:
    assert user(http, f"token {server.token()}").headers["x-oauth-scopes"] == ""
    assert user(http, f"token {server.token(drop=['sub'])}").json()["login"] == "nobody"


@pytest.mark.parametrize(
    ("client_id", "secret"), [("demo", "wrong"), ("nobody", "secret"), ("", ""), ("signer", ""), ("demo", "")]
)
def test_wrong_credentials_are_a_401(http: httpx2.Client, server: DevServer, client_id: str, secret: str) -> None:
    reply = check(http, server.token(), auth=(client_id, secret))
    assert (reply.status_code, reply.json()) == (401, {"message": "Bad credentials"})
    assert reply.headers["www-authenticate"].startswith("Basic ")


def test_a_check_takes_basic_credentials_alone(http: httpx2.Client, server: DevServer) -> None:
    token = server.token()
    posted = {"access_token": token, "client_id": "demo", "client_secret": "secret"}
    assert http.post(CHECK, json=posted).status_code == 401
    assert http.post(CHECK, json=posted, headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"{}", b'{"access_token": 1}', b'{"access_token": null}', b"\xff", b"[" * 60_000],
    ids=range(9),
)
def test_what_has_no_token_fails_validation(http: httpx2.Client, content: bytes) -> None:
    reply = http.post(CHECK, content=content, auth=BASIC)
    assert (reply.status_code, reply.json()) == (422, {"message": "Validation Failed"})


@pytest.mark.parametrize(
    "make",
    [
        lambda _: "x",
        lambda _: "",
        lambda _: "\udc80",
        lambda server: server.token(client_id="bare"),
        lambda server: server.opaque_token(client_id="bare"),
        lambda server: server.token(drop=["client_id"]),
        lambda server: server.token(claims={"exp": 1}),
        lambda server: server.refresh_token(client_id="lasting"),
    ],
    ids=["unknown", "empty", "no text", "another's", "opaque and another's", "nobody's", "over", "a refresh token"],
)
def test_a_token_that_is_not_the_clients_is_not_found(
    http: httpx2.Client, server: DevServer, make: Callable[[DevServer], str]
) -> None:
    content = json.dumps({"access_token": make(server)})
    reply = http.post(CHECK, content=content, auth=BASIC)
    assert (reply.status_code, reply.json()) == (404, {"message": "Not Found"})


@pytest.mark.parametrize("path", ["/github/applications/bare/token", "/github/applications/%64emo%20/token"])
def test_a_client_asks_under_its_own_id(http: httpx2.Client, server: DevServer, path: str) -> None:
    assert check(http, server.token(), path=path).status_code == 404


def test_a_revoked_token_is_not_found(http: httpx2.Client, server: DevServer) -> None:
    token = server.opaque_token()
    assert check(http, token).status_code == 200
    http.post("/revoke", data={"token": token}, auth=BASIC)
    assert check(http, token).status_code == 404


@pytest.mark.parametrize("make", ["token", "opaque_token"])
def test_a_client_is_told_what_its_token_means(http: httpx2.Client, server: DevServer, make: str) -> None:
    token = getattr(server, make)(scope="repo gist", claims={"sub": "ada", "exp": 4_102_444_800})
    members = check(http, token).json()
    assert isinstance(members.pop("id"), int)
    assert members.pop("user").keys() == {"login", "id", "name", "email"}
    assert datetime.fromisoformat(members.pop("created_at")).year >= 2026
    assert members == {
        "token": token,
        "token_last_eight": token[-8:],
        "hashed_token": sha256(token.encode()).hexdigest(),
        "app": {"client_id": "demo", "name": "demo"},
        "scopes": ["gist", "repo"],
        "expires_at": "2100-01-01T00:00:00Z",
    }


def test_a_token_that_does_not_say_when_it_was_made_is_told_without(http: httpx2.Client, server: DevServer) -> None:
    assert check(http, server.token(drop=["iat"])).json()["created_at"] is None


def test_checks_are_counted_under_their_template(http: httpx2.Client, server: DevServer) -> None:
    before = server.hits.copy()
    check(http, "x")
    check(http, "x", path="/github/applications/bare/token")
    assert server.hits - before == {"/github/applications/{client_id}/token": 2}
