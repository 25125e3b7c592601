"""HTTP exchanges as the effects ask for them (RFC 9110): settings, limits, and what counts as no answer.

Redirects are not followed, proxies of the environment are not used, bodies are cut off at the limit, and the whole
exchange ends at the time-out however slowly the other side drips. No connection is kept between fetches, so nothing is
shared across a fork or between event loops, and there is nothing to close. blocking.py and awaiting.py do the work.
"""

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeAlias, TypeVar

import anyio
import httpx2

from ..errors import Unavailable
from ..flow import Certificate, Fetch, Pace, Reply
from .causes import FailedExchanges, is_out_of_files
from .certificates import ShownCertificate

TIMEOUT = 5.0  # seconds for one exchange; discovery and keys may take up to four
MAX_CERTIFICATES = 32  # of this side, whose TLS contexts are kept
_REDIRECTS = range(300, 400)
_EXAMPLE = "as tls=lambda: ssl.create_default_context(cafile='ca.pem')"
# What an exchange that fails can raise. UnicodeError: a host name with an empty label or one over 63 characters.
FAILURES = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, UnicodeError)
# For those who ask to tell of: a place where metadata might be may well redirect, or have a long page.
_CAUSES = {"redirected": "a redirect", "reply_too_large": "a longer one than allowed"}

_FAILED = frozenset({"fetch_failed", "fetch_busy"})

Outcome: TypeAlias = Reply | str  # an answer, or the reason why there is none
E = TypeVar("E", bound=threading.Event | anyio.Event)


@dataclass(frozen=True, kw_only=True)
class HTTPSettings:
    """How to reach issuers: seconds for a whole exchange, `tls`, a proxy URL.

    `tls` is a TLS context, or a function that makes one, as `ssl.create_default_context`; left out, the system's trust
    anchors count. Certificates of this side take a function, which is called again for each: a context cannot be
    copied, and what a copy lacked, as a minimum version or revocation lists, would be missing where nobody looks.
    Raises TypeError and ValueError.
    """

    timeout: float = TIMEOUT
    tls: ssl.SSLContext | Callable[[], ssl.SSLContext] | None = None
    proxy: str | None = field(default=None, repr=False)  # it may hold a password

    def __post_init__(self) -> None:
        if isinstance(self.timeout, bool) or not isinstance(self.timeout, int | float):
            raise TypeError("timeout is a number of seconds above 0")
        if not self.timeout > 0:
            raise ValueError("timeout is a number of seconds above 0")
        if self.proxy is not None:
            httpx2.Proxy(self.proxy)  # raises ValueError for what is not the URL of a proxy
        if self.tls is not None:
            made = self.tls if isinstance(self.tls, ssl.SSLContext) else self._tried(self.tls)
            if made.verify_mode != ssl.CERT_REQUIRED or not made.check_hostname:
                # Tokens and secrets go to these servers, keys come from them (RFC 7662 section 4, RFC 8414 section 6).
                raise ValueError(f"tls is to verify servers and the names they have, {_EXAMPLE}")

    def _tried(self, tls: object) -> ssl.SSLContext:
        if not callable(tls) or isinstance(tls, type):
            raise TypeError(f"tls is a TLS context, or a function that makes one, {_EXAMPLE}")
        try:
            another = tls()
            if not isinstance(another, ssl.SSLContext):
                raise TypeError(f"tls gives an ssl.SSLContext, {_EXAMPLE}")
            if another is self._tls:
                raise ValueError(f"tls makes a new context each time it is called, {_EXAMPLE}")
        except OSError as error:
            raise ValueError(f"tls cannot make a TLS context: {error}") from error
        return another

    def _made(self) -> ssl.SSLContext:
        if isinstance(self.tls, ssl.SSLContext):
            # Of the right type, for most; ShownCertificate makes a record of it.
            raise ValueError(f"with a certificate tls is a function that makes a TLS context, {_EXAMPLE}")  # noqa: TRY004
        return self.tls() if self.tls is not None else httpx2.create_ssl_context(trust_env=False)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # Reading the trust anchors takes longer than a fetch; one context serves every client, thread and loop.
        return self.tls if isinstance(self.tls, ssl.SSLContext) else self._made()

    @cached_property
    def _showing(self) -> Callable[[Certificate], ShownCertificate]:
        return lru_cache(maxsize=MAX_CERTIFICATES)(partial(ShownCertificate, self._made))

    def _context(self, fetch: Fetch) -> ssl.SSLContext:
        context = self._tls if fetch.certificate is None else self._showing(fetch.certificate).context()
        if context is None:
            raise no_answer("fetch_failed")
        return context

    @cached_property
    def _failed(self) -> FailedExchanges:
        return FailedExchanges()

    def failed(self, fetch: Fetch, error: Exception) -> str:
        """The `reason` for `error`, one of FAILURES or an Unavailable, by which `fetch` ended; the log tells why."""
        if not isinstance(error, Unavailable) or (error.reason in _FAILED and error.cause):
            self._failed.tell(fetch, error, time.monotonic())
        return reason(error)

    def timeout_of(self, fetch: Fetch) -> float:
        """Seconds that the whole of `fetch` may take."""
        return min(self.timeout, fetch.timeout)

    def client(self, fetch: Fetch) -> httpx2.Client:
        verify, timeout = self._context(fetch), self.timeout_of(fetch)
        return httpx2.Client(verify=verify, timeout=timeout, proxy=self.proxy, trust_env=False)

    def async_client(self, fetch: Fetch) -> httpx2.AsyncClient:
        verify, timeout = self._context(fetch), self.timeout_of(fetch)
        return httpx2.AsyncClient(verify=verify, timeout=timeout, proxy=self.proxy, trust_env=False)


class Flight(Generic[E]):
    """One exchange under way or just ended, which equal fetches may join. `outcome` is None when nobody finished it."""

    __slots__ = ("_ends_at", "done", "outcome")

    done: E

    def __init__(self, done: E, *, timeout: float) -> None:
        self.done = done
        self.outcome: Outcome | None = None
        self._ends_at = time.monotonic() + timeout

    def end(self, outcome: Outcome | None, *, shared: float) -> None:
        self.outcome = outcome
        self._ends_at = time.monotonic() + shared
        self.done.set()

    def joinable(self) -> bool:
        return time.monotonic() < self._ends_at


class Flights(Generic[E]):
    """The flights of one event loop or process, by what equal fetches share."""

    __slots__ = ("_ended", "_numbers", "of")

    def __init__(self) -> None:
        self.of: dict[object, Flight[E]] = {}
        self._ended: list[tuple[float, int, object, Flight[E]]] = []  # a heap: the first to be forgotten comes first
        self._numbers = count()

    def joinable(self, key: object) -> Flight[E] | None:
        """The flight that a fetch may join."""
        flight = self.of.get(key)
        return flight if flight is not None and flight.joinable() else None

    def begin(self, key: object, done: E, *, timeout: float) -> Flight[E]:
        """A new flight; those that are shared no more are forgotten."""
        now = time.monotonic()
        while self._ended and self._ended[0][0] <= now:
            self._forget(*heappop(self._ended)[2:])
        flight = self.of[key] = Flight(done, timeout=timeout)
        return flight

    def end(self, key: object, flight: Flight[E], outcome: Outcome | None, *, shared: float) -> None:
        """`flight` has ended, and serves those who come for `shared` seconds; None where nobody finished it."""
        # What was asked may hold a token, and so may the answer: neither is kept for longer than it is shared.
        if outcome is None or not shared:
            self._forget(key, flight)
        else:
            heappush(self._ended, (time.monotonic() + shared, next(self._numbers), key, flight))
        flight.end(outcome, shared=shared)

    def _forget(self, key: object, flight: Flight[E]) -> None:
        if self.of.get(key) is flight:  # not one that took its place when its time was up
            del self.of[key]


class Collected:
    """A response while it comes in, held to the limits of its fetch. Raises Unavailable."""

    def __init__(self, fetch: Fetch, response: httpx2.Response) -> None:
        if response.status_code in _REDIRECTS:
            raise no_answer("redirected")  # following would let one answer send us anywhere, inside the network too
        if "content-encoding" in response.headers:
            raise no_answer("fetch_failed", "an encoded answer")  # not asked for, and a way past the limit
        self._response = response
        self._limit = fetch.limit
        self._body = bytearray()

    def add(self, chunk: bytes) -> None:
        self._body += chunk
        if len(self._body) > self._limit:
            raise no_answer("reply_too_large")

    def reply(self) -> Reply:
        said = self._response.headers.get
        pace = Pace(said("retry-after", ""), said("x-ratelimit-remaining", ""), said("x-ratelimit-reset", ""))
        return Reply(self._response.status_code, bytes(self._body), said("content-type", ""), pace)


def headers(fetch: Fetch) -> list[tuple[str, str]]:
    return [("Accept-Encoding", "identity"), *fetch.headers]


def reason(error: Exception) -> str:
    """The `reason` for one of FAILURES, or of an Unavailable."""
    if isinstance(error, Unavailable):
        return error.reason
    if is_out_of_files(error):
        return "fetch_busy"
    return "fetch_timeout" if isinstance(error, TimeoutError | httpx2.TimeoutException) else "fetch_failed"


def answer(outcome: Outcome | None) -> Reply:
    """The reply of a flight that ended. Raises Unavailable, a new one for each caller, when there is none."""
    if isinstance(outcome, Reply):
        return outcome
    raise no_answer(outcome or "fetch_timeout")


def no_answer(reason: str, cause: str = "") -> Unavailable:
    cause = cause or _CAUSES.get(reason, "")
    return Unavailable(reason, "A server that this check depends on did not answer as it should.", cause=cause)
