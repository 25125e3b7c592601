"""Plays a flow by hand: what it asks for is checked against a script, and answered from it."""

from collections.abc import Callable, Mapping, Sequence
from types import GeneratorType
from typing import Any, cast, overload

from oauth_rs.errors import Unavailable
from oauth_rs.flow import Effect, Flow, Run, T, call
from oauth_rs.replay import MemoryReplay
from oauth_rs.schemes import Site
from oauth_rs.urls import DirectURL

SITE = Site(DirectURL(hosts=["api.example.com"]), MemoryReplay())  # for schemes that look at neither


@overload
def play(flow: Flow[T], *script: tuple[Effect, Any]) -> T: ...
@overload
def play(flow: T | Flow[T], *script: tuple[Effect, Any]) -> T: ...
def play(flow: T | Flow[T], *script: tuple[Effect, Any]) -> T:
    """The result of `flow`, which must ask for the effects of `script` in order; an Unavailable is thrown into it.

    What was decided at once, without a flow, is its own result, and must have asked for nothing.
    """
    if not isinstance(flow, GeneratorType):
        assert not script
        return cast("T", flow)
    run: Run[T] = Run(flow)
    for expected, answer in script:
        assert run.effect == expected
        if isinstance(answer, Unavailable):
            run.throw(answer)
        else:
            run.send(answer)
    assert run.effect is None
    return run.result


def called(function: Callable[..., Any], *arguments: Any) -> Effect:
    """The effect by which a flow asks `function`, a plain one or a coroutine function."""
    return next(call(function, *arguments))


def started(verdict: T | Flow[T]) -> Run[T]:
    """A run of `verdict`, also of one that was decided at once."""
    return Run(verdict if isinstance(verdict, GeneratorType) else _decided(cast("T", verdict)))


def _decided(result: T) -> Flow[T]:
    yield from ()
    return result


class FakeClock:
    """Time that passes when told to."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += seconds


class PlainRequest:
    """A request as the core sees it, made of values."""

    def __init__(
        self,
        method: str = "GET",
        path: str = "/",
        *,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        query: bytes = b"",
        raw_path: bytes | None = None,
        url_scheme: str = "https",
        peer: str = "192.0.2.1",
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        self._headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs]
        self.method = method
        self.path = path
        self.raw_path = path.encode() if raw_path is None else raw_path
        self.query = query
        self.url_scheme = url_scheme
        self.peer = peer
        self.parameters: Mapping[str, Any] = parameters or {}

    def header(self, name: bytes, /) -> Sequence[bytes]:
        return [value for key, value in self._headers if key == name]
