"""Operations of an API, a method and a path template each, and what is said of them.

Paths are matched in the decoded form in which applications route them; templates are werkzeug's. Knows neither scopes
nor grants: policy.py and the filters of responses do.
"""

import math
import re
from collections.abc import Collection, ItemsView, Iterator, Mapping
from itertools import product
from typing import Any, Generic, TypeVar

from werkzeug.exceptions import HTTPException
from werkzeug.routing import AnyConverter, BaseConverter, Map, Rule

from .errors import InvalidRequest
from .matching_time import LEAST_PATH, MatchingTime, Piece
from .path_values import CONVERTERS, is_plainly, refuse_doubtful
from .public_paths import is_ambiguous
from .request import Request

T = TypeVar("T")
_OPERATION = re.compile(r"(\*|[!#$%&'+.^_`|~0-9A-Z-]+) (/[^\s?#]*)")
_VARIABLE = re.compile(r"<(?:([^:<>]*):)?([^<>]*)>")
_FOREIGN = re.compile(r"[{}*]|/:")  # how variables look elsewhere
_TEXT = frozenset({"default", "string"})
MAX_SPELLINGS = 10_000  # of a template with listed texts, each compared with those of others: 10 ms or so
# What werkzeug raises for templates, and its converters.
_UNREADABLE = (ValueError, LookupError, TypeError, SyntaxError)


class OperationError(ValueError):
    """An operation cannot be mapped; `name` is the one to mend."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


class OperationMap(Generic[T]):
    """What is said of each operation, by `GET /photos/<int:id>`; `*` stands for all methods that have no entry.

    GET covers HEAD, unless HEAD has an entry. A slash at the end does not count, save that what is below `/files/` is
    for `/files/<path:rest>`. Of two templates that fit, the one that says more of the path is taken: listed texts, then
    numbers and UUIDs, then text. A value that its converter does not read, such as a number out of range, stays text.
    `converters` are further ones of werkzeug, by name. For names in `exact`, numbers and UUIDs are written as usual
    (`007` is 7 to one router and text to another). Raises OperationError, a ValueError, for a name or a template that
    cannot be read, takes too long to match, or is one operation with another.
    """

    def __init__(
        self,
        entries: Mapping[str, T],
        *,
        converters: Mapping[str, type[BaseConverter]] | None = None,
        exact: Collection[str] = (),
    ) -> None:
        self._entries = dict(entries)
        # No redirects: what an application would answer with one is the operation that it leads to.
        kinds = {**CONVERTERS, **(converters or {})}
        routes = Map(strict_slashes=False, merge_slashes=False, redirect_defaults=False, converters=kinds)
        seen: dict[tuple[str, str], str] = {}
        self._parameters: dict[str, frozenset[str]] = {}
        self._rest: dict[str, str] = {}  # of templates that end with a variable which may span slashes, that variable
        time = MatchingTime()
        operations = [(name, *_parts(name)) for name in self._entries]
        for name, method, template in sorted(operations, key=_last):  # the first that fits is taken
            try:
                route = _Route(template, name, None if method == "*" else method, exact=name in exact)
                routes.add(route)
            except _UNREADABLE as error:
                raise OperationError(f"{name!r} has a path template that cannot be read: {error}", name) from error
            for shape in _shapes(name, template, route.listed):
                same = seen.setdefault((method, shape), name)
                if same != name:
                    raise OperationError(f"{same!r} and {name!r} are one operation: leave one of them out", name)
            self._parameters[name] = frozenset(route.arguments)
            if rest := _rest(template, routes.converters):
                self._rest[name] = rest
            if not time.add(_pieces(template, route.converters)):
                raise OperationError(
                    f"{name!r} takes too long to match: have fewer variables in one segment, or of <path:...>, and "
                    "beside numbers no digits, `_` or further variables",
                    name,
                )
        self._longest = time.longest()
        if self._longest < LEAST_PATH:
            raise OperationError(
                f"these templates together take too long to match: paths of over {self._longest} characters could not "
                "be; have fewer with several variables in one segment, or with <path:...>",
                next(iter(self._entries)),
            )
        self._match = routes.bind("", default_method="").match

    def find(self, request: Request) -> tuple[T, Mapping[str, Any]] | None:
        """What is said of the operation that `request` asks for, and the parameters of its path; None when nothing is.

        Raises InvalidRequest (`ambiguous_path`, `ambiguous_method`, `path_too_long`): somebody further in might take
        the request for another one.
        """
        if is_ambiguous(request.path):
            refuse_doubtful()
        if not request.method.isupper():  # `get` is not GET (RFC 9110 section 9.1); some frameworks take it for that
            raise InvalidRequest("ambiguous_method", "The method of the request is not in upper case.")
        return self.match(request.method, request.path)

    def match(self, method: str, path: str) -> tuple[T, Mapping[str, Any]] | None:
        """The same for a method in upper case and a path without empty or dot segments. Raises as `find` does."""
        if len(path) > self._longest:
            raise InvalidRequest("path_too_long", "The path of the request is longer than this server reads.")
        name, parameters = self._look(method, path.rstrip("/") or "/")
        if path[-1:] == "/" and self._rest:
            name, parameters = self._with_slash(method, path, name, parameters)
        return None if name is None else (self._entries[name], parameters)

    def _with_slash(
        self, method: str, path: str, name: str | None, parameters: Mapping[str, Any]
    ) -> tuple[str | None, Mapping[str, Any]]:
        """What is meant by a path with a slash at its end, which some routers take for the empty rest of a path."""
        below, found = self._look(method, f"{path}~")
        if below is None or below not in self._rest:
            return name, parameters
        if name is None:
            return below, {**found, self._rest[below]: ""}
        if path != "/" and self._entries[name] != self._entries[below]:
            refuse_doubtful()
        return name, parameters

    def _look(self, method: str, path: str) -> tuple[str | None, Mapping[str, Any]]:
        try:
            name, parameters = self._match(path, method)
        except HTTPException:  # not found, or not with this method
            return None, {}
        return name, parameters

    def items(self) -> ItemsView[str, T]:
        return self._entries.items()

    def parameters(self, name: str) -> frozenset[str]:
        """The parameters in the path of the operation `name`."""
        return self._parameters[name]


class _Route(Rule):
    """A route that takes a path by its form alone: where a value is out of range, no other template is tried either.

    Where it is `exact`, the value must be written as usual. `converters` are those of its variables.
    """

    def __init__(self, template: str, name: str, method: str | None, *, exact: bool) -> None:
        super().__init__(template, methods=None if method is None else [method], endpoint=name)
        self.exact = exact

    def compile(self) -> None:
        self.converters: dict[str, BaseConverter] = {}
        super().compile()

    @property
    def listed(self) -> dict[str, list[str]]:
        """The texts of each variable that lists them."""
        return {name: sorted(one.items) for name, one in self.converters.items() if isinstance(one, AnyConverter)}

    def get_converter(self, variable_name: str, *arguments: Any) -> BaseConverter:
        converter = super().get_converter(variable_name, *arguments)
        self.converters[variable_name] = converter
        read = converter.to_python

        def to_python(value: str) -> Any:
            try:
                found = read(value)
            except ValueError:  # werkzeug would end the search here, and the rule for all others be asked
                found = value
            if self.exact and not is_plainly(converter, value, found):
                refuse_doubtful()
            return found

        converter.to_python = to_python  # type: ignore[method-assign]  # of this one object
        return converter


def _parts(name: str) -> tuple[str, str]:
    found = _OPERATION.fullmatch(name)
    if found is None:
        raise OperationError(
            f"{name!r} is no operation: write 'GET /photos/<id>', or '* /photos' for every method", name
        )
    method, template = found.groups()
    written = _VARIABLE.sub("x", template)
    if _FOREIGN.search(written):  # it would be read as text, and match nothing
        raise OperationError(
            f"{name!r} has a variable of another framework: write '<id>' for '{{id}}' and ':id', '<path:rest>' for '*'",
            name,
        )
    if is_ambiguous(written) or "%" in written:
        raise OperationError(
            f"{name!r} has a path that no request has: no empty or dot segments, `;`, backslashes and the like, and "
            "nothing percent-encoded",
            name,
        )
    return method, template.rstrip("/") or "/"  # with the slash it would be another place in the map


def _pieces(template: str, converters: Mapping[str, BaseConverter]) -> Iterator[Piece]:
    """The texts and the variables of `template`, in order."""
    at = 0
    for found in _VARIABLE.finditer(template):
        yield template[at : found.start()]
        yield converters[found[2]]
        at = found.end()
    yield template[at:]


def _rest(template: str, converters: Mapping[str, type[BaseConverter]]) -> str:
    """The variable that is the whole last segment of `template` and may span slashes; "" where there is none."""
    last = template.rpartition("/")[2]
    variables = _variables(template)
    if not variables or not _VARIABLE.fullmatch(last):
        return ""
    kind, name = variables[-1]
    return "" if converters[kind].part_isolating else name


def _variables(template: str) -> list[tuple[str, str]]:
    """Kind and name of each variable."""
    return [((found[1] or "default").partition("(")[0], found[2]) for found in _VARIABLE.finditer(template)]


def _last(operation: tuple[str, str, str]) -> tuple[bool, bool, int]:
    _, method, template = operation
    return method == "*", method != "HEAD", sum(kind in _TEXT for kind, _ in _variables(template))


def _shapes(name: str, template: str, listed: Mapping[str, list[str]]) -> list[str]:
    """`template` without names and options: equal where two templates take the same paths. Listed texts are spelled
    out, so that two lists that have one in common are seen. Raises OperationError where these are too many.
    """
    pieces: list[list[str]] = []
    at = 0
    for found in _VARIABLE.finditer(template):
        kind = (found[1] or "default").partition("(")[0]
        shapes = listed.get(found[2], ["<default>" if kind in _TEXT else f"<{kind}>"])
        pieces += [[template[at : found.start()]], shapes]
        at = found.end()
    if math.prod(map(len, pieces)) > MAX_SPELLINGS:  # what is not compared could be another operation's too
        raise OperationError(
            f"{name!r} lists texts for over {MAX_SPELLINGS} paths: list fewer, or take a converter of your own", name
        )
    return ["".join(one) for one in product(*pieces, [template[at:]])]
