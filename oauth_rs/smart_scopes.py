"""The grammar of SMART on FHIR scopes: SMART App Launch 2.2, "FHIR Resource Scope Syntax", and version 1 beside it.

Reads one scope, and says what lies within others. What several of them open together, see smart.py.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

MAX_SCOPE_LENGTH = 2_048  # characters; a scope with parameters has a hundred or two, and tokens travel in headers
MAX_PARAMETERS = 16  # of one scope; the published ones have one or two

_V1 = {"read": "rs", "write": "cud", "*": "cruds"}
TYPE = r"[A-Z][A-Za-z]{0,63}"  # the longest name of a FHIR type has 33 letters
SUBSET = r"(?=[cruds])c?r?u?d?s?"
# The parameters are what RFC 6749 section 3.3 allows in a scope, without `+` and `#`: the one is a space to some
# readers of a query and itself to others, the other ends it for some. Both can be written with a %.
_SCOPE = re.compile(
    rf"(patient|user|system)/(\*|{TYPE})\.({SUBSET}|read|write|\*)(?:\?([\x21\x24-\x2A\x2C-\x5B\x5D-\x7E]+))?"
)
_ESCAPED = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*")
_PARAMETER = re.compile(r"_?[A-Za-z][A-Za-z0-9_-]*(?:[:.][A-Za-z0-9_-]+)*")
# FHIR search: the parameters that shape the answer or add to it, with modifiers or without. They limit nothing.
_NO_LIMIT = re.compile(
    r"_(contained(Type)?|count|elements|format|graph|(rev)?include|maxresults|pretty|score|sort|summary|total)(?![A-Za-z])"
)
_SEPARATORS = " ,|$"  # alone they say nothing, and a FHIR server passes over a parameter that says nothing

Filters: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartScope:
    """A scope that was read. `permissions` are letters of "cruds" in that order; all `filters` hold, () is no limit."""

    context: str
    resource: str
    permissions: str
    filters: Filters = ()


def smart_scope(text: str) -> SmartScope | None:
    """The SMART scope that `text` is; None when it is none ("FHIR Resource Scope Syntax"). Raises nothing.

    Version 1 suffixes give the letters they stand for. Parameters are percent-decoded once and sorted; with one that
    is malformed, empty or limits nothing, such as `_count`, it is no scope.
    """
    return _read(text) if len(text) <= MAX_SCOPE_LENGTH else None


def covered(scope: SmartScope, by: Iterable[SmartScope]) -> bool:
    """True when `by` together open all that `scope` does, within one context ("Scope Equivalence").

    Each letter must be in one that is for the same type or for all, and has no filter that `scope` does not have.
    """
    wider = [
        one
        for one in by
        if one.context == scope.context
        and one.resource in {"*", scope.resource}
        and set(one.filters).issubset(scope.filters)
    ]
    return set[str]().union(*(one.permissions for one in wider)).issuperset(scope.permissions)


@lru_cache(maxsize=512)  # tokens share their scopes; a few megabytes at most
def _read(text: str) -> SmartScope | None:
    found = _SCOPE.fullmatch(text)
    if found is None:
        return None
    context, resource, suffix, query = found.groups()
    filters = _filters(query) if query else ()
    if filters is None:
        return None
    return SmartScope(context=context, resource=resource, permissions=_V1.get(suffix, suffix), filters=filters)


def _filters(query: str) -> Filters | None:
    parts = query.split("&")
    if len(parts) > MAX_PARAMETERS:
        return None
    filters: set[tuple[str, str]] = set()
    for part in parts:
        name, _, value = part.partition("=")
        name, value = _decoded(name), _decoded(value)
        if not _PARAMETER.fullmatch(name) or _NO_LIMIT.match(name) or not value.strip(_SEPARATORS):
            return None
        filters.add((name, value))
    return tuple(sorted(filters))


def _decoded(text: str) -> str:
    """`text`, percent-decoded; "" when that is malformed or gives what cannot be seen (RFC 3986 section 2.1)."""
    if not _ESCAPED.fullmatch(text):
        return ""
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return ""
    return decoded if decoded.isprintable() else ""
