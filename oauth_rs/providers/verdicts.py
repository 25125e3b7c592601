"""What was said of tokens a moment ago: grants and refusals, each for a while, by the SHA-256 of the token.

For providers that ask a server: its answer is believed for some seconds, at the price that a token which is revoked in
them still counts (RFC 7662 section 4). Does not ask anybody.
"""

import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from ..cache import GenerationalCache
from ..errors import InvalidToken
from ..flow import Flow
from ..model import Grant
from .endpoint import SHARED
from .seconds import CACHE_SIZE, MAX_CACHE_SECONDS, check_cache_size, check_seconds

V = TypeVar("V")


class _Refused(NamedTuple):
    """What a refusal is made of. The exception itself has frames in its traceback, and all that they hold."""

    kind: type[InvalidToken]
    reason: str
    description: str

    def again(self) -> InvalidToken:
        return self.kind(self.reason, self.description)


class Verdicts:
    """Keeps grants for `seconds`, never past their end, and refusals for `refused_seconds`; 0 keeps none of a kind.

    `shared` is for how many of these seconds answers may be shared where they come from, before they are kept here.
    `size` counts tokens. `clock` is wall time, `monotonic` never goes back.
    """

    def __init__(
        self,
        *,
        seconds: float,
        refused_seconds: float,
        size: int = CACHE_SIZE,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        check_seconds("cache_seconds", seconds, most=MAX_CACHE_SECONDS)
        check_seconds("refused_seconds", refused_seconds, most=MAX_CACHE_SECONDS)
        check_cache_size(size)
        self._seconds, self._refused_seconds, self._size = seconds, refused_seconds, size
        self._clock, self._monotonic = clock, monotonic
        self.remembers = size > 1 and seconds > 0
        # Nothing is shared where nothing is known of a token that has ended; see has_ended.
        self.shared = min(SHARED, seconds / 2, refused_seconds / 2) if self.remembers else 0.0
        self._granted = _cache(Grant, size, seconds - self.shared)
        self._refused = _cache(_Refused, size, refused_seconds - self.shared)

    def anew(self) -> "Verdicts":
        """One with the same limits that knows nothing yet."""
        return Verdicts(
            seconds=self._seconds,
            refused_seconds=self._refused_seconds,
            size=self._size,
            clock=self._clock,
            monotonic=self._monotonic,
        )

    def recall(self, digest: bytes) -> Grant | None:
        """The grant that was given for this token a moment ago, unless it has ended since."""
        now = self._monotonic()
        young, old, turn_at = self._granted.generations
        grant = (young.get(digest) or old.get(digest)) if now < turn_at else self._granted.get(digest, now)
        if grant is None or not grant.expires_at or self._clock() < grant.expires_at:
            return grant
        return None

    def has_ended(self, digest: bytes) -> bool:
        """True for a token that was granted a moment ago and is at its end: what was said of it then counts no more.

        Within the leeway it may still be good, but for that it has to be asked about (RFC 7662 section 4).
        """
        grant = self._granted.get(digest, self._monotonic())
        return grant is not None and 0 < grant.expires_at <= self._clock()

    def after(self, digest: bytes, asking: Flow[Grant]) -> Flow[Grant]:
        """The grant that `asking` gives, kept. Raises what it raises; or at once what it did, when that is kept."""
        refused = self._refused.get(digest, self._monotonic())
        if refused is not None:
            raise refused.again()
        return self._kept(digest, asking)

    def _kept(self, digest: bytes, asking: Flow[Grant]) -> Flow[Grant]:
        try:
            grant = yield from asking
        except InvalidToken as error:
            self._refused.put(digest, _Refused(type(error), error.reason, error.description), self._monotonic())
            raise
        self._granted.put(digest, grant, self._monotonic())
        return grant


def _cache(_of: type[V], size: int, seconds: float) -> GenerationalCache[V]:
    return GenerationalCache(size=size if seconds > 0 else 0, seconds=seconds or 1)
