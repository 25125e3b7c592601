"""The example applications on free ports of this machine, each until its block ends."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from flask import Flask
from starlette.applications import Starlette
from werkzeug.serving import make_server

GRACE = 1  # seconds that an open connection may hold up the end


@contextmanager
def on_werkzeug(make: Callable[[str], Flask]) -> Iterator[str]:
    """The URL at which the application that `make` makes for a host and port answers inside the block."""
    with listening() as (listener, host):
        server = make_server("127.0.0.1", 0, make(host), threaded=True, fd=listener.fileno())
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://{host}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@contextmanager
def on_uvicorn(make: Callable[[str], Starlette]) -> Iterator[str]:
    """The URL at which the application that `make` makes for a host and port answers inside the block."""
    with listening() as (listener, host):
        config = uvicorn.Config(make(host), log_config=None, access_log=False, timeout_graceful_shutdown=GRACE)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield f"http://{host}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def listening() -> Iterator[tuple[socket.socket, str]]:
    """A socket on a free port, with its host and port: requests are signed for them, so they must be known before the
    application is made.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # asyncio sets it only where it sees IPPROTO_TCP, which `create_server` leaves out: 40 ms per reply without.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener, f"127.0.0.1:{listener.getsockname()[1]}"
