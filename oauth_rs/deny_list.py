"""Tokens that are denied before they expire: one, those of a session, or those of a user issued before a moment.

Asked for every request, after the credentials were found good, be the grant remembered or new. Here are the Protocol
and the list in the memory of one process; a list that many processes share is in stores/redis_deny.py. Does not know
why a token is denied: a log-out, a changed password and a back-channel message all end in one call of `deny`.
"""

import time
from collections.abc import Callable
from math import inf
from typing import Protocol, TypedDict, Unpack

from .denials import CLAIMS, Denial, Denials
from .errors import InvalidToken
from .flow import Flow
from .model import Grant

LONGEST_LIFE = 86_400.0  # seconds that a denial is needed: the longest that a token may live, which is not checked
CLOCKS_DIFFER = 300.0  # seconds that denials are kept over that: the most that a provider may grant a token over `exp`
ENTRIES = 100_000  # denials; some 50 MB
MAX_ID = 2048  # bytes in UTF-8; real ones have some forty


class DenyList(Protocol):
    """Knows which grants are denied."""

    def denied(self, grant: Grant, /) -> bool | Flow[bool]:
        """True when `grant` must not be accepted any more. Raises Unavailable when that cannot be known."""

    def warm(self) -> Flow[None]:
        """Does ahead what the first request would have to wait for."""


class Denied(TypedDict, total=False):
    """What to deny: one token (`jti`), those of a session (`sid`), or those of a user issued before a moment (`sub`).

    `issuer` is whose ids these are, any issuer's where it is left out. `until` is when the one token expires, as
    `grant.expires_at` has it: 0 or None where that is not known. `issued_before` is now where it is left out. Both are
    in seconds, as in tokens.
    """

    jti: str
    sub: str
    sid: str
    issuer: str
    until: float | None
    issued_before: float


def not_denied(deny: DenyList, grant: Grant, credentials: bytes) -> Grant | Flow[Grant]:
    """`grant`, when it is not denied; a flow where that must be waited for. `credentials` are traced if it is.

    Raises InvalidToken (`token_denied`) and Unavailable.
    """
    verdict = deny.denied(grant)
    if verdict is False:
        return grant
    if verdict is True:
        raise _refusal(grant, credentials)
    return _wait(verdict, grant, credentials)


def _wait(verdict: Flow[bool], grant: Grant, credentials: bytes) -> Flow[Grant]:
    if (yield from verdict) is not False:  # a list that says nothing lets nobody in
        raise _refusal(grant, credentials)
    return grant


def _refusal(grant: Grant, credentials: bytes) -> InvalidToken:
    error = InvalidToken("token_denied", "The access token was revoked.")
    error.trace(grant.scheme, credentials)
    return error


class Terms:
    """What may be denied. `longest_life` and `kept`, for how long a denial is, are in seconds; `clock` is wall time."""

    __slots__ = ("_clock", "_longest_life", "kept")

    def __init__(self, *, longest_life: float, clock: Callable[[], float]) -> None:
        if not 0 < longest_life < inf:
            raise ValueError("longest_life is the number of seconds that the longest-lived token is good for")
        self._longest_life = longest_life
        self.kept = longest_life + CLOCKS_DIFFER
        self._clock = clock

    def denial(self, denied: Denied) -> Denial | None:
        """The denial that is asked for, None when its token has expired. Raises TypeError and ValueError."""
        named = [claim for claim in CLAIMS if claim in denied]
        if len(named) != 1:
            raise TypeError("deny one token (jti=...), those of a user (sub=...) or those of a session (sid=...)")
        if ("until" in denied and named != ["jti"]) or ("issued_before" in denied and named != ["sub"]):
            raise TypeError("until= goes with jti=, and issued_before= with sub=")
        now = self._clock()
        # Of a token that does not say when it ends a denial is kept like any other, never taken for one of long ago.
        until, before = denied.get("until") or now, denied.get("issued_before", now)
        if not all(isinstance(when, int | float) for when in (until, before)):
            raise TypeError("until and issued_before are in seconds since 1970, as in tokens")
        if not 0 <= until <= now + self._longest_life:
            raise ValueError(
                "until is in seconds since 1970; where this token lives longer than longest_life, raise that"
            )
        if not 0 <= before <= now + CLOCKS_DIFFER:
            raise ValueError("issued_before is in seconds since 1970, and not ahead of us")
        claim = named[0]
        value, issuer = denied[claim], denied.get("issuer", "")
        if not value or not _is_id(value) or not _is_id(issuer):
            raise ValueError(f"the ids of tokens, users, sessions and issuers are text of 1 to {MAX_ID} bytes")
        if until < now - CLOCKS_DIFFER:
            return None
        return Denial(claim, value, issuer, before if claim == "sub" else inf)


def _is_id(text: object) -> bool:
    try:
        return isinstance(text, str) and len(text.encode()) <= MAX_ID
    except UnicodeEncodeError:
        return False


class MemoryDenyList:
    """Denials in the memory of this process: for an application that is served by one process.

    `longest_life` is in seconds: no token that is accepted may live longer. `entries` is how many denials there may be;
    a full list refuses to take more. `clock` is wall time, `monotonic` never goes back.
    """

    def __init__(
        self,
        *,
        longest_life: float = LONGEST_LIFE,
        entries: int = ENTRIES,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._terms = Terms(longest_life=longest_life, clock=clock)
        self._monotonic = monotonic
        self._denials = Denials(kept=self._terms.kept, size=entries)

    def deny(self, **denied: Unpack[Denied]) -> None:
        """Puts a denial in force.

        Raises TypeError and ValueError for what cannot be meant, and Unavailable (`deny_list_full`).
        """
        denial = self._terms.denial(denied)
        if denial is not None:
            now = self._monotonic()
            self._denials.check_room(denial, now)
            self._denials.add(denial, now)

    def denied(self, grant: Grant, /) -> bool:
        """True when a denial covers `grant`."""
        return self._denials.match(grant, self._monotonic())

    def warm(self) -> Flow[None]:
        """Has nothing to do."""
        yield from ()
