"""The lines of a JSON text, which Python's own reader does not tell (RFC 8259). Does not check the text."""

import json
import re
from collections.abc import Iterator

_DEEPEST = 32  # names that lead to an entry whose line is told; the entries of a policy stand some six deep
# Possessive, and a string may lack its end: else each quote of such a text would be tried up to the end.
_LEXEME = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{},:\n]|[^\s\[\]{},:"]+')


def json_lines(text: str) -> Iterator[tuple[tuple[str | int, ...], int]]:
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


def line_of_second(text: str) -> int:
    """Where a name is there twice in one object of `text`, the line of the first that is there again; else 1.

    What comes after that need not be JSON.
    """
    seen: set[tuple[str | int, ...]] = set()
    try:
        for path, line in json_lines(text):
            if path in seen:
                return line
            seen.add(path)
    except (IndexError, ValueError):
        pass  # it stood too deep to be told, and no JSON follows
    return 1
