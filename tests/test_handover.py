from itertools import product
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs import InvalidToken
from oauth_rs.handover import (
    HIDDEN,
    EnvironHandover,
    Hidden,
    ScopeHandover,
    unconditional_environ,
    unconditional_scope,
)
from oauth_rs.identity import MAX_HEADER_BYTES, IdentityHeaders
from oauth_rs.schemes import Places
from tests.support.calling import environ_of, scope_of
from tests.support.granting import grant

PLACES = (
    Places(headers=frozenset({b"access-token"}), fields=frozenset({b"access_token", b"key"})),
    Places(prefixes=(b"oauth_",)),
)
SPELLINGS = [
    f"{oauth}{hyphen}{name}"
    for oauth, hyphen, name in product(
        ("OAuth", "oauth", "OAUTH"),
        ("-", "_"),
        ("ClientID", "CLIENTID", "scope", "Signature-Method", "Signature_method", "VERSION", "ResourceOwnerUID"),
    )
]
OTHERS = [("X-OAuth-Scope", "1"), ("OAuth", "2"), ("OAuth-Scopes", "3"), ("OAuthScope", "4")]

QUERIES = {
    "nothing": ("", ""),
    "others": ("a=1&b=2", "a=1&b=2"),
    "alone": ("access_token=x", ""),
    "first": ("access_token=x&a=1", "a=1"),
    "last": ("a=1&access_token=x", "a=1"),
    "between, and nothing else changes": ("%61=+1&access_token=x&&b=%e4&=&c", "%61=+1&&b=%e4&=&c"),
    "twice": ("access_token=x&a&access_token", "a"),
    "two places": ("key=1&a=2&access_token=3", "a=2"),
    "percent-encoded name": ("acc%65ss%5Ftoken=x&a=1", "a=1"),
    "another case": ("Access_Token=x&ACCESS%5fTOKEN=y&a=1", "a=1"),
    "a prefix": ("oauth_signature=x&OAuth%5Ftoken&oauth_=&a=1", "a=1"),
    "names that only look alike": ("xaccess_token=1&access_tokens=2&access-token=3&x_oauth_y=4&oauth=5", None),
    "a value that looks alike": ("a=access_token=x&b=oauth_x", None),
    "not UTF-8": ("%ff=1&\xff=2&access_token=3", "%ff=1&\xff=2"),
    "beyond Latin-1": ("€=1&key=2&b=€", "€=1&b=€"),
    "broken percent": ("%=1&%6=2&ke%79=3", "%=1&%6=2"),
    "other marks": ("a=1;access_token=x&b", "a=1;access_token=x&b"),
}


@pytest.mark.parametrize(("query", "kept"), QUERIES.values(), ids=QUERIES)
def test_what_is_a_credential_is_taken_out_of_a_query_and_nothing_else(query: str, kept: str | None) -> None:
    assert Hidden(PLACES).without(query) == (query if kept is None else kept)


def test_names_that_a_scheme_writes_in_capitals_are_taken_out_too() -> None:
    places = [Places(frozenset({b"X-Key"}), frozenset({b"accessToken"}), (b"OAuth_",))]
    assert Hidden(places).without("accessToken=x&accesstoken=y&OAUTH_a=1&oauth_b=2&a=1") == "a=1"
    assert Hidden(places).headers == {b"authorization", b"x-key"}


pairs = st.sampled_from(
    ["a=1", "", "access_token=x", "acces%73_token=%20", "oauth_a", "b=%c3&", "KEY=2", "=", "%", "a"]
)


@given(st.lists(pairs).map("&".join) | st.text(st.characters(max_codepoint=0xFF)))
def test_what_is_kept_are_the_very_pairs_that_were_sent_in_their_order(query: str) -> None:
    kept = Hidden(PLACES).without(query)
    rest = iter(query.split("&"))
    assert all(pair in rest for pair in kept.split("&")) or not kept
    assert Hidden(PLACES).without(kept) == kept
    names = {name.lower() for name, _ in parse_qsl(kept, keep_blank_values=True, max_num_fields=9999)}
    assert not names & {"access_token", "key"}
    assert not any(name.startswith("oauth_") for name in names)


TARGETS = [
    ("/photos", "/photos"),
    ("/photos?", "/photos?"),
    ("/photos?access_token=x", "/photos"),
    ("/photos?a=1&access_token=x", "/photos?a=1"),
    ("https://api.example.com/photos?key=x&a", "https://api.example.com/photos?a"),
    ("/access_token=x", "/access_token=x"),
    ("/?a?&key=?", "/?a?"),
]


@pytest.mark.parametrize(("target", "kept"), TARGETS)
def test_a_target_keeps_its_path(target: str, kept: str) -> None:
    assert Hidden(PLACES).target_without(target) == kept


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_an_identity_header_is_left(spelling: str) -> None:
    environ = environ_of("GET", "/", [(spelling, "root"), *OTHERS], None)
    scope = scope_of("GET", "/", [(spelling, "root"), *OTHERS])
    scope["headers"].append((spelling.encode(), b"root"))  # of a server that leaves the case as it is
    environ[f"HTTP_{spelling}"] = "root"
    EnvironHandover(IdentityHeaders(), ()).clean(environ)
    ScopeHandover(IdentityHeaders(), ()).clean(scope)
    assert "root" not in environ.values()
    assert scope["headers"] == [(name.lower().encode(), value.encode()) for name, value in OTHERS]
    assert [environ[f"HTTP_{name.upper().replace('-', '_')}"] for name, _ in OTHERS] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("sent", "left"), [(["close, OAuth-Scope", "oauth_clientid"], "close"), (["oauth-scope"], None), ([], None)]
)
def test_connection_names_none_of_them_either(sent: list[str], left: str | None) -> None:
    headers = [("Connection", value) for value in sent]
    environ, scope = environ_of("GET", "/", headers, None), scope_of("GET", "/", headers)
    EnvironHandover(IdentityHeaders(), ()).clean(environ)
    ScopeHandover(IdentityHeaders(), ()).clean(scope)
    assert environ.get("HTTP_CONNECTION") == left
    assert scope["headers"] == ([(b"connection", left.encode())] if left else [])


def test_without_identity_headers_nothing_is_taken_out_before_the_check() -> None:
    sent = [("OAuth-Scope", "admin"), ("Connection", "close, OAuth-Scope"), ("Authorization", "Bearer x")]
    environ, scope = environ_of("GET", "/?key=1", sent, None), scope_of("GET", "/?key=1", sent)
    before, headers = dict(environ), list(scope["headers"])
    EnvironHandover(None, PLACES).clean(environ)
    ScopeHandover(None, PLACES).clean(scope)
    assert (environ, scope["headers"]) == (before, headers)


@pytest.mark.parametrize("underscores", [False, True])
def test_what_the_grant_says_is_put_in(underscores: bool) -> None:  # noqa: FBT001 - a table
    identity = IdentityHeaders(underscores=underscores)
    environ, scope = environ_of("GET", "/", [("Accept", "*/*")], None), scope_of("GET", "/", [("Accept", "*/*")])
    given = scope["headers"]
    EnvironHandover(identity, ()).fill(environ, grant(subject="ädä"))
    ScopeHandover(identity, ()).fill(scope, grant(subject="ädä"))
    assert (environ["HTTP_OAUTH_RESOURCEOWNERUID"], environ["HTTP_OAUTH_SCOPE"]) == ("%C3%A4d%C3%A4", "albums photos")
    name = b"oauth_resourceowneruid" if underscores else b"oauth-resourceowneruid"
    assert (name, b"%C3%A4d%C3%A4") in scope["headers"]
    assert given == [(b"accept", b"*/*")]  # the server's list is the server's


@pytest.mark.parametrize("hidden", [(), PLACES])
def test_credentials_stay_unless_they_are_to_be_hidden(hidden: tuple[Places, ...]) -> None:
    sent = [("Authorization", "Bearer x"), ("Access-Token", "x"), ("Accept", "*/*")]
    target = "/photos?a=1&access_token=x"
    environ = environ_of("GET", target, sent, None, RAW_URI=target, REQUEST_URI=target)
    scope = scope_of("GET", target, sent, raw_path=target.encode())
    EnvironHandover(None, hidden).fill(environ, grant())
    scope["headers"][0] = (b"Authorization", b"Bearer x")  # of a server that leaves the case as it is
    ScopeHandover(None, hidden).fill(scope, grant())
    queries = [environ["QUERY_STRING"], scope["query_string"].decode()]
    targets = [environ["RAW_URI"], environ["REQUEST_URI"], scope["raw_path"].decode()]
    assert queries == ["a=1" if hidden else "a=1&access_token=x"] * 2
    assert targets == ["/photos?a=1" if hidden else target] * 3
    left = {"HTTP_AUTHORIZATION", "HTTP_ACCESS_TOKEN", "HTTP_ACCEPT"} & environ.keys()
    assert len(left) == len(scope["headers"]) == (1 if hidden else 3)
    assert (HIDDEN in environ, HIDDEN in scope) == (bool(hidden), bool(hidden))


def test_what_is_not_there_is_not_put_there() -> None:
    environ: dict[str, Any] = {"REQUEST_METHOD": "GET"}
    scope: dict[str, Any] = {"headers": [], "raw_path": None}
    EnvironHandover(IdentityHeaders(), PLACES).clean(environ)
    EnvironHandover(None, PLACES).fill(environ, grant())
    ScopeHandover(None, PLACES).fill(scope, grant())
    assert environ == {"REQUEST_METHOD": "GET", HIDDEN: True}
    assert scope == {"headers": [], "raw_path": None, "query_string": b"", HIDDEN: True}


FORMS = {
    "with a token": (b"a=%e4&access_token=x&b", b"a=%e4&b"),
    "without": (b"a=1&&b=\xff", b"a=1&&b=\xff"),
    "a token alone": (b"key=x", b""),
    "empty": (b"", b""),
}


@pytest.mark.parametrize(("form", "kept"), FORMS.values(), ids=FORMS)
def test_a_form_loses_its_credentials_and_has_the_length_that_is_told(form: bytes, kept: bytes) -> None:
    headers = [("Content-Length", str(len(form))), ("X-Content-Length", "9")]
    environ, scope = environ_of("POST", "/", headers, None), scope_of("POST", "/", headers)
    assert EnvironHandover(None, PLACES).form_without(environ, form) == kept
    assert ScopeHandover(None, PLACES).form_without(scope, form) == kept
    assert environ["CONTENT_LENGTH"] == str(len(kept))
    assert scope["headers"] == [(b"content-length", b"%d" % len(kept)), (b"x-content-length", b"9")]


@pytest.mark.parametrize("more", [{}, {"CONTENT_LENGTH": ""}])
def test_a_form_without_a_length_has_none_afterwards(more: dict[str, str]) -> None:
    environ, scope = (
        environ_of("POST", "/", (), None, **more),
        scope_of("POST", "/", [("Transfer-Encoding", "chunked")]),
    )
    assert EnvironHandover(None, PLACES).form_without(environ, b"key=1") == b""
    assert ScopeHandover(None, PLACES).form_without(scope, b"key=1") == b""
    assert not environ.get("CONTENT_LENGTH")
    assert scope["headers"] == [(b"transfer-encoding", b"chunked")]


def test_where_nothing_is_hidden_a_form_stays() -> None:
    form = b"access_token=x"
    assert EnvironHandover(IdentityHeaders(), ()).form_without({}, form) == form
    assert ScopeHandover(IdentityHeaders(), ()).form_without({}, form) == form


def test_what_cannot_be_told_refuses_the_request() -> None:
    told = grant(subject="a" * (MAX_HEADER_BYTES + 1))
    with pytest.raises(InvalidToken, match="identity_too_large"):
        EnvironHandover(IdentityHeaders(), ()).fill({}, told)
    with pytest.raises(InvalidToken, match="identity_too_large"):
        ScopeHandover(IdentityHeaders(), ()).fill({"headers": []}, told)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST"])
def test_what_is_filtered_is_read_whole_and_guards_of_updates_stay(method: str) -> None:
    sent = [(name, "x") for name in ("If-None-Match", "If-Match", "If-Modified-Since", "If-Range", "Range")]
    environ, scope = environ_of(method, "/", [*sent, ("If", "y")], None), scope_of(method, "/", [*sent, ("If", "y")])
    scope["headers"][0] = (b"If-None-Match", b"x")  # of a server that leaves the case as it is
    unconditional_environ(environ)
    unconditional_scope(scope)
    left = [] if method in {"GET", "HEAD"} else [name for name, _ in sent]
    assert [name.lower() for name, _ in scope["headers"]] == [*(name.lower().encode() for name in left), b"if"]
    assert [name for name, _ in sent if f"HTTP_{name.upper().replace('-', '_')}" in environ] == left
    assert environ["HTTP_IF"] == "y"
