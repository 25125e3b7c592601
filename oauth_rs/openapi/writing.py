"""A policy written into an OpenAPI document ("Security Requirement Object", OpenAPI 3.0.4, 3.1.1 and 3.2.0).

OpenAPI knows scopes alone, as alternatives of which each has all of some. What else an operation asks for stands in an
extension, for people to read.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import reduce
from operator import getitem
from typing import Any

from ..catalogue import ScopeCatalogue
from ..policy import OperationRule, PassThrough, Policy
from ..scopes import AllOf, AnyOf, Requirement
from .document import (
    REQUIREMENTS,
    Document,
    carries_scopes,
    checked_object,
    operations_of,
    path_item,
    paths_of,
    security_scheme,
)
from .finding import RuleFinder

MAX_ALTERNATIVES = 256  # of one operation; one of each of twenty pairs of scopes would be a million


def write_security(
    document: Document, policy: Policy, *, scheme: str = "oauth", catalogue: ScopeCatalogue | None = None
) -> dict[str, Any]:
    """A new document in which the `security` of every operation says what `policy` asks for, by `scheme`.

    `Public()` is `[]`, and what `PassThrough()` covers is left as it was. Requirements other than scopes stand in
    `x-oauth-requirements`, and hold beside the scopes. Path items that were referred to are written out. The flows of
    `scheme` list the scopes, with the descriptions of `catalogue`; a scheme that is not there is one of http bearer.

    Raises ValueError for operations that the policy does not map, or maps in several ways that the values of parameters
    decide; for a requirement of over 256 alternatives; and for a `scheme` that grants no scopes, or has no place for
    them, as one of http bearer in OpenAPI 3.0.
    """
    finder = RuleFinder(policy)
    operations = list(operations_of(document))
    rules = {described.name: finder.find(described) for described in operations}
    unmapped = [name for name, rule in rules.items() if rule is None]
    if unmapped:
        raise ValueError(f"the policy has no rule and no default for {', '.join(unmapped)}: map them")
    said = {name: _said(rule, scheme, name) for name, rule in rules.items() if not isinstance(rule, PassThrough)}
    written = deepcopy(dict(document))
    for path in paths_of(document):
        # Each its own: two paths may refer to one item.
        written["paths"][path] = deepcopy(dict(path_item(document, path)))
    for described in operations:
        if described.name in said:
            *above, method = described.place
            item = reduce(getitem, above, written)
            item[method] = {**_without_requirements(item[method]), **said[described.name]}
    needed = [scopes for members in said.values() for one in members["security"] for scopes in one.values()]
    _declare(written, scheme, [scope for scopes in needed for scope in scopes], catalogue)
    _check_place(written, scheme, needed)
    return written


def _check_place(written: Document, scheme: str, needed: list[list[str]]) -> None:
    """Returns when the lists of `scheme` may name scopes, in OpenAPI 3.0 only those of oauth2 and openIdConnect."""
    declared = security_scheme(written, scheme, "the policy")
    if str(written["openapi"]).startswith("3.0") and declared.get("type") == "http" and any(needed):
        raise ValueError(
            f"OpenAPI 3.0 has no place for the scopes of {scheme!r}, a scheme of http bearer: declare one of oauth2 or "
            "openIdConnect in components.securitySchemes"
        )


def _said(rule: OperationRule | None, scheme: str, name: str) -> dict[str, Any]:
    """The members of an operation that say what `rule` asks for."""
    if not isinstance(rule, Requirement):
        return {"security": []}
    security = {"security": [{scheme: list(scopes)} for scopes in _alternatives(rule, name)]}
    more = _more(rule)
    return {**security, REQUIREMENTS: more} if more else security


def _without_requirements(members: Document) -> dict[str, Any]:
    return {member: value for member, value in members.items() if member != REQUIREMENTS}


def _alternatives(requirement: str | Requirement, name: str) -> list[tuple[str, ...]]:
    """The sets of scopes of which any one is enough, as far as scopes say; none of them holds another one."""
    if isinstance(requirement, str):
        return [(requirement,)]
    if isinstance(requirement, AnyOf):
        return _fewest((one for part in requirement.parts for one in _alternatives(part, name)), name)
    found: list[tuple[str, ...]] = [()]
    for part in requirement.parts if isinstance(requirement, AllOf) else ():
        inner = _alternatives(part, name)
        found = _fewest((tuple(dict.fromkeys(one + other)) for one in found for other in inner), name)
    return found


def _fewest(alternatives: Iterable[tuple[str, ...]], name: str) -> list[tuple[str, ...]]:
    found = {frozenset(one): one for one in alternatives}
    if len(found) > MAX_ALTERNATIVES:
        raise ValueError(f"{name} has over {MAX_ALTERNATIVES} alternatives: give a name to scopes that go together")
    return [one for scopes, one in found.items() if not any(other < scopes for other in found)]


def _more(requirement: Requirement) -> list[str]:
    """Those parts of `requirement`, all of which hold, that are made of more than scopes."""
    if _is_of_scopes(requirement):
        return []
    if not isinstance(requirement, AllOf):
        return [repr(requirement)]
    return [shown for part in requirement.parts if not isinstance(part, str) for shown in _more(part)]


def _is_of_scopes(requirement: str | Requirement) -> bool:
    if isinstance(requirement, AllOf | AnyOf):
        return all(map(_is_of_scopes, requirement.parts))
    return isinstance(requirement, str)


def _declare(written: dict[str, Any], scheme: str, needed: Iterable[str], catalogue: ScopeCatalogue | None) -> None:
    """Lets `written` declare `scheme`, with the scopes where it has a place for them."""
    components = written.setdefault("components", {})
    checked_object(components, "components")
    schemes = components.setdefault("securitySchemes", {})
    checked_object(schemes, "securitySchemes")
    if scheme not in schemes:
        schemes[scheme] = {"type": "http", "scheme": "bearer"}
        return
    declared = deepcopy(dict(security_scheme(written, scheme, "the policy")))
    if not carries_scopes(declared):
        raise ValueError(f"the security scheme {scheme!r} grants no scopes: name another one, as scheme='oauth'")
    described: Mapping[str, str] = catalogue.descriptions if catalogue is not None else {}
    names = list(dict.fromkeys([*(catalogue.scopes_supported if catalogue is not None else ()), *needed]))
    what = f"the security scheme {scheme!r}"
    flows = declared.get("flows", {})
    checked_object(flows, f"{what}: flows")
    for kind, flow in flows.items():
        if not kind.startswith("x-"):
            known = checked_object(checked_object(flow, f"{what}: {kind}").get("scopes", {}), f"{what}: {kind}.scopes")
            flow["scopes"] = {**known, **{name: described.get(name) or known.get(name, "") for name in names}}
    schemes[scheme] = declared
