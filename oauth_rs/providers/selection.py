"""By what a provider knows its tokens: their text and their unverified claims.

Selectors are values, and tell of each other whether a token can be for both: providers must be told apart before the
first token comes. None of them proves anything. By the request, see request_selection.py; by the issuer, issuers.py;
who chooses, choosing.py.
"""

import re
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

from ..catalogue import ScopeCatalogue
from ..jose.claims import listed_scopes
from ..scopes import checked_scope
from .presented import Presented

_JWT_DOTS = 2
_JWT_BEGINNING = "eyJ"  # `{"` in base64url
_BEGINNING = re.compile(r"[\x21-\x2B\x2D-\x7E]+")  # printable ASCII without spaces and commas: what one token can hold


class Reads(IntEnum):
    """What a selector looks at; the cheap first. What a request says is asked again where a verdict is remembered."""

    TEXT = 0
    REQUEST = 1
    CLAIMS = 2


@runtime_checkable
class Selector(Protocol):
    """Something that a token and its request must be to be for a provider. The same token is the same each time."""

    @property
    def reads(self) -> Reads: ...

    def matches(self, token: Presented, /) -> bool:
        """True when `token` is. Raises InvalidToken where its claims cannot be read: then no provider's can be."""

    def excludes(self, other: "Selector", /) -> bool:
        """True when it is certain that nothing matches this and `other`. One of the two need know."""


Accepts: TypeAlias = Selector | Iterable[Selector]


@dataclass(frozen=True, slots=True)
class TokenPrefix:
    """Tokens that begin with `prefix`, as `pt_`. It is taken off where a JWT stands behind it."""

    prefix: str
    reads: ClassVar[Reads] = Reads.TEXT

    def __post_init__(self) -> None:
        if not _BEGINNING.fullmatch(self.prefix):
            raise ValueError(f"{self.prefix!r} begins no token: write printable ASCII without spaces and commas")

    def matches(self, token: Presented, /) -> bool:
        return token.text.startswith(self.prefix.encode())

    def excludes(self, other: Selector, /) -> bool:
        """True for a prefix that neither begins with this one nor is its beginning."""
        return isinstance(other, TokenPrefix) and not overlap(f"{self.prefix}*", f"{other.prefix}*")


@dataclass(frozen=True, slots=True)
class JWTShape:
    """Tokens of three parts, as signed JWTs are."""

    reads: ClassVar[Reads] = Reads.TEXT

    def matches(self, token: Presented, /) -> bool:
        return token.text.count(b".") == _JWT_DOTS

    def excludes(self, other: Selector, /) -> bool:
        return isinstance(other, Opaque)


@dataclass(frozen=True, slots=True)
class Opaque:
    """Tokens that are no signed JWT by their shape: of any number of parts but three."""

    reads: ClassVar[Reads] = Reads.TEXT

    def matches(self, token: Presented, /) -> bool:
        return token.text.count(b".") != _JWT_DOTS

    def excludes(self, other: Selector, /) -> bool:
        """True for what only a JWT can be."""
        return isinstance(other, JWTShape) or other.reads is Reads.CLAIMS


@dataclass(frozen=True, slots=True)
class CarriesScope:
    """JWTs that claim `scope`, to the letter and before anything is verified; `partner.*` for all that begin so.

    With the catalogue of the server the other spellings that a token may have for it count too.
    """

    scope: str
    _catalogue: ScopeCatalogue | None = field(default=None, init=False, repr=False, compare=False)
    reads: ClassVar[Reads] = Reads.CLAIMS

    def __post_init__(self) -> None:
        if checked_scope(self.scope) == "*":
            raise ValueError("'*' would take any scope: write the beginning of some, as 'partner.*'")

    def matches(self, token: Presented, /) -> bool:
        beginning = self.scope.removesuffix("*")
        names = self._named(listed_scopes(token.claims))
        return self.scope in names if beginning == self.scope else any(one.startswith(beginning) for one in names)

    def excludes(self, other: Selector, /) -> bool:
        """True for tokens that can claim nothing; not for another scope, for a token may hold both."""
        return isinstance(other, Opaque)

    def differs(self, other: Selector, /) -> bool:
        """True for another scope, where no scope is meant by both."""
        return isinstance(other, CarriesScope) and not overlap(self.scope, other.scope)

    def with_catalogue(self, catalogue: ScopeCatalogue, where: str) -> "CarriesScope":
        """The same, in any spelling. Raises ValueError for a whole scope that `catalogue` does not have.

        A beginning may be of scopes that no catalogue has, as those of SMART.
        """
        if not self.scope.endswith("*"):
            catalogue.check((self.scope,), where)
        bound = copy(self)
        object.__setattr__(bound, "_catalogue", catalogue)
        return bound

    def _named(self, listed: list[Any]) -> Iterable[str]:
        if self._catalogue is None:
            return [one for one in listed if isinstance(one, str)]
        texts = [str(one) if type(one) is int else one for one in listed]  # True is no id
        claimed = frozenset(one for one in texts if isinstance(one, str))
        return claimed | self._catalogue.resolve(claimed)


def selectors_of(accepts: Accepts, *always: Selector) -> tuple[Selector, ...]:
    """The selectors that `accepts` is or lists, and `always`, in the order to ask. Raises TypeError and ValueError."""
    listed = accepts if isinstance(accepts, Iterable) else (accepts,)
    selectors = (*listed, *always)
    if not all(map(_is_selector, selectors)):
        raise TypeError("accepts is a selector or a list of them, as TokenPrefix('pt_') or OnHost('api.example.com')")
    for number, one in enumerate(selectors):
        for other in selectors[:number]:
            if excluding(one, other):
                raise ValueError(f"no token can be for {other!r} and {one!r}, and all of accepts must hold")
    prefixes = [one.prefix for one in selectors if isinstance(one, TokenPrefix)]
    cut_off = [one for one in prefixes if overlap(f"{one}*", f"{_JWT_BEGINNING}*")]
    if cut_off and any(one.reads is Reads.CLAIMS for one in selectors):
        raise ValueError(
            f"{cut_off[0]!r} is how a JWT itself begins, and a TokenPrefix is taken off before it is read: no token "
            "could be read then; leave it out, or write JWTShape()"
        )
    if len(prefixes) > 1:
        raise ValueError("accepts names one TokenPrefix: the longest of several says it all")
    if "." in "".join(prefixes) and any(excluding(one, Opaque()) for one in selectors):
        raise ValueError("the TokenPrefix before a JWT has no dot: by its dots it is known for one")
    return tuple(sorted(selectors, key=lambda one: one.reads))


def _is_selector(one: object) -> bool:
    return isinstance(one, Selector) and not isinstance(one, type)  # a class has the members too


def with_catalogue(
    selectors: Iterable[Selector], catalogue: ScopeCatalogue | None, provider: str
) -> tuple[Selector, ...]:
    """`selectors` of `provider`, which know scopes by all spellings of `catalogue`. Raises ValueError."""
    if catalogue is None:
        return tuple(selectors)
    where = f"accepts of provider {provider!r}"
    return tuple(one.with_catalogue(catalogue, where) if isinstance(one, CarriesScope) else one for one in selectors)


def prefix_of(selectors: Iterable[Selector]) -> bytes:
    """What stands before the JWT in tokens that match `selectors`."""
    return "".join(one.prefix for one in selectors if isinstance(one, TokenPrefix)).encode()


def excluding(one: Selector, other: Selector) -> bool:
    """True when one of the two knows that nothing matches both."""
    return one.excludes(other) or other.excludes(one)


def overlap(one: str, other: str) -> bool:
    """True when a text may be what both patterns say: each is a whole text, or a beginning with `*` behind it."""
    start, other_start = one.removesuffix("*"), other.removesuffix("*")
    if start == one:
        return other_start == one if other_start == other else one.startswith(other_start)
    if other_start == other:
        return other.startswith(start)
    return start.startswith(other_start) or other_start.startswith(start)
