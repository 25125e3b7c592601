from typing import Any

import pytest

from oauth_rs import Grant, InvalidToken, Unavailable
from oauth_rs.flow import Flow
from oauth_rs.providers.endpoint import SHARED
from oauth_rs.providers.verdicts import Verdicts
from tests.providers.presenting import digest, refused
from tests.support.granting import grant
from tests.support.playing import FakeClock, play

GOOD, BAD = digest("good"), digest("bad")


@pytest.fixture
def wall() -> FakeClock:
    return FakeClock()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(500.0)


@pytest.fixture
def verdicts(wall: FakeClock, clock: FakeClock) -> Verdicts:
    return Verdicts(seconds=60, refused_seconds=5, clock=wall, monotonic=clock)


def giving(result: Grant) -> Flow[Grant]:
    yield from ()
    return result


def refusing(error: Exception) -> Flow[Grant]:
    yield from ()
    raise error


def invalid(reason: str = "inactive_token") -> InvalidToken:
    return InvalidToken(reason, "The access token is not active.")


def keep(verdicts: Verdicts, **changes: Any) -> Grant:
    return play(verdicts.after(GOOD, giving(grant(**changes))))


def refuse(verdicts: Verdicts, reason: str = "inactive_token") -> None:
    with refused(reason):
        play(verdicts.after(BAD, refusing(invalid(reason))))


def test_nothing_is_known_at_first(verdicts: Verdicts) -> None:
    assert verdicts.remembers
    assert verdicts.recall(GOOD) is None


def test_a_grant_is_recalled_by_its_token_alone(verdicts: Verdicts) -> None:
    kept = keep(verdicts)
    assert verdicts.recall(GOOD) is kept
    assert verdicts.recall(BAD) is None


def test_a_grant_is_forgotten_in_time(verdicts: Verdicts, clock: FakeClock) -> None:
    keep(verdicts)
    clock.pass_seconds(60 - SHARED)
    assert verdicts.recall(GOOD) is None


def test_a_grant_is_recalled_for_half_of_its_time_at_least(verdicts: Verdicts, clock: FakeClock) -> None:
    kept = keep(verdicts)
    clock.pass_seconds(29)
    assert verdicts.recall(GOOD) is kept
    clock.pass_seconds(1)  # over a turn of the generations
    assert verdicts.recall(GOOD) is kept


def test_a_grant_never_outlives_its_end(verdicts: Verdicts, wall: FakeClock) -> None:
    kept = keep(verdicts, expires_at=int(wall.now) + 10)
    wall.pass_seconds(9.9)
    assert verdicts.recall(GOOD) is kept
    wall.pass_seconds(0.1)
    assert verdicts.recall(GOOD) is None


def test_a_token_that_was_granted_and_is_at_its_end_is_known(verdicts: Verdicts, wall: FakeClock) -> None:
    assert not verdicts.has_ended(GOOD)
    keep(verdicts, expires_at=int(wall.now) + 10)
    assert not verdicts.has_ended(GOOD)
    wall.pass_seconds(10)
    assert verdicts.has_ended(GOOD)
    assert not verdicts.has_ended(BAD)


def test_a_token_without_an_end_never_ends(verdicts: Verdicts, wall: FakeClock) -> None:
    keep(verdicts, expires_at=0)
    wall.pass_seconds(1e6)
    assert not verdicts.has_ended(GOOD)


def test_nothing_is_shared_where_no_end_would_be_remembered() -> None:
    assert [Verdicts(seconds=60, refused_seconds=5, size=size).shared for size in (0, 1, 2)] == [0, 0, 1]


def test_a_grant_without_an_end_is_forgotten_in_time_too(verdicts: Verdicts, wall: FakeClock, clock: FakeClock) -> None:
    kept = keep(verdicts, expires_at=0)
    wall.pass_seconds(1e6)
    assert verdicts.recall(GOOD) is kept
    clock.pass_seconds(60)
    assert verdicts.recall(GOOD) is None


def test_a_refusal_is_repeated_without_asking(verdicts: Verdicts, clock: FakeClock) -> None:
    refuse(verdicts)
    clock.pass_seconds(1.9)
    with refused("inactive_token"):
        verdicts.after(BAD, giving(grant()))
    clock.pass_seconds(5 - SHARED - 1.9)
    assert play(verdicts.after(BAD, giving(grant()))) == grant()


def test_a_repeated_refusal_is_another_exception(verdicts: Verdicts) -> None:
    refuse(verdicts, "expired")
    found = []
    for _ in range(2):
        with pytest.raises(InvalidToken) as caught:
            verdicts.after(BAD, giving(grant()))
        found.append(caught.value)
    assert found[0] is not found[1]
    assert [one.reason for one in found] == ["expired", "expired"]


def test_a_refusal_says_nothing_of_other_tokens(verdicts: Verdicts) -> None:
    refuse(verdicts)
    assert keep(verdicts) == grant()


def test_what_cannot_be_decided_is_not_remembered(verdicts: Verdicts) -> None:
    with pytest.raises(Unavailable):
        play(verdicts.after(GOOD, refusing(Unavailable("fetch_failed", "A server did not answer."))))
    assert keep(verdicts) == grant()


def test_refusals_do_not_push_grants_out(wall: FakeClock, clock: FakeClock) -> None:
    verdicts = Verdicts(seconds=60, refused_seconds=60, size=4, clock=wall, monotonic=clock)
    kept = keep(verdicts)
    for number in range(100):
        with refused("inactive_token"):
            play(verdicts.after(digest(str(number)), refusing(invalid())))
    assert verdicts.recall(GOOD) is kept


def test_the_number_of_tokens_is_bounded() -> None:
    verdicts = Verdicts(seconds=60, refused_seconds=60, size=10)
    for number in range(100):
        play(verdicts.after(digest(str(number)), giving(grant())))
    assert sum(verdicts.recall(digest(str(number))) is not None for number in range(100)) <= 10


@pytest.mark.parametrize("options", [{"seconds": 0}, {"size": 0}, {"size": 1}], ids=str)
def test_grants_are_not_kept_where_that_is_wanted(options: dict[str, Any]) -> None:
    verdicts = Verdicts(**{"seconds": 60, "refused_seconds": 5, **options})
    keep(verdicts)
    assert verdicts.recall(GOOD) is None
    assert not verdicts.remembers


def test_two_tokens_are_enough_to_remember() -> None:
    verdicts = Verdicts(seconds=0.5, refused_seconds=0, size=2, monotonic=FakeClock())
    kept = keep(verdicts)
    assert verdicts.remembers
    assert verdicts.recall(GOOD) is kept


def test_refusals_are_not_kept_where_that_is_wanted() -> None:
    verdicts = Verdicts(seconds=60, refused_seconds=0)
    refuse(verdicts)
    assert play(verdicts.after(BAD, giving(grant()))) == grant()


@pytest.mark.parametrize(
    ("seconds", "refused_seconds", "shared"), [(60, 5, 1), (60, 0, 0), (0, 5, 0), (1, 5, 0.5), (300, 0.2, 0.1)]
)
def test_what_answers_are_shared_for_is_within_what_they_are_believed_for(
    seconds: float, refused_seconds: float, shared: float
) -> None:
    assert Verdicts(seconds=seconds, refused_seconds=refused_seconds).shared == shared


def test_another_with_the_same_limits_knows_nothing(verdicts: Verdicts, clock: FakeClock) -> None:
    keep(verdicts)
    refuse(verdicts)
    other = verdicts.anew()
    assert other.recall(GOOD) is None
    assert play(other.after(BAD, giving(grant()))) == grant()
    clock.pass_seconds(60)
    assert other.recall(BAD) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": -1}, "cache_seconds is 0 to 300"),
        ({"seconds": 301}, "cache_seconds is 0 to 300"),
        ({"refused_seconds": 301}, "refused_seconds is 0 to 300"),
        ({"size": -1}, "cache_size is 0 or more"),
    ],
    ids=str,
)
def test_limits_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Verdicts(**{"seconds": 60, "refused_seconds": 5, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": None}, "cache_seconds is a number"),
        ({"refused_seconds": "5"}, "refused_seconds is a number"),
        ({"size": 1e4}, "cache_size is a number"),
        ({"size": True}, "cache_size is a number"),
    ],
    ids=str,
)
def test_limits_that_are_no_numbers_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Verdicts(**{"seconds": 60, "refused_seconds": 5, **options})
