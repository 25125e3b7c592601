"""What the demo tries of the orders API: whose tokens count where, and what the application behind sees.

Tokens of every issuer are signed with the keys of one, which the applications are told to believe.
"""

import time
from collections.abc import Iterator
from typing import Any

from examples.demo_world import HOUR, MALFORMED, OK, App, Case, Expected, World, bearer, lacks, sent
from examples.gateway import API, DEVICES, LIVE, LOGIN, MFA, MOVED, SANDBOX, SANDBOX_API

ORDER = Expected(200, shows=('{"number":1,"total":165}',))  # of all that the application answered
WHOLE = Expected(200, shows=('"margin":0.3',))
DONE = Expected(202)
STRANGER = Expected(401, "Bearer", "invalid_token", shows=("from an issuer that is not accepted",))
MISDIRECTED = Expected(401, "Bearer", "invalid_token", shows=("issued for another audience",))
UNSURE = Expected(401, "Bearer", "invalid_token", shows=("from more than one issuer",))
UNREGISTERED = Expected(401, "Bearer", "invalid_token", shows=("client of the access token is not registered",))
NOT_THEIRS = Expected(403, "Bearer", "insufficient_scope")
AGAIN = Expected(401, "Bearer", "insufficient_user_authentication")
READ = "GET /orders/1"


def gateway_cases(world: World, app: App) -> Iterator[Case]:
    yield from selection_cases(world, app)
    yield from tenant_cases(world, app)
    yield from identity_cases(world, app)
    yield from requirement_cases(world, app)


def selection_cases(world: World, app: App) -> Iterator[Case]:
    live, sandbox = minted(world, "orders.read"), minted(world, "orders.read", aud=SANDBOX_API)
    device = minted(world, "orders.read", iss=DEVICES)
    stranger = world.issuer.token(client_id="press", scope="orders.read", claims={"aud": API})
    staff, both = minted(world, "staff"), minted(world, "staff orders.read")
    partner = {"X-Partner-Token": minted(world, "orders.read orders.write")}
    for name, operation, headers, expected in (
        ("live host", READ, authorized(live), ORDER),
        ("no such order", "GET /orders/9", authorized(live), Expected(404)),
        ("live host, sandbox token", READ, authorized(sandbox), MISDIRECTED),
        ("sandbox host", READ, {**authorized(sandbox), "Host": SANDBOX}, ORDER),
        ("sandbox host, live token", READ, {**authorized(live), "Host": SANDBOX}, MISDIRECTED),
        ("host of nobody", READ, {**authorized(live), "Host": "example.net"}, MALFORMED),
        ("prefix", READ, authorized(f"dev_{device}"), ORDER),
        ("prefix left out", READ, authorized(device), STRANGER),
        ("prefix of another issuer", READ, authorized(f"dev_{live}"), STRANGER),
        ("header of partners", READ, partner, ORDER),
        ("header of partners", "POST /orders/1/cancellation", partner, lacks("orders.write")),
        ("two headers", READ, {**partner, **authorized(live)}, MALFORMED),
        ("scope of staff", READ, authorized(staff), WHOLE),
        ("scopes of two providers", READ, authorized(both), UNSURE),
        ("client not registered", READ, authorized(stranger), UNREGISTERED),
    ):
        yield asked(world, app, name, operation, expected, headers=headers)


def tenant_cases(world: World, app: App) -> Iterator[Case]:
    for name, tenant, path, expected in (
        ("tenant", f"{LOGIN}/acme", "/tenants/acme/orders", Expected(200, shows=("acme",))),
        ("path of another tenant", f"{LOGIN}/globex", "/tenants/acme/orders", NOT_THEIRS),
        ("path of no tenant", f"{LOGIN}/acme", "/orders/1", STRANGER),
        ("tenant that is not known", f"{LOGIN}/initech", "/tenants/initech/orders", STRANGER),
        ("tenant not allowed", MOVED, "/tenants/acme/orders", STRANGER),
    ):
        headers = authorized(minted(world, "orders.read", iss=tenant))
        yield asked(world, app, name, f"GET {path}", expected, headers=headers)


def identity_cases(world: World, app: App) -> Iterator[Case]:
    """The application verified what it shows here: it answers 500 where the identity is not signed as it must be."""
    forged = {"OAuth-Identity": minted(world, "orders.read", sub="root"), "OAuth-ClientID": "root"}
    more = {"act": {"sub": "helpdesk"}, "plan": "gold", "name": "Ada", "authorization_details": [{"type": "payment"}]}
    headers = {**forged, **authorized(minted(world, "orders.read", **more))}
    for name, shows in (
        ("signed identity", '"sub":"ada"'),
        ("signed identity, actor", '"act":{"sub":"helpdesk"}'),
        ("signed identity, property", '"properties":{"plan":"gold"}'),
        ("signed identity, owner", '"owner":{"name":"Ada"}'),
        ("authorization details", '"details":["payment"]'),
        ("credentials hidden", '"credentials":[]'),
    ):
        yield asked(world, app, name, "GET /whoami", Expected(200, shows=(shows,), hides=("root",)), headers=headers)
    partner = {"X-Partner-Token": minted(world, "orders.read")}
    hidden = Expected(200, shows=('"credentials":[]',))
    yield asked(world, app, "partner token hidden", "GET /whoami", hidden, headers=partner)
    yield asked(world, app, "public path, orders", "GET /health", OK, headers={})


def requirement_cases(world: World, app: App) -> Iterator[Case]:
    now = int(time.time())
    for name, operation, claims, expected in (
        ("acr", "POST /orders/1/refund", {"acr": MFA, "auth_time": now}, DONE),
        ("acr too low", "POST /orders/1/refund", {"acr": "pwd", "auth_time": now}, AGAIN),
        ("acr, an hour ago", "POST /orders/1/refund", {"acr": MFA, "auth_time": now - HOUR}, AGAIN),
        ("condition: the owner", "POST /orders/1/cancellation", {}, DONE),
        ("condition: another", "POST /orders/1/cancellation", {"sub": "bob"}, NOT_THEIRS),
    ):
        headers = authorized(minted(world, "orders.write", **claims))
        yield asked(world, app, name, operation, expected, headers=headers)


def minted(world: World, scope: str, **claims: Any) -> str:
    return world.issuer.token(scope=scope, claims={"aud": API, "sub": "ada", **claims})


def authorized(token: str) -> dict[str, str]:
    return dict([bearer(token)])


def asked(world: World, app: App, name: str, operation: str, expected: Expected, *, headers: dict[str, str]) -> Case:
    """A request to the live host, where `headers` name no other."""
    return sent(world, app, name, operation, expected, headers={"Host": LIVE, **headers})
