from datetime import UTC, datetime
from typing import Any

import pytest

from oauth_rs.flow import Pace, Reply
from oauth_rs.providers.pacing import LONGEST, SHORTEST, UNSTATED, pause_of

NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC).timestamp()


def pause(status: int = 429, **pace: str) -> float:
    return pause_of(Reply(status, b"", pace=Pace(**pace)), NOW)


@pytest.mark.parametrize("status", [403, 429, 503])
def test_a_server_may_say_how_long_to_wait(status: int) -> None:
    assert pause(status, retry_after="17") == 17
    assert pause(status, remaining="0", reset=str(int(NOW) + 90)) == 90


@pytest.mark.parametrize("status", [200, 400, 401, 404, 408, 500, 502])
def test_other_answers_say_nothing_of_that(status: int) -> None:
    assert pause(status, retry_after="17", remaining="0") == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("1", 1), ("120", 120), (" 120 ", 120), ("0", SHORTEST), ("301", LONGEST), ("9" * 15, LONGEST)),
        ("Tue, 01 Jan 2030 12:01:30 GMT", 90),
        ("Tue, 01 Jan 2030 12:01:30 -0000", 90),
        ("Tuesday, 01-Jan-30 12:01:30 GMT", 90),
        ("Tue Jan  1 12:01:30 2030", 90),
        ("Tue, 01 Jan 2030 11:00:00 GMT", SHORTEST),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST),
    ],
)
def test_it_is_told_in_seconds_or_by_a_date(text: str, seconds: float) -> None:
    assert pause(retry_after=text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "-1",
        "1.5",
        "1e3",
        "17, 17",
        "²",
        "9" * 16,
        "Tue, 41 Jan 2030 12:00:00 GMT",
        "1 " * 5000,
        "\x00",
        "Z",
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_what_is_neither_says_nothing(text: str) -> None:
    assert pause(retry_after=text) == 0
    assert pause(retry_after=text, remaining="0") == UNSTATED


@pytest.mark.parametrize(
    ("pace", "seconds"),
    [
        ({"remaining": "0"}, UNSTATED),
        ({"remaining": "0", "reset": "30"}, 30),
        ({"remaining": "0", "reset": "soon"}, UNSTATED),
        ({"remaining": "0", "reset": "30", "retry_after": "5"}, 5),
        ({"remaining": "0", "reset": str(int(NOW) - 5)}, SHORTEST),
        ({"remaining": "1", "reset": "30"}, 0),
        ({"reset": "30"}, 0),
    ],
    ids=str,
)
def test_where_no_more_is_left_there_is_again_later(pace: dict[str, Any], seconds: float) -> None:
    assert pause(**pace) == seconds
