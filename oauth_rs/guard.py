"""Puts a check in front of a function. Coroutine functions stay such; generators are checked when they are called.

Knows nothing of frameworks or of what the check decides. What was asked for is kept with the function, for lists.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar, cast

from .flow import is_async
from .scopes import Requirement

F = TypeVar("F", bound=Callable[..., Any])
_ASKED = "__oauth_rs_requires__"


class Pending(Protocol):
    """A check that must be waited for; the function is entered only when that raises nothing."""

    def wait(self) -> object: ...

    async def awaited(self) -> object: ...


Check = Callable[[tuple[Any, ...], dict[str, Any]], Pending | None]


def guard(function: F, check: Check, requirement: Requirement) -> F:
    """`function`, entered only after `check(args, kwargs)`, which asks for `requirement`, let it be.

    `check` may take things out of kwargs.
    """
    if is_async(function):

        @wraps(function)
        async def checked_async(*args: Any, **kwargs: Any) -> Any:
            pending = check(args, kwargs)
            if pending is not None:
                await pending.awaited()
            return await function(*args, **kwargs)

        return cast("F", noted(checked_async, requirement))

    # Right for generators too: the check is done at the call, before anything was produced.
    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        pending = check(args, kwargs)
        if pending is not None:
            pending.wait()
        return function(*args, **kwargs)

    return cast("F", noted(checked, requirement))


def noted(function: F, requirement: Requirement) -> F:
    """`function`, which then tells that it asks for `requirement` too."""
    setattr(function, _ASKED, (*asked(function), requirement))
    return function


def asked(function: Any) -> tuple[Requirement, ...]:
    """What the decorators of `function` ask for, from the inside out; empty where it has none."""
    found: tuple[Requirement, ...] = getattr(function, _ASKED, ())
    return found
