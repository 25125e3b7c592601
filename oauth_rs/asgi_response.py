"""What the ASGI shell does to the answers of an application: marks them private, filters them, or passes them on.

Messages that are not known are passed on with answers that are not filtered, and with no other. Decides nothing:
filtering.py does.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import anyio.to_thread

from .fields import FieldFilter, Unfilterable
from .filtering import FilteredAnswer, FilterRules, not_filtered
from .headers import private_cache_control

Message: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

ASIDE_BYTES = 1 << 15  # may take some milliseconds to filter: a thread does it, and other requests go on meanwhile


class Answer:
    """Passes messages out, and remembers that one went.

    Decorators find it beside the grant: `middleware` has checked the request below `root`, and can do more for it.
    """

    __slots__ = ("_filtered", "middleware", "out", "root", "started")

    def __init__(self, out: Send, middleware: Any = None, root: str = "") -> None:
        self.out = out
        self.middleware = middleware
        self.root = root
        self.started = False
        self._filtered: FilteredAnswer | None = None

    def send(self, message: Message) -> Awaitable[None]:
        self.started = True
        return self.out(message)

    def end(self) -> None:
        """Nothing can be sent any more: the application has returned."""
        self.out, self._filtered = _over, None

    def filter(self, fields: FieldFilter, scopes: frozenset[str], method: str, rules: FilterRules) -> None:
        """Only what `fields` show goes out, and only what those show that it was called with before.

        Raises RuntimeError where something went out already.
        """
        if self.started:
            raise RuntimeError("the answer has begun, and cannot be filtered any more")
        if self._filtered is None:
            self._filtered = FilteredAnswer(rules, scopes, method)
            self.out = _Filtering(self.out, self._filtered).send
        self._filtered.add(fields)


async def _over(_message: Message) -> None:
    raise RuntimeError("a message was sent after the application had returned")


class _Filtering:
    """Lets the answer out once it is filtered. What comes after its end is dropped: background tasks run on."""

    __slots__ = ("_answer", "_out", "_start", "_step")

    def __init__(self, out: Send, answer: FilteredAnswer) -> None:
        self._out, self._answer = out, answer
        self._start: Message = {}
        self._step: Send = self._begin

    async def send(self, message: Message) -> None:
        await self._step(message)

    async def _begin(self, message: Message) -> None:
        try:
            _expect("http.response.start", message)
            kept_back = self._answer.begin(message["status"], _decoded(message))
        except Unfilterable as error:
            await self._fail(error)
            return
        if not kept_back:
            self._step = self._out
            await self._out(message)
            return
        self._start, self._step = message, self._collect
        if self._answer.bodiless:
            await self._finish()

    async def _collect(self, message: Message) -> None:
        try:
            _expect("http.response.body", message)
            self._answer.take(message.get("body", b""))
        except Unfilterable as error:
            await self._fail(error)
            return
        if not message.get("more_body", False):
            await self._finish()

    async def _finish(self) -> None:
        try:
            if self._answer.size < ASIDE_BYTES:
                headers, body = self._answer.finish()
            else:
                headers, body = await anyio.to_thread.run_sync(self._answer.finish)
        except Unfilterable as error:
            await self._fail(error)
        else:
            await self._end(self._start["status"], headers, body)

    async def _fail(self, error: Unfilterable) -> None:
        refusal = not_filtered(error)
        body = b"" if self._answer.bodiless else refusal.body
        await self._end(refusal.status, refusal.headers, body)

    async def _end(self, status: int, headers: Any, body: bytes) -> None:
        self._step = _drop
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        # A new message: trailers that were announced would speak of what was there before.
        await self._out({"type": "http.response.start", "status": status, "headers": encoded})
        await self._out({"type": "http.response.body", "body": body, "more_body": False})


async def _drop(_message: Message) -> None:
    """Nothing goes out."""


def _expect(kind: str, message: Message) -> None:
    if message["type"] != kind:  # a body may come another way, as a path or as a file that is open
        raise Unfilterable("unknown_message")


def private(send: Send) -> Send:
    """`send`, which marks answers for private caches at most."""

    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            encoded = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in private_cache_control(_decoded(message))]
            # A new message: the application may keep its own and send it with every answer.
            message = {**message, "headers": encoded}
        await send(message)

    return marked


def _decoded(message: Message) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())]
