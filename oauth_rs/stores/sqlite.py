"""Used nonces in an SQLite file, for the processes of one machine.

What goes wrong with the file ends as Unavailable, and so does what a file that was replaced cannot know. A network file
system will not do: the write-ahead log needs memory that the processes share. See sqlite_file.py for what is in it.
"""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Literal
from weakref import WeakSet

from ..errors import Unavailable
from ..flow import Call, Flow
from .sqlite_file import MIN_BYTES, SQLiteFile, full
from .trust import Trust

TIMEOUT = 1.0  # seconds; a request waits that long for other threads, and that long for other processes
DEFAULT_BYTES = 1 << 28  # about 6,000,000 nonces, or 10,000 signed requests a second that live for 600 s
_WAITED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

logger = logging.getLogger("oauth_rs")


class SQLiteReplay:
    """Used nonces in the file at `path`, which must outlive the processes: not in a container's own layer.

    Nothing is lost when a process is killed. When the power fails, or the kernel, the uses since the log was last moved
    into the file may be forgotten, about a thousand; `synchronous="FULL"` forgets none, and waits for the disk at each.
    `max_bytes` bounds the file, beside which stands a log of some megabytes; `timeout` is in seconds.

    Processes that find the file deleted, replaced or corrupt refuse what was signed before (503), and leave word of it
    in the new one. Where nobody was there to notice, nothing is known of the old file. A process that a server forks
    without telling Python, with the file open already, is refused everything.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = DEFAULT_BYTES,
        synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
        timeout: float = TIMEOUT,
    ) -> None:
        if str(path) in {"", ":memory:"}:
            raise ValueError("SQLiteReplay shares a file between processes: give the path of one, or use MemoryReplay")
        if max_bytes < MIN_BYTES:
            raise ValueError(f"max_bytes is the size of the file, {MIN_BYTES} or more")
        if synchronous not in {"NORMAL", "FULL"}:
            raise ValueError("synchronous is NORMAL or FULL")
        if not timeout > 0:
            raise ValueError("timeout is a number of seconds above 0")
        # Absolute now: of the directory the process was started in, wherever it goes later.
        self._make: Callable[[], SQLiteFile] = partial(
            SQLiteFile, Path(path).absolute(), max_bytes=max_bytes, synchronous=synchronous, timeout=timeout
        )
        self._timeout = timeout
        self._trust = Trust()
        self._file: SQLiteFile | None = None
        self._name = 0  # of the file that was open last
        self._suspect = False  # what this process knew is not where it was
        self._inherited: SQLiteFile | None = None
        self._lock = threading.Lock()
        self._paused = False
        _stores().add(self)

    def first_use(self, key: bytes, signed_at: float, until: float, now: float, /) -> Flow[bool]:
        """True for exactly one of all calls with `key`, in all processes that use the file.

        Raises Unavailable (`replay_store_unavailable`; `replay_store_full`; `replay_memory_lost`).
        """
        return iter(Call(self._spend, None, (key, signed_at, until, now)))

    def warm(self) -> Flow[None]:
        """Opens the file. What is wrong with it is logged, not raised."""
        with suppress(Unavailable):
            yield from Call(self._open_first)

    def _spend(self, key: bytes, signed_at: float, until: float, now: float) -> bool:
        self._trust.expect(signed_at, now)
        if not self._lock.acquire(timeout=self._timeout):
            raise self._trust.unavailable(TimeoutError("other threads wait for the file"))
        try:
            file = self._file or self._open(now)
            first = file.use(key, until, now)
            # After the write: a file that is in its place now was in it when it was written to.
            if first and file.is_replaced():
                raise FileNotFoundError("another file was put in its place")
            if first:
                self._trust.raise_gate(file.gate())  # another process may have found out since what this file replaced
        except (sqlite3.Error, OSError) as error:
            raise self._refusal(error, now) from error
        finally:
            self._lock.release()
        if first:
            self._trust.check(signed_at, now)
        return first

    def _open_first(self) -> None:
        with self._lock:
            try:
                if self._file is None and not self._name and not self._suspect:
                    self._open(0.0)
            except (sqlite3.Error, OSError) as error:
                raise self._refusal(error, 0.0) from error

    def _open(self, now: float) -> SQLiteFile:
        file = self._make()
        try:
            if self._suspect or self._name not in {0, file.name}:
                self._trust.lost(now)
                file.note_gate(self._trust.gate)
            self._trust.raise_gate(file.gate())
        except BaseException:
            file.close()
            raise
        self._file, self._name, self._suspect = file, file.name, False
        return file

    def _refusal(self, error: sqlite3.Error | OSError, now: float) -> Unavailable:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of it says more than is needed
        if code == sqlite3.SQLITE_FULL and self._file is not None:
            with suppress(sqlite3.Error):
                self._file.sweep(now)
            self._trust.tell(error)
            return full()
        if code not in _WAITED:
            self._suspect = self._suspect or isinstance(error, OSError) or code in _CORRUPT
            self._close()
        return self._trust.unavailable(error)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def before_fork(self) -> None:
        self._paused = self._lock.acquire(timeout=self._timeout)
        if self._paused:
            self._close()

    def after_fork(self) -> None:
        if self._paused:
            self._paused = False
            self._lock.release()

    def after_fork_in_child(self) -> None:
        if not self._paused and (self._file is not None or self._lock.locked()):
            # A thread wrote for long, or who forked did not tell. What SQLite notes of its locks for this process is
            # the parent's, so nothing can be opened soundly, nor may what is the parent's be closed.
            self._inherited, self._file = self._file, None
            self._lock, self._make = threading.Lock(), _forked_while_open
        self.after_fork()


def _forked_while_open() -> SQLiteFile:
    raise sqlite3.OperationalError("this process was forked while the file was open: open it after the fork only")


@cache
def _stores() -> "WeakSet[SQLiteReplay]":
    """The stores of this process. SQLite's connections must not be open while it forks, not even to be closed after.

    A child that opened another would believe the locks to be its own that its parent has, and lose its log to others.
    """
    stores: WeakSet[SQLiteReplay] = WeakSet()
    getattr(os, "register_at_fork", dict)(  # missing where nothing forks
        before=partial(_each, stores, SQLiteReplay.before_fork),
        after_in_parent=partial(_each, stores, SQLiteReplay.after_fork),
        after_in_child=partial(_each, stores, SQLiteReplay.after_fork_in_child),
    )
    return stores


def _each(stores: "WeakSet[SQLiteReplay]", method: Callable[[SQLiteReplay], None]) -> None:
    for store in stores:
        method(store)
