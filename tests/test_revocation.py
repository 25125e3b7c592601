"""Revoked tokens and hostile status lists, end to end: a real HTTP server behind both middlewares."""

import json
import logging
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from oauth_rs import Bearer, HTTPSettings, JWTProvider, ResourceServer, asgi, wsgi
from oauth_rs.deny_list import MemoryDenyList
from oauth_rs.status_list import StatusLists
from oauth_rs.status_list.list_token import MAX_STATUS_BYTES
from tests.support.calling import Answer, bearer, call_asgi, call_wsgi
from tests.support.issuing import API, Issuer, encode
from tests.support.misbehaving import FAILING, Floods, slowly
from tests.support.playing import FakeClock
from tests.support.processes import PATIENCE
from tests.support.redis_server import wait_until
from tests.support.serving import ScriptedServer
from tests.support.status_lists import list_token, lst, status, status_list

PATH = "/statuslists/1"
TIMEOUT = 0.5  # seconds, for answers that do not come

pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'httpcore2:ResourceWarning")


async def hello_asgi(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def hello_wsgi(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


class Reasons(logging.Handler):
    """Takes the reason of the last refusal from the log."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = getattr(record, "oauth_reason", self.last)


class Scene:
    """An API whose tokens have their status in a list at `web`, with one clock for all that never goes back."""

    def __init__(
        self,
        web: ScriptedServer,
        shell: str,
        *,
        lists: StatusLists | None = None,
        server: Mapping[str, Any] | None = None,
        timeout: float = PATIENCE,
        **options: Any,
    ) -> None:
        self.web = web
        self.issuer = Issuer(issuer=web.url)
        self.clock = FakeClock()
        provider = JWTProvider(
            web.url,
            audience=API,
            keys=self.issuer.keys(),
            status=lists or StatusLists(),
            monotonic=self.clock,
            **options,
        )
        guarding = ResourceServer(Bearer(provider), **(server or {}))
        settings = HTTPSettings(timeout=timeout)
        self.wsgi = wsgi.OAuthMiddleware(hello_wsgi, guarding, http=settings)
        self.asgi = asgi.OAuthMiddleware(hello_asgi, guarding, http=settings)
        self._call = partial(call_wsgi, self.wsgi) if shell == "wsgi" else partial(call_asgi, self.asgi)
        self.publish()

    def publish(self, statuses: dict[int, int] | None = None, **changes: Any) -> None:
        """Puts a list in place in which all are valid but those of `statuses`."""
        claims = {"sub": self.web.url + PATH, "status_list": status_list(statuses or {}), **changes}
        self.web.answers[PATH] = list_token(self.issuer, **claims)

    def token(self, idx: Any = 0, path: str = PATH, **changes: Any) -> str:
        return self.issuer.token(**{"status": status(idx, self.web.url + path), **changes})

    def call(self, token: str) -> Answer:
        return self._call(headers=bearer(token))

    def verdict(self, token: str) -> int | str:
        """The status; the reason where it is a refusal."""
        logger, reasons = logging.getLogger("oauth_rs"), Reasons()
        logger.addHandler(reasons)
        logger.setLevel(logging.INFO)
        try:
            answer = self.call(token)
        finally:
            logger.removeHandler(reasons)
        return reasons.last or answer.status

    @property
    def fetches(self) -> int:
        return self.web.hits[PATH]

    def pass_seconds(self, seconds: float) -> None:
        """Lets time pass for the lists and for what equal fetches share, which goes by the real clock."""
        self.clock.pass_seconds(seconds)
        self.wsgi._http._flights.clear()
        self.asgi._http._aside._flights.clear()


@pytest.fixture(params=["wsgi", "asgi"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def scene(web: ScriptedServer, shell: str) -> Scene:
    return Scene(web, shell)


# Status lists


def test_a_token_is_good_as_long_as_its_list_says_so(scene: Scene) -> None:
    scene.publish({1: 1, 2: 2, 3: 3})
    assert [scene.verdict(scene.token(idx)) for idx in range(5)] == [
        *(200, "token_revoked", "token_suspended", "token_revoked", 200)
    ]
    assert scene.fetches == 1


def test_a_refusal_is_an_invalid_token(scene: Scene) -> None:
    scene.publish({0: 1})
    answer = scene.call(scene.token())
    assert answer.status == 401
    assert answer.challenge == 'Bearer error="invalid_token", error_description="The access token was revoked."'


def test_a_remembered_token_is_refused_once_the_list_is_stale(scene: Scene) -> None:
    token = scene.token()
    assert scene.verdict(token) == 200
    scene.publish({0: 1})
    assert scene.verdict(token) == 200
    scene.pass_seconds(60)
    assert scene.verdict(token) == "token_revoked"
    assert scene.verdict(token) == "token_revoked"
    assert scene.fetches == 2


def test_a_refresh_in_the_background_reaches_a_remembered_token(scene: Scene) -> None:
    token = scene.token()
    assert scene.verdict(token) == 200
    scene.publish({0: 2})
    scene.pass_seconds(50)
    assert scene.verdict(token) == 200  # and has the list refreshed
    wait_until(lambda: scene.verdict(token) == "token_suspended", 5)
    scene.publish({})
    scene.pass_seconds(60)
    assert scene.verdict(token) == 200  # it was only suspended


def test_a_remembered_token_costs_no_fetch_while_its_list_is_fresh(scene: Scene) -> None:
    tokens = [scene.token(jti=str(number)) for number in range(20)]
    assert {scene.verdict(token) for token in tokens * 3} == {200}
    assert scene.fetches == 1


def test_a_token_without_a_status_passes_unless_one_is_required(web: ScriptedServer, shell: str) -> None:
    for required, verdict in ((False, 200), (True, "missing_claim")):
        scene = Scene(web, shell, lists=StatusLists(required=required))
        token = scene.issuer.token()
        assert [scene.verdict(token), scene.verdict(token), scene.fetches] == [verdict, verdict, 0]


def test_a_provider_that_remembers_nothing_asks_each_time(web: ScriptedServer, shell: str) -> None:
    scene = Scene(web, shell, cache_size=0)
    token = scene.token()
    assert scene.verdict(token) == 200
    scene.publish({0: 1})
    scene.pass_seconds(60)
    assert scene.verdict(token) == "token_revoked"


BAD: dict[str, Any] = {
    name: (answer, reason) for name, (answer, reason) in FAILING.items() if not name.startswith("redirect 3")
}
BAD["redirect"] = ((302, {"Location": "/elsewhere"}, b""), "redirected")
BAD["slow"] = (slowly(b"x", 3 * TIMEOUT), "fetch_timeout")
BAD["50 MB"] = (Floods(), "reply_too_large")


@pytest.mark.parametrize("name", BAD)
def test_a_list_that_cannot_be_had_is_a_503(web: ScriptedServer, shell: str, name: str) -> None:
    answer, reason = BAD[name]
    scene = Scene(web, shell, timeout=TIMEOUT if reason == "fetch_timeout" else PATIENCE)
    web.answers[PATH] = answer
    token = scene.token()
    began = time.monotonic()
    assert scene.verdict(token) == reason
    assert time.monotonic() - began < 10 * TIMEOUT
    refused = scene.call(token)
    assert (refused.status, refused.header("www-authenticate")) == (503, [])
    assert int(refused.header("retry-after")[0]) >= 1


def odd_lists(scene: Scene) -> dict[str, Any]:
    uri, stranger = scene.web.url + PATH, Issuer(kid="stranger")
    stranger.kid = scene.issuer.kid
    bomb = {"bits": 1, "lst": lst(bytes(64 * MAX_STATUS_BYTES))}
    return {
        "access token": scene.issuer.token(sub=uri, status_list=status_list({})),
        "of a stranger": list_token(stranger, sub=uri),
        "of another address": list_token(scene.issuer, sub=uri + "2"),
        "of another issuer": list_token(scene.issuer, sub=uri, iss="https://evil.example"),
        "expired": list_token(scene.issuer, sub=uri, exp=int(time.time()) - 1),
        "of tomorrow": list_token(scene.issuer, sub=uri, iat=int(time.time()) + 86_400),
        "bomb": list_token(scene.issuer, sub=uri, status_list=bomb),
        "html": "<!doctype html>",
        "empty": "",
        "unsigned": list_token(scene.issuer, sub=uri, header={"alg": "none"}).rpartition(b".")[0] + b".",
        "JSON": json.dumps({"status_list": status_list({})}),
        "deep": scene.issuer.sign({"typ": "statuslist+jwt", "alg": "ES256", "kid": "k1"}, encode(b"[" * 100_000)),
    }


def test_a_list_that_is_none_is_a_503(scene: Scene) -> None:
    for name, odd in odd_lists(scene).items():
        scene.web.answers[PATH] = odd if isinstance(odd, bytes) else odd.encode()
        assert scene.verdict(scene.token()) == "status_list_unusable", name
        scene.pass_seconds(60)


def test_the_last_good_list_serves_while_there_is_no_other(scene: Scene) -> None:
    scene.publish({1: 1})
    good, bad = scene.token(0), scene.token(1)
    assert [scene.verdict(good), scene.verdict(bad)] == [200, "token_revoked"]
    scene.web.answers[PATH] = (500, {}, b"")
    scene.pass_seconds(60)
    assert [scene.verdict(good), scene.verdict(bad)] == [200, "token_revoked"]
    scene.pass_seconds(3600)
    assert scene.call(good).status == 503
    scene.pass_seconds(60)
    scene.publish({})
    assert scene.verdict(good) == 200


def test_a_status_list_is_no_access_token(scene: Scene) -> None:
    claims = scene.issuer.claims(status_list=status_list({}), sub=scene.web.url + PATH)
    token = list_token(scene.issuer, **claims).decode()
    assert scene.verdict(token) == "wrong_typ"


@pytest.mark.parametrize("idx", [-1, True, "0", 0.5, None, [], 1e300], ids=str)
def test_an_index_that_is_none_is_refused_and_nothing_is_fetched(scene: Scene, idx: Any) -> None:
    assert scene.verdict(scene.token(idx)) == "malformed_claim"
    assert scene.fetches == 0


@pytest.mark.parametrize("idx", [1024, 2**64, 10**300])
def test_an_index_beyond_the_list_is_refused(scene: Scene, idx: int) -> None:
    assert scene.verdict(scene.token(idx)) == "status_out_of_range"


@pytest.mark.parametrize("uri", ["http://169.254.169.254/", "http://localhost/", "file:///etc/passwd", "", "//x/1"])
def test_a_token_leads_to_no_other_host(scene: Scene, uri: str) -> None:
    assert scene.verdict(scene.issuer.token(status=status(0, uri))) == "status_list_not_allowed"
    assert scene.fetches == 0


def test_nothing_is_fetched_for_a_token_that_is_bad_in_another_way(scene: Scene) -> None:
    stranger = Issuer(kid="stranger", issuer=scene.web.url)
    stranger.kid = scene.issuer.kid
    claims = {"status": status(0, scene.web.url + PATH)}
    for bad in (
        stranger.token(**claims),
        scene.issuer.token(aud="https://other.example", **claims),
        scene.issuer.token(exp=int(time.time()) - 3600, **claims),
        scene.issuer.token(iss="https://other.example", **claims),
        scene.issuer.token(header={"typ": "JWT"}, **claims),
        scene.token()[:-8] + "AAAAAAAA",
    ):
        assert scene.call(bad).status == 401
    assert scene.fetches == 0


def test_one_fetch_is_in_flight_for_a_list(web: ScriptedServer) -> None:
    scene = Scene(web, "wsgi")
    body = scene.web.answers[PATH]
    scene.web.answers[PATH] = slowly(body, 0.2)
    statuses: list[int] = []
    barrier = threading.Barrier(32)

    def one(number: int) -> None:
        barrier.wait()
        statuses.append(scene.call(scene.token(jti=str(number))).status)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses, scene.fetches) == ([200] * 32, 1)


def test_lists_do_not_add_up(scene: Scene) -> None:
    for number in range(70):
        path = f"/statuslists/{number}"
        scene.web.answers[path] = list_token(scene.issuer, sub=scene.web.url + path, status_list=status_list({}))
        assert scene.verdict(scene.token(path=path)) == 200


# Deny lists


@pytest.fixture
def deny() -> MemoryDenyList:
    return MemoryDenyList()


@pytest.fixture
def denying(web: ScriptedServer, shell: str, deny: MemoryDenyList) -> Scene:
    return Scene(web, shell, server={"deny": deny})


def test_a_remembered_token_is_refused_from_the_moment_it_is_denied(denying: Scene, deny: MemoryDenyList) -> None:
    token, other = denying.token(jti="t1"), denying.token(jti="t2")
    assert [denying.verdict(token), denying.verdict(other)] == [200, 200]
    deny.deny(jti="t1", issuer=denying.web.url)
    assert [denying.verdict(token), denying.verdict(other)] == ["token_denied", 200]
    deny.deny(sub="ada", issued_before=time.time() + 1)
    assert [denying.verdict(token), denying.verdict(other)] == ["token_denied", "token_denied"]


def test_a_denied_token_is_refused_when_it_is_new(denying: Scene, deny: MemoryDenyList) -> None:
    deny.deny(sid="s1")
    assert denying.verdict(denying.token(sid="s1")) == "token_denied"
    assert denying.verdict(denying.token(sid="s2")) == 200
    answer = denying.call(denying.token(sid="s1"))
    assert answer.challenge == 'Bearer error="invalid_token", error_description="The access token was revoked."'
