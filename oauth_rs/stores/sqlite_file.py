"""The SQLite file that used nonces are kept in: one connection, its statements, its size.

One upsert for each use, in a write-ahead log (WAL): no process waits for a disk, but for the one that moves the log
into the file now and then. Rows are hashes and times. Old ones are swept out a batch at a time.

Raises what sqlite3 raises, and OSError; not safe with threads or across forks: see sqlite.py.
"""

import os
import secrets
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ..errors import Unavailable
from ..replay import OWNER_BYTES

MIN_BYTES = 1 << 20  # below it, a share of the file would hold next to nothing
SWEEP_EVERY = 256  # uses, of one process
SWEEP_ROWS = 1024  # a multiple of it: rows go faster than they come, and a sweep takes a fraction of a millisecond
CLOCKS_DIFFER = 1.0  # seconds a row is kept longer: processes read one clock, but not at one moment
_ROW_BYTES = 64  # 43 measured, and room for pages that were just split
_SHARE = 16  # from half full on, one owner may add a sixteenth by way of one process, as with MemoryReplay
_LOG_BYTES = 8 << 20  # what the log is cut back to when it has grown beyond

_PAUSE = 0.005  # seconds between two tries to open a file that others are making
_TABLES = (
    "CREATE TABLE IF NOT EXISTS oauth_rs_used (key BLOB PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID",
    # Up to when requests are refused, because they were signed before a loss that a process has noticed.
    "CREATE TABLE IF NOT EXISTS oauth_rs_lost (until REAL NOT NULL)",
)
_USE = (
    "INSERT INTO oauth_rs_used VALUES (?, ?)"
    " ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE oauth_rs_used.until < ?"
)
_IS_USED = "SELECT count(*) FROM oauth_rs_used WHERE key = ? AND until >= ?"
_BATCH = "SELECT max(key) FROM (SELECT key FROM oauth_rs_used WHERE key > ? ORDER BY key LIMIT ?)"
_SWEEP = "DELETE FROM oauth_rs_used WHERE key > ? AND key <= ? AND until < ?"


class SQLiteFile:
    """The file at `path`, made where there is none. `name` is the same whenever the same file is opened."""

    name: int

    def __init__(self, path: Path, *, max_bytes: int, synchronous: str, timeout: float) -> None:
        self._path = path
        self._uses = 0
        self._swept_to = os.urandom(OWNER_BYTES)  # processes may live shorter than a sweep takes from end to end
        self._share = max_bytes // _ROW_BYTES // _SHARE
        self._beyond: Counter[bytes] = Counter()
        self._beyond_until = 0.0
        self._crowded = False
        connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
        self.close = connection.close
        try:
            self._cursor = connection.cursor()
            self._to_wal(timeout)
            self._prepare(max_bytes, synchronous)
            self._identity = _identity(path)
        except BaseException:
            self.close()
            raise

    def use(self, key: bytes, until: float, now: float) -> bool:
        """True for exactly one of all calls with `key`. Raises Unavailable (`replay_store_full`) beyond a share."""
        if not self._uses % SWEEP_EVERY:
            self.sweep(now)
        self._uses += 1
        if self._crowded:
            return self._use_of_a_share(key, until, now)
        return self._cursor.execute(_USE, (key, until + CLOCKS_DIFFER, now)).rowcount == 1

    def is_replaced(self) -> bool:
        """True when another file is at the path; raises FileNotFoundError when none is."""
        return _identity(self._path) != self._identity

    def sweep(self, now: float) -> None:
        """Takes out what has expired of the next rows."""
        last = self._value(_BATCH, self._swept_to, SWEEP_ROWS)
        if last is not None:
            self._cursor.execute(_SWEEP, (self._swept_to, last, now))
        self._swept_to = last or b""
        pages = self._value("PRAGMA page_count") - self._value("PRAGMA freelist_count")
        self._crowded = pages * 2 >= self._max_pages

    def gate(self) -> float:
        """Up to when a process wants requests to be refused that were signed before."""
        return float(self._value("SELECT coalesce(max(until), 0) FROM oauth_rs_lost"))

    def note_gate(self, gate: float) -> None:
        self._cursor.execute("INSERT INTO oauth_rs_lost VALUES (?)", (gate,))

    def _to_wal(self, timeout: float) -> None:
        ends_at, mode = time.monotonic() + timeout, ""
        while not mode:
            try:
                mode = self._value("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                # Of processes that begin at once some are told so without having waited.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > ends_at:
                    raise
                time.sleep(_PAUSE)
        if mode != "wal":
            raise sqlite3.OperationalError("no write-ahead log can be kept where the file is")

    def _prepare(self, max_bytes: int, synchronous: str) -> None:
        self._cursor.execute(f"PRAGMA synchronous = {synchronous}")
        self._cursor.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        self._max_pages = max_bytes // self._value("PRAGMA page_size")
        self._cursor.execute(f"PRAGMA max_page_count = {self._max_pages}")
        self._cursor.execute("BEGIN IMMEDIATE")
        for table in _TABLES:
            self._cursor.execute(table)
        if not self._value("PRAGMA user_version"):
            # An inode says which file is open; once it is closed, its number may be given to another.
            self._cursor.execute(f"PRAGMA user_version = {1 + secrets.randbelow(2**31 - 1)}")
        self.name = self._value("PRAGMA user_version")
        self._cursor.execute("COMMIT")

    def _use_of_a_share(self, key: bytes, until: float, now: float) -> bool:
        owner = key[:OWNER_BYTES]
        if now >= self._beyond_until:
            self._beyond.clear()
            self._beyond_until = until
        if self._beyond[owner] < self._share:
            first = self._cursor.execute(_USE, (key, until + CLOCKS_DIFFER, now)).rowcount == 1
            self._beyond[owner] += first
            return first
        if self._value(_IS_USED, key, now):
            return False
        raise full()

    def _value(self, statement: str, *values: object) -> Any:
        return self._cursor.execute(statement, values).fetchone()[0]


def full() -> Unavailable:
    return Unavailable("replay_store_full", "Too many signed requests are under way; try again later.")


def _identity(path: Path) -> tuple[int, int]:
    found = os.stat(path)  # noqa: PTH116 - Path.stat does the same and takes half as long again
    return found.st_dev, found.st_ino
