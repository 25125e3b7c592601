"""Performs effects for callers that await, under asyncio and trio, on any number of event loops.

See the package for what an exchange is held to.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from ..errors import Unavailable
from ..flow import Call, Effect, Fetch, ReadBody, Reply, Run, T
from ..urls import shown
from . import FAILURES, Collected, Flights, HTTPSettings, Outcome, answer, headers, no_answer
from .blocking import BlockingHTTP

MAX_AT_ONCE = 100  # exchanges with one URL: each takes a socket, and callers who send junk may be any number
WAITING = 0.5  # of its time-out that an exchange may wait for others to end


class _Here(NamedTuple):
    """What belongs to one event loop: what is under way, and how many exchanges with each URL there may be."""

    flights: Flights[anyio.Event]
    lanes: dict[str, anyio.CapacityLimiter]


async def _no_body(_limit: int) -> bytes:
    return b""


class AwaitingHTTP:
    """Drives flows to their end, awaiting what they ask for."""

    def __init__(self, settings: HTTPSettings) -> None:
        self._settings = settings
        self._aside = BlockingHTTP(settings)
        self._of_loop: RunVar[_Here] = RunVar(f"oauth_rs.fetches.{id(self)}")

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

        Raises Unavailable (`fetch_failed`, `fetch_timeout`, `fetch_busy`, `reply_too_large`, `redirected`).
        """
        here = self._here()
        key = fetch.shared_by
        while (flight := here.flights.joinable(key)) is not None:
            await flight.done.wait()
            if flight.outcome is not None:
                return answer(flight.outcome)
            # Whoever led was cancelled: look again, perhaps to lead.
        longest = self._settings.timeout_of(fetch) * (1 + WAITING)
        flight = here.flights.begin(key, anyio.Event(), timeout=longest)
        outcome = None
        try:
            outcome = await self._perform(fetch, here.lanes)
        finally:
            here.flights.end(key, flight, outcome, shared=fetch.shared)
        return answer(outcome)

    async def _answer(self, effect: Effect, read_body: Callable[[int], Awaitable[bytes | None]]) -> Any:
        if isinstance(effect, Fetch):
            return await self.fetch(effect)
        if isinstance(effect, ReadBody):
            return await read_body(effect.limit)
        if isinstance(effect, Call):
            return await _call(effect)
        # A task would need a nursery under trio and an owner under asyncio; a thread needs neither.
        return self._aside.aside(effect)

    def _here(self) -> _Here:
        try:
            return self._of_loop.get()
        except LookupError:
            here = _Here(Flights(), {})
            self._of_loop.set(here)
            return here

    async def _perform(self, fetch: Fetch, lanes: dict[str, anyio.CapacityLimiter]) -> Outcome:
        place = shown(fetch.url)
        lane = lanes.get(place) or lanes.setdefault(place, anyio.CapacityLimiter(MAX_AT_ONCE))
        try:
            return await self._exchange_in(lane, fetch)
        except (Unavailable, *FAILURES) as error:  # TimeoutError among them
            return self._settings.failed(fetch, error)
        finally:
            if not lane.borrowed_tokens and lanes.get(place) is lane:
                del lanes[place]

    async def _exchange_in(self, lane: anyio.CapacityLimiter, fetch: Fetch) -> Reply:
        who, longest = object(), self._settings.timeout_of(fetch)
        try:
            with anyio.fail_after(longest * WAITING):
                await lane.acquire_on_behalf_of(who)
        except TimeoutError as error:
            raise no_answer("fetch_busy", f"{MAX_AT_ONCE} others ask it already") from error
        try:
            # All of its time: with less, a server that is slow and well would answer nobody in time.
            with anyio.fail_after(longest):
                return await self._exchange(fetch)
        finally:
            lane.release_on_behalf_of(who)

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
