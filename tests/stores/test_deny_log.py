import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.sentinel
from redis.backoff import NoBackoff
from redis.retry import Retry

from oauth_rs.denials import Denial, Denials
from oauth_rs.stores import deny_log
from oauth_rs.stores.deny_log import DenyLog
from tests.support.ports import free_port
from tests.support.processes import PATIENCE
from tests.support.redis_server import RedisServer, running_cluster, running_redis, sentinel_of, wait_until

KEPT = 1000.0
LOG, EPOCH = b"t:{deny}:log", b"t:{deny}:epoch"
INF = float("inf")
BAD: list[dict[str, str]] = [
    {"nonsense": "1"},
    {"claim": "jti", "value": "t1", "issuer": "", "before": "inf"},
    *(
        {"claim": "jti", "value": "t1", "issuer": "", "before": "inf", "at": "1", **odd}
        for odd in ({"claim": "client_id"}, {"before": "soon"}, {"before": "nan"}, {"at": "nan"}, {"at": ""})
    ),
]


class Process:
    """What a process has: denials, and the log that fills them."""

    def __init__(self, given: Any, *, size: int = 100_000, **options: Any) -> None:
        self.denials = Denials(kept=KEPT, size=size)
        self.log = DenyLog(
            given, self.denials, **{"prefix": b"t:", "kept": KEPT, "beat": 0.05, "timeout": 5.0, **options}
        )

    def follow(self) -> "Process":
        self.log.start()
        self.log.wait(0.5)
        return self

    def deny(self, value: str, *, at: float | None = None) -> None:
        """As a process does that denies: for itself first."""
        came_at = time.time() if at is None else at
        self.denials.add(denial(value), time.monotonic() - (time.time() - came_at))
        self.log.append({denial(value): came_at})

    def knows(self, value: str) -> bool:
        return denial(value) in dict(self.denials.items())

    def learns(self, value: str, *, seconds: float = 5.0) -> None:
        wait_until(lambda: self.knows(value), seconds)

    @property
    def is_current(self) -> bool:
        return not self.log.is_failing and time.monotonic() - self.log.read_at < 1.0

    def is_lost(self) -> bool:
        return self.log.is_failing

    def end(self) -> None:
        self.log.stop()
        if self.log._thread is not None:
            self.log._thread.join(10)


Make = Callable[..., Process]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setattr(deny_log, "_LATER", (0.2, 0.3))
    made: list[Process] = []

    def make(*arguments: Any, **options: Any) -> Process:
        made.append(Process(*arguments, **options))
        return made[-1]

    yield make
    for process in made:
        process.end()


def denial(value: str) -> Denial:
    return Denial("jti", value, "", INF)


def entries(server: RedisServer) -> list[str]:
    return [fields[b"value"].decode() for _, fields in server.says("xrange", LOG)]


# Following


def test_what_one_process_denies_the_others_know_within_moments(server: RedisServer, make: Make) -> None:
    one, other = make(server.url).follow(), make(server.url).follow()
    assert one.is_current
    for number in range(20):
        began = time.monotonic()
        one.deny(f"t{number}")
        other.learns(f"t{number}", seconds=1.0)
        assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    "sent",
    [
        denial("t1"),
        Denial("sub", "ada\n \u00e4\U0001f600", "https://id.example.com", 1_700_000_000.123456),
        Denial("sid", "{deny}", "", INF),
    ],
    ids=ascii,
)
def test_a_denial_arrives_as_it_was_sent(server: RedisServer, make: Make, sent: Denial) -> None:
    one, other = make(server.url), make(server.url).follow()
    one.log.append({sent: time.time()})
    wait_until(lambda: list(dict(other.denials.items())) == [sent], 5)


def test_a_process_that_begins_reads_all_there_is(server: RedisServer, make: Make) -> None:
    many = {denial(f"t{number}"): time.time() for number in range(2500)}
    make(server.url).log.append(many)
    assert len(make(server.url).follow().denials) == 2500


def test_a_process_that_was_away_has_missed_nothing(own: RedisServer, make: Make) -> None:
    one, other = make(own.url).follow(), make(own.url, timeout=0.3).follow()
    with own.stunned():
        wait_until(other.is_lost, 5)
    wait_until(lambda: one.is_current and other.is_current, 5)
    one.deny("t1")
    other.learns("t1")


def test_a_denial_is_as_old_as_it_says(server: RedisServer, make: Make) -> None:
    now = time.time()
    make(server.url).log.append(
        {denial("old"): now - KEPT, denial("ahead"): now + 9e9, denial("young"): now - KEPT + 60}
    )
    other = make(server.url).follow()
    came = {one.value: time.monotonic() - at for one, at in other.denials.items()}
    assert came == {"ahead": pytest.approx(0, abs=5), "young": pytest.approx(KEPT - 60, abs=5)}


def test_redis_forgets_what_processes_have_forgotten(server: RedisServer, make: Make) -> None:
    with server.client() as client:
        for number in range(500):
            client.xadd(LOG, {"value": "old"}, id=f"{number + 1}-0")
    make(server.url).deny("t1")
    assert len(entries(server)) < 200
    assert KEPT < server.says("ttl", LOG) <= KEPT + 120


def test_the_log_is_looked_at_again_and_again(server: RedisServer, make: Make) -> None:
    process = make(server.url).follow()
    read_at = process.log.read_at
    wait_until(lambda: process.log.read_at > read_at, 5)
    read_at = process.log.read_at
    wait_until(lambda: process.log.read_at > read_at, 5)


def test_waiting_ends_when_the_log_was_read(server: RedisServer, make: Make) -> None:
    process = make(server.url, beat=2.0, timeout=10.0)
    process.log.start()
    began = time.monotonic()
    process.log.wait(1.0)
    assert time.monotonic() - began < 2.0
    assert process.log.read_at >= began - 1.0


def test_waiting_ends_after_the_time_out(own: RedisServer, make: Make) -> None:
    process = make(own.url, timeout=0.4)
    began = time.monotonic()
    process.log.wait(1.0)  # nobody follows it
    assert 0.3 < time.monotonic() - began < 2.0


# What Redis forgets


def test_what_was_flushed_is_put_back(server: RedisServer, make: Make) -> None:
    process = make(server.url).follow()
    process.deny("t1")
    server.says("flushall")
    wait_until(lambda: entries(server) == ["t1"], 5)
    assert make(server.url).follow().knows("t1")


def test_what_one_process_alone_knows_is_put_back_too(server: RedisServer, make: Make) -> None:
    one, other = make(server.url).follow(), make(server.url).follow()
    server.says("flushall")
    one.denials.add(denial("of one"), time.monotonic())
    other.denials.add(denial("of other"), time.monotonic())
    server.says("flushall")
    one.learns("of other")
    other.learns("of one")
    assert sorted(entries(server)) == ["of one", "of other"]


def test_a_restart_is_survived_and_what_it_lost_is_put_back(
    own: RedisServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deny_log, "_LATER", (1.0, 1.0))  # time enough for the first of them
    processes = [make(own.url).follow() for _ in range(3)]
    processes[0].deny("t1")
    for process in processes:
        process.learns("t1")
    own.stop()
    for process in processes:
        wait_until(process.is_lost, 5)
    own.start()
    for process in processes:
        wait_until(lambda process=process: process.is_current, 5)  # type: ignore[misc]
    wait_until(lambda: make(own.url).follow().knows("t1"), 5)
    time.sleep(1.5)
    assert entries(own) == ["t1"]


def test_many_denials_are_put_back_page_by_page(server: RedisServer, make: Make) -> None:
    process = make(server.url).follow()
    for number in range(2500):
        process.denials.add(denial(f"t{number}"), time.monotonic())
    server.says("flushall")
    wait_until(lambda: server.says("xlen", LOG) == 2500 and not process.log.unsent, 10)


def test_what_is_too_old_is_not_put_back(server: RedisServer, make: Make) -> None:
    process = make(server.url).follow()
    process.denials.add(denial("old"), time.monotonic() - KEPT)
    process.denials.add(denial("young"), time.monotonic() - KEPT + 60)
    server.says("flushall")
    wait_until(lambda: entries(server) == ["young"], 5)
    (_, fields), *_ = server.says("xrange", LOG)
    assert float(fields[b"at"]) == pytest.approx(time.time() - KEPT + 60, abs=5)


def test_what_could_not_be_sent_is_sent_later(server: RedisServer, make: Make) -> None:
    process = make(server.url).follow()
    process.log.unsent[denial("t1")] = time.time()
    wait_until(lambda: entries(server) == ["t1"] and not process.log.unsent, 5)


# What goes wrong


def test_a_redis_that_is_not_there_is_tried_again_and_again(
    tmp_path: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    server = RedisServer(tmp_path)
    process = make(server.url).follow()
    assert process.log.is_failing
    with pytest.raises(redis.ConnectionError):
        process.deny("t1")
    try:
        server.start()
        wait_until(lambda: process.is_current, 5)
    finally:
        process.end()
        server.stop()
    (lost, found) = caplog.messages
    assert lost.startswith("denied tokens are not known: ConnectionError: ")
    assert found == "denied tokens are known again"


def test_waiting_ends_at_once_where_redis_is_known_to_be_away(make: Make) -> None:
    process = make(f"redis://127.0.0.1:{free_port()}", timeout=5.0).follow()
    began = time.monotonic()
    process.log.wait(1.0)
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize("speech", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+OK\r\n" * 10, b"$-7\r\n", b"*x\r\n"])
def test_what_does_not_speak_the_protocol_is_no_redis(make: Make, speech: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def speak() -> None:
            while True:
                try:
                    line, _ = listening.accept()
                except OSError:
                    return
                with line:
                    line.sendall(speech)

        threading.Thread(target=speak, daemon=True).start()
        process = make(f"redis://127.0.0.1:{listening.getsockname()[1]}", timeout=0.3).follow()
        wait_until(process.is_lost, 5)
        process.end()
        listening.shutdown(socket.SHUT_RDWR)


def test_a_redis_that_does_not_answer_is_not_believed(own: RedisServer, make: Make) -> None:
    process = make(own.url, timeout=0.3).follow()
    with own.stunned():
        read_at = process.log.read_at
        time.sleep(0.3)
        assert process.log.read_at - read_at < 0.3
        wait_until(process.is_lost, 5)
    wait_until(lambda: process.is_current, 5)


@pytest.mark.parametrize("fields", BAD, ids=str)
def test_an_entry_that_cannot_be_read_may_be_any_denial(
    server: RedisServer, make: Make, fields: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    process = make(server.url).follow()
    position = server.says("xadd", LOG, fields)
    wait_until(process.is_lost, 5)
    assert "denied tokens are not known: " in caplog.text
    server.says("xdel", LOG, position)
    wait_until(lambda: process.is_current, 5)


def test_an_entry_that_is_not_text_may_be_any_denial(server: RedisServer, make: Make) -> None:
    process = make(server.url).follow()
    server.says("xadd", LOG, {"claim": b"\xff", "value": b"\xff"})
    wait_until(process.is_lost, 5)


def test_more_than_can_be_kept_is_not_read_in_part(
    server: RedisServer, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    make(server.url).log.append({denial(f"t{number}"): time.time() for number in range(25)})
    assert make(server.url, size=13).follow().is_current
    assert make(server.url, size=12).follow().log.is_failing
    assert "deny_list_full" in caplog.text


def test_a_replica_is_not_asked(own: RedisServer, tmp_path: Path, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with running_redis(tmp_path, "--replicaof", f"127.0.0.1 {own.port}") as replica:
        process = make(replica.url).follow()
        assert process.log.is_failing
        assert "a replica" in caplog.text
        replica.says("replicaof", "NO", "ONE")
        wait_until(lambda: process.is_current, 5)
        replica.says("replicaof", "127.0.0.1", own.port)
        wait_until(process.is_lost, PATIENCE)
        process.end()


def test_a_server_that_becomes_a_replica_between_two_looks_is_not_asked(own: RedisServer, make: Make) -> None:
    log = make(own.url).log
    with log._connect(log._greeted) as client:  # nobody waits at it, whom it would cut off
        log._step(client)
        own.says("replicaof", "127.0.0.1", 1)
        with pytest.raises(redis.ConnectionError, match="a replica"):
            log._step(client)


def test_a_redis_that_may_forget_is_told_of(own: RedisServer, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    own.configure(maxmemory_policy="allkeys-lru")
    assert make(own.url).follow().is_current
    assert "set maxmemory-policy to noeviction, it is allkeys-lru" in caplog.text


def as_user(server: RedisServer, *rights: str) -> str:
    """The URL for a user with these rights."""
    server.says("execute_command", "ACL", "SETUSER", "api", "reset", "on", ">pw", "~t:*", *rights)
    return f"redis://api:pw@127.0.0.1:{server.port}/0"


def test_a_process_may_have_no_right_to_write(own: RedisServer, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    reader = make(as_user(own, "+get", "+xread", "+xrange", "+info")).follow()
    assert reader.is_current
    make(own.url).follow().deny("t1")
    reader.learns("t1")
    reader.denials.add(denial("t2"), time.monotonic())
    own.says("delete", LOG, EPOCH)
    wait_until(lambda: "denials are not passed on: NoPermissionError" in caplog.text, 5)
    assert reader.is_current
    with pytest.raises(redis.ResponseError):
        reader.deny("t3")


def test_the_rights_in_the_docs_are_enough(own: RedisServer, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    rights = "+get +set +xread +xrange +xadd +expire +multi +exec +info +client +select"
    process = make(as_user(own, *rights.split())).follow()
    process.deny("t1")
    own.says("flushall")
    wait_until(lambda: entries(own) == ["t1"], 5)
    assert not caplog.records


def test_a_process_without_the_right_to_look_knows_nothing(own: RedisServer, make: Make) -> None:
    for rights in ([], ["+info"], ["+info", "+get"], ["+get", "+xread", "+xrange"], ["+info", "+get", "+xread"]):
        assert make(as_user(own, *rights)).follow().log.is_failing


def test_a_full_redis_takes_no_denial_and_is_read_all_the_same(own: RedisServer, make: Make) -> None:
    process = make(own.url).follow()
    own.configure(maxmemory="1")
    with pytest.raises(redis.ResponseError):
        process.deny("t1")
    process.log.unsent[denial("t1")] = time.time()
    time.sleep(0.3)
    assert process.is_current
    own.configure(maxmemory="0")
    wait_until(lambda: entries(own) == ["t1"], 5)


def test_the_log_says_seldom_that_something_is_wrong(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    process = make(f"redis://127.0.0.1:{free_port()}", beat=0.01).follow()
    time.sleep(1.0)
    process.end()
    assert len(caplog.records) == 1


# Processes, threads, connections


def test_one_thread_follows_the_log(server: RedisServer, make: Make) -> None:
    process = make(server.url).follow()
    thread = process.log._thread
    process.log.start()
    assert process.log._thread is thread


def test_a_log_that_was_stopped_is_followed_by_nobody(server: RedisServer, make: Make) -> None:
    process = make(server.url).follow()
    process.deny("t1")
    process.end()
    process.log.start()
    assert process.log._thread is not None
    assert not process.log._thread.is_alive()
    wait_until(lambda: len(server.says("client_list")) == 1, 5)  # that of the test


def test_a_thread_that_died_of_what_nobody_foresaw_is_replaced(
    server: RedisServer, make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    process = make(server.url)

    def step(_client: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(process.log, "_step", step)
    process.log.start()
    thread = process.log._thread
    assert thread is not None
    thread.join(5)
    assert "RuntimeError at " in caplog.text
    assert "unforeseen" not in caplog.text
    monkeypatch.undo()
    assert process.follow().is_current
    assert process.log._thread is not thread


def test_what_belongs_to_another_process_is_left_alone(server: RedisServer, make: Make) -> None:
    process = make(server.url)
    process.deny("t1")
    process.log.pid += 1
    process.log.stop()
    process.deny("t2")
    process.log.pid = os.getpid()


class Switching:
    """A client that goes to another server in the middle."""

    def __init__(self, log: DenyLog) -> None:
        self._log = log

    def get(self, _key: bytes) -> bytes:
        return b"epoch"

    def xrange(self, *_arguments: Any, **_options: Any) -> list[Any]:
        self._log._greeted()
        return []


def test_what_was_read_from_two_servers_does_not_count(server: RedisServer, make: Make) -> None:
    log = make(server.url).log
    for _ in range(3):
        log._step(Switching(log))
    assert log.read_at == -INF


# Clients of the user's


@pytest.mark.parametrize("options", [{}, {"decode_responses": True}, {"socket_timeout": 60}], ids=str)
def test_the_settings_of_a_client_are_taken(own: RedisServer, make: Make, options: dict[str, Any]) -> None:
    with redis.Redis(port=own.port, retry=Retry(NoBackoff(), 50), **options) as client:
        one, other = make(client, timeout=0.5).follow(), make(client, timeout=0.5).follow()
        one.deny("t1")
        other.learns("t1")
        own.says("flushall")
        wait_until(lambda: own.says("xlen", LOG) == 1, 5)
        with own.stunned():
            wait_until(one.is_lost, 3)
        one.end()
        other.end()


def test_a_failover_of_a_sentinel_loses_no_denial(tmp_path: Path, make: Make) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(running_redis(tmp_path))
        replica = stack.enter_context(running_redis(tmp_path, "--replicaof", f"127.0.0.1 {first.port}"))
        sentinel = stack.enter_context(sentinel_of(tmp_path, first, "denials"))
        places: Any = redis.sentinel.Sentinel([("127.0.0.1", sentinel.port)])  # type: ignore[no-untyped-call]
        one, other = make(places.master_for("denials")).follow(), make(places.master_for("denials")).follow()
        one.deny("before")
        other.learns("before")
        wait_until(lambda: replica.says("info", "replication")["master_link_status"] == "up", 15)
        wait_until(lambda: sentinel.says("sentinel_master", "denials")["num-slaves"] == 1, 20)
        one.denials.add(denial("not replicated"), time.monotonic())
        first.stop()
        wait_until(one.is_lost, 5)
        wait_until(lambda: one.is_current and other.is_current, 30)
        assert other.knows("before")
        other.learns("not replicated")
        for process in (one, other):
            process.end()


def test_a_cluster_is_followed_by_a_client_of_the_users(tmp_path: Path, make: Make) -> None:
    with running_cluster(tmp_path) as server:
        clients = [
            redis.RedisCluster("127.0.0.1", server.port, socket_timeout=0.5, retry=Retry(NoBackoff(), 0)) for _ in "ab"
        ]
        with clients[0], clients[1]:
            one, other = (make(client).follow() for client in clients)
            one.deny("t1")
            other.learns("t1")
            server.stop()
            wait_until(one.is_lost, 5)
            server.start()
            wait_until(lambda: server.says("cluster", "INFO")["cluster_state"] == "ok", 15)
            wait_until(lambda: one.is_current and other.is_current, 10)
            one.deny("t2")
            other.learns("t2")
            one.end()
            other.end()
            clients[0].ping()  # it is the user's, and stays open


def test_no_id_is_logged(server: RedisServer, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "oauth_rs")
    process = make(server.url).follow()
    process.deny("a-secret-id")
    server.says("flushall")
    wait_until(lambda: entries(server) == ["a-secret-id"], 5)
    server.says("xadd", LOG, {"claim": "other", "value": "a-secret-id", "issuer": "", "before": "1", "at": "1"})
    wait_until(process.is_lost, 5)
    assert "a-secret-id" not in caplog.text
