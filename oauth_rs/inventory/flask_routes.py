"""The routes of a Flask application, with what its views, views' methods and `before_request` functions ask for.

Looks through middlewares and werkzeug's DispatcherMiddleware. What a view asks for in its body is not seen.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from flask import Flask
from flask.views import MethodView
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.routing import Rule

from ..wsgi import OAuthMiddleware
from .layers import layers
from .pieces import ANGLES, Anything, Piece, literal, pieces
from .places import HERE, Earlier, Place, Served, handler, opaque

_SLASH = Anything("/?")  # where it may be left out, it may be there too


def reads(app: Any) -> bool:
    """True when `walk` knows what `app` is."""
    return any(isinstance(layer, Flask | DispatcherMiddleware) for layer in layers(app, Flask))


def walk(app: Any, place: Place = HERE, flask: Flask | None = None) -> Iterator[Served]:
    """All that `app` answers to; `flask` is the application whose `wsgi_app` it is."""
    layer = app
    for layer in layers(app, Flask):
        owner = getattr(layer, "__self__", None)
        if isinstance(layer, OAuthMiddleware):
            place = place.behind(layer.server)
        elif isinstance(layer, DispatcherMiddleware):
            for prefix, mounted in layer.mounts.items():
                yield from walk(mounted, place.below(literal(prefix)))
        elif isinstance(owner, Flask) and layer.__name__ == "wsgi_app":  # past all that was put around it
            yield from _rules(owner, place)
            return
        elif isinstance(layer, Flask) and layer is not flask:
            yield from walk(layer.wsgi_app, place, layer)
            return
    if flask is not None:  # a middleware hides it, and whatever stands further in
        yield from _rules(flask, place)
    elif not isinstance(layer, HTTPException):  # which only says that there is nothing
        yield opaque(layer, place, itself=True)


def _rules(app: Flask, place: Place) -> Iterator[Served]:
    rules = [rule for rule in app.url_map.iter_rules() if not rule.build_only]
    found = [list(_rule(app, rule, place)) for rule in rules]
    before: dict[int, tuple[Earlier, ...]] = {}
    earlier: list[Earlier] = []
    for number in sorted(range(len(rules)), key=lambda number: _order(rules[number])):
        before[number] = tuple(earlier)
        earlier += [each.earlier() for each in found[number]]
    for number, of_rule in enumerate(found):
        yield from (replace(each, before=before[number]) for each in of_rule)


def _rule(app: Flask, rule: Rule, place: Place) -> Iterator[Served]:
    there = _place(app, rule, place)
    for method in sorted(_methods(rule)):
        served = Served(method=method, place=there, endpoint=rule.endpoint, is_opaque=_is_of_files(rule))
        yield served.through(*_entered(app, rule.endpoint, method))


def _is_of_files(rule: Rule) -> bool:
    """True for the static files of an application or a blueprint."""
    return rule.endpoint.rpartition(".")[2] == "static" and rule.rule.endswith("/<path:filename>")


def _order(rule: Rule) -> list[tuple[bool, Any]]:
    """The order in which werkzeug tries rules: text before parameters, then by their weight."""
    parts = rule._parts  # noqa: SLF001 - nothing else tells it
    return [(False, ()) if part.static else (True, part.weight) for part in parts]


def _methods(rule: Rule) -> set[str]:
    methods = rule.methods or {"*"}
    # Flask answers OPTIONS by itself, unless a view wants to.
    return methods - {"OPTIONS"} if getattr(rule, "provide_automatic_options", False) else methods


def _place(app: Flask, rule: Rule, place: Place) -> Place:
    host = rule.host or ".".join(filter(None, (rule.subdomain, app.config["SERVER_NAME"])))
    converters = rule._converters  # noqa: SLF001 - nothing else tells them as they are set up
    path = rule.rule.rstrip("/")
    either = bool(path) and not rule.strict_slashes
    there = place.below(*pieces(path if either else rule.rule, ANGLES, converters)).with_parameters(*rule.arguments)
    if either:
        there = there.below(Piece(rule.rule.removeprefix(path), ("", "/"), _SLASH))
    return there.at(host) if rule.host or rule.subdomain else there


def _entered(app: Flask, endpoint: str, method: str) -> Iterator[Any]:
    """What a request must get through, of which each may be decorated."""
    for name in _groups(endpoint):
        yield from app.before_request_funcs.get(name, ())
    view = app.view_functions.get(endpoint)
    yield view
    view_class = getattr(view, "view_class", None)
    if view_class is not None:
        # Its own one, for a class that dispatches by itself has lost what those above it ask for.
        yield view_class.dispatch_request
    if view_class is not None and issubclass(view_class, MethodView):
        yield handler(view_class, method)


def _groups(endpoint: str) -> Iterable[str | None]:
    """The application, and each blueprint that `endpoint` is in."""
    blueprint = endpoint.rpartition(".")[0]
    names: list[str | None] = []
    while blueprint:
        names.insert(0, blueprint)
        blueprint = blueprint.rpartition(".")[0]
    return [None, *names]
