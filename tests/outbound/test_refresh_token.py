import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest

from oauth_rs.devserver import Client, DevServer
from oauth_rs.errors import OAuthError, Unavailable
from oauth_rs.outbound import OutboundError, RefreshToken
from tests.outbound.provider import API, CLIENT, SECRET, Provider, granted, no_thread_is_left, send
from tests.support.playing import FakeClock
from tests.support.redis_server import wait_until

LIFE = 3600


class Rotating:
    """A token endpoint that accepts each refresh token once, and gives the next one."""

    def __init__(self, provider: Provider, first: str = "r-1") -> None:
        self.provider, self.good, self.count = provider, first, 0
        provider.answers["/token"] = self

    def __call__(self, handler: Any) -> None:
        sent = dict(self.provider.asked[-1].fields)["refresh_token"]
        if sent != self.good:
            send(handler, (400, {"error": "invalid_grant"}))
            return
        self.count += 1
        self.good = f"r-{self.count + 1}"
        send(handler, granted(f"token-{self.count}", refresh_token=self.good))


class Store:
    def __init__(self, kept: Any = "") -> None:
        self.kept = kept
        self.breaks = False

    def load(self) -> Any:
        return self.kept

    def save(self, refresh_token: str, /) -> None:
        if self.breaks:
            raise OSError("disk full")
        self.kept = refresh_token


class AsyncStore(Store):
    async def load(self) -> Any:
        return self.kept

    async def save(self, refresh_token: str, /) -> None:  # type: ignore[override]
        self.kept = refresh_token


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def make(provider: Provider, clock: FakeClock, **options: Any) -> RefreshToken:
    return RefreshToken(provider.url, client=CLIENT, monotonic=clock, **options)


def tokens(source: RefreshToken, clock: FakeClock, count: int) -> list[str]:
    got = []
    for _ in range(count):
        got.append(source.token())
        clock.pass_seconds(LIFE)
    return got


def sent(provider: Provider) -> list[str]:
    return [dict(one.fields)["refresh_token"] for one in provider.asked if one.path == "/token"]


def failure(source: RefreshToken) -> str:
    with pytest.raises((OutboundError, OAuthError)) as caught:
        source.token()
    assert isinstance(caught.value, OutboundError | OAuthError)
    return caught.value.reason


def test_a_refresh_token_gives_tokens(provider: Provider, api: API, clock: FakeClock) -> None:
    source = make(provider, clock, refresh_token="r-1", scopes=["a"], resource="https://a.example", extra={"t": "x"})
    with httpx2.Client(auth=source.auth(api.url), trust_env=False) as client:
        assert client.get(api.url).status_code == 200
    assert anyio.run(source.async_token) == "token-1"
    assert provider.asked[-1].fields == [
        ("grant_type", "refresh_token"),
        ("scope", "a"),
        ("resource", "https://a.example"),
        ("t", "x"),
        ("refresh_token", "r-1"),
    ]


def test_one_that_is_not_replaced_is_used_again(provider: Provider, clock: FakeClock) -> None:
    assert tokens(make(provider, clock, refresh_token="r-1"), clock, 3) == ["token-1", "token-2", "token-3"]
    assert sent(provider) == ["r-1"] * 3


def test_one_that_is_replaced_is_never_used_again(provider: Provider, clock: FakeClock) -> None:
    Rotating(provider)
    assert tokens(make(provider, clock, refresh_token="r-1"), clock, 3) == ["token-1", "token-2", "token-3"]
    assert sent(provider) == ["r-1", "r-2", "r-3"]


class Relaying(Store):
    """Plain functions that give what must be awaited, as those do that pass on what an asynchronous driver gives."""

    def load(self) -> Any:
        return self._later(super().load)

    def save(self, refresh_token: str, /) -> Any:
        return self._later(partial(super().save, refresh_token))

    async def _later(self, do: Callable[[], Any]) -> Any:
        return do()


@pytest.mark.parametrize("kind", [Store, AsyncStore, Relaying])
def test_a_store_outlives_the_process(provider: Provider, clock: FakeClock, kind: type[Store]) -> None:
    Rotating(provider)
    store = kind()
    tokens(make(provider, clock, refresh_token="r-1", store=store), clock, 2)
    assert store.kept == "r-3"
    assert make(provider, clock, refresh_token="r-1", store=store).token() == "token-3"
    assert make(provider, clock, store=store).token() == "token-4"


def test_one_that_another_process_has_replaced_is_not_used(provider: Provider, clock: FakeClock) -> None:
    Rotating(provider)
    store = Store("r-1")
    one, other = make(provider, clock, store=store), make(provider, clock, store=store)
    assert [one.token(), other.token()] == ["token-1", "token-2"]
    clock.pass_seconds(LIFE)
    assert one.token() == "token-3"
    assert sent(provider) == ["r-1", "r-2", "r-3"]


def test_one_that_was_replaced_meanwhile_makes_way_for_the_newer(provider: Provider, clock: FakeClock) -> None:
    endpoint = Rotating(provider, first="r-7")
    store = Store("r-6")

    def replaced_meanwhile(handler: Any) -> None:
        store.kept = "r-7"
        endpoint(handler)

    provider.answers["/token"] = replaced_meanwhile
    assert make(provider, clock, store=store).token() == "token-1"
    assert sent(provider) == ["r-6", "r-7"]


def test_one_that_is_refused_is_not_tried_twice(provider: Provider, clock: FakeClock) -> None:
    Rotating(provider, first="other")
    assert failure(make(provider, clock, store=Store("r-1"))) == "invalid_grant"
    assert failure(make(provider, clock, refresh_token="r-1")) == "invalid_grant"
    assert sent(provider) == ["r-1"] * 2


def test_a_refusal_of_something_else_is_not_the_tokens_fault(provider: Provider, clock: FakeClock) -> None:
    store = Store("r-1")

    def refuse(handler: Any) -> None:
        store.kept = "r-2"
        send(handler, (400, {"error": "invalid_scope"}))

    provider.answers["/token"] = refuse
    assert failure(make(provider, clock, store=store)) == "invalid_scope"
    assert provider.tokens == 1


def test_one_that_could_not_be_saved_is_not_lost(provider: Provider, clock: FakeClock) -> None:
    Rotating(provider)
    store = Store("r-1")
    source = make(provider, clock, store=store)
    store.breaks = True
    assert failure(source) == "token_request_failed"
    wait_until(no_thread_is_left, 5)
    assert store.kept == "r-1"
    store.breaks = False
    clock.pass_seconds(1)
    assert source.token() == "token-2"
    assert (store.kept, sent(provider)) == ("r-3", ["r-1", "r-2"])


def unsaved(refresh_token: str, /) -> None:
    raise OSError(f"[parameters: ({refresh_token!r},)]")


async def unsaved_later(refresh_token: str, /) -> None:
    unsaved(refresh_token)


@pytest.mark.parametrize("save", [unsaved, unsaved_later])
def test_what_a_store_raises_is_logged_without_what_it_says(
    provider: Provider,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    save: Any,
) -> None:
    Rotating(provider, first="r-s3cret")
    store = Store("r-s3cret")
    store.save = save  # type: ignore[method-assign]
    with pytest.raises(Unavailable) as caught:
        make(provider, clock, store=store).token()
    wait_until(no_thread_is_left, 5)
    assert (caught.value.reason, caught.value.__cause__, caught.value.__context__) == (
        "token_request_failed",
        None,
        None,
    )
    (record,) = caplog.records
    assert (record.name, record.levelno, record.exc_info) == ("oauth_rs", logging.ERROR, None)
    assert "builtins.OSError at " in record.getMessage()
    assert f"{__file__}:" in record.getMessage()
    assert not [shown for shown in (caplog.text, *capsys.readouterr()) if "r-2" in shown or "s3cret" in shown]


def test_one_that_could_not_be_saved_is_saved_later(provider: Provider, clock: FakeClock) -> None:
    Rotating(provider)
    store = Store("r-1")
    source = make(provider, clock, store=store)
    store.breaks = True
    failure(source)
    wait_until(no_thread_is_left, 5)
    store.breaks = False
    del provider.answers["/token"]
    clock.pass_seconds(1)
    source.token()
    assert (store.kept, sent(provider)) == ("r-2", ["r-1", "r-2"])


def test_the_development_server_replaces_it(clock: FakeClock) -> None:
    client = Client("api", SECRET, scopes={"a"}, refresh=True)
    with DevServer.running(audience="https://mail.example.com", clients=[client]) as server:
        first, store = server.refresh_token(subject="ada", scope="a"), Store()
        source = RefreshToken(server.issuer, client=CLIENT, refresh_token=first, store=store, monotonic=clock)
        assert len(set(tokens(source, clock, 3))) == 3
        assert store.kept != first
        assert failure(RefreshToken(server.issuer, client=CLIENT, refresh_token=first)) == "invalid_grant"


def test_an_outage_keeps_the_token(provider: Provider, clock: FakeClock) -> None:
    provider.answers["/token"] = (503, {})
    source = make(provider, clock, refresh_token="r-1")
    assert failure(source) == "token_endpoint_failed"
    Rotating(provider)
    clock.pass_seconds(1)
    assert source.token() == "token-1"


@pytest.mark.parametrize("kept", ["", None])
def test_a_store_without_one_has_none_to_ask_with(provider: Provider, clock: FakeClock, kept: Any) -> None:
    source = make(provider, clock, store=Store(kept))
    assert failure(source) == "no_refresh_token"
    assert provider.tokens == 0


def test_without_any_there_is_nothing_to_make() -> None:
    with pytest.raises(ValueError, match="refresh_token, a store"):
        RefreshToken("https://id.example.com", client=CLIENT)


def test_it_shows_whom_it_asks_as_which_client_and_no_secret() -> None:
    shown = repr(RefreshToken("https://id.example.com", client=CLIENT, refresh_token="r3fresh"))
    assert shown == "RefreshToken('https://id.example.com', client_id='api')"


class LoadsOnly:
    def load(self) -> str:
        return "r"


@pytest.mark.parametrize(
    ("option", "wrong"),
    [
        *(("refresh_token", wrong) for wrong in (5, ["a"], None, b"a")),
        *(("store", wrong) for wrong in (5, "a", LoadsOnly(), Store)),
    ],
    ids=repr,
)
def test_an_option_of_the_wrong_kind_is_refused_when_made(option: str, wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"^{option} (is|has)"):
        RefreshToken("https://id.example.com", client=CLIENT, **{"refresh_token": "r", option: wrong})
