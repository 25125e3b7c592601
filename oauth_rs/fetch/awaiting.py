"""Performs effects for callers that await, under asyncio and trio, on any number of event loops.

See the package for what an exchange is held to.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from ..errors import Unavailable
from ..flow import Call, Effect, Fetch, ReadBody, Reply, Run, T
from . import FAILURES, Collected, Flight, HTTPSettings, Outcome, answer, headers
from .blocking import BlockingHTTP


async def _no_body(_limit: int) -> bytes:
    return b""


class AwaitingHTTP:
    """Drives flows to their end, awaiting what they ask for."""

    def __init__(self, settings: HTTPSettings) -> None:
        self._settings = settings
        self._aside = BlockingHTTP(settings)
        self._flights: RunVar[dict[object, Flight[anyio.Event]]] = RunVar(f"oauth_rs.flights.{id(self)}")

    async def drive(self, run: Run[T], read_body: Callable[[int], Awaitable[bytes | None]] = _no_body) -> T:
        """The result of `run`, whatever it asks for. Raises what the flow raises."""
        while (effect := run.effect) is not None:
            try:
                reply = await self._answer(effect, read_body)
            except Unavailable as error:
                run.throw(error)
            else:
                run.send(reply)
        return run.result

    async def fetch(self, fetch: Fetch) -> Reply:
        """The answer to `fetch`, or to an equal one under way on this event loop.

        Raises Unavailable (`fetch_failed`, `fetch_timeout`, `reply_too_large`, `redirected`).
        """
        flights = self._flights.get({})
        self._flights.set(flights)
        key = fetch.shared_by
        while (flight := flights.get(key)) is not None and flight.joinable():
            await flight.done.wait()
            if flight.outcome is not None:
                return answer(flight.outcome)
            # Whoever led was cancelled: look again, perhaps to lead.
        for ended in [one for one, flight in flights.items() if not flight.joinable()]:
            del flights[ended]
        flight = flights[key] = Flight(anyio.Event(), timeout=self._settings.timeout_of(fetch))
        try:
            flight.end(await self._perform(fetch), shared=fetch.shared)
        finally:
            # What was asked may hold a token, and so may the answer: neither is kept for longer than it is shared.
            if (flight.outcome is None or not fetch.shared) and flights.get(key) is flight:
                del flights[key]  # not one that took its place when its time was up
            flight.done.set()
        return answer(flight.outcome)

    async def _answer(self, effect: Effect, read_body: Callable[[int], Awaitable[bytes | None]]) -> Any:
        if isinstance(effect, Fetch):
            return await self.fetch(effect)
        if isinstance(effect, ReadBody):
            return await read_body(effect.limit)
        if isinstance(effect, Call):
            return await _call(effect)
        # A task would need a nursery under trio and an owner under asyncio; a thread needs neither.
        return self._aside.aside(effect)

    async def _perform(self, fetch: Fetch) -> Outcome:
        try:
            with anyio.fail_after(self._settings.timeout_of(fetch)):
                return await self._exchange(fetch)
        except (Unavailable, *FAILURES) as error:  # TimeoutError among them
            return self._settings.failed(fetch, error)

    async def _exchange(self, fetch: Fetch) -> Reply:
        async with (
            self._settings.async_client(fetch) as client,
            client.stream(fetch.method, fetch.url, headers=headers(fetch), content=fetch.body) as response,
        ):
            collected = Collected(fetch, response)
            async with aclosing(response.aiter_raw()) as chunks:  # trio complains of generators that are left hanging
                async for chunk in chunks:
                    collected.add(chunk)
            return collected.reply()


async def _call(effect: Call) -> Any:
    if effect.awaiting is not None and (effect.blocking is None or _under_asyncio()):
        return await effect.awaiting(*effect.arguments)
    if effect.blocking is None:
        raise TypeError("a Call names a function")
    return await anyio.to_thread.run_sync(effect.blocking, *effect.arguments)


def _under_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
