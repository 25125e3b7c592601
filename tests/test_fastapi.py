from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Query, Request, WebSocket
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.testclient import WebSocketDenialResponse

from oauth_rs import AllOf, AnyOf, Bearer, Grant, ResourceServer, Unavailable
from oauth_rs.fastapi import current_grant, filtered, protect, requires
from oauth_rs.fields import FieldFilter
from oauth_rs.requirements import Acr, Condition, MaxAge
from oauth_rs.starlette import requires as starlette_requires
from tests.support.calling import bearer
from tests.support.issuing import Issuer

Headers = Callable[..., dict[str, str]]
CurrentGrant = Annotated[Grant, Depends(current_grant)]


class Photo(BaseModel):
    """Something with a schema."""

    title: str
    tags: list[str] = []


@pytest.fixture
def app(issuer: Issuer) -> FastAPI:
    app = FastAPI()
    protect(app, ResourceServer(Bearer(issuer.provider()), public=["/open/*"]))
    return app


@pytest.fixture
def headers(issuer: Issuer) -> Headers:
    def headers(scope: str = "photos profile") -> dict[str, str]:
        return dict(bearer(issuer.token(scope=scope)))

    return headers


def plain(item: int, q: Annotated[str, Query(max_length=9)] = "x") -> dict[str, Any]:
    """Gives back what it was given."""
    return {"item": item, "q": q}


async def posting(item: int, photo: Photo, note: Annotated[str, Body()] = "") -> Photo:
    return Photo(title=f"{photo.title}{item}{note}")


async def with_request(item: int, request: Request, grant: CurrentGrant) -> list[str]:
    return [str(item), request.method, grant.subject]


def streaming(item: int) -> Iterator[Photo]:
    yield from (Photo(title=str(number)) for number in range(item))


async def streaming_async(item: int) -> AsyncIterator[Photo]:
    for number in range(item):
        yield Photo(title=str(number))


async def responding(item: int) -> StreamingResponse:
    return StreamingResponse(iter([str(item)]))


def keyword(*, item: int) -> Photo:
    return Photo(title=str(item))


ENDPOINTS: dict[str, tuple[str, Any, Any]] = {
    "sync": ("GET", plain, {"item": 3, "q": "x"}),
    "async with bodies": ("POST", posting, {"title": "t3n", "tags": []}),
    "with a request and the grant": ("GET", with_request, ["3", "GET", "ada"]),
    "generator": ("GET", streaming, None),
    "async generator": ("GET", streaming_async, None),
    "streaming response": ("GET", responding, 3),
    "keyword only": ("GET", keyword, {"title": "3", "tags": []}),
}
each_endpoint = pytest.mark.parametrize(("method", "endpoint", "result"), ENDPOINTS.values(), ids=ENDPOINTS)


@each_endpoint
def test_an_endpoint_answers_as_without_the_decorator(
    app: FastAPI, headers: Headers, method: str, endpoint: Any, result: Any
) -> None:
    app.add_api_route("/free/{item}", endpoint, methods=[method])
    app.add_api_route("/guarded/{item}", requires("photos")(endpoint), methods=[method])
    ask = partial(TestClient(app).request, method, headers=headers())
    body = {"photo": {"title": "t"}, "note": "n"} if method == "POST" else None
    free, guarded = (ask(f"/{name}/3", json=body) for name in ("free", "guarded"))
    assert (guarded.status_code, guarded.headers, guarded.content) == (200, free.headers, free.content)
    assert result is None or guarded.json() == result


@each_endpoint
def test_an_endpoint_runs_only_for_a_grant_that_covers_it(
    app: FastAPI, headers: Headers, method: str, endpoint: Any, result: Any
) -> None:
    app.add_api_route("/{item}", requires("admin", AnyOf("a", "b"))(endpoint), methods=[method])
    body = {"photo": {"title": "t"}} if result and method == "POST" else None
    refused = TestClient(app).request(method, "/3", headers=headers("admin"), json=body)
    assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")
    assert 'scope="admin a b"' in refused.headers["www-authenticate"]


def documented(decorate: Callable[[Any], Any]) -> dict[str, Any]:
    app = FastAPI()
    for name, (method, endpoint, _) in ENDPOINTS.items():
        app.add_api_route(f"/{name}/{{item}}", decorate(endpoint), methods=[method])
    return app.openapi()


@pytest.mark.parametrize(
    "decorate",
    [requires("photos"), requires(), lambda endpoint: requires("a")(requires("b")(endpoint))],
    ids=["one scope", "none", "stacked"],
)
def test_the_openapi_document_is_the_same_with_the_decorator(decorate: Callable[[Any], Any]) -> None:
    document = documented(decorate)
    assert document == documented(lambda endpoint: endpoint)
    assert len(document["paths"]) == len(ENDPOINTS)


def test_names_and_texts_stay() -> None:
    guarded = requires("a")(plain)
    assert (guarded.__name__, guarded.__doc__, guarded.__module__) == ("plain", plain.__doc__, __name__)


def test_protect_refuses_what_has_no_token(app: FastAPI, headers: Headers) -> None:
    app.add_api_route("/{item}", plain)
    client = TestClient(app)
    assert [client.get("/3", headers=sent).status_code for sent in ({}, headers())] == [401, 200]


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/redoc"])
def test_the_documentation_is_no_exception(app: FastAPI, path: str) -> None:
    assert TestClient(app).get(path).status_code == 401


def test_stacked_decorators_all_apply(app: FastAPI, headers: Headers) -> None:
    app.add_api_route("/{item}", requires("a")(requires("b")(requires("c")(plain))))
    client = TestClient(app)
    statuses = [client.get("/3", headers=headers(scope)).status_code for scope in ("a b", "b c", "a c", "c b a")]
    assert statuses == [403, 403, 403, 200]


@pytest.mark.parametrize(
    ("needed", "held"),
    [(AllOf("a", "b"), "a"), (AnyOf("a", "b"), "c"), (AllOf("a", AnyOf("b", AllOf("c", "d"))), "a c")],
)
def test_requirements_nest(app: FastAPI, headers: Headers, needed: Any, held: str) -> None:
    app.add_api_route("/{item}", requires(needed)(plain))
    client = TestClient(app)
    assert [client.get("/3", headers=headers(scope)).status_code for scope in (held, "a b c d")] == [403, 200]


@pytest.mark.parametrize("endpoint", [requires("photos")(plain), with_request], ids=["requires", "current_grant"])
def test_a_public_path_may_still_need_a_grant(app: FastAPI, headers: Headers, endpoint: Any) -> None:
    app.add_api_route("/open/{item}", endpoint)
    answer = TestClient(app).get("/open/3", headers=headers())  # a public path reads no credentials
    challenge = 'Bearer scope="photos"' if endpoint is not with_request else "Bearer"
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, challenge)


def test_a_grant_refuses_inside_an_endpoint(app: FastAPI, headers: Headers) -> None:
    @app.get("/")
    def strict(grant: CurrentGrant) -> str:
        grant.require("admin")
        return "done"

    client = TestClient(app)
    assert [client.get("/", headers=headers(scope)).status_code for scope in ("photos", "admin")] == [403, 200]


def test_a_dependency_may_be_decorated(app: FastAPI, headers: Headers) -> None:
    router = APIRouter(prefix="/admin", dependencies=[Depends(requires("admin")(lambda: None))])
    router.add_api_route("/{item}", plain)
    app.include_router(router)
    client = TestClient(app)
    assert [client.get("/admin/3", headers=headers(scope)).status_code for scope in ("photos", "admin")] == [403, 200]


@requires("admin")
def resource() -> Iterator[str]:
    yield "opened"


def using(opened: Annotated[str, Depends(resource)]) -> str:
    return opened


def test_a_dependency_that_yields_may_be_decorated(app: FastAPI, headers: Headers) -> None:
    app.add_api_route("/", using)
    client = TestClient(app)
    refused, allowed = (client.get("/", headers=headers(scope)) for scope in ("photos", "admin"))
    assert (refused.status_code, allowed.json()) == (403, "opened")


def test_endpoints_of_a_router_are_decorated(app: FastAPI, headers: Headers) -> None:
    router = APIRouter(prefix="/photos")

    @router.get("/{item}")
    @requires("admin")
    async def photo(item: int) -> int:
        return item

    app.include_router(router)
    client = TestClient(app)
    assert client.get("/photos/3", headers=headers()).status_code == 403
    assert client.get("/photos/3", headers=headers("admin")).json() == 3


class Endpoint:
    """An endpoint that is an object."""

    async def __call__(self, item: int, photo: Photo) -> Photo:
        return Photo(title=f"{item}{photo.title}")


class Resource:
    """Endpoints that are methods."""

    def bound(self, item: int, photo: Photo) -> Photo:
        return Photo(title=f"{item}{photo.title}")


@pytest.mark.parametrize(
    "endpoint",
    [partial(plain, q="y"), partial(posting, photo=Photo(title="t")), Endpoint(), Resource().bound],
    ids=["partial", "async partial", "object", "bound method"],
)
def test_endpoints_of_other_kinds_are_decorated(app: FastAPI, headers: Headers, endpoint: Any) -> None:
    app.add_api_route("/{item}", requires("admin")(endpoint), methods=["POST"])
    client = TestClient(app)
    statuses = [
        client.post("/3", headers=headers(scope), json={"title": "t"}).status_code for scope in ("photos", "admin")
    ]
    assert statuses == [403, 200]


def typed_for_checkers_only(item: int) -> Unknown:  # type: ignore[name-defined]  # noqa: F821 - what the test is about
    return str(item)


def test_an_annotation_that_only_type_checkers_know_is_left_alone(app: FastAPI, headers: Headers) -> None:
    app.add_api_route("/{item}", requires("photos")(typed_for_checkers_only), response_model=None)
    assert TestClient(app).get("/3", headers=headers()).json() == "3"


def test_a_websocket_endpoint_is_decorated(app: FastAPI, headers: Headers) -> None:
    @app.websocket("/live/{item}")
    @requires("admin")
    async def live(item: int, websocket: WebSocket, grant: CurrentGrant) -> None:
        await websocket.accept()
        await websocket.send_json([item, grant.subject])

    client = TestClient(app)
    with client.websocket_connect("/live/3", headers=headers("admin")) as websocket:
        assert websocket.receive_json() == [3, "ada"]
    for sent, status in (({}, 401), (headers(), 403)):
        with pytest.raises(WebSocketDenialResponse) as refused:
            client.websocket_connect("/live/3", headers=sent).__enter__()
        assert refused.value.status_code == status


async def by_dependency(grant: CurrentGrant) -> str:
    return grant.subject


@pytest.mark.parametrize("endpoint", [requires("a")(by_dependency), requires()(lambda: "x"), by_dependency])
def test_without_the_middleware_nothing_passes_and_the_error_says_why(headers: Headers, endpoint: Any) -> None:
    app = FastAPI()
    app.add_api_route("/", endpoint)
    with pytest.raises(RuntimeError, match="no middleware has checked"):
        TestClient(app).get("/", headers=headers("a"))
    assert TestClient(app, raise_server_exceptions=False).get("/", headers=headers("a")).status_code == 500


@pytest.mark.parametrize("undecorated", [plain, posting, Resource, Photo, None])
def test_a_decorator_without_its_scopes_is_a_mistake_found_at_import(undecorated: Any) -> None:
    with pytest.raises(TypeError, match="miss its parentheses"):
        requires(undecorated)


def test_the_decorator_of_starlette_without_a_request_lets_nothing_through(app: FastAPI, headers: Headers) -> None:
    app.add_api_route("/{item}", starlette_requires("photos")(plain))
    with pytest.raises(TypeError, match="take a request or a WebSocket"):
        TestClient(app).get("/3", headers=headers())


def test_the_decorator_of_starlette_with_a_request_works(app: FastAPI, headers: Headers) -> None:
    app.add_api_route("/{item}", starlette_requires("admin")(with_request))
    client = TestClient(app)
    assert [client.get("/3", headers=headers(scope)).status_code for scope in ("photos", "admin")] == [403, 200]


def is_ada(grant: Any, request: Any) -> bool:
    return bool(grant.subject == "ada" and request.parameters.get("item", "3") == "3")


async def is_ada_async(grant: Any, request: Any) -> bool:
    return is_ada(grant, request)


def cannot_tell(_grant: Any, _request: Any) -> bool:
    raise Unavailable("database_down", "Nothing can be decided now.")


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ask(app: FastAPI, issuer: Issuer, backend: str) -> Callable[..., Any]:
    """Asks the application, on either backend, with a token of the given claims."""

    def ask(path: str = "/3", method: str = "GET", body: Any = None, **claims: Any) -> Any:
        client = TestClient(app, backend=backend, raise_server_exceptions=False)  # type: ignore[arg-type]
        return client.request(method, path, json=body, headers=dict(bearer(issuer.token(**claims))))

    return ask


class Generating:
    """An endpoint that is an object and yields."""

    def __call__(self, item: int) -> Iterator[str]:
        yield str(item)


@pytest.mark.parametrize("function", [is_ada, is_ada_async])
@pytest.mark.parametrize(
    ("method", "endpoint"),
    [*((method, endpoint) for method, endpoint, _ in ENDPOINTS.values()), ("GET", Generating())],
    ids=[*ENDPOINTS, "object that yields"],
)
def test_a_condition_is_asked_with_the_request_and_its_parameters(
    app: FastAPI, ask: Callable[..., Any], method: str, endpoint: Any, function: Any
) -> None:
    app.add_api_route("/{item}", requires("photos", Condition(function))(endpoint), methods=[method])
    body = {"photo": {"title": "t"}} if method == "POST" else None
    answers = [ask("/3", method, body), ask("/4", method, body), ask("/3", method, body, sub="bob")]
    assert [answer.status_code for answer in answers] == [200, 403, 403]
    assert 'scope="photos"' in answers[1].headers["www-authenticate"]


@pytest.mark.parametrize("endpoint", [plain, streaming, streaming_async])
def test_stacked_conditions_all_apply(app: FastAPI, ask: Callable[..., Any], endpoint: Any) -> None:
    twice = requires("photos", Condition(is_ada))(requires(Condition(is_ada_async), "profile")(endpoint))
    app.add_api_route("/{item}", twice)
    claims: list[dict[str, str]] = [{}, {"scope": "photos"}, {"scope": "profile"}, {"sub": "bob"}]
    assert [ask(**each).status_code for each in claims] == [200, 403, 403, 403]


def opened() -> Iterator[str]:
    yield "opened"


async def opened_async() -> AsyncIterator[str]:
    yield "opened"


@pytest.mark.parametrize("dependency", [lambda: "opened", opened, opened_async])
@pytest.mark.parametrize("function", [is_ada, is_ada_async])
def test_a_condition_stands_before_a_dependency(
    app: FastAPI, ask: Callable[..., Any], dependency: Any, function: Any
) -> None:
    found = Depends(requires(Condition(function))(dependency))

    def using(item: int, opened: str = found) -> str:
        return f"{opened} {item}"

    using.__annotations__ = {"item": int, "opened": str}
    app.add_api_route("/{item}", using)
    assert (ask("/3").json(), ask("/4").status_code) == ("opened 3", 403)


def test_what_yields_and_was_not_called_by_fastapi_is_not_run() -> None:
    with pytest.raises(KeyError, match="oauth_rs_permitted"):
        requires("photos")(streaming)(item=3)
    with pytest.raises(KeyError, match="oauth_rs_connection"):
        requires("photos")(plain)(item=3)


async def with_connection(item: int, connection: HTTPConnection) -> list[str]:
    return [str(item), str(connection.scope["path"])]


def test_an_endpoint_may_take_the_connection_itself(app: FastAPI, ask: Callable[..., Any]) -> None:
    app.add_api_route("/{item}", requires("photos")(filtered(WHOLE)(requires("profile")(with_connection))))
    assert [ask(scope=scope).status_code for scope in ("photos", "profile", "photos profile")] == [403, 403, 200]
    assert ask(scope="photos profile").json() == ["3", "/3"]


@pytest.mark.parametrize("function", [is_ada, is_ada_async])
def test_a_condition_stands_before_a_websocket(app: FastAPI, headers: Headers, function: Any) -> None:
    @app.websocket("/live/{item}")
    @requires(Condition(function))
    async def live(item: int, websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(item)

    client = TestClient(app)
    with client.websocket_connect("/live/3", headers=headers()) as websocket:
        assert websocket.receive_json() == 3
    with pytest.raises(WebSocketDenialResponse) as refused:
        client.websocket_connect("/live/4", headers=headers()).__enter__()
    assert refused.value.status_code == 403


@pytest.mark.parametrize("endpoint", [plain, streaming])
def test_a_condition_that_cannot_tell_is_a_503(app: FastAPI, ask: Callable[..., Any], endpoint: Any) -> None:
    app.add_api_route("/{item}", requires(Condition(cannot_tell))(endpoint))
    assert (ask().status_code, ask().headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("endpoint", [plain, streaming])
@pytest.mark.parametrize("answer", [None, 1, "yes"])
def test_a_condition_that_gives_no_verdict_is_a_500(
    app: FastAPI, ask: Callable[..., Any], endpoint: Any, answer: Any
) -> None:
    app.add_api_route("/{item}", requires(Condition(lambda *_: answer))(endpoint))
    assert ask().status_code == 500


@pytest.mark.parametrize("endpoint", [plain, streaming_async])
def test_a_stronger_or_newer_authentication_is_asked_for(app: FastAPI, ask: Callable[..., Any], endpoint: Any) -> None:
    app.add_api_route("/{item}", requires(Acr("mfa"), MaxAge(60, clock=lambda: 1000))(endpoint))
    weak, old, good = ask(acr="pwd", auth_time=990), ask(acr="mfa", auth_time=900), ask(acr="mfa", auth_time=990)
    assert [answer.status_code for answer in (weak, old, good)] == [401, 401, 200]
    assert 'acr_values="mfa"' in weak.headers["www-authenticate"]
    assert 'max_age="60"' in old.headers["www-authenticate"]


@pytest.mark.parametrize("endpoint", [plain, streaming])
def test_a_scope_of_the_path_is_that_of_its_parameter(app: FastAPI, ask: Callable[..., Any], endpoint: Any) -> None:
    app.add_api_route("/{item}", requires("item:{item}:read")(endpoint))
    app.add_api_route("/other/{item}", requires("item:{tenant}:read")(endpoint))
    scope = "item:3:read item:{tenant}:read item::read"
    assert [ask(path, scope=scope).status_code for path in ("/3", "/4", "/other/3")] == [200, 403, 500]


class Customer(BaseModel):
    """Somebody with a schema."""

    id: int = 1
    name: str = "Ada"
    secret: str = "x"


class Narrow(BaseModel):
    """What the framework lets out of a customer."""

    name: str
    secret: str


WHOLE = FieldFilter({"profile": ["*"]})
FIELDS = FieldFilter({"profile": ["name"]}, always=["id"])
ADA = {"id": 1, "name": "Ada", "secret": "x"}
SHOWN = {"id": 1, "name": "Ada"}
OOPS = {"error": "server_error"}
TEXT = json.dumps(ADA)


def a_dict() -> dict[str, Any]:
    return ADA


async def a_list() -> list[dict[str, Any]]:
    return [ADA, ADA]


def a_tuple() -> tuple[Customer, int]:
    return Customer(), 7


async def a_model() -> Customer:
    return Customer()


def untyped(item: int):  # type: ignore[no-untyped-def]  # noqa: ANN201, ARG001
    return Customer()


def a_json_response() -> JSONResponse:
    return JSONResponse(ADA, 201)


async def a_response() -> Response:
    return Response(TEXT, media_type="application/problem+json")


def a_stream() -> StreamingResponse:
    return StreamingResponse(iter([TEXT[:9], TEXT[9:]]), media_type="application/json")


def nothing() -> None:
    """Answers null."""


def items() -> Iterator[Customer]:
    yield from (Customer(), Customer())


async def items_async() -> AsyncIterator[Customer]:
    yield Customer()


ANSWERS: dict[str, tuple[Any, int, Any]] = {
    "dict": (a_dict, 200, SHOWN),
    "list": (a_list, 200, [SHOWN, SHOWN]),
    "tuple": (a_tuple, 200, [SHOWN]),
    "model": (a_model, 200, SHOWN),
    "untyped": (untyped, 200, SHOWN),
    "JSONResponse": (a_json_response, 201, SHOWN),
    "Response": (a_response, 200, SHOWN),
    "StreamingResponse": (a_stream, 200, SHOWN),
    "nothing": (nothing, 200, None),
    "generator": (items, 500, OOPS),
}
each_answer = pytest.mark.parametrize(("endpoint", "status", "shown"), ANSWERS.values(), ids=ANSWERS)


@each_answer
def test_whatever_an_endpoint_answers_is_filtered(
    app: FastAPI, ask: Callable[..., Any], endpoint: Any, status: int, shown: Any
) -> None:
    app.add_api_route("/{item}", filtered(FIELDS)(endpoint))
    answer = ask()
    assert (answer.status_code, answer.json()) == (status, shown)


def test_what_yields_asynchronously_cannot_be_filtered_either(app: FastAPI, headers: Headers) -> None:
    app.add_api_route("/{item}", filtered(FIELDS)(items_async))
    answer = TestClient(app).get("/3", headers=headers())
    assert (answer.status_code, answer.json()) == (500, OOPS)


@pytest.mark.parametrize("endpoint", [*(endpoint for endpoint, *_ in ANSWERS.values()), items_async])
def test_the_openapi_document_is_the_same_with_a_filter(endpoint: Any) -> None:
    def documented(decorate: Callable[[Any], Any]) -> dict[str, Any]:
        app = FastAPI()
        app.add_api_route("/{item}", decorate(endpoint))
        return app.openapi()

    plain_one = documented(lambda it: it)
    assert documented(filtered(FIELDS)) == plain_one
    assert documented(lambda it: requires("a")(filtered(FIELDS)(it))) == plain_one


def test_a_response_model_and_a_filter_both_hold(app: FastAPI, ask: Callable[..., Any]) -> None:
    app.add_api_route("/{item}", filtered(FIELDS)(untyped), response_model=Narrow)
    assert ask().json() == {"name": "Ada"}


def test_no_content_and_errors_are_what_they_were(app: FastAPI, ask: Callable[..., Any]) -> None:
    @app.get("/none/{item}", status_code=204)
    @filtered(FIELDS)
    def none(item: int) -> None:
        """Answers nothing, for an item that is a number."""
        assert item

    assert (ask("/none/3").status_code, ask("/none/3").content) == (204, b"")
    invalid = ask("/none/x")
    assert (invalid.status_code, invalid.json()["detail"][0]["loc"]) == (422, ["path", "item"])


def test_a_filter_and_a_requirement_stand_before_one_endpoint_in_any_order(
    app: FastAPI, ask: Callable[..., Any]
) -> None:
    app.add_api_route("/a/{item}", requires("photos")(filtered(FIELDS)(untyped)))
    app.add_api_route("/b/{item}", filtered(FIELDS)(requires("photos")(untyped)))
    for path in ("/a/3", "/b/3"):
        assert (ask(path, scope="photos profile").json(), ask(path, scope="profile").status_code) == (SHOWN, 403)


def test_an_endpoint_may_take_further_keywords(app: FastAPI, ask: Callable[..., Any]) -> None:
    @app.get("/more/{item}")
    @requires("photos")
    def more(item: int, **options: Any) -> dict[str, Any]:
        return {"item": item, **options}

    assert ask("/more/3?options=1", scope="photos").json() == {"item": 3, "options": "1"}


def test_two_filters_show_what_both_show(app: FastAPI, ask: Callable[..., Any]) -> None:
    app.add_api_route("/{item}", filtered(FIELDS)(filtered(FieldFilter({"profile": ["name", "secret"]}))(untyped)))
    assert ask().json() == {"name": "Ada"}


def test_a_router_may_be_filtered_by_a_dependency(app: FastAPI, ask: Callable[..., Any]) -> None:
    router = APIRouter(dependencies=[Depends(filtered(FIELDS)(lambda: None))])
    router.add_api_route("/{item}", untyped)
    app.include_router(router)
    assert ask().json() == SHOWN


def test_an_answer_over_the_limit_does_not_go_out(issuer: Issuer, headers: Headers) -> None:
    app = FastAPI()
    protect(app, ResourceServer(Bearer(issuer.provider())), max_filtered=9)
    app.add_api_route("/{item}", filtered(FIELDS)(untyped))
    answer = TestClient(app).get("/3", headers=headers())
    assert (answer.status_code, answer.json()) == (500, OOPS)


def test_a_websocket_cannot_be_filtered(app: FastAPI, headers: Headers) -> None:
    @app.websocket("/live")
    @filtered(FIELDS)
    async def live(websocket: WebSocket) -> None:
        raise AssertionError(f"it ran for {websocket}")

    with pytest.raises(TypeError, match="a WebSocket has none"):
        TestClient(app).websocket_connect("/live", headers=headers()).__enter__()


@pytest.mark.parametrize("endpoint", [a_dict, a_model, items])
def test_without_the_middleware_nothing_is_shown_and_the_error_says_why(headers: Headers, endpoint: Any) -> None:
    app = FastAPI()
    app.add_api_route("/", filtered(FIELDS)(endpoint))
    with pytest.raises(RuntimeError, match="no middleware has checked"):
        TestClient(app).get("/", headers=headers())


@pytest.mark.parametrize("undecorated", [plain, Resource, {"profile": ["name"]}, None])
def test_a_decorator_without_its_filter_is_a_mistake_found_at_import(undecorated: Any) -> None:
    with pytest.raises(TypeError, match="write @filtered"):
        filtered(undecorated)


def test_what_is_no_application_is_not_protected(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider()))
    with pytest.raises(TypeError, match=r"app is a .* application, not ResourceServer"):
        protect(server, FastAPI())  # type: ignore[arg-type]  # the wrong way round
