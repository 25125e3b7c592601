import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from oauth_rs.errors import Unavailable
from oauth_rs.stores.sqlite_file import (
    _ROW_BYTES,
    _SHARE,
    CLOCKS_DIFFER,
    MIN_BYTES,
    SWEEP_EVERY,
    SWEEP_ROWS,
    SQLiteFile,
)
from tests.support.replay_contract import key_of

NOW = 1_000_000.0
SHARE = MIN_BYTES // _ROW_BYTES // _SHARE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "used.sqlite"


def opened(path: Path, *, max_bytes: int = MIN_BYTES) -> SQLiteFile:
    return SQLiteFile(path, max_bytes=max_bytes, synchronous="NORMAL", timeout=1.0)


@pytest.fixture
def file(path: Path) -> Iterator[SQLiteFile]:
    file = opened(path)
    yield file
    file.close()


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as other:
        return int(other.execute("SELECT count(*) FROM oauth_rs_used").fetchone()[0])


def owned(owner: int, number: int) -> bytes:
    return bytes([owner]) * 8 + key_of(number)[:16]


@pytest.mark.parametrize("after", [0, 9.5, 10, 10 + CLOCKS_DIFFER])
def test_a_key_is_used_until_its_time_is_over(file: SQLiteFile, after: float) -> None:
    assert file.use(key_of(1), NOW + 10, NOW)
    assert not file.use(key_of(1), NOW + 10, NOW + after)


def test_a_key_whose_time_is_over_is_good_once_more(file: SQLiteFile) -> None:
    file.use(key_of(1), NOW + 10, NOW)
    later = NOW + 10 + CLOCKS_DIFFER + 0.001
    assert [file.use(key_of(1), later + 10, later) for _ in range(2)] == [True, False]


def test_a_file_has_one_name_and_no_other_has_it(path: Path, tmp_path: Path) -> None:
    names = set()
    for place in (path, path, tmp_path / "other.sqlite"):
        with closing(opened(place)) as file:
            names.add(file.name)
    assert len(names) == 2
    assert all(0 < name < 2**31 for name in names)


def test_a_file_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    path = tmp_path / "used.sqlite"
    path.write_bytes(b"x" * 5000)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208
    with pytest.raises(sqlite3.DatabaseError):
        opened(path)
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208
    assert before == after


def test_what_keeps_no_log_is_refused() -> None:
    with pytest.raises(sqlite3.OperationalError, match="no write-ahead log"):
        opened(Path(":memory:"))


@pytest.mark.parametrize("size", [512, 65_536])
def test_the_size_holds_whatever_a_page_is(path: Path, size: int) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA page_size = {size}")
        other.execute("VACUUM")
    with closing(opened(path)) as file:
        assert file._value("PRAGMA max_page_count") * size == MIN_BYTES


# Being replaced


def test_a_file_is_known_to_be_in_its_place(file: SQLiteFile) -> None:
    assert not file.is_replaced()


def test_another_file_in_its_place_is_found_out(file: SQLiteFile, path: Path) -> None:
    path.rename(path.with_suffix(".old"))
    path.touch()
    assert file.is_replaced()


def test_no_file_in_its_place_is_an_error(file: SQLiteFile, path: Path) -> None:
    path.unlink()
    with pytest.raises(FileNotFoundError):
        file.is_replaced()


def test_the_latest_gate_counts(file: SQLiteFile, path: Path) -> None:
    assert file.gate() == 0
    for gate in (NOW, NOW + 5, NOW + 1):
        file.note_gate(gate)
    with closing(opened(path)) as other:
        assert other.gate() == NOW + 5


# Sweeping


def test_what_has_expired_is_swept_out_as_fast_as_keys_come(path: Path, file: SQLiteFile) -> None:
    for number in range(6000):
        file.use(key_of(number), NOW + number * 0.01 + 5, NOW + number * 0.01)  # 500 alive at a time
    assert rows(path) < 2500


def test_a_sweep_leaves_what_is_alive(file: SQLiteFile) -> None:
    for number in range(1000):
        file.use(key_of(number), NOW + number % 2 * 1000, NOW)
    for _ in range(3):
        file.sweep(NOW + 500)
    assert not any(file.use(key_of(number), NOW + 1000, NOW + 500) for number in range(1, 1000, 2))


def test_a_sweep_goes_on_where_it_ended_and_begins_anew(path: Path, file: SQLiteFile) -> None:
    for number in range(SWEEP_ROWS * 2):
        file.use(key_of(number), NOW + 1, NOW)
    for _ in range(5):
        before = rows(path)
        file.sweep(NOW + 10)
        assert before - rows(path) <= SWEEP_ROWS
    assert rows(path) == 0


def test_processes_that_live_shortly_sweep_too(path: Path) -> None:
    with closing(opened(path)) as file:
        for number in range(SWEEP_EVERY * 12):
            file.use(key_of(number), NOW + 1, NOW)
    for number in range(25):
        with closing(opened(path)) as file:
            file.use(key_of(f"late {number}"), NOW + 100, NOW + 50)
    assert rows(path) < SWEEP_EVERY * 6


# The share of one owner


@pytest.fixture
def crowded(file: SQLiteFile) -> SQLiteFile:
    """A file that is over half full, and knows it."""
    number = 0
    while not file._crowded:
        file.use(key_of(number), NOW + 100, NOW)
        number += 1
    return file


def spend(file: SQLiteFile, owner: int, count: int, now: float = NOW) -> list[bool | str]:
    given: list[bool | str] = []
    for number in range(count):
        try:
            given.append(file.use(owned(owner, number), now + 100, now))
        except Unavailable as error:
            given.append(error.reason)
    return given


def test_one_owner_may_add_a_share_to_a_file_that_is_half_full(crowded: SQLiteFile) -> None:
    assert spend(crowded, 1, SHARE + 3) == [True] * SHARE + ["replay_store_full"] * 3
    assert spend(crowded, 2, 10) == [True] * 10


def test_replays_use_up_nothing_of_their_owner_and_are_known(crowded: SQLiteFile) -> None:
    assert spend(crowded, 1, 100) == [True] * 100
    assert spend(crowded, 1, 100) == [False] * 100
    assert spend(crowded, 1, SHARE) == [False] * 100 + [True] * (SHARE - 100)
    assert spend(crowded, 1, SHARE + 1) == [False] * SHARE + ["replay_store_full"]


def test_a_share_is_free_again_when_its_keys_have_expired(crowded: SQLiteFile) -> None:
    spend(crowded, 1, SHARE + 1)
    assert spend(crowded, 1, 3, NOW + 99)[-1] is False
    assert spend(crowded, 1, SHARE, NOW + 102)[:10] == [True] * 10


def test_there_is_no_share_in_a_file_that_has_room(file: SQLiteFile) -> None:
    assert spend(file, 1, SHARE + 100) == [True] * (SHARE + 100)
