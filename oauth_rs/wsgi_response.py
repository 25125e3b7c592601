"""What the WSGI shell does to the answers of an application: marks them private, filters them, or passes them on.

What PEP 3333 says of `start_response`, `write`, `exc_info` and `close` holds for all of them; what passes is the very
object that the application gave, so that servers know their file wrappers. Decides nothing: filtering.py does.
"""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING, Any

from .fields import FieldFilter, Unfilterable
from .filtering import FilteredAnswer, FilterRules, not_filtered
from .headers import private_cache_control

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse


class Checked:
    """What decorators find beside the grant: `middleware` has checked the request below `root`, and can do more for it.

    The environ leads here, and from here nothing leads to the server's side of the request, which often knows the
    environ: else each request would be a circle that stays until the garbage collector finds it.
    """

    __slots__ = ("filtered", "middleware", "root", "started")

    def __init__(self, middleware: Any = None, root: str = "") -> None:
        self.middleware = middleware
        self.root = root
        self.started = False
        self.filtered: FilteredAnswer | None = None

    def filter(self, fields: FieldFilter, scopes: frozenset[str], method: str, rules: FilterRules) -> None:
        """Only what `fields` show goes out, and only what those show that it was called with before.

        Raises RuntimeError where the answer has begun.
        """
        if self.started:
            raise RuntimeError("the answer has begun, and cannot be filtered any more")
        if self.filtered is None:
            self.filtered = FilteredAnswer(rules, scopes, method)
        self.filtered.add(fields)


class Start:
    """Passes `start_response` on, tells `checked` that it was called, and filters what is to be filtered."""

    __slots__ = ("_filtering", "checked", "private", "send")

    def __init__(self, start_response: "StartResponse", checked: Checked) -> None:
        self.send = start_response
        self.checked = checked
        self.private = False
        self._filtering: Filtering | None = None

    def __call__(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        checked = self.checked
        again, checked.started = checked.started, True
        filtering = None if checked.filtered is None else self._filters(checked.filtered)
        if filtering is None or not filtering.keeps(status, headers, exc_info, again=again):
            return self.send(status, private_cache_control(headers) if self.private else headers, *exc_info)
        return filtering.write

    def answer(self, given: Iterable[bytes]) -> Iterable[bytes]:
        """What goes out in place of what the application gave: the very same where nothing is filtered."""
        filtered = self.checked.filtered
        return given if filtered is None else self._filters(filtered).answer(given)

    def _filters(self, answer: FilteredAnswer) -> "Filtering":
        self._filtering = self._filtering or Filtering(self.send, answer)
        return self._filtering


class Filtering:
    """Keeps an answer back until it is filtered, or finds that it passes."""

    __slots__ = ("_answer", "_failure", "_given", "_kept", "_passes", "_send")

    def __init__(self, send: "StartResponse", answer: FilteredAnswer) -> None:
        self._send, self._answer = send, answer
        self._kept: tuple[str, tuple[Any, ...]] = "", ()
        self._failure = ""  # its reason alone: a traceback holds the frames that hold this
        self._passes = self._given = False

    def keeps(self, status: str, headers: list[tuple[str, str]], exc_info: tuple[Any, ...], *, again: bool) -> bool:
        """False for an answer that passes. What was collected of one before is forgotten: nothing of it is out."""
        if again and not any(exc_info):
            raise RuntimeError("start_response was called a second time, and without exc_info")
        self._failure, keeps = "", True
        try:
            keeps = self._answer.begin(int(status[:3]), headers)
        except Unfilterable as error:
            self._failure = str(error)
        if keeps and self._given:  # a body is on its way that nobody looks at: no other answer can take its place
            if not any(exc_info):
                raise RuntimeError("start_response was called after the body of another answer had begun")
            raise exc_info[0][1].with_traceback(exc_info[0][2])
        # What passes goes to the server with its reason; kept here as well, that would be a circle by its frames.
        self._kept, self._passes = (status, exc_info if keeps else ()), not keeps
        return keeps

    def write(self, data: bytes) -> None:
        """Takes what the application writes; what is too much of it is told when the application has returned."""
        try:
            self._take(data)
        except Unfilterable as error:
            self._failure = str(error)

    def answer(self, given: Iterable[bytes]) -> Iterable[bytes]:
        """What goes out in place of what the application gave, which is closed here unless it passes."""
        if self._passes:
            self._given = True
            return given
        passing: Iterable[bytes] | None = None
        try:
            passing = self._collect(given)
            return self._filtered() if passing is None else passing
        except Unfilterable as error:
            refusal = not_filtered(error)
            body = b"" if self._answer.bodiless else refusal.body
            return self._out(f"{refusal.status} {HTTPStatus(refusal.status).phrase}", list(refusal.headers), body)
        finally:
            if passing is None:
                _close(given)

    def _collect(self, given: Iterable[bytes]) -> Iterable[bytes] | None:
        """None once the body is collected, and what goes out where the answer began late and passes."""
        chunks = iter(given)
        for chunk in chunks:
            if self._passes or not self._kept[0]:  # where nothing began before the body, the server will say so
                return self._pass(chain((chunk,), chunks), given)
            self._take(chunk)
            if self._answer.bodiless:
                break
        return None if self._kept[0] and not self._passes else self._pass(chunks, given)

    def _pass(self, chunks: Iterator[bytes], given: Iterable[bytes]) -> "_Rest":
        self._given = True
        return _Rest(chunks, given)

    def _take(self, chunk: bytes) -> None:
        if self._failure:
            raise Unfilterable(self._failure)
        self._answer.take(chunk)

    def _filtered(self) -> Iterable[bytes]:
        if self._failure:
            raise Unfilterable(self._failure)
        headers, body = self._answer.finish()
        return self._out(self._kept[0], headers, body)

    def _out(self, status: str, headers: list[tuple[str, str]], body: bytes) -> Iterable[bytes]:
        self._send(status, headers, *self._kept[1])
        self._kept = "", ()  # a traceback holds the frames that hold this
        return [body] if body else []


class _Rest:
    """What is left of an iterable that was begun, to be closed as the whole."""

    def __init__(self, chunks: Iterator[bytes], whole: Iterable[bytes]) -> None:
        self._chunks, self._whole = chunks, whole

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        _close(self._whole)


def _close(given: Iterable[bytes]) -> None:
    close = getattr(given, "close", None)
    if close is not None:
        close()
