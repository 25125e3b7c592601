"""The policy that an OpenAPI document states ("Security Requirement Object", OpenAPI 3.0.4, 3.1.1 and 3.2.0).

Does not look at `servers`, for paths are relative to the application; nor at webhooks and callbacks, which it calls
itself.
"""

from collections.abc import Mapping
from typing import Any

from ..entries import EntryError, placed
from ..operations import OperationError
from ..policy import OperationRule, OperationScopes, Public
from ..scopes import AllOf, AnyOf
from .document import REQUIREMENTS, Described, Document, carries_scopes, operations_of, security_scheme


def policy_from(document: Document, *, default: str | OperationRule | None = None) -> OperationScopes:
    """What the operations of `document` ask for, by their `security` or else that of the document.

    Its alternatives are a list, of which one is enough. Scopes of oauth2, openIdConnect and http bearer schemes count;
    an alternative of other schemes is not open here, and a list of those alone asks for any grant. `[]` is `Public()`.
    Operations that the document does not have are asked for `default`, and refused without one.

    Raises EntryError, a ValueError that names the operation and leads to it: where nothing says what it asks for, where
    a grant is optional or other requirements stand beside the scopes, and for what the document does not declare.
    """
    rules: dict[str, OperationRule] = {}
    places: dict[str, tuple[str, ...]] = {}
    silent: list[Described] = []
    for described in operations_of(document):
        security = described.members.get("security", document.get("security"))
        with placed(*described.place):
            operation = described.operation
            if security is None:
                silent.append(described)
            elif operation in rules:
                raise ValueError(f"{described.name} is there twice, under other names of parameters: leave one out")
            else:
                rules[operation] = _rule(document, described, security)
                places[operation] = described.place
    if silent:
        names = ", ".join(described.name for described in silent)
        raise EntryError(f"nothing says who may call {names}: write `security: []` where anybody may", *silent[0].place)
    try:
        return OperationScopes(rules, default=default)
    except OperationError as error:
        raise EntryError(str(error), *places.get(error.name, ())) from error


def _rule(document: Document, described: Described, security: Any) -> OperationRule:
    name = described.name
    if REQUIREMENTS in described.members:
        raise ValueError(
            f"{name} asks for more than scopes ({REQUIREMENTS}): state its rule in code or in a policy file"
        )
    place: tuple[str, ...] = (*described.place, "security") if "security" in described.members else ("security",)
    with placed(*place):
        if not isinstance(security, list) or not all(isinstance(one, Mapping) for one in security):
            raise ValueError(f"{name}: security lists objects, as [{{'oauth': ['photos']}}]")
        if security in ([], [{}]):
            return Public()
        if {} in security:
            raise ValueError(
                f"{name}: a grant is optional, and a policy knows no such thing: take {{}} out, or write `[]`"
            )
    alternatives: list[AllOf] = []
    for number, one in enumerate(security):
        with placed(*place, number):
            scopes = _scopes(document, one, name)
        alternatives += [] if scopes is None else [scopes]
    if len(alternatives) < 2 or AllOf() in alternatives:  # noqa: PLR2004 - several
        return min(alternatives, key=lambda one: len(one.parts), default=AllOf())
    return AnyOf(*(one if len(one.parts) > 1 else one.parts[0] for one in alternatives))


def _scopes(document: Document, alternative: Mapping[str, Any], name: str) -> AllOf | None:
    """The scopes of one alternative; None when none of its schemes grants any."""
    found: list[str] = []
    grants = apart = False
    for scheme, needed in alternative.items():
        carries = carries_scopes(security_scheme(document, scheme, name))
        if not isinstance(needed, list) or not all(isinstance(scope, str) for scope in needed):
            raise ValueError(f"{name}: {scheme} has a list of scopes, be it []")
        if needed and not carries:
            raise ValueError(
                f"{name}: {scheme} grants no scopes, so {', '.join(needed)} would not be asked for: write []"
            )
        grants = grants or carries
        apart = apart or not carries
        found += needed
    if grants and apart:
        raise ValueError(
            f"{name}: a request carries one set of credentials, and cannot be asked for two: split {{...}}"
        )
    try:
        return AllOf(*dict.fromkeys(found)) if grants else None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
