import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from oauth_rs.guard import guard

entered: list[str] = []


class Refused(Exception):
    """What a check may say."""


@pytest.fixture(autouse=True)
def _nothing_entered() -> None:
    entered.clear()


def plain(name: str, *, mark: str = "") -> str:
    """A function."""
    entered.append(name)
    return name + mark


async def coroutine(name: str, *, mark: str = "") -> str:
    entered.append(name)
    return name + mark


def generator(name: str, *, mark: str = "") -> Iterator[str]:
    entered.append(name)
    yield name + mark


async def asynchronous_generator(name: str, *, mark: str = "") -> AsyncIterator[str]:
    entered.append(name)
    yield name + mark


class Plain:
    def __call__(self, name: str, *, mark: str = "") -> str:
        return plain(name, mark=mark)

    async def method(self, name: str, *, mark: str = "") -> str:
        return await coroutine(name, mark=mark)


class Awaited:
    async def __call__(self, name: str, *, mark: str = "") -> str:
        return await coroutine(name, mark=mark)


KINDS: list[Callable[..., Any]] = [
    plain,
    generator,
    asynchronous_generator,
    Plain().__call__,
    coroutine,
    Plain().method,
]
WRAPPED: list[Callable[..., Any]] = [
    Plain(),
    partial(plain),
    Plain,
    Awaited(),
    partial(coroutine),
    partial(partial(coroutine), mark="!"),
    partial(Awaited()),
]


def passes(_args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
    pass


def refuses(_args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
    raise Refused


async def collected(answer: Any) -> Any:
    """What `answer` gives, whatever its kind: the list of what it yields, or its value."""
    if inspect.isasyncgen(answer):
        return [item async for item in answer]
    if inspect.isgenerator(answer):
        return list(answer)
    return await answer if inspect.isawaitable(answer) else answer


@pytest.mark.parametrize("function", KINDS)
def test_a_guarded_function_keeps_its_kind(function: Callable[..., Any]) -> None:
    guarded = guard(function, passes)
    answer, bare = guarded("ada", mark="!"), function("ada", mark="!")
    assert type(answer) is type(bare)
    assert asyncio.run(collected(answer)) == asyncio.run(collected(bare))
    assert inspect.iscoroutinefunction(guarded) == inspect.iscoroutinefunction(function)


@pytest.mark.parametrize("function", [*KINDS, *WRAPPED])
def test_a_refused_function_is_never_entered(function: Callable[..., Any]) -> None:
    async def call() -> None:
        await collected(guard(function, refuses)("ada"))

    with pytest.raises(Refused):
        asyncio.run(call())
    assert not entered


@pytest.mark.parametrize("function", [plain, generator, asynchronous_generator, Plain()])
def test_generators_are_refused_at_the_call_before_anything_is_sent(function: Callable[..., Any]) -> None:
    guarded = guard(function, refuses)
    with pytest.raises(Refused):
        guarded("ada")


@pytest.mark.parametrize("function", [coroutine, Awaited(), partial(coroutine)])
def test_awaited_objects_answer_through_the_guard(function: Callable[..., Any]) -> None:
    assert inspect.iscoroutinefunction(guard(function, passes))
    assert asyncio.run(guard(function, passes)("ada", mark="!")) == "ada!"


@pytest.mark.parametrize("function", [plain, coroutine])
def test_the_check_sees_the_arguments_and_may_take_some_out(function: Callable[..., Any]) -> None:
    seen: list[Any] = []

    def check(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen.extend([args, kwargs.pop("grant")])

    answer = asyncio.run(collected(guard(function, check)("ada", mark="!", grant="the grant")))
    assert answer == "ada!"
    assert seen == [("ada",), "the grant"]


def test_the_caller_keeps_what_the_check_takes_out() -> None:
    given = {"mark": "!", "grant": "the grant"}

    def check(_args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        del kwargs["grant"]

    guard(plain, check)("ada", **given)
    assert given == {"mark": "!", "grant": "the grant"}


@pytest.mark.parametrize("function", [plain, coroutine])
def test_a_guarded_function_keeps_its_name_text_and_signature(function: Callable[..., Any]) -> None:
    guarded = guard(function, passes)
    assert (guarded.__name__, guarded.__doc__) == (function.__name__, function.__doc__)
    assert inspect.signature(guarded) == inspect.signature(function)


def test_the_check_is_done_at_every_call() -> None:
    calls: list[tuple[Any, ...]] = []

    def check(args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        calls.append(args)

    guarded = guard(plain, check)
    guarded("ada")
    guarded("eve")
    assert calls == [("ada",), ("eve",)]


class Late:
    """A check whose answer is waited for, and is what it is made with."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.ways: list[str] = []

    def wait(self) -> None:
        self.ways.append("blocking")
        self.answer()

    async def awaited(self) -> None:
        self.ways.append("awaiting")
        self.answer()

    def answer(self) -> None:
        if self.error:
            raise self.error


@pytest.mark.parametrize(("function", "way"), [(plain, "blocking"), (coroutine, "awaiting")])
def test_a_check_is_waited_for_in_the_way_of_the_function(function: Callable[..., Any], way: str) -> None:
    late = Late(None)
    assert asyncio.run(collected(guard(function, lambda _args, _kwargs: late)("ada"))) == "ada"
    assert late.ways == [way]


@pytest.mark.parametrize("function", [plain, coroutine])
def test_a_refusal_that_was_waited_for_keeps_the_function_from_being_entered(function: Callable[..., Any]) -> None:
    async def call() -> None:
        await collected(guard(function, lambda _args, _kwargs: Late(Refused()))("ada"))

    with pytest.raises(Refused):
        asyncio.run(call())
    assert not entered
