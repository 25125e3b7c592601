"""What the demo tries: requests good and bad, in order, and what each must be answered.

Here are those with bearer tokens, demo_oauth1_cases.py and demo_mac_cases.py have the signed ones. Later cases depend
on earlier ones: between them keys are rotated and the issuer is stopped. Does not start the applications; demo.py does.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx2
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from examples.demo_access_cases import access_cases
from examples.demo_gateway_cases import gateway_cases
from examples.demo_inventory_cases import inventory_cases
from examples.demo_lending_cases import lending_cases
from examples.demo_mac_cases import mac_cases
from examples.demo_oauth1_cases import oauth1_cases
from examples.demo_outbound_cases import outbound_cases
from examples.demo_world import (
    BAD_TOKEN,
    CANNOT_SAY,
    HOUR,
    MALFORMED,
    NOBODY,
    OK,
    SCOPES,
    Answer,
    App,
    Case,
    Expected,
    World,
    bearer,
    lacks,
    request,
)

TRIES = 5  # of a client that is told to come back


def all_cases(world: World) -> Iterator[Case]:
    """Every case. Each is to be sent before the next one is asked for."""
    flask, starlette = apps = world.start()
    for app in apps:
        yield from token_cases(world, app)
        yield from request_cases(world, app)
        yield from oauth1_cases(world, app)
        yield from mac_cases(world, app)
    yield from access_cases(world, flask, starlette)
    yield from outbound_cases(world, starlette)
    for gateway in world.gateways:
        yield from gateway_cases(world, gateway)
    yield from lending_cases(world)
    yield from inventory_cases(flask, starlette)
    yield from goal_cases(world, flask)
    yield from photo_cases(world, starlette)
    yield from rotation_cases(world, apps)
    yield from outage_cases(world, apps)


def token_cases(world: World, app: App) -> Iterator[Case]:
    mint = partial(world.issuer.token, scope=SCOPES)
    now = int(time.time())
    header, _, signature = mint().split(".")
    payload = mint(claims={"sub": "root"}).split(".")[1]
    whole, first = mint().rsplit(".", 1)
    for name, sent, token, expected in (
        ("good token", "RS256", mint(), OK),
        ("good token", "ES256", mint(alg="ES256"), OK),
        ("good token", "Ed25519", mint(alg="Ed25519"), OK),
        ("expired", "exp an hour ago", mint(claims={"exp": now - HOUR}), BAD_TOKEN),
        ("no expiry", "no exp", mint(drop=["exp"]), BAD_TOKEN),
        ("not yet valid", "nbf in an hour", mint(claims={"nbf": now + HOUR}), BAD_TOKEN),
        ("wrong audience", "aud of another API", mint(claims={"aud": "https://other.example.com"}), BAD_TOKEN),
        ("wrong issuer", "iss of a stranger", mint(claims={"iss": "https://id.example.com"}), BAD_TOKEN),
        ("missing scope", "scope profile", world.issuer.token(scope="profile"), lacks(app.scope)),
        ("not signed", "alg none", mint(alg="none"), BAD_TOKEN),
        ("RS/HS confusion", "HS256 by the public key", mint(alg="HS256"), BAD_TOKEN),
        ("tampered payload", "sub root, signature kept", f"{header}.{payload}.{signature}", BAD_TOKEN),
        (
            "tampered signature",
            "first byte changed",
            f"{whole}.{'B' if first[0] == 'A' else 'A'}{first[1:]}",
            BAD_TOKEN,
        ),
        ("ID token", "typ JWT", mint(header={"typ": "JWT"}), BAD_TOKEN),
        ("sender-constrained", "cnf without its proof", mint(claims={"cnf": {"jkt": "A" * 43}}), BAD_TOKEN),
    ):
        yield Case(app=app, name=name, sent=sent, send=partial(read, world, app, token), expected=expected)


def request_cases(world: World, app: App) -> Iterator[Case]:
    token = world.issuer.token(scope=SCOPES)
    cors = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}
    yield from requests(
        world,
        app,
        ("no credentials", "no Authorization", "GET", app.path, {}, NOBODY),
        ("two credentials", "Authorization twice", "GET", app.path, {"headers": [bearer(token)] * 2}, MALFORMED),
        ("Basic scheme", "Basic YTpi", "GET", app.path, {"headers": {"Authorization": "Basic YTpi"}}, NOBODY),
        ("malformed header", "Bearer of two words", "GET", app.path, {"headers": [bearer("two words")]}, MALFORMED),
        ("junk", "Bearer and 8 KB of A", "GET", app.path, {"headers": [bearer("A" * 8192)]}, BAD_TOKEN),
        ("form token", "POST access_token=...", "POST", app.path, {"data": {"access_token": token}}, NOBODY),
        ("query token", "?access_token=...", "GET", app.path, {"params": {"access_token": token}}, NOBODY),
        ("CORS preflight", "OPTIONS without a token", "OPTIONS", app.path, {"headers": cors}, OK),
    )


def goal_cases(world: World, app: App) -> Iterator[Case]:
    mint = world.issuer.token
    ada, bob = ({"headers": [bearer(mint(scope=SCOPES, claims={"sub": who}))]} for who in ("ada", "bob"))
    reader = {"headers": [bearer(mint(scope="goals"))]}
    yield from requests(
        world,
        app,
        ("new goal", "POST of ada", "POST", "/goals", {**ada, "json": {"title": "Swim a mile"}}, Expected(201)),
        ("own goal", "GET of ada", "GET", "/goals/1", ada, OK),
        ("somebody else's goal", "GET of bob", "GET", "/goals/1", bob, Expected(404)),
        ("bad JSON", "POST of {", "POST", "/goals", {**ada, "content": "{"}, Expected(400)),
        ("refused by @requires", "DELETE, scope goals", "DELETE", "/goals/1", reader, lacks("goals.write")),
    )


def photo_cases(world: World, app: App) -> Iterator[Case]:
    good, other = (bearer(world.issuer.token(scope=scope)) for scope in ("photos", "profile"))
    looker = {"headers": [good]}
    yield from requests(
        world,
        app,
        ("public path", "GET /health", "GET", "/health", {}, OK),
        ("refused by @requires", "POST, scope photos", "POST", "/photos/1/prints", looker, lacks("photos.print")),
        ("refused by grant.require", "GET, scope photos", "GET", "/photos/3", looker, lacks("photos.private")),
    )
    for name, sent, headers, expected in (
        ("WebSocket", "scope photos", [good], Expected(101)),
        ("WebSocket refused", "no Authorization", [], NOBODY),
        ("WebSocket refused", "scope profile", [other], lacks("photos")),
    ):
        yield Case(app=app, name=name, sent=sent, send=partial(shake_hands, app, headers), expected=expected)


def rotation_cases(world: World, apps: tuple[App, App]) -> Iterator[Case]:
    """A key the applications have never seen is fetched; the one it replaced is then refused, cached or not."""
    old = world.issuer.token(scope=SCOPES)
    yield from for_both(world, apps, "before the rotation", "key published", token=old, expected=OK)
    world.issuer.rotate()
    new = world.issuer.token(scope=SCOPES)
    yield from for_both(world, apps, "key rotated", "new key", token=new, expected=OK)
    yield from for_both(world, apps, "key rotated", "withdrawn key", token=old, expected=BAD_TOKEN)


def outage_cases(world: World, apps: tuple[App, App]) -> Iterator[Case]:
    """Known keys serve while the issuer is down; where they are not known, nothing can be said until it is back."""
    world.issuer.stop()
    token, unknown = world.issuer.token(scope=SCOPES), world.issuer.token(scope=SCOPES, alg="ES256")
    yield from for_both(world, apps, "issuer down", "known key", token=token, expected=OK)
    yield from for_both(world, apps, "issuer down", "unknown key", token=unknown, expected=CANNOT_SAY)
    fresh = world.start()
    yield from for_both(world, fresh, "issuer down", "application just started", token=token, expected=CANNOT_SAY)
    world.issuer.start()
    for app in fresh:
        send = partial(patiently, partial(read, world, app, token))
        yield Case(app=app, name="issuer back", sent="again after Retry-After", send=send, expected=OK)


def requests(world: World, app: App, *rows: tuple[str, str, str, str, dict[str, Any], Expected]) -> Iterator[Case]:
    for name, sent, method, path, options, expected in rows:
        send = partial(request, world, app, method, path, **options)
        yield Case(app=app, name=name, sent=sent, send=send, expected=expected)


def for_both(
    world: World, apps: tuple[App, App], name: str, sent: str, *, token: str, expected: Expected
) -> Iterator[Case]:
    for app in apps:
        yield Case(app=app, name=name, sent=sent, send=partial(read, world, app, token), expected=expected)


def read(world: World, app: App, token: str) -> Answer:
    return request(world, app, "GET", app.path, headers=[bearer(token)])


def shake_hands(app: App, headers: list[tuple[str, str]]) -> Answer:
    try:
        with connect(app.url.replace("http", "ws", 1) + "/photos/live", additional_headers=headers, proxy=None):
            return Answer(status=101, headers=httpx2.Headers())
    except InvalidStatus as refused:
        return Answer(
            status=refused.response.status_code, headers=httpx2.Headers(list(refused.response.headers.raw_items()))
        )


def patiently(send: Callable[[], Answer]) -> Answer:
    """The first answer without Retry-After, or the last of a few; waits as long as each says."""
    answer, tries = send(), 1
    while tries < TRIES and "retry-after" in answer.headers:
        time.sleep(int(answer.headers["retry-after"]))
        answer, tries = send(), tries + 1
    return answer
