"""Path templates in pieces, and what may stand for their parameters in examples.

Knows the converters of werkzeug, and calls none but those for numbers: one of the user's may look into a database.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from werkzeug.routing import AnyConverter, FloatConverter, IntegerConverter, ValidationError

ANGLES = re.compile(r"<(?:[^>]*:)?(\w+)>")  # a parameter as werkzeug writes it
# What may stand for a parameter, unlikely to be named in a rule of its own. Some are for those that span slashes.
_SAMPLES = (
    "1729",
    "example",
    "example/1729",
    "1729/",
    "",
    "00000000-0000-4000-8000-000000001729",
    "1729.5",
    "2001-01-01",
    *("1" * length for length in range(1, 65)),  # where a length is set
)
_NUMBERS = (IntegerConverter, FloatConverter)
_SAMPLES_EACH = 5


class Piece(NamedTuple):
    """A part of a path as it is written, what may stand there, and its converter; None where the text itself does."""

    text: str
    samples: tuple[str, ...]
    converter: Any = None


class Anything(NamedTuple):
    """Stands for a converter, by its pattern."""

    regex: str


def pieces(path: str, variable: re.Pattern[str], converters: Mapping[str, Any]) -> Iterator[Piece]:
    """`path` in pieces; the first group of `variable` is the name of a parameter, its converter among `converters`."""
    end = 0
    for found in variable.finditer(path):
        yield literal(path[end : found.start()])
        yield Piece(found[0], _samples(converters[found[1]]), converters[found[1]])
        end = found.end()
    yield literal(path[end:])


def literal(text: str) -> Piece:
    return Piece(text, (text,))


def pattern(parts: tuple[Piece, ...]) -> re.Pattern[str]:
    """What paths of `parts` look like: a group for each, `p0` and so on."""
    texts = (re.escape(part.text) if part.converter is None else part.converter.regex for part in parts)
    return re.compile("".join(f"(?P<p{number}>{text})" for number, text in enumerate(texts)))


def values(path: str, parts: tuple[Piece, ...], whole: re.Pattern[str]) -> tuple[str, ...] | None:
    """What stands in `path` for each of `parts`, of which `whole` is the pattern; None when it does not fit them."""
    found = whole.fullmatch(path)
    if found is None:
        return None
    texts = tuple(found[f"p{number}"] for number in range(len(parts)))
    fits = all(_is_in_bounds(part.converter, text) for part, text in zip(parts, texts, strict=True))
    return texts if fits else None


def _samples(converter: Any) -> tuple[str, ...]:
    if isinstance(converter, AnyConverter):
        return tuple(sorted(converter.items))
    fitting = (
        sample
        for sample in _candidates(converter)
        if re.fullmatch(converter.regex, sample) and _is_in_bounds(converter, sample)
    )
    return tuple(islice(fitting, _SAMPLES_EACH)) or _SAMPLES[:1]


def _candidates(converter: Any) -> Iterable[str]:
    if type(converter) not in _NUMBERS:
        return _SAMPLES
    bounds = [str(bound) for bound in (converter.min, converter.max) if bound is not None]
    return [sample.zfill(converter.fixed_digits) for sample in (*_SAMPLES, *bounds)]


def _is_in_bounds(converter: Any, value: str) -> bool:
    if type(converter) in _NUMBERS:
        try:
            converter.to_python(value)
        except ValidationError:
            return False
    return True
