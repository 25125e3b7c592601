"""Requests per second of uvicorn with one worker: the bare application, ours with a warm cache, Starlette with PyJWT.

The load comes from `wrk` where it is installed, otherwise from load.py, which is slower and flatters whoever is slow.
uvicorn takes httptools and uvloop when they are there, as its `standard` extra has them.
"""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import median

import uvicorn

from . import asgi_overhead, tokens
from .rows import Row, beside

AIM = 0.80
ROUNDS = 15
SECONDS = 1  # of load per server and round
CONNECTIONS = 16
APPS = {
    "bare": lambda: asgi_overhead.photos,
    "cached": lambda: asgi_overhead.ours(cache_size=20_000),
    "cold": lambda: asgi_overhead.ours(cache_size=0),
    "starlette": asgi_overhead.starlette,
}


@dataclass(frozen=True, slots=True)
class Server:
    url: str
    token: str


def rows() -> Iterator[Row]:
    with ExitStack() as stack:
        servers = {name: stack.enter_context(_serving(name)) for name in APPS}
        for server in servers.values():
            load(server, seconds=1)
        rates: dict[str, list[float]] = {name: [] for name in servers}
        order = list(servers)
        for _ in range(ROUNDS):
            for name in order:
                rates[name].append(load(servers[name], seconds=SECONDS))
            order.reverse()
    against = {name: median(a / b for a, b in zip(rates[name], rates["bare"], strict=True)) for name in rates}
    parts = ["httptools" if find_spec("httptools") else "h11", "uvloop" if find_spec("uvloop") else "asyncio"]
    yield Row(
        case=f"requests/s cached / bare, uvicorn ({', '.join(parts)})",
        ratio=against["cached"],
        aim=AIM,
        at_least=True,
        note=beside({"cold": against["cold"], "Starlette + PyJWT": against["starlette"]}),
    )


def load(server: Server, *, seconds: int) -> float:
    """Requests per second that `server` answered, all with 200. Raises RuntimeError when another status came."""
    arguments = [server.url, f"Authorization: Bearer {server.token}", str(seconds), str(CONNECTIONS)]
    if shutil.which("wrk"):
        url, header, length, connections = arguments
        command = ["wrk", "-t1", f"-c{connections}", f"-d{length}s", "-H", header, url]
    else:
        command = [sys.executable, "-m", "benchmarks.load", *arguments]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if found is None or "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"the load was not answered as it should be: {output}")
    return float(found[1])


@contextmanager
def _serving(name: str) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, handle = listener.getsockname()[1], listener.fileno()
        command = [sys.executable, "-m", __spec__.name, name, str(handle)]
        process = subprocess.Popen(command, pass_fds=[handle], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            yield Server(f"http://127.0.0.1:{port}/photos", process.stdout.readline().strip())
        finally:
            process.terminate()
            process.wait()


def serve(name: str, handle: int) -> None:
    """Serves one of APPS on an open socket, after the token that it accepts was printed."""
    print(tokens.token("RS256"), flush=True)
    config = uvicorn.Config(APPS[name](), log_level="warning", access_log=False, lifespan="off")
    # Not `fd=`: uvicorn takes that for a Unix socket, leaves Nagle's algorithm on, and every answer waits 40 ms.
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=handle)])


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
