"""Strict base64url (RFC 7515 section 2) and strict JSON (RFC 8259, RFC 8725 section 2.6).

Both accept exactly one spelling of a value where lenient decoders accept many: no padding, no white space, no stray
bits, no repeated member names, no NaN, no lone surrogates. Neither knows what the value means.
"""

import binascii
import json
import re
from json.scanner import make_scanner
from typing import Any, NoReturn

MAX_JSON_DEPTH = 32  # real claims nest four deep; CPython's parser gives up with RecursionError near a thousand

_FILL = b"!"  # outside every base64 alphabet: whatever is mapped to it makes a2b_base64 refuse
_TO_STANDARD = bytes(
    {ord("-"): ord("+"), ord("_"): ord("/")}.get(byte, byte if bytes((byte,)).isalnum() else ord(_FILL))
    for byte in range(256)
)
_PADDING = (b"", b"===", b"==", b"=")
# The last character of a final group carries 4 or 2 bits that no byte uses; they must be zero, or many strings would
# decode to the same bytes. a2b_base64 ignores them even when strict.
_CLEAN_ENDINGS: tuple[frozenset[int] | None, ...] = (
    None,
    frozenset(),
    frozenset(b"AQgw"),
    frozenset(b"AEIMQUYcgkosw048"),
)
_WHITE_SPACE = " \t\n\r"  # RFC 8259 section 2; str.strip() alone would take more
# The closing quote may be missing: were an unclosed string no match, each quote in it would be tried to the very end.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def base64url_decode(data: bytes) -> bytes:
    """The bytes that `data` is the one base64url spelling of. Raises ValueError otherwise."""
    rest = len(data) & 3
    clean = _CLEAN_ENDINGS[rest]
    if clean is not None and data[-1] not in clean:
        raise ValueError("not base64url")
    return binascii.a2b_base64(data.translate(_TO_STANDARD) + _PADDING[rest], strict_mode=True)


def json_object(data: bytes) -> dict[str, Any]:
    """The JSON object that `data` is, in UTF-8, at most MAX_JSON_DEPTH deep. Raises ValueError otherwise.

    Numbers are finite; integers longer than `sys.get_int_max_str_digits()` are refused. The size of `data` is for the
    caller to bound.
    """
    text = data.decode()  # first, because most rubbish ends here
    # Most claims hold no object, and looking for one is quicker than counting.
    if data.count(b"[") + (data.count(b"{") if data.find(b"{", 1) > 0 else 1) > MAX_JSON_DEPTH:
        _check_depth(data)
    if data[:1] != b"{" or data[-1:] != b"}":
        text = text.strip(_WHITE_SPACE)
    try:
        value, end = _scan(text, 0)
    except StopIteration as error:  # the scanner's way to say that no value begins here
        raise ValueError("not JSON") from error
    if end != len(text) or type(value) is not dict:
        raise ValueError("not a JSON object")
    if b"\\" in data and b"\\u" in data:  # one byte is found much faster than two
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate raises UnicodeEncodeError, a ValueError
    return value


def _check_depth(data: bytes) -> None:
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(data):
        mark = found[0]
        if mark in (b"{", b"["):
            depth += 1
            if depth > MAX_JSON_DEPTH:
                raise ValueError("nested too deep")
        elif mark in (b"}", b"]"):
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name is repeated")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:  # 1e999 is legal JSON and becomes infinity
        raise ValueError("not a finite number")
    return number


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


# JSONDecoder.decode wraps this in calls that take a tenth of the time of reading common claims.
_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant)
_scan = make_scanner(_decoder)  # type: ignore[arg-type]  # the stub asks for a scanner where a decoder is taken
