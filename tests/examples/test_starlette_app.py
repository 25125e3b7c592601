"""The photo service over real ports, with a live issuer."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from examples.serving import on_uvicorn
from examples.starlette_app.app import create_app
from oauth_rs.devserver import DevServer
from tests.examples.conftest import API, ROOT, process

Call = Callable[..., httpx2.Response]
Shake = Callable[..., ClientConnection]
ORIGIN = "https://app.example.com"


@pytest.fixture(scope="module")
def url(server: DevServer) -> Iterator[str]:
    with on_uvicorn(lambda _host: create_app(server.issuer, API, origins=[ORIGIN])) as url:
        yield url


@pytest.fixture(scope="module")
def call(server: DevServer, url: str) -> Iterator[Call]:
    with caller(server, url) as call:
        yield call


@pytest.fixture
def shake(server: DevServer, url: str) -> Shake:
    """Opens `/photos/live` with a token for `scope`, or without one when that is None."""

    def shake(*, scope: str | None = "photos", **changes: Any) -> ClientConnection:
        headers = {} if scope is None else {"Authorization": f"Bearer {server.token(scope=scope, **changes)}"}
        return connect(url.replace("http", "ws", 1) + "/photos/live", additional_headers=headers, proxy=None)

    return shake


@contextmanager
def caller(server: DevServer, url: str) -> Iterator[Call]:
    """Sends a request with a token for `scope`, or without one when that is None."""

    def call(method: str, path: str, *, scope: str | None = "photos", **options: Any) -> httpx2.Response:
        headers = {} if scope is None else {"Authorization": f"Bearer {server.token(scope=scope)}"}
        headers |= options.pop("headers", {})
        return client.request(method, path, headers=headers, **options)

    with httpx2.Client(base_url=url, trust_env=False, timeout=60) as client:
        yield call


@pytest.mark.parametrize("authorization", [{}, {"Authorization": "Bearer junk"}, {"Authorization": "Basic YTpi"}])
def test_health_is_public_whatever_is_sent(call: Call, authorization: dict[str, str]) -> None:
    answer = call("GET", "/health", scope=None, headers=authorization)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_photo_is_listed_read_and_printed(call: Call) -> None:
    assert call("GET", "/photos").json() == {"1": "Harbour at dawn", "2": "Market day"}
    assert call("GET", "/photos/1").json() == {"title": "Harbour at dawn", "album": "town", "private": False}
    printed = call("POST", "/photos/1/prints", scope="photos.print")
    assert (printed.status_code, printed.json()) == (202, {"printed": "Harbour at dawn", "for": "demo"})


def test_private_photos_are_for_grants_that_name_them(call: Call) -> None:
    assert "3" in call("GET", "/photos", scope="photos photos.private").json()
    assert call("GET", "/photos/3", scope="photos photos.private").json()["private"] is True
    assert call("POST", "/photos/3/prints", scope="photos.print photos.private").status_code == 202


@pytest.mark.parametrize(
    ("method", "path", "held", "lacking"),
    [
        ("GET", "/photos", "photos.print", "photos"),
        ("GET", "/photos/1", "photos.print photos.private", "photos"),
        ("GET", "/photos/404", "", "photos"),
        ("POST", "/photos/1/prints", "photos", "photos.print"),
        ("GET", "/photos/3", "photos", "photos.private"),
        ("POST", "/photos/3/prints", "photos.print", "photos.private"),
    ],
)
def test_each_operation_names_the_scope_it_lacks(call: Call, method: str, path: str, held: str, lacking: str) -> None:
    refused = call(method, path, scope=held)
    assert refused.status_code == 403
    assert f'scope="{lacking}"' in refused.headers["www-authenticate"]
    assert refused.json()["error"] == "insufficient_scope"


@pytest.mark.parametrize(
    ("operation", "scope"),
    [
        ("GET /photos", "photos"),
        ("GET /photos/1", "photos"),
        ("GET /photos/3", "photos"),
        ("POST /photos/1/prints", "photos.print"),
        ("GET /customers", "profile"),
        ("PUT /customers/1/limit", "customers.all"),
        ("GET /albums/town", ""),
        ("POST /photos", ""),
        ("POST /health", ""),
        ("GET /nowhere", ""),
    ],
)
def test_without_a_token_every_other_operation_is_refused(call: Call, operation: str, scope: str) -> None:
    refused = call(*operation.split(), scope=None)
    named = f', scope="{scope}"' if scope else ""
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, f'Bearer realm="photos"{named}')


@pytest.mark.parametrize(
    ("operation", "status"), [("GET /nowhere", 403), ("DELETE /photos", 403), ("GET /photos/%00", 400)]
)
def test_an_operation_that_nobody_mapped_is_refused_to_everybody(call: Call, operation: str, status: int) -> None:
    assert call(*operation.split()).status_code == status


@pytest.mark.parametrize("path", ["/photos/4", "/photos/01"])
def test_what_does_not_exist_is_a_404_in_json(call: Call, path: str) -> None:
    missing = call("GET", path)
    assert (missing.status_code, missing.json()["error"]) == (404, "Not Found")


def test_a_body_that_nobody_asked_for_changes_nothing(call: Call) -> None:
    assert call("POST", "/photos/1/prints", scope="photos.print", content=b"{").status_code == 202


def preflight(call: Call, origin: str) -> httpx2.Response:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    return call("OPTIONS", "/photos", scope=None, headers={"Origin": origin, **asked})


def test_a_preflight_of_a_known_origin_is_answered(call: Call) -> None:
    answer = preflight(call, ORIGIN)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, ORIGIN)


def test_a_preflight_of_a_stranger_is_not_allowed(call: Call) -> None:
    assert "access-control-allow-origin" not in preflight(call, "https://evil.example.com").headers


def test_a_script_of_a_known_origin_may_read_a_refusal(call: Call) -> None:
    refused = call("GET", "/photos", scope=None, headers={"Origin": ORIGIN})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, ORIGIN)


def test_a_socket_answers_each_number_with_its_photo(shake: Shake) -> None:
    with shake() as socket:
        socket.send("2")
        assert json.loads(socket.recv(timeout=30)) == {"title": "Market day", "album": "town", "private": False}


@pytest.mark.parametrize("message", ["404", "", b"\xff\xfe"])
def test_a_socket_outlives_a_message_it_does_not_understand(shake: Shake, message: str | bytes) -> None:
    with shake() as socket:
        socket.send(message)
        assert json.loads(socket.recv(timeout=30)) == {"error": "There is no such photo."}
        socket.send("1")
        assert json.loads(socket.recv(timeout=30))["title"] == "Harbour at dawn"


@pytest.mark.parametrize(
    ("scope", "status", "challenge"),
    [
        (None, 401, 'Bearer realm="photos", scope="photos"'),
        ("photos.print", 403, 'scope="photos"'),
        ("", 403, 'scope="photos"'),
    ],
)
def test_a_socket_is_refused_before_it_is_accepted(
    shake: Shake, scope: str | None, status: int, challenge: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        shake(scope=scope)
    assert refused.value.response.status_code == status
    assert challenge in refused.value.response.headers["www-authenticate"]


def test_a_socket_closes_on_a_photo_its_grant_does_not_cover(shake: Shake) -> None:
    with shake() as socket:
        socket.send("3")
        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "insufficient_scope")


def test_a_socket_closes_when_its_grant_expires(shake: Shake) -> None:
    # Accepted within the leeway for different clocks, and then open no longer than the token says.
    with shake(claims={"exp": int(time.time()) - 5}) as socket, pytest.raises(ConnectionClosedError) as closed:
        socket.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "The grant has expired.")


def test_the_script_runs_alone(server: DevServer) -> None:
    script = ROOT / "examples" / "starlette_app" / "app.py"
    with (
        process(script, "--issuer", server.issuer, "--audience", API, "--port", "0") as url,
        caller(server, url) as call,
    ):
        assert call("GET", "/photos").status_code == 200
        assert call("GET", "/photos", scope=None).status_code == 401
