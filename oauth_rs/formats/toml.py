"""TOML texts: their data, and the lines of its entries, which Python's own reader does not tell (TOML 1.0)."""

import re
import tomllib
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from ..entries import KeyPath, LineError
from . import Read

_DEEPEST = 32  # keys of one TOML statement whose lines are noted; `[a.a.a...]` may have half a million
# What a line break can stand in without ending a statement of TOML, and the line break.
_LEXEME = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})|'
    r"'''.*?'''(?:'{0,2})|"
    r'"(?:\\.|[^"\\])*"|'
    r"'[^']*'|#[^\n]*|[\[\]{}\n]",
    re.DOTALL,
)
_DEPTH = {"[": 1, "{": 1, "]": -1, "}": -1}
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def read(text: str) -> Read:
    """The table that `text` is."""
    try:
        return tomllib.loads(text), partial(_lines, text)
    except ValueError as error:  # not only TOMLDecodeError: numbers of five thousand digits
        place = _PLACE.search(str(error))
        last = text.rstrip().count("\n") + 1
        line = 1 if place is None else int(place[1] or last)
        raise LineError(f"not TOML: {_PLACE.sub('', str(error))}", line) from error


def _lines(text: str) -> dict[KeyPath, int]:
    """The line of each entry of `text`, which is known to be good.

    tomllib tells no lines. So it is given each statement alone, and what comes out has the keys of that statement.
    """
    found: dict[KeyPath, int] = {}
    last: dict[KeyPath, int] = {}  # an array of tables -> the index of its last one
    table: KeyPath = ()
    for line, statement in _statements(text):
        path = () if statement.startswith("[") else table
        for key in islice(_keys(tomllib.loads(statement)), _DEEPEST):
            path = (*path, last[path], key) if path in last else (*path, key)
            found.setdefault(path, line)
        if statement.startswith("[["):
            last[path] = last.get(path, -1) + 1
            path = (*path, last[path])
            found[path] = line
        if statement.startswith("["):
            table = path
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    start, line, depth = 0, 1, 0
    for lexeme in _LEXEME.finditer(text + "\n"):
        depth += _DEPTH.get(lexeme[0], 0)
        if lexeme[0] == "\n" and not depth:
            yield line, text[start : lexeme.start()].strip()
            line += text.count("\n", start, lexeme.end())
            start = lexeme.end()


def _keys(data: Any) -> Iterator[str]:
    while isinstance(data, dict) and len(data) == 1:
        ((key, data),) = data.items()
        yield key
