"""Status lists that are fetched and kept fresh (draft-ietf-oauth-status-list-21 sections 8.1 to 8.3).

A list is fetched when first needed and refreshed ahead in the background at 80 % of its age, which its `ttl` and `exp`
bound. A fetch that fails keeps the last good list as long as its `exp` allows, and backs off. Does not follow
redirects, and does not know which addresses may be asked.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

from ..breaker import backoff
from ..errors import InvalidToken, Unavailable
from ..flow import Aside, Fetch, Flow, Reply
from ..keys import KeySource
from ..quiet import Troubles
from ..urls import shown
from .list_token import MAX_LIST_TOKEN, StatusList, StatusListToken

TTL = 300.0  # seconds that a list is fresh which does not say
SHORTEST = 1.0  # seconds: a list that is fresh for less would be fetched with every request
CEILING = 86_400.0  # seconds: the longest that a list is fresh, or that the last good one serves
COOLDOWN = 30.0  # seconds between refreshes in the background
_AHEAD = 0.8
_SHARED = 0.5  # seconds that an answer is shared after it came
_OK = 200
_ACCEPT = (("Accept", "application/statuslist+jwt"),)
_UNKNOWN = "The status of the access token cannot be known now."

logger = logging.getLogger("oauth_rs")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signer:
    """Who signs lists: `issuer`, with `keys` of which `algorithms`, where given, allow fewer than the keys do.

    `max_age` is in seconds; `clock` is wall time, `monotonic` never goes back.
    """

    issuer: str
    keys: KeySource
    algorithms: Collection[str] | None
    max_age: float
    clock: Callable[[], float]
    monotonic: Callable[[], float]


class _Held(NamedTuple):
    """A list that was fetched, what its key rests on, and when it is to be refreshed, is stale, and is gone."""

    list: StatusList
    basis: object
    refresh_at: float
    stale_at: float
    gone_at: float


class RemoteStatusList:
    """The list at one address."""

    __slots__ = ("_failures", "_held", "_is_kept", "_retry_at", "_sent_aside_at", "_signer", "_troubles", "_uri")

    def __init__(self, uri: str, signer: Signer) -> None:
        self._uri = uri
        self._signer = signer
        self._held: _Held | None = None
        self._failures = 0  # in a row
        self._retry_at = self._sent_aside_at = float("-inf")
        self._is_kept = True
        self._troubles = Troubles()

    def __str__(self) -> str:
        return f"the status list {shown(self._uri)}"

    @property
    def stale_at(self) -> float:
        """When the list is stale: before all time where there is none."""
        held = self._held
        return float("-inf") if held is None else held.stale_at

    def peek(self, now: float) -> StatusList | None:
        """The list, while it is to be believed and nothing is due; None means that `find` must be asked."""
        held = self._believed(now)
        if held is None or (now >= held.refresh_at and self._is_due(held, now)):
            return None
        return held.list

    def find(self) -> Flow[StatusList]:
        """The list, as fresh as it can be had.

        Raises Unavailable (`status_list_unavailable`, `status_list_unusable`, or what `Fetch` and the keys raise).
        """
        now = self._signer.monotonic()
        held = self._believed(now)
        if held is None:
            held = yield from self._load()
        elif now >= held.stale_at and not self._failures:
            held = yield from self._reload_stale()
        elif now >= held.refresh_at and self._is_due(held, now):
            self._sent_aside_at = now
            yield from Aside(self._load_aside)
        return held.list

    def drop(self) -> None:
        """Forgets the list, and keeps none any more: its place is another's."""
        self._is_kept = False
        self._held = None

    def _believed(self, now: float) -> _Held | None:
        held = self._held
        # What a key signed is void when the key is gone.
        return held if held is not None and now < held.gone_at and held.basis is self._signer.keys.basis else None

    def _is_due(self, held: _Held, now: float) -> bool:
        """True when the next request is to have the list refreshed, which has come to that age."""
        if now >= held.stale_at and not self._failures:
            return True
        pause = min(COOLDOWN, held.stale_at - held.refresh_at)
        return now >= self._retry_at and now - self._sent_aside_at >= pause

    def _reload_stale(self) -> Flow[_Held]:
        """Nobody asked while the list was to be refreshed ahead. Waiting once is better than believing an old one."""
        try:
            return (yield from self._load())
        except Unavailable:
            last_good = self._believed(self._signer.monotonic())
            if last_good is None:
                raise
            return last_good

    def _load_aside(self) -> Flow[None]:
        held, now = self._held, self._signer.monotonic()
        if held is not None and now < held.refresh_at:
            return  # somebody was quicker
        try:
            yield from self._load()
        except Unavailable as error:
            logger.warning("a status list was not refreshed, the last good one stays: %s", error.reason)

    def _load(self) -> Flow[_Held]:
        """Fetches the list. Of the flows that share an answer, only the first to resume changes the state."""
        before, failures = self._held, self._failures
        if failures and (wait := self._retry_at - self._signer.monotonic()) > 0:
            raise Unavailable("status_list_unavailable", _UNKNOWN, retry_after=wait)
        try:
            reply = yield from Fetch("GET", self._uri, _ACCEPT, limit=MAX_LIST_TOKEN, shared=_SHARED)
            return self._other_than(before) or (yield from self._read(reply, before))
        except Unavailable as error:
            now = self._signer.monotonic()
            self._troubles.tell(self, error.cause, now)
            error.cause = ""
            if error.reason != "fetch_busy" and self._failures == failures and self._held is before:
                self._failures = failures + 1
                self._retry_at = now + backoff(self._failures)
            raise

    def _other_than(self, before: _Held | None) -> _Held | None:
        return None if self._held is before else self._held

    def _read(self, reply: Reply, before: _Held | None) -> Flow[_Held]:
        try:
            return (yield from self._verified(reply, before))
        except (ValueError, InvalidToken) as error:  # InvalidToken: there is no such key
            cause = "no such key" if isinstance(error, InvalidToken) else str(error)
            raise Unavailable("status_list_unusable", _UNKNOWN, cause=cause) from error

    def _verified(self, reply: Reply, before: _Held | None) -> Flow[_Held]:
        signer = self._signer
        basis = signer.keys.basis  # before the key is found: should the key go meanwhile, the list goes with it
        if reply.status != _OK:
            raise ValueError(f"answered {reply.status}")
        token = StatusListToken(reply.body.strip())
        alg, kid = token.header.alg, token.header.kid
        if signer.algorithms is not None and alg not in signer.algorithms:
            raise ValueError("it is not signed in a way that is accepted")
        key = signer.keys.peek(alg, kid) or (yield from signer.keys.find(alg, kid))
        if (other := self._other_than(before)) is not None:
            return other
        fresh = token.read(key, uri=self._uri, issuer=signer.issuer, now=signer.clock())
        last_good = self._believed(signer.monotonic())
        if last_good is not None and fresh.issued_at < last_good.list.issued_at:
            raise ValueError("it is older than the one before it")  # a cache on the way would undo a revocation
        return self._keep(fresh, basis)

    def _keep(self, fresh: StatusList, basis: object) -> _Held:
        now = self._signer.monotonic()
        age = min(max(TTL if fresh.ttl is None else fresh.ttl, SHORTEST), self._signer.max_age)
        # Without `exp` nothing allows to believe it any longer than that.
        left = age if fresh.expires_at is None else min(fresh.expires_at - self._signer.clock(), CEILING)
        age = min(age, left)
        held = _Held(fresh, basis, now + age * _AHEAD, now + age, now + left)
        if self._is_kept:
            self._held = held
        self._failures, self._retry_at = 0, float("-inf")
        return held
