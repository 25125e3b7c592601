import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any

import greenlet  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_rs.errors import Unavailable
from oauth_rs.replay import DEFAULT_ENTRIES, OWNER_BYTES, MemoryReplay, replay_key
from tests.support.playing import play

NOW = 1_000_000.0


def key(name: object, owner: str = "ada") -> bytes:
    return replay_key(owner, str(name).encode())


def spend(store: MemoryReplay, names: range, owner: str = "ada", *, now: float = NOW, seconds: float = 10) -> list[Any]:
    """What each key gave; an Unavailable is its reason."""
    given: list[Any] = []
    for name in names:
        try:
            given.append(store.first_use(key(name, owner), now, now + seconds, now))
        except Unavailable as error:
            given.append(error.reason)
    return given


def size(store: MemoryReplay) -> int:
    generation = store._now[1]
    return len(generation.young) + len(generation.old)


# Keys


def test_a_key_begins_with_its_owner_and_has_one_length() -> None:
    short, long = replay_key("ada", b""), replay_key("ada", b"x" * 100_000, b"y")
    assert len(short) == len(long) == 24
    assert short[:OWNER_BYTES] == long[:OWNER_BYTES] != replay_key("bob", b"")[:OWNER_BYTES]


@given(*[st.lists(st.binary(max_size=3).map(lambda part: part.replace(b"\0", b"")), min_size=1, max_size=3)] * 2)
def test_different_lists_have_different_keys(one: list[bytes], other: list[bytes]) -> None:
    assert (replay_key("ada", *one) == replay_key("ada", *other)) is (one == other)


@pytest.mark.parametrize("other", ["Ada", "ada ", "", "\u0430da", "ad\u00e1"])
def test_different_owners_have_different_keys(other: str) -> None:
    assert replay_key(other, b"1") != replay_key("ada", b"1")


# One by one


def test_a_key_is_good_once() -> None:
    assert spend(MemoryReplay(), range(3)) == [True] * 3
    store = MemoryReplay()
    assert [store.first_use(key(1), NOW, NOW + 10, NOW + after) for after in (0, 0, 5, 10)] == [True] + [False] * 3


@pytest.mark.parametrize("seconds", [1e-9, 0.5, 1, 10, 10.9, 299.9999999, 300, 600, 86_400])
def test_a_key_is_kept_until_its_time_whenever_it_came(seconds: float) -> None:
    store, step = MemoryReplay(), seconds / 40
    for number in range(300):
        now = NOW + number * step
        assert store.first_use(key(number), now, now + seconds, now)
        assert not store.first_use(key(max(0, number - 39)), now, now, now)


@pytest.mark.parametrize("seconds", [0, 1e-9])
def test_a_key_that_need_not_be_kept_is_good_once(seconds: float) -> None:
    store = MemoryReplay()
    assert [store.first_use(key(1), NOW, NOW + seconds, NOW) for _ in range(3)] == [True, False, False]


def test_a_key_whose_time_is_over_already_is_still_good_once() -> None:
    store = MemoryReplay()
    assert [store.first_use(key(1), NOW - 20, NOW - 10, NOW) for _ in range(3)] == [True, False, False]


def test_a_long_time_is_kept_by_a_store_that_saw_only_short_ones() -> None:
    store = MemoryReplay()
    for step in range(50):
        spend(store, range(step, step + 1), now=NOW + step, seconds=1)
    assert store.first_use(key("long"), NOW, NOW + 1000, NOW + 50)
    for step in range(50, 1000):
        spend(store, range(step, step + 1), now=NOW + step, seconds=1)
    assert not store.first_use(key("long"), NOW, NOW + 1000, NOW + 1000)


def test_a_clock_that_is_set_back_forgets_nothing() -> None:
    store = MemoryReplay()
    spend(store, range(10))
    assert spend(store, range(10), now=NOW - 3600) == [False] * 10


STEPS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from([0, 0, 0.5, 1, 7, 40]), st.sampled_from([0, 1, 9, 50])))


@given(STEPS, st.sampled_from([16, 20, 1000]))
@settings(max_examples=300, deadline=None)
def test_no_sequence_of_calls_uses_a_key_twice(steps: list[tuple[int, float, float]], entries: int) -> None:
    store, now, used = MemoryReplay(entries=entries), NOW, dict[int, float]()
    for name, passing, seconds in steps:
        now += passing
        (answer,) = spend(store, range(name, name + 1), str(name % 3), now=now, seconds=seconds)
        if used.get(name, 0) >= now:
            assert answer is False
        elif answer is True:
            used[name] = now + seconds
        else:
            assert name in used or (answer == "replay_store_full" and size(store) >= entries // 2)


# Threads


class Key(bytes):
    """Lets another caller go on before each look into a dictionary."""

    __slots__ = ()

    def __hash__(self) -> int:
        _pause()
        return super().__hash__()


class Moment(float):
    """Lets another caller go on before each look at the clock."""

    __slots__ = ()

    def __ge__(self, other: float) -> bool:
        _pause()
        return super().__ge__(other)

    def __add__(self, other: float) -> float:
        _pause()
        return super().__add__(other)

    def __rsub__(self, other: float) -> float:
        _pause()
        return super().__rsub__(other)


def _pause() -> None:
    parent = greenlet.getcurrent().parent
    if parent is not None:
        parent.switch()


def interleaved(calls: list[Callable[[], Any]], choose: Callable[[int], int]) -> list[Any]:
    """What each of `calls` gave, made by turns: `choose` says which of those that have not ended goes on."""
    given: list[Any] = [None] * len(calls)
    under_way = [(number, greenlet.greenlet(call)) for number, call in enumerate(calls)]
    while under_way:
        chosen = number, caller = under_way[choose(len(under_way))]
        given[number] = caller.switch()
        if caller.dead:
            under_way.remove(chosen)
    return given


def every_order() -> Iterator[Callable[[int], int]]:
    """Chooses in all ways there are, one way after the other."""
    ahead: list[int] = []
    while True:
        taken: list[tuple[int, int]] = []

        def choose(ways: int) -> int:
            choice = ahead[len(taken)] if len(taken) < len(ahead) else 0  # noqa: B023 - called before the next round
            taken.append((choice, ways))  # noqa: B023
            return choice

        yield choose
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return
        ahead = [*(choice for choice, _ in taken[:-1]), taken[-1][0] + 1]


TURN = 11  # seconds after which a store turns that was first asked to keep a key for 10


def using(store: MemoryReplay, name: object, after: float, seconds: float = 5) -> Callable[[], bool]:
    now = NOW + after
    return lambda: store.first_use(Key(key(name)), now, now + seconds, Moment(now))


def started() -> MemoryReplay:
    store = MemoryReplay()
    store.first_use(key("start"), NOW, NOW + 10, NOW)
    return store


@pytest.mark.parametrize("times", [(1, 2), (TURN - 1, TURN)], ids=str)
def test_of_two_callers_exactly_one_is_first_in_whatever_order_they_go_on(times: tuple[float, float]) -> None:
    for choose in every_order():
        store = started()
        assert sorted(interleaved([using(store, 1, after) for after in times], choose)) == [False, True]
        assert not store.first_use(key(1), NOW, NOW + TURN + 5, NOW + TURN)


@pytest.mark.parametrize(
    "times",
    [(TURN, TURN), (TURN - 1, TURN - 1, TURN, TURN), (TURN - 1, TURN, 2 * TURN), (1, TURN - 1, TURN, TURN, 2 * TURN)],
    ids=str,
)
def test_of_many_callers_exactly_one_is_first(times: tuple[float, ...]) -> None:
    chance = Random(1)
    for _ in range(1000):
        store = started()
        calls = [using(store, 1, after, 100) for after in times]
        assert sorted(interleaved(calls, chance.randrange)) == [False] * (len(times) - 1) + [True]


def test_a_caller_that_two_turns_overtake_is_first_or_not_as_the_others_say() -> None:
    chance = Random(1)
    for _ in range(2000):
        store = started()
        early, late = using(store, 1, TURN - 1, 100), using(store, 1, 2 * TURN, 100)
        answers = interleaved([early, using(store, "turns it", TURN), late], chance.randrange)
        assert sorted([answers[0], answers[2]]) == [False, True]


def test_a_long_time_is_kept_in_whatever_order_a_turn_goes_on_beside_it() -> None:
    for choose in every_order():
        store = started()
        assert interleaved([using(store, "long", TURN - 1, 100), using(store, 2, TURN)], choose) == [True, True]
        for after in (TURN, TURN + 12, TURN + 24, TURN + 99):
            store.first_use(key(f"other {after}"), NOW, NOW + after + 5, NOW + after)
        assert not store.first_use(key("long"), NOW, NOW + TURN + 99, NOW + TURN + 99)


def test_two_long_times_at_once_are_both_kept() -> None:
    for choose in every_order():
        store = started()
        interleaved([using(store, "long", 1, 100), using(store, "short", 1, 50)], choose)
        for after in (12, 64, 101):
            store.first_use(key(f"other {after}"), NOW, NOW + after + 5, NOW + after)
        assert not store.first_use(key("long"), NOW, NOW + 101, NOW + 101)


@pytest.fixture
def _hurried() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hurried")
def test_of_many_threads_around_turns_exactly_one_is_first() -> None:
    store, rounds, count = started(), 300, 8
    first: list[int] = []
    barrier = threading.Barrier(count)

    def use(number: int) -> None:
        for one in range(1, rounds):
            now = NOW + one * TURN - number % 2  # some before the turn, some after
            barrier.wait()
            if store.first_use(key(one), now, now + 10, now):
                first.append(one)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(first) == list(range(1, rounds))


# Bounds


@pytest.mark.parametrize("entries", [-1, 0, 1, 15])
def test_a_store_remembers_something(entries: int) -> None:
    with pytest.raises(ValueError, match="16 or more"):
        MemoryReplay(entries=entries)


def fill(store: MemoryReplay, owners: int, **when: float) -> list[Any]:
    return [answer for owner in range(owners) for answer in spend(store, range(10), str(owner), **when)]


def test_a_full_store_refuses_what_is_new_and_knows_what_is_not() -> None:
    store = MemoryReplay(entries=160)
    assert fill(store, 16) == [True] * 160
    assert spend(store, range(3), "another") == ["replay_store_full"] * 3
    assert fill(store, 16) == [False] * 160
    assert fill(store, 16, now=NOW + 9, seconds=1) == [False] * 160
    assert size(store) == 160


def test_a_full_store_keeps_what_lives_across_turns() -> None:
    store = MemoryReplay(entries=160)
    fill(store, 16)
    assert spend(store, range(3), "another", now=NOW + TURN, seconds=0) == ["replay_store_full"] * 3
    assert fill(store, 16, now=NOW + TURN) == [False] * 160


def test_a_full_store_takes_keys_again_once_their_times_are_over() -> None:
    store = MemoryReplay(entries=160)
    fill(store, 16)
    spend(store, range(1), "another", now=NOW + TURN)
    assert spend(store, range(3), "another", now=NOW + 2 * TURN) == [True] * 3
    assert size(store) == 3


def test_a_full_store_is_a_503() -> None:
    store = MemoryReplay(entries=16)
    fill(store, 16)
    with pytest.raises(Unavailable) as caught:
        store.first_use(key("new"), NOW, NOW + 10, NOW)
    assert (caught.value.status, caught.value.reason) == (503, "replay_store_full")


def test_one_owner_may_fill_half_and_a_sixteenth_and_leaves_the_rest_to_others() -> None:
    store = MemoryReplay(entries=160)
    assert spend(store, range(100)) == [True] * 90 + ["replay_store_full"] * 10
    assert spend(store, range(100), "bob") == [True] * 10 + ["replay_store_full"] * 90
    assert fill(store, 6) == [True] * 60
    assert spend(store, range(1), "late") == ["replay_store_full"]


def test_replayed_requests_use_up_nothing_of_their_owner() -> None:
    store = MemoryReplay(entries=160)
    spend(store, range(85))
    for _ in range(100):
        assert spend(store, range(80, 85)) == [False] * 5
    assert spend(store, range(85, 91)) == [True] * 5 + ["replay_store_full"]


def test_a_replay_of_the_generation_before_takes_no_second_place() -> None:
    store = MemoryReplay(entries=160)
    spend(store, range(50), seconds=20)
    assert spend(store, range(50), now=NOW + 21) == [False] * 50
    assert size(store) == 50


@given(STEPS, st.integers(16, 24))
def test_a_store_is_never_over_its_bound(steps: list[tuple[int, float, float]], entries: int) -> None:
    store, now = MemoryReplay(entries=entries), NOW
    for name, passing, seconds in steps:
        now += passing
        spend(store, range(10 * name, 10 * name + 10), str(name), now=now, seconds=seconds)
        assert size(store) <= entries


def test_memory_does_not_grow_with_time() -> None:
    store = MemoryReplay()
    sizes = []
    tracemalloc.start()
    for step in range(60):
        spend(store, range(500 * step, 500 * step + 500), now=NOW + step)
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(sizes[40:]) < 1.2 * max(sizes[:40])


def test_a_key_takes_the_memory_that_the_default_counts_on() -> None:
    store, many = MemoryReplay(), 100_000
    names = range(many)
    tracemalloc.start()
    spend(store, names, seconds=300)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert 100 < used / many < 170
    assert used / many * DEFAULT_ENTRIES < 170e6


def test_a_server_that_was_idle_forgets_at_its_next_requests() -> None:
    store = MemoryReplay()
    spend(store, range(1000))
    for later in (1e6, 2e6):
        with suppress(Unavailable):
            spend(store, range(1), "bob", now=NOW + later)
    assert size(store) == 1


def test_there_is_nothing_to_warm() -> None:
    play(MemoryReplay().warm())
