import gc
import json
import sys
import weakref
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any
from wsgiref.validate import validator

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
from oauth_rs.fields import FieldFilter
from oauth_rs.flow import Flow, ReadBody
from oauth_rs.identity import IdentityHeaders
from oauth_rs.permission import permit
from oauth_rs.policy import OperationScopes, PassThrough, Public
from oauth_rs.requirements import Condition
from oauth_rs.schemes import Places
from oauth_rs.schemes.bearer import AUTHORIZATION, MAX_FORM_BYTES
from oauth_rs.wsgi import _KEYS, CHECKED, GRANT, MAX_KEYS, OAuthMiddleware, WSGIRequest
from tests.support.calling import Answer, bearer, call_wsgi, environ_of, run_wsgi
from tests.support.issuing import API, ISSUER, Issuer
from tests.support.serving import ScriptedServer

FORM = ("Content-Type", "application/x-www-form-urlencoded")


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Says who calls, and gives the body back."""
    grant, length = environ[GRANT], environ.get("CONTENT_LENGTH")
    body = environ["wsgi.input"].read(int(length) if length else 1 << 20)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Cache-Control", "public"), ("X-Who", subject(grant))])
    return [body]


def subject(grant: Any) -> str:
    return grant.subject if grant else "nobody"


def unreachable(_environ: dict[str, Any], _start_response: Any) -> Iterable[bytes]:
    raise AssertionError("the application was reached")


def protected(app: Any, server: ResourceServer) -> OAuthMiddleware:
    return OAuthMiddleware(validator(app), server)


@pytest.fixture
def server(issuer: Issuer) -> ResourceServer:
    return ResourceServer(Bearer(issuer.provider()), public=["/health", "/grün/*"])


@pytest.fixture
def form_server(issuer: Issuer) -> ResourceServer:
    return ResourceServer(Bearer(issuer.provider(), presentation=[AUTHORIZATION, FormField(), LegacyQuery()]))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_good_token_reaches_the_application_with_its_grant(
    server: ResourceServer, issuer: Issuer, scheme: str
) -> None:
    answer = call_wsgi(protected(echo, server), headers=[("Authorization", f"{scheme} {issuer.token()}")])
    assert (answer.status, answer.header("x-who")) == (200, ["ada"])


REFUSED = {
    "none": ([], 401, None),
    "empty": (["", ""], 401, None),
    "another scheme": (["Basic YTpi"], 401, None),
    "no credentials": (["Bearer"], 400, "invalid_request"),
    "tab after the scheme": (["Bearer\t{good}"], 401, None),
    "rubbish": (["Bearer rubbish"], 401, "invalid_token"),
    "expired": (["Bearer {expired}"], 401, "invalid_token"),
    "twice": (["Bearer {good}", "Bearer {good}"], 400, "invalid_request"),
    "and another": (["Bearer {good}", "Basic YTpi"], 400, "invalid_request"),
    "after another": (["Basic YTpi", "Bearer {good}"], 401, None),
    "beyond ASCII": (["Bearer {good}é"], 400, "invalid_request"),
    "beyond ISO-8859-1": (["Bearer {good}€"], 401, "invalid_token"),
}


@pytest.mark.parametrize(("values", "status", "error"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_never_reaches_the_application(
    server: ResourceServer, issuer: Issuer, values: list[str], status: int, error: str | None
) -> None:
    good, expired = issuer.token(), issuer.token(exp=1)
    headers = [("Authorization", value.format(good=good, expired=expired)) for value in values]
    answer = call_wsgi(protected(unreachable, server), headers=headers)
    assert (answer.status, json.loads(answer.body).get("error")) == (status, error)
    assert answer.challenge.startswith(f'Bearer error="{error}"' if error else "Bearer")
    assert answer.header("cache-control") == ["no-store"]


def test_a_refused_head_request_has_the_headers_of_a_get_and_no_body(server: ResourceServer) -> None:
    head, get = (call_wsgi(protected(unreachable, server), method) for method in ("HEAD", "GET"))
    assert (head.status, head.headers, head.body) == (401, get.headers, b"")


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "/health", []),
        ("GET", "/gr%C3%BCn/1", []),
        ("OPTIONS", "/photos", [("Origin", "https://web.example"), ("Access-Control-Request-Method", "GET")]),
    ],
    ids=["public", "public and not ASCII", "preflight"],
)
def test_what_needs_no_grant_passes_with_none(
    server: ResourceServer, method: str, target: str, headers: list[tuple[str, str]]
) -> None:
    assert call_wsgi(protected(echo, server), method, target, headers).header("x-who") == ["nobody"]


@pytest.mark.parametrize("target", ["/health/", "/Health", "/health%2F", "/x/../health", "/gr%FCn/1", "/gr%C3%BCn"])
def test_what_only_looks_public_is_not(server: ResourceServer, target: str) -> None:
    assert call_wsgi(protected(unreachable, server), "GET", target).status == 401


def ended(body: bytes) -> dict[str, Any]:
    return {"wsgi.input": BytesIO(body), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}


def test_a_form_is_read_for_its_token_and_replayed(form_server: ResourceServer, issuer: Issuer) -> None:
    body = f"a=%e4&access_token={issuer.token()}&b=1+2&&".encode()
    answer = call_wsgi(protected(echo, form_server), "POST", headers=[FORM], body=body)
    assert (answer.header("x-who"), answer.body) == (["ada"], body)


def test_a_chunked_form_is_read_for_its_token_and_replayed(form_server: ResourceServer, issuer: Issuer) -> None:
    body = f"access_token={issuer.token()}&b=".encode().ljust(MAX_FORM_BYTES, b"b")
    answer = call_wsgi(protected(echo, form_server), "POST", headers=[FORM], **ended(body))
    assert (answer.header("x-who"), answer.body) == (["ada"], body)


def test_a_form_beside_the_header_is_replayed_whole(form_server: ResourceServer, issuer: Issuer) -> None:
    body = b"\xff\x00=&a"
    answer = call_wsgi(protected(echo, form_server), "POST", headers=[FORM, *bearer(issuer.token())], body=body)
    assert (answer.status, answer.body) == (200, body)


def test_a_form_without_an_end_is_left_alone(form_server: ResourceServer, issuer: Issuer) -> None:
    app = protected(echo, form_server)
    unread: dict[str, Any] = {"wsgi.input": BytesIO(b"a=1")}
    assert call_wsgi(app, "POST", headers=[FORM, *bearer(issuer.token())], **unread).body == b"a=1"


def test_a_token_in_a_form_without_an_end_is_not_found(form_server: ResourceServer, issuer: Issuer) -> None:
    unread: dict[str, Any] = {"wsgi.input": BytesIO(f"access_token={issuer.token()}".encode())}
    assert call_wsgi(protected(unreachable, form_server), "POST", headers=[FORM], **unread).status == 401


class Untouchable(BytesIO):
    def read(self, *_args: Any) -> bytes:
        raise AssertionError("the body was read")

    readinto = readline = readlines = read  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("method", "content_type"),
    [("GET", FORM[1]), ("POST", "application/json"), ("POST", "multipart/form-data; boundary=x")],
)
def test_other_bodies_are_not_touched(form_server: ResourceServer, method: str, content_type: str) -> None:
    body: dict[str, Any] = {"wsgi.input": Untouchable(), "CONTENT_LENGTH": "9"}
    answer = call_wsgi(protected(unreachable, form_server), method, headers=[("Content-Type", content_type)], **body)
    assert answer.status == 401


@pytest.mark.parametrize(
    "body",
    [
        {"wsgi.input": Untouchable(), "CONTENT_LENGTH": str(MAX_FORM_BYTES + 2)},
        {"wsgi.input": BytesIO(bytes(MAX_FORM_BYTES + 1)), "CONTENT_LENGTH": str(MAX_FORM_BYTES + 1)},
        ended(b"a" * (MAX_FORM_BYTES + 1)),
        ended(b"a" * (MAX_FORM_BYTES * 4)),
    ],
    ids=["by its length, unread", "by one byte", "chunked, by one byte", "chunked"],
)
def test_a_form_that_is_too_large_is_refused(form_server: ResourceServer, issuer: Issuer, body: dict[str, Any]) -> None:
    headers = [FORM, *bearer(issuer.token())]
    assert call_wsgi(protected(unreachable, form_server), "POST", headers=headers, **body).status == 413


class Broken(BytesIO):
    def read(self, *_args: Any) -> bytes:
        raise OSError("reset by peer")

    readinto = read  # type: ignore[assignment]


@pytest.mark.parametrize(
    "body",
    [
        {"wsgi.input": BytesIO(b"a=1"), "CONTENT_LENGTH": "4"},
        {"wsgi.input": BytesIO(b"a=1"), "CONTENT_LENGTH": "4", "wsgi.input_terminated": True},
        {"wsgi.input": Broken(), "CONTENT_LENGTH": "4"},
        {"wsgi.input": Broken(), "wsgi.input_terminated": True},
    ],
    ids=["ends early", "ends early and silently", "breaks", "breaks, chunked"],
)
def test_a_client_that_goes_in_mid_body_is_refused(
    form_server: ResourceServer, issuer: Issuer, body: dict[str, Any]
) -> None:
    answer = call_wsgi(protected(unreachable, form_server), "POST", headers=[FORM, *bearer(issuer.token())], **body)
    assert (answer.status, json.loads(answer.body)["error"]) == (400, "invalid_request")


def test_errors_of_the_application_are_not_touched(server: ResourceServer, issuer: Issuer) -> None:
    def broken(_environ: Any, _start_response: Any) -> Iterable[bytes]:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        call_wsgi(OAuthMiddleware(broken, server), headers=bearer(issuer.token()))


def test_a_refusal_by_the_application_is_answered(server: ResourceServer, issuer: Issuer) -> None:
    def strict(environ: Any, _start_response: Any) -> Iterable[bytes]:
        environ[GRANT].require("admin", "photos")
        raise AssertionError("the grant covered it")

    answer = call_wsgi(protected(strict, server), headers=bearer(issuer.token()))
    assert (answer.status, 'scope="admin photos"' in answer.challenge) == (403, True)


def test_a_refusal_after_start_response_replaces_what_was_started(server: ResourceServer, issuer: Issuer) -> None:
    def late(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        raise InvalidToken("revoked", "It was revoked.")

    answer = call_wsgi(protected(late, server), headers=bearer(issuer.token()))
    assert (answer.status, json.loads(answer.body)["error"]) == (401, "invalid_token")


def test_a_refusal_after_start_response_carries_exc_info(server: ResourceServer, issuer: Issuer) -> None:
    def late(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        raise InvalidToken("revoked", "It was revoked.")

    def sent_already(_status: str, _headers: Any, exc_info: Any = None) -> None:
        if exc_info:
            raise exc_info[1]

    with pytest.raises(InvalidToken):  # PEP 3333: what a server does when the headers are out
        OAuthMiddleware(late, server)(environ_of("GET", "/", bearer(issuer.token()), None), sent_already)  # type: ignore[arg-type]


def test_a_refusal_in_the_middle_of_a_body_is_for_the_server_to_end(server: ResourceServer, issuer: Issuer) -> None:
    def generator(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"one"
        environ[GRANT].require("admin")
        yield b"secret"

    app: Any = OAuthMiddleware(generator, server)
    answer = iter(app(environ_of("GET", "/", bearer(issuer.token()), None), lambda *_: None))
    assert next(answer) == b"one"
    with pytest.raises(Exception, match="insufficient_scope"):
        next(answer)


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ([("Cache-Control", "public, max-age=60")], ["private"]),
        ([], ["private"]),
        ([("Cache-Control", "no-store")], ["no-store"]),
        ([("CDN-Cache-Control", "max-age=60")], ["private"]),
    ],
    ids=["public", "nothing", "stricter", "targeted"],
)
def test_an_answer_to_a_token_in_the_query_is_private(
    form_server: ResourceServer, issuer: Issuer, said: list[tuple[str, str]], sent: list[str]
) -> None:
    def app(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), *said])
        return []

    answer = call_wsgi(protected(app, form_server), target=f"/?access_token={issuer.token()}")
    assert answer.header("cache-control") == sent
    assert answer.header("cdn-cache-control") == []


def test_an_answer_to_a_token_in_the_header_is_the_application_s(form_server: ResourceServer, issuer: Issuer) -> None:
    answer = call_wsgi(protected(echo, form_server), headers=bearer(issuer.token()))
    assert answer.header("cache-control") == ["public"]


@pytest.fixture
def remote(web: ScriptedServer, issuer: Issuer) -> ResourceServer:
    web.answers["/keys"] = issuer.jwks
    return ResourceServer(Bearer(JWTProvider(ISSUER, audience=API, keys=RemoteKeys(f"{web.url}/keys"))))


def test_keys_are_fetched_with_the_first_request_only(
    remote: ResourceServer, web: ScriptedServer, issuer: Issuer
) -> None:
    app = protected(echo, remote)
    statuses = [call_wsgi(app, headers=bearer(issuer.token(jti=str(number)))).status for number in range(3)]
    assert (statuses, web.hits["/keys"]) == ([200] * 3, 1)


def test_warm_fetches_keys_before_the_first_request(
    remote: ResourceServer, web: ScriptedServer, issuer: Issuer
) -> None:
    app = protected(echo, remote)
    app.warm()
    web.answers.clear()
    assert (web.hits["/keys"], call_wsgi(app, headers=bearer(issuer.token())).status) == (1, 200)


class ReadingScheme(Bearer):
    """Asks for a body while it warms up, when there is none."""

    read: bytes | None = None

    def warm(self) -> Flow[None]:
        self.read = yield from ReadBody(9)


def test_there_is_no_body_to_read_while_warming(issuer: Issuer) -> None:
    scheme = ReadingScheme(issuer.provider())
    OAuthMiddleware(unreachable, ResourceServer(scheme)).warm()
    assert scheme.read == b""


def test_an_issuer_that_is_down_means_503_and_a_time_to_retry(
    remote: ResourceServer, web: ScriptedServer, issuer: Issuer
) -> None:
    web.answers["/keys"] = (500, {}, b"")
    app = protected(unreachable, remote)
    app.warm()
    answer = call_wsgi(app, headers=bearer(issuer.token()))
    assert (answer.status, answer.header("retry-after"), answer.header("www-authenticate")) == (503, ["1"], [])


def test_keys_are_fetched_as_the_settings_say(web: ScriptedServer, issuer: Issuer) -> None:
    url = "http://127.0.0.1:1/keys"
    web.answers[url] = issuer.jwks  # as a proxy is asked
    server = ResourceServer(Bearer(issuer.provider(keys=RemoteKeys(url))))
    app = OAuthMiddleware(echo, server, http=HTTPSettings(proxy=web.url))
    assert call_wsgi(app, headers=bearer(issuer.token())).status == 200


@pytest.mark.parametrize(
    ("environ", "raw"),
    [
        ({"RAW_URI": "/a%2Fb?q", "REQUEST_URI": "/no", "PATH_INFO": "/no"}, b"/a%2Fb"),
        ({"REQUEST_URI": "//a%7e?q?r", "PATH_INFO": "/no"}, b"//a%7e"),
        ({"RAW_URI": "http://evil.example/x", "REQUEST_URI": "/a"}, b"/a"),
        ({"RAW_URI": "*", "SCRIPT_NAME": "/app", "PATH_INFO": "/\xc3\xbc b%"}, b"/app/%C3%BC%20b%25"),
        ({"PATH_INFO": "/!$&'()*+,;=:@~-._/"}, b"/!$&'()*+,;=:@~-._/"),
        ({"RAW_URI": "/€"}, b"/?"),
        ({"PATH_INFO": "/€"}, b"/%3F"),
        ({}, b""),
    ],
)
def test_the_raw_path_is_the_target_as_sent_or_the_path_quoted_again(environ: dict[str, str], raw: bytes) -> None:
    assert WSGIRequest({"REQUEST_METHOD": "GET", **environ}).raw_path == raw


@pytest.mark.parametrize(
    ("path_info", "path"),
    [("/a b", "/a b"), ("/\xc3\xbc", "/ü"), ("/\xfc", "/�"), ("/€", "/?"), ("", "")],
)
def test_the_path_is_decoded_as_frameworks_do(path_info: str, path: str) -> None:
    assert WSGIRequest({"REQUEST_METHOD": "GET", "PATH_INFO": path_info}).path == path


def test_the_rest_of_a_request_is_read_from_the_environ() -> None:
    environ = {"REQUEST_METHOD": "PUT", "QUERY_STRING": "ü=€", "wsgi.url_scheme": "https", "REMOTE_ADDR": "::1"}
    request, empty = WSGIRequest(environ), WSGIRequest({"REQUEST_METHOD": "GET"})
    assert (request.method, request.query, request.url_scheme, request.peer) == ("PUT", b"\xfc=?", "https", "::1")
    assert (empty.method, empty.query, empty.url_scheme, empty.peer, empty.path) == ("GET", b"", "http", "", "")


@pytest.mark.parametrize("name", ["Content-Type", "Content-Length", "X-Other"])
def test_headers_are_found_where_wsgi_keeps_them(name: str) -> None:
    request = WSGIRequest(environ_of("GET", "/", [(name, "1")], None))
    assert (request.header(name.lower().encode()), request.header(b"absent")) == ((b"1",), ())
    assert (request.header(name.encode()), request.header(b"Absent")) == ((b"1",), ())


def test_a_repeated_header_of_another_name_is_refused(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider(), presentation=[Header("Access-Token")]))
    headers = [("Access-Token", issuer.token())] * 2
    assert call_wsgi(protected(unreachable, server), headers=headers).status == 400


def test_the_middleware_tells_which_server_it_asks(server: ResourceServer) -> None:
    assert OAuthMiddleware(echo, server).server is server


def test_the_middleware_stands_the_validator_on_both_sides(server: ResourceServer, issuer: Issuer) -> None:
    environ = environ_of("GET", "/photos", bearer(issuer.token()), None)
    assert isinstance(run_wsgi(protected(protected(echo, server), server), environ), Answer)


def test_a_body_that_nobody_can_read_to_its_end_is_refused_where_it_must_be_read(
    form_server: ResourceServer, issuer: Issuer
) -> None:
    unbounded: dict[str, Any] = {"wsgi.input": BytesIO(b"a=1"), "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = call_wsgi(
        protected(unreachable, form_server), "POST", headers=[FORM, *bearer(issuer.token())], **unbounded
    )
    assert answer.status == 400
    assert call_wsgi(protected(echo, form_server), "POST", headers=bearer(issuer.token()), **unbounded).status == 200


def test_names_of_headers_that_clients_make_up_are_not_kept_without_end() -> None:
    request = WSGIRequest(
        environ_of("GET", "/", [(f"X-{number}", str(number)) for number in range(2 * MAX_KEYS)], None)
    )
    for number in range(2 * MAX_KEYS):
        assert request.header(b"x-%d" % number) == (str(number).encode(),)
    assert len(_KEYS) == MAX_KEYS


POLICY = OperationScopes({"GET /health": Public(), "GET /legacy": PassThrough(), "* /<path:rest>": "photos"})
FORGED = [("OAuth-ResourceOwnerUID", "root"), ("OAUTH_SCOPE", "admin"), ("Connection", "close, oauth-clientid")]
PREFLIGHT = [("Origin", "https://web.example"), ("Access-Control-Request-Method", "GET")]


def headers_seen(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Gives back the headers of the request, and its query and targets."""
    seen = {key: environ[key] for key in environ if key.startswith("HTTP_") or key in {"QUERY_STRING", "RAW_URI"}}
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [json.dumps(seen).encode()]


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
    seen = json.loads(call_wsgi(protected(headers_seen, server), method, target, sent).body)
    assert seen.get("HTTP_OAUTH_RESOURCEOWNERUID") == who
    assert seen.get("HTTP_OAUTH_SCOPE") == ("photos profile" if who else None)
    assert seen["HTTP_CONNECTION"] == "close"
    assert seen.get("HTTP_AUTHORIZATION") == dict(sent).get("Authorization")


def test_a_caller_of_whom_too_much_is_to_be_told_is_refused(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider()), identity=IdentityHeaders())
    answer = call_wsgi(protected(unreachable, server), headers=bearer(issuer.token(sub="a" * 9000)))
    assert (answer.status, 'error="invalid_token"' in answer.challenge) == (401, True)


@pytest.fixture
def hiding(issuer: Issuer) -> ResourceServer:
    scheme = Bearer(issuer.provider(), presentation=[AUTHORIZATION, Header("Access-Token"), FormField(), LegacyQuery()])
    return ResourceServer(scheme, policy=POLICY, hide_credentials=True)


@pytest.mark.parametrize("place", ["Authorization", "Access-Token", "query"])
def test_the_application_does_not_see_credentials(hiding: ResourceServer, issuer: Issuer, place: str) -> None:
    token = issuer.token()
    value = f"Bearer {token}" if place == "Authorization" else token
    target = f"/photos?a=1&access_token={token}&b" if place == "query" else "/photos?a=1&b"
    headers = [] if place == "query" else [(place, value)]
    answer = call_wsgi(protected(headers_seen, hiding), "GET", target, headers, RAW_URI=target, REQUEST_URI=target)
    assert token not in answer.body.decode()
    assert json.loads(answer.body)["QUERY_STRING"] == "a=1&b"
    assert answer.header("cache-control") == ([] if place == "Authorization" else ["private"] * (place == "query"))


@pytest.mark.parametrize("target", ["/legacy?access_token=x", "/health?access_token=x"])
def test_credentials_that_were_not_read_go_on_untouched(hiding: ResourceServer, target: str) -> None:
    sent = [("Authorization", "Bearer x"), ("Access-Token", "y")]
    seen = json.loads(call_wsgi(protected(headers_seen, hiding), "GET", target, sent, RAW_URI=target).body)
    assert [seen[key] for key in ("HTTP_AUTHORIZATION", "HTTP_ACCESS_TOKEN", "RAW_URI")] == ["Bearer x", "y", target]


def test_a_form_reaches_the_application_without_its_token(hiding: ResourceServer, issuer: Issuer) -> None:
    body = f"a=%e4&access_token={issuer.token()}&b=1+2&&".encode()
    app = protected(echo, hiding)
    assert call_wsgi(app, "POST", "/photos", [FORM], body).body == b"a=%e4&b=1+2&&"
    assert call_wsgi(app, "POST", "/photos", [FORM], **ended(body)).body == b"a=%e4&b=1+2&&"
    assert call_wsgi(app, "POST", "/photos", [FORM, *bearer(issuer.token())], b"a=1&&").body == b"a=1&&"


def test_a_body_that_is_no_form_stays_though_it_was_read(issuer: Issuer) -> None:
    hiding = ResourceServer(
        Bearer(issuer.provider()),
        Digesting(issuer.provider()),
        hide_credentials=True,
    )
    body = b"oauth_token=1&access_token=2"
    answer = call_wsgi(protected(echo, hiding), "POST", headers=[("Digesting", issuer.token())], body=body)
    assert (answer.header("x-who"), answer.body) == (["ada"], body)


class Digesting(Bearer):
    """Reads every body, as schemes do that check a digest of it."""

    name = "Digesting"
    authorization_names = frozenset()
    places = Places(headers=frozenset({b"digesting"}), fields=frozenset({b"access_token"}))

    def __init__(self, provider: Any) -> None:
        super().__init__(provider, presentation=[Header("Digesting")])
        self.authorization_names = frozenset()

    def elsewhere(self, request: Any, /) -> Any:
        return self._reading(request)

    def _reading(self, request: Any) -> Flow[Any]:
        yield from ReadBody(1000)
        return request.header(b"digesting")


FIELDS = FieldFilter({"profile": ["name"], "admin": ["*"]}, always=["id"])
ADA = b'{"id": 1, "name": "Ada", "secret": "x"}'


def customer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Ada, in JSON; an error where the path says so."""
    status = "404 Not Found" if environ["PATH_INFO"].endswith("/none") else "200 OK"
    start_response(status, [("Content-Type", "application/json"), ("ETag", '"1"'), ("Content-Length", str(len(ADA)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [ADA]


@pytest.fixture
def filtering(issuer: Issuer) -> ResourceServer:
    filters = {"GET /customers/<id>": FIELDS, "* /open/<id>": FIELDS}
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
def test_an_operation_shows_what_its_filter_shows(filtering: ResourceServer, issuer: Issuer, case: Any) -> None:
    method, target, scope, status, body = case
    answer = call_wsgi(protected(customer, filtering), method, target, bearer(issuer.token(scope=scope)), b"")
    assert answer.status == status
    assert body is None or answer.body == body


def test_a_filtered_answer_is_for_one_caller_and_says_nothing_of_the_whole(
    filtering: ResourceServer, issuer: Issuer
) -> None:
    app, headers = protected(customer, filtering), bearer(issuer.token(scope="profile"))
    expected = [
        ("Content-Type", "application/json"),
        ("Cache-Control", "private"),
        ("Vary", "Authorization, Access-Token"),
    ]
    assert list(call_wsgi(app, "HEAD", "/customers/1", headers).headers) == expected
    assert list(call_wsgi(app, "GET", "/customers/1", headers).headers) == [*expected, ("Content-Length", "21")]


def test_what_is_refused_is_refused_before_it_is_filtered(filtering: ResourceServer) -> None:
    answer = call_wsgi(protected(unreachable, filtering), target="/customers/1")
    assert (answer.status, answer.challenge) == (401, "Bearer")


def test_an_answer_over_the_limit_does_not_go_out(
    filtering: ResourceServer, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    app = OAuthMiddleware(customer, filtering, max_filtered=len(ADA) - 1)
    answer = call_wsgi(app, target="/customers/1", headers=bearer(issuer.token(scope="admin")))
    assert (answer.status, json.loads(answer.body)) == (500, {"error": "server_error"})
    assert "response_not_filtered: too_large" in caplog.messages


def test_an_application_may_name_a_filter_itself_and_both_hold(filtering: ResourceServer, issuer: Issuer) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ[CHECKED].middleware.filter(environ, FieldFilter({"admin": ["name", "secret"]}))
        return customer(environ, start_response)

    ask = bearer(issuer.token(scope="profile admin"))
    shown = [call_wsgi(protected(app, filtering), target=path, headers=ask).body for path in ("/customers/1", "/x")]
    assert [json.loads(body) for body in shown] == [{"name": "Ada", "secret": "x"}] * 2
    narrow = [
        call_wsgi(protected(app, filtering), target=path, headers=bearer(issuer.token())).body for path in ("/x",)
    ]
    assert narrow == [b"{}"]


def test_a_refusal_while_a_filtered_answer_is_collected_is_answered(filtering: ResourceServer, issuer: Issuer) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        yield b"{"
        environ[GRANT].require("root")

    answer = call_wsgi(protected(app, filtering), target="/customers/1", headers=bearer(issuer.token()))
    assert (answer.status, json.loads(answer.body)["error"]) == (403, "insufficient_scope")


def test_a_limit_that_cannot_be_is_a_mistake_found_at_start(filtering: ResourceServer) -> None:
    with pytest.raises(ValueError, match="above 0"):
        OAuthMiddleware(customer, filtering, max_filtered=0)


def test_what_an_application_waits_for_is_driven_by_the_middleware(server: ResourceServer, issuer: Issuer) -> None:
    async def asked(grant: Any, _request: Any) -> bool:
        return bool(grant.subject == "ada")

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        verdict: Any = permit(environ[GRANT], Condition(asked), WSGIRequest(environ))
        environ[CHECKED].middleware.drive(verdict)
        return echo(environ, start_response)

    app_behind = protected(app, server)
    statuses = [call_wsgi(app_behind, headers=bearer(issuer.token(sub=sub))).status for sub in ("ada", "bob")]
    assert statuses == [200, 403]


# What is left


class Task(dict[str, Any]):
    """An environ and the side of the server that knows it, as in waitress and Werkzeug."""

    def start(self, *_: Any) -> Any:
        return print


def empty(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("204 No Content", [])
    return []


def failing(_environ: Any, start_response: Any) -> list[bytes]:
    """Begins another answer when something goes wrong."""
    start_response("200 OK", [("Content-Type", "application/json")])
    try:
        json.loads("")
    except ValueError:
        start_response("500 Oh", [("Content-Type", "text/plain")], sys.exc_info())
    return [b"sorry"]


def partial(_environ: Any, start_response: Any) -> list[bytes]:
    """Gives what cannot be filtered."""
    start_response("206 Partial Content", [("Content-Type", "application/json")])
    return [b"{"]


LEFT: dict[str, tuple[Any, str, bool]] = {
    "passed": (empty, "/x", True),
    "refused": (unreachable, "/x", False),
    "filtered": (customer, "/customers/1", True),
    "not to be filtered": (partial, "/customers/1", True),
    "failed": (failing, "/x", True),
    "failed and filtered": (failing, "/customers/1", True),
}


@pytest.mark.parametrize(("app", "path", "good"), LEFT.values(), ids=LEFT)
def test_a_request_leaves_nothing_for_the_garbage_collector(
    filtering: ResourceServer, issuer: Issuer, app: Any, path: str, *, good: bool
) -> None:
    task = Task(environ_of("GET", path, bearer(issuer.token() if good else "bad"), None))
    left = weakref.ref(task)
    gc.disable()
    try:
        list(OAuthMiddleware(app, filtering)(task, task.start))
        del task
        assert left() is None
    finally:
        gc.enable()
