import asyncio
import logging
import os
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from anyio.from_thread import BlockingPortal, start_blocking_portal
from redis.backoff import NoBackoff
from redis.retry import Retry

from oauth_rs.fetch import HTTPSettings
from oauth_rs.fetch.awaiting import AwaitingHTTP
from oauth_rs.flow import Run
from oauth_rs.stores.redis import CLOCKS_DIFFER, CONNECTIONS, RedisReplay
from tests.support.redis_server import RedisServer, running_cluster, running_redis, sentinel_of, wait_until
from tests.support.replay_contract import (
    Driven,
    SharedReplayContract,
    at_once,
    awaiting,
    blocking,
    key_of,
)

SENTINEL = redis.sentinel.Sentinel([])  # type: ignore[no-untyped-call]
UNAVAILABLE = "replay_store_unavailable"
LOST = "replay_memory_lost"


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


class Stores:
    """Makes stores, and closes what they have open when the test ends: errors of redis-py outlive it in circles."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal
        self._made: list[RedisReplay] = []

    def make(self, url_or_client: Any, **options: Any) -> RedisReplay:
        self._made.append(RedisReplay(url_or_client, **options))
        return self._made[-1]

    def blocking(self, url_or_client: Any, **options: Any) -> Driven:
        return blocking(self.make(url_or_client, **options))

    def awaiting(self, url_or_client: Any, **options: Any) -> Driven:
        return awaiting(self.make(url_or_client, **options), self._portal)

    def close(self) -> None:
        for store in self._made:
            for client in store._clients.values():
                client.close()
            for loop, line in list(store._lines.items()):
                asyncio.run_coroutine_threadsafe(line.end.aclose(), loop).result(10)


@pytest.fixture
def stores(portal: BlockingPortal) -> Iterator[Stores]:
    stores = Stores(portal)
    yield stores
    stores.close()


Make = Callable[..., Driven]


@pytest.fixture(params=["blocking", "awaiting"])
def make(request: pytest.FixtureRequest, stores: Stores) -> Make:
    return stores.blocking if request.param == "blocking" else stores.awaiting


class TestContract(SharedReplayContract):
    @pytest.fixture
    def store(self, server: RedisServer, make: Make) -> Driven:
        return make(server.url)

    @pytest.fixture
    def second(self, server: RedisServer, make: Make) -> Driven:
        return make(server.url)

    @pytest.fixture
    def place(self, server: RedisServer) -> str:
        return server.url


# Making one


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"url_or_client": "127.0.0.1:6379"}, ValueError, "schemes"),
        ({"url_or_client": "http://127.0.0.1"}, ValueError, "schemes"),
        ({"url_or_client": "redis://127.0.0.1", "timeout": 0}, ValueError, "above 0"),
        ({"url_or_client": "redis://127.0.0.1", "distrust": -1}, ValueError, "seconds"),
        ({"url_or_client": None}, TypeError, "URL or a client"),
        ({"url_or_client": SENTINEL}, TypeError, "master_for"),
    ],
    ids=str,
)
def test_what_cannot_be_right_is_refused_when_it_is_made(
    arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        RedisReplay(**arguments)


def test_making_a_store_connects_to_nothing() -> None:
    RedisReplay("redis://192.0.2.1")
    RedisReplay(redis.Redis("192.0.2.1"))


@pytest.mark.parametrize("prefix", ["nonces:", b"nonces:", "", "\u00e9"])
def test_keys_are_the_prefix_and_the_bytes_and_live_a_little_longer(
    server: RedisServer, prefix: Any, stores: Stores
) -> None:
    stores.blocking(server.url, prefix=prefix).use(1, seconds=100)
    with server.client() as client:
        (key,) = client.keys()
        assert key == (prefix if isinstance(prefix, bytes) else prefix.encode()) + key_of(1)
        assert 90 < client.ttl(key) <= 100 + CLOCKS_DIFFER


def test_stores_with_other_prefixes_do_not_touch_each_other(server: RedisServer, stores: Stores) -> None:
    both = [stores.blocking(server.url, prefix=prefix) for prefix in ("one:", "two:")]
    assert [store.use(1) for store in both * 2] == [True, True, False, False]


def test_a_use_is_one_command(server: RedisServer, make: Make) -> None:
    store = make(server.url)
    store.use("connects")
    with server.client() as client:
        before = client.info("stats")["total_commands_processed"]
        for number in range(50):
            store.use(number)
        assert client.info("stats")["total_commands_processed"] - before == 51


def test_a_time_that_is_over_is_kept_for_a_while_all_the_same(server: RedisServer, make: Make) -> None:
    store = make(server.url)
    assert [store.use(1, seconds=-100), store.use(1, seconds=-100)] == [True, False]


# Threads, event loops, processes


def test_each_event_loop_has_connections_of_its_own_and_leaves_none_open(server: RedisServer, stores: Stores) -> None:
    store, before = stores.make(server.url), server.says("info", "clients")["connected_clients"]

    async def use(number: int) -> bool:
        now = time.time()
        uses = [
            AwaitingHTTP(HTTPSettings()).drive(Run(store.first_use(key_of(number), now + 3, now + 60, now)))
            for _ in range(5)
        ]
        return sorted(await asyncio.gather(*uses)) == [False] * 4 + [True]

    assert all(anyio.run(use, number) for number in range(3))
    assert not store._lines
    assert all(at_once([partial(anyio.run, use, number) for number in range(3, 7)]))
    wait_until(lambda: server.says("info", "clients")["connected_clients"] <= before, 10)


def test_a_store_that_is_dropped_leaves_no_connection_in_a_loop_that_goes_on(
    server: RedisServer, portal: BlockingPortal
) -> None:
    before = server.says("info", "clients")["connected_clients"]
    assert awaiting(RedisReplay(server.url), portal).use(1) is True
    wait_until(lambda: server.says("info", "clients")["connected_clients"] <= before, 10)


def test_more_tasks_than_connections_wait_their_turn(server: RedisServer, stores: Stores) -> None:
    store = stores.make(server.url, timeout=20)

    async def use_many() -> list[Any]:
        now, drive = time.time(), AwaitingHTTP(HTTPSettings()).drive
        keys = [key_of(number) for number in range(CONNECTIONS * 4)]
        return await asyncio.gather(*(drive(Run(store.first_use(key, now + 3, now + 60, now))) for key in keys))

    before = server.says("info", "stats")["total_connections_received"]
    assert anyio.run(use_many) == [True] * CONNECTIONS * 4
    after = server.says("info", "stats")["total_connections_received"]
    assert after - before <= CONNECTIONS + 1  # and the one that asks


def test_a_request_that_is_given_up_leaves_its_connection_usable(
    server: RedisServer, portal: BlockingPortal, stores: Stores
) -> None:
    store = stores.make(server.url)

    async def give_up() -> None:
        for number in range(40):
            now = time.time()
            run = Run(store.first_use(key_of(f"left {number}"), now + 3, now + 60, now))
            with anyio.move_on_after(number * 0.0001):
                await AwaitingHTTP(HTTPSettings()).drive(run)

    portal.call(give_up)
    driven = awaiting(store, portal)
    assert [driven.use(number) for number in (*range(20), *range(20))] == [True] * 20 + [False] * 20


def test_under_trio_it_is_used_in_threads(server: RedisServer, stores: Stores) -> None:
    store, now = stores.make(server.url), time.time()

    async def use() -> list[Any]:
        drive = AwaitingHTTP(HTTPSettings()).drive
        return [await drive(Run(store.first_use(key_of(1), now + 3, now + 60, now))) for _ in range(2)]

    assert anyio.run(use, backend="trio") == [True, False]


FORK = """
import os, sys, threading, time
from oauth_rs.stores.redis import RedisReplay
store = RedisReplay(sys.argv[1])
use = lambda key: store._spend(key * 24, time.time() + 3, time.time() + 60, time.time())
said = [use(b"a")]
pool = store._clients[os.getpid()].connection_pool
held = threading.Thread(target=lambda: (pool._lock.acquire(), time.sleep(60)), daemon=True)
held.start()
time.sleep(0.2)
to_parent = os.pipe()
if not os.fork():
    os.write(to_parent[1], b"%d%d%d" % (use(b"a"), use(b"b"), use(b"c")))
    os._exit(0)
os.wait()
print(said, os.read(to_parent[0], 9))
os._exit(0)
"""


def test_a_fork_shares_no_connection_and_waits_for_no_lock(server: RedisServer) -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK, server.url]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    assert done.stdout == "[True] b'011'\n"


# Redis does not answer


def took(use: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    return use(), time.monotonic() - began


def test_a_server_that_is_gone_is_a_quick_503(own: RedisServer, make: Make) -> None:
    store = make(own.url)
    assert store.use(1) is True
    own.stop()
    for number in (1, 2):
        answer, seconds = took(partial(store.use, number))
        assert (answer, seconds < 3) == (UNAVAILABLE, True)


def test_a_server_that_was_never_there_is_a_503(make: Make, tmp_path: Path) -> None:
    store = make(RedisServer(tmp_path).url)
    assert [store.use(1), store.use(1)] == [UNAVAILABLE] * 2


def test_a_server_that_is_stunned_is_a_503_in_time_and_good_again_after(own: RedisServer, make: Make) -> None:
    store = make(own.url)
    fresh = make(own.url)
    assert store.use(1) is True
    with own.stunned():
        for one in (store, fresh):
            answer, seconds = took(partial(one.use, 2))
            assert (answer, seconds < 3) == (UNAVAILABLE, True)
    assert store.use(1) is False
    assert [store.use(3), fresh.use(3)] == [True, False]


def test_a_stunned_server_holds_up_no_other_task(own: RedisServer, stores: Stores) -> None:
    store = stores.make(own.url, timeout=0.3)

    async def use_many() -> list[Any]:
        now = time.time()
        uses = [store._spend_awaiting(key_of(number), now, now + 9, now) for number in range(CONNECTIONS * 3)]
        return await asyncio.gather(*uses, return_exceptions=True)

    with own.stunned():
        answers, seconds = took(partial(anyio.run, use_many))
    assert {str(answer) for answer in answers} == {UNAVAILABLE}
    assert seconds < 5


@contextmanager
def talking(says: bytes, *, every: float = 0.0) -> Iterator[str]:
    """The URL of something that takes every connection and is no Redis; it may go on talking `every` few seconds."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                while every or self.request.recv(1000):
                    self.request.sendall(says)
                    time.sleep(every)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listener:
        listener.daemon_threads = True
        threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"redis://127.0.0.1:{listener.server_address[1]}"
        listener.shutdown()


@pytest.mark.parametrize(
    "says",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\xff\r\n",
        b"+OK\r\n",
        b":1\r\n",
        b"$x\r\n",
        b"*-5\r\n",
        b"$-1\r\n",
    ],
)
def test_what_is_no_redis_is_a_503(says: bytes, make: Make) -> None:
    with talking(says) as url:
        store = make(url, timeout=0.2)
        assert [store.use(1), store.use(1)] == [UNAVAILABLE] * 2


def test_the_time_out_is_for_a_whole_use_when_it_is_awaited(stores: Stores) -> None:
    with talking(b"+OK\r\n", every=0.45) as url:  # each answer on its own is in time
        answer, seconds = took(partial(stores.awaiting(url.replace("//", "//:word@") + "/1", timeout=0.5).use, 1))
    assert (answer, seconds < 1.5) == (UNAVAILABLE, True)


FAULTS: dict[str, tuple[list[str], str]] = {
    "a wrong password": (["--requirepass", "right"], "redis://:wrong@"),
    "no password": (["--requirepass", "right"], "redis://"),
    "no such database": ([], "redis:///99"),
    "no right to INFO": (["--user", "default", "on", "nopass", "~*", "+@all", "-info"], "redis://"),
    "no right to SET": (["--user", "default", "on", "nopass", "~*", "+@all", "-set"], "redis://"),
    "no right to the keys": (["--user", "default", "on", "nopass", "~other:*", "+@all"], "redis://"),
    "a replica": (["--replicaof", "127.0.0.1 1"], "redis://"),
    "no memory": (["--maxmemory", "1"], "redis://"),
    "no connection left": (["--maxclients", "1"], "redis://"),
    "a replica too few": (["--min-replicas-to-write", "1"], "redis://"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_will_not_is_a_503(fault: str, tmp_path: Path, make: Make) -> None:
    settings, url = FAULTS[fault]
    with running_redis(tmp_path, *settings) as server, ExitStack() as held:
        if fault == "no connection left":
            held.enter_context(server.client()).ping()
        given = url.replace("///", f"//127.0.0.1:{server.port}/") if "///" in url else f"{url}127.0.0.1:{server.port}"
        store = make(given)
        assert [store.use(1), store.use(1)] == [UNAVAILABLE] * 2


def test_a_server_that_fills_up_refuses_and_forgets_nothing(own: RedisServer, make: Make) -> None:
    store = make(own.url)
    own.configure(maxmemory="1400kb")
    answers: list[Any] = [True]
    while answers[-1] is True:
        answers.append(store.use(len(answers)))
    assert answers[-1] == UNAVAILABLE
    assert len(answers) > 1000
    assert store.use(1) is not True
    own.configure(maxmemory="0")
    assert {store.use(number) for number in range(1, 200)} == {False}


# Redis has lost its memory


def test_after_a_restart_nothing_is_used_twice_and_new_requests_pass_soon(own: RedisServer, make: Make) -> None:
    store, late = make(own.url), make(own.url)
    before = time.time()
    assert store.use(1, now=before + 3, signed=0) is True
    own.restart()
    assert [store.use(1, now=before, signed=0), late.use(1, now=before, signed=0)] == [LOST, False]
    for one in (store, late):
        wait_until(lambda one=one: one.use(os.urandom(24), signed=0) is True, 6)  # type: ignore[misc]
    assert store.use(2, now=before, signed=0) == LOST


def test_a_restart_between_two_uses_of_a_connection_is_noticed(own: RedisServer, make: Make) -> None:
    store, now = make(own.url), time.time()
    assert store.use(1, now=now) is True
    own.restart()
    assert store.use(1, now=now) == LOST
    assert store.use(1, now=now) is False  # what was refused is used up nevertheless


def test_a_server_that_was_a_replica_meanwhile_is_not_believed(own: RedisServer, make: Make) -> None:
    store, now = make(own.url), time.time()
    assert store.use(1, now=now) is True
    own.says("replicaof", "127.0.0.1", 1)
    assert [store.use(2), store.use(2)] == [UNAVAILABLE] * 2
    own.says("replicaof", "NO", "ONE")
    own.says("flushall")
    assert store.use(1, now=now) == LOST


def test_after_a_restart_of_which_nothing_was_lost_keys_are_still_known(tmp_path: Path, make: Make) -> None:
    settings = ("--appendonly", "yes", "--appendfsync", "always")
    with running_redis(tmp_path, *settings) as server:
        store = make(server.url)
        now = time.time() + 3
        assert store.use(1, now=now, signed=0) is True
        server.restart()
        assert store.use(1, now=now, signed=0) is False


@pytest.mark.parametrize("ahead", [20, 290])
def test_a_request_signed_ahead_of_time_does_not_survive_a_restart(own: RedisServer, make: Make, ahead: int) -> None:
    store, now = make(own.url), time.time()
    assert store.use(1, now=now, signed=ahead, seconds=600) is True
    own.restart()
    assert store.use(1, now=now, signed=ahead, seconds=600) == LOST


def test_distrust_covers_what_others_have_accepted(own: RedisServer, make: Make) -> None:
    now = time.time()
    assert make(own.url).use(1, now=now, signed=290) is True
    own.restart()
    assert make(own.url, distrust=300).use(1, now=now, signed=290) == LOST


def test_among_threads_none_accepts_a_replay_around_a_restart(own: RedisServer, stores: Stores) -> None:
    inner = stores.make(own.url)
    store, now = blocking(inner), time.time()
    accepted = [number for number in range(100) if store.use(number, now=now, signed=3) is True]
    own.restart()
    answers = at_once([lambda: [store.use(number, now=now, signed=3) for number in accepted]] * 8)
    assert True not in {answer for thread in answers for answer in thread}


# The log


def messages(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(record.levelno, record.message) for record in caplog.records if record.name == "oauth_rs"]


def test_warming_connects_and_says_nothing(server: RedisServer, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    make(server.url).warm()
    assert messages(caplog) == []


def test_a_server_that_may_forget_is_told_of_once(tmp_path: Path, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with running_redis(tmp_path, "--maxmemory-policy", "allkeys-lru") as server:
        store = make(server.url)
        store.warm()
        for number in range(20):
            store.use(number)
    told = "Redis may forget nonces: set maxmemory-policy to noeviction, it is allkeys-lru"
    assert messages(caplog).count((logging.WARNING, told)) == 1


def test_a_server_that_is_not_there_keeps_nothing_from_starting(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make(RedisServer(tmp_path).url).warm()
    ((level, text),) = messages(caplog)
    assert level == logging.WARNING
    assert text.startswith("signed requests are refused, nonces cannot be kept: ConnectionError: Error 111")


# Clients of the user's own


@pytest.mark.parametrize(
    "options", [{}, {"decode_responses": True}, {"protocol": 3}, {"single_connection_client": True}]
)
def test_the_settings_of_a_client_are_taken_and_not_its_connections(
    server: RedisServer, options: Any, stores: Stores
) -> None:
    with redis.Redis(port=server.port, db=3, **options) as client:
        client.set("mine", "1")
        store = stores.blocking(client)
        assert [store.use(1), store.use(1)] == [True, False]
        assert client.dbsize() == 2
        before = client.connection_pool.connection_kwargs
        assert before.get("redis_connect_func") is None


def test_an_asyncio_client_serves_every_loop_and_threads_too(
    server: RedisServer, portal: BlockingPortal, stores: Stores
) -> None:
    store = stores.make(redis.asyncio.Redis(port=server.port, db=3))
    assert [awaiting(store, portal).use(1), blocking(store).use(1), blocking(store).use(2)] == [True, False, True]


def test_a_blocking_client_serves_event_loops_too(server: RedisServer, portal: BlockingPortal, stores: Stores) -> None:
    with redis.Redis(port=server.port) as client:
        store = stores.make(client)
        assert [awaiting(store, portal).use(1), blocking(store).use(1)] == [True, False]


def test_the_retries_and_time_outs_of_a_client_are_not_ours(own: RedisServer, stores: Stores) -> None:
    with redis.Redis(port=own.port, retry=Retry(NoBackoff(), 50), socket_timeout=60) as client:
        store = stores.blocking(client)
        store.use(1)
        with own.stunned():
            answer, seconds = took(partial(store.use, 2))
        assert (answer, seconds < 3) == (UNAVAILABLE, True)
        own.restart()
        assert store.use(3, signed=-1) == LOST


def places(sentinel: RedisServer) -> list[tuple[str, int]]:
    """Where to ask: one place is not there."""
    return [("127.0.0.1", 1), ("127.0.0.1", sentinel.port)]


def test_a_failover_of_a_sentinel_is_noticed(tmp_path: Path, stores: Stores) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(running_redis(tmp_path))
        replica = stack.enter_context(running_redis(tmp_path, "--replicaof", f"127.0.0.1 {first.port}"))
        sentinel = stack.enter_context(sentinel_of(tmp_path, first, "nonces"))
        theirs: Any = redis.sentinel.Sentinel(places(sentinel))  # type: ignore[no-untyped-call]
        store = stores.blocking(theirs.master_for("nonces"))
        wait_until(lambda: store.use(os.urandom(24)) is True, 15)
        wait_until(lambda: replica.says("info", "replication")["master_link_status"] == "up", 15)
        wait_until(lambda: sentinel.says("sentinel_master", "nonces")["num-slaves"] == 1, 20)
        signed_at = time.time()
        first.stop()
        assert store.use(1) == UNAVAILABLE
        wait_until(lambda: store.use(os.urandom(24), signed=4) is True, 30)
        assert store.use(2, now=signed_at, signed=0) == LOST


def test_an_asyncio_sentinel_serves_every_loop(server: RedisServer, tmp_path: Path, stores: Stores) -> None:
    with sentinel_of(tmp_path, server, "nonces") as sentinel:
        theirs: Any = redis.asyncio.sentinel.Sentinel(places(sentinel))  # type: ignore[no-untyped-call]
        store, now = stores.make(theirs.master_for("nonces")), time.time()

        async def use() -> Any:
            drive = AwaitingHTTP(HTTPSettings()).drive
            return await drive(Run(store.first_use(key_of(1), now + 3, now + 60, now)))

        assert [anyio.run(use) for _ in range(3)] == [True, False, False]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A cluster of one server, which has all slots."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as server:
        yield server


def cluster_client(cluster: RedisServer, **options: Any) -> redis.RedisCluster:
    return redis.RedisCluster(
        "127.0.0.1", cluster.port, **{"socket_timeout": 0.5, "retry": Retry(NoBackoff(), 0), **options}
    )


def test_a_cluster_is_used_by_a_client_of_the_users(
    cluster: RedisServer, caplog: pytest.LogCaptureFixture, stores: Stores
) -> None:
    met: list[Any] = []
    with cluster_client(cluster, redis_connect_func=met.append) as client:
        store = stores.blocking(client)
        answers = [store.use(f"cluster {number}") for number in (*range(50), *range(50))]
    assert answers == [True] * 50 + [False] * 50
    assert len(met) > 1, "theirs is called too"
    assert not messages(caplog)


def test_a_restart_of_a_cluster_is_noticed(tmp_path: Path, stores: Stores) -> None:
    with running_cluster(tmp_path) as cluster, cluster_client(cluster) as client:
        store, now = stores.blocking(client), time.time()
        assert {store.use(number, now=now) for number in range(50)} == {True}
        cluster.stop()
        assert [store.use(2), store.use(1)] == [UNAVAILABLE] * 2
        cluster.start()
        wait_until(lambda: store.use(os.urandom(24), signed=9) is True, 15)
        assert {store.use(number, now=now) for number in range(50)} == {LOST}


def test_a_cluster_is_used_by_an_asyncio_client_of_the_users(cluster: RedisServer, stores: Stores) -> None:
    async def use() -> list[Any]:
        async with AsyncExitStack() as stack:
            client = redis.asyncio.RedisCluster("127.0.0.1", cluster.port)
            store = stores.make(client)
            stack.push_async_callback(client.aclose)
            now = time.time()
            given: list[Any] = []
            for number, signed in ((1, now + 3), (1, now + 3), (2, now - 600)):
                try:
                    given.append(await store._spend_awaiting(key_of(number), signed, now + 60, now))
                except Exception as error:  # noqa: BLE001 - what it is, is asked below
                    given.append(str(error))
            return given

    assert anyio.run(use) == [True, False, LOST]


def test_an_asyncio_cluster_client_that_was_used_already_is_refused(cluster: RedisServer, stores: Stores) -> None:
    async def make() -> None:
        async with redis.asyncio.RedisCluster("127.0.0.1", cluster.port) as client:
            await client.set("mine", "1")
            with pytest.raises(ValueError, match="of its own"):
                stores.make(client)

    anyio.run(make)


def test_an_asyncio_cluster_client_serves_one_event_loop(cluster: RedisServer, stores: Stores) -> None:
    client = redis.asyncio.RedisCluster("127.0.0.1", cluster.port)
    store = stores.make(client)

    async def use(*, close: bool) -> bool:
        now = time.time()
        try:
            return await store._spend_awaiting(os.urandom(24), now + 3, now + 60, now)
        finally:
            if close:
                await client.aclose()

    async def both() -> None:
        assert await use(close=False)
        with pytest.raises(RuntimeError, match="one event loop"):
            await anyio.to_thread.run_sync(partial(asyncio.run, use(close=False)))
        await client.aclose()

    anyio.run(both)


def test_a_cluster_client_that_may_wait_for_long_is_told_of(
    cluster: RedisServer, caplog: pytest.LogCaptureFixture, stores: Stores
) -> None:
    with redis.RedisCluster("127.0.0.1", cluster.port) as client:
        stores.make(client)
    ((level, text),) = messages(caplog)
    assert (level, text.startswith("a request may wait for a node 11 times 5 s")) == (logging.WARNING, True)
