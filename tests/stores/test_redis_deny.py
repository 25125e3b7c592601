import asyncio
import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import anyio
import pytest
import redis
import redis.asyncio

from oauth_rs.errors import Unavailable
from oauth_rs.fetch import HTTPSettings
from oauth_rs.fetch.awaiting import AwaitingHTTP
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Call, Run
from oauth_rs.stores.redis_deny import RedisDenyList
from tests.support.deny_contract import DenyListContract, grant, verdict
from tests.support.playing import FakeClock, started
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer, wait_until

UNAVAILABLE = "deny_list_unavailable"
Make = Callable[..., RedisDenyList]


def followers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "oauth_rs-deny"]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes deny lists; each stands for a process."""
    made: list[RedisDenyList] = []

    def make(url_or_client: Any, **options: Any) -> RedisDenyList:
        made.append(RedisDenyList(url_or_client, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
    for thread in followers():
        thread.join(10)


class TestContract(DenyListContract):
    @pytest.fixture
    def deny_list(self, server: RedisServer, make: Make) -> RedisDenyList:
        return make(server.url, believed=0.4)  # it ends sooner


# Making one


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"url_or_client": "127.0.0.1:6379"}, ValueError, "schemes"),
        ({"url_or_client": "http://127.0.0.1"}, ValueError, "schemes"),
        ({"url_or_client": None}, TypeError, "URL or a client"),
        ({"url_or_client": redis.asyncio.Redis()}, TypeError, "blocks"),
        *(({name: odd}, ValueError, "above 0") for name in ("believed", "timeout") for odd in (0, -1, float("inf"))),
        ({"when_lost": "ignore"}, ValueError, "go_on"),
        ({"longest_life": 0}, ValueError, "longest_life"),
        ({"entries": 0}, ValueError, "entries"),
    ],
    ids=str,
)
def test_what_cannot_be_right_is_refused_when_it_is_made(
    arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        RedisDenyList(**{"url_or_client": "redis://127.0.0.1", **arguments})


def test_making_one_asks_nothing_and_starts_nothing(make: Make) -> None:
    before = followers()
    make(f"redis://127.0.0.1:{free_port()}")
    assert followers() == before


# Processes


def test_what_one_process_denies_all_refuse_within_a_second(server: RedisServer, make: Make) -> None:
    processes = [make(server.url) for _ in range(5)]
    asked = grant()
    assert {verdict(one, asked) for one in processes} == {False}
    processes[0].deny(jti="t1")
    denied_at = time.monotonic()
    wait_until(lambda: {verdict(one, asked) for one in processes} == {True}, 5)
    assert time.monotonic() - denied_at < 1.0


def test_the_hot_path_waits_for_nothing(server: RedisServer, make: Make) -> None:
    one = make(server.url, believed=3.0)
    one.deny(jti="other")
    assert verdict(one, grant()) is False
    ends_at = time.monotonic() + 1.5
    while time.monotonic() < ends_at:
        assert one.denied(grant()) is False
        time.sleep(0.01)


def test_lists_with_other_prefixes_know_nothing_of_each_other(server: RedisServer, make: Make) -> None:
    one, other = make(server.url, prefix="one:"), make(server.url, prefix=b"other:")
    one.deny(jti="t1")
    assert (verdict(one, grant()), verdict(other, grant())) == (True, False)


def test_a_process_that_only_denies_follows_nothing(server: RedisServer, make: Make) -> None:
    before = followers()
    make(server.url).deny(jti="t1")
    assert followers() == before
    assert verdict(make(server.url), grant()) is True


def test_a_fork_goes_on_from_what_its_parent_knew_and_follows_for_itself(server: RedisServer, make: Make) -> None:
    one = make(server.url)
    one.deny(jti="inherited")
    assert verdict(one, grant()) is False
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - coverage does not see the end of it
        try:
            os.close(read)
            said: list[object] = [one.denied(grant(jti="inherited"))]
            time.sleep(1.1)
            said.append(verdict(one, grant(jti="fresh")))
            os.write(write, b"x")
            ends_at = time.monotonic() + 5
            while verdict(one, grant(jti="fresh")) is not True and time.monotonic() < ends_at:
                time.sleep(0.01)
            said.append(verdict(one, grant(jti="fresh")))
            os.write(write, repr(said).encode())
        finally:
            os._exit(0)
    os.close(write)
    assert os.read(read, 1) == b"x"
    one.deny(jti="fresh")
    assert os.read(read, 100) == b"[True, False, True]"
    os.close(read)
    os.waitpid(child, 0)
    assert verdict(one, grant(jti="fresh")) is True


def test_threads_that_ask_at_once_are_served_by_one_follower(server: RedisServer, make: Make) -> None:
    one, said = make(server.url), []
    barrier = threading.Barrier(16)

    def ask() -> None:
        barrier.wait()
        said.append(verdict(one, grant()))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == [False] * 16
    assert len(followers()) == 1


def test_a_list_that_nobody_holds_any_more_is_followed_by_nobody(server: RedisServer) -> None:
    one = RedisDenyList(server.url)
    assert verdict(one, grant()) is False
    assert followers()
    del one
    gc.collect()
    wait_until(lambda: not followers(), 5)


def test_a_list_that_was_closed_begins_anew_when_it_is_asked(server: RedisServer, make: Make) -> None:
    one = make(server.url, believed=0.1)
    one.deny(jti="t1")
    assert verdict(one, grant()) is True
    one.close()
    one.close()
    wait_until(lambda: not followers(), 5)
    time.sleep(0.1)
    assert verdict(one, grant(jti="t2")) is False
    assert len(followers()) == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_callers_that_await_are_served_too(server: RedisServer, make: Make, backend: str) -> None:
    one, other = make(server.url), make(server.url)
    drive = AwaitingHTTP(HTTPSettings()).drive

    async def ask() -> list[bool]:
        said = [await drive(started(other.denied(grant())))]
        assert said == [False]
        await one.deny_async(jti="t1")
        with anyio.fail_after(5):
            while not said[-1]:
                said.append(await drive(started(other.denied(grant()))))
                await anyio.sleep(0.01)
        return said

    assert anyio.run(ask, backend=backend)[-1] is True


def test_a_thousand_tasks_that_ask_at_once_are_all_answered(server: RedisServer, make: Make) -> None:
    one = make(server.url)
    drive = AwaitingHTTP(HTTPSettings()).drive

    async def ask() -> list[bool]:
        return await asyncio.gather(*(drive(started(one.denied(grant()))) for _ in range(1000)))

    assert set(asyncio.run(ask())) == {False}


# Redis is away


def last_believed(one: RedisDenyList, *, seconds: float) -> float:
    """When the list last let a grant pass, while it is asked without end."""
    ends_at, last, asked = time.monotonic() + seconds, 0.0, grant()
    while time.monotonic() < ends_at:
        began = time.monotonic()
        if verdict(one, asked) is False:
            last = began
        time.sleep(0.002)
    return last


@pytest.mark.parametrize("fault", ["stopped", "stunned"])
def test_memory_is_not_believed_for_longer_than_a_second(own: RedisServer, make: Make, fault: str) -> None:
    one = make(own.url)
    assert verdict(one, grant()) is False
    if fault == "stopped":
        own.stop()
        lost_at = time.monotonic()
        last = last_believed(one, seconds=2.0)
    else:
        with own.stunned():
            lost_at = time.monotonic()
            last = last_believed(one, seconds=2.0)
    assert last - lost_at <= 1.0
    if fault == "stunned":
        wait_until(lambda: verdict(one, grant()) is False, 5)
    else:
        assert verdict(one, grant()) == UNAVAILABLE


@pytest.mark.parametrize("believed", [0.3, 3.0])
def test_how_long_memory_is_believed_is_an_option(own: RedisServer, make: Make, believed: float) -> None:
    one = make(own.url, believed=believed)
    assert verdict(one, grant()) is False
    began = time.monotonic()
    own.stop()
    lost_at = time.monotonic()
    last = last_believed(one, seconds=believed + 0.5)
    assert believed / 2 - 0.1 < last - began
    assert last - lost_at <= believed


def test_refusals_come_at_once_while_redis_is_away(own: RedisServer, make: Make) -> None:
    one = make(own.url)
    own.stop()
    assert verdict(one, grant()) == UNAVAILABLE
    began = time.monotonic()
    assert {verdict(one, grant()) for _ in range(100)} == {UNAVAILABLE}
    assert time.monotonic() - began < 1.0


def test_what_is_known_to_be_denied_is_denied_while_redis_is_away(own: RedisServer, make: Make) -> None:
    one = make(own.url)
    one.deny(jti="t1")
    assert verdict(one, grant()) is True
    own.stop()
    wait_until(lambda: verdict(one, grant(jti="t2")) == UNAVAILABLE, 5)
    assert verdict(one, grant()) is True


def test_a_process_may_be_told_to_go_on(own: RedisServer, make: Make) -> None:
    one = make(own.url, when_lost="go_on")
    one.deny(jti="t1")
    assert verdict(one, grant()) is True
    own.stop()
    time.sleep(1.2)
    assert (verdict(one, grant()), verdict(one, grant(jti="t2"))) == (True, False)


def test_a_process_that_is_told_to_go_on_begins_without_redis(make: Make) -> None:
    assert verdict(make(f"redis://127.0.0.1:{free_port()}", when_lost="go_on"), grant()) is False


def test_a_process_that_begins_without_redis_knows_nothing(make: Make) -> None:
    one = make(f"redis://127.0.0.1:{free_port()}")
    assert verdict(one, grant()) == UNAVAILABLE
    assert verdict(one, grant()) == UNAVAILABLE


def test_a_process_that_begins_beside_a_silent_redis_waits_no_longer_than_the_time_out(
    own: RedisServer, make: Make
) -> None:
    one = make(own.url, timeout=0.3)
    with own.stunned():
        began = time.monotonic()
        assert verdict(one, grant()) == UNAVAILABLE
        assert time.monotonic() - began < 1.0


def test_a_process_that_is_late_waits_rather_than_refuse(server: RedisServer, make: Make) -> None:
    monotonic = FakeClock(1000.0)
    one = make(server.url, monotonic=monotonic)
    assert verdict(one, grant()) is False
    one._log.stop()
    wait_until(lambda: not followers(), 5)
    monotonic.pass_seconds(1.1)
    run = started(one.denied(grant()))
    assert isinstance(run.effect, Call)
    with pytest.raises(Unavailable):
        run.send(None)  # nothing was heard meanwhile
    run = started(one.denied(grant()))
    one._log.read_at = monotonic.now
    run.send(None)
    assert run.result is False


def test_what_was_denied_while_redis_was_away_is_told_when_it_is_back(own: RedisServer, make: Make) -> None:
    one, other = make(own.url), make(own.url)
    assert {verdict(one, grant()), verdict(other, grant())} == {False}
    own.stop()
    with pytest.raises(Unavailable) as caught:
        one.deny(jti="t1")
    assert caught.value.reason == UNAVAILABLE
    assert verdict(one, grant()) is True
    own.start()
    wait_until(lambda: verdict(other, grant()) is True, 10)
    assert verdict(one, grant(jti="t2")) is False


def test_a_restart_and_a_flush_let_nobody_in_again(own: RedisServer, make: Make) -> None:
    one = make(own.url)
    one.deny(sub="ada")
    for lose in (own.restart, partial(own.says, "flushall")):
        lose()
        wait_until(lambda: verdict(one, grant(subject="bob")) is False, 10)
        assert verdict(one, grant()) is True
        wait_until(lambda: verdict(make(own.url), grant()) is True, 10)


def test_warming_without_redis_raises_nothing(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    BlockingHTTP(HTTPSettings()).drive(Run(make(f"redis://127.0.0.1:{free_port()}").warm()))
    assert "denied tokens could not be read ahead of the first request" in caplog.text


def test_a_full_list_says_so_and_denies_what_it_has(server: RedisServer, make: Make) -> None:
    one = make(server.url, entries=3)
    for number in range(3):
        one.deny(jti=f"t{number}")
    with pytest.raises(Unavailable) as caught:
        one.deny(jti="t3")
    assert caught.value.reason == "deny_list_full"
    other = make(server.url, entries=3)
    assert [verdict(other, grant(jti=f"t{number}")) for number in range(4)] == [True, True, True, False]


def test_a_denial_outlives_the_longest_lived_token(server: RedisServer, make: Make) -> None:
    make(server.url, longest_life=600).deny(jti="t1")
    (_, fields), *_ = server.says("xrange", b"oauth_rs:{deny}:log")
    assert fields[b"value"] == b"t1"
    assert 900 < server.says("ttl", b"oauth_rs:{deny}:log") <= 600 + 300 + 120


def test_a_client_of_the_users_is_used_for_its_settings(server: RedisServer, make: Make) -> None:
    with redis.Redis(port=server.port, db=3, decode_responses=True) as client:
        one = make(client)
        one.deny(jti="t1")
        assert verdict(make(client), grant()) is True
        assert client.exists("oauth_rs:{deny}:log")
        one.close()
        client.ping()
