"""The scopes of an API and what each implies: who holds a scope holds all that stand below it (RFC 6749 section 3.3).

A scope may be spelled in three ways: by its name, by a URL, and by a number. Requirements go by names only. What may be
declared is in scope_declarations.py. Reads no files, see configuration.py. Does not know the grammar of SMART scopes,
see smart.py, nor who may grant what.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from itertools import compress
from types import MappingProxyType

from .entries import EntryError, meant
from .scope_declarations import Declaration, Scope, flattened, spellings
from .scope_families import ScopeFamily
from .scopes import Requirement, templates_of
from .smart_scopes import smart_scope

# What is remembered of sets of scopes. Tokens of one kind share theirs, and an API has some dozens of kinds; where each
# implies a thousand scopes, all take 17 MB. Larger sets are worked out each time: hardly any comes twice, and ten
# thousand scopes are a megabyte.
REMEMBERED_SETS = 512
REMEMBERED_SCOPES = 32
REMEMBERED_CHARACTERS = 2048


class ScopeCatalogue:
    """Every scope of an API: `ScopeCatalogue({"withdraw": {"deposit": {}}, "account": Scope("Read it", id=3)})`.

    A scope is declared as a `Scope`, or by its children alone: a dict declares them, a list names them. A child may
    have several parents. `in`, `len` and `names` go by names, in declared order. `families` are templates of scopes too
    many to list, `["tenant:{tenant}:read"]`; they are no names and imply nothing. Immutable once made.

    Raises EntryError, a ValueError that names the entry: for cycles, children that are not declared, names declared
    twice and not alike, spellings that two scopes share, and what is no name, description, URL or id.
    """

    __slots__ = ("_aliases", "_held", "_implied", "_implying", "_remembered", "_scopes", "families", "names")

    def __init__(self, scopes: Mapping[str, Declaration], *, families: Iterable[str] = ()) -> None:
        if not isinstance(scopes, Mapping):
            raise EntryError("a catalogue is made of a dict: ScopeCatalogue({'photos': Scope('See photos')})")
        self._scopes = flattened(scopes)
        self.names = tuple(self._scopes)
        self.families = MappingProxyType({template: ScopeFamily(template) for template in _listed(families)})
        self._aliases = _aliases(self._scopes)
        _check_apart(self.families.values(), {**dict(zip(self.names, self.names, strict=True)), **self._aliases})
        self._implied = _closure(self._scopes)
        self._implying = frozenset(self._implied)
        self._remembered = lru_cache(REMEMBERED_SETS)(self._expanded)
        self._held = lru_cache(REMEMBERED_SETS)(self._resolved_and_expanded)

    def resolve(self, scopes: Iterable[str]) -> frozenset[str]:
        """The same scopes by their names. What the catalogue does not have is kept as it is.

        Spellings are compared to the letter: `017`, `+17` and digits of other scripts are not the id 17.
        """
        given = frozenset(_listed(scopes))
        if self._aliases.keys().isdisjoint(given):
            return given
        return frozenset(self._aliases.get(scope, scope) for scope in given)

    def expand(self, scopes: frozenset[str]) -> frozenset[str]:
        """`scopes`, which are names, and all that they imply; the same object when that is nothing more."""
        if scopes.isdisjoint(self._implying):
            return scopes
        found = self._remembered(scopes) if _is_small(scopes) else self._expanded(scopes)
        return scopes if len(found) == len(scopes) else found

    def held(self, scopes: Iterable[str]) -> frozenset[str]:
        """The names of all that is held by who was granted `scopes`: resolved and expanded."""
        given = frozenset(_listed(scopes))
        return self._held(given) if _is_small(given) else self._resolved_and_expanded(given)

    def check(self, names: Iterable[str], where: str) -> None:
        """Returns when the catalogue has every one of `names`; SMART scopes pass by their shape.

        Raises ValueError that says `where` the scope is named, and what may have been meant. Ids and URLs are refused:
        nobody holds a scope under those.
        """
        for name in _listed(names):
            if name in self._scopes or smart_scope(name) or any(one.has(name) for one in self.families.values()):
                continue
            if name in self._aliases:
                raise ValueError(f"{where}: {name!r} is another spelling of {self._aliases[name]!r}: write that")
            raise ValueError(f"{where}: there is no scope {name!r} in the catalogue: {meant(name, self.names)}")

    def check_requirement(self, requirement: Requirement, where: str) -> None:
        """Returns when the catalogue has every scope that `requirement` names, and of its templates a family or a name.

        Raises ValueError as `check` does.
        """
        self.check(requirement.scopes, where)
        for template in templates_of(requirement):
            if any(one.covers(template) for one in self.families.values()) or any(map(template.takes, self.names)):
                continue
            hint = meant(template.text, self.families)
            raise ValueError(f"{where}: no family of the catalogue has {template.text!r}: {hint}")

    def tree(self) -> str:
        """The hierarchy as text, a line for each scope. `...` stands for children that are printed further up."""
        lines: list[str] = []
        printed: set[str] = set()
        waiting = [(name, 0) for name in reversed(self.tops)]
        while waiting:
            name, depth = waiting.pop()
            children = self._scopes[name].children
            again = name in printed and children  # in full each time, twenty diamonds would print a million lines
            lines.append("  " * depth + _line(name, self._scopes[name]) + (" ..." if again else ""))
            waiting += [] if again else [(child, depth + 1) for child in reversed(tuple(children))]
            printed.add(name)
        return "\n".join(lines)

    @property
    def tops(self) -> list[str]:
        """The names of scopes that no other implies, in declared order."""
        below = {child for scope in self._scopes.values() for child in scope.children}
        return [name for name in self.names if name not in below]

    @property
    def scopes_supported(self) -> list[str]:
        """The names to publish, in declared order (RFC 9728 section 2); `offline_access` is the issuer's affair."""
        return [name for name in self.names if name != "offline_access"]

    @property
    def descriptions(self) -> Mapping[str, str]:
        """Name -> description, "" where there is none."""
        return MappingProxyType({name: scope.description for name, scope in self._scopes.items()})

    def __contains__(self, name: object) -> bool:
        return name in self._scopes

    def __len__(self) -> int:
        return len(self.names)

    def __str__(self) -> str:
        return self.tree()

    def __repr__(self) -> str:
        return f"<ScopeCatalogue of {len(self)} scopes>"

    def _expanded(self, scopes: frozenset[str]) -> frozenset[str]:
        bits = 0
        for scope in scopes & self._implying:
            bits |= self._implied[scope]
        # The lowest bit is that of the first name.
        return scopes.union(compress(self.names, map(int, reversed(f"{bits:b}"))))

    def _resolved_and_expanded(self, scopes: frozenset[str]) -> frozenset[str]:
        return self.expand(self.resolve(scopes))


def _listed(scopes: Iterable[str]) -> Iterable[str]:
    if isinstance(scopes, str):  # else its letters would be taken for scopes
        raise TypeError("scopes are a list, not one string")
    return scopes


def _is_small(scopes: frozenset[str]) -> bool:
    return len(scopes) <= REMEMBERED_SCOPES and sum(map(len, scopes)) <= REMEMBERED_CHARACTERS


def _aliases(scopes: Mapping[str, Scope]) -> dict[str, str]:
    """Each other spelling of a scope -> its name."""
    found: dict[str, str] = {}
    for name, scope in scopes.items():
        for spelling, member in spellings(scope):
            owner = spelling if spelling in scopes else found.setdefault(spelling, name)
            if owner != name:
                raise EntryError(
                    f"scope {name!r}: the {member} {spelling!r} is taken by {owner!r}: give it another", name, member
                )
    return found


def _check_apart(families: Iterable[ScopeFamily], spellings: Mapping[str, str]) -> None:
    """Returns when no scope that is declared is of a family too, in any of its `spellings`. Raises EntryError."""
    for family in families:
        for spelling, name in spellings.items():
            if family.has(spelling):  # who may grant the family could grant it, and what it implies
                raise EntryError(
                    f"scope {name!r}: {spelling!r} is of the family {family.template!r}: name it apart", name
                )


def _closure(scopes: Mapping[str, Scope]) -> dict[str, int]:
    """Each scope with children -> all below it, as bits that count along the names.

    As sets, a chain of two thousand would take a hundred megabytes. Raises EntryError for cycles and unknown children.
    """
    bit = {name: 1 << number for number, name in enumerate(scopes)}
    below: dict[str, int] = {}
    for name in _children_first(scopes):
        for child in scopes[name].children:
            below[name] = below.get(name, 0) | bit[child] | below.get(child, 0)
    return below


def _children_first(scopes: Mapping[str, Scope]) -> list[str]:
    for name, scope in scopes.items():
        for child in scope.children:
            if child not in scopes:
                hint = meant(child, scopes)
                raise EntryError(f"scope {name!r}: its child {child!r} is not declared: {hint}", name, "children")
    try:
        return [*TopologicalSorter({name: scope.children for name, scope in scopes.items()}).static_order()]
    except CycleError as error:
        cycle = error.args[1][::-1]  # it goes from child to parent
        shown = " -> ".join(cycle)
        raise EntryError(f"scopes imply each other, take one arrow out: {shown}", cycle[0], "children") from error


def _line(name: str, scope: Scope) -> str:
    marks = ", ".join(f"id {text}" if member == "id" else text for text, member in spellings(scope))
    return name + (f": {scope.description}" if scope.description else "") + (f" ({marks})" if marks else "")
