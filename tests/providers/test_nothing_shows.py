"""No token and no secret of ours in a log record, an exception, a repr, a cache key, a URL or an answer."""

import json
import logging
import re
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from oauth_rs import OAuthError
from oauth_rs.client_auth import BearerToken, ClientAuth, ClientSecret, ClientSecretPost, PrivateKeyJWT
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Fetch, Run
from oauth_rs.providers import Provider
from oauth_rs.providers.introspection import IntrospectionProvider
from oauth_rs.providers.introspection_jwt import MEDIA_TYPE
from oauth_rs.providers.token_checks import TokenInfoCheck
from oauth_rs.providers.userinfo import UserInfoProvider, github
from tests.providers.asking import HTTP, SHELLS, guarded
from tests.providers.presenting import presented
from tests.support.issuing import API, Issuer
from tests.support.misbehaving import drops, silent, talks_nonsense
from tests.support.serving import ScriptedServer

TOKEN = "tk_that-nobody.may+see/0123=="
SECRET = "s3cret of ours & nobody else's"
HIDDEN = (TOKEN, quote(TOKEN, safe=""), SECRET, b64encode(f"api:{SECRET}".encode()).decode())
ASSERTION = re.compile(r"eyJ[\w-]+\.eyJ")
GOOD = {"active": True, "aud": API, "sub": "ada", "client_id": "api", "app": {"client_id": "api"}, "id": 7}
ANSWERS: list[Any] = [
    GOOD,
    {**GOOD, "active": False},
    {**GOOD, "active": TOKEN, "aud": TOKEN, "app": TOKEN, "id": None},
    {**GOOD, "exp": TOKEN, "expires_at": TOKEN},
    {**GOOD, "iss": TOKEN, "sub": [TOKEN], "scopes": {TOKEN: TOKEN}},
    {**GOOD, "cnf": {"jkt": TOKEN}},
    (200, {"Content-Type": MEDIA_TYPE}, Issuer().token(token=TOKEN).encode()),
    (200, {"Content-Type": MEDIA_TYPE}, TOKEN.encode()),
    (200, {"Content-Type": TOKEN}, f'{{"active": true, "token": "{TOKEN}", "token": "{TOKEN}"'.encode()),
    (200, {}, f"<html>{TOKEN}</html>".encode()),
    (200, {}, b"\xff" + TOKEN.encode()),
    *((status, {"X-Token": TOKEN}, json.dumps({"error": TOKEN}).encode()) for status in (400, 401, 403, 404, 422, 500)),
    (302, {"Location": f"/?token={TOKEN}"}, TOKEN.encode()),
    (200, {}, TOKEN.encode() * 10_000),
    silent,
    drops,
    talks_nonsense,
]
CLIENTS: dict[str, ClientAuth] = {
    "basic": ClientSecret("api", SECRET),
    "post": ClientSecretPost("api", SECRET),
    "bearer": BearerToken(TOKEN, "api"),
    "key": PrivateKeyJWT("api", Issuer().private_key),
}
Make = Callable[[str], Provider]


def introspecting(client: ClientAuth, **options: Any) -> Make:
    return lambda url: IntrospectionProvider(f"{url}/at", client=client, audience=API, timeout=0.2, **options)


def with_check(url: str) -> UserInfoProvider:
    check = TokenInfoCheck(f"{url}/at", client_id="api", timeout=0.2)
    return UserInfoProvider(f"{url}/user", check=check, fields={"sub": "id", "scope": "scopes"}, timeout=0.2)


PROVIDERS: dict[str, Make] = {
    **{name: introspecting(client) for name, client in CLIENTS.items()},
    "signed": introspecting(CLIENTS["basic"], keys=Issuer().keys(), issuer="https://id.example.com"),
    "check": with_check,
    "github": lambda url: github(ClientSecret("api", SECRET), api=url, timeout=0.2),
}
PATHS = ("/at", "/user", "/applications/api/token")


@pytest.mark.parametrize("make", PROVIDERS.values(), ids=PROVIDERS)
def test_nothing_shows_a_token_or_a_secret(web: ScriptedServer, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    http = BlockingHTTP(HTTP)
    for answer in ANSWERS:
        web.answers = dict.fromkeys(PATHS, answer)
        provider = make(web.url)
        shown += said_of(provider, http)
        for behind in SHELLS.values():
            reply = behind(guarded(make(web.url)), HTTP)(TOKEN)
            shown.append(f"{reply.status} {reply.headers} {reply.body!r}")
        shown += everything_in(provider)
    shown += [str(key) for flights in http._flights.values() for key in flights.of]
    shown += [path for path in web.hits if not path.startswith("/?")]
    shown += [f"{record.getMessage()} {record.__dict__}" for record in caplog.records if ours(record)]
    assert len(shown) > 10 * len(ANSWERS)
    for text in shown:
        assert not any(hidden in text for hidden in HIDDEN), text
        assert not ASSERTION.search(text), text


def ours(record: logging.LogRecord) -> bool:
    """Not what HTTP clients note of headers that servers send, when they are asked for everything."""
    return record.name.startswith("oauth_rs") or record.levelno > logging.DEBUG


def said_of(provider: Provider, http: BlockingHTTP) -> Iterator[str]:
    """What can be seen of a verdict: each thing that is asked for, the grant, the exception and those it came from."""
    for _ in range(2):  # once more where it is remembered
        seen: list[Fetch] = []
        try:
            yield repr(http.drive(Run(watched(provider.verify(presented(TOKEN)), seen))))
        except OAuthError as error:
            yield from chain(error)
            yield "".join(traceback.format_exception(error))
        yield from map(repr, seen)


def watched(flow: Any, seen: list[Fetch]) -> Any:
    answer = None
    while True:
        try:
            effect = flow.send(answer)
        except StopIteration as stop:
            return stop.value
        seen.append(effect)
        try:
            answer = yield effect
        except OAuthError as error:
            flow.throw(error)
            raise


def chain(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error!r} {error} {error.args} {vars(error)} {getattr(error, '__notes__', [])}"
        error = error.__cause__ or error.__context__


def everything_in(thing: Any, depth: int = 7) -> Iterator[str]:
    """The repr of `thing` and of its attributes, and the keys of its caches; not what the caches hold."""
    yield repr(thing)
    if depth == 0 or isinstance(thing, str | bytes | int | float | type):
        return
    if isinstance(thing, dict):
        yield from map(repr, thing)
        return
    if isinstance(thing, tuple | list | frozenset):
        for one in thing:
            yield from everything_in(one, depth - 1)
        return
    for name in {*getattr(thing, "__dict__", {}), *slots_of(thing)}:
        value = getattr(thing, name, None)
        if not callable(value) and name not in {"secret", "token"}:
            yield from everything_in(value, depth - 1)


def slots_of(thing: Any) -> Iterable[str]:
    return [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
