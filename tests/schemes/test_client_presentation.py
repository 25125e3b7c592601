from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.clients import MAX_SECRET
from oauth_rs.errors import InvalidRequest
from oauth_rs.headers import split_scheme
from oauth_rs.schemes.client_presentation import (
    MAX_BASIC,
    MAX_CLIENT_ID,
    BasicAuth,
    KeyHeader,
    Presentation,
    Presentations,
    PresentedSecret,
    SecretHeaders,
)
from tests.support.playing import PlainRequest

PAIR = KeyHeader(client_id="X-Client-Id")
KEY_ALONE = KeyHeader("X-Only-Key")
EVERYTHING = Presentations([BasicAuth(), SecretHeaders(), PAIR, KEY_ALONE])
BASIC = Presentations([BasicAuth()])

Pairs = list[tuple[str, str]]


def shown(headers: Sequence[tuple[str, str]], presentations: Presentations = EVERYTHING) -> list[PresentedSecret]:
    """What the headers of a request hold, read as a scheme reads it."""
    return [presentations.read(one) for one in presentations.sets(PlainRequest(headers=headers))]


def basic(pair: bytes | str) -> bytes:
    return b64encode(pair.encode() if isinstance(pair, str) else pair)


def reason(read: Any, *arguments: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read(*arguments)
    return caught.value.reason


# Basic


@pytest.mark.parametrize(
    ("credentials", "expected"),
    [
        (b"QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ("Aladdin", "open sesame")),  # RFC 7617 section 2
        (b"dGVzdDoxMjPCow==", ("test", "123\xa3")),  # RFC 7617 section 2.1
        (basic("app:secret:with:colons"), ("app", "secret:with:colons")),
        (basic("app::"), ("app", ":")),
        (basic("app:"), ("app", "")),
        (basic(":secret"), ("", "secret")),
        (basic(":"), ("", "")),
        (basic("my app:s"), ("my app", "s")),
        (basic("a%3Ab:s+%2F"), ("a%3Ab", "s+%2F")),
        (basic("app,other:s,t"), ("app,other", "s,t")),
        (basic("a" * MAX_CLIENT_ID + ":" + "s" * MAX_SECRET), ("a" * MAX_CLIENT_ID, "s" * MAX_SECRET)),
    ],
    ids=repr,
)
def test_basic_is_id_and_secret_as_rfc_7617_has_them(credentials: bytes, expected: tuple[str, str]) -> None:
    assert BASIC.read(credentials) == PresentedSecret(*expected, is_key=False)


@pytest.mark.parametrize(
    "credentials",
    [
        b"",
        b"=",
        b"Og",
        b"app:secret",
        basic("no colon"),
        basic(""),
        basic("app:secret").rstrip(b"="),
        basic("app:secret") + b"=",
        basic("app:secret") + b" ",
        basic("app:secret") + b"\n",
        b"\t" + basic("app:secret"),
        basic("app:secret")[:4] + b"\n" + basic("app:secret")[4:],
        basic("app:secret")[:4] + b"\0" + basic("app:secret")[4:],
        basic("app:secret!").replace(b"E=", b"F="),
        basic("app:secret") + b"," + basic("app:secret"),
        basic("app:secret") + b",Basic " + basic("app:secret"),
        basic("app:secret") + b", realm=x",
        basic(b"app:\xff\xfe"),
        basic(b"\xe4pp:secret"),
        basic(b"app:s\xed\xa0\x80"),
        basic("app\0:secret"),
        basic("app:sec\0ret"),
        basic("app:secret\r\n"),
        basic("app\x7f:secret"),
        basic("app\x85:secret"),
        basic("app:secret\u202e"),
        basic("a" * (MAX_CLIENT_ID + 1) + ":s"),
        basic("a:" + "s" * (MAX_SECRET + 1)),
        basic("ä" * 128 + ":s"),
        b"A" * (MAX_BASIC + 4),
        b"A" * 1_000_000,
        b"\xff\xfe",
    ],
    ids=lambda credentials: repr(credentials)[:40],
)
def test_what_is_no_pair_in_basic_is_malformed(credentials: bytes) -> None:
    assert reason(BASIC.read, credentials) == "malformed_credentials"


@pytest.mark.parametrize("last", ["N", "O", "P"])
def test_basic_has_one_spelling_of_a_pair(last: str) -> None:
    # The last character carries two bits that no byte uses: lenient decoders take all four for the same.
    assert b64decode(f"YXBwOn{last}=") == b64decode("YXBwOnM=") == b"app:s"
    assert BASIC.read(b"YXBwOnM=").secret == "s"
    assert reason(BASIC.read, f"YXBwOn{last}=".encode()) == "malformed_credentials"


# Headers


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("X-Client-Id", "app"), ("X-Client-Secret", "s")], PresentedSecret("app", "s", is_key=False)),
        ([("x-client-secret", "s:t"), ("X-CLIENT-ID", "a:b")], PresentedSecret("a:b", "s:t", is_key=False)),
        ([("X-Client-Id", "app"), ("X-API-Key", "k")], PresentedSecret("app", "k", is_key=True)),
        ([("X-Only-Key", "k")], PresentedSecret(None, "k", is_key=True)),
        ([("X-Only-Key", "")], PresentedSecret(None, "", is_key=True)),
        ([("X-Client-Id", ""), ("X-API-Key", "")], PresentedSecret("", "", is_key=True)),
        ([("X-Client-Id", "12 34"), ("X-API-Key", "5 6 7")], PresentedSecret("12 34", "5 6 7", is_key=True)),
        ([("X-Only-Key", "1 2 three")], PresentedSecret(None, "1 2 three", is_key=True)),
    ],
    ids=repr,
)
def test_headers_hold_a_secret_or_a_key(headers: Pairs, expected: PresentedSecret) -> None:
    assert shown(headers) == [expected]
    assert EVERYTHING.found(PlainRequest(headers=headers))


def test_text_in_headers_is_utf_8() -> None:
    assert shown([("X-Client-Id", "ä".encode().decode("latin-1")), ("X-API-Key", "k")])[0].client_id == "ä"


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Client-Id", "app")],
        [("X-Client-Secret", "s")],
        [("X-API-Key", "k")],
        [("X-Client-Id", "")],
        [("X-Client-Id", "app"), ("X-Client-Id", "app")],
        [("X-Client-Secret", "s"), ("X-API-Key", "k")],
        [("X-Client-Id", "app"), ("X-Only-Key", "k")],
        [("X-Client-Id", "app"), ("X-Client_Secret", "s")],
        [("Client-Id", "app"), ("X-Client-Secret", "s")],
    ],
    ids=str,
)
def test_half_a_set_is_incomplete(headers: Pairs) -> None:
    assert reason(shown, headers) == "incomplete_client_credentials"


def test_the_refusal_of_half_a_set_names_its_scheme() -> None:
    with pytest.raises(InvalidRequest) as caught:
        shown([("X-Client-Id", "app")])
    assert caught.value.scheme == "ClientKey"


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Only-Key", "k"), ("X-Only-Key", "k")],
        [("X-Only-Key", "k"), ("x-only-key", "l"), ("X-Only-Key", "m")],
        [("X-Client-Id", "a"), ("X-Client-Id", "b"), ("X-API-Key", "k")],
        [("X-Client-Id", "a"), ("X-API-Key", "k"), ("X-API-Key", "l")],
        [("X-Client-Id", "a"), ("X-Client-Id", "b"), ("X-API-Key", "k"), ("X-API-Key", "l")],
        [("X-Client-Id", "a"), ("X-API-Key", "k"), ("X-Client-Secret", "s")],
        [("X-Client-Id", "a"), ("X-API-Key", "k"), ("X-Only-Key", "k")],
    ],
    ids=str,
)
def test_what_is_there_twice_is_more_than_one_set(headers: Pairs) -> None:
    assert len(EVERYTHING.sets(PlainRequest(headers=headers))) > 1


@pytest.mark.parametrize("more", [("X-Client-Id", "a"), ("X-API-Key", "k"), ("X-Client-Secret", "s")])
def test_a_thousand_headers_do_not_make_a_million_sets(more: tuple[str, str]) -> None:
    headers = [("X-Client-Id", "a"), ("X-API-Key", "k"), ("X-Client-Secret", "s"), *[more] * 1000]
    assert len(EVERYTHING.sets(PlainRequest(headers=headers))) == 2


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Only-Key", "k,l")],
        [("X-Only-Key", "k,")],
        [("X-Only-Key", "k, l")],
        [("X-Only-Key", "\0")],
        [("X-Only-Key", "k\0")],
        [("X-Only-Key", "k\tl")],
        [("X-Only-Key", "k\r\nX-Admin: 1")],
        [("X-Only-Key", "\xff")],
        [("X-Only-Key", "\xc3")],
        [("X-Only-Key", "\xc2\x85")],
        [("X-Only-Key", "k" * (MAX_SECRET + 1))],
        [("X-Only-Key", "k" * 1_000_000)],
        [("X-Client-Id", "a,b"), ("X-API-Key", "k")],
        [("X-Client-Id", "a"), ("X-API-Key", "k,l")],
        [("X-Client-Id", "\xe4"), ("X-API-Key", "k")],
        [("X-Client-Id", "a\0b"), ("X-API-Key", "k")],
        [("X-Client-Id", "a" * (MAX_CLIENT_ID + 1)), ("X-Client-Secret", "s")],
        [("X-Client-Id", "a" * 1_000_000), ("X-Client-Secret", "s")],
    ],
    ids=lambda headers: ascii(headers)[:60],
)
def test_what_no_header_of_a_client_holds_is_malformed(headers: Pairs) -> None:
    assert reason(shown, headers) == "malformed_credentials"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Basic YTpi")],
        [("X-Client", "a"), ("X-API-Keys", "k"), ("API-Key", "k")],
        [("X_Only_Key", "k")],
        [("Cookie", "X-Only-Key=k")],
    ],
    ids=str,
)
def test_other_headers_are_not_read(headers: Pairs) -> None:
    assert shown(headers) == []
    assert not EVERYTHING.found(PlainRequest(headers=headers))


def test_only_what_is_listed_is_read() -> None:
    assert BASIC.basic
    assert BASIC.headers == frozenset()
    request = PlainRequest(headers=[("X-Client-Id", "a"), ("X-Client-Secret", "s"), ("X-API-Key", "k")])
    assert BASIC.sets(request) == []
    assert not BASIC.found(request)
    keys = Presentations([KeyHeader()])
    assert not keys.basic
    assert keys.headers == {b"x-api-key"}
    assert [keys.read(one).secret for one in keys.sets(request)] == ["k"]


def test_all_headers_that_are_read_are_known() -> None:
    assert EVERYTHING.headers == {b"x-client-id", b"x-client-secret", b"x-api-key", b"x-only-key"}


# Both


PARTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters=","), max_size=40)


@given(PARTS, PARTS)
def test_a_set_of_headers_is_read_as_it_was_sent(client_id: str, secret: str) -> None:
    (found,) = shown([("X-Client-Id", client_id), ("X-Client-Secret", secret)])
    assert found == PresentedSecret(client_id, secret, is_key=False)


@given(st.binary(max_size=60) | PARTS.map(lambda text: b" 2 0 " + text.encode()))
def test_nothing_in_authorization_is_taken_for_headers(value: bytes) -> None:
    _, credentials = split_scheme(b"Basic " + value)
    try:
        found = EVERYTHING.read(credentials)
    except InvalidRequest:
        return
    assert b64encode(f"{found.client_id}:{found.secret}".encode()) == credentials


@given(st.lists(st.tuples(st.sampled_from(["X-Client-Id", "X-Client-Secret", "X-API-Key", "X-Only-Key"]), st.binary())))
def test_no_bytes_in_headers_raise_anything_but_a_refusal(headers: list[tuple[str, bytes]]) -> None:
    with suppress(InvalidRequest):
        shown([(name, value.decode("latin-1")) for name, value in headers])


# How they are made


@pytest.mark.parametrize(
    "make",
    [
        lambda: KeyHeader(""),
        lambda: KeyHeader("X-API-Key:"),
        lambda: KeyHeader("X API Key"),
        lambda: KeyHeader("X-Schlüssel"),
        lambda: KeyHeader("X-API-Key\n"),
        lambda: KeyHeader("X-API-Key", client_id="X-Client-Id "),
        lambda: SecretHeaders(client_id=""),
        lambda: SecretHeaders(secret=""),
        lambda: SecretHeaders("X-Client-Id", "X-Client\0Secret"),
    ],
)
def test_a_header_has_a_name(make: Any) -> None:
    with pytest.raises(ValueError, match="such as X-API-Key"):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: KeyHeader("Authorization"),
        lambda: KeyHeader("X-API-Key", client_id="authorization"),
        lambda: SecretHeaders(secret="AUTHORIZATION"),
    ],
)
def test_authorization_is_for_basic(make: Any) -> None:
    with pytest.raises(ValueError, match=r"write BasicAuth\(\)"):
        make()


@pytest.mark.parametrize(
    "presentation",
    [
        [KeyHeader(), KeyHeader()],
        [KeyHeader(), KeyHeader("x-api-key", client_id="X-Client-Id")],
        [KeyHeader("X-Client-Secret"), SecretHeaders()],
        [SecretHeaders("X-Credential", "x-credential")],
        [KeyHeader("X-Client-Id"), SecretHeaders()],
        [KeyHeader("X-API-Key", client_id="X-Api-Key")],
    ],
)
def test_a_header_holds_one_kind_of_thing(presentation: Sequence[Presentation]) -> None:
    with pytest.raises(ValueError, match="a header of its own"):
        Presentations(presentation)


@pytest.mark.parametrize("presentation", [["Basic"], [BasicAuth], "Basic", [None], [b"X-API-Key"], BasicAuth()])
def test_a_presentation_is_one_of_three(presentation: Any) -> None:
    with pytest.raises(TypeError, match="presentation lists"):
        Presentations(presentation)


def test_without_a_presentation_nothing_can_be_shown() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Presentations([])
