"""Where the templates of a server meet those of a route: paths that show which of its rules decide there.

Asks no policy: what is found fits a template by its form alone, and its rule may still be another one.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any, NamedTuple, TypeAlias

from werkzeug.routing import BaseConverter, Map, Rule

from ..server import ResourceServer
from .pieces import ANGLES, Piece, pieces

_VALUES_EACH = 12  # of a segment
_MERGED_EACH = 64  # of one template
_BELOW = "<path:below>"
# What werkzeug raises for templates that it cannot read.
_UNREADABLE = (ValueError, LookupError, TypeError, SyntaxError)


class Segment(NamedTuple):
    """What may stand between two slashes. `spans` where that may go on behind the second."""

    values: tuple[str, ...]
    is_literal: bool
    spans: bool


Template: TypeAlias = tuple[Segment, ...]


def templates(server: ResourceServer) -> tuple[Template, ...]:
    """All that the policy of `server`, its filters and its public paths say something of."""
    names = [name for name, _ in server.policy.rules()] if server.policy is not None else []
    names += [name for name, _ in server.filters.items()] if server.filters is not None else []
    paths = [path for _, _, path in (name.partition(" ") for name in names) if path.startswith("/")]
    if server.public is not None:
        paths += [path.replace("*", _BELOW) for path in server.public.paths]  # it is the end of those that have one
    return tuple(segments(tuple(pieces(path, ANGLES, _converters(path)))) for path in dict.fromkeys(paths))


def segments(parts: Sequence[Piece]) -> Template:
    """`parts` between their slashes."""
    found: list[list[Piece]] = [[]]
    for part in parts:
        if part.converter is not None:
            found[-1].append(part)
            continue
        first, *more = part.text.split("/")
        found[-1].append(Piece(first, (first,)))
        found += [[Piece(text, (text,))] for text in more]
    return tuple(_segment(each) for each in (found if any(part.text for part in found[0]) else found[1:]))


def merged(route: Template, template: Template) -> Iterator[str]:
    """Paths that may fit both, with what each of them says."""
    return ("/" + "/".join(values) for values in islice(_merged(route, template), _MERGED_EACH))


def _merged(route: Template, template: Template) -> Iterator[tuple[str, ...]]:
    if not route and not template:
        yield ()
    if len(route) == 1 and route[0].spans and not template:
        yield ("",)  # policies do not count the slash that this makes, and routes may
    if not route or not template:
        return
    for value in _common(route[0], template[0]):
        yield from ((value, *rest) for rest in _merged(route[1:], template[1:]))
    if route[0].spans:
        for value in template[0].values:
            yield from ((value, *rest) for rest in _merged(route, template[1:]))
    if template[0].spans:
        for value in route[0].values:
            yield from ((value, *rest) for rest in _merged(route[1:], template))


def _common(one: Segment, other: Segment) -> tuple[str, ...]:
    if one.is_literal and other.is_literal:
        return one.values if one.values == other.values else ()
    if one.is_literal or other.is_literal:
        return one.values if one.is_literal else other.values
    return tuple(dict.fromkeys(other.values + one.values))


def _segment(parts: Sequence[Piece]) -> Segment:
    found = tuple(islice(map("".join, product(*(part.samples for part in parts))), _VALUES_EACH))
    variables = [part for part in parts if part.converter is not None]
    spans = any("/" in sample for part in variables for sample in part.samples)
    return Segment(tuple(value.strip("/") for value in found), not variables, spans)


def _converters(path: str) -> Mapping[str, Any]:
    rule = Rule(path, endpoint="")
    try:
        Map([rule])
    except _UNREADABLE:  # converters that only the policy knows, or another form of a template
        return defaultdict(lambda: BaseConverter(Map()))
    return rule._converters  # noqa: SLF001 - nothing else tells them as they are set up
