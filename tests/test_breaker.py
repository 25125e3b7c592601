import math
from typing import Any

import pytest

from oauth_rs.breaker import Breaker, backoff


def test_pauses_double_up_to_a_longest_one() -> None:
    assert [backoff(failures) for failures in (0, 1, 2, 3, 4, 5, 6, 7, 10**9)] == [0, 1, 2, 4, 8, 16, 30, 30, 30]
    assert [backoff(failures, longest=3) for failures in (1, 2, 3)] == [1, 2, 3]


def fail(breaker: Breaker, now: float) -> None:
    breaker.failed(breaker.admit(now), now)


def test_a_server_is_asked_until_it_has_failed_a_few_times_in_a_row() -> None:
    breaker = Breaker(failures=3)
    for _ in range(2):
        fail(breaker, 10.0)
        assert breaker.wait(10.0) == 0
    fail(breaker, 10.0)
    assert breaker.wait(10.0) == 1
    assert breaker.wait(10.9) == pytest.approx(0.1)
    assert breaker.wait(11.0) == 0


def test_an_answer_in_between_forgets_the_failures() -> None:
    breaker = Breaker(failures=2)
    fail(breaker, 10.0)
    breaker.answered()
    fail(breaker, 10.0)
    assert breaker.wait(10.0) == 0


def test_one_caller_probes_while_the_others_wait() -> None:
    breaker = Breaker(failures=1)
    fail(breaker, 10.0)
    probe = breaker.admit(11.0)
    assert breaker.wait(11.5) > 0
    breaker.failed(probe, 11.5)
    assert breaker.wait(11.5) == 2


def test_those_who_wait_for_a_probe_look_again_soon() -> None:
    breaker = Breaker(failures=1)
    fail(breaker, 10.0)
    breaker.admit(11.0)
    assert [breaker.wait(now) for now in (11.0, 15.0, 20.0, 20.5)] == [1, 1, 1, 0.5]


def test_a_probe_that_is_answered_opens_the_way() -> None:
    breaker = Breaker(failures=1)
    fail(breaker, 10.0)
    breaker.admit(11.0)
    breaker.answered()
    assert breaker.wait(11.0) == 0


def test_a_probe_that_is_lost_is_followed_by_another() -> None:
    breaker = Breaker(failures=1)
    fail(breaker, 10.0)
    breaker.admit(11.0)
    assert breaker.wait(20.9) > 0
    assert breaker.wait(21.0) == 0


def test_the_time_between_probes_doubles_up_to_the_longest() -> None:
    breaker, now, waits = Breaker(failures=1, longest=5), 0.0, []
    for _ in range(5):
        now += breaker.wait(now)
        fail(breaker, now)
        waits.append(breaker.wait(now))
    assert waits == [1, 2, 4, 5, 5]


def test_a_night_of_failures_is_survived() -> None:
    breaker = Breaker()
    for _ in range(10_000):
        fail(breaker, 0.0)
    assert breaker.wait(0.0) == 30


def test_those_who_share_a_failure_count_it_once() -> None:
    breaker = Breaker(failures=2)
    tokens = [breaker.admit(10.0) for _ in range(32)]
    for token in tokens:
        breaker.failed(token, 10.0)
    assert breaker.wait(10.0) == 0


def test_a_failure_that_comes_after_an_answer_counts_for_nothing() -> None:
    breaker = Breaker(failures=1)
    fail(breaker, 10.0)
    late = breaker.admit(11.0)
    breaker.answered()
    breaker.failed(late, 12.0)
    assert breaker.wait(12.0) == 0


def test_a_server_that_wants_to_be_left_alone_is_whatever_others_are_answered() -> None:
    breaker = Breaker()
    breaker.rest(10.0, 60)
    breaker.answered()
    breaker.rest(11.0, 5)
    assert [breaker.wait(now) for now in (10.0, 69.0, 70.0, 80.0)] == [60, 1, 0, 0]


def test_the_longer_of_two_waits_counts() -> None:
    breaker = Breaker(failures=1)
    fail(breaker, 10.0)
    breaker.rest(10.0, 0.5)
    assert breaker.wait(10.0) == 1
    breaker.rest(10.0, 5)
    assert breaker.wait(10.0) == 5


def test_a_breaker_may_wait_no_longer_than_a_second() -> None:
    breaker = Breaker(failures=1, longest=1)
    for _ in range(5):
        fail(breaker, 10.0)
    assert breaker.wait(10.0) == 1


@pytest.mark.parametrize(
    "options", [{"failures": 0}, {"failures": -1}, {"longest": 0.5}, {"longest": math.nan}], ids=str
)
def test_a_breaker_counts_and_waits(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least"):
        Breaker(**options)


@pytest.mark.parametrize(
    "options", [{"failures": "3"}, {"failures": 1.5}, {"longest": "30"}, {"longest": None}], ids=str
)
def test_options_of_the_wrong_kind_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="failures is a number, and longest a number of seconds"):
        Breaker(**options)


def test_a_probe_that_is_handed_back_is_another_s() -> None:
    breaker = Breaker(failures=1)
    breaker.failed(breaker.admit(0), 0)
    probe = breaker.admit(1)
    assert breaker.wait(1) > 0
    breaker.handed_back(probe, 1)
    assert breaker.wait(1) == 0
    breaker.failed(breaker.admit(1), 1)
    breaker.handed_back(probe, 1)  # too late
    assert breaker.wait(1) == 2


def test_what_is_no_probe_is_not_handed_back() -> None:
    breaker = Breaker(failures=2)
    call = breaker.admit(0)
    breaker.handed_back(call, 0)
    breaker.failed(call, 0)
    breaker.failed(breaker.admit(0), 0)
    assert breaker.wait(0) == 1
