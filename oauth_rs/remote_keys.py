"""Key sets that are fetched from an issuer and kept fresh (RFC 7517 section 5).

A set is fetched when first needed and refreshed ahead in the background at 80 % of its age. A `kid` that is not in it
causes one fetch per cool-down, counted by time alone. A fetch that fails keeps the last good set up to a ceiling and
backs off. Nothing in a token says where to fetch from.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from .breaker import backoff
from .encoding import json_object
from .errors import Unavailable
from .flow import Aside, Fetch, Flow, Reply
from .jose.algorithms import ASYMMETRIC
from .jose.jwk import Key, KeySet
from .jose.jws import algorithm_not_allowed
from .keys import unknown_key
from .metadata import UNREACHABLE, IssuerMetadata
from .quiet import Troubles
from .urls import secure, shown

MAX_AGE = 600.0  # seconds a set counts as fresh; a cached verdict may rest on a withdrawn key a little longer
COOLDOWN = 30.0  # seconds between fetches that unknown key ids may cause
CEILING = 86_400.0  # seconds the last good set serves while its issuer cannot be reached
_AHEAD = 0.8
_OK = 200
_ACCEPT = (("Accept", "application/jwk-set+json, application/json"),)

logger = logging.getLogger("oauth_rs")


@dataclass(frozen=True, slots=True)
class _Held:
    """A set that was fetched, and the times at which it is refreshed, stale, and gone."""

    keys: KeySet
    refresh_at: float
    stale_at: float
    gone_at: float


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The latest attempt to fetch: when it ended, and how many failed in a row up to it."""

    at: float
    failures: int

    def retry_at(self) -> float:
        return self.at + backoff(self.failures)


class RemoteKeys:
    """The key set at `location`, an https URL or an http one to this machine, or where an IssuerMetadata says it is.

    `max_age`, `cooldown` and `ceiling` are in seconds; `monotonic` is a clock that never goes back.
    """

    def __init__(
        self,
        location: str | IssuerMetadata,
        *,
        max_age: float = MAX_AGE,
        cooldown: float = COOLDOWN,
        ceiling: float = CEILING,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(location, str | IssuerMetadata):  # an environment variable that is not set, say
            raise TypeError("keys are fetched from a URL, or from where IssuerMetadata(issuer) says")
        if isinstance(location, str) and not secure(location):
            place = shown(location)
            raise ValueError(f"keys are fetched over https, or over http from this machine, not from {place!r}")
        if not 0 <= cooldown <= max_age <= ceiling:
            raise ValueError("keys need 0 <= cooldown <= max_age <= ceiling, in seconds")
        self._location = location
        self.stated_url = str(location)  # or the issuer: what the application said, not where metadata leads
        self._url = location if isinstance(location, str) else ""
        self.max_age, self._cooldown, self._ceiling, self._clock = max_age, cooldown, ceiling, monotonic
        self._shared = min(1.0, cooldown / 2)
        self._held: _Held | None = None
        self._troubles = Troubles()
        self.basis: object = object()
        self._attempt: _Attempt | None = None
        self._sent_aside_at = -cooldown

    def find(self, algorithm: str, kid: str | None, /) -> Flow[Key]:
        """The key for `algorithm` and `kid`.

        Raises InvalidToken (`algorithm_not_allowed` for `none` and symmetric ones; `unknown_key` when a set that is
        fresh enough has no such key), and Unavailable (`keys_unavailable`, `keys_unusable`, or what `Fetch` and
        discovery raise) when that cannot be known.
        """
        if algorithm not in ASYMMETRIC:
            raise algorithm_not_allowed()
        now = self._clock()
        held = self._held
        if held is None or now >= held.gone_at:
            held = yield from self._load()
        elif now >= held.stale_at:
            held = yield from self._reload_stale(held)
        key = held.keys.select(algorithm, kid)
        if key is None:
            held = yield from self._reload_for_unknown(held)
            key = held.keys.select(algorithm, kid)
            if key is None:
                raise unknown_key()
        elif now >= held.refresh_at:
            yield from self._refresh_ahead(now)
        return key

    def peek(self, algorithm: str, kid: str | None, /) -> Key | None:
        """The key for `algorithm` and `kid`, while the set needs no refreshing."""
        held = self._held
        return held.keys.select(algorithm, kid) if held is not None and self._clock() < held.refresh_at else None

    def outlast(self, until: float, /) -> bool:
        """True unless the set would by then be too old to be believed."""
        held = self._held
        return held is not None and until < held.gone_at

    def warm(self) -> Flow[None]:
        """Fetches the keys unless they are here. Raises what `find` raises when they cannot be had."""
        if self._held is None:
            yield from self._load()

    def __str__(self) -> str:
        return shown(self._location) if isinstance(self._location, str) else f"the jwks_uri of {self._location}"

    def _reload_stale(self, held: _Held) -> Flow[_Held]:
        """Nobody asked while the set was to be refreshed ahead. Waiting once is better than believing old keys."""
        if self._attempt is not None and self._attempt.failures:
            return held
        try:
            return (yield from self._load())
        except Unavailable:
            return self._held or held

    def _refresh_ahead(self, now: float) -> Flow[None]:
        attempt = self._attempt
        if now - self._sent_aside_at >= self._cooldown and (attempt is None or now >= attempt.retry_at()):
            self._sent_aside_at = now
            yield from Aside(self._load_aside)

    def _reload_for_unknown(self, held: _Held) -> Flow[_Held]:
        if self._held is not None and self._held is not held:
            return self._held  # replaced by another request while this one looked
        attempt = self._attempt
        wait = attempt.at + self._cooldown - self._clock() if attempt else 0.0
        if wait <= 0:
            return (yield from self._load())
        if attempt is not None and attempt.failures:
            raise _unavailable(wait)  # the issuer may well have such a key, and cannot be asked
        raise unknown_key()

    def _load_aside(self) -> Flow[None]:
        held = self._held
        if held is not None and self._clock() < held.refresh_at:
            return  # somebody was quicker
        try:
            yield from self._load()
        except Unavailable as error:
            logger.warning("keys were not refreshed, the last good ones stay: %s", error.reason)

    def _load(self) -> Flow[_Held]:
        """Fetches the set. Of the flows that share an answer, only the first to resume changes the state."""
        before = self._attempt
        if before is not None and (wait := before.retry_at() - self._clock()) > 0:
            raise _unavailable(wait)
        try:
            url = self._url
            if isinstance(self._location, IssuerMetadata) and not url:
                url = self._url = yield from self._location.endpoint("jwks_uri", shared=self._shared)
            held = self._fetched_since(before)
            if held is None:
                reply = yield from Fetch("GET", url, _ACCEPT, shared=self._shared)
                held = self._fetched_since(before) or self._keep(reply)
        except Unavailable as error:
            self._troubles.tell(self, error.cause, self._clock())
            error.cause = ""
            if self._attempt is before and error.reason != "fetch_busy":  # which says nothing of the issuer
                self._failed(before)
            raise
        return held

    def _fetched_since(self, before: _Attempt | None) -> _Held | None:
        latest = self._attempt
        return None if latest is before or latest is None or latest.failures else self._held

    def _keep(self, reply: Reply) -> _Held:
        old = self._held
        if reply.status != _OK:
            raise Unavailable("keys_unusable", UNREACHABLE, cause=f"answered {reply.status}")
        try:
            keys, odd = KeySet.from_jwks(json_object(reply.body), known=None if old is None else old.keys)
        except ValueError as error:
            raise Unavailable("keys_unusable", UNREACHABLE, cause="no key set that can be used") from error
        if odd and (old is None or old.keys.keys != keys.keys):
            logger.warning("%d keys of %s cannot be used and are left out", odd, self)
        now = self._clock()
        held = _Held(keys, now + self.max_age * _AHEAD, now + self.max_age, now + self._ceiling)
        self._held = held
        if old is not None and not keys.covers(old.keys):
            # After the keys, never before: whoever reads the new basis must find no old key any more.
            self.basis = object()
        self._attempt = _Attempt(now, 0)
        return held

    def _failed(self, before: _Attempt | None) -> None:
        self._attempt = _Attempt(self._clock(), before.failures + 1 if before else 1)
        if isinstance(self._location, IssuerMetadata):
            self._url = ""  # the issuer may have moved its keys: ask its metadata again


def _unavailable(retry_after: float) -> Unavailable:
    return Unavailable("keys_unavailable", UNREACHABLE, retry_after=retry_after)
