"""Remembering used nonces: in memory against a dict with a heap and a lock, in Redis against a bare `set` of redis-py.

The memories are asked long enough to forget as much as comes. Threads and Redis are timed by the clock on the wall, for
what they wait for counts.
"""

import asyncio
import gc
import secrets
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from functools import partial
from heapq import heappop, heappush
from itertools import count, cycle, islice, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import pytest
import redis
import redis.asyncio

from oauth_rs import HTTPSettings, MemoryReplay
from oauth_rs.fetch.awaiting import AwaitingHTTP
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Flow, Run
from oauth_rs.stores.redis import RedisReplay
from tests.support.redis_server import running_redis

from .rows import Row, beside
from .timing import Samples, interleaved

ONE_THREAD, EIGHT_THREADS, REDIS = 0.7, 4.0, 1.1
WINDOW = 300.0  # seconds
BEGIN = 1_700_000_000.0
KEYS = 320_000
LIVE = 18_000  # keys within a window, where one thread asks
BATCH_SECONDS = 0.02  # long enough for a window: what a store does once in a while is in every batch
THREADS, CALLS_PER_THREAD, CROWDS = 8, 5_000, 15
REDIS_CALLS, REDIS_ROUNDS = 20, 200
AHEAD = 5.0  # seconds that requests are dated ahead: what was signed before a Redis began, it does not know

Seconds = Callable[[], float]


class Memory(Protocol):
    def first_use(self, key: bytes, signed_at: float, until: float, now: float, /) -> bool: ...


class LockedHeap:
    """What one would write first. Forgets with each call what has ended, and never holds more than it must."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[bytes, float] = {}
        self._ends: list[tuple[float, bytes]] = []

    def first_use(self, key: bytes, _signed_at: float, until: float, now: float, /) -> bool:
        with self._lock:
            ends = self._ends
            while ends and ends[0][0] < now:
                del self._until[heappop(ends)[1]]
            if key in self._until:
                return False
            self._until[key] = until
            heappush(ends, (until, key))
            return True


MEMORIES: dict[str, Callable[[], Memory]] = {"ours": MemoryReplay, "heap": LockedHeap}


def rows() -> Iterator[Row]:
    keys = [secrets.token_bytes(24) for _ in range(KEYS)]
    for name, make in MEMORIES.items():
        confirm(name, make())
    yield _one_thread(keys)
    yield _eight_threads(keys)
    try:
        with TemporaryDirectory() as folder, running_redis(Path(folder)) as server:
            yield _redis(server.url, iter(keys))
    except pytest.skip.Exception as reason:  # how the tests say that there is no redis-server to be had
        print(reason, file=sys.stderr)


def confirm(name: str, memory: Memory) -> None:
    """Raises RuntimeError unless `memory` takes each key once in its time."""
    uses = [memory.first_use(key, BEGIN, BEGIN + WINDOW, BEGIN + later) for key, later in ((b"1", 0), (b"2", 1))]
    again = [memory.first_use(key, BEGIN, BEGIN + WINDOW, BEGIN + later) for key, later in ((b"1", 1), (b"2", WINDOW))]
    if uses != [True, True] or again != [False, False]:
        raise RuntimeError(f"{name} does not remember as it should")


def _one_thread(keys: list[bytes]) -> Row:
    samples = interleaved(
        {name: _one_after_another(make(), keys) for name, make in MEMORIES.items()},
        rounds=50,
        batch_seconds=BATCH_SECONDS,
    )
    return Row(case="memory store, 1 thread / dict + heap + lock", ratio=samples.ratio("ours", "heap"), aim=ONE_THREAD)


def _one_after_another(memory: Memory, keys: list[bytes]) -> Callable[[], bool]:
    """One use more each time, and time goes on; a key that comes again was forgotten long ago."""
    step = WINDOW / LIVE
    times = (count(BEGIN + ahead, step) for ahead in (0.0, WINDOW, 0.0))
    uses = map(memory.first_use, cycle(keys), *times)
    if not all(islice(uses, KEYS + LIVE)):
        raise RuntimeError("a store does not forget")
    return uses.__next__


def _eight_threads(keys: list[bytes]) -> Row:
    samples = in_turns({name: _crowd(make(), keys) for name, make in MEMORIES.items()}, rounds=CROWDS)
    return Row(
        case=f"memory store, operations of {THREADS} threads / dict + heap + lock",
        ratio=samples.ratio("heap", "ours"),
        aim=EIGHT_THREADS,
        at_least=True,
    )


def in_turns(runs: Mapping[str, Seconds], *, rounds: int) -> Samples:
    """Samples of `runs`, which time themselves."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    order = list(runs)
    for _ in range(rounds):
        for name in order:
            gc.collect()
            seconds[name].append(runs[name]())
        order.reverse()
    return Samples({name: found[1:] for name, found in seconds.items()})  # the first warms


def _crowd(memory: Memory, keys: list[bytes]) -> Seconds:
    """The seconds per use of threads that ask all at once. A window passes from one run to the next."""
    endless, clock = cycle(keys), count(BEGIN, WINDOW + 1)

    def run() -> float:
        now, started, ended, good = next(clock), [0.0], [0.0], [0]
        parts = [list(islice(endless, CALLS_PER_THREAD)) for _ in range(THREADS)]

        def begin() -> None:
            started.append(time.perf_counter())

        ready = threading.Barrier(THREADS, begin)

        def spend(part: list[bytes]) -> None:
            ready.wait()
            good.append(sum(map(memory.first_use, part, repeat(now), repeat(now + WINDOW), repeat(now))))
            ended.append(time.perf_counter())

        threads = [threading.Thread(target=spend, args=(part,)) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return _per_call(max(ended) - max(started), sum(good), THREADS * CALLS_PER_THREAD)

    return run


def _redis(url: str, keys: Iterator[bytes]) -> Row:
    return Row(
        case="Redis store / bare set of redis-py",
        ratio=_blocking(url, keys).ratio("ours", "bare"),
        aim=REDIS,
        note=beside({"asyncio": _awaiting(url, keys).ratio("ours", "bare")}),
    )


def _blocking(url: str, keys: Iterator[bytes]) -> Samples:
    http, store = BlockingHTTP(HTTPSettings()), RedisReplay(url)
    http.drive(Run(store.warm()))

    def spend(key: bytes) -> object:
        return http.drive(Run(_first_use(store, key)))

    def timed(call: Callable[[bytes], object]) -> float:
        started = time.perf_counter()
        good = sum(bool(call(key)) for key in islice(keys, REDIS_CALLS))
        return _per_call(time.perf_counter() - started, good, REDIS_CALLS)

    with redis.Redis.from_url(url) as client:
        calls = {"ours": spend, "bare": lambda key: client.set(key, b"1")}
        return in_turns({name: partial(timed, call) for name, call in calls.items()}, rounds=REDIS_ROUNDS)


def _awaiting(url: str, keys: Iterator[bytes]) -> Samples:
    http, store, client = AwaitingHTTP(HTTPSettings()), RedisReplay(url), redis.asyncio.Redis.from_url(url)

    async def spend(key: bytes) -> object:
        return await http.drive(Run(_first_use(store, key)))

    async def timed(call: Callable[[bytes], Awaitable[object]]) -> float:
        started, good = time.perf_counter(), 0
        for key in islice(keys, REDIS_CALLS):
            good += bool(await call(key))
        return _per_call(time.perf_counter() - started, good, REDIS_CALLS)

    with asyncio.Runner() as runner:
        runner.run(http.drive(Run(store.warm())))
        calls = {"ours": spend, "bare": lambda key: client.set(key, b"1")}
        runs = {name: partial(_run, runner, timed, call) for name, call in calls.items()}
        samples = in_turns(runs, rounds=REDIS_ROUNDS)
        runner.run(client.aclose())
    return samples


def _run(runner: asyncio.Runner, timed: Callable[..., Coroutine[Any, Any, float]], call: Any) -> float:
    return runner.run(timed(call))


def _first_use(store: RedisReplay, key: bytes) -> Flow[bool]:
    now = time.time()
    return store.first_use(key, now + AHEAD, now + WINDOW, now)


def _per_call(seconds: float, good: int, calls: int) -> float:
    if good != calls:
        raise RuntimeError("a store refused what it had not seen")
    return seconds / calls
