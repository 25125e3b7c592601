"""What the cases of the demo have in common: the applications, the issuer, what was sent and what is expected."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx2

from oauth_rs.devserver import DevServer

SCOPES = "goals goals.write photos photos.print"
HOUR = 3600  # seconds
INTERNAL_LIFETIME = 2  # seconds of tokens for calls between applications: short, so that the demo sees some end
_MARKS = re.compile(r'["{}]')
_ERROR = re.compile(r'error="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An application that listens at `url`; reading `path` takes `scope`, a POST of JSON to `form` answers `posted`."""

    name: str
    url: str
    path: str
    scope: str
    form: str
    posted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The issuers, a client, and a function that starts both applications anew.

    The issuer knows the clients `demo`, whose secret is `secret`, and `press`, which signs with `rsa_key` (in PEM). The
    applications also take tokens of the issuer `partner`, and know a client `backup` with `client_secret` and one with
    `api_key`. The back ends that they call trust the issuer `internal`. `gateways` are the orders API on Flask and on
    Starlette.
    """

    issuer: DevServer
    partner: DevServer
    internal: DevServer
    http: httpx2.Client
    start: Callable[[], tuple[App, App]]
    gateways: tuple[App, App]
    rsa_key: str = field(repr=False)
    client_secret: str = field(repr=False)
    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: httpx2.Headers
    body: str = ""

    def challenge(self, scheme: str) -> str:
        """The challenge of `scheme`; "" where there is none, or more than one."""
        told = self.headers.get_list("www-authenticate")
        found = [challenge for challenge in told if challenge.split()[0] == scheme]
        return found[0] if len(found) == 1 else ""


@dataclass(frozen=True, slots=True)
class Expected:
    """A status, and what the challenge of `scheme` says: an error and a scope, or neither. Without `scheme` there is no
    challenge at all. A 503 comes with Retry-After instead. The body has all of `shows` in it, and nothing of `hides`.
    """

    status: int
    scheme: str = ""
    error: str = ""
    scope: str = ""
    shows: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()

    def met_by(self, answer: Answer) -> bool:
        challenge = answer.challenge(self.scheme)
        return (
            answer.status == self.status
            and all(text in answer.body for text in self.shows)
            and not any(text in answer.body for text in self.hides)
            and bool(challenge) == bool(self.scheme) == ("www-authenticate" in answer.headers)
            and _ERROR.findall(challenge) == [self.error] * bool(self.error)
            and f'scope="{self.scope}"' * bool(self.scope) in challenge
            and ("retry-after" in answer.headers) == (self.status == 503)  # noqa: PLR2004 - RFC 9110 section 15.6.4
        )

    @property
    def content(self) -> str:
        """What the body has in it and has not, as `shows name, age; hides credit`; "" where it may be any."""
        told = (("shows", self.shows), ("hides", self.hides))
        return "; ".join(f"{verb} {', '.join(map(plain, texts))}" for verb, texts in told if texts)


def plain(text: str) -> str:
    """`text` in one line, without quotes and braces."""
    return " ".join(_MARKS.sub("", text).split())


OK = Expected(200)
NOBODY = Expected(401, "Bearer")
MALFORMED = Expected(400, "Bearer", "invalid_request")
BAD_TOKEN = Expected(401, "Bearer", "invalid_token")
CANNOT_SAY = Expected(503)


def lacks(scope: str) -> Expected:
    return Expected(403, "Bearer", "insufficient_scope", scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    app: App
    name: str
    sent: str
    send: Callable[[], Answer]
    expected: Expected


def bearer(token: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {token}"


def request(world: World, app: App, method: str, path: str, **options: Any) -> Answer:
    response = world.http.request(method, app.url + path, **options)
    return Answer(status=response.status_code, headers=response.headers, body=response.text.replace('": ', '":'))


def sent(
    world: World,
    app: App,
    name: str,
    what: str,
    expected: Expected,
    *,
    operation: str = "",
    token: str = "",
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> Case:
    """A request for `operation`, or for `what` where that is one, with `headers` and with `token` in Authorization."""
    method, path = (operation or what).split()
    carried = {**dict([bearer(token)] if token else []), **(headers or {})}
    send = partial[Answer](request, world, app, method, path, headers=carried, **options)
    return Case(app=app, name=name, sent=what, send=send, expected=expected)
