"""What an operation asks of a grant, as far as scopes say it: all of some, or any of them (RFC 6749 section 3.3).

A scope may name parameters of the path, as `tenant:{tenant}:read`. Requirements of other kinds, see requirements.py and
smart.py, nest in the same way. Does not know hierarchies of scopes, nor which operation asks for what.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

from .errors import InsufficientAuthentication, InsufficientScope, OAuthError
from .flow import Flow, at_once
from .request import Request
from .scope_templates import Template, is_template

_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
Lack: TypeAlias = OAuthError | None


class Granted(Protocol):
    """What a requirement is asked about: a `Grant`. `claims` are decoded anew at each reading."""

    @property
    def scopes(self) -> frozenset[str]: ...

    @property
    def claims(self) -> dict[str, Any]: ...


@runtime_checkable
class Requirement(Protocol):
    """Something that a grant meets or does not, and the scopes it names, in order, each once."""

    @property
    def scopes(self) -> tuple[str, ...]: ...

    def met_by(self, held: Collection[str], /) -> bool:
        """True when holding these scopes is enough, whoever asks and for what. False may still be met otherwise."""

    def shortfall(self, grant: Granted, request: Request | None, /) -> Lack | Flow[Lack]:
        """The refusal that says what `grant` lacks for `request`; None when the requirement is met.

        There is no `request` where a handler asks for itself: whoever needs one then raises TypeError.
        """


class AllOf:
    """Met when every part is. `AllOf()` asks for nothing but a grant."""

    __slots__ = ("_names", "_nested", "needs_request", "parts", "scopes")

    def __init__(self, *parts: str | Requirement) -> None:
        self.parts = tuple(map(_checked, parts))
        self.scopes = _named(self.parts)
        self._names = frozenset(part for part in self.parts if isinstance(part, str))
        self._nested = _cheap_first(self.parts)
        self.needs_request = any(map(needs_request, self._nested))

    def met_by(self, held: Collection[str], /) -> bool:
        if not self._names.issubset(held):
            return False
        return not self._nested or all(part.met_by(held) for part in self._nested)

    def shortfall(self, grant: Granted, request: Request | None, /) -> Lack | Flow[Lack]:
        """Scopes first: who lacks them need not authenticate again, nor is anybody asked for more."""
        if not self._names.issubset(grant.scopes):
            return lacking(self)
        return at_once(self._look(grant, request)) if self._nested else None

    def _look(self, grant: Granted, request: Request | None) -> Flow[Lack]:
        found: InsufficientAuthentication | None = None
        for part in self._nested:
            asked = part.shortfall(grant, request)
            lack = asked if asked is None or isinstance(asked, OAuthError) else (yield from asked)
            if found is not None and isinstance(lack, InsufficientAuthentication):
                _add(found, lack)
            elif isinstance(lack, InsufficientAuthentication):
                found = lack
            elif lack is not None:
                return lack
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AllOf) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash((AllOf, self.parts))

    def __repr__(self) -> str:
        return f"AllOf({', '.join(map(repr, self.parts))})"


class AnyOf:
    """Met when at least one part is."""

    __slots__ = ("_nested", "needs_request", "parts", "scopes")

    def __init__(self, *parts: str | Requirement) -> None:
        if not parts:
            raise ValueError("AnyOf() can never be met: name at least one scope")
        self.parts = tuple(map(_checked, parts))
        if AllOf() in self.parts:
            raise ValueError("AnyOf(..., AllOf()) is met by any grant: leave AllOf() out, or ask for AllOf() alone")
        self.scopes = _named(self.parts)
        self._nested = _cheap_first(self.parts)
        self.needs_request = any(map(needs_request, self._nested))

    def met_by(self, held: Collection[str], /) -> bool:
        return any(part in held if isinstance(part, str) else part.met_by(held) for part in self.parts)

    def shortfall(self, grant: Granted, request: Request | None, /) -> Lack | Flow[Lack]:
        if self.met_by(grant.scopes):
            return None
        return at_once(self._look(grant, request)) if self._nested else lacking(self)

    def _look(self, grant: Granted, request: Request | None) -> Flow[Lack]:
        nearest: Lack = None
        for part in self._nested:
            asked = part.shortfall(grant, request)
            lack = asked if asked is None or isinstance(asked, OAuthError) else (yield from asked)
            if lack is None:
                return None
            # Of the ways that are open, the one for which the scopes are there.
            if nearest is None and isinstance(lack, InsufficientAuthentication):
                nearest = lack
        return nearest or lacking(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnyOf) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash((AnyOf, self.parts))

    def __repr__(self) -> str:
        return f"AnyOf({', '.join(map(repr, self.parts))})"


class ScopeTemplate:
    """A scope with parameters of the path, as `tenant:{tenant}:read`; a brace of the scope itself is written twice.

    Met when the scope that the parameters make of it is held. A parameter may be what RFC 3986 calls unreserved, up to
    256 characters, without the marks that stand beside it in the template; any other value meets nothing. No challenge
    names such a scope: nothing of a request is echoed.
    """

    __slots__ = ("filling", "template")

    needs_request = True
    scopes: tuple[str, ...] = ()

    def __init__(self, template: str) -> None:
        self.template = checked_scope(template)
        self.filling = Template(template)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters of the path that it names."""
        return self.filling.parameters

    def met_by(self, _held: Collection[str], /) -> bool:
        """False: which scope it is depends on the request."""
        return False

    def shortfall(self, grant: Granted, request: Request | None, /) -> Lack:
        if request is None:
            raise TypeError(f"{self.template!r} needs the path of the request: ask for it with @requires or a policy")
        values = {name: _value(request.parameters, name, self.template) for name in self.parameters}
        scope = self.filling.filled(values)
        return None if scope is not None and scope in grant.scopes else lacking(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScopeTemplate) and self.template == other.template

    def __hash__(self) -> int:
        return hash((ScopeTemplate, self.template))

    def __repr__(self) -> str:
        return repr(self.template)


def lacking(requirement: Requirement) -> InsufficientScope:
    """The refusal of a grant that does not hold the scopes of `requirement`."""
    return InsufficientScope(
        "insufficient_scope", "The grant does not cover this operation.", scope=" ".join(requirement.scopes)
    )


def needs_request(requirement: Requirement) -> bool:
    """True when `requirement` can be asked of a request only, and not of a grant alone."""
    return bool(getattr(requirement, "needs_request", False))


def all_of(parts: tuple[str | Requirement, ...]) -> Requirement:
    """One requirement that holds when every part does."""
    if len(parts) == 1 and isinstance(parts[0], (AllOf, AnyOf)):
        return parts[0]
    return AllOf(*parts)


def parameters_of(requirement: Requirement) -> frozenset[str]:
    """The parameters of the path that `requirement` and its parts look at."""
    own: Collection[str] = getattr(requirement, "parameters", ())
    parts: Collection[Any] = getattr(requirement, "parts", ())
    return frozenset(own).union(*(parameters_of(part) for part in parts if not isinstance(part, str)))


def templates_of(requirement: Requirement) -> tuple[Template, ...]:
    """The scopes with parameters that `requirement` and its parts ask for."""
    if isinstance(requirement, ScopeTemplate):
        return (requirement.filling,)
    parts: Collection[Any] = getattr(requirement, "parts", ())
    return tuple(template for part in parts if not isinstance(part, str) for template in templates_of(part))


def is_scope(name: str) -> bool:
    """True for one scope token (RFC 6749 section 3.3)."""
    return _SCOPE_TOKEN.fullmatch(name) is not None


def checked_scope(name: str) -> str:
    """`name`, when it is one scope token. Raises ValueError otherwise."""
    if not is_scope(name):
        raise ValueError(f"{name!r} is not one scope: no spaces, quotes, backslashes or non-ASCII (RFC 6749 3.3)")
    return name


def _checked(part: str | Requirement) -> str | Requirement:
    if isinstance(part, type) or not isinstance(part, str | Requirement):  # a class has the members too
        raise TypeError(
            "a requirement is made of scope names and objects such as AllOf, AnyOf and Condition(function): write "
            "several names as AllOf('a', 'b'); did @requires miss its parentheses?"
        )
    if not isinstance(part, str):
        return part
    checked_scope(part)
    return ScopeTemplate(part) if is_template(part) else part


def _cheap_first(parts: tuple[str | Requirement, ...]) -> tuple[Requirement, ...]:
    """The nested parts; those that ask functions of the application come last."""
    return tuple(sorted((part for part in parts if not isinstance(part, str)), key=needs_request))


def _named(parts: tuple[str | Requirement, ...]) -> tuple[str, ...]:
    names = [name for part in parts for name in ((part,) if isinstance(part, str) else part.scopes)]
    return tuple(dict.fromkeys(names))


def _add(found: InsufficientAuthentication, lack: InsufficientAuthentication) -> None:
    ages = [age for age in (found.max_age, lack.max_age) if age is not None]
    found.acr_values = found.acr_values or lack.acr_values
    found.max_age = min(ages, default=None)


def _value(parameters: Mapping[str, Any], name: str, template: str) -> str:
    try:
        return str(parameters[name])
    except KeyError:
        raise TypeError(f"{template!r} is asked for where the path has no parameter {name!r}") from None
