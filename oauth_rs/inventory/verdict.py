"""The verdict on a route: who must show what to get there, and whether that can work.

Shows the weakest of what becomes of requests, and says where others end otherwise. Knows none but what outcomes.py
and filters.py find.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..policy import APIScopes, NoScopes
from ..scopes import AllOf, AnyOf, Requirement, parameters_of
from .filters import filtering
from .outcomes import Outcome, Stage, outcomes
from .places import Asked, Examples, Passed, Place, Served
from .route import Protection, Route, described

_OPEN = ("unprotected", "public", "pass-through")
_WEAKEST_FIRST = (*_OPEN, "protected", "closed", "refused")
_TOLD = 6  # of the rules that one route falls under


def judge(found: Served, examples_of: Examples) -> Route:
    """The route, and the weakest of what becomes of requests to it."""
    ends = outcomes(found, examples_of)
    least = min((end.protection for end in ends), key=_WEAKEST_FIRST.index)
    weakest = [end for end in ends if end.protection == least]
    problems = list(_problems(found, weakest[0]))
    protection: Protection = "broken" if problems else _protection(found, weakest[0])
    if protection == "unprotected":
        optional = "credentials are optional here, and nothing asks for a grant"
        problems.append(optional if found.place.passed else "no middleware stands in front of it")
    notes = [several] if (several := _several(found, ends)) else []
    if _differ(ends):
        problems, notes = problems + notes, []
    filters, partly = filtering(found, examples_of)
    problems += [partly] if partly else []
    if found.method == "*" and _lets_preflights_in(found, protection):
        notes.append("preflights get there without a grant")
    asked = [one for end in weakest for one in (*end.asked, *found.asked)]
    return Route(
        method=found.method,
        path=found.place.path,
        endpoint=found.endpoint,
        protection=protection,
        requirements=(*_any_of([_named(end.asked) for end in weakest]), *_named(found.asked)),
        sources=tuple(dict.fromkeys(one.source for one in asked)),
        filters=filters,
        problem="; ".join(problems),
        note="; ".join(notes),
    )


def _protection(found: Served, weakest: Outcome) -> Protection:
    protection: Any = weakest.protection  # where it is closed, that is a problem
    return "preflight" if found.method == "OPTIONS" and _lets_preflights_in(found, protection) else protection


def _lets_preflights_in(found: Served, protection: str) -> bool:
    """True when what stands in front of a route is all there is, and lets preflights pass (Fetch standard, 4.8)."""
    return bool(found.place.passed) and not found.asked and protection in {"protected", "refused"}


def _differ(ends: Sequence[Outcome]) -> bool:
    """True when the path decides, for one method, whether anybody gets there."""
    protected = {end.method for end in ends if end.protection == "protected"}
    return any(end.protection in _OPEN and end.method in protected for end in ends)


def _several(found: Served, ends: Sequence[Outcome]) -> str:
    """What the rules say that a route falls under, with a path for each; "" for one."""
    told: list[Outcome] = []
    for end in ends:
        if end.protection != "refused" and end not in told:
            told.append(end)
    if len(told) < 2:  # noqa: PLR2004 - several
        return ""
    more = [f"{len(told) - _TOLD} more"] if len(told) > _TOLD else []
    return "several rules decide here: " + ", ".join([_text(found, end) for end in told[:_TOLD]] + more)


def _text(found: Served, end: Outcome) -> str:
    where = f"{end.method} {end.path}" if found.method == "*" else end.path
    names = [name for stage in end.stages if (name := _name(stage))]
    by = f" by {' and '.join(names)}" if names else ""
    if end.protection == "closed":
        return f"{where} is {end.stages[-1].word}{by}, so nobody gets there"
    if end.protection == "protected":
        named = _named((*end.asked, *found.asked))
        return f"{where} takes {described(AllOf(*named)) if named else 'any grant'}{by}"
    return f"{where} is {end.protection}{by}"


def _name(stage: Stage) -> str:
    policy, rule = stage.rule or (None, None)
    return next((repr(name) for name, each in policy.rules() if each is rule), "") if policy is not None else ""


def _any_of(ways: Sequence[tuple[Requirement, ...]]) -> tuple[Requirement, ...]:
    """What opens at least one of `ways`."""
    different: list[tuple[Requirement, ...]] = []
    for way in ways:
        if way not in different:
            different.append(way)
    if len(different) == 1:
        return different[0]
    return (AnyOf(*(AllOf(*way) for way in different)),) if all(different) else ()


def _problems(found: Served, weakest: Outcome) -> Iterator[str]:
    if found.asked and not found.place.passed:
        yield "it asks for a grant, and no middleware stands in front of it: every request ends as a 500"
    if weakest.protection == "closed":
        word = weakest.stages[-1].word
        yield f"it asks for a grant on a {word} path, where there is none: nobody can get there"
    yield from _moved(found.place.passed)
    for source, requirement in found.asked:
        missing = parameters_of(requirement) - found.place.parameters
        if missing:
            yield f"its {source} asks for {', '.join(sorted(missing))}, which is no parameter of its path"
        yield from _undeclared(found.place, requirement, f"its {source}")
    for fields in found.filters:
        yield from _undeclared(found.place, AllOf(*fields.scopes), "its filter")


def _moved(passed: Iterable[Passed]) -> Iterator[str]:
    for server, _, root_path in passed:
        by_path = server.policy is not None and not isinstance(server.policy, NoScopes | APIScopes)
        if root_path and (by_path or server.public is not None or server.filters is not None):
            yield (
                f"its application takes {root_path!r} off the path, and a server that stands outside of it decides by "
                "the whole path: use protect(app, server), or take root_path away"
            )


def _undeclared(place: Place, requirement: Requirement, where: str) -> Iterator[str]:
    # The grant that the endpoint sees is the one of the server nearest to it.
    catalogue = place.passed[-1].server.catalogue if place.passed else None
    if catalogue is not None:
        try:
            catalogue.check_requirement(requirement, where)
        except ValueError as error:
            yield str(error)


def _named(asked: Iterable[Asked]) -> tuple[Requirement, ...]:
    return tuple(one.requirement for one in asked if one.requirement != AllOf())
