"""Used nonces in Redis or Valkey, for any number of processes and machines: `SET key 1 NX PX ...`, one round trip.

Whatever Redis does other than answer in time ends as Unavailable, and so does what it may have forgotten; see
docs/scaling.md for the settings it needs, and redis_clients.py for how a restart is noticed.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias
from weakref import ref

import redis
import redis.asyncio
import redis.connection

from ..errors import Unavailable
from ..flow import Call, Flow
from .redis_clients import (
    FAILURES,
    Servers,
    async_client_like,
    async_client_of_url,
    client_like,
    client_of_url,
    disconnect,
    watch_async_cluster,
    watch_cluster,
)
from .trust import Trust

TIMEOUT = 1.0  # seconds; a request waits that long for a Redis that does not answer
CLOCKS_DIFFER = 5.0  # seconds that keys are kept longer: the clock of another machine may be behind by as much
CONNECTIONS = 64  # per event loop: what awaits more than that many answers waits its turn

Client: TypeAlias = redis.Redis | redis.RedisCluster | redis.asyncio.Redis | redis.asyncio.RedisCluster
_Maker: TypeAlias = Callable[[], Any]


class RedisReplay:
    """Used nonces in the Redis at a URL, or in the one that a client of yours leads to.

    A URL serves WSGI by blocking and ASGI by awaiting. So that no time-out is exceeded and no retry is silent, of a
    `redis.Redis`, or of what `Sentinel.master_for` gives, or of their asyncio twins, the settings are taken and
    connections of our own are opened. A `RedisCluster` is used itself, with its own time-outs and retries: give it
    one of its own, made after the fork, and for asyncio one per event loop.

    `timeout` is in seconds. After Redis has lost its memory, what was signed before is refused, and what was signed up
    to `distrust` seconds after: with the longest window of your schemes here, not even a request that was dated ahead
    of time and accepted elsewhere can be used again; with less, or none, one whose lead this process has not seen can.
    Not seen either: a node of a cluster that was demoted and promoted again between two uses of one connection.
    """

    def __init__(
        self,
        url_or_client: str | Client,
        *,
        prefix: str | bytes = "oauth_rs:",
        timeout: float = TIMEOUT,
        distrust: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not timeout > 0:
            raise ValueError("timeout is a number of seconds above 0")
        self._prefix = prefix.encode() if isinstance(prefix, str) else prefix
        self._timeout = timeout
        self._trust = Trust(distrust=distrust)
        cluster = isinstance(url_or_client, redis.RedisCluster | redis.asyncio.RedisCluster)
        servers = Servers(self._trust, self._prefix + b"since", cluster=cluster, clock=clock)
        self._clock = clock
        self._clients: dict[int, Any] = {}  # by process id: pools and their locks are not carried over a fork
        self._lines: dict[asyncio.AbstractEventLoop, _Line] = {}
        self._make, self._make_async = _makers(url_or_client, servers, timeout)

    def first_use(self, key: bytes, signed_at: float, until: float, now: float, /) -> Flow[bool]:
        """True for exactly one of all calls with `key`, on all machines.

        Raises Unavailable (`replay_store_unavailable`; `replay_memory_lost` for what was signed before a restart).
        """
        return iter(
            Call(
                None if self._make is None else self._spend,
                None if self._make_async is None else self._spend_awaiting,
                (key, signed_at, until, now),
            )
        )

    def warm(self) -> Flow[None]:
        """Connects. What is wrong with Redis is logged, not raised."""
        now = self._clock()
        with suppress(Unavailable):
            yield from self.first_use(b"warm", now, now, now)

    def _spend(self, key: bytes, signed_at: float, until: float, now: float) -> bool:
        self._trust.expect(signed_at, now)
        client = self._clients.get(os.getpid()) or self._new_client()
        try:
            answer = client.execute_command("SET", self._prefix + key, b"1", b"NX", b"PX", _milliseconds(until - now))
        except FAILURES as error:
            if _is_demoted(error, client):
                client.connection_pool.disconnect(inuse_connections=False)
            raise self._trust.unavailable(error) from error
        if not answer:
            return False
        self._trust.check(signed_at, now)
        return True

    async def _spend_awaiting(self, key: bytes, signed_at: float, until: float, now: float) -> bool:
        self._trust.expect(signed_at, now)
        line = self._lines.get(asyncio.get_running_loop()) or await self._new_line()
        try:
            async with asyncio.timeout(self._timeout), line.free:
                answer = await line.client.execute_command(
                    "SET", self._prefix + key, b"1", b"NX", b"PX", _milliseconds(until - now)
                )
        except FAILURES as error:
            if _is_demoted(error, line.client):
                await line.client.connection_pool.disconnect(inuse_connections=False)
            raise self._trust.unavailable(error) from error
        if not answer:
            return False
        self._trust.check(signed_at, now)
        return True

    def _new_client(self) -> Any:
        return self._clients.setdefault(os.getpid(), self._make() if self._make is not None else None)

    def forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """What belonged to an event loop that has ended."""
        self._lines.pop(loop, None)

    async def _new_line(self) -> "_Line":
        loop = asyncio.get_running_loop()
        client = self._make_async() if self._make_async is not None else None
        if isinstance(client, redis.asyncio.RedisCluster) and self._lines:
            raise RuntimeError("an asyncio RedisCluster serves one event loop: make a RedisReplay for each")
        line = self._lines[loop] = _Line(client)
        line.end = _until_the_loop_ends(client, loop, ref(self))
        await anext(line.end)
        return line


def _makers(given: str | Client, servers: Servers, timeout: float) -> tuple[_Maker | None, _Maker | None]:
    """What makes a client that blocks, and one that awaits; None for the kind that cannot be made."""
    if isinstance(given, str):
        redis.connection.parse_url(given)  # type: ignore[no-untyped-call]  # raises ValueError
        return partial(client_of_url, given, servers, timeout), partial(async_client_of_url, given, servers, timeout)
    if isinstance(given, redis.Redis):
        return partial(client_like, given, servers, timeout), None
    if isinstance(given, redis.asyncio.Redis):
        return None, partial(async_client_like, given, servers, timeout)
    if isinstance(given, redis.RedisCluster):
        watch_cluster(given, servers, timeout)
        return lambda: given, None
    if isinstance(given, redis.asyncio.RedisCluster):
        watch_async_cluster(given, servers)
        return None, lambda: given
    raise TypeError("RedisReplay takes a URL or a client of redis-py: of a Sentinel, what its master_for gives")


def _is_demoted(error: Exception, client: Any) -> bool:
    """True when the connections of `client` lead to what is a replica now: new ones may lead to its successor."""
    return isinstance(error, redis.ReadOnlyError) and hasattr(client, "connection_pool")


def _milliseconds(seconds: float) -> int:
    return int((max(seconds, 0.0) + CLOCKS_DIFFER) * 1000)


class _Line:
    """The client of one event loop."""

    __slots__ = ("client", "end", "free")

    end: AsyncGenerator[None, None]

    def __init__(self, client: Any) -> None:
        self.client = client
        self.free = asyncio.Semaphore(CONNECTIONS)


async def _until_the_loop_ends(
    client: Any, loop: asyncio.AbstractEventLoop, store: "ref[RedisReplay]"
) -> AsyncGenerator[None, None]:
    """Closes connections of ours before their event loop ends, or with the store.

    asyncio closes the generators that are left hanging in a loop. Refers to the store weakly: were they a circle, the
    connections could be collected before this.
    """
    try:
        yield
    finally:
        if (here := store()) is not None:
            here.forget(loop)
        if isinstance(client, redis.asyncio.Redis):
            await disconnect(client)
