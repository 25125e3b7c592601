"""By which issuer a provider knows its tokens: one, or all that an allow-list takes in (RFC 8414 section 2).

Issuers are compared to the letter, and a pattern takes in nothing but URLs in their plainest form: what two parsers
could read in two ways is no issuer. Believes nothing: `iss` is not verified yet.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from .presented import Presented
from .selection import Opaque, Reads, Selector

MAX_ISSUER = 512  # characters; real ones have some sixty
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# Neither `*`, which patterns have, nor escapes of a slash, a dot, a backslash, a percent sign or of control characters.
_SEGMENT = r"(?!\.{1,2}(?:/|\Z))(?:[A-Za-z0-9._~!$'()+,=:-]|%(?!2[EFef5]|5[Cc]|[01]|7[Ff])[0-9A-Fa-f]{2})+"
_ISSUER = re.compile(
    rf"https://(?P<host>{LABEL}(?:\.{LABEL})*)(?P<port>:[1-9][0-9]{{0,4}})?(?P<path>(?:/{_SEGMENT})*/?)"
)
_FIX = "write 'https://login.example.com/*', 'https://*.example.com', or an issuer as its tokens spell it"


class _Parts(NamedTuple):
    host: str
    port: str
    path: str


@dataclass(frozen=True, slots=True)
class IssuedBy:
    """JWTs whose unverified `iss` is `issuer`, to the letter."""

    issuer: str
    reads: ClassVar[Reads] = Reads.CLAIMS

    def matches(self, token: Presented, /) -> bool:
        return token.claims.get("iss") == self.issuer

    def excludes(self, other: Selector, /) -> bool:
        return (isinstance(other, IssuedBy) and other.issuer != self.issuer) or isinstance(other, Opaque)


@dataclass(frozen=True, slots=True)
class AllowedIssuers:
    """JWTs whose unverified `iss` is one of `patterns`: issuers, or URLs with a `*`.

    `https://login.example.com/*` takes in every path below, of one segment or more, and
    `https://*.example.com` every host with one label more. A port must be in the pattern.
    """

    patterns: tuple["IssuerPattern", ...]
    reads: ClassVar[Reads] = Reads.CLAIMS

    @classmethod
    def of(cls, allow: Iterable[str]) -> "AllowedIssuers":
        if isinstance(allow, str) or not isinstance(allow, Iterable):
            raise TypeError("allow is a list, as ['https://login.example.com/*']")
        patterns = tuple(map(IssuerPattern.of, allow))
        if not patterns:
            raise ValueError(f"allow lists at least one issuer: {_FIX}")
        return cls(patterns)

    def cover(self, issuer: Any) -> bool:
        """True for a text that is an issuer in its plainest form, and of these."""
        parts = _parsed(issuer) if isinstance(issuer, str) else None
        return parts is not None and any(pattern.covers(parts) for pattern in self.patterns)

    def matches(self, token: Presented, /) -> bool:
        return self.cover(token.claims.get("iss"))

    def excludes(self, other: Selector, /) -> bool:
        """True for an issuer that is not of these, and for patterns that have none in common."""
        if isinstance(other, IssuedBy):
            return not self.cover(other.issuer)
        if isinstance(other, AllowedIssuers):
            return not any(one.overlaps(another) for one in self.patterns for another in other.patterns)
        return isinstance(other, Opaque)


@dataclass(frozen=True, slots=True)
class IssuerPattern:
    """`any_label` stands for one label before `host`, and `any_path` for one segment or more behind `path`."""

    host: str
    port: str
    path: str
    any_label: bool
    any_path: bool

    @classmethod
    def of(cls, text: str) -> "IssuerPattern":
        if not isinstance(text, str):
            raise TypeError(f"allow lists texts, as 'https://login.example.com/*', and {text!r} is none")
        whole = text.removesuffix("*") if text.endswith("/*") else text
        plain = whole.replace("https://*.", "https://", 1) if whole.startswith("https://*.") else whole
        parts = _parsed(plain)
        if parts is None:
            raise ValueError(f"{text!r} is no pattern of issuers: {_FIX}")
        if plain != whole and "." not in parts.host:
            raise ValueError(f"{text!r} would take in everybody's hosts: {_FIX}")
        return cls(*parts, any_label=plain != whole, any_path=whole != text)

    def covers(self, issuer: _Parts) -> bool:
        host = issuer.host.partition(".")[2] if self.any_label else issuer.host
        return (host, issuer.port) == (self.host, self.port) and self.leads_to(issuer.path)

    def leads_to(self, path: str) -> bool:
        """True when `path` is the one of this pattern, or below it."""
        if not self.any_path:
            return path == self.path
        return path.startswith(self.path) and path != self.path

    def overlaps(self, other: "IssuerPattern") -> bool:
        """True when there may be an issuer that both cover."""
        if self.any_label != other.any_label:
            with_label, without = (self, other) if self.any_label else (other, self)
            same_host = without.host.partition(".")[2] == with_label.host
        else:
            same_host = self.host == other.host
        if not same_host or self.port != other.port:
            return False
        if self.any_path and other.any_path:
            return self.path.startswith(other.path) or other.path.startswith(self.path)
        return self.leads_to(other.path) if self.any_path else other.leads_to(self.path)


def _parsed(issuer: str) -> _Parts | None:
    found = _ISSUER.fullmatch(issuer) if len(issuer) <= MAX_ISSUER else None
    return None if found is None else _Parts(found["host"], found["port"] or "", found["path"])
