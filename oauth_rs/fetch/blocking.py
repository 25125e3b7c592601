"""Performs effects for callers that may block, and flows that run aside for all callers.

Safe with threads and across forks. See the package for what an exchange is held to.
"""

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from ..errors import OAuthError, Unavailable
from ..flow import Aside, Call, Effect, Fetch, ReadBody, Reply, Run, T
from ..traces import trace_of
from . import FAILURES, Collected, Flight, Flights, HTTPSettings, Outcome, answer, headers, no_answer

_loops: dict[int, asyncio.AbstractEventLoop] = {}  # by process id
_NEW_SOCKET = ("connect_tcp.complete", "start_tls.complete")

logger = logging.getLogger("oauth_rs")


class _Flights(Flights[threading.Event]):
    """Belongs to one process: a fork must not inherit a lock that somebody holds, nor a flight that nobody flies."""

    __slots__ = ("lock",)

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


def _no_body(_limit: int) -> bytes:
    return b""


class BlockingHTTP:
    """Drives flows to their end, blocking the thread it is called in."""

    def __init__(self, settings: HTTPSettings) -> None:
        self._settings = settings
        self._flights: dict[int, _Flights] = {}  # by process id

    def drive(self, run: Run[T], read_body: Callable[[int], bytes | None] = _no_body) -> T:
        """The result of `run`, whatever it asks for. Raises what the flow raises."""
        while (effect := run.effect) is not None:
            try:
                reply = self._answer(effect, read_body)
            except Unavailable as error:
                run.throw(error)
            else:
                run.send(reply)
        return run.result

    def fetch(self, fetch: Fetch) -> Reply:
        """The answer to `fetch`, or to an equal one under way.

        Raises Unavailable (`fetch_failed`, `fetch_timeout`, `fetch_busy`, `reply_too_large`, `redirected`).
        """
        flight, leads = self._join(fetch)
        if not leads:
            flight.done.wait(self._settings.timeout_of(fetch))
            return answer(flight.outcome)
        line = _Line()
        # In a thread of its own: blocking reads can be dripped past any time-out that is set on each of them.
        thread = threading.Thread(target=self._perform, args=(fetch, flight, line), name="oauth_rs-fetch", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no thread can be started: others may wait already, or find the flight later
            self._land(fetch, flight, "fetch_busy", shared=0.0)
            self._settings.failed(fetch, no_answer("fetch_busy", "no thread can be started"))
            raise no_answer("fetch_busy") from error
        if not flight.done.wait(self._settings.timeout_of(fetch)):
            line.cut()
            self._settings.failed(fetch, TimeoutError())
        return answer(flight.outcome)

    def aside(self, effect: Aside) -> None:
        """Runs the flow of `effect` in a thread that nothing waits for."""
        try:
            threading.Thread(target=self._run_aside, args=(effect,), name="oauth_rs-aside", daemon=True).start()
        except RuntimeError:  # as above; who asks goes on without it, and asks again when it is due
            logger.warning("a task aside did not begin: no thread can be started")

    def _answer(self, effect: Effect, read_body: Callable[[int], bytes | None]) -> Any:
        if isinstance(effect, Fetch):
            return self.fetch(effect)
        if isinstance(effect, ReadBody):
            return read_body(effect.limit)
        if isinstance(effect, Call):
            return _call(effect)
        return self.aside(effect)

    def _join(self, fetch: Fetch) -> tuple[Flight[threading.Event], bool]:
        flights = self._here()
        with flights.lock:
            flight = flights.joinable(fetch.shared_by)
            if flight is not None:
                return flight, False
            timeout = self._settings.timeout_of(fetch)
            return flights.begin(fetch.shared_by, threading.Event(), timeout=timeout), True

    def _here(self) -> _Flights:
        # setdefault is atomic: threads that come first in a process, all at once, get the same ones.
        return self._flights.setdefault(os.getpid(), _Flights())

    def _perform(self, fetch: Fetch, flight: Flight[threading.Event], line: "_Line") -> None:
        outcome: Outcome = "fetch_failed"
        try:
            reply = self._exchange(fetch, line)
            outcome = "fetch_timeout" if line.is_cut else reply
        except (Unavailable, *FAILURES) as error:
            outcome = "fetch_timeout" if line.is_cut else self._settings.failed(fetch, error)
        except Exception as error:  # noqa: BLE001 - not foreseen, as of a function for `tls`; its text may show a secret
            logger.error("a fetch failed: %s", trace_of(error))  # noqa: TRY400 - that would show its text
        finally:
            self._land(fetch, flight, outcome, shared=fetch.shared)

    def _land(self, fetch: Fetch, flight: Flight[threading.Event], outcome: Outcome, *, shared: float) -> None:
        flights = self._here()
        with flights.lock:
            flights.end(fetch.shared_by, flight, outcome, shared=shared)

    def _exchange(self, fetch: Fetch, line: "_Line") -> Reply:
        deadline = time.monotonic() + self._settings.timeout_of(fetch)
        with (
            self._settings.client(fetch) as client,
            client.stream(
                fetch.method,
                fetch.url,
                headers=headers(fetch),
                content=fetch.body,
                extensions={"trace": line.trace},
            ) as response,
        ):
            collected = Collected(fetch, response)
            for chunk in response.iter_raw():
                collected.add(chunk)
                if time.monotonic() > deadline:
                    raise no_answer("fetch_timeout")
            return collected.reply()

    def _run_aside(self, effect: Aside) -> None:
        try:
            self.drive(Run(effect.start()), lambda _limit: None)  # the request, and its body, may be gone
        except OAuthError as error:
            logger.warning("a task aside ended early: %s", error.reason)
        except Exception as error:  # noqa: BLE001 - a function of the application raised; its text may show a token
            logger.error("a task aside ended early: %s", trace_of(error))  # noqa: TRY400 - that would show its text


def _call(effect: Call) -> Any:
    if effect.blocking is not None:
        return effect.blocking(*effect.arguments)
    if effect.awaiting is None:
        raise TypeError("a Call names a function")
    loop = _loop()
    return asyncio.run_coroutine_threadsafe(_awaited(effect.awaiting, effect.arguments), loop).result()


async def _awaited(function: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
    return await function(*arguments)


def _loop() -> asyncio.AbstractEventLoop:
    """The event loop of this process for coroutine functions that threads call; runs in a thread of its own."""
    found = _loops.get(os.getpid())
    if found is None:
        mine = asyncio.new_event_loop()
        # Running before others can find it: where no thread can be started, nobody may wait for one.
        threading.Thread(target=_run, args=(mine,), name="oauth_rs-loop", daemon=True).start()
        found = _loops.setdefault(os.getpid(), mine)  # atomic, and without a lock that a fork could inherit
        if found is not mine:
            mine.call_soon_threadsafe(mine.stop)
    return found


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


class _Line:
    """The connection of an exchange, as another thread may cut it.

    Cutting shuts the socket down and leaves closing it to the thread that uses it: were it closed here, its number
    could go to another connection of this process, and OpenSSL, which knows sockets by number, would read from that.
    """

    __slots__ = ("_socket", "is_cut")

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self.is_cut = False

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by the HTTP client (its `trace` extension) with each step of the exchange."""
        if event.endswith(_NEW_SOCKET):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.is_cut:
                self.cut()

    def cut(self) -> None:
        self.is_cut = True
        if self._socket is not None:
            with suppress(OSError):  # closed already, or not connected any more
                # Of the plain socket: that of an SSLSocket would also take off the TLS under the other thread's reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
