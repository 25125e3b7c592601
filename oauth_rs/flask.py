"""Flask: three lines protect an application, a decorator asks for scopes, an attribute reads the caller.

The grant is at `request.grant`, and typed at `current_grant`. All checking is done by the WSGI shell and the grant, and
all filtering of answers by the shell.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import Flask, Request, Response, request
from flask.views import View
from werkzeug.local import LocalProxy

from .errors import OAuthError
from .fetch import HTTPSettings
from .fields import FieldFilter
from .filtering import MAX_FILTERED_BYTES, checked_filter
from .guard import guard
from .model import Grant
from .notes import noted
from .permission import authorize, permit
from .scopes import AllOf, Requirement, all_of
from .server import ResourceServer
from .wsgi import CHECKED, GRANT, OAuthMiddleware, WSGIRequest
from .wsgi_response import Checked

V = TypeVar("V", bound=Callable[..., Any])
_ANY_GRANT = AllOf()
# What the proxy stands for: asking the proxy for an attribute takes three times as long.
_current_request = cast("LocalProxy[Request]", request)._get_current_object  # noqa: SLF001


def protect(
    app: Flask, server: ResourceServer, *, http: HTTPSettings | None = None, max_filtered: int = MAX_FILTERED_BYTES
) -> OAuthMiddleware:
    """Every request to `app` is checked by `server`, and refusals of decorators and grants are answered alike.

    Gives the middleware: call its `warm()` in each worker process to have keys fetched and stores looked at right away.
    Raises TypeError and ValueError for options that cannot be.
    """
    if not isinstance(app, Flask):
        raise TypeError(f"app is a Flask application, not {type(app).__name__}: protect(app, server)")
    middleware = OAuthMiddleware(app.wsgi_app, server, http=http, max_filtered=max_filtered)
    app.wsgi_app = middleware  # type: ignore[method-assign]  # Flask's documented hook
    app.request_class = type("Request", (app.request_class,), {"grant": property(_grant_of)})

    def refuse(error: OAuthError) -> Response:
        refusal = server.refuse(error)
        return Response(refusal.body, refusal.status, list(refusal.headers))

    app.register_error_handler(OAuthError, refuse)
    return middleware


def requires(*needed: str | Requirement) -> Callable[[V], V]:
    """The view runs only for a grant that meets all of `needed`; with nothing named, for any grant.

    For functions and methods, sync and async, and for `View` classes. One below such a class that overrides
    `dispatch_request`, and does not call that above, is not checked: decorate it too. Write it below `@app.route`,
    which registers what it is given. Raises InsufficientScope, InsufficientAuthentication or MissingCredentials, and
    RuntimeError where no middleware has checked.
    """
    requirement = all_of(needed)

    def check(_args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        here = _current_request()
        grant = _grant_of(here)
        if grant is None or not requirement.met_by(grant.scopes):
            _permit(grant, requirement, here)

    def decorate(view: V) -> V:
        if isinstance(view, type) and issubclass(view, View):
            # Not through its `decorators`: a subclass that sets its own would lose this one.
            view.dispatch_request = noted(guard(view.dispatch_request, check), requirement)  # type: ignore[method-assign]  # made for replacing
            return cast("V", view)
        return noted(guard(view, check), requirement)

    return decorate


def filtered(fields: FieldFilter) -> Callable[[V], V]:
    """Of what the view answers in JSON, clients see what `fields` show to the scopes of their grant, and no more.

    For what `requires` is for, below `@app.route` too, and whatever the view returns. Raises RuntimeError where no
    middleware has checked.
    """
    checked_filter(fields)

    def step(_args: Any, _kwargs: Any) -> None:
        here = _current_request()
        _grant_of(here)
        here.environ[CHECKED].middleware.filter(here.environ, fields)

    def decorate(view: V) -> V:
        if isinstance(view, type) and issubclass(view, View):
            view.dispatch_request = noted(guard(view.dispatch_request, step), fields)  # type: ignore[method-assign]  # made for replacing
            return cast("V", view)
        return noted(guard(view, step), fields)

    return decorate


def _permit(grant: Grant | None, requirement: Requirement, here: Request) -> None:
    checked: Checked = here.environ[CHECKED]
    request = WSGIRequest(here.environ, checked.root)
    request.parameters = here.view_args or {}
    verdict = permit(grant, requirement, request)
    if not isinstance(verdict, Grant):
        checked.middleware.drive(verdict)


def _grant_of(request: Any) -> Grant | None:
    try:
        grant: Grant | None = request.environ[GRANT]
    except KeyError:
        raise RuntimeError("no middleware has checked this request: call oauth_rs.flask.protect(app, server)") from None
    return grant


current_grant = cast("Grant", LocalProxy(lambda: authorize(_grant_of(_current_request()), _ANY_GRANT)))
"""The grant of this request, typed. Touching it raises MissingCredentials where `request.grant` is None."""
