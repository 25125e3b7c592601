"""Runs the development server, in a background thread or until a signal.

Signing keys live as long as the `DevServer` object. On disk is only what goes to the `credentials` it is given.
"""

import json
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from oauth_rs.credentials import MACKey, OAuth1Token
from oauth_rs.devserver.app import NOTICE, DevApplication
from oauth_rs.devserver.grants import Client, Grants
from oauth_rs.devserver.keys import KeyRing
from oauth_rs.devserver.ledger import Ledger
from oauth_rs.devserver.oauth1 import ThreeLegged
from oauth_rs.devserver.serving import Address
from oauth_rs.devserver.tokens import Mint

if TYPE_CHECKING:  # SQLAlchemy is for those who give a store
    from oauth_rs.stores.sql import SQLCredentials

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class DevServer:
    """An issuer of RFC 9068 tokens on `host` and `port`; `port=0` takes a free one and keeps it.

    The port is taken here, requests are answered between `start` and `stop`. `lifetime` is in seconds; the first
    client is the one `token` speaks for. `audience` is the default, clients may also ask for `more_audiences`. With
    `credentials` the clients may sign requests: they, their OAuth 1.0a tokens and their MAC keys are written there.
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
        credentials: "SQLCredentials | None" = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if lifetime < 1:
            raise ValueError("lifetime must be at least one second")
        if len({client.client_id for client in clients}) < len(clients):
            raise ValueError("two clients have the same id: give each its own")
        keys = KeyRing(algorithm)
        self.hits: Counter[str] = Counter()
        self._address = Address(host, port)
        self._mint = Mint(
            issuer=self._address.url,
            audience=audience,
            client_id=clients[0].client_id if clients else "client",
            keys=keys,
            lifetime=lifetime,
            clock=clock,
        )
        signers = [client.oauth1() for client in clients]
        try:
            self._ledger = Ledger(credentials, mint=self._mint, clients=signers)
        except BaseException:
            self.stop()
            raise
        grants = Grants(self._ledger, clients=clients, audiences={audience, *more_audiences})
        three_legged = ThreeLegged(self._ledger, clients=signers) if self._ledger.writes else None
        self._app = DevApplication(self._mint, grants, hits=self.hits, three_legged=three_legged)

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

    @property
    def host(self) -> str:
        return self._address.host

    def start(self) -> None:
        """Requests are answered, on the same port and with the same keys as before a `stop`."""
        self._address.start(self._app)

    def stop(self) -> None:
        """Connections are refused and the port is free; keys and `hits` stay for the next `start`."""
        self._address.stop()

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

    def oauth1_token(
        self, *, client_id: str | None = None, subject: str = "", scope: str = "", expires_at: int = 0
    ) -> OAuth1Token:
        """A token made and written without HTTP, as `Ledger.oauth1_token` does. ValueError without `credentials`."""
        return self._written().oauth1_token(client_id=client_id, subject=subject, scope=scope, expires_at=expires_at)

    def mac_key(
        self,
        *,
        client_id: str | None = None,
        subject: str = "",
        scope: str = "",
        algorithm: str = "hmac-sha-256",
        expires_at: int | None = None,
    ) -> MACKey:
        """A key made and written without HTTP, as `Ledger.mac_key` does. ValueError without `credentials`."""
        return self._written().mac_key(
            client_id=client_id, subject=subject, scope=scope, algorithm=algorithm, expires_at=expires_at
        )

    def rotate(self, *, keep: bool = False) -> str:
        """A new key signs, and its `kid` is returned; with `keep` the old ones stay published."""
        return self._mint.keys.rotate(keep=keep).kid

    def jwks(self) -> dict[str, Any]:
        """The key set as `/jwks` publishes it."""
        return self._mint.keys.jwks()

    def _written(self) -> Ledger:
        if not self._ledger.writes:
            raise ValueError("nobody would know it: give DevServer credentials=SQLCredentials(...)")
        return self._ledger


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
