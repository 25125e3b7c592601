"""How long it may take to match one path against the templates of a map, and so how long a path may be.

Templates are matched by regular expressions, which go back and try again. How often is told here from the templates
alone, for the worst path there is. Does not match paths: operations.py does.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from werkzeug.routing import AnyConverter, BaseConverter, PathConverter, UnicodeConverter, UUIDConverter

from .path_values import NUMBERS

# Characters of a path where a template has two variables between which a match must choose: that takes time by the
# square. No path takes more steps than these, of 5 ns or so, at all templates together: it is decided in 20 ms.
MAX_PATH = 2_048
_MOST_STEPS = MAX_PATH * MAX_PATH
_MOST_CHOICES = 2  # with three, a path of 256 characters would take a tenth of a second
LEAST_PATH = 256  # characters; a template that leaves fewer would have requests of its own refused
_LONGEST = 1 << 20  # characters; servers read 64 KiB or so

# What a step counts for each kind of variable, measured with the worst paths. For texts it is one.
_LINEAR = 6  # where a match chooses once at most, steps take longer
_NUMBER, _NUMBER_BESIDE, _NUMBER_AGAIN = 3, 8, 25  # the second where what stands beside it may be a part of it
_UUID, _UUID_AGAIN = 30, 160  # after two choices it is not characters that count, but tries
_LISTED = 8  # texts of a list that are looked at in one step
_SHORT = 200  # characters; a text that may be longer is as good as unlimited

_LIMITED = re.compile(r"\[\^/\]\{(?:\d+,)?(\d+)\}")  # how werkzeug writes string(maxlength=...)
_OF_NUMBERS = re.compile(r"[\d_]*")

Piece: TypeAlias = str | BaseConverter


class MatchingTime:
    """The time that the worst path takes at the templates that were added."""

    __slots__ = ("_start",)

    def __init__(self) -> None:
        self._start = _Place()

    def add(self, pieces: Iterable[Piece]) -> bool:
        """False where the template of `pieces`, its texts and variables in order, takes too long by itself."""
        parts, alone = _parts(pieces), _Place()
        alone.add(parts)
        self._start.add(parts)
        return alone.steps(LEAST_PATH) <= _MOST_STEPS

    def longest(self) -> int:
        """The characters that a path may have."""
        return bisect_right(range(_LONGEST), _MOST_STEPS, key=self._start.steps) - 1


class _Part(NamedTuple):
    """A part of a template that is matched at once: between slashes, or from there to the end where one spans them.

    There is a text before each variable, and one after all of them; they may be empty.
    """

    texts: list[str]
    variables: list[BaseConverter]


class _Work(NamedTuple):
    """What matching a part takes: it grows by the power `choices` of the length of the path."""

    choices: int
    each: int

    def steps(self, length: int) -> int:
        if self.choices > _MOST_CHOICES:
            return _MOST_STEPS * length
        return self.each * (1, _LINEAR * length, length * length)[self.choices]


class _Place:
    """Where a match may stand between two parts of a path, and the ways on from there, as in werkzeug's own tree."""

    __slots__ = ("texts", "variables")

    def __init__(self) -> None:
        self.texts: dict[str, _Place] = {}
        self.variables: dict[tuple[str, ...], tuple[_Work, _Place]] = {}

    def add(self, parts: Sequence[_Part]) -> None:
        place = self
        for part in parts:
            if not part.variables:
                place = place.texts.setdefault(part.texts[0], _Place())
            else:  # those that look the same are matched once
                shape = (*part.texts, *(one.regex for one in part.variables))
                _, place = place.variables.setdefault(shape, (_work(part), _Place()))

    def steps(self, length: int) -> int:
        # One text fits at most; where it leads nowhere, all that have variables are tried.
        most = max((place.steps(length) for place in self.texts.values()), default=0)
        return most + sum(work.steps(length) + place.steps(length) for work, place in self.variables.values())


def _parts(pieces: Iterable[Piece]) -> list[_Part]:
    found = [_Part([""], [])]
    spans = False
    for piece in pieces:
        if isinstance(piece, BaseConverter):
            found[-1].variables.append(piece)
            found[-1].texts.append("")
            spans = spans or not piece.part_isolating
            continue
        first, *more = [piece] if spans else piece.split("/")
        found[-1].texts[-1] += first
        found += [_Part([text], []) for text in more]
    return found


def _work(part: _Part) -> _Work:
    isolated = all(one.part_isolating for one in part.variables)
    choices, each = 0, 1
    tries = again = 0  # powers of the length: how often the next variable is tried, and how often from one character
    for at, one in enumerate(part.variables):
        before, after = part.texts[at : at + 2]
        ends = at == len(part.variables) - 1 and not after
        if short := _short(one, ends=ends):
            choices, each = max(choices, tries), each * short
            continue
        # Apart: no character is looked at by the tries from several others. Settled: a try has one end, or a few.
        apart, settled = at == 0 or not _may_hold(one, before), ends or not _may_hold(one, after)
        each *= _each(one, is_beside=not (apart and settled), tries=tries)
        if not apart:
            again = tries
        takes_all = ends and (type(one) is PathConverter or (isolated and type(one) is UnicodeConverter))
        choices = max(choices, 1 if takes_all else again + 1)  # what takes all there is ends the match
        tries = tries if settled else again + 1
    return _Work(choices, each)


def _may_hold(one: BaseConverter, text: str) -> bool:
    """True where a value of `one` may go on over `text`, however often that is repeated."""
    if isinstance(one, NUMBERS):
        return _OF_NUMBERS.fullmatch(text) is not None
    if isinstance(one, UUIDConverter):  # it has spaces around it, but no more than 45 characters
        return not text
    return not one.part_isolating or "/" not in text


def _short(one: BaseConverter, *, ends: bool) -> int:
    """What a try of `one` counts where that is the same for all paths, else 0."""
    if isinstance(one, AnyConverter):
        return 1 + len(one.items) // _LISTED
    limit = _LIMITED.fullmatch(one.regex) if ends else None  # in the middle it counts as any text
    return 1 + int(limit[1]) if limit is not None and int(limit[1]) <= _SHORT else 0


def _each(one: BaseConverter, *, is_beside: bool, tries: int) -> int:
    again = tries >= _MOST_CHOICES
    if isinstance(one, NUMBERS):
        return _NUMBER_AGAIN if again else _NUMBER_BESIDE if is_beside else _NUMBER
    if isinstance(one, UUIDConverter):
        return _UUID_AGAIN if again else _UUID if tries or is_beside else _NUMBER
    return 1
