"""What the demo tries of who may do what: scopes and what they imply, roles, partners, keys, filtered answers, headers
that clients forge.

Tokens are what the issuer says of a caller; the applications decide. See access.toml and access.py of the examples.
"""

import time
from collections.abc import Iterator
from itertools import islice, product
from string import ascii_lowercase, digits
from typing import Any

from examples.demo_world import BAD_TOKEN, HOUR, NOBODY, OK, App, Case, Expected, World, lacks, sent
from oauth_rs.devserver import DevServer

NOT_MAPPED = Expected(403, "Bearer", "insufficient_scope")
GONE = Expected(204)
TOO_LONG = Expected(401, "Bearer", "invalid_token", shows=("token is longer than this server accepts",))  # over 16 KiB
FORGED = {"OAuth-ClientID": "root", "oauth-scope": "admin", "OAUTH-RESOURCEOWNERUID": "root", "OAuth_ClientID": "root"}
# Of other alphabets, and each looks like the right one: Cyrillic small o, and a full-width letter.
LOOK_ALIKES = ("g\u043eals ph\u043etos", "\uff47oals \uff50hotos")

# As short as 10,000 can be: servers refuse longer headers themselves.
MANY_SCOPES = ["".join(letters) for letters in islice(product(digits + ascii_lowercase, repeat=3), 10_000)]


def access_cases(world: World, flask: App, starlette: App) -> Iterator[Case]:
    for app in (flask, starlette):
        yield from scope_cases(world, app)
        yield from partner_cases(world, app)
        yield from identity_cases(world, app)
    yield from goal_policy_cases(world, flask)
    yield from photo_policy_cases(world, starlette)
    yield from key_cases(world, flask, starlette)
    yield from customer_cases(world, starlette)
    yield from fhir_cases(world, starlette)


def scope_cases(world: World, app: App) -> Iterator[Case]:
    for name, scope in (
        ("substring of the scope", app.scope[:-1]),
        ("case twin of the scope", app.scope.upper()),
        ("longer than the scope", f"{app.scope}.x"),
        ("look-alike, Cyrillic", LOOK_ALIKES[0]),
        ("look-alike, full-width", LOOK_ALIKES[1]),
        ("scopes parted by a tab", f"x\t{app.scope}"),
    ):
        yield tried(world, app, name, f"GET {app.path}", lacks(app.scope), scope=scope)
    yield tried(world, app, "scopes as a list", f"GET {app.path}", OK, claims={"scope": ["x", app.scope]})
    for count, expected in ((1_000, lacks(app.scope)), (10_000, TOO_LONG)):
        many = " ".join(MANY_SCOPES[:count])
        yield tried(world, app, f"{count:,} scopes", f"GET {app.path}", expected, scope=many)
    claims = {"scope": [app.scope, None]}
    yield tried(world, app, "a scope that is no text", f"GET {app.path}", BAD_TOKEN, claims=claims)


def partner_cases(world: World, app: App) -> Iterator[Case]:
    """The partner's issuer may say what it likes: what it may not grant, it does not."""
    write = f"POST {app.form}", lacks("goals.write" if app.name == "flask" else "photos.print")
    everything = "goals goals.write goals.all photos photos.print photos.private 2"
    yield tried(world, app, "partner", f"GET {app.path}", OK, scope=app.scope, issuer=world.partner)
    yield tried(world, app, "partner, internal scope", *write, scope=everything, issuer=world.partner)
    if app.name == "starlette":
        private = lacks("photos.private")
        yield tried(
            world, app, "partner, internal scope", "GET /photos/3", private, scope=everything, issuer=world.partner
        )
        admin = {"realm_access": {"roles": ["admin"]}}
        no = lacks("profile")
        yield tried(world, app, "partner, role admin", "GET /customers", no, claims=admin, issuer=world.partner)


def identity_cases(world: World, app: App) -> Iterator[Case]:
    expected = Expected(200, shows=('"oauth-clientid":"demo"',), hides=("root",))
    yield tried(world, app, "forged identity headers", "GET /whoami", expected, scope=app.scope, headers=FORGED)
    scope = Expected(200, shows=(f'"oauth-scope":"{app.scope}"',), hides=("admin",))
    yield tried(world, app, "forged identity headers", "GET /whoami", scope, scope=app.scope, headers=FORGED)
    injected = {"sub": "ada\r\nOAuth-ClientID: root"}
    expected = Expected(200, shows=('"oauth-resourceowneruid":"ada%0D%0AOAuth-ClientID:%20root"',), hides=("\\r",))
    yield tried(world, app, "line break in the subject", "GET /whoami", expected, scope=app.scope, claims=injected)


def goal_policy_cases(world: World, app: App) -> Iterator[Case]:
    now = int(time.time())
    again = Expected(401, "Bearer", "insufficient_user_authentication", "goals.write")
    yield tried(world, app, "parent implies child", "GET /goals", OK, scope="goals.all")
    yield tried(world, app, "scope by its URL", "GET /goals", OK, scope="https://api.example.com/scopes/goals")
    yield tried(world, app, "scope by its number", "GET /goals", OK, scope="1")
    yield tried(world, app, "child does not imply parent", "POST /goals", lacks("goals.write"), scope="goals")
    yield tried(world, app, "not mapped, default rule", "GET /nothing", Expected(404), scope="goals")
    for name, claims, expected in (
        ("step-up, no auth_time", {}, again),
        ("step-up, an hour ago", {"auth_time": now - HOUR}, again),
        ("step-up, auth_time as text", {"auth_time": str(now)}, again),
        ("step-up, just now", {"auth_time": now}, GONE),
    ):
        yield tried(world, app, name, "DELETE /goals", expected, scope="goals.write", claims=claims)


def photo_policy_cases(world: World, app: App) -> Iterator[Case]:
    yield tried(world, app, "not mapped", "GET /nothing", NOT_MAPPED, scope="photos")
    yield tried(world, app, "not mapped, no token", "GET /nothing", NOBODY, token="")
    yield tried(world, app, "method not mapped", "DELETE /photos", NOT_MAPPED, scope="photos")
    twice = Expected(400, "Bearer", "invalid_request")
    yield tried(world, app, "path with an empty segment", "GET /albums//town", twice, scope="photos")
    yield tried(world, app, "scope by path", "GET /albums/town", OK, scope="album:town:read")
    yield tried(world, app, "scope of another path", "GET /albums/family", NOT_MAPPED, scope="album:town:read")
    yield tried(world, app, "pass-through, its own token", "GET /legacy/a", OK, token="legacy")  # noqa: S106 - nobody's secret
    legacy = Expected(401, "Bearer")
    yield tried(world, app, "pass-through, ours", "GET /legacy/a", legacy, scope="photos")


def key_cases(world: World, flask: App, starlette: App) -> Iterator[Case]:
    """Callers without a token: an id with its secret for the one application, an API key for the other."""
    good, bad = ("backup", world.client_secret), ("backup", f"{world.client_secret}x")
    for app, name, options, expected in (
        (flask, "client secret", {"auth": good}, OK),
        (flask, "client secret, wrong", {"auth": bad}, Expected(401, "Basic")),
        (flask, "client secret, unknown id", {"auth": ("nobody", world.client_secret)}, Expected(401, "Basic")),
        (starlette, "API key", {"headers": {"X-API-Key": world.api_key}}, OK),
        (starlette, "API key, wrong", {"headers": {"X-API-Key": world.api_key[::-1]}}, NO_CLIENT),
    ):
        yield sent(world, app, name, f"GET {app.path}", expected, **options)
    no, goal = Expected(403, "Basic"), {"title": "Swim"}
    yield sent(world, flask, "client secret", "POST, role may read", no, operation="POST /goals", auth=good, json=goal)


NO_CLIENT = Expected(401, "ClientKey", "invalid_client")


def customer_cases(world: World, app: App) -> Iterator[Case]:
    name, address, credit = '"name"', '"address"', '"credit"'
    for role, shows, hides in (
        ("salesperson", (name,), (address, credit)),
        ("manager", (name, address), (credit,)),
        ("admin", (name, address, credit), ()),
    ):
        expected = Expected(200, shows=shows, hides=hides)
        claims = {"realm_access": {"roles": [role]}}
        for path in ("/customers", "/customers/1"):
            yield tried(world, app, f"customers, {role}", f"GET {path}", expected, claims=claims)
    for name_of, roles in (("a role of nobody", ["Admin"]), ("roles as one text", "admin manager"), ("no roles", [])):
        held: dict[str, Any] = {"realm_access": {"roles": roles}}
        yield tried(world, app, f"customers, {name_of}", "GET /customers", lacks("profile"), claims=held)


def fhir_cases(world: World, app: App) -> Iterator[Case]:
    ada, search = {"patient": "ada"}, "/fhir/Observation"
    for name, path, scope, claims, expected in (
        ("own patient", "/fhir/Patient/ada", "patient/Patient.r", ada, OK),
        ("another patient", "/fhir/Patient/bob", "patient/Patient.r", ada, FHIR_NO),
        ("no launch context", "/fhir/Patient/ada", "patient/Patient.r", {}, FHIR_NO),
        ("v1 scope", "/fhir/Patient/bob", "user/*.read", {}, OK),
        ("letters out of order", "/fhir/Patient/bob", "user/Patient.sr", {}, FHIR_NO),
        ("search, own patient", search, "patient/Observation.rs", ada, Expected(200, shows=('"total":2',))),
        ("search, all", search, "user/Observation.s", {}, Expected(200, shows=('"total":3',))),
        ("search, one kind", search, VITAL, {}, Expected(200, shows=('"total":2',), hides=("laboratory",))),
        ("read, out of reach", f"{search}/3", "patient/Observation.r", ada, Expected(404)),
        ("read, may only search", f"{search}/1", "user/Observation.s", {}, FHIR_NO),
    ):
        yield tried(world, app, f"SMART, {name}", f"GET {path}", expected, scope=scope, claims=claims)


FHIR_NO = Expected(403, "Bearer", "insufficient_scope")
VITAL = "user/Observation.rs?category=vital-signs"


def tried(
    world: World,
    app: App,
    name: str,
    operation: str,
    expected: Expected,
    *,
    scope: str = "",
    claims: dict[str, Any] | None = None,
    issuer: DevServer | None = None,
    token: str | None = None,
    headers: dict[str, str] | None = None,
) -> Case:
    """A request with a token for `scope` with `claims`, or with `token`; an empty one is left out."""
    if token is None:
        token = (issuer or world.issuer).token(scope=scope, claims=claims or {})
    options: dict[str, Any] = {"json": {"title": "x"}} if operation.startswith("POST") else {}
    return sent(world, app, name, operation, expected, token=token, headers=headers, **options)
