"""The routes of a Starlette or FastAPI application, with what endpoints and dependencies ask for.

Looks through mounts, hosts, routers and middlewares, of applications, mounts and routes. What an endpoint asks for in
its body is not seen, nor are `dependency_overrides`.
"""

import inspect
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.routing import PARAM_REGEX, BaseRoute, Host, Mount, Route, Router, WebSocketRoute

from ..asgi import OAuthMiddleware
from ..notes import asked
from ..scopes import AllOf, Requirement
from ..server import ResourceServer
from .layers import layers
from .pieces import literal, pieces
from .places import HERE, Asked, Earlier, Place, Served, handler, label, opaque

_WHOLE = (Starlette, Router, BaseRoute)
_SERVED = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY")  # by an HTTPEndpoint
_CURRENT_GRANT = ("oauth_rs.fastapi", "current_grant")  # by name: who has no FastAPI cannot import it


def reads(app: Any) -> bool:
    """True when `walk` knows what `app` is."""
    return any(isinstance(layer, _WHOLE) for layer in layers(app, *_WHOLE))


def walk(app: Any, place: Place = HERE, router: Router | None = None) -> Iterator[Served]:
    """All that `app` answers to; `router` is the one whose `middleware_stack` it is."""
    layer = app
    for layer in layers(app, *_WHOLE):
        owner = getattr(layer, "__self__", None)
        if isinstance(layer, OAuthMiddleware):
            place = place.behind(layer.server)
        elif isinstance(layer, Starlette):
            # FastAPI may set its root_path, for all that is further in.
            root_path = getattr(layer, "root_path", "")
            place = place.rooted(root_path) if root_path else place
            yield from walk(layer.router, _behind_declared(layer, place))
            return
        elif isinstance(owner, Router) and layer.__name__ == "app":  # past all that was put around it
            yield from _routes(owner, place)
            return
        elif isinstance(layer, Router) and layer is not router:
            yield from walk(layer.middleware_stack, place, layer)
            return
        elif isinstance(layer, BaseRoute):
            yield from _route(layer, layer, place)
            return
    if router is not None:  # a middleware hides it, and whatever stands further in
        yield from _routes(router, place)
    else:
        yield opaque(layer, place)


def _behind_declared(app: Starlette, place: Place) -> Place:
    for middleware in app.user_middleware:
        server = _declared(middleware)
        place = place if server is None else place.behind(server)
    return place


def _declared(middleware: Middleware) -> ResourceServer | None:
    """The server of one that is not made yet: Starlette makes them with the first request."""
    made, given, options = middleware
    whole = partial(made, *given, **options)  # of partials one, whose arguments are in one place
    if not (isinstance(whole.func, type) and issubclass(whole.func, OAuthMiddleware)):
        return None
    arguments = inspect.signature(whole.func).bind_partial(None, *whole.args, **whole.keywords).arguments
    server = arguments.get("server")
    return server if isinstance(server, ResourceServer) else None


def _routes(router: Router, place: Place) -> Iterator[Served]:
    earlier: list[Earlier] = []  # the first that fits is taken
    for found in _of_router(router, place):
        yield replace(found, before=(*earlier, *found.before))
        earlier.append(found.earlier())


def _of_router(router: Router, place: Place) -> Iterator[Served]:
    for kind, route in _in_effect(router):
        yield from _route(kind, route, place)
    for low in getattr(router, "_iter_low_priority_routes", tuple)():  # built frontends, which FastAPI serves last
        below = place.below(literal(getattr(low, "frontend_prefix", "")))
        for frontend in getattr(low, "original_route", low).routes:
            found = opaque(frontend.app, below.below(literal(frontend.path.rstrip("/"))))
            yield replace(found, method="GET", asked=tuple(_by_dependencies(low.dependant)))
    if router.default != router.not_found:
        yield opaque(router.default, place)


def _in_effect(router: Router) -> Iterator[tuple[Any, Any]]:
    """Each route as it was written, and as it is served: FastAPI adds the prefixes of included routers late."""
    contexts = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", None)
    if contexts is None:
        yield from ((route, route) for route in router.routes)
    else:
        yield from ((context.original_route, context) for context in contexts(router.routes))


def _route(kind: Any, route: Any, place: Place) -> Iterator[Served]:
    if isinstance(kind, Host):
        yield from walk(route.app, place.at(route.host, *route.param_convertors))
    elif isinstance(kind, Mount):
        yield from walk(route.app, _below(route, place))
    elif isinstance(kind, Route | WebSocketRoute):
        for layer in layers(route.app, *_WHOLE):
            place = place.behind(layer.server) if isinstance(layer, OAuthMiddleware) else place
        yield from _endpoint(kind, route, _below(route, place))
    else:
        yield opaque(kind, place)


def _below(route: Any, place: Place) -> Place:
    there = place.below(*pieces(route.path, PARAM_REGEX, route.param_convertors))
    return there.with_parameters(*route.param_convertors)


def _endpoint(kind: Any, route: Any, place: Place) -> Iterator[Served]:
    endpoint = route.endpoint
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    before = tuple(_by_dependencies(getattr(route, "dependant", None)))
    for method in ["WEBSOCKET"] if isinstance(kind, WebSocketRoute) else sorted(_methods(route, endpoint)):
        found = Served(method=method, place=place, endpoint=label(endpoint), asked=before)
        yield found.through(*_entered(endpoint, method))


def _methods(route: Any, endpoint: Any) -> set[str]:
    listed: set[str] = route.methods or set()
    if not (isinstance(endpoint, type) and issubclass(endpoint, HTTPEndpoint)):
        return listed or {"*"}
    served = {method for method in _SERVED if handler(endpoint, method) is not None}
    return served & listed if listed else served


def _entered(endpoint: Any, method: str) -> tuple[Any, ...]:
    """What a request must get through, of which each may be decorated."""
    if not isinstance(endpoint, type):
        return endpoint, type(endpoint).__call__
    # A class that dispatches by itself has lost what those above it ask for.
    if issubclass(endpoint, HTTPEndpoint):
        return endpoint.dispatch, handler(endpoint, method)
    return (endpoint.dispatch, endpoint.on_connect) if issubclass(endpoint, WebSocketEndpoint) else ()


def _by_dependencies(dependant: Any) -> Iterator[Asked]:
    for dependency in getattr(dependant, "dependencies", ()):
        yield from _by_dependencies(dependency)
        for requirement in _wanted(dependency.call):
            yield Asked("dependency", requirement)


def _wanted(dependency: Any) -> tuple[Requirement, ...]:
    while isinstance(dependency, partial):
        dependency = dependency.func
    if (getattr(dependency, "__module__", ""), getattr(dependency, "__qualname__", "")) == _CURRENT_GRANT:
        return (AllOf(),)
    return asked(dependency) or asked(type(dependency).__call__)
