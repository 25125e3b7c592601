import logging
from math import inf

import pytest

from oauth_rs.quiet import MINUTE, Complaints, Quiet


@pytest.mark.parametrize("start", [0.0, -5.0, 1e9])
def test_there_is_a_record_at_once_and_then_one_each_time_it_was_quiet_for_long_enough(start: float) -> None:
    quiet = Quiet(MINUTE)
    passed = (0, 1, MINUTE - 1, MINUTE, MINUTE + 1, 2 * MINUTE, 10 * MINUTE)
    assert [quiet.ends(start + seconds) for seconds in passed] == [True, False, False, True, False, True, True]


def test_what_is_quiet_for_ever_has_one_record() -> None:
    quiet = Quiet(inf)
    assert [quiet.ends(now) for now in (0.0, 1.0, 1e12)] == [True, False, False]


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
