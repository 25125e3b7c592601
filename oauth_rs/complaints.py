"""Tells the log what is wrong with the configuration, where requests meet it again and again.

Knows nothing of what is wrong, and does not look at a clock.
"""

import logging
from math import inf

QUIET_SECONDS = 60  # between records: a stranger's token may be the cause, so many would fill the log

logger = logging.getLogger("oauth_rs")


class Complaints:
    """Those of one object, at ERROR, once in QUIET_SECONDS."""

    __slots__ = ("_quiet_until",)

    def __init__(self) -> None:
        self._quiet_until = -inf

    def tell(self, who: object, what: str, detail: object, now: float) -> None:
        """`detail` is a number, or a code that this package knows: nothing that a stranger wrote is logged."""
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_SECONDS
            logger.error("configuration: %s %s: %s", who, what, detail)
