"""Denials in the memory of a process, found by what a grant can be denied by (RFC 7519 section 4.1.7, OpenID Connect
Front-Channel Logout 1.0 section 3).

Bounded, and forgotten by time alone. Does not know what may be denied, nor where denials come from: deny_list.py.
"""

from collections.abc import Iterator
from math import inf
from typing import Literal, NamedTuple, TypeAlias

from .cache import GenerationalCache
from .errors import Unavailable
from .model import Grant

Claim: TypeAlias = Literal["jti", "sub", "sid"]
CLAIMS: tuple[Claim, ...] = ("jti", "sub", "sid")
_REMEMBERED = 20_000  # grants that were found not denied: as many as a provider remembers, and for as long
_REMEMBERED_SECONDS = 300.0


class Denial(NamedTuple):
    """Tokens whose claim `claim` is `value`, of `issuer` or of any where that is "", and issued before `before`."""

    claim: Claim
    value: str
    issuer: str
    before: float


class _Ids(NamedTuple):
    """What a grant can be denied by beside its subject and issuer. `iat` is -inf where it is not known."""

    jti: str
    sid: str
    iat: float


_Passed: TypeAlias = tuple[Grant, object, _Ids]
_ByValue: TypeAlias = dict[str, dict[tuple[str, float], float]]


class _Generation(NamedTuple):
    """Denials that came within one span of time: by value, of which issuers and issued before when, and their times."""

    jti: _ByValue
    sub: _ByValue
    sid: _ByValue

    def of(self, claim: Claim) -> _ByValue:
        return {"jti": self.jti, "sub": self.sub, "sid": self.sid}[claim]

    def add(self, denial: Denial, at: float) -> None:
        of_value = self.of(denial.claim).setdefault(denial.value, {})
        of_value[denial.issuer, denial.before] = at
        # What this one covers goes after it has come, so threads may do this at once.
        for issuer, before in list(of_value):
            if issuer == denial.issuer and before < denial.before:
                of_value.pop((issuer, before), None)

    def cover(self, grant: Grant, ids: _Ids) -> bool:
        for of_value in (self.jti.get(ids.jti), self.sub.get(grant.subject), self.sid.get(ids.sid)):
            if of_value and any(ids.iat < before and issuer in {"", grant.issuer} for issuer, before in list(of_value)):
                return True
        return False


class Denials:
    """Denials in memory, each for `kept` seconds at least and twice that at most.

    Needs no lock: generations are told apart by the time alone, and `dict.setdefault` lets one thread make each. All
    times are of a clock that never goes back.
    """

    def __init__(self, *, kept: float, size: int) -> None:
        if size < 1:
            raise ValueError("entries is the number of denials to remember, at least one")
        self._kept = kept
        self._size = size
        self._turn_at = -inf
        self._generations: dict[int, _Generation] = {}
        # Grants that no denial covers, by the version of the list that was asked, and with what they can be denied by:
        # decoding claims takes longer than all the rest.
        self._version = object()
        self._passed: GenerationalCache[_Passed] = GenerationalCache(size=_REMEMBERED, seconds=_REMEMBERED_SECONDS)

    def __len__(self) -> int:
        return sum(len(values) for generation in self._all() for values in generation)

    def items(self) -> Iterator[tuple[Denial, float]]:
        """Each denial, and when it came."""
        for generation in self._all():
            for claim in CLAIMS:
                for value, of_value in list(generation.of(claim).items()):
                    for (issuer, before), at in list(of_value.items()):
                        yield Denial(claim, value, issuer, before), at

    def check_room(self, denial: Denial, now: float, *, times: int = 1) -> None:
        """Raises Unavailable (`deny_list_full`) when there are `times` as many as there may be: none is forgotten for
        the sake of another.
        """
        self._forget(now)
        if len(self) >= self._size * times and not any(denial.value in one.of(denial.claim) for one in self._all()):
            raise Unavailable("deny_list_full", "The list of denied tokens is full; try again later.")

    def add(self, denial: Denial, at: float) -> None:
        """Puts `denial` in force, which came at that time."""
        self._generations.setdefault(int(at // self._kept), _Generation({}, {}, {})).add(denial, at)
        self._version = object()

    def match(self, grant: Grant, now: float) -> bool:
        """True when one of the denials covers `grant`."""
        if not self._generations:
            return False
        if now >= self._turn_at:
            self._forget(now)
        version = self._version  # read before the denials are: one that comes meanwhile replaces it afterwards
        young, old, turn_at = self._passed.generations
        key = grant.claims_json  # one bytes object for as long as the grant is remembered, which knows its hash
        passed = (young.get(key) or old.get(key)) if now < turn_at else self._passed.get(key, now)
        if passed is None or passed[0] is not grant:
            passed = (grant, None, _ids(grant))
        elif passed[1] is version:
            return False
        ids = passed[2]
        if any(one.cover(grant, ids) for one in self._all()):
            return True
        self._passed.put(key, (grant, version, ids), now)
        return False

    def _all(self) -> tuple[_Generation, ...]:
        return tuple(self._generations.values())

    def _forget(self, now: float) -> None:
        number = int(now // self._kept)
        for old in list(self._generations):
            if old < number - 1:
                self._generations.pop(old, None)
        self._turn_at = (number + 1) * self._kept


def _ids(grant: Grant) -> _Ids:
    claims = grant.claims
    jti, sid, iat = claims.get("jti"), claims.get("sid"), claims.get("iat")
    return _Ids(
        jti if isinstance(jti, str) else "",
        sid if isinstance(sid, str) else "",
        # A token that does not say when it was issued counts as issued before any moment.
        iat if isinstance(iat, int | float) else -inf,
    )
