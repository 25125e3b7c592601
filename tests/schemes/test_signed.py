from math import inf, nan

import pytest

from oauth_rs.errors import InvalidToken, RequestTooLarge
from oauth_rs.flow import Call, Flow, ReadBody
from oauth_rs.schemes.signed import checked_limits, in_time, read_body, replayed, stale
from tests.support.playing import FakeClock, play

ASK = Call(blocking=bool)


def answer() -> Flow[bool]:
    return bool((yield from ASK))


@pytest.mark.parametrize("window", [0, -1, inf, nan])
def test_a_window_is_a_number_of_seconds_above_0(window: float) -> None:
    with pytest.raises(ValueError, match="window"):
        checked_limits(window)


@pytest.mark.parametrize("sizes", [(-1,), (0, -1)])
def test_a_size_is_not_below_0(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="numbers of bytes"):
        checked_limits(300, *sizes)


def test_limits_that_can_be_held_to_are_taken() -> None:
    checked_limits(0.5, 0, 1)


def test_a_body_over_the_limit_is_413() -> None:
    with pytest.raises(RequestTooLarge, match="body_too_large"):
        play(read_body(5), (ReadBody(5), None))


def test_a_body_is_read_whole() -> None:
    assert play(read_body(5), (ReadBody(5), b"12345")) == b"12345"


@pytest.mark.parametrize("first", [True, False])
def test_an_answer_that_comes_in_time_counts(*, first: bool) -> None:
    assert play(in_time(answer(), 1_000_000.0, FakeClock()), (ASK, first)) is first


def test_an_answer_that_comes_too_late_proves_nothing() -> None:
    with pytest.raises(InvalidToken, match="stale_timestamp"):
        play(in_time(answer(), 999_999.0, FakeClock()), (ASK, True))


@pytest.mark.parametrize(("error", "reason"), [(stale(), "stale_timestamp"), (replayed(), "replayed")])
def test_a_request_that_comes_too_late_or_twice_proves_nothing(error: InvalidToken, reason: str) -> None:
    assert (error.status, error.reason) == (401, reason)
