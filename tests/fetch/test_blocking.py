import asyncio
import logging
import os
import socket
import ssl
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

import pytest
import trustme

from oauth_rs.errors import InvalidToken, Unavailable
from oauth_rs.fetch import Flight, HTTPSettings
from oauth_rs.fetch.blocking import BlockingHTTP, _Line, _loop, _loops
from oauth_rs.flow import Aside, Call, Fetch, Flow, ReadBody, Reply, Run
from tests.support.misbehaving import FAILING, LONG, Floods, Held, drips_body, drips_headers, silent, slowly
from tests.support.playing import called
from tests.support.processes import in_child
from tests.support.serving import ScriptedServer, serving
from tests.support.trusting import trusting

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # that is what the tests are about
TIMEOUT = 0.5  # seconds; within it the server has seen the request
# Read once: the trust anchors take longer than most of these exchanges.
SETTINGS = HTTPSettings(tls=ssl.create_default_context)
HASTY = HTTPSettings(timeout=TIMEOUT, tls=ssl.create_default_context)


@pytest.fixture
def http() -> BlockingHTTP:
    return BlockingHTTP(SETTINGS)


@pytest.fixture
def hasty() -> BlockingHTTP:
    return BlockingHTTP(HASTY)


def no_body(limit: int) -> bytes | None:
    raise AssertionError(limit)


def at_once(count: int, work: Callable[[], Any]) -> list[Any]:
    """What `count` threads got that did `work` as nearly at once as threads can; an Unavailable is its reason."""
    results: list[Any] = []
    barrier = threading.Barrier(count)

    def one() -> None:
        barrier.wait()
        try:
            results.append(work())
        except Unavailable as error:
            results.append(error.reason)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# One exchange


def test_a_reply_is_given_as_it_came(http: BlockingHTTP, web: ScriptedServer) -> None:
    web.answers["/jwks"] = {"keys": []}
    assert http.fetch(Fetch("GET", f"{web.url}/jwks")) == Reply(200, b'{"keys": []}', "application/json")


def test_method_headers_and_body_are_sent(http: BlockingHTTP, web: ScriptedServer) -> None:
    seen: list[tuple[str, str | None, str | None]] = []

    def look(handler: Any) -> None:
        seen.append((handler.command, handler.headers["X-A"], handler.headers["Content-Length"]))
        handler.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    web.answers["/"] = look
    assert http.fetch(Fetch("POST", f"{web.url}/", (("X-A", "1"),), b"token=a")).status == 204
    assert seen == [("POST", "1", "7")]


@pytest.mark.parametrize("status", [200, 204, 400, 401, 404, 500, 503])
def test_every_status_but_a_redirect_is_an_answer(http: BlockingHTTP, web: ScriptedServer, status: int) -> None:
    page = b"" if status == 204 else b"<!doctype html>"
    web.answers["/"] = (status, {"Content-Type": "text/html"}, page)
    assert http.fetch(Fetch("GET", f"{web.url}/")) == Reply(status, page, "text/html")


@pytest.mark.parametrize(("served", "expected"), FAILING.values(), ids=FAILING)
def test_what_is_no_answer_ends_in_time_with_its_reason(
    http: BlockingHTTP, hasty: BlockingHTTP, web: ScriptedServer, served: Any, expected: str
) -> None:
    web.answers["/"] = served
    started = time.monotonic()
    with pytest.raises(Unavailable, match=expected):
        (hasty if expected == "fetch_timeout" else http).fetch(Fetch("GET", f"{web.url}/"))
    assert time.monotonic() - started < 5
    assert web.hits == {"/": 1}


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:1/", "http://does-not-exist.invalid/", f"https://{'a' * 64}.invalid/", "https://a..b/"),
        *("", "jwks", "file:///etc/passwd", "ftp://127.0.0.1/", "http://", "http://[::1", "http://127.0.0.1:x/"),
    ],
)
def test_an_address_that_leads_nowhere_is_no_answer(http: BlockingHTTP, url: str) -> None:
    with pytest.raises(Unavailable, match="fetch_failed"):
        http.fetch(Fetch("GET", url))


def test_a_large_answer_is_cut_off_at_the_limit(http: BlockingHTTP, web: ScriptedServer) -> None:
    flood = web.answers["/"] = Floods()
    tracemalloc.start()
    with pytest.raises(Unavailable, match="reply_too_large"):
        http.fetch(Fetch("GET", f"{web.url}/", limit=100_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000
    assert flood.sent < flood.size / 2  # what the sockets hold, and no more


def test_an_answer_at_the_limit_is_whole(http: BlockingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = b"x" * 1000
    assert len(http.fetch(Fetch("GET", f"{web.url}/", limit=1000)).body) == 1000


def test_an_exchange_whose_caller_is_gone_ends_at_the_deadline_too(hasty: BlockingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = drips_body
    with pytest.raises(Unavailable, match="fetch_timeout"):
        hasty._exchange(Fetch("GET", f"{web.url}/"), _Line())


# TLS


@contextmanager
def tls_server(ca: trustme.CA, name: str = "127.0.0.1") -> Iterator[ScriptedServer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(name).configure_cert(context)
    with serving(lambda listening: context.wrap_socket(listening, server_side=True)) as server:
        server.answers["/jwks"] = {"keys": []}
        yield server


def test_a_certificate_of_a_trusted_authority_is_accepted() -> None:
    ca = trustme.CA()
    with tls_server(ca) as server:
        assert BlockingHTTP(trusting(ca)).fetch(Fetch("GET", f"{server.url}/jwks")).status == 200


@pytest.mark.parametrize("settings", [trusting(trustme.CA()), HTTPSettings()], ids=["another CA", "the system's"])
def test_a_certificate_of_an_unknown_authority_is_refused(settings: HTTPSettings) -> None:
    with tls_server(trustme.CA()) as server:
        with pytest.raises(Unavailable, match="fetch_failed"):
            BlockingHTTP(settings).fetch(Fetch("GET", f"{server.url}/jwks"))
        assert not server.hits


def test_a_certificate_of_another_name_is_refused() -> None:
    ca = trustme.CA()
    with tls_server(ca, "id.example.com") as server:
        with pytest.raises(Unavailable, match="fetch_failed"):
            BlockingHTTP(trusting(ca)).fetch(Fetch("GET", f"{server.url}/jwks"))
        assert not server.hits


def pairs() -> list[tuple[socket.socket, socket.socket]]:
    """Connections of this process, made when the fetch has just ended, so that they have the lowest free numbers."""
    made = [socket.socketpair() for _ in range(4)]
    for one, other in made:
        one.sendall(b"ours")
        other.sendall(b"ours")
    return made


def test_a_connection_that_is_cut_never_touches_another_that_got_its_number() -> None:
    ca = trustme.CA()
    hasty = BlockingHTTP(trusting(ca, timeout=TIMEOUT))
    with tls_server(ca) as server:
        server.answers["/"] = drips_headers
        with pytest.raises(Unavailable, match="fetch_timeout"):
            hasty.fetch(Fetch("GET", f"{server.url}/"))
        made = [end for pair in pairs() for end in pair]
        time.sleep(0.1)  # the server drips on
        assert [end.recv(100) for end in made] == [b"ours"] * 8
    for end in made:
        end.close()


@pytest.mark.parametrize("served", [silent, drips_headers, drips_body])
def test_a_connection_that_is_cut_leaves_no_thread(hasty: BlockingHTTP, web: ScriptedServer, served: Any) -> None:
    web.answers["/"] = served
    with pytest.raises(Unavailable, match="fetch_timeout"):
        hasty.fetch(Fetch("GET", f"{web.url}/"))
    for thread in threading.enumerate():
        if thread.name == "oauth_rs-fetch":
            thread.join(5)
            assert not thread.is_alive()


def test_a_connection_that_comes_after_the_cut_is_cut_at_once(http: BlockingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = drips_headers
    line, flight = _Line(), Flight(threading.Event(), timeout=60)
    line.cut()
    started = time.monotonic()
    http._perform(Fetch("GET", f"{web.url}/"), flight, line)
    assert flight.outcome == "fetch_timeout"
    assert time.monotonic() - started < LONG / 2


def test_an_exchange_that_ended_may_still_be_cut(http: BlockingHTTP, web: ScriptedServer) -> None:
    line = _Line()
    assert http._exchange(Fetch("GET", f"{web.url}/"), line).status == 404
    line.cut()
    assert line.is_cut


# Sharing


def test_a_hundred_threads_share_one_exchange(http: BlockingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = slowly(b"{}", 0.2)
    fetch = Fetch("GET", f"{web.url}/", shared=60)
    assert at_once(100, lambda: http.fetch(fetch)) == [Reply(200, b"{}")] * 100
    assert web.hits["/"] == 1


def test_a_hundred_threads_share_one_failure_in_time(web: ScriptedServer) -> None:
    web.answers["/"] = silent
    hasty = BlockingHTTP(HTTPSettings(timeout=1, tls=ssl.create_default_context))
    fetch = Fetch("GET", f"{web.url}/", shared=60)
    started = time.monotonic()
    assert at_once(100, lambda: hasty.fetch(fetch)) == ["fetch_timeout"] * 100
    assert time.monotonic() - started < 5
    assert web.hits["/"] == 1


def test_an_answer_is_shared_for_its_seconds_and_no_longer(http: BlockingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = b"{}"
    lasting, brief = Fetch("GET", f"{web.url}/", shared=60), Fetch("GET", f"{web.url}/", shared=0.01)
    http.fetch(lasting)
    http.fetch(lasting)
    assert web.hits["/"] == 1
    http.fetch(brief)
    time.sleep(0.02)
    http.fetch(brief)
    assert web.hits["/"] == 3


@pytest.mark.parametrize(
    "other",
    [{"method": "POST"}, {"headers": (("Accept", "b"),)}, {"body": b"b"}, {"limit": 5}, {"shared": 59.0}],
    ids=str,
)
def test_only_equal_fetches_share(http: BlockingHTTP, web: ScriptedServer, other: dict[str, Any]) -> None:
    web.answers["/"] = b"{}"
    plain: dict[str, Any] = {"method": "GET", "url": f"{web.url}/", "headers": (("Accept", "a"),), "shared": 60.0}
    http.fetch(Fetch(**plain))
    http.fetch(Fetch(**{**plain, **other}))
    assert web.hits["/"] == 2


def test_answers_are_not_kept_once_they_are_no_longer_shared(http: BlockingHTTP, web: ScriptedServer) -> None:
    for number in range(20):
        http.fetch(Fetch("GET", f"{web.url}/{number}", shared=1e-9))
    assert len(http._flights[os.getpid()].of) == 1


def test_nothing_is_kept_of_what_is_not_shared(http: BlockingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = b"{}"
    http.fetch(Fetch("GET", f"{web.url}/", headers=(("X", "secret"),)))
    with pytest.raises(Unavailable):
        http.fetch(Fetch("GET", "http://127.0.0.1:1/", headers=(("X", "secret"),)))
    assert http._flights[os.getpid()].of == {}


def test_a_leader_whose_time_was_up_leaves_its_successor_alone(http: BlockingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = slowly(b"{}", 0.3)
    fetch = Fetch("GET", f"{web.url}/")
    leader = threading.Thread(target=http.fetch, args=(fetch,))
    leader.start()
    while not web.hits:
        time.sleep(0.01)
    successor = http._flights[os.getpid()].of[fetch] = Flight(threading.Event(), timeout=60)
    leader.join()
    assert http._flights[os.getpid()].of == {fetch: successor}


@contextmanager
def no_threads() -> Iterator[None]:
    """No thread can be started: each would need more memory than there is."""
    before = threading.stack_size(1 << 46)
    try:
        yield
    finally:
        threading.stack_size(before)


@pytest.mark.parametrize("shared", [0, 60])
def test_nobody_waits_for_an_exchange_whose_thread_could_not_be_started(
    http: BlockingHTTP, web: ScriptedServer, shared: float
) -> None:
    web.answers["/"] = b"{}"
    fetch = Fetch("GET", f"{web.url}/", shared=shared)
    with no_threads(), pytest.raises(Unavailable, match="fetch_busy"):
        http.fetch(fetch)
    assert http._flights[os.getpid()].of == {}
    assert http.fetch(fetch) == Reply(200, b"{}")


# Processes


def test_a_fork_inherits_no_lock_that_somebody_holds(http: BlockingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = b"{}"
    fetch = Fetch("GET", f"{web.url}/")
    http.fetch(fetch)
    with http._flights[os.getpid()].lock:
        assert in_child(lambda: http.fetch(fetch).status == 200) == 0


def test_a_fork_inherits_no_flight_that_nobody_flies(http: BlockingHTTP, web: ScriptedServer) -> None:
    held = web.answers["/"] = Held(b"{}", count=1)
    fetch = Fetch("GET", f"{web.url}/", shared=60)
    leader = threading.Thread(target=http.fetch, args=(fetch,))
    leader.start()
    while not web.hits:
        time.sleep(0.01)
    assert in_child(lambda: http.fetch(fetch).status == 200) == 0
    held.let_go()
    leader.join()
    assert web.hits["/"] == 2


def test_the_first_threads_of_a_fork_share_one_exchange(http: BlockingHTTP) -> None:
    fetch = Fetch("GET", "http://127.0.0.1/")

    def one_leads() -> bool:
        sys.setswitchinterval(1e-6)
        return [leads for _, leads in at_once(8, lambda: http._join(fetch))].count(True) == 1

    assert [in_child(one_leads) for _ in range(20)] == [0] * 20


# Driving


def asking(*effects: Any) -> Flow[list[Any]]:
    answers = []
    for effect in effects:
        try:
            answers.append((yield effect))
        except Unavailable as error:
            answers.append(error.reason)
    return answers


def test_a_flow_gets_what_it_asks_for(http: BlockingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = b"{}"
    run = Run(asking(Fetch("GET", f"{web.url}/"), ReadBody(7), Fetch("GET", "http://127.0.0.1:1/")))
    assert http.drive(run, lambda limit: b"body"[:limit]) == [Reply(200, b"{}"), b"body", "fetch_failed"]


def test_a_flow_that_asks_for_nothing_touches_nothing(http: BlockingHTTP) -> None:
    assert http.drive(Run(asking()), no_body) == []


def test_what_a_flow_raises_reaches_its_caller(http: BlockingHTTP) -> None:
    def failing() -> Flow[Reply]:
        return (yield from Fetch("GET", "http://127.0.0.1:1/"))

    with pytest.raises(Unavailable, match="fetch_failed"):
        http.drive(Run(failing()), no_body)


def test_a_body_that_is_too_large_is_none(http: BlockingHTTP) -> None:
    assert http.drive(Run(asking(ReadBody(7))), lambda _: None) == [None]


def test_where_there_is_no_request_its_body_is_empty(http: BlockingHTTP) -> None:
    assert http.drive(Run(asking(ReadBody(7)))) == [b""]


def test_what_runs_aside_is_not_waited_for(http: BlockingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = b"{}"
    go, done, got = threading.Event(), threading.Event(), []

    def aside() -> Flow[None]:
        go.wait(10)
        got.extend((yield from asking(Fetch("GET", f"{web.url}/"), ReadBody(7))))
        done.set()

    assert http.drive(Run(asking(Aside(aside))), no_body) == [None]
    assert not done.is_set()
    go.set()
    assert done.wait(10)
    assert got == [Reply(200, b"{}"), None]


def test_what_fails_aside_is_logged_by_its_reason(http: BlockingHTTP, caplog: pytest.LogCaptureFixture) -> None:
    def aside() -> Flow[None]:
        yield from Fetch("GET", "http://127.0.0.1:1/")

    with caplog.at_level(logging.WARNING, "oauth_rs"):
        http._run_aside(Aside(aside))
    assert caplog.messages == ["a task aside ended early: fetch_failed"]


def test_what_cannot_run_aside_stops_nobody(http: BlockingHTTP, caplog: pytest.LogCaptureFixture) -> None:
    def aside() -> Flow[None]:
        yield from Fetch("GET", "http://127.0.0.1:1/")

    with no_threads():
        assert http.drive(Run(asking(Aside(aside)))) == [None]
    assert caplog.record_tuples == [
        ("oauth_rs", logging.WARNING, "a task aside did not begin: no thread can be started")
    ]


def unforeseen(*_arguments: object) -> Any:
    raise RuntimeError("t0ken")


def test_what_nobody_foresaw_aside_is_logged_without_what_it_says(
    http: BlockingHTTP, caplog: pytest.LogCaptureFixture
) -> None:
    def aside() -> Flow[None]:
        yield from Call(blocking=unforeseen)

    http._run_aside(Aside(aside))
    (message,) = caplog.messages
    assert message.startswith("a task aside ended early: builtins.RuntimeError at ")
    assert "t0ken" not in caplog.text


def test_what_nobody_foresaw_in_a_fetch_is_an_outage_and_logged_without_what_it_says(
    http: BlockingHTTP, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_exchange", unforeseen)
    with pytest.raises(Unavailable, match="fetch_failed"):
        http.fetch(Fetch("GET", "http://127.0.0.1:1/"))
    (message,) = caplog.messages
    assert message.startswith("a fetch failed: builtins.RuntimeError at ")
    assert "t0ken" not in caplog.text


# Calling functions of others

DOWN = Unavailable("store_unavailable", "The store did not answer.")


def where(*arguments: Any) -> tuple[str, Any]:
    return threading.current_thread().name, arguments


async def where_awaited(*arguments: Any) -> tuple[str, Any]:
    await asyncio.sleep(0)
    return threading.current_thread().name, arguments


def failing(error: BaseException) -> None:
    raise error


async def failing_later(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


def test_a_plain_function_is_called_in_the_thread_that_asks(http: BlockingHTTP) -> None:
    here = threading.current_thread().name
    effects = called(where), called(where, 1, "b"), Call(where, where_awaited, (2,))
    assert http.drive(Run(asking(*effects))) == [(here, ()), (here, (1, "b")), (here, (2,))]


def test_a_coroutine_function_runs_on_a_loop_of_its_own(http: BlockingHTTP) -> None:
    assert http.drive(Run(asking(called(where_awaited, 1, "b")))) == [("oauth_rs-loop", (1, "b"))]


def test_a_coroutine_function_may_be_called_where_a_loop_runs_already(http: BlockingHTTP) -> None:
    async def view() -> Any:
        return http.drive(Run(asking(called(where_awaited))))

    assert asyncio.run(view()) == [("oauth_rs-loop", ())]


def test_what_a_coroutine_function_keeps_for_its_loop_stays_good(http: BlockingHTTP) -> None:
    lock = asyncio.Lock()  # belongs to the first loop that waits for it

    async def use() -> asyncio.AbstractEventLoop:
        async with lock:
            await asyncio.sleep(0.001)
            return asyncio.get_running_loop()

    loops = at_once(16, lambda: http.drive(Run(asking(called(use))))[0])
    assert len(loops) == 16
    assert set(loops) == {_loop()}


@pytest.mark.parametrize("function", [failing, failing_later])
def test_only_what_says_that_it_cannot_tell_is_thrown_into_the_flow(http: BlockingHTTP, function: Any) -> None:
    assert http.drive(Run(asking(called(function, DOWN), called(where)))) == ["store_unavailable", where()]


@pytest.mark.parametrize("function", [failing, failing_later])
@pytest.mark.parametrize(
    "error", [ValueError("no"), KeyError("no"), OSError("no"), TimeoutError("no"), InvalidToken("no", "No.")], ids=repr
)
def test_whatever_else_a_function_raises_ends_the_request(http: BlockingHTTP, function: Any, error: Exception) -> None:
    with pytest.raises(type(error), match="no"):
        http.drive(Run(asking(called(function, error), ReadBody(1))), no_body)


def test_a_function_that_was_cancelled_gave_no_answer(http: BlockingHTTP) -> None:
    with pytest.raises(CancelledError):
        http.drive(Run(asking(called(failing_later, asyncio.CancelledError()))))


def test_a_call_of_nothing_is_a_mistake(http: BlockingHTTP) -> None:
    with pytest.raises(TypeError, match="a Call names a function"):
        http.drive(Run(asking(Call())))


def test_a_fork_has_a_loop_of_its_own(http: BlockingHTTP) -> None:
    http.drive(Run(asking(called(where_awaited))))
    assert in_child(lambda: http.drive(Run(asking(called(where_awaited)))) == [("oauth_rs-loop", ())]) == 0
    assert http.drive(Run(asking(called(where_awaited)))) == [("oauth_rs-loop", ())]


def test_the_first_threads_of_a_fork_share_one_loop() -> None:
    async def running() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def one_loop() -> bool:
        sys.setswitchinterval(1e-6)
        http = BlockingHTTP(SETTINGS)
        loops = at_once(8, lambda: http.drive(Run(asking(called(running))))[0])
        while [thread.name for thread in threading.enumerate()].count("oauth_rs-loop") > 1:
            time.sleep(0.01)  # those that came too late stop
        return set(loops) == {_loops[os.getpid()]}

    assert [in_child(one_loop) for _ in range(10)] == [0] * 10


class Unseen(dict[int, asyncio.AbstractEventLoop]):
    """The loops as a thread sees them that looks just before another thread adds its own."""

    def get(self, *_: object) -> None:  # type: ignore[override]
        return None


def test_a_loop_that_came_second_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    first = _loop()
    before = set(threading.enumerate())
    monkeypatch.setattr("oauth_rs.fetch.blocking._loops", Unseen(_loops))
    assert _loop() is first
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()


def test_nobody_waits_for_a_loop_whose_thread_could_not_be_started(http: BlockingHTTP) -> None:
    def answered_later() -> bool:
        with no_threads(), pytest.raises(RuntimeError, match="can't start new thread"):
            http.drive(Run(asking(called(where_awaited))))
        return http.drive(Run(asking(called(where_awaited)))) == [("oauth_rs-loop", ())]

    assert in_child(answered_later) == 0
