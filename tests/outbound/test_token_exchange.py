import os
import threading
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import anyio
import httpx2
import pytest
from flask import Flask, request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

import oauth_rs.flask
import oauth_rs.starlette
from oauth_rs import Bearer, JWTProvider, ResourceServer, StaticKeys
from oauth_rs.breaker import FAILURES
from oauth_rs.client_auth import ClientSecretPost
from oauth_rs.devserver import Client, DevServer
from oauth_rs.encoding import base64url_decode, json_object
from oauth_rs.errors import InvalidToken, MissingCredentials, OAuthError
from oauth_rs.handover import HIDDEN
from oauth_rs.model import Grant
from oauth_rs.outbound import OutboundError, TokenExchange, WrongOrigin, bearer_token
from oauth_rs.outbound.answer import AHEAD, MAX_TOKEN, UNSTATED_LIFE
from oauth_rs.outbound.endpoint import LIMIT
from oauth_rs.outbound.source import TokenSource
from oauth_rs.outbound.token_exchange import EXCHANGE, MAX_CALLERS, OF_ACCESS
from tests.outbound.provider import API, CLIENT, SECRET, Provider, granted, send
from tests.support.issuing import API as AUDIENCE
from tests.support.issuing import ISSUER, Issuer, encode
from tests.support.playing import FakeClock

RECORDS = "https://records.example.com"
OPAQUE = "pt_0123456789"


def grant_until(expires_at: float) -> Grant:
    return Grant("Bearer", "p", "i", "ada", "app", frozenset(), int(expires_at))


class Clocks:
    """The time of day and a clock that never goes back, which go together."""

    def __init__(self) -> None:
        self.day, self.monotonic = FakeClock(1_700_000_000.0), FakeClock(50.0)

    def pass_seconds(self, seconds: float) -> None:
        self.day.pass_seconds(seconds)
        self.monotonic.pass_seconds(seconds)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def exchange(provider: Provider, clocks: Clocks) -> TokenExchange:
    return TokenExchange(
        provider.url,
        client=CLIENT,
        audience=RECORDS,
        scopes=["records.read"],
        clock=clocks.day,
        monotonic=clocks.monotonic,
    )


def failure(exchange: TokenExchange, token: str, grant: Grant | None = None) -> str:
    with pytest.raises((OutboundError, OAuthError)) as caught:
        exchange.of(token, grant).token()
    assert isinstance(caught.value, OutboundError | OAuthError)
    return caught.value.reason


def jwt_until(exp: Any) -> str:
    return ".".join((encode({"alg": "ES256"}).decode(), encode({"exp": exp}).decode(), "c2ln"))


# Trading


def test_the_token_of_a_caller_is_traded_for_another(exchange: TokenExchange, provider: Provider, api: API) -> None:
    auth = exchange.auth(OPAQUE, origins=[api.url])
    with httpx2.Client(auth=auth, trust_env=False) as client:
        assert client.get(f"{api.url}/records").status_code == 200
    assert api.sent == ["token-1"]
    assert provider.asked[-1].fields == [
        ("grant_type", EXCHANGE),
        ("scope", "records.read"),
        ("audience", RECORDS),
        ("subject_token_type", OF_ACCESS),
        ("requested_token_type", OF_ACCESS),
        ("subject_token", OPAQUE),
    ]


def test_what_was_traded_is_kept_for_its_caller_alone(exchange: TokenExchange, provider: Provider) -> None:
    assert [exchange.of(f"caller-{number}").token() for number in (1, 2, 1, 2)] == ["token-1", "token-2"] * 2
    assert provider.tokens == 2


def test_calls_for_one_caller_at_once_cause_one_request(exchange: TokenExchange, provider: Provider) -> None:
    def late(handler: Any) -> None:
        time.sleep(0.1)
        send(handler, granted("new"))

    provider.answers["/token"] = late
    got: list[str] = []

    async def one() -> None:
        got.append(await exchange.of(OPAQUE).async_token())

    async def many() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(200):
                group.start_soon(one)

    anyio.run(many)
    assert (got, provider.tokens) == (["new"] * 200, 1)


def test_callers_are_forgotten_before_they_fill_the_memory(exchange: TokenExchange) -> None:
    for number in range(3 * MAX_CALLERS):
        exchange.of(f"caller-{number}")
    assert len(exchange._sources) <= MAX_CALLERS


def test_the_callers_token_is_not_kept_as_a_key(exchange: TokenExchange) -> None:
    exchange.of(OPAQUE)
    young, old, _ = exchange._sources.generations
    assert all(len(key) == 32 and OPAQUE.encode() not in key for key in (*young, *old))


@pytest.mark.parametrize(
    "token", ["", "a b", "a\r\nb", "tökén", "a" * (MAX_TOKEN + 1)], ids=lambda token: repr(token)[:8]
)
def test_what_is_no_token_is_not_traded(exchange: TokenExchange, token: str) -> None:
    with pytest.raises(ValueError, match="bearer_token") as caught:
        exchange.of(token)
    assert not token or token not in str(caught.value)


def test_the_token_of_one_caller_goes_nowhere_else(exchange: TokenExchange, api: API, other: API) -> None:
    auth = exchange.auth(OPAQUE)
    with httpx2.Client(auth=auth, trust_env=False) as client:
        client.get(api.url)
        with pytest.raises(WrongOrigin):
            client.get(other.url)
    assert OPAQUE not in api.sent + other.sent


def test_the_development_server_trades_tokens() -> None:
    clients = [Client("app", "x", scopes={"a", "b"}), Client("api", SECRET, scopes={"a"})]
    with DevServer.running(audience="https://api.example.com", more_audiences=[RECORDS], clients=clients) as server:
        exchange = TokenExchange(server.issuer, client=CLIENT, audience=RECORDS, scopes=["a"])
        for token in (server.token(claims={"sub": "ada"}, scope="a b"), server.opaque_token(scope="a", subject="ada")):
            claims = json_object(base64url_decode(exchange.of(token).token().split(".")[1].encode()))
            assert (claims["sub"], claims["act"], claims["aud"]) == ("ada", {"sub": "api"}, RECORDS)
        assert failure(exchange, "unheard-of") == "token_not_exchanged"
        assert failure(exchange, server.token(scope="b")) == "invalid_scope"


def test_a_caller_that_comes_second_gets_what_the_first_one_has(exchange: TokenExchange) -> None:
    lock = exchange._locks.setdefault(os.getpid(), threading.Lock())
    got: list[TokenSource] = []
    second = threading.Thread(target=lambda: got.append(exchange.of(OPAQUE)))
    with lock:
        second.start()
        time.sleep(0.05)
        first = exchange._source(OPAQUE, None)
        exchange._sources.put(sha256(OPAQUE.encode()).digest(), first, 50.0)
    second.join()
    assert got == [first]


# How long


def test_nothing_is_kept_past_the_end_of_the_callers_token(
    exchange: TokenExchange, provider: Provider, clocks: Clocks
) -> None:
    grant = grant_until(clocks.day() + 100)
    assert exchange.of(OPAQUE, grant).get().ends_at == clocks.monotonic() + 100
    clocks.pass_seconds(100)
    assert failure(exchange, OPAQUE, grant) == "expired"
    assert provider.tokens == 1


def test_a_caller_whose_token_is_at_its_end_gets_a_401(exchange: TokenExchange, clocks: Clocks) -> None:
    with pytest.raises(InvalidToken) as caught:
        exchange.of(OPAQUE, grant_until(clocks.day() - 1)).token()
    assert (caught.value.status, caught.value.scheme) == (401, "Bearer")


def test_what_lives_shorter_than_the_callers_token_is_renewed_ahead(
    exchange: TokenExchange, provider: Provider, clocks: Clocks
) -> None:
    provider.life = 10
    held = exchange.of(OPAQUE, grant_until(clocks.day() + 100)).get()
    assert (held.refresh_at, held.ends_at) == (clocks.monotonic() + 10 * AHEAD, clocks.monotonic() + 10)


@pytest.mark.parametrize("grant", [None, grant_until(0)], ids=["no grant", "a grant without an end"])
def test_a_jwt_says_itself_when_it_ends(exchange: TokenExchange, clocks: Clocks, grant: Grant | None) -> None:
    token = jwt_until(clocks.day() + 30.5)
    assert exchange.of(token, grant).get().ends_at == clocks.monotonic() + 30.5


def test_a_token_of_an_issuer_says_so_too(exchange: TokenExchange, clocks: Clocks) -> None:
    token = Issuer().token(exp=clocks.day() + 30)
    assert exchange.of(token).get().ends_at == clocks.monotonic() + 30


@pytest.mark.parametrize(
    "token",
    [OPAQUE, "a.b", "a.b.c", "..", "a.b.c.d.e", *map(jwt_until, (None, "1", True, 0, -1, [1]))],
    ids=lambda token: token[:24],
)
def test_where_nobody_says_it_is_kept_for_a_minute(exchange: TokenExchange, clocks: Clocks, token: str) -> None:
    assert exchange.of(token).get().ends_at == clocks.monotonic() + UNSTATED_LIFE


def test_an_end_in_another_age_is_one(exchange: TokenExchange, clocks: Clocks) -> None:
    assert exchange.of(jwt_until(10**400)).get().ends_at == clocks.monotonic() + 3600


# What providers may answer

NOT_TAKEN = ["invalid_request", "invalid_grant", "invalid_token"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((400, {"error": "access_denied"}), "access_denied"),
        ((400, {"error": "invalid_target"}), "invalid_target"),
        *(((400, {"error": code}), "token_not_exchanged") for code in NOT_TAKEN),
        ((401, {"error": "invalid_token"}), "token_endpoint_refused"),
        (granted(token_type="N_A", issued_token_type="urn:ietf:params:oauth:token-type:id_token"), "not_bearer"),
        ((500, {}), "token_endpoint_failed"),
    ],
    ids=str,
)
def test_a_caller_for_whom_there_is_no_token_is_told_why(
    exchange: TokenExchange, provider: Provider, answer: Any, reason: str
) -> None:
    provider.answers["/token"] = answer
    assert failure(exchange, OPAQUE) == reason


@pytest.mark.parametrize("code", NOT_TAKEN)
@pytest.mark.parametrize("framework", ["flask", "starlette"])
def test_a_caller_whose_token_was_revoked_gets_a_401(
    exchange: TokenExchange, provider: Provider, issuer: Issuer, code: str, framework: str
) -> None:
    provider.answers["/token"] = (400, {"error": code})
    keys = StaticKeys.from_jwks({"keys": [issuer.jwk]})
    server = ResourceServer(Bearer(JWTProvider(ISSUER, audience=AUDIENCE, keys=keys)))
    through = {"flask": through_flask, "starlette": through_starlette}[framework]
    headers = {"Authorization": f"Bearer {issuer.token()}"}
    assert through(server, headers, lambda token: exchange.of(token).token()) == 401


@pytest.mark.parametrize("code", NOT_TAKEN)
def test_a_code_that_may_be_about_the_request_is_logged_once_a_minute(
    exchange: TokenExchange, provider: Provider, clocks: Clocks, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    provider.answers["/token"] = (400, {"error": code})
    for number in range(3):
        failure(exchange, f"caller-{number}")
    expected = 1 if code == "invalid_request" else 0
    assert len(caplog.records) == expected
    assert not expected or "what is asked for is wrong" in caplog.text
    clocks.pass_seconds(60)
    failure(exchange, "caller-9")
    assert len(caplog.records) == 2 * expected
    assert "caller-" not in caplog.text


def test_a_refusal_of_one_caller_is_none_of_another(exchange: TokenExchange, provider: Provider) -> None:
    provider.answers["/token"] = partial(refuse_first, provider)
    assert failure(exchange, "caller-1") == "token_not_exchanged"
    assert exchange.of("caller-2").token() == "good"
    assert failure(exchange, "caller-1") == "token_not_exchanged"
    assert provider.tokens == 2


def refuse_first(provider: Provider, handler: Any) -> None:
    send(handler, granted("good") if provider.tokens > 1 else (400, {"error": "invalid_grant"}))


def test_an_outage_is_not_asked_about_for_each_caller(exchange: TokenExchange, provider: Provider) -> None:
    provider.answers["/token"] = (500, {})
    reasons = [failure(exchange, f"caller-{number}") for number in range(20)]
    assert reasons == ["token_endpoint_failed"] * FAILURES + ["token_unavailable"] * (20 - FAILURES)
    assert provider.tokens == FAILURES


def test_one_probe_finds_out_for_all_callers(exchange: TokenExchange, provider: Provider, clocks: Clocks) -> None:
    provider.answers["/token"] = (500, {})
    for number in range(FAILURES):
        failure(exchange, f"caller-{number}")
    del provider.answers["/token"]
    clocks.pass_seconds(1)
    exchange.of("caller-7").token()
    assert exchange.of("caller-8").token() == f"token-{provider.tokens}"


ODD = [
    (403, b"<html>blocked"),
    (400, b""),
    b"<html>",
    granted("a" * LIMIT),
    (401, {"error": "invalid_token"}),
    (400, {"error": "unauthorized_client"}),
]


@pytest.mark.parametrize("answer", ODD, ids=lambda answer: repr(answer)[:35])
def test_what_one_callers_token_brings_about_keeps_no_other_from_asking(
    exchange: TokenExchange, provider: Provider, answer: Any
) -> None:
    provider.answers["/token"] = partial(answer_to, "evil", answer, provider)
    for number in range(2 * FAILURES):
        failure(exchange, f"evil-{number}")
    asked = provider.tokens
    failure(exchange, "evil-0")
    assert provider.tokens == asked, "a caller for whom it failed waits"
    assert exchange.of("good").token() == "good"


def test_an_outage_for_one_caller_keeps_no_other_from_asking(exchange: TokenExchange, provider: Provider) -> None:
    provider.answers["/token"] = partial(answer_to, "evil", (500, b""), provider)
    for number in range(2 * FAILURES):
        assert failure(exchange, f"evil-{number}") == "token_endpoint_failed"
        assert exchange.of(f"caller-{number}").token() == "good"


def answer_to(whom: str, answer: Any, provider: Provider, handler: Any) -> None:
    subject = dict(provider.asked[-1].fields)["subject_token"]
    send(handler, answer if subject.startswith(whom) else granted("good"))


def test_a_client_that_is_refused_is_not_asked_about_for_each_caller(
    exchange: TokenExchange, provider: Provider
) -> None:
    provider.answers["/token"] = (401, {"error": "invalid_client"})
    reasons = [failure(exchange, f"caller-{number}") for number in range(5)]
    assert reasons == ["token_endpoint_refused"] * FAILURES + ["token_unavailable"] * 2


@pytest.mark.parametrize("options", [{"resource": "records"}, {"extra": {"subject_token": "x"}}], ids=str)
def test_what_cannot_work_is_refused_when_made(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        TokenExchange("https://id.example.com", client=CLIENT, **options)


def test_it_shows_whom_it_asks_as_which_client_and_no_secret() -> None:
    shown = repr(TokenExchange("https://id.example.com", client=ClientSecretPost("api", "s3cret")))
    assert shown == "TokenExchange('https://id.example.com', client_id='api')"


# The caller's token


@pytest.mark.parametrize("value", ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c"])
def test_the_token_of_the_caller_is_read(value: str) -> None:
    with Flask(__name__).test_request_context(headers={"Authorization": value}):
        assert bearer_token(request) == "a.b.c"
    scope = {"type": "http", "headers": [(b"authorization", value.encode())]}
    assert bearer_token(Request(scope)) == "a.b.c"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer a, Bearer b",
        "Bearer\ta",
        "Basic eDp5",
        "DPoP a",
        "a",
        "Bearer tökén",
    ],
    ids=str,
)
def test_a_caller_without_a_bearer_token_gets_a_401(value: str | None) -> None:
    with pytest.raises(MissingCredentials, match="no_credentials"):
        bearer_token(SimpleNamespace(headers={} if value is None else {"Authorization": value}))


def through_flask(server: ResourceServer, headers: dict[str, str], use: Callable[[str], str] = str) -> int:
    app = Flask(__name__)
    oauth_rs.flask.protect(app, server)
    app.add_url_rule("/", view_func=lambda: use(bearer_token(request)))
    app.testing = True
    return app.test_client().get("/", headers=headers).status_code


def through_starlette(server: ResourceServer, headers: dict[str, str], use: Callable[[str], str] = str) -> int:
    async def endpoint(request: Request) -> Response:
        return Response(use(bearer_token(request)))

    app = Starlette(routes=[Mount("/", routes=[Route("/", endpoint)])])
    oauth_rs.starlette.protect(app, server)
    with TestClient(app) as client:
        return client.get("/", headers=headers).status_code


@pytest.mark.parametrize("through", [through_flask, through_starlette])
def test_hidden_credentials_are_no_fault_of_callers(through: Callable[..., int], issuer: Issuer) -> None:
    keys = StaticKeys.from_jwks({"keys": [issuer.jwk]})
    scheme = Bearer(JWTProvider(ISSUER, audience=AUDIENCE, keys=keys))
    headers = {"Authorization": f"Bearer {issuer.token()}"}
    assert through(ResourceServer(scheme), headers) == 200
    with pytest.raises(RuntimeError, match="hide_credentials=True"):
        through(ResourceServer(scheme, hide_credentials=True), headers)
    hiding = ResourceServer(scheme, credentials="optional", hide_credentials=True)
    assert through(hiding, {}) == 401, "who sent none is told so"


def test_a_request_of_django_says_so_in_its_meta() -> None:
    with pytest.raises(RuntimeError, match="hide_credentials=True"):
        bearer_token(SimpleNamespace(headers={}, META={HIDDEN: True}))


# Options of the wrong kind


@pytest.mark.parametrize("token", [None, 5, b"token"], ids=repr)
def test_a_callers_token_is_text(exchange: TokenExchange, token: Any) -> None:
    with pytest.raises(TypeError, match="token of a caller is text"):
        exchange.of(token)


@pytest.mark.parametrize(("option", "wrong"), [("http", None), ("subject_token_type", 5)])
def test_an_option_of_the_wrong_kind_is_refused_when_made(option: str, wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"^{option} is"):
        TokenExchange("https://id.example.com", client=CLIENT, **{option: wrong})
