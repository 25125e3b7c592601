from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_rs.cache import GenerationalCache

Operation = tuple[Literal["get", "put"], bytes, int]
KEYS = [b"a", b"b", b"c", b"d", b"e", b"f", b"g"]
STEPS = st.tuples(st.sampled_from(["get", "put"]), st.sampled_from(KEYS), st.integers(0, 25))


def test_an_entry_is_there_until_it_is_too_old() -> None:
    cache = GenerationalCache[str](size=10, seconds=10)
    cache.put(b"k", "v", 100)
    assert cache.get(b"k", 104) == "v"
    assert cache.get(b"k", 110) is None
    assert cache.get(b"other", 100) is None


def test_an_entry_is_never_prolonged_by_being_read() -> None:
    cache = GenerationalCache[str](size=10, seconds=10)
    cache.put(b"k", "v", 100)
    assert [cache.get(b"k", now) for now in (104, 106, 109)] == ["v", "v", "v"]
    assert cache.get(b"k", 110) is None


@pytest.mark.parametrize("pause", [10, 15, 1000])
def test_an_entry_is_gone_after_a_pause_as_long_as_its_life(pause: float) -> None:
    cache = GenerationalCache[str](size=10, seconds=10)
    cache.put(b"k", "v", 100)
    assert cache.get(b"k", 100 + pause) is None
    assert len(cache) == 0


def test_a_late_turn_of_the_generations_prolongs_nothing() -> None:
    cache = GenerationalCache[str](size=10, seconds=20)
    cache.put(b"k", "v", 0)
    assert cache.get(b"k", 19.5) == "v"  # the first look for a long time makes the young generation the old one
    assert cache.get(b"k", 20) is None


def test_a_new_value_takes_the_place_of_an_old_one() -> None:
    cache = GenerationalCache[str](size=10, seconds=10)
    cache.put(b"k", "old", 100)
    cache.put(b"k", "new", 106)
    assert cache.get(b"k", 107) == "new"


def test_a_full_cache_forgets_its_oldest_half() -> None:
    cache = GenerationalCache[int](size=6, seconds=1000)
    for number, key in enumerate(KEYS):
        cache.put(key, number, 1)
    assert [cache.get(key, 1) for key in KEYS] == [None, None, None, 3, 4, 5, 6]
    assert len(cache) == 4


@pytest.mark.parametrize("size", [0, 1])
def test_a_cache_too_small_for_two_halves_keeps_nothing(size: int) -> None:
    cache = GenerationalCache[str](size=size, seconds=10)
    cache.put(b"k", "v", 100)
    assert cache.get(b"k", 100) is None
    assert len(cache) == 0


def test_a_cache_of_no_seconds_gives_nothing_back() -> None:
    cache = GenerationalCache[str](size=10, seconds=0)
    cache.put(b"k", "v", 100)
    assert cache.get(b"k", 100) is None


def test_a_clock_may_start_below_zero() -> None:
    cache = GenerationalCache[str](size=10, seconds=10)
    cache.put(b"k", "v", -100)
    assert cache.get(b"k", -96) == "v"
    assert cache.get(b"k", -90) is None


@given(st.lists(STEPS, max_size=60), st.integers(0, 6), st.integers(0, 20))
@settings(max_examples=400, deadline=None)
def test_no_entry_outlives_its_seconds_and_no_cache_its_size(steps: list[Operation], size: int, seconds: int) -> None:
    cache = GenerationalCache[int](size=size, seconds=seconds)
    put_at: dict[bytes, int] = {}
    now = 0
    for operation, key, pause in steps:
        now += pause
        if operation == "put":
            put_at[key] = now
            cache.put(key, now, now)
        found = cache.get(key, now)
        assert found is None or (found == put_at[key] and now - found < seconds)
        assert len(cache) <= size


@given(st.lists(STEPS, max_size=60), st.integers(2, 20))
@settings(deadline=None)
def test_an_entry_lives_at_least_half_its_life_while_there_is_room(steps: list[Operation], seconds: int) -> None:
    cache = GenerationalCache[int](size=2 * len(KEYS), seconds=seconds)
    put_at: dict[bytes, int] = {}
    now = 0
    for operation, key, pause in steps:
        now += pause
        if operation == "put":
            put_at[key] = now
            cache.put(key, now, now)
        elif 2 * (now - put_at.get(key, -seconds)) < seconds:
            assert cache.get(key, now) == put_at[key]
