import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from starlette.applications import Starlette
from starlette.authentication import requires as starlette_requires
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
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
    Unavailable,
)
from oauth_rs.asgi import CHECKED, GRANT, OAuthMiddleware
from oauth_rs.asgi_response import Answer
from oauth_rs.fields import FieldFilter
from oauth_rs.requirements import Acr, Condition, MaxAge
from oauth_rs.starlette import filtered, grant_of, protect, requires
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
    answer = Answer(lambda _message: anyio.lowlevel.checkpoint())
    request = Request({"type": "http", "method": "GET", GRANT: None, CHECKED: answer})
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


def is_ada(grant: Any, request: Any) -> bool:
    return bool(grant.subject == "ada" and request.parameters.get("owner", "ada") == "ada")


async def is_ada_async(grant: Any, request: Any) -> bool:
    return is_ada(grant, request)


def cannot_tell(_grant: Any, _request: Any) -> bool:
    raise Unavailable("database_down", "Nothing can be decided now.")


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ask(server: ResourceServer, issuer: Issuer, backend: str) -> Callable[..., Any]:
    """Asks an application of one endpoint, on either backend, with a token of the given claims."""

    def ask(endpoint: Any, path: str = "/x", *, template: str = "/{owner}", method: str = "GET", **claims: Any) -> Any:
        app = Starlette(routes=[Route(template, endpoint)])
        protect(app, server)
        client = TestClient(app, backend=backend, raise_server_exceptions=False)  # type: ignore[arg-type]
        return client.request(method, path, headers=dict(bearer(issuer.token(**claims))))

    return ask


class ItemOfAda(HTTPEndpoint):
    @requires(Condition(is_ada_async))
    async def get(self, _request: Request) -> Response:
        return PlainTextResponse("done")

    @requires(Condition(is_ada))
    def post(self, _request: Request) -> Response:
        return PlainTextResponse("done")


GUARDED: dict[str, Any] = {
    f"{kind}, {name}": (endpoint, method)
    for kind, function in {"plain": is_ada, "async": is_ada_async}.items()
    for name, endpoint, method in (
        ("async endpoint", requires("photos", Condition(function))(done), "GET"),
        ("plain endpoint", requires("photos", Condition(function))(done_in_a_thread), "GET"),
        ("class", requires(Condition(function))(type("Guarded", (Item,), {})), "POST"),
        ("async method", ItemOfAda, "GET"),
        ("plain method", ItemOfAda, "POST"),
    )
}


@pytest.mark.parametrize(("endpoint", "method"), GUARDED.values(), ids=GUARDED)
def test_a_condition_is_asked_with_the_request_and_its_parameters(
    ask: Callable[..., Any], endpoint: Any, method: str
) -> None:
    answers = [
        ask(endpoint, path, method=method, sub=sub) for path, sub in [("/ada", "ada"), ("/bob", "ada"), ("/ada", "bob")]
    ]
    assert [answer.status_code for answer in answers] == [200, 403, 403]
    assert answers[1].json()["error"] == "insufficient_scope"


@pytest.mark.parametrize("function", [is_ada, is_ada_async])
@pytest.mark.parametrize("guard", ["function", "class", "method"])
def test_a_condition_stands_before_a_websocket(serve: Serve, issuer: Issuer, guard: str, function: Any) -> None:
    needed = requires(Condition(function))

    class Method(Live):
        on_connect = needed(Live.on_connect)

    endpoint: Any = {"function": needed(accept), "class": needed(type("Class", (Live,), {})), "method": Method}[guard]
    client = serve(WebSocketRoute("/{owner}", endpoint))
    token = dict(bearer(issuer.token()))
    with client.websocket_connect("/ada", headers=token) as websocket:
        assert websocket.receive_text() == "ada"
    with pytest.raises(WebSocketDenialResponse) as refused:
        client.websocket_connect("/bob", headers=token).__enter__()
    assert refused.value.status_code == 403


def test_a_condition_that_cannot_tell_is_a_503(ask: Callable[..., Any]) -> None:
    answer = ask(requires(Condition(cannot_tell))(done))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("answer", [None, 1, "yes", is_ada_async])
def test_a_condition_that_gives_no_verdict_is_a_500(ask: Callable[..., Any], answer: Any) -> None:
    assert ask(requires(Condition(lambda *_: answer))(done)).status_code == 500


def test_a_stronger_or_newer_authentication_is_asked_for(ask: Callable[..., Any]) -> None:
    endpoint = requires(Acr("mfa"), MaxAge(60, clock=lambda: 1000))(done)
    claims = [{"acr": "pwd", "auth_time": 990}, {"acr": "mfa", "auth_time": 900}, {"acr": "mfa", "auth_time": 990}]
    weak, old, good = (ask(endpoint, **each) for each in claims)
    assert [answer.status_code for answer in (weak, old, good)] == [401, 401, 200]
    assert 'acr_values="mfa"' in weak.headers["www-authenticate"]
    assert 'max_age="60"' in old.headers["www-authenticate"]


def test_a_scope_of_the_path_is_that_of_its_parameter(ask: Callable[..., Any]) -> None:
    endpoint = requires("tenant:{tenant}:read")(done)
    scope = "tenant:a:read tenant:a:x:read"
    paths = ["/a/bills", "/b/bills", "/a:x/bills"]
    answers = [ask(endpoint, path, template="/{tenant}/bills", scope=scope) for path in paths]
    assert [answer.status_code for answer in answers] == [200, 403, 403]


def test_a_scope_of_a_parameter_that_the_path_lacks_is_a_500(ask: Callable[..., Any]) -> None:
    scope = "tenant:a:read tenant::read tenant:{tenant}:read"
    assert ask(requires("tenant:{tenant}:read")(done), "/a", scope=scope).status_code == 500


def test_a_websocket_of_a_parameter_that_the_path_lacks_does_not_open(serve: Serve, headers: Headers) -> None:
    client = serve(WebSocketRoute("/live", requires("tenant:{tenant}:read")(accept)))
    with pytest.raises(TypeError, match="no parameter 'tenant'"):
        client.websocket_connect("/live", headers=headers("tenant:{tenant}:read")).__enter__()


def test_a_condition_without_a_grant_is_not_asked(serve: Serve) -> None:
    answer = serve(Route("/open/x", requires("photos", Condition(cannot_tell))(done))).get("/open/x")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer scope="photos"')


FIELDS = FieldFilter({"profile": ["name", "orders.number"]}, always=["id"])
ADA: dict[str, Any] = {"id": 1, "name": "Ada", "secret": "x", "orders": [{"number": 7, "secret": "y"}]}
SHOWN: dict[str, Any] = {"id": 1, "name": "Ada", "orders": [{"number": 7}]}
TEXT = json.dumps(ADA)
OOPS = {"error": "server_error"}


def pieces() -> Iterator[str]:
    yield from (TEXT[:9], TEXT[9:])


ANSWERS: dict[str, tuple[Callable[[], Response], int, Any]] = {
    "JSON": (lambda: JSONResponse(ADA), 200, SHOWN),
    "a list": (lambda: JSONResponse([ADA, [ADA]], 201), 201, [SHOWN, [SHOWN]]),
    "text that is JSON": (lambda: Response(TEXT, media_type="application/vnd.api+json; v=1"), 200, SHOWN),
    "a stream of JSON": (lambda: StreamingResponse(pieces(), media_type="application/json"), 200, SHOWN),
    "an error": (lambda: JSONResponse(ADA, 404), 404, ADA),
    "not JSON": (lambda: Response("Ada", media_type="application/json"), 500, OOPS),
    "lines": (lambda: Response(TEXT, media_type="application/jsonl"), 500, OOPS),
    "compressed": (lambda: JSONResponse(ADA, headers={"content-encoding": "gzip"}), 500, OOPS),
    "deep": (lambda: Response("[" * 100_000, media_type="application/json"), 500, OOPS),
    "huge": (lambda: JSONResponse(["x" * (1 << 20)]), 500, OOPS),
}


@pytest.mark.parametrize(("make", "status", "shown"), ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("kind", ["async", "plain", "class"])
def test_whatever_an_endpoint_answers_is_filtered(
    ask: Callable[..., Any], make: Callable[[], Response], status: int, shown: Any, kind: str
) -> None:
    async def awaited(_request: Request) -> Response:
        return make()

    class Endpoint(HTTPEndpoint):
        async def get(self, _request: Request) -> Response:
            return make()

    endpoint: Any = {"async": awaited, "plain": lambda _request: make(), "class": Endpoint}[kind]
    answer = ask(filtered(FIELDS)(endpoint))
    assert (answer.status_code, answer.json()) == (status, shown)


@pytest.mark.parametrize("extensions", [{}, {"http.response.pathsend": {}, "http.response.zerocopysend": {}}])
def test_a_file_is_filtered_whichever_way_a_server_can_send_it(
    server: ResourceServer, issuer: Issuer, tmp_path: Path, extensions: dict[str, Any]
) -> None:
    file = tmp_path / "ada.json"
    file.write_text(TEXT)

    @filtered(FIELDS)
    async def download(_request: Request) -> Response:
        return FileResponse(file)

    app = Starlette(routes=[Route("/", download)])
    protect(app, server)
    etag = FileResponse(file, stat_result=file.stat()).headers["etag"]
    for condition in ([], [("Range", "bytes=0-9")], [("Range", "bytes=0-9,20-29")], [("If-None-Match", etag)]):
        answer = call_asgi(app, headers=[*bearer(issuer.token()), *condition], extensions=extensions)
        assert (answer.status, json.loads(answer.body), answer.header("etag")) == (200, SHOWN, [])


def test_a_file_of_another_kind_goes_out_as_it_is(server: ResourceServer, issuer: Issuer, tmp_path: Path) -> None:
    file = tmp_path / "ada.png"
    file.write_bytes(b"PNG" * 99_999)
    app = Starlette(routes=[Route("/", filtered(FIELDS)(lambda _request: FileResponse(file)))])
    protect(app, server)
    answer = call_asgi(app, headers=bearer(issuer.token()))
    assert (answer.body, len(answer.header("etag"))) == (b"PNG" * 99_999, 1)


def test_a_task_in_the_background_runs_after_a_filtered_answer(ask: Callable[..., Any]) -> None:
    ran: list[str] = []

    async def endpoint(request: Request) -> Response:
        content = ADA if request.path_params["owner"] == "ada" else None
        response: Response = JSONResponse(content) if content else Response("{", media_type="application/json")
        response.background = BackgroundTask(ran.append, request.path_params["owner"])
        return response

    statuses = [ask(filtered(FIELDS)(endpoint), path).status_code for path in ("/ada", "/bob")]
    assert (statuses, ran) == ([200, 500], ["ada", "bob"])


@pytest.mark.parametrize(("outside", "status"), [(True, 200), (False, 500)])
def test_compression_stands_outside(server: ResourceServer, issuer: Issuer, *, outside: bool, status: int) -> None:
    gzipped = Middleware(GZipMiddleware, minimum_size=1)
    around_it = [gzipped, *around(server)] if outside else [*around(server), gzipped]
    app = Starlette(routes=[Route("/", filtered(FIELDS)(lambda _request: JSONResponse(ADA)))], middleware=around_it)
    answer = call_asgi(app, headers=[*bearer(issuer.token()), ("Accept-Encoding", "gzip")])
    assert answer.status == status
    assert json.loads(gzip.decompress(answer.body) if outside else answer.body) == (SHOWN if outside else OOPS)


@pytest.mark.parametrize("order", ["outside", "inside"])
def test_base_http_middleware_may_stand_on_either_side_of_a_filter(
    server: ResourceServer, issuer: Issuer, order: str
) -> None:
    async def passing(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response

    based = Middleware(BaseHTTPMiddleware, dispatch=passing)
    middleware = [based, *around(server)] if order == "outside" else [*around(server), based]
    app = Starlette(routes=[Route("/", filtered(FIELDS)(lambda _request: JSONResponse(ADA)))], middleware=middleware)
    assert json.loads(call_asgi(app, headers=bearer(issuer.token())).body) == SHOWN


def test_a_filter_and_a_requirement_stand_before_one_endpoint_in_any_order(ask: Callable[..., Any]) -> None:
    def ada(_request: Request) -> Response:
        return JSONResponse(ADA)

    for endpoint in (requires("photos")(filtered(FIELDS)(ada)), filtered(FIELDS)(requires("photos")(ada))):
        assert ask(endpoint, scope="photos profile").json() == SHOWN
        assert ask(endpoint, scope="profile").status_code == 403


def test_two_filters_show_what_both_show(ask: Callable[..., Any]) -> None:
    def ada(_request: Request) -> Response:
        return JSONResponse(ADA)

    both = filtered(FIELDS)(filtered(FieldFilter({"profile": ["name", "secret"]}))(ada))
    assert ask(both).json() == {"name": "Ada"}


def test_head_of_a_filtered_endpoint_has_its_headers_and_no_length(server: ResourceServer, issuer: Issuer) -> None:
    app = Starlette(routes=[Route("/", filtered(FIELDS)(lambda _request: JSONResponse(ADA)))])
    protect(app, server)
    answer = call_asgi(app, "HEAD", headers=bearer(issuer.token()))
    assert (answer.status, answer.body, answer.header("cache-control")) == (200, b"", ["private"])
    assert answer.header("content-length") == []


def test_an_answer_over_the_limit_does_not_go_out(server: ResourceServer, headers: Headers) -> None:
    app = Starlette(routes=[Route("/", filtered(FIELDS)(lambda _request: JSONResponse(ADA)))])
    protect(app, server, max_filtered=9)
    answer = TestClient(app).get("/", headers=headers())
    assert (answer.status_code, answer.json()) == (500, OOPS)


def test_a_websocket_cannot_be_filtered(serve: Serve, headers: Headers) -> None:
    with pytest.raises(TypeError, match="no answer to filter"):
        filtered(FIELDS)(Live)
    client = serve(WebSocketRoute("/live", filtered(FIELDS)(accept)))
    with pytest.raises(TypeError, match="a WebSocket has none"):
        client.websocket_connect("/live", headers=headers()).__enter__()


@pytest.mark.parametrize("endpoint", [done, done_in_a_thread, type("Endpoint", (Item,), {})])
def test_without_the_middleware_nothing_is_shown_and_the_error_says_why(endpoint: Any, headers: Headers) -> None:
    app = Starlette(routes=[Route("/", filtered(FIELDS)(endpoint))])
    with pytest.raises(RuntimeError, match="no middleware has checked"):
        TestClient(app).get("/", headers=headers())


@pytest.mark.parametrize("undecorated", [done, Item, {"profile": ["name"]}, None])
def test_a_decorator_without_its_filter_is_a_mistake_found_at_import(undecorated: Any) -> None:
    with pytest.raises(TypeError, match="write @filtered"):
        filtered(undecorated)


def test_what_is_no_application_is_not_protected(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider()))
    with pytest.raises(TypeError, match=r"app is a .* application, not ResourceServer"):
        protect(server, Starlette())  # type: ignore[arg-type]  # the wrong way round
