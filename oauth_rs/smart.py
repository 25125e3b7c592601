"""SMART on FHIR scopes, and what they open to a handler: SMART App Launch 2.2, "Scopes for requesting FHIR Resources".

A scope delegates rights and never adds to them: what the user, or the client of a `system/` scope, may do by other
rules is not known here. Does not evaluate search parameters, nor tell which resource belongs to which patient.
"""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .request import Request
from .scopes import Granted, Lack, Requirement, lacking
from .smart_scopes import SUBSET, TYPE, Filters, SmartScope, smart_scope

CONTEXTS = ("patient", "user", "system")
# Scopes with parameters that count for one resource type, since a handler puts each of them into its search. Profiles
# such as US Core define ten or so for a type. Where there are more none counts: which to keep would be chance.
MAX_FILTERED = 64

_LETTERS = "cruds"
_RESOURCE = re.compile(rf"\*|{TYPE}")
_PERMISSIONS = re.compile(SUBSET)
_FHIR_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")

_Opened: TypeAlias = tuple[str | None, Filters]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What one scope opens: the resources of `patient`, or of anybody and nobody where that is None.

    Of them those that meet all `filters`, each a search parameter and a value, decoded; () is no limit.
    """

    patient: str | None = field(repr=False)
    filters: Filters = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a grant opens of one resource type: `reach` has, for each letter of "cruds", alternatives that add up."""

    reach: tuple[tuple[Reach, ...], ...]

    def allows(self, permissions: str) -> bool:
        """True when something is open for each of `permissions`; `alternatives` says what. Raises ValueError."""
        return all(map(self.alternatives, _checked_permissions(permissions)))

    def alternatives(self, letter: str) -> tuple[Reach, ...]:
        """All that `letter` may touch: what fits any of these. Where there are none that is nothing.

        One without limits stands alone. Raises ValueError for what is not one letter of "cruds".
        """
        if letter not in tuple(_LETTERS):
            raise ValueError(f'{letter!r} is not one permission: write one letter of "cruds", as "r"')
        return self.reach[_LETTERS.index(letter)]

    def reaches(self, letter: str, *, patient: str | None, matches: Callable[[str, str], bool] | None = None) -> bool:
        """True when `letter` may touch one resource: of the patient with the id `patient`, or of nobody.

        `matches(parameter, value)` says whether the resource meets a filter, and False where it cannot tell. Without
        it what is open under filters alone is not open.
        """
        return any(
            reach.patient in (None, patient) and _meets(reach.filters, matches) for reach in self.alternatives(letter)
        )


def smart(
    resource: str,
    permissions: str,
    *,
    contexts: Collection[str] = CONTEXTS,
    filtered: bool = False,
    patient: str = "",
) -> Requirement:
    """Met when SMART scopes together open every letter of `permissions` for `resource`, a FHIR type or "*".

    Scopes of `contexts` count; those for `*` do for every type, and alone for "*". A scope with parameters counts with
    `filtered=True`: then the handler keeps to the filters of `access`. A `patient/` scope counts where the claim
    `patient`, the launch context, is a FHIR id: the handler keeps to that patient. `patient` names a parameter of the
    path that must then be that id, as text. Raises ValueError and TypeError. "FHIR Resource Scope Syntax", "Scope
    Equivalence".
    """
    for option, value in (("resource", resource), ("permissions", permissions), ("patient", patient)):
        if not isinstance(value, str):
            raise TypeError(f"{option} is text, not {value!r}")
    _check_filtered(filtered)
    if not _RESOURCE.fullmatch(resource):
        raise ValueError(f'{resource!r} is no FHIR resource type: write one, as "Observation", or "*" for all of them')
    return SmartRequirement(resource, _checked_permissions(permissions), _checked_contexts(contexts), filtered, patient)


def access(grant: Granted, resource: str, *, contexts: Collection[str] = CONTEXTS, filtered: bool = False) -> Access:
    """What the scopes of `grant` open of `resource`; the options are those of `smart`.

    `resource` may come from a request, as in a batch: nothing is open of what is no FHIR type. Raises ValueError, and
    TypeError for options of other types.
    """
    _check_filtered(filtered)
    if not _RESOURCE.fullmatch(resource):
        return Access(reach=((),) * len(_LETTERS))
    scopes = _counting(grant.scopes, _prefixes(resource, _checked_contexts(contexts)), filtered=filtered)
    patient = _launch_patient(grant, scopes)
    return Access(reach=tuple(_reach(scopes, letter, patient) for letter in _LETTERS))


class SmartRequirement:
    """What `smart` asks for, as it was asked."""

    __slots__ = ("_prefixes", "_unbound", "contexts", "filtered", "patient", "permissions", "resource", "scopes")

    def __init__(
        self,
        resource: str,
        permissions: str,
        contexts: tuple[str, ...],
        filtered: bool,  # noqa: FBT001 - only `smart` makes these
        patient: str,
    ) -> None:
        if patient and not ("patient" in contexts and patient.isidentifier()):
            raise ValueError('patient names the parameter of a path, as "id", and "patient" is then among contexts')
        self.scopes = tuple(f"{context}/{resource}.{permissions}" for context in contexts)
        self.resource, self.permissions, self.contexts = resource, permissions, contexts
        self.filtered, self.patient = filtered, patient
        self._prefixes = _prefixes(resource, contexts)
        self._unbound = _prefixes(resource, tuple(context for context in contexts if context != "patient"))

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters of the path that it looks at."""
        return (self.patient,) if self.patient else ()

    @property
    def needs_request(self) -> bool:
        return bool(self.patient)

    def met_by(self, held: Collection[str], /) -> bool:
        """True when scopes without a patient and without filters are enough."""
        return self._covered(_counting(held, self._unbound, filtered=False))

    def shortfall(self, grant: Granted, request: Request | None, /) -> Lack:
        scopes = _counting(grant.scopes, self._prefixes, filtered=self.filtered)
        patient = _launch_patient(grant, scopes)
        if self.patient and patient != self._named(request):
            patient = None
        return None if self._covered(_in_effect(scopes, patient)) else lacking(self)

    def _covered(self, scopes: Iterable[SmartScope]) -> bool:
        return set[str]().union(*(scope.permissions for scope in scopes)).issuperset(self.permissions)

    def _named(self, request: Request | None) -> object:
        if request is None:
            raise TypeError(f"{self!r} needs the path of the request: ask for it with @requires or a policy")
        try:
            return request.parameters[self.patient]
        except KeyError:
            raise TypeError(f"{self!r} is asked for where the path has no such parameter") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SmartRequirement) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return (
            f"smart({self.resource!r}, {self.permissions!r}, contexts={self.contexts!r}, filtered={self.filtered!r}, "
            f"patient={self.patient!r})"
        )


def _prefixes(resource: str, contexts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{context}/{name}." for context in contexts for name in (resource, "*"))


def _counting(held: Collection[str], prefixes: tuple[str, ...], *, filtered: bool) -> list[SmartScope]:
    texts = [text for text in held if text.startswith(prefixes)]
    counting = [text for text in texts if "?" not in text]
    limited = [text for text in texts if "?" in text]
    if filtered and len(limited) <= MAX_FILTERED:
        counting += limited
    return [scope for scope in map(smart_scope, counting) if scope is not None]


def _launch_patient(grant: Granted, scopes: Iterable[SmartScope]) -> str | None:
    """The patient in context, where a scope asks for it ("Launch context arrives with your access_token")."""
    if not any(scope.context == "patient" for scope in scopes):
        return None
    patient = grant.claims.get("patient")
    return patient if isinstance(patient, str) and _FHIR_ID.fullmatch(patient) else None


def _in_effect(scopes: Iterable[SmartScope], patient: str | None) -> list[SmartScope]:
    return [scope for scope in scopes if scope.context != "patient" or patient is not None]


def _reach(scopes: Iterable[SmartScope], letter: str, patient: str | None) -> tuple[Reach, ...]:
    """What `scopes` open to `letter`, without what lies within another one; in a fixed order."""
    found = {
        (patient if scope.context == "patient" else None, scope.filters)
        for scope in _in_effect(scopes, patient)
        if letter in scope.permissions
    }
    kept = [one for one in found if found.isdisjoint(_wider(*one) - {one})]
    return tuple(Reach(patient=whose, filters=filters) for whose, filters in sorted(kept, key=_order))


def _wider(patient: str | None, filters: Filters) -> set[_Opened]:
    return {(None, ()), (None, filters), (patient, ())}


def _order(one: _Opened) -> tuple[str, Filters]:
    return one[0] or "", one[1]


def _meets(filters: Filters, matches: Callable[[str, str], bool] | None) -> bool:
    if not filters:
        return True
    # To the letter: a coroutine that nobody awaited would count as yes.
    return matches is not None and all(matches(name, value) is True for name, value in filters)


def _checked_contexts(contexts: Any) -> tuple[str, ...]:
    if not isinstance(contexts, Collection) or not all(isinstance(context, str) for context in contexts):
        raise TypeError(f'contexts is a list of texts, as ("user", "system"), not {contexts!r}')
    chosen = tuple(dict.fromkeys(contexts))
    if not chosen or not set(chosen).issubset(CONTEXTS):
        raise ValueError(f'contexts are some of {", ".join(CONTEXTS)}, as ("user", "system")')
    return chosen


def _check_filtered(filtered: object) -> None:
    if not isinstance(filtered, bool):  # "no" would count as yes
        raise TypeError(f"filtered is True or False, not {filtered!r}")


def _checked_permissions(permissions: str) -> str:
    if not _PERMISSIONS.fullmatch(permissions):
        raise ValueError(f'{permissions!r} are no permissions: write letters of "cruds" in that order, as "rs"')
    return permissions
