"""The user of the application whom a grant speaks for: found by a function of the application, once per request.

Does not find or create anybody itself, and remembers nobody: the function asks a database, or a cache of its own.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from .flow import Flow, call
from .model import Grant

UserLoader: TypeAlias = Callable[[Grant], Any]


def with_user(grant: Grant, load: UserLoader) -> Flow[Grant]:
    """`grant`, whose `user` is what `load(grant)` gives: a plain or a coroutine function.

    It raises an OAuthError to refuse the user, Unavailable when it cannot tell; any other exception ends as a 500.
    """
    return grant._replace(user=(yield from call(load, grant)))
