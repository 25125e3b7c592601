"""Work in threads of its own, so much of it at a time; of the rest each waits for its turn.

A fork begins with none under way and none waiting. Who comes when a slot is free goes before those who wait. Knows
nothing of tokens. On an event loop exchanges are bounded by themselves, see fetch/awaiting.py.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

Work: TypeAlias = Callable[[], None]


class Slots:
    """`count` slots in each process; a fork begins with all of them free."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._free: dict[int, threading.Semaphore] = {}  # by process id

    def take(self) -> bool:
        """False when none is free."""
        return self._here().acquire(blocking=False)

    def give_back(self) -> None:
        self._here().release()

    def _here(self) -> threading.Semaphore:
        # setdefault is atomic: threads that come first in a process, all at once, get the same one.
        return self._free.setdefault(os.getpid(), threading.Semaphore(self._count))


class Turns:
    """`count` at a time, while at most `waiting` more wait, in each process."""

    def __init__(self, count: int, *, waiting: int) -> None:
        self._slots, self._most = Slots(count), waiting
        self._queues: dict[int, deque[Work]] = {}  # by process id

    def begin(self, work: Work) -> bool:
        """`work` is under way, or waits for its turn. False when too many wait, or no thread is to be had."""
        # setdefault is atomic: threads that come first in a process, all at once, get the same one.
        queue = self._queues.setdefault(os.getpid(), deque())
        if self._slots.take():
            return self._start(queue, work)
        if len(queue) >= self._most:
            return False
        queue.append(work)
        # Whoever ended meanwhile may not have seen it in the queue.
        return not self._slots.take() or self._start(queue, None) or not _taken_back(queue, work)

    def _start(self, queue: deque[Work], first: Work | None) -> bool:
        try:
            threading.Thread(target=self._work, args=(queue, first), name="oauth_rs-token", daemon=True).start()
        except RuntimeError:
            self._slots.give_back()
            return False
        return True

    def _work(self, queue: deque[Work], first: Work | None) -> None:
        work = first or _next(queue)
        while True:
            try:
                while work is not None:
                    work()
                    work = _next(queue)
            finally:
                self._slots.give_back()
            if not queue or not self._slots.take():  # somebody may have come when there was no slot yet
                return
            work = _next(queue)


def _taken_back(queue: deque[Work], work: Work) -> bool:
    try:
        queue.remove(work)
    except ValueError:  # somebody has it
        return False
    return True


def _next(queue: deque[Work]) -> Work | None:
    try:
        return queue.popleft()
    except IndexError:
        return None
