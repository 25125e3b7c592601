import errno
import ssl
import threading
from typing import Any

import anyio
import httpx2
import pytest

from oauth_rs.errors import Unavailable
from oauth_rs.fetch import FAILURES, Collected, Flight, Flights, HTTPSettings, answer, headers, no_answer, reason
from oauth_rs.flow import Fetch, Pace, Reply
from tests.support.costing import cost
from tests.support.playing import FakeClock
from tests.support.serving import ScriptedServer

FETCH = Fetch("GET", "https://id.example.com/jwks", (("Accept", "application/json"),), limit=10)
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


# Settings


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_is_above_zero(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        HTTPSettings(timeout=timeout)


@pytest.mark.parametrize("timeout", ["5", None, True])
def test_a_timeout_is_a_number(timeout: Any) -> None:
    with pytest.raises(TypeError, match="timeout is a number of seconds"):
        HTTPSettings(timeout=timeout)


@pytest.mark.parametrize("proxy", ["", "proxy.example", "ftp://proxy.example", "file:///proxy", "://"])
def test_what_is_no_proxy_url_is_refused_at_once(proxy: str) -> None:
    with pytest.raises((ValueError, httpx2.InvalidURL)):
        HTTPSettings(proxy=proxy)


@pytest.fixture
def dead_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.mark.usefixtures("dead_proxy")
def test_proxies_of_the_environment_are_not_used(web: ScriptedServer) -> None:
    web.answers["/"] = b"here"
    with HTTPSettings().client(FETCH) as client:
        assert client.get(web.url).content == b"here"


@pytest.mark.usefixtures("dead_proxy")
def test_proxies_of_the_environment_are_not_used_when_awaiting(web: ScriptedServer) -> None:
    web.answers["/"] = b"here"

    async def get() -> bytes:
        async with HTTPSettings().async_client(FETCH) as client:
            return (await client.get(web.url)).content

    assert anyio.run(get) == b"here"


def test_a_proxy_of_the_settings_is_used(web: ScriptedServer) -> None:
    web.answers["http://id.invalid/jwks"] = b"through the proxy"
    with HTTPSettings(proxy=web.url).client(FETCH) as client:
        assert client.get("http://id.invalid/jwks").content == b"through the proxy"


def test_trust_anchors_are_read_once_and_certificates_are_checked() -> None:
    settings = HTTPSettings()
    assert settings._tls is settings._tls
    assert settings._tls.verify_mode == ssl.CERT_REQUIRED
    assert settings._tls.check_hostname


def test_trust_anchors_may_be_given() -> None:
    made = []

    def tls() -> ssl.SSLContext:
        made.append(ssl.create_default_context())
        return made[-1]

    assert HTTPSettings(tls=tls)._tls in made
    assert HTTPSettings(tls=SHARED)._tls is SHARED


SHARED = ssl.create_default_context()


def nameless() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    return context


def unverified() -> ssl.SSLContext:
    context = nameless()
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.mark.parametrize(
    ("tls", "error", "message"),
    [
        ("ca.pem", TypeError, "tls is a TLS context, or a function that makes one"),
        (ssl.SSLContext, TypeError, "tls is a TLS context, or a function that makes one"),
        (unverified(), ValueError, "tls is to verify servers"),
        (unverified, ValueError, "tls is to verify servers"),
        (nameless, ValueError, "tls is to verify servers"),
        (lambda: None, TypeError, "tls gives an ssl.SSLContext"),
        (lambda: SHARED, ValueError, "tls makes a new context each time"),
        (lambda: ssl.create_default_context(cafile="/nowhere/ca.pem"), ValueError, "tls cannot make .* No such file"),
        (lambda: ssl.create_default_context(cafile=__file__), ValueError, "tls cannot make"),
    ],
    ids=[
        "a path",
        "a class",
        "not verified",
        "makes none that is",
        "no names",
        "none",
        "the same",
        "no file",
        "no PEM",
    ],
)
def test_what_makes_no_new_tls_contexts_is_refused_at_once(tls: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        HTTPSettings(tls=tls)


# Flights


def test_a_flight_may_be_joined_until_its_time_is_up() -> None:
    assert Flight(threading.Event(), timeout=60).joinable()
    assert not Flight(threading.Event(), timeout=0).joinable()


@pytest.mark.parametrize(("shared", "joinable"), [(60, True), (0, False)])
def test_a_flight_that_ended_may_be_joined_for_its_shared_seconds(shared: float, joinable: object) -> None:
    flight = Flight(threading.Event(), timeout=60)
    flight.end("fetch_failed", shared=shared)
    assert flight.joinable() is joinable
    assert flight.done.is_set()


# Collecting


def response(status: int = 200, **headers: str) -> httpx2.Response:
    return httpx2.Response(status, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_a_reply_is_collected_up_to_its_limit() -> None:
    collected = Collected(FETCH, response(404, content_type="text/html"))
    collected.add(b"01234")
    collected.add(b"56789")
    assert collected.reply() == Reply(404, b"0123456789", "text/html")


def test_a_reply_may_have_no_type_and_no_body() -> None:
    assert Collected(FETCH, response(204)).reply() == Reply(204, b"", "")


def test_a_reply_says_when_to_ask_again() -> None:
    limits = {"retry_after": "60", "x_ratelimit_remaining": "0", "x_ratelimit_reset": "1893456000"}
    assert Collected(FETCH, response(429, **limits)).reply().pace == Pace("60", "0", "1893456000")


@pytest.mark.parametrize("chunks", [[b"0" * 11], [b"0" * 10, b"0"], [b"0"] * 11])
def test_a_reply_over_the_limit_is_no_answer(chunks: list[bytes]) -> None:
    collected = Collected(FETCH, response())
    *first, last = chunks
    for chunk in first:
        collected.add(chunk)
    with pytest.raises(Unavailable, match="reply_too_large"):
        collected.add(last)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
def test_a_redirect_is_no_answer(status: int) -> None:
    with pytest.raises(Unavailable, match="redirected"):
        Collected(FETCH, response(status, location="https://evil.example"))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity", ""])
def test_an_encoded_body_is_no_answer(encoding: str) -> None:
    with pytest.raises(Unavailable, match="fetch_failed"):
        Collected(FETCH, response(content_encoding=encoding))


# Words


def test_no_encoding_is_asked_for() -> None:
    assert headers(FETCH) == [("Accept-Encoding", "identity"), ("Accept", "application/json")]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx2.ReadTimeout(""), "fetch_timeout"),
        (httpx2.ConnectTimeout(""), "fetch_timeout"),
        (httpx2.PoolTimeout(""), "fetch_timeout"),
        (httpx2.ConnectError(""), "fetch_failed"),
        (httpx2.RemoteProtocolError(""), "fetch_failed"),
        (httpx2.InvalidURL(""), "fetch_failed"),
        (OSError(), "fetch_failed"),
        (OSError(errno.EMFILE, ""), "fetch_busy"),
        (OSError(errno.ENFILE, ""), "fetch_busy"),
        (UnicodeError(), "fetch_failed"),
        (no_answer("redirected"), "redirected"),
    ],
    ids=repr,
)
def test_each_failure_has_its_reason(error: Exception, expected: str) -> None:
    assert reason(error) == expected
    assert isinstance(error, (Unavailable, *FAILURES))


def test_a_reply_is_the_answer() -> None:
    reply = Reply(200, b"{}")
    assert answer(reply) is reply


@pytest.mark.parametrize(("outcome", "expected"), [(None, "fetch_timeout"), ("redirected", "redirected")])
def test_each_caller_gets_an_error_of_its_own(outcome: Any, expected: str) -> None:
    errors = []
    for _ in range(2):
        with pytest.raises(Unavailable, match=expected) as caught:
            answer(outcome)
        errors.append(caught.value)
    assert errors[0] is not errors[1]


# Flights


def test_a_flight_is_joined_until_it_is_shared_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    monkeypatch.setattr("oauth_rs.fetch.time.monotonic", clock)
    flights: Flights[threading.Event] = Flights()
    begun = [flights.begin(name, threading.Event(), timeout=5) for name in "abc"]
    assert flights.joinable("a") is begun[0]
    flights.end("a", begun[0], "fetch_failed", shared=3)
    flights.end("b", begun[1], "fetch_failed", shared=1)
    flights.end("c", begun[2], None, shared=3)  # nobody finished it
    assert [flights.joinable(name) for name in "abc"] == [*begun[:2], None]
    clock.pass_seconds(1)
    flights.begin("d", threading.Event(), timeout=5)
    assert flights.of.keys() == {"a", "d"}
    clock.pass_seconds(2)
    assert flights.joinable("a") is None
    flights.begin("e", threading.Event(), timeout=5)
    assert flights.of.keys() == {"d", "e"}


def test_a_flight_that_ends_late_leaves_its_successor_alone() -> None:
    flights: Flights[threading.Event] = Flights()
    late = flights.begin("a", threading.Event(), timeout=0)
    successor = flights.begin("a", threading.Event(), timeout=60)
    flights.end("a", late, "fetch_failed", shared=0)
    assert flights.of == {"a": successor}


def test_each_of_many_flights_is_not_looked_at_for_the_next_one() -> None:
    def fly() -> None:
        flights: Flights[threading.Event] = Flights()
        for name in range(10_000):
            flights.begin(name, threading.Event(), timeout=60)

    assert cost(fly, rounds=2) < 2  # 0.1 s or so; to look at all of them each time takes 10
