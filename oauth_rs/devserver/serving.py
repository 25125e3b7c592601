"""An address that is taken now and answered at between `start` and `stop`: uvicorn in a thread, HTTP only.

Does not fork, reload or speak TLS, and does not know what is served.
"""

import asyncio
import socket
import threading

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

# Seconds an unfinished request may hold up a stop: tests and demos stop the server to show an outage.
GRACE = 1

# ASGI extension: `drop()` ends the connection of a request at once.
DROP = "oauth_rs.drop"


class Address:
    """`host` and `port`, taken until `stop`; `port=0` takes a free one and keeps it. OSError when it is taken."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self._serving: _Serving | None = None
        self._listener: socket.socket | None = _listen(host, port)
        self._port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """Without a path; an IPv6 address stands in brackets."""
        return f"http://[{self.host}]:{self._port}" if ":" in self.host else f"http://{self.host}:{self._port}"

    def start(self, app: ASGIApp) -> None:
        """Requests are answered by `app`, on the same port as before a `stop`; nothing changes where they were."""
        if self._serving is None:
            listener, self._listener = self._listener or _listen(self.host, self._port), None
            self._serving = _Serving(app, listener)

    def stop(self) -> None:
        """Connections are refused and the port is free."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._serving is not None:
            self._serving.stop()
            self._serving = None


class _Serving:
    """uvicorn in a thread of its own, on a socket that listens already: nobody has to wait for it to be ready."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=_Droppable,
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


class _Droppable(H11Protocol):
    """Lets the application end a connection without an answer, for which ASGI has no word."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        async def droppable(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "extensions": {DROP: {"drop": transport.abort}}}, receive, send)

        self.app = droppable


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    # asyncio sets it only where it sees IPPROTO_TCP, which `create_server` leaves out: 40 ms per reply without.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
