"""Every route of an application with what it takes, and which of them anybody may reach: for lists and for tests.

Looks at Flask, Starlette and FastAPI applications as they are now, and at the servers in front of them. Sends no
requests, and does not see what an endpoint asks for in its body.
"""

import sys
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from ..entries import meant
from .places import Served, examples
from .route import Protection, Route
from .unmet import hints, lost_filters
from .verdict import judge

__all__ = ["Protection", "Route", "assert_protected", "routes", "unprotected"]


def routes(app: Any) -> list[Route]:
    """The routes of `app`, in the order in which they are looked for.

    `app` may stand inside of middlewares. HEAD is listed where it differs from GET; OPTIONS where the application has
    an endpoint for it; an application that cannot be looked into once, as `* /static/*`; at the end filters that fall
    on no route. Raises TypeError for what is no application of the three frameworks.
    """
    known = examples()
    found = list(_found(app))
    listed = [judge(each, known) for each in found]
    hinted = [route.noting(hint) for route, hint in zip(listed, hints(found, known), strict=True)]
    return [*_without_heads(hinted), *lost_filters(found, known)]


def unprotected(app: Any, *, allow: Collection[str] = ()) -> list[Route]:
    """The routes of `app` with a problem, but for those that `allow` names, as `GET /health`.

    Raises ValueError when `allow` names what is no route.
    """
    found = routes(app)
    if unknown := _unknown(found, allow):
        raise ValueError("; ".join(unknown))
    return _faulty(found, allow)


def assert_protected(app: Any, *, allow: Collection[str] = ()) -> None:
    """Returns when no route of `app` has a problem, but for those that `allow` names, as `GET /health`.

    Raises AssertionError with one line for each, and for each name in `allow` that is no route.
    """
    found = routes(app)
    lines = [route.fault for route in _faulty(found, allow)] + _unknown(found, allow)
    if lines:
        raise AssertionError("not every route is protected:\n" + "\n".join(f"  {line}" for line in lines))


def _faulty(found: Iterable[Route], allow: Collection[str]) -> list[Route]:
    return [route for route in found if route.problem and route.name not in allow]


def _unknown(found: Iterable[Route], allow: Collection[str]) -> list[str]:
    if isinstance(allow, str):  # parts of it would be found in it
        raise TypeError("allow is a list of routes, as ['GET /health'], not one string")
    names = {route.name for route in found}
    return [f"allow names {name!r}, which is no route: {meant(name, names)}" for name in allow if name not in names]


def _found(app: Any) -> Iterator[Served]:
    # An object of a framework that was not imported cannot be here.
    if "flask" in sys.modules:
        from . import flask_routes  # noqa: PLC0415

        if flask_routes.reads(app):
            return flask_routes.walk(app)
    if "starlette" in sys.modules:
        from . import starlette_routes  # noqa: PLC0415

        if starlette_routes.reads(app):
            return starlette_routes.walk(app)
    raise TypeError(
        f"{type(app).__name__} is no application that can be looked at: give a Flask, Starlette or FastAPI object, or "
        "one in middlewares that keep it as `app`"
    )


def _without_heads(found: list[Route]) -> Iterator[Route]:
    gets = {_outcome(route) for route in found if route.method == "GET"}
    return (route for route in found if route.method != "HEAD" or _outcome(route) not in gets)


def _outcome(route: Route) -> tuple[str, ...]:
    told = route.takes, route.filtered_by, route.problem, route.note
    return route.path, route.endpoint, route.protection, *told
