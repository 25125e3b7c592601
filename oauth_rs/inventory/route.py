"""A route of an application and what it takes; in values, as text and as plain data.

Decides nothing: verdict.py does.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from ..fields import FieldFilter
from ..scopes import AllOf, AnyOf, Requirement

Protection: TypeAlias = Literal["protected", "public", "pass-through", "refused", "preflight", "unprotected", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path template, as its framework writes it: `//host` comes before where one is named.

    `method` is `*` for all, and WEBSOCKET for a handshake. `protection` is the weakest that requests to it meet.
    `requirements` are those of policies, decorators and dependencies, from the outside in; () where any grant will do.
    `sources` tells who asks for a grant: `server`, `policy`, `decorator`, `dependency`. `filters` are those that its
    answers go through. `problem` says what is wrong, "" where nothing is; `note` what else to know, as which rules it
    falls under.
    """

    method: str
    path: str
    endpoint: str
    protection: Protection
    requirements: tuple[Requirement, ...] = ()
    sources: tuple[str, ...] = ()
    filters: tuple[FieldFilter, ...] = ()
    problem: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        """`GET /photos`."""
        return f"{self.method} {self.path}"

    @property
    def takes(self) -> str:
        """The requirements as text, as `photos and (admin or audit)`; "" where no grant is asked for."""
        if not self.requirements:
            return "any grant" if self.sources else ""
        return described(AllOf(*self.requirements))

    @property
    def filtered_by(self) -> str:
        """The scopes of its filters as text, `no scope` for what is shown to everybody; "" where there is no filter."""
        return "; ".join(", ".join(fields.scopes) or "no scope" for fields in self.filters)

    @property
    def fault(self) -> str:
        """One line about what is wrong."""
        return f"{self.name} ({self.endpoint}) is {self.protection}: {self.problem}"

    def noting(self, more: str) -> "Route":
        """The same, with `more` to know; "" for nothing."""
        return replace(self, note="; ".join(filter(None, (self.note, more)))) if more else self

    def as_data(self) -> dict[str, Any]:
        """What can be written as JSON."""
        return {
            "method": self.method,
            "path": self.path,
            "endpoint": self.endpoint,
            "protection": self.protection,
            "takes": self.takes,
            "scopes": list(AllOf(*self.requirements).scopes),
            "sources": list(self.sources),
            "filtered_by": self.filtered_by,
            "problem": self.problem,
            "note": self.note,
        }


def described(requirement: Requirement) -> str:
    """`requirement` as text: scopes by their names, `and`, `or`, and brackets only where they are needed."""
    return _text(requirement, "")


def _text(part: str | Requirement, around: str) -> str:
    if not isinstance(part, AllOf | AnyOf):
        return part if isinstance(part, str) else repr(part).strip("'")  # quotes are those of a template
    if not part.parts:
        return "any grant"
    word = " and " if isinstance(part, AllOf) else " or "
    inside = word if len(part.parts) > 1 else around
    pieces = list(dict.fromkeys(_text(one, inside) for one in part.parts))
    text = word.join(pieces)
    return f"({text})" if len(pieces) > 1 and around not in {"", word} else text
