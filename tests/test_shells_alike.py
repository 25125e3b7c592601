"""One table of requests, driven through every shell and framework: they must not differ in what a client sees."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse
from flask import Flask
from flask import request as flask_request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from oauth_rs import (
    AnyOf,
    Bearer,
    DirectURL,
    FormField,
    Grant,
    Header,
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
from oauth_rs.fields import FieldFilter
from oauth_rs.identity import PLAIN_NAMES, IdentityHeaders
from oauth_rs.permission import authorize
from oauth_rs.policy import OperationScopes
from oauth_rs.requirements import Acr, Condition, MaxAge
from oauth_rs.schemes.bearer import AUTHORIZATION, MAX_FORM_BYTES
from oauth_rs.scopes import AllOf
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


# A server with everything on. The frameworks ask by decorators for what the bare shells ask for by a policy.


def is_owner(grant: Any, request: Any) -> bool:
    return bool(request.parameters["owner"] == grant.subject)


async def is_owner_async(grant: Any, request: Any) -> bool:
    return is_owner(grant, request)


GUARDS: dict[str, Any] = {
    "seen": AllOf(),
    "asked": AllOf("photos", Condition(is_owner)),
    "waited": AnyOf("admin", Condition(is_owner_async)),
    "strong": AllOf(Acr("mfa"), MaxAge(60, clock=lambda: 1000)),
    "tenant": AllOf("tenant:{owner}:read"),
    "customer": AllOf("photos"),
}
FIELDS = FieldFilter({"profile": ["name"], "photos": ["photos.title"]}, always=["id"])
BOTH = FieldFilter({"photos": ["id", "name", "secret"]})  # of decorators, beside the filter of the server
ADA = {"id": 1, "name": "Ada", "secret": "x", "photos": [{"title": "t", "secret": "y"}]}


def equipped(*, policy: bool) -> ResourceServer:
    scheme = Bearer(
        Issuer().provider(), presentation=[AUTHORIZATION, Header("Access-Token"), FormField(), LegacyQuery()]
    )
    return ResourceServer(
        scheme,
        policy=OperationScopes({f"* /{name}/<owner>": rule for name, rule in GUARDS.items()}) if policy else None,
        identity=IdentityHeaders(),
        hide_credentials=True,
        filters={"* /customer/<owner>": FIELDS, "GET /seen/json": FIELDS},
    )


def looked_at(headers: Mapping[str, str], query: bytes, body: bytes) -> str:
    """What an application sees of a request: all that could say who calls, and all that could hold a token."""
    names = {*PLAIN_NAMES, "authorization", "access-token", "connection", "content-length"}
    found = {name: value for name, value in headers.items() if name.replace("_", "-") in names and value != "0"}
    return json.dumps([sorted(found.items()), query.decode("latin-1"), body.decode("latin-1")])


def equipped_flask() -> Ask:
    app = Flask(__name__)
    flask.protect(app, equipped(policy=False))

    def seen(owner: str) -> Any:
        headers = {name.lower(): value for name, value in flask_request.headers.items()}
        text = looked_at(headers, flask_request.query_string, flask_request.get_data())
        return app.response_class(text, mimetype="application/json" if owner == "json" else "text/plain")

    views: dict[str, Any] = dict.fromkeys(GUARDS, seen) | {"customer": flask.filtered(BOTH)(lambda **_: ADA)}
    for name, view in views.items():
        app.add_url_rule(f"/{name}/<owner>", name, flask.requires(GUARDS[name])(view), methods=METHODS)
    return lambda *request: call_wsgi(app, *request)


async def seen_by_starlette(request: Request) -> Any:
    text = looked_at(request.headers, request.scope["query_string"], await request.body())
    kind = "application/json" if request.path_params["owner"] == "json" else "text/plain"
    return PlainTextResponse(text, media_type=kind)


def equipped_starlette() -> Ask:
    endpoints: dict[str, Any] = dict.fromkeys(GUARDS, seen_by_starlette)
    endpoints["customer"] = starlette.filtered(BOTH)(lambda _request: JSONResponse(ADA))
    routes = [
        Route(f"/{name}/{{owner}}", starlette.requires(GUARDS[name])(endpoint), methods=METHODS)
        for name, endpoint in endpoints.items()
    ]
    app = Starlette(routes=routes)
    starlette.protect(app, equipped(policy=False))
    return lambda *request: call_asgi(app, *request)


def equipped_fastapi() -> Ask:
    app = FastAPI()
    fastapi.protect(app, equipped(policy=False))
    endpoints: dict[str, Any] = dict.fromkeys(GUARDS, seen_by_starlette)
    endpoints["customer"] = fastapi.filtered(BOTH)(lambda: ADA)
    for name, endpoint in endpoints.items():
        app.add_api_route(f"/{name}/{{owner}}", fastapi.requires(GUARDS[name])(endpoint), methods=METHODS)
    return lambda *request: call_asgi(app, *request)


def equipped_wsgi() -> Ask:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        headers = {key[5:].replace("_", "-").lower(): environ[key] for key in environ if key.startswith("HTTP_")}
        headers |= {"content-length": environ["CONTENT_LENGTH"]} if environ.get("CONTENT_LENGTH") else {}
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        text = looked_at(headers, environ["QUERY_STRING"].encode("latin-1"), body)
        if environ["PATH_INFO"].startswith("/customer/"):
            environ[wsgi.CHECKED].middleware.filter(environ, BOTH)
            text = json.dumps(ADA)
        kind = "text/plain" if text[0] == "[" and not environ["PATH_INFO"].endswith("json") else "application/json"
        start_response("200 OK", [("Content-Type", kind)])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else text.encode()]

    middleware = wsgi.OAuthMiddleware(app, equipped(policy=True))
    return lambda *request: call_wsgi(middleware, *request)


def equipped_asgi() -> Ask:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        text = looked_at(headers, scope["query_string"], (await receive())["body"])
        if scope["path"].startswith("/customer/"):
            scope[asgi.CHECKED].middleware.filter(scope, BOTH)
            text = json.dumps(ADA)
        kind = b"text/plain" if text[0] == "[" and not scope["path"].endswith("json") else b"application/json"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else text.encode()})

    middleware = asgi.OAuthMiddleware(app, equipped(policy=True))
    return lambda *request: call_asgi(middleware, *request)


EQUIPPED = {
    "flask": equipped_flask,
    "starlette": equipped_starlette,
    "fastapi": equipped_fastapi,
    "wsgi": equipped_wsgi,
}
FORGED = [("OAuth-ResourceOwnerUID", "root"), ("OAuth-Properties", "admin=1"), ("Connection", "oauth-scope, close")]
MFA = Issuer().token(acr="mfa", auth_time=990)
TENANT = Issuer().token(scope="tenant:ada:read photos")
BOTH_SCOPES = Issuer().token(scope="photos profile", sub="Adä, =%", name="A\r\nX: 1")
FORM_BODY = f"a=1&access_token={BOTH_SCOPES}&b=%20".encode()
ASKED: dict[str, AskedFor] = {
    "told who calls": (200, "GET", "/seen/x", bearer(BOTH_SCOPES), b""),
    "told who calls, HEAD": (200, "HEAD", "/seen/x", bearer(BOTH_SCOPES), b""),
    "a token in a header": (200, "GET", "/seen/x", [("Access-Token", BOTH_SCOPES)], b""),
    "a token in the query": (200, "GET", f"/seen/x?a=%20&access%5Ftoken={BOTH_SCOPES}&&b", [], b""),
    "a token in a form": (200, "POST", "/seen/x?a", [FORM, ("Content-Length", str(len(FORM_BODY)))], FORM_BODY),
    "a form without one": (200, "POST", "/seen/x", [FORM, ("Content-Length", "4"), *bearer(BOTH_SCOPES)], b"a=&b"),
    "too much to tell": (401, "GET", "/seen/x", bearer(Issuer().token(sub="a" * 9000)), b""),
    "filtered by both": (200, "GET", "/customer/x", bearer(BOTH_SCOPES), b""),
    "filtered by both, fewer scopes": (200, "GET", "/customer/x", bearer(TENANT), b""),
    "filtered by both, HEAD": (200, "HEAD", "/customer/x", bearer(BOTH_SCOPES), b""),
    "filtered by the server": (200, "GET", "/seen/json", bearer(BOTH_SCOPES), b""),
    "not filtered": (200, "POST", "/seen/json", bearer(BOTH_SCOPES), b""),
    "ambiguous": (400, "GET", "/seen/..;/json", bearer(BOTH_SCOPES), b""),
    "a condition, met": (200, "GET", "/asked/ada", bearer(TENANT), b""),
    "a condition, not met": (403, "GET", "/asked/bob", bearer(TENANT), b""),
    "a condition, scope not met": (403, "GET", "/asked/ada", bearer(Issuer().token(scope="profile")), b""),
    "an async condition, met": (200, "POST", "/waited/ada", bearer(TENANT), b""),
    "an async condition, not met": (403, "GET", "/waited/bob", bearer(TENANT), b""),
    "an async condition, not needed": (200, "GET", "/waited/bob", bearer(TOKENS["admin"]), b""),
    "strong enough": (200, "GET", "/strong/x", bearer(MFA), b""),
    "too weak": (401, "GET", "/strong/x", bearer(Issuer().token(acr="pwd", auth_time=990)), b""),
    "too old": (401, "GET", "/strong/x", bearer(Issuer().token(acr="mfa", auth_time=900)), b""),
    "of its tenant": (200, "GET", "/tenant/ada", bearer(TENANT), b""),
    "of another tenant": (403, "HEAD", "/tenant/bob", bearer(TENANT), b""),
    "of no tenant": (403, "GET", "/tenant/ada:read", bearer(TENANT), b""),
}


@pytest.mark.parametrize("shell", EQUIPPED.values(), ids=EQUIPPED)
@pytest.mark.parametrize("request_", ASKED.values(), ids=ASKED)
def test_every_shell_with_everything_on_answers_as_bare_asgi_does(shell: Callable[[], Ask], request_: AskedFor) -> None:
    status, method, target, headers, body = request_
    asked = method, target, [*headers, *FORGED], body
    expected = ask(equipped_asgi(), *asked)
    assert expected.status == status
    assert (expected.body != b"") == (method != "HEAD")
    assert b"root" not in expected.body
    assert BOTH_SCOPES.encode() not in expected.body
    answer = ask(shell(), *asked)
    if method == "HEAD" and status == 200:  # which servers send without what a framework leaves in it
        answer = replace(answer, body=b"")
    assert seen_whole(answer) == seen_whole(expected)


def seen_whole(answer: Answer) -> tuple[int, bytes, list[tuple[str, str]]]:
    """As `seen`; of JSON the white space is the framework's."""
    status, body, headers = seen(answer)
    vary = [("vary", value) for value in answer.header("vary")]
    return status, json.dumps(json.loads(body)).encode() if body else b"", [*headers, *vary]


def test_what_two_filters_show_is_what_both_show() -> None:
    answer = ask(equipped_asgi(), "GET", "/customer/x", bearer(BOTH_SCOPES), b"")
    assert json.loads(answer.body) == {"id": 1, "name": "Ada"}


def test_nobody_but_the_server_says_who_calls() -> None:
    answer = ask(equipped_asgi(), "POST", "/seen/x?key=1", [FORM, *FORGED], FORM_BODY)
    found, query, body = json.loads(answer.body)
    assert dict(found) == {
        "connection": "close",
        "oauth-clientid": "app",
        "oauth-resourceownerdomain": "https://id.example.com",
        "oauth-resourceowneruid": "Ad%C3%A4,%20=%25",
        "oauth-resourceowneruserinfo": "name=A%0D%0AX:%201",
        "oauth-scope": "photos profile",
        "oauth-tokentype": "Bearer",
        "oauth-version": "2.0",
    }
    assert (query, body) == ("key=1", "a=1&b=%20")


async def _nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    """Answers nothing: it is not called."""


MISTAKEN: Mapping[str, Callable[[Any, Any], object]] = {
    "wsgi": lambda server, limit: wsgi.OAuthMiddleware(Flask(__name__), server, max_filtered=limit),
    "flask": lambda server, limit: flask.protect(Flask(__name__), server, max_filtered=limit),
    "asgi": lambda server, limit: asgi.OAuthMiddleware(_nothing, server, max_filtered=limit),
    "starlette": lambda server, limit: starlette.protect(Starlette(), server, max_filtered=limit),
    "fastapi": lambda server, limit: fastapi.protect(FastAPI(), server, max_filtered=limit),
}


@pytest.mark.parametrize(
    ("server", "limit", "error", "message"),
    [
        (None, 1, TypeError, "server is a ResourceServer, .* not NoneType"),
        (5, 1, TypeError, "server is a ResourceServer, .* not int"),
        ("provider", 1, TypeError, "server is a ResourceServer, .* not JWTProvider"),
        ("server", 0, ValueError, "max_filtered is a number of bytes above 0"),
        ("server", 1.5, TypeError, "max_filtered is a whole number of bytes, not 1.5"),
        ("server", True, TypeError, "max_filtered is a whole number of bytes, not True"),
        ("server", None, TypeError, "max_filtered is a whole number of bytes, not None"),
    ],
)
@pytest.mark.parametrize("place", MISTAKEN)
def test_a_mistake_is_found_at_start_alike_everywhere(
    place: str, server: Any, limit: Any, error: type[Exception], message: str
) -> None:
    given = {"provider": Issuer().provider(), "server": resource_server()}.get(server, server)
    with pytest.raises(error, match=message):
        MISTAKEN[place](given, limit)


@pytest.mark.parametrize("protect", [flask.protect, starlette.protect, fastapi.protect])
def test_the_application_comes_first(protect: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match=r"app is .* application, not ResourceServer: protect\(app, server\)"):
        protect(resource_server(), Flask(__name__))
