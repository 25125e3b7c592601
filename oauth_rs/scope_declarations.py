"""Scopes as an application declares them, each by itself: what it is for, how else it is spelled, what stands below it.

Does not know whether they fit together, see catalogue.py.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, TypeAlias

from .entries import EntryError, placed
from .scope_templates import is_template
from .scopes import checked_scope

_MAX_ID = 2**63 - 1  # what databases and other languages have for a number
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+")

Declaration: TypeAlias = "Scope | Children"
Children: TypeAlias = "Mapping[str, Declaration] | Sequence[str]"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a scope is for, how else it may be spelled, and what it implies.

    `id` may come as decimal text, `url` to the letter. `children` declares them, `{"deposit": Scope("Put money in")}`,
    or names those that are declared elsewhere, `["deposit"]`. Checked by the catalogue it is put into, which knows its
    name.
    """

    description: str = ""
    _: KW_ONLY
    url: str = ""
    id: int | None = None
    children: Children = ()


def flattened(declared: Mapping[str, Declaration]) -> dict[str, Scope]:
    """Every scope by its name, in the order written, with the names of its children. Raises EntryError."""
    found: dict[str, Scope] = {}
    # A dict may stand in several places, or in itself. Kept, so that no other object gets its identity.
    entered: dict[int, object] = {}
    waiting = [*declared.items()][::-1]
    while waiting:
        name, declaration = waiting.pop()
        scope = declaration if isinstance(declaration, Scope) else Scope(children=declaration)
        _check(name, scope)
        if isinstance(scope.children, Mapping) and id(scope.children) not in entered:
            entered[id(scope.children)] = scope.children
            waiting += [*scope.children.items()][::-1]
        scope = replace(scope, children=tuple(dict.fromkeys(scope.children)))
        if not _are_alike(found.setdefault(name, scope), scope):
            raise EntryError(f"scope {name!r} is declared twice, not alike: once will do, then list its name", name)
    return found


def spellings(scope: Scope) -> Iterator[tuple[str, str]]:
    """How else `scope` may be spelled, each with the member that says so."""
    if scope.url:
        yield scope.url, "url"
    if scope.id is not None:
        yield str(scope.id), "id"


def _are_alike(one: Scope, other: Scope) -> bool:
    return set(one.children) == set(other.children) and replace(one, children=()) == replace(other, children=())


def _check(name: Any, scope: Any) -> None:
    if not isinstance(name, str):
        raise EntryError(f"the name of a scope is text, not {type(name).__name__}: put it in quotes")
    _check_token(name, name)
    if is_template(name):
        raise EntryError(
            f"scope {name!r} has braces, as templates do: name those in families, where nothing implies them", name
        )
    if not isinstance(scope.description, str) or not scope.description.isprintable():
        raise EntryError(f"scope {name!r}: the description is one line of text", name, "description")
    if not isinstance(scope.url, str):
        raise EntryError(f"scope {name!r}: the url is text, as 'https://api.example.com/scopes/x'", name, "url")
    if scope.url:
        _check_token(scope.url, name, "url")
        if not _URL.fullmatch(scope.url):
            raise EntryError(f"scope {name!r}: write the url whole, with its https://", name, "url")
    if scope.id is not None and (type(scope.id) is not int or not 0 <= scope.id <= _MAX_ID):  # True is an int too
        raise EntryError(f"scope {name!r}: the id is a whole number from 0 to 2**63 - 1, without quotes", name, "id")
    _check_children(name, scope.children)


def _check_children(name: str, children: Any) -> None:
    if isinstance(children, Mapping):
        return  # each is an entry of its own
    if not isinstance(children, list | tuple) or not all(isinstance(child, str) for child in children):
        raise EntryError(f"scope {name!r}: its children are a list of names, or a dict of scopes", name, "children")
    for child in children:
        _check_token(child, name, "children")


def _check_token(text: str, name: str, *member: str) -> None:
    with placed(name, *member, what=", ".join((f"scope {name!r}", *member))):
        checked_scope(text)
