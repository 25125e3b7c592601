"""Temporary credentials of OAuth 1.0a: made, approved once, used once, soon over (RFC 5849 sections 2.1 to 2.3).

Kept in memory, and few. Does not know how they are asked for: `oauth1` does.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hmac import compare_digest

LIFETIME = 600  # seconds: somebody reads a page and presses a button meanwhile
LIMIT = 1024  # under way at a time: clients that begin and never end must not fill the memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Temporary:
    """What one client asked for; `subject` and `verifier` are "" until a user approved."""

    client_id: str
    secret: str = field(repr=False)
    callback: str
    scopes: tuple[str, ...]
    expires_at: float
    subject: str = ""
    verifier: str = field(default="", repr=False)

    def verified_by(self, verifier: str) -> bool:
        """True when a user approved, and `verifier` is what they were given."""
        return bool(self.verifier) and compare_digest(verifier.encode(), self.verifier.encode())


class TemporaryCredentials:
    """Those under way, by their identifiers. Threads may share it: every change is made under a lock."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: dict[str, Temporary] = {}

    def add(self, identifier: str, *, client_id: str, secret: str, callback: str, scopes: tuple[str, ...]) -> None:
        """They are under way, for `LIFETIME`. Where there are too many, the oldest are forgotten."""
        made = Temporary(
            client_id=client_id, secret=secret, callback=callback, scopes=scopes, expires_at=self._clock() + LIFETIME
        )
        with self._lock:
            while len(self._under_way) >= LIMIT:
                del self._under_way[next(iter(self._under_way))]
            self._under_way[identifier] = made

    def find(self, identifier: str) -> Temporary | None:
        """Those called `identifier`, None where there are none or no longer."""
        found = self._under_way.get(identifier)
        return found if found is not None and self._clock() < found.expires_at else None

    def approve(self, identifier: str, *, subject: str, verifier: str) -> bool:
        """True when they are now `subject`'s: for the first to approve, and nobody after."""
        with self._lock:
            found = self.find(identifier)
            if found is None or found.verifier:
                return False
            self._under_way[identifier] = replace(found, subject=subject, verifier=verifier)
            return True

    def take(self, identifier: str) -> Temporary | None:
        """Those called `identifier`, which are used up; None for all who come later."""
        with self._lock:
            found = self.find(identifier)
            self._under_way.pop(identifier, None)
            return found
