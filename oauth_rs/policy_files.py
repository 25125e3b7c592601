"""Policies as data, so that they may stand in a TOML, YAML or JSON file, and those that OpenAPI documents state.

A policy is `any_grant`, `api`, or `operations` with a `default`; docs/policies.md shows every form. Conditions are
functions and stand in code alone. Compares no scope with a catalogue: the server does.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .configuration import load, load_openapi
from .entries import EntryError, meant, placed
from .openapi import policy_from
from .operations import OperationError
from .policy import APIScopes, NoScopes, OperationRule, OperationScopes, PassThrough, Policy, Public
from .requirements import Acr, MaxAge
from .scopes import AllOf, AnyOf, Requirement
from .smart import CONTEXTS, smart

_FORMS = ("any_grant", "api", "operations", "default")
_WHOLE: Mapping[str, Callable[[], OperationRule]] = {"public": Public, "pass_through": PassThrough, "any_grant": AllOf}
_PARTS = ("all", "any", "smart", "acr", "max_age")  # in the order in which they are asked
_SMART_OPTIONS = ("patient", "contexts", "filtered")


def read_policy(path: str | os.PathLike[str]) -> Policy:
    """The policy in the section `policy` of the file at `path`; other sections are left alone.

    Raises ConfigurationError, and OSError when the file cannot be read.
    """
    document = load(path)
    section = document.section("policy")
    with document.located("policy"):
        return policy_of(section)


def read_openapi_policy(path: str | os.PathLike[str], *, default: str | OperationRule | None = None) -> OperationScopes:
    """What the OpenAPI document at `path` asks for, as `load_openapi` takes it. See `policy_from`.

    Raises ConfigurationError, and OSError when the file cannot be read.
    """
    document = load_openapi(path)
    with document.located():
        return policy_from(document.data, default=default)


def policy_of(data: Mapping[str, Any]) -> Policy:
    """The policy that `data` says, which is the content of a section `policy`.

    Raises EntryError, a ValueError whose `path` leads to the entry to mend.
    """
    if not isinstance(data, Mapping):
        raise EntryError(f"a policy is a table with {', '.join(_FORMS)}, not {data!r}")
    for member in data:
        if member not in _FORMS:
            raise EntryError(f"a policy has no {member!r}: {meant(member, _FORMS)}", member)
    forms = data.keys() - {"default"}
    if len(forms) != 1:
        raise EntryError("a policy is one of `any_grant = true`, `api = [...]` and operations: write the one meant")
    if forms == {"operations"}:
        return _operations(data)
    if "default" in data:
        raise EntryError("a default stands beside operations; any_grant and api hold for all of them", "default")
    if forms == {"any_grant"}:
        _check_true(data["any_grant"], "the policy", "any_grant")
        return NoScopes()
    with placed("api", what="the policy"):
        return APIScopes(*_parts(data["api"], "the policy", "api"))


def _operations(data: Mapping[str, Any]) -> OperationScopes:
    section = data["operations"]
    if not isinstance(section, Mapping):
        raise EntryError("operations is a table with a rule for each, as \"GET /photos\" = 'photos'", "operations")
    for name in section:
        if not isinstance(name, str):
            raise EntryError(f"{name!r} is no operation: write it as text, as 'GET /photos/<id>'", "operations")
    rules = {name: _rule(entry, repr(name), "operations", name) for name, entry in section.items()}
    default = _rule(data["default"], "default", "default") if "default" in data else None
    try:
        return OperationScopes(rules, default=default)
    except OperationError as error:
        path = ("operations", error.name) if error.name in rules else ("default",)
        raise EntryError(str(error), *path) from error
    except ValueError as error:
        raise EntryError(str(error), "operations") from error


def _rule(entry: Any, what: str, *path: str) -> OperationRule:
    for member, make in _WHOLE.items() if isinstance(entry, Mapping) else ():
        if member in entry:
            _check_true(entry[member], what, *path, member)
            if len(entry) > 1:
                raise EntryError(f"{what}: {member} says it all: leave the rest out", *path)
            return make()
    part = _part(entry, what, *path)
    with placed(*path, what=what):
        return AllOf(part) if isinstance(part, str) else part


def _part(entry: Any, what: str, *path: str) -> str | Requirement:
    if isinstance(entry, str):
        return entry
    if isinstance(entry, Sequence):
        raise EntryError(
            f"{what}: a list says neither all nor any: write {{ all = [...] }} or {{ any = [...] }}", *path
        )
    if not isinstance(entry, Mapping) or not entry:
        raise EntryError(f"{what}: write a scope, or a table with {', '.join(_PARTS)}", *path)
    for member in entry:
        _check_member(member, entry, what, *path)
    parts = [part for member in _PARTS if member in entry for part in _made(member, entry, what, path)]
    if len(parts) == 1 and "all" not in entry and not isinstance(parts[0], str):
        return parts[0]
    with placed(*path, what=what):
        return AllOf(*parts)


def _check_member(member: str, entry: Mapping[str, Any], what: str, *path: str) -> None:
    if member in _WHOLE:
        raise EntryError(f"{what}: {member} is said of a whole operation, not inside of a rule", *path, member)
    if member not in _PARTS + _SMART_OPTIONS:
        raise EntryError(f"{what}: a rule has no {member!r}: {meant(member, _PARTS + _SMART_OPTIONS)}", *path, member)
    if member in _SMART_OPTIONS and "smart" not in entry:
        raise EntryError(f"{what}: {member} stands beside smart = 'Patient.r'", *path, member)


def _made(member: str, entry: Mapping[str, Any], what: str, path: tuple[str, ...]) -> list[str | Requirement]:
    """What one member of `entry` asks for; all members hold together."""
    value, place = entry[member], (*path, member)
    with placed(*place, what=what):
        if member == "all":
            return _parts(value, what, *place)
        if member == "any":
            return [AnyOf(*_parts(value, what, *place))]
        if member == "acr":
            return [Acr(*_texts(value, what, *place))]
        return [MaxAge(value) if member == "max_age" else _smart(entry, what, path)]


def _smart(entry: Mapping[str, Any], what: str, path: tuple[str, ...]) -> Requirement:
    text, patient = entry["smart"], entry.get("patient", "")
    if not isinstance(text, str) or not isinstance(patient, str):
        form = "smart = 'Patient.r', and patient = 'id' for a parameter of the path"
        raise EntryError(f"{what}: write {form}", *path, "smart")
    contexts = _texts(entry["contexts"], what, *path, "contexts") if "contexts" in entry else CONTEXTS
    if "filtered" in entry:
        _check_true(entry["filtered"], what, *path, "filtered")
    resource, _, permissions = text.rpartition(".")
    return smart(resource, permissions, contexts=contexts, filtered="filtered" in entry, patient=patient)


def _parts(entries: Any, what: str, *path: str) -> list[str | Requirement]:
    if not isinstance(entries, list | tuple) or not entries:
        raise EntryError(f"{what}: {path[-1]} lists at least one scope or table", *path)
    return [_part(entry, what, *path) for entry in entries]


def _texts(values: Any, what: str, *path: str) -> list[str]:
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise EntryError(f"{what}: {path[-1]} is a list of texts", *path)
    return list(values)


def _check_true(value: Any, what: str, *path: str) -> None:
    if value is not True:
        raise EntryError(f"{what}: {path[-1]} is true, or left out", *path)
