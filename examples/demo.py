"""Starts a development issuer and both example applications on free ports, tries requests good and bad, and says
whether each was answered as it must be. `make demo` runs it; exit status 0 means that all were.

Everything runs in threads of this process: nothing is left behind.
"""

import logging
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import uvicorn
from flask import Flask
from starlette.applications import Starlette
from werkzeug.serving import make_server

import examples.flask_app.app
import examples.starlette_app.app
from examples.demo_cases import App, Case, World, all_cases
from oauth_rs import IssuerMetadata, RemoteKeys
from oauth_rs.devserver import DevServer

API = "https://api.example.com"
ORIGIN = "https://app.example.com"
GRACE = 1  # seconds that an open connection may hold up the end
# Refusals and issuers out of reach are what the demo is about; uvicorn logs an error for each WebSocket that is refused
# with a status of its own (https://github.com/Kludex/uvicorn/pull/3138).
NOISE = ("oauth_rs", "werkzeug", "uvicorn.error")
WIDTH = 60  # characters of a challenge that are shown


def main() -> int:
    for name in NOISE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with built_world() as world:
        return tried(all_cases(world))


def tried(cases: Iterable[Case]) -> int:
    """The exit status once all of `cases` were sent and shown: 0 when there were some, all answered as expected."""
    results = []
    for case in cases:
        answer = case.send()
        results.append(case.expected.met_by(answer))
        told = answer.headers.get("www-authenticate", "")
        if "retry-after" in answer.headers:
            told = f"Retry-After: {answer.headers['retry-after']}"
        print(
            f"{'ok  ' if results[-1] else 'FAIL'} {case.app.name:9} {case.name:25} {case.sent:25} "
            f"expected {case.expected.status}, got {answer.status}  {shortened(told)}".rstrip()
        )
    print(f"{sum(results)} of {len(results)} as expected")
    return 0 if results and all(results) else 1


def shortened(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."


@contextmanager
def built_world() -> Iterator[World]:
    """An issuer that answers, and what is needed to start applications that trust it; all gone after the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        issuer = stack.enter_context(DevServer.running(audience=API))
        http = stack.enter_context(httpx2.Client(trust_env=False))

        def start() -> tuple[App, App]:
            # A cool-down of 0 asks the issuer about every unknown key at once. In production it is 30 s, so that
            # strangers cannot make an application ask without end.
            goals = examples.flask_app.app.create_app(
                issuer.issuer, API, folder / "goals.sqlite", keys=RemoteKeys(IssuerMetadata(issuer.issuer), cooldown=0)
            )
            photos = examples.starlette_app.app.create_app(
                issuer.issuer, API, keys=RemoteKeys(IssuerMetadata(issuer.issuer), cooldown=0), origins=[ORIGIN]
            )
            return (
                App(name="flask", url=stack.enter_context(on_werkzeug(goals)), path="/goals", scope="goals"),
                App(name="starlette", url=stack.enter_context(on_uvicorn(photos)), path="/photos", scope="photos"),
            )

        yield World(issuer=issuer, http=http, start=start)


@contextmanager
def on_werkzeug(app: Flask) -> Iterator[str]:
    """The URL at which `app` answers inside the block."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def on_uvicorn(app: Starlette) -> Iterator[str]:
    """The URL at which `app` answers inside the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    # asyncio sets it only where it sees IPPROTO_TCP, which `create_server` leaves out: 40 ms per reply without.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
