"""Scopes that are too many to list: one name with parameters stands for all of its shape, as `tenant:{tenant}:read`.

A parameter is what a path may put there, see scope_templates.py. Does not know who holds or grants them.
"""

from .scope_templates import Template
from .scopes import checked_scope

_ANY = "x"  # a value that every parameter takes


class ScopeFamily:
    """All scopes that `template` may ask for; a brace of the scopes themselves is written twice. Raises ValueError."""

    __slots__ = ("_shape", "template")

    def __init__(self, template: str) -> None:
        self.template = checked_scope(template)
        self._shape = Template(template)
        if not self._shape.parameters:
            raise ValueError(f"{template!r} is one scope, and no family: write 'tenant:{{tenant}}:read'")
        if not any(map(str.isalnum, self._shape.literal)):
            raise ValueError(f"{template!r} would have scopes of all kinds: write 'tenant:{{tenant}}:read'")

    def has(self, scope: str) -> bool:
        """True when `scope` is one of them."""
        return self._shape.takes(scope)

    def covers(self, template: Template) -> bool:
        """True when what `template` is filled to is one of them."""
        return self.has(template.filled(dict.fromkeys(template.parameters, _ANY)) or "")

    def __repr__(self) -> str:
        return f"ScopeFamily({self.template!r})"
