"""Starts what the demo needs: issuers, back ends, and the example applications that trust them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask
from sqlalchemy import URL, NullPool, create_engine
from starlette.applications import Starlette

import examples.flask_app.app
import examples.flask_app.gateway
import examples.starlette_app.app
import examples.starlette_app.gateway
from examples.backends import bills_app, records_app
from examples.demo_world import INTERNAL_LIFETIME, SCOPES, App, World
from examples.serving import on_uvicorn, on_werkzeug
from examples.starlette_app.integration import BILLS, RECORDS, connections
from oauth_rs import DirectURL, IssuerMetadata, RegisteredClient, RemoteKeys, StaticClients, hashed, new_secret
from oauth_rs.client_auth import ClientSecret
from oauth_rs.devserver import Client, DevServer
from oauth_rs.outbound import Connections
from oauth_rs.stores.sql import SQLCredentials
from oauth_rs.stores.sqlite import SQLiteReplay

API = "https://api.example.com"
ORIGIN = "https://app.example.com"
PHOTOS = Client("photos", "secret", scopes={"bills.read", "user/Observation.s"})  # as which the photo service calls


@contextmanager
def built_world() -> Iterator[World]:
    """An issuer that answers, and what is needed to start applications that trust it; all gone after the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        # What the issuer writes and the applications read.
        database = create_engine(URL.create("sqlite", database=str(folder / "credentials.sqlite")), poolclass=NullPool)
        credentials = SQLCredentials(database, keys=[Fernet.generate_key()])
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
        client_secret, api_key = new_secret(), new_secret()
        applications = Applications(
            stack=stack,
            folder=folder,
            issuer=issuer.issuer,
            partner=partner.issuer,
            credentials=credentials,
            clients=registry(client_secret, api_key),
            outbound=outbound(stack, internal.issuer),
        )
        yield World(
            issuer=issuer,
            partner=partner,
            internal=internal,
            http=stack.enter_context(httpx2.Client(trust_env=False)),
            start=applications.start,
            gateways=gateways(stack, issuer.issuer),
            rsa_key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            client_secret=client_secret,
            api_key=api_key,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Applications:
    """What the two example applications share; started anew by `start`, until `stack` ends."""

    stack: ExitStack
    folder: Path
    issuer: str
    partner: str
    credentials: SQLCredentials
    clients: StaticClients
    outbound: Connections

    def start(self) -> tuple[App, App]:
        flask = self.stack.enter_context(on_werkzeug(self.goals))
        starlette = self.stack.enter_context(on_uvicorn(self.photos))
        return (
            App(name="flask", url=flask, path="/goals", scope="goals", form="/goals", posted=201),
            App(name="starlette", url=starlette, path="/photos", scope="photos", form="/photos/1/prints", posted=202),
        )

    def goals(self, host: str) -> Flask:
        options = self.options(host)
        return examples.flask_app.app.create_app(self.issuer, API, self.folder / "goals.sqlite", **options)

    def photos(self, host: str) -> Starlette:
        more = {"origins": [ORIGIN], "outbound": self.outbound, **self.options(host)}
        return examples.starlette_app.app.create_app(self.issuer, API, **more)

    def options(self, host: str) -> dict[str, Any]:
        return {
            # A cool-down of 0 asks the issuer about every unknown key at once. In production it is 30 s, so that
            # strangers cannot make an application ask without end.
            "keys": RemoteKeys(IssuerMetadata(self.issuer), cooldown=0),
            "partner": self.partner,
            "clients": self.clients,
            "credentials": self.credentials,
            "replay": SQLiteReplay(self.folder / "replay.sqlite"),  # one memory of used nonces for all of them
            "url": DirectURL(hosts=[host]),
        }


def outbound(stack: ExitStack, issuer: str) -> Connections:
    """Calls to the two back ends, which trust `issuer` and run until `stack` ends."""
    return connections(
        issuer,
        ClientSecret(PHOTOS.client_id, PHOTOS.secret),
        bills=stack.enter_context(on_uvicorn(lambda _host: bills_app(issuer))),
        records=stack.enter_context(on_uvicorn(lambda _host: records_app(issuer))),
    )


def registry(client_secret: str, api_key: str) -> StaticClients:
    return StaticClients(
        [
            RegisteredClient(client_id="backup", secret_hash=hashed(client_secret), roles=["backup"]),
            RegisteredClient(client_id="lobby", key_hashes=[hashed(api_key)], roles=["kiosk"]),
        ]
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
