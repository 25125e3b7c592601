"""What the demo tries of opaque tokens: introspection with plain and signed answers, user endpoints, and issuers that
are down, that refuse the application itself or that answer what they should not.
"""

import json
import time
from collections.abc import Iterator
from functools import partial

from examples.demo_lending_world import CLIENT, Lending
from examples.demo_world import (
    BAD_TOKEN,
    CANNOT_SAY,
    HOUR,
    MALFORMED,
    OK,
    App,
    Case,
    Expected,
    World,
    bearer,
    lacks,
    sent,
)
from examples.lending import FRIENDS, LIBRARY, SCHOOLS
from oauth_rs.devserver import Answer as Answers
from oauth_rs.devserver import DevServer, Drop, User

loans = partial(sent, operation="GET /loans")
OTHER_API = "https://other.example.com"
GUEST = Expected(200, shows=(f'"reader":"ada@{LIBRARY}"',))
PUPIL = Expected(200, shows=(f'"reader":"ada@{SCHOOLS}"',))
FRIEND = Expected(200, shows=(f'"name":"ada","reader":"ada@{FRIENDS}"',))
DEVELOPER = Expected(200, shows=(f'"name":"ada","reader":"{User("ada").number}@github.com"',))
NOT_READING = lacks("loans read:user")
NOT_OURS = Expected(401, "Bearer", "invalid_token", shows=("was not issued to this application",))
NO_PROVIDER = Expected(401, "Bearer", "invalid_token", shows=("issuer",))


def opaque_cases(world: World, lending: Lending) -> Iterator[Case]:
    for app in lending.apps:
        yield from introspection_cases(world, lending, app)
        yield from openid_cases(world, lending, app)
        yield from github_cases(world, lending, app)
        yield from answer_cases(world, lending, app)
    yield from refused_cases(world, lending)
    yield from down_cases(world, lending)


def introspection_cases(world: World, lending: Lending, app: App) -> Iterator[Case]:
    """The endpoint of the one issuer answers with JSON, that of the other with a JWT."""
    for kind, issuer, good in (("plain", lending.library, GUEST), ("signed", lending.schools, PUPIL)):
        mint = partial(issuer.opaque_token, subject="ada", scope="loans")
        unknown = f"{mint()[:3]}unknown"
        for name, token, expected in (
            ("good token", mint(), good),
            ("unknown token", unknown, BAD_TOKEN),
            ("expired", mint(claims={"exp": int(time.time()) - HOUR}), BAD_TOKEN),
            ("token for another API", mint(audience=OTHER_API), BAD_TOKEN),
            ("token for no API", mint(claims={"aud": None}), BAD_TOKEN),
            ("ID token", mint(claims={"token_use": "id"}), BAD_TOKEN),
            ("missing scope", mint(scope="profile"), NOT_READING),
        ):
            yield loans(world, app, name, f"introspection, {kind}", expected, token=token)
    more = lending.schools.opaque_token(subject="ada", scope="loans requests")
    name, operation = "scope not theirs to give", "GET /requests"
    yield sent(world, app, name, operation, lacks("requests"), token=more)
    yield loans(world, app, "no issuer's token", "Bearer xx_...", NO_PROVIDER, token="xx_unknown")  # noqa: S106 - nobody's


def openid_cases(world: World, lending: Lending, app: App) -> Iterator[Case]:
    """OpenID Connect has no way to ask for whom a token is: those of any application count."""
    mint = partial(lending.friends.opaque_token, subject="ada")
    for name, token, expected in (
        ("good token", mint(scope="openid"), FRIEND),
        ("another application's", mint(scope="openid", client_id="game"), FRIEND),
        ("unknown token", "fr_unknown", BAD_TOKEN),
        ("without scope openid", mint(scope="profile"), BAD_TOKEN),
    ):
        yield loans(world, app, name, "UserInfo, openid", expected, token=token)


def github_cases(world: World, lending: Lending, app: App) -> Iterator[Case]:
    mint = partial(lending.hub.opaque_token, subject="ada", scope="read:user")
    guest, good = lending.library.opaque_token(scope="loans"), mint()
    for name, headers, expected in (
        ("good token", {"Access-Token": good}, DEVELOPER),
        ("another application's", {"Access-Token": mint(client_id="game")}, NOT_OURS),
        ("unknown token", {"Access-Token": "gho_unknown"}, NOT_OURS),
        ("missing scope", {"Access-Token": mint(scope="gist")}, NOT_READING),
        ("in Authorization", dict([bearer(good)]), NO_PROVIDER),
        ("in both headers", {"Access-Token": good, **dict([bearer(good)])}, MALFORMED),
        ("token of another issuer", {"Access-Token": guest}, NO_PROVIDER),
    ):
        yield loans(world, app, name, "UserInfo, github", expected, headers=headers)


def answer_cases(world: World, lending: Lending, app: App) -> Iterator[Case]:
    """Answers that must not be believed, or that say nothing: no caller is let in, and none is told to go away."""
    active = json.dumps({"active": True, "sub": "root", "scope": "loans"})
    for name, issuer, path, fault in (
        ("answer not signed", lending.schools, "/introspect", Answers(200, active, content_type="application/json")),
        ("answer is a page", lending.library, "/introspect", Answers(200, "<p>Hello", content_type="text/html")),
        ("connection dropped", lending.library, "/introspect", Drop()),
        ("user unknown to the end", lending.friends, "/userinfo", Answers(200, "{}", content_type="application/json")),
        ("too many questions", lending.hub, "/github/user", Answers(403, "{}", content_type="application/json")),
    ):
        issuer.fault(path, fault)
        yield loans(world, app, name, path, CANNOT_SAY, headers=presented(issuer, lending))
        issuer.heal()


def refused_cases(world: World, lending: Lending) -> Iterator[Case]:
    """The application proves itself as it did until yesterday: nothing is known of any caller, and somebody must mend
    it. Tokens that say themselves what they mean go on being good.
    """
    for app in lending.stale:
        for name, issuer in (
            ("our secret is refused", lending.library),
            ("our key is refused", lending.schools),
            ("our secret is refused", lending.hub),
        ):
            yield loans(world, app, name, "credentials of yesterday", CANNOT_SAY, headers=presented(issuer, lending))
        reader = lending.library.token(scope="loans")
        yield loans(world, app, "JWT, nobody is asked", "credentials of yesterday", OK, token=reader)


def down_cases(world: World, lending: Lending) -> Iterator[Case]:
    issuers = {"schools": lending.schools, "friends": lending.friends, "hub": lending.hub}
    for issuer in issuers.values():
        issuer.stop()
    for app in lending.apps:
        for name, issuer in issuers.items():
            yield loans(world, app, "issuer down", f"a token of {name}", CANNOT_SAY, headers=presented(issuer, lending))
    for issuer in issuers.values():
        issuer.start()
    for app in lending.apps:
        for name, issuer in issuers.items():
            yield loans(world, app, "issuer back", f"a token of {name}", OK, headers=presented(issuer, lending))


def presented(issuer: DevServer, lending: Lending) -> dict[str, str]:
    """The header with a new token of `issuer`, which nobody has been asked about."""
    token = issuer.opaque_token(client_id=CLIENT, subject="ada", scope="loans read:user openid")
    return {"Access-Token": token} if issuer is lending.hub else dict([bearer(token)])
