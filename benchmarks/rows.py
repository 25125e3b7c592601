"""One line of the table: a ratio, what was aimed at, and how the two compare."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`ratio` is to stay at or below `aim`, or at or above it where `at_least`. `note` shows others beside."""

    case: str
    ratio: float
    aim: float
    at_least: bool = False
    note: str = ""

    @property
    def ok(self) -> bool:
        return self.ratio >= self.aim if self.at_least else self.ratio <= self.aim

    def cells(self) -> tuple[str, ...]:
        limit = f"{'>=' if self.at_least else '<='} {self.aim:g}"
        return self.case, _short(self.ratio), limit, "ok" if self.ok else "MISSED", self.note


HEAD = ("case", "ratio", "aim", "", "beside")


def table(rows: Iterable[Row]) -> Iterable[str]:
    """The rows as lines of a Markdown table, aligned to be read as they are."""
    cells = [HEAD, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = tuple("-" * width for width in widths)
    for line in (cells[0], rule, *cells[1:]):
        yield "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"


def beside(ratios: Mapping[str, float]) -> str:
    """`ratios` of others, as a note."""
    return ", ".join(f"{name} {_short(ratio)}" for name, ratio in ratios.items())


def _short(ratio: float) -> str:
    return f"{ratio:.3f}" if ratio < 0.3 else f"{ratio:.2f}"
