"""Where something stands in an application: its path in pieces, and the servers that requests to it pass.

Knows no framework, and asks no server anything.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, islice, product, takewhile
from typing import Any, NamedTuple, TypeAlias

from ..fields import FieldFilter
from ..notes import asked, filters_of
from ..scopes import Requirement
from ..server import ResourceServer
from .pieces import Anything, Piece, pattern, values
from .templates import Template, merged, segments, templates

_MAX_EXAMPLES = 128  # of one path, without those that templates add: enough for all samples of three parameters
_BELOW = Piece("/*", ("/1729", "/example.txt", "/example/1729", "/"), Anything("/.*"))
_FROM_HERE = Piece("/*", ("/1729", "/example.txt", "/example/1729", "/", ""), Anything("(?:/.*)?"))

Example = tuple[str, ...]  # a path, in as many pieces as its template


class Passed(NamedTuple):
    """A server that requests pass, and how many pieces of the path lead there: it does not see those.

    `root_path` is what an application further in takes off the path, unseen by the server.
    """

    server: ResourceServer
    depth: int
    root_path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A host, "" for any; a path; the parameters of both; and the servers on the way, from the outside in."""

    host: str = ""
    pieces: tuple[Piece, ...] = ()
    parameters: frozenset[str] = frozenset()
    passed: tuple[Passed, ...] = ()

    @property
    def path(self) -> str:
        """As it is written, after `//` and the host where one is named."""
        return (f"//{self.host}" if self.host else "") + "".join(piece.text for piece in self.pieces)

    @property
    def start(self) -> str:
        """What every path of a request to here begins with."""
        first = takewhile(lambda piece: piece.converter is None, self.pieces)
        return "".join(piece.text for piece in first)

    def behind(self, server: ResourceServer) -> "Place":
        """The same place, with `server` in front of all that is further in."""
        return replace(self, passed=(*self.passed, Passed(server, len(self.pieces))))

    def below(self, *pieces: Piece) -> "Place":
        """The place that is `pieces` further down the path."""
        return replace(self, pieces=self.pieces + pieces)

    def at(self, host: str, *parameters: str) -> "Place":
        """The same place, at `host`, which may have parameters."""
        return replace(self.with_parameters(*parameters), host=host)

    def with_parameters(self, *names: str) -> "Place":
        return replace(self, parameters=self.parameters.union(names))

    def rooted(self, root_path: str) -> "Place":
        """The same place, in an application that takes `root_path` off the paths that servers further out saw."""
        return replace(self, passed=tuple(each._replace(root_path=root_path) for each in self.passed))

    def examples(self, templates: Callable[[ResourceServer], Sequence[Template]]) -> list[Example]:
        """Paths of requests that are led here, among them such as fit `templates` of the servers on the way."""
        samples = [piece.samples for piece in self.pieces]
        widest = max(map(len, samples), default=1)
        # Where there are too many for all, each sample is in one at least.
        diagonal = (tuple(each[number % len(each)] for each in samples) for number in range(widest))
        all_of_them = islice(product(*samples), _MAX_EXAMPLES)
        return list(dict.fromkeys(chain(diagonal, all_of_them, self._of(templates))))

    def _of(self, templates: Callable[[ResourceServer], Sequence[Template]]) -> Iterator[Example]:
        for server, depth, _ in self.passed:
            before, seen = tuple(piece.samples[0] for piece in self.pieces[:depth]), self.pieces[depth:]
            route, whole = segments(seen), pattern(seen)
            for path in (path for template in templates(server) for path in merged(route, template)):
                found = values(path, seen, whole)
                if found is not None:
                    yield before + found


HERE = Place()
Examples: TypeAlias = Callable[[Place], Sequence[Example]]


def examples() -> Examples:
    """What finds the examples of places, those of each once: the methods of a route, and all that asks, share them."""
    known = cache(templates)
    return cache(lambda place: place.examples(known))


class Asked(NamedTuple):
    """A requirement, and whether a `decorator` or a `dependency` asks for it."""

    source: str
    requirement: Requirement


class Earlier(NamedTuple):
    """Another route of the application, which answers to what fits it; `start` is how its paths begin."""

    method: str
    host: str
    start: str
    path: re.Pattern[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A method of a place, what answers there, and what that asks for and filters by itself.

    `before` are asked ahead of it. `is_opaque` where it is an application that cannot be looked into, or files.
    """

    method: str
    place: Place
    endpoint: str
    asked: tuple[Asked, ...] = ()
    filters: tuple[FieldFilter, ...] = ()
    before: tuple[Earlier, ...] = ()
    is_opaque: bool = False

    def through(self, *entered: Any) -> "Served":
        """The same, where a request must also get through each of `entered`, which may be decorated."""
        wanted = (Asked("decorator", requirement) for part in entered for requirement in asked(part))
        filters = (fields for part in entered for fields in filters_of(part))
        return replace(self, asked=(*self.asked, *wanted), filters=(*self.filters, *filters))

    def earlier(self) -> Earlier:
        """What this is to those that are asked after it."""
        return Earlier(self.method, self.place.host, self.place.start, pattern(self.place.pieces))

    def led_here(self, method: str, examples: Sequence[Example]) -> Sequence[Example]:
        """Those of `examples` that no other route answers with `method`."""
        same = {method} if method == "WEBSOCKET" else {method, "*"}
        near = [one for one in self.before if one.method in same and one.host == self.place.host]
        start = self.place.start
        # Most begin otherwise, and need not be tried.
        near = [one for one in near if one.start.startswith(start) or start.startswith(one.start)]
        own = [example for example in examples if not any(one.path.fullmatch("".join(example)) for one in near)]
        return own or examples  # what seems to be in the way of it altogether may not be


def opaque(app: object, place: Place, *, itself: bool = False) -> Served:
    """An application that cannot be looked into: all below `place`, and `itself` where that leads there too."""
    below = place.below(_FROM_HERE if itself else _BELOW)
    return Served(method="*", place=below, endpoint=label(app), is_opaque=True)


def label(thing: Any) -> str:
    """What a function, a class or an object is called."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}.{named.__qualname__}"


def handler(view: type, method: str) -> Any:
    """The function of a class of views that `method` ends in; None when there is none. GET stands in for HEAD."""
    own = getattr(view, method.lower(), None)
    return getattr(view, "get", None) if own is None and method == "HEAD" else own
