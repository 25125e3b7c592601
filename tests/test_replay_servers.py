"""A signed request is good once, whichever worker, server or machine it comes to, and whatever dies meanwhile."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event

import httpx2
import pytest
from oauthlib.oauth1 import Client

from tests.support.processes import PATIENCE, running_server
from tests.support.redis_server import RedisServer, running_redis, wait_until
from tests.support.served_signed import CLIENT_ID, SECRET, SIGNED_URL

GUNICORN = ("gunicorn", "-w", "4", "-k", "gthread", "--threads", "4", "--no-control-socket", "--graceful-timeout", "1")
SERVERS = {
    "gunicorn": (*GUNICORN, "tests.support.served_signed:flask_app", "--bind=fd://{}"),
    "uvicorn": ("uvicorn", "tests.support.served_signed:starlette_app", "--log-level", "warning", "--fd={}"),
}


@contextmanager
def running(name: str, replay: str) -> Iterator[str]:
    """The application under the server `name`, in processes of its own, with the store `replay`."""
    with running_server(*SERVERS[name], REPLAY=replay) as url:
        yield f"{url}/who"


@contextmanager
def http() -> Iterator[httpx2.Client]:
    limits = httpx2.Limits(max_connections=32, max_keepalive_connections=32)
    with httpx2.Client(timeout=PATIENCE, trust_env=False, limits=limits) as client:
        yield client


def signed() -> dict[str, str]:
    """The headers of a new signed request."""
    _, headers, _ = Client(CLIENT_ID, client_secret=SECRET).sign(SIGNED_URL)
    return dict(headers)


def statuses_at_once(urls: list[str], headers: dict[str, str], times: int = 200) -> Counter[int]:
    with http() as client, ThreadPoolExecutor(32) as threads:
        asked = [urls[number % len(urls)] for number in range(times)]
        return Counter(threads.map(lambda url: client.get(url, headers=headers).status_code, asked))


def until(client: httpx2.Client, url: str, status: int) -> None:
    """Returns once a new request is answered with `status`."""
    given_up_at = time.monotonic() + PATIENCE
    while client.get(url, headers=signed()).status_code != status:
        assert time.monotonic() < given_up_at
        time.sleep(0.1)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as server:
        yield server


def test_four_workers_on_sqlite_accept_a_request_once(tmp_path: Path) -> None:
    with running("gunicorn", str(tmp_path / "nonces.sqlite")) as url:
        for _ in range(3):
            assert statuses_at_once([url], signed()) == {200: 1, 401: 199}


def test_two_servers_on_one_redis_accept_a_request_once(redis: RedisServer) -> None:
    with running("gunicorn", redis.url) as one, running("uvicorn", redis.url) as other, http() as client:
        for url in (one, other):
            until(client, url, 200)
        for _ in range(3):
            assert statuses_at_once([one, other], signed()) == {200: 1, 401: 199}


def send_until(stopped: Event, url: str, accepted: list[dict[str, str]]) -> None:
    """Sends new requests without end; `accepted` gets those that were accepted."""
    with http() as client:
        while not stopped.is_set():
            headers = signed()
            try:
                if client.get(url, headers=headers).status_code == 200:
                    accepted.append(headers)
            except httpx2.TransportError:
                pass  # sent to the worker that was killed: nobody knows what became of it


def worker(client: httpx2.Client, url: str) -> int:
    """The process id of one that answers."""
    while True:
        with suppress(httpx2.TransportError):  # sent to the one that was killed last
            answer = client.get(url, headers=signed())
            assert answer.status_code == 200
            return int(answer.text)


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_no_request_is_accepted_again_after_workers_were_killed(
    store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    replay = request.getfixturevalue("redis").url if store == "redis" else str(tmp_path / "nonces.sqlite")
    stopped, accepted = Event(), list[dict[str, str]]()
    with ExitStack() as stack:
        url = stack.enter_context(running("gunicorn", replay))
        client = stack.enter_context(http())
        until(client, url, 200)
        threads = stack.enter_context(ThreadPoolExecutor(4))
        stack.callback(stopped.set)
        load = [threads.submit(send_until, stopped, url, accepted) for _ in range(4)]
        for turn in range(1, 5):
            wait_until(lambda turn=turn: len(accepted) > 20 * turn, PATIENCE)  # type: ignore[misc]
            if turn < 4:
                os.kill(worker(client, url), signal.SIGKILL)
        stopped.set()
        for one in load:
            one.result()
        assert Counter(client.get(url, headers=headers).status_code for headers in accepted) == {401: len(accepted)}


@pytest.mark.parametrize("server", SERVERS)
def test_while_redis_is_away_nothing_is_decided_and_nothing_hangs(server: str, redis: RedisServer) -> None:
    with running(server, redis.url) as url, http() as client:
        until(client, url, 200)
        used = signed()
        assert client.get(url, headers=used).status_code == 200
        redis.stop()
        answer = client.get(url, headers=signed())
        assert (answer.status_code, answer.headers["retry-after"] >= "1") == (503, True)
        assert statuses_at_once([url], used, times=64) == {503: 64}
        redis.start()
        until(client, url, 200)
        assert client.get(url, headers=used).status_code in {401, 503}
        for _ in range(20):  # it must come to be refused for good, by every worker
            assert client.get(url, headers=used).status_code != 200


@pytest.mark.parametrize("server", SERVERS)
def test_a_redis_that_does_not_answer_is_not_waited_for(server: str, redis: RedisServer) -> None:
    with running(server, redis.url) as url, http() as client:
        until(client, url, 200)
        with redis.stunned():
            began = time.monotonic()
            assert client.get(url, headers=signed()).status_code == 503
            assert time.monotonic() - began < PATIENCE / 4
            assert statuses_at_once([url], signed(), times=32) == {503: 32}
        until(client, url, 200)
