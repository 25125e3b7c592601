"""Answers for a ScriptedServer that misbehave the way broken and hostile issuers do. None outlives its client long."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

PIECE = b"x" * 65_536
LONG = 10.0  # seconds, far over every time-out the tests set


def silent(handler: BaseHTTPRequestHandler) -> None:
    """Never answers, until the client has gone."""
    _gone(handler, LONG)


def drips_headers(handler: BaseHTTPRequestHandler) -> None:
    """Sends header after header, each well within any time-out."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    _drip(handler, b"X-Drip: 1\r\n")


def drips_body(handler: BaseHTTPRequestHandler) -> None:
    """Sends a long body byte by byte."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    _drip(handler, b"{")


def drops(handler: BaseHTTPRequestHandler) -> None:
    """Closes the connection in the middle of an answer."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    handler.close_connection = True


def talks_nonsense(handler: BaseHTTPRequestHandler) -> None:
    """Does not speak HTTP."""
    handler.wfile.write(b"\x00\xff nonsense\r\n\r\n")
    handler.close_connection = True


def endless_headers(handler: BaseHTTPRequestHandler) -> None:
    """Sends headers as fast as it can."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-More: " + b"a" * 1000 + b"\r\n")
    for _ in range(100_000):
        handler.wfile.write(b"X-More: " + b"a" * 1000 + b"\r\n")


class Floods:
    """Sends a body of `size` bytes as fast as it can, and counts what it got rid of."""

    def __init__(self, size: int = 50_000_000, *, chunked: bool = False) -> None:
        self.size = size
        self.chunked = chunked
        self.sent = 0

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        length = "Transfer-Encoding: chunked" if self.chunked else f"Content-Length: {self.size}"
        handler.wfile.write(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n".encode())
        piece = b"%x\r\n%s\r\n" % (len(PIECE), PIECE) if self.chunked else PIECE
        while self.sent < self.size:
            handler.wfile.write(piece)
            self.sent += len(PIECE)


def slowly(answer: bytes, seconds: float) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answers 200 with `answer` after `seconds`, unless the client has gone by then."""

    def answer_late(handler: BaseHTTPRequestHandler) -> None:
        if not _gone(handler, seconds):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))

    return answer_late


class Held:
    """Answers 200 with `answer` once it is let go. Requests after the first `count` are not held."""

    def __init__(self, answer: bytes, *, count: int = 1_000) -> None:
        self._answer, self._left = answer, threading.Semaphore(count)
        self._gone = threading.Event()

    def let_go(self) -> None:
        self._gone.set()

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        if self._left.acquire(blocking=False):
            self._gone.wait(LONG)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(self._answer), self._answer))


FAILING: dict[str, tuple[Any, str]] = {
    "silent": (silent, "fetch_timeout"),
    "drips headers": (drips_headers, "fetch_timeout"),
    "drips body": (drips_body, "fetch_timeout"),
    "drops": (drops, "fetch_failed"),
    "nonsense": (talks_nonsense, "fetch_failed"),
    "endless headers": (endless_headers, "fetch_failed"),
    "50 MB": (Floods(), "reply_too_large"),
    "50 MB chunked": (Floods(chunked=True), "reply_too_large"),
    "gzip": ((200, {"Content-Encoding": "gzip"}, b"\x1f\x8b\x08\x00" + b"\x00" * 20), "fetch_failed"),
    "unheard-of encoding": ((200, {"Content-Encoding": "zstd, br"}, b"{}"), "fetch_failed"),
    **{
        f"redirect {status}": ((status, {"Location": "/elsewhere"}, b""), "redirected")
        for status in (300, 301, 302, 303, 307, 308)
    },
}
"""What a server may answer, and the reason with which a fetch of it ends."""


def _drip(handler: BaseHTTPRequestHandler, drop: bytes) -> None:
    ends_at = time.monotonic() + LONG
    while time.monotonic() < ends_at:
        handler.wfile.write(drop)  # raises once the client has gone
        time.sleep(0.02)


def _gone(handler: BaseHTTPRequestHandler, seconds: float) -> bool:
    handler.connection.settimeout(seconds)
    try:
        handler.connection.recv(1)
    except TimeoutError:
        return False
    return True
