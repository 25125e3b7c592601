"""What the demo tries of revocation: tokens that were good are refused, each as soon as it can be known.

The issuers are told at their revocation endpoints (RFC 7009). The application learns of it when it asks again, from a
status list, or because its own user logs out.
"""

import time
from collections.abc import Iterator
from functools import partial

import httpx2

from examples.demo_lending_world import CLIENT, STATUS_TTL, Lending
from examples.demo_opaque_cases import loans, presented
from examples.demo_world import BAD_TOKEN, CANNOT_SAY, OK, Case, Expected, World, sent
from examples.lending import BELIEVED
from oauth_rs.devserver import DevServer, Drop
from oauth_rs.devserver.status_list import PATH

REVOKED = Expected(401, "Bearer", "invalid_token", shows=("The access token was revoked.",))
DONE = Expected(204)
NO_ID = Expected(403, "Bearer", "insufficient_scope")
SOON = max(BELIEVED, STATUS_TTL) + 0.2  # seconds until nothing that was known before is believed any more


def revocation_cases(world: World, lending: Lending) -> Iterator[Case]:
    yield from opaque_revocation_cases(world, lending)
    yield from status_cases(world, lending)
    yield from log_out_cases(world, lending)


def opaque_revocation_cases(world: World, lending: Lending) -> Iterator[Case]:
    """Opaque tokens, revoked by the client that they were issued to."""
    asked = {
        "introspection, plain": lending.library,
        "introspection, signed": lending.schools,
        "UserInfo, openid": lending.friends,
        "UserInfo, github": lending.hub,
    }
    headers = {what: presented(issuer, lending) for what, issuer in asked.items()}
    for app in lending.apps:
        for what in asked:
            yield loans(world, app, "before it is revoked", what, OK, headers=headers[what])
    for what, issuer in asked.items():
        revoke(world.http, issuer, next(iter(headers[what].values())).removeprefix("Bearer "))
    time.sleep(SOON)
    for app in lending.apps:
        for what in asked:
            yield loans(world, app, "revoked", what, BAD_TOKEN, headers=headers[what])


def status_cases(world: World, lending: Lending) -> Iterator[Case]:
    """JWTs whose issuer keeps a status list: it reaches those that were remembered too."""
    issuer = lending.library
    mint = partial(issuer.token, scope="loans", status=True)
    revoked, suspended = mint(), mint()
    elsewhere = {"status": {"status_list": {"idx": 0, "uri": "https://lists.example.com/1"}}}
    for app in lending.apps:
        yield loans(world, app, "status good", "first token", OK, token=revoked)
        yield loans(world, app, "status good", "second token", OK, token=suspended)
        yield loans(world, app, "status list of a stranger", "uri elsewhere", BAD_TOKEN, token=mint(claims=elsewhere))
    revoke(world.http, issuer, revoked)
    issuer.set_status(suspended, 2)
    time.sleep(SOON)
    for app in lending.apps:
        yield loans(world, app, "status invalid", "first token, revoked", REVOKED, token=revoked)
        yield loans(world, app, "status suspended", "second token", BAD_TOKEN, token=suspended)
        yield loans(world, app, "status good", "third token", OK, token=mint())
    issuer.set_status(suspended, 0)
    time.sleep(SOON)
    for app in lending.apps:
        yield loans(world, app, "status good again", "second token", OK, token=suspended)
    issuer.fault(PATH, Drop())
    time.sleep(SOON)
    for app, what, expected in (
        *((app, "last good list", OK) for app in lending.apps),
        *((app, "never fetched", CANNOT_SAY) for app in lending.stale),
    ):
        yield loans(world, app, "status list out of reach", what, expected, token=suspended)
    issuer.heal()


def log_out_cases(world: World, lending: Lending) -> Iterator[Case]:
    """What the application knows itself it need not be told."""
    for app in lending.apps:
        eve = f"eve of {app.name}"
        mint = partial(lending.library.token, scope="loans")
        first, second, other = mint(claims={"sub": eve}), mint(claims={"sub": eve}), mint(claims={"sub": "bob"})
        later = mint(claims={"sub": eve, "iat": int(time.time()) + 2})
        guest = lending.library.opaque_token(subject="bob", scope="loans")
        here, everywhere = "POST /log-out", "POST /log-out/everywhere"
        for kind, token in (("JWT", first), ("opaque", guest)):
            yield loans(world, app, "before the log-out", kind, OK, token=token)
            yield sent(world, app, here, kind, DONE, token=token, operation=here)
            yield loans(world, app, "logged out", kind, REVOKED, token=token)
        yield loans(world, app, "logged out", "another token of hers", OK, token=second)
        yield sent(world, app, everywhere, "another token of hers", DONE, token=second, operation=everywhere)
        yield loans(world, app, "logged out everywhere", "another token of hers", REVOKED, token=second)
        yield loans(world, app, "logged out everywhere", "token of another user", OK, token=other)
        yield loans(world, app, "logged in again", "token of later", OK, token=later)
        developer = presented(lending.hub, lending)
        yield sent(world, app, here, "token without an id", NO_ID, headers=developer, operation=here)


def revoke(http: httpx2.Client, issuer: DevServer, token: str) -> None:
    """The client gives up a token of its own."""
    http.post(f"{issuer.issuer}/revoke", data={"token": token}, auth=(CLIENT, "secret")).raise_for_status()
