"""Ways in which an issuer fails, ordered for an endpoint by those who test what their application makes of it.

Each is an ASGI application in front of the one that would answer. Does not fail by itself, nor below HTTP: to refuse
connections, stop the server.
"""

import threading
from collections.abc import Collection, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Protocol

import anyio
import anyio.lowlevel
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from oauth_rs.devserver.serving import DROP

_PIECE = b"x" * 65_536
_STATUSES = range(200, 600)


class Fault(Protocol):
    """What is done in place of an answer, or before it."""

    async def __call__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer is the right one, `seconds` late."""

    seconds: float

    async def __call__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, /) -> None:
        await anyio.sleep(self.seconds)
        await app(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Answer:
    """Another answer: an error, an HTML page under 200, an empty object, a redirect."""

    status: int
    body: str = ""
    _: KW_ONLY
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.status not in _STATUSES:
            raise ValueError("a status is from 200 to 599")

    async def __call__(self, _app: ASGIApp, scope: Scope, receive: Receive, send: Send, /) -> None:
        answer = Response(self.body, self.status, dict(self.headers), self.content_type)
        await answer(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Flood:
    """200, and JSON of at least `size` bytes that never says anything."""

    size: int = 10_000_000

    async def __call__(self, _app: ASGIApp, _scope: Scope, _receive: Receive, send: Send, /) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"x": "', "more_body": True})
        for _ in range(-(-self.size // len(_PIECE))):
            await send({"type": "http.response.body", "body": _PIECE, "more_body": True})
        await send({"type": "http.response.body", "body": b'"}'})


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection ends without an answer."""

    async def __call__(self, _app: ASGIApp, scope: Scope, _receive: Receive, _send: Send, /) -> None:
        scope["extensions"][DROP]["drop"]()
        await anyio.lowlevel.checkpoint()  # until the server has seen it, or it would say that there is no answer


class Faults:
    """What is ordered for which of `paths`, and for how many calls. Threads may share it."""

    def __init__(self, paths: Collection[str]) -> None:
        self._paths = paths
        self._lock = threading.Lock()
        self._ordered: dict[str, tuple[Fault, int | None]] = {}

    def order(self, path: str, fault: Fault, *, calls: int | None) -> None:
        """The next `calls` of `path` fail, or all where that is None; what was ordered before is off.

        `ValueError` for a path that is not served and for less than one call.
        """
        if path not in self._paths:
            raise ValueError(f"nothing is served at {path!r}: choose one of {', '.join(sorted(self._paths))}")
        if calls is not None and calls < 1:
            raise ValueError("calls is 1 or more, or None for all")
        with self._lock:
            self._ordered[path] = (fault, calls)

    def clear(self) -> None:
        """Nothing fails any more."""
        with self._lock:
            self._ordered = {}

    def take(self, path: str) -> Fault | None:
        """What the call of `path` that came now meets."""
        with self._lock:
            fault, left = self._ordered.pop(path, (None, None))
            if fault is not None and left != 1:
                self._ordered[path] = (fault, None if left is None else left - 1)
        return fault
