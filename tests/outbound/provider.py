"""A token endpoint on 127.0.0.1 that answers as told and notes what it was asked, and the APIs that tokens go to."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from oauth_rs.client_auth import ClientSecret

SECRET = "s3cret-of-the-client"
CLIENT = ClientSecret("api", SECRET)
METADATA = "/.well-known/oauth-authorization-server"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def fields(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode() or self.target.partition("?")[2])


@dataclass
class Provider:
    """Gives `token-1`, `token-2`, ... with `life` seconds each, unless `answers` holds something else for a path.

    An answer is bytes or an object (200), a status with either, or a function of the handler.
    """

    url: str = ""
    life: Any = 3600
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    @property
    def hits(self) -> Counter[str]:
        return Counter(one.path for one in self.asked)

    @property
    def tokens(self) -> int:
        """How often a token was asked for."""
        return self.hits["/token"]

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        asked = Asked(method=handler.command, target=handler.path, headers=dict(handler.headers), body=body)
        self.asked.append(asked)
        given = self.answers.get(asked.path)
        if callable(given):
            given(handler)
        elif given is not None:
            send(handler, given)
        elif asked.path == METADATA:
            send(handler, {"issuer": self.url, "token_endpoint": f"{self.url}/token"})
        elif asked.path == "/token":
            send(handler, granted(f"token-{self.tokens}", expires_in=self.life))
        else:
            send(handler, (404, {}))


def granted(token: Any = "token-1", **changes: Any) -> dict[str, Any]:  # noqa: S107 - no secret
    """The answer of RFC 6749 section 5.1; changed to None, a member is left out."""
    members = {"access_token": token, "token_type": "Bearer", "expires_in": 3600, **changes}
    return {name: value for name, value in members.items() if value is not None}


def send(handler: BaseHTTPRequestHandler, given: Any) -> None:
    status, content = given if isinstance(given, tuple) else (200, given)
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away early are what many tests are about."""


@contextmanager
def listening(answer: Callable[[BaseHTTPRequestHandler, bytes], None]) -> Iterator[str]:
    """The URL at which `answer` is called with each request and its body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

        do_POST = do_PUT = do_GET  # noqa: N815 - names that http.server looks for

        def log_message(self, *_args: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class API:
    """An API that accepts the tokens of `good`, or all of them; what it was sent is in `seen`: method, path, token."""

    def __init__(self) -> None:
        self.url = ""
        self.good: set[str] | None = None
        self.seen: list[tuple[str, str, str]] = []
        self.redirects: dict[str, tuple[int, str]] = {}
        self._gate = threading.Barrier(1)

    def refuse_together(self, count: int) -> None:
        self._gate = threading.Barrier(count)

    @property
    def sent(self) -> list[str]:
        return [token for _, _, token in self.seen]

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        token = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        self.seen.append((handler.command, handler.path, token))
        if handler.path in self.redirects:
            status, location = self.redirects[handler.path]
            handler.send_response(status)
            handler.send_header("Location", location)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        elif self.good is None or token in self.good:
            send(handler, {"got": len(body)})
        else:
            self._gate.wait()
            send(handler, (401, {"error": "invalid_token"}))


def no_thread_is_left() -> bool:
    """True when nobody asks for a token any more."""
    return not any(one.name == "oauth_rs-token" for one in threading.enumerate())


@contextmanager
def providing() -> Iterator[Provider]:
    provider = Provider()
    with listening(provider.answer) as provider.url:
        yield provider


@contextmanager
def serving_api() -> Iterator[API]:
    api = API()
    with listening(api.answer) as api.url:
        yield api
