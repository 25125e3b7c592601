"""Starts a development issuer and the example applications on free ports, tries requests good and bad, and says
whether each was answered as it must be. `make demo` runs it; exit status 0 means that all were.

Everything runs in threads of this process: nothing is left behind.
"""

import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import uvicorn
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask
from sqlalchemy import URL, NullPool, create_engine
from starlette.applications import Starlette
from werkzeug.serving import make_server

import examples.flask_app.app
import examples.flask_app.gateway
import examples.starlette_app.app
import examples.starlette_app.gateway
from examples.backends import bills_app, records_app
from examples.demo_cases import all_cases
from examples.demo_world import INTERNAL_LIFETIME, SCOPES, App, Case, World
from examples.starlette_app.integration import BILLS, RECORDS, connections
from oauth_rs import DirectURL, IssuerMetadata, RegisteredClient, RemoteKeys, StaticClients, hashed, new_secret
from oauth_rs.client_auth import ClientSecret
from oauth_rs.devserver import Client, DevServer
from oauth_rs.stores.sql import SQLCredentials
from oauth_rs.stores.sqlite import SQLiteReplay

API = "https://api.example.com"
ORIGIN = "https://app.example.com"
PHOTOS = Client("photos", "secret", scopes={"bills.read", "user/Observation.s"})  # as which the photo service calls
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
        told = answer.challenge(case.expected.scheme) or answer.headers.get("www-authenticate", "")
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
        # What the issuer writes and the applications read, and the memory of used nonces that they share.
        database = create_engine(URL.create("sqlite", database=str(folder / "credentials.sqlite")), poolclass=NullPool)
        credentials = SQLCredentials(database, keys=[Fernet.generate_key()])
        replay = SQLiteReplay(folder / "replay.sqlite")
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        scopes = frozenset(SCOPES.split())
        clients = [
            Client("demo", "secret", scopes=scopes),
            Client("press", "secret", scopes=scopes, rsa_key=key.public_key()),
        ]
        issuer = stack.enter_context(DevServer.running(audience=API, clients=clients, credentials=credentials))
        partner = stack.enter_context(DevServer.running(audience=API, clients=[Client("demo", "secret")]))
        internal = stack.enter_context(
            DevServer.running(audience=BILLS, more_audiences=[RECORDS], lifetime=INTERNAL_LIFETIME, clients=[PHOTOS])
        )
        outbound = connections(
            internal.issuer,
            ClientSecret(PHOTOS.client_id, PHOTOS.secret),
            bills=stack.enter_context(on_uvicorn(lambda _host: bills_app(internal.issuer))),
            records=stack.enter_context(on_uvicorn(lambda _host: records_app(internal.issuer))),
        )
        client_secret, api_key = new_secret(), new_secret()
        registry = StaticClients(
            [
                RegisteredClient(client_id="backup", secret_hash=hashed(client_secret), roles=["backup"]),
                RegisteredClient(client_id="lobby", key_hashes=[hashed(api_key)], roles=["kiosk"]),
            ]
        )
        http = stack.enter_context(httpx2.Client(trust_env=False))

        def options(host: str) -> dict[str, Any]:
            # A cool-down of 0 asks the issuer about every unknown key at once. In production it is 30 s, so that
            # strangers cannot make an application ask without end.
            keys = RemoteKeys(IssuerMetadata(issuer.issuer), cooldown=0)
            signed = {"credentials": credentials, "replay": replay, "url": DirectURL(hosts=[host])}
            return {"keys": keys, "partner": partner.issuer, "clients": registry, **signed}

        def goals(host: str) -> Flask:
            return examples.flask_app.app.create_app(issuer.issuer, API, folder / "goals.sqlite", **options(host))

        def photos(host: str) -> Starlette:
            more = {"origins": [ORIGIN], "outbound": outbound, **options(host)}
            return examples.starlette_app.app.create_app(issuer.issuer, API, **more)

        def start() -> tuple[App, App]:
            flask, starlette = stack.enter_context(on_werkzeug(goals)), stack.enter_context(on_uvicorn(photos))
            return (
                App(name="flask", url=flask, path="/goals", scope="goals", form="/goals", posted=201),
                App(
                    name="starlette", url=starlette, path="/photos", scope="photos", form="/photos/1/prints", posted=202
                ),
            )

        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        yield World(
            issuer=issuer,
            partner=partner,
            internal=internal,
            http=http,
            start=start,
            gateways=gateways(stack, issuer.issuer),
            rsa_key=private,
            client_secret=client_secret,
            api_key=api_key,
        )


def gateways(stack: ExitStack, issuer: str) -> tuple[App, App]:
    """The orders API on both frameworks, until `stack` ends. All issuers that it knows have the keys of `issuer`."""
    keys, key = RemoteKeys(IssuerMetadata(issuer)), ec.generate_private_key(ec.SECP256R1())
    flask = examples.flask_app.gateway.create_app(issuer, key, keys=keys)
    starlette = examples.starlette_app.gateway.create_app(issuer, key, keys=keys)
    order: dict[str, Any] = {"path": "/orders/1", "scope": "orders.read", "form": "/orders/1/refund", "posted": 202}
    return (
        App(name="flask", url=stack.enter_context(on_werkzeug(lambda _host: flask)), **order),
        App(name="starlette", url=stack.enter_context(on_uvicorn(lambda _host: starlette)), **order),
    )


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


if __name__ == "__main__":
    sys.exit(main())
