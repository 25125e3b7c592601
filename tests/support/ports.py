"""Ports for servers that are told theirs, and for clients that find nobody."""

import socket
from collections import deque

_MOST_KEPT = 64
_kept: deque[socket.socket] = deque()


def free_port(below: int = 55_000) -> int:
    """A port of 127.0.0.1 that nobody listens on; a cluster of Redis takes the one 10,000 above it too.

    It stays ours for a while: whoever asks for any port gets another, and only a server that asks for this one has it.
    One that was given back would be any test's that runs beside, also while a server is stopped.
    """
    while True:
        kept = socket.socket()
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        _kept.append(kept)
        if len(_kept) > _MOST_KEPT:
            _kept.popleft().close()
        port: int = kept.getsockname()[1]
        if port < below:
            return port
