"""Flask: three lines protect an application, a decorator asks for scopes, an attribute reads the caller.

The grant is at `request.grant`, and typed at `current_grant`. All checking is done by the WSGI shell and the grant.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import Flask, Request, Response, request
from flask.views import View
from werkzeug.local import LocalProxy

from .errors import OAuthError
from .fetch import HTTPSettings
from .guard import guard
from .model import Grant
from .scopes import AllOf, Requirement, all_of
from .server import ResourceServer, authorize
from .wsgi import GRANT, OAuthMiddleware

V = TypeVar("V", bound=Callable[..., Any])
_ANY_GRANT = AllOf()
# What the proxy stands for: asking the proxy for an attribute takes three times as long.
_current_request = cast("LocalProxy[Request]", request)._get_current_object  # noqa: SLF001


def protect(app: Flask, server: ResourceServer, *, http: HTTPSettings | None = None) -> OAuthMiddleware:
    """Every request to `app` is checked by `server`, and refusals of decorators and grants are answered alike.

    Gives the middleware: call its `warm()` in each worker process to have keys fetched and stores looked at right away.
    """
    middleware = OAuthMiddleware(app.wsgi_app, server, http=http)
    app.wsgi_app = middleware  # type: ignore[method-assign]  # Flask's documented hook
    app.request_class = type("Request", (app.request_class,), {"grant": property(_grant_of)})

    def refuse(error: OAuthError) -> Response:
        refusal = server.refuse(error)
        return Response(refusal.body, refusal.status, list(refusal.headers))

    app.register_error_handler(OAuthError, refuse)
    return middleware


def requires(*needed: str | Requirement) -> Callable[[V], V]:
    """The view runs only for a grant that covers all of `needed`; with nothing named, for any grant.

    For functions and methods, sync and async, and for `View` classes. Write it below `@app.route`, which registers
    what it is given. Raises InsufficientScope or MissingCredentials, and RuntimeError where no middleware has checked.
    """
    requirement = all_of(needed)

    def check(_args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        authorize(_grant_of(_current_request()), requirement)

    def decorate(view: V) -> V:
        if isinstance(view, type) and issubclass(view, View):
            # Not through its `decorators`: a subclass that sets its own would lose this one.
            view.dispatch_request = guard(view.dispatch_request, check)  # type: ignore[method-assign]  # made for replacing
            return cast("V", view)
        return guard(view, check)

    return decorate


def _grant_of(request: Any) -> Grant | None:
    try:
        grant: Grant | None = request.environ[GRANT]
    except KeyError:
        raise RuntimeError("no middleware has checked this request: call oauth_rs.flask.protect(app, server)") from None
    return grant


current_grant = cast("Grant", LocalProxy(lambda: authorize(_grant_of(_current_request()), _ANY_GRANT)))
"""The grant of this request, typed. Touching it raises MissingCredentials where `request.grant` is None."""
