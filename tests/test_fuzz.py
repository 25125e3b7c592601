"""Whatever bytes a client sends, both shells answer below 500 and let nobody through without a grant."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_rs import (
    Bearer,
    DirectURL,
    FixedURL,
    FormField,
    ForwardedURL,
    Header,
    LegacyQuery,
    ResourceServer,
    asgi,
    wsgi,
)
from oauth_rs.schemes.bearer import AUTHORIZATION
from tests.support.issuing import Issuer

GOOD = Issuer().token(exp=1 << 32).encode()
HEADER, PAYLOAD, SIGNATURE = GOOD.split(b".")
PLACES: list[Header | FormField | LegacyQuery] = [AUTHORIZATION, Header("Access-Token"), FormField(), LegacyQuery()]
SERVERS = [
    ResourceServer(Bearer(Issuer().provider(), presentation=PLACES), url=url)
    for url in (None, DirectURL(), FixedURL("https://api.example.com"), ForwardedURL(proxies=["192.0.2.0/24"]))
]
_PARAMETER = r'[a-z_]+="[\x20\x21\x23-\x5B\x5D-\x7E]*"'
CHALLENGE = re.compile(f"Bearer(?: {_PARAMETER}(?:, {_PARAMETER})*)?")

fragments = st.sampled_from(
    [b"Bearer", b"bearer ", b"Basic ", b"MAC ", b" ", b"\t", b",", b";", b"=", b"==", b".", b"\x00", b"\r\n", b"\xff",
     b"access_token=", b"%61ccess_token=", b"&", b"%", b"%0", b"+", b"/..//", b"\\", b"?", b"*", GOOD, HEADER, PAYLOAD,
     SIGNATURE, b"{", b"e30"]
)  # fmt: skip
texts = st.lists(fragments | st.binary(max_size=6), max_size=9).map(b"".join) | st.binary(max_size=60)
names = st.sampled_from(
    [b"authorization", b"access-token", b"access_token", b"content-type", b"content-length", b"content-encoding",
     b"transfer-encoding", b"host", b"x-forwarded-host", b"x-forwarded-proto", b"cookie", b"origin"]
) | st.binary(max_size=12)  # fmt: skip
usual = st.sampled_from(
    [(b"content-type", b"application/x-www-form-urlencoded"), (b"host", b"api.example.com"), (b"host", b"[::1]:80")]
)
credentials = st.tuples(st.just(b"authorization"), texts.map(b"Bearer ".__add__) | texts)


@dataclass(frozen=True)
class Sent:
    """What a client sends."""

    method: str
    path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: list[bytes]


requests = st.builds(
    Sent,
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]),
    path=texts,
    query=texts,
    headers=st.lists(usual | credentials | st.tuples(names, texts), max_size=6),
    body=st.lists(texts, max_size=4),
)
servers = st.sampled_from(SERVERS)

fuzz = settings(deadline=None, max_examples=300)


def check(status: int, sent: Iterable[tuple[str, str]], body: bytes, *, head: bool, was_let_in: list[Any]) -> None:
    """200 with a grant, or a well-formed refusal."""
    if was_let_in:
        assert (status, was_let_in[0].subject) == (200, "ada")
        return
    assert status in {400, 401, 413}
    challenges = [value for name, value in sent if name.lower() == "www-authenticate"]
    assert all(CHALLENGE.fullmatch(challenge) for challenge in challenges)
    assert len(challenges) == 1
    assert head or "error_description" in json.loads(body)


def finished(coroutine: Any) -> None:
    """Runs a coroutine that never has to wait: with keys at hand nothing of ours does."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waited")


def drive_asgi(server: ResourceServer, scope: dict[str, Any], body: list[bytes]) -> None:
    sent: list[dict[str, Any]] = []
    let_in: list[Any] = []
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in body]
    messages.append({"type": "http.request"})

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        let_in.append(scope["state"]["grant"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    finished(asgi.OAuthMiddleware(app, server)(scope, receive, send))
    answered = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
    head = scope.get("method") == "HEAD"
    check(sent[0]["status"], answered, sent[-1].get("body", b""), head=head, was_let_in=let_in)


def drive_wsgi(server: ResourceServer, environ: dict[str, Any]) -> None:
    started: list[tuple[str, list[tuple[str, str]]]] = []
    let_in: list[Any] = []

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        let_in.append(environ[wsgi.GRANT])
        start_response("200 OK", [])
        return []

    def start_response(status: str, headers: list[tuple[str, str]], *_exc_info: Any) -> Any:
        started.append((status, headers))

    body = b"".join(wsgi.OAuthMiddleware(app, server)(environ, start_response))
    status, answered = started[-1]
    check(int(status[:3]), answered, body, head=environ["REQUEST_METHOD"] == "HEAD", was_let_in=let_in)


def scope_of(request: Sent, **more: Any) -> dict[str, Any]:
    return {
        "path": request.path.decode("utf-8", "replace"),
        "raw_path": request.path,
        "query_string": request.query,
        "headers": [(name.lower(), value) for name, value in request.headers],
        "client": ("192.0.2.1", 1),
        **more,
    }


@fuzz
@given(servers, requests)
def test_no_request_breaks_the_asgi_shell(server: ResourceServer, request: Sent) -> None:
    drive_asgi(server, scope_of(request, type="http", method=request.method, scheme="http"), request.body)


@fuzz
@given(servers, requests)
def test_no_handshake_breaks_the_asgi_shell(server: ResourceServer, request: Sent) -> None:
    extensions: dict[str, Any] = {"websocket.http.response": {}}
    drive_asgi(server, scope_of(request, type="websocket", scheme="ws", extensions=extensions), [])


@fuzz
@given(servers, requests, st.booleans())
def test_no_request_breaks_the_wsgi_shell(server: ResourceServer, request: Sent, terminated: bool) -> None:  # noqa: FBT001 - from hypothesis
    environ: dict[str, Any] = {"REQUEST_METHOD": request.method, "wsgi.input": BytesIO(b"".join(request.body))}
    environ |= {"PATH_INFO": request.path.decode("latin-1"), "QUERY_STRING": request.query.decode("latin-1")}
    if terminated:
        environ["wsgi.input_terminated"] = True
    for name, value in request.headers:
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value.decode('latin-1')}" if key in environ else value.decode("latin-1")
    drive_wsgi(server, environ)


environs = st.dictionaries(
    st.sampled_from(
        ["PATH_INFO", "SCRIPT_NAME", "RAW_URI", "REQUEST_URI", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH",
         "HTTP_AUTHORIZATION", "HTTP_ACCESS_TOKEN", "HTTP_HOST", "HTTP_X_FORWARDED_HOST", "REMOTE_ADDR"]
    ),
    st.text(max_size=30),
)  # fmt: skip


@fuzz
@given(servers, environs)
def test_no_environ_breaks_the_wsgi_shell(server: ResourceServer, environ: dict[str, str]) -> None:
    drive_wsgi(server, {"REQUEST_METHOD": "POST", "wsgi.input": BytesIO(b"a=1"), **environ})


@pytest.mark.parametrize("server", SERVERS[:1])
def test_the_harness_lets_a_good_token_in(server: ResourceServer) -> None:
    headers = [(b"authorization", b"Bearer " + GOOD)]
    drive_asgi(server, {"type": "http", "method": "GET", "path": "/", "headers": headers}, [])
    drive_wsgi(server, {"REQUEST_METHOD": "GET", "HTTP_AUTHORIZATION": f"Bearer {GOOD.decode()}"})


@pytest.mark.parametrize("status", [200, 500, 503])
def test_the_harness_notices_who_should_not_be_in(status: int) -> None:
    with pytest.raises((AssertionError, AttributeError)):
        check(status, [], b"{}", head=False, was_let_in=[None] if status == 200 else [])
