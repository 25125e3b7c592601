"""One provider per tenant: each is an issuer of its own, met when its first token comes (RFC 9068, RFC 8414).

A function of the application knows the tenants. It is asked about no issuer that the allow-list does not take in, and
what a provider fetches is from the origins of that list and those that the application has named, wherever the metadata
of its issuer leads: no token makes this server call another host. Verifies nothing itself: the providers do.
"""

import time
from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

from ..cache import GenerationalCache
from ..catalogue import ScopeCatalogue
from ..flow import Flow, call
from ..members import takes
from ..model import Grant
from . import unknown_issuer
from .issuers import AllowedIssuers, IssuedBy
from .jwt import JWTProvider
from .origins import Origins
from .presented import Presented
from .seconds import CACHE_SIZE, MAX_CACHE_SECONDS
from .selection import Accepts, selectors_of

SIZE = 100  # tenants that are kept, each with its keys and its verdicts
MAX_AGE = 600.0  # seconds after which a tenant is looked up again: one that was removed is refused then
UNKNOWN_SECONDS = 30.0  # that an issuer without a tenant is remembered: its tokens ask the application no more often
UNKNOWN_SIZE = 4096  # issuers of at most 512 characters: 3 MB


class _Tenant:
    """A provider as it was found, as it is used, from where it may fetch, and by when it must be looked up again."""

    __slots__ = ("found", "origins", "provider", "until", "used")

    def __init__(
        self, found: JWTProvider, provider: JWTProvider, origins: Origins, *, now: float, max_age: float
    ) -> None:
        self.found, self.provider = found, provider
        self.origins = origins.and_of(found.stated_urls)
        self.used, self.until = now, now + max_age


class TenantProviders:
    """The providers that `resolve(issuer)` gives, for issuers that `allow` takes in. It may be a coroutine function.

    `resolve` gives a JWTProvider of that issuer, or None where there is no such tenant, and raises Unavailable when it
    cannot tell. `allow` lists issuers and patterns (see AllowedIssuers). At most `size` tenants are kept; who was not
    used for longest leaves first, and after `max_age` seconds each is looked up again: `resolve` gives the same object
    to go on with its keys and verdicts. Its provider fetches from the origins of `allow`, of `fetch_from`, as
    `https://keys.example.net`, and of URLs that it was made with, not wherever its metadata leads. `accepts` tells the
    tokens of all tenants from those of other providers. `monotonic` never goes back.
    """

    remembers = True

    def __init__(
        self,
        resolve: Callable[[str], Any],
        *,
        allow: Iterable[str],
        fetch_from: Iterable[str] = (),
        accepts: Accepts = (),
        size: int = SIZE,
        max_age: float = MAX_AGE,
        name: str = "tenants",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not takes(resolve, 1):
            raise TypeError("resolve is a function that takes an issuer and gives its JWTProvider, or None")
        if size < 1 or not max_age > 0:
            raise ValueError("size is a number of tenants above 0, and max_age one of seconds")
        if not name:
            raise ValueError("name is not empty")
        self.name = name
        self._resolve = resolve
        self._allowed = AllowedIssuers.of(allow)
        self._origins = Origins.of(self._allowed, fetch_from)
        self.accepts = selectors_of(accepts, self._allowed)
        self._size, self._max_age, self._monotonic = size, max_age, monotonic
        self._catalogue: ScopeCatalogue | None = None
        self._tenants: dict[str, _Tenant] = {}
        # Until when each is unknown. An entry lives for half of the seconds at least.
        self._unknown: GenerationalCache[float] = GenerationalCache(size=UNKNOWN_SIZE, seconds=2 * UNKNOWN_SECONDS)
        self._verified = self._fresh()

    def recall(self, digest: bytes, /) -> Grant | None:
        """The grant of a token that its tenant verified, while that is kept and recalls it."""
        now = self._monotonic()
        issuer = self._verified.get(digest, now)
        tenant = None if issuer is None else self._kept(issuer, now)
        return None if tenant is None else tenant.provider.recall(digest)

    def verify(self, token: Presented, /) -> Grant | Flow[Grant]:
        """The grant that `token` proves to the provider of its tenant.

        Raises InvalidToken (those of jose/jws.py, `unknown_issuer` where the allow-list or `resolve` does not know its
        `iss`, and those of the provider) and Unavailable (`fetch_not_allowed`, and those of the provider).
        """
        issuer = token.claims.get("iss")
        if not isinstance(issuer, str) or not self._allowed.cover(issuer):
            raise unknown_issuer()
        now = self._monotonic()
        tenant = self._kept(issuer, now)
        if tenant is None:
            if now < (self._unknown.get(issuer.encode(), now) or now):
                raise unknown_issuer()
            return self._meet(issuer, token)
        verdict = tenant.provider.verify(token)
        if not isinstance(verdict, Grant):
            return self._wait(tenant.origins.hold(verdict, issuer), issuer, token.digest)
        self._verified.put(token.digest, issuer, now)
        return verdict

    def warm(self) -> Flow[None]:
        """Fetches nothing: nobody has said which tenants there are."""
        yield from ()

    def with_catalogue(self, catalogue: ScopeCatalogue, /) -> "TenantProviders":
        """The same, whose providers are all bound to `catalogue`: a scope that it lacks is a ValueError, and a 500,
        when the tenant is first met.
        """
        bound = copy(self)
        bound._catalogue = catalogue  # noqa: SLF001 - nobody else has it yet
        bound._tenants, bound._verified = {}, self._fresh()  # noqa: SLF001 - what is kept is not bound
        return bound

    def _kept(self, issuer: str, now: float) -> _Tenant | None:
        tenant = self._tenants.get(issuer)
        if tenant is None or now >= tenant.until:
            return None
        tenant.used = now
        return tenant

    def _meet(self, issuer: str, token: Presented) -> Flow[Grant]:
        found = yield from call(self._resolve, issuer)
        now = self._monotonic()
        if found is None:
            self._unknown.put(issuer.encode(), now + UNKNOWN_SECONDS, now)
            self._tenants = {other: tenant for other, tenant in self._tenants.items() if other != issuer}
            raise unknown_issuer()
        tenant = self._keep(issuer, _checked(found, issuer), now)
        grant = tenant.provider.recall(token.digest)
        if grant is None:
            verdict = tenant.provider.verify(token)
            grant = verdict if isinstance(verdict, Grant) else (yield from tenant.origins.hold(verdict, issuer))
        self._verified.put(token.digest, issuer, now)
        return grant

    def _keep(self, issuer: str, found: JWTProvider, now: float) -> _Tenant:
        # Replaced, never edited: of two threads that meet tenants at once, one may have to meet its tenant again.
        tenants = dict(self._tenants)
        before = tenants.pop(issuer, None)
        if before is not None and before.found is found:
            provider = before.provider
        else:
            provider = found if self._catalogue is None else found.with_catalogue(self._catalogue)
        if len(tenants) >= self._size:
            del tenants[min(tenants, key=lambda one: tenants[one].used)]
        tenant = tenants[issuer] = _Tenant(found, provider, self._origins, now=now, max_age=self._max_age)
        self._tenants = tenants
        return tenant

    def _wait(self, verdict: Flow[Grant], issuer: str, digest: bytes) -> Flow[Grant]:
        grant = yield from verdict
        self._verified.put(digest, issuer, self._monotonic())
        return grant

    def _fresh(self) -> GenerationalCache[str]:
        """Which tenant verified a token, by its digest."""
        return GenerationalCache(size=CACHE_SIZE, seconds=MAX_CACHE_SECONDS)


def _checked(found: Any, issuer: str) -> JWTProvider:
    if not isinstance(found, JWTProvider):
        raise TypeError(f"resolve gives a JWTProvider or None, not {type(found).__name__}")
    if found.issuer != issuer:
        raise RuntimeError("resolve gave the provider of another issuer than the one it was asked for")
    if found.accepts != (IssuedBy(issuer),):
        raise RuntimeError("what tells the tokens of tenants apart is their issuer: give accepts= to TenantProviders")
    return found
