"""Runs the development server on uvicorn, in a background thread or until a signal; HTTP only.

Does not fork, reload or speak TLS, and keeps nothing on disk: keys live as long as the `DevServer` object.
"""

import json
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

from oauth_rs.devserver.app import NOTICE, DevApplication
from oauth_rs.devserver.grants import Client, Grants
from oauth_rs.devserver.keys import KeyRing
from oauth_rs.devserver.tokens import Mint

# Seconds an unfinished request may hold up a stop: tests and demos stop the server to show an outage.
GRACE = 1

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class DevServer:
    """An issuer of RFC 9068 tokens on `host` and `port`; `port=0` takes a free one and keeps it.

    The port is taken here, requests are answered between `start` and `stop`. `lifetime` is in seconds; the first
    client is the one `token` speaks for. `audience` is the default, clients may also ask for `more_audiences`.
    `ValueError` for unusable options, `OSError` when the port cannot be taken.
    """

    def __init__(
        self,
        *,
        audience: str,
        more_audiences: Collection[str] = (),
        algorithm: str = "RS256",
        clients: Sequence[Client] = (),
        lifetime: int = 600,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if lifetime < 1:
            raise ValueError("lifetime must be at least one second")
        if len({client.client_id for client in clients}) < len(clients):
            raise ValueError("two clients have the same id: give each its own")
        keys = KeyRing(algorithm)
        self.hits: Counter[str] = Counter()
        self.host = host
        self._serving: _Serving | None = None
        self._listener: socket.socket | None = _listen(host, port)
        self._port: int = self._listener.getsockname()[1]
        self._mint = Mint(
            issuer=f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}",
            audience=audience,
            client_id=clients[0].client_id if clients else "client",
            keys=keys,
            lifetime=lifetime,
            clock=clock,
        )
        grants = Grants(self._mint, clients=clients, audiences={audience, *more_audiences})
        self._app = DevApplication(self._mint, grants, hits=self.hits)

    @classmethod
    @contextmanager
    def running(cls, **options: Any) -> Generator["DevServer", None, None]:
        """A server that answers inside the `with` block; the options are those of `DevServer`."""
        server = cls(**options)
        server.start()
        try:
            yield server
        finally:
            server.stop()

    @property
    def issuer(self) -> str:
        return self._mint.issuer

    def start(self) -> None:
        """Requests are answered, on the same port and with the same keys as before a `stop`."""
        if self._serving is None:
            listener, self._listener = self._listener or _listen(self.host, self._port), None
            self._serving = _Serving(self._app, listener)

    def stop(self) -> None:
        """Connections are refused and the port is free; keys and `hits` stay for the next `start`."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._serving is not None:
            self._serving.stop()
            self._serving = None

    def token(
        self,
        *,
        client_id: str | None = None,
        scope: str = "",
        claims: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
        drop: Collection[str] = (),
        alg: str | None = None,
    ) -> str:
        """A token minted without HTTP, as `Mint.token` does; also while the server is stopped."""
        return self._mint.token(client_id=client_id, scope=scope, claims=claims, header=header, drop=drop, alg=alg)

    def rotate(self, *, keep: bool = False) -> str:
        """A new key signs, and its `kid` is returned; with `keep` the old ones stay published."""
        return self._mint.keys.rotate(keep=keep).kid

    def jwks(self) -> dict[str, Any]:
        """The key set as `/jwks` publishes it."""
        return self._mint.keys.jwks()


def serve(server: DevServer) -> None:
    """The server has run until SIGINT or SIGTERM, its address on standard output, a warning on standard error.

    The line is JSON, `{"issuer": "http://127.0.0.1:9000"}`, printed once requests are answered. Main thread only.
    """
    caught, wake = socket.socketpair()
    wake.setblocking(False)
    # A signal that lands on uvicorn's thread does not wake a lock or a queue the main thread waits for: two signals
    # in a row hung one run in ten. The byte it writes here does, whichever thread got it.
    signal.set_wakeup_fd(wake.fileno())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _which, _frame: None)
    server.start()
    try:
        print(f"WARNING: oauth_rs devserver. {NOTICE}", file=sys.stderr, flush=True)
        if server.host not in _LOOPBACK:
            print(f"WARNING: {server.host} may be reachable from other machines.", file=sys.stderr, flush=True)
        print(json.dumps({"issuer": server.issuer}), flush=True)
        caught.recv(1)
    finally:
        server.stop()
        signal.set_wakeup_fd(-1)
        caught.close()
        wake.close()


class _Serving:
    """uvicorn in a thread of its own, on a socket that listens already: nobody has to wait for it to be ready."""

    def __init__(self, app: DevApplication, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="oauth_rs devserver", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    # asyncio sets it only where it sees IPPROTO_TCP, which `create_server` leaves out: 40 ms per reply without.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
