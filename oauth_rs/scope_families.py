"""Scopes that are too many to list: one name with parameters stands for all of its shape, as `tenant:{tenant}:read`.

A parameter is what a path may put there, see ScopeTemplate in scopes.py. Does not know who holds or grants them.
"""

import re
from string import Formatter

from .scopes import MARKS, MAX_PARAMETER, checked_scope, marks_beside


class ScopeFamily:
    """All scopes that `template` may ask for; a brace of the scopes themselves is written twice. Raises ValueError."""

    __slots__ = ("_shape", "template")

    def __init__(self, template: str) -> None:
        if not has_parameters(checked_scope(template)):
            raise ValueError(f"{template!r} is one scope, and no family: write 'tenant:{{tenant}}:read'")
        self.template = template
        self._shape = re.compile(_shape(template))

    def has(self, scope: str) -> bool:
        """True when `scope` is one of them."""
        return self._shape.fullmatch(scope) is not None

    def __repr__(self) -> str:
        return f"ScopeFamily({self.template!r})"


def has_parameters(name: str) -> bool:
    """True when `name` is no scope itself, but a template of some."""
    return "{" in name or "}" in name


def _shape(template: str) -> str:
    marks = marks_beside(template)
    found, seen = "", set[str]()
    for before, name, *_ in Formatter().parse(template):
        found += re.escape(before)
        if name in seen:
            found += f"(?P={name})"
        elif name is not None:
            # Not the marks beside it: so a value ends where the template says, and one scope is read in one way.
            others = re.escape("".join(sorted(MARKS - marks[name])))
            found += f"(?P<{name}>[A-Za-z0-9{others}]{{1,{MAX_PARAMETER}}})"
            seen.add(name)
    return found
