"""FastAPI: the decorators of Starlette for endpoints that need not take a request, and the grant as a dependency.

Endpoints keep their signature and their OpenAPI. All checking is done by the ASGI shell and the grant, and all
filtering of answers by the shell.
"""

import inspect
from collections.abc import Callable
from operator import itemgetter
from typing import Annotated, Any, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

from .fields import FieldFilter
from .filtering import checked_filter
from .guard import guard
from .model import Grant
from .notes import noted
from .permission import authorize
from .scopes import Requirement, all_of
from .starlette import filter_answer, grant_of, permit_connection, protect

__all__ = ["current_grant", "filtered", "protect", "requires"]

E = TypeVar("E", bound=Callable[..., Any])
Take = Callable[[dict[str, Any]], HTTPConnection]
_HIDDEN = "oauth_rs_connection"


def requires(*needed: str | Requirement) -> Callable[[E], E]:
    """The endpoint runs only for a grant that meets all of `needed`; with nothing named, for any grant.

    Write it below `@app.get`, which registers what it is given. Raises InsufficientScope, InsufficientAuthentication
    or MissingCredentials, and RuntimeError where no middleware has checked.
    """
    requirement = all_of(needed)

    async def permitted(connection: HTTPConnection) -> None:
        waiting = permit_connection(connection, requirement)
        if waiting is not None:
            await waiting.awaited()

    def decorate(endpoint: E) -> E:
        signature = _signature(endpoint)
        if _generates(endpoint):
            # Called on the event loop, where a plain function cannot wait: FastAPI is made to wait before it calls.
            name = f"oauth_rs_permitted_{len(signature.parameters)}"
            signature = _with_parameter(signature, name, Annotated[None, Depends(permitted)])
            checked: Any = guard(endpoint, lambda _args, kwargs: kwargs.pop(name))
        else:
            signature, take = _with_connection(signature)
            checked = guard(endpoint, lambda _args, kwargs: permit_connection(take(kwargs), requirement))
        checked.__signature__ = signature
        result: E = noted(checked, requirement)
        return result

    return decorate


def filtered(fields: FieldFilter) -> Callable[[E], E]:
    """Of what the endpoint answers in JSON, clients see what `fields` show to the scopes of their grant, and no more.

    Write it below `@app.get`; what the endpoint returns, model or response, is made JSON first. JSON lines cannot be
    filtered, so what yields items ends as a 500. Raises TypeError for WebSockets, and RuntimeError where no middleware
    has checked.
    """
    checked_filter(fields)

    def decorate(endpoint: E) -> E:
        signature, take = _with_connection(_signature(endpoint))
        marked: Any = guard(endpoint, lambda _args, kwargs: filter_answer(take(kwargs), fields))
        marked.__signature__ = signature
        result: E = noted(marked, fields)
        return result

    return decorate


def current_grant(connection: HTTPConnection) -> Grant:
    """The grant of this request, as `Annotated[Grant, Depends(current_grant)]`. Raises MissingCredentials if none."""
    return authorize(grant_of(connection), all_of(()))


def _generates(endpoint: Callable[..., Any]) -> bool:
    function = inspect.unwrap(endpoint)
    called = getattr(type(function), "__call__", None)  # noqa: B004 - its kind is asked, not whether it is there
    return any(inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one) for one in (function, called))


def _signature(endpoint: Callable[..., Any]) -> inspect.Signature:
    # Evaluated here: behind the check FastAPI no longer finds the globals of a partial, an object or a method.
    try:
        return inspect.signature(endpoint, eval_str=True)
    except NameError:  # what only type checkers import; FastAPI leaves it alone too
        return inspect.signature(endpoint)


def _with_connection(signature: inspect.Signature) -> tuple[inspect.Signature, Take]:
    """`signature` with a parameter for the connection, and how to have it from the arguments."""
    for name, parameter in signature.parameters.items():
        if parameter.annotation is HTTPConnection:  # of the endpoint, or of another decorator; FastAPI fills but one
            return signature, itemgetter(name)
    return _with_parameter(signature, _HIDDEN, HTTPConnection), lambda arguments: arguments.pop(_HIDDEN)


def _with_parameter(signature: inspect.Signature, name: str, annotation: Any) -> inspect.Signature:
    # FastAPI fills parameters of such types and leaves them out of the OpenAPI document.
    hidden = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
    parameters = [*signature.parameters.values()]
    more = [parameters.pop()] if parameters and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD else []
    return signature.replace(parameters=[*parameters, hidden, *more])
