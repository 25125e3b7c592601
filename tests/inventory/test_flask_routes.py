from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView, View
from starlette.applications import Starlette
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.profiler import ProfilerMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter, Rule

from oauth_rs import AnyOf, ResourceServer, asgi
from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.fields import FieldFilter
from oauth_rs.flask import current_grant, filtered, protect, requires
from oauth_rs.inventory import Route, routes
from oauth_rs.inventory.flask_routes import reads
from oauth_rs.policy import OperationScopes, Public
from oauth_rs.wsgi import OAuthMiddleware
from tests.inventory.conftest import Servers
from tests.support.calling import Answer, bearer, call_wsgi
from tests.support.issuing import Issuer


def view(**_arguments: Any) -> str:
    return "done"


def plain(app: Any) -> Flask:
    """An application without a static route, with `app` as its only view or as its registration."""
    flask = Flask(__name__, static_folder=None)
    if isinstance(app, Blueprint):
        flask.register_blueprint(app)
    else:
        flask.add_url_rule("/", "it", app)
    return flask


def listed(app: Any) -> dict[str, str]:
    """Each route, and what it takes or else its protection."""
    return {route.name: route.takes or route.protection for route in routes(app)}


def test_the_routes_are_those_of_the_url_map(server: Servers) -> None:
    app = Flask(__name__)
    protect(app, server())
    app.add_url_rule("/photos/<int:number>", "photo", requires("photos")(view), methods=["GET", "DELETE"])
    assert [(route.name, route.endpoint, route.takes) for route in routes(app)] == [
        ("GET /static/<path:filename>", "static", "any grant"),
        ("DELETE /photos/<int:number>", "photo", "photos"),
        ("GET /photos/<int:number>", "photo", "photos"),
    ]


def test_routes_that_are_added_later_are_seen(server: Servers) -> None:
    app = plain(view)
    protect(app, server())
    assert list(listed(app)) == ["GET /"]
    app.add_url_rule("/later", view_func=view)
    assert list(listed(app)) == ["GET /", "GET /later"]


def test_an_application_without_routes_has_none() -> None:
    assert routes(Flask(__name__, static_folder=None)) == []


def test_a_rule_that_only_builds_urls_is_no_route() -> None:
    app = plain(view)
    app.add_url_rule("/built", "it", build_only=True)
    assert list(listed(app)) == ["GET /"]


def test_a_rule_for_any_method_is_listed_once() -> None:
    app = plain(Guarded.as_view("it"))
    app.url_map.add(Rule("/any", endpoint="it"))
    assert listed(app)["* /any"] == "unprotected"


def test_a_rule_without_a_view_is_a_route() -> None:
    app = plain(view)
    app.add_url_rule("/nothing", "nothing")
    assert listed(app)["GET /nothing"] == "unprotected"


def test_options_are_a_route_only_where_a_view_answers_them() -> None:
    app = plain(view)
    app.add_url_rule("/own", view_func=view, methods=["OPTIONS"])
    app.add_url_rule("/never", view_func=view, provide_automatic_options=False)
    assert list(listed(app)) == ["GET /", "OPTIONS /own", "GET /never"]


class Guarded(MethodView):
    def get(self, **_arguments: Any) -> str:
        return "got"

    @requires("b")
    def post(self, **_arguments: Any) -> str:
        return "posted"


def below(base: type[View], **members: Any) -> type[View]:
    return type("Below", (base,), members)


VIEWS: dict[str, tuple[Any, dict[str, str]]] = {
    "a function": (requires("a")(view), {"GET /": "a"}),
    "any grant": (requires()(view), {"GET /": "any grant"}),
    "stacked": (requires("a")(requires("b")(view)), {"GET /": "b and a"}),
    "methods of a class": (Guarded.as_view("x"), {"GET /": "unprotected", "POST /": "b"}),
    "a class": (requires("a")(below(Guarded)).as_view("x"), {"GET /": "a", "POST /": "a and b"}),
    "a class of one view": (requires("a")(below(View, dispatch_request=lambda _self: "")).as_view("x"), {"GET /": "a"}),
    "below a class": (below(requires("a")(below(Guarded))).as_view("x"), {"GET /": "a", "POST /": "a and b"}),
    "around as_view": (requires("a")(Guarded.as_view("x")), {"GET /": "a", "POST /": "a and b"}),
    "decorators of a class": (
        below(Guarded, decorators=[requires("a")]).as_view("x"),
        {"GET /": "a", "POST /": "a and b"},
    ),
    "a class below that dispatches by itself": (
        below(requires("a")(below(MethodView)), dispatch_request=lambda _self: "", get=view).as_view("x"),
        {"GET /": "unprotected"},
    ),
    "a method below without the decorator": (
        below(Guarded, post=lambda _self: "").as_view("x"),
        {"GET /": "unprotected", "POST /": "unprotected"},
    ),
    "HEAD of its own": (
        below(MethodView, head=lambda _self: "", get=requires("a")(lambda _self: "")).as_view("x"),
        {"GET /": "a", "HEAD /": "unprotected"},
    ),
}


@pytest.mark.parametrize(("decorated", "expected"), VIEWS.values(), ids=VIEWS)
def test_decorators_are_found_where_they_hold(server: Servers, decorated: Any, expected: dict[str, str]) -> None:
    app = plain(decorated)
    protect(app, server(credentials="optional"))
    assert listed(app) == expected
    for name, takes in expected.items():  # and that is what happens
        answer = app.test_client().open("/", method=name.partition(" ")[0])
        assert answer.status_code == (200 if takes == "unprotected" else 401), name


def unknown(function: Callable[..., Any]) -> Callable[..., Any]:
    def around(**arguments: Any) -> Any:
        return function(**arguments)

    return around


def known(function: Callable[..., Any]) -> Callable[..., Any]:
    return wraps(function)(unknown(function))


def test_a_decorator_that_hides_the_view_hides_what_it_asks_for(server: Servers) -> None:
    for around, takes in ((known, "a"), (unknown, "unprotected")):
        app = plain(around(requires("a")(view)))
        protect(app, server(credentials="optional"))
        assert listed(app) == {"GET /": takes}


def test_a_decorator_above_the_route_does_not_hold_and_is_not_listed(server: Servers) -> None:
    app = plain(view)
    protect(app, server())
    requires("admin")(app.get("/late")(view))
    assert listed(app)["GET /late"] == "any grant"


def test_what_a_view_asks_for_in_its_body_is_not_seen(server: Servers) -> None:
    app = plain(lambda: current_grant.subject)
    protect(app, server(credentials="optional"))
    assert listed(app) == {"GET /": "unprotected"}


def test_functions_before_the_requests_of_a_blueprint_count_for_its_views(server: Servers) -> None:
    inner, outer = Blueprint("inner", __name__, url_prefix="/in"), Blueprint("outer", __name__, url_prefix="/out")
    for blueprint, scope in ((inner, "a"), (outer, "b")):
        blueprint.before_request(requires(scope)(lambda: None))
        blueprint.add_url_rule("/x", "x", view)
    outer.register_blueprint(inner)
    app = plain(outer)
    app.add_url_rule("/", view_func=view)
    app.before_request(requires("c")(lambda: None))
    app.before_request(lambda: None)
    protect(app, server(credentials="optional"))
    assert listed(app) == {"GET /": "c", "GET /out/x": "c and b", "GET /out/in/x": "c and b and a"}


def test_hosts_and_subdomains_come_before_the_path(server: Servers) -> None:
    app = Flask(__name__, host_matching=True, static_host="static.example.com")
    app.add_url_rule("/<x>", "x", requires("{tenant}:{x}")(view), host="<tenant>.example.com")
    protect(app, server())
    assert list(listed(app)) == ["GET //static.example.com/static/<path:filename>", "GET //<tenant>.example.com/<x>"]
    assert [route.problem for route in routes(app)] == ["", ""]
    other = Flask(__name__, subdomain_matching=True, static_folder=None)
    other.add_url_rule("/x", view_func=view, subdomain="api")
    other.add_url_rule("/y", view_func=view)
    assert list(listed(other)) == ["GET //api/x", "GET /y"]
    other.config["SERVER_NAME"] = "example.com"
    assert list(listed(other)) == ["GET //api.example.com/x", "GET /y"]


def test_defaults_of_a_rule_are_parameters_too(server: Servers) -> None:
    app = plain(view)
    app.add_url_rule("/all", "all", requires("{tenant}")(view), defaults={"tenant": "all"})
    protect(app, server())
    assert [route.problem for route in routes(app)] == ["", ""]


class Code(BaseConverter):
    regex = "[A-Z]{3}"


def test_converters_of_the_users_are_as_good(server: Servers) -> None:
    app = plain(view)
    app.url_map.converters["code"] = Code
    app.add_url_rule("/<code:x>", "code", view)
    protect(app, server(policy=OperationScopes({"GET /": Public(), "GET /<x>": "photos"})))
    assert listed(app) == {"GET /": "public", "GET /<code:x>": "photos"}


class Other:
    """A middleware that keeps the application where nobody looks for it, and where somebody does its owner."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.further = app.wsgi_app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.further(environ, start_response)


def closure(inner: Any) -> Any:
    def around(environ: Any, start_response: Any) -> Any:
        return inner(environ, start_response)

    return around


def put_around(app: Flask, layer: Callable[[Any], Any]) -> Flask:
    app.wsgi_app = layer(app.wsgi_app)  # type: ignore[method-assign]  # as Flask documents it
    return app


def protected(app: Flask, server: ResourceServer) -> Flask:
    protect(app, server)
    return app


def past(app: Flask, server: ResourceServer) -> Any:
    method = app.wsgi_app
    protect(app, server)
    return method


Wrap = Callable[[Flask, ResourceServer], Any]
PROTECTED: dict[str, Wrap] = {
    "protect": protected,
    "by hand": lambda app, server: put_around(app, lambda inner: OAuthMiddleware(inner, server)),
    "outside": OAuthMiddleware,
    "outside of the method": lambda app, server: OAuthMiddleware(app.wsgi_app, server),
    "outside of the call": lambda app, server: OAuthMiddleware(app.__call__, server),
    "behind others": lambda app, server: put_around(protected(app, server), ProxyFix),
    "behind others outside": lambda app, server: ProfilerMiddleware(ProxyFix(OAuthMiddleware(ProxyFix(app), server))),
    "in front of others": lambda app, server: protected(put_around(app, ProxyFix), server),
    "in front of a hidden one": lambda app, server: OAuthMiddleware(put_around(app, lambda _: Other(app)), server),
    "in front of a function": lambda app, server: OAuthMiddleware(put_around(app, closure), server),
}
UNPROTECTED: dict[str, Wrap] = {
    "hidden": lambda app, server: put_around(protected(app, server), lambda _: Other(app)),
    "behind a function": lambda app, server: put_around(protected(app, server), closure),
    "nothing": lambda app, _: app,
    "others": lambda app, _: ProxyFix(put_around(app, ProxyFix)),
    "past the middleware": past,
    "the other shell": asgi.OAuthMiddleware,  # type: ignore[dict-item]  # a mistake
}


@pytest.mark.parametrize("wrap", PROTECTED.values(), ids=PROTECTED)
def test_middlewares_are_found_wherever_they_stand(server: Servers, wrap: Wrap) -> None:
    assert listed(wrap(plain(view), server())) == {"GET /": "any grant"}


@pytest.mark.parametrize("wrap", UNPROTECTED.values(), ids=UNPROTECTED)
def test_what_cannot_be_seen_in_front_of_an_application_is_not_believed(server: Servers, wrap: Wrap) -> None:
    assert listed(wrap(plain(view), server())) == {"GET /": "unprotected"}


def metrics(_environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b""


def test_dispatched_applications_are_routes_too(server: Servers) -> None:
    app, other = plain(requires("a")(view)), plain(requires("b")(view))
    other.add_url_rule("/<x>", "x", view)
    protect(other, server(policy=OperationScopes({"GET /": "c", "GET /<x>": Public()})))
    protect(app, server())
    put_around(app, lambda inner: DispatcherMiddleware(inner, {"/other": other, "/metrics": metrics}))
    assert listed(app) == {
        "GET /other/": "c and b",
        "GET /other/<x>": "public",
        "* /metrics/*": "unprotected",
        "GET /": "a",
    }


def test_dispatching_behind_the_middleware_is_protected(server: Servers) -> None:
    app = put_around(plain(view), lambda inner: DispatcherMiddleware(inner, {"/metrics": metrics}))
    protect(app, server(public=["/"]))
    assert listed(app) == {"* /metrics/*": "any grant", "GET /": "public"}


def test_what_only_says_that_there_is_nothing_is_no_route(server: Servers) -> None:
    app = plain(view)
    protect(app, server())
    assert listed(DispatcherMiddleware(NotFound(), {"/api": app})) == {"GET /api/": "any grant"}


@pytest.mark.parametrize("other", [None, view, Starlette(), ProxyFix(metrics), Flask, Starlette], ids=repr)
def test_what_is_no_flask_is_not_read(other: Any) -> None:
    assert not reads(other)


def answers(app: Any, route: Route, issuer: Issuer, path: str) -> tuple[Answer, Answer]:
    """What comes without credentials and with a token that covers everything."""
    token = issuer.token(scope="a b base rest")
    return call_wsgi(app, route.method, path), call_wsgi(app, route.method, path, bearer(token))


STATUS = {
    "protected": (401, 200),
    "public": (200, 200),
    "pass-through": (200, 200),
    "refused": (401, 403),
    "unprotected": (200, 200),
}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"credentials": "optional"},
        {"public": ["/x/*", "/"]},
        {"policy": OperationScopes({"GET /": "base", "* /x/<int:n>": Public()})},
        {"policy": OperationScopes({"GET /": "base", "POST /x/<int:n>": Public()}, default=AnyOf("rest", "more"))},
    ],
    ids=repr,
)
def test_what_is_listed_is_what_happens(server: Servers, issuer: Issuer, options: dict[str, Any]) -> None:
    app = plain(view)
    app.add_url_rule("/x/<int:n>", "x", view, methods=["GET", "POST"])
    app.add_url_rule("/a/<n>", "a", requires("a")(view))
    protect(app, server(**options))
    for route in routes(app):
        without, with_token = answers(app, route, issuer, route.path.replace("<int:n>", "7").replace("<n>", "7"))
        assert (without.status, with_token.status) == STATUS[route.protection], route


OPEN_SOMEWHERE: dict[str, tuple[str, dict[str, Any], str]] = {
    "behind a slash": ("/f/<path:p>", {"policy": OperationScopes({"GET /f/<n>": "a"}, default=Public())}, "/f/a/b"),
    "text": ("/f/<n>", {"policy": OperationScopes({"GET /f/<int:i>": "a", "GET /f/<n>": Public()})}, "/f/abc"),
    "a number": ("/f/<n>", {"policy": OperationScopes({"GET /f/<n>": "a", "GET /f/<int:i>": Public()})}, "/f/7"),
    "one path": ("/d/<p>", {"public": ["/d/open"]}, "/d/open"),
    "one number": ("/d/<int(max=9):p>", {"public": ["/d/5"]}, "/d/5"),
}


@pytest.mark.parametrize(("path", "options", "opened"), OPEN_SOMEWHERE.values(), ids=OPEN_SOMEWHERE)
def test_a_route_that_is_open_at_some_paths_does_not_pass_for_protected(
    server: Servers, path: str, options: dict[str, Any], opened: str
) -> None:
    app = plain(view)
    app.add_url_rule(path, "it too", view)
    protect(app, server(**options))
    assert call_wsgi(app, target=opened).status == 200
    route = routes(app)[-1]
    assert route.protection == "public"
    assert "several rules decide here" in route.problem


MORE_SPECIFIC: dict[str, tuple[str, str]] = {
    "text": ("/d/open", "/d/<p>"),
    "a number": ("/d/<int:p>", "/d/<p>"),
    "one segment": ("/d/<p>", "/d/<path:p>"),
    "numbers in bounds": ("/d/<int(min=2000):p>", "/d/<p>"),
    "text in the middle": ("/<p>/open", "/<p>/<q>"),
}


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(("specific", "general"), MORE_SPECIFIC.values(), ids=MORE_SPECIFIC)
def test_the_route_that_says_more_answers_whatever_comes_first(
    server: Servers, specific: str, general: str, order: int
) -> None:
    app = Flask(__name__, static_folder=None)
    for path in (specific, general)[::order]:
        app.add_url_rule(path, path, view)
    protect(app, server(policy=OperationScopes({f"GET {specific}": Public(), f"GET {general}": "a"})))
    assert listed(app) == {f"GET {specific}": "public", f"GET {general}": "a"}


def test_a_route_for_another_method_does_not_answer(server: Servers) -> None:
    app = plain(view)
    app.add_url_rule("/d/open", "posted", view, methods=["POST"])
    app.add_url_rule("/d/<p>", "got", view)
    protect(app, server(public=["/d/open"]))
    assert listed(app) == {"GET /": "any grant", "POST /d/open": "public", "GET /d/<p>": "public"}


@pytest.mark.parametrize(
    ("path", "slashes", "protections"),
    [
        ("/photos", "strict", ("protected", "public")),
        ("/photos", "either", ("public", "public")),
        ("/photos/", "strict", ("public", "protected")),
        ("/photos/", "either", ("public", "public")),
        ("/", "either", ("protected", "protected")),
    ],
)
def test_a_slash_at_the_end_counts_where_flask_lets_it(
    server: Servers, path: str, slashes: str, protections: tuple[str, str]
) -> None:
    for public, protection in zip(("/photos/", "/photos"), protections, strict=True):
        app = Flask(__name__, static_folder=None)
        app.add_url_rule(path, "it", view, strict_slashes=slashes == "strict")
        protect(app, server(public=[public]))
        (route,) = routes(app)
        assert (route.path, route.protection) == (path, protection)
        assert (call_wsgi(app, target=public).status == 200) is (protection == "public")


def test_preflights_reach_what_is_not_decorated(server: Servers) -> None:
    app = plain(view)
    app.add_url_rule("/a", "a", view, methods=["OPTIONS"])
    app.add_url_rule("/b", "b", requires("b")(view), methods=["OPTIONS"])
    protect(app, server())
    assert [route.protection for route in routes(app)] == ["protected", "preflight", "protected"]
    preflight = (("Origin", "https://a.example.com"), ("Access-Control-Request-Method", "GET"))
    assert [call_wsgi(app, "OPTIONS", path, preflight).status for path in ("/a", "/b")] == [200, 401]


def test_an_application_that_is_dispatched_to_answers_to_its_own_name_too(server: Servers) -> None:
    dispatching = DispatcherMiddleware(plain(view), {"/metrics": metrics})
    app = OAuthMiddleware(dispatching, server(public=["/metrics"]))
    assert call_wsgi(app, target="/metrics").status == 200
    assert routes(app)[0].protection == "public"


@pytest.mark.parametrize("kind", ["function", "above requires", "View", "method", "before_request"])
def test_a_scope_that_is_misspelt_in_a_filter_is_found(server: Servers, kind: str) -> None:
    hide = filtered(FieldFilter({"profil": ["name"]}))

    class Hidden(View):
        def dispatch_request(self) -> str:
            return "{}"

    class Method(MethodView):
        @hide
        def get(self) -> str:
            return "{}"

    app = plain(
        {
            "function": hide(view),
            "above requires": hide(requires("profile")(view)),
            "View": hide(Hidden).as_view("it"),
            "method": Method.as_view("it"),
            "before_request": view,
        }[kind]
    )
    if kind == "before_request":
        app.before_request(hide(lambda: None))
    protect(app, server(scopes=ScopeCatalogue({"profile": {}})))
    (route,) = routes(app)
    assert route.protection == "broken"
    assert route.problem == "its filter: there is no scope 'profil' in the catalogue: did you mean 'profile'?"


FILTER = FieldFilter({"profile": ["name"]})


def test_the_filters_of_the_server_are_shown_at_their_routes(server: Servers) -> None:
    app = Flask(__name__, static_folder=None)
    app.add_url_rule("/customers/<int:number>", "one", view)
    app.add_url_rule("/customers", "all", view, strict_slashes=False)
    app.add_url_rule("/photos/<name>", "photo", view)
    filters = {"GET /customers/<int:n>": FILTER, "* /customers/": FILTER, "GET /customers/<name>": FILTER}
    protect(app, server(filters=filters))
    *shown, lost = routes(app)
    assert [(route.name, route.filtered_by, route.problem) for route in shown] == [
        ("GET /customers/<int:number>", "profile", ""),
        ("GET /customers", "profile", ""),
        ("GET /photos/<name>", "", ""),
    ]
    assert (lost.name, lost.protection) == ("GET /customers/<name>", "broken")


def test_a_filter_may_be_for_what_is_mounted_and_cannot_be_looked_into(server: Servers) -> None:
    app = put_around(plain(view), lambda inner: DispatcherMiddleware(inner, {"/metrics": metrics}))
    app.wsgi_app = OAuthMiddleware(app.wsgi_app, server(filters={"GET /metrics/<name>": FILTER}))  # type: ignore[method-assign]
    assert [route.problem for route in routes(app)] == ["", ""]
