import logging

import pytest

from oauth_rs.complaints import QUIET_SECONDS, Complaints


def test_what_is_wrong_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    for now in (0, 1, QUIET_SECONDS - 1, QUIET_SECONDS):
        complaints.tell("the endpoint", "refuses this application", 401, now)
    Complaints().tell("another", "does too", "invalid_client", 0)
    refused = "configuration: the endpoint refuses this application: 401"
    assert caplog.record_tuples == [
        ("oauth_rs", logging.ERROR, refused),
        ("oauth_rs", logging.ERROR, refused),
        ("oauth_rs", logging.ERROR, "configuration: another does too: invalid_client"),
    ]
