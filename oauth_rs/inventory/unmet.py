"""Filters and rules of servers that no route of an application falls under: of filters problems, of rules hints.

A filter that is misspelled hides nothing. What is missing of a policy shows in what the route takes instead, and one
policy may serve several applications.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Generic, TypeVar

from ..entries import meant
from ..errors import OAuthError
from ..fields import FieldFilter
from ..operations import OperationError, OperationMap
from ..policy import OperationRule
from ..server import ResourceServer
from .outcomes import EmptyRequest, requests
from .places import Examples, Served
from .route import Route

_NEAR = 0.85  # `/customer/<>` is 0.96 like `/customers/<>`; `/orders/<>` is 0.8 like `/offers/<>`
_VARIABLE = re.compile(r"<[^<>]*>|{[^{}]*}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry(Generic[T]):
    """What is said of an operation; equal where the same is said, for then a map may take either."""

    name: str = field(compare=False)
    said: T


def lost_filters(found: Sequence[Served], examples_of: Examples) -> Iterator[Route]:
    """A line for each filter that no route behind its server falls under, with what is wrong."""
    answering = [each for each in found if each.method != "WEBSOCKET"]
    for server in _servers(found):
        lost = _unmet(answering, examples_of, server, _filters(server))
        names = [f"{each.method} {path}" for each in answering if (path := _path(each, server)) is not None]
        for name, fields in lost.items():
            method, _, path = name.partition(" ")
            yield Route(
                method=method,
                path=path,
                endpoint="filters",
                protection="broken",
                filters=(fields,),
                problem=f"it is a filter, and no route behind its server answers there: {meant(name, names)}",
            )


def hints(found: Sequence[Served], examples_of: Examples) -> list[str]:
    """For each of `found` the rules that may have been meant for it and that no route falls under; "" for none.

    What has a rule of its very form is not meant by another one.
    """
    told: list[list[str]] = [[] for _ in found]
    for server in _servers(found):
        lost = _unmet(found, examples_of, server, _rules(server))
        rules = [_operation(name) for name, _ in _rules(server)]
        seen = [(each.method, _form(_path(each, server) or "")) for each in found]
        unnamed = {number: one for number, one in enumerate(seen) if not any(_fits(one, rule) for rule in rules)}
        for name in lost:
            method, form = _operation(name)
            forms = {number: other for number, (one, other) in unnamed.items() if _covers(method, one)}
            near = get_close_matches(form, {*forms.values()}, n=1, cutoff=_NEAR)
            for number in (number for number, other in forms.items() if other in near):
                told[number].append(f"no route falls under {name!r} of its policy: is this the one that was meant?")
    return ["; ".join(several) for several in told]


def _servers(found: Sequence[Served]) -> Iterable[ResourceServer]:
    return dict.fromkeys(passed.server for each in found for passed in each.place.passed)


def _unmet(
    found: Sequence[Served], examples_of: Examples, server: ResourceServer, said: Iterable[tuple[str, T]]
) -> dict[str, T]:
    """What of all that `server` has `said` of operations is of none that `found` has."""
    try:
        entries = OperationMap({name: _Entry(name=name, said=one) for name, one in said})
    except OperationError:  # as for converters that only a policy knows
        return {}
    met = {name for each in found for name in _met(each, examples_of, server, entries)}
    return {name: entry.said for name, entry in entries.items() if name not in met}


def _met(
    found: Served, examples_of: Examples, server: ResourceServer, entries: OperationMap[_Entry[T]]
) -> Iterator[str]:
    """The names of `entries` that requests to `found` fall under."""
    named = {name.partition(" ")[0] for name, _ in entries.items()} - {"*"}
    for passed, depth, root_path in found.place.passed:
        if passed is not server:
            continue
        if root_path:  # where it sees another path, that is what is wrong
            yield from (name for name, _ in entries.items())
            continue
        for method, examples in requests(found, examples_of, named):
            for path in dict.fromkeys("".join(example[depth:]) for example in examples):
                yield from _name(entries, method, path)


def _name(entries: OperationMap[_Entry[T]], method: str, path: str) -> Iterator[str]:
    try:
        found = entries.find(EmptyRequest(method, path))
    except OAuthError:  # as for a path that can be read in more than one way
        return
    if found is not None:
        yield found[0].name


def _filters(server: ResourceServer) -> Iterable[tuple[str, FieldFilter]]:
    return () if server.filters is None else server.filters.items()


def _rules(server: ResourceServer) -> Iterable[tuple[str, OperationRule]]:
    """Without what is said of no operation alone, as the default."""
    rules = () if server.policy is None else server.policy.rules()
    return [(name, rule) for name, rule in rules if " /" in name]


def _path(found: Served, server: ResourceServer) -> str | None:
    """The path of `found` as its framework writes it and `server` sees it; None where it does not stand before it."""
    depths = [passed.depth for passed in found.place.passed if passed.server is server]
    return "".join(piece.text for piece in found.place.pieces[depths[0] :]) if depths else None


def _operation(name: str) -> tuple[str, str]:
    """The method of a rule, and the form of its path."""
    method, _, path = name.partition(" ")
    return method, _form(path)


def _form(path: str) -> str:
    return _VARIABLE.sub("<>", path).rstrip("/")


def _fits(seen: tuple[str, str], rule: tuple[str, str]) -> bool:
    return seen[1] == rule[1] and _covers(rule[0], seen[0])


def _covers(rule: str, method: str) -> bool:
    """True when a rule for the method `rule` may be one of a route with `method`."""
    return "*" in {rule, method} or rule in {method, "GET" if method in {"HEAD", "WEBSOCKET"} else method}
