"""What every replay store keeps, as tests: a class with a `store` fixture, and `second` where stores share, runs them.

Run as a program it uses up keys until it is killed, and tells which it was the first to use.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from itertools import count
from threading import Barrier
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal

from oauth_rs.errors import Unavailable
from oauth_rs.fetch import HTTPSettings
from oauth_rs.fetch.awaiting import AwaitingHTTP
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Run
from oauth_rs.replay import ReplayStore

AHEAD = 3.0  # seconds: no server that a test has just started was already there when these requests were signed
ODD_PARTS = [b"", b"\0", b"\xff", b"{a}", b"\r\n", b" ", b"%00", b"'", b"\xc3\xa9"]


def key_of(number: object) -> bytes:
    return sha256(str(number).encode()).digest()[:24]


class Driven:
    """A store as one of the drivers uses it; of its three times all but the ones given are about now."""

    def __init__(self, store: ReplayStore, drive: Callable[[Run[Any]], Any]) -> None:
        self.store = store
        self._drive = drive

    def use(
        self, number: object, *, signed: float = AHEAD, seconds: float = 60.0, now: float | None = None
    ) -> bool | str:
        """What the store says of a key; the reason where it refuses. `signed` counts from now, `seconds` the life."""
        now = time.time() if now is None else now
        key = number if isinstance(number, bytes) else key_of(number)
        answer = self.store.first_use(key, now + signed, now + seconds, now)
        try:
            return answer if isinstance(answer, bool) else bool(self._drive(Run(answer)))
        except Unavailable as error:
            return error.reason

    def warm(self) -> None:
        self._drive(Run(self.store.warm()))


def blocking(store: ReplayStore) -> Driven:
    return Driven(store, BlockingHTTP(HTTPSettings()).drive)


def awaiting(store: ReplayStore, portal: BlockingPortal) -> Driven:
    """`store` on the event loop of `portal`."""
    return Driven(store, lambda run: portal.call(AwaitingHTTP(HTTPSettings()).drive, run))


def at_once(uses: Sequence[Callable[[], Any]]) -> list[Any]:
    """What the calls give when they begin together, each in a thread."""
    barrier = Barrier(len(uses))

    def begin(use: Callable[[], Any]) -> Any:
        barrier.wait()
        return use()

    with ThreadPoolExecutor(len(uses)) as pool:
        return list(pool.map(begin, uses))


class ReplayContract:
    def test_a_key_is_good_once(self, store: Driven) -> None:
        assert [store.use(1) for _ in range(4)] == [True, False, False, False]

    def test_keys_do_not_touch_each_other(self, store: Driven) -> None:
        assert all(store.use(number) is True for number in range(300))
        assert all(store.use(number) is False for number in range(300))

    @pytest.mark.parametrize("part", ODD_PARTS)
    def test_any_bytes_make_a_key(self, store: Driven, part: bytes) -> None:
        keys = [(part * 23)[:23].ljust(23) + end for end in (b"a", b"b")]
        assert [store.use(key) for key in [*keys, *keys]] == [True, True, False, False]

    @pytest.mark.parametrize("position", [0, 7, 8, 23])
    def test_every_byte_of_a_key_counts(self, store: Driven, position: int) -> None:
        other = bytearray(24)
        other[position] = 1
        assert [store.use(bytes(24)), store.use(bytes(other)), store.use(bytes(24))] == [True, True, False]

    @pytest.mark.parametrize("after", [0, 1, 30, 59.9, 60])
    def test_a_key_is_not_good_again_before_its_time_is_over(self, store: Driven, after: float) -> None:
        now = time.time()
        assert store.use(1, now=now) is True
        assert store.use(1, now=now + after, signed=-after, seconds=60 - after) is False

    @pytest.mark.parametrize("seconds", [0, 1, 600, 86_400])
    def test_what_a_replay_says_of_its_time_changes_nothing(self, store: Driven, seconds: float) -> None:
        store.use(1)
        assert store.use(1, seconds=seconds) is False
        assert store.use(1) is False

    def test_a_clock_that_is_set_back_forgets_nothing(self, store: Driven) -> None:
        now = time.time()
        store.use(1, now=now)
        assert store.use(1, now=now - 3600) is False

    @pytest.mark.parametrize("ahead", [10, 300])
    def test_a_request_signed_ahead_of_time_is_good_once(self, store: Driven, ahead: float) -> None:
        assert [store.use(1, signed=ahead, seconds=300 + ahead) for _ in range(2)] == [True, False]

    def test_of_many_at_once_exactly_one_is_first(self, store: Driven) -> None:
        for turn in range(10):
            assert sorted(at_once([partial(store.use, turn)] * 12)) == [False] * 11 + [True]

    def test_warming_uses_nothing_up_and_may_be_repeated(self, store: Driven) -> None:
        store.warm()
        store.warm()
        assert store.use(1) is True


class SharedReplayContract(ReplayContract):
    """What stores keep that several processes share. `place` is what SPENDING makes one of."""

    def test_what_one_has_used_is_used_for_the_other(self, store: Driven, second: Driven) -> None:
        assert [store.use(1), second.use(1), second.use(2), store.use(2)] == [True, False, True, False]

    def test_of_two_stores_at_once_exactly_one_is_first(self, store: Driven, second: Driven) -> None:
        for turn in range(10):
            uses = [partial(store.use, turn), partial(second.use, turn)] * 4
            assert sorted(at_once(uses)) == [False] * 7 + [True]

    def test_a_killed_process_leaves_no_key_that_is_good_again(self, store: Driven, place: str) -> None:
        processes = [_spending(place, number) for number in range(3)]
        told = Counter(_killed_amid(processes))
        assert max(told.values()) == 1, "a key was good for two processes"
        tried = _names_before_the_last(told)
        again = {name for name in tried if store.use(name) is True}
        assert not again & set(told)
        # A process may die between using a key and telling.
        assert len(tried - again - set(told)) <= len(processes)


def _names_before_the_last(told: Iterable[str]) -> set[str]:
    """All that must have been tried, told or not: each owner's names have numbers, in order."""
    last: dict[str, int] = {}
    for name in told:
        owner, _, number = name.partition(" ")
        last[owner] = max(last.get(owner, 0), int(number))
    return {f"{owner} {number}" for owner in last for number in range(last[owner])}


def _spending(place: str, number: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", __name__, place, str(number)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _killed_amid(processes: "list[subprocess.Popen[bytes]]") -> list[str]:
    """What processes told before they were killed, which is while each of them is at it."""
    pipes = [(process.stdin, process.stdout) for process in processes if process.stdin and process.stdout]
    for _, output in pipes:
        output.readline()
    for start, _ in pipes:
        start.write(b"\n")
        start.flush()
    heads = [output.read(500) for _, output in pipes]
    for process in processes:
        process.kill()
    texts = [head + output.read() for head, (_, output) in zip(heads, pipes, strict=True)]
    for process in processes:
        process.communicate()
    return [line for text in texts for line in text.decode().splitlines()]


def _spend_until_killed(place: str, name: str) -> None:
    from oauth_rs.stores.redis import RedisReplay  # noqa: PLC0415 - only this program needs them
    from oauth_rs.stores.sqlite import SQLiteReplay  # noqa: PLC0415

    store = blocking(RedisReplay(place) if place.startswith("redis:") else SQLiteReplay(place))
    store.warm()
    os.write(1, b"\n")
    sys.stdin.readline()
    for number in count():
        for owner in ("all", name):  # what all are after, and what nobody else is
            # First the store, then word of it: what is told is used, whenever the end comes. One write is one line.
            if store.use(f"{owner} {number}") is True:
                os.write(1, f"{owner} {number}\n".encode())


if __name__ == "__main__":
    _spend_until_killed(*sys.argv[1:])
