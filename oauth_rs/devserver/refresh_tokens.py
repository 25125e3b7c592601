"""Refresh tokens that rotate: each is good once, one that comes again ends its family (RFC 6749 6, RFC 9700 4.14.2).

A family is what followed from one authorization; with it end the access tokens that came with it. Kept in memory, and
where there are too many the oldest are forgotten. Does not authenticate the client.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_urlsafe

from oauth_rs.devserver.issued import IssuedTokens
from oauth_rs.devserver.recent import Recent

LIFETIME = 86_400  # seconds of a family: nobody tests for longer than a day
LIMIT = 10_000  # tokens, used ones too: about 10 MB
_ACCESS_LIMIT = 64  # access tokens of a family that end with it; earlier ones are over, or nearly


@dataclass(slots=True, kw_only=True, eq=False)
class Family:
    """What a user, or a client for itself, allowed `client_id`. Of its tokens only the `current` one is good."""

    client_id: str
    subject: str
    scopes: tuple[str, ...]
    audience: tuple[str, ...]
    expires_at: float
    current: str = field(default="", repr=False)
    ended: bool = False
    access: deque[str] = field(default_factory=lambda: deque(maxlen=_ACCESS_LIMIT), repr=False)


class RefreshTokens:
    """Threads may share it: of two that bring one token at once, one is the first and the other ends the family."""

    def __init__(self, issued: IssuedTokens, *, clock: Callable[[], float]) -> None:
        self._issued = issued
        self._clock = clock
        self._lock = threading.Lock()
        self._families: Recent[Family] = Recent(LIMIT)

    def begin(self, *, client_id: str, subject: str, scopes: tuple[str, ...], audience: tuple[str, ...] = ()) -> Family:
        """A new family, as yet without a token. Without `audience` it is for any."""
        return Family(
            client_id=client_id,
            subject=subject,
            scopes=scopes,
            audience=audience,
            expires_at=self._clock() + LIFETIME,
        )

    def follow(self, family: Family, *, access_token: str = "") -> str:
        """The next refresh token of `family`, which came with `access_token`. Where it has ended neither is good."""
        token = token_urlsafe(32)
        with self._lock:
            family.current = token
            family.access.extend(filter(None, [access_token]))
        self._families.put(token, family)
        if family.ended:
            self.end(family)
        return token

    def find(self, token: str, *, client_id: str) -> Family | None:
        """The family of a token that is good for this client; None otherwise. A used one ends its family."""
        family = self._families.get(token)
        if family is None or family.client_id != client_id:
            return None
        if family.current != token:
            self.end(family)
        return None if family.ended or self._clock() >= family.expires_at else family

    def use(self, token: str, family: Family) -> bool:
        """True for the first to use `token`; whoever comes after ends the family."""
        with self._lock:
            first = family.current == token
            family.current = ""
        if not first:
            self.end(family)
        return first

    def end(self, family: Family) -> None:
        """No token of `family` is good any more."""
        with self._lock:
            family.ended = True
            access = list(family.access)
        for token in access:
            self._issued.revoke(token)

    def owner(self, token: str) -> Family | None:
        """The family of `token`, used or not; None for any other text."""
        return self._families.get(token)
