"""What the demo tries of calls that the lending library makes: for a caller, whose token is traded for another (RFC
8693), and for itself, with a refresh token.

It proves itself to the issuer of the one with a JWT of its own (RFC 7523), to that of the other with a secret.
"""

import time
from collections.abc import Iterator
from functools import partial

from examples.demo_lending_world import CLIENT, UNION_LIFETIME, Lending
from examples.demo_opaque_cases import loans
from examples.demo_revocation_cases import revoke
from examples.demo_world import BAD_TOKEN, CANNOT_SAY, OK, Case, Expected, World, lacks, sent
from oauth_rs.devserver import Drop

OWED = Expected(200, shows=(f'"owes":3,"reader":"ada","through":"{CLIENT}"',))
REVOKED = Expected(401, "Bearer", "invalid_token", shows=("The access token is not active.",))
EXPIRED = Expected(401, "Bearer", "invalid_token", shows=("The access token has expired.",))
LISTED = Expected(200, shows=(f'"account":"{CLIENT}","requests":["Ars Magna"',))
NO_ANSWER = Expected(502)
PAUSE = UNION_LIFETIME + 0.2  # seconds until a token for the catalogue is over; after a failure nobody asks for 1 s


def exchange_cases(world: World, lending: Lending) -> Iterator[Case]:
    yield from caller_cases(world, lending)
    yield from account_cases(world, lending)


def caller_cases(world: World, lending: Lending) -> Iterator[Case]:
    issuer = lending.library
    fees = partial(sent, world, operation="GET /fees")

    def jwt(scope: str = "fees loans", *, lasts: int = 600) -> str:
        return issuer.token(client_id=CLIENT, scope=scope, claims={"sub": "ada", "exp": int(time.time()) + lasts})

    for app in lending.apps:
        good, opaque = jwt(), issuer.opaque_token(subject="ada", scope="fees")
        # Within the 60 s that clocks may differ it is still good here, but nothing is to be had for it any more.
        over = jwt(lasts=-10)
        school = lending.schools.opaque_token(subject="ada", scope="loans fees")
        for name, what, expected, token in (
            ("token exchanged", "JWT", OWED, good),
            ("token exchanged", "JWT, the same again", OWED, good),
            ("token exchanged", "opaque", OWED, opaque),
            ("not exchanged", "missing scope", lacks("fees"), jwt("loans")),
            ("not exchanged", "just expired", EXPIRED, over),
            ("not exchanged", "of another issuer", lacks("fees"), school),
        ):
            yield fees(app, name, what, expected, token=token)
        gone = jwt()
        revoke(world.http, issuer, gone)
        yield loans(world, app, "revoked, nobody was asked", "JWT without a status", OK, token=gone)
        yield fees(app, "revoked, not exchanged", "JWT without a status", REVOKED, token=gone)
        issuer.fault("/token", Drop())
        yield fees(app, "issuer drops connections", "another caller", CANNOT_SAY, token=jwt())
        yield fees(app, "issuer drops connections", "token kept", OWED, token=good)
        issuer.heal()
    for app in lending.stale:
        yield fees(app, "our key is refused", "credentials of yesterday", CANNOT_SAY, token=jwt())
    yield fees(lending.fees, "back end itself", "the caller's own token", BAD_TOKEN, token=jwt())


def account_cases(world: World, lending: Lending) -> Iterator[Case]:
    """An account of the library at another API, to which it was given a refresh token: each is good once."""
    token = lending.library.token(scope="requests")

    def listed(name: str, what: str, expected: Expected) -> Iterator[Case]:
        for app in lending.apps:
            yield sent(world, app, name, what, expected, token=token, operation="GET /requests")

    yield from listed("refresh token", "first token", LISTED)
    time.sleep(PAUSE)
    yield from listed("refresh token", "after its lifetime", LISTED)
    for account in lending.accounts:
        revoke(world.http, lending.union, account.refresh_token)
    time.sleep(PAUSE)
    yield from listed("refresh token revoked", "after its lifetime", NO_ANSWER)
    for account in lending.accounts:
        account.save(lending.union.refresh_token(scope="requests"))
    time.sleep(PAUSE)
    yield from listed("connected anew", "another refresh token", LISTED)
    lending.union.stop()
    time.sleep(PAUSE)
    yield from listed("issuer down", "after its lifetime", CANNOT_SAY)
    lending.union.start()
    for app in lending.stale:
        yield sent(
            world, app, "our secret is refused", "refresh token", CANNOT_SAY, token=token, operation="GET /requests"
        )
