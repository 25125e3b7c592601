"""Tokens that a server is asked about, over HTTP, through both shells."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
from starlette.types import ASGIApp, Receive, Scope, Send

from oauth_rs import (
    Bearer,
    Header,
    HTTPSettings,
    IssuerMetadata,
    JWTProvider,
    OAuthError,
    Opaque,
    RemoteKeys,
    ResourceServer,
)
from oauth_rs.client_auth import (
    BearerToken,
    ClientAuth,
    ClientCertificate,
    ClientSecret,
    ClientSecretPost,
    PrivateKeyJWT,
)
from oauth_rs.devserver import Client, DevServer, User
from oauth_rs.devserver.faults import Answer as Instead
from oauth_rs.devserver.faults import Drop, Fault, Flood, Slow
from oauth_rs.providers.introspection import IntrospectionProvider
from oauth_rs.providers.introspection_jwt import MEDIA_TYPE
from oauth_rs.providers.userinfo import UserInfoProvider, github, openid
from oauth_rs.refusal import Refusal
from tests.providers.asking import (
    Ask,
    Behind,
    Together,
    at_once,
    behind_wsgi,
    each_shell,
    guarded,
    together_asgi,
)
from tests.support.issuing import API, Issuer
from tests.support.misbehaving import FAILING, LONG
from tests.support.playing import FakeClock
from tests.support.processes import PATIENCE
from tests.support.serving import ScriptedServer, serving
from tests.support.trusting import certificate_of, demanding, trusting

CLIENT = ClientSecret("api", "s%c+r&t=")
APP = ClientSecret("app", "s3cret")
SIGNER = Issuer("ES256", kid="c1", issuer="signer")
ELSEWHERE = "https://other.example.com"


@pytest.fixture(scope="module")
def issuing() -> Iterator[DevServer]:
    clients = [
        Client(CLIENT.client_id, CLIENT.secret),
        Client(APP.client_id, APP.secret),
        Client("signer", jwks=SIGNER.jwks),
        Client("lasting", "secret", refresh=True),
    ]
    users = [User("ada", name="Ada Lovelace", email="ada@example.org", preferred_username="al")]
    with DevServer.running(audience=API, algorithm="ES256", clients=clients, users=users) as server:
        yield server


@pytest.fixture
def dev(issuing: DevServer) -> Iterator[DevServer]:
    yield issuing
    issuing.heal()
    issuing.start()
    issuing.hits.clear()


def at(dev: DevServer, **options: Any) -> IntrospectionProvider:
    location = options.pop("location", f"{dev.issuer}/introspect")
    return IntrospectionProvider(location, **{"client": CLIENT, "audience": API, **options})


def minted(dev: DevServer, **options: Any) -> str:
    return dev.opaque_token(**{"subject": "ada", "scope": "photos", "client_id": "app", **options})


# How this application proves itself


def ways(dev: DevServer) -> dict[str, ClientAuth]:
    return {
        "basic": CLIENT,
        "post": ClientSecretPost(CLIENT.client_id, CLIENT.secret),
        "private_key_jwt": PrivateKeyJWT("signer", SIGNER.private_key, kid="c1", audience=dev.issuer),
        "bearer": BearerToken(dev.token(scope="introspect")),
        "opaque bearer": BearerToken(dev.opaque_token(scope="introspect")),
    }


@each_shell
@pytest.mark.parametrize("way", ["basic", "post", "private_key_jwt", "bearer", "opaque bearer"])
def test_every_way_to_prove_who_asks_gets_an_answer(dev: DevServer, behind: Behind, way: str) -> None:
    ask = behind(guarded(at(dev, client=ways(dev)[way])))
    for _ in range(2):  # no assertion is good twice
        answer = ask(minted(dev))
        assert (answer.status, answer.body) == (200, b"ada: photos")


@each_shell
@pytest.mark.parametrize(
    "client",
    [
        ClientSecret("api", "wrong"),
        ClientSecretPost("nobody", "secret"),
        PrivateKeyJWT("signer", Issuer(kid="stolen").private_key, kid="c1"),
        BearerToken("t0ken"),
    ],
    ids=["secret", "nobody", "key", "token"],
)
def test_wrong_credentials_of_ours_are_a_mistake_here_and_not_of_the_caller(
    dev: DevServer, behind: Behind, client: ClientAuth, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "oauth_rs")
    answer = behind(guarded(at(dev, client=client)))(minted(dev))
    assert (answer.status, answer.header("retry-after")) == (503, ["30"])
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert said.startswith(f"configuration: {dev.issuer}/introspect does not accept")
    assert "refused: endpoint_refused" in caplog.messages


@each_shell
def test_a_certificate_proves_who_asks(behind: Behind, tmp_path: Path) -> None:
    ca, seen = trustme.CA(), []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        subject: Any = handler.connection.getpeercert()["subject"]
        seen.append(dict(pair for (pair,) in subject))
        body = json.dumps({"active": True, "aud": API, "sub": "ada", "scope": "photos"}).encode()
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with serving(demanding(ca)) as server:
        server.answers["/introspect"] = answer
        ours, others = (certificate_of(made, tmp_path / name) for made, name in ((ca, "a"), (trustme.CA(), "b")))
        for certificate, status in ((ours, 200), (others, 503)):
            client = ClientCertificate("api", certificate)
            provider = IntrospectionProvider(f"{server.url}/introspect", client=client, audience=API)
            assert behind(guarded(provider), trusting(ca))("t0ken").status == status
        plain = IntrospectionProvider(f"{server.url}/introspect", client=CLIENT, audience=API)
        assert behind(guarded(plain), trusting(ca))("t0ken").status == 503
    assert [subject["organizationalUnitName"] for subject in seen] == ["the client"]


# What is asked, and of whom


@each_shell
def test_the_endpoint_is_found_by_the_metadata_of_the_issuer(dev: DevServer, behind: Behind) -> None:
    ask = behind(guarded(at(dev, location=IssuerMetadata(dev.issuer))))
    assert [ask(minted(dev)).status for _ in range(3)] == [200] * 3
    assert dev.hits["/introspect"] == 3
    assert dev.hits["/.well-known/oauth-authorization-server"] == 1


@each_shell
@pytest.mark.parametrize("make", [DevServer.opaque_token, DevServer.token], ids=["opaque", "jwt"])
def test_signed_answers_are_read(dev: DevServer, behind: Behind, make: Callable[..., str]) -> None:
    metadata = IssuerMetadata(dev.issuer)
    ask = behind(guarded(at(dev, location=metadata, keys=RemoteKeys(metadata))))
    assert ask(make(dev, scope="photos", claims={"sub": "ada"})).body == b"ada: photos"
    assert ask("unknown").status == 401
    assert dev.hits["/jwks"] == 1


@each_shell
def test_an_issuer_whose_answers_are_not_signed_is_not_believed_where_they_must_be(
    dev: DevServer, behind: Behind
) -> None:
    plain = Instead(200, json.dumps({"active": True, "aud": API, "sub": "ada"}), content_type="application/json")
    dev.fault("/introspect", plain)
    metadata = IssuerMetadata(dev.issuer)
    assert behind(guarded(at(dev, location=metadata, keys=RemoteKeys(metadata))))(minted(dev)).status == 503


@each_shell
def test_an_access_token_is_no_signed_answer(dev: DevServer, behind: Behind) -> None:
    token = dev.token(claims={"aud": "api", "token_introspection": {"active": True, "aud": API, "sub": "ada"}})
    dev.fault("/introspect", Instead(200, token, content_type=MEDIA_TYPE))
    metadata = IssuerMetadata(dev.issuer)
    answer = behind(guarded(at(dev, location=metadata, keys=RemoteKeys(metadata))))(minted(dev))
    assert (answer.status, answer.header("retry-after")) == (503, ["1"])


@each_shell
def test_a_signed_answer_is_no_access_token(dev: DevServer, behind: Behind) -> None:
    members = {"active": True, "aud": API, "sub": "ada", "client_id": "app", "jti": "1", "scope": "photos"}
    claims = {**members, "token_introspection": members}
    answer = dev.token(claims=claims, header={"typ": "token-introspection+jwt"})
    jwt = JWTProvider(dev.issuer, audience=API, typ=("at+jwt", "JWT", None))
    assert behind(guarded(jwt))(answer).status == 401
    assert behind(guarded(jwt))(dev.token(claims=members)).status == 200


def test_opaque_tokens_and_jwts_are_served_side_by_side(dev: DevServer) -> None:
    ask = behind_wsgi(guarded(JWTProvider(dev.issuer, audience=API), at(dev, accepts=Opaque())))
    assert ask(dev.token(claims={"sub": "ada"}, scope="photos")).body == b"ada: photos"
    assert "/introspect" not in dev.hits
    assert ask(minted(dev)).body == b"ada: photos"
    assert dev.hits["/introspect"] == 1


# What is refused: 401


def revoked(dev: DevServer) -> str:
    token = minted(dev)
    dev._issued.revoke(token)
    return token


BAD: dict[str, Callable[[DevServer], str]] = {
    "unknown": lambda _: "pt_unknown",
    "strange": lambda _: "'\"<script>&token=x;--|\\",
    "revoked": revoked,
    "expired": lambda dev: minted(dev, claims={"exp": 1}),
    "not yet": lambda dev: minted(dev, claims={"nbf": int(time.time()) + 600}),
    "refresh token": lambda dev: dev.refresh_token(client_id="lasting"),
    "unsigned": lambda dev: dev.token(alg="none"),
    "another audience": lambda dev: minted(dev, audience=ELSEWHERE),
    "another issuer": lambda dev: minted(dev, claims={"iss": ELSEWHERE}),
    "bound to a key": lambda dev: minted(dev, claims={"cnf": {"jkt": "abc"}}),
    "bound to a certificate": lambda dev: minted(dev, claims={"cnf": {"x5t#S256": "abc"}}),
    "bound to something": lambda dev: minted(dev, claims={"cnf": {}}),
    "for MAC": lambda dev: minted(dev, claims={"mac_key": "secret"}),
    "odd scope": lambda dev: minted(dev, claims={"scope": ["photos", 7]}),
    "odd subject": lambda dev: minted(dev, claims={"sub": {"id": "ada"}}),
}


@each_shell
@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_a_bad_token_is_refused(dev: DevServer, behind: Behind, make: Callable[[DevServer], str]) -> None:
    ask, token = behind(guarded(at(dev, issuer=dev.issuer))), make(dev)
    for _ in range(2):  # also where that is remembered
        answer = ask(token)
        assert answer.status == 401
        assert answer.challenge.startswith('Bearer error="invalid_token"')
        assert token not in f"{answer.headers}{answer.body!r}"
    assert dev.hits["/introspect"] == 1


SAYS_NO: dict[str, dict[str, Any]] = {
    "inactive": {"active": False},
    "over": {"exp": int(time.time()) - 61},
    "end as text": {"exp": str(int(time.time()) + 600)},
    "end as truth": {"exp": True},
    "end beyond all": {"exp": 10**18},
    "no audience": {"aud": None},
    "other audience": {"aud": ELSEWHERE},
    "other audiences": {"aud": [ELSEWHERE, f"{API}/"]},
    "other issuer": {"iss": ELSEWHERE},
    "refresh token": {"token_use": "refresh_token"},
}


@each_shell
@pytest.mark.parametrize("changes", SAYS_NO.values(), ids=SAYS_NO)
def test_an_answer_that_says_no_is_a_401(behind: Behind, web: ScriptedServer, changes: dict[str, Any]) -> None:
    ask = behind(guarded(scripted(web)))
    web.answers["/introspect"] = {**GOOD, **changes}
    assert ask("t0ken").status == 401
    web.answers["/introspect"] = GOOD
    assert ask("another").status == 200


GOOD: dict[str, Any] = {"active": True, "iss": "https://id.example.com", "aud": API, "sub": "ada"}


def scripted(web: ScriptedServer, **options: Any) -> IntrospectionProvider:
    defaults = {"client": CLIENT, "audience": API, "issuer": GOOD["iss"], "timeout": PATIENCE}
    return IntrospectionProvider(f"{web.url}/introspect", **{**defaults, **options})


# What cannot be decided: 503


def not_decided(ask: Ask, token: str) -> None:
    answer = ask(token)
    assert answer.status == 503
    assert int(answer.header("retry-after")[0]) >= 1
    assert not answer.header("www-authenticate")
    assert json.loads(answer.body)["error"] == "temporarily_unavailable"


SAYS_NOTHING: dict[str, bytes] = {
    "nothing": b"",
    "html": b"<!doctype html><h1>Down for maintenance</h1>",
    "null": b"null",
    "list": b'[{"active": true}]',
    "empty object": b"{}",
    "active as text": b'{"active": "true", "aud": "%s"}',
    "active as number": b'{"active": 1, "aud": "%s"}',
    "active is missing": b'{"sub": "ada", "aud": "%s"}',
    "active twice": b'{"active": false, "active": true, "aud": "%s"}',
    "audience twice": b'{"active": true, "aud": "x", "aud": "%s"}',
    "endless end": b'{"active": true, "aud": "%s", "exp": 1e400}',
    "end is no number": b'{"active": true, "aud": "%s", "exp": NaN}',
    "deep": b'{"active": true, "aud": "%s", "x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "not utf-8": b'{"active": true, "aud": "%s", "sub": "\xff"}',
    "two objects": b'{"active": true, "aud": "%s"}{}',
    "token of ours": Issuer().token(active=True).encode(),
}


@each_shell
@pytest.mark.parametrize("body", SAYS_NOTHING.values(), ids=SAYS_NOTHING)
def test_an_answer_that_cannot_be_understood_is_a_503(behind: Behind, web: ScriptedServer, body: bytes) -> None:
    web.answers["/introspect"] = (200, {"Content-Type": "application/json"}, body.replace(b"%s", API.encode()))
    not_decided(behind(guarded(scripted(web))), "t0ken")


@each_shell
@pytest.mark.parametrize(("answer", "reason"), FAILING.values(), ids=FAILING)
def test_an_endpoint_that_misbehaves_is_a_503_in_time(
    behind: Behind, web: ScriptedServer, answer: Any, reason: str
) -> None:
    web.answers["/introspect"] = answer
    began = time.monotonic()
    timeout = 0.5 if reason == "fetch_timeout" else PATIENCE
    not_decided(behind(guarded(scripted(web, timeout=timeout))), "t0ken")
    assert time.monotonic() - began < LONG / 2
    assert list(web.hits) == ["/introspect"]


FAULTS: dict[str, Fault] = {
    "slow": Slow(6),
    "401": Instead(401),
    "403": Instead(403),
    "404": Instead(404),
    "429": Instead(429),
    "500": Instead(500, json.dumps({"active": True, "aud": API})),
    "html": Instead(200, "<!doctype html>", content_type="text/html"),
    "redirect": Instead(307, headers={"Location": "/token"}),
    "flood": Flood(500_000),
    "dropped": Drop(),
}


@each_shell
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_provider_that_fails_is_a_503_until_it_is_well(dev: DevServer, behind: Behind, fault: Fault) -> None:
    # Not shared, or what was answered before it was well would be good for a second more.
    ask, token = behind(guarded(at(dev, timeout=2, refused_seconds=0))), minted(dev)
    dev.fault("/introspect", fault)
    not_decided(ask, token)
    dev.heal()
    assert ask(token).status == 200


@each_shell
def test_metadata_that_cannot_be_had_is_a_503(dev: DevServer, behind: Behind) -> None:
    server, token = guarded(at(dev, location=IssuerMetadata(dev.issuer))), minted(dev)
    dev.fault("/.well-known/oauth-authorization-server", Instead(500))
    not_decided(behind(server), token)
    assert "/introspect" not in dev.hits
    dev.heal()
    assert behind(server)(token).status == 200


# How often is asked


@at_once
@pytest.mark.parametrize("way", ["basic", "private_key_jwt"])
@pytest.mark.parametrize("seconds", [0, 0.2])
def test_requests_with_the_same_new_token_cause_one_call(
    dev: DevServer, together: Together, way: str, seconds: float
) -> None:
    dev.fault("/introspect", Slow(seconds))
    server = guarded(at(dev, client=ways(dev)[way]))
    answers = together(server, [minted(dev)] * 32)
    assert [answer.body for answer in answers] == [b"ada: photos"] * 32
    assert dev.hits["/introspect"] == 1


@each_shell
def test_a_token_past_its_end_is_asked_about_for_each_request(dev: DevServer, behind: Behind) -> None:
    said = {"active": True, "aud": API, "sub": "ada", "exp": int(time.time()) - 30}  # within the leeway
    dev.fault("/introspect", Instead(200, json.dumps(said)))
    ask = behind(guarded(at(dev)))
    assert [ask("t0ken").status for _ in range(5)] == [200] * 5
    assert dev.hits["/introspect"] == 5


@at_once
def test_requests_with_different_tokens_share_no_answer(dev: DevServer, together: Together) -> None:
    tokens = [minted(dev, subject=str(number % 8)) for number in range(16)]
    answers = together(guarded(at(dev)), tokens)
    assert [answer.body for answer in answers] == [b"%d: photos" % (number % 8) for number in range(16)]
    assert dev.hits["/introspect"] == 16


@at_once
def test_requests_with_the_same_bad_token_cause_one_call(dev: DevServer, together: Together) -> None:
    assert {answer.status for answer in together(guarded(at(dev)), ["unknown"] * 32)} == {401}
    assert dev.hits["/introspect"] == 1


def test_ten_thousand_requests_with_a_hundred_tokens_cause_a_hundred_calls(dev: DevServer) -> None:
    ask = behind_wsgi(guarded(at(dev, monotonic=FakeClock())))
    tokens = [minted(dev) for _ in range(100)]
    assert {ask(tokens[number % 100]).status for number in range(10_000)} == {200}
    assert dev.hits["/introspect"] == 100


def test_ten_thousand_requests_at_once_cause_no_more(dev: DevServer) -> None:
    tokens = [minted(dev) for _ in range(100)] * 100
    # One event loop runs all of them: a call may take as long as they do.
    answers = together_asgi(guarded(at(dev, timeout=30, monotonic=FakeClock())), tokens)
    assert {answer.status for answer in answers} == {200}
    assert dev.hits["/introspect"] == 100


@each_shell
def test_a_token_that_is_revoked_counts_until_its_answer_is_old(dev: DevServer, behind: Behind) -> None:
    clock, token = FakeClock(), minted(dev)
    ask = behind(guarded(at(dev, cache_seconds=10, refused_seconds=0, monotonic=clock)))
    assert ask(token).status == 200
    dev._issued.revoke(token)
    clock.pass_seconds(5)
    assert ask(token).status == 200
    clock.pass_seconds(5)
    assert ask(token).status == 401


@each_shell
def test_without_a_cache_a_revoked_token_is_refused_at_once(dev: DevServer, behind: Behind) -> None:
    ask, token = behind(guarded(at(dev, cache_seconds=0, refused_seconds=0))), minted(dev)
    assert [ask(token).status for _ in range(3)] == [200] * 3
    dev._issued.revoke(token)
    assert [ask(token).status for _ in range(3)] == [401] * 3
    assert dev.hits["/introspect"] == 6


# When the provider is down


@each_shell
def test_a_provider_that_is_down_is_left_alone_and_asked_again_in_time(dev: DevServer, behind: Behind) -> None:
    clock, known, unknown = FakeClock(), minted(dev), minted(dev)
    ask = behind(guarded(at(dev, monotonic=clock)))
    assert ask(known).status == 200
    dev.stop()
    for _ in range(4):
        not_decided(ask, unknown)
    dev.start()
    not_decided(ask, unknown)  # it rests, and is not asked
    assert dev.hits["/introspect"] == 1
    assert ask(known).status == 200
    clock.pass_seconds(1)
    assert ask(unknown).status == 200


@each_shell
def test_while_it_rests_clients_are_told_when_to_come_back(dev: DevServer, behind: Behind) -> None:
    clock, token, told = FakeClock(), minted(dev), list[str]()
    ask = behind(guarded(at(dev, monotonic=clock)))
    dev.fault("/introspect", Instead(500))
    for _ in range(2):
        ask(token)
    for seconds in (1, 2, 4, 8, 16, 30, 30):
        ask(token)
        told += ask(token).header("retry-after")
        clock.pass_seconds(seconds)
    assert told == ["1", "2", "4", "8", "16", "30", "30"]
    assert dev.hits["/introspect"] == 9


class FailedTogether:
    """A fault: 500 as soon as so many calls have come, so that all are under way before the first has failed."""

    def __init__(self, calls: int) -> None:
        self._missing = calls
        self._complete = anyio.Event()

    async def __call__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._missing -= 1
        if not self._missing:
            self._complete.set()
        await self._complete.wait()
        await Instead(500)(app, scope, receive, send)


@at_once
def test_a_burst_of_failures_does_not_have_it_left_alone(dev: DevServer, together: Together) -> None:
    provider, tokens = at(dev, timeout=PATIENCE), [minted(dev) for _ in range(32)]
    dev.fault("/introspect", FailedTogether(32))
    assert {answer.status for answer in together(guarded(provider), tokens)} == {503}
    dev.heal()
    assert {answer.status for answer in together(guarded(provider), tokens)} == {200}


class LastToBeServed(ResourceServer):
    """A server and, as a fault, an endpoint that answers when the server has refused so many requests."""

    def __init__(self, provider: IntrospectionProvider, refusals: int) -> None:
        super().__init__(Bearer(provider))
        self._refused = threading.Semaphore(0)
        self._refusals = refusals

    def refuse(self, error: OAuthError) -> Refusal:
        self._refused.release()
        return super().refuse(error)

    async def __call__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(self._refusals):
            await anyio.to_thread.run_sync(self._refused.acquire, True, PATIENCE)
        await app(scope, receive, send)


@at_once
def test_when_it_is_up_again_one_call_finds_out(dev: DevServer, together: Together) -> None:
    clock, tokens = FakeClock(), [minted(dev) for _ in range(32)]
    provider = at(dev, timeout=PATIENCE, monotonic=clock)
    dev.stop()
    for _ in range(3):
        not_decided(behind_wsgi(guarded(provider)), tokens[0])
    dev.start()
    clock.pass_seconds(1)
    server = LastToBeServed(provider, refusals=31)
    dev.fault("/introspect", server, calls=1)
    answers = together(server, tokens)
    assert sorted(answer.status for answer in answers) == [200] + [503] * 31
    assert dev.hits["/introspect"] == 1
    assert {answer.status for answer in together(guarded(provider), tokens)} == {200}


# User endpoints


def of_github(dev: DevServer, **options: Any) -> UserInfoProvider:
    return github(APP, api=f"{dev.issuer}/github", **options)


CHECK = "/github/applications/{client_id}/token"


@each_shell
def test_a_token_that_github_issued_to_us_is_good(dev: DevServer, behind: Behind) -> None:
    ask, token = behind(guarded(of_github(dev))), minted(dev, scope="repo user")
    for _ in range(2):
        assert ask(token).body == b"%d: repo user" % User("ada").number
    assert (dev.hits[CHECK], dev.hits["/github/user"]) == (1, 1)


@each_shell
@pytest.mark.parametrize(
    "make",
    [lambda dev: minted(dev, client_id="api"), lambda _: "gho_unknown", lambda dev: minted(dev, claims={"exp": 1})],
    ids=["of another", "unknown", "expired"],
)
def test_a_token_that_github_did_not_issue_to_us_is_shown_to_no_user_endpoint(
    dev: DevServer, behind: Behind, make: Callable[[DevServer], str]
) -> None:
    answer = behind(guarded(of_github(dev)))(make(dev))
    assert (answer.status, answer.challenge.startswith('Bearer error="invalid_token"')) == (401, True)
    assert (dev.hits[CHECK], dev.hits["/github/user"]) == (1, 0)


@each_shell
def test_the_token_of_another_application_is_good_where_that_is_accepted(dev: DevServer, behind: Behind) -> None:
    url, fields = f"{dev.issuer}/github/user", {"sub": "login"}
    provider = UserInfoProvider(url, audience_unproved=True, fields=fields, grants=["photos"])
    assert behind(guarded(provider))(minted(dev, client_id="api")).body == b"al: photos"


@at_once
def test_requests_with_the_same_new_token_cause_one_check_and_one_call(dev: DevServer, together: Together) -> None:
    answers = together(guarded(of_github(dev)), [minted(dev, scope="repo")] * 32)
    assert {answer.status for answer in answers} == {200}
    assert (dev.hits[CHECK], dev.hits["/github/user"]) == (1, 1)


@each_shell
def test_a_token_may_stand_in_a_header_of_its_own(dev: DevServer, behind: Behind) -> None:
    ask, token = behind(guarded(of_github(dev), presentation=[Header("Access-Token")])), minted(dev, scope="repo")
    assert ask("", [("Access-Token", token)]).body == b"%d: repo" % User("ada").number
    assert ask("", [("Access-Token", minted(dev, client_id="api"))]).status == 401
    assert ask(token).status == 401  # in Authorization it is none


@each_shell
def test_the_user_endpoint_of_an_openid_provider_is_found(dev: DevServer, behind: Behind) -> None:
    ask = behind(guarded(openid(dev.issuer, audience_unproved=True, grants=["photos"])))
    assert ask(minted(dev, scope="openid")).body == b"ada: photos"
    assert ask(minted(dev, scope="photos")).status == 401
    assert ask("unknown").status == 401


@each_shell
@pytest.mark.parametrize("path", [CHECK, "/github/user"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_user_endpoint_or_a_check_that_fails_is_never_a_pass(
    dev: DevServer, behind: Behind, path: str, fault: Fault
) -> None:
    timeout = 0.5 if fault is FAULTS["slow"] else PATIENCE
    ask, token = behind(guarded(of_github(dev)), HTTPSettings(timeout=timeout)), minted(dev)
    dev.fault(path, fault)
    says_no = {CHECK: {"404"}, "/github/user": {"401"}}[path]
    if any(fault is FAULTS[name] for name in says_no):
        assert ask(token).status == 401
    else:
        not_decided(ask, token)
    dev.heal()
    assert behind(guarded(of_github(dev)))(token).status == 200
