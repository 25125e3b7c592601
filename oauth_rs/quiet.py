"""Records that every request might cause, and that are written now and then: else they would fill the log.

Reads no clock, and holds no lock: threads that come at one moment may both be let through, which does no harm.
"""

import logging
from math import inf

MINUTE = 60.0  # seconds between records of one refusal: a stranger's token may be the cause
OUTAGE = 30.0  # seconds between records about one store that cannot be used
MOST = 256  # names of which is remembered when there was a record: a server has some, tenants may have many

logger = logging.getLogger("oauth_rs")


class Quiet:
    """At least `seconds` between records; with inf there is one for good. Times are of a clock that never goes back."""

    __slots__ = ("_seconds", "_until")

    def __init__(self, seconds: float) -> None:
        self._seconds, self._until = seconds, -inf

    def ends(self, now: float) -> bool:
        """True where there may be a record now; it is then quiet again from now on."""
        if now < self._until:
            return False
        self._until = now + self._seconds
        return True


class Quiets:
    """A Quiet for each name, of at most MOST; where there are more all are forgotten, and some told of once more."""

    __slots__ = ("_of", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._of: dict[str, Quiet] = {}

    def ends(self, name: str, now: float) -> bool:
        """True where there may be a record about `name` now."""
        quiet = self._of.get(name)
        if quiet is None:
            if len(self._of) >= MOST:
                self._of = {}
            quiet = self._of[name] = Quiet(self._seconds)
        return quiet.ends(now)


class Troubles:
    """Why one server gave no answer that can be used, for the log: at WARNING, once a minute."""

    __slots__ = ("_quiet",)

    def __init__(self) -> None:
        self._quiet = Quiet(MINUTE)

    def tell(self, who: object, cause: str, now: float) -> None:
        """`cause` is a constant of this package, with a status at most; "" where somebody else has told of it."""
        if cause and self._quiet.ends(now):
            logger.warning("%s gave no answer to use: %s", who, cause)


class Complaints:
    """What is wrong with the configuration, for the log: those of one object, at ERROR, once a minute."""

    __slots__ = ("_quiet",)

    def __init__(self) -> None:
        self._quiet = Quiet(MINUTE)

    def tell(self, who: object, what: str, detail: object, now: float) -> None:
        """`detail` is a number, or a code that this package knows: nothing that a stranger wrote is logged."""
        if self._quiet.ends(now):
            logger.error("configuration: %s %s: %s", who, what, detail)
