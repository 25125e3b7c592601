"""A PostgreSQL server of the tests' own: in a directory that goes with it, on a Unix socket, safe for nothing."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

STARTING = 60.0  # seconds; a second or two on a machine that has nothing else to do
_USER = "tester"
# Ends the server when its standard input ends: by `stop`, or because the tests were killed.
_WATCHED = 'exec 3<&0; "$@" 3<&- </dev/null & server=$!; (read -r _ <&3; kill -QUIT "$server") & wait "$server"'
# Nothing here outlives the run, so nothing waits for a disk.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "autovacuum": "off",
}


class Postgres:
    """One cluster, running or stopped."""

    def __init__(self, programs: Path, directory: Path, account: dict[str, Any]) -> None:
        self._programs, self._directory, self._account = programs, directory, account
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """For `create_engine` and `create_async_engine` alike."""
        return f"postgresql+psycopg://{_USER}@/postgres?host={self._directory}"

    def create(self) -> None:
        command = [self._programs / "initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        self._run([*command, f"--username={_USER}", "--pgdata", self._directory / "data"])

    def start(self) -> None:
        settings = {**_SETTINGS, "unix_socket_directories": str(self._directory)}
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        server = [str(self._programs / "postgres"), "-D", str(self._directory / "data"), *options]
        with (self._directory / "log").open("ab") as log:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                ["/bin/sh", "-c", _WATCHED, "sh", *server],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                **self._account,
            )
        self._process = process
        self._wait_for_answer(process)

    def stop(self) -> None:
        """Ends the server at once, as when its machine goes down: no client is asked, nothing is written."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(STARTING)
            self._process = None

    def _run(self, command: list[Any]) -> None:
        done = subprocess.run(command, capture_output=True, check=False, cwd="/", **self._account)
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace"))

    def _wait_for_answer(self, process: "subprocess.Popen[bytes]") -> None:
        ends_at = time.monotonic() + STARTING
        while True:
            try:
                psycopg.connect(host=str(self._directory), user=_USER, dbname="postgres", connect_timeout=5).close()
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > ends_at:
                    raise RuntimeError((self._directory / "log").read_text(errors="replace")) from None
                time.sleep(0.02)
            else:
                return


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server that has started. Skips the test where there can be none, and fails it where CI is set."""
    programs = _programs() or _install()
    if programs is None:
        message = "PostgreSQL is not installed and cannot be: what it would show is NOT tested"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    directory = Path(tempfile.mkdtemp(prefix="oauth_rs-pg-", dir="/tmp"))  # a short path: sockets have 107 bytes
    account = _account()
    server = Postgres(programs, directory, account)
    try:
        if account:
            shutil.chown(directory, account["user"], account["group"])
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)


def _programs() -> Path | None:
    """Where the newest PostgreSQL has its programs: on the path, or where Debian puts each version."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(versions, key=lambda path: float(path.parent.name), default=None)


def _install() -> Path | None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "postgresql"]):
            subprocess.run(command, env=environment, capture_output=True, check=False)
    return _programs()


def _account() -> dict[str, Any]:
    """How to become somebody else where we are root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_name, "group": entry.pw_gid, "extra_groups": []}
