"""What decorators note with the functions they stand before, for lists of routes: what is asked for, what is filtered.

Does not wrap functions: guard.py does.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from .fields import FieldFilter
from .scopes import Requirement

F = TypeVar("F", bound=Callable[..., Any])
_NOTES = "__oauth_rs_notes__"


def noted(function: F, note: Requirement | FieldFilter) -> F:
    """`function`, which then tells that it asks for a requirement, or has its answers filtered, too."""
    setattr(function, _NOTES, (*_notes(function), note))
    return function


def asked(function: Any) -> tuple[Requirement, ...]:
    """What the decorators of `function` ask for, from the inside out; empty where it has none."""
    return tuple(note for note in _notes(function) if not isinstance(note, FieldFilter))


def filters_of(function: Any) -> tuple[FieldFilter, ...]:
    """What the decorators of `function` filter its answers by, from the inside out; empty where it has none."""
    return tuple(note for note in _notes(function) if isinstance(note, FieldFilter))


def _notes(function: Any) -> tuple[Requirement | FieldFilter, ...]:
    found: tuple[Requirement | FieldFilter, ...] = getattr(function, _NOTES, ())
    return found
