"""Starlette: middleware for an application, a mount or a route, and decorators for endpoints.

The grant is at `request.state.grant`; `request.user`, `request.auth` and Starlette's own `@requires` work too. All
checking is done by the ASGI shell and the grant, and all filtering of answers by the shell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import anyio.from_thread
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.websockets import WebSocket

from .asgi import CHECKED, GRANT, ASGIRequest, OAuthMiddleware
from .asgi_response import Answer
from .errors import OAuthError
from .fetch import HTTPSettings
from .fields import FieldFilter
from .filtering import MAX_FILTERED_BYTES, checked_filter
from .flow import Flow
from .guard import guard
from .model import Grant
from .notes import noted
from .permission import permit
from .scopes import Requirement, all_of
from .server import ResourceServer

E = TypeVar("E", bound=Callable[..., Any])
_CONNECTIONS = (HTTPConnection, HTTPEndpoint, WebSocketEndpoint)


def protect(
    app: Starlette, server: ResourceServer, *, http: HTTPSettings | None = None, max_filtered: int = MAX_FILTERED_BYTES
) -> None:
    """Every request to `app` is checked by `server`, and refusals of decorators and grants are answered alike.

    Middleware added later stands outside of the check: add CORS after this. Raises TypeError and ValueError for options
    that cannot be.
    """
    if not isinstance(app, Starlette):
        raise TypeError(f"app is a Starlette or FastAPI application, not {type(app).__name__}: protect(app, server)")
    OAuthMiddleware(app, server, http=http, max_filtered=max_filtered)  # Starlette makes its own with the first request

    async def refuse(connection: HTTPConnection, error: Exception) -> Response:
        if isinstance(connection, WebSocket):
            raise error  # the middleware knows whether it is open, which this object need not
        refusal = server.refuse(cast("OAuthError", error))
        response = Response(b"" if connection.scope["method"] == "HEAD" else refusal.body, refusal.status)
        response.raw_headers = [(name.lower().encode(), value.encode()) for name, value in refusal.headers]
        return response

    app.add_middleware(OAuthMiddleware, server, http=http, max_filtered=max_filtered)
    app.add_exception_handler(OAuthError, cast("Any", refuse))


def requires(*needed: str | Requirement) -> Callable[[E], E]:
    """The endpoint runs only for a grant that meets all of `needed`; with nothing named, for any grant.

    For functions and methods that take a request or a WebSocket, sync and async, and for endpoint classes. One
    below such a class that overrides `dispatch`, and does not call that above, is not checked: decorate it too. Raises
    InsufficientScope, InsufficientAuthentication or MissingCredentials, and RuntimeError where no middleware has
    checked.
    """
    requirement = all_of(needed)

    def check(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Waiting | None:
        return permit_connection(_connection(args, kwargs), requirement)

    def decorate(endpoint: E) -> E:
        if isinstance(endpoint, type) and issubclass(endpoint, HTTPEndpoint | WebSocketEndpoint):
            endpoint.dispatch = noted(guard(endpoint.dispatch, check), requirement)  # type: ignore[method-assign]  # made for replacing
            return cast("E", endpoint)
        return noted(guard(endpoint, check), requirement)

    return decorate


def filtered(fields: FieldFilter) -> Callable[[E], E]:
    """Of what the endpoint answers in JSON, clients see what `fields` show to the scopes of their grant, and no more.

    For functions and methods that take a request and for `HTTPEndpoint` classes, as `requires` is, whatever response
    they give. Raises TypeError for WebSockets, and RuntimeError where no middleware has checked.
    """
    checked_filter(fields)

    def decorate(endpoint: E) -> E:
        if isinstance(endpoint, type) and issubclass(endpoint, HTTPEndpoint):
            endpoint.dispatch = noted(guard(endpoint.dispatch, step), fields)  # type: ignore[method-assign]  # made for replacing
            return cast("E", endpoint)
        if isinstance(endpoint, type):
            raise TypeError("@filtered is for functions and HTTPEndpoint classes: a WebSocket has no answer to filter")
        return noted(guard(endpoint, step), fields)

    def step(args: Any, kwargs: dict[str, Any]) -> None:
        filter_answer(_connection(args, kwargs), fields)

    return decorate


@dataclass(frozen=True, slots=True)
class Waiting:
    """A requirement that must be waited for, by whoever checked the request."""

    middleware: OAuthMiddleware
    flow: Flow[Grant]

    def wait(self) -> object:
        """For plain functions, which Starlette calls in worker threads: what is awaited belongs to the event loop."""
        return anyio.from_thread.run(self.middleware.drive, self.flow)

    async def awaited(self) -> object:
        return await self.middleware.drive(self.flow)


def permit_connection(
    connection: HTTPConnection | HTTPEndpoint | WebSocketEndpoint, requirement: Requirement
) -> Waiting | None:
    """None when the grant of `connection` meets `requirement`; what will tell, where that must be waited for.

    Raises what `requires` raises.
    """
    grant = grant_of(connection)
    if grant is not None and requirement.met_by(grant.scopes):
        return None
    checked: Answer = connection.scope[CHECKED]
    request = ASGIRequest(connection.scope, checked.root)
    request.parameters = connection.scope.get("path_params", {})
    verdict = permit(grant, requirement, request)
    return None if isinstance(verdict, Grant) else Waiting(checked.middleware, verdict)


def filter_answer(connection: HTTPConnection | HTTPEndpoint, fields: FieldFilter) -> None:
    """The answer to the request of `connection` will show what `fields` show. Raises what `filtered` raises."""
    grant_of(connection)
    connection.scope[CHECKED].middleware.filter(connection.scope, fields)


def grant_of(connection: HTTPConnection | HTTPEndpoint | WebSocketEndpoint) -> Grant | None:
    """The grant that the middleware found for `connection`. Raises RuntimeError where no middleware has checked."""
    try:
        return cast("Grant | None", connection.scope[GRANT])
    except KeyError:
        raise RuntimeError(
            "no middleware has checked this request: wrap the application in oauth_rs.asgi.OAuthMiddleware, or call "
            "protect(app, server)"
        ) from None


def _connection(args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    for value in (*args, *kwargs.values()):
        if isinstance(value, _CONNECTIONS) and "scope" in vars(value):
            return value
    raise TypeError("@requires and @filtered are for endpoints that take a request or a WebSocket")
