"""Both shells under real servers, on real sockets, with keys fetched from a real server."""

import gc
import socket
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from werkzeug.serving import make_server

from oauth_rs import Bearer, JWTProvider, RemoteKeys, ResourceServer, asgi, wsgi
from oauth_rs.asgi_response import Send
from tests.support.calling import bearer, call_asgi, call_wsgi
from tests.support.issuing import API, ISSUER, Issuer
from tests.support.processes import PATIENCE, running_server
from tests.support.serving import ScriptedServer, serving

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GOOD = Issuer().token(exp=1 << 32)


@pytest.fixture(scope="module")
def keys() -> Iterator[ScriptedServer]:
    with serving() as server:
        server.answers["/keys"] = Issuer().jwks
        yield server


@pytest.fixture(scope="module")
def uvicorn() -> Iterator[tuple[str, ScriptedServer]]:
    """The Starlette application under uvicorn, and the server of its keys."""
    command = ["uvicorn", "tests.support.served:starlette_app", "--log-level", "warning"]
    with serving() as keys:
        keys.answers["/keys"] = Issuer().jwks
        with running_server(*command, "--fd={}", KEYS_URL=f"{keys.url}/keys") as url:
            yield url, keys


@pytest.fixture(scope="module")
def gunicorn() -> Iterator[tuple[str, ScriptedServer]]:
    """The Flask application under gunicorn with threads, and the server of its keys."""
    command = ["gunicorn", "-k", "gthread", "--threads", "8", "--graceful-timeout", "1"]
    with serving() as keys:
        keys.answers["/keys"] = Issuer().jwks
        with running_server(
            *command, "tests.support.served:flask_app", "--bind=fd://{}", KEYS_URL=f"{keys.url}/keys"
        ) as url:
            yield url, keys


@pytest.fixture(params=["uvicorn", "gunicorn"])
def served(request: pytest.FixtureRequest) -> tuple[str, ScriptedServer]:
    """Each server in turn; the modules' fixtures keep it running."""
    server: tuple[str, ScriptedServer] = request.getfixturevalue(request.param)
    return server


@contextmanager
def client(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:
        yield client


def connection_to(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def received_until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while end not in received:
        more = connection.recv(4096)
        assert more, "the server hung up"
        received += more
    return received


def hammered(url: str, tokens: list[str]) -> list[int]:
    """The status for each of `tokens`, asked by 16 threads at once."""
    with client(url) as http, ThreadPoolExecutor(16) as threads:
        return list(threads.map(lambda token: http.get("/echo", headers=dict(bearer(token))).status_code, tokens))


# The first test of this file, so that gunicorn's keys are cold; uvicorn's were fetched at startup.
def test_threads_at_once_are_told_right_and_share_one_fetch(served: tuple[str, ScriptedServer]) -> None:
    url, keys = served
    issuer, forger = Issuer(), Issuer(kid="k2")
    kinds: list[Callable[[int], tuple[int, str]]] = [
        lambda number: (200, issuer.token(jti=str(number))),
        lambda _: (200, GOOD),
        lambda number: (401, forger.token(jti=str(number), header={"kid": "k1"})),
        lambda number: (401, issuer.token(jti=str(number), exp=1)),
        lambda number: (403, issuer.token(jti=str(number), scope="profile")),
    ]
    asked = [kinds[number % len(kinds)](number) for number in range(200)]
    assert hammered(url, [token for _, token in asked]) == [status for status, _ in asked]
    assert keys.hits["/keys"] == 1


REFUSED: dict[str, tuple[dict[str, str], int]] = {
    "nothing": ({}, 401),
    "another scheme": ({"Authorization": "Basic YTpi"}, 401),
    "rubbish": ({"Authorization": "Bearer rubbish"}, 401),
    "too little scope": (dict(bearer(Issuer().token(scope="profile"))), 403),
    "beyond ASCII": ({"Authorization": "Bearer \xff"}, 400),
}


@pytest.mark.parametrize(("headers", "status"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_refusals_reach_the_client_whole(
    served: tuple[str, ScriptedServer], method: str, headers: dict[str, str], status: int
) -> None:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    with client(served[0]) as http:
        answer = http.request(method, "/echo", headers=encoded, content=b"x" if method == "POST" else None)
    assert (answer.status_code, answer.headers["www-authenticate"].partition(" ")[0]) == (status, "Bearer")
    assert len(answer.content) == (0 if method == "HEAD" else int(answer.headers["content-length"]))


def test_a_repeated_authorization_header_is_refused(served: tuple[str, ScriptedServer]) -> None:
    with client(served[0]) as http:
        assert http.get("/echo", headers=[*bearer(GOOD), *bearer(GOOD)]).status_code == 400


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_form_is_read_for_its_token_and_replayed(served: tuple[str, ScriptedServer], *, chunked: bool) -> None:
    body = f"a=%e4&access_token={GOOD}&b=1+2&&".encode()
    with client(served[0]) as http:
        answer = http.post("/echo", headers=FORM, content=iter([body[:9], body[9:]]) if chunked else body)
    assert (answer.status_code, answer.content) == (200, b"ada " + body)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_form_that_is_too_large_is_refused(served: tuple[str, ScriptedServer], *, chunked: bool) -> None:
    body = bytes(66_000)
    with client(served[0]) as http:
        answer = http.post("/echo", headers={**FORM, **dict(bearer(GOOD))}, content=iter([body]) if chunked else body)
    assert answer.status_code == 413


def test_a_client_that_goes_in_mid_form_leaves_the_server_well(served: tuple[str, ScriptedServer]) -> None:
    url = served[0]
    head = f"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM['Content-Type']}\r\nContent-Length: 99\r\n\r\n"
    for _ in range(3):
        with connection_to(url) as connection:
            connection.sendall(head.encode() + b"a=1")
    assert hammered(url, [GOOD]) == [200]


def test_bodies_stream_through_in_both_directions(uvicorn: tuple[str, ScriptedServer]) -> None:
    with connection_to(uvicorn[0]) as connection:
        head = f"POST /mirror HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {GOOD}\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + b"5\r\nfirst\r\n")
        received = received_until(connection, b"first")
        connection.sendall(b"6\r\nsecond\r\n0\r\n\r\n")
        received += received_until(connection, b"second")
    assert received.startswith(b"HTTP/1.1 200")


def test_a_websocket_opens_with_a_good_token(uvicorn: tuple[str, ScriptedServer]) -> None:
    headers = bearer(Issuer().token(scope="admin"))
    with connect(f"ws{uvicorn[0][4:]}/live", additional_headers=headers, proxy=None) as websocket:
        assert websocket.recv(PATIENCE) == "ada"
        websocket.send("hello")
        assert websocket.recv(PATIENCE) == "hello"


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [("/live", "", 401), ("/live", "rubbish", 401), ("/live", Issuer().token(exp=1), 401), ("/admin", GOOD, 403)],
    ids=["nothing", "rubbish", "expired", "too little scope"],
)
def test_a_websocket_is_refused_before_it_opens(
    uvicorn: tuple[str, ScriptedServer], path: str, token: str, status: int
) -> None:
    headers = bearer(token) if token else []
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"ws{uvicorn[0][4:]}{path}", additional_headers=headers, proxy=None),
    ):
        raise AssertionError("it opened")
    response = refused.value.response
    assert (response.status_code, response.headers["WWW-Authenticate"].partition(" ")[0]) == (status, "Bearer")
    assert b"error_description" in response.body


def test_an_open_websocket_that_is_refused_is_closed(uvicorn: tuple[str, ScriptedServer]) -> None:
    with connect(f"ws{uvicorn[0][4:]}/live", additional_headers=bearer(GOOD), proxy=None) as websocket:
        assert websocket.recv(PATIENCE) == "ada"
        websocket.send("hello")
        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv(PATIENCE)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_workers_forked_after_the_import_each_fetch_their_keys_once(keys: ScriptedServer) -> None:
    command = ["gunicorn", "--preload", "--workers", "2", "--graceful-timeout", "1", "tests.support.served:flask_app"]
    with running_server(*command, "--bind=fd://{}", KEYS_URL=f"{keys.url}/keys") as url:
        seen: set[str] = set()
        for _ in range(50):
            with ThreadPoolExecutor(8) as threads:
                seen |= {*threads.map(process_that_answered, [url] * 8)}
            if len(seen) > 1:
                break
        assert len(seen) == 2
        assert hammered(url, [GOOD, "rubbish"] * 20) == [200, 401] * 20
    assert keys.hits["/keys"] == 2


def process_that_answered(url: str) -> str:
    with client(url) as http:
        answer = http.get("/process", headers=dict(bearer(GOOD)))
    assert answer.status_code == 200
    return answer.text


# Longer than most: the two applications are the test.
def test_one_server_serves_both_shells_in_one_process(web: ScriptedServer) -> None:
    web.answers["/keys"] = Issuer().jwks
    server = ResourceServer(Bearer(JWTProvider(ISSUER, audience=API, keys=RemoteKeys(f"{web.url}/keys"))))

    def wsgi_app(environ: dict[str, object], start_response: Callable[..., object]) -> list[bytes]:
        assert environ[wsgi.GRANT]
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    async def asgi_app(scope: asgi.Scope, _receive: asgi.Receive, send: Send) -> None:
        assert scope[asgi.GRANT]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    blocking, awaiting = wsgi.OAuthMiddleware(wsgi_app, server), asgi.OAuthMiddleware(asgi_app, server)
    blocking.warm()

    def ask(number: int) -> int:
        headers = bearer(Issuer().token(jti=str(number)) if number % 3 else "rubbish")
        return (call_asgi(awaiting, headers=headers) if number % 2 else call_wsgi(blocking, headers=headers)).status

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(ask, range(60)))
    assert statuses == [200 if number % 3 else 401 for number in range(60)]
    assert web.hits["/keys"] == 1


class Watched:
    """Lives as long as what it stands in."""


def test_a_request_leaves_nothing_for_the_garbage_collector() -> None:
    left: list[weakref.ref[Watched]] = []

    def app(environ: dict[str, object], start_response: Callable[..., object]) -> list[bytes]:
        watched = environ["watched"] = Watched()
        left.append(weakref.ref(watched))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    behind = wsgi.OAuthMiddleware(app, ResourceServer(Bearer(Issuer().provider())))
    gc.disable()
    try:
        with (
            make_server("127.0.0.1", 0, behind) as server,
            connection_to(f"http://127.0.0.1:{server.port}") as connection,
        ):
            connection.sendall(f"GET / HTTP/1.0\r\nAuthorization: Bearer {GOOD}\r\n\r\n".encode())
            server.handle_request()
            received_until(connection, b"ok")
        assert [watched() for watched in left] == [None]
    finally:
        gc.enable()
