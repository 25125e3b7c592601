import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from oauth_rs.fetch import HTTPSettings
from oauth_rs.fetch.awaiting import AwaitingHTTP
from oauth_rs.flow import Run
from oauth_rs.stores.sqlite import SQLiteReplay
from tests.support.processes import PATIENCE
from tests.support.replay_contract import Driven, SharedReplayContract, at_once, blocking, key_of

UNAVAILABLE = "replay_store_unavailable"
LOST = "replay_memory_lost"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "used.sqlite"


@pytest.fixture
def store(path: Path) -> Driven:
    return blocking(SQLiteReplay(path, timeout=PATIENCE))


class TestContract(SharedReplayContract):
    @pytest.fixture
    def second(self, path: Path) -> Driven:
        return blocking(SQLiteReplay(str(path), timeout=PATIENCE))

    @pytest.fixture
    def place(self, path: Path) -> str:
        return str(path)


# Making one


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"path": ""}, "give the path"),
        ({"path": ":memory:"}, "give the path"),
        ({"path": "x", "max_bytes": 1000}, "size of the file"),
        ({"path": "x", "synchronous": "OFF"}, "NORMAL or FULL"),
        ({"path": "x", "timeout": 0}, "above 0"),
        ({"path": "x", "timeout": float("nan")}, "above 0"),
    ],
    ids=str,
)
def test_what_cannot_be_right_is_refused_when_it_is_made(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SQLiteReplay(**arguments)


def test_making_a_store_opens_nothing(path: Path) -> None:
    SQLiteReplay(path)
    assert not path.exists()


def test_the_path_is_that_of_the_directory_it_was_made_in(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    store = blocking(SQLiteReplay(path.name))
    monkeypatch.chdir("/")
    assert store.use(1) is True
    assert path.exists()


@pytest.mark.parametrize(("chosen", "level"), [("NORMAL", 1), ("FULL", 2)])
def test_how_often_the_disk_is_waited_for_can_be_chosen(path: Path, chosen: Any, level: int) -> None:
    store = SQLiteReplay(path, synchronous=chosen)
    blocking(store).warm()
    assert store._file is not None
    assert (store._file._value("PRAGMA synchronous"), store._file._value("PRAGMA journal_mode")) == (level, "wal")


# Several threads, tasks, processes


def test_on_an_event_loop_it_is_used_in_threads(path: Path) -> None:
    store, now = SQLiteReplay(path, timeout=10), time.time()

    async def main() -> None:
        drive = AwaitingHTTP(HTTPSettings()).drive
        async with anyio.create_task_group() as tasks:
            with locked(path):
                tasks.start_soon(drive, Run(store.first_use(key_of(1), now, now + 60, now)))
                await anyio.sleep(0.05)  # were the loop to stand still, the lock would be held until the store gives up

    blocking(store).warm()
    anyio.run(main)
    assert blocking(store).use(1) is False


FORK = """
import os, sys, time
from oauth_rs.stores.sqlite import SQLiteReplay
store = SQLiteReplay(sys.argv[1])
use = lambda key: store._spend(key * 24, time.time(), time.time() + 60, time.time())
said = [use(b"a")]
to_parent = os.pipe()
if not os.fork():
    os.write(to_parent[1], b"%d%d%d" % (use(b"a"), use(b"b"), use(b"c")))
    os._exit(0)
os.wait()
said += [use(b"b"), use(b"d")]
print(said, os.read(to_parent[0], 9))
"""


def run_python(program: str, *arguments: object) -> str:
    command = [sys.executable, "-W", "error", "-c", program, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def test_a_fork_shares_the_file_and_no_connection(path: Path) -> None:
    assert run_python(FORK, path) == "[True, False, True] b'011'"


FORK_ON = """
import os, sys, time
from oauth_rs.stores.sqlite import SQLiteReplay
store = SQLiteReplay(sys.argv[1])
use = lambda key: store._spend(key * 24, time.time(), time.time() + 60, time.time())
use(b"a")
if os.fork():
    os._exit(0)
use(b"b")
sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.readline()
print(use(b"a"), use(b"b"), use(b"c"), use(b"d"))
"""


def test_a_process_whose_parent_has_gone_still_shares_with_others(path: Path) -> None:
    command = [sys.executable, "-c", FORK_ON, str(path)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    with closing(sqlite3.connect(path)) as other:  # the last to close, were it alone, would take the log away
        other.execute("SELECT * FROM oauth_rs_used").fetchall()
    assert blocking(SQLiteReplay(path)).use(b"c" * 24) is True
    assert child.communicate("go\n", timeout=30)[0] == "False False False True\n"


def test_a_child_that_was_forked_unannounced_is_refused_and_closes_nothing(store: Driven) -> None:
    store.use(1)
    inner: Any = store.store
    file = inner._file
    inner.after_fork_in_child()
    assert (inner._inherited, inner._file) == (file, None)
    assert [store.use(1), store.use(2)] == [UNAVAILABLE] * 2
    assert file.use(key_of(2), 60, 0)


def test_a_child_that_was_forked_while_a_thread_wrote_is_refused_at_once(path: Path) -> None:
    inner = SQLiteReplay(path, timeout=0.05)
    inner._lock.acquire()
    inner.before_fork()
    inner.after_fork_in_child()
    assert blocking(inner).use(1) == UNAVAILABLE
    assert not path.exists()


def test_a_child_that_was_forked_unannounced_before_the_file_was_opened_opens_it(store: Driven) -> None:
    inner: Any = store.store
    inner.after_fork_in_child()
    assert [store.use(1), store.use(1)] == [True, False]


def test_a_fork_does_not_wait_for_a_thread_that_writes_for_long(path: Path) -> None:
    inner = SQLiteReplay(path, timeout=0.05)
    inner._lock.acquire()
    inner.before_fork()
    inner.after_fork()
    assert inner._lock.locked()
    assert blocking(inner).use(1) == UNAVAILABLE


def test_those_that_begin_at_once_all_find_their_file(path: Path) -> None:
    for number in range(40):  # in one of twenty somebody is told that the file is locked
        stores = [blocking(SQLiteReplay(path.with_name(f"{number}.sqlite"), timeout=PATIENCE)) for _ in range(8)]
        assert sorted(at_once([partial(one.use, 1) for one in stores])) == [False] * 7 + [True]


# What cannot be known is refused


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield


def test_a_file_that_others_hold_is_waited_for_and_then_refused(path: Path) -> None:
    store = blocking(SQLiteReplay(path, timeout=0.1))
    store.use(1)
    with locked(path):
        began = time.monotonic()
        assert store.use(2) == UNAVAILABLE
        assert time.monotonic() - began < 5
    assert [store.use(1), store.use(2)] == [False, True]


def test_a_file_that_is_held_when_it_is_opened_is_refused_and_opened_later(path: Path) -> None:
    blocking(SQLiteReplay(path)).use(1)
    store = blocking(SQLiteReplay(path, timeout=0.1))
    with locked(path):
        assert store.use(2) == UNAVAILABLE
    assert [store.use(1), store.use(2)] == [False, True]


def damage(path: Path) -> None:
    for name in path.parent.iterdir():
        name.write_bytes(b"not a database " * 5000)


def delete(path: Path) -> None:
    for name in path.parent.iterdir():
        name.unlink()


def delete_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def replace(path: Path) -> None:
    delete(path)
    with closing(sqlite3.connect(path)):
        pass
    path.touch()


def put_a_folder_there(path: Path) -> None:
    delete(path)
    path.mkdir()


HARMS: list[Callable[[Path], None]] = [damage, delete, delete_folder, replace, put_a_folder_there]


@pytest.mark.parametrize("harm", HARMS)
def test_a_file_that_came_to_harm_accepts_nothing(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "used.sqlite"
    store = blocking(SQLiteReplay(path))
    now = time.time()
    assert store.use(1, now=now, signed=-1) is True
    harm(path)
    answers = {store.use(number, now=now, signed=-1) for number in (1, 2, 1, 2)}
    assert answers <= {UNAVAILABLE, LOST, False}
    assert answers != {False}


@pytest.mark.parametrize("harm", [damage, delete, replace])
def test_after_a_loss_what_was_signed_before_is_refused_and_what_was_signed_after_is_not(
    path: Path, harm: Callable[[Path], None]
) -> None:
    store, now = blocking(SQLiteReplay(path)), time.time()
    store.use(1, now=now, signed=-5)
    harm(path)
    store.use(3, now=now, signed=-5)
    delete(path)
    assert [store.use(number, now=now, signed=signed) for number, signed in ((1, -5), (2, 0))] == [LOST, LOST]
    assert store.use(4, now=now + 1, signed=0) is True


def test_a_file_that_was_corrupt_from_the_start_is_a_loss_too(path: Path) -> None:
    path.touch()
    damage(path)
    store, now = blocking(SQLiteReplay(path)), time.time()
    assert store.use(1, now=now, signed=-5) == UNAVAILABLE
    delete(path)
    assert [store.use(1, now=now, signed=-5), store.use(2, now=now + 1, signed=0)] == [LOST, True]


def test_the_others_hear_of_a_loss(path: Path) -> None:
    store, now = blocking(SQLiteReplay(path)), time.time()
    store.use(1, now=now, signed=-5)
    delete(path)
    assert [store.use(2, now=now, signed=-5), store.use(1, now=now, signed=-5)] == [UNAVAILABLE, LOST]
    late = blocking(SQLiteReplay(path))
    assert [late.use(2, now=now + 1, signed=-6), late.use(3, now=now + 1, signed=0)] == [LOST, True]


def test_one_that_opened_the_new_file_first_hears_of_the_loss_too(path: Path) -> None:
    store, now = blocking(SQLiteReplay(path)), time.time()
    store.use(1, now=now, signed=-5)
    delete(path)
    early = blocking(SQLiteReplay(path))
    assert early.use(2, now=now, signed=-5) is True
    assert [store.use(3, now=now, signed=-5), store.use(3, now=now, signed=-5)] == [UNAVAILABLE, LOST]
    assert [early.use(1, now=now + 1, signed=-6), early.use(4, now=now + 1, signed=0)] == [LOST, True]


def test_a_request_signed_ahead_of_time_does_not_survive_a_loss(path: Path) -> None:
    store, now = blocking(SQLiteReplay(path)), time.time()
    assert store.use(1, now=now, signed=100, seconds=400) is True
    delete(path)
    store.use(2, now=now, signed=0)
    assert store.use(1, now=now, signed=100, seconds=400) == LOST


def test_a_file_that_was_replaced_while_it_was_closed_is_found_out(path: Path) -> None:
    inner, now = SQLiteReplay(path), time.time()
    store = blocking(inner)
    store.use(1, now=now, signed=-5)
    inner.before_fork()  # closes it
    inner.after_fork()
    delete(path)
    path.touch()
    assert [store.use(1, now=now, signed=-5), store.use(2, now=now + 1, signed=0)] == [LOST, True]


@contextmanager
def as_nobody() -> Iterator[Path]:
    """A folder, and nobody's rights in it: root's would do everywhere."""
    with tempfile.TemporaryDirectory() as name:
        folder, me = Path(name), os.geteuid()
        (folder / "used.sqlite").touch(0o444)
        folder.chmod(0o555)
        try:
            if me == 0:
                os.seteuid(65_534)
            yield folder
        finally:
            os.seteuid(me)
            folder.chmod(0o755)


@pytest.mark.parametrize("name", ["used.sqlite", "new.sqlite"])
def test_a_file_that_may_not_be_written_is_refused(name: str) -> None:
    with as_nobody() as folder:
        store = blocking(SQLiteReplay(folder / name))
        assert [store.use(1), store.use(1)] == [UNAVAILABLE] * 2


@pytest.mark.parametrize("path", ["/dev/null", "/dev/full", "/proc/version", "/proc/used.sqlite", "/"])
def test_what_is_no_file_is_refused(path: str) -> None:
    store = blocking(SQLiteReplay(path))
    assert [store.use(1), store.use(1)] == [UNAVAILABLE] * 2


def test_a_foreign_table_of_the_same_name_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE oauth_rs_used (one)")
    assert [blocking(SQLiteReplay(path)).use(1) for _ in range(2)] == [UNAVAILABLE] * 2


def test_a_loss_that_cannot_be_noted_is_not_forgotten(path: Path) -> None:
    store, now = blocking(SQLiteReplay(path, timeout=0.1)), time.time()
    store.use(1, now=now, signed=-5)
    delete(path)
    store.use(2, now=now, signed=-5)
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE oauth_rs_lost (until REAL NOT NULL, more)")
        assert store.use(1, now=now, signed=-5) == UNAVAILABLE
        other.execute("DROP TABLE oauth_rs_lost")
    assert store.use(2, now=now, signed=-5) == LOST


# Size


def fill(store: Driven, owner: int, count: int, **when: Any) -> list[Any]:
    return [store.use(bytes([owner]) * 8 + key_of(number)[:16], **when) for number in range(count)]


def test_a_full_file_refuses_what_is_new_knows_what_is_not_and_takes_more_when_that_is_over(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, now = blocking(SQLiteReplay(path, max_bytes=1 << 20)), time.time()
    answers = [answer for owner in range(256) for answer in fill(store, owner, 130, now=now, seconds=10)]
    assert set(answers) == {True, "replay_store_full"}
    assert answers[:1000] == [True] * 1000
    assert path.stat().st_size <= 1 << 20
    assert fill(store, 0, 130, now=now, seconds=10) == [False] * 130
    said = [record.message for record in caplog.records]
    assert {*said} == {"signed requests are refused, nonces cannot be kept: OperationalError: database or disk is full"}
    assert len(said) < 5  # once in 30 seconds, and this may take a minute
    assert fill(store, 7, 60, now=now + 20)[-1] is True


# Warming


def test_warming_opens_the_file_and_says_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocking(SQLiteReplay(path)).warm()
    assert path.exists()
    assert not caplog.records


@pytest.mark.parametrize("harm", [damage, delete_folder])
def test_a_file_that_cannot_be_used_is_told_of_and_keeps_nothing_from_starting(
    tmp_path: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "used.sqlite"
    path.touch()
    harm(path)
    store = blocking(SQLiteReplay(path))
    store.warm()
    store.warm()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message.startswith("signed requests are refused")
    assert store.use(1) == UNAVAILABLE


def test_a_restart_keeps_what_was_used(path: Path) -> None:
    store = blocking(SQLiteReplay(path))
    store.use(1)
    del store
    assert blocking(SQLiteReplay(path)).use(1) is False
