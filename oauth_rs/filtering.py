"""Which answers are filtered, and what goes out instead of each, alike for both shells (RFC 9110 sections 8.3, 12.5.5).

Successful answers in JSON are; others pass as they are, unbuffered. What should be filtered and cannot be becomes a 500
with nothing of it inside. fields.py does the filtering. Does no input or output, and collects nothing by itself.
"""

import logging
from collections.abc import Iterable
from typing import Any, NamedTuple

from .fields import FieldFilter, Unfilterable, filtered_headers, is_json
from .operations import OperationMap
from .refusal import Refusal
from .request import Request
from .schemes import Places

MAX_FILTERED_BYTES = 1 << 20  # reading and writing a MiB takes 5 to 75 ms, and some ten times its size of memory

Headers = list[tuple[str, str]]
_OK, _ERROR = 200, 300
_PARTIAL = 206
_WITHOUT_BODY = frozenset({204, 205})
_BODY = b'{"error": "server_error"}'
_NOT_FILTERED = Refusal(
    500,
    (("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Content-Length", str(len(_BODY)))),
    _BODY,
)

logger = logging.getLogger("oauth_rs")


class FilterRules(NamedTuple):
    """What holds for every filtered answer: the request headers that it varies by, and the bytes it may have before."""

    vary: tuple[str, ...]
    limit: int


def filter_rules(places: Iterable[Places], limit: int) -> FilterRules:
    """The rules where credentials stand in `places`. Raises TypeError and ValueError where `limit` is none."""
    if type(limit) is not int:  # True would be 1
        raise TypeError(f"max_filtered is a whole number of bytes, not {limit!r}")
    if limit <= 0:
        raise ValueError("max_filtered is a number of bytes above 0")
    names = sorted(name.decode("latin-1").title() for place in places for name in place.headers)
    return FilterRules(tuple(dict.fromkeys(("Authorization", *names))), limit)


def filter_of(filters: OperationMap[FieldFilter], request: Request) -> FieldFilter | None:
    """The filter of the operation that `request` asks for, None where it has none. Raises as `OperationMap.find`."""
    found = filters.find(request)
    return None if found is None else found[0]


class FilteredAnswer:
    """One answer to be filtered: told how it begins, then given its body, it gives what goes out.

    Where it has several filters, what goes out is what all of them show.
    """

    __slots__ = ("_body", "_fields", "_head", "_headers", "_rules", "_scopes", "_untyped", "bodiless")

    def __init__(self, rules: FilterRules, scopes: frozenset[str], method: str) -> None:
        self._rules, self._scopes = rules, scopes
        self._fields: list[FieldFilter] = []
        self._headers: Headers = []
        self._body = bytearray()
        self._untyped = False
        self._head = self.bodiless = method == "HEAD"

    def add(self, fields: FieldFilter) -> None:
        self._fields.append(fields)

    def begin(self, status: int, headers: Headers) -> bool:
        """False for an answer that passes as it is. What was taken of one before is forgotten. Raises Unfilterable."""
        self._body.clear()
        self._headers, self.bodiless = headers, self._head
        if not _OK <= status < _ERROR:
            return False
        types = [value for name, value in headers if name.lower() == "content-type" and value.strip()]
        self._untyped = not types  # may be anything: an empty body passes
        if types and not any(map(_may_hold_json, types)):
            return False
        if status == _PARTIAL:
            raise Unfilterable("partial")
        if types and not all(map(is_json, types)):
            raise Unfilterable("not_one_json_text")
        if any(name.lower() == "content-encoding" and value.strip().lower() != "identity" for name, value in headers):
            raise Unfilterable("content_encoding")
        self.bodiless = self._head or status in _WITHOUT_BODY
        return True

    def take(self, chunk: bytes) -> None:
        """Keeps the next piece of the body. Raises Unfilterable."""
        if self.bodiless:
            return
        self._body += chunk
        if chunk and self._untyped:
            raise Unfilterable("not_one_json_text")
        if len(self._body) > self._rules.limit:
            raise Unfilterable("too_large")

    @property
    def size(self) -> int:
        """The bytes that were taken."""
        return len(self._body)

    def finish(self) -> tuple[Headers, bytes]:
        """The headers and the body that go out. Raises Unfilterable."""
        body = bytes(self._body)
        for fields in self._fields if body else ():  # where there is nothing, nothing is shown
            try:
                body = fields.visible_json(body, self._scopes)
            except Unfilterable as error:
                raise Unfilterable("not_json") from error
        length = None if self.bodiless else len(body)
        return filtered_headers(self._headers, vary=self._rules.vary, length=length), body


def not_filtered(error: Unfilterable) -> Refusal:
    """The answer that goes out instead; leaves a log record that says why, and nothing of what it holds."""
    logger.error("response_not_filtered: %s", str(error))  # the error itself would lead records to the whole request
    return _NOT_FILTERED


def checked_filter(fields: Any) -> FieldFilter:
    """`fields`, when it is a filter. Raises TypeError otherwise."""
    if not isinstance(fields, FieldFilter):
        raise TypeError("write @filtered(FieldFilter({'profile': ['name', 'email']})): it takes one filter")
    return fields


def _may_hold_json(content_type: str) -> bool:
    """True for JSON, also of kinds that are not one text, as `application/jsonl`, and for parts of whatever it is."""
    media_type = content_type.partition(";")[0].strip(" \t").lower()
    return "json" in media_type or media_type == "multipart/byteranges"
