"""What puts a token into the requests of an httpx2 client, blocking or awaiting (RFC 6750 section 2.1).

Bound to origins: a request to any other is refused before it is sent. A redirect elsewhere does not come through here,
and httpx2 takes the header off. A token that is refused with 401 is replaced and the call made once more, where that is
safe. Does not get tokens and does not check what a 401 says.
"""

from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import httpx2

from ..members import check_flag
from ..urls import secure, shown
from .errors import OutboundError, WrongOrigin

_UNAUTHORIZED = 401
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """A token that is kept, and the times of a clock that never goes back at which it is renewed, and ends."""

    text: str = field(repr=False)
    refresh_at: float
    ends_at: float


class Tokens(Protocol):
    """Where tokens come from."""

    def get(self) -> Held: ...

    async def get_awaiting(self) -> Held: ...

    def refused(self, held: Held, /) -> bool:
        """True when a call that was refused with `held` may be made once more, with another token."""


class BearerAuth(httpx2.Auth):
    """Bound to `origins`, https ones or http to this machine; with none named, to that of its first request.

    `plain_http` lets the token be read by whoever is on the way. Raises ValueError, and WrongOrigin (`other_origin`,
    `plain_http`) from the call that would go elsewhere. A redirect from http to https on the same host and the default
    ports keeps the token, as httpx2 does it.
    """

    def __init__(self, tokens: Tokens, *origins: str, plain_http: bool = False) -> None:
        check_flag("plain_http", plain_http)
        self._tokens = tokens
        self._plain_http = plain_http
        self._origins = frozenset(httpx2.URL(checked_origin(url, plain_http=plain_http)).origin for url in origins)
        # The origin of the first request, put there by whichever thread is first.
        self._first: dict[str, httpx2.Origin] = {}

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        self._check(request.url)
        with _named(request.url):
            held = self._tokens.get()
        response = yield _carrying(request, held)
        if self._calls_for_another(request, response, held):
            with _named(request.url):
                other = self._tokens.get()
            if other.text != held.text:
                yield _carrying(request, other)

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        self._check(request.url)
        with _named(request.url):
            held = await self._tokens.get_awaiting()
        response = yield _carrying(request, held)
        if self._calls_for_another(request, response, held):
            with _named(request.url):
                other = await self._tokens.get_awaiting()
            if other.text != held.text:
                yield _carrying(request, other)

    def _check(self, url: httpx2.URL) -> None:
        if not self._plain_http and not secure(str(url)):
            raise WrongOrigin("plain_http", f"{_shown(url.origin)} is not https")
        bound = self._origins or {self._first.setdefault("", url.origin)}
        if url.origin not in bound:
            there = ", ".join(sorted(map(_shown, bound)))
            raise WrongOrigin("other_origin", f"{_shown(url.origin)} is not {there}, which the token is for")

    def _calls_for_another(self, request: httpx2.Request, response: httpx2.Response, held: Held) -> bool:
        """Drops `held` when it was refused. True when the very request can be sent again."""
        refused = response.request
        if response.status_code != _UNAUTHORIZED or refused.headers.get("Authorization") != _value(held):
            return False  # after a redirect elsewhere it is not our token that was refused
        # After a redirect the first request was done: not again. A body that comes in pieces is gone.
        repeatable = refused is request and isinstance(request.stream, httpx2.ByteStream)
        return self._tokens.refused(held) and repeatable


def checked_origin(url: str, *, plain_http: bool) -> str:
    """`url`, when a token may go there. Raises ValueError and TypeError."""
    if not isinstance(url, str):
        raise TypeError("base_url and origins are URLs, as text")
    parsed = httpx2.URL(url)
    if parsed.scheme not in _PORTS or not parsed.host or parsed.userinfo:
        raise ValueError("a token is bound to a URL such as https://billing.example.com, without a name or password")
    if not plain_http and not secure(url):
        raise ValueError(
            f"a token goes over https, or over http on this machine, not to {shown(url)!r}: see plain_http"
        )
    return url


@contextmanager
def _named(url: httpx2.URL) -> Iterator[None]:
    """An error of a source leaves with the origin that its token is wanted for."""
    try:
        yield
    except OutboundError as error:  # one for this caller alone
        error.detail = f"{error.detail or 'no token'} for {_shown(url.origin)}"
        raise


def _shown(origin: httpx2.Origin) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    port = "" if origin.port in {None, _PORTS.get(origin.scheme)} else f":{origin.port}"
    return f"{origin.scheme}://{host}{port}"


def _carrying(request: httpx2.Request, held: Held) -> httpx2.Request:
    request.headers["Authorization"] = _value(held)
    return request


def _value(held: Held) -> str:
    return f"Bearer {held.text}"
