import asyncio
import ssl
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import anyio
import pytest
import trustme
from anyio.lowlevel import checkpoint

from oauth_rs.errors import InvalidToken, Unavailable
from oauth_rs.fetch import Flight, HTTPSettings, awaiting
from oauth_rs.fetch.awaiting import AwaitingHTTP
from oauth_rs.flow import Aside, Call, Fetch, Flow, ReadBody, Reply, Run
from tests.support.misbehaving import FAILING, Floods, Held, silent, slowly
from tests.support.playing import called
from tests.support.serving import ScriptedServer, serving
from tests.support.trusting import trusting

pytestmark = [
    pytest.mark.anyio,
    # Trio tells of generators inside httpcore2 when a body is not read to its end; our own are closed.
    pytest.mark.filterwarnings("ignore:Async generator 'httpcore2:ResourceWarning"),
]
TIMEOUT = 0.5  # seconds; within it the server has seen the request
# Read once: the trust anchors take longer than most of these exchanges.
SETTINGS = HTTPSettings(tls=ssl.create_default_context)
HASTY = HTTPSettings(timeout=TIMEOUT, tls=ssl.create_default_context)


@pytest.fixture
def http() -> AwaitingHTTP:
    return AwaitingHTTP(SETTINGS)


@pytest.fixture
def hasty() -> AwaitingHTTP:
    return AwaitingHTTP(HASTY)


async def no_body(limit: int) -> bytes | None:
    raise AssertionError(limit)


async def gather(http: AwaitingHTTP, fetches: list[Fetch]) -> list[Any]:
    """What as many tasks got; an Unavailable is its reason."""
    results: list[Any] = []

    async def one(fetch: Fetch) -> None:
        try:
            results.append(await http.fetch(fetch))
        except Unavailable as error:
            results.append(error.reason)

    async with anyio.create_task_group() as tasks:
        for fetch in fetches:
            tasks.start_soon(one, fetch)
    return results


async def asked(web: ScriptedServer, times: int = 1) -> None:
    with anyio.fail_after(10):
        while web.hits.total() < times:  # noqa: ASYNC110 - the server counts in a thread
            await anyio.sleep(0.01)


# One exchange


async def test_a_reply_is_given_as_it_came(http: AwaitingHTTP, web: ScriptedServer) -> None:
    web.answers["/jwks"] = {"keys": []}
    assert await http.fetch(Fetch("GET", f"{web.url}/jwks")) == Reply(200, b'{"keys": []}', "application/json")


async def test_method_headers_and_body_are_sent(http: AwaitingHTTP, web: ScriptedServer) -> None:
    seen: list[tuple[str, str | None, str | None]] = []

    def look(handler: Any) -> None:
        seen.append((handler.command, handler.headers["X-A"], handler.headers["Content-Length"]))
        handler.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    web.answers["/"] = look
    assert (await http.fetch(Fetch("POST", f"{web.url}/", (("X-A", "1"),), b"token=a"))).status == 204
    assert seen == [("POST", "1", "7")]


@pytest.mark.parametrize("status", [200, 404, 500])
async def test_every_status_but_a_redirect_is_an_answer(http: AwaitingHTTP, web: ScriptedServer, status: int) -> None:
    web.answers["/"] = (status, {"Content-Type": "text/html"}, b"<!doctype html>")
    assert await http.fetch(Fetch("GET", f"{web.url}/")) == Reply(status, b"<!doctype html>", "text/html")


@pytest.mark.parametrize(("served", "expected"), FAILING.values(), ids=FAILING)
async def test_what_is_no_answer_ends_in_time_with_its_reason(
    http: AwaitingHTTP, hasty: AwaitingHTTP, web: ScriptedServer, served: Any, expected: str
) -> None:
    web.answers["/"] = served
    started = time.monotonic()
    with pytest.raises(Unavailable, match=expected):
        await (hasty if expected == "fetch_timeout" else http).fetch(Fetch("GET", f"{web.url}/"))
    assert time.monotonic() - started < 5
    assert web.hits == {"/": 1}


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:1/", "http://does-not-exist.invalid/", f"https://{'a' * 64}.invalid/", "https://a..b/"),
        *("", "jwks", "file:///etc/passwd", "ftp://127.0.0.1/", "http://", "http://[::1", "http://127.0.0.1:x/"),
    ],
)
async def test_an_address_that_leads_nowhere_is_no_answer(http: AwaitingHTTP, url: str) -> None:
    with pytest.raises(Unavailable, match="fetch_failed"):
        await http.fetch(Fetch("GET", url))


async def test_a_large_answer_is_cut_off_at_the_limit(http: AwaitingHTTP, web: ScriptedServer) -> None:
    flood = web.answers["/"] = Floods()
    tracemalloc.start()
    with pytest.raises(Unavailable, match="reply_too_large"):
        await http.fetch(Fetch("GET", f"{web.url}/", limit=100_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000
    assert flood.sent < flood.size / 2  # what the sockets hold, and no more


# TLS


@contextmanager
def tls_server(ca: trustme.CA) -> Iterator[ScriptedServer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    with serving(lambda listening: context.wrap_socket(listening, server_side=True)) as server:
        server.answers["/jwks"] = {"keys": []}
        yield server


async def test_a_certificate_of_a_trusted_authority_is_accepted() -> None:
    ca = trustme.CA()
    with tls_server(ca) as server:
        assert (await AwaitingHTTP(trusting(ca)).fetch(Fetch("GET", f"{server.url}/jwks"))).status == 200


@pytest.mark.parametrize("settings", [trusting(trustme.CA()), HTTPSettings()], ids=["another CA", "the system's"])
async def test_a_certificate_of_an_unknown_authority_is_refused(settings: HTTPSettings) -> None:
    with tls_server(trustme.CA()) as server:
        with pytest.raises(Unavailable, match="fetch_failed"):
            await AwaitingHTTP(settings).fetch(Fetch("GET", f"{server.url}/jwks"))
        assert not server.hits


# Sharing


async def test_a_hundred_tasks_share_one_exchange(http: AwaitingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = slowly(b"{}", 0.1)
    assert await gather(http, [Fetch("GET", f"{web.url}/")] * 100) == [Reply(200, b"{}")] * 100
    assert web.hits["/"] == 1


async def test_a_hundred_tasks_share_one_failure(hasty: AwaitingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = silent
    assert await gather(hasty, [Fetch("GET", f"{web.url}/")] * 100) == ["fetch_timeout"] * 100
    assert web.hits["/"] == 1


async def test_an_answer_is_shared_for_its_seconds_and_no_longer(http: AwaitingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = b"{}"
    lasting, brief = Fetch("GET", f"{web.url}/", shared=60), Fetch("GET", f"{web.url}/", shared=0.01)
    await http.fetch(lasting)
    await http.fetch(lasting)
    assert web.hits["/"] == 1
    await http.fetch(brief)
    await anyio.sleep(0.02)
    await http.fetch(brief)
    assert web.hits["/"] == 3


async def test_answers_are_not_kept_once_they_are_no_longer_shared(http: AwaitingHTTP, web: ScriptedServer) -> None:
    for number in range(20):
        await http.fetch(Fetch("GET", f"{web.url}/{number}", shared=1e-9))
    assert len(http._of_loop.get().flights.of) == 1


async def test_nothing_is_kept_of_what_is_not_shared(http: AwaitingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = b"{}"
    await http.fetch(Fetch("GET", f"{web.url}/", headers=(("X", "secret"),)))
    with pytest.raises(Unavailable):
        await http.fetch(Fetch("GET", "http://127.0.0.1:1/", headers=(("X", "secret"),)))
    assert http._of_loop.get().flights.of == {}


async def test_when_the_leader_is_cancelled_one_follower_takes_over(http: AwaitingHTTP, web: ScriptedServer) -> None:
    held = web.answers["/"] = Held(b"{}", count=1)
    fetch = Fetch("GET", f"{web.url}/")
    followed: list[Any] = []

    async def follow() -> None:
        followed.extend(await gather(http, [fetch] * 20))

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as leading:
            async with anyio.create_task_group() as leaders:
                leaders.start_soon(http.fetch, fetch)
                await asked(web)
                tasks.start_soon(follow)
                await anyio.wait_all_tasks_blocked()
                leading.cancel()
    held.let_go()
    assert followed == [Reply(200, b"{}")] * 20
    assert web.hits["/"] == 2


async def test_a_cancelled_follower_leaves_the_others_their_answer(http: AwaitingHTTP, web: ScriptedServer) -> None:
    held = web.answers["/"] = Held(b"{}")
    fetch = Fetch("GET", f"{web.url}/")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(http.fetch, fetch)
        await asked(web)
        with anyio.move_on_after(0.02) as scope:
            await http.fetch(fetch)
        held.let_go()
    assert scope.cancelled_caught
    assert web.hits["/"] == 1


async def test_a_cancelled_leader_whose_time_was_up_leaves_its_successor_alone(
    http: AwaitingHTTP, web: ScriptedServer
) -> None:
    held = web.answers["/"] = Held(b"{}")
    fetch = Fetch("GET", f"{web.url}/")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(http.fetch, fetch)
        await asked(web)
        successor = http._of_loop.get().flights.of[fetch] = Flight(anyio.Event(), timeout=60)
        tasks.cancel_scope.cancel()
    held.let_go()
    assert http._of_loop.get().flights.of == {fetch: successor}


async def test_a_follower_of_a_leader_that_is_overdue_starts_anew(http: AwaitingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = b"{}"
    fetch = Fetch("GET", f"{web.url}/")
    await http.fetch(Fetch("GET", f"{web.url}/other"))
    http._of_loop.get().flights.of[fetch] = Flight(anyio.Event(), timeout=0)
    assert (await http.fetch(fetch)).status == 200


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
def test_each_event_loop_has_flights_of_its_own(http: AwaitingHTTP, web: ScriptedServer, anyio_backend: str) -> None:
    web.answers["/"] = b"{}"
    fetch = Fetch("GET", f"{web.url}/", shared=60)
    for backend in (anyio_backend, "trio", anyio_backend):
        assert anyio.run(http.fetch, fetch, backend=backend).status == 200
    assert web.hits["/"] == 3


# Driving


def asking(*effects: Any) -> Flow[list[Any]]:
    answers = []
    for effect in effects:
        try:
            answers.append((yield effect))
        except Unavailable as error:
            answers.append(error.reason)
    return answers


async def test_a_flow_gets_what_it_asks_for(http: AwaitingHTTP, web: ScriptedServer) -> None:
    async def read_body(limit: int) -> bytes | None:
        await checkpoint()
        return b"body"[:limit]

    web.answers["/"] = b"{}"
    run = Run(asking(Fetch("GET", f"{web.url}/"), ReadBody(7), Fetch("GET", "http://127.0.0.1:1/")))
    assert await http.drive(run, read_body) == [Reply(200, b"{}"), b"body", "fetch_failed"]


async def test_a_flow_that_asks_for_nothing_touches_nothing(http: AwaitingHTTP) -> None:
    assert await http.drive(Run(asking()), no_body) == []


async def test_what_a_flow_raises_reaches_its_caller(http: AwaitingHTTP) -> None:
    def failing() -> Flow[Reply]:
        return (yield from Fetch("GET", "http://127.0.0.1:1/"))

    with pytest.raises(Unavailable, match="fetch_failed"):
        await http.drive(Run(failing()), no_body)


async def test_where_there_is_no_request_its_body_is_empty(http: AwaitingHTTP) -> None:
    assert await http.drive(Run(asking(ReadBody(7)))) == [b""]


async def test_what_runs_aside_is_not_waited_for(http: AwaitingHTTP, web: ScriptedServer) -> None:
    web.answers["/"] = b"{}"
    go, done = threading.Event(), threading.Event()
    got: list[Any] = []

    def aside() -> Flow[None]:
        go.wait(10)
        got.extend((yield from asking(Fetch("GET", f"{web.url}/"), ReadBody(7))))
        done.set()

    assert await http.drive(Run(asking(Aside(aside))), no_body) == [None]
    assert not done.is_set()
    go.set()
    assert await anyio.to_thread.run_sync(partial(done.wait, 10))
    assert got == [Reply(200, b"{}"), None]


# Calling functions of others

DOWN = Unavailable("store_unavailable", "The store did not answer.")


def where(*arguments: Any) -> tuple[bool, Any]:
    return threading.current_thread() is threading.main_thread(), arguments


async def where_awaited(*arguments: Any) -> tuple[bool, Any]:
    await checkpoint()
    return where(*arguments)


async def where_under_asyncio(*arguments: Any) -> tuple[bool, Any]:
    await asyncio.sleep(0)  # fails under trio
    return where(*arguments)


def failing(error: BaseException) -> None:
    raise error


async def failing_later(error: BaseException) -> None:
    await checkpoint()
    raise error


async def test_a_plain_function_is_called_in_another_thread(http: AwaitingHTTP) -> None:
    assert await http.drive(Run(asking(called(where), called(where, 1, "b")))) == [(False, ()), (False, (1, "b"))]


async def test_a_plain_function_that_blocks_keeps_nobody_else_waiting(http: AwaitingHTTP) -> None:
    go = threading.Event()
    answers: list[Any] = []

    async def ask() -> None:
        answers.extend(await http.drive(Run(asking(called(go.wait, 10)))))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.sleep(0.02)
        go.set()
    assert answers == [True]


async def test_a_coroutine_function_is_awaited_where_the_request_is(http: AwaitingHTTP) -> None:
    assert await http.drive(Run(asking(called(where_awaited, 1, "b")))) == [(True, (1, "b"))]


async def test_of_two_functions_the_one_that_suits_the_loop_is_called(
    http: AwaitingHTTP, anyio_backend_name: str
) -> None:
    both = Call(blocking=where, awaiting=where_under_asyncio, arguments=(1,))
    assert await http.drive(Run(asking(both))) == [(anyio_backend_name == "asyncio", (1,))]


async def test_many_tasks_call_at_once(http: AwaitingHTTP) -> None:
    answers: list[Any] = []

    async def ask(number: int) -> None:
        answers.extend(await http.drive(Run(asking(called(where_awaited, number), called(where, number)))))

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(ask, number)
    assert sorted(answers) == sorted((here, (number,)) for number in range(50) for here in (True, False))


@pytest.mark.parametrize("function", [failing, failing_later])
async def test_only_what_says_that_it_cannot_tell_is_thrown_into_the_flow(http: AwaitingHTTP, function: Any) -> None:
    assert await http.drive(Run(asking(called(function, DOWN), called(where)))) == ["store_unavailable", (False, ())]


@pytest.mark.parametrize("function", [failing, failing_later])
@pytest.mark.parametrize(
    "error", [ValueError("no"), KeyError("no"), OSError("no"), TimeoutError("no"), InvalidToken("no", "No.")], ids=repr
)
async def test_whatever_else_a_function_raises_ends_the_request(
    http: AwaitingHTTP, function: Any, error: Exception
) -> None:
    with pytest.raises(type(error), match="no"):
        await http.drive(Run(asking(called(function, error), ReadBody(1))), no_body)


async def test_a_request_whose_client_is_gone_stops_a_coroutine_function(http: AwaitingHTTP) -> None:
    ended: list[str] = []

    async def long() -> None:
        try:
            await anyio.sleep(60)
        finally:
            ended.append("ended")

    with anyio.move_on_after(0.02) as scope:
        await http.drive(Run(asking(called(long))))
    assert scope.cancelled_caught
    assert ended == ["ended"]


async def test_a_call_of_nothing_is_a_mistake(http: AwaitingHTTP) -> None:
    with pytest.raises(TypeError, match="a Call names a function"):
        await http.drive(Run(asking(Call())))


# Many at once


async def test_exchanges_with_one_url_wait_for_one_another(
    http: AwaitingHTTP, web: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "MAX_AT_ONCE", 2)
    held = web.answers["/"] = Held(b"{}")
    web.answers["/other"] = b"{}"
    tokens = [Fetch("POST", f"{web.url}/", body=b"%d" % number, flight=b"%d" % number) for number in range(6)]
    results: list[Any] = []

    async def all_of_them() -> None:
        results.extend(await gather(http, tokens))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(all_of_them)
        await asked(web, 2)
        assert (await http.fetch(Fetch("GET", f"{web.url}/other"))).body == b"{}"  # which has a lane of its own
        await anyio.sleep(0.1)
        assert web.hits["/"] == 2
        held.let_go()
    assert [result.body for result in results] == [b"{}"] * 6
    assert not http._of_loop.get().lanes


async def test_who_waits_for_too_long_is_told_that_it_is_busy(
    http: AwaitingHTTP, web: ScriptedServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(awaiting, "MAX_AT_ONCE", 1)
    held = web.answers["/"] = Held(b"{}")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gather, http, [Fetch("POST", f"{web.url}/", body=b"a")])
        await asked(web)
        with pytest.raises(Unavailable, match="fetch_busy"):
            await http.fetch(Fetch("POST", f"{web.url}/", body=b"b", timeout=0.1))
        held.let_go()
    assert f"{web.url}/ did not answer: 1 others ask it already" in caplog.text
    assert (await http.fetch(Fetch("POST", f"{web.url}/", body=b"c"))).body == b"{}"


async def test_a_task_that_is_cancelled_while_it_waits_takes_nobody_s_place(
    http: AwaitingHTTP, web: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "MAX_AT_ONCE", 1)
    held = web.answers["/"] = Held(b"{}")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gather, http, [Fetch("POST", f"{web.url}/", body=b"a")])
        await asked(web)
        with anyio.move_on_after(0.1):
            await http.fetch(Fetch("POST", f"{web.url}/", body=b"b"))
        held.let_go()
    assert not http._of_loop.get().lanes
    assert (await http.fetch(Fetch("POST", f"{web.url}/", body=b"c"))).body == b"{}"


async def test_who_has_waited_has_all_the_time_of_an_exchange_and_its_end_is_the_server_s(
    hasty: AwaitingHTTP, web: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "MAX_AT_ONCE", 1)
    held = web.answers["/"] = Held(b"{}")
    reasons: list[str] = []

    async def second() -> None:
        try:
            await hasty.fetch(Fetch("POST", f"{web.url}/", body=b"b"))
        except Unavailable as error:
            reasons.append(error.reason)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gather, hasty, [Fetch("POST", f"{web.url}/", body=b"a")])
        await asked(web)
        tasks.start_soon(second)
        await anyio.sleep(TIMEOUT * awaiting.WAITING / 2)
        web.answers["/"] = silent
        held.let_go()
        await asked(web, 2)
        began = anyio.current_time()
    assert reasons == ["fetch_timeout"]
    assert anyio.current_time() - began > TIMEOUT / 2
