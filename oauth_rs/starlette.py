"""Starlette: middleware for an application, a mount or a route, and a decorator for endpoints.

The grant is at `request.state.grant`; `request.user`, `request.auth` and Starlette's own `@requires` work too. All
checking is done by the ASGI shell and the grant.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.websockets import WebSocket

from .asgi import GRANT, OAuthMiddleware
from .errors import OAuthError
from .fetch import HTTPSettings
from .guard import guard
from .model import Grant
from .scopes import Requirement, all_of
from .server import ResourceServer, authorize

E = TypeVar("E", bound=Callable[..., Any])
_CONNECTIONS = (HTTPConnection, HTTPEndpoint, WebSocketEndpoint)


def protect(app: Starlette, server: ResourceServer, *, http: HTTPSettings | None = None) -> None:
    """Every request to `app` is checked by `server`, and refusals of decorators and grants are answered alike.

    Middleware added later stands outside of the check: add CORS after this.
    """

    async def refuse(connection: HTTPConnection, error: Exception) -> Response:
        if isinstance(connection, WebSocket):
            raise error  # the middleware knows whether it is open, which this object need not
        refusal = server.refuse(cast("OAuthError", error))
        response = Response(b"" if connection.scope["method"] == "HEAD" else refusal.body, refusal.status)
        response.raw_headers = [(name.lower().encode(), value.encode()) for name, value in refusal.headers]
        return response

    app.add_middleware(OAuthMiddleware, server, http=http)
    app.add_exception_handler(OAuthError, cast("Any", refuse))


def requires(*needed: str | Requirement) -> Callable[[E], E]:
    """The endpoint runs only for a grant that covers all of `needed`; with nothing named, for any grant.

    For functions and methods that take a request or a WebSocket, sync and async, and for endpoint classes. Raises
    InsufficientScope or MissingCredentials, and RuntimeError where no middleware has checked.
    """
    requirement = all_of(needed)

    def check(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        authorize(grant_of(_connection(args, kwargs)), requirement)

    def decorate(endpoint: E) -> E:
        if isinstance(endpoint, type) and issubclass(endpoint, HTTPEndpoint | WebSocketEndpoint):
            endpoint.dispatch = guard(endpoint.dispatch, check)  # type: ignore[method-assign]  # made for replacing
            return cast("E", endpoint)
        return guard(endpoint, check)

    return decorate


def grant_of(connection: HTTPConnection | HTTPEndpoint | WebSocketEndpoint) -> Grant | None:
    """The grant that the middleware found for `connection`. Raises RuntimeError where no middleware has checked."""
    try:
        return cast("Grant | None", connection.scope[GRANT])
    except KeyError:
        raise RuntimeError(
            "no middleware has checked this request: wrap the application in oauth_rs.asgi.OAuthMiddleware, or call "
            "protect(app, server)"
        ) from None


def _connection(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    for value in (*args, *kwargs.values()):
        if isinstance(value, _CONNECTIONS) and "scope" in vars(value):
            return value
    raise TypeError("@requires is for endpoints that take a request or a WebSocket")
