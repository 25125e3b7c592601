"""Performs effects for callers that await, under asyncio and trio, on any number of event loops.

See the package for what an exchange is held to.
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing

import anyio
from anyio.lowlevel import RunVar

from ..errors import Unavailable
from ..flow import Fetch, ReadBody, Reply, Run, T
from . import FAILURES, Collected, Flight, HTTPSettings, Outcome, answer, headers, reason
from .blocking import BlockingHTTP


async def _no_body(_limit: int) -> bytes:
    return b""


class AwaitingHTTP:
    """Drives flows to their end, awaiting what they ask for."""

    def __init__(self, settings: HTTPSettings) -> None:
        self._settings = settings
        self._aside = BlockingHTTP(settings)
        self._flights: RunVar[dict[Fetch, Flight[anyio.Event]]] = RunVar(f"oauth_rs.flights.{id(self)}")

    async def drive(self, run: Run[T], read_body: Callable[[int], Awaitable[bytes | None]] = _no_body) -> T:
        """The result of `run`, whatever it asks for. Raises what the flow raises."""
        while (effect := run.effect) is not None:
            if isinstance(effect, Fetch):
                try:
                    reply = await self.fetch(effect)
                except Unavailable as error:
                    run.throw(error)
                else:
                    run.send(reply)
            elif isinstance(effect, ReadBody):
                run.send(await read_body(effect.limit))
            else:
                # A task would need a nursery under trio and an owner under asyncio; a thread needs neither.
                self._aside.aside(effect)
                run.send(None)
        return run.result

    async def fetch(self, fetch: Fetch) -> Reply:
        """The answer to `fetch`, or to an equal one under way on this event loop.

        Raises Unavailable (`fetch_failed`, `fetch_timeout`, `reply_too_large`, `redirected`).
        """
        flights = self._flights.get({})
        self._flights.set(flights)
        while (flight := flights.get(fetch)) is not None and flight.joinable():
            await flight.done.wait()
            if flight.outcome is not None:
                return answer(flight.outcome)
            # Whoever led was cancelled: look again, perhaps to lead.
        for ended in [one for one, flight in flights.items() if not flight.joinable()]:
            del flights[ended]
        flight = flights[fetch] = Flight(anyio.Event(), timeout=self._settings.timeout)
        try:
            flight.end(await self._perform(fetch), shared=fetch.shared)
        finally:
            if flight.outcome is None:
                if flights.get(fetch) is flight:  # not one that took its place when its time was up
                    del flights[fetch]
                flight.done.set()
        return answer(flight.outcome)

    async def _perform(self, fetch: Fetch) -> Outcome:
        try:
            with anyio.fail_after(self._settings.timeout):
                return await self._exchange(fetch)
        except TimeoutError:
            return "fetch_timeout"
        except (Unavailable, *FAILURES) as error:
            return reason(error)

    async def _exchange(self, fetch: Fetch) -> Reply:
        async with (
            self._settings.async_client() as client,
            client.stream(fetch.method, fetch.url, headers=headers(fetch), content=fetch.body) as response,
        ):
            collected = Collected(fetch, response)
            async with aclosing(response.aiter_raw()) as chunks:  # trio complains of generators that are left hanging
                async for chunk in chunks:
                    collected.add(chunk)
            return collected.reply()
