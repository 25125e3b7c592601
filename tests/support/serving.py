"""HTTP servers on 127.0.0.1 that behave as told, and count who asked."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Mapping[str, str], bytes]


class ScriptedServer:
    """Answers each path with what `answers` says: bytes or a JSON object for a 200, an Answer, or a function of the
    handler that does as it likes (sleeps, drips, drops the connection). Unknown paths are 404.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.hits: Counter[str] = Counter()
        self.url = ""

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        self.hits[handler.path] += 1
        answer = self.answers.get(handler.path, (404, {}, b""))
        if callable(answer):
            answer(handler)
            return
        if isinstance(answer, dict):
            answer = (200, {"Content-Type": "application/json"}, json.dumps(answer).encode())
        status, headers, body = (200, {}, answer) if isinstance(answer, bytes) else answer
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away early are what many tests are about."""


@contextmanager
def serving(wrap: Callable[[Any], Any] | None = None) -> Iterator[ScriptedServer]:
    """A ScriptedServer on a free port; `wrap` may put its listening socket behind TLS."""
    script = ScriptedServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script.handle(self)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.handle(self)

        def log_message(self, *_args: Any) -> None:
            pass

    server = _QuietServer(("127.0.0.1", 0), Handler)
    if wrap is not None:
        server.socket = wrap(server.socket)
    script.url = f"{'https' if wrap else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
