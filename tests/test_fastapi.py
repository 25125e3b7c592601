from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Query, Request, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.testclient import WebSocketDenialResponse

from oauth_rs import AllOf, AnyOf, Bearer, Grant, ResourceServer
from oauth_rs.fastapi import current_grant, protect, requires
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
