"""FastAPI: the decorator of Starlette for endpoints that need not take a request, and the grant as a dependency.

Endpoints keep their signature and their OpenAPI. All checking is done by the ASGI shell and the grant.
"""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import HTTPConnection

from .guard import guard
from .model import Grant
from .scopes import Requirement, all_of
from .server import authorize
from .starlette import grant_of, protect

__all__ = ["current_grant", "protect", "requires"]

E = TypeVar("E", bound=Callable[..., Any])
_CONNECTION = "oauth_rs_connection"


def requires(*needed: str | Requirement) -> Callable[[E], E]:
    """The endpoint runs only for a grant that covers all of `needed`; with nothing named, for any grant.

    Write it below `@app.get`, which registers what it is given. Raises InsufficientScope or MissingCredentials, and
    RuntimeError where no middleware has checked.
    """
    requirement = all_of(needed)

    def decorate(endpoint: E) -> E:
        signature = _signature(endpoint)
        stacked = _CONNECTION in signature.parameters  # the decorator below asks for it too, and takes it out

        def check(_args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            authorize(grant_of(kwargs[_CONNECTION] if stacked else kwargs.pop(_CONNECTION)), requirement)

        checked: Any = guard(endpoint, check)
        checked.__signature__ = signature if stacked else _with_connection(signature)
        result: E = checked
        return result

    return decorate


def current_grant(connection: HTTPConnection) -> Grant:
    """The grant of this request, as `Annotated[Grant, Depends(current_grant)]`. Raises MissingCredentials if none."""
    return authorize(grant_of(connection), all_of(()))


def _signature(endpoint: Callable[..., Any]) -> inspect.Signature:
    # Evaluated here: behind the check FastAPI no longer finds the globals of a partial, an object or a method.
    try:
        return inspect.signature(endpoint, eval_str=True)
    except NameError:  # what only type checkers import; FastAPI leaves it alone too
        return inspect.signature(endpoint)


def _with_connection(signature: inspect.Signature) -> inspect.Signature:
    # FastAPI fills a parameter of this type and leaves it out of the OpenAPI document.
    hidden = inspect.Parameter(_CONNECTION, inspect.Parameter.KEYWORD_ONLY, annotation=HTTPConnection)
    return signature.replace(parameters=[*signature.parameters.values(), hidden])
