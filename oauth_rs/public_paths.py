"""Which operations need no grant: public paths and CORS preflights (Fetch standard, section 4.8).

Paths are matched in the decoded form in which applications route them. A path that somebody further in might normalise
to another one is never public.
"""

import re
from collections.abc import Collection, Iterable

from .request import Request

# Dot segments, empty ones, parameters, backslashes and control characters: what one part of a stack removes and another
# keeps. And those that were encoded twice, for a part that decodes again.
_AMBIGUOUS = re.compile(r"[\\;\x00-\x1f\x7f]|%(?:2[EeFf]|3[Bb]|5[Cc]|[01][0-9A-Fa-f]|7[Ff])")
_DOT_SEGMENT = re.compile(r"/\.{1,2}(?:/|$)")
_VARIABLE = re.compile(r"<[^/]*>|\{[^/]*\}")  # as frameworks write them
_HOST = re.compile(r"(?:[a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::[1-9][0-9]*)?")
_NEVER_IN_A_PREFLIGHT = (b"authorization", b"x-http-method-override", b"x-http-method", b"x-method-override")


class PublicPaths:
    """`patterns` are whole paths such as `/health`, or all paths below one, such as `/docs/*`.

    Begun with a host, as `//sandbox.example.com/*`, a pattern holds for requests to that host alone.
    `paths` are the patterns without their hosts.
    """

    __slots__ = ("_anywhere", "_at", "paths")

    def __init__(self, patterns: Iterable[str]) -> None:
        hosts: dict[str, list[str]] = {}
        for pattern in patterns:
            if not isinstance(pattern, str):
                raise TypeError(f"public is a list of paths, as ['/health', '/docs/*'], and {pattern!r} is none")
            host, slash, path = pattern.removeprefix("//").partition("/") if pattern.startswith("//") else ("", "", "")
            if host and not _HOST.fullmatch(host.lower()):
                raise _no_pattern(pattern)
            if host.endswith((":80", ":443")):
                raise ValueError(f"{pattern!r}: leave the default port out")
            hosts.setdefault(host.lower(), []).append(_checked(pattern, slash + path if host else pattern))
        self.paths = tuple(path for paths in hosts.values() for path in paths)
        self._anywhere = _Paths(hosts.pop("", []))
        self._at = {host: _Paths(paths) for host, paths in hosts.items()}

    @property
    def cover_everything(self) -> bool:
        """True where every path of every host is public."""
        return self._anywhere.cover_everything

    @property
    def hosts(self) -> Collection[str]:
        """The hosts that patterns name: none where they hold anywhere."""
        return self._at.keys()

    def cover(self, path: str, host: str = "") -> bool:
        """True when `path`, decoded and relative to the application, is public at `host`, which is in lower case."""
        if self._anywhere.cover(path):
            return True
        paths = self._at.get(host)
        return paths is not None and paths.cover(path)


class _Paths:
    __slots__ = ("_exact", "_prefixes")

    def __init__(self, patterns: Collection[str]) -> None:
        self._exact = frozenset(pattern for pattern in patterns if not pattern.endswith("*"))
        self._prefixes = tuple(pattern.removesuffix("*") for pattern in patterns if pattern.endswith("*"))

    @property
    def cover_everything(self) -> bool:
        return "/" in self._prefixes

    def cover(self, path: str) -> bool:
        if path in self._exact:
            return True
        return path.startswith(self._prefixes) and not is_ambiguous(path)


def _checked(pattern: str, path: str) -> str:
    whole = path.removesuffix("*")
    if not path.startswith("/") or path.startswith("//") or "*" in whole or (whole != path and whole[-1:] != "/"):
        raise _no_pattern(pattern)
    if _VARIABLE.search(whole):
        raise ValueError(f"{pattern!r} has a variable, and public paths have none: write '/photos/*', or a policy")
    if is_ambiguous(whole) or "%" in whole:
        raise ValueError(
            f"{pattern!r} covers no path: paths are compared decoded, and those with empty or dot segments, `;` and "
            "the like are never public"
        )
    return path


def _no_pattern(pattern: str) -> ValueError:
    return ValueError(
        f"{pattern!r} is not a public path: write '/health', or '/docs/*' for all below /docs/, and before it "
        "'//sandbox.example.com' where only that host is meant"
    )


def is_ambiguous(path: str) -> bool:
    """True for a path that one part of a stack takes for another one, and the next does not."""
    # One step for each: all in one expression would look at each character several times, and paths may be long.
    return "//" in path or _DOT_SEGMENT.search(path) is not None or _AMBIGUOUS.search(path) is not None


def is_preflight(request: Request) -> bool:
    """True for the request a browser sends ahead of a cross-origin one: it can carry no credentials."""
    asks = request.header(b"origin") and request.header(b"access-control-request-method")
    # What no browser sends with a preflight; an application further in may take such a request for another.
    more = any(request.header(name) for name in _NEVER_IN_A_PREFLIGHT)
    return request.method == "OPTIONS" and bool(asks) and not more
