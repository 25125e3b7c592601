"""Kinds of values in path templates, as wide as any router reads them, for templates of werkzeug.

One router takes `+5`, `5.0` or digits of other scripts for a number, another takes them for text, and the rule of the
one must not be asked for a request that the other handles. So a template takes all of them, and what is not plainly of
its kind is refused. Does not match paths: operations.py does.
"""

import re
from decimal import Decimal
from typing import Any, NoReturn

from werkzeug.routing import AnyConverter, BaseConverter, FloatConverter, IntegerConverter, UUIDConverter

from .errors import InvalidRequest

# Of werkzeug, Starlette, pydantic and Python's own constructors, all that some of them reads.
_ANY_INTEGER = r"\s*[+-]?(?:[0_]+-)?[\d_]+(?:\.0*)?\s*"  # pydantic reads "0-1" as -1
# Each text is read in one way: where digits may stand on both sides of what may be missing, a match tries every split.
_ANY_FLOAT = r"\s*[+-]?(?:[\d_]+(?:\.[\d_]*)?|\.[\d_]+)(?:[eE][+-]?[\d_]+)?\s*|\s*[+-]?(?:(?i:nan|inf|infinity))\s*"
_ANY_UUID = r"(?i:\s*(?:urn:)?(?:uuid:)?\{?[0-9a-f-]{32,45}\}?\s*)"
_INTEGER, _SIGNED_INTEGER = re.compile(r"[0-9]+"), re.compile(r"-?[0-9]+")
_FLOAT, _SIGNED_FLOAT = re.compile(r"[0-9]+\.[0-9]+"), re.compile(r"-?[0-9]+\.[0-9]+")


class _Integer(IntegerConverter):
    weight = 40
    regex = _ANY_INTEGER

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.regex = _ANY_INTEGER  # werkzeug puts a sign in front where it is signed

    def to_python(self, value: str) -> Any:
        if not (_SIGNED_INTEGER if self.signed else _INTEGER).fullmatch(value):
            refuse_doubtful()
        return super().to_python(value)


class _Float(FloatConverter):
    weight = 45
    regex = _ANY_FLOAT

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.regex = _ANY_FLOAT

    def to_python(self, value: str) -> Any:
        if not (_SIGNED_FLOAT if self.signed else _FLOAT).fullmatch(value):
            refuse_doubtful()
        return super().to_python(value)


class _UUID(UUIDConverter):
    weight = 50
    regex = _ANY_UUID

    def to_python(self, value: str) -> Any:
        if not re.fullmatch(UUIDConverter.regex, value):
            refuse_doubtful()
        return super().to_python(value)


class _Any(AnyConverter):
    weight = 30  # texts that are listed say the most of a path


# The kinds that say less of a path have more weight: they are asked later.
CONVERTERS: dict[str, type[BaseConverter]] = {"any": _Any, "int": _Integer, "float": _Float, "uuid": _UUID}
NUMBERS = (_Integer, _Float)


def is_plainly(converter: BaseConverter, text: str, value: Any) -> bool:
    """True where `text` is how `value`, a number or a UUID, is written: `7`, not `007`, for what is read as 7.

    Always true for values of other kinds.
    """
    if not isinstance(converter, (*NUMBERS, _UUID)):
        return True
    try:
        if isinstance(value, float):  # which Python writes with an exponent where it is small or large
            return f"{Decimal(repr(value)):f}".removesuffix(".0") == text.removesuffix(".0")
        return converter.to_url(value) == text  # it fills up what has fixed digits
    except ValueError:  # more digits than Python reads
        return False


def refuse_doubtful() -> NoReturn:
    """Raises InvalidRequest (`ambiguous_path`)."""
    raise InvalidRequest("ambiguous_path", "The path of the request can be read in more than one way.")
