"""Which operation asks for what: policies, stated once and applied before the application is called.

What no rule maps is refused, unless the policy names a default. Decorators may ask for more: both hold. Does not check
credentials, and reads no files: policy_files.py does.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

from werkzeug.routing import BaseConverter

from .operations import OperationError, OperationMap
from .request import Request
from .scopes import AllOf, Requirement, needs_request, parameters_of

_NOTHING: Mapping[str, Any] = {}


class Public:
    """The rule of an operation that needs no grant, and has none even when a token is sent."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Public)

    def __hash__(self) -> int:
        return hash(Public)

    def __repr__(self) -> str:
        return "Public()"


class PassThrough:
    """The rule of an operation whose own back end checks the token: credentials go on untouched, without a grant."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PassThrough)

    def __hash__(self) -> int:
        return hash(PassThrough)

    def __repr__(self) -> str:
        return "PassThrough()"


UNCHECKED = (Public, PassThrough)  # what no grant is asked for
OperationRule: TypeAlias = Requirement | Public | PassThrough


class Operation(NamedTuple):
    """What a request asks for: the rule, and the parameters of the path."""

    rule: OperationRule
    parameters: Mapping[str, Any] = _NOTHING


class Policy(Protocol):
    """Says what a request needs. Raises InvalidRequest (`ambiguous_path`, `ambiguous_method`, `path_too_long`)."""

    def find(self, request: Request, /) -> Operation | None:
        """The operation that `request` asks for; None when none is mapped, which is refused."""

    def rules(self) -> Iterator[tuple[str, OperationRule]]:
        """Every operation and its rule, for lists and for checks at start-up."""


class NoScopes:
    """Any grant will do, for every operation."""

    def __init__(self) -> None:
        self._operation = Operation(AllOf())

    def find(self, _request: Request, /) -> Operation:
        return self._operation

    def rules(self) -> Iterator[tuple[str, OperationRule]]:
        yield "every operation", self._operation.rule


class APIScopes:
    """Every operation asks for all of `needed`."""

    def __init__(self, *needed: str | Requirement) -> None:
        if not needed:
            raise ValueError("APIScopes() asks for nothing: name a scope, or write NoScopes()")
        self._operation = Operation(AllOf(*needed))
        if unknown := parameters_of(self._operation.rule):  # type: ignore[arg-type]  # it is a requirement
            raise ValueError(f"APIScopes knows no path, so no {', '.join(sorted(unknown))}: write OperationScopes")

    def find(self, _request: Request, /) -> Operation:
        return self._operation

    def rules(self) -> Iterator[tuple[str, OperationRule]]:
        yield "every operation", self._operation.rule


class OperationScopes:
    """Each operation asks for what `rules` says; other operations for `default`, and are refused without one.

    A key is a method, or `*` for all that have no rule of their own, and a path template, as `GET /photos/<int:id>`. A
    rule is a scope, a requirement, `Public()` or `PassThrough()`. How they are matched: `OperationMap`, which takes
    `converters`. Paths with empty or dot segments and the like are refused, and so are methods in lower case, for
    somebody further in might take them for others. The method is that of the request line: overrides do not count.
    Raises ValueError, as OperationError where one of the rules is to mend, and TypeError.
    """

    def __init__(
        self,
        rules: Mapping[str, str | OperationRule],
        *,
        default: str | OperationRule | None = None,
        converters: Mapping[str, type[BaseConverter]] | None = None,
    ) -> None:
        _check_rules(rules)
        if not rules and default is None:
            raise ValueError("OperationScopes({}) refuses every request: map at least one operation")
        made = {name: _rule(name, rule) for name, rule in rules.items()}
        by_value = [name for name, rule in made.items() if isinstance(rule, Requirement) and needs_request(rule)]
        self._rules = OperationMap(made, converters=converters, exact=frozenset(by_value))
        self._default = None if default is None else Operation(_rule("default", default))
        for name, rule in self._rules.items():
            _check_parameters(name, rule, self._rules.parameters(name))
        if self._default is not None:
            _check_parameters("default", self._default.rule, frozenset())

    def find(self, request: Request, /) -> Operation | None:
        found = self._rules.find(request)
        return self._default if found is None else Operation(*found)

    def rules(self) -> Iterator[tuple[str, OperationRule]]:
        yield from self._rules.items()
        if self._default is not None:
            yield "default", self._default.rule


def _check_rules(rules: Any) -> None:
    if not isinstance(rules, Mapping) or not all(isinstance(name, str) for name in rules):
        raise TypeError("rules map operations to what they ask for: OperationScopes({'GET /photos': 'photos'})")


def _rule(name: str, rule: Any) -> OperationRule:
    if isinstance(rule, str):
        try:
            return AllOf(rule)
        except ValueError as error:
            raise OperationError(f"{name!r} asks for a scope that is none: {error}", name) from error
    if isinstance(rule, type) or not isinstance(rule, Requirement | Public | PassThrough):
        raise TypeError(
            f"{name!r} asks for a scope, AllOf(...), AnyOf(...), Public() or PassThrough(), not for {rule!r}"
        )
    return rule


def _check_parameters(name: str, rule: OperationRule, known: frozenset[str]) -> None:
    unknown = parameters_of(rule) - known if isinstance(rule, Requirement) else frozenset[str]()
    if unknown:
        missing = ", ".join(sorted(unknown))
        raise OperationError(f"{name!r} has no parameter {missing} in its path, and its rule names it", name)
