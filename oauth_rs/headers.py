"""Reading `Authorization` and writing `WWW-Authenticate` (RFC 9110 section 11, RFC 6750 sections 2.1 and 3).

Reads strictly and writes only constants and configuration: nothing from a request is ever echoed.
Does not decode or check what a token means.
"""

import re
from collections.abc import Iterable

from .request import Request

_FORM = b"application/x-www-form-urlencoded"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# RFC 6750 section 3: %x20-21 / %x23-5B / %x5D-7E, so nothing that would need escaping inside the quotes.
_PLAIN = re.compile(r"[\x20\x21\x23-\x5B\x5D-\x7E]*")
# What shared caches obey in place of Cache-Control: targeted fields (RFC 9213 section 2), as CDN-Cache-Control and
# those named after one CDN, and what came before them.
_TARGETED_END = "-cache-control"
_TARGETED = frozenset({"surrogate-control", "edge-control", "x-accel-expires"})


def split_scheme(value: bytes) -> tuple[bytes, bytes]:
    """The scheme in lower case and the credentials of an `Authorization` value; 1*SP and nothing else between them."""
    scheme, _, credentials = value.partition(b" ")
    return scheme.lower(), credentials.lstrip(b" ")


def is_name(text: str) -> bool:
    """True when `text` can name a header or a scheme: a `token` of RFC 9110 section 5.6.2."""
    return _NAME.fullmatch(text) is not None


def is_one_token(credentials: bytes) -> bool:
    """True when `credentials` can be one token: there, in ASCII, and not two of them.

    Does not check the characters of RFC 6750 `b64token`: whoever reads the token refuses more than these.
    """
    separated = b" " in credentials or b"," in credentials or b"\t" in credentials
    return bool(credentials) and credentials.isascii() and not separated


def is_form(request: Request) -> bool:
    """True when the body of `request` is one whole form (RFC 6750 section 2.2, RFC 5849 section 3.4.1.3.1)."""
    types = request.header(b"content-type")
    return len(types) == 1 and _names_form(types[0]) and not request.header(b"content-encoding")


def is_odd_form(request: Request) -> bool:
    """True when an application might take the body for a form, and `is_form` does not."""
    return any(map(_names_form, request.header(b"content-type"))) and not is_form(request)


def _names_form(content_type: bytes) -> bool:
    return content_type.partition(b";")[0].strip().lower() == _FORM


def challenge(scheme: str, parameters: Iterable[tuple[str, str]]) -> str:
    """A challenge with the parameters that are not empty, each quoted. Raises ValueError where RFC 6750 forbids one."""
    if not is_name(scheme):
        raise ValueError(f"{scheme!r} is not the name of an authentication scheme")
    quoted = [f'{name}="{quotable(value)}"' for name, value in parameters if value]
    return f"{scheme} {', '.join(quoted)}" if quoted else scheme


def quotable(value: str) -> str:
    """`value`, when RFC 6750 section 3 allows it between quotes as it is. Raises ValueError otherwise."""
    if not _PLAIN.fullmatch(value):
        raise ValueError(f"{value!r} cannot stand in a challenge: printable ASCII without quotes or backslashes only")
    return value


def private_cache_control(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """`headers` of a response that no shared cache may keep, whatever the application said (RFC 9111 section 5.2.2)."""
    kept, strict = [], False
    for name, value in headers:
        folded = name.lower()
        if folded in _TARGETED or folded.endswith(_TARGETED_END):
            continue
        if folded != "cache-control":
            kept.append((name, value))
        elif {"private", "no-store"} & {one.strip().lower() for one in value.split(",")}:
            kept.append((name, value))
            strict = True
    return kept if strict else [*kept, ("Cache-Control", "private")]
