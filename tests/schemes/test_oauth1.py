import logging
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from hashlib import md5, sha1, sha256
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from oauth_rs import (
    DirectURL,
    FixedURL,
    ForwardedURL,
    FunctionCredentials,
    InvalidToken,
    MemoryReplay,
    OAuth1Client,
    OAuth1Token,
    RequestTooLarge,
    ResourceServer,
    SignatureMethod,
    StaticCredentials,
    Unavailable,
)
from oauth_rs.asgi import ASGIRequest
from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.credentials import OAuth1Pair
from oauth_rs.flow import Call, Flow, ReadBody, call
from oauth_rs.request import Request
from oauth_rs.schemes import Places, oauth1
from oauth_rs.schemes.oauth1 import MAX_FORM_BYTES
from oauth_rs.schemes.signed import MAX_BODY_BYTES, WINDOW
from oauth_rs.scope_declarations import Scope
from oauth_rs.wsgi import WSGIRequest
from tests.support.calling import environ_of, scope_of
from tests.support.playing import FakeClock, PlainRequest, called, play, started
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
    escaped,
    grant_of,
    reason,
    refused,
    scheme,
    signed,
    site,
)

SHELLS = ["wsgi", "asgi"]
JSON = ("Content-Type", "application/json")


def seen_by(shell: str, sent: Signed, **more: Any) -> Request:
    """`sent` over https, as the core sees it through a shell."""
    if shell == "wsgi":
        more = {"wsgi.url_scheme": "https", "REMOTE_ADDR": "192.0.2.1", **more}
        return WSGIRequest(environ_of(sent.method, sent.target, sent.headers, sent.body, **more))
    return ASGIRequest(scope_of(sent.method, sent.target, sent.headers, **{"scheme": "https", **more}))


# RFC 5849 sections 1.2 and 3.1

_PHOTOS = "https://photos.example.net"
_PRINTER = 'realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_signature_method="HMAC-SHA1", '
_EXAMPLE = (
    'realm="Example", oauth_consumer_key="9djdj82h48djs9d2", oauth_token="kkk9d7dh3k39sjv7", '
    'oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131201", oauth_nonce="7d8f3e4a", oauth_signature='
)
_COLLECT = "http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b"
RFC = {
    "initiate": (
        "POST",
        f"{_PHOTOS}/initiate",
        _PRINTER + 'oauth_timestamp="137131200", oauth_nonce="wIjqoS", '
        'oauth_callback="http%3A%2F%2Fprinter.example.com%2Fready", oauth_signature="74KNZJeDHnMBp0EMJ9ZHt%2FXKycU%3D"',
    ),
    "token": (
        "POST",
        f"{_PHOTOS}/token",
        _PRINTER + 'oauth_token="hh5s93j4hdidpola", oauth_timestamp="137131201", oauth_nonce="walatlh", '
        'oauth_verifier="hfdp7dh39dks9884", oauth_signature="gKgrFCywp7rO0OXSjdot%2FIHF7IU%3D"',
    ),
    "photo": (
        "GET",
        "http://photos.example.net/photos?file=vacation.jpg&size=original",
        _PRINTER + 'oauth_token="nnch734d00sl2jdk", oauth_timestamp="137131202", oauth_nonce="chapoH", '
        'oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D"',
    ),
    "3.1, right": ("POST", _COLLECT, _EXAMPLE + '"r6%2FTJjbCOr97%2F%2BUU0NsvSne7s5g%3D"'),
    "3.1, as printed": ("POST", _COLLECT, _EXAMPLE + '"bYT5CMsGcbgUdFHObYMEfcx6bsw%3D"'),
    "3.4.1, as printed": ("POST", _COLLECT, _EXAMPLE + '"djosJKDKJSD8743243%2Fjdk33klY%3D"'),
}
RFC_CREDENTIALS = StaticCredentials(
    clients=[
        OAuth1Client(client_id="dpf43f3p2l4k3l03", secret="kd94hf93k423kf44"),
        OAuth1Client(client_id="9djdj82h48djs9d2", secret="j49sk3j29djd"),
    ],
    tokens=[
        OAuth1Token(token="hh5s93j4hdidpola", client_id="dpf43f3p2l4k3l03", secret="hdhd0244k9j7ao03"),
        OAuth1Token(token="nnch734d00sl2jdk", client_id="dpf43f3p2l4k3l03", secret="pfkkdhi9sl3r4s00"),
        OAuth1Token(token="kkk9d7dh3k39sjv7", client_id="9djdj82h48djs9d2", secret="dh893hdasih9"),
    ],
)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", RFC)
def test_the_worked_examples_of_the_rfc(name: str, shell: str) -> None:
    method, url, header = RFC[name]
    parts, form = urlsplit(url), name.startswith("3")
    headers = (("Host", parts.netloc), ("Authorization", f"OAuth {header}"), *([FORM] if form else []))
    sent = Signed(method, url.partition(parts.netloc)[2], headers, b"c2&a3=2+q" if form else b"")
    oauth = scheme(credentials=RFC_CREDENTIALS, clock=lambda: 137131202.0)
    where = site(url=DirectURL(hosts=["photos.example.net", "example.com"]))
    request = seen_by(shell, sent, **{"wsgi.url_scheme" if shell == "wsgi" else "scheme": parts.scheme})
    if "printed" in name:
        assert reason(oauth, sent, where, request) == "bad_signature"
    else:
        assert grant_of(oauth, sent, where, request).scheme == "OAuth1"


# The URL that is signed


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("host", "signed_host"),
    [
        (HOST, HOST),
        ("API.Example.COM", HOST),
        (f"{HOST}:443", HOST),
        (f"{HOST}:80", f"{HOST}:80"),
        (f"{HOST}:8443", f"{HOST}:8443"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("[2001:DB8::1]:443", "[2001:db8::1]"),
        ("[2001:db8::1]:8443", "[2001:db8::1]:8443"),
    ],
)
def test_host_and_port_are_signed_as_they_are_sent(host: str, signed_host: str, shell: str) -> None:
    where = site(url=DirectURL(hosts=[signed_host]))
    sent = signed(host=host, url=f"https://{signed_host}/photos")
    assert grant_of(scheme(), sent, where, seen_by(shell, sent)).subject == "jane"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("url", [f"http://{HOST}/photos", f"https://{HOST}:443/photos", f"https://{HOST}:80/photos"])
def test_another_scheme_or_port_is_another_url(url: str, shell: str) -> None:
    sent = signed(url=url)
    assert reason(scheme(), sent, site(), seen_by(shell, sent)) == "bad_signature"


TARGETS = [
    *("/", "/a%20b", "/a%2Fb/c", "/a%2fb", "/%C3%A9", "/%c3%a9", "/%FF", "//a/../b/.", "/p;v=1,2", "/~(a)*'!$@:"),
    *("/a?x=1&x=1&x=2&y=&=&z", "/a?x[]=1&y=a|b&z=!*'()", "/a?q=a+b%20c%2B", "/a?q=%c3%a9&w=%FF&e=\xe9", "/a?&&b;c=d"),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("raw", ["RAW_URI", "REQUEST_URI", "raw_path"])
def test_path_and_query_are_signed_as_they_are_sent(target: str, raw: str) -> None:
    sent = signed(target=target)
    request = seen_by("asgi", sent) if raw == "raw_path" else seen_by("wsgi", sent, **{raw: target})
    assert grant_of(scheme(), sent, site(), request).subject == "jane"


@pytest.mark.parametrize("target", ["/a%2Fb", "/%c3%a9", "/%7Ea"])
def test_a_path_that_the_server_keeps_to_itself_is_not_guessed(target: str) -> None:
    sent = signed(target=target)
    assert reason(scheme(), sent, site(), seen_by("wsgi", sent)) == "bad_signature"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_mount_is_part_of_the_path(shell: str) -> None:
    sent = signed(target="/v1/photos")
    under = {"SCRIPT_NAME": "/v1", "PATH_INFO": "/photos"} if shell == "wsgi" else {"root_path": "/v1"}
    assert grant_of(scheme(), sent, site(), seen_by(shell, sent, **under)).subject == "jane"
    assert reason(scheme(), signed(target="/photos"), site(), seen_by(shell, sent, **under)) == "bad_signature"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_prefix_that_a_proxy_took_away_is_configured(shell: str) -> None:
    where = site(url=FixedURL(f"https://{HOST}/v1"))
    sent = signed(url=f"https://{HOST}/v1/photos", host="internal:8000")
    assert grant_of(scheme(), sent, where, seen_by(shell, sent)).subject == "jane"
    assert reason(scheme(), signed(), where, seen_by(shell, signed())) == "bad_signature"


FORWARDED = (("X-Forwarded-Host", HOST), ("X-Forwarded-Proto", "https"))


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("peer", "host", "why"),
    [
        ("10.1.2.3", "internal:8000", ""),
        ("192.0.2.1", "internal:8000", "host_not_allowed"),
        ("192.0.2.1", HOST, "bad_signature"),
        ("", HOST, "bad_signature"),
    ],
)
def test_forwarded_headers_count_when_they_come_from_a_proxy(peer: str, host: str, why: str, shell: str) -> None:
    sent = signed("GET", "/photos", *FORWARDED, host=host, url=f"https://{HOST}/photos")
    where = site(url=ForwardedURL(proxies=["10.0.0.0/8"], hosts=[HOST]))
    plain = {"wsgi.url_scheme": "http", "REMOTE_ADDR": peer} if shell == "wsgi" else {"scheme": "http"}
    request = seen_by(shell, sent, **plain, **({"client": (peer, 1)} if shell == "asgi" else {}))
    if why:
        assert reason(scheme(), sent, where, request) == why
    else:
        assert grant_of(scheme(), sent, where, request).subject == "jane"


# Where parameters stand

PLACES = ["header", "query", "form"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", [None, "a=1&b=x+y&a=1&c"])
def test_parameters_stand_in_the_header_the_query_or_a_form(place: str, form: str | None) -> None:
    sent = signed("POST", "/photos?q=1", form=form, place=place)
    assert grant_of(scheme(), sent).subject == "jane"


def with_header(sent: Signed, header: str) -> Signed:
    return Signed(sent.method, sent.target, (*sent.headers[:-1], ("Authorization", header)), sent.body)


def listed(*parameters: str, **changes: Any) -> Signed:
    """Signed in the header, where `parameters` stand too, and are not signed."""
    sent = signed(**changes)
    return with_header(sent, f"OAuth {', '.join((sent.credentials.decode(), *parameters))}")


@pytest.mark.parametrize("version", ["1.0", None])
def test_the_version_may_be_left_out(version: str | None) -> None:
    assert grant_of(scheme(), signed(version=version)).subject == "jane"


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (listed('oauth_nonce="n1"'), "repeated_parameter"),
        (listed('oauth_token="other"'), "repeated_parameter"),
        (listed('oauth_version="1.0"', version="1.0"), "repeated_parameter"),
        (listed('oauth_version="1.0"'), "bad_signature"),
        (listed('extra="1"'), "bad_signature"),
        (listed("oauth_verifier"), "malformed_credentials"),
        (listed('oauth_verifier="\u00ff"'), "malformed_credentials"),
        (signed(target="/photos?oauth_token=" + TOKEN), "parameters_in_two_places"),
        (signed("POST", form="oauth_nonce=n1"), "parameters_in_two_places"),
        (signed("POST", "/photos?oauth_verifier=1", place="form"), "parameters_in_two_places"),
        (signed(version="2.0"), "unsupported_version"),
        (signed(nonce=None), "missing_parameter"),
        (signed(nonce=""), "missing_parameter"),
        (signed(timestamp=None), "missing_parameter"),
        (signed(consumer_key=None), "missing_parameter"),
        (signed(signature=None), "missing_parameter"),
        (signed(timestamp="+1"), "malformed_parameter"),
        (signed(timestamp="\u0661\u0662\u0663"), "malformed_parameter"),
        (signed(timestamp="\uff11\uff12\uff13"), "malformed_parameter"),
        (signed(timestamp=f"{NOW}.0"), "malformed_parameter"),
        (signed(timestamp=NOW * 1000), "malformed_parameter"),
        (signed(signature_method="HMAC-SHA512"), "unsupported_signature_method"),
        (signed(body_hash=""), "malformed_parameter"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_protocol_parameters_are_read_strictly(sent: Signed, why: str) -> None:
    error = refused(scheme(), sent)
    assert error.reason == why
    assert error.status == (401 if why == "bad_signature" else 400)


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "application/json", "text/plain", ""])
def test_bodies_that_are_no_forms_are_not_read(content_type: str) -> None:
    sent = signed("POST", "/photos", ("Content-Type", content_type), body=b"a=1")
    assert play(scheme().authenticate(sent.request, sent.credentials, site())).subject == "jane"


@pytest.mark.parametrize(
    "more", [("Content-Encoding", "gzip"), ("Content-Encoding", ""), ("Content-Encoding", "identity"), FORM], ids=repr
)
@pytest.mark.parametrize("place", ["header", "query"])
def test_a_form_that_others_may_read_as_one_is_refused(place: str, more: tuple[str, str]) -> None:
    sent = signed("POST", "/photos", FORM, more, body=b"a=1", place=place)
    assert reason(scheme(), sent) == "malformed_form"


@pytest.mark.parametrize("size", [256, 384, 512, 1024, 100, 0])
def test_the_key_an_unknown_client_is_checked_with_has_the_size_of_the_signature(size: int) -> None:
    signature = quote(b64encode(bytes(size)).decode(), safe="")
    expected = size if size in {256, 384, 512, 1024} else 256
    for client in (oauth1._NOBODY, OAuth1Client(client_id="a", secret="s")):
        assert oauth1._key_for(client, signature).key_size == expected * 8


def test_an_answer_of_the_store_that_comes_too_late_is_none() -> None:
    clock, asked, sent = FakeClock(NOW), Call(blocking=bool), signed()

    class Slow(MemoryReplay):
        def first_use(self, *_arguments: Any) -> Any:
            return iter(asked)

    run = started(scheme(clock=clock).authenticate(sent.request, sent.credentials, site(replay=Slow())))
    assert run.effect == asked
    clock.pass_seconds(WINDOW + 1)
    with pytest.raises(InvalidToken, match="stale_timestamp"):
        run.send(True)


def test_what_is_looked_for_outside_authorization() -> None:
    oauth = scheme()
    sent = signed("POST", place="form")
    assert oauth.looks_elsewhere
    assert oauth.elsewhere(signed(place="query").request) == (b"",)
    assert play(oauth.elsewhere(sent.request), (ReadBody(MAX_FORM_BYTES), sent.body)) == (b"",)
    assert play(oauth.elsewhere(sent.request), (ReadBody(MAX_FORM_BYTES), b"a=1")) == ()
    assert oauth.elsewhere(signed("POST", body=b"a=1").request) == ()
    assert oauth.elsewhere(PlainRequest()) == ()


def test_a_form_beside_authorization_is_not_read_ahead() -> None:
    assert scheme().elsewhere(signed("POST", form="a=1").request) == ()
    assert scheme().elsewhere(PlainRequest("POST", headers=[FORM, ("Authorization", "Bearer x")])) == ()


# Who signs


def test_a_token_gives_what_its_owner_allowed() -> None:
    grant = grant_of(scheme(), signed())
    assert (grant.scheme, grant.provider, grant.issuer) == ("OAuth1", "OAuth1", "")
    assert (grant.subject, grant.client_id, *grant.scopes) == ("jane", CLIENT_ID, "photos")
    assert (grant.expires_at, grant.claims, grant.signature_method) == (0, {}, SignatureMethod.HMAC_SHA1)


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_the_client_acts_for_itself(token: str | None) -> None:
    grant = grant_of(scheme(), signed(token=token, token_secret=""))
    assert (grant.subject, grant.client_id, *grant.scopes) == ("", CLIENT_ID, "status")


def test_the_secret_of_a_token_does_not_sign_without_it() -> None:
    assert reason(scheme(), signed(token=None)) == "bad_signature"
    assert reason(scheme(), signed(token_secret="")) == "bad_signature"


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256", "RSA-SHA1", "RSA-SHA256"])
def test_the_grant_names_the_method(method: str) -> None:
    assert grant_of(scheme(), signed(signature_method=method)).signature_method == method


def test_a_token_ends_when_it_expires() -> None:
    assert grant_of(scheme(), signed(token="nearly")).expires_at == NOW + 1
    assert reason(scheme(), signed(token="over")) == "expired"


WRONG = {
    "wrong secret": (signed(secret="wrong"), "bad_signature"),
    "wrong token secret": (signed(token_secret="wrong"), "bad_signature"),
    "unknown client": (signed(consumer_key="nobody"), "unknown_client"),
    "unknown token": (signed(token="nothing"), "unknown_token"),
    "token of another client": (signed(consumer_key="scanner"), "unknown_token"),
    "a client without a secret": (signed(consumer_key="vault", token="vault-token"), "method_not_allowed"),
    "nothing known": (signed(consumer_key="nobody", token="nothing"), "unknown_client"),
    "RSA, bad": (signed(signature_method="RSA-SHA1", signature="AAAA"), "bad_signature"),
    "RSA, unknown client": (signed(signature_method="RSA-SHA1", consumer_key="nobody"), "unknown_client"),
    "RSA, unknown token": (signed(signature_method="RSA-SHA1", token="nothing"), "unknown_token"),
    "RSA, a client without a key": (
        signed(signature_method="RSA-SHA1", consumer_key="scanner", token=None),
        "method_not_allowed",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_every_failure_to_prove_a_client_looks_alike(name: str) -> None:
    sent, why = WRONG[name]
    error = refused(scheme(), sent)
    assert (type(error), error.reason) == (InvalidToken, why)
    assert error.description == "The signature does not prove the client and the token."
    assert error.credential == sha256(sent.credentials).hexdigest()[:12]


_WORK = ["base_string", "hmac_signature", "plaintext_signature", "same", "rsa_signed"]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each part of the work was done."""
    done: Counter[str] = Counter()

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            done[name] += 1
            return function(*arguments)

        return call

    for name in _WORK:
        monkeypatch.setattr(oauth1, name, counted(name, getattr(oauth1, name)))
    monkeypatch.setattr(CREDENTIALS, "oauth1", counted("look-up", CREDENTIALS.oauth1))
    return done


@pytest.mark.parametrize("name", WRONG)
def test_whoever_is_refused_costs_as_much_as_whoever_is_not(name: str, work: Counter[str]) -> None:
    sent, _ = WRONG[name]
    grant_of(scheme(), signed(signature_method="RSA-SHA1" if name.startswith("RSA") else "HMAC-SHA1"))
    good = Counter(work)
    work.clear()
    refused(scheme(), sent)
    assert work == good
    assert work["look-up"] == 1


def test_nobody_can_sign_for_a_client_without_a_secret() -> None:
    for secret in ("", "None"):
        for method in ("HMAC-SHA1", "HMAC-SHA256", "PLAINTEXT"):
            sent = signed(consumer_key="vault", token=None, secret=secret, token_secret="", signature_method=method)
            assert reason(scheme(methods=[*METHODS, "PLAINTEXT"]), sent) == "method_not_allowed"
            stranger = signed(consumer_key="x", token=None, secret=secret, token_secret="", signature_method=method)
            assert reason(scheme(methods=[*METHODS, "PLAINTEXT"]), stranger) == "unknown_client"


def test_no_signature_is_ever_made_with_an_empty_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets: list[str] = []

    def sign(*arguments: Any) -> str:
        secrets.append(arguments[2])
        return ""

    monkeypatch.setattr(oauth1, "hmac_signature", sign)
    for client in ("vault", "nobody"):
        refused(scheme(), signed(consumer_key=client, token=None, secret="", token_secret=""))
    assert len(secrets) == 2
    assert all(len(secret) > 40 for secret in secrets)


def test_the_public_key_of_a_client_is_no_secret() -> None:
    pem = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for secret in (pem, pem.strip()):
        assert (
            reason(scheme(), signed(consumer_key="vault", token="vault-token", secret=secret)) == "method_not_allowed"
        )


# Methods

METHODS = ["HMAC-SHA1", "HMAC-SHA256", "RSA-SHA1", "RSA-SHA256"]
ALIASES = {
    "HmacSHA1": "HMAC-SHA1",
    "hmac-sha-256": "HMAC-SHA256",
    "SHA1withRSA": "RSA-SHA1",
    "rsa-sha256": "RSA-SHA256",
}


@pytest.mark.parametrize("alias", ALIASES)
def test_methods_are_configured_by_any_name_and_sent_by_their_own(alias: str) -> None:
    name = ALIASES[alias]
    assert grant_of(scheme(methods=[alias]), signed(signature_method=name)).signature_method is SignatureMethod(name)
    assert reason(scheme(), signed(signature_method=alias)) == "unsupported_signature_method"


@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_is_switched_off_is_refused(method: str) -> None:
    others = [other for other in METHODS if other != method]
    assert reason(scheme(methods=others), signed(signature_method=method)) == "unsupported_signature_method"


@pytest.mark.parametrize("method", METHODS)
def test_a_client_may_be_kept_to_some_methods(method: str) -> None:
    key = RSA_KEY.public_key()
    client = OAuth1Client(client_id=CLIENT_ID, secret=SECRET, rsa_key=key, methods=["hmacsha256"])
    oauth = scheme(credentials=StaticCredentials(clients=[client]))
    sent = signed(token=None, token_secret="", signature_method=method)
    if method == "HMAC-SHA256":
        assert grant_of(oauth, sent).signature_method == method
    else:
        assert reason(oauth, sent) == "method_not_allowed"


PLAIN = StaticCredentials(
    clients=[
        OAuth1Client(client_id=CLIENT_ID, secret="a&b c", methods=["PLAINTEXT"]),
        OAuth1Client(client_id="scanner", secret=SECRET),
    ],
    tokens=[OAuth1Token(token=TOKEN, client_id=CLIENT_ID, secret=TOKEN_SECRET)],
)


def plaintext(**changes: Any) -> Signed:
    secrets = {"secret": "a&b c", "timestamp": None, "nonce": None}
    return signed(**{**secrets, "signature_method": "PLAINTEXT", **changes})


def test_plaintext_is_good_where_server_and_client_list_it() -> None:
    oauth = scheme(credentials=PLAIN, methods=["plaintext"])
    assert grant_of(oauth, plaintext()).signature_method is SignatureMethod.PLAINTEXT
    assert grant_of(oauth, plaintext(token=None, token_secret="")).client_id == CLIENT_ID
    assert reason(scheme(credentials=PLAIN), plaintext()) == "unsupported_signature_method"
    assert reason(oauth, plaintext(consumer_key="scanner", token=None, secret=SECRET, token_secret="")) == (
        "method_not_allowed"
    )


def test_plaintext_is_a_secret_that_needs_tls() -> None:
    sent = plaintext()
    request = seen_by("asgi", sent, scheme="http")
    oauth = scheme(credentials=PLAIN, methods=["PLAINTEXT"])
    assert reason(oauth, sent, site(), request) == "plaintext_without_tls"
    assert grant_of(oauth, sent, site(url=FixedURL(f"https://{HOST}")), request).client_id == CLIENT_ID


@pytest.mark.parametrize(
    "changes",
    [{"secret": "a%26b%20c"}, {"secret": "wrong"}, {"token_secret": ""}, {"secret": ""}, {"signature": ""}],
    ids=str,
)
def test_plaintext_with_other_secrets_is_refused(changes: dict[str, str]) -> None:
    assert reason(scheme(credentials=PLAIN, methods=["PLAINTEXT"]), plaintext(**changes)) == "bad_signature"


def test_plaintext_with_timestamp_and_nonce_is_good_once_and_without_any_number_of_times() -> None:
    oauth, where = scheme(credentials=PLAIN, methods=["PLAINTEXT"]), site()
    for _ in range(2):
        assert grant_of(oauth, plaintext(), where).client_id == CLIENT_ID
    once = plaintext(timestamp=NOW, nonce="n1")
    assert grant_of(oauth, once, where).client_id == CLIENT_ID
    assert reason(oauth, once, where) == "replayed"
    assert reason(oauth, plaintext(timestamp=NOW - 301, nonce="n1"), where) == "stale_timestamp"


# The body hash

DATA = b'{"a": 1}'


def hashed(hash_: Any, body: bytes = DATA) -> str:
    return b64encode(hash_(body).digest()).decode()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("hash_", [sha1, sha256])
def test_a_body_hash_is_sha1_or_sha256_whatever_the_method(method: str, hash_: Any) -> None:
    sent = signed("POST", "/photos", JSON, body=DATA, signature_method=method, body_hash=hashed(hash_))
    assert grant_of(scheme(), sent).subject == "jane"


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
@pytest.mark.parametrize("hash_", [sha1, sha256])
def test_a_body_hash_may_be_of_nothing(method: str, hash_: Any) -> None:
    sent = signed(method, body_hash=hashed(hash_, b""))
    assert grant_of(scheme(demand_body_hash=True), sent).subject == "jane"


@pytest.mark.parametrize(
    ("body_hash", "body"),
    [
        (hashed(sha1), b""),
        (hashed(sha1), DATA + b" "),
        (hashed(sha1, b""), DATA),
        (hashed(md5), DATA),
        (hashed(sha1).rstrip("="), DATA),
        (hashed(sha256)[:-2] + "z=", DATA),
        (hashed(sha256).swapcase(), DATA),
        (sha1(DATA).hexdigest(), DATA),  # noqa: S324 - a wrong spelling
        ("x", DATA),
    ],
)
def test_a_body_hash_of_something_else_is_refused(body_hash: str, body: bytes) -> None:
    sent = signed("POST", "/photos", JSON, body=body, body_hash=body_hash)
    assert reason(scheme(), sent) == "bad_body_hash"


def test_a_body_hash_is_signed() -> None:
    sent = signed("POST", "/photos", JSON, body=DATA, body_hash=hashed(sha1, b"other"))
    respelled = sent.headers[-1][1].replace(escaped(hashed(sha1, b"other")), escaped(hashed(sha1)))
    assert reason(scheme(), with_header(sent, respelled)) == "bad_signature"


@pytest.mark.parametrize("body", [DATA, b"\x00"])
def test_a_body_hash_may_be_demanded(body: bytes) -> None:
    bare = signed("POST", "/photos", JSON, body=body)
    assert grant_of(scheme(), bare).subject == "jane"
    assert reason(scheme(demand_body_hash=True), bare) == "no_body_hash"
    covered = signed("POST", "/photos", JSON, body=body, body_hash=hashed(sha256, body))
    assert grant_of(scheme(demand_body_hash=True), covered).subject == "jane"


@pytest.mark.parametrize(
    "sent", [signed(), signed("POST"), signed("POST", form="a=1"), signed("POST", form="")], ids=str
)
def test_empty_bodies_and_forms_need_no_hash(sent: Signed) -> None:
    assert grant_of(scheme(demand_body_hash=True), sent).subject == "jane"


def test_a_hash_beside_a_form_is_checked_too() -> None:
    assert grant_of(scheme(), signed("POST", form="a=1", body_hash=hashed(sha1, b"a=1"))).subject == "jane"
    assert reason(scheme(), signed("POST", form="a=1", body_hash=hashed(sha1, b"a=2"))) == "bad_body_hash"


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"max_form": 10}, signed("POST", form="a=" + "x" * 9)),
        ({"max_body": 7}, signed("POST", "/photos", JSON, body=DATA, body_hash=hashed(sha1))),
        ({}, signed("POST", form="a=" + "x" * MAX_FORM_BYTES)),
        ({}, signed("POST", body=b"x" * (MAX_BODY_BYTES + 1), body_hash="x")),
        ({"demand_body_hash": True}, signed("POST", body=b"x" * (MAX_BODY_BYTES + 1))),
    ],
    ids=["form", "body", "form by default", "body by default", "hash demanded"],
)
def test_what_is_over_a_cap_is_refused(options: dict[str, Any], sent: Signed) -> None:
    error = refused(scheme(**options), sent)
    assert (type(error), error.reason) == (RequestTooLarge, "body_too_large")


def test_the_cap_of_forms_holds_while_searching() -> None:
    with pytest.raises(RequestTooLarge, match="body_too_large"):
        play(scheme().elsewhere(PlainRequest("POST", headers=[FORM])), (ReadBody(MAX_FORM_BYTES), None))


# Time, and once only


@pytest.mark.parametrize("offset", [-WINDOW, -1, 0, 1, WINDOW])
def test_a_timestamp_may_be_off_either_way(offset: float) -> None:
    assert grant_of(scheme(), signed(timestamp=int(NOW + offset))).subject == "jane"


@pytest.mark.parametrize("offset", [-WINDOW - 1, WINDOW + 1, -NOW + 1, 10 * WINDOW])
def test_a_timestamp_outside_of_the_window_is_refused(offset: float) -> None:
    error = refused(scheme(), signed(timestamp=int(NOW + offset)))
    assert (type(error), error.reason) == (InvalidToken, "stale_timestamp")


def test_the_window_is_measured_in_fractions_and_configured() -> None:
    assert reason(scheme(clock=lambda: NOW + 0.5), signed(timestamp=NOW - 300)) == "stale_timestamp"
    assert grant_of(scheme(window=10), signed(timestamp=NOW - 10)).subject == "jane"
    assert reason(scheme(window=10), signed(timestamp=NOW + 11)) == "stale_timestamp"


def test_a_stale_timestamp_is_refused_before_anything_is_looked_up(work: Counter[str]) -> None:
    refused(scheme(), signed(timestamp=1))
    assert not work


def test_a_request_is_good_once() -> None:
    oauth, where = scheme(), site()
    assert grant_of(oauth, signed(), where).subject == "jane"
    for again in (signed(), signed(target="/other"), signed("POST"), signed(signature_method="RSA-SHA1")):
        error = refused(oauth, again, where)
        assert (type(error), error.reason) == (InvalidToken, "replayed")


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "n2"},
        {"nonce": "N1"},
        {"nonce": "n1 "},
        {"timestamp": NOW + 1},
        {"token": "nearly"},
        {"token": None, "token_secret": ""},
        {"consumer_key": "scanner", "token": None, "token_secret": ""},
    ],
    ids=str,
)
def test_nonces_belong_to_a_client_a_token_and_a_second(changes: dict[str, Any]) -> None:
    oauth, where = scheme(), site()
    grant_of(oauth, signed(), where)
    assert grant_of(oauth, signed(**changes), where).client_id


def test_clients_without_tokens_do_not_share_nonces() -> None:
    oauth, where = scheme(), site()
    for client in (CLIENT_ID, "scanner"):
        sent = signed(consumer_key=client, token=None, token_secret="")
        assert grant_of(oauth, sent, where).client_id == client
        assert reason(oauth, sent, where) == "replayed"


@pytest.mark.parametrize("ahead", [0, 299, 300])
def test_a_nonce_is_remembered_as_long_as_its_timestamp_is_good(ahead: int) -> None:
    clock, where = FakeClock(NOW), site()
    oauth, sent = scheme(clock=clock), signed(timestamp=NOW + ahead)
    assert grant_of(oauth, sent, where).subject == "jane"
    for passed in (ahead, WINDOW):
        clock.pass_seconds(passed)
        assert reason(oauth, sent, where) == "replayed"
    clock.pass_seconds(1)
    assert reason(oauth, sent, where) == "stale_timestamp"


class Untouchable:
    """A replay store that must not be asked."""

    def first_use(self, *_arguments: Any) -> bool:
        raise AssertionError("the nonce was spent")

    def warm(self) -> Flow[None]:
        yield from ()


@pytest.mark.parametrize(
    "sent",
    [
        *(sent for sent, _ in WRONG.values()),
        signed(token="over"),
        signed(timestamp=1),
        signed("POST", "/photos", JSON, body=DATA, body_hash="x"),
        signed(nonce=None),
    ],
)
def test_the_nonce_of_a_request_that_is_not_good_is_not_spent(sent: Signed) -> None:
    refused(scheme(), sent, site(replay=Untouchable()))


def test_a_forger_does_not_use_up_the_nonce_of_another() -> None:
    oauth, where = scheme(), site()
    for forged in (signed(signature="x"), signed(secret="guess"), signed("POST", body_hash=hashed(sha1))):
        refused(oauth, forged, where)
    assert grant_of(oauth, signed(), where).subject == "jane"


def test_a_full_store_is_no_refusal_of_the_client() -> None:
    oauth, where = scheme(), site(replay=MemoryReplay(entries=16))
    answers = []
    for number in range(20):
        try:
            answers.append(grant_of(oauth, signed(nonce=f"n{number}"), where).subject)
        except Unavailable as error:
            answers.append(error.reason)
    assert answers[0] == "jane"
    assert answers[-1] == "replay_store_full"


def test_a_body_that_is_dripped_does_not_outlast_its_nonce() -> None:
    clock, sent = FakeClock(NOW), signed("POST", "/photos", JSON, body=DATA, body_hash=hashed(sha1))
    flow = scheme(clock=clock).authenticate(sent.request, sent.credentials, site(replay=Untouchable()))
    run = started(flow)
    assert run.effect == ReadBody(MAX_BODY_BYTES)
    clock.pass_seconds(WINDOW + 1)
    with pytest.raises(InvalidToken, match="stale_timestamp"):
        run.send(DATA)


class Elsewhere:
    """A replay store that must be asked over a network."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def first_use(self, *arguments: Any) -> Flow[bool]:
        self.asked.append(arguments)
        first: bool = yield from call(bool, len(self.asked) == 1)
        return first

    def warm(self) -> Flow[None]:
        yield from ()


def test_a_store_may_have_to_be_waited_for() -> None:
    store, oauth, sent = Elsewhere(), scheme(), signed(timestamp=NOW - 7)
    for first in (True, False):
        flow = oauth.authenticate(sent.request, sent.credentials, site(replay=store))
        if first:
            assert play(flow, (called(bool, True), True)).subject == "jane"
        else:
            with pytest.raises(InvalidToken, match="replayed"):
                play(flow, (called(bool, False), False))
    key, *times = store.asked[0]
    assert len(key) == 24
    assert times == [NOW - 7, NOW - 7 + WINDOW, NOW]


def test_a_store_that_cannot_tell_lets_nobody_in() -> None:
    sent = signed()
    flow = scheme().authenticate(sent.request, sent.credentials, site(replay=Elsewhere()))
    with pytest.raises(Unavailable, match="down") as caught:
        play(flow, (called(bool, True), Unavailable("down", "Down.")))
    assert caught.value.scheme == "OAuth1"


# Credentials that functions find


def find_client(client_id: str) -> OAuth1Client | None:
    return CREDENTIALS.oauth1(client_id, "")[0]


def find_token(client_id: str, token: str) -> OAuth1Token | None:
    return CREDENTIALS.oauth1(client_id, token)[1]


FOUND = FunctionCredentials(client=find_client, token=find_token)


def found(sent: Signed, *script: tuple[Any, Any]) -> Any:
    return play(scheme(credentials=FOUND).authenticate(sent.request, sent.credentials, site()), *script)


def test_functions_are_asked_for_the_client_and_the_token() -> None:
    client, token = CREDENTIALS.oauth1(CLIENT_ID, TOKEN)
    script = [(called(find_client, CLIENT_ID), client), (called(find_token, CLIENT_ID, TOKEN), token)]
    assert found(signed(), *script).subject == "jane"
    assert found(signed(token=None, token_secret=""), script[0]).subject == ""


def test_the_token_of_an_unknown_client_is_asked_for_all_the_same() -> None:
    with pytest.raises(InvalidToken, match="unknown_client"):
        found(signed(consumer_key="x"), (called(find_client, "x"), None), (called(find_token, "x", TOKEN), None))


class Careless:
    """A source that does not mind case, and gives a token that nobody asked for."""

    def oauth1(self, _client_id: str, _token: str, /) -> OAuth1Pair:
        return CREDENTIALS.oauth1(CLIENT_ID, TOKEN)

    def mac_key(self, _kid: str, /) -> None:
        return None


def test_what_was_found_under_another_spelling_is_not_what_was_asked_for() -> None:
    oauth = scheme(credentials=Careless())
    assert reason(oauth, signed(consumer_key=CLIENT_ID.upper())) == "unknown_client"
    assert reason(oauth, signed(token=TOKEN.upper())) == "unknown_token"


def test_a_token_that_was_not_presented_gives_nothing() -> None:
    oauth = scheme(credentials=Careless())
    assert grant_of(oauth, signed(token=None, token_secret="")).subject == ""
    assert reason(oauth, signed(token=None)) == "bad_signature"


def test_credentials_that_cannot_be_told_are_no_refusal() -> None:
    with pytest.raises(Unavailable, match="down") as caught:
        found(signed(), (called(find_client, CLIENT_ID), Unavailable("down", "Down.")))
    assert caught.value.scheme == "OAuth1"


# What is logged


def test_a_mismatch_is_explained_to_whoever_debugs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "oauth_rs")
    sent = signed("POST", "/a%20b?x=1&y=%26", form="z=%C3%A9", secret="wrong")
    refused(scheme(), sent)
    (message,) = caplog.messages
    assert f"'POST' 'https://{HOST}/a%20b'" in message
    for part in ("x=1", "y=%26", "z=%C3%A9", "oauth_nonce=n1", "POST&https%3A%2F%2Fapi.example.com%2Fa%2520b&oauth_"):
        assert part in message
    assert not [secret for secret in (SECRET, TOKEN_SECRET, "wrong", "oauth_signature=") if secret in message]


@pytest.mark.parametrize("path", ["/\r\nINFO fake", "/%0d%0aINFO", "/%s%d", "/\x1b[31m", "/{0}"])
def test_no_path_writes_lines_of_its_own_into_the_log(path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "oauth_rs")
    refused(scheme(), signed(target=path, secret="wrong"))
    (message,) = caplog.messages
    assert message.isprintable()


def test_a_plaintext_mismatch_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "oauth_rs")
    refused(scheme(credentials=PLAIN, methods=["PLAINTEXT"]), plaintext(secret="nearly-right"))
    (message,) = caplog.messages
    assert not [secret for secret in ("a&b c", "a%26b", TOKEN_SECRET, "nearly-right") if secret in message]


@pytest.mark.parametrize("name", WRONG)
def test_above_debug_a_scheme_logs_nothing(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "oauth_rs")
    refused(scheme(), WRONG[name][0])
    assert not caplog.records


@pytest.mark.parametrize(
    ("sent", "traced"),
    [
        (signed(signature="x"), signed(signature="x").credentials),
        (signed(signature="x", place="query"), signed(signature="x", place="query").request.query),
        (signed("POST", "/?a=1", signature="x", place="form", form="b=1"), None),
    ],
    ids=["header", "query", "form"],
)
def test_a_refusal_traces_the_credentials(sent: Signed, traced: bytes | None) -> None:
    traced = traced if traced is not None else b"a=1" + sent.body
    assert refused(scheme(), sent).credential == sha256(traced).hexdigest()[:12]


# The rest of a scheme


def test_the_challenge_is_oauth_with_the_realm() -> None:
    assert scheme().challenge() == "OAuth"
    assert scheme(realm="Photos").challenge(scope="a", error="b", description="c") == 'OAuth realm="Photos"'
    assert scheme().authorization_names == {b"oauth"}
    assert scheme().binds_requests


@pytest.mark.parametrize(
    ("sent", "private"),
    [
        (signed(place="query"), True),
        (signed("GET", form="a=1", place="form"), True),
        (signed(), False),
        (signed("POST", form="a=1"), False),
        (Signed("GET", "/photos?oauth_token=x", (), b""), False),
    ],
    ids=["query", "form", "header", "header and form", "nothing"],
)
def test_what_a_cache_cannot_know_for_signed_is_private(sent: Signed, *, private: bool) -> None:
    server = ResourceServer(scheme(), url=DirectURL(hosts=[HOST]), replay=MemoryReplay())
    assert server.private(sent.request) is private


def test_there_is_nothing_to_fetch_ahead() -> None:
    play(scheme().warm())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"methods": "HMAC-SHA1"}, TypeError, "methods is a list"),
        ({"methods": []}, ValueError, "at least one"),
        ({"methods": ["HMAC-MD5"]}, ValueError, "HMAC-MD5"),
        ({"window": 0}, ValueError, "window"),
        ({"window": -1}, ValueError, "window"),
        ({"window": float("nan")}, ValueError, "window"),
        ({"realm": 'a"b'}, ValueError, "challenge"),
        ({"realm": "a\r\nb"}, ValueError, "challenge"),
        ({"credentials": {"printer": "secret"}}, TypeError, "StaticCredentials"),
        ({"credentials": StaticCredentials}, TypeError, "StaticCredentials"),
    ],
)
def test_mistakes_in_configuration_are_told_at_once(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        scheme(**options)


@pytest.mark.parametrize("name", ["x_auth_password", "access_token", "client_secret", "Passwd", "client_assertion"])
def test_what_may_be_secret_is_left_out_of_the_debug_log(caplog: pytest.LogCaptureFixture, name: str) -> None:
    sent = signed("GET", f"/photos?{name}=hush%20now&size=original", secret="another")
    with caplog.at_level(logging.DEBUG, "oauth_rs"):
        assert reason(scheme(), sent) == "bad_signature"
    assert "hush" not in caplog.text
    assert "size=original" in caplog.text
    assert "oauth_token=" in caplog.text


# A catalogue of scopes, and what is taken out of a request


def test_a_catalogue_says_what_scopes_imply() -> None:
    catalogue = ScopeCatalogue({"photos": Scope(url="https://api.example.com/photos", children={"thumbnails": {}})})
    bound = scheme().with_catalogue(catalogue)
    assert grant_of(bound, signed()).scopes == {"photos", "thumbnails"}
    assert grant_of(bound, signed(token=None, token_secret="", nonce="n2")).scopes == {"status"}
    assert grant_of(scheme(), signed()).scopes == {"photos"}


def test_credentials_are_parameters_that_begin_with_oauth() -> None:
    assert scheme().places == Places(prefixes=(b"oauth_",))
