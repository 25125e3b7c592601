"""A live issuer for the examples, and how their scripts are started alone."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oauth_rs.devserver import Client, DevServer
from oauth_rs.devserver.ledger import open_store

API = "https://api.example.com"
SCOPES = frozenset({"goals", "goals.write", "photos", "photos.print"})
ROOT = Path(__file__).parents[2]
PATIENCE = 60  # seconds for a process to start or to end, on a loaded machine

_LISTENING = re.compile(r"(?:Running on|running on|Listening at:) (http://127\.0\.0\.1:\d+)")


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the issuer writes and the examples read."""
    return tmp_path_factory.mktemp("credentials") / "dev.sqlite"


@pytest.fixture(scope="session")
def server(credentials: Path) -> Iterator[DevServer]:
    clients = [Client("demo", "secret", scopes=SCOPES)]
    store = open_store(credentials)
    with DevServer.running(audience=API, algorithm="ES256", clients=clients, credentials=store) as running:
        yield running


@contextmanager
def process(*command: str | Path) -> Iterator[str]:
    """The URL at which `python command` listens inside the block, as it says on standard error."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, *command], env=env, cwd=ROOT, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        watchdog = threading.Timer(PATIENCE, child.kill)
        watchdog.start()
        try:
            said = ""
            while not (found := _LISTENING.search(said)) and (line := child.stderr.readline()):
                said += line
            assert found, said
            yield found[1]
        finally:
            watchdog.cancel()
            child.terminate()
            child.communicate(timeout=PATIENCE)
