"""What an operation asks of a grant: scopes, all or any of them (RFC 6749 section 3.3).

Does not know hierarchies of scopes, nor which operation asks for what.
"""

import re
from collections.abc import Collection
from typing import Protocol, runtime_checkable

_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


@runtime_checkable
class Requirement(Protocol):
    """Something that a set of scopes meets or does not, and the scopes it names, in order, each once."""

    @property
    def scopes(self) -> tuple[str, ...]: ...

    def met_by(self, held: Collection[str], /) -> bool: ...


class AllOf:
    """Met when every part is held. `AllOf()` asks for nothing but a grant."""

    __slots__ = ("_names", "_nested", "parts", "scopes")

    def __init__(self, *parts: str | Requirement) -> None:
        self.parts = tuple(map(_checked, parts))
        self.scopes = _named(self.parts)
        self._names = frozenset(part for part in self.parts if isinstance(part, str))
        self._nested = tuple(part for part in self.parts if not isinstance(part, str))

    def met_by(self, held: Collection[str], /) -> bool:
        if not self._names.issubset(held):
            return False
        return not self._nested or all(part.met_by(held) for part in self._nested)

    def __repr__(self) -> str:
        return f"AllOf({', '.join(map(repr, self.parts))})"


class AnyOf:
    """Met when at least one part is held."""

    __slots__ = ("parts", "scopes")

    def __init__(self, *parts: str | Requirement) -> None:
        if not parts:
            raise ValueError("AnyOf() can never be met: name at least one scope")
        self.parts = tuple(map(_checked, parts))
        self.scopes = _named(self.parts)

    def met_by(self, held: Collection[str], /) -> bool:
        return any(part in held if isinstance(part, str) else part.met_by(held) for part in self.parts)

    def __repr__(self) -> str:
        return f"AnyOf({', '.join(map(repr, self.parts))})"


def all_of(parts: tuple[str | Requirement, ...]) -> Requirement:
    """One requirement that holds when every part does."""
    if len(parts) == 1 and isinstance(parts[0], (AllOf, AnyOf)):
        return parts[0]
    return AllOf(*parts)


def _checked(part: str | Requirement) -> str | Requirement:
    if isinstance(part, type) or not isinstance(part, str | Requirement):  # a class has the members too
        raise TypeError("a requirement is made of scope names, AllOf and AnyOf; did @requires miss its parentheses?")
    if isinstance(part, str) and not _SCOPE_TOKEN.fullmatch(part):
        raise ValueError(f"{part!r} is not one scope: no spaces, quotes, backslashes or non-ASCII (RFC 6749 3.3)")
    return part


def _named(parts: tuple[str | Requirement, ...]) -> tuple[str, ...]:
    names = [name for part in parts for name in ((part,) if isinstance(part, str) else part.scopes)]
    return tuple(dict.fromkeys(names))
