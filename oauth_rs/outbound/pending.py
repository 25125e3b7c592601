"""One outcome that threads and tasks wait for, on any number of event loops, under asyncio and trio.

What brings it about runs in a thread of its own, see turns.py, so it belongs to no event loop and dies with no caller.
Knows nothing of tokens.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

import anyio

T = TypeVar("T")


class Pending(Generic[T]):
    """One that is under way until `end`. Nobody waits for longer than `patience` seconds, nor joins it after that."""

    __slots__ = ("_future", "_gone_at", "_patience")

    def __init__(self, patience: float) -> None:
        self._future: Future[T] = Future()
        self._patience = patience
        self._gone_at = time.monotonic() + patience

    def joinable(self) -> bool:
        return not self._future.done() and time.monotonic() < self._gone_at

    def end(self, outcome: T) -> None:
        self._future.set_result(outcome)

    def wait(self) -> T | None:
        """The outcome, once it is there; None when it takes too long. Blocks."""
        with suppress(TimeoutError):
            return self._future.result(self._patience)
        return None

    async def awaited(self) -> T | None:
        """The same for tasks. One that is cancelled leaves the others alone."""
        ended = anyio.Event()
        self._future.add_done_callback(partial(_wake, _soon(), ended.set))
        with anyio.move_on_after(self._patience):
            await ended.wait()
        return self._future.result() if self._future.done() else None


def _wake(soon: Callable[..., Any], set_event: Callable[[], None], _future: Any) -> None:
    with suppress(RuntimeError):  # the event loop has ended, and whoever waited with it
        soon(set_event)


def _soon() -> Callable[..., Any]:
    """What has a function called in this event loop, from any thread. Under neither asyncio nor trio: RuntimeError."""
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio  # noqa: PLC0415 - here it is there already, elsewhere it need not be

        return trio.lowlevel.current_trio_token().run_sync_soon
