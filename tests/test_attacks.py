"""Attacks on the whole: forged and borrowed tokens, odd spellings, paths, threads, and what each may cost."""

import ssl
import sys
import threading
import traceback
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any, ClassVar
from urllib.parse import unquote_to_bytes

import flask
import flask.views
import pytest
import trustme
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from oauth_rs import (
    Bearer,
    FormField,
    Grant,
    Header,
    JWTProvider,
    LegacyQuery,
    OAuthError,
    RemoteKeys,
    ResourceServer,
    Unavailable,
    asgi,
    wsgi,
)
from oauth_rs import flask as for_flask
from oauth_rs import starlette as for_starlette
from oauth_rs.cache import GenerationalCache
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Fetch
from oauth_rs.schemes.bearer import AUTHORIZATION
from tests.support.calling import Answer, Headers, bearer, call_asgi, call_wsgi, environ_of, run_wsgi
from tests.support.costing import cost
from tests.support.issuing import API, ISSUER, Issuer, encode
from tests.support.playing import PlainRequest, play
from tests.support.serving import ScriptedServer, serving
from tests.support.trusting import trusting

OTHER = "https://other.example"
MEGABYTE = 1 << 20
CEILING_SECONDS = 0.05  # of processor time for anything that a stranger sends


@pytest.fixture(autouse=True, scope="module")
def restless_threads() -> Iterator[None]:
    """Threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def verdict(server: ResourceServer, token: str) -> Grant | str:
    """What `server`, which has its keys at hand, decides: a grant, or the reason why not."""
    try:
        found = play(server.authenticate(PlainRequest(headers={"Authorization": f"Bearer {token}"})))
    except OAuthError as error:
        return error.reason
    assert isinstance(found, Grant)
    return found


def in_threads(count: int, work: Any) -> None:
    failed: list[BaseException] = []

    def one(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - reported below
            failed.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


async def who_asgi(scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"somebody" if scope["state"]["grant"] else b"nobody"})


def who_wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"somebody" if environ[wsgi.GRANT] else b"nobody"]


# One issuer's tokens at another's provider


@pytest.fixture
def two() -> tuple[Issuer, Issuer, ResourceServer]:
    """Two issuers whose keys have the same `kid`; the second may grant less."""
    wide, narrow = Issuer("ES256"), Issuer("RS256", issuer=OTHER)
    return wide, narrow, ResourceServer(Bearer(wide.provider(), narrow.provider(scopes={"photos"})))


@pytest.mark.parametrize("iss", [ISSUER, [ISSUER], [OTHER, ISSUER], "", None, f"{ISSUER}/", ISSUER.upper()])
def test_an_issuer_speaks_for_itself_alone(two: tuple[Issuer, Issuer, ResourceServer], iss: Any) -> None:
    _, narrow, server = two
    assert verdict(server, narrow.token(iss=iss)) in {"unknown_key", "bad_signature", "unknown_issuer"}


def test_an_issuer_cannot_borrow_the_algorithm_of_another(two: tuple[Issuer, Issuer, ResourceServer]) -> None:
    _, narrow, server = two
    assert verdict(server, narrow.token(iss=ISSUER, header={"alg": "ES256"})) == "bad_signature"


def test_a_cached_grant_stays_as_narrow_as_its_provider(two: tuple[Issuer, Issuer, ResourceServer]) -> None:
    wide, narrow, server = two
    tokens = [wide.token(), narrow.token()]
    for token, scopes in [*zip(tokens, [{"photos", "profile"}, {"photos"}], strict=True)] * 3:
        grant = verdict(server, token)
        assert isinstance(grant, Grant)
        assert grant.scopes == scopes


def test_a_cached_verdict_is_for_one_spelling_of_the_token_alone(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider()))
    token = issuer.token()
    assert isinstance(verdict(server, token), Grant)
    head, payload, signature = token.split(".")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = signature[:-1] + last[last.index(signature[-1]) ^ 1]  # the same bytes to a lenient decoder
    assert urlsafe_b64decode(twin + "==") == urlsafe_b64decode(signature + "==")
    for spelling in (f"{token}=", f"{head}.{payload}.{twin}", f"{token}\0", f"{token}.", f"{head}.{payload}."):
        assert isinstance(verdict(server, spelling), str)


# Credentials that lie about where they are, or how many

PLACES: Sequence[Header | FormField | LegacyQuery] = [AUTHORIZATION, Header("Access-Token"), FormField(), LegacyQuery()]
FORM = ("Content-Type", "application/x-www-form-urlencoded")
TOKEN = Issuer().token()
GOOD = bearer(TOKEN)
AUTHORIZATIONS = {
    "two": ([*GOOD, *GOOD], 400),
    "good and empty": ([*GOOD, ("Authorization", "")], 400),
    "empty": ([("Authorization", "")], 401),
    "scheme alone": ([("Authorization", "Bearer")], 400),
    "tab": ([("Authorization", f"Bearer\t{TOKEN}")], 401),
    "leading space": ([("Authorization", f" Bearer {TOKEN}")], 401),
    "trailing space": ([("Authorization", f"Bearer {TOKEN} ")], 400),
    "no-break space": ([("Authorization", f"Bearer\xa0{TOKEN}")], 401),
    "trailing comma": ([("Authorization", f"Bearer {TOKEN},")], 400),
    "folded with another": ([("Authorization", f"Bearer {TOKEN}, Basic YTpi")], 400),
    "quoted": ([("Authorization", f'Bearer "{TOKEN}"')], 401),
    "NUL": ([("Authorization", f"Bearer {TOKEN}\0")], 401),
    "header and other header": ([*GOOD, ("Access-Token", TOKEN)], 400),
    "header and empty other header": ([*GOOD, ("Access-Token", "")], 400),
}


def answers(server: ResourceServer, method: str, target: str, headers: Headers, body: bytes) -> Iterator[Answer]:
    yield call_asgi(asgi.OAuthMiddleware(who_asgi, server), method, target, headers, body)
    yield run_wsgi(wsgi.OAuthMiddleware(who_wsgi, server), environ_of(method, target, headers, body))


@pytest.mark.parametrize(("headers", "status"), AUTHORIZATIONS.values(), ids=AUTHORIZATIONS)
@pytest.mark.parametrize("mode", ["required", "optional"])
def test_odd_credentials_are_refused_also_where_none_are_needed(mode: Any, headers: Headers, status: int) -> None:
    server = ResourceServer(Bearer(Issuer().provider(), presentation=PLACES), credentials=mode)
    assert [answer.status for answer in answers(server, "GET", "/", headers, b"")] == [status, status]


ELSEWHERE = {
    "query twice": (f"/?access_token={TOKEN}&access_token={TOKEN}", b"", 400),
    "query twice, once escaped": (f"/?access_token={TOKEN}&%61ccess_token=", b"", 400),
    "query and form": (f"/?access_token={TOKEN}", b"access_token=x", 400),
    "form twice": ("/", f"access_token={TOKEN}&access_token".encode(), 400),
    "form with a byte outside ASCII": ("/", f"a=\xff&access_token={TOKEN}".encode(), 400),
    "form with a bad token": ("/", b"access_token=x", 401),
    "empty in the query": ("/?access_token", b"", 400),
}


@pytest.mark.parametrize(("target", "body", "status"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_odd_tokens_elsewhere_are_refused_where_none_are_needed(target: str, body: bytes, status: int) -> None:
    server = ResourceServer(Bearer(Issuer().provider(), presentation=PLACES), credentials="optional")
    assert [answer.status for answer in answers(server, "POST", target, [FORM], body)] == [status, status]


@pytest.mark.parametrize("method", ["options", "Options", "OPTIONS ", "HEAD", "TRACE", "CONNECT", ""])
def test_only_options_can_be_a_preflight(method: str) -> None:
    server = ResourceServer(Bearer(Issuer().provider()))
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    with pytest.raises(OAuthError, match="no_credentials"):
        server.authenticate(PlainRequest(method, headers=headers))


# Paths that look public

_BITS = ["/", "//", "docs", "/docs/", "/secret", "health", "..", "/../", "%2e%2e", "%2f", "%5c", ";", "%00", "%252f"]
PATHS = sorted({"/" + "".join(bits) for size in (1, 2, 3) for bits in product(_BITS, repeat=size)})
PUBLIC = ["/health", "/docs/*"]
SECRETS = ["/secret", "/health/secret", "/docssecret", "/secret/docs/", "/HEALTH", "/health/"]


def test_no_spelling_of_a_path_reaches_a_secret_view_of_flask() -> None:
    app = flask.Flask(__name__)
    for path in SECRETS:
        app.add_url_rule(path, path, lambda: "secret")
    app.add_url_rule("/docs/<path:_rest>", view_func=lambda _rest: "public")
    for_flask.protect(app, ResourceServer(Bearer(Issuer().provider()), public=PUBLIC))
    seen = set()
    for path, script in product(PATHS, ["", "/docs"]):
        environ = environ_of("GET", path, [("Host", "api")], None, SCRIPT_NAME=script)
        seen.add(b"".join(app.wsgi_app(environ, lambda *_: None))[:6])  # type: ignore[arg-type]
    assert b"public" in seen
    assert b"secret" not in seen


def test_no_spelling_of_a_path_reaches_a_secret_endpoint_of_starlette() -> None:
    async def secret(_: Request) -> PlainTextResponse:
        return PlainTextResponse("secret")

    async def public(_: Request) -> PlainTextResponse:
        return PlainTextResponse("public")

    app = Starlette(routes=[*(Route(path, secret) for path in SECRETS), Route("/docs/{rest:path}", public)])
    for_starlette.protect(app, ResourceServer(Bearer(Issuer().provider()), public=PUBLIC))
    seen = set()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        seen.add(message.get("body", b"")[:6])

    for path, root in product(PATHS, ["", "/docs", "/docs/", "/health", "/"]):
        scope = {"type": "http", "method": "GET", "headers": [], "query_string": b"", "root_path": root}
        scope["path"] = unquote_to_bytes(path).decode("utf-8", "replace")
        finish(app(scope, receive, send))
    assert b"public" in seen
    assert b"secret" not in seen


def finish(coroutine: Any) -> None:
    with pytest.raises(StopIteration):
        coroutine.send(None)


# Decorators and classes


def test_a_subclass_of_a_guarded_endpoint_is_guarded() -> None:
    @for_starlette.requires("admin")
    class Guarded(HTTPEndpoint):
        async def get(self, _: Request) -> PlainTextResponse:
            return PlainTextResponse("in")

    class Overriding(Guarded):
        async def get(self, _: Request) -> PlainTextResponse:
            return PlainTextResponse("in")

        async def dispatch(self) -> None:
            await super().dispatch()

    app = Starlette(routes=[Route("/", Overriding)])
    for_starlette.protect(app, ResourceServer(Bearer(Issuer().provider())))
    assert call_asgi(app, headers=GOOD).status == 403


# Costs


def _case(*headers: tuple[bytes, bytes], query: bytes = b"", path: str = "/") -> tuple[Any, bytes, str]:
    return headers, query, path


COSTLY = {
    "dots": _case((b"authorization", b"Bearer " + b"." * MEGABYTE)),
    "letters": _case((b"authorization", b"Bearer " + b"A" * MEGABYTE)),
    "spaces": _case((b"authorization", b"Bearer" + b" " * MEGABYTE)),
    "commas": _case((b"authorization", b"Bearer " + b"," * MEGABYTE)),
    "a long scheme": _case((b"authorization", b"B" * MEGABYTE)),
    "many tokens": _case((b"authorization", b"Bearer " + b",".join([TOKEN.encode()] * (MEGABYTE // len(TOKEN))))),
    "many authorizations": _case(*[(b"authorization", b"B")] * (MEGABYTE // 14)),
    "semicolons": _case((b"content-type", b";" * MEGABYTE)),
    "a long path": _case(path="/docs/" + "a/" * (MEGABYTE // 2)),
    "a path of dots": _case(path="/docs/" + "." * MEGABYTE),
    "deep claims": _case((b"authorization", b"Bearer %b.%b.AA" % (TOKEN.split(".")[0].encode(), encode(b"[" * 12000)))),
    "a query of 64 KiB": _case(query=b"%41&" * (1 << 14)),
}


@pytest.mark.parametrize(("headers", "query", "path"), COSTLY.values(), ids=COSTLY)
def test_a_megabyte_costs_less_than_fifty_milliseconds(headers: Any, query: bytes, path: str) -> None:
    provider = Issuer().provider()
    bearers = Bearer(provider, presentation=PLACES), Bearer(provider, Issuer(issuer=OTHER).provider())
    scope = {"type": "http", "method": "GET", "path": path, "headers": list(headers), "query_string": query}

    async def nowhere(*_: Any) -> Any:
        pass

    shells = [asgi.OAuthMiddleware(nowhere, ResourceServer(one, public=["/docs/*"])) for one in bearers]

    def call() -> None:
        for shell in shells:
            finish(shell(dict(scope), nowhere, nowhere))

    assert cost(call) < CEILING_SECONDS * len(shells)


# Leaks

MARK = "do-not-print-me"
HEADER = {"typ": "at+jwt", "alg": "ES256", "kid": "k1"}
LEAKY: dict[str, Callable[[Issuer], str]] = {
    "claims that are not JSON": lambda issuer: issuer.sign(HEADER, encode(f'{{"sub":"{MARK}",}}'.encode())),
    "repeated claims": lambda issuer: issuer.sign(HEADER, encode(f'{{"{MARK}":1,"{MARK}":1}}'.encode())),
    "claims that are not UTF-8": lambda issuer: issuer.sign(HEADER, encode(MARK.encode() + b"\xff")),
    "half a character": lambda issuer: issuer.sign(HEADER, encode(f'{{"a":"{MARK}\\ud800"}}'.encode())),
    "header that is not JSON": lambda issuer: issuer.sign(f'{{"alg":"{MARK}",}}'.encode(), encode(b"{}")),
    "algorithm": lambda issuer: issuer.token(header={"alg": MARK}),
    "kid": lambda issuer: issuer.token(header={"kid": MARK}),
    "typ": lambda issuer: issuer.token(header={"typ": MARK}),
    "audience": lambda issuer: issuer.token(aud=MARK),
    "subject": lambda issuer: issuer.token(sub=[MARK]),
    "expiry": lambda issuer: issuer.token(exp=MARK),
    "confirmation": lambda issuer: issuer.token(cnf=MARK),
}


@pytest.mark.parametrize("token_of", LEAKY.values(), ids=LEAKY)
def test_no_trace_of_a_refusal_shows_what_the_token_holds(
    issuer: Issuer, token_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = ResourceServer(Bearer(issuer.provider()))
    token = token_of(issuer)
    with caplog.at_level("DEBUG"), pytest.raises(OAuthError) as caught:
        play(server.authenticate(PlainRequest(headers={"Authorization": f"Bearer {token}"})))
    refusal = server.refuse(caught.value)
    shown = "".join([*traceback.format_exception(caught.value), *(repr(vars(one)) for one in caplog.records)])
    for secret in (MARK, token, token.split(".")[1]):
        assert secret not in shown + repr(refusal)


# Threads


def test_what_threads_keep_is_what_they_put_and_ends_in_time() -> None:
    cache: GenerationalCache[bytes] = GenerationalCache(size=16, seconds=10)
    clock = [0]
    keys = [bytes([number]) for number in range(40)]

    def work(number: int) -> None:
        for step in range(3000):
            key = keys[(step * 7 + number) % len(keys)]
            cache.put(key, key, clock[0])
            assert cache.get(key, clock[0]) in {key, None}
            clock[0] += number == 0 and step % 97 == 0  # one thread alone, or it would go back

    in_threads(6, work)
    assert len(cache) <= 16 + 2 * 6
    assert [cache.get(key, clock[0] + 10) for key in keys] == [None] * len(keys)


def test_threads_get_the_grants_of_their_own_tokens(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider(cache_size=8), Issuer(issuer=OTHER).provider()))
    tokens = [issuer.token(sub=f"user{number}", scope=f"s{number}") for number in range(6)]

    def work(number: int) -> None:
        for step in range(60):
            mine = (number + step) % len(tokens)
            grant = verdict(server, tokens[mine])
            assert isinstance(grant, Grant)
            assert grant.subject == grant.claims["sub"] == f"user{mine}"
            assert grant.scopes == {f"s{mine}"}

    in_threads(6, work)


def test_threads_lose_a_key_for_good_once_its_set_is_replaced(web: ScriptedServer) -> None:
    first, second, kept = Issuer(kid="k1"), Issuer(kid="k2"), Issuer(kid="k3")
    web.answers["/jwks"] = {"keys": [first.jwk, kept.jwk]}
    keys = RemoteKeys(f"{web.url}/jwks", max_age=3600, cooldown=0)
    app = wsgi.OAuthMiddleware(who_wsgi, ResourceServer(Bearer(JWTProvider(ISSUER, audience=API, keys=keys))))
    old = [first.token(jti=str(number)) for number in range(4)]
    assert [call_wsgi(app, headers=bearer(token)).status for token in old] == [200] * 4
    web.answers["/jwks"] = {"keys": [second.jwk, kept.jwk]}
    replaced = threading.Event()

    def work(number: int) -> None:
        for step in range(30):
            if number == 0 and step == 10:
                assert call_wsgi(app, headers=bearer(second.token())).status == 200  # an unknown key has them fetched
                replaced.set()
            gone = replaced.is_set()
            status = call_wsgi(app, headers=bearer(old[step % 4])).status
            assert status == 401 or not gone
            assert call_wsgi(app, headers=bearer(kept.token())).status == 200

    in_threads(4, work)


# Hostile issuers behind TLS

_AUTHORITY = trustme.CA()
CERTIFICATES = {
    "of another host": _AUTHORITY.issue_cert("other.example"),
    "of an unknown authority": trustme.CA().issue_cert("127.0.0.1"),
    "long expired": _AUTHORITY.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize("certificate", CERTIFICATES.values(), ids=CERTIFICATES)
def test_keys_are_not_taken_from_a_server_with_a_certificate(certificate: trustme.LeafCert) -> None:
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(theirs)
    with serving(lambda sock: theirs.wrap_socket(sock, server_side=True)) as web:
        web.answers["/jwks"] = Issuer().jwks
        with pytest.raises(Unavailable, match="fetch_failed"):
            BlockingHTTP(trusting(_AUTHORITY)).fetch(Fetch("GET", f"{web.url}/jwks"))
    assert not web.hits


HOSTILE_URLS: Sequence[str] = [
    "http://127.0.0.1@evil.example/", "http://localhost\\@evil.example/", "http://localhost:80@evil.example/",
    "http://localhost.evil.example/", "http://localhost%2eevil.example/", "http://127.0.0.1%00.evil.example/",
    "http://[::1]@evil.example/", "http://169.254.169.254/", "http://0x7f.1/", "http://2130706433/", "http://[::]/",
    "file:///etc/passwd", "data:application/json,{}", "ftp://127.0.0.1/", "//127.0.0.1/", "https:///jwks", "https:jwks",
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_keys_are_never_looked_for_there(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        RemoteKeys(url)


# What was open once

PREFLIGHT = [("Origin", "https://e.example"), ("Access-Control-Request-Method", "GET")]


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "Authorization"])
def test_a_preflight_that_carries_more_than_browsers_send_is_checked(name: str) -> None:
    server = ResourceServer(Bearer(Issuer().provider()))
    assert play(server.authenticate(PlainRequest("OPTIONS", headers=PREFLIGHT))) is None
    with pytest.raises(OAuthError):
        play(server.authenticate(PlainRequest("OPTIONS", headers=[*PREFLIGHT, (name, "DELETE")])))


def test_a_view_class_keeps_its_guard_in_subclasses_with_decorators_of_their_own() -> None:
    app = flask.Flask(__name__)
    for_flask.protect(app, ResourceServer(Bearer(Issuer().provider())))

    @for_flask.requires("admin")
    class Guarded(flask.views.MethodView):
        def get(self) -> str:
            return "in"

    class Decorated(Guarded):
        decorators: ClassVar[Any] = [lambda view: view]

    app.add_url_rule("/", view_func=Decorated.as_view("view"))
    assert call_wsgi(app, "GET", "/", bearer(Issuer().token())).status == 403


@pytest.mark.parametrize("place", ["header", "payload"])
def test_no_error_holds_what_the_token_says(place: str) -> None:
    bad, good = b'{"sub":"ada@example.com",}', b'{"typ":"at+jwt","alg":"ES256","kid":"k1"}'
    token = Issuer().sign(bad if place == "header" else good, encode(bad))
    with pytest.raises(OAuthError) as caught:
        play(ResourceServer(Bearer(Issuer().provider())).authenticate(PlainRequest(headers=bearer(token))))
    error: BaseException | None = caught.value
    while error is not None:
        assert "ada@" not in repr(error) + repr(vars(error))
        error = error.__cause__ or error.__context__


def test_a_query_too_long_to_read_for_a_token_is_refused() -> None:
    server = ResourceServer(Bearer(Issuer().provider(), presentation=[LegacyQuery()]))
    with pytest.raises(OAuthError, match="query_too_long"):
        play(server.authenticate(PlainRequest(query=b"&" * MEGABYTE)))


@pytest.mark.parametrize("verdict", ["at once", "later"])
def test_a_scheme_that_decides_nothing_lets_nobody_in(verdict: str) -> None:
    class Forgetful(Bearer):
        def authenticate(self, *_arguments: Any) -> Any:
            return None if verdict == "at once" else iter(())

    server = ResourceServer(Forgetful(Issuer().provider()))
    with pytest.raises((TypeError, AttributeError)):
        play(server.authenticate(PlainRequest(headers=bearer("x"))))
