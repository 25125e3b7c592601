from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from oauth_rs.devserver import DevServer
from tests.devserver.conftest import BASIC, Read, assertion, refused

LASTING = ("lasting", "secret")


def revoke(http: httpx2.Client, token: str, *, auth: tuple[str, str] = BASIC, **more: str) -> httpx2.Response:
    return http.post("/revoke", data={"token": token, **more}, auth=auth)


def active(http: httpx2.Client, token: str) -> bool:
    told: bool = http.post("/introspect", data={"token": token}, auth=BASIC).json()["active"]
    return told


def refreshed(http: httpx2.Client, token: str) -> httpx2.Response:
    return http.post("/token", data={"grant_type": "refresh_token", "refresh_token": token}, auth=LASTING)


@pytest.mark.parametrize("data", [{}, {"token": ""}, {"token": ["x", "x"]}, {"token_type_hint": "access_token"}])
def test_a_request_without_one_token_is_an_invalid_request(http: httpx2.Client, data: dict[str, Any]) -> None:
    assert refused(http.post("/revoke", data=data or {"x": "y"}, auth=BASIC), "invalid_request")


@pytest.mark.parametrize("credentials", [("demo", "wrong"), ("nobody", "secret"), ("signer", ""), ("", "")])
def test_wrong_credentials_are_an_invalid_client_and_revoke_nothing(
    http: httpx2.Client, server: DevServer, credentials: tuple[str, str]
) -> None:
    token = server.token()
    assert refused(revoke(http, token, auth=credentials), "invalid_client", 401)
    assert active(http, token)


def test_a_bearer_token_does_not_authenticate_a_client(http: httpx2.Client, server: DevServer) -> None:
    headers = {"Authorization": f"Bearer {server.token(scope='introspect')}"}
    assert refused(http.post("/revoke", data={"token": server.token()}, headers=headers), "invalid_client", 401)


@pytest.mark.parametrize("make", ["token", "opaque_token", "refresh_token"])
def test_the_token_of_another_client_is_not_revoked(http: httpx2.Client, server: DevServer, make: str) -> None:
    token = getattr(server, make)(client_id="lasting")
    assert refused(revoke(http, token), "invalid_grant")
    assert refreshed(http, token).status_code == 200 if make == "refresh_token" else active(http, token)


@pytest.mark.parametrize(
    "make",
    [
        lambda _: "x",
        lambda _: "\N{SNOWMAN}",
        lambda server: server.token(claims={"exp": 1}),
        lambda server: server.token(client_id="other", claims={"exp": 1}),
        lambda server: server.token(alg="none"),
    ],
    ids=["unknown", "not ASCII", "over", "another's and over", "not signed"],
)
def test_what_is_not_good_is_a_200(http: httpx2.Client, server: DevServer, make: Callable[[DevServer], str]) -> None:
    reply = revoke(http, make(server))
    assert (reply.status_code, reply.content) == (200, b"")


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "x"])
@pytest.mark.parametrize("make", ["token", "opaque_token"])
def test_an_access_token_is_good_no_longer_whatever_the_hint(
    http: httpx2.Client, server: DevServer, make: str, hint: str
) -> None:
    token, other = getattr(server, make)(), getattr(server, make)()
    for _ in range(2):
        assert revoke(http, token, token_type_hint=hint).status_code == 200
    assert not active(http, token)
    assert active(http, other)


def test_a_token_with_a_status_has_it_changed(http: httpx2.Client, server: DevServer, read: Read) -> None:
    def listed() -> str:
        lst: str = read(http.get("/statuslists/1").text, server.jwks())["claims"]["status_list"]["lst"]
        return lst

    form, auth = {"grant_type": "client_credentials"}, ("listed", "secret")
    token = http.post("/token", data=form, auth=auth).json()["access_token"]
    before = listed()
    assert revoke(http, token, auth=auth).status_code == 200
    assert listed() != before
    server.set_status(token, 0)
    assert listed() == before
    assert not active(http, token)


@pytest.mark.parametrize("hint", ["access_token", "refresh_token"])
def test_a_refresh_token_ends_with_all_that_came_with_it(http: httpx2.Client, server: DevServer, hint: str) -> None:
    first = server.refresh_token(client_id="lasting", scope="photos")
    body = refreshed(http, first).json()
    assert revoke(http, body["refresh_token"], auth=LASTING, token_type_hint=hint).status_code == 200
    assert refused(refreshed(http, body["refresh_token"]), "invalid_grant")
    assert not active(http, body["access_token"])


def test_a_used_refresh_token_may_be_revoked_too(http: httpx2.Client, server: DevServer) -> None:
    first = server.refresh_token(client_id="lasting")
    second = refreshed(http, first).json()["refresh_token"]
    assert revoke(http, first, auth=LASTING).status_code == 200
    assert refused(refreshed(http, second), "invalid_grant")


def test_a_client_with_keys_revokes(http: httpx2.Client, server: DevServer) -> None:
    token = server.opaque_token(client_id="signer")
    assert http.post("/revoke", data={"token": token, **assertion(server)}).status_code == 200
    assert not active(http, token)
