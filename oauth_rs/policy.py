"""Which operations need no grant: public paths and CORS preflights (Fetch standard, section 4.8).

Paths are matched in the decoded form in which applications route them. A path that somebody further in might normalise
to another one is never public.
"""

import re
from collections.abc import Iterable

from .model import Request

# Dot segments, empty ones, parameters, backslashes and control characters: what one part of a stack removes and another
# keeps.
_AMBIGUOUS = re.compile(r"//|/\.{1,2}(?:/|$)|[\\;]|[\x00-\x1f\x7f]")
_NEVER_IN_A_PREFLIGHT = (b"authorization", b"x-http-method-override", b"x-http-method", b"x-method-override")


class PublicPaths:
    """`patterns` are whole paths such as `/health`, or all paths below one, such as `/docs/*`."""

    __slots__ = ("_exact", "_prefixes")

    def __init__(self, patterns: Iterable[str]) -> None:
        exact: list[str] = []
        prefixes: list[str] = []
        for pattern in patterns:
            whole = pattern.removesuffix("*")
            if not pattern.startswith("/") or "*" in whole or (whole != pattern and not whole.endswith("/")):
                raise ValueError(
                    f"{pattern!r} is not a public path: write '/health', or '/docs/*' for all below /docs/"
                )
            (exact if whole == pattern else prefixes).append(whole)
        self._exact = frozenset(exact)
        self._prefixes = tuple(prefixes)

    def cover(self, path: str) -> bool:
        """True when `path`, decoded and relative to the application, is public."""
        if path in self._exact:
            return True
        return path.startswith(self._prefixes) and not _AMBIGUOUS.search(path)


def is_preflight(request: Request) -> bool:
    """True for the request a browser sends ahead of a cross-origin one: it can carry no credentials."""
    asks = request.header(b"origin") and request.header(b"access-control-request-method")
    # What no browser sends with a preflight; an application further in may take such a request for another.
    more = any(request.header(name) for name in _NEVER_IN_A_PREFLIGHT)
    return request.method == "OPTIONS" and bool(asks) and not more
