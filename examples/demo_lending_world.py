"""Starts what the demo needs of the lending library: five issuers, two back ends, and the applications.

Each issuer is a development server, which has the endpoints of an OpenID provider and those of GitHub too.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask
from starlette.applications import Starlette

import examples.flask_app.lending
import examples.starlette_app.lending
from examples.backends import fees_app, union_app
from examples.demo_world import App
from examples.lending import API, FEES, UNION, Trusted, connections
from examples.serving import on_uvicorn, on_werkzeug
from oauth_rs import MemoryDenyList
from oauth_rs.client_auth import ClientSecret, PrivateKeyJWT
from oauth_rs.devserver import Client, DevServer
from oauth_rs.devserver.keys import SigningKey

CLIENT = "library"  # as which the application is known to all issuers
UNION_LIFETIME = 1  # seconds of tokens for the union catalogue: short, so that the demo sees some end
STATUS_TTL = 1  # seconds that a status list may be kept


@dataclass(slots=True)
class Account:
    """Where one application keeps its refresh token. In earnest this is a row of a database, encrypted."""

    refresh_token: str

    def load(self) -> str:
        return self.refresh_token

    def save(self, refresh_token: str) -> None:
        self.refresh_token = refresh_token


@dataclass(frozen=True, slots=True, kw_only=True)
class Lending:
    """The issuers, and the applications `apps` that trust them, with their `accounts` at the union catalogue.

    All issuers know the library as `CLIENT`, whose secret is `secret`. `stale` are the same applications, with a secret
    and a key that no issuer takes. `fees` is one of the back ends.
    """

    library: DevServer
    schools: DevServer
    friends: DevServer
    hub: DevServer
    union: DevServer
    apps: tuple[App, App]
    stale: tuple[App, App]
    accounts: tuple[Account, Account]
    fees: App


@contextmanager
def built_lending() -> Iterator[Lending]:
    """All of it, until the end of the block."""
    with ExitStack() as stack:
        key = SigningKey.generate("ES256")
        client = Client(CLIENT, "secret", jwks={"keys": [key.jwk()]}, scopes={"requests"}, refresh=True)
        issuers = started(stack, client)
        trusted = Trusted(
            **{name: issuer.issuer for name, issuer in issuers.items()} | {"hub": f"{issuers['hub'].issuer}/github"},
            secret=ClientSecret(CLIENT, "secret"),
            key=PrivateKeyJWT(CLIENT, key.private, kid=key.kid),
        )
        yesterday = PrivateKeyJWT(CLIENT, SigningKey.generate("ES256").private)
        stale = replace(trusted, secret=ClientSecret(CLIENT, "secret of yesterday"), key=yesterday)
        back_ends = {
            "fees": stack.enter_context(on_uvicorn(lambda _host: fees_app(trusted.library))),
            "union": stack.enter_context(on_uvicorn(lambda _host: union_app(trusted.union))),
        }
        accounts = opened(issuers["union"])
        yield Lending(
            **issuers,
            apps=applications(stack, trusted, accounts, **back_ends),
            stale=applications(stack, stale, opened(issuers["union"]), **back_ends),
            accounts=accounts,
            fees=App(name="starlette", url=back_ends["fees"], path="/fees", scope="fees", form="", posted=0),
        )


def started(stack: ExitStack, client: Client) -> dict[str, DevServer]:
    """The issuers, each with a beginning of its own for opaque tokens."""

    def issuer(audience: str = API, **options: Any) -> DevServer:
        return stack.enter_context(DevServer.running(audience=audience, algorithm="ES256", clients=[client], **options))

    return {
        "library": issuer(more_audiences=[FEES], status_ttl=STATUS_TTL),
        "schools": issuer(opaque_prefix="sc_"),
        "friends": issuer(opaque_prefix="fr_"),
        "hub": issuer(opaque_prefix="gho_"),
        "union": issuer(UNION, lifetime=UNION_LIFETIME),
    }


def opened(union: DevServer) -> tuple[Account, Account]:
    """An account for each application: two that refresh one token would be taken for thieves."""
    first, second = (Account(union.refresh_token(scope="requests")) for _ in range(2))
    return first, second


def applications(
    stack: ExitStack, trusted: Trusted, accounts: tuple[Account, Account], **back_ends: str
) -> tuple[App, App]:
    """The library on both frameworks, until `stack` ends. Each has a deny list of its own, and an account."""
    ours, theirs = (connections(trusted, account, **back_ends) for account in accounts)

    def flask(_host: str) -> Flask:
        return examples.flask_app.lending.create_app(trusted, ours, deny=MemoryDenyList())

    def starlette(_host: str) -> Starlette:
        return examples.starlette_app.lending.create_app(trusted, theirs, deny=MemoryDenyList())

    loans: dict[str, Any] = {"path": "/loans", "scope": "loans", "form": "/log-out", "posted": 204}
    return (
        App(name="flask", url=stack.enter_context(on_werkzeug(flask)), **loans),
        App(name="starlette", url=stack.enter_context(on_uvicorn(starlette)), **loans),
    )
