"""For how long a server that is asked too often wants to be left alone (RFC 9110 section 10.2.3, RFC 6585 section 4).

GitHub answers 403 then, others 429, one that is down for a while 503. Does not wait, and does not remember.
"""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from ..flow import Pace, Reply

LONGEST = 300.0  # seconds: who says hours may have mended it before, and is asked again
SHORTEST = 1.0
UNSTATED = 60.0  # seconds where no more is left and nothing says until when: what GitHub wants then
_SAYS = frozenset({403, 429, 503})
_NUMBER = re.compile("[0-9]{1,15}")
_LONGEST_DATE = 64  # characters: those of RFC 9110 section 5.6.7 have half as many
_MOMENTS = 10**9  # what is above is a moment, in seconds of the epoch, and below it a number of seconds


def pause_of(reply: Reply, now: float) -> float:
    """Seconds from `now`, wall time, until whoever gave `reply` wants to be asked again; 0 where it says none."""
    if reply.status not in _SAYS:
        return 0.0
    pace = reply.pace
    seconds = _stated(pace.retry_after, now)
    if seconds is None and is_used_up(pace):
        seconds = _stated(pace.reset, now) or UNSTATED
    return 0.0 if seconds is None else min(max(seconds, SHORTEST), LONGEST)


def is_used_up(pace: Pace) -> bool:
    """True where nothing is left of what may be asked for a while."""
    return pace.remaining.strip() == "0"


def _stated(text: str, now: float) -> float | None:
    text = text.strip()
    if _NUMBER.fullmatch(text):
        number = float(text)
        return number - now if number > _MOMENTS else number
    try:
        date = parsedate_to_datetime(text) if len(text) <= _LONGEST_DATE else None
        return None if date is None else (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return None
