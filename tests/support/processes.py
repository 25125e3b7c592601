"""Applications under real servers, and work in forked processes, for the tests."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 30.0  # seconds; only a hang takes that long


@contextmanager
def running_server(*command: str, **environment: str) -> Iterator[str]:
    """The URL of a server in processes of its own, on a socket that listens before it starts: nobody has to poll.

    `command` is a module of Python and its arguments, one of which has `{}` for the number of the socket.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        listening.set_inheritable(True)
        number = listening.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", *(part.format(number) for part in command)],
            pass_fds=[number],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)


def in_child(work: Callable[[], object]) -> int:
    """The exit status of a forked process that does `work`: 0 when it returns something true, in time."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(int(PATIENCE))
            status = 0 if work() else 2
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]
