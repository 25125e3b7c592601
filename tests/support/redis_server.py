"""Redis servers on 127.0.0.1 that the tests start, stop, stun and start again; installed where they are missing."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.ports import free_port

START_SECONDS = 15.0
_INSTALL = "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends redis-server"


@cache
def redis_binary() -> str:
    """The path of redis-server. Skips the test where it is neither there nor to be had; under CI that is a failure."""
    if shutil.which("redis-server") is None and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(_INSTALL, shell=True, check=False, capture_output=True, timeout=300)  # noqa: S602 - a constant
    found = shutil.which("redis-server")
    if found is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("NOT TESTED: redis-server is not installed, and cannot be (apt-get install redis-server)")
    return found


class RedisServer:
    """One server. It keeps nothing over a restart unless `settings` say so, and its port throughout."""

    def __init__(self, folder: Path, *settings: str, sentinel: bool = False) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.settings = settings
        self._folder = folder
        self._sentinel = sentinel
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        command = [redis_binary(), *arguments, *self.settings]
        if self._sentinel:
            configuration = self._folder / f"sentinel-{self.port}.conf"
            configuration.write_text("\n".join((f"port {self.port}", "bind 127.0.0.1", *self.settings, "")))
            command = [redis_binary(), str(configuration), "--sentinel"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with self.client() as client:
            wait_until(lambda: _answers(client), START_SECONDS)

    def stop(self) -> None:
        """Ends the server at once, as `kill -9` does, stunned or not."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    @contextmanager
    def stunned(self) -> Iterator[None]:
        """The server is there and takes connections, and does not answer."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    @contextmanager
    def client(self) -> Iterator[redis.Redis]:
        with redis.Redis(port=self.port, socket_timeout=5, retry=Retry(NoBackoff(), 0)) as client:
            yield client

    def says(self, method: str, *arguments: Any, **options: Any) -> Any:
        """What the server answers to one call of a client's `method`."""
        with self.client() as client:
            return getattr(client, method)(*arguments, **options)

    def configure(self, **settings: str) -> None:
        with self.client() as client:
            for name, value in settings.items():
                client.config_set(name.replace("_", "-"), value)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


@contextmanager
def running_redis(folder: Path, *settings: str, sentinel: bool = False) -> Iterator[RedisServer]:
    server = RedisServer(folder, *settings, sentinel=sentinel)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def sentinel_of(folder: Path, server: RedisServer, name: str) -> Iterator[RedisServer]:
    """A sentinel that knows `server` as `name`, and lets a replica take its place within seconds."""
    settings = (
        f"sentinel monitor {name} 127.0.0.1 {server.port} 1",
        f"sentinel down-after-milliseconds {name} 200",
        f"sentinel failover-timeout {name} 2000",
    )
    with running_redis(folder, *settings, sentinel=True) as sentinel:
        yield sentinel


@contextmanager
def running_cluster(folder: Path) -> Iterator[RedisServer]:
    """A cluster of one server, which has all slots."""
    with running_redis(folder, "--cluster-enabled", "yes") as server:
        server.says("execute_command", "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_until(lambda: server.says("cluster", "INFO")["cluster_state"] == "ok", 15)
        yield server


def wait_until(holds: Callable[[], bool], seconds: float) -> None:
    ends_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends_at, "it did not come about in time"
        time.sleep(0.01)


def _answers(client: redis.Redis) -> bool:
    try:
        client.ping()
    except (redis.ResponseError, redis.AuthenticationError):
        return True  # it has its reasons
    except redis.RedisError:
        return False
    return True
