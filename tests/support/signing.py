"""Requests signed with OAuth 1.0a as a client would, without the code under test."""

import hmac
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from oauth_rs import (
    DirectURL,
    Grant,
    MemoryReplay,
    OAuth1,
    OAuth1Client,
    OAuth1Token,
    OAuthError,
    StaticCredentials,
)
from oauth_rs.flow import ReadBody
from oauth_rs.request import Request
from oauth_rs.schemes import Site
from tests.support.issuing import private_key
from tests.support.playing import PlainRequest, started

NOW = 1_800_000_000
HOST = "api.example.com"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
CLIENT_ID, SECRET = "printer", "kd94hf93k423kf44"
TOKEN, TOKEN_SECRET = "nnch734d00sl2jdk", "pfkkdhi9sl3r4s00"
RSA_KEY = private_key("RS256", "oauth1")
CREDENTIALS = StaticCredentials(
    clients=[
        OAuth1Client(client_id=CLIENT_ID, secret=SECRET, rsa_key=RSA_KEY.public_key(), scopes=["status"]),
        OAuth1Client(client_id="scanner", secret=SECRET),
        OAuth1Client(client_id="vault", rsa_key=RSA_KEY.public_key()),
    ],
    tokens=[
        OAuth1Token(token=TOKEN, client_id=CLIENT_ID, secret=TOKEN_SECRET, subject="jane", scopes=["photos"]),
        OAuth1Token(token="vault-token", client_id="vault", secret=TOKEN_SECRET),
        OAuth1Token(token="over", client_id=CLIENT_ID, secret=TOKEN_SECRET, expires_at=NOW),
        OAuth1Token(token="nearly", client_id=CLIENT_ID, secret=TOKEN_SECRET, expires_at=NOW + 1),
    ],
)


@dataclass(frozen=True)
class Signed:
    """A request as it goes over the wire."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def request(self) -> PlainRequest:
        path, _, query = self.target.partition("?")
        headers, raw = self.headers, path.encode("latin-1")
        return PlainRequest(self.method, path, headers=headers, query=query.encode("latin-1"), raw_path=raw)

    @property
    def credentials(self) -> bytes:
        """What follows the scheme in `Authorization`."""
        return b"".join(self.request.header(b"authorization")).partition(b" ")[2]


def signed(
    method: str = "GET",
    target: str = "/photos",
    *headers: tuple[str, str],
    place: str = "header",
    form: str | None = None,
    body: bytes = b"",
    url: str = "",
    host: str = HOST,
    secret: str = SECRET,
    token_secret: str = TOKEN_SECRET,
    **changes: Any,
) -> Signed:
    """A request with a good signature in `place`, until told otherwise.

    `changes` are protocol parameters without their prefix; those that are None are left out. `url` is what is signed
    where that is not what the target and the host say.
    """
    protocol = {
        "consumer_key": CLIENT_ID,
        "token": TOKEN,
        "signature_method": "HMAC-SHA1",
        "timestamp": NOW,
        "nonce": "n1",
        **changes,
    }
    given = {f"oauth_{name}": str(value) for name, value in protocol.items() if value is not None}
    path, _, query = target.partition("?")
    sent = [*decoded(query), *decoded(form or ""), *((name.encode(), value.encode()) for name, value in given.items())]
    base = base_string(method, url or f"https://{host}{path}", sent)
    own = signature(given.get("oauth_signature_method", ""), base, f"{escaped(secret)}&{escaped(token_secret)}")
    if "signature" not in changes:
        given["oauth_signature"] = own
    encoded = "&".join(f"{name}={escaped(value)}" for name, value in given.items())
    if place == "header":
        listed = ", ".join(f'{name}="{escaped(value)}"' for name, value in given.items())
        headers = (*headers, ("Authorization", f"OAuth {listed}"))
    elif place == "query":
        target = f"{path}?{query}&{encoded}" if query else f"{path}?{encoded}"
    else:
        form = f"{form}&{encoded}" if form else encoded
    if form is not None:
        headers, body = (*headers, FORM), form.encode("latin-1")
    return Signed(method, target, (("Host", host), *headers), body)


def decoded(encoded: str) -> list[tuple[bytes, bytes]]:
    """The names and values of a query or a form."""
    split = [pair.replace("+", " ").partition("=") for pair in encoded.split("&") if pair]
    return [(unquote_to_bytes(one.encode("latin-1")), unquote_to_bytes(two.encode("latin-1"))) for one, _, two in split]


def base_string(method: str, url: str, sent: list[tuple[bytes, bytes]]) -> str:
    pairs = sorted((escaped(name), escaped(value)) for name, value in sent)
    normalized = "&".join(f"{name}={value}" for name, value in pairs)
    return f"{escaped(method)}&{escaped(url.encode('latin-1'))}&{escaped(normalized)}"


def signature(method: str, base: str, key: str) -> str:
    """The signature of `base` with `key`, or with RSA_KEY."""
    if method.startswith("RSA"):
        hashed: Any = SHA256() if method.endswith("256") else SHA1()  # noqa: S303 - what old clients use
        return b64encode(RSA_KEY.sign(base.encode(), PKCS1v15(), hashed)).decode()
    if method == "PLAINTEXT":
        return key
    return b64encode(hmac.digest(key.encode(), base.encode(), "sha256" if method.endswith("256") else "sha1")).decode()


def escaped(text: str | bytes) -> str:
    return quote(text, safe="")


def scheme(**options: Any) -> OAuth1:
    """The scheme, at NOW, with CREDENTIALS."""
    return OAuth1(options.pop("credentials", CREDENTIALS), **{"clock": lambda: NOW, **options})


def site(**options: Any) -> Site:
    """A site where nothing has been used up."""
    return Site(options.get("url", DirectURL(hosts=[HOST])), options.get("replay", MemoryReplay()))


def grant_of(oauth1: OAuth1, sent: Signed, where: Site | None = None, request: Request | None = None) -> Grant:
    """What `oauth1` decides of `sent`, or of `request`; it gets the body when it asks for it."""
    run = started(oauth1.authenticate(request or sent.request, sent.credentials, where or site()))
    while run.effect is not None:
        assert isinstance(run.effect, ReadBody)
        run.send(sent.body if len(sent.body) <= run.effect.limit else None)
    return run.result


def refused(oauth1: OAuth1, sent: Signed, where: Site | None = None, request: Request | None = None) -> OAuthError:
    """The refusal of `sent`."""
    with pytest.raises(OAuthError) as caught:
        grant_of(oauth1, sent, where, request)
    assert caught.value.scheme == "OAuth1"
    return caught.value


def reason(oauth1: OAuth1, sent: Signed, where: Site | None = None, request: Request | None = None) -> str:
    """Why `oauth1` refuses `sent`."""
    return refused(oauth1, sent, where, request).reason
