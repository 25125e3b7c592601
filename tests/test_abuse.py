"""Hostile issuers and hostile clients, end to end: a real HTTP server behind both middlewares."""

import json
import os
import ssl
import threading
import time
from collections.abc import Sequence
from functools import cache, partial
from hashlib import sha256
from typing import Any

import anyio
import pytest

from oauth_rs import Bearer, HTTPSettings, JWTProvider, RemoteKeys, ResourceServer, asgi, wsgi
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Run
from oauth_rs.metadata import IssuerMetadata
from oauth_rs.remote_keys import CEILING, COOLDOWN, MAX_AGE
from tests.support.calling import Answer, answer_of, bearer, call_asgi, call_wsgi, scope_of
from tests.support.issuing import API, Issuer, encode
from tests.support.misbehaving import Floods, drips_body, drips_headers, drops, silent, slowly, talks_nonsense
from tests.support.playing import FakeClock
from tests.support.serving import ScriptedServer

METADATA = "/.well-known/oauth-authorization-server"
TIMEOUT = 0.5  # seconds; within it the server has seen the request
PATIENCE = 60.0  # seconds: where a slow test machine must not turn an answer into a time-out
FAULTS: dict[str, Any] = {
    "silent": silent,
    "down": drops,
    "nonsense": talks_nonsense,
    "drips headers": drips_headers,
    "drips body": drips_body,
    "500": (500, {}, b"oops"),
    "404": (404, {}, b""),
    "html": (200, {"Content-Type": "text/html"}, b"<!doctype html><h1>Sign in</h1>"),
    "50 MB": Floods(),
    "redirect": (302, {"Location": "/jwks2"}, b""),
    "empty set": {"keys": []},
    "symmetric keys": {"keys": [{"kty": "oct", "k": "AAAA", "kid": "k1"}]},
    "deep": b'{"keys":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
}

pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'httpcore2:ResourceWarning")


async def hello_asgi(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def hello_wsgi(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


@cache
def settings_of(timeout: float) -> HTTPSettings:
    """Made once: reading the trust anchors takes longer than most of these exchanges."""
    return HTTPSettings(timeout=timeout, tls=ssl.create_default_context)


class Scene:
    """An API whose keys come from `web`, with one clock for all that never goes back."""

    def __init__(
        self, web: ScriptedServer, *, timeout: float, shell: str = "wsgi", keys: RemoteKeys | None = None
    ) -> None:
        self.web = web
        self.issuer = Issuer(issuer=web.url)
        self.clock = FakeClock()
        web.answers[METADATA] = {"issuer": web.url, "jwks_uri": f"{web.url}/jwks"}
        web.answers["/jwks"] = web.answers["/jwks2"] = self.issuer.jwks
        source = keys or RemoteKeys(IssuerMetadata(web.url), monotonic=self.clock)
        self.provider = JWTProvider(web.url, audience=API, keys=source, monotonic=self.clock)
        self.server = ResourceServer(Bearer(self.provider))
        settings = settings_of(timeout)
        self.wsgi = wsgi.OAuthMiddleware(hello_wsgi, self.server, http=settings)
        self.asgi = asgi.OAuthMiddleware(hello_asgi, self.server, http=settings)
        self._call = partial(call_wsgi, self.wsgi) if shell == "wsgi" else partial(call_asgi, self.asgi)

    def call(self, token: str) -> Answer:
        return self._call(headers=bearer(token))

    def tokens(self, count: int) -> list[str]:
        return [self.issuer.token(jti=str(number)) for number in range(count)]

    def pass_seconds(self, seconds: float) -> None:
        """Lets time pass for the keys and for what equal fetches share, which goes by the real clock."""
        self.clock.pass_seconds(seconds)
        self.wsgi._http._flights.clear()
        self.asgi._http._aside._flights.clear()

    def warm(self) -> str:
        """A token that was let in, its keys fetched with patience."""
        BlockingHTTP(settings_of(PATIENCE)).drive(Run(self.server.warm()), lambda _: None)
        token = self.issuer.token()
        assert self.call(token).status == 200
        return token

    def in_threads(self, tokens: Sequence[str]) -> list[int]:
        statuses: list[int] = []
        barrier = threading.Barrier(len(tokens))

        def one(token: str) -> None:
            barrier.wait()
            statuses.append(call_wsgi(self.wsgi, headers=bearer(token)).status)

        threads = [threading.Thread(target=one, args=(token,)) for token in tokens]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return statuses

    async def in_tasks(self, tokens: Sequence[str], *, apart: float = 0) -> list[int]:
        statuses: list[int] = []

        async def one(token: str, delay: float) -> None:
            sent: list[dict[str, Any]] = []

            async def send(message: Any) -> None:
                sent.append(message)

            await anyio.sleep(delay)
            await self.asgi(scope_of("GET", "/", bearer(token)), no_body, send)
            statuses.append(answer_of(sent).status)

        async with anyio.create_task_group() as tasks:
            for number, token in enumerate(tokens):
                tasks.start_soon(one, token, number * apart)
        return statuses


async def no_body() -> dict[str, Any]:
    return {"type": "http.disconnect"}


def unknown_kids(issuer: Issuer, count: int) -> list[str]:
    """Tokens as anybody can make them: each names another key, and the signature is noise."""
    payload, signature = encode(issuer.claims()).decode(), encode(b"\x01" * 64).decode()
    headers = ({"typ": "at+jwt", "alg": "ES256", "kid": os.urandom(8).hex()} for _ in range(count))
    return [f"{encode(header).decode()}.{payload}.{signature}" for header in headers]


# One fetch


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("delay", [0, 0.3], ids=["fast", "slow"])
def test_a_thousand_tasks_at_a_cold_start_cause_one_fetch(web: ScriptedServer, backend: str, delay: float) -> None:
    scene = Scene(web, timeout=PATIENCE)
    if delay:
        web.answers["/jwks"] = slowly(json.dumps(scene.issuer.jwks).encode(), delay)
    assert anyio.run(scene.in_tasks, scene.tokens(1000), backend=backend) == [200] * 1000
    assert web.hits == {METADATA: 1, "/jwks": 1}


@pytest.mark.parametrize("delay", [0, 0.3], ids=["fast", "slow"])
def test_hundreds_of_threads_at_a_cold_start_cause_one_fetch(web: ScriptedServer, delay: float) -> None:
    scene = Scene(web, timeout=PATIENCE)
    if delay:
        web.answers["/jwks"] = slowly(json.dumps(scene.issuer.jwks).encode(), delay)
    assert scene.in_threads(scene.tokens(250)) == [200] * 250
    assert web.hits == {METADATA: 1, "/jwks": 1}


def test_threads_at_an_issuer_that_is_down_cause_one_fetch(web: ScriptedServer) -> None:
    scene = Scene(web, timeout=PATIENCE)
    web.answers[METADATA] = drops
    assert scene.in_threads(scene.tokens(100)) == [503] * 100
    assert web.hits == {METADATA: 1}


def test_requests_that_trickle_in_during_a_slow_discovery_cause_one_fetch_of_the_keys(web: ScriptedServer) -> None:
    # The first metadata URL has been answered and is no longer shared when most of them ask.
    clock = FakeClock()
    scene = Scene(web, timeout=PATIENCE, keys=RemoteKeys(IssuerMetadata(web.url), cooldown=0.1, monotonic=clock))
    document = json.dumps(web.answers[METADATA]).encode()
    web.answers[METADATA] = slowly(b"<html>", 0.2)
    web.answers["/.well-known/openid-configuration"] = slowly(document, 0.2)
    web.answers["/jwks"] = slowly(json.dumps(scene.issuer.jwks).encode(), 0.2)
    tokens = scene.tokens(40)
    assert anyio.run(partial(scene.in_tasks, tokens, apart=0.02)) == [200] * 40
    assert web.hits["/jwks"] == 1


def test_threads_at_stale_keys_cause_one_fetch(web: ScriptedServer) -> None:
    scene = Scene(web, timeout=PATIENCE)
    scene.warm()
    scene.pass_seconds(MAX_AGE)
    assert scene.in_threads(scene.tokens(100)) == [200] * 100
    assert web.hits == {METADATA: 1, "/jwks": 2}


def test_threads_at_a_rotated_key_cause_one_fetch(web: ScriptedServer) -> None:
    scene = Scene(web, timeout=PATIENCE)
    scene.warm()
    scene.issuer = Issuer(kid="k2", issuer=web.url)
    web.answers["/jwks"] = scene.issuer.jwks
    scene.pass_seconds(COOLDOWN)
    assert scene.in_threads(scene.tokens(100)) == [200] * 100
    assert web.hits == {METADATA: 1, "/jwks": 2}


def test_ten_thousand_unknown_kids_cause_one_fetch_per_cooldown_and_evict_nothing(web: ScriptedServer) -> None:
    scene = Scene(web, timeout=PATIENCE)
    good = scene.tokens(100)
    assert {scene.call(token).status for token in good} == {200}
    for turn in (1, 2):
        scene.pass_seconds(COOLDOWN)
        statuses = {scene.call(token).status for token in unknown_kids(scene.issuer, 5_000)}
        assert statuses == {401}
        assert web.hits["/jwks"] == 1 + turn
    assert all(scene.provider.recall(sha256(token.encode()).digest()) for token in good)


def test_unknown_kids_at_an_issuer_that_is_down_cause_one_fetch_per_cooldown(web: ScriptedServer) -> None:
    scene = Scene(web, timeout=PATIENCE)
    token = scene.warm()
    web.answers["/jwks"] = drops
    scene.pass_seconds(COOLDOWN)
    answers = [scene.call(one) for one in unknown_kids(scene.issuer, 200)]
    assert {answer.status for answer in answers} == {503}
    assert answers[-1].header("retry-after") == ["30"]
    assert web.hits["/jwks"] == 2
    assert scene.call(token).status == 200


def test_tokens_that_nobody_here_issued_cause_no_fetch_at_all(web: ScriptedServer) -> None:
    scene = Scene(web, timeout=PATIENCE)
    elsewhere = {"jku": f"{web.url}/jwks", "x5u": f"{web.url}/cert", "kid": f"{web.url}/jwks"}
    tokens = [
        Issuer(issuer=f"{web.url}/").token(header=elsewhere),
        Issuer(issuer="https://evil.example").token(header=elsewhere),
        scene.issuer.token(header={"alg": "none"}),
        scene.issuer.token(header={"alg": "HS256"}),
        scene.issuer.token(header={"crit": ["x"]}),
        "opaque",
        "a.b.c.d.e",
    ]
    assert [scene.call(token).status for token in tokens] == [401] * len(tokens)
    assert not web.hits


# Issuers that fail


@pytest.fixture(params=["wsgi", "asgi"])
def scene(web: ScriptedServer, request: pytest.FixtureRequest) -> Scene:
    return Scene(web, timeout=TIMEOUT, shell=request.param)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("shell", ["wsgi", "asgi"])
def test_cold_traffic_is_told_to_come_back(web: ScriptedServer, shell: str, fault: Any) -> None:
    scene = Scene(web, timeout=TIMEOUT, shell=shell, keys=RemoteKeys(f"{web.url}/jwks", monotonic=FakeClock()))
    web.answers["/jwks"] = fault
    started = time.monotonic()
    for _ in range(2):
        answer = scene.call(scene.issuer.token())
        assert answer.status == 503
        assert answer.header("retry-after") == ["1"]
        assert answer.header("www-authenticate") == []
        assert answer.header("cache-control") == ["no-store"]
    assert time.monotonic() - started < 5
    assert web.hits == {"/jwks": 1}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_cold_traffic_at_broken_metadata_is_told_to_come_back(scene: Scene, fault: Any) -> None:
    scene.web.answers[METADATA] = scene.web.answers["/.well-known/openid-configuration"] = fault
    assert scene.call(scene.issuer.token()).status == 503
    assert not scene.web.hits["/jwks"]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_warm_traffic_does_not_notice(scene: Scene, fault: Any) -> None:
    token = scene.warm()
    scene.web.answers["/jwks"] = scene.web.answers[METADATA] = fault
    for seconds in (1, MAX_AGE - 1, 1, CEILING - MAX_AGE - 2):
        scene.pass_seconds(seconds)
        assert scene.call(scene.issuer.token(jti=str(seconds))).status == 200
        assert scene.call(token).status == 200
    scene.pass_seconds(1)
    assert scene.call(token).status == 503


@pytest.mark.parametrize(
    "jwks_uri",
    ["http://169.254.169.254/", "file:///etc/passwd", "https://[oops", f"https://{'a' * 64}.invalid/", "", 7],
    ids=str,
)
def test_an_issuer_cannot_send_us_elsewhere(scene: Scene, jwks_uri: Any) -> None:
    scene.web.answers[METADATA] = {"issuer": scene.web.url, "jwks_uri": jwks_uri}
    assert scene.call(scene.issuer.token()).status == 503
    assert scene.web.hits == {METADATA: 1}


def test_an_issuer_cannot_speak_for_another(scene: Scene) -> None:
    scene.web.answers[METADATA] = {"issuer": "https://other.example", "jwks_uri": f"{scene.web.url}/jwks"}
    assert scene.call(scene.issuer.token()).status == 503
    assert scene.web.hits == {METADATA: 1}


@pytest.mark.parametrize("shell", ["wsgi", "asgi"])
def test_an_issuer_that_recovers_is_believed_after_the_pause(web: ScriptedServer, shell: str) -> None:
    scene = Scene(web, timeout=PATIENCE, shell=shell)
    jwks = scene.web.answers["/jwks"]
    scene.web.answers["/jwks"] = (500, {}, b"")
    assert scene.call(scene.issuer.token()).status == 503
    scene.web.answers["/jwks"] = jwks
    assert scene.call(scene.issuer.token()).status == 503
    scene.pass_seconds(1)
    assert scene.call(scene.issuer.token()).status == 200


def test_an_issuer_that_is_down_does_not_hide_a_bad_token(scene: Scene) -> None:
    scene.warm()
    scene.web.answers["/jwks"] = drops
    scene.pass_seconds(MAX_AGE)
    assert scene.call(scene.issuer.token(exp=1)).status == 401
    assert scene.call(scene.issuer.token(aud="https://other.example")).status == 401
