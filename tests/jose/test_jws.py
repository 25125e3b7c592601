import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_rs.errors import InvalidToken
from oauth_rs.jose import jws
from oauth_rs.jose.jws import JSON_OBJECT, MAX_TOKEN_BYTES, CompactJWS, JOSEHeader, parse
from tests.support.costing import cost
from tests.support.issuing import Issuer

PUBLISHED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "signatures.json").read_text())
ALG = {"alg": "ES256"}


def encode(data: bytes | dict[str, Any]) -> bytes:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return urlsafe_b64encode(raw).rstrip(b"=")


def token(header: bytes | dict[str, Any], payload: bytes = b"{}", signature: bytes = b"sig") -> bytes:
    return b".".join(map(encode, (header, payload, signature)))


def refused(bad: bytes) -> str:
    with pytest.raises(InvalidToken) as raised:
        parse(bad)
    assert raised.value.description.startswith(("The access token", "Encrypted access tokens"))
    return raised.value.reason


def test_a_token_is_taken_apart() -> None:
    parts = parse(token({"alg": "ES256", "kid": "k1", "typ": "at+jwt", "other": [1]}, b'{"sub":"ada"}', b"\xff\xfe"))
    assert parts.header == JOSEHeader(alg="ES256", kid="k1", typ="at+jwt")
    assert parts.payload == b'{"sub":"ada"}'
    assert parts.signature == b"\xff\xfe"
    assert (
        parts.signing_input
        == token({"alg": "ES256", "kid": "k1", "typ": "at+jwt", "other": [1]}, b'{"sub":"ada"}', b"")[:-1]
    )


def test_kid_and_typ_may_be_absent() -> None:
    assert parse(token(ALG)).header == JOSEHeader(alg="ES256", kid=None, typ="")


@pytest.mark.parametrize("vector", [one for one in PUBLISHED["vectors"] if one["valid"]], ids=lambda one: one["id"])
def test_published_tokens_are_taken_apart(vector: dict[str, Any]) -> None:
    parts = parse(vector["token"].encode())
    assert b".".join((parts.signing_input, encode(parts.signature))).decode() == vector["token"]
    assert parts.header.alg in {"HS256", "RS256", "PS384", "ES256", "ES512", "EdDSA"}


def test_the_payload_need_not_be_json_nor_be_there() -> None:
    assert parse(token(ALG, b"\xff\x00 not json")).payload == b"\xff\x00 not json"
    assert parse(token(ALG, b"")).payload == b""


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", "es256", "ES256K", "unknown"])
def test_an_algorithm_nobody_knows_is_refused_before_anything_else_is_read(alg: str) -> None:
    with pytest.raises(InvalidToken, match="algorithm_not_allowed"):
        parse(token({"alg": alg}, signature=b""))


@pytest.mark.parametrize("alg", ["HS256", "RS256", "Ed25519", "EdDSA"])
def test_an_algorithm_that_is_known_is_for_the_key_to_refuse(alg: str) -> None:
    parts = parse(token({"alg": alg}, signature=b""))
    assert (parts.header.alg, parts.signature) == (alg, b"")


GOOD = token(ALG)
HEADER, PAYLOAD, SIGNATURE = GOOD.split(b".")


@pytest.mark.parametrize(
    "bad",
    [
        *(
            b"",
            b".",
            b"..",
            b"...",
            b"a",
            b"a.b",
            HEADER,
            HEADER + b"." + PAYLOAD,
            b"." + GOOD,
            GOOD + b".",
        ),
        *(
            b"." + PAYLOAD + b"." + SIGNATURE,
            b"\0" + GOOD,
            GOOD + b"\n",
            b" " + GOOD,
            GOOD + b" ",
            b"\xef\xbb\xbf" + GOOD,
        ),
        json.dumps({"payload": "e30", "protected": HEADER.decode(), "signature": "AAAA"}).encode(),
        json.dumps({"payload": "e30", "signatures": []}).encode(),
        b'{"protected":"' + GOOD + b'"}',
        b"[" + GOOD + b"]",
    ],
    ids=lambda bad: repr(bad[:30]),
)
def test_what_is_not_three_parts_of_base64url_is_refused(bad: bytes) -> None:
    assert refused(bad) == "malformed_token"


@pytest.mark.parametrize("part", [0, 1, 2], ids=["header", "payload", "signature"])
@pytest.mark.parametrize(
    "suffix", [b"=", b"==", b" ", b"\n", b"\t", b"\x00", b"+", b"/", b"!", b"%3D", b"\xc3\xa9", b"A", b"?", b"~"]
)
def test_no_part_has_another_spelling(part: int, suffix: bytes) -> None:
    parts = [encode(b'{"alg":"ES256"}'), b"AAAA", b"AAAA"]
    assert parse(b".".join(parts)).header.alg == "ES256"
    parts[part] += suffix
    assert refused(b".".join(parts)) == "malformed_token"


@pytest.mark.parametrize("part", [0, 1, 2], ids=["header", "payload", "signature"])
def test_stray_bits_are_refused_in_every_part(part: int) -> None:
    parts = [encode(b'{"alg":"ES256"} '), encode(b"1"), encode(b"1")]
    assert parse(b".".join(parts)).payload == b"1"
    parts[part] = parts[part][:-1] + bytes((parts[part][-1] + 1,))
    assert refused(b".".join(parts)) == "malformed_token"


@pytest.mark.parametrize("part", [0, 1, 2], ids=["header", "payload", "signature"])
@pytest.mark.parametrize("space", [b" ", b"\n", b"\r\n", b"\t"])
def test_white_space_is_refused_in_every_part(part: int, space: bytes) -> None:
    parts = [HEADER, PAYLOAD, SIGNATURE]
    for spelled in (space + parts[part], parts[part] + space, parts[part][:2] + space + parts[part][2:]):
        assert refused(b".".join([*parts[:part], spelled, *parts[part + 1 :]])) == "malformed_token"


@pytest.mark.parametrize(
    "header",
    [
        *(b"", b"null", b"true", b"1", b'"ES256"', b"[]", b'[{"alg":"ES256"}]'),
        *(b"{}", b'{"typ":"JWT"}', b'{"ALG":"ES256"}', b'{"alg ":"ES256"}'),
        *(b'{"alg":null}', b'{"alg":1}', b'{"alg":true}', b'{"alg":["ES256"]}', b'{"alg":{"ES256":1}}'),
        *(b'{"alg":"ES256","kid":null}', b'{"alg":"ES256","kid":1}', b'{"alg":"ES256","kid":["k1"]}'),
        *(b'{"alg":"ES256","typ":null}', b'{"alg":"ES256","typ":1}', b'{"alg":"ES256","typ":["at+jwt"]}'),
        *(b'{"alg":"ES256","alg":"none"}', b'{"alg":"none","\\u0061lg":"ES256"}', b'{"alg":"ES256","x":{"a":1,"a":2}}'),
        *(b'{"alg":"ES256","x":NaN}', b'{"alg":"ES256","x":Infinity}', b'{"alg":"ES256","x":1e999}'),
        *(b'{"alg":"ES256"}x', b'{"alg":"ES256"}{}', b'{"alg":"ES256",}', b"{'alg':'ES256'}", b'{"alg":"ES256"}\x00'),
        *(b'\xef\xbb\xbf{"alg":"ES256"}', '{"alg":"ES256"}'.encode("utf-16"), '{"alg":"ES256"}'.encode("utf-32-le")),
        *(b'{"alg":"ES256","kid":"\xff"}', b'{"alg":"ES256","kid":"\xed\xa0\x80"}', b'{"alg":"ES256","kid":"\\ud800"}'),
        b'{"alg":"ES256","x":' + b"9" * 5000 + b"}",
        b'{"alg":"ES256","x":' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"alg":"ES256","x":' + b"[" * 10_000,
    ],
    ids=lambda header: repr(header[:40]),
)  # fmt: skip
def test_a_header_is_one_strict_json_object_of_the_right_types(header: bytes) -> None:
    assert refused(token(header)) == "malformed_token"


@pytest.mark.parametrize(
    "members",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": ["b64"], "b64": False},
        {"crit": ["b64"], "b64": True},
        {"crit": []},
        {"crit": None},
        {"crit": "exp"},
        {"crit": ["http://example.com/extension"]},
        {"b64": False},
        {"b64": True},
        {"b64": None},
    ],
    ids=repr,
)
def test_extensions_are_refused_whatever_they_are(members: dict[str, Any]) -> None:
    assert refused(token({**ALG, **members})) == "crit_not_supported"
    padding = {"pad": "x" * 600}  # a header too long to be remembered takes another path
    assert refused(token({**ALG, **members, **padding})) == "crit_not_supported"


def test_an_unencoded_payload_is_refused() -> None:
    # RFC 7797 section 4.2, as corrected in the JOSE cookbook.
    header, payload = b"eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19", b"This is the payload string!"
    assert refused(header + b"." + payload + b".ciks0B6Hs-amhOqxI5_iG6mPKnMDlWCb7J2Wu7mtIcg") == "crit_not_supported"


@pytest.mark.parametrize("parts", [b"....", b"a.b.c.d.e", HEADER + b"." + b".".join([PAYLOAD] * 4)])
def test_an_encrypted_token_is_named_as_such(parts: bytes) -> None:
    assert refused(parts) == "encrypted_token"


@pytest.mark.parametrize("dots", [3, 5, 6, 100, MAX_TOKEN_BYTES])
def test_many_dots_are_refused(dots: int) -> None:
    assert refused(b"." * dots) == "malformed_token"


def test_a_million_dots_are_refused_at_once() -> None:
    def refuse_all() -> None:
        for _ in range(100):
            assert refused(b"." * 1_000_000) == "token_too_long"

    assert cost(refuse_all) < 0.5


def test_tokens_have_a_greatest_length() -> None:
    start = encode(ALG) + b".MQ."
    longest = start + b"A" * (16_384 - len(start))
    assert len(parse(longest).signature) > 12_000
    assert refused(longest + b"A") == "token_too_long"


@pytest.mark.parametrize(
    "filling",
    [b'{"a":' + b"[]," * 40 + b'\\"' * 5900, b"[" * 12_000, b'{"a":' * 2400, b'{"a":"' + b"\\u0061" * 2000],
    ids=["quotes", "arrays", "objects", "escapes"],
)
def test_the_worst_header_that_fits_is_refused_at_once(filling: bytes) -> None:
    worst = token(filling)
    assert refused(worst) == "malformed_token"
    assert cost(lambda: refused(worst)) < 0.1  # under a millisecond; a quadratic step takes a quarter of a second


@pytest.mark.parametrize("member", ["jwk", "jku", "x5c", "x5u", "x5t#S256"])
@pytest.mark.parametrize("value", [{"kty": "oct", "k": "AAAA"}, "https://evil.example/keys", ["MIIB"], None, 1])
def test_keys_and_addresses_in_the_header_are_not_even_read(member: str, value: Any) -> None:
    parts = parse(token({**ALG, member: value}))
    assert parts.header == JOSEHeader(alg="ES256", kid=None, typ="")
    assert not hasattr(parts.header, member)


def test_headers_are_remembered_by_their_bytes_and_long_ones_not_at_all() -> None:
    jws._remembered.cache_clear()
    assert parse(token(ALG, b"1")).header is parse(token(ALG, b"2")).header
    long_header = {**ALG, "kid": "k" * 600}
    assert parse(token(long_header)).header == parse(token(long_header)).header == JOSEHeader("ES256", "k" * 600, "")
    assert jws._remembered.cache_info().currsize == 1


def test_what_is_remembered_is_bounded() -> None:
    for number in range(1000):
        parse(token({**ALG, "kid": str(number)}))
    assert jws._remembered.cache_info().currsize <= 256


def test_a_refused_header_is_refused_again() -> None:
    for _ in range(3):
        assert refused(token({"alg": 1})) == "malformed_token"
        assert refused(token({**ALG, "crit": []})) == "crit_not_supported"


def test_an_error_holds_nothing_of_the_token() -> None:
    with pytest.raises(InvalidToken) as raised:
        parse(token(b'{"alg":"ES256","kid":"s3cret",}', b"s3cret"))
    assert "s3cret" not in f"{raised.value!r} {raised.value.description} {raised.value.args}"


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), st.lists, max_leaves=4)
HEADERS = st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "x"]), JSON | st.just("ES256"))


@given(st.binary() | st.lists(st.binary().map(encode), min_size=3, max_size=3).map(b".".join) | HEADERS.map(token))
@settings(max_examples=500, deadline=None)
def test_no_bytes_raise_anything_but_invalid_token(data: bytes) -> None:
    try:
        parts = parse(data)
    except InvalidToken:
        return
    assert parts.signing_input + b"." + encode(parts.signature) == data
    assert all(isinstance(value, str) for value in (parts.header.alg, parts.header.kid or "", parts.header.typ))


# As a JWT

JWT_HEADER = {"typ": "at+jwt", "alg": "ES256", "kid": "k1"}


def presented(token: str) -> CompactJWS:
    return parse(token.encode(), payload=JSON_OBJECT)


def unclaimed(token: str) -> str:
    """Why `token` gives no claims."""
    with pytest.raises(InvalidToken) as caught:
        _ = presented(token).claims
    return caught.value.reason


def test_a_jwt_is_taken_apart_and_its_claims_are_read_once(issuer: Issuer) -> None:
    token = presented(issuer.token(sub="ada"))
    assert (token.header.kid, token.claims["sub"]) == ("k1", "ada")
    assert token.claims is token.claims


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("opaque-token", "malformed_token"),
        ("a.b", "malformed_token"),
        ("..", "malformed_token"),
        ("a.b.c.d.e", "encrypted_token"),
        ("a" * 16_385, "token_too_long"),
        ("." * 16_384, "malformed_token"),
    ],
    ids=["opaque", "two parts", "empty parts", "jwe", "too long", "dots"],
)
def test_what_is_no_jwt_says_why(token: str, reason: str) -> None:
    with pytest.raises(InvalidToken, match=reason):
        presented(token)


@pytest.mark.parametrize(
    "payload",
    [
        b"[]",
        b'"text"',
        b"null",
        b"",
        b"{",
        b'{"a":1,"a":1}',
        b'{"a":NaN}',
        b'{"exp":1e999}',
        b"\xff",
        b'{"a":"\\ud800"}',
    ],
    ids=str,
)
def test_a_payload_that_is_no_strict_json_object_carries_no_claims(issuer: Issuer, payload: bytes) -> None:
    assert unclaimed(issuer.sign(JWT_HEADER, encode(payload))) == "malformed_claims"


def test_a_payload_nested_without_end_carries_no_claims(issuer: Issuer) -> None:
    token = issuer.sign(JWT_HEADER, encode(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"))
    assert unclaimed(token) == "malformed_claims"


@pytest.mark.parametrize("extension", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}], ids=str)
def test_a_header_that_demands_an_extension_says_so(issuer: Issuer, extension: dict[str, object]) -> None:
    with pytest.raises(InvalidToken, match="crit_not_supported"):
        presented(issuer.token(header=extension))


@pytest.mark.parametrize("token", [Issuer().sign(JWT_HEADER, encode(b'["secret-claim"]')), "secret-claim"], ids=len)
def test_no_fault_repeats_the_token(token: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        _ = presented(token).claims
    assert "secret-claim" not in f"{caught.value!r} {caught.value.description}"
