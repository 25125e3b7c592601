"""Why an exchange gave no answer, for the log: in words of this package, never in those of a library or of the server.

Under each HTTP client, and each event loop, what happened lies at another depth: whatever an exception was raised from
is looked at too, the nearest first. Does not decide what is answered for it.
"""

import errno
import logging
import socket
import ssl
from collections.abc import Iterator

import httpx2

from ..errors import Unavailable
from ..flow import Fetch
from ..quiet import MINUTE, Quiets
from ..urls import shown

MAX_DEPTH = 20  # exceptions that are looked at: they have been raised from one another in a circle before
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE})
_CLOSED = "connection closed"
_CAUSES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (ssl.SSLCertVerificationError, "certificate verify failed"),
    ((ConnectionResetError, BrokenPipeError, ssl.SSLEOFError), _CLOSED),
    (ssl.SSLError, "TLS failed"),
    ((socket.gaierror, UnicodeError), "name not resolved"),
    (ConnectionRefusedError, "connection refused"),
    ((TimeoutError, httpx2.TimeoutException), "timed out"),
    (httpx2.ProxyError, "the proxy did not let it through"),
    (httpx2.RemoteProtocolError, "no answer in HTTP"),
    ((httpx2.UnsupportedProtocol, httpx2.InvalidURL), "no URL to fetch from"),
)
_UNKNOWN = "no connection"
_LATE = (httpx2.ReadError, httpx2.WriteError)
# A server that does not take a certificate may have gone before its alert is read: under TLS 1.3 the request is sent
# meanwhile.
_MAYBE_OURS = frozenset({_CLOSED, _UNKNOWN, "TLS failed"})
# What OpenSSL calls the alerts of RFC 8446 section 6.2 that are about the certificate of this side.
_OF_OURS = {
    "CERTIFICATE_REQUIRED": "asks for a certificate of this application",
    "UNKNOWN_CA": "does not know who issued the certificate of this application",
    "CERTIFICATE_EXPIRED": "finds the certificate of this application expired",
    "CERTIFICATE_REVOKED": "finds the certificate of this application revoked",
    "CERTIFICATE": "does not accept the certificate of this application",
    "ACCESS_DENIED": "does not let the certificate of this application in",
}

logger = logging.getLogger("oauth_rs")


class FailedExchanges:
    """Tells of exchanges that fail: of each URL once a minute, at WARNING, or at ERROR where it is ours to mend."""

    def __init__(self) -> None:
        self._quiet, self._complained = Quiets(MINUTE), Quiets(MINUTE)

    def tell(self, fetch: Fetch, error: BaseException, now: float) -> None:
        place, ours = shown(fetch.url), complaint_of(error)
        if ours and self._complained.ends(place, now):
            logger.error("configuration: %s %s", place, ours)
        if not ours and self._quiet.ends(place, now):
            cause = cause_of(error)
            maybe = "; it was shown our certificate" if fetch.certificate and cause in _MAYBE_OURS else ""
            logger.warning("%s did not answer: %s%s", place, cause, maybe)


def cause_of(error: BaseException) -> str:
    """What happened, as `connection refused`."""
    if isinstance(error, Unavailable):
        return error.cause
    if is_out_of_files(error):
        return "this process can open no further files"
    for one in _chain(error):
        for kind, cause in _CAUSES:
            if isinstance(one, kind):
                return cause
    return _CLOSED if isinstance(error, _LATE) else _UNKNOWN


def complaint_of(error: BaseException) -> str:
    """What the server has against the certificate of this side, "" where it does not say that it has."""
    for one in _chain(error):
        alert = str(getattr(one, "reason", "")) if isinstance(one, ssl.SSLError) else ""
        if "ALERT" in alert:
            return next((words for name, words in _OF_OURS.items() if name in alert), "")
    return ""


def is_out_of_files(error: BaseException) -> bool:
    """True where this process or machine can open no further socket: no fault of the server."""
    return any(isinstance(one, OSError) and one.errno in _NO_FILES for one in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: list[BaseException] = [error]
    for one in found:  # which grows meanwhile
        yield one
        within = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        for further in (one.__cause__, one.__context__, *within):
            if further is not None and further not in found and len(found) < MAX_DEPTH:
                found.append(further)
