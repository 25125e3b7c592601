"""A check written once as a generator, and the effects it may ask the outside for.

A flow yields effects from a closed set and returns its result or raises `OAuthError`; a shell performs each effect,
blocking or awaiting, and sends the answer in. The contract:

- a flow holds no lock, file or task across a `yield`, and re-reads shared state after one;
- shared state is replaced, never edited, and data is assigned before the time stamp that makes it valid;
- effects are frozen and hashable, so a shell can let equal `Fetch`es share one answer;
- nothing but `Unavailable` is thrown into a flow;
- a new kind of effect needs a line in both shells.

Making and finishing a generator costs as much as the rest of a cached check. So what can often be decided at once
returns `T | Flow[T]`: the answer itself, or the flow that will find it.

Does no input or output itself.
"""

import inspect
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from math import inf
from os import PathLike
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from .errors import Unavailable

T = TypeVar("T")


class Pace(NamedTuple):
    """What an answer says of when to ask again: `Retry-After` and two `X-RateLimit-` headers, as sent or ""."""

    retry_after: str = ""
    remaining: str = ""
    reset: str = ""


_UNSAID = Pace()


@dataclass(frozen=True, slots=True)
class Reply:
    """What an HTTP exchange gave: any status, a body that was under the limit, `content_type` as sent or ""."""

    status: int
    body: bytes = field(repr=False)  # may echo a token
    content_type: str = ""
    pace: Pace = _UNSAID


@dataclass(frozen=True, slots=True)
class Certificate:
    """What this side proves itself with in TLS: PEM files of a certificate chain and its private key (RFC 8705)."""

    chain: str | PathLike[str]
    key: str | PathLike[str]
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        password: object = self.password
        if not all(isinstance(path, str | PathLike) for path in (self.chain, self.key)):
            raise TypeError("the chain and the key of a Certificate are the paths of files")
        if not isinstance(password, str | None):
            raise TypeError("the password of a Certificate is text: str, not bytes")


@dataclass(frozen=True, slots=True)
class Fetch:
    """One HTTP exchange. Gives a `Reply`, or raises `Unavailable` in the flow.

    An answer is shared with every equal Fetch asked while it is under way and for `shared` seconds after it came, so
    that a caller who was about to ask when it arrived does not ask again. Where equal ones differ by the letter, as
    with an assertion that is good once, `flight` says what they have in common. `limit` is in bytes; `timeout` in
    seconds, for one that has less time than the settings allow.
    """

    method: str
    url: str
    # Neither is shown: they hold tokens and secrets.
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    limit: int = 1 << 18
    shared: float = 0.0
    flight: bytes = field(default=b"", repr=False)
    timeout: float = inf
    certificate: Certificate | None = None

    @property
    def shared_by(self) -> object:
        """What is equal for those that share an answer."""
        return (self.method, self.url, self.flight) if self.flight else self

    def __iter__(self) -> "Generator[Fetch, Reply, Reply]":
        return (yield self)


@dataclass(frozen=True, slots=True)
class ReadBody:
    """The whole body of the request, kept for the application too. Gives None when it is over `limit` bytes."""

    limit: int

    def __iter__(self) -> "Generator[ReadBody, bytes | None, bytes | None]":
        return (yield self)


@dataclass(frozen=True, slots=True)
class Aside:
    """A flow to run off the path of this request; what becomes of it is its own affair. Gives None at once."""

    start: "Callable[[], Flow[None]]"

    def __iter__(self) -> "Generator[Aside, None, None]":
        return (yield self)


@dataclass(frozen=True, slots=True)
class Call:
    """A function outside of the core: a store, a database, a function of the application. Gives what it returns.

    `blocking` may block the thread it is called in; `awaiting` is awaited, under asyncio. One of the two is enough:
    whoever drives the flow makes do with it. An Unavailable that the function raises is thrown into the flow; anything
    else it raises ends the request.
    """

    blocking: "Callable[..., Any] | None" = None
    awaiting: "Callable[..., Awaitable[Any]] | None" = None
    arguments: tuple[Any, ...] = ()

    def __iter__(self) -> "Generator[Call, Any, Any]":
        return (yield self)


def call(function: Callable[..., Any], *arguments: Any) -> "Flow[Any]":
    """What `function` gives: a plain one, a coroutine function, or a plain one that gives what must be awaited."""
    if is_async(function):
        return (yield Call(awaiting=function, arguments=arguments))
    given = yield Call(blocking=function, arguments=arguments)
    if inspect.isawaitable(given):
        # As of a lambda, or of a decorator around a coroutine function. Left as it is, it would pass for a user, and a
        # refusal that it holds would never be raised.
        given = yield Call(awaiting=_itself, arguments=(given,))
    return given


async def _itself(given: Awaitable[T]) -> T:
    return await given


def is_async(function: Callable[..., Any]) -> bool:
    """True for what must be awaited when called: coroutine functions, partials of them, objects that call one."""
    while isinstance(function, partial):
        function = function.func
    # Of its type: calling a class whose objects are awaited when called gives an object, and nothing to await.
    called = getattr(type(function), "__call__", None)  # noqa: B004 - its kind is asked, not whether it is there
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


Effect: TypeAlias = Fetch | ReadBody | Aside | Call
Flow: TypeAlias = Generator[Effect, Any, T]


def at_once(flow: Flow[T]) -> T | Flow[T]:
    """The result of `flow` where it asks for nothing, else the flow that goes on from what it has asked for."""
    try:
        effect = next(flow)
    except StopIteration as stop:
        result: T = stop.value
        return result
    return _go_on(flow, effect)


def through(change: Callable[[Effect], Effect], flow: Flow[T]) -> Flow[T]:
    """What `flow` gives, all of whose effects go through `change`; it sees an Unavailable that `change` raises."""
    try:
        effect = next(flow)
    except StopIteration as stop:
        result: T = stop.value
        return result
    return (yield from _go_on(flow, effect, change))


def _unchanged(effect: Effect) -> Effect:
    return effect


def _go_on(flow: Flow[T], effect: Effect, change: Callable[[Effect], Effect] = _unchanged) -> Flow[T]:
    try:
        while True:
            try:
                answer = yield change(effect)
            except Unavailable as error:
                effect = flow.throw(error)
            else:
                effect = flow.send(answer)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        flow.close()


class Run(Generic[T]):
    """A flow under way: `effect` is what it waits for; None once `result` is set. The first step is taken at once."""

    __slots__ = ("_flow", "effect", "result")

    effect: Effect | None
    result: T

    def __init__(self, flow: Flow[T]) -> None:
        self._flow = flow
        self.send(None)

    def send(self, answer: object) -> None:
        try:
            self.effect = self._flow.send(answer)
        except StopIteration as stop:
            self.effect, self.result = None, stop.value

    def throw(self, error: Unavailable) -> None:
        try:
            self.effect = self._flow.throw(error)
        except StopIteration as stop:
            self.effect, self.result = None, stop.value
        finally:
            del error  # on its way out it has this frame in its traceback: a circle, and all that it holds

    def close(self) -> None:
        """Ends a flow that nobody will answer: its caller has gone."""
        self._flow.close()
