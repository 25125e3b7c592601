import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from oauth_rs.outbound.turns import Slots, Turns, Work
from tests.outbound.provider import no_thread_is_left
from tests.support.processes import in_child
from tests.support.redis_server import wait_until

SECONDS = 5.0


class Counted:
    """Work that notes how much of it goes on at a time; it lasts until `gate` is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.done: list[int] = []

    def work(self, number: int) -> Callable[[], None]:
        def work() -> None:
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            self.gate.wait(SECONDS)
            with self.lock:
                self.now -= 1
                self.done.append(number)

        return work


def test_what_finds_no_slot_waits_for_its_turn() -> None:
    turns, counted = Turns(3, waiting=50), Counted()
    assert all(turns.begin(counted.work(number)) for number in range(20))
    wait_until(lambda: counted.now == 3, SECONDS)
    counted.gate.set()
    wait_until(lambda: len(counted.done) == 20, SECONDS)
    assert counted.most == 3


def test_first_come_is_first_served() -> None:
    turns, counted = Turns(1, waiting=50), Counted()
    for number in range(20):
        turns.begin(counted.work(number))
    counted.gate.set()
    wait_until(lambda: len(counted.done) == 20, SECONDS)
    assert counted.done == list(range(20))


def test_no_more_wait_than_may() -> None:
    turns, counted = Turns(1, waiting=2), Counted()
    assert turns.begin(counted.work(0))
    wait_until(lambda: counted.now == 1, SECONDS)
    assert [turns.begin(counted.work(number)) for number in (1, 2, 3)] == [True, True, False]
    counted.gate.set()
    wait_until(lambda: len(counted.done) == 3, SECONDS)
    assert turns.begin(counted.work(4))


def test_nothing_is_left_behind_by_many_who_come_at_once() -> None:
    turns, done = Turns(2, waiting=10_000), list[int]()
    threads = [
        threading.Thread(target=lambda: [turns.begin(lambda: done.append(1)) for _ in range(200)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(done) == 1600 and no_thread_is_left(), SECONDS)


def test_without_a_thread_to_be_had_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, done = Turns(1, waiting=50), list[int]()

    def refuse(_thread: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert [turns.begin(lambda: done.append(1)) for _ in range(3)] == [False] * 3
    assert turns.begin(lambda: done.append(2))
    wait_until(lambda: done == [2], SECONDS)


def ending(turns: Turns) -> deque[Work]:
    """The queue of `turns`, whose last thread ends when somebody comes, and has seen nobody."""
    assert turns._slots.take()

    class Ending(deque[Work]):
        def append(self, work: Work) -> None:
            super().append(work)
            turns._slots.give_back()

    queue = turns._queues[os.getpid()] = Ending()
    return queue


def test_a_slot_that_becomes_free_meanwhile_is_taken() -> None:
    turns, done = Turns(1, waiting=50), list[int]()
    ending(turns)
    assert turns.begin(lambda: done.append(1))
    wait_until(lambda: done == [1], SECONDS)


def test_what_nobody_will_do_is_not_said_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, done = Turns(1, waiting=50), list[int]()
    queue = ending(turns)

    def refuse(_thread: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert not turns.begin(lambda: done.append(1))
    assert not queue
    assert turns.begin(lambda: done.append(2))
    wait_until(lambda: done == [2], SECONDS)


def test_what_comes_while_a_thread_ends_is_begun_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, done = Turns(1, waiting=50), list[int]()
    give_back = turns._slots.give_back

    def just_before_somebody_comes() -> None:
        give_back()
        if len(done) == 1:
            turns._queues[os.getpid()].append(lambda: done.append(2))

    monkeypatch.setattr(turns._slots, "give_back", just_before_somebody_comes)
    turns.begin(lambda: done.append(1))
    wait_until(lambda: done == [1, 2], SECONDS)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_slot_is_given_back_whatever_happens() -> None:
    turns, done = Turns(1, waiting=50), list[int]()

    def ends() -> None:
        raise SystemExit

    for _ in range(3):
        turns.begin(ends)
    wait_until(no_thread_is_left, SECONDS)
    for _ in range(3):  # what waited then is begun by whoever comes next
        turns.begin(lambda: done.append(1))
        wait_until(no_thread_is_left, SECONDS)
    turns.begin(lambda: done.append(1))
    wait_until(lambda: len(done) == 4, SECONDS)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_begins_with_nobody_waiting() -> None:
    turns, counted = Turns(1, waiting=1), Counted()
    turns.begin(counted.work(0))
    wait_until(lambda: counted.now == 1, SECONDS)
    turns.begin(counted.work(1))

    def child() -> Any:
        done = threading.Event()
        return turns.begin(done.set) and done.wait(SECONDS)

    assert in_child(child) == 0
    counted.gate.set()
    wait_until(lambda: counted.done == [0, 1], SECONDS)


def test_there_are_so_many_slots_and_no_more() -> None:
    slots = Slots(2)
    assert [slots.take() for _ in range(4)] == [True, True, False, False]
    slots.give_back()
    assert [slots.take() for _ in range(2)] == [True, False]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_begins_with_all_slots_free() -> None:
    slots = Slots(1)
    assert slots.take()
    child = os.fork()
    if child == 0:
        os._exit(0 if slots.take() and not slots.take() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert not slots.take()
