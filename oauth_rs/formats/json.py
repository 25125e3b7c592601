"""JSON texts: their data, and the lines of its entries, which Python's own reader does not tell (RFC 8259)."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..entries import EntryError, KeyPath, LineError
from . import Read

_DEEPEST = 32  # names that lead to an entry whose line is told; the entries of a policy stand some six deep
# Possessive, and a string may lack its end: else each quote of such a text would be tried up to the end.
_LEXEME = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{},:\n]|[^\s\[\]{},:"]+')


def read(text: str) -> Read:
    """The object that `text` is. A name that is there twice in one object is a mistake."""
    try:
        data = json.loads(text, object_pairs_hook=_unique)
    except EntryError as error:
        raise LineError(str(error), line_of_second(text)) from error
    except ValueError as error:  # not only JSONDecodeError: numbers of five thousand digits
        raise LineError(f"not JSON: {getattr(error, 'msg', error)}", getattr(error, "lineno", 1)) from error
    if not isinstance(data, dict):
        raise LineError("the document is not an object", 1)
    return data, lambda: dict(json_lines(text))


def json_lines(text: str) -> Iterator[tuple[KeyPath, int]]:
    """Each member and each item of `text`, a good JSON text at least as far as it is read, with its line, from 1."""
    path: list[str | int] = []
    line, name_comes = 1, False
    for found in _LEXEME.finditer(text):
        lexeme = found[0]
        if lexeme == "\n":
            line += 1
        elif lexeme in {"]", "}"}:
            path.pop()
            name_comes = False
        elif lexeme == ",":
            name_comes = isinstance(path[-1], str)
            if not name_comes:
                path[-1] = int(path[-1]) + 1
        elif lexeme != ":":
            if name_comes:
                path[-1] = str(json.loads(lexeme))
            if (name_comes or (path and isinstance(path[-1], int))) and len(path) <= _DEEPEST:
                yield tuple(path), line
            name_comes = lexeme == "{"
            if lexeme in {"{", "["}:
                path.append("" if lexeme == "{" else 0)


def _unique(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):  # some readers take the first, some the last
        raise EntryError(f"a name is there twice in one object, among {', '.join(sorted(found))}: take one out")
    return found


def line_of_second(text: str) -> int:
    """Where a name is there twice in one object of `text`, the line of the first that is there again; else 1.

    What comes after that need not be JSON.
    """
    seen: set[KeyPath] = set()
    try:
        for path, line in json_lines(text):
            if path in seen:
                return line
            seen.add(path)
    except (IndexError, ValueError):
        pass  # it stood too deep to be told, and no JSON follows
    return 1
