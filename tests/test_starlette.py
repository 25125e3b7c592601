from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import requires as starlette_requires
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from oauth_rs import (
    AllOf,
    AnyOf,
    Bearer,
    Grant,
    HTTPSettings,
    InvalidToken,
    MissingCredentials,
    RemoteKeys,
    ResourceServer,
)
from oauth_rs.asgi import GRANT, OAuthMiddleware
from oauth_rs.starlette import grant_of, protect, requires
from tests.support.calling import bearer, call_asgi
from tests.support.issuing import Issuer
from tests.support.serving import ScriptedServer

PREFLIGHT = {"Origin": "https://web.example", "Access-Control-Request-Method": "GET"}


@pytest.fixture
def server(issuer: Issuer) -> ResourceServer:
    return ResourceServer(Bearer(issuer.provider()), public=["/open/*"])


Serve = Callable[..., TestClient]
Headers = Callable[..., dict[str, str]]


@pytest.fixture
def serve(server: ResourceServer) -> Serve:
    """A client of an application with these routes, protected."""

    def serve(*routes: BaseRoute) -> TestClient:
        app = Starlette(routes=list(routes))
        protect(app, server)
        return TestClient(app)

    return serve


@pytest.fixture
def headers(issuer: Issuer) -> Headers:
    def headers(scope: str = "photos profile") -> dict[str, str]:
        return dict(bearer(issuer.token(scope=scope)))

    return headers


async def done(_request: Request) -> Response:
    return PlainTextResponse("done")


def done_in_a_thread(_request: Request) -> Response:
    return PlainTextResponse("done")


class Item(HTTPEndpoint):
    async def get(self, _request: Request) -> Response:
        return PlainTextResponse("got")

    def post(self, _request: Request) -> Response:
        return PlainTextResponse("posted")


def test_protect_refuses_what_has_no_token(serve: Serve, headers: Headers) -> None:
    client = serve(Route("/", done))
    answer = client.get("/")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert client.get("/", headers=headers()).text == "done"


def test_unknown_paths_are_not_told_to_strangers(serve: Serve, headers: Headers) -> None:
    client = serve(Route("/", done))
    assert (client.get("/x").status_code, client.get("/x", headers=headers()).status_code) == (401, 404)


def test_the_grant_is_on_the_state_of_the_request(serve: Serve, headers: Headers) -> None:
    async def look(request: Request) -> Response:
        grant: Grant = request.state.grant
        assert grant_of(request) is grant
        return JSONResponse([grant.subject, request.user.display_name, request.user.is_authenticated])

    assert serve(Route("/", look)).get("/", headers=headers()).json() == ["ada", "ada", True]


def test_the_scopes_are_where_starlette_looks(serve: Serve, headers: Headers) -> None:
    async def look(request: Request) -> Response:
        return JSONResponse([sorted(request.auth.scopes), request.user.is_authenticated])

    client = serve(Route("/", look), Route("/open/x", look))
    assert client.get("/", headers=headers("b a")).json() == [["a", "b"], True]
    assert client.get("/open/x").json() == [[], False]


def test_starlette_s_own_decorator_works(serve: Serve, headers: Headers) -> None:
    @starlette_requires(["photos"])
    async def photos(request: Request) -> Response:
        return PlainTextResponse(request.method)

    client = serve(Route("/", photos))
    assert client.get("/", headers=headers("photos")).text == "GET"
    assert client.get("/", headers=headers("profile")).status_code == 403


ENDPOINTS: dict[str, Any] = {
    "async": requires("admin")(done),
    "sync": requires("admin")(done_in_a_thread),
    "class": requires("admin")(type("Guarded", (Item,), {})),
}


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)
def test_an_endpoint_runs_only_for_a_grant_that_covers_it(serve: Serve, headers: Headers, endpoint: Any) -> None:
    client = serve(Route("/", endpoint))
    refused = client.get("/", headers=headers())
    assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")
    assert 'scope="admin"' in refused.headers["www-authenticate"]
    assert refused.headers.get_list("content-type") == ["application/json"]
    assert client.get("/", headers=headers("admin")).status_code == 200


@pytest.mark.parametrize(
    ("needed", "held"),
    [
        (AllOf("a", "b"), "a"),
        (AnyOf("a", "b"), "c"),
        (AllOf("a", AnyOf("b", AllOf("c", "d"))), "a c"),
        (AnyOf(AllOf("a", "b"), AllOf("c", "d")), "a c"),
    ],
)
def test_requirements_nest(serve: Serve, headers: Headers, needed: Any, held: str) -> None:
    client = serve(Route("/", requires(needed)(done)))
    statuses = [client.get("/", headers=headers(scope)).status_code for scope in (held, "a b c d")]
    assert statuses == [403, 200]


def test_decorating_a_class_leaves_its_base_alone(serve: Serve, headers: Headers) -> None:
    client = serve(Route("/free", Item), Route("/guarded", ENDPOINTS["class"]))
    assert [client.get(path, headers=headers()).status_code for path in ("/free", "/guarded")] == [200, 403]


def test_an_endpoint_below_a_decorated_one_meets_both(serve: Serve, headers: Headers) -> None:
    further = requires("more")(type("Further", (ENDPOINTS["class"],), {}))
    client = serve(Route("/", further))
    statuses = [client.get("/", headers=headers(scope)).status_code for scope in ("admin", "more", "more admin")]
    assert statuses == [403, 403, 200]


def test_single_methods_of_an_endpoint_are_decorated(serve: Serve, headers: Headers) -> None:
    class Partly(Item):
        @requires("admin")
        def post(self, _request: Request) -> Response:
            return PlainTextResponse("posted")

    client = serve(Route("/", Partly))
    assert (client.get("/", headers=headers()).text, client.post("/", headers=headers()).status_code) == ("got", 403)
    assert client.post("/", headers=headers("admin")).text == "posted"


def test_stacked_decorators_all_apply(serve: Serve, headers: Headers) -> None:
    client = serve(Route("/", requires("a")(requires("b")(done))))
    assert [client.get("/", headers=headers(scope)).status_code for scope in ("a", "b", "a b")] == [403, 403, 200]


def test_a_public_path_that_requires_a_scope_asks_for_it(serve: Serve) -> None:
    answer = serve(Route("/open/x", requires("photos", AnyOf("a", "b"))(done))).get("/open/x")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer scope="photos a b"')


def test_the_request_may_be_passed_by_name() -> None:
    request = Request({"type": "http", GRANT: None})
    with pytest.raises(MissingCredentials):
        requires("a")(done_in_a_thread)(_request=request)


def test_a_refused_head_request_has_no_body(serve: Serve, headers: Headers) -> None:
    app = serve(Route("/", requires("admin")(done))).app
    answer = call_asgi(app, "HEAD", headers=list(headers().items()))  # a test client would drop the body by itself
    assert (answer.status, answer.body, answer.header("content-length")) == (403, b"", ["96"])


def test_any_refusal_raised_by_an_endpoint_is_answered(serve: Serve, headers: Headers) -> None:
    async def revoked(_request: Request) -> Response:
        raise InvalidToken("revoked", "It was revoked.")

    answer = serve(Route("/", revoked)).get("/", headers=headers())
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


def test_a_handler_for_every_exception_does_not_swallow_refusals(serve: Serve, headers: Headers) -> None:
    client = serve(Route("/", requires("admin")(done)))
    client.app.add_exception_handler(Exception, lambda *_: PlainTextResponse("swallowed"))  # type: ignore[attr-defined]
    assert client.get("/", headers=headers()).status_code == 403


@pytest.mark.parametrize("endpoint", [*ENDPOINTS.values(), grant_of], ids=[*ENDPOINTS, "grant_of"])
def test_without_the_middleware_nothing_passes_and_the_error_says_why(headers: Headers, endpoint: Any) -> None:
    app = Starlette(routes=[Route("/", endpoint)])
    with pytest.raises(RuntimeError, match="no middleware has checked"):
        TestClient(app).get("/", headers=headers("admin"))
    assert TestClient(app, raise_server_exceptions=False).get("/", headers=headers("admin")).status_code == 500


def test_an_endpoint_that_takes_no_request_is_a_mistake() -> None:
    @requires()
    def endpoint(*_arguments: Any) -> None:
        raise AssertionError("it ran")

    for arguments in [(), ("request",), (object(),), (Item,)]:
        with pytest.raises(TypeError, match="take a request or a WebSocket"):
            endpoint(*arguments)


@pytest.mark.parametrize("undecorated", [done, done_in_a_thread, Item, None, ["photos"]])
def test_a_decorator_without_its_scopes_is_a_mistake_found_at_import(undecorated: Any) -> None:
    with pytest.raises(TypeError, match="miss its parentheses"):
        requires(undecorated)


async def accept(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(grant_of(websocket).subject)  # type: ignore[union-attr]


class Live(WebSocketEndpoint):
    async def on_connect(self, websocket: WebSocket) -> None:
        await accept(websocket)


@requires("admin")
class GuardedLive(Live):
    """Guarded as a class."""


class PartlyLive(Live):
    @requires("admin")
    async def on_connect(self, websocket: WebSocket) -> None:
        await super().on_connect(websocket)


WEBSOCKETS: dict[str, Any] = {"function": requires("admin")(accept), "class": GuardedLive, "method": PartlyLive}


@pytest.mark.parametrize("endpoint", WEBSOCKETS.values(), ids=WEBSOCKETS)
def test_a_websocket_opens_for_a_grant_that_covers_it(serve: Serve, headers: Headers, endpoint: Any) -> None:
    client = serve(WebSocketRoute("/live", endpoint))
    with client.websocket_connect("/live", headers=headers("admin")) as websocket:
        assert websocket.receive_text() == "ada"


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("photos", 403)])
@pytest.mark.parametrize("endpoint", WEBSOCKETS.values(), ids=WEBSOCKETS)
def test_a_websocket_is_refused_with_a_challenge(
    serve: Serve, headers: Headers, endpoint: Any, token: str | None, status: int
) -> None:
    client = serve(WebSocketRoute("/live", endpoint))
    with pytest.raises(WebSocketDenialResponse) as refused:
        client.websocket_connect("/live", headers=headers(token) if token else {}).__enter__()
    assert refused.value.status_code == status
    assert refused.value.headers["www-authenticate"].startswith("Bearer")


def without_denial(app: Any) -> Any:
    async def older(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "extensions": {}}, receive, send)

    return older


@pytest.mark.parametrize("endpoint", WEBSOCKETS.values(), ids=WEBSOCKETS)
def test_a_websocket_is_closed_where_a_server_cannot_answer(serve: Serve, headers: Headers, endpoint: Any) -> None:
    client = TestClient(without_denial(serve(WebSocketRoute("/live", endpoint)).app))
    with pytest.raises(WebSocketDisconnect) as closed:
        client.websocket_connect("/live", headers=headers()).__enter__()
    assert closed.value.code == 1008


def test_an_open_websocket_that_is_refused_is_closed(serve: Serve, headers: Headers) -> None:
    class Strict(Live):
        encoding = "text"

        @requires("admin")
        async def on_receive(self, websocket: WebSocket, data: str) -> None:
            raise AssertionError(f"it ran for {data} on {websocket}")

    client = serve(WebSocketRoute("/live", Strict))
    with client.websocket_connect("/live", headers=headers()) as websocket:
        assert websocket.receive_text() == "ada"
        websocket.send_text("more")
        with pytest.raises(WebSocketDisconnect) as closed:
            websocket.receive_text()
    assert closed.value.code == 1008


def test_without_the_middleware_no_websocket_opens(headers: Headers) -> None:
    client = TestClient(Starlette(routes=[WebSocketRoute("/live", WEBSOCKETS["class"])]))
    with pytest.raises(RuntimeError, match="no middleware has checked"):
        client.websocket_connect("/live", headers=headers("admin")).__enter__()


def around(server: ResourceServer) -> list[Middleware]:
    return [Middleware(OAuthMiddleware, server)]


def placed(kind: str, server: ResourceServer) -> TestClient:
    """A client of an application whose /photos is protected in one of three ways, and whose /free may not be."""
    photos, free, middleware = requires("photos")(done), Route("/free", done), around(server)
    routes: dict[str, list[BaseRoute]] = {
        "application": [Route("/photos", photos), free],
        "mount": [Mount("/photos", routes=[Route("/", photos)], middleware=middleware), free],
        "route": [Route("/photos", photos, middleware=middleware), free],
    }
    return TestClient(Starlette(routes=routes[kind], middleware=middleware if kind == "application" else None))


@pytest.mark.parametrize("kind", ["application", "mount", "route"])
def test_the_middleware_stands_around(server: ResourceServer, headers: Headers, kind: str) -> None:
    client = placed(kind, server)
    answers = [client.get("/photos", headers=sent) for sent in ({}, headers("x"), headers("photos"))]
    assert [answer.status_code for answer in answers] == [401, 403, 200]
    assert 'scope="photos"' in answers[1].headers["www-authenticate"]


@pytest.mark.parametrize(("kind", "status"), [("application", 401), ("mount", 200), ("route", 200)])
def test_what_stands_beside_a_protected_part_is_free(server: ResourceServer, kind: str, status: int) -> None:
    assert placed(kind, server).get("/free").status_code == status


def test_public_paths_are_those_below_a_protected_mount(server: ResourceServer) -> None:
    routes = [Route("/open/x", done), Route("/sub/open/x", done)]
    client = TestClient(Starlette(routes=[Mount("/sub", routes=routes, middleware=around(server))]))
    assert [client.get(path).status_code for path in ("/sub/open/x", "/sub/sub/open/x")] == [200, 401]


def mounting(server: ResourceServer, sub: Starlette) -> TestClient:
    app = Starlette(routes=[Mount("/sub", sub)])
    protect(app, server)
    return TestClient(app, raise_server_exceptions=False)


def test_a_mounted_application_sees_the_grant(server: ResourceServer, headers: Headers) -> None:
    client = mounting(server, Starlette(routes=[Route("/", requires("photos")(done))]))
    assert client.get("/sub/").status_code == 401
    assert client.get("/sub/", headers=headers()).text == "done"


def test_a_mounted_application_never_lets_a_refusal_pass(server: ResourceServer, headers: Headers) -> None:
    client = mounting(server, Starlette(routes=[Route("/", requires("admin")(done))]))
    assert client.get("/sub/", headers=headers()).status_code == 500  # Starlette answers in every application by itself


def test_a_mounted_application_that_is_protected_too_answers_itself(server: ResourceServer, headers: Headers) -> None:
    sub = Starlette(routes=[Route("/", requires("admin")(done))])
    protect(sub, server)
    client = mounting(server, sub)
    assert [client.get("/sub/", headers=sent).status_code for sent in ({}, headers(), headers("admin"))] == [
        401,
        403,
        200,
    ]


def test_cors_that_is_added_later_answers_preflights_and_marks_refusals(server: ResourceServer) -> None:
    app = Starlette(routes=[Route("/", done)])
    protect(app, server)
    app.add_middleware(CORSMiddleware, allow_origins=["https://web.example"], allow_headers=["authorization"])
    client = TestClient(app)
    assert client.options("/", headers=PREFLIGHT).headers["access-control-allow-origin"] == "https://web.example"
    refused = client.get("/", headers={"Origin": "https://web.example"})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://web.example")


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://web.example"}, {"Access-Control-Request-Method": "GET"}])
def test_options_that_are_no_preflight_need_a_token(serve: Serve, headers: dict[str, str]) -> None:
    client = serve(Route("/", done, methods=["OPTIONS"]))
    assert (client.options("/", headers=headers).status_code, client.options("/", headers=PREFLIGHT).text) == (
        401,
        "done",
    )


@pytest.mark.parametrize("order", ["outside", "inside"])
def test_base_http_middleware_may_stand_on_either_side(server: ResourceServer, headers: Headers, order: str) -> None:
    async def mark(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["x-marked"] = "yes"
        return response

    based = Middleware(BaseHTTPMiddleware, dispatch=mark)
    middleware = [based, *around(server)] if order == "outside" else [*around(server), based]
    client = TestClient(Starlette(routes=[Route("/", requires("photos")(done))], middleware=middleware))
    answers = [client.get("/", headers=sent) for sent in ({}, headers("x"), headers("photos"))]
    assert [answer.status_code for answer in answers] == [401, 403, 200]
    assert answers[2].headers["x-marked"] == "yes"


def test_keys_are_fetched_at_startup_as_the_settings_say(web: ScriptedServer, issuer: Issuer) -> None:
    url = "http://127.0.0.1:1/keys"
    web.answers[url] = issuer.jwks  # as a proxy is asked
    app = Starlette(routes=[Route("/", done)])
    protect(app, ResourceServer(Bearer(issuer.provider(keys=RemoteKeys(url)))), http=HTTPSettings(proxy=web.url))
    with TestClient(app) as client:
        assert web.hits[url] == 1
        assert client.get("/", headers=dict(bearer(issuer.token()))).text == "done"
