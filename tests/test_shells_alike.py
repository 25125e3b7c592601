"""One table of requests, driven through every shell and framework: they must not differ in what a client sees."""

import json
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.responses import PlainTextResponse
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from oauth_rs import (
    AnyOf,
    Bearer,
    DirectURL,
    FormField,
    Grant,
    JWTProvider,
    LegacyQuery,
    RemoteKeys,
    ResourceServer,
    asgi,
    fastapi,
    flask,
    starlette,
    wsgi,
)
from oauth_rs.schemes.bearer import AUTHORIZATION, MAX_FORM_BYTES
from oauth_rs.scopes import AllOf
from oauth_rs.server import authorize
from tests.support.calling import Answer, Headers, bearer, call_asgi, call_wsgi
from tests.support.issuing import API, Issuer

Ask = Callable[..., Answer]
AskedFor = tuple[int, str, str, Headers, bytes]  # the status to expect, method, target, headers, body

METHODS = ["GET", "HEAD", "POST"]
NEEDED = ("admin", AnyOf("photos", "videos"))
DOWN = Issuer(kid="down", issuer="https://down.example")
FORM = ("Content-Type", "application/x-www-form-urlencoded")


def resource_server() -> ResourceServer:
    nowhere = RemoteKeys("http://127.0.0.1:1/keys")
    down = JWTProvider(DOWN.issuer, audience=API, keys=nowhere)
    bearer = Bearer(
        Issuer().provider(),
        down,
        presentation=[AUTHORIZATION, FormField(), LegacyQuery()],
        realm="photos",
        resource_metadata="https://api.example.com/.well-known/oauth-protected-resource",
    )
    return ResourceServer(bearer, public=["/open/*"], url=DirectURL(hosts=["api.example.com"]))


def with_flask() -> Ask:
    app = Flask(__name__)
    flask.protect(app, resource_server())

    def inside() -> str:
        flask.current_grant.require(*NEEDED)
        return "done"

    guarded = flask.requires(*NEEDED)(lambda: "done")
    app.add_url_rule("/any", "any", lambda: f"done for {flask.current_grant.subject}", methods=METHODS)
    app.add_url_rule("/guarded", "guarded", guarded, methods=METHODS)
    app.add_url_rule("/inside", "inside", inside, methods=METHODS)
    app.add_url_rule("/open/guarded", "open", guarded, methods=METHODS)
    return lambda *request: call_wsgi(app, *request)


def with_starlette() -> Ask:
    @starlette.requires()
    async def anyone(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"done for {request.state.grant.subject}")

    @starlette.requires(*NEEDED)
    async def guarded(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("done")

    def inside(request: Request) -> PlainTextResponse:
        request.state.grant.require(*NEEDED)
        return PlainTextResponse("done")

    endpoints = {"/any": anyone, "/guarded": guarded, "/inside": inside, "/open/guarded": guarded}
    app = Starlette(routes=[Route(path, endpoint, methods=METHODS) for path, endpoint in endpoints.items()])
    starlette.protect(app, resource_server())
    return lambda *request: call_asgi(app, *request)


def with_fastapi() -> Ask:
    app = FastAPI()
    fastapi.protect(app, resource_server())

    def anyone(grant: Annotated[Grant, Depends(fastapi.current_grant)]) -> str:
        return f"done for {grant.subject}"

    @fastapi.requires(*NEEDED)
    async def guarded() -> str:
        return "done"

    def inside(grant: Annotated[Grant, Depends(fastapi.current_grant)]) -> str:
        grant.require(*NEEDED)
        return "done"

    endpoints: dict[str, Any] = {"/any": anyone, "/guarded": guarded, "/inside": inside, "/open/guarded": guarded}
    for path, endpoint in endpoints.items():
        app.add_api_route(path, endpoint, methods=METHODS, response_class=PlainTextResponse)
    return lambda *request: call_asgi(app, *request)


def decided(path: str, grant: Grant | None) -> str:
    if path == "/any":
        return f"done for {authorize(grant, AllOf()).subject}"
    authorize(grant, AllOf(*NEEDED))
    return "done"


def with_wsgi() -> Ask:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = decided(environ["PATH_INFO"], environ[wsgi.GRANT]).encode()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    return lambda *request: call_wsgi(wsgi.OAuthMiddleware(app, resource_server()), *request)


def with_asgi() -> Ask:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        body = decided(scope["path"], scope["state"]["grant"]).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return lambda *request: call_asgi(asgi.OAuthMiddleware(app, resource_server()), *request)


SHELLS = {"flask": with_flask, "starlette": with_starlette, "fastapi": with_fastapi, "wsgi": with_wsgi}
TOKENS = {
    "good": Issuer().token(),
    "admin": Issuer().token(scope="admin videos"),
    "expired": Issuer().token(exp=1),
    "forged": Issuer(kid="k2").token(header={"kid": "k1"}),
    "elsewhere": Issuer(issuer="https://other.example").token(),
    "down": DOWN.token(),
    "bound": Issuer().token(cnf={"jkt": "x"}),
}
REQUESTS: dict[str, AskedFor] = {
    "good token": (200, "POST", "/any", bearer(TOKENS["good"]), b""),
    "scheme in capitals": (200, "GET", "/any", [("Authorization", f"BEARER  {TOKENS['good']}")], b""),
    "token in the query": (200, "GET", f"/any?access_token={TOKENS['good']}", [], b""),
    "token in the form": (200, "POST", "/any", [FORM], f"access_token={TOKENS['good']}".encode()),
    "decorator is content": (200, "GET", "/guarded", bearer(TOKENS["admin"]), b""),
    "handler is content": (200, "GET", "/inside", bearer(TOKENS["admin"]), b""),
    "nothing": (401, "GET", "/any", [], b""),
    "nothing at an unknown path": (401, "GET", "/unknown", [], b""),
    "nothing for a method not allowed": (401, "DELETE", "/any", [], b""),
    "nothing for OPTIONS": (401, "OPTIONS", "/any", [], b""),
    "another scheme": (401, "GET", "/any", [("Authorization", "Basic YTpi")], b""),
    "an unfinished header": (400, "GET", "/any", [("Authorization", "Bearer")], b""),
    "rubbish": (401, "GET", "/any", bearer("rubbish"), b""),
    "rubbish beyond ASCII": (400, "GET", "/any", bearer("\xff"), b""),
    "expired": (401, "GET", "/any", bearer(TOKENS["expired"]), b""),
    "forged": (401, "GET", "/any", bearer(TOKENS["forged"]), b""),
    "of another issuer": (401, "GET", "/any", bearer(TOKENS["elsewhere"]), b""),
    "bound to a key": (401, "GET", "/any", bearer(TOKENS["bound"]), b""),
    "of an issuer that is down": (503, "GET", "/any", bearer(TOKENS["down"]), b""),
    "refused by the decorator": (403, "GET", "/guarded", bearer(TOKENS["good"]), b""),
    "refused by the decorator, POST": (403, "POST", "/guarded", bearer(TOKENS["good"]), b"{}"),
    "refused by the handler": (403, "GET", "/inside", bearer(TOKENS["good"]), b""),
    "no grant for the decorator": (401, "GET", "/open/guarded", [], b""),
    "token not read for the decorator": (401, "GET", "/open/guarded", bearer(TOKENS["admin"]), b""),
    "header and query": (400, "GET", "/any?access_token=x", bearer(TOKENS["good"]), b""),
    "header and form": (400, "POST", "/any", [FORM, *bearer(TOKENS["good"])], b"access_token=x"),
    "form too large": (413, "POST", "/any", [FORM, *bearer(TOKENS["good"])], bytes(MAX_FORM_BYTES + 1)),
    "form not ASCII": (400, "POST", "/any", [FORM], b"\xff=&access_token=x"),
    "another host": (400, "GET", "/any", [("Host", "evil.example"), *bearer(TOKENS["good"])], b""),
    "HEAD for nothing": (401, "HEAD", "/any", [], b""),
    "HEAD for the decorator": (403, "HEAD", "/guarded", bearer(TOKENS["good"]), b""),
    "HEAD for the handler": (403, "HEAD", "/inside", bearer(TOKENS["good"]), b""),
}  # fmt: skip
OURS = {"www-authenticate", "retry-after", "cache-control", "content-type", "content-length"}


def ask(shell: Ask, method: Any, target: Any, headers: Any, body: Any) -> Answer:
    named = headers if any(name == "Host" for name, _ in headers) else [("Host", "api.example.com"), *headers]
    return shell(method, target, named, body)


def seen(answer: Answer) -> tuple[int, bytes, list[tuple[str, str]]]:
    """What must be the same; of a success the headers are the framework's, save that it may be private."""
    kept = OURS if answer.status != 200 else {"cache-control"}
    headers = sorted((name.lower(), value) for name, value in answer.headers if name.lower() in kept)
    return answer.status, answer.body, headers


each_request = pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
@each_request
def test_every_shell_answers_as_bare_asgi_does(shell: Callable[[], Ask], request_: AskedFor) -> None:
    status, *asked = request_
    expected = ask(with_asgi(), *asked)
    assert expected.status == status
    assert seen(ask(shell(), *asked)) == seen(expected)


@each_request
def test_every_refusal_has_one_challenge_or_a_time_to_retry_and_a_body(request_: AskedFor) -> None:
    status, method, *rest = request_
    answer = ask(with_asgi(), method, *rest)
    counts = [len(answer.header(name)) for name in ("www-authenticate", "retry-after")]
    assert counts == {200: [0, 0], 503: [0, 1]}.get(status, [1, 0])
    assert bool(answer.body) == (method != "HEAD")
    if answer.body and status != 200:
        assert json.loads(answer.body)["error_description"]


@pytest.mark.parametrize("path", ["/guarded", "/inside"])
def test_a_refusal_for_scopes_names_them_all(path: str) -> None:
    answer = ask(with_asgi(), "GET", path, bearer(TOKENS["good"]), b"")
    assert answer.challenge == (
        'Bearer realm="photos", scope="admin photos videos", error="insufficient_scope", '
        'error_description="The grant does not cover this operation.", '
        'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"'
    )
