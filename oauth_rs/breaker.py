"""When to stop asking a server that does not answer, and when to try it again.

After some failures in a row it is left alone for a while, twice as long each time; then one caller probes, and the
others wait for what comes of that. A server that says for how long is obeyed. Counted by time alone: a caller that is
cancelled leaves nothing set.
"""

from math import inf
from typing import NamedTuple

FAILURES = 3  # in a row, before a server is left alone
LONGEST = 30.0  # seconds between probes, doubling from one
_PROBE = 10.0  # seconds in which a probe ends, or was lost
_LOOK_AGAIN = 1.0  # seconds that others wait meanwhile: most probes end at once, one way or the other


def backoff(failures: int, *, longest: float = LONGEST) -> float:
    """Seconds to wait after so many failures in a row: none, then one, doubling up to `longest`."""
    # The exponent is bounded: an outage of a night makes more failures than a float has powers of two.
    return min(longest, 2.0 ** min(failures - 1, 30)) if failures else 0.0


class _State(NamedTuple):
    """Failures in a row, when the next caller may try, and whether that waits for a probe."""

    failures: int = 0
    retry_at: float = 0.0
    is_probed: bool = False


_CLOSED = _State()


class Breaker:
    """Lets callers through while their server answers. Times are seconds of a clock that never goes back.

    A call is told in three steps: `token = admit(now)`, and then `answered()` or `failed(token, now)`. Callers that
    share one exchange also share its failure: of those with the same token only the first counts.
    """

    __slots__ = ("_limit", "_longest", "_rests_until", "_state")

    def __init__(self, *, failures: int = FAILURES, longest: float = LONGEST) -> None:
        given: tuple[object, object] = failures, longest
        if not isinstance(given[0], int) or not isinstance(given[1], int | float):
            raise TypeError("failures is a number, and longest a number of seconds")
        if not (failures >= 1 and longest >= 1):  # NaN is not either
            raise ValueError("a breaker counts at least one failure, and waits at least a second at the longest")
        self._limit = failures
        self._longest = longest
        self._state = _CLOSED
        self._rests_until = -inf

    def wait(self, now: float) -> float:
        """Seconds until it is worth asking; 0 when that is now."""
        state = self._state
        wait = max(0.0, state.retry_at - now) if state.failures >= self._limit else 0.0
        return max(min(wait, _LOOK_AGAIN) if state.is_probed else wait, self._rests_until - now)

    def rest(self, now: float, seconds: float) -> None:
        """Leaves the server alone for `seconds`, because it says so, whatever others are answered meanwhile."""
        self._rests_until = max(self._rests_until, now + seconds)

    def admit(self, now: float) -> object:
        """The token of a call that begins now. Where the server was left alone, the call is its probe."""
        if self._state.failures >= self._limit:
            self._state = self._state._replace(retry_at=now + _PROBE, is_probed=True)
        return self._state

    def handed_back(self, token: object, now: float) -> None:
        """The call said nothing of the server, for it did not get there: another may be its probe."""
        state = self._state
        if state is token and state.is_probed:
            self._state = state._replace(retry_at=now, is_probed=False)

    def answered(self) -> None:
        self._state = _CLOSED

    def failed(self, token: object, now: float) -> None:
        if self._state is not token:  # somebody who shared this failure, or a later success, was quicker
            return
        failures = self._state.failures + 1
        wait = backoff(max(1, failures - self._limit + 1), longest=self._longest)
        self._state = _State(failures, now + wait)
