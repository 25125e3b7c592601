"""Reads the examples of OAuth 2.0 MAC (draft-ietf-oauth-v2-http-mac-00 to -05), and Wycheproof's of HMAC-SHA-1.

Every request goes through a whole server that knows its key. Where the drafts print no MAC, one is made here.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from oauth_rs import Bearer, MACKey, ResourceServer, SignatureMethod, StaticCredentials
from oauth_rs.errors import InvalidToken, MissingCredentials, OAuthError
from oauth_rs.mac_string import mac_of, same, string_00, string_02, string_05
from oauth_rs.replay import MemoryReplay
from oauth_rs.schemes.mac import MAC
from oauth_rs.urls import FixedURL
from tests.support.issuing import Issuer, encode
from tests.support.playing import PlainRequest

from .cases import Case, Expected, let_through, when

JsonObject = Mapping[str, Any]
_KID, _KEY, _NOW = "h480djs93hd8", "489dks293j39", 1_336_363_200  # of the drafts' first example
_NAMED = re.compile(r' k?id="([^"]+)"')
_STAMPED = re.compile(r' ts="([0-9]+)"')
_AGED = re.compile(r' nonce="([0-9]+):')
_SENTENCE = re.compile(r'error="([^"]+)"')
_SHA1_BITS = 160


def mac(document: JsonObject) -> Iterator[Case]:
    """oauth2_mac_drafts.json."""
    for vector in document["vectors"]:
        yield from _KINDS[vector["kind"]](vector["id"], vector)


def hmac_sha1(document: JsonObject) -> Iterator[Case]:
    """hmac_sha1_test.json: only whole tags are any good."""
    for group in document["testGroups"]:
        for test in group["tests"]:
            good = group["tagSize"] == _SHA1_BITS and test["result"] == "valid"
            yield Case(id=str(test["tcId"]), expected=when(good), attempt=partial(_is_tag, test))


def _is_tag(test: JsonObject) -> bool:
    key, text, tag = (bytes.fromhex(test[name]) for name in ("key", "msg", "tag"))
    return same(b64encode(tag).decode(), mac_of(SignatureMethod.HMAC_SHA1, key, text.decode("latin-1")))


def _mac(name: str, vector: JsonObject) -> Iterator[Case]:
    """-00 to -02: a request, its string and its MAC; `verified` is False for a MAC that is printed wrongly."""
    inputs, expected, good = vector["inputs"], vector["expected"], when(vector["verified"])
    made, presented = _string(inputs, expected), expected["mac"]
    method = SignatureMethod(inputs["mac_algorithm"])
    yield _right(f"{name} string", lambda: made == expected["normalized_string"])
    yield Case(
        id=f"{name} MAC", expected=good, attempt=lambda: same(presented, mac_of(method, inputs["mac_key"], made))
    )
    fields = {"id": _KID, "ts": inputs.get("ts", ""), "nonce": inputs["nonce"], "ext": inputs["ext"], "mac": presented}
    header = inputs["headers"]["Authorization"] if "headers" in inputs else _header(fields)
    ask = partial(
        _granted, header, inputs["method"], inputs["request_uri"], key=inputs["mac_key"], algorithm=method.value
    )
    origin = f"{'https' if inputs['port'] == '443' else 'http'}://{inputs['host']}:{inputs['port']}"
    body = inputs.get("body") or ""
    yield Case(id=name, expected=good, attempt=lambda: ask(origin=origin, body=body))
    yield _refused(f"{name} at another port", lambda: ask(origin=f"http://{inputs['host']}:8080", body=body))
    if expected.get("bodyhash"):
        yield _refused(f"{name} with another body", lambda: ask(origin=origin, body="another body"))


def _string(inputs: JsonObject, expected: JsonObject) -> str:
    fields = {name: inputs[name] for name in ("nonce", "method", "host", "port", "ext")}
    if inputs["draft"] == 0:
        return string_00(**fields, target=inputs["request_uri"], bodyhash=expected["bodyhash"])
    return string_02(**fields, target=inputs["request_uri"], ts=inputs["ts"])


def _input_string(name: str, vector: JsonObject) -> Iterator[Case]:
    """-03 to -05 print a string without a MAC, and not as their prose has it: clients do either."""
    inputs, printed = vector["inputs"], vector["expected"]["input_string"]
    method, target, _ = inputs["request_line"].split(" ")
    stamp, values = inputs["ts"], [inputs["headers"]["Host"]]
    make = partial(string_05, ts=stamp, method=method, target=target, values=values)
    yield _right(f"{name} string", lambda: make(ts_first=True) == printed)
    prose = f"{inputs['request_line']}\n{values[0]}\n{stamp}\n"
    without_host = f"{inputs['request_line']}\n{stamp}\n"
    for which, text in (("as printed", printed), ("as in the prose", prose), ("without the host", without_host)):
        fields = {"kid": inputs["kid"], "ts": stamp, "h": inputs["h"], "mac": _made(text, "sha1")}
        attempt = partial(_granted, _header(fields), method, target, body=inputs["body"])
        yield Case(id=f"{name} {which}", expected=when(text != without_host), attempt=attempt)


def _token(name: str, vector: JsonObject) -> Iterator[Case]:
    """-05 section 4.3: the key is in the access token, of which only the claims are printed."""
    claims = vector["inputs"]["claims"]
    now = claims["exp"] - 600
    issuer = Issuer(issuer=claims["iss"])
    token = issuer.sign({"typ": "at+jwt", "alg": issuer.algorithm, "kid": issuer.kid}, encode(claims))
    provider = issuer.provider(audience=claims["aud"], required=(), clock=lambda: now)
    scheme = MAC(tokens=provider, clock=lambda: now)
    text = f"GET / HTTP/1.1\nexample.com\n{now}\n"
    fields = {"kid": claims["kid"], "ts": str(now), "access_token": token}
    good = _header({**fields, "mac": _made(text, "sha256", claims["mac_key"])})
    other = _header({**fields, "mac": _made(text, "sha256", _KEY)})
    yield _right(name, lambda: _at(scheme, _request(good)))
    yield _refused(f"{name} with another key", lambda: _at(scheme, _request(other)))
    bearer = ResourceServer(Bearer(provider))
    yield _refused(
        f"{name} as a bearer token",
        lambda: let_through(bearer, PlainRequest(headers={"Authorization": f"Bearer {token}"})),
    )


def _challenges(name: str, vector: JsonObject) -> Iterator[Case]:
    expected = vector["expected"]
    (failed,) = expected["failed"]["www_authenticate"]
    sentence = _SENTENCE.findall(failed)[0]
    yield _right(
        f"{name} no credentials", lambda: _answer(MissingCredentials("none", "")) == expected["no_credentials"]
    )
    yield _right(
        f"{name} failed", lambda: _answer(InvalidToken("expired", sentence, scheme="MAC")) == expected["failed"]
    )


def _answer(error: OAuthError) -> JsonObject:
    server = ResourceServer(MAC(StaticCredentials()), url=FixedURL("http://example.com"), replay=MemoryReplay())
    refusal = server.refuse(error)
    values = [value for header, value in refusal.headers if header == "WWW-Authenticate"]
    return {"status": refusal.status, "www_authenticate": values}


def _reject(name: str, vector: JsonObject) -> Iterator[Case]:
    inputs = vector["inputs"]
    header = inputs["headers"]["Authorization"]
    yield _refused(name, lambda: _granted(header, inputs["method"], inputs["request_uri"]))


_KINDS: Mapping[str, Callable[[str, JsonObject], Iterator[Case]]] = {
    "mac": _mac,
    "mac-input-string": _input_string,
    "mac-token": _token,
    "http-response-example": _challenges,
    "mac-reject": _reject,
}


def _right(name: str, attempt: Callable[[], bool]) -> Case:
    return Case(id=name, expected=Expected.ACCEPT, attempt=attempt)


def _refused(name: str, attempt: Callable[[], bool]) -> Case:
    return Case(id=name, expected=Expected.REFUSE, attempt=attempt)


def _granted(
    header: str,
    method: str,
    target: str,
    *,
    origin: str = "http://example.com",
    key: str = _KEY,
    algorithm: str = "hmac-sha-1",
    body: str = "",
) -> bool:
    """True when a server that knows the key that `header` names, at the time it names, lets the request through."""
    named, stamped, aged = (expression.search(header) for expression in (_NAMED, _STAMPED, _AGED))
    now = int(stamped[1]) if stamped else _NOW
    known = MACKey(
        kid=named[1] if named else _KID, key=key, algorithm=algorithm, issued_at=now - int(aged[1]) if aged else None
    )
    scheme = MAC(StaticCredentials(mac_keys=[known]), clock=lambda: now)
    return _at(scheme, _request(header, method, target, origin.partition("://")[2]), origin, body)


def _request(header: str, method: str = "GET", target: str = "/", host: str = "example.com") -> PlainRequest:
    path, _, query = target.partition("?")
    return PlainRequest(method, path, headers={"Authorization": header, "Host": host}, query=query.encode())


def _at(scheme: MAC, request: PlainRequest, origin: str = "http://example.com", body: str = "") -> bool:
    return let_through(ResourceServer(scheme, url=FixedURL(origin), replay=MemoryReplay()), request, body.encode())


def _made(text: str, algorithm: str, key: str = _KEY) -> str:
    return b64encode(hmac.digest(key.encode(), text.encode(), algorithm)).decode()


def _header(fields: Mapping[str, str]) -> str:
    return "MAC " + ", ".join(f'{name}="{value}"' for name, value in fields.items() if value)
