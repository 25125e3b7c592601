"""A policy written as the data that policy_files.py reads. Writes no file."""

from typing import Any

from .policy import APIScopes, NoScopes, OperationRule, OperationScopes, PassThrough, Policy, Public
from .requirements import Acr, MaxAge
from .scopes import AllOf, AnyOf, Requirement, ScopeTemplate
from .smart import CONTEXTS, SmartRequirement


def policy_data(policy: Policy) -> dict[str, Any]:
    """`policy` as data of which `policy_of` makes one that asks for the same.

    Raises ValueError for what cannot stand in a file, as conditions and requirements of one's own, and TypeError for
    policies of one's own. Does not write converters and clocks.
    """
    if isinstance(policy, NoScopes):
        return {"any_grant": True}
    rules = dict(policy.rules())
    if isinstance(policy, APIScopes):
        ((name, rule),) = rules.items()
        return {"api": [_part(part, name) for part in getattr(rule, "parts", ())]}
    if not isinstance(policy, OperationScopes):
        raise TypeError("what can be written is NoScopes(), APIScopes(...) and OperationScopes({...})")
    data = {name: _rule(rule, name) for name, rule in rules.items()}
    default = {"default": data.pop("default")} if "default" in data else {}
    return {"operations": data, **default}


def _rule(rule: OperationRule, name: str) -> Any:
    if isinstance(rule, Public):
        return {"public": True}
    if isinstance(rule, PassThrough):
        return {"pass_through": True}
    if isinstance(rule, AllOf) and not rule.parts:
        return {"any_grant": True}
    if isinstance(rule, AllOf) and len(rule.parts) == 1 and isinstance(rule.parts[0], str | ScopeTemplate):
        return _part(rule.parts[0], name)
    return _part(rule, name)


def _part(part: str | Requirement, name: str) -> Any:
    if isinstance(part, str | ScopeTemplate):
        return part if isinstance(part, str) else part.template
    if isinstance(part, AllOf) and part.parts:
        return _all(part, name)
    if isinstance(part, AnyOf):
        return {"any": [_part(one, name) for one in part.parts]}
    if isinstance(part, Acr):
        return {"acr": list(part.values)}
    if isinstance(part, MaxAge):
        return {"max_age": part.seconds}
    if isinstance(part, SmartRequirement):
        return _smart(part)
    raise ValueError(f"{name}: {part!r} cannot stand in a file: state this policy in code")


def _all(requirement: AllOf, name: str) -> dict[str, Any]:
    parts = list(requirement.parts)
    beside: dict[str, Any] = {}
    for kind in (MaxAge, Acr):  # as they are mostly written: last, and in this order from the end
        if len(parts) > 1 and isinstance(parts[-1], kind):
            beside = {**_part(parts.pop(), name), **beside}
    return {"all": [_part(part, name) for part in parts], **beside}


def _smart(asked: SmartRequirement) -> dict[str, Any]:
    options = {"contexts": list(asked.contexts), "filtered": asked.filtered, "patient": asked.patient}
    usual = {"contexts": list(CONTEXTS), "filtered": False, "patient": ""}
    said = {name: value for name, value in options.items() if value != usual[name]}
    return {"smart": f"{asked.resource}.{asked.permissions}", **said}
