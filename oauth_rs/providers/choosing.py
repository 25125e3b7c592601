"""Which of several providers a token is for: the one whose selectors hold, never one after the other.

A token is shown to nobody but the provider that minted it. None: 401; several: 401; and providers that could not be
told apart are refused when the application starts. Selecting proves nothing: the provider verifies.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import combinations
from operator import itemgetter
from typing import TypeAlias

from ..catalogue import ScopeCatalogue
from ..errors import InvalidToken
from ..flow import Flow
from ..jose.jws import JSON_OBJECT, MAX_TOKEN_BYTES
from ..members import offers
from ..model import Grant
from . import Provider, unknown_issuer
from .issuers import AllowedIssuers, IssuedBy
from .jwt import JWTProvider
from .presented import Presented
from .request_selection import InHeader, OnHost
from .selection import CarriesScope, JWTShape, Reads, Selector, excluding, prefix_of, with_catalogue
from .tenants import TenantProviders

_ONE_TOKEN = re.compile(rb"[\x21-\x2B\x2D-\x7E]+")  # printable ASCII without spaces and commas
_Recall: TypeAlias = Callable[[bytes], Grant | None]


class _Candidate:
    """A provider and what selects it. `rivals` may match a token of it too, depending on the request."""

    __slots__ = ("by_claims", "by_request", "prefix", "provider", "rivals", "selectors")

    def __init__(self, provider: Provider, catalogue: ScopeCatalogue | None) -> None:
        self.provider = provider
        self.selectors: tuple[Selector, ...] = with_catalogue(provider.accepts, catalogue, provider.name)
        self.prefix = prefix_of(self.selectors)
        self.by_request = tuple(one for one in self.selectors if one.reads is Reads.REQUEST)
        self.by_claims = any(one.reads is Reads.CLAIMS for one in self.selectors)
        self.rivals: list[_Candidate] = []

    @property
    def looks_itself(self) -> bool:
        """True when the issuer is all that counts, and the provider shows nobody a token before it has looked at it."""
        by_issuer = all(isinstance(one, IssuedBy | AllowedIssuers) for one in self.selectors)
        return by_issuer and isinstance(self.provider, JWTProvider | TenantProviders)

    @property
    def issuer(self) -> str:
        """The issuer where that is all that counts, else ""."""
        return "".join(one.issuer for one in self.selectors if isinstance(one, IssuedBy) and len(self.selectors) == 1)

    def matches(self, token: Presented) -> bool:
        return all(selector.matches(token) for selector in self.selectors)

    def is_for(self, token: Presented) -> bool:
        """True when a token that was verified before is for this provider in this request too."""
        if not all(selector.matches(token) for selector in self.by_request):
            return False
        if any(rival.may_match(token) for rival in self.rivals):
            raise _ambiguous()
        return True

    def may_match(self, token: Presented) -> bool:
        try:
            return self.matches(token.behind(self.prefix))
        except InvalidToken:
            return False


class Choice:
    """`providers` as one, for a scheme that reads tokens from `headers` too, whose names are in lower case.

    `recalls` are asked first, in whichever request; what they do not know goes to `grant`. Where `takes_jwts` is True,
    a token may as well be taken apart before that. Selectors read scopes by `catalogue`. Raises ValueError where two
    providers could be meant by one token, and for a scope that the catalogue does not have.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        headers: Collection[bytes] = (),
        catalogue: ScopeCatalogue | None = None,
    ) -> None:
        if not all(offers(provider, "accepts") for provider in providers):
            raise TypeError("providers are objects such as JWTProvider(issuer, audience=...)")
        _check_names(providers)
        self.providers = tuple(providers)
        self._candidates = tuple(_Candidate(provider, catalogue) for provider in providers)
        self._all_jwt = all(one.by_claims for one in self._candidates)
        self._prefixes = frozenset(one.prefix for one in self._candidates)
        for one, other in combinations(self._candidates, 2):
            _check_apart(one, other)
        selectors = [(one.provider.name, selector) for one in self._candidates for selector in one.selectors]
        for name, selector in selectors:
            if isinstance(selector, InHeader) and selector.name.encode() not in headers:
                raise ValueError(f"provider {name!r} accepts tokens {selector!r} alone, where this scheme reads none")
        self.hosts = frozenset(selector.host for _, selector in selectors if isinstance(selector, OnHost))
        remembering = [one for one in self._candidates if one.provider.remembers]
        self.remembers = bool(remembering)
        self._guarded = tuple(one for one in remembering if one.by_request or one.rivals)
        self.recalls: tuple[_Recall, ...] = tuple(
            one.provider.recall for one in remembering if not (one.by_request or one.rivals)
        )
        self.takes_jwts = self._all_jwt and self._prefixes == {b""} and not self._guarded
        self._by_issuer = {one.issuer: one.provider for one in self._candidates if one.issuer}
        self.grant = self._grant
        if len(providers) == 1 and self._candidates[0].looks_itself:
            # Where there is nothing to choose, nothing of an unverified token is read to choose by.
            self.grant = providers[0].verify
        elif len(self._by_issuer) == len(providers):
            self.grant = self._grant_by_issuer

    def recall(self, digest: bytes) -> Grant | None:
        """The grant of a token verified a moment ago, where no request matters."""
        for recall in self.recalls:
            grant = recall(digest)
            if grant is not None:
                return grant
        return None

    def _grant(self, token: Presented, /) -> Grant | Flow[Grant]:
        """The grant of the one provider that `token` is for.

        Raises InvalidToken (`unknown_issuer`, `ambiguous_provider`, `token_too_long`, `malformed_token`, those of
        jose/jws.py where a JWT was expected, and those of the provider) and Unavailable.
        """
        for one in self._guarded:
            grant = one.provider.recall(token.digest)
            if grant is not None and one.is_for(token):
                return grant
        chosen, view = self._chosen(token)
        if not chosen.by_claims:
            _check_text(token.text)
        return chosen.provider.verify(view)

    def _grant_by_issuer(self, token: Presented, /) -> Grant | Flow[Grant]:
        """As `_grant`, where every provider is known by its issuer alone: however many, one look tells."""
        issuer = token.claims.get("iss")
        provider = self._by_issuer.get(issuer) if isinstance(issuer, str) else None
        if provider is None:
            raise unknown_issuer()
        return provider.verify(token)

    def _chosen(self, token: Presented) -> tuple[_Candidate, Presented]:
        found: list[tuple[_Candidate, Presented]] = []
        unreadable: dict[bytes, InvalidToken] = {}
        views = {prefix: token.behind(prefix) for prefix in self._prefixes}
        for one in self._candidates:
            if one.by_claims and one.prefix in unreadable:
                continue  # junk is taken apart once, however many might have minted it
            try:
                if one.matches(views[one.prefix]):
                    found.append((one, views[one.prefix]))
            except InvalidToken as error:
                unreadable[one.prefix] = error
        try:
            if len(found) == 1:
                return found[0]
            raise _ambiguous() if found else self._nobodys(token, unreadable)
        finally:
            unreadable.clear()  # they have this frame in their traceback: a circle, and all that it holds

    def _nobodys(self, token: Presented, unreadable: Mapping[bytes, InvalidToken]) -> InvalidToken:
        """Why `token` is for none: that it is no JWT, where one was to be expected."""
        prefix = max(filter(token.text.startswith, self._prefixes), key=len, default=b"")
        # Where opaque tokens are taken too, what has not even the shape of a JWT need not have been meant for one.
        expected = self._all_jwt or JWTShape().matches(token)
        return (unreadable.get(prefix) if expected else None) or unknown_issuer()


def _check_names(providers: Sequence[Provider]) -> None:
    names = Counter(provider.name for provider in providers)
    name, times = max(names.items(), key=itemgetter(1), default=("", 0))
    if times > 1:
        raise ValueError(
            f"two providers are named {name!r}, which is their issuer where nothing else is said: give one of them "
            f"another name=, as name={name + '/opaque'!r}, or make one of them"
        )


def _check_apart(one: _Candidate, other: _Candidate) -> None:
    """Returns when a token can be told to be for one of the two; by different scopes it can, unless it has both."""
    pairs = [(mine, theirs) for mine in one.selectors for theirs in other.selectors]
    if any(excluding(mine, theirs) for mine, theirs in pairs) or _begins_apart(one, other) or _begins_apart(other, one):
        return
    if not any(isinstance(mine, CarriesScope) and mine.differs(theirs) for mine, theirs in pairs):
        raise ValueError(
            f"a token may be for provider {one.provider.name!r} and for {other.provider.name!r}: tell them apart by "
            "accepts=, as TokenPrefix('pt_'), Opaque(), InHeader('X-Partner-Token') or OnHost('sandbox.example.com')"
        )
    for mine, theirs in ((one, other), (other, one)):
        if theirs.by_request:  # else what it would say of a token was said before that was remembered
            mine.rivals.append(theirs)


def _begins_apart(one: _Candidate, other: _Candidate) -> bool:
    """True when nothing that begins with the prefix of `one` is a JWT behind the prefix of `other`."""
    rest = one.prefix.removeprefix(other.prefix) if one.prefix.startswith(other.prefix) else b""
    return other.by_claims and bool(rest) and rest[:1] not in JSON_OBJECT


def _check_text(text: bytes) -> None:
    if len(text) > MAX_TOKEN_BYTES:
        raise InvalidToken("token_too_long", "The access token is longer than this server accepts.")
    if not _ONE_TOKEN.fullmatch(text):
        raise InvalidToken("malformed_token", "The access token is not well formed.")


def _ambiguous() -> InvalidToken:
    return InvalidToken("ambiguous_provider", "The access token may be from more than one issuer.")
