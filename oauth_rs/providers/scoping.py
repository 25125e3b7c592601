"""The scopes that a provider grants: what a token claims, and its roles stand for, within what the provider may grant.

In this order: other spellings become names, the scopes of roles are added, all that the provider may not grant is taken
out, and what is left brings what it implies. A SMART scope that lies within those that the provider may grant may be
granted too, and so may those of a family that it names. Reads only claims whose signature is good.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from ..catalogue import ScopeCatalogue
from ..claim_names import STANDARD, ClaimNames, ClaimPath
from ..entries import placed
from ..jose import claims as claim
from ..roles import RoleMap
from ..scopes import checked_scope
from ..smart_scopes import covered, smart_scope


class Scoping:
    """`allowed` are all scopes that may be granted, None for any; who may grant a scope may grant what it implies."""

    __slots__ = ("_allowed", "_catalogue", "_families", "_roles", "_smart", "_within", "of")

    def __init__(
        self,
        *,
        allowed: frozenset[str] | None = None,
        roles: tuple[RoleMap, ...] = (),
        catalogue: ScopeCatalogue | None = None,
    ) -> None:
        self._allowed, self._roles, self._catalogue = allowed, roles, catalogue
        # Closed, or who may grant a parent could not grant its children alone. Nothing that a scope in here implies is
        # outside, so what is expanded after the cut stays within.
        self._within = allowed if allowed is None or catalogue is None else catalogue.expand(allowed)
        families = {} if catalogue is None else catalogue.families
        self._families = tuple(families[one] for one in allowed or () if one in families)
        self._smart = tuple(scope for scope in map(smart_scope, self._within or ()) if scope is not None)
        # The scopes to grant for the claims it is given; raises InvalidToken (`malformed_claim`). Mostly just those.
        changes = allowed is not None or roles or catalogue is not None
        self.of: Callable[[Mapping[str, Any]], frozenset[str]] = self._of if changes else claim.scopes

    def _of(self, claims: Mapping[str, Any]) -> frozenset[str]:
        found = claim.scopes(claims) if self._catalogue is None else _named(claims, self._catalogue)
        for roles in self._roles:
            found |= roles.scopes_for(claims)
        if self._within is not None:
            found = self._cut(found, self._within)
        if self._catalogue is None:
            return found
        expanded = self._catalogue.expand(found)
        if self._within is not None and (self._smart or self._families):
            return self._cut(expanded, self._within)  # what is covered is not in there, and may imply what is outside
        return expanded

    def _cut(self, found: frozenset[str], within: frozenset[str]) -> frozenset[str]:
        if not self._smart and not self._families:
            return found & within
        return frozenset(one for one in found if one in within or self._covers(one))

    def _covers(self, text: str) -> bool:
        if any(family.has(text) for family in self._families):
            return True
        scope = smart_scope(text) if self._smart else None
        return scope is not None and covered(scope, self._smart)

    def with_catalogue(self, catalogue: ScopeCatalogue, provider: str) -> "Scoping":
        """The same, by `catalogue`. Raises ValueError for a scope that it does not have."""
        names = (self._allowed or frozenset()) - catalogue.families.keys()
        catalogue.check(sorted(names), f"the scopes of provider {provider!r}")
        for roles in self._roles:
            for role, scopes in roles.scopes.items():
                catalogue.check(sorted(scopes), f"role {role!r} of provider {provider!r}")
        return Scoping(allowed=self._allowed, roles=self._roles, catalogue=catalogue)


class Terms(NamedTuple):
    """On what terms a provider grants: which scopes, and where its claims hold what no standard gives a place."""

    scoping: Scoping
    names: ClaimNames


def terms_of(
    scopes: Collection[str] | None,
    roles: RoleMap | Iterable[RoleMap],
    properties: ClaimPath | Mapping[str, ClaimPath],
    owner: Mapping[str, ClaimPath] | None,
    domain: str,
) -> Terms:
    """The terms that these options of a provider state. Raises TypeError and ValueError for what cannot be one."""
    if isinstance(scopes, str):
        raise TypeError("scopes is a list of strings, not one string")
    listed = role_maps(roles)
    return Terms(scoping_of(scopes, listed), names_of(listed, properties, owner, domain))


def scoping_of(scopes: Collection[str] | None, roles: tuple[RoleMap, ...]) -> Scoping:
    """The scoping of a provider that may grant `scopes`. Raises ValueError for what is no scope."""
    with placed("scopes", what="the scopes of a provider"):
        allowed = None if scopes is None else frozenset(map(checked_scope, scopes))
    return Scoping(allowed=allowed, roles=roles)


def role_maps(roles: RoleMap | Iterable[RoleMap]) -> tuple[RoleMap, ...]:
    """The role maps that `roles` is or lists. Raises TypeError."""
    listed = tuple(roles) if isinstance(roles, Iterable) else (roles,)
    if not all(isinstance(one, RoleMap) for one in listed):
        raise TypeError("roles is RoleMap('realm_access.roles', {'manager': {'profile'}}), or a list of such")
    return listed


def names_of(
    roles: tuple[RoleMap, ...],
    properties: ClaimPath | Mapping[str, ClaimPath],
    owner: Mapping[str, ClaimPath] | None,
    domain: str,
) -> ClaimNames:
    """Where the claims of a provider hold what no standard gives a place, one object for all of its grants."""
    sources = tuple(one.source for one in roles)
    if not sources and owner is None and (properties, domain) == ((), ""):
        return STANDARD
    if owner is None:
        return ClaimNames(roles=sources, properties=properties, domain=domain)
    return ClaimNames(roles=sources, properties=properties, owner=owner, domain=domain)


def _named(claims: Mapping[str, Any], catalogue: ScopeCatalogue) -> frozenset[str]:
    """The claimed scopes by their names. Numbers in a list are ids of `catalogue`; one that is none is malformed."""
    where = "scp" if claims.get("scope") is None else "scope"
    claimed = claims.get(where)
    if isinstance(claimed, list):
        claims = {where: [_text(one, catalogue) if type(one) is int else one for one in claimed]}  # True is no number
    return catalogue.resolve(claim.scopes(claims))


def _text(number: int, catalogue: ScopeCatalogue) -> str | int:
    spelled = str(number)
    return number if spelled in catalogue.resolve((spelled,)) else spelled
