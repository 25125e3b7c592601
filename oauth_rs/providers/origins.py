"""From which origins a provider may fetch, where strangers have a say in it: metadata names a `jwks_uri` anywhere.

Holds a flow to them, and what the flow starts aside. URLs are read strictly: one that two parsers could read in two
ways is at no origin (RFC 6454 section 4). Does not look at paths, nor at what a name resolves to.
"""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ..errors import MISCONFIGURED_SECONDS, Unavailable
from ..flow import Aside, Effect, Fetch, Flow, T, through
from ..metadata import UNREACHABLE
from ..urls import DEFAULT_PORT, secure
from .issuers import LABEL, AllowedIssuers

logger = logging.getLogger("oauth_rs")

_ORIGIN = re.compile(rf"(https?)://(\*\.)?({LABEL}(?:\.{LABEL})*)(:[1-9][0-9]{{0,4}})?")
_URL = re.compile(rf"{_ORIGIN.pattern}(?:[/?].*)?", re.IGNORECASE | re.DOTALL | re.ASCII)
_BEGINNING = re.compile(r"https?://[^\s/?#\\@]+(?=[/?]|\Z)")


class _Origin(NamedTuple):
    """`any_label` stands for one label before `host`; `port` has its colon."""

    scheme: str
    host: str
    port: str
    any_label: bool

    def __str__(self) -> str:
        return f"{self.scheme}://{'*.' if self.any_label else ''}{self.host}{self.port}"

    def covers(self, other: "_Origin") -> bool:
        host = other.host.partition(".")[2] if self.any_label else other.host
        return (other.scheme, host, other.port) == (self.scheme, self.host, self.port)


@dataclass(frozen=True, slots=True)
class Origins:
    """Origins from which may be fetched; see `of`. `stated` are compared to the letter."""

    _origins: frozenset[_Origin]
    _stated: frozenset[str] = frozenset()

    @classmethod
    def of(cls, allowed: AllowedIssuers, more: Iterable[str]) -> "Origins":
        """Those of the issuers that `allowed` takes in, and `more`, as `https://keys.example.net`."""
        if isinstance(more, str):
            raise TypeError("fetch_from is a list, as ['https://keys.example.net']")
        issuers = (
            _Origin("https", one.host, one.port or DEFAULT_PORT["https"], one.any_label) for one in allowed.patterns
        )
        return cls(frozenset((*issuers, *map(_named, more))))

    def and_of(self, urls: Iterable[str]) -> "Origins":
        """These, and those of `urls`, which the application has named: any that can be fetched from, spelled alike."""
        return Origins(self._origins, frozenset(filter(None, map(_beginning, urls))))

    def hold(self, flow: Flow[T], issuer: str) -> Flow[T]:
        """What `flow`, that of the provider of `issuer`, gives; all that it fetches, now or aside, is from here.

        Raises Unavailable (`fetch_not_allowed`) in the flow where it asks for anything else, and nothing is fetched.
        """
        return through(partial(self._held, issuer), flow)

    def _held(self, issuer: str, effect: Effect) -> Effect:
        if isinstance(effect, Aside):
            return Aside(partial(self._start, effect.start, issuer))
        if isinstance(effect, Fetch):
            origin = _origin_of(effect.url)
            named = origin is not None and any(one.covers(origin) for one in self._origins)
            if not named and _beginning(effect.url) not in self._stated:
                logger.error(
                    "configuration: the metadata of %s leads to %s: list it in fetch_from if that is right",
                    issuer,
                    origin or "a URL that is not plain",
                )
                raise Unavailable("fetch_not_allowed", UNREACHABLE, retry_after=MISCONFIGURED_SECONDS)
        return effect

    def _start(self, start: Callable[[], Flow[None]], issuer: str) -> Flow[None]:
        return self.hold(start(), issuer)


def _named(text: Any) -> _Origin:
    found = _ORIGIN.fullmatch(text) if isinstance(text, str) else None
    if found is None or not secure(text):
        raise ValueError(
            f"{text!r} is no origin to fetch from: write 'https://keys.example.net' or 'https://*.keys.example.net', "
            "in lower case and without a path, or one of this machine over http"
        )
    scheme, any_label, host, port = found.groups()
    if any_label and "." not in host:
        raise ValueError(f"{text!r} would take in everybody's hosts: write 'https://*.keys.example.net'")
    return _Origin(scheme, host, port or DEFAULT_PORT[scheme], bool(any_label))


def _beginning(url: str) -> str:
    """`url` up to its path: what no parser reads in another way than the same text elsewhere."""
    found = _BEGINNING.match(url)
    return "" if found is None else found[0]


def _origin_of(url: str) -> _Origin | None:
    found = _URL.fullmatch(url)
    if found is None or found[2]:
        return None
    scheme = found[1].lower()
    return _Origin(scheme, found[3].lower(), found[4] or DEFAULT_PORT[scheme], any_label=False)
