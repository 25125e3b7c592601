import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles

from oauth_rs import AnyOf, Bearer, Grant, ResourceServer, wsgi
from oauth_rs import fastapi as for_fastapi
from oauth_rs.asgi import OAuthMiddleware
from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.fields import FieldFilter
from oauth_rs.inventory import routes
from oauth_rs.inventory.starlette_routes import reads
from oauth_rs.policy import OperationScopes, Public
from oauth_rs.starlette import filtered, protect, requires
from tests.inventory.conftest import Servers
from tests.support.calling import bearer, call_asgi
from tests.support.issuing import Issuer

HERE = Path(__file__).parent
CurrentGrant = Annotated[Grant, Depends(for_fastapi.current_grant)]


async def done(_request: Request) -> Response:
    return PlainTextResponse("done")


async def customer() -> dict[str, str]:
    return {"name": "Ada"}


def listed(app: Any) -> dict[str, str]:
    """Each route, and what it takes or else its protection."""
    return {route.name: route.takes or route.protection for route in routes(app)}


def app_of(*parts: BaseRoute, server: ResourceServer | None = None) -> Starlette:
    return Starlette(routes=list(parts), middleware=[Middleware(OAuthMiddleware, server)] if server else [])


def test_the_routes_are_those_of_the_application(server: Servers) -> None:
    app = app_of(
        Route("/photos/{number:int}", requires("photos")(done), methods=["POST", "GET"]),
        WebSocketRoute("/live", requires("live")(done)),
        server=server(),
    )
    assert [(route.name, route.endpoint, route.takes) for route in routes(app)] == [
        ("GET /photos/{number:int}", f"{__name__}.done", "photos"),
        ("POST /photos/{number:int}", f"{__name__}.done", "photos"),
        ("WEBSOCKET /live", f"{__name__}.done", "live"),
    ]


def test_routes_that_are_added_later_are_seen(server: Servers) -> None:
    app = app_of(server=server())
    assert routes(app) == []
    app.add_route("/later", done)
    assert listed(app) == {"GET /later": "any grant"}


class Guarded(HTTPEndpoint):
    def get(self, _request: Request) -> Response:
        return PlainTextResponse("got")

    @requires("b")
    def post(self, _request: Request) -> Response:
        return PlainTextResponse("posted")


class WithHead(Guarded):
    def head(self, _request: Request) -> Response:
        return PlainTextResponse("")

    @requires("a")
    def get(self, _request: Request) -> Response:
        return PlainTextResponse("got")


class ByItself(requires("a")(type("Guarded", (Guarded,), {}))):  # type: ignore[misc]  # made while it runs
    async def dispatch(self) -> None:
        await PlainTextResponse("dispatched")(self.scope, self.receive, self.send)


class Application:
    """An application as an endpoint."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("done")(scope, receive, send)


ENDPOINTS: dict[str, tuple[Any, dict[str, str]]] = {
    "a function": (requires("a")(done), {"GET /": "a"}),
    "any grant": (requires()(done), {"GET /": "any grant"}),
    "stacked": (requires("a")(requires("b")(done)), {"GET /": "b and a"}),
    "of a partial": (partial(partial(requires("a")(done))), {"GET /": "a"}),
    "methods of a class": (Guarded, {"GET /": "unprotected", "POST /": "b"}),
    "a class": (requires("a")(type("Below", (Guarded,), {})), {"GET /": "a", "POST /": "a and b"}),
    "below a class": (
        type("Below", (requires("a")(type("Below", (Guarded,), {})),), {}),
        {"GET /": "a", "POST /": "a and b"},
    ),
    "HEAD of its own": (WithHead, {"GET /": "a", "HEAD /": "unprotected", "POST /": "b"}),
    "a class below that dispatches by itself": (ByItself, {"GET /": "unprotected", "POST /": "b"}),
    "an application": (Application(), {"* /": "unprotected"}),
    "an application's class": (type("Strange", (), {"__await__": Application.__call__}), {"* /": "unprotected"}),
    "nothing": (done, {"GET /": "unprotected"}),
}


@pytest.mark.parametrize(("endpoint", "expected"), ENDPOINTS.values(), ids=ENDPOINTS)
def test_decorators_are_found_where_they_hold(server: Servers, endpoint: Any, expected: dict[str, str]) -> None:
    assert listed(app_of(Route("/", endpoint), server=server(credentials="optional"))) == expected


@pytest.mark.parametrize("name", ["a function", "methods of a class", "a class", "below a class", "HEAD of its own"])
def test_where_they_are_found_they_hold(server: Servers, name: str) -> None:
    endpoint, expected = ENDPOINTS[name]
    app = app_of(Route("/", endpoint), server=server(credentials="optional"))
    protect(app, server(credentials="optional"))
    for route, takes in expected.items():
        assert call_asgi(app, route.partition(" ")[0]).status == (200 if takes == "unprotected" else 401)


def test_the_methods_of_a_class_are_those_that_are_routed(server: Servers) -> None:
    assert list(listed(app_of(Route("/", Guarded, methods=["POST", "PUT"]), server=server()))) == ["POST /"]


class Talk(WebSocketEndpoint):
    encoding = "text"


def connected(self: Any, websocket: Any) -> Any:
    return WebSocketEndpoint.on_connect(self, websocket)


SOCKETS: dict[str, tuple[Any, str]] = {
    "a class": (requires("a")(type("Guarded", (Talk,), {})), "a"),
    "its connection": (type("Guarded", (Talk,), {"on_connect": requires("a")(connected)}), "a"),
    "only its messages": (type("Guarded", (Talk,), {"on_receive": requires("a")(connected)}), "unprotected"),
    "nothing": (Talk, "unprotected"),
}


@pytest.mark.parametrize(("endpoint", "takes"), SOCKETS.values(), ids=SOCKETS)
def test_a_handshake_takes_what_is_asked_before_it_is_accepted(server: Servers, endpoint: Any, takes: str) -> None:
    app = app_of(WebSocketRoute("/live", endpoint), server=server(credentials="optional"))
    assert listed(app) == {"WEBSOCKET /live": takes}


def test_a_handshake_has_the_rule_of_get(server: Servers) -> None:
    policy = OperationScopes({"GET /live": "live", "POST /live": Public()})
    assert listed(app_of(WebSocketRoute("/live", done), server=server(policy=policy))) == {"WEBSOCKET /live": "live"}


def test_mounts_are_entered_with_their_parameters(server: Servers) -> None:
    inner = Router([Route("/{id}", requires("{tenant}:{id}:{host}")(done)), Route("/x", requires("{id}")(done))])
    app = app_of(Host("{host}.example.com", Mount("/{tenant}", Mount("/in", inner))), server=server())
    assert [(route.name, route.problem) for route in routes(app)] == [
        ("GET //{host}.example.com/{tenant}/in/{id}", ""),
        (
            "GET //{host}.example.com/{tenant}/in/x",
            "its decorator asks for id, which is no parameter of its path",
        ),
    ]


def test_servers_see_the_path_from_where_they_stand(server: Servers) -> None:
    policy = OperationScopes({"GET /x": "right", "GET /in/x": "wrong", "GET /out/in/x": "wrong"})
    checked = server(policy=policy)
    guard = [Middleware(OAuthMiddleware, checked)]
    for inner in (
        Mount("/out", routes=[Mount("/in", routes=[Route("/x", done)], middleware=guard)]),
        Mount("/out", routes=[Mount("/in", Router([Route("/x", done)], middleware=guard))]),
        Mount("/out", routes=[Mount("/in", Starlette(routes=[Route("/x", done)], middleware=guard))]),
        Mount("/out", routes=[Mount("/in", routes=[Route("/x", done, middleware=guard)])]),
        Mount("/out", routes=[Mount("/in", OAuthMiddleware(Router([Route("/x", done)]), checked))]),
    ):
        assert listed(app_of(inner)) == {"GET /out/in/x": "right"}


def test_one_route_may_have_a_server_of_its_own(server: Servers) -> None:
    guard = [Middleware(GZipMiddleware), Middleware(OAuthMiddleware, server=server())]
    parts = [Route("/a", done, middleware=guard), WebSocketRoute("/b", done, middleware=guard), Route("/c", done)]
    assert listed(app_of(*parts)) == {"GET /a": "any grant", "WEBSOCKET /b": "any grant", "GET /c": "unprotected"}


def test_the_catalogue_that_counts_is_that_of_the_nearest_server(server: Servers) -> None:
    guard = [Middleware(OAuthMiddleware, server(scopes=ScopeCatalogue({"a": {}})))]
    app = app_of(Mount("/x", routes=[Route("/a", requires("a")(done)), Route("/b", requires("b")(done))]))
    app.routes[:] = [Mount("/in", routes=list(app.routes), middleware=guard)]
    protect(app, server(scopes=ScopeCatalogue({"b": {}})))
    assert [route.protection for route in routes(app)] == ["protected", "broken"]


class Hidden:
    """A middleware that keeps the application where nobody looks for it."""

    def __init__(self, app: Any, **_options: Any) -> None:
        self.further = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.further(scope, receive, send)


def hiding(app: Any) -> Any:
    return Hidden(app)


class Own(OAuthMiddleware):
    """One that makes its server."""

    def __init__(self, app: Any, *, made: ResourceServer) -> None:
        super().__init__(app, made)


Wrap = Callable[[Starlette, ResourceServer], Any]


def with_middleware(*middleware: Any, **options: Any) -> Wrap:
    def wrap(app: Starlette, server: ResourceServer) -> Starlette:
        for one in middleware:
            app.add_middleware(one, server=server, **options) if one is not GZipMiddleware else app.add_middleware(one)
        return app

    return wrap


def protected(app: Starlette, server: ResourceServer) -> Starlette:
    protect(app, server)
    return app


def router_behind(app: Starlette, server: ResourceServer) -> Starlette:
    app.router = Router(app.routes, middleware=[Middleware(GZipMiddleware), Middleware(OAuthMiddleware, server)])
    return app


def router_hidden(app: Starlette, server: ResourceServer) -> Starlette:
    app.router = Router(app.routes, middleware=[Middleware(OAuthMiddleware, server), Middleware(hiding)])
    return app


PROTECTED: dict[str, Wrap] = {
    "protect": protected,
    "middleware": with_middleware(GZipMiddleware, OAuthMiddleware, GZipMiddleware),
    "given by position": lambda app, server: Starlette(
        routes=app.routes, middleware=[Middleware(OAuthMiddleware, server)]
    ),
    "given beforehand": lambda app, server: Starlette(
        routes=app.routes, middleware=[Middleware(partial(partial(OAuthMiddleware), server=server))]
    ),
    "below the class": with_middleware(type("Below", (OAuthMiddleware,), {})),
    "outside": OAuthMiddleware,
    "outside of the call": lambda app, server: OAuthMiddleware(app.__call__, server),
    "outside of the router": lambda app, server: OAuthMiddleware(app.router, server),
    "outside of the routes": lambda app, server: OAuthMiddleware(app.router.app, server),
    "behind others": lambda app, server: CORSMiddleware(GZipMiddleware(OAuthMiddleware(app, server))),
    "in front of others": lambda app, server: OAuthMiddleware(GZipMiddleware(app), server),
    "in the router": router_behind,
    "in the router, in front of a hidden one": router_hidden,
    "in front of a hidden one": with_middleware(Hidden, OAuthMiddleware),
}
UNPROTECTED: dict[str, Wrap] = {
    "nothing": lambda app, _: app,
    "others": lambda app, _: GZipMiddleware(with_middleware(GZipMiddleware)(app, _)),
    "made by a function": with_middleware(lambda app, server: OAuthMiddleware(app, server)),  # noqa: PLW0108 - hides it
    "with a server of its own": lambda app, server: Starlette(
        routes=app.routes, middleware=[Middleware(Own, made=server)]
    ),
    "past the middleware": lambda app, server: router_behind(app, server).router.app,
    "the other shell": wsgi.OAuthMiddleware,  # type: ignore[dict-item]  # a mistake
}


@pytest.mark.parametrize("wrap", PROTECTED.values(), ids=PROTECTED)
def test_middlewares_are_found_wherever_they_stand(server: Servers, wrap: Wrap) -> None:
    wrapped = wrap(app_of(Route("/", done)), server())
    assert listed(wrapped) == {"GET /": "any grant"}
    assert call_asgi(wrapped).status == 401


@pytest.mark.parametrize("wrap", UNPROTECTED.values(), ids=UNPROTECTED)
def test_what_cannot_be_seen_in_front_of_an_application_is_not_believed(server: Servers, wrap: Wrap) -> None:
    assert listed(wrap(app_of(Route("/", done)), server())) == {"GET /": "unprotected"}


def test_what_a_hidden_middleware_stands_around_is_opaque(server: Servers) -> None:
    app = app_of(Mount("/in", Hidden(app_of(Route("/x", done)))), server=server())
    assert [(route.name, route.endpoint) for route in routes(app)] == [("* /in/*", f"{__name__}.Hidden")]


class Bridge(Application):
    """What stands between ASGI and a WSGI application."""

    def __init__(self, app: Any) -> None:
        self.app = app


FOREIGN: dict[str, tuple[Any, str]] = {
    "files": (StaticFiles(directory=HERE), "starlette.staticfiles.StaticFiles"),
    "WSGI": (Bridge(Flask("x")), "flask.app.Flask"),
    "protected WSGI": (
        Bridge(wsgi.OAuthMiddleware(Flask("x"), ResourceServer(Bearer(Issuer().provider())))),
        "flask.app.Flask",
    ),
    "a function": (done, f"{__name__}.done"),
    "an object": (Application(), f"{__name__}.Application"),
}


@pytest.mark.parametrize(("app", "endpoint"), FOREIGN.values(), ids=FOREIGN)
def test_what_is_mounted_and_foreign_is_listed_once(server: Servers, app: Any, endpoint: str) -> None:
    for options, protection in (
        ({}, "protected"),
        ({"public": ["/static/*"]}, "public"),
        ({"public": ["/static"]}, "protected"),
        ({"policy": OperationScopes({"GET /static/<path:file>": Public()})}, "public"),
        ({"policy": OperationScopes({"GET /static": Public()})}, "public"),  # of /static/ the slash does not count
        ({"policy": OperationScopes({"GET /statics": Public()})}, "refused"),
        ({"credentials": "optional"}, "unprotected"),
    ):
        (route,) = routes(app_of(Mount("/static", app), server=server(**options)))
        assert (route.name, route.endpoint, route.protection) == ("* /static/*", endpoint, protection)


def test_a_route_may_be_an_application(server: Servers) -> None:
    inner = Mount("/b", Route("/c", requires("c")(done)))
    for app in (Mount("/a", inner), Router([Mount("/a", OAuthMiddleware(inner, server()))])):
        assert listed(OAuthMiddleware(app, server(public=["/c", "/b/c"]))) == {"GET /a/b/c": "c"}


def test_what_answers_where_no_route_does_is_listed_last() -> None:
    app = app_of(Mount("/in", Router([Route("/x", done)], default=Application())))
    assert listed(app) == {"GET /in/x": "unprotected", "* /in/*": "unprotected"}


class Anything(BaseRoute):
    """A kind of route that nobody knows."""


def test_a_route_of_an_unknown_kind_is_opaque(server: Servers) -> None:
    assert listed(app_of(Mount("/in", routes=[Anything()]), server=server())) == {"* /in/*": "any grant"}


def test_without_fastapi_routes_are_found_as_well(server: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_of(Route("/a", requires("a")(done)), Mount("/in", routes=[Route("/b", done)]), server=server())
    monkeypatch.delitem(sys.modules, "fastapi.routing")
    assert listed(app) == {"GET /a": "a", "GET /in/b": "any grant"}


def api(server: ResourceServer | None = None, **options: Any) -> FastAPI:
    app = FastAPI(**{"openapi_url": None, **options})
    if server:
        for_fastapi.protect(app, server)
    return app


def test_fastapi_serves_its_documents_too(server: Servers) -> None:
    app = api(server(public=["/docs", "/docs/*", "/openapi.json"]), openapi_url="/openapi.json")
    app.mount("/sub", api(openapi_url="/openapi.json", docs_url=None))
    assert listed(app) == {
        "GET /openapi.json": "public",
        "GET /docs": "public",
        "GET /docs/oauth2-redirect": "public",
        "GET /redoc": "any grant",
        "GET /sub/openapi.json": "any grant",
        "GET /sub/redoc": "any grant",
    }


def endpoint() -> str:
    return "done"


def asking(_grant: CurrentGrant) -> str:
    return "done"


@for_fastapi.requires("c")
def dependency() -> None: ...


class Dependency:
    @for_fastapi.requires("d")
    def __call__(self) -> None: ...


def nested(_inner: Annotated[None, Depends(dependency)]) -> None: ...


ASKING: dict[str, tuple[Any, list[Any], str]] = {
    "nothing": (endpoint, [], "unprotected"),
    "decorated": (for_fastapi.requires("a", AnyOf("b", "c"))(endpoint), [], "a and (b or c)"),
    "a parameter": (asking, [], "any grant"),
    "decorated, with a parameter": (for_fastapi.requires("a")(asking), [], "a"),
    "a dependency": (endpoint, [for_fastapi.current_grant], "any grant"),
    "one that is decorated": (endpoint, [dependency], "c"),
    "nested": (endpoint, [nested], "c"),
    "an object": (endpoint, [Dependency()], "d"),
    "a partial": (endpoint, [partial(dependency)], "c"),
    "several": (for_fastapi.requires("a")(asking), [dependency, Dependency()], "c and d and a"),
    "another": (endpoint, [endpoint, Anything, partial(endpoint)], "unprotected"),
}
asked_alike = pytest.mark.parametrize(("function", "dependencies", "takes"), ASKING.values(), ids=ASKING)


@asked_alike
def test_dependencies_ask_too(server: Servers, function: Any, dependencies: list[Any], takes: str) -> None:
    app = api(server(credentials="optional"))
    app.add_api_route("/x", function, dependencies=[Depends(one) for one in dependencies])
    assert listed(app) == {"GET /x": takes}
    assert call_asgi(app, target="/x").status == (200 if takes == "unprotected" else 401)


@asked_alike
def test_dependencies_of_what_includes_a_route_ask_too(
    server: Servers, function: Any, dependencies: list[Any], takes: str
) -> None:
    def include(inner: APIRouter, outer: FastAPI | APIRouter, **options: Any) -> None:
        inner.add_api_route("/x", function)
        outer.include_router(inner, **options)

    depends: list[Any] = [Depends(one) for one in dependencies]
    app = api(server(credentials="optional"), dependencies=depends)
    include(APIRouter(prefix="/app"), app)
    other = api(server(credentials="optional"))
    include(APIRouter(prefix="/own", dependencies=depends), other)
    include(APIRouter(prefix="/given"), other, prefix="/v1", dependencies=depends)
    middle = APIRouter(prefix="/middle", dependencies=depends)
    include(APIRouter(prefix="/in"), middle, prefix="/v2")
    other.include_router(middle)
    assert listed(app) == {"GET /app/x": takes}
    assert listed(other) == {"GET /own/x": takes, "GET /v1/given/x": takes, "GET /middle/v2/in/x": takes}
    assert call_asgi(other, target="/middle/v2/in/x").status == (200 if takes == "unprotected" else 401)


def test_routes_that_are_added_to_an_included_router_later_are_seen(server: Servers) -> None:
    router, app = APIRouter(), api(server())
    app.include_router(router, prefix="/v1")
    router.add_api_route("/{id}", for_fastapi.requires("photos:{id}", "{other}")(endpoint), methods=["DELETE"])
    (route,) = routes(app)
    assert (route.name, route.problem) == (
        "DELETE /v1/{id}",
        "its decorator asks for other, which is no parameter of its path",
    )
    assert route.sources == ("server", "decorator")


def test_the_sources_tell_a_dependency_from_a_decorator() -> None:
    app = api()
    app.add_api_route("/x", for_fastapi.requires("a")(asking), dependencies=[Depends(dependency)])
    (route,) = routes(app)
    assert (route.sources, route.protection) == (("dependency", "decorator"), "broken")


def test_sockets_have_dependencies_too(server: Servers) -> None:
    router, app = APIRouter(dependencies=[Depends(dependency)]), api(server(credentials="optional"))
    for there in (router, app):
        there.add_api_websocket_route("/live", endpoint)
    app.include_router(router, prefix="/v1")
    assert listed(app) == {"WEBSOCKET /live": "unprotected", "WEBSOCKET /v1/live": "c"}


def test_plain_routes_of_an_included_router_have_what_fastapi_leaves_them(server: Servers) -> None:
    guard = [Middleware(OAuthMiddleware, server())]
    router = APIRouter(dependencies=[Depends(for_fastapi.current_grant)])
    router.routes += [Route("/plain", done), Route("/guarded", done, middleware=guard), Mount("/in", Application())]
    router.routes += [Host("x.example.com", Router([Route("/x", done)])), Mount("/m", Router(), middleware=guard)]
    router.routes += [WebSocketRoute("/live", done), Mount("/n", Application(), middleware=guard)]
    app = api()
    app.include_router(router, prefix="/v1")
    assert listed(app) == {
        "GET /v1/plain": "unprotected",
        "GET /v1/guarded": "unprotected",  # FastAPI drops the middleware of the route
        "* /v1/in/*": "unprotected",
        "GET //x.example.com/v1/x": "unprotected",
        "WEBSOCKET /v1/live": "unprotected",
        "* /v1/n/*": "any grant",
    }
    assert call_asgi(app, target="/v1/guarded").status == 200


def test_built_frontends_are_listed_last(server: Servers) -> None:
    router = APIRouter(prefix="/r", dependencies=[Depends(dependency)])
    router.frontend("/ui", directory=HERE)
    app = api(server(credentials="optional"))
    app.frontend("/", directory=HERE)
    app.include_router(router, prefix="/v1")
    app.add_api_route("/x", endpoint)
    assert listed(app) == {"GET /x": "unprotected", "GET /*": "unprotected", "GET /v1/r/ui/*": "c"}


def test_a_frontend_may_be_public(server: Servers) -> None:
    app = api(server(public=["/ui/*"]))
    app.frontend("/ui", directory=HERE)
    assert listed(app) == {"GET /ui/*": "public"}


@pytest.mark.parametrize("other", [None, done, Application(), Bridge(done), Flask("x"), Starlette], ids=repr)
def test_what_is_neither_is_not_read(other: Any) -> None:
    assert not reads(other)


STATUS = {"protected": (401, 200), "public": (200, 200), "refused": (401, 403), "unprotected": (200, 200)}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"credentials": "optional"},
        {"public": ["/x/*", "/"]},
        {"policy": OperationScopes({"GET /": "base", "* /x/<int:n>": Public(), "GET /in/<n>": "base"})},
        {"policy": OperationScopes({"GET /": "base", "POST /x/<n>": Public()}, default=AnyOf("rest", "more"))},
    ],
    ids=repr,
)
def test_what_is_listed_is_what_happens(server: Servers, issuer: Issuer, options: dict[str, Any]) -> None:
    guard = [Middleware(OAuthMiddleware, server())]
    app = app_of(
        Route("/", done),
        Route("/x/{n:int}", done, methods=["GET", "POST"]),
        Route("/a/{n}", requires("a")(done)),
        Mount("/in", routes=[Route("/{n}", requires("b")(done), middleware=guard)]),
    )
    protect(app, server(**options))
    token = issuer.token(scope="a b base rest")
    for route in routes(app):
        path = route.path.replace("{n:int}", "7").replace("{n}", "7")
        without = call_asgi(app, route.method, path)
        with_token = call_asgi(app, route.method, path, bearer(token))
        assert (without.status, with_token.status) == STATUS[route.protection], route


OPEN_SOMEWHERE: dict[str, tuple[str, dict[str, Any], str]] = {
    "behind a slash": ("/f/{p:path}", {"policy": OperationScopes({"GET /f/<n>": "a"}, default=Public())}, "/f/a/b"),
    "text": ("/f/{n}", {"policy": OperationScopes({"GET /f/<int:i>": "a", "GET /f/<n>": Public()})}, "/f/abc"),
    "a number": ("/f/{n}", {"policy": OperationScopes({"GET /f/<n>": "a", "GET /f/<int:i>": Public()})}, "/f/7"),
    "a choice": ("/f/{n}", {"policy": OperationScopes({"GET /f/<n>": "a", "GET /f/<any(x,y):i>": Public()})}, "/f/y"),
    "one path": ("/d/{p}", {"public": ["/d/open"]}, "/d/open"),
    "a path below": ("/d/{p:path}", {"public": ["/d/open/*"]}, "/d/open/x"),
    "a few of many": ("/{a}/{b}/{c}/{d}/{e}", {"public": ["/q/w/e/r/t"]}, "/q/w/e/r/t"),
}


@pytest.mark.parametrize(("path", "options", "opened"), OPEN_SOMEWHERE.values(), ids=OPEN_SOMEWHERE)
def test_a_route_that_is_open_at_some_paths_does_not_pass_for_protected(
    server: Servers, path: str, options: dict[str, Any], opened: str
) -> None:
    app = app_of(Route(path, done), server=server(**options))
    assert call_asgi(app, target=opened).status == 200
    (route,) = routes(app)
    assert route.protection == "public"
    assert "several rules decide here" in route.problem


def test_a_route_that_takes_a_path_of_another_rule_is_told(server: Servers, issuer: Issuer) -> None:
    policy = OperationScopes({"GET /<kind>/export": "admin", "GET /reports/<name>": "reports.read"})
    app = app_of(Route("/{kind}/export", done), Route("/reports/{name}", done), server=server(policy=policy))
    first, second = routes(app)
    assert call_asgi(app, "GET", "/reports/export", bearer(issuer.token(scope="reports.read"))).status == 200
    assert (first.protection, first.takes) == ("protected", "admin or reports.read")
    assert first.note == (
        "several rules decide here: /1729/export takes admin by 'GET /<kind>/export', "
        "/reports/export takes reports.read by 'GET /reports/<name>'"
    )
    assert (second.takes, second.note) == ("reports.read", "")


def test_the_first_route_that_fits_answers_and_later_ones_do_not(server: Servers) -> None:
    opened, others = Route("/d/open", done), Route("/d/{p}", done)
    checked = server(public=["/d/open"])
    assert listed(app_of(opened, others, server=checked)) == {"GET /d/open": "public", "GET /d/{p}": "any grant"}
    assert listed(app_of(others, opened, server=checked)) == {"GET /d/{p}": "public", "GET /d/open": "public"}
    below = Mount("/d", routes=[Route("/{p}", done)])
    assert listed(app_of(opened, below, server=checked)) == {"GET /d/open": "public", "GET /d/{p}": "any grant"}
    assert listed(app_of(below, opened, server=checked)) == {"GET /d/{p}": "public", "GET /d/open": "public"}
    posted = Route("/d/open", done, methods=["POST"])
    assert listed(app_of(posted, others, server=checked)) == {"POST /d/open": "public", "GET /d/{p}": "public"}


@pytest.mark.parametrize("where", ["outside", "within"])
def test_an_application_with_a_root_path_is_protected_from_within(server: Servers, where: str) -> None:
    app = api()
    app.root_path = "/api"
    app.add_api_route("/admin", endpoint)
    policy = OperationScopes({"GET /admin": "admin"}, default=Public())
    if where == "within":
        for_fastapi.protect(app, server(policy=policy))
    whole = app if where == "within" else OAuthMiddleware(app, server(policy=policy))
    (route,) = routes(whole)
    assert call_asgi(whole, target="/api/admin").status == (401 if where == "within" else 200)
    assert route.protection == ("protected" if where == "within" else "broken")
    assert ("use protect(app, server), or take root_path away" in route.problem) is (where == "outside")


def test_a_root_path_counts_where_the_application_is_mounted_too(server: Servers) -> None:
    inner = api()
    inner.root_path = "/sub/in"
    inner.add_api_route("/x", endpoint)
    app = app_of(Mount("/sub", inner), Route("/y", done), server=server(public=["/health"]))
    assert [route.protection for route in routes(app)] == ["broken", "protected"]


PREFLIGHT = (("Origin", "https://a.example.com"), ("Access-Control-Request-Method", "GET"))


def test_preflights_reach_what_is_not_decorated(server: Servers) -> None:
    app = app_of(
        Route("/a", done, methods=["OPTIONS"]),
        Route("/b", requires("b")(done), methods=["OPTIONS"]),
        Mount("/c", Application()),
        server=server(),
    )
    assert [(route.protection, route.note) for route in routes(app)] == [
        ("preflight", ""),
        ("protected", ""),
        ("protected", "preflights get there without a grant"),
    ]
    asked = [call_asgi(app, "OPTIONS", path, PREFLIGHT).status for path in ("/a", "/b", "/c/x")]
    assert asked == [200, 401, 200]


PROFILE = ScopeCatalogue({"profile": {}})
MISSPELT = FieldFilter({"profil": ["name"]})


class Method(HTTPEndpoint):
    @filtered(MISSPELT)
    async def get(self, request: Request) -> Response:
        return await done(request)


@filtered(MISSPELT)
class Whole(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return await done(request)


@pytest.mark.parametrize(
    "endpoint",
    [filtered(MISSPELT)(done), requires("profile")(filtered(MISSPELT)(done)), Method, Whole],
    ids=["function", "below requires", "method", "class"],
)
def test_a_scope_that_is_misspelt_in_a_filter_is_found(server: Servers, endpoint: Any) -> None:
    (route,) = routes(app_of(Route("/", endpoint, methods=["GET"]), server=server(scopes=PROFILE)))
    assert route.protection == "broken"
    assert route.problem == "its filter: there is no scope 'profil' in the catalogue: did you mean 'profile'?"


def test_fastapi_tells_of_filters_too(server: Servers) -> None:
    app = api(server(scopes=PROFILE))
    app.get("/")(for_fastapi.filtered(MISSPELT)(customer))
    app.get("/good")(for_fastapi.filtered(FieldFilter({"profile": ["name"]}))(customer))
    assert [route.protection for route in routes(app)] == ["broken", "protected"]


SHOWN = FieldFilter({"profile": ["name"]})


def test_the_filters_of_the_server_are_shown_at_their_routes(server: Servers) -> None:
    filters = {"GET /customers/<n>": SHOWN, "GET /in/customers": SHOWN, "GET /static/a": SHOWN, "GET /live": SHOWN}
    app = app_of(
        Route("/customers/{number:int}", done),
        Mount("/in", routes=[Route("/customers", done)]),
        Route("/photos", done),
        Mount("/static", StaticFiles(directory=HERE)),
        WebSocketRoute("/live", done),
        server=server(filters=filters),
    )
    assert [(route.name, route.filtered_by) for route in routes(app)] == [
        ("GET /customers/{number:int}", "profile"),
        ("GET /in/customers", "profile"),
        ("GET /photos", ""),
        ("* /static/*", "profile"),
        ("WEBSOCKET /live", ""),
        ("GET /live", "profile"),
    ]
    assert [route.name for route in routes(app) if route.problem] == ["GET /live"]


def test_fastapi_tells_of_the_filters_of_a_server_too(server: Servers) -> None:
    router = APIRouter(prefix="/api")
    router.get("/customers/{number}")(customer)
    router.get("/orders/{number:int}")(customer)
    app = api(server(filters={"GET /api/customers/<int:n>": SHOWN, "GET /api/orders/<int:n>": SHOWN, "GET /x": SHOWN}))
    app.include_router(router)
    assert [(route.name, route.protection, bool(route.problem)) for route in routes(app)] == [
        ("GET /api/customers/{number}", "protected", True),
        ("GET /api/orders/{number:int}", "protected", False),
        ("GET /x", "broken", True),
    ]
