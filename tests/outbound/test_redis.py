import json
import logging
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from oauth_rs.outbound import ClientCredentials
from oauth_rs.outbound.answer import MAX_LIFE, Token
from oauth_rs.outbound.redis import RedisTokens
from oauth_rs.quiet import OUTAGE
from tests.outbound.provider import CLIENT, Provider
from tests.support.playing import FakeClock
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer, running_redis

KEY, OLD_KEY = Fernet.generate_key(), Fernet.generate_key()
HERE = sha256(b"one source").digest()
TOKEN = Token(text="t0ken-s3cret", life=60, fresh=48)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server for the tests that do it no harm; they empty it."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(shared: RedisServer) -> RedisServer:
    with shared.client() as client:
        client.flushall()
    return shared


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(server: RedisServer, clock: FakeClock) -> RedisTokens:
    return RedisTokens(server.url, keys=[KEY], clock=clock)


def kept(server: RedisServer) -> dict[bytes, bytes]:
    with server.client() as client:
        return {name: client.get(name) for name in client.scan_iter()}  # type: ignore[misc]


# Keeping


def test_what_is_put_there_is_found_as_old_as_it_is(store: RedisTokens, clock: FakeClock) -> None:
    store.put(HERE, TOKEN)
    clock.pass_seconds(20)
    assert store.get(HERE) == Token(text="t0ken-s3cret", life=40, fresh=28)


def test_what_is_not_there_is_none(store: RedisTokens, caplog: pytest.LogCaptureFixture) -> None:
    assert store.get(HERE) is None
    assert not caplog.records


def test_a_token_that_has_ended_is_none(store: RedisTokens, clock: FakeClock) -> None:
    store.put(HERE, TOKEN)
    clock.pass_seconds(60)
    assert store.get(HERE) is None


@pytest.mark.parametrize(("life", "at_most"), [(60, 60_000), (0.2, 200), (0.0001, 1)])
def test_redis_forgets_a_token_when_it_ends(store: RedisTokens, server: RedisServer, life: float, at_most: int) -> None:
    store.put(HERE, Token(text="a", life=life, fresh=life))
    with server.client() as client:
        left = [client.pttl(name) for name in client.scan_iter()]
    assert all(milliseconds in {-2, *range(at_most + 1)} for milliseconds in left)  # -2: it has just gone


def test_nothing_in_redis_can_be_read(store: RedisTokens, server: RedisServer) -> None:
    store.put(HERE, TOKEN)
    ((name, sealed),) = kept(server).items()
    assert name.startswith(b"oauth_rs:token:")
    assert not any(secret in name + sealed for secret in (b"t0ken", HERE, HERE.hex().encode()))
    assert b"t0ken-s3cret" in Fernet(KEY).decrypt(sealed)


# Keys


def test_an_old_key_still_reads_and_the_newest_writes(server: RedisServer, clock: FakeClock) -> None:
    RedisTokens(server.url, keys=[OLD_KEY], clock=clock).put(HERE, TOKEN)
    rotated = RedisTokens(server.url, keys=[KEY, OLD_KEY], clock=clock)
    assert rotated.get(HERE) == TOKEN
    rotated.put(HERE, TOKEN)
    assert RedisTokens(server.url, keys=[KEY], clock=clock).get(HERE) == TOKEN


def test_a_key_that_does_not_fit_is_told_as_one(
    server: RedisServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    RedisTokens(server.url, keys=[OLD_KEY], clock=clock).put(HERE, TOKEN)
    assert RedisTokens(server.url, keys=[KEY], clock=clock).get(HERE) is None
    assert caplog.messages == ["tokens are not shared: none of `keys` fits what another process has put into Redis"]


# Whoever can write to Redis


def test_a_token_that_was_moved_is_none(
    store: RedisTokens, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    store.put(HERE, TOKEN)
    ((name, sealed),) = kept(server).items()
    there = sha256(b"another source").digest()
    store.put(there, TOKEN)
    (other,) = kept(server).keys() - {name}
    with server.client() as client:
        client.set(other, sealed)
    assert store.get(there) is None
    assert "ValueError" in caplog.text


def sealed(content: Any, key: bytes = KEY) -> bytes:
    return Fernet(key).encrypt(content if isinstance(content, bytes) else json.dumps(content).encode())


GOOD = {"key": HERE.hex(), "token": "a", "fresh": 4e9, "ends": 4e9}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"t0ken-s3cret",
        sealed(GOOD, OLD_KEY),
        sealed(b"[]"),
        sealed(b"not JSON"),
        sealed({}),
        sealed({**GOOD, "token": "a\r\nX-Evil: 1"}),
        sealed({**GOOD, "token": 1}),
        sealed({**GOOD, "ends": None}),
        sealed({**GOOD, "ends": "soon"}),
        sealed({**GOOD, "key": ""}),
    ],
    ids=lambda content: repr(content)[:8],
)
def test_what_is_not_ours_is_none_and_is_told_by_its_kind(
    store: RedisTokens, server: RedisServer, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    store.put(HERE, TOKEN)
    ((name, _),) = kept(server).items()
    with server.client() as client:
        client.set(name, content)
    assert store.get(HERE) is None
    ((_, level, text),) = caplog.record_tuples
    assert (level, "t0ken" in text) == (logging.WARNING, False)


def test_no_token_is_believed_for_longer_than_a_day(store: RedisTokens, server: RedisServer) -> None:
    store.put(HERE, TOKEN)
    ((name, _),) = kept(server).items()
    with server.client() as client:
        client.set(name, sealed(GOOD))
    assert store.get(HERE) == Token(text="a", life=MAX_LIFE, fresh=MAX_LIFE)


# Outages


def test_a_redis_that_is_down_is_told_of_now_and_then(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    store = RedisTokens(f"redis://:pa55word@127.0.0.1:{free_port()}/0", keys=[KEY], monotonic=clock)
    for seconds in (0, OUTAGE - 1, 1):
        clock.pass_seconds(seconds)
        assert store.get(HERE) is None
        store.put(HERE, TOKEN)
    told = ("oauth_rs", logging.WARNING, "tokens are not shared, Redis cannot be used: ConnectionError")
    assert caplog.record_tuples == [told] * 2


def test_a_redis_that_does_not_answer_costs_its_timeout(tmp_path: Path, clock: FakeClock) -> None:
    with running_redis(tmp_path) as own:
        store = RedisTokens(own.url, keys=[KEY], timeout=1.0, clock=clock)
        with own.stunned():
            began = time.monotonic()
            assert store.get(HERE) is None
            assert time.monotonic() - began < 5
        store.put(HERE, TOKEN)
        assert store.get(HERE) == TOKEN


def test_a_redis_that_refuses_is_told_of(
    server: RedisServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    url = server.url.replace("redis://", "redis://nobody:wrong@")
    assert RedisTokens(url, keys=[KEY], clock=clock).get(HERE) is None
    assert "AuthenticationError" in caplog.text
    assert "wrong" not in caplog.text


def test_what_is_no_redis_is_told_of(provider: Provider, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    url = provider.url.replace("http://", "redis://")
    assert RedisTokens(url, keys=[KEY], timeout=0.5, clock=clock).get(HERE) is None
    assert caplog.records


# Sharing


def test_processes_share_a_token(server: RedisServer, provider: Provider) -> None:
    sources = [
        ClientCredentials(provider.url, client=CLIENT, shared=RedisTokens(server.url, keys=[KEY])) for _ in range(3)
    ]
    assert [source.token() for source in sources] == ["token-1"] * 3
    assert provider.tokens == 1


def test_without_redis_each_process_has_its_own(provider: Provider) -> None:
    down = f"redis://127.0.0.1:{free_port()}/0"
    sources = [ClientCredentials(provider.url, client=CLIENT, shared=RedisTokens(down, keys=[KEY])) for _ in range(2)]
    assert [source.token() for source in sources] == ["token-1", "token-2"]


# Configuration


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"keys": []}, ValueError),
        ({"keys": ["short"]}, ValueError),
        ({"keys": KEY}, TypeError),
        ({"keys": KEY.decode()}, TypeError),
        ({"timeout": 0}, ValueError),
        ({"timeout": float("nan")}, ValueError),
        ({"url": "http://127.0.0.1"}, ValueError),
        ({"url": ""}, ValueError),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_when_made(options: dict[str, Any], kind: type[Exception]) -> None:
    given = {"url": "redis://127.0.0.1", "keys": [KEY], **options}
    with pytest.raises(kind):
        RedisTokens(given.pop("url"), **given)


def test_it_shows_no_password() -> None:
    assert "pa55word" not in repr(RedisTokens("redis://:pa55word@127.0.0.1", keys=[KEY]))
