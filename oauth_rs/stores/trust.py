"""Up to when a store that has lost its memory cannot be believed (RFC 5849 section 3.3: no nonce twice).

A server that was restarted or failed over, a file that was replaced: such a store has forgotten keys that still count.
What was signed before the loss may have been used before it, so it is refused with 503 until it is too old anyway. What
was signed ahead of time may have been used too: the gate stands as far ahead as this process has seen requests dated.

Does no input or output itself, but for the log.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from math import inf

from ..errors import Unavailable
from ..quiet import OUTAGE, Quiet

_PERIOD = 900.0  # seconds that a lead is remembered at least; no nonce has to be remembered for longer

logger = logging.getLogger("oauth_rs")


class Trust:
    """What one process knows of one store. Safe with threads and across forks; `distrust` is in seconds."""

    def __init__(self, *, distrust: float = 0.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        if not 0 <= distrust < inf:
            raise ValueError("distrust is a number of seconds, 0 or more")
        self.gate = -inf
        self._distrust = distrust
        self._lead = self._lead_before = 0.0
        self._turn_at = -inf
        self._locks: dict[int, threading.Lock] = {}  # by process id: a fork must not inherit one that is held
        self._clock, self._quiet = monotonic, Quiet(OUTAGE)

    def expect(self, signed_at: float, now: float) -> None:
        """Notes how far ahead of time requests are dated. To be called before the store is asked."""
        if signed_at - now > self._lead or now >= self._turn_at:
            with self._lock():
                if now >= self._turn_at:
                    self._lead_before, self._lead, self._turn_at = self._lead, 0.0, now + _PERIOD
                self._lead = max(self._lead, signed_at - now)

    def check(self, signed_at: float, now: float) -> None:
        """Refuses what may have been used before the store lost its memory. To be called after the store has answered.

        After, because asking may be what finds the loss out. Raises Unavailable (`replay_memory_lost`).
        """
        if signed_at <= self.gate:
            raise Unavailable(
                "replay_memory_lost",
                "It is not known whether this request was used before; sign a new one.",
                retry_after=self.gate - now,
            )

    def lost(self, at: float, *, ours: bool = True) -> None:
        """The store knows nothing, or not everything, of the time up to `at`; `ours` when this process used it then."""
        with self._lock():
            lead = max(self._lead, self._lead_before) if ours else 0.0
            self.gate = max(self.gate, at + max(lead, self._distrust))

    def raise_gate(self, gate: float) -> None:
        """The same, by the word of a process that has counted the leads it saw."""
        with self._lock():
            self.gate = max(self.gate, gate)

    def unavailable(self, error: BaseException) -> Unavailable:
        """What to answer when the store did not do what was asked."""
        self.tell(error)
        return Unavailable("replay_store_unavailable", "Signed requests cannot be checked now; try again later.")

    def tell(self, error: BaseException) -> None:
        """Logs why signed requests are refused, now and then."""
        if self._quiet.ends(self._clock()):
            logger.warning("signed requests are refused, nonces cannot be kept: %s: %s", type(error).__name__, error)

    def _lock(self) -> threading.Lock:
        return self._locks.setdefault(os.getpid(), threading.Lock())
