"""Finding an opaque token whose provider was asked a moment ago: against a JWT that was verified a moment ago.

As long as the JWT, for hashing takes half of the time; one as providers make them is beside.
"""

import json
from collections.abc import Callable, Iterator

from oauth_rs import Bearer, Grant
from oauth_rs.client_auth import ClientSecret
from oauth_rs.flow import Reply, Run
from oauth_rs.providers import Provider
from oauth_rs.providers.introspection import IntrospectionProvider
from oauth_rs.providers.userinfo import UserInfoProvider

from . import tokens
from .rows import Row, beside
from .timing import interleaved

AIM = 1.2
SHORT = "pt_" + "A" * 43
URL = "https://id.example.com/introspect"
Make = Callable[[], Provider]


def rows() -> Iterator[Row]:
    yield _row("introspected token cached / JWT cached", introspection)
    yield _row("token of a user endpoint cached / JWT cached", userinfo)


def introspection() -> Provider:
    return IntrospectionProvider(URL, client=ClientSecret("api", "secret"), audience=tokens.API)


def userinfo() -> Provider:
    return UserInfoProvider(URL, audience_unproved=True)


def _row(case: str, make: Make) -> Row:
    jwt = tokens.token("RS256")
    long = "A" * len(jwt)
    calls = {
        "jwt": tokens.check(tokens.bearer("RS256", cache_size=20_000), jwt),
        "long": tokens.check(asked(make(), long), long),
        "short": tokens.check(asked(make(), SHORT), SHORT),
    }
    samples = interleaved(calls)
    note = beside({f"{len(SHORT)} characters": samples.ratio("short", "jwt")})
    return Row(case=case, ratio=samples.ratio("long", "jwt"), aim=AIM, note=note)


def asked(provider: Provider, text: str) -> Bearer:
    """A scheme whose provider was asked about `text`, and told that it is good."""
    bearer = Bearer(provider)
    verdict = bearer.authenticate(tokens.REQUEST, text.encode(), tokens.SITE)
    if isinstance(verdict, Grant):
        raise TypeError("nobody was asked")
    run = Run(verdict)
    run.send(Reply(200, json.dumps({**tokens.claims(), "active": True}).encode()))
    if run.effect is not None:
        raise RuntimeError("one answer was not enough")
    return bearer
