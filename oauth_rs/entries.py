"""Mistakes in what is declared as data: which entry or line is to be mended, and what may have been meant instead.

Does not know files, see configuration.py.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""The names and indexes that lead to an entry of nested data."""


class LineError(ValueError):
    """A text is not what it should be, in its `line`, counted from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class EntryError(ValueError):
    """A declaration is not good. `path` leads to what must be mended: the name of the entry, and its member if any."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.path = path


@contextmanager
def placed(*path: str | int, what: str = "") -> Iterator[None]:
    """A ValueError or TypeError from within leaves as EntryError of `path`, and begins with `what`.

    Not an EntryError, which says more closely where it is from.
    """
    try:
        yield
    except EntryError:
        raise
    except (TypeError, ValueError) as error:  # a value of another type is a mistake of who wrote the data, too
        raise EntryError(f"{what}: {error}" if what else str(error), *path) from error


def meant(word: object, known: Iterable[str]) -> str:
    """A hint for who wrote `word`, which is not `known`: a near word, in any case of letters, or else a question."""
    by_lower = {one.lower(): one for one in known}
    near = get_close_matches(str(word).lower(), by_lower, n=1)  # data that no file has may have keys of other kinds
    return f"did you mean {by_lower[near[0]]!r}?" if near else "is it misspelled, or not declared?"
