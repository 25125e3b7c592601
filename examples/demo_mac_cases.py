"""The cases of OAuth 2.0 MAC: requests that oauthlib's client signs (drafts -00 and -01), and those of -05 by hand."""

import hmac
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any

from oauthlib.oauth2.rfc6749.tokens import prepare_mac_header

from examples.demo_world import HOUR, MALFORMED, OK, SCOPES, Answer, App, Case, Expected, World, request
from oauth_rs import MACKey

JSON = '{"title": "Swim a mile"}'
BAD_MAC = Expected(401, "MAC", "The MAC is not good.")
BAD_TIME = Expected(401, "MAC", "The timestamp is too far from the time here.")
BAD_BODY = Expected(401, "MAC", "The body is not the one that was signed.")
REPLAYED = Expected(401, "MAC", "The request was received before.")
EXPIRED = Expected(401, "MAC", "The MAC credentials have expired.")
REPEATED = Expected(401, "MAC", "An attribute of the MAC credentials is there more than once.")
MISSING = Expected(401, "MAC", "An attribute of the MAC credentials is missing.")
BAD_TOKEN = Expected(401, "MAC", "The access token does not come with a MAC key.")
LACKS_SCOPE = Expected(403, "MAC", "The grant does not cover this operation.")


def mac_cases(world: World, app: App) -> Iterator[Case]:
    """Every case, for one application."""
    yield from good_cases(world, app)
    yield from stranger_cases(world, app)
    yield from tampered_cases(world, app)
    yield from token_cases(world, app)


def good_cases(world: World, app: App) -> Iterator[Case]:
    sha1, sha2 = ada(world, algorithm="hmac-sha-1"), ada(world)
    query, posted = f"{app.path}?b=1&a=2&a=%20", Expected(app.posted)
    for sent, key, method, path, options, expected in (
        ("draft -00, hmac-sha-1", sha1, "GET", query, {"draft": 0}, OK),
        ("draft -00, hmac-sha-256", sha2, "GET", query, {"draft": 0}, OK),
        ("draft -00, body hash", sha2, "POST", app.form, {"draft": 0, "body": JSON}, posted),
        ("draft -01, hmac-sha-1", sha1, "GET", query, {"draft": 1}, OK),
        ("draft -01, hmac-sha-256", sha2, "GET", query, {"draft": 1}, OK),
        ("draft -01, with ext", sha2, "GET", query, {"draft": 1, "ext": "a,b=c"}, OK),
        ("draft -01, POST of JSON", sha2, "POST", app.form, {"draft": 1}, posted),
    ):
        header = by_oauthlib(app, key, method, path, **options)
        send = sending(world, app, header, method=method, path=path)
        yield Case(app=app, name="signed", sent=sent, send=send, expected=expected)


def stranger_cases(world: World, app: App) -> Iterator[Case]:
    """Requests that are as their clients signed them, and not good."""
    key, now = ada(world), int(time.time())
    sign = partial(by_oauthlib, app, method="GET", path=app.path)
    stamp = partial(by_hand, app, key.kid, text(key))
    for name, sent, header, expected in (
        ("unknown key", "id nobody", sign(MACKey(kid="nobody", key=key.key)), BAD_MAC),
        ("wrong key", "a guess", sign(MACKey(kid=key.kid, key="guess")), BAD_MAC),
        ("wrong algorithm", "hmac-sha-1", sign(MACKey(kid=key.kid, key=key.key, algorithm="hmac-sha-1")), BAD_MAC),
        ("stale", "an hour old", stamp(ts=now - HOUR), BAD_TIME),
        ("from the future", "an hour ahead", stamp(ts=now + HOUR), BAD_TIME),
        ("from the future", "draft -00", sign(key, draft=0, ahead=HOUR), BAD_TIME),
        ("expired", "ended an hour ago", sign(ada(world, expires_at=now - HOUR)), EXPIRED),
        ("missing scope", "scope profile", sign(ada(world, scope="profile")), LACKS_SCOPE),
    ):
        yield Case(app=app, name=name, sent=sent, send=sending(world, app, header), expected=expected)


def tampered_cases(world: World, app: App) -> Iterator[Case]:
    """Requests that were good when they were signed, and one that is good once."""
    key, path = ada(world), f"{app.path}?a=1"
    header = by_oauthlib(app, key, "GET", path)
    aged = by_oauthlib(app, key, "GET", path, draft=0)
    hashed = by_oauthlib(app, key, "POST", app.form, draft=0, body=JSON)
    elsewhere = by_oauthlib(app, key, "GET", "https://other.example.com" + path)
    for name, sent, method, target, tampered, expected in (
        ("tampered method", "POST, signed as GET", "POST", path, header, BAD_MAC),
        ("tampered path", "/1 added", "GET", f"{app.path}/1?a=1", header, BAD_MAC),
        ("tampered query", "a=1 made a=2", "GET", f"{app.path}?a=2", header, BAD_MAC),
        ("tampered MAC", "a letter added", "GET", path, header.replace(' mac="', ' mac="A'), BAD_MAC),
        ("tampered nonce", "a digit added", "GET", path, header.replace('nonce="', 'nonce="1'), BAD_MAC),
        ("tampered body", "its hash is signed", "POST", app.form, hashed, BAD_BODY),
        ("for another host", "signed for another API", "GET", path, elsewhere, BAD_MAC),
        ("duplicated attribute", "nonce twice", "GET", path, f'{header}, nonce="1"', REPEATED),
        ("missing attribute", "no mac", "GET", path, header.partition(", mac=")[0], MISSING),
        ("sent once", "draft -01", "GET", path, header, OK),
        ("replayed", "draft -01", "GET", path, header, REPLAYED),
        ("tampered query", "draft -00", "GET", f"{app.path}?a=2", aged, BAD_MAC),
        ("sent once", "draft -00", "GET", path, aged, OK),
        ("replayed", "draft -00", "GET", path, aged, REPLAYED),
    ):
        send = sending(world, app, tampered, method=method, path=target, body="{}")
        yield Case(app=app, name=name, sent=sent, send=send, expected=expected)
    # Two Authorization headers are one where WSGI hands them over, and that one is malformed.
    send = sending(world, app, by_oauthlib(app, key, "GET", path), path=f"{path}&oauth_signature=x")
    yield Case(app=app, name="two credentials", sent="MAC and OAuth 1.0a", send=send, expected=MALFORMED)


def token_cases(world: World, app: App) -> Iterator[Case]:
    """Draft -05: the key comes in an access token, which is shown the first time."""
    asked = {"grant_type": "client_credentials", "token_type": "mac", "scope": app.scope}
    reply = world.http.post(f"{world.issuer.issuer}/token", data=asked, auth=("demo", "secret")).json()
    kid, secret, token, now = reply["kid"], reply["mac_key"], reply["access_token"], int(time.time())
    sign = partial(by_hand, app, kid, secret)
    first, later = sign(ts=now, token=token), sign(ts=now + 1)
    for name, sent, header, expected in (
        ("MAC token", "draft -05, with its key", first, OK),
        ("MAC token", "draft -05, kid alone", later, OK),
        ("MAC token", "ts in milliseconds", sign(ts=now * 1000, token=token), OK),
        ("replayed", "draft -05", later, REPLAYED),
        ("stale", "draft -05", sign(ts=now - HOUR, token=token), BAD_TIME),
        ("tampered timestamp", "draft -05", later.replace(f'ts="{now + 1}"', f'ts="{now + 2}"'), BAD_MAC),
        ("wrong key", "draft -05", by_hand(app, kid, "guess", ts=now, token=token), BAD_MAC),
        ("token without a key", "draft -05", sign(ts=now, token=world.issuer.token(scope=SCOPES)), BAD_TOKEN),
    ):
        yield Case(app=app, name=name, sent=sent, send=sending(world, app, header), expected=expected)
    written = sign(ts=now, token=token, method="POST", path=app.form)
    send = sending(world, app, written, method="POST", path=app.form)
    yield Case(app=app, name="missing scope", sent="draft -05", send=send, expected=LACKS_SCOPE)


def ada(world: World, **wishes: Any) -> MACKey:
    """A key of ada's for all scopes, or as `wishes` say."""
    return world.issuer.mac_key(**{"client_id": "demo", "subject": "ada", "scope": SCOPES, **wishes})


def text(key: MACKey) -> str:
    return key.key if isinstance(key.key, str) else key.key.decode()


def by_oauthlib(
    app: App,
    key: MACKey,
    method: str,
    path: str,
    *,
    draft: int = 1,
    body: str | None = None,
    ext: str = "",
    ahead: float = 0,
) -> str:
    """The header of draft -00 or -01, as made now; of -00 also `ahead` of now, in seconds."""
    issued = datetime.fromtimestamp(key.issued_at or 0)  # noqa: DTZ006 - oauthlib counts from local time
    signed: dict[str, str] = prepare_mac_header(
        key.kid,
        path if "://" in path else app.url + path,
        text(key),
        method,
        hash_algorithm="hmac-sha-1" if key.algorithm == "HMAC-SHA1" else "hmac-sha-256",
        issue_time=issued - timedelta(seconds=ahead),
        body=body,
        ext=ext,
        draft=draft,
    )
    return signed["Authorization"]


def by_hand(app: App, kid: str, key: str, *, ts: int, token: str = "", method: str = "GET", path: str = "") -> str:
    """The header of draft -05."""
    host = app.url.partition("://")[2]
    string = f"{method} {path or app.path} HTTP/1.1\n{host}\n{ts}\n"
    mac = b64encode(hmac.digest(key.encode(), string.encode(), sha256)).decode()
    shown = f'access_token="{token}", ' if token else ""
    return f'MAC kid="{kid}", ts="{ts}", {shown}h="host", mac="{mac}"'


def sending(
    world: World, app: App, header: str, *, method: str = "GET", path: str = "", body: str = JSON
) -> Callable[[], Answer]:
    headers = {"Authorization": header, "Content-Type": "application/json"}
    options = {"content": body} if method == "POST" else {}
    return partial(request, world, app, method, path or app.path, headers=headers, **options)
