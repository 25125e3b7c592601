"""Tokens that are kept and renewed, one request for one at a time, for every thread and task of a process.

A token is renewed in the background once it is wanted after 80 % of its life, and serves until it ends. Without one,
callers wait for the one request under way. While requests fail they back off, a second at first and half a minute in
the end, and callers get the last failure. Safe across forks: a token is inherited, a lock or a request under way is
not.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Any, Protocol, TypeAlias

from ..breaker import Breaker
from ..errors import OAuthError, Unavailable
from ..fetch import HTTPSettings
from ..fetch.blocking import BlockingHTTP
from ..flow import Flow, Run
from ..quiet import Complaints
from ..traces import trace_of
from .answer import UNREACHABLE, Token
from .auth import BearerAuth, Held
from .endpoint import TokenEndpoint
from .errors import OutboundError
from .pending import Pending

STORE_SECONDS = 5.0  # for what a request does beside HTTP: a store of refresh tokens, Redis
EXCHANGES = 5  # of HTTP: three for the metadata, one for the token, one more where a refresh token was replaced
# New tokens that refusals may cause: a few at once, then one in ten seconds. Else a resource that says 401 to whatever
# it is sent would have a token made for each call.
_REFUSAL_SPACING = 10.0
_REFUSAL_BURST = 40.0

Outcome: TypeAlias = Held | OutboundError | OAuthError
Ask: TypeAlias = Callable[[str], Flow[Token]]

HTTP = HTTPSettings()  # for all who set nothing: the trust anchors are read once
logger = logging.getLogger("oauth_rs")


class SharedTokens(Protocol):
    """Where processes share tokens. Either function may be a coroutine function; neither raises for an outage."""

    def get(self, key: bytes, /) -> Any:
        """The Token that was put there, as old as it is now, or None."""

    def put(self, key: bytes, token: Token, /) -> Any:
        """Keeps `token` for no longer than it lives."""


@dataclass(slots=True)
class _Ours:
    """Belongs to one process: a fork must not inherit a lock that somebody holds, nor wait for a thread it has not."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    pending: Pending[Outcome] | None = None


class TokenSource:
    """The token that the flow `ask` gives; it is told the token that a resource refused last, or "".

    `name` is for logs. The flow runs in a thread, and asynchronous functions that it calls on an event loop of ours.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        endpoint: TokenEndpoint,
        name: str,
        http: HTTPSettings,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        check_http(http)
        self._ask, self._endpoint, self._name, self._clock = ask, endpoint, name, monotonic
        self._http = BlockingHTTP(http)
        self._patience = EXCHANGES * http.timeout + STORE_SECONDS
        self._by_process: dict[int, _Ours] = {}
        self._held: Held | None = None
        self._breaker = Breaker(failures=1)
        self._failure: OutboundError | OAuthError | None = None
        self._refused = ""
        self._allowance = -inf
        self._complaints = Complaints()

    def auth(self, *origins: str, plain_http: bool = False) -> BearerAuth:
        """For `httpx2.Client(auth=...)`, `httpx2.AsyncClient(auth=...)` or a single call; see BearerAuth."""
        return BearerAuth(self, *origins, plain_http=plain_http)

    def token(self) -> str:
        """A token that is good now, for clients other than httpx2. Raises what `get` raises."""
        return self.get().text

    async def async_token(self) -> str:
        """The same for callers that await."""
        return (await self.get_awaiting()).text

    def get(self) -> Held:
        """The token. Blocks while there is none.

        Raises TokenRefused, TokenUnusable, and Unavailable (`token_unavailable`, `token_request_failed`, or what
        `TokenEndpoint.ask` raises) with the seconds until it is worth trying again.
        """
        found = self._look()
        return found if isinstance(found, Held) else self._held_of(found.wait())

    async def get_awaiting(self) -> Held:
        """The same for callers that await, under asyncio or trio."""
        found = self._look()
        return found if isinstance(found, Held) else self._held_of(await found.awaited())

    def drop(self, text: str) -> None:
        """Drops the token if it is `text` and was not dropped too often, as `refused` does."""
        held = self._held
        if held is not None and held.text == text:
            self.refused(held)

    def complain(self, what: str, detail: str) -> None:
        """Logs what is wrong with the configuration; see Complaints."""
        self._complaints.tell(self._name, what, detail, self._clock())

    def refused(self, held: Held, /) -> bool:
        """Drops `held`, which a resource has refused, unless it was replaced. False when that was done too often."""
        with self._ours().lock:
            if self._held is not held:
                return True
            now = self._clock()
            allowance = max(self._allowance, now) + _REFUSAL_SPACING
            if allowance - now > _REFUSAL_BURST:
                return False
            self._allowance, self._held, self._refused = allowance, None, held.text
            return True

    def _look(self) -> Held | Pending[Outcome]:
        held, now = self._held, self._clock()
        if held is not None and now < held.refresh_at:
            return held
        ours = self._ours()
        with ours.lock:
            held, now = self._held, self._clock()  # somebody may have been quicker
            if held is not None and now < held.refresh_at:
                return held
            pending = self._pending(ours, now)
        if held is not None and now < held.ends_at:
            return held
        if pending is None:
            # Where this source has not failed, the endpoint has for another one, or too many wait for it.
            raise self._again(self._failure or Unavailable("token_unavailable", UNREACHABLE))
        return pending

    def _pending(self, ours: _Ours, now: float) -> Pending[Outcome] | None:
        """The request under way, or a new one; None while it is too early for that, or too many others wait."""
        if ours.pending is not None and ours.pending.joinable():
            return ours.pending
        if self._wait(now) > 0:
            return None
        pending: Pending[Outcome] = Pending(self._patience)
        # Begun before others can find it: where no thread can be started, nobody may wait for one.
        if not self._endpoint.turns.begin(partial(self._perform, pending, ours)):
            return None
        ours.pending = pending
        return pending

    def _perform(self, pending: Pending[Outcome], ours: _Ours) -> None:
        """Begins when its turn has come: by then nobody may wait any more, or the endpoint have failed for others."""
        asks = pending.joinable() and self._wait(self._clock()) <= 0
        outcome: Outcome = Unavailable("token_request_failed" if asks else "token_unavailable", UNREACHABLE)
        try:
            if asks:
                outcome = self._asked()
        finally:
            with ours.lock:
                if ours.pending is pending:  # when its time was up another may have taken its place
                    if asks:
                        self._note(outcome)
                    ours.pending = None
            pending.end(outcome)

    def _asked(self) -> Outcome:
        asked_at = self._clock()
        try:
            token = self._http.drive(Run(self._ask(self._refused)))
        except (OutboundError, OAuthError) as error:
            return error
        except Exception as error:  # noqa: BLE001 - a function of the application raised; its text may show a token
            logger.error("a token of %s cannot be had, a function raised %s", self._name, trace_of(error))  # noqa: TRY400
            return Unavailable("token_request_failed", UNREACHABLE)
        return Held(text=token.text, refresh_at=asked_at + token.fresh, ends_at=asked_at + token.life)

    def _note(self, outcome: Outcome) -> None:
        if isinstance(outcome, Held):
            self._held, self._failure = outcome, None
            self._breaker.answered()
            return
        now, self._failure = self._clock(), outcome
        # Admitted only now: while one is under way nobody else asks, and one that is overtaken does not count.
        self._breaker.failed(self._breaker.admit(now), now)
        if self._held is not None and now < self._held.ends_at:
            logger.warning("a token of %s was not renewed, the old one serves on: %s", self._name, outcome.reason)

    def _held_of(self, outcome: Outcome | None) -> Held:
        if isinstance(outcome, Held):
            return outcome
        raise self._again(outcome or Unavailable("fetch_timeout", UNREACHABLE))

    def _wait(self, now: float) -> float:
        return max(self._breaker.wait(now), self._endpoint.breaker.wait(now))

    def _again(self, failure: OutboundError | OAuthError) -> OutboundError | OAuthError:
        """A new one for each caller: one exception that many raise collects the frames of all of them."""
        if isinstance(failure, Unavailable):
            wait = max(self._wait(self._clock()), failure.retry_after)
            return Unavailable(failure.reason, UNREACHABLE, retry_after=wait)
        again = copy(failure)
        if isinstance(again, OutboundError):
            again.detail = f"no token of {self._name}"
        return again

    def _ours(self) -> _Ours:
        # setdefault is atomic: threads that come first in a process, all at once, get the same one.
        return self._by_process.get(os.getpid()) or self._by_process.setdefault(os.getpid(), _Ours())


def check_http(http: HTTPSettings) -> None:
    """Raises TypeError for what are no settings."""
    if not isinstance(http, HTTPSettings):
        raise TypeError("http is HTTPSettings(timeout=5.0)")
