"""By which requests a provider knows its tokens: where the token stands, other headers, the host and the path.

These tell one environment of an API from another, as a sandbox from the live one. A client may choose any of them, so
they select and prove nothing.
"""

import re
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlsplit

from ..headers import is_name
from ..public_paths import PublicPaths
from ..urls import DirectURL
from .presented import Presented
from .selection import Reads, Selector, overlap

_VALUE = re.compile(r"[\x21-\x7E](?:[\x20-\x7E]*[\x21-\x7E])?")


@dataclass(frozen=True, slots=True)
class InHeader:
    """Tokens that stand in the header `name`, which is one of those that the `presentation` of the scheme lists."""

    name: str
    reads: ClassVar[Reads] = Reads.REQUEST

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _header_name(self.name))

    def matches(self, token: Presented, /) -> bool:
        # A request with credentials in two places has been refused before this: what looks like this token is it.
        values = token.request.header(self.name.encode())
        if self.name == "authorization":
            return len(values) == 1 and values[0].endswith(b" " + token.text)
        return len(values) == 1 and values[0] == token.text

    def excludes(self, other: Selector, /) -> bool:
        return isinstance(other, InHeader) and other.name != self.name


@dataclass(frozen=True, slots=True)
class WithHeader:
    """Tokens in requests that have the header `name` once, with `value` to the letter."""

    name: str
    value: str
    reads: ClassVar[Reads] = Reads.REQUEST

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _header_name(self.name))
        if not _VALUE.fullmatch(self.value):
            raise ValueError(f"{self.value!r} is no value of a header: write printable ASCII, or WithoutHeader(name)")

    def matches(self, token: Presented, /) -> bool:
        values = token.request.header(self.name.encode())
        return len(values) == 1 and values[0] == self.value.encode()

    def excludes(self, other: Selector, /) -> bool:
        """True for another value of the same header, and for none."""
        return isinstance(other, WithHeader | WithoutHeader) and other.name == self.name and other != self


@dataclass(frozen=True, slots=True)
class WithoutHeader:
    """Tokens in requests that have no header `name`."""

    name: str
    reads: ClassVar[Reads] = Reads.REQUEST

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _header_name(self.name))

    def matches(self, token: Presented, /) -> bool:
        return not token.request.header(self.name.encode())

    def excludes(self, other: Selector, /) -> bool:
        return isinstance(other, WithHeader) and other.name == self.name


@dataclass(frozen=True, slots=True)
class OnHost:
    """Tokens in requests to `host`, as the `url` of the server says it; that must name its hosts."""

    host: str
    reads: ClassVar[Reads] = Reads.REQUEST

    def __post_init__(self) -> None:
        DirectURL(hosts=[self.host])  # raises ValueError for what is no Host
        if self.host.endswith((":80", ":443")):
            raise ValueError(f"{self.host!r}: leave the default port out")
        object.__setattr__(self, "host", self.host.lower())

    def matches(self, token: Presented, /) -> bool:
        """True at this host. Raises RuntimeError where clients can name any, and InvalidRequest as the URL does."""
        if not token.url.names_hosts:
            raise RuntimeError("OnHost needs url= to name the hosts of the server: a client may send any Host header")
        return urlsplit(token.url.of(token.request)).netloc == self.host

    def excludes(self, other: Selector, /) -> bool:
        return isinstance(other, OnHost) and other.host != self.host


@dataclass(frozen=True, slots=True)
class UnderPath:
    """Tokens in requests for `path`, or with `/sandbox/*` for all below it; matched as the `public` of a server is."""

    path: str
    reads: ClassVar[Reads] = Reads.REQUEST
    _paths: PublicPaths = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.path.startswith("//"):
            raise ValueError(f"{self.path!r} names a host: write OnHost(...) beside UnderPath(...)")
        object.__setattr__(self, "_paths", PublicPaths([self.path]))

    def matches(self, token: Presented, /) -> bool:
        return self._paths.cover(token.request.path)

    def excludes(self, other: Selector, /) -> bool:
        """True for a path that is neither below this one nor above it."""
        return isinstance(other, UnderPath) and not overlap(self.path, other.path)


def _header_name(name: str) -> str:
    if not is_name(name):
        raise ValueError(f"{name!r} is not the name of a header")
    return name.lower()
