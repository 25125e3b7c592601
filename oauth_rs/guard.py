"""Puts a check in front of a function. Coroutine functions stay such; generators are checked when they are called.

Knows nothing of frameworks or of what the check decides.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar, cast

from .flow import is_async

F = TypeVar("F", bound=Callable[..., Any])


class Pending(Protocol):
    """A check that must be waited for; the function is entered only when that raises nothing."""

    def wait(self) -> object: ...

    async def awaited(self) -> object: ...


Check = Callable[[tuple[Any, ...], dict[str, Any]], Pending | None]


def guard(function: F, check: Check) -> F:
    """`function`, entered only after `check(args, kwargs)`, which may take things out of kwargs, let it be."""
    if is_async(function):

        @wraps(function)
        async def checked_async(*args: Any, **kwargs: Any) -> Any:
            pending = check(args, kwargs)
            if pending is not None:
                await pending.awaited()
            return await function(*args, **kwargs)

        return cast("F", checked_async)

    # Right for generators too: the check is done at the call, before anything was produced.
    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        pending = check(args, kwargs)
        if pending is not None:
            pending.wait()
        return function(*args, **kwargs)

    return cast("F", checked)
