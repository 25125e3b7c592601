import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel

from oauth_rs.stores.redis_clients import (
    Servers,
    async_client_like,
    async_client_of_url,
    client_like,
    client_of_url,
    disconnect,
    watch_async_cluster,
    watch_cluster,
)
from oauth_rs.stores.trust import Trust
from tests.support.playing import FakeClock
from tests.support.redis_server import RedisServer, running_redis

NOW = 1_000_000.0
UPTIME = 5000
STARTED = NOW - UPTIME + 1


def info(**changes: str | None) -> bytes:
    """What INFO says of a server that has run for a while; None leaves a line out."""
    facts = {
        "run_id": "a" * 40,
        "uptime_in_seconds": str(UPTIME),
        "maxmemory_policy": "noeviction",
        "role": "master",
        "master_replid": "b" * 40,
        "master_replid2": "0" * 40,
        **changes,
    }
    lines = [f"{name}:{value}" for name, value in facts.items() if value is not None]
    return "\r\n".join(["# Server", *lines, "", "# odd", "line without a colon"]).encode()


class Met:
    """The gate after each server that was met."""

    def __init__(self, *, cluster: bool = False, word: str = "") -> None:
        self.word = word
        self.trust = Trust()
        self.clock = FakeClock(NOW)
        self.servers = Servers(self.trust, b"since", cluster=cluster, clock=self.clock)

    def gate(self, **changes: str | None) -> float:
        name = self.servers.meet(info(**changes))
        if name:
            self.word = self.servers.hear(name, self.word) or self.word
        return self.trust.gate


# Which server it is


def test_the_first_server_is_believed_from_its_start() -> None:
    assert Met().gate() == STARTED


@pytest.mark.parametrize("text", [info(), info().decode()], ids=["bytes", "text"])
def test_what_it_says_may_come_as_bytes_or_text(text: Any) -> None:
    met = Met()
    met.servers.meet(text)
    assert met.trust.gate == STARTED


def test_a_server_that_was_met_before_moves_nothing() -> None:
    met = Met()
    met.gate()
    met.clock.pass_seconds(100)
    assert met.gate(uptime_in_seconds=str(UPTIME + 100)) == STARTED


@pytest.mark.parametrize(
    "changes",
    [
        {"run_id": "c" * 40, "uptime_in_seconds": "0"},
        {"run_id": "c" * 40, "uptime_in_seconds": "99999"},
        {"master_replid": "c" * 40, "master_replid2": "b" * 40},
        {"run_id": "c" * 40, "master_replid": "c" * 40},
    ],
    ids=["restarted", "another that is older", "demoted and promoted", "replaced"],
)
def test_one_server_in_place_of_another_is_believed_from_when_it_is_noticed(
    changes: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    met = Met()
    met.gate()
    met.clock.pass_seconds(100)
    assert met.gate(**changes) == NOW + 100
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_server_that_comes_back_is_another() -> None:
    met = Met()
    for seconds, run_id in enumerate("abab"):
        met.clock.now = NOW + seconds
        assert met.gate(run_id=run_id) == (NOW + seconds if seconds else STARTED)


def test_a_replica_that_was_promoted_is_believed_from_when_it_is_met() -> None:
    assert Met().gate(master_replid2="c" * 40) == NOW


TOOK_OVER = {"master_replid2": "c" * 40}


@pytest.mark.parametrize("word", ["", "None", "another 1", "\ufffd 5"])
def test_one_that_took_over_is_believed_from_when_the_first_process_has_met_it(word: str) -> None:
    first = Met(word=word)
    assert first.gate(**TOOK_OVER) == NOW
    late = Met(word=first.word)
    late.clock.pass_seconds(500)
    assert [late.gate(**TOOK_OVER), late.gate(**TOOK_OVER)] == [NOW, NOW]
    assert late.word == first.word


def test_the_leads_that_the_first_process_has_seen_are_in_its_word() -> None:
    first = Met()
    first.gate()
    first.trust.expect(NOW + 50, NOW)
    first.gate(**TOOK_OVER, master_replid="d")
    assert Met(word=first.word).gate(**TOOK_OVER, master_replid="d") == NOW + 50


def test_word_of_one_server_says_nothing_of_another() -> None:
    first = Met()
    first.gate(**TOOK_OVER)
    late = Met(word=first.word)
    late.clock.pass_seconds(500)
    assert late.gate(**TOOK_OVER, master_replid="d") == NOW + 500


def test_who_has_seen_a_server_take_over_believes_no_earlier_word() -> None:
    early, late = Met(), Met()
    early.gate(**TOOK_OVER, master_replid="d")
    late.gate()
    late.clock.pass_seconds(500)
    late.word = early.word
    assert late.gate(**TOOK_OVER, master_replid="d") == NOW + 500


def test_leads_count_only_for_what_this_process_has_used() -> None:
    met = Met()
    met.trust.expect(NOW + 50, NOW)
    assert met.gate() == STARTED
    assert met.gate(run_id="c") == NOW + 50


@pytest.mark.parametrize("role", ["slave", "sentinel", ""])
def test_what_is_not_a_primary_is_refused(role: str) -> None:
    with pytest.raises(redis.ConnectionError, match="replica"):
        Met().gate(role=role)


@pytest.mark.parametrize("name", ["run_id", "uptime_in_seconds", "role", "master_replid", "master_replid2"])
@pytest.mark.parametrize("value", [None, "not a number"])
def test_a_server_that_does_not_say_is_refused(name: str, value: str | None) -> None:
    if value is None or name in {"uptime_in_seconds", "role"}:
        with pytest.raises(redis.ConnectionError):
            Met().gate(**{name: value})


@pytest.mark.parametrize("said", [None, 1, b"", b"\xff\xff:\xff", "OK", [b"x"], {"run_id": 1}], ids=str)
def test_what_is_no_info_is_refused(said: Any) -> None:
    met = Met()
    with pytest.raises(redis.ConnectionError, match="does not say"):
        met.servers.meet(said)
    assert met.trust.gate < 0


# Word left in Redis


@pytest.fixture
def promoted(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as server:
        server.says("replicaof", "127.0.0.1", 1)
        server.says("replicaof", "NO", "ONE")
        yield server


def ping(server: RedisServer, kind: str, trust: Trust, user: str = "") -> None:
    url = server.url.replace("//", f"//{user}@") if user else server.url

    async def main() -> None:
        client = async_client_of_url(url, Servers(trust, b"since"), 1.0)
        await client.ping()
        await disconnect(client)

    if kind == "awaiting":
        asyncio.run(main())
    else:
        with client_of_url(url, Servers(trust, b"since"), 1.0) as client:
            client.ping()


@pytest.mark.parametrize("kind", ["blocking", "awaiting"])
def test_a_process_that_starts_later_has_the_word_of_the_first(promoted: RedisServer, kind: str) -> None:
    first, late = Trust(), Trust()
    ping(promoted, kind, first)
    ping(promoted, kind, late)
    assert first.gate == late.gate
    assert time.time() - 10 < first.gate < time.time()


@pytest.mark.parametrize("kind", ["blocking", "awaiting"])
@pytest.mark.parametrize("rights", [["-get"], ["-set"], ["-get", "-set"]], ids=str)
def test_without_the_right_to_a_word_each_process_is_the_first(
    promoted: RedisServer, kind: str, rights: list[str]
) -> None:
    promoted.says("execute_command", "ACL", "SETUSER", "api", "on", ">word", "~*", "+@all", *rights)
    first, late = Trust(), Trust()
    ping(promoted, kind, first, "api:word")
    ping(promoted, kind, late, "api:word")
    assert first.gate < late.gate


# A cluster


def test_each_node_of_a_cluster_is_believed_from_its_start(caplog: pytest.LogCaptureFixture) -> None:
    met = Met(cluster=True)
    for node, uptime in (("a", 5000), ("b", 9000), ("c", 3000), ("a", 5000), ("b", 9000)):
        met.gate(run_id=node, uptime_in_seconds=str(uptime))
    assert met.trust.gate == NOW - 3000 + 1
    assert not caplog.records


@pytest.mark.parametrize(
    ("changes", "gate"),
    [({"run_id": "c", "uptime_in_seconds": "3"}, NOW - 2), ({"run_id": "c", "master_replid2": "b" * 40}, NOW)],
    ids=["restarted", "promoted"],
)
def test_a_new_node_moves_the_gate(changes: dict[str, str], gate: float) -> None:
    met = Met(cluster=True)
    met.gate()
    assert met.gate(**changes) == gate


# The warning


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "volatile-random"])
def test_a_server_that_evicts_is_told_of_once(policy: str, caplog: pytest.LogCaptureFixture) -> None:
    met = Met()
    met.gate(maxmemory_policy=policy)
    met.gate(maxmemory_policy=policy)
    ((level, message),) = [(record.levelname, record.message) for record in caplog.records]
    assert level == "WARNING"
    assert "maxmemory-policy" in message
    assert message.endswith(policy)


@pytest.mark.parametrize("policy", ["noeviction", None])
def test_a_server_that_does_not_evict_is_not_told_of(policy: str | None, caplog: pytest.LogCaptureFixture) -> None:
    Met().gate(maxmemory_policy=policy)
    assert not caplog.records


# Connections


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis"), "--cluster-enabled", "yes") as server:
        yield server


class Watched(Servers):
    """Counts the servers that connections meet, and fails when told to."""

    def __init__(self) -> None:
        super().__init__(Trust(), b"since")
        self.met = 0
        self.fails: BaseException | None = None

    def meet(self, info: object) -> str:
        self.met += 1
        if self.fails is not None:
            raise self.fails
        return super().meet(info)


def hooked(server: RedisServer, kind: str, servers: Servers, calls: list[Any]) -> redis.Redis:
    if kind == "url":
        return client_of_url(server.url, servers, 1.0)

    def on_connect(connection: Any) -> None:
        calls.append(connection)
        connection.on_connect()

    options: Any = {"redis_connect_func": on_connect} if kind == "hooked" else {}
    with redis.Redis(port=server.port, **options) as client:
        return client_like(client, servers, 1.0)


@pytest.mark.parametrize("kind", ["url", "client", "hooked"])
def test_every_connection_is_greeted_also_one_that_is_made_anew(server: RedisServer, kind: str) -> None:
    servers, calls = Watched(), list[Any]()
    with hooked(server, kind, servers, calls) as client:
        for met in (1, 2, 3):
            client.ping()
            client.ping()
            assert servers.met == met
            server.says("client_kill_filter", _type="normal", skipme=True)
        assert len(calls) == (3 if kind == "hooked" else 0)


@pytest.mark.parametrize("error", [redis.ConnectionError("no"), KeyboardInterrupt(), ValueError()], ids=repr)
def test_a_connection_whose_greeting_failed_is_not_used(server: RedisServer, error: BaseException) -> None:
    servers = Watched()
    servers.fails = error
    with client_of_url(server.url, servers, 1.0) as client:
        for met in (1, 2):
            with pytest.raises(type(error)):
                client.ping()
            assert servers.met == met
        servers.fails = None
        assert client.ping()
        assert servers.met == 3


@pytest.mark.parametrize("error", [redis.ConnectionError("no"), asyncio.CancelledError(), ValueError()], ids=repr)
def test_an_asyncio_connection_whose_greeting_failed_is_not_used(server: RedisServer, error: BaseException) -> None:
    async def main() -> None:
        servers = Watched()
        servers.fails = error
        client = async_client_of_url(server.url, servers, 1.0)
        for met in (1, 2):
            with pytest.raises(type(error)):
                await client.ping()
            assert servers.met == met
        servers.fails = None
        assert await client.ping()
        await disconnect(client)

    asyncio.run(main())


def test_the_hook_of_an_asyncio_client_is_called_too(server: RedisServer) -> None:
    calls: list[Any] = []

    async def on_connect(connection: Any) -> None:
        calls.append(connection)
        await connection.on_connect()

    async def main() -> None:
        servers = Watched()
        theirs = redis.asyncio.Redis(port=server.port, redis_connect_func=on_connect)
        client = async_client_like(theirs, servers, 1.0)
        assert await client.ping()
        await disconnect(client)
        assert (servers.met, len(calls)) == (1, 1)

    asyncio.run(main())


def test_the_settings_of_a_client_are_kept_but_for_time_outs_and_retries(server: RedisServer) -> None:
    with redis.Redis(port=server.port, client_name="nonces", decode_responses=True, socket_timeout=None) as theirs:
        with client_like(theirs, Servers(Trust(), b"since"), 0.5) as client:
            settings = client.connection_pool.connection_kwargs
            assert client.client_getname() == "nonces"
        assert settings["socket_timeout"] == settings["socket_connect_timeout"] == 0.5
        assert settings["retry"].get_retries() == 0
        assert theirs.connection_pool.connection_kwargs["socket_timeout"] is None


@pytest.mark.parametrize("module", [redis.sentinel, redis.asyncio.sentinel])
def test_the_sentinels_of_a_client_are_asked_over_connections_of_ours(module: Any) -> None:
    sentinel = module.Sentinel([("127.0.0.1", 1), ("127.0.0.1", 2)], socket_timeout=60)
    theirs = sentinel.master_for("nonces", check_connection=True)
    make: Any = client_like if module is redis.sentinel else async_client_like
    pool = make(theirs, Servers(Trust(), b"since"), 0.5).connection_pool
    assert (pool.service_name, pool.check_connection) == ("nonces", True)
    ours = pool.sentinel_manager.sentinels
    assert not set(map(id, ours)) & set(map(id, sentinel.sentinels))
    assert [one.connection_pool.connection_kwargs["port"] for one in ours] == [1, 2]
    assert {one.connection_pool.connection_kwargs["socket_timeout"] for one in ours} == {0.5}
    assert {one.connection_pool.connection_kwargs["socket_timeout"] for one in sentinel.sentinels} == {60}


@pytest.fixture(scope="module")
def cluster(server: RedisServer) -> RedisServer:
    server.says("execute_command", "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    return server


def test_connections_of_a_cluster_are_greeted_also_those_it_had(cluster: RedisServer) -> None:
    servers = Watched()
    with redis.RedisCluster("127.0.0.1", cluster.port, socket_timeout=5) as client:
        client.dbsize()
        watch_cluster(client, servers, 100.0)
        client.dbsize()
        assert servers.met == 1


def test_connections_of_an_asyncio_cluster_are_greeted(cluster: RedisServer) -> None:
    async def main() -> None:
        servers = Watched()
        client = redis.asyncio.RedisCluster("127.0.0.1", cluster.port)
        watch_async_cluster(client, servers)
        await client.dbsize()
        assert servers.met >= 1
        assert len({node.connection_kwargs["redis_connect_func"] for node in client.get_nodes()}) == 1
        with pytest.raises(ValueError, match="not used yet"):
            watch_async_cluster(client, servers)
        await client.aclose()

    asyncio.run(main())


@pytest.mark.parametrize(("timeout", "told"), [(100.0, 0), (54.9, 1), (1.0, 1)])
def test_a_cluster_that_may_wait_for_longer_than_asked_is_told_of(
    cluster: RedisServer, timeout: float, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    with redis.RedisCluster("127.0.0.1", cluster.port) as client:
        watch_cluster(client, Servers(Trust(), b"since", cluster=True), timeout)
    assert len(caplog.records) == told
