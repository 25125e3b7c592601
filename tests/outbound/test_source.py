import asyncio
import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from oauth_rs.breaker import Breaker
from oauth_rs.errors import MISCONFIGURED_SECONDS, OAuthError, Unavailable
from oauth_rs.fetch import HTTPSettings
from oauth_rs.flow import Call, Flow
from oauth_rs.outbound import OutboundError
from oauth_rs.outbound.answer import AHEAD, UNREACHABLE, Token
from oauth_rs.outbound.auth import Held
from oauth_rs.outbound.endpoint import TokenEndpoint
from oauth_rs.outbound.source import TokenSource
from tests.outbound.provider import API, CLIENT, Provider, granted, no_thread_is_left, send
from tests.support.misbehaving import LONG, silent
from tests.support.playing import FakeClock
from tests.support.processes import in_child
from tests.support.redis_server import wait_until

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # that is what some tests are about
HTTP = HTTPSettings()
FIELDS = (("grant_type", "client_credentials"),)
LIFE = 3600
SECONDS = 5.0  # for what happens in the background
HANGS = 20.0  # seconds that an answer is held back at most, where it must come after something else
Make = Callable[..., TokenSource]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make(provider: Provider, clock: FakeClock) -> Make:
    def make(ask: Any = None, *, http: HTTPSettings = HTTP, endpoint: TokenEndpoint | None = None) -> TokenSource:
        there = endpoint or TokenEndpoint("x", client=CLIENT, url=f"{provider.url}/token", monotonic=clock)
        flow = ask or (lambda _refused: there.ask(FIELDS))
        return TokenSource(flow, endpoint=there, name="a provider", http=http, monotonic=clock)

    return make


@pytest.fixture
def source(make: Make) -> TokenSource:
    return make()


def failure(source: TokenSource) -> str:
    return str(failed(source).reason)


def failed(source: TokenSource) -> Any:
    with pytest.raises((OutboundError, OAuthError)) as caught:
        source.token()
    return caught.value


def in_threads(count: int, work: Callable[[], Any]) -> list[Any]:
    """What `count` threads got that did `work` as nearly at once as threads can; an error is its reason."""
    results: list[Any] = []
    barrier = threading.Barrier(count)

    def one() -> None:
        barrier.wait()
        try:
            results.append(work())
        except (OutboundError, OAuthError) as error:
            results.append(error.reason)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


async def in_tasks(count: int, work: Callable[[], Any]) -> list[Any]:
    results: list[Any] = []

    async def one() -> None:
        try:
            results.append(await work())
        except (OutboundError, OAuthError) as error:
            results.append(error.reason)

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(one)
    return results


# A token and its life


def test_a_token_is_kept(source: TokenSource, provider: Provider, clock: FakeClock) -> None:
    assert [source.token(), anyio.run(source.async_token), source.token()] == ["token-1"] * 3
    clock.pass_seconds(LIFE * AHEAD - 1)
    assert source.token() == "token-1"
    assert provider.tokens == 1


def test_a_token_is_renewed_in_the_background_after_most_of_its_life(
    source: TokenSource, provider: Provider, clock: FakeClock
) -> None:
    source.token()
    may_answer = threading.Event()
    provider.answers["/token"] = partial(once, may_answer, "token-2")
    clock.pass_seconds(LIFE * AHEAD)
    assert [source.token() for _ in range(100)] == ["token-1"] * 100
    may_answer.set()
    wait_until(lambda: source.token() == "token-2", SECONDS)
    assert provider.tokens == 2


def test_a_token_that_has_ended_is_waited_for(source: TokenSource, provider: Provider, clock: FakeClock) -> None:
    source.token()
    clock.pass_seconds(LIFE)
    assert source.token() == "token-2"
    assert provider.tokens == 2


def test_the_life_of_a_token_counts_from_when_it_was_asked_for(
    make: Make, provider: Provider, clock: FakeClock
) -> None:
    def takes_its_time(handler: Any) -> None:
        clock.pass_seconds(100)
        send(handler, granted())

    provider.answers["/token"] = takes_its_time
    source = make()
    assert source.get().ends_at == clock() - 100 + LIFE


def test_a_token_is_used_by_those_who_waited_for_it_however_short_it_lives(
    source: TokenSource, provider: Provider
) -> None:
    provider.life = 0.001
    assert source.token() == "token-1"


# One at a time


Begin = Callable[[TokenSource, FakeClock], None]


def late(seconds: float, token: str, handler: Any) -> None:
    time.sleep(seconds)
    send(handler, granted(token))


def once(may_answer: threading.Event, token: str, handler: Any) -> None:
    may_answer.wait(HANGS)
    send(handler, granted(token))


def cold(_source: TokenSource, _clock: FakeClock) -> None:
    pass


def at_expiry(source: TokenSource, clock: FakeClock) -> None:
    source.token()
    clock.pass_seconds(LIFE)


@pytest.mark.parametrize("begin", [cold, at_expiry])
def test_two_hundred_threads_cause_one_request(
    source: TokenSource, provider: Provider, clock: FakeClock, begin: Begin
) -> None:
    begin(source, clock)
    before = provider.tokens
    provider.answers["/token"] = partial(late, 0.1, "new")
    assert in_threads(200, source.token) == ["new"] * 200
    assert provider.tokens == before + 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("begin", [cold, at_expiry])
def test_a_thousand_tasks_cause_one_request(
    source: TokenSource, provider: Provider, clock: FakeClock, begin: Begin, backend: str
) -> None:
    begin(source, clock)
    before = provider.tokens
    provider.answers["/token"] = partial(late, 0.1, "new")
    assert anyio.run(in_tasks, 1000, source.async_token, backend=backend) == ["new"] * 1000
    assert provider.tokens == before + 1


def test_a_thousand_calls_of_a_client_at_expiry_cause_one_request(
    source: TokenSource, provider: Provider, clock: FakeClock
) -> None:
    async def bills(request: Request) -> Response:
        return JSONResponse(request.headers["authorization"])

    transport = httpx2.ASGITransport(Starlette(routes=[Route("/", bills)]))

    async def calls() -> list[Any]:
        async with httpx2.AsyncClient(transport=transport, auth=source.auth("https://billing.example.com")) as client:

            async def call() -> Any:
                return (await client.get("https://billing.example.com/")).json()

            await call()
            clock.pass_seconds(LIFE)
            return await in_tasks(1000, call)

    assert anyio.run(calls) == ["Bearer token-2"] * 1000
    assert provider.tokens == 2


def test_threads_and_event_loops_share_one_request(source: TokenSource, provider: Provider) -> None:
    provider.answers["/token"] = partial(late, 0.2, "new")
    ways: list[Callable[[], str]] = [
        *[source.token] * 10,
        *[lambda: anyio.run(source.async_token, backend="asyncio")] * 5,
        *[lambda: anyio.run(source.async_token, backend="trio")] * 5,
    ]
    assert in_threads(20, lambda: ways.pop()()) == ["new"] * 20  # noqa: PLW0108 - each thread takes its own
    assert provider.tokens == 1


def test_who_comes_second_gets_what_the_first_one_has(
    source: TokenSource, provider: Provider, clock: FakeClock
) -> None:
    got: list[Held] = []
    second = threading.Thread(target=lambda: got.append(source.get()))
    with source._ours().lock:
        second.start()
        time.sleep(0.05)
        source._held = Held(text="new", refresh_at=clock() + 1, ends_at=clock() + 2)
    second.join()
    assert (got, provider.tokens) == ([source._held], 0)


def test_renewing_ahead_is_one_request_too(source: TokenSource, provider: Provider, clock: FakeClock) -> None:
    source.token()
    clock.pass_seconds(LIFE * AHEAD)
    may_answer = threading.Event()
    provider.answers["/token"] = partial(once, may_answer, "new")
    assert in_threads(50, source.token) == ["token-1"] * 50
    may_answer.set()
    wait_until(lambda: source.token() == "new", SECONDS)
    assert provider.tokens == 2


def test_a_task_that_is_cancelled_takes_nothing_with_it(source: TokenSource, provider: Provider) -> None:
    provider.answers["/token"] = partial(late, 0.2, "new")

    async def give_up() -> None:
        with anyio.move_on_after(0.01):
            await source.async_token()

    asyncio.run(give_up())
    assert source.token() == "new"
    assert provider.tokens == 1


# Failures


def test_threads_that_wait_share_a_failure(source: TokenSource, provider: Provider) -> None:
    provider.answers["/token"] = partial(fail_late, 0.1)
    assert in_threads(50, source.token) == ["token_endpoint_failed"] * 50
    assert provider.tokens == 1


def fail_late(seconds: float, handler: Any) -> None:
    time.sleep(seconds)
    send(handler, (500, {}))


@pytest.mark.parametrize(
    ("answer", "reason"), [((500, {}), "token_endpoint_failed"), ((400, {"error": "invalid_scope"}), "invalid_scope")]
)
def test_failures_back_off_and_do_not_hammer(
    source: TokenSource, provider: Provider, clock: FakeClock, answer: Any, reason: str
) -> None:
    provider.answers["/token"] = answer
    asked_at = []
    for second in range(120):
        before = provider.tokens
        assert {failure(source) for _ in range(3)} == {reason}
        assert provider.tokens - before in {0, 1}
        asked_at += [second] * (provider.tokens - before)
        clock.pass_seconds(1)
    assert asked_at == [0, 1, 3, 7, 15, 31, 61, 91]
    del provider.answers["/token"]
    clock.pass_seconds(30)
    assert source.token() == f"token-{provider.tokens}"
    provider.answers["/token"] = answer
    clock.pass_seconds(LIFE)
    failure(source)
    clock.pass_seconds(1)
    before = provider.tokens
    failure(source)
    assert provider.tokens == before + 1, "a success begins anew"


def test_an_outage_says_when_to_try_again(source: TokenSource, provider: Provider, clock: FakeClock) -> None:
    provider.answers["/token"] = (500, {})
    waits = []
    for _ in range(4):
        waits.append(failed(source).retry_after)
        clock.pass_seconds(waits[-1])
    assert waits == [1, 2, 4, 8]
    clock.pass_seconds(-4.5)
    error = failed(source)
    assert (error.retry_after, error.description) == (5, UNREACHABLE)


def test_a_failure_may_ask_for_a_longer_pause(source: TokenSource, provider: Provider, clock: FakeClock) -> None:
    provider.answers["/token"] = (401, {})
    waits = [failed(source).retry_after]
    clock.pass_seconds(0.5)
    waits.append(failed(source).retry_after)
    assert waits == [MISCONFIGURED_SECONDS] * 2
    assert provider.tokens == 1


def test_an_old_token_serves_while_it_cannot_be_renewed(
    source: TokenSource, provider: Provider, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    source.token()
    provider.answers["/token"] = (400, {"error": "invalid_scope"})
    clock.pass_seconds(LIFE * AHEAD)
    assert source.token() == "token-1"
    wait_until(lambda: bool(caplog.messages), SECONDS)
    assert caplog.record_tuples == [
        ("oauth_rs", logging.WARNING, "a token of a provider was not renewed, the old one serves on: invalid_scope")
    ]
    assert [source.token() for _ in range(10)] == ["token-1"] * 10
    assert provider.tokens == 2
    clock.pass_seconds(LIFE * (1 - AHEAD))
    assert failure(source) == "invalid_scope"
    assert provider.tokens == 3
    assert failure(source) == "invalid_scope"
    assert provider.tokens == 3


def test_an_endpoint_that_failed_is_left_alone_by_all_its_sources(
    make: Make, provider: Provider, clock: FakeClock
) -> None:
    endpoint = TokenEndpoint("x", client=CLIENT, url=f"{provider.url}/token", monotonic=clock)
    first, second = make(endpoint=endpoint), make(endpoint=endpoint)
    provider.answers["/token"] = (500, {})
    assert (failure(first), failure(second)) == ("token_endpoint_failed", "token_unavailable")
    assert (provider.tokens, failed(second).retry_after) == (1, 1)
    del provider.answers["/token"]
    clock.pass_seconds(1)
    assert second.token() == "token-2"


def test_a_slow_endpoint_costs_its_timeout(make: Make, provider: Provider) -> None:
    provider.answers["/token"] = silent
    began = time.monotonic()
    assert failure(make(http=HTTPSettings(timeout=0.2))) == "fetch_timeout"
    assert time.monotonic() - began < LONG / 2


@pytest.fixture
def busy(provider: Provider, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> TokenEndpoint:
    """An endpoint that is asked by five at a time while ten more may wait."""
    monkeypatch.setattr("oauth_rs.outbound.endpoint.MAX_ASKS", 5)
    monkeypatch.setattr("oauth_rs.outbound.endpoint.MAX_WAITING", 10)
    return TokenEndpoint("x", client=CLIENT, url=f"{provider.url}/token", breaker=Breaker(), monotonic=clock)


@pytest.mark.parametrize("awaits", ["threads", "tasks"])
def test_those_for_whom_there_is_no_slot_wait_for_their_turn(
    make: Make, provider: Provider, busy: TokenEndpoint, awaits: str
) -> None:
    sources, under_way, most = [make(endpoint=busy) for _ in range(15)], list[int](), list[int]()

    def answer(handler: Any) -> None:
        under_way.append(1)
        most.append(len(under_way))
        time.sleep(0.05)
        under_way.pop()
        send(handler, granted("new"))

    provider.answers["/token"] = answer
    if awaits == "threads":
        got = in_threads(15, lambda: sources.pop().token())
    else:
        got = anyio.run(in_tasks, 15, lambda: sources.pop().async_token())
    assert (got, provider.tokens) == (["new"] * 15, 15)
    assert max(most) <= 5


def test_no_more_wait_for_their_turn_than_may(make: Make, provider: Provider, busy: TokenEndpoint) -> None:
    sources = [make(endpoint=busy) for _ in range(30)]
    may_answer, refused = threading.Event(), list[str]()
    provider.answers["/token"] = partial(once, may_answer, "new")

    def one() -> str:
        try:
            return sources.pop().token()
        except Unavailable as error:
            refused.append(error.reason)
            if len(refused) == 15:
                may_answer.set()
            raise

    got = in_threads(30, one)
    assert sorted(got) == ["new"] * 15 + ["token_unavailable"] * 15
    wait_until(no_thread_is_left, SECONDS)
    assert make(endpoint=busy).token() == "new"


def test_those_who_waited_do_not_ask_an_endpoint_that_has_failed_meanwhile(
    make: Make, provider: Provider, busy: TokenEndpoint, clock: FakeClock
) -> None:
    provider.answers["/token"] = silent
    sources = [make(endpoint=busy, http=HTTPSettings(timeout=1)) for _ in range(15)]
    busy.breaker = Breaker(failures=1)
    left = [*sources]
    got = in_threads(15, lambda: left.pop().token())
    assert set(got) == {"fetch_timeout", "token_unavailable"}
    assert provider.tokens <= 5
    del provider.answers["/token"]
    clock.pass_seconds(30)
    assert [source.token()[:6] for source in sources] == ["token-"] * 15


def test_nobody_is_asked_for_those_who_wait_no_more(
    make: Make, busy: TokenEndpoint, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oauth_rs.outbound.source.STORE_SECONDS", 0.05)
    hasty = HTTPSettings(timeout=0.01)
    may_end = threading.Event()

    def hangs(_refused: str) -> Flow[Token]:
        yield from Call(blocking=may_end.wait)
        raise AssertionError

    sources = [make(hangs, endpoint=busy, http=hasty) for _ in range(5)]
    late_ones = [make(endpoint=busy, http=hasty) for _ in range(5)]
    assert in_threads(5, lambda: sources.pop().token()) == ["fetch_timeout"] * 5
    assert in_threads(5, lambda: late_ones.pop().token()) == ["fetch_timeout"] * 5
    may_end.set()
    wait_until(no_thread_is_left, SECONDS)
    assert provider.tokens == 0


def test_without_a_thread_to_be_had_an_old_token_serves_and_nobody_waits(
    source: TokenSource, provider: Provider, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.token()
    clock.pass_seconds(LIFE * AHEAD)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", raising(RuntimeError("can't start new thread")))
        assert source.token() == "token-1"
        clock.pass_seconds(LIFE)
        assert [failure(source) for _ in range(200)] == ["token_unavailable"] * 200
    assert source.token() == "token-2"
    assert provider.tokens == 2


def raising(error: BaseException) -> Callable[..., None]:
    def function(*_: object) -> None:
        raise error

    return function


def test_a_function_that_raises_is_an_outage_and_backs_off(make: Make) -> None:
    calls: list[str] = []

    def ask(_refused: str) -> Flow[Token]:
        calls.append("asked")
        yield from Call(blocking=raising(KeyError("row")))
        raise AssertionError

    source = make(ask)
    assert [failure(source) for _ in range(5)] == ["token_request_failed"] * 5
    assert calls == ["asked"]
    wait_until(no_thread_is_left, SECONDS)


def test_a_refusal_names_whose_token_there_is_not(source: TokenSource, provider: Provider) -> None:
    provider.answers["/token"] = (400, {"error": "invalid_scope"})
    assert [str(failed(source)) for _ in range(2)] == ["invalid_scope: no token of a provider"] * 2


def test_an_outage_that_a_function_tells_of_is_one(make: Make) -> None:
    def ask(_refused: str) -> Flow[Token]:
        yield from Call(blocking=raising(Unavailable("credentials_unavailable", "x")))
        raise AssertionError

    assert failure(make(ask)) == "credentials_unavailable"


def test_a_function_that_hangs_is_not_waited_for_and_not_for_ever_in_the_way(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oauth_rs.outbound.source.STORE_SECONDS", 0.5)
    may_end = threading.Event()
    begun: list[str] = []

    def ask(_refused: str) -> Flow[Token]:
        begun.append(f"token-{len(begun) + 1}")
        text = begun[-1]
        if text == "token-1":
            yield from Call(blocking=may_end.wait)
        return Token(text=text, life=LIFE, fresh=LIFE)

    source = make(ask, http=HTTPSettings(timeout=0.01))
    assert failure(source) == "fetch_timeout"
    wait_until(lambda: source.token() == "token-2", SECONDS)
    may_end.set()
    wait_until(no_thread_is_left, SECONDS)
    assert begun == ["token-1", "token-2"]


# Refused by a resource


def test_a_token_that_was_refused_is_dropped(make: Make, provider: Provider) -> None:
    told: list[str] = []
    endpoint = TokenEndpoint("x", client=CLIENT, url=f"{provider.url}/token")

    def ask(refused: str) -> Flow[Token]:
        told.append(refused)
        return (yield from endpoint.ask(FIELDS))

    source = make(ask)
    held = source.get()
    assert source.refused(held)
    assert source.token() == "token-2"
    assert told == ["", "token-1"]


def test_a_token_that_was_replaced_already_drops_no_other(source: TokenSource, provider: Provider) -> None:
    held = source.get()
    assert source.refused(held)
    source.token()
    assert [source.refused(held) for _ in range(10)] == [True] * 10
    assert source.token() == "token-2"
    assert provider.tokens == 2


def test_refusals_at_once_cause_one_new_token(source: TokenSource, provider: Provider, api: API) -> None:
    api.good = {"token-2"}
    api.refuse_together(50)
    source.token()
    provider.answers["/token"] = partial(late, 0.2, "token-2")
    limits = httpx2.Limits(max_connections=None)
    with httpx2.Client(auth=source.auth(api.url), trust_env=False, limits=limits, timeout=20) as client:
        assert in_threads(50, lambda: client.get(f"{api.url}/bills").status_code) == [200] * 50
    assert api.sent.count("token-1") == api.sent.count("token-2") == 50
    assert provider.tokens == 2


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_refusals_of_tasks_at_once_cause_one_new_token(
    source: TokenSource, provider: Provider, api: API, backend: str
) -> None:
    api.good = {"token-2"}
    api.refuse_together(50)
    limits = httpx2.Limits(max_connections=None)

    async def calls() -> list[Any]:
        async with httpx2.AsyncClient(auth=source.auth(api.url), trust_env=False, limits=limits, timeout=20) as client:

            async def call() -> int:
                return (await client.get(f"{api.url}/bills")).status_code

            return await in_tasks(50, call)

    assert anyio.run(calls, backend=backend) == [200] * 50
    assert provider.tokens == 2


def test_a_resource_that_refuses_every_token_does_not_have_one_made_for_each_call(
    source: TokenSource, provider: Provider, api: API, clock: FakeClock
) -> None:
    api.good = set()
    with httpx2.Client(auth=source.auth(api.url), trust_env=False) as client:
        statuses = {client.get(f"{api.url}/bills").status_code for _ in range(50)}
        assert (statuses, provider.tokens) == ({401}, 5)
        clock.pass_seconds(100)
        for _ in range(20):
            client.get(f"{api.url}/bills")
            clock.pass_seconds(1)
    assert provider.tokens == 5 + 4 + 1


def test_a_token_that_was_refused_twice_in_a_row_is_replaced_twice(source: TokenSource, api: API) -> None:
    with httpx2.Client(auth=source.auth(api.url), trust_env=False) as client:
        for good in ("token-1", "token-2", "token-3"):
            api.good = {good}
            assert client.get(f"{api.url}/bills").status_code == 200


def test_no_new_token_to_be_had_is_said_so(source: TokenSource, provider: Provider, api: API) -> None:
    source.token()
    api.good = set()
    provider.answers["/token"] = (503, {})
    with (
        httpx2.Client(auth=source.auth(api.url), trust_env=False) as client,
        pytest.raises(Unavailable, match="token_endpoint_failed"),
    ):
        client.get(f"{api.url}/bills")


# Processes


def test_a_fork_inherits_the_token(source: TokenSource, provider: Provider) -> None:
    source.token()
    assert in_child(lambda: source.token() == "token-1") == 0
    assert provider.tokens == 1


def test_a_fork_inherits_no_lock_that_somebody_holds(source: TokenSource, clock: FakeClock) -> None:
    source.token()
    clock.pass_seconds(LIFE)
    with source._ours().lock:
        assert in_child(lambda: source.token() == "token-2") == 0


def test_a_fork_inherits_no_request_that_nobody_makes(source: TokenSource, provider: Provider) -> None:
    child_is_done = threading.Event()

    def answer(handler: Any) -> None:
        if provider.tokens == 1:
            child_is_done.wait(HANGS)
        send(handler, granted("new"))

    provider.answers["/token"] = answer
    leader = threading.Thread(target=source.token)
    leader.start()
    wait_until(lambda: provider.tokens == 1, SECONDS)
    assert in_child(lambda: source.token() == "new") == 0
    child_is_done.set()
    leader.join()
    assert provider.tokens == 2


def test_the_first_threads_of_a_fork_share_one_request(source: TokenSource, provider: Provider) -> None:
    def one_token() -> bool:
        sys.setswitchinterval(1e-6)
        return len(set(in_threads(8, source.token))) == 1

    assert [in_child(one_token) for _ in range(5)] == [0] * 5
    assert provider.tokens == 5


# What is left behind


def test_nothing_is_left_of_those_who_waited(source: TokenSource, provider: Provider, clock: FakeClock) -> None:
    provider.answers["/token"] = (500, {})
    for _ in range(20):
        failure(source)
        clock.pass_seconds(30)
    wait_until(no_thread_is_left, SECONDS)
    gc.collect()
    assert source._ours().pending is None
    assert source._http._flights.keys() == {os.getpid()}


def test_a_token_is_in_no_repr(source: TokenSource) -> None:
    held = source.get()
    assert isinstance(held, Held)
    assert "token-1" not in f"{source!r} {held!r} {source.auth()!r}"


@pytest.mark.parametrize("http", [None, 5, HTTPSettings], ids=repr)
def test_settings_that_are_none_are_refused_when_made(make: Make, http: Any) -> None:
    with pytest.raises(TypeError, match=r"^http is HTTPSettings"):
        make(http=http)
