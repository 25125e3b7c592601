"""Calls applications the way servers do, without a server: WSGI in this thread, ASGI on a fresh event loop."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import anyio

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """What a client would see."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def challenge(self) -> str:
        (value,) = self.header("www-authenticate")
        return value


def bearer(token: str) -> Headers:
    return [("Authorization", f"Bearer {token}")]


def environ_of(method: str, target: str, headers: Headers, body: bytes | None, **more: Any) -> dict[str, Any]:
    """The environ of a request, with repeated headers folded; without a Content-Length when `body` is None."""
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "wsgi.input": BytesIO(body or b""),
    }
    if body is not None:
        environ["CONTENT_LENGTH"] = str(len(body))
    for name, value in headers:
        key = name.upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key.startswith("HTTP_") and key in environ else value
    environ.update(more)
    setup_testing_defaults(environ)
    return environ


def call_wsgi(
    app: Any, method: str = "GET", target: str = "/", headers: Headers = (), body: bytes | None = None, **environ: Any
) -> Answer:
    """The answer of `app`, held to PEP 3333 on the way in and out."""
    return run_wsgi(app, environ_of(method, target, headers, body, **environ))


def run_wsgi(app: Any, environ: dict[str, Any]) -> Answer:
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        assert not started or exc_info, "started twice"
        started.append((status, headers))
        return lambda _data: None

    output: Any = validator(app)(environ, start_response)
    try:
        body = b"".join(output)
    finally:
        output.close()
    status, headers = started[-1]
    return Answer(int(status[:3]), tuple(headers), body)


def scope_of(method: str, target: str, headers: Headers, **more: Any) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path.encode(),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("192.0.2.1", 50_000),
        "server": ("127.0.0.1", 80),
        **more,
    }


def call_asgi(
    app: Any,
    method: str = "GET",
    target: str = "/",
    headers: Headers = (),
    body: bytes = b"",
    *,
    backend: str = "asyncio",
    **scope: Any,
) -> Answer:
    """The answer of `app`, which must be complete."""
    inbound = [{"type": "http.request", "body": body, "more_body": False}]
    sent = converse(app, scope_of(method, target, headers, **scope), inbound, backend=backend)
    return answer_of(sent)


def converse(
    app: Any, scope: dict[str, Any], inbound: Iterable[Mapping[str, Any]], *, backend: str = "asyncio"
) -> list[dict[str, Any]]:
    """What `app` sends when it receives `inbound`, and that the client has gone whenever it asks for more."""
    waiting = [dict(message) for message in inbound]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": f"{scope['type']}.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    anyio.run(app, scope, receive, send, backend=backend)
    return sent


def answer_of(sent: Sequence[Mapping[str, Any]]) -> Answer:
    start, *rest = sent
    assert start["type"].endswith("http.response.start")
    assert rest
    assert not rest[-1].get("more_body")
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
    return Answer(start["status"], headers, b"".join(message.get("body", b"") for message in rest))
