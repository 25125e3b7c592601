from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import FrozenInstanceError
from functools import partial
from typing import Any, cast

import anyio
import pytest

from oauth_rs.errors import InvalidToken, Unavailable
from oauth_rs.flow import (
    Aside,
    Call,
    Certificate,
    Effect,
    Fetch,
    Flow,
    ReadBody,
    Reply,
    Run,
    at_once,
    call,
    is_async,
    through,
)

URL = "https://id.example.com/keys"
REPLY = Reply(200, b"{}")
FAILURE = Unavailable("no_answer", "The issuer could not be reached.")


def finished() -> Flow[str]:
    yield from ()
    return "done"


def two_steps() -> Flow[int]:
    reply = yield from Fetch("GET", URL)
    body = yield from ReadBody(10)
    return reply.status + len(body or b"")


def forgiving() -> Flow[str]:
    try:
        yield from Fetch("GET", URL)
    except Unavailable as error:
        return error.reason
    return ""


def persistent() -> Flow[str]:
    try:
        yield from Fetch("GET", URL)
    except Unavailable:
        yield from ReadBody(1)
    return "after all"


def refusing() -> Flow[str]:
    yield from Fetch("GET", URL)
    raise InvalidToken("expired", "The access token has expired.")


def nothing() -> Flow[None]:
    yield from ()


def waits_for(run: Run[Any]) -> Effect | None:
    return run.effect


def test_a_flow_that_asks_for_nothing_ends_in_its_first_step() -> None:
    run = Run(finished())
    assert run.effect is None
    assert run.result == "done"


def test_each_answer_goes_to_the_effect_that_asked() -> None:
    run = Run(two_steps())
    assert waits_for(run) == Fetch("GET", URL)
    run.send(REPLY)
    assert waits_for(run) == ReadBody(10)
    run.send(b"abc")
    assert run.effect is None
    assert run.result == 203


def test_a_body_over_the_limit_is_none_to_the_flow() -> None:
    run = Run(two_steps())
    run.send(REPLY)
    run.send(None)
    assert run.result == 200


def test_there_is_no_result_before_the_end() -> None:
    run = Run(two_steps())
    with pytest.raises(AttributeError):
        _ = run.result


def test_a_flow_may_end_on_a_failure() -> None:
    run = Run(forgiving())
    run.throw(FAILURE)
    assert run.effect is None
    assert run.result == "no_answer"


def test_a_flow_may_go_on_after_a_failure() -> None:
    run = Run(persistent())
    run.throw(FAILURE)
    assert waits_for(run) == ReadBody(1)
    run.send(b"")
    assert run.result == "after all"


def test_a_failure_the_flow_does_not_expect_comes_back_out() -> None:
    run = Run(two_steps())
    with pytest.raises(Unavailable) as raised:
        run.throw(FAILURE)
    assert raised.value is FAILURE


def test_a_refusal_comes_out_of_the_step_that_made_it() -> None:
    run = Run(refusing())
    with pytest.raises(InvalidToken, match="expired"):
        run.send(REPLY)


def test_a_refusal_in_the_first_step_comes_out_of_the_start() -> None:
    def flow() -> Flow[None]:
        yield from ()
        raise InvalidToken("expired", "The access token has expired.")

    with pytest.raises(InvalidToken, match="expired"):
        Run(flow())


def test_closing_ends_the_flow_where_it_waits() -> None:
    ended: list[str] = []

    def flow() -> Flow[None]:
        try:
            yield from Fetch("GET", URL)
        finally:
            ended.append("ended")

    run = Run(flow())
    assert not ended
    run.close()
    assert ended == ["ended"]


def test_aside_hands_out_what_starts_the_flow_and_gives_none_at_once() -> None:
    def flow() -> Flow[list[str]]:
        yield from Aside(nothing)
        return ["went on"]

    run = Run(flow())
    assert waits_for(run) == Aside(nothing)
    run.send(None)
    assert run.effect is None
    assert Run(nothing()).effect is None


@pytest.mark.parametrize(
    "effect",
    [Fetch("GET", URL), ReadBody(1), Aside(nothing), Call(print, None, (1,))],
    ids=lambda one: type(one).__name__,
)
def test_effects_are_frozen_and_hashable(effect: Effect) -> None:
    assert hash(effect) == hash(effect)
    with pytest.raises((FrozenInstanceError, TypeError, AttributeError)):
        effect.limit = 7  # type: ignore[misc, union-attr]


@pytest.mark.parametrize(
    "other",
    [
        Fetch("POST", URL),
        Fetch("GET", URL + "2"),
        Fetch("GET", URL, (("Accept", "application/json"),)),
        Fetch("GET", URL, body=b"x"),
        Fetch("GET", URL, limit=1),
        Fetch("GET", URL, shared=1.0),
    ],
)
def test_only_fetches_that_ask_the_same_are_equal(other: Fetch) -> None:
    assert Fetch("GET", URL) == Fetch("GET", URL)
    assert other != Fetch("GET", URL)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((None, "key.pem"), "are the paths"),
        (("chain.pem", b"key.pem"), "are the paths"),
        (("chain.pem", "key.pem", b"s3cret"), "password .* is text"),
    ],
)
def test_a_certificate_is_made_of_paths_and_text(parts: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        Certificate(*parts)
    assert "s3cret" not in str(caught.value)


def test_a_fetch_takes_a_quarter_of_a_mebibyte_and_shares_nothing_unless_told() -> None:
    assert (Fetch("GET", URL).limit, Fetch("GET", URL).shared) == (262_144, 0.0)


# Functions outside of the core


def plain() -> None: ...


async def coroutine() -> None: ...


def generator() -> Iterator[None]:
    yield


async def asynchronous_generator() -> AsyncIterator[None]:
    yield


class Plain:
    def __call__(self) -> None: ...

    async def method(self) -> None: ...


class Awaited:
    async def __call__(self) -> None: ...


BLOCKING: list[Callable[..., Any]] = [
    *(plain, generator, asynchronous_generator, Plain(), Plain().__call__, Plain, Awaited, len, partial(plain)),
    *(partial(partial(plain)), partial(Plain()), partial(Awaited)),
]
AWAITING: list[Callable[..., Any]] = [
    *(coroutine, Plain().method, Awaited(), Awaited().__call__, partial(coroutine), partial(partial(coroutine), 1)),
    partial(Awaited()),
]


@pytest.mark.parametrize("function", BLOCKING, ids=repr)
def test_what_gives_its_answer_when_called_is_not_awaited(function: Callable[..., Any]) -> None:
    assert not is_async(function)
    assert waits_for(Run(call(function, 1, "b"))) == Call(blocking=function, arguments=(1, "b"))


@pytest.mark.parametrize("function", AWAITING, ids=repr)
def test_what_must_be_awaited_is_known(function: Callable[..., Any]) -> None:
    assert is_async(function)
    assert waits_for(Run(call(function, 1, "b"))) == Call(awaiting=function, arguments=(1, "b"))


def test_what_is_no_function_is_not_awaited_either() -> None:
    assert not is_async("plain")  # type: ignore[arg-type]


def asking() -> Flow[object]:
    try:
        return (yield from call(plain, 1))
    except Unavailable as error:
        return error.reason


@pytest.mark.parametrize("answer", [None, False, [], "found", FAILURE, StopIteration()], ids=repr)
def test_a_call_gives_what_the_function_returned_whatever_it_is(answer: object) -> None:
    run = Run(asking())
    assert waits_for(run) == Call(blocking=plain, arguments=(1,))
    run.send(answer)
    assert run.effect is None
    assert run.result is answer


def test_what_a_plain_function_gives_to_be_awaited_is_awaited() -> None:
    async def found() -> str:
        return "found"

    run = Run(call(plain))
    run.send(found())
    effect = waits_for(run)
    assert isinstance(effect, Call)
    assert effect.awaiting is not None
    run.send(anyio.run(effect.awaiting, *effect.arguments))
    assert (run.effect, run.result) == (None, "found")


def test_a_flow_may_go_on_where_a_function_could_not_tell() -> None:
    run = Run(asking())
    run.throw(FAILURE)
    assert run.result == "no_answer"


def test_a_flow_that_asks_for_nothing_is_its_result_at_once() -> None:
    assert at_once(finished()) == "done"


def doubled(effect: Effect) -> Effect:
    return Fetch("GET", effect.url * 2) if isinstance(effect, Fetch) else effect


def refused(_effect: Effect) -> Effect:
    raise FAILURE


def test_the_effects_of_a_flow_may_be_changed_on_their_way() -> None:
    run = Run(through(doubled, two_steps()))
    assert waits_for(run) == Fetch("GET", URL * 2)
    run.send(REPLY)
    assert waits_for(run) == ReadBody(10)
    run.send(b"")
    assert (run.effect, run.result) == (None, 200)


def test_a_flow_sees_that_an_effect_is_refused_on_its_way() -> None:
    assert Run(through(refused, forgiving())).result == "no_answer"
    assert Run(through(refused, finished())).result == "done"


@pytest.mark.parametrize("flow", [two_steps, forgiving, persistent])
def test_a_flow_that_was_begun_goes_on_as_if_nobody_had_looked(flow: Any) -> None:
    def answered(run: Run[Any]) -> tuple[list[Effect], Any]:
        asked = []
        while run.effect is not None:
            asked.append(run.effect)
            if isinstance(run.effect, Fetch) and flow is not two_steps:
                run.throw(FAILURE)
            else:
                run.send(REPLY if isinstance(run.effect, Fetch) else b"body")
        return asked, run.result

    assert answered(Run(at_once(flow()))) == answered(Run(flow()))


def test_a_flow_that_was_begun_raises_what_it_raises() -> None:
    def refuses() -> Flow[None]:
        yield from ReadBody(1)
        raise InvalidToken("bad", "It is bad.")

    run = Run(cast("Flow[None]", at_once(refuses())))
    with pytest.raises(InvalidToken):
        run.send(b"")


def test_a_flow_that_was_begun_is_closed_with_its_caller() -> None:
    closed = []

    def waits() -> Flow[None]:
        try:
            yield from ReadBody(1)
        finally:
            closed.append(True)

    Run(cast("Flow[None]", at_once(waits()))).close()
    assert closed
