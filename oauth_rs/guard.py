"""Puts a check in front of a function. Coroutine functions stay such; generators are checked when they are called.

Knows nothing of frameworks or of what the check decides.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from .flow import is_async

F = TypeVar("F", bound=Callable[..., Any])
Check = Callable[[tuple[Any, ...], dict[str, Any]], None]


def guard(function: F, check: Check) -> F:
    """`function`, entered only after `check(args, kwargs)` returned; `check` may take things out of kwargs."""
    if is_async(function):

        @wraps(function)
        async def checked_async(*args: Any, **kwargs: Any) -> Any:
            check(args, kwargs)
            return await function(*args, **kwargs)

        return cast("F", checked_async)

    # Right for generators too: the check is done at the call, before anything was produced.
    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        check(args, kwargs)
        return function(*args, **kwargs)

    return cast("F", checked)
