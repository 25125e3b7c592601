"""The cases of OAuth 1.0a: requests that requests-oauthlib and Authlib sign, and what becomes of them on the way."""

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx2
from authlib.integrations.requests_client import OAuth1Auth
from requests import PreparedRequest, Request, Response, Session
from requests_oauthlib import OAuth1, OAuth1Session

from examples.demo_world import HOUR, MALFORMED, OK, SCOPES, Answer, App, Case, Expected, World, bearer

UNREADABLE = Expected(400, "OAuth")
UNPROVED = Expected(401, "OAuth")
LACKS_SCOPE = Expected(403, "OAuth")  # RFC 5849 section 3.5.1: the challenge has the realm, and no more
QUERY = "?b=2&a=%20x&a=1&empty=&caf%C3%A9=%E2%98%83"
JSON = {"json": {"title": "Swim a mile"}}

Signer = dict[str, Any]
"""Options of requests-oauthlib's OAuth1."""


def oauth1_cases(world: World, app: App) -> Iterator[Case]:
    """Every case, for one application."""
    yield from good_cases(world, app)
    yield from stranger_cases(world, app)
    yield from tampered_cases(world, app)
    yield from replay_cases(world, app)
    yield from twin_cases(world, app)
    yield from three_legged_cases(world, app)


def good_cases(world: World, app: App) -> Iterator[Case]:
    hmac, rsa = demo(world), press(world)
    query, posted = {"signature_type": "query"}, Expected(app.posted)
    for sent, auth, method, path, options, expected in (
        ("HMAC-SHA1", OAuth1(**hmac), "GET", app.path, {}, OK),
        ("HMAC-SHA256", OAuth1(**hmac, signature_method="HMAC-SHA256"), "GET", app.path, {}, OK),
        ("RSA-SHA1", OAuth1(**rsa, signature_method="RSA-SHA1"), "GET", app.path, {}, OK),
        ("RSA-SHA256", OAuth1(**rsa, signature_method="RSA-SHA256"), "GET", app.path, {}, OK),
        ("GET with a query", OAuth1(**hmac), "GET", app.path + QUERY, {}, OK),
        ("HMAC-SHA1 in the query", OAuth1(**hmac, **query), "GET", app.path + QUERY, {}, OK),
        ("RSA-SHA1 in the query", OAuth1(**rsa, **query, signature_method="RSA-SHA1"), "GET", app.path, {}, OK),
        ("POST of JSON", OAuth1(**hmac), "POST", app.form, JSON, posted),
        ("POST with a body hash", OAuth1(**hmac, force_include_body=True), "POST", app.form, JSON, posted),
        ("two-legged", OAuth1("demo", "secret"), "GET", app.path, {}, OK),
        ("Authlib, HMAC-SHA1", authlib(hmac), "GET", app.path + QUERY, {}, OK),
        ("Authlib, in the query", authlib(hmac, signature_type="QUERY"), "GET", app.path + QUERY, {}, OK),
        ("Authlib, RSA-SHA1", authlib(rsa, signature_method="RSA-SHA1"), "GET", app.path, {}, OK),
        ("Authlib, body hash", authlib(hmac, force_include_body=True), "POST", app.form, JSON, posted),
    ):
        yield case(app, "signed", sent, signed(app.url + path, auth, method, **options), expected)


def stranger_cases(world: World, app: App) -> Iterator[Case]:
    """Requests that are as their clients signed them, and not good."""
    now, good = int(time.time()), demo(world)
    rsa = {"signature_method": "RSA-SHA1", "rsa_key": world.rsa_key}
    for name, sent, signer, expected in (
        ("unknown client", "client nobody", {**good, "client_key": "nobody"}, UNPROVED),
        ("unknown token", "token never issued", {**good, "resource_owner_key": "never"}, UNPROVED),
        ("another client's token", "client demo", demo(world, client_id="press"), UNPROVED),
        ("wrong client secret", "HMAC-SHA1", {**good, "client_secret": "guess"}, UNPROVED),
        ("wrong token secret", "HMAC-SHA1", {**good, "resource_owner_secret": "guess"}, UNPROVED),
        ("HMAC of an RSA client", "with its secret", {**press(world), "client_secret": "secret"}, UNPROVED),
        ("RSA of an HMAC client", "with a key of another", {**good, **rsa}, UNPROVED),
        ("PLAINTEXT", "the secrets themselves", {**good, "signature_method": "PLAINTEXT"}, UNREADABLE),
        ("stale", "an hour old", {**good, "timestamp": str(now - HOUR)}, UNPROVED),
        ("from the future", "an hour ahead", {**good, "timestamp": str(now + HOUR)}, UNPROVED),
        ("expired", "ended an hour ago", demo(world, expires_at=now - HOUR), UNPROVED),
        ("missing scope", "scope profile", demo(world, scope="profile"), LACKS_SCOPE),
    ):
        yield case(app, name, sent, signed(app.url + app.path, OAuth1(**signer)), expected)


def tampered_cases(world: World, app: App) -> Iterator[Case]:
    """Requests that were good when they were signed."""
    signer, url = demo(world), f"{app.url}{app.path}?a=1"
    for name, sent, change, expected in (
        ("tampered path", "/1 added", in_url("?", "/1?"), UNPROVED),
        ("tampered query", "a=1 made a=2", in_url("a=1", "a=2"), UNPROVED),
        ("tampered query", "a=1 added", in_url("?", "?a=1&"), UNPROVED),
        ("tampered signature", "a byte added", in_header('oauth_signature="', 'oauth_signature="A'), UNPROVED),
        ("tampered nonce", "a digit added", in_header('oauth_nonce="', 'oauth_nonce="1'), UNPROVED),
        ("tampered token", "a letter added", in_header('oauth_token="', 'oauth_token="A'), UNPROVED),
        ("duplicated parameter", "oauth_nonce twice", in_header("OAuth ", 'OAuth oauth_nonce="1", '), UNREADABLE),
        ("missing parameter", "no oauth_signature", in_header("oauth_signature=", "signature="), UNREADABLE),
        ("tampered method", "POST, signed as GET", to_post, UNPROVED),
    ):
        yield case(app, name, sent, change(signed(url, OAuth1(**signer))), expected)
    hashed = signed(app.url + app.form, OAuth1(**signer, force_include_body=True), "POST", **JSON)
    hashed.prepare_body(None, None, json={"title": "Sink"})
    yield case(app, "tampered body", "its hash is signed", hashed, UNPROVED)
    elsewhere = signed(url.replace("127.0.0.1", "localhost"), OAuth1(**signer))
    yield case(app, "for another host", "signed for localhost", in_url("localhost", "127.0.0.1")(elsewhere), UNPROVED)
    twice = signed(url, OAuth1(**signer, signature_type="query"))
    twice.headers.update([bearer(world.issuer.token(scope=SCOPES))])
    yield case(app, "two credentials", "OAuth 1.0a and Bearer", twice, MALFORMED)


def replay_cases(world: World, app: App) -> Iterator[Case]:
    for sent, options in (("in the header", {}), ("in the query", {"signature_type": "query"})):
        request = signed(app.url + app.path, OAuth1(**demo(world), **options))
        yield case(app, "sent once", sent, request, OK)
        yield case(app, "replayed", sent, request, UNPROVED)


def twin_cases(world: World, app: App) -> Iterator[Case]:
    """Of each other signer a request that is good once, its twin that was tampered with, and one that is stale."""
    hmac, rsa, url = demo(world), press(world), f"{app.url}{app.path}?a=1"
    sha2 = {**rsa, "signature_method": "RSA-SHA256"}
    for sent, on_time, late in (
        ("RSA-SHA256", OAuth1(**sha2), OAuth1(**sha2, timestamp=hour_ago())),
        ("Authlib, HMAC-SHA1", authlib(hmac), authlib(hmac, Late)),
        ("Authlib, RSA-SHA1", *(authlib(rsa, kind, signature_method="RSA-SHA1") for kind in (OAuth1Auth, Late))),
    ):
        request = signed(url, on_time)
        yield case(app, "tampered query", sent, in_url("a=1", "a=2")(signed(url, on_time)), UNPROVED)
        yield case(app, "sent once", sent, request, OK)
        yield case(app, "replayed", sent, request, UNPROVED)
        yield case(app, "stale", sent, signed(url, late), UNPROVED)


def three_legged_cases(world: World, app: App) -> Iterator[Case]:
    """The client asks the issuer for a token of ada's, and reads with it. Two of the answers are the issuer's."""
    oauth1 = f"{world.issuer.issuer}/oauth1"
    client = OAuth1Session("demo", "secret", callback_uri="https://app.example.com/back")
    client.trust_env = False
    temporary = client.fetch_request_token(f"{oauth1}/initiate", realm=[app.scope])
    page = client.authorization_url(f"{oauth1}/authorize", user="ada")
    verifier = client.parse_authorization_response(deliver(signed(page, None)).headers["location"])["oauth_verifier"]
    secrets = {"client_secret": "secret", "resource_owner_secret": temporary["oauth_token_secret"]}
    leg = {"client_key": "demo", "resource_owner_key": temporary["oauth_token"], **secrets}
    exchange = partial(signed, f"{oauth1}/token", method="POST")
    yield case(app, "three-legged", "verifier guessed", exchange(OAuth1(**leg, verifier="guess")), UNPROVED)
    yield case(app, "three-legged", "no token yet", signed(app.url + app.path, OAuth1(**leg)), UNPROVED)
    client.fetch_access_token(f"{oauth1}/token")
    yield case(app, "three-legged", "verifier used again", exchange(OAuth1(**leg, verifier=verifier)), UNPROVED)
    yield case(app, "three-legged", "token of ada", signed(app.url + app.path, client.auth), OK)
    unasked = signed(app.url + app.form, client.auth, "POST", **JSON)
    yield case(app, "three-legged", "a scope not asked for", unasked, LACKS_SCOPE)


def demo(world: World, **wishes: Any) -> Signer:
    """The client demo with a token of ada's for all scopes, or as `wishes` say."""
    token = world.issuer.oauth1_token(**{"client_id": "demo", "subject": "ada", "scope": SCOPES, **wishes})
    secrets = {"client_secret": "secret", "resource_owner_secret": token.secret}
    return {"client_key": "demo", "resource_owner_key": token.token, **secrets}


def press(world: World) -> Signer:
    """The client press, with the key that is all it may sign with."""
    token = world.issuer.oauth1_token(client_id="press", subject="ada", scope=SCOPES)
    return {"client_key": "press", "rsa_key": world.rsa_key, "resource_owner_key": token.token}


class Late(OAuth1Auth):  # type: ignore[misc]  # Authlib has no annotations
    """Authlib, an hour ago."""

    def get_oauth_params(self, nonce: str, _timestamp: str) -> Any:
        return super().get_oauth_params(nonce, hour_ago())


def hour_ago() -> str:
    return str(int(time.time()) - HOUR)


def authlib(signer: Signer, kind: type[OAuth1Auth] = OAuth1Auth, **options: Any) -> OAuth1Auth:
    """The same signer, for Authlib."""
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # it signs https URLs alone, otherwise
    names = {
        "client_key": "client_id",
        "resource_owner_key": "token",
        "resource_owner_secret": "token_secret",
    }
    return kind(**{names.get(name, name): value for name, value in signer.items()}, **options)


def signed(url: str, auth: Any, method: str = "GET", **options: Any) -> PreparedRequest:
    return Request(method, url, auth=auth, **options).prepare()


Change = Callable[[PreparedRequest], PreparedRequest]


def in_url(old: str, new: str) -> Change:
    def change(request: PreparedRequest) -> PreparedRequest:
        request.url = str(request.url).replace(old, new, 1)
        return request

    return change


def in_header(old: str, new: str) -> Change:
    def change(request: PreparedRequest) -> PreparedRequest:
        header: Any = request.headers["Authorization"]
        text = header if isinstance(header, str) else header.decode()
        request.headers["Authorization"] = text.replace(old, new, 1)
        return request

    return change


def to_post(request: PreparedRequest) -> PreparedRequest:
    request.method = "POST"
    request.prepare_content_length(None)
    return request


def case(app: App, name: str, sent: str, request: PreparedRequest, expected: Expected) -> Case:
    return Case(app=app, name=name, sent=sent, send=partial(answer, request), expected=expected)


def answer(request: PreparedRequest) -> Answer:
    response = deliver(request)
    # As urllib3 has them: requests makes one header of several.
    return Answer(status=response.status_code, headers=httpx2.Headers(list(response.raw.headers.items())))


def deliver(request: PreparedRequest) -> Response:
    with Session() as session:
        session.trust_env = False
        return session.send(request, allow_redirects=False)
