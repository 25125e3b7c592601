"""Scopes with parameters, as `tenant:{tenant}:read`: filled with values, and known again once they are filled.

A value is what RFC 3986 section 2.3 calls unreserved, up to 256 characters, without the marks that stand beside its
parameter. So none makes one scope out of another, as `a:admin` would, and a scope is read in one way. Does not know
where values come from, nor which characters a scope has.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from string import Formatter

MAX_PARAMETER = 256  # characters of a value; ids and names take some dozens
_MARKS = frozenset("._~-")


class Template:
    """All scopes that `text` can be filled to; a brace of the scopes themselves is written twice. Raises ValueError."""

    __slots__ = ("_shape", "_values", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._values = {name: _value(beside) for name, beside in _marks_beside(text).items()}
        self._shape = re.compile(_shape(text, self._values))

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of its parameters, each once."""
        return tuple(self._values)

    @property
    def literal(self) -> str:
        """What stands in every one of them, beside what parameters are filled with."""
        return "".join(before for before, *_ in Formatter().parse(self.text))

    def filled(self, values: Mapping[str, str]) -> str | None:
        """The scope that `values` make of it, by the names of its parameters; None where one of them is no value."""
        if all(form.fullmatch(values[name]) for name, form in self._values.items()):
            return self.text.format_map(values)
        return None

    def takes(self, scope: str) -> bool:
        """True when some values make `scope` of it."""
        return self._shape.fullmatch(scope) is not None


def is_template(name: str) -> bool:
    """True when `name` is to be read as a template, and is no scope itself: it has braces."""
    return "{" in name or "}" in name


def _marks_beside(text: str) -> dict[str, set[str]]:
    """Each parameter of `text` -> those of the marks that part it from the rest. Raises ValueError."""
    found: dict[str, set[str]] = {}
    try:
        pieces = [*Formatter().parse(text), ("", None, None, None)]
    except ValueError as error:
        raise ValueError(f"{text!r}: a brace of the scope itself is written twice, as '{{{{'") from error
    for (before, name, spec, how), (after, following, *_) in pairwise(pieces):
        if name is None:
            continue
        if not name.isidentifier() or spec or how or (following is not None and not after):
            raise ValueError(f"{text!r} has a parameter that is none: write 'tenant:{{tenant}}:read'")
        if (before[-1:] + after[:1]).isascii() and any(map(str.isalnum, before[-1:] + after[:1])):
            # What stands there may also begin or end a value, and one scope be made of two paths.
            raise ValueError(f"{text!r} needs a mark beside its parameter: write 'tenant:{{tenant}}:read'")
        found.setdefault(name, set()).update(_MARKS.intersection((before[-1:], after[:1])))
    return found


def _value(beside: set[str]) -> re.Pattern[str]:
    return re.compile(f"[A-Za-z0-9{re.escape(''.join(sorted(_MARKS - beside)))}]{{1,{MAX_PARAMETER}}}")


def _shape(text: str, values: Mapping[str, re.Pattern[str]]) -> str:
    found, seen = "", set[str]()
    for before, name, *_ in Formatter().parse(text):
        found += re.escape(before)
        if name in seen:
            found += f"(?P={name})"
        elif name is not None:
            found += f"(?P<{name}>{values[name].pattern})"
            seen.add(name)
    return found
