"""Denied tokens that processes share through Redis or Valkey: what one denies, all refuse within moments.

Each process has all denials in memory, where requests find them, and follows the log in Redis for new ones. A process
that has not heard from Redis for a second does not believe its memory any more: it answers 503, unless it was told to
go on. See deny_log.py, and docs/revocation.md for what Redis needs.
"""

import logging
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Literal, Unpack
from weakref import finalize

import anyio.to_thread
import redis
import redis.connection

from ..denials import Denials
from ..deny_list import ENTRIES, LONGEST_LIFE, Denied, Terms
from ..errors import Unavailable
from ..flow import Call, Flow
from ..model import Grant
from .deny_log import FAILURES, Client, DenyLog

BELIEVED = 1.0  # seconds that a process believes its memory after it last heard from Redis
TIMEOUT = 1.0  # seconds; a request of a process that begins, and a denial, wait that long for Redis
_BEATS = 4  # in that time: one may come late, and the next one still in time

logger = logging.getLogger("oauth_rs")


class RedisDenyList:
    """Denied tokens in the Redis at a URL, or in the one that a client of yours, one that blocks, leads to.

    Of a `redis.Redis`, or of what `Sentinel.master_for` gives, the settings are taken and connections of our own are
    opened: one for each process, in a thread of its own, and one for what it denies. A `RedisCluster` is used itself.

    `longest_life` is in seconds: no token that is accepted may live longer. `entries` is how many denials there may be.
    `believed` is how long, in seconds, a process goes by its memory without hearing from Redis; then requests are
    refused with 503, or, with `when_lost="go_on"`, it goes by its memory still. `timeout` is in seconds.
    """

    def __init__(
        self,
        url_or_client: str | Client,
        *,
        prefix: str | bytes = "oauth_rs:",
        longest_life: float = LONGEST_LIFE,
        entries: int = ENTRIES,
        believed: float = BELIEVED,
        when_lost: Literal["refuse", "go_on"] = "refuse",
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if isinstance(url_or_client, str):
            redis.connection.parse_url(url_or_client)  # type: ignore[no-untyped-call]  # raises ValueError
        elif not isinstance(url_or_client, redis.Redis | redis.RedisCluster):
            raise TypeError(
                "RedisDenyList takes a URL or a client of redis-py that blocks, under ASGI too: it has a thread of its"
                " own; of a Sentinel, what its master_for gives"
            )
        if not 0 < believed < float("inf") or not 0 < timeout < float("inf"):
            raise ValueError("believed and timeout are numbers of seconds above 0")
        if when_lost not in {"refuse", "go_on"}:
            raise ValueError('when_lost is "refuse" or "go_on"')
        self._terms = Terms(longest_life=longest_life, clock=clock)
        self._denials = Denials(kept=self._terms.kept, size=entries)
        self._believed, self._goes_on = believed, when_lost == "go_on"
        self._clock, self._monotonic = clock, monotonic
        self._make = partial(
            DenyLog,
            url_or_client,
            self._denials,
            prefix=prefix.encode() if isinstance(prefix, str) else prefix,
            kept=self._terms.kept,
            beat=min(believed, timeout) / _BEATS,
            timeout=timeout,
            clock=clock,
            monotonic=monotonic,
        )
        self._logs: dict[int, DenyLog] = {}  # by process id: neither threads nor connections are carried over a fork
        self._log = self._make()  # which nobody follows yet

    def deny(self, **denied: Unpack[Denied]) -> None:
        """Puts a denial in force: in this process when this returns, in all others within moments.

        Raises TypeError and ValueError for what cannot be meant, and Unavailable (`deny_list_full`;
        `deny_list_unavailable` when Redis could not be told: others will be as soon as it can be, if this process lives
        to see it).
        """
        denial = self._terms.denial(denied)
        if denial is None:
            return
        now = self._monotonic()
        self._denials.check_room(denial, now)
        self._denials.add(denial, now)
        log = self._here()
        came_at = self._clock()
        try:
            log.append({denial: came_at})
        except FAILURES as error:
            log.unsent[denial] = came_at
            log.start()
            raise _unavailable() from error

    async def deny_async(self, **denied: Unpack[Denied]) -> None:
        """The same, for callers that await."""
        await anyio.to_thread.run_sync(partial(self.deny, **denied))

    def denied(self, grant: Grant, /) -> bool | Flow[bool]:
        """True when a denial covers `grant`. Raises Unavailable (`deny_list_unavailable`)."""
        now = self._monotonic()
        if now - self._log.read_at <= self._believed:
            return self._denials.match(grant, now)
        log = self._followed()
        return self._decide(log, grant) if log.is_failing else self._wait(log, grant)

    def warm(self) -> Flow[None]:
        """Reads all denials. That Redis cannot be reached is logged, not raised."""
        log = self._followed()
        yield from Call(blocking=log.wait, arguments=(self._believed,))
        if log.read_at == float("-inf"):
            logger.warning("denied tokens could not be read ahead of the first request")

    def close(self) -> None:
        """Ends what follows the log in this process, soon; whoever asks again begins anew."""
        self._here().stop()
        self._logs.clear()

    def _wait(self, log: DenyLog, grant: Grant) -> Flow[bool]:
        """Waits for a process that has just begun, or is late."""
        yield from Call(blocking=log.wait, arguments=(self._believed,))
        return self._decide(log, grant)

    def _decide(self, log: DenyLog, grant: Grant) -> bool:
        now = self._monotonic()
        if self._denials.match(grant, now):
            return True
        if not self._goes_on and now - log.read_at > self._believed:
            raise _unavailable()
        return False

    def _followed(self) -> DenyLog:
        log = self._log = self._here()
        log.start()
        return log

    def _here(self) -> DenyLog:
        """The log as this process sees it."""
        log = self._logs.get(os.getpid())
        if log is None:
            made = self._make()
            finalize(self, made.stop)
            log = self._logs.setdefault(os.getpid(), made)
        return log


def _unavailable() -> Unavailable:
    return Unavailable("deny_list_unavailable", "It cannot be known now whether the access was revoked.")
