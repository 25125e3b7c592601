import logging
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from oauth_rs.client_auth import BearerToken
from oauth_rs.devserver import Client, DevServer
from oauth_rs.errors import MISCONFIGURED_SECONDS, Unavailable
from oauth_rs.fetch import HTTPSettings
from oauth_rs.fetch.awaiting import AwaitingHTTP
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Run
from oauth_rs.outbound import ClientCredentials, RefreshToken
from oauth_rs.outbound.auth import Held
from oauth_rs.outbound.one_source import OneSource
from oauth_rs.providers.introspection import IntrospectionProvider
from tests.outbound.provider import CLIENT, SECRET, Provider
from tests.providers.asking import Behind, each_shell, guarded
from tests.support.playing import FakeClock

AUDIENCE = "https://api.example.com"
HTTP = HTTPSettings()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["credentials", "refresh"])
def source(request: pytest.FixtureRequest, provider: Provider, clock: FakeClock) -> OneSource:
    if request.param == "refresh":
        return RefreshToken(provider.url, client=CLIENT, refresh_token="r", monotonic=clock)
    return ClientCredentials(provider.url, client=CLIENT, monotonic=clock)


def blocking(source: OneSource, refused: str = "") -> str:
    return BlockingHTTP(HTTP).drive(Run(source.current(refused)))


def under(backend: str, source: OneSource, refused: str = "") -> str:
    async def drive() -> str:
        return await AwaitingHTTP(HTTP).drive(Run(source.current(refused)))

    return anyio.run(drive, backend=backend)


def asyncio(source: OneSource, refused: str = "") -> str:
    return under("asyncio", source, refused)


def trio(source: OneSource, refused: str = "") -> str:
    return under("trio", source, refused)


WAYS = pytest.mark.parametrize("way", [blocking, asyncio, trio])


@WAYS
def test_the_token_proves_who_this_application_is_and_is_kept(source: OneSource, provider: Provider, way: Any) -> None:
    assert [way(source), way(source), source.token()] == ["token-1"] * 3
    assert provider.tokens == 1


@WAYS
def test_one_that_was_refused_is_replaced_and_no_other(source: OneSource, way: Any) -> None:
    assert way(source) == "token-1"
    assert way(source, "token-1") == "token-2"
    assert way(source, "token-1") == "token-2", "somebody else has been told that it was refused"


def test_refusals_cause_no_more_tokens_than_a_few(source: OneSource, provider: Provider) -> None:
    for _ in range(20):
        blocking(source, blocking(source))
    assert provider.tokens == 5


@WAYS
@pytest.mark.parametrize("code", ["invalid_scope", "access_denied", "whatever"])
def test_a_provider_that_gives_none_is_for_whoever_runs_this_application(
    source: OneSource, provider: Provider, caplog: pytest.LogCaptureFixture, way: Any, code: str
) -> None:
    provider.answers["/token"] = (400, {"error": code})
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            way(source)
        assert (caught.value.reason, caught.value.retry_after) == ("token_endpoint_refused", MISCONFIGURED_SECONDS)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    shown = "token_refused" if code == "whatever" else code
    assert record.getMessage() == (
        f"configuration: {provider.url} gives no token by which this application could prove itself: {shown}"
    )


@WAYS
def test_an_outage_is_one(source: OneSource, provider: Provider, way: Any) -> None:
    provider.answers["/token"] = (500, {})
    with pytest.raises(Unavailable, match="token_endpoint_failed"):
        way(source)


@pytest.fixture
def dev() -> Iterator[DevServer]:
    clients = [Client("api", SECRET, scopes={"introspect"}), Client("app", "x", scopes={"photos"})]
    with DevServer.running(audience=AUDIENCE, clients=clients) as server:
        yield server


@each_shell
def test_an_api_that_introspects_with_tokens_needs_no_restart_when_they_end(dev: DevServer, behind: Behind) -> None:
    own = ClientCredentials(dev.issuer, client=CLIENT, scopes=["introspect"])
    provider = IntrospectionProvider(
        f"{dev.issuer}/introspect", client=BearerToken(own), audience=AUDIENCE, cache_seconds=0, refused_seconds=0
    )
    ask = behind(guarded(provider))
    caller = dev.opaque_token(subject="ada", scope="photos")
    assert ask(caller).status == 200
    held = own.source.get()
    own.source._held = Held(text="revoked", refresh_at=held.refresh_at, ends_at=held.ends_at)
    assert ask(caller).status == 200
    assert own.token() != "revoked"
