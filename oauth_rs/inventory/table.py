"""Routes as a table of aligned columns, for terminals.

Prints nothing itself.
"""

from collections import Counter
from collections.abc import Sequence

from .route import Route

_HEAD = ("", "method", "path", "protection", "takes", "filtered by", "endpoint")
_FILTERED_BY = _HEAD.index("filtered by")


def table(found: Sequence[Route]) -> str:
    """A line for each route, `!` before one with a problem; then the problems, what else to know, and how many."""
    rows = [_HEAD, *map(_row, found)]
    if not any(route.filters for route in found):
        rows = [row[:_FILTERED_BY] + row[_FILTERED_BY + 1 :] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    faults = [route.fault for route in found if route.problem]
    notes = [f"{route.name} ({route.endpoint}): {route.note}" for route in found if route.note]
    return "\n".join([*lines, "", *map(_shown, faults), *map(_shown, notes), _summary(found)])


def _row(route: Route) -> tuple[str, ...]:
    mark = "!" if route.problem else ""
    cells = route.method, route.path, route.protection, route.takes or "-", route.filtered_by or "-", route.endpoint
    return mark, *map(_shown, cells)


def _shown(text: str) -> str:
    """`text` with escapes for what a terminal would obey or not show."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _summary(found: Sequence[Route]) -> str:
    counts = Counter(route.protection for route in found)
    parts = [f"{number} {protection}" for protection, number in counts.items()]
    return f"{len(found)} route{'' if len(found) == 1 else 's'}" + (f": {', '.join(parts)}" if parts else "")
