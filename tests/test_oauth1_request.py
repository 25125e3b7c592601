from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_rs import InvalidRequest, SignatureMethod
from oauth_rs.oauth1_request import (
    MAX_HEADER_BYTES,
    MAX_QUERY_BYTES,
    ProtocolParameters,
    _take_unusual,
    holds_signature,
    parameters_of,
    take_parameters,
    with_form,
)
from oauth_rs.oauth1_signature import MAX_PARAMETERS, normalized
from tests.support.playing import PlainRequest

METHODS = {method.value: method for method in SignatureMethod}
USUAL = {
    "oauth_consumer_key": "c",
    "oauth_nonce": "n",
    "oauth_signature": "s%3D",
    "oauth_signature_method": "HMAC-SHA1",
    "oauth_timestamp": "137131200",
    "oauth_token": "t",
}


def fields(**changes: str | None) -> str:
    """USUAL with `changes`, named without their prefix; those that are None are left out."""
    changed = {**USUAL, **{f"oauth_{name}": value for name, value in changes.items()}}
    return "&".join(f"{name}={value}" for name, value in changed.items() if value is not None)


def taken(*more: str, **changes: str | None) -> tuple[ProtocolParameters, str]:
    """What is taken from USUAL with `changes` and `more` pairs."""
    return take_parameters(normalized("&".join((fields(**changes), *more))), METHODS)


def reason(*more: str, **changes: str | None) -> str:
    with pytest.raises(InvalidRequest) as caught:
        taken(*more, **changes)
    return caught.value.reason


# Where they stand


@pytest.mark.parametrize("encoded", [b"oauth_signature=", b"a=1&oauth_signature=x&b=2", b"&oauth_signature=x"])
def test_a_query_or_form_with_a_signature_holds_one(encoded: bytes) -> None:
    assert holds_signature(encoded)


@pytest.mark.parametrize(
    "encoded",
    [b"oauth_signature", b"oauth%5Fsignature=x", b"a=1&oauth%5fconsumer_key=x", b"oauth_consumer%5Fkey=x&b=2"],
)
def test_what_is_spelled_oddly_or_is_not_complete_holds_one(encoded: bytes) -> None:
    assert holds_signature(encoded)


@pytest.mark.parametrize(
    "encoded",
    [
        *(
            b"",
            b"oauth_signature_method=x",
            b"oauth_token=x&oauth_verifier=y",
            b"xoauth_signature=x",
            b"a=oauth_signature=x",
        ),
        *(b"OAUTH_SIGNATURE=x", b"a;oauth_signature=x", b"oauth_nonce=1"),
    ],
)
def test_other_queries_and_forms_hold_none(encoded: bytes) -> None:
    assert not holds_signature(encoded)


@pytest.mark.parametrize(
    ("header", "query", "form", "parameters"),
    [
        (b'oauth_nonce="n"', b"", b"", "oauth_nonce=n"),
        (b'oauth_nonce="n"', b"a=1", b"", "oauth_nonce=n&a=1"),
        (b'oauth_nonce="n"', b"a=1", b"b=2", "oauth_nonce=n&a=1&b=2"),
        (b"", b"oauth_nonce=n&a=1", b"", "oauth_nonce=n&a=1"),
        (b"", b"", b"oauth_nonce=n", "oauth_nonce=n"),
        (b"", b"a=oauth_x&xoauth_y=1", b"oauth_nonce=n", "a=oauth_x&xoauth_y=1&oauth_nonce=n"),
        (b'oauth_nonce="n"', b"a=oauth_x", b"xoauth_y=1", "oauth_nonce=n&a=oauth_x&xoauth_y=1"),
        (b'oauth_nonce="n"', b"&&", b"&", "oauth_nonce=n"),
        (b"", b"", b"", ""),
    ],
)
def test_parameters_of_all_places_are_collected(header: bytes, query: bytes, form: bytes, parameters: str) -> None:
    assert with_form(parameters_of(header, PlainRequest(query=query)), form) == parameters


@pytest.mark.parametrize(
    ("header", "query", "form"),
    [
        (b'oauth_nonce="n"', b"oauth_nonce=n", b""),
        (b'oauth_nonce="n"', b"a=1&oauth_token=t", b""),
        (b'oauth_nonce="n"', b"oauth%5Ftoken=t", b""),
        (b'oauth_nonce="n"', b"", b"%6fauth_token=t"),
        (b'a="1", oauth_nonce="n"', b"", b"oauth_token=t"),
        (b"", b"oauth_nonce=n", b"oauth_token"),
        (b"", b"a=1&oauth_nonce=n", b"b=1&oauth_unheard_of=1"),
    ],
)
def test_protocol_parameters_in_two_places_are_refused(header: bytes, query: bytes, form: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        with_form(parameters_of(header, PlainRequest(query=query)), form)
    assert caught.value.reason == "parameters_in_two_places"


@pytest.mark.parametrize(
    ("header", "query", "form"),
    [
        (b"oauth_nonce", b"", b""),
        (b'a="' + b"x" * MAX_HEADER_BYTES + b'"', b"", b""),
        (b'a="1"', b"a=" + b"x" * MAX_QUERY_BYTES, b""),
        (b"", b"&" * MAX_PARAMETERS, b""),
        (b"", b"%%%", b""),
        (b"", b"", b"&" * MAX_PARAMETERS),
        (b"", b"", b"%%%"),
    ],
    ids=["header", "long header", "long query", "many in query", "query", "many in form", "form"],
)
def test_what_is_malformed_or_too_long_is_refused(header: bytes, query: bytes, form: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        with_form(parameters_of(header, PlainRequest(query=query)), form)
    assert caught.value.reason == "malformed_credentials"


def test_the_longest_header_and_query_are_read() -> None:
    header = b'a="' + b"x" * (MAX_HEADER_BYTES - 4) + b'"'
    query = b"b=" + b"y" * (MAX_QUERY_BYTES - 2)
    assert len(parameters_of(header, PlainRequest(query=query))) == MAX_HEADER_BYTES + MAX_QUERY_BYTES - 1


def test_a_scheme_without_credentials_does_not_borrow_those_of_a_form() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parameters_of(b"", PlainRequest(headers={"Authorization": "OAuth"}))
    assert caught.value.reason == "malformed_credentials"


# What they say


def test_the_usual_parameters_are_taken() -> None:
    parameters, left = taken("a=1", "z=2", version="1.0", body_hash="aGk%3D")
    assert parameters == ProtocolParameters("c", "t", SignatureMethod.HMAC_SHA1, "s%3D", 137131200, "n", "aGk=")
    assert left == (
        "a 1&oauth_body_hash aGk%3D&oauth_consumer_key c&oauth_nonce n&oauth_signature_method HMAC-SHA1"
        "&oauth_timestamp 137131200&oauth_token t&oauth_version 1.0&z 2"
    )


@pytest.mark.parametrize(
    ("more", "changes"),
    [
        ((), {}),
        ((), {"version": "1.0"}),
        ((), {"token": None}),
        ((), {"token": ""}),
        ((), {"token": None, "version": "1.0"}),
        ((), {"body_hash": "x"}),
        ((), {"callback": "http%3A%2F%2Fa"}),
        ((), {"verifier": "v"}),
        ((), {"unheard_of": ""}),
        (("a=oauth_x",), {}),
        (("aoauth_nonce=x",), {}),
        (("oauthy=x", "oauth=y"), {}),
        (("a=1&a=1",), {}),
    ],
    ids=str,
)
def test_the_signature_alone_is_taken_out_of_what_is_signed(
    more: tuple[str, ...], changes: dict[str, str | None]
) -> None:
    parameters, left = taken(*more, **changes)
    assert parameters.signature == "s%3D"
    assert left == normalized("&".join((fields(**changes, signature=None), *more)))


@pytest.mark.parametrize("name", ["consumer_key", "nonce", "signature", "signature_method", "timestamp"])
def test_a_missing_parameter_is_refused(name: str) -> None:
    assert reason(**{name: None}) == "missing_parameter"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("consumer_key", "missing_parameter"),
        ("nonce", "missing_parameter"),
        ("timestamp", "missing_parameter"),
        ("signature_method", "unsupported_signature_method"),
        ("version", "unsupported_version"),
        ("body_hash", "malformed_parameter"),
    ],
)
def test_an_empty_parameter_is_refused(name: str, why: str) -> None:
    assert reason(**{name: ""}) == why


def test_a_name_that_ends_like_a_protocol_parameter_is_none() -> None:
    assert reason("aoauth_consumer_key=c", consumer_key=None) == "missing_parameter"


def test_without_any_protocol_parameter_all_are_missing() -> None:
    for text in ("", "a 1", "xoauth_nonce 1"):
        with pytest.raises(InvalidRequest, match="missing_parameter"):
            take_parameters(text, METHODS)


@pytest.mark.parametrize("value", ["same", "other"])
@pytest.mark.parametrize(
    "name", [*USUAL, "oauth_version", "oauth_body_hash", "oauth_callback", "oauth_verifier", "oauth_unheard_of"]
)
def test_a_parameter_that_is_there_twice_is_refused_even_with_the_same_value(name: str, value: str) -> None:
    first = USUAL.get(name, "1.0")
    again = f"{name}={first if value == 'same' else 'x'}"
    more = [again] if name in USUAL else [f"{name}={first}", again]
    assert reason(*more) == "repeated_parameter"


@pytest.mark.parametrize("pair", ["oauth_token", "oauth_nonce"])
def test_a_parameter_hidden_behind_a_crooked_timestamp_is_seen(pair: str) -> None:
    assert reason(f"{pair}=x", timestamp="137131200.5") == "repeated_parameter"


@pytest.mark.parametrize(
    "timestamp",
    [
        *("0", "000000000000", "-1", "-137131200", "%2B137131200", "137131200.0", "137131200.5", "137131200%20"),
        *("%20137131200", "1371312000000", "0137131200000", "1e9", "0x82C6D80", "137131200L", "137_131_200"),
        *("%D9%A1%D9%A2%D9%A3", "1371312%D9%A0%D9%A0", "%EF%BC%91%EF%BC%92%EF%BC%93", "%C2%B2", "%E2%85%A4"),
        *("NaN", "inf", "%00137131200", "137131200%00", "137131200%0A", "%FF", "a"),
    ],
)
@pytest.mark.parametrize("more", [{}, {"token": None}, {"version": "1.0"}], ids=str)
def test_a_timestamp_is_ascii_digits_above_zero(timestamp: str, more: dict[str, str | None]) -> None:
    assert reason(timestamp=timestamp, **more) == "malformed_parameter"


def test_the_longest_timestamp_has_twelve_digits() -> None:
    assert taken(timestamp="9" * 12)[0].timestamp == 999_999_999_999


@pytest.mark.parametrize("version", ["2.0", "1.1", "1", "1.00", "1.0a", "%201.0", "1.0%20", "01.0", "1%2E0x"])
def test_another_version_is_refused(version: str) -> None:
    assert reason(version=version) == "unsupported_version"
    assert reason(version=version, token=None) == "unsupported_version"


@pytest.mark.parametrize(
    "method", ["HMAC-SHA512", "hmac-sha1", "HmacSHA1", "HMAC-SHA", "none", "plaintext", "HMAC-SHA1%20", "%FF", "HS256"]
)
def test_a_method_goes_by_its_own_name_alone(method: str) -> None:
    assert reason(signature_method=method) == "unsupported_signature_method"


def test_a_method_that_is_switched_off_is_unsupported() -> None:
    with pytest.raises(InvalidRequest, match="unsupported_signature_method"):
        take_parameters(normalized(fields()), {"RSA-SHA256": SignatureMethod.RSA_SHA256})


@pytest.mark.parametrize("name", ["consumer_key", "token", "body_hash"])
@pytest.mark.parametrize("value", ["%FF", "a%C3", "%ED%A0%80", "%00", "a%0Ab", "%E2%80%AE", "%EF%BB%BFa", "%7F"])
def test_names_and_hashes_are_printable_utf8(name: str, value: str) -> None:
    assert reason(**{name: value}) == "malformed_parameter"


def test_names_are_decoded_and_signature_and_nonce_stay_as_they_are() -> None:
    parameters, _ = taken(consumer_key="a%20b", token="%C3%A9%26", nonce="%00%FF", signature="%2B")
    assert (parameters.client_id, parameters.token) == ("a b", "\u00e9&")
    assert (parameters.nonce, parameters.signature) == ("%00%FF", "%2B")


def test_plaintext_needs_neither_timestamp_nor_nonce() -> None:
    parameters, _ = taken(signature_method="PLAINTEXT", timestamp=None, nonce=None)
    assert (parameters.timestamp, parameters.nonce) == (0, "")


@pytest.mark.parametrize("missing", ["timestamp", "nonce"])
def test_plaintext_with_one_of_the_two_needs_the_other(missing: str) -> None:
    assert reason(signature_method="PLAINTEXT", **{missing: None}) == "missing_parameter"
    assert reason(signature_method="HMAC-SHA1", **{missing: None}) == "missing_parameter"


# The short way and the long way

_values = st.sampled_from(["", "a", "1", "12.5", "1.0", "2.0", "HMAC-SHA1", "PLAINTEXT", "%FF", "%20", "oauth_x"])
_names = st.sampled_from([*USUAL, "oauth_version", "oauth_body_hash", "oauth_callback", "oauth_zzz", "a", "oauth", "z"])


def outcome(take: Callable[..., object], text: str) -> object:
    try:
        return take(text, METHODS)
    except InvalidRequest as error:
        return error.reason


@settings(deadline=None, max_examples=500)
@given(st.dictionaries(_names, _values, max_size=4), st.lists(st.tuples(_names, _values), max_size=2))
def test_the_short_way_takes_what_the_long_way_takes(changes: dict[str, str], more: list[tuple[str, str]]) -> None:
    pairs = [*{**USUAL, **changes}.items(), *more]
    text = normalized("&".join(f"{name}={value}" for name, value in pairs))
    assert outcome(take_parameters, text) == outcome(_take_unusual, text)
