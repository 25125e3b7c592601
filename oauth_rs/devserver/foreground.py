"""Runs the development server until a signal, and says loudly what it is.

Does not configure it: the command line does. Main thread only.
"""

import json
import signal
import socket
import sys

from oauth_rs.devserver.metadata import NOTICE
from oauth_rs.devserver.running import DevServer

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


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
