import errno
import logging
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import trustme

from oauth_rs.errors import Unavailable
from oauth_rs.fetch import HTTPSettings, no_answer
from oauth_rs.fetch.awaiting import AwaitingHTTP
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.fetch.causes import FailedExchanges, cause_of, complaint_of
from oauth_rs.flow import Certificate, Fetch
from oauth_rs.quiet import MINUTE
from tests.support.misbehaving import drops, silent, talks_nonsense
from tests.support.serving import ScriptedServer, serving
from tests.support.trusting import certificate_of, demanding

# Trio tells of generators inside httpcore2 when a body is not read to its end; our own are closed.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'httpcore2:ResourceWarning")
URL = "https://id.example.com/introspect"


def alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "t0ken")
    error.reason = reason
    return error


def raised(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


REFUSED = ConnectionRefusedError(111, "t0ken")


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (httpx2.ConnectError("t0ken"), "no connection"),
        (raised(httpx2.ConnectError("t0ken"), REFUSED), "connection refused"),
        (raised(OSError("t0ken"), ExceptionGroup("t0ken", [REFUSED])), "connection refused"),
        (raised(httpx2.ConnectError("t0ken"), socket.gaierror(-2, "t0ken")), "name not resolved"),
        (UnicodeError("t0ken"), "name not resolved"),
        (raised(httpx2.ConnectError("t0ken"), ssl.SSLCertVerificationError(1, "t0ken")), "certificate verify failed"),
        (alert("WRONG_VERSION_NUMBER"), "TLS failed"),
        (ssl.SSLEOFError(8, "t0ken"), "connection closed"),
        (raised(httpx2.ReadError("t0ken"), ConnectionResetError(104, "t0ken")), "connection closed"),
        (httpx2.ConnectTimeout("t0ken"), "timed out"),
        (TimeoutError(), "timed out"),
        (
            raised(httpx2.ConnectError("t0ken"), OSError(errno.EMFILE, "t0ken")),
            "this process can open no further files",
        ),
        (httpx2.ProxyError("t0ken"), "the proxy did not let it through"),
        (httpx2.RemoteProtocolError("t0ken"), "no answer in HTTP"),
        (httpx2.UnsupportedProtocol("t0ken"), "no URL to fetch from"),
        (raised(httpx2.RemoteProtocolError("t0ken"), REFUSED), "no answer in HTTP"),
        (no_answer("fetch_failed", "an encoded answer"), "an encoded answer"),
    ],
    ids=repr,
)
def test_each_failure_has_a_cause_in_our_words(error: BaseException, cause: str) -> None:
    assert cause_of(error) == cause
    assert complaint_of(error) == ""


def test_exceptions_in_a_circle_and_without_an_end_have_none() -> None:
    one, other = OSError(), OSError()
    one.__context__, other.__cause__ = other, one
    deepest = error = OSError()
    for _ in range(1000):
        deepest.__cause__ = deepest = OSError()
    assert cause_of(one) == cause_of(error) == "no connection"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "asks for a certificate of this application"),
        ("TLSV1_ALERT_UNKNOWN_CA", "does not know who issued the certificate of this application"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "finds the certificate of this application expired"),
        ("SSLV3_ALERT_CERTIFICATE_REVOKED", "finds the certificate of this application revoked"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "does not accept the certificate of this application"),
        ("SSLV3_ALERT_CERTIFICATE_UNKNOWN", "does not accept the certificate of this application"),
        ("TLSV1_ALERT_ACCESS_DENIED", "does not let the certificate of this application in"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", ""),
        ("CERTIFICATE_VERIFY_FAILED", ""),
    ],
)
def test_an_alert_about_our_certificate_is_told_apart(reason: str, words: str) -> None:
    assert complaint_of(raised(httpx2.ReadError(""), alert(reason))) == words


def test_a_failure_is_told_of_once_a_minute_for_each_url(caplog: pytest.LogCaptureFixture) -> None:
    failed = FailedExchanges()
    for now in (0, 1, MINUTE - 1, MINUTE):
        failed.tell(Fetch("GET", f"{URL}?access_token=t0ken{now}"), REFUSED, now)
    failed.tell(Fetch("GET", "https://me:t0ken@other.example.com/"), TimeoutError(), 1)
    refused = ("oauth_rs", logging.WARNING, f"{URL} did not answer: connection refused")
    other = ("oauth_rs", logging.WARNING, "https://other.example.com/ did not answer: timed out")
    assert caplog.record_tuples == [refused, refused, other]


def test_what_is_ours_to_mend_is_told_of_at_error_whatever_was_told_before(caplog: pytest.LogCaptureFixture) -> None:
    failed = FailedExchanges()
    failed.tell(Fetch("GET", URL), REFUSED, 0)
    for now in (1, 2):
        failed.tell(Fetch("GET", URL), alert("TLSV1_ALERT_UNKNOWN_CA"), now)
    words = f"configuration: {URL} does not know who issued the certificate of this application"
    assert caplog.record_tuples[1:] == [("oauth_rs", logging.ERROR, words)]


@pytest.mark.parametrize(
    ("error", "maybe"),
    [(ConnectionResetError(), "; it was shown our certificate"), (REFUSED, ""), (TimeoutError(), "")],
    ids=repr,
)
def test_a_certificate_that_was_shown_may_be_why_a_connection_is_closed(
    caplog: pytest.LogCaptureFixture, error: OSError, maybe: str
) -> None:
    FailedExchanges().tell(Fetch("GET", URL, certificate=Certificate("chain.pem", "key.pem")), error, 0)
    assert caplog.messages == [f"{URL} did not answer: {cause_of(error)}{maybe}"]


# As it comes about


def blocking(settings: HTTPSettings, fetch: Fetch) -> None:
    BlockingHTTP(settings).fetch(fetch)


def awaiting(settings: HTTPSettings, fetch: Fetch) -> None:
    anyio.run(AwaitingHTTP(settings).fetch, fetch)


def on_trio(settings: HTTPSettings, fetch: Fetch) -> None:
    anyio.run(AwaitingHTTP(settings).fetch, fetch, backend="trio")


Way = Callable[[HTTPSettings, Fetch], None]
each_way = pytest.mark.parametrize("way", [blocking, awaiting, on_trio])
SETTINGS = HTTPSettings(tls=ssl.create_default_context)
HASTY = HTTPSettings(timeout=0.2, tls=ssl.create_default_context)


def told(way: Way, caplog: pytest.LogCaptureFixture, fetch: Fetch, settings: HTTPSettings) -> tuple[str, str]:
    """The level and the words of the only record."""
    settings.__dict__.pop("_failed", None)  # what other tests have told of
    with pytest.raises(Unavailable):
        way(settings, fetch)
    (record,) = caplog.records
    return record.levelname, record.getMessage()


@each_way
@pytest.mark.parametrize(
    ("url", "cause"),
    [("http://127.0.0.1:1/", "connection refused"), ("http://does-not-exist.invalid/", "name not resolved")],
)
def test_a_server_that_is_not_there(way: Way, caplog: pytest.LogCaptureFixture, url: str, cause: str) -> None:
    assert told(way, caplog, Fetch("GET", f"{url}?a=t0ken"), SETTINGS) == ("WARNING", f"{url} did not answer: {cause}")


@each_way
@pytest.mark.parametrize(
    ("served", "cause"),
    [
        (silent, "timed out"),
        (talks_nonsense, "no answer in HTTP"),
        ((200, {"Content-Encoding": "gzip"}, b""), "an encoded answer"),
    ],
    ids=["silent", "nonsense", "encoded"],
)
def test_a_server_that_misbehaves(
    way: Way, caplog: pytest.LogCaptureFixture, web: ScriptedServer, served: Any, cause: str
) -> None:
    web.answers["/"] = served
    settings = HASTY if cause == "timed out" else SETTINGS
    level, words = told(way, caplog, Fetch("GET", f"{web.url}/"), settings)
    assert (level, words) == ("WARNING", f"{web.url}/ did not answer: {cause}")


@each_way
def test_a_server_that_hangs_up_is_told_of(way: Way, caplog: pytest.LogCaptureFixture, web: ScriptedServer) -> None:
    web.answers["/"] = drops
    assert told(way, caplog, Fetch("GET", f"{web.url}/"), SETTINGS)[0] == "WARNING"


@each_way
def test_an_authority_that_is_not_trusted(way: Way, caplog: pytest.LogCaptureFixture) -> None:
    with serving(demanding(trustme.CA())) as server:
        _, words = told(way, caplog, Fetch("GET", f"{server.url}/"), SETTINGS)
    assert words == f"{server.url}/ did not answer: certificate verify failed"


def early(ca: trustme.CA) -> HTTPSettings:
    """Under TLS 1.2 a certificate is looked at before the request is sent, so that the alert is always read."""

    def tls() -> ssl.SSLContext:
        context = ssl.create_default_context()
        ca.configure_trust(context)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    return HTTPSettings(tls=tls)


@each_way
def test_a_certificate_of_ours_that_is_not_accepted(way: Way, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    ca = trustme.CA()
    certificate = certificate_of(trustme.CA(), tmp_path)
    with serving(demanding(ca)) as server:
        _, words = told(way, caplog, Fetch("GET", f"{server.url}/", certificate=certificate), early(ca))
    assert words == f"configuration: {server.url}/ does not know who issued the certificate of this application"


@each_way
@pytest.mark.parametrize("served", [(302, {"Location": "/x"}, b""), b"x" * 20], ids=["redirect", "long"])
def test_what_may_be_right_for_those_who_ask_is_left_to_them_to_tell(
    way: Way, caplog: pytest.LogCaptureFixture, web: ScriptedServer, served: Any
) -> None:
    web.answers["/"] = served
    with pytest.raises(Unavailable) as caught:
        way(SETTINGS, Fetch("GET", f"{web.url}/", limit=10))
    assert caught.value.cause
    assert not caplog.records
