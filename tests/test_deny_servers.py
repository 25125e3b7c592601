"""A token that is denied is refused within a second by every worker, server and machine, whatever becomes of Redis."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import httpx2
import pytest

from oauth_rs.stores.redis_deny import RedisDenyList
from tests.support.issuing import Issuer
from tests.support.processes import PATIENCE, running_server
from tests.support.redis_server import RedisServer, running_redis, wait_until

WITHIN = 1.0  # seconds
GUNICORN = ("gunicorn", "-w", "2", "-k", "gthread", "--threads", "4", "--no-control-socket", "--graceful-timeout", "1")
SERVERS = {
    "gunicorn": (*GUNICORN, "tests.support.served_denied:flask_app", "--bind=fd://{}"),
    "uvicorn": ("uvicorn", "tests.support.served_denied:starlette_app", "--log-level", "warning", "--fd={}"),
}
PROCESSES = 3
ISSUER = Issuer()


@contextmanager
def running(name: str, redis_url: str) -> Iterator[str]:
    """The application under the server `name`, in processes of its own."""
    with running_server(*SERVERS[name], DENY=redis_url, KEYS=json.dumps(ISSUER.jwks)) as url:
        yield f"{url}/who"


@contextmanager
def http() -> Iterator[httpx2.Client]:
    # No connection is kept, so that all workers are met.
    limits = httpx2.Limits(max_connections=32, max_keepalive_connections=0)
    with httpx2.Client(timeout=PATIENCE, trust_env=False, limits=limits) as client:
        yield client


class Said(NamedTuple):
    """What a process said to a request that began at that time."""

    began: float
    status: int
    process: str


class Site:
    """Two workers of gunicorn and one process of uvicorn, all on one Redis."""

    def __init__(self, redis: RedisServer, urls: list[str]) -> None:
        self.redis = redis
        self.urls = urls
        self.deny = RedisDenyList(redis.url)

    def ask(self, token: str, url: str, client: httpx2.Client) -> Said:
        began = time.monotonic()
        answer = client.get(url, headers={"Authorization": f"Bearer {token}"})
        return Said(began, answer.status_code, answer.text if answer.status_code == 200 else "")

    def ask_all(self, token: str, times: int = 60) -> list[Said]:
        """What is said to many requests at once: enough for every process to be met."""
        with http() as client, ThreadPoolExecutor(12) as threads:
            urls = [self.urls[number % len(self.urls)] for number in range(times)]
            return list(threads.map(lambda url: self.ask(token, url, client), urls))

    def statuses(self, token: str) -> set[int]:
        return {said.status for said in self.ask_all(token)}

    def is_let_in_by_all(self, token: str) -> bool:
        said = self.ask_all(token)
        return len({one.process for one in said} - {""}) == PROCESSES and {one.status for one in said} == {200}

    def load(
        self, token: str, act: Callable[[], object], *, seconds: float = 2.5, let_in: int = PROCESSES
    ) -> tuple[float, list[Said]]:
        """When `act` ended, and what was said to `token`, which is used without end from before that to well after.

        Before it, so many processes have let it in.
        """
        stopped, said = Event(), list[Said]()

        def use(url: str) -> None:
            with http() as client:
                while not stopped.is_set():
                    said.append(self.ask(token, url, client))
                    time.sleep(0.002)

        with ThreadPoolExecutor(4) as threads:
            users = [threads.submit(use, url) for url in (*self.urls, self.urls[0], self.urls[0])]
            try:
                wait_until(lambda: len({one.process for one in list(said)} - {""}) >= let_in, PATIENCE)
                time.sleep(0.5)
                act()
                acted_at = time.monotonic()
                time.sleep(seconds)
            finally:
                stopped.set()
            for user in users:
                user.result()
            return acted_at, said


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        redis = stack.enter_context(running_redis(tmp_path))
        site = Site(redis, [stack.enter_context(running(name, redis.url)) for name in SERVERS])
        wait_until(lambda: site.is_let_in_by_all(ISSUER.token(jti="first")), PATIENCE)
        yield site
        site.deny.close()


def last(said: list[Said], status: int) -> float:
    return max(one.began for one in said if one.status == status)


@pytest.mark.parametrize("denied", ["jti", "sub", "sid"])
def test_a_denied_token_is_refused_by_every_process_within_a_second(site: Site, denied: str) -> None:
    claims: dict[str, Any] = {"jti": "t1", "sub": "bob", "sid": "s1"}
    token, other = ISSUER.token(**claims), ISSUER.token(jti="t2")
    wait_until(lambda: site.is_let_in_by_all(token), PATIENCE)
    what: Any = {denied: claims[denied], **({"issued_before": time.time() + 1} if denied == "sub" else {})}
    denied_at, said = site.load(token, lambda: site.deny.deny(**what))
    before = {one.process for one in said if one.status == 200}
    assert len(before) == PROCESSES, "every process had remembered it"
    assert last(said, 200) - denied_at < WITHIN
    assert site.statuses(token) == {401}
    assert site.statuses(other) == {200}


def test_what_a_handler_denies_reaches_every_process(site: Site) -> None:
    token = ISSUER.token(jti="t1")
    wait_until(lambda: site.is_let_in_by_all(token), PATIENCE)

    def log_out() -> None:
        with http() as client:
            url = site.urls[0].replace("/who", "/log-out")
            assert client.post(url, headers={"Authorization": f"Bearer {token}"}).status_code == 200

    denied_at, said = site.load(token, log_out)
    assert last(said, 200) - denied_at < WITHIN
    assert site.statuses(token) == {401}


@pytest.mark.parametrize("fault", ["stopped", "stunned"])
def test_without_redis_no_process_goes_by_its_memory_for_more_than_a_second(site: Site, fault: str) -> None:
    denied, good = ISSUER.token(jti="t1"), ISSUER.token(jti="t2")
    site.deny.deny(jti="t1")
    wait_until(lambda: site.is_let_in_by_all(good), PATIENCE)
    with ExitStack() as stack:
        lose = site.redis.stop if fault == "stopped" else lambda: stack.enter_context(site.redis.stunned())
        lost_at, said = site.load(good, lose)
        assert last(said, 200) - lost_at < WITHIN
        assert {one.status for one in said} == {200, 503}
        assert site.statuses(good) == {503}
        assert site.statuses(denied) == {401}
    if fault == "stopped":
        site.redis.start()
    wait_until(lambda: site.is_let_in_by_all(good), PATIENCE)
    assert site.statuses(denied) == {401}


@pytest.mark.parametrize("loss", ["restart", "flush"])
def test_no_denied_token_is_let_in_again_after_redis_has_forgotten(site: Site, loss: str) -> None:
    denied, good = ISSUER.token(jti="t1"), ISSUER.token(jti="t2")
    site.deny.deny(jti="t1")
    assert site.statuses(denied) == {401}
    lose = site.redis.restart if loss == "restart" else lambda: site.redis.says("flushall")
    _, said = site.load(denied, lose, seconds=4.0, let_in=0)
    assert {one.status for one in said} == {401}
    wait_until(lambda: site.is_let_in_by_all(good), PATIENCE)
    with running("uvicorn", site.redis.url) as begun_later, http() as client:
        wait_until(lambda: site.ask(good, begun_later, client).status == 200, PATIENCE)
        assert site.ask(denied, begun_later, client).status == 401


def test_a_worker_that_is_killed_is_replaced_by_one_that_knows(site: Site) -> None:
    denied, good = ISSUER.token(jti="t1"), ISSUER.token(jti="t2")
    site.deny.deny(jti="t1")
    with http() as client:
        for _ in range(3):
            killed = site.ask(good, site.urls[0], client).process
            os.kill(int(killed), signal.SIGKILL)
            wait_until(lambda: _is_served(site, good), PATIENCE)
            assert site.statuses(denied) == {401}


def _is_served(site: Site, token: str) -> bool:
    try:
        return site.is_let_in_by_all(token)
    except httpx2.TransportError:  # sent to the worker that was killed
        return False
