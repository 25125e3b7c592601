"""OAuth 1.0a from outside: what real clients sign, what others send, in applications of Flask and Starlette."""

import logging
import re
import time
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha1
from itertools import product
from typing import Any, cast
from urllib.parse import unquote_to_bytes, urlencode, urlsplit

import pytest
import requests
import requests_oauthlib
from authlib.integrations.requests_client import OAuth1Auth
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask
from flask import request as flask_request
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oauthlib.oauth1 import Client
from oauthlib.oauth1.rfc5849.utils import parse_authorization_header
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from oauth_rs import (
    Bearer,
    DirectURL,
    FormField,
    FunctionCredentials,
    Grant,
    MemoryReplay,
    OAuth1,
    OAuth1Client,
    OAuth1Token,
    OAuthError,
    ResourceServer,
    StaticCredentials,
    Unavailable,
    flask,
    starlette,
)
from oauth_rs.flow import Flow
from oauth_rs.schemes import Site
from oauth_rs.schemes.bearer import AUTHORIZATION
from tests.support.calling import Answer, call_asgi, call_wsgi
from tests.support.costing import cost
from tests.support.issuing import Issuer
from tests.support.playing import PlainRequest, started
from tests.support.signing import (
    CLIENT_ID,
    CREDENTIALS,
    FORM,
    HOST,
    NOW,
    RSA_KEY,
    SECRET,
    TOKEN,
    TOKEN_SECRET,
    Signed,
    decoded,
    grant_of,
    reason,
    refused,
    scheme,
    signed,
    site,
)

JSON = ("Content-Type", "application/json")
PLACES = ["header", "query", "form"]
BEARER = ("Authorization", f"Bearer {Issuer().token()}")


def body_hash(body: bytes) -> str:
    return b64encode(sha1(body).digest()).decode()  # noqa: S324 - what clients send


# Applications

Ask = Callable[[Signed], Answer]
Serve = Callable[[ResourceServer], Ask]


def with_flask(server: ResourceServer) -> Ask:
    app = Flask(__name__)
    flask.protect(app, server)

    @app.route("/photos", methods=["GET", "POST", "PUT"])
    @flask.requires()
    def photos() -> bytes:
        return flask.current_grant.subject.encode() + b"|" + flask_request.get_data()

    def ask(sent: Signed) -> Answer:
        environ: dict[str, Any] = {"wsgi.url_scheme": "https", "RAW_URI": sent.target}
        return call_wsgi(app, sent.method, sent.target, sent.headers, sent.body, **environ)

    return ask


def with_starlette(server: ResourceServer) -> Ask:
    @starlette.requires()
    async def photos(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.state.grant.subject.encode() + b"|" + await request.body())

    app = Starlette(routes=[Route("/photos", photos, methods=["GET", "POST", "PUT"])])
    starlette.protect(app, server)
    return lambda sent: call_asgi(app, sent.method, sent.target, sent.headers, sent.body, scheme="https")


SERVED: dict[str, Serve] = {"flask": with_flask, "starlette": with_starlette}


@pytest.fixture(params=SERVED)
def serve(request: pytest.FixtureRequest) -> Serve:
    return SERVED[request.param]


def server(*more: Any, replay: MemoryReplay | None = None, **options: Any) -> ResourceServer:
    return ResourceServer(scheme(**options), *more, url=DirectURL(hosts=[HOST]), replay=replay or MemoryReplay())


@pytest.mark.parametrize(
    "sent",
    [
        signed("POST", form="a=1&b=%20+&a=1"),
        signed("POST", form="a=1", place="form"),
        signed("POST", form="a=1", place="query"),
        signed("PUT", "/photos", JSON, body=b'{"a": 1}'),
        signed("PUT", "/photos", JSON, body=b"\x00\xff", body_hash=body_hash(b"\x00\xff")),
        signed("POST", "/photos", ("Content-Type", "multipart/form-data; boundary=x"), body=b"--x--"),
        signed("POST"),
    ],
    ids=["header", "form", "query", "JSON", "hashed", "multipart", "none"],
)
def test_the_application_gets_its_body_whole(sent: Signed, serve: Serve) -> None:
    answer = serve(server())(sent)
    assert (answer.status, answer.body) == (200, b"jane|" + sent.body)


@pytest.mark.parametrize("place", PLACES)
def test_a_form_over_the_cap_is_refused(place: str, serve: Serve) -> None:
    assert serve(server(max_form=1_000))(signed("POST", form="a=" + "x" * 1_000, place=place)).status == 413
    assert serve(server(max_form=1_000))(signed("POST", form="a=" + "x" * 100, place=place)).status == 200


@pytest.mark.parametrize(
    "respell",
    [
        lambda header: header.replace(", ", ","),
        lambda header: header.replace(", ", " ,\t "),
        lambda header: header.replace("OAuth ", 'OAuth realm="Photos", '),
        lambda header: header.replace("OAuth ", "OAuth realm=\"x, y='z' & w\", "),
        lambda header: header + ', realm="Photos"',
        lambda header: header + ',realm=""',
        lambda header: header + ",",
        lambda header: header.replace("%3D", "%3d"),
        lambda header: header.replace("%3D", "="),
        lambda header: "OAuth " + ", ".join(reversed(header.removeprefix("OAuth ").split(", "))),
        lambda header: header.replace("OAuth", "oAUTH"),
        lambda header: header.replace("OAuth", "OAuth  "),
    ],
)
def test_the_header_may_be_spelled_in_many_ways(respell: Callable[[str], str], serve: Serve) -> None:
    sent = signed()
    header = dict(sent.headers)["Authorization"]
    assert respell(header) != header
    respelled = Signed("GET", "/photos", (("Host", HOST), ("Authorization", respell(header))), b"")
    assert serve(server())(respelled).body == b"jane|"


BOTH = Bearer(Issuer().provider(), presentation=[AUTHORIZATION, FormField()])
TOKEN_FIELD = "access_token=" + BEARER[1].removeprefix("Bearer ")


@pytest.mark.parametrize(
    "sent",
    [
        signed("GET", "/photos", BEARER, place="query"),
        signed("GET", "/photos", ("Authorization", "Basic eDp5"), place="query"),
        signed("GET", signed(place="query").target),
        signed("POST", form=TOKEN_FIELD, place="form"),
        signed("POST", form="access_token=x", place="query"),
        signed("POST", form=TOKEN_FIELD),
    ],
    ids=["Bearer", "Basic", "OAuth", "form", "query and form", "header and form"],
)
def test_several_credentials_are_refused(sent: Signed, serve: Serve) -> None:
    answer = serve(server(BOTH))(sent)
    assert answer.status == 400
    assert b"more than one set of credentials" in answer.body


@pytest.mark.parametrize("turn", [1, -1])
def test_two_authorization_headers_are_refused(turn: int, serve: Serve) -> None:
    host, own = signed().headers
    assert serve(server(BOTH))(Signed("GET", "/photos", (host, *(own, BEARER)[::turn]), b"")).status == 400


def test_the_scheme_alone_does_not_let_a_form_in(serve: Serve) -> None:
    sent = signed("POST", "/photos", ("Authorization", "OAuth"), place="form")
    assert serve(server())(sent).status == 400


def test_bearer_and_oauth1_stand_side_by_side(serve: Serve) -> None:
    ask = serve(server(BOTH))
    assert ask(Signed("GET", "/photos", (("Host", HOST), BEARER), b"")).body == b"ada|"
    assert ask(Signed("POST", "/photos", (("Host", HOST), FORM), TOKEN_FIELD.encode())).status == 200
    assert ask(signed()).body == b"jane|"
    assert ask(signed("POST", form="a=1", place="form", nonce="n2")).status == 200


def test_a_refusal_carries_the_challenges_of_both(serve: Serve) -> None:
    answer = serve(server(Bearer(Issuer().provider(), realm="b"), realm="Photos"))(signed(signature="x"))
    assert answer.status == 401
    assert answer.header("www-authenticate") == ['OAuth realm="Photos"', 'Bearer realm="b"']


@pytest.mark.parametrize("more", [(), (FORM,)])
def test_without_a_signature_there_are_no_credentials(more: tuple[tuple[str, str], ...], serve: Serve) -> None:
    answer = serve(server())(Signed("POST", "/photos?oauth_nonce=1", (("Host", HOST), *more), b"oauth_token=x"))
    assert (answer.status, answer.challenge) == (401, "OAuth")


@pytest.mark.parametrize("place", PLACES)
def test_what_is_not_good_is_refused_where_credentials_are_optional(place: str, serve: Serve) -> None:
    optional = ResourceServer(scheme(), credentials="optional", url=DirectURL(hosts=[HOST]), replay=MemoryReplay())
    assert serve(optional)(signed("POST", place=place, signature="x")).status == 401


@pytest.mark.parametrize(("place", "marked"), [("header", []), ("query", ["private"]), ("form", ["private"])])
def test_answers_that_no_cache_may_share_say_so(place: str, marked: list[str], serve: Serve) -> None:
    assert serve(server())(signed("POST", place=place)).header("cache-control") == marked


def test_a_refusal_says_its_reason_to_the_log_alone(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "oauth_rs")
    ask = serve(server())
    caplog.clear()
    answer = ask(signed(consumer_key="nobody"))
    assert caplog.messages == ["refused: unknown_client"]
    assert b"client" in answer.body
    assert answer.body == ask(signed(signature="x", nonce="n2")).body


def test_a_request_is_good_once_behind_a_server(serve: Serve) -> None:
    ask = serve(server())
    assert [ask(signed()).status for _ in range(3)] == [200, 401, 401]
    assert ask(signed(nonce="n2", signature="x")).status == 401
    assert ask(signed(nonce="n2")).status == 200


def test_a_full_store_is_a_503(serve: Serve) -> None:
    ask = serve(server(replay=MemoryReplay(entries=16)))
    answers = [ask(signed(nonce=f"n{number}")) for number in range(20)]
    assert answers[0].status == 200
    assert (answers[-1].status, answers[-1].header("retry-after")) == (503, ["1"])


# Credentials that functions find


def find_client(client_id: str) -> OAuth1Client | None:
    return CREDENTIALS.oauth1(client_id, "")[0]


async def find_client_later(client_id: str) -> OAuth1Client | None:
    return find_client(client_id)


def find_token(client_id: str, token: str) -> OAuth1Token | None:
    return CREDENTIALS.oauth1(client_id, token)[1]


async def find_token_later(client_id: str, token: str) -> OAuth1Token | None:
    return find_token(client_id, token)


@pytest.mark.parametrize("client", [find_client, find_client_later])
@pytest.mark.parametrize("token", [find_token, find_token_later])
def test_functions_find_credentials(client: Any, token: Any, serve: Serve) -> None:
    ask = serve(server(credentials=FunctionCredentials(client=client, token=token)))
    assert ask(signed()).body == b"jane|"
    assert ask(signed(nonce="n2", consumer_key="nobody")).status == 401
    assert ask(signed(nonce="n2", token="nothing")).status == 401


def raising(error: Exception) -> list[Any]:
    def find(_client_id: str) -> None:
        raise error

    async def find_later(_client_id: str) -> None:
        raise error

    return [find, find_later]


@pytest.mark.parametrize("client", raising(Unavailable("database_down", "The database did not answer.")))
def test_credentials_that_cannot_be_told_are_a_503(client: Any, serve: Serve) -> None:
    answer = serve(server(credentials=FunctionCredentials(client=client)))(signed())
    assert (answer.status, answer.header("retry-after")) == (503, ["1"])


@pytest.mark.parametrize("client", [*raising(LookupError("no such table")), lambda _client_id: "a string"])
def test_any_other_exception_is_a_500_and_never_a_pass(client: Any, serve: Serve) -> None:
    with pytest.raises((LookupError, TypeError), match=r"no such table|gives an OAuth1Client"):
        serve(server(credentials=FunctionCredentials(client=client)))(signed())


# Faults seen in peers


def test_a_bearer_header_is_no_error_of_the_server(serve: Serve) -> None:
    answer = serve(server())(Signed("GET", "/photos", (("Host", HOST), BEARER), b""))
    assert (answer.status, answer.challenge) == (401, "OAuth")


@pytest.mark.parametrize("query", ["x[]=1", "x=a|b", "x={}", "x=%", "x=%zz", "x=\xff", "x=<>\\^`"])
def test_odd_characters_in_a_query_are_no_error_of_the_server(query: str) -> None:
    assert grant_of(scheme(), signed(target=f"/photos?{query}")).subject == "jane"


def test_short_client_keys_do_not_fail_silently() -> None:
    credentials = StaticCredentials(clients=[OAuth1Client(client_id="a", secret="b")])
    sent = signed(consumer_key="a", token=None, secret="b", token_secret="")
    assert grant_of(scheme(credentials=credentials), sent).client_id == "a"


def test_repeated_form_parameters_are_all_signed() -> None:
    assert grant_of(scheme(), signed("POST", form="a=1&a=2&a=1")).subject == "jane"
    sent = signed("POST", form="a=1&a=2&a=1")
    for form in (b"a=1&a=2", b"a=2", b"a=1&a=1&a=1"):
        assert reason(scheme(), Signed(sent.method, sent.target, sent.headers, form)) == "bad_signature"


def test_a_timestamp_years_ahead_is_refused() -> None:
    assert reason(scheme(), signed(timestamp=NOW + 10 * 365 * 86_400)) == "stale_timestamp"


def test_bytes_that_are_no_utf8_are_not_all_the_same() -> None:
    sent = signed(target="/photos?x=%FF")
    for query in ("x=%EF%BF%BD", "x=%FE", "x=\xfe"):
        assert reason(scheme(), Signed("GET", f"/photos?{query}", sent.headers, b"")) == "bad_signature"


def test_a_signature_with_stray_bits_is_another_signature() -> None:
    sent = signed("POST", "/initialize", consumer_key="scanner", token=None, token_secret="")
    header = sent.headers[1][1]
    last = header[: header.index('%3D"')][-1]
    for other in set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") - {last}:
        respelled = header.replace(f'{last}%3D"', f'{other}%3D"')
        stray = Signed("POST", "/initialize", (sent.headers[0], ("Authorization", respelled)), b"")
        assert reason(scheme(), stray) == "bad_signature"


# Real clients

URLS = [
    f"https://{HOST}/photos?x=1&x=2&x=1&y=&z=%20b+c&%5B%5D=%7c&e=\u00e9",
    f"https://{HOST}/photos?x[]=1&b=|!*'()&c&&d=~",
    f"https://{HOST}/a%2Fb/\u00e9/;v=1",
    f"https://{HOST}:443/",
    "https://[2001:db8::1]:8443/p?q=1;r",
]
BODIES: dict[str, dict[str, Any]] = {
    "none": {},
    "form": {"data": {"a": ["1", "2", "1"], "b": "x y+\u00e9~*", "c": "", "d[]": "&="}},
    "pairs": {"data": [("b", "1"), ("a", "2"), ("b", "1")]},
    "JSON": {"json": {"a": "\u00e9"}},
    "text": {"data": b"text", "headers": {"Content-Type": "text/plain"}},
    "files": {"files": {"f": ("name", b"content")}},
}
METHODS = ["HMAC-SHA1", "HMAC-SHA256", "RSA-SHA1", "RSA-SHA256"]
PEM = RSA_KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
KEYS = (CLIENT_ID, SECRET, TOKEN, TOKEN_SECRET)
ANYWHERE = DirectURL(hosts=[HOST, "[2001:db8::1]:8443"])


def requests_oauth1(method: str, place: str, *, whole: bool = False) -> Any:
    place = {"header": "AUTH_HEADER", "query": "QUERY", "form": "BODY"}[place]
    options = {"signature_method": method, "signature_type": place, "rsa_key": PEM, "realm": "a, b"}
    return requests_oauthlib.OAuth1(*KEYS, force_include_body=whole, **options)


def authlib(method: str, place: str, *, whole: bool = False) -> Any:
    place = {"header": "HEADER", "query": "QUERY", "form": "BODY"}[place]
    return OAuth1Auth(*KEYS, signature_method=method, signature_type=place, rsa_key=PEM, force_include_body=whole)


CLIENTS = [
    *((requests_oauth1, "HMAC-SHA1", place, url) for place, url in product(PLACES, URLS)),
    *((authlib, "HMAC-SHA1", place, url) for place, url in product(PLACES, URLS) if "|" not in url),  # it signs no |
    *((requests_oauth1, method, place, URLS[0]) for method, place in product(METHODS[1:], PLACES)),
    *((authlib, "RSA-SHA1", place, URLS[0]) for place in PLACES),
]


def prepared(verb: str, url: str, auth: Any, **body: Any) -> Signed:
    """The request that goes over the wire."""
    ready = requests.Request(verb, url, auth=auth, **body).prepare()
    headers = [(_text(name), _text(value)) for name, value in ready.headers.items()]
    host = ("Host", urlsplit(url).netloc)
    return Signed(_text(ready.method), _target(_text(ready.url)), (host, *headers), _text(ready.body or b"").encode())


def _text(value: Any) -> str:  # bytes and str come at random
    return value if isinstance(value, str) else str(value.decode())


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def now() -> OAuth1:
    return scheme(clock=time.time)


def bodies(method: str, place: str) -> list[tuple[str, str]]:
    """What there is to sign: with a signature in a form only forms, and with RSA, which is slow to sign, not all."""
    every = [("GET", "none"), *(("POST", body) for body in BODIES), ("PUT", "form"), ("PUT", "JSON")]
    kept = {"form", "pairs", "text"} if place == "form" else BODIES.keys()
    return [(verb, body) for verb, body in every if body in kept and (verb == "POST" or not method.startswith("RSA"))]


@pytest.mark.parametrize(("client", "method", "place", "url"), CLIENTS)
def test_what_clients_sign_is_good(client: Any, method: str, place: str, url: str) -> None:
    for verb, body in bodies(method, place):
        sent = prepared(verb, url, client(method, place), **BODIES[body])
        assert grant_of(now(), sent, site(url=ANYWHERE)).signature_method == method, (verb, body)


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256"])
@pytest.mark.parametrize("client", [requests_oauth1, authlib])
@pytest.mark.parametrize("place", ["header", "query"])
def test_the_body_hash_that_clients_send_is_good(client: Any, method: str, place: str) -> None:
    if (client, method) == (authlib, "HMAC-SHA256"):
        method = "HMAC-SHA1"  # it has no other
    sent = prepared("POST", URLS[0], client(method, place, whole=True), **BODIES["JSON"])
    demanding = scheme(clock=time.time, demand_body_hash=True)
    assert grant_of(demanding, sent).signature_method == method
    altered = Signed(sent.method, sent.target, sent.headers, sent.body + b" ")
    assert reason(demanding, altered) == "bad_body_hash"


@pytest.mark.parametrize("client", [requests_oauth1, authlib])
def test_without_a_body_hash_clients_leave_the_body_open(client: Any) -> None:
    sent = prepared("POST", URLS[0], client("HMAC-SHA1", "header"), **BODIES["JSON"])
    assert reason(scheme(clock=time.time, demand_body_hash=True), sent) == "no_body_hash"


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
tables = st.lists(st.tuples(texts.filter(lambda name: not name.startswith("oauth_")), texts), max_size=4)


@settings(deadline=None)
@given(tables, tables, texts.filter(bool), texts, st.sampled_from(["AUTH_HEADER", "QUERY", "BODY"]))
def test_what_oauthlib_signs_is_good(
    query: list[tuple[str, str]], form: list[tuple[str, str]], secret: str, token_secret: str, place: str
) -> None:
    credentials = StaticCredentials(
        clients=[OAuth1Client(client_id="\u00e9 &", secret=secret)],
        tokens=[OAuth1Token(token="=\u3042+", client_id="\u00e9 &", secret=token_secret)],
    )
    client = Client("\u00e9 &", secret, "=\u3042+", token_secret, signature_type=place, timestamp=str(NOW))
    url = f"https://{HOST}/photos" + (f"?{urlencode(query)}" if query else "")
    url, headers, body = client.sign(url, "POST", urlencode(form), dict([FORM]))
    sent = Signed("POST", _target(url), (("Host", HOST), *headers.items()), (body or "").encode())
    assert grant_of(scheme(credentials=credentials), sent).client_id == "\u00e9 &"


# One byte changed, taken away or put in

ORIGINALS = [
    signed(target="/photos?file=vacation.jpg&size=original"),
    signed("POST", "/a%2Fb?x=1&x=1", form="a=1&b=%20+", token=None, token_secret=""),
    signed("PUT", "/photos?x[]=a+b", JSON, body=b'{"a": 1}', body_hash=body_hash(b'{"a": 1}')),
    signed("GET", "/photos?b=1", place="query", signature_method="HMAC-SHA256", version="1.0"),
    signed("POST", form="a=1&c", place="form"),
    signed("DELETE", "/photos/%C3%A9", signature_method="RSA-SHA1"),
]
FIELDS = ["method", "target", "host", "credentials", "body"]
Wire = dict[str, bytes]


def wire(sent: Signed) -> Wire:
    target = sent.target.encode("latin-1")
    host = dict(sent.headers)["Host"].encode()
    return dict(zip(FIELDS, (sent.method.encode(), target, host, sent.credentials, sent.body), strict=True))


def from_wire(original: Signed, changed: Wire) -> Signed:
    values = {name: value.decode("latin-1") for name, value in changed.items()}
    own = {"Host": values["host"], "Authorization": "OAuth " + values["credentials"]}
    headers = tuple((name, own.get(name, value)) for name, value in original.headers)
    return Signed(values["method"], values["target"], headers, changed["body"])


def meaning(sent: Signed) -> object:
    """What a request says, read by other code than ours; None when that code cannot read it."""
    path, _, query = sent.target.partition("?")
    headers = dict(sent.headers)
    form = sent.body if FORM in sent.headers else b""
    header = re.sub('[ \t]*=[ \t]*"', '="', headers.get("Authorization", "OAuth "))  # RFC 9110 section 11.2
    try:
        protocol = parse_authorization_header(header)
    except ValueError:
        return None
    pairs = [(name.encode(), unquote_to_bytes(value)) for name, value in protocol]
    pairs += decoded(query) + decoded(form.decode("latin-1"))
    return sent.method.upper(), path, headers["Host"].lower(), sorted(pairs), b"" if form else sent.body


edits = st.sampled_from(["change", "remove", "insert"])


@settings(deadline=None, max_examples=1500)
@given(st.sampled_from(ORIGINALS), st.sampled_from(FIELDS), edits, st.integers(0, 10_000), st.integers(0, 255))
def test_no_byte_may_change(original: Signed, name: str, edit: str, at: int, byte: int) -> None:
    text = wire(original)[name]
    assume(text)
    at %= len(text) + (edit == "insert")
    put = b"" if edit == "remove" else bytes([byte])
    changed = from_wire(original, {**wire(original), name: text[:at] + put + text[at + (edit != "insert") :]})
    assume(meaning(changed) is None or meaning(changed) != meaning(original))
    with pytest.raises(OAuthError):
        grant_of(scheme(), changed, Site(DirectURL(), MemoryReplay()))


@pytest.mark.parametrize("original", ORIGINALS)
def test_the_requests_that_are_changed_are_good(original: Signed) -> None:
    assert from_wire(original, wire(original)) == original
    assert grant_of(scheme(), original).client_id == CLIENT_ID


# Whatever bytes are sent

bits = st.sampled_from(
    [b'oauth_consumer_key="printer"', b"oauth_consumer_key=printer", b'oauth_signature="', b"oauth_signature=",
     b"oauth_timestamp", b"1800000000", b"oauth_nonce", b"oauth_token=", b"oauth_signature_method=", b"HMAC-SHA1",
     b"RSA-SHA1", b"PLAINTEXT", b"oauth_body_hash=", b'oauth_version="1.0"', b"realm", b'"', b"=", b",", b", ", b"&",
     b"%", b"%C3", b"%00", b"+", b" ", b"\t", b"\x00", b"\xff", b"\r\n", b"\xd9\xa1", b"%D9%A1", b"[]", b"|"]
)  # fmt: skip
junk = st.lists(bits | st.binary(max_size=4), max_size=12).map(b"".join)
credentials = junk | st.tuples(st.just(signed().credentials), junk).map(b", ".join)
SWITCHED_ON = scheme(methods=[*METHODS, "PLAINTEXT"], demand_body_hash=True)
ANY_HOST = ResourceServer(SWITCHED_ON, url=DirectURL(hosts=[HOST]), replay=MemoryReplay())
types = st.sampled_from([FORM[1], "application/json", "multipart/form-data", ""])


requests_sent = st.builds(
    lambda method, header, query, path, content_type: PlainRequest(
        method,
        headers=[
            ("Host", HOST),
            ("Content-Type", content_type),
            *([] if header is None else [("Authorization", f"OAuth {header.decode('latin-1')}")]),
        ],
        query=query,
        raw_path=b"/" + path,
    ),
    st.sampled_from(["GET", "POST", "\xdf"]),
    credentials | st.none(),
    junk,
    junk,
    types,
)


@settings(deadline=None, max_examples=500)
@given(requests_sent, junk)
def test_no_bytes_raise_anything_but_a_refusal(request: PlainRequest, body: bytes) -> None:
    try:
        run = started(cast("Grant | Flow[Grant]", ANY_HOST.authenticate(request)))
        while run.effect is not None:
            run.send(body)
    except OAuthError as error:
        assert error.status in {400, 401}  # noqa: PT017 - whether it raises depends on the bytes
    else:
        assert run.result.client_id == CLIENT_ID


# How long the worst inputs take

WORST = [b"%41", b"%ff", b"\xff", b"%", b"%4", b"+", b"=", b"&", b"a=&", b"[", b"oauth_", b"oauth_consumer_key=a&"]
WORST += [b"oauth_nonce ", b'a="",', b'="', b'",', b", ", b"\t", b'"', b'oauth_nonce="1",', b"realm", b"realm="]
SIGNED = signed(version="1.0").credentials


def seconds(place: str, unit: bytes, size: int) -> float:
    """The cost of `size` bytes of `unit`."""
    text = (unit * size)[:size]
    header = SIGNED if place != "header" else text[: -len(SIGNED) - 2] + b", " + SIGNED
    own = ("Authorization", f"OAuth {header.decode('latin-1')}")
    target = f"/?{text.decode('latin-1')}" if place == "query" else "/"
    sent = Signed("POST", target, (("Host", HOST), FORM, own), text if place == "form" else b"")
    return cost(lambda: refused(SWITCHED_ON, sent), rounds=3)


@pytest.mark.parametrize("unit", WORST)
@pytest.mark.parametrize(("place", "most"), [("header", 16_384), ("query", 65_536), ("form", 262_144)])
def test_the_time_of_the_worst_inputs_grows_as_they_do(place: str, most: int, unit: bytes) -> None:
    # Eight times the bytes take sixty-four times as long where something is quadratic.
    assert seconds(place, unit, most) < 30 * max(seconds(place, unit, most // 8), 0.001)
