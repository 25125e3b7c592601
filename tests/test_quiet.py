import logging
from math import inf

import pytest

from oauth_rs.quiet import MINUTE, MOST, Complaints, Quiet, Quiets, Troubles


@pytest.mark.parametrize("start", [0.0, -5.0, 1e9])
def test_there_is_a_record_at_once_and_then_one_each_time_it_was_quiet_for_long_enough(start: float) -> None:
    quiet = Quiet(MINUTE)
    passed = (0, 1, MINUTE - 1, MINUTE, MINUTE + 1, 2 * MINUTE, 10 * MINUTE)
    assert [quiet.ends(start + seconds) for seconds in passed] == [True, False, False, True, False, True, True]


def test_what_is_quiet_for_ever_has_one_record() -> None:
    quiet = Quiet(inf)
    assert [quiet.ends(now) for now in (0.0, 1.0, 1e12)] == [True, False, False]


def test_each_name_is_quiet_by_itself() -> None:
    quiets = Quiets(MINUTE)
    asked = [("a", 0), ("b", 1), ("a", 59), ("a", 60), ("b", 60), ("b", 61)]
    assert [quiets.ends(name, now) for name, now in asked] == [True, True, False, True, False, True]


def test_no_more_than_some_names_are_remembered() -> None:
    quiets = Quiets(MINUTE)
    for number in range(10 * MOST):
        assert quiets.ends(str(number), 0)
    assert len(quiets._of) <= MOST
    assert not quiets.ends(str(10 * MOST - 1), 0)


def test_why_a_server_gives_no_answer_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    troubles.tell("the endpoint", "", 0)  # somebody else has told of it
    for now in (1, MINUTE, MINUTE + 1):
        troubles.tell("the endpoint", "answered 404", now)
    assert (
        caplog.record_tuples == [("oauth_rs", logging.WARNING, "the endpoint gave no answer to use: answered 404")] * 2
    )


def test_what_is_wrong_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    for now in (0, 1, MINUTE - 1, MINUTE):
        complaints.tell("the endpoint", "refuses this application", 401, now)
    Complaints().tell("another", "does too", "invalid_client", 0)
    refused = "configuration: the endpoint refuses this application: 401"
    assert caplog.record_tuples == [
        ("oauth_rs", logging.ERROR, refused),
        ("oauth_rs", logging.ERROR, refused),
        ("oauth_rs", logging.ERROR, "configuration: another does too: invalid_client"),
    ]
