import gc
import json
import weakref
from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from oauth_rs import (
    Bearer,
    FormField,
    Header,
    HTTPSettings,
    InvalidToken,
    JWTProvider,
    LegacyQuery,
    RemoteKeys,
    ResourceServer,
)
from oauth_rs.asgi import CHECKED, GRANT, ASGIRequest, OAuthMiddleware
from oauth_rs.fields import FieldFilter
from oauth_rs.flow import Flow, ReadBody
from oauth_rs.identity import IdentityHeaders
from oauth_rs.permission import permit
from oauth_rs.policy import OperationScopes, PassThrough, Public
from oauth_rs.requirements import Condition
from oauth_rs.schemes.bearer import AUTHORIZATION, MAX_FORM_BYTES
from tests.support.calling import Answer, answer_of, bearer, call_asgi, converse, scope_of
from tests.support.issuing import API, ISSUER, Issuer
from tests.support.serving import ScriptedServer

FORM = ("Content-Type", "application/x-www-form-urlencoded")
START = {"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"public")]}
ACCEPT, CONNECT = {"type": "websocket.accept"}, {"type": "websocket.connect"}
DENIAL: dict[str, Any] = {"websocket.http.response": {}}


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Says who calls, and gives the body back in the chunks it came in."""
    grant = scope["state"]["grant"]
    await send({**START, "headers": [(b"x-who", (grant.subject if grant else "nobody").encode())]})
    more = True
    while more:
        message = await receive()
        assert message["type"] == "http.request"
        more = message["more_body"]
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


async def unreachable(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError("the application was reached")


def chunks(*bodies: bytes) -> list[dict[str, Any]]:
    return [
        {"type": "http.request", "body": body, "more_body": number < len(bodies)}
        for number, body in enumerate(bodies, 1)
    ]


def websocket_scope(token: str = "", **more: Any) -> dict[str, Any]:
    scope = scope_of("GET", "/live", bearer(token) if token else (), **{"type": "websocket", "scheme": "ws", **more})
    del scope["method"]
    return scope


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(issuer: Issuer) -> ResourceServer:
    return ResourceServer(Bearer(issuer.provider()), public=["/health"])


@pytest.fixture
def form_server(issuer: Issuer) -> ResourceServer:
    return ResourceServer(Bearer(issuer.provider(), presentation=[AUTHORIZATION, FormField(), LegacyQuery()]))


@pytest.fixture
def remote(web: ScriptedServer, issuer: Issuer) -> ResourceServer:
    web.answers["/keys"] = issuer.jwks
    return ResourceServer(Bearer(JWTProvider(ISSUER, audience=API, keys=RemoteKeys(f"{web.url}/keys"))))


def test_a_good_token_reaches_the_application_with_its_grant(
    server: ResourceServer, issuer: Issuer, backend: str
) -> None:
    answer = call_asgi(OAuthMiddleware(echo, server), headers=bearer(issuer.token()), backend=backend)
    assert (answer.status, answer.header("x-who")) == (200, ["ada"])


def test_the_grant_stands_in_every_place_that_frameworks_look(server: ResourceServer, issuer: Issuer) -> None:
    async def look(scope: Any, receive: Any, send: Any) -> None:
        grant = scope[GRANT]
        assert scope["state"] == {"grant": grant, "from": "lifespan"}
        assert (scope["auth"].scopes, scope["user"].identity) == ({"photos", "profile"}, "ada")
        await echo(scope, receive, send)

    app = OAuthMiddleware(look, server)
    assert call_asgi(app, headers=bearer(issuer.token()), state={"from": "lifespan"}).status == 200


def test_the_middleware_tells_which_server_it_asks(server: ResourceServer) -> None:
    assert OAuthMiddleware(echo, server).server is server


def test_without_a_grant_these_places_say_so(server: ResourceServer) -> None:
    async def look(scope: Any, receive: Any, send: Any) -> None:
        assert scope[GRANT] is None
        assert (scope["auth"].scopes, scope["user"].is_authenticated) == (frozenset(), False)
        assert (scope["user"].display_name, scope["user"].identity) == ("", "")
        await echo(scope, receive, send)

    assert call_asgi(OAuthMiddleware(look, server), target="/health").header("x-who") == ["nobody"]


def test_a_user_is_named_by_the_subject_of_the_grant(server: ResourceServer, issuer: Issuer) -> None:
    async def look(scope: Any, receive: Any, send: Any) -> None:
        user = scope["user"]
        assert (user.is_authenticated, user.display_name, user.identity) == (True, "ada", "ada")
        await echo(scope, receive, send)

    assert call_asgi(OAuthMiddleware(look, server), headers=bearer(issuer.token())).status == 200


REFUSED: Mapping[str, tuple[list[str], int, str | None]] = {
    "none": ([], 401, None),
    "empty": ([""], 401, None),
    "another scheme": (["Basic YTpi"], 401, None),
    "no credentials": (["Bearer"], 400, "invalid_request"),
    "rubbish": (["Bearer rubbish"], 401, "invalid_token"),
    "expired": (["Bearer {expired}"], 401, "invalid_token"),
    "twice": (["Bearer {good}", "Bearer {good}"], 400, "invalid_request"),
    "and another": (["Bearer {good}", "Basic YTpi"], 400, "invalid_request"),
    "after another": (["Basic YTpi", "Bearer {good}"], 400, "invalid_request"),
    "joined by a comma": (["Bearer {good},Bearer {good}"], 400, "invalid_request"),
    "beyond ASCII": (["Bearer {good}é"], 400, "invalid_request"),
}


@pytest.mark.parametrize(("values", "status", "error"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_never_reaches_the_application(
    server: ResourceServer, issuer: Issuer, values: list[str], status: int, error: str | None
) -> None:
    good, expired = issuer.token(), issuer.token(exp=1)
    headers = [("Authorization", value.format(good=good, expired=expired)) for value in values]
    answer = call_asgi(OAuthMiddleware(unreachable, server), headers=headers)
    assert (answer.status, json.loads(answer.body).get("error")) == (status, error)
    assert answer.challenge.startswith(f'Bearer error="{error}"' if error else "Bearer")
    assert answer.header("cache-control") == ["no-store"]


def test_a_refused_head_request_has_the_headers_of_a_get_and_no_body(server: ResourceServer) -> None:
    head, get = (call_asgi(OAuthMiddleware(unreachable, server), method) for method in ("HEAD", "GET"))
    assert (head.status, head.headers, head.body) == (401, get.headers, b"")


@pytest.mark.parametrize("kind", ["", "http3", "HTTP", "lifespan2"])
def test_a_scope_of_an_unknown_type_is_an_error(server: ResourceServer, kind: str) -> None:
    with pytest.raises(RuntimeError, match="does not let it through"):
        converse(OAuthMiddleware(unreachable, server), {"type": kind}, [])


def test_a_preflight_passes_with_no_grant(server: ResourceServer) -> None:
    headers = [("Origin", "https://web.example"), ("Access-Control-Request-Method", "GET")]
    assert call_asgi(OAuthMiddleware(echo, server), "OPTIONS", "/photos", headers).header("x-who") == ["nobody"]


@pytest.mark.parametrize(
    ("path", "root_path", "status"),
    [
        ("/health", "", 200),
        ("/app/health", "/app", 200),
        ("/health", "/app", 200),
        ("/apple/health", "/app", 401),
        ("/health/health", "/health", 200),
        ("/health", "/health", 401),
        ("/app/app/health", "/app", 401),
    ],
)
def test_public_paths_are_those_below_the_mount_point(
    server: ResourceServer, path: str, root_path: str, status: int
) -> None:
    assert call_asgi(OAuthMiddleware(echo, server), target=path, root_path=root_path).status == status


def test_a_form_is_read_for_its_token_and_replayed(form_server: ResourceServer, issuer: Issuer, backend: str) -> None:
    body = f"a=%e4&access_token={issuer.token()}&b=1+2&&".encode()
    inbound = chunks(body[:1], b"", body[1:30], body[30:])
    sent = converse(OAuthMiddleware(echo, form_server), scope_of("POST", "/", [FORM]), inbound, backend=backend)
    answer = answer_of(sent)
    assert (answer.header("x-who"), answer.body) == (["ada"], body)


def test_after_a_replayed_form_comes_what_the_client_does_next(form_server: ResourceServer, issuer: Issuer) -> None:
    async def waits(_scope: Any, receive: Any, send: Any) -> None:
        assert [(await receive())["type"] for _ in range(2)] == ["http.request", "http.disconnect"]
        await send(START)
        await send({"type": "http.response.body"})

    app = OAuthMiddleware(waits, form_server)
    assert call_asgi(app, "POST", headers=[FORM, *bearer(issuer.token())], body=b"a=1").status == 200


@pytest.mark.parametrize(
    "inbound",
    [chunks(bytes(MAX_FORM_BYTES + 1)), chunks(*[bytes(9_999)] * 7, b""), chunks(*[bytes(9_999)] * 7)[:-1] * 99],
    ids=["at once", "in chunks", "without an end"],
)
def test_a_form_that_is_too_large_is_refused(
    form_server: ResourceServer, issuer: Issuer, inbound: list[dict[str, Any]]
) -> None:
    scope = scope_of("POST", "/", [FORM, *bearer(issuer.token())])
    assert answer_of(converse(OAuthMiddleware(unreachable, form_server), scope, inbound)).status == 413


def test_a_form_of_the_largest_size_is_replayed(form_server: ResourceServer, issuer: Issuer) -> None:
    body = b"a" * MAX_FORM_BYTES
    headers = [FORM, *bearer(issuer.token())]
    assert call_asgi(OAuthMiddleware(echo, form_server), "POST", headers=headers, body=body).body == body


def test_a_client_that_goes_in_mid_body_is_refused(form_server: ResourceServer, issuer: Issuer) -> None:
    scope = scope_of("POST", "/", [FORM, *bearer(issuer.token())])
    answer = answer_of(converse(OAuthMiddleware(unreachable, form_server), scope, chunks(b"a=", b"1")[:1]))
    assert (answer.status, json.loads(answer.body)["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(("size", "status"), [(0, 200), (9, 200), (MAX_FORM_BYTES + 1, 413)])
def test_two_schemes_that_read_the_form_share_it(issuer: Issuer, size: int, status: int) -> None:
    other = Bearer(Issuer(kid="k2", issuer="https://other.example").provider(), presentation=[FormField("t")])
    server = ResourceServer(Bearer(issuer.provider(), presentation=[AUTHORIZATION, FormField()]), other)
    headers, body = [FORM, *bearer(issuer.token())], b"a" * size
    answer = call_asgi(OAuthMiddleware(echo, server), "POST", headers=headers, body=body)
    assert (answer.status, answer.body if status == 200 else body) == (status, body)


def test_bodies_pass_in_the_chunks_they_came_in(form_server: ResourceServer, issuer: Issuer) -> None:
    scope = scope_of("POST", "/", [("Content-Type", "application/json"), *bearer(issuer.token())])
    sent = converse(OAuthMiddleware(echo, form_server), scope, chunks(b"1", b"2", b"3"))
    assert [message["body"] for message in sent[1:]] == [b"1", b"2", b"3"]


@pytest.mark.parametrize("headers", [[], [FORM]], ids=["no body", "form"])
def test_an_answer_is_not_buffered(
    form_server: ResourceServer, issuer: Issuer, headers: list[tuple[str, str]], backend: str
) -> None:
    seen: list[bytes] = []

    async def main() -> None:
        first_seen = anyio.Event()

        async def streams(_scope: Any, _receive: Any, send: Any) -> None:
            await send(START)
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            with anyio.fail_after(5):
                await first_seen.wait()
            await send({"type": "http.response.body", "body": b"second"})

        async def send(message: Any) -> None:
            seen.append(message.get("body", b""))
            if message.get("body") == b"first":
                first_seen.set()

        async def receive() -> Any:
            return chunks(b"")[0]

        scope = scope_of("POST", f"/?access_token={issuer.token()}", headers)
        await OAuthMiddleware(streams, form_server)(scope, receive, send)

    anyio.run(main, backend=backend)
    assert seen == [b"", b"first", b"second"]


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ([(b"Cache-Control", b"public, max-age=60"), (b"x", b"\xff")], [("x", "ÿ"), ("Cache-Control", "private")]),
        ([], [("Cache-Control", "private")]),
        ([(b"cache-control", b"no-store")], [("cache-control", "no-store")]),
        ([(b"cdn-cache-control", b"max-age=60")], [("Cache-Control", "private")]),
    ],
    ids=["public", "nothing", "stricter", "targeted"],
)
def test_an_answer_to_a_token_in_the_query_is_private(
    form_server: ResourceServer, issuer: Issuer, said: list[tuple[bytes, bytes]], sent: list[tuple[str, str]]
) -> None:
    start = {"type": "http.response.start", "status": 200, "headers": said}

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": b""})

    answer = call_asgi(OAuthMiddleware(app, form_server), target=f"/?access_token={issuer.token()}")
    assert (list(answer.headers), start["headers"]) == (sent, said)


def test_an_answer_to_a_token_in_the_header_is_the_application_s(form_server: ResourceServer, issuer: Issuer) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b""})

    answer = call_asgi(OAuthMiddleware(app, form_server), headers=bearer(issuer.token()))
    assert answer.header("cache-control") == ["public"]


def test_errors_of_the_application_are_not_touched(server: ResourceServer, issuer: Issuer) -> None:
    async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        call_asgi(OAuthMiddleware(broken, server), headers=bearer(issuer.token()))


def test_a_refusal_by_the_application_is_answered(server: ResourceServer, issuer: Issuer) -> None:
    async def strict(scope: Any, _receive: Any, _send: Any) -> None:
        scope[GRANT].require("admin", "photos")
        raise AssertionError("the grant covered it")

    answer = call_asgi(OAuthMiddleware(strict, server), headers=bearer(issuer.token()))
    assert (answer.status, 'scope="admin photos"' in answer.challenge) == (403, True)


def test_a_refusal_after_the_answer_began_is_for_the_server_to_end(server: ResourceServer, issuer: Issuer) -> None:
    async def late(_scope: Any, _receive: Any, send: Any) -> None:
        await send(START)
        raise InvalidToken("revoked", "It was revoked.")

    with pytest.raises(InvalidToken):
        call_asgi(OAuthMiddleware(late, server), headers=bearer(issuer.token()))


async def live(scope: Any, receive: Any, send: Any) -> None:
    assert scope["state"]["grant"].subject == "ada"
    assert (await receive())["type"] == "websocket.connect"
    await send(ACCEPT)


def test_a_websocket_with_a_good_token_is_the_application_s(
    server: ResourceServer, issuer: Issuer, backend: str
) -> None:
    sent = converse(OAuthMiddleware(live, server), websocket_scope(issuer.token()), [CONNECT], backend=backend)
    assert sent == [ACCEPT]


@pytest.mark.parametrize(("token", "status"), [("", 401), ("rubbish", 401), ("é", 400)])
def test_a_websocket_is_refused_with_an_answer_where_the_server_can(
    server: ResourceServer, token: str, status: int, backend: str
) -> None:
    app, scope = OAuthMiddleware(unreachable, server), websocket_scope(token, extensions=DENIAL)
    sent = converse(app, scope, [CONNECT], backend=backend)
    assert [message["type"] for message in sent] == ["websocket.http.response.start", "websocket.http.response.body"]
    answer = answer_of(sent)
    assert (answer.status, answer.challenge.partition(" ")[0], answer.body[:1]) == (status, "Bearer", b"{")


@pytest.mark.parametrize("extensions", [{}, None, {"tls": {}}])
@pytest.mark.parametrize("token", ["", "rubbish"])
def test_a_websocket_is_closed_before_it_opens_where_the_server_can_no_more(
    server: ResourceServer, token: str, extensions: Any
) -> None:
    scope = websocket_scope(token, extensions=extensions)
    (sent,) = converse(OAuthMiddleware(unreachable, server), scope, [CONNECT])
    assert sent == {"type": "websocket.close", "code": 1008, "reason": "invalid_token" if token else ""}


@pytest.mark.parametrize("extensions", [{}, DENIAL])
def test_a_websocket_refused_by_the_application_once_open_is_closed(
    server: ResourceServer, issuer: Issuer, extensions: Any
) -> None:
    async def strict(scope: Any, receive: Any, send: Any) -> None:
        await live(scope, receive, send)
        scope[GRANT].require("admin")

    scope = websocket_scope(issuer.token(), extensions=extensions)
    sent = converse(OAuthMiddleware(strict, server), scope, [CONNECT])
    assert sent == [ACCEPT, {"type": "websocket.close", "code": 1008, "reason": "insufficient_scope"}]


def test_a_websocket_refused_by_the_application_before_it_opens_gets_an_answer(
    server: ResourceServer, issuer: Issuer
) -> None:
    async def strict(scope: Any, _receive: Any, _send: Any) -> None:
        scope[GRANT].require("admin")

    scope = websocket_scope(issuer.token(), extensions=DENIAL)
    answer = answer_of(converse(OAuthMiddleware(strict, server), scope, [CONNECT]))
    assert (answer.status, 'scope="admin"' in answer.challenge) == (403, True)


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    assert GRANT not in scope
    for event in ("startup", "shutdown"):
        assert await receive() == {"type": f"lifespan.{event}"}
        await send({"type": f"lifespan.{event}.complete"})


def live_and_die(app: Any, backend: str = "asyncio") -> list[str]:
    inbound = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    return [message["type"] for message in converse(app, {"type": "lifespan"}, inbound, backend=backend)]


COMPLETE = ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_keys_are_fetched_at_startup(remote: ResourceServer, web: ScriptedServer, issuer: Issuer, backend: str) -> None:
    assert live_and_die(OAuthMiddleware(lifespan, remote), backend) == COMPLETE
    web.answers.clear()
    answer = call_asgi(OAuthMiddleware(echo, remote), headers=bearer(issuer.token()), backend=backend)
    assert (answer.status, web.hits["/keys"]) == (200, 1)


def test_an_issuer_that_is_down_does_not_keep_the_application_from_starting(
    remote: ResourceServer, web: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    web.answers["/keys"] = (500, {}, b"")
    assert live_and_die(OAuthMiddleware(lifespan, remote)) == COMPLETE
    assert "could not be reached" in caplog.text


class ReadingScheme(Bearer):
    """Asks for a body while it warms up, when there is none."""

    read: bytes | None = None

    def warm(self) -> Flow[None]:
        self.read = yield from ReadBody(9)


def test_there_is_no_body_to_read_while_warming(issuer: Issuer) -> None:
    scheme = ReadingScheme(issuer.provider())
    assert live_and_die(OAuthMiddleware(lifespan, ResourceServer(scheme))) == COMPLETE
    assert scheme.read == b""


def test_an_application_without_a_lifespan_may_say_so(server: ResourceServer) -> None:
    with pytest.raises(AssertionError, match="reached"):
        live_and_die(OAuthMiddleware(unreachable, server))


def test_keys_are_fetched_with_the_first_request_only(
    remote: ResourceServer, web: ScriptedServer, issuer: Issuer, backend: str
) -> None:
    app = OAuthMiddleware(echo, remote)
    answers = [call_asgi(app, headers=bearer(issuer.token(jti=str(n))), backend=backend) for n in range(3)]
    assert ([answer.status for answer in answers], web.hits["/keys"]) == ([200] * 3, 1)


def test_an_issuer_that_is_down_means_503_and_a_time_to_retry(
    remote: ResourceServer, web: ScriptedServer, issuer: Issuer, backend: str
) -> None:
    web.answers["/keys"] = (500, {}, b"")
    answer = call_asgi(OAuthMiddleware(unreachable, remote), headers=bearer(issuer.token()), backend=backend)
    assert (answer.status, answer.header("retry-after"), answer.header("www-authenticate")) == (503, ["1"], [])


def test_keys_are_fetched_as_the_settings_say(web: ScriptedServer, issuer: Issuer, backend: str) -> None:
    url = "http://127.0.0.1:1/keys"
    web.answers[url] = issuer.jwks  # as a proxy is asked
    server = ResourceServer(Bearer(issuer.provider(keys=RemoteKeys(url))))
    app = OAuthMiddleware(echo, server, http=HTTPSettings(proxy=web.url))
    assert call_asgi(app, headers=bearer(issuer.token()), backend=backend).status == 200


@pytest.mark.parametrize(
    ("scope", "raw"),
    [
        ({"path": "/no", "raw_path": b"/a%2Fb"}, b"/a%2Fb"),
        ({"path": "/no", "raw_path": b"/\xff?query"}, b"/\xff"),
        ({"path": "/ü b%", "raw_path": None}, b"/%C3%BC%20b%25"),
        ({"path": "/\udcff", "root_path": "/\ud800"}, b"/%ED%B3%BF"),
        ({"path": "/!$&'()*+,;=:@~-._/"}, b"/!$&'()*+,;=:@~-._/"),
    ],
)
def test_the_raw_path_is_the_target_as_sent_or_the_path_quoted_again(scope: dict[str, Any], raw: bytes) -> None:
    assert ASGIRequest(scope).raw_path == raw


def test_the_rest_of_a_request_is_read_from_the_scope() -> None:
    request = ASGIRequest(scope_of("PUT", "/?a=%20", [("X-A", "1"), ("x-b", "2"), ("X-A", "3")], scheme="https"))
    assert (request.method, request.query, request.url_scheme, request.peer) == ("PUT", b"a=%20", "https", "192.0.2.1")
    assert (request.header(b"x-a"), request.header(b"absent")) == ((b"1", b"3"), ())
    assert (request.header(b"X-A"), request.header(b"Absent")) == ((b"1", b"3"), ())


@pytest.mark.parametrize("client", [{}, {"client": None}])
def test_what_a_scope_leaves_out_has_a_value(client: dict[str, Any]) -> None:
    request = ASGIRequest({"path": "/", "headers": [], **client})
    assert (request.method, request.query, request.url_scheme, request.peer) == ("GET", b"", "http", "")


POLICY = OperationScopes({"GET /health": Public(), "GET /legacy": PassThrough(), "* /<path:rest>": "photos"})
FORGED = [("OAuth-ResourceOwnerUID", "root"), ("OAUTH_SCOPE", "admin"), ("Connection", "close, oauth-clientid")]
PREFLIGHT = [("Origin", "https://web.example"), ("Access-Control-Request-Method", "GET")]


async def scope_seen(scope: Any, _receive: Any, send: Any) -> None:
    """Gives back the headers of the request, and its query and path."""
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
    seen = {"headers": headers, "query": scope["query_string"].decode(), "raw": scope["raw_path"].decode()}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})


IDENTITY: dict[str, tuple[str, str, list[tuple[str, str]], str | None]] = {
    "protected": ("GET", "/photos", [], "ada"),
    "public": ("GET", "/health", [], None),
    "public with a token": ("GET", "/health", [("Authorization", "Bearer x")], None),
    "pass-through": ("GET", "/legacy", [("Authorization", "Bearer x")], None),
    "preflight": ("OPTIONS", "/photos", PREFLIGHT, None),
}


@pytest.mark.parametrize(("method", "target", "headers", "who"), IDENTITY.values(), ids=IDENTITY)
def test_who_calls_is_told_and_nobody_else_can_tell_it(
    issuer: Issuer, method: str, target: str, headers: list[tuple[str, str]], who: str | None
) -> None:
    server = ResourceServer(Bearer(issuer.provider()), policy=POLICY, identity=IdentityHeaders())
    sent = [*headers, *FORGED, *([] if who is None else bearer(issuer.token()))]
    seen = dict(json.loads(call_asgi(OAuthMiddleware(scope_seen, server), method, target, sent).body)["headers"])
    assert seen.get("oauth-resourceowneruid") == who
    assert seen.get("oauth-scope") == ("photos profile" if who else None)
    assert "oauth_scope" not in seen
    assert seen["connection"] == "close"
    assert seen.get("authorization") == dict(sent).get("Authorization")


def test_a_websocket_is_told_who_calls_too(issuer: Issuer, backend: str) -> None:
    async def look(scope: Any, receive: Any, send: Any) -> None:
        names = [name for name, _ in scope["headers"]]
        assert (b"oauth-resourceowneruid", b"ada") in scope["headers"]
        assert names.count(b"oauth-resourceowneruid") == 1
        await live(scope, receive, send)

    server = ResourceServer(Bearer(issuer.provider()), identity=IdentityHeaders())
    scope = websocket_scope(issuer.token())
    scope["headers"].append((b"oauth_ResourceOwnerUID", b"root"))
    scope["headers"].append((b"oauth-resourceowneruid", b"root"))
    assert converse(OAuthMiddleware(look, server), scope, [CONNECT], backend=backend) == [ACCEPT]


def test_a_caller_of_whom_too_much_is_to_be_told_is_refused(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider()), identity=IdentityHeaders())
    answer = call_asgi(OAuthMiddleware(unreachable, server), headers=bearer(issuer.token(sub="a" * 9000)))
    assert (answer.status, 'error="invalid_token"' in answer.challenge) == (401, True)


@pytest.fixture
def hiding(issuer: Issuer) -> ResourceServer:
    scheme = Bearer(issuer.provider(), presentation=[AUTHORIZATION, Header("Access-Token"), FormField(), LegacyQuery()])
    return ResourceServer(scheme, policy=POLICY, hide_credentials=True)


@pytest.mark.parametrize("place", ["Authorization", "Access-Token", "query"])
def test_the_application_does_not_see_credentials(hiding: ResourceServer, issuer: Issuer, place: str) -> None:
    token = issuer.token()
    value = f"Bearer {token}" if place == "Authorization" else token
    query = f"a=1&access_token={token}&b" if place == "query" else "a=1&b"
    headers = [] if place == "query" else [(place, value)]
    raw = f"/photos?{query}".encode()
    answer = call_asgi(OAuthMiddleware(scope_seen, hiding), "GET", f"/photos?{query}", headers, raw_path=raw)
    assert token not in answer.body.decode()
    assert json.loads(answer.body) == {"headers": [], "query": "a=1&b", "raw": "/photos?a=1&b"}
    assert answer.header("cache-control") == ["private"] * (place == "query")


@pytest.mark.parametrize("target", ["/legacy?access_token=x", "/health?access_token=x"])
def test_credentials_that_were_not_read_go_on_untouched(hiding: ResourceServer, target: str) -> None:
    sent = [("Authorization", "Bearer x"), ("Access-Token", "y")]
    seen = json.loads(call_asgi(OAuthMiddleware(scope_seen, hiding), "GET", target, sent).body)
    assert (seen["headers"], seen["query"]) == (
        [["authorization", "Bearer x"], ["access-token", "y"]],
        "access_token=x",
    )


async def length_and_body(scope: Any, receive: Any, send: Any) -> None:
    headers = [header for header in scope["headers"] if header[0] == b"content-length"]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": (await receive())["body"]})


@pytest.mark.parametrize(
    ("form", "seen"),
    [(b"a=%e4&access_token=TOKEN&b=1+2&&", b"a=%e4&b=1+2&&"), (b"access_token=TOKEN", b"")],
)
def test_a_form_reaches_the_application_without_its_token(
    hiding: ResourceServer, issuer: Issuer, form: bytes, seen: bytes, backend: str
) -> None:
    body = form.replace(b"TOKEN", issuer.token().encode())
    app = OAuthMiddleware(length_and_body, hiding)
    sent = [FORM, ("Content-Length", str(len(body)))]
    answer = call_asgi(app, "POST", "/photos", sent, body, backend=backend)
    assert (answer.body, answer.header("content-length")) == (seen, [str(len(seen))])
    assert call_asgi(app, "POST", "/photos", [FORM], body).header("content-length") == []  # chunked


def test_a_form_without_a_token_stays_as_it_was(hiding: ResourceServer, issuer: Issuer) -> None:
    headers, body = [FORM, ("Content-Length", "9"), *bearer(issuer.token())], b"a=1&&b=\xff&"
    answer = call_asgi(OAuthMiddleware(length_and_body, hiding), "POST", "/photos", headers, body)
    assert (answer.body, answer.header("content-length")) == (body, ["9"])


def test_a_websocket_does_not_see_credentials_either(hiding: ResourceServer, issuer: Issuer) -> None:
    async def look(scope: Any, receive: Any, send: Any) -> None:
        assert (scope["headers"], scope["query_string"]) == ([], b"a=1")
        await live(scope, receive, send)

    scope = websocket_scope(query_string=f"a=1&access_token={issuer.token()}".encode())
    assert converse(OAuthMiddleware(look, hiding), scope, [CONNECT]) == [ACCEPT]


FIELDS = FieldFilter({"profile": ["name"], "admin": ["*"]}, always=["id"])
ADA = b'{"id": 1, "name": "Ada", "secret": "x"}'
CUSTOMER = [(b"content-type", b"application/json"), (b"etag", b"1"), (b"content-length", b"%d" % len(ADA))]
PATHSEND: dict[str, Any] = {"http.response.pathsend": {}, "http.response.trailers": {}, "tls": {}}


async def customer(scope: Any, _receive: Any, send: Any) -> None:
    """Ada, in JSON; an error where the path says so."""
    status = 404 if scope["path"].endswith("/none") else 200
    await send({"type": "http.response.start", "status": status, "headers": CUSTOMER})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else ADA})


@pytest.fixture
def filtering(issuer: Issuer) -> ResourceServer:
    filters = {"GET /customers/<id>": FIELDS, "* /open/<id>": FIELDS, "GET /live": FIELDS}
    scheme = Bearer(issuer.provider(), presentation=[AUTHORIZATION, Header("Access-Token")])
    return ResourceServer(scheme, filters=filters, public=["/open/*"])


FILTERED = {
    "some fields": ("GET", "/customers/1", "profile", 200, b'{"id":1,"name":"Ada"}'),
    "all": ("GET", "/customers/1", "admin", 200, ADA.replace(b" ", b"")),
    "no scope that shows more": ("GET", "/customers/1/", "other", 200, b'{"id":1}'),
    "an error": ("GET", "/customers/none", "other", 404, ADA),
    "another operation": ("POST", "/customers/1", "other", 200, ADA),
    "another path": ("GET", "/customers", "other", 200, ADA),
    "a public one": ("PUT", "/open/1", "admin", 200, b'{"id":1}'),
    "an ambiguous path": ("GET", "/x/../customers/1", "admin", 400, None),
}


@pytest.mark.parametrize("case", FILTERED.values(), ids=FILTERED)
def test_an_operation_shows_what_its_filter_shows(
    filtering: ResourceServer, issuer: Issuer, case: Any, backend: str
) -> None:
    method, target, scope, status, body = case
    ask = bearer(issuer.token(scope=scope))
    answer = call_asgi(OAuthMiddleware(customer, filtering), method, target, ask, backend=backend)
    assert answer.status == status
    assert body is None or answer.body == body


def test_a_filtered_answer_is_for_one_caller_and_says_nothing_of_the_whole(
    filtering: ResourceServer, issuer: Issuer
) -> None:
    app, headers = OAuthMiddleware(customer, filtering), bearer(issuer.token(scope="profile"))
    expected = [
        ("content-type", "application/json"),
        ("cache-control", "private"),
        ("vary", "Authorization, Access-Token"),
    ]
    assert list(call_asgi(app, "HEAD", "/customers/1", headers).headers) == expected
    assert list(call_asgi(app, "GET", "/customers/1", headers).headers) == [*expected, ("content-length", "21")]


def test_what_is_refused_is_refused_before_it_is_filtered(filtering: ResourceServer) -> None:
    answer = call_asgi(OAuthMiddleware(unreachable, filtering), target="/customers/1")
    assert (answer.status, answer.challenge) == (401, "Bearer")


def test_an_answer_over_the_limit_does_not_go_out(
    filtering: ResourceServer, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    app = OAuthMiddleware(customer, filtering, max_filtered=len(ADA) - 1)
    answer = call_asgi(app, target="/customers/1", headers=bearer(issuer.token(scope="admin")))
    assert (answer.status, json.loads(answer.body)) == (500, {"error": "server_error"})
    assert "response_not_filtered: too_large" in caplog.messages


def test_an_application_may_name_a_filter_itself_and_both_hold(filtering: ResourceServer, issuer: Issuer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope[CHECKED].middleware.filter({**scope}, FieldFilter({"admin": ["name", "secret"]}))
        await customer(scope, receive, send)

    def shown(path: str, scope: str) -> Any:
        return json.loads(
            call_asgi(OAuthMiddleware(app, filtering), target=path, headers=bearer(issuer.token(scope=scope))).body
        )

    assert [shown(path, "profile admin") for path in ("/customers/1", "/x")] == [{"name": "Ada", "secret": "x"}] * 2
    assert shown("/x", "profile") == {}


@pytest.mark.parametrize(("target", "kept"), [("/customers/1", {"tls"}), ("/customers", set(PATHSEND))])
def test_a_filtered_answer_can_take_no_other_way(
    filtering: ResourceServer, issuer: Issuer, target: str, kept: set[str]
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["extensions"].keys() == kept
        await customer(scope, receive, send)

    headers = bearer(issuer.token())
    assert call_asgi(OAuthMiddleware(app, filtering), "GET", target, headers, extensions=PATHSEND).status == 200


def test_what_an_application_sends_that_way_all_the_same_does_not_go_out(
    filtering: ResourceServer, issuer: Issuer
) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": CUSTOMER})
        await send({"type": "http.response.pathsend", "path": "/srv/ada.json"})

    scope = scope_of("GET", "/customers/1", bearer(issuer.token()), extensions=PATHSEND)
    answer: Answer = answer_of(converse(OAuthMiddleware(app, filtering), scope, []))
    assert (answer.status, json.loads(answer.body)) == (500, {"error": "server_error"})


def test_a_websocket_is_never_filtered(filtering: ResourceServer, issuer: Issuer) -> None:
    scope = websocket_scope(issuer.token())
    assert converse(OAuthMiddleware(live, filtering), scope, [CONNECT]) == [ACCEPT]


def test_who_wants_a_websocket_filtered_hears_that_it_is_not(server: ResourceServer, issuer: Issuer) -> None:
    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        scope[CHECKED].middleware.filter(scope, FIELDS)

    with pytest.raises(TypeError, match=r"by fields\.visible"):
        converse(OAuthMiddleware(app, server), websocket_scope(issuer.token()), [CONNECT])


def test_tasks_after_a_filtered_answer_run_whether_it_went_out_or_not(
    filtering: ResourceServer, issuer: Issuer, backend: str
) -> None:
    ran: list[str] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": CUSTOMER})
        await send({"type": "http.response.body", "body": b"{" + ADA if scope["path"].endswith("/2") else ADA})
        ran.append(scope["path"])

    paths = ["/customers/1", "/customers/2"]
    behind, headers = OAuthMiddleware(app, filtering), bearer(issuer.token())
    statuses = [call_asgi(behind, "GET", path, headers, backend=backend).status for path in paths]
    assert (statuses, ran) == ([200, 500], paths)


def test_a_client_that_goes_before_a_filtered_answer_is_whole_gets_nothing(
    filtering: ResourceServer, issuer: Issuer, backend: str
) -> None:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": CUSTOMER})
        await send({"type": "http.response.body", "body": ADA[:9], "more_body": True})
        assert (await receive())["type"] == "http.disconnect"

    scope = scope_of("GET", "/customers/1", bearer(issuer.token()))
    assert converse(OAuthMiddleware(app, filtering), scope, [], backend=backend) == []


def test_events_are_not_held_back_where_answers_are_filtered(
    filtering: ResourceServer, issuer: Issuer, backend: str
) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for number in range(3):
            await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    scope = scope_of("GET", "/customers/1", bearer(issuer.token()))
    assert len(converse(OAuthMiddleware(app, filtering), scope, [], backend=backend)) == 5


def test_a_limit_that_cannot_be_is_a_mistake_found_at_start(filtering: ResourceServer) -> None:
    with pytest.raises(ValueError, match="above 0"):
        OAuthMiddleware(customer, filtering, max_filtered=0)


def test_what_an_application_waits_for_is_driven_by_the_middleware(
    server: ResourceServer, issuer: Issuer, backend: str
) -> None:
    async def asked(grant: Any, _request: Any) -> bool:
        return bool(grant.subject == "ada")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        verdict: Any = permit(scope[GRANT], Condition(asked), ASGIRequest(scope))
        await scope[CHECKED].middleware.drive(verdict)
        await echo(scope, receive, send)

    behind = OAuthMiddleware(app, server)
    answers = [call_asgi(behind, headers=bearer(issuer.token(sub=sub)), backend=backend) for sub in ("ada", "bob")]
    assert [answer.status for answer in answers] == [200, 403]


# What is left


class Connection(dict[str, Any]):
    """A scope and the side of the server that knows it, as in uvicorn."""

    async def send(self, _message: Any) -> None:
        pass


async def silent() -> Any:
    await anyio.sleep_forever()


async def quiet(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})


@pytest.mark.parametrize("good", [True, False], ids=["passed", "refused"])
def test_a_request_leaves_nothing_for_the_garbage_collector(server: ResourceServer, issuer: Issuer, good: bool) -> None:  # noqa: FBT001 - a case
    connection = Connection(scope_of("GET", "/", bearer(issuer.token() if good else "bad")))
    left = weakref.ref(connection)
    gc.disable()
    try:
        with pytest.raises(StopIteration):
            OAuthMiddleware(quiet, server)(connection, silent, connection.send).send(None)
        del connection
        assert left() is None
    finally:
        gc.enable()


def test_nothing_is_sent_after_the_application_has_returned(server: ResourceServer, issuer: Issuer) -> None:
    kept: list[Any] = []

    async def keeping(scope: Any, receive: Any, send: Any) -> None:
        kept.append(send)
        await echo(scope, receive, send)

    assert call_asgi(OAuthMiddleware(keeping, server), headers=bearer(issuer.token())).status == 200
    with pytest.raises(RuntimeError, match="after the application had returned"):
        anyio.run(kept[0], {"type": "http.response.body"})
