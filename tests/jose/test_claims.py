import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_rs.encoding import json_object
from oauth_rs.errors import InvalidToken
from oauth_rs.jose.claims import (
    MAX_NUMERIC_DATE,
    audience_names,
    check_audience,
    check_required,
    check_times,
    client,
    confirmation,
    listed_scopes,
    numeric_date,
    scopes,
    text,
)

API = "https://api.example.com"
NOW = 1_800_000_000
NOT_STRINGS = [None, True, False, 0, 1.5, [], ["ada"], {}, {"ada": 1}]
NOT_DATES = [
    *(None, True, False, "", "1800000000", [], [NOW], {}, {"t": NOW}, [[NOW]]),
    *(math.nan, math.inf, -math.inf, 1e300, -1e300, 10**30, -(10**30), MAX_NUMERIC_DATE + 1, MAX_NUMERIC_DATE + 0.5),
]


def refused(check: Callable[[], object]) -> str:
    with pytest.raises(InvalidToken) as raised:
        check()
    return raised.value.reason


def test_a_text_claim_is_its_string_or_empty() -> None:
    assert text({"sub": "ada"}, "sub") == "ada"
    assert text({"other": "ada"}, "sub") == ""


@pytest.mark.parametrize("value", NOT_STRINGS, ids=repr)
def test_a_text_claim_is_nothing_but_a_string(value: Any) -> None:
    assert refused(lambda: text({"sub": value}, "sub")) == "malformed_claim"


@pytest.mark.parametrize(
    ("claims", "named"),
    [
        ({"client_id": "a", "azp": "b", "cid": "c"}, "a"),
        ({"azp": "b", "cid": "c"}, "b"),
        ({"cid": "c"}, "c"),
        ({"client_id": "", "azp": "b"}, "b"),
        ({}, ""),
    ],
)
def test_the_client_is_named_by_the_first_claim_that_does(claims: dict[str, Any], named: str) -> None:
    assert client(claims) == named


@pytest.mark.parametrize("name", ["client_id", "azp", "cid"])
@pytest.mark.parametrize("value", NOT_STRINGS, ids=repr)
def test_a_client_is_named_by_a_string(name: str, value: Any) -> None:
    assert refused(lambda: client({name: value})) == "malformed_claim"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *((0, 0), (NOW, NOW), (-1, -1), (NOW + 0.9, NOW), (-0.5, -1), (1e9, 10**9), (5e-324, 0)),
        *((253_402_300_799.0, MAX_NUMERIC_DATE), (-253_402_300_799.0, -MAX_NUMERIC_DATE)),
        *((253_402_300_799, MAX_NUMERIC_DATE), (-253_402_300_799, -MAX_NUMERIC_DATE)),
    ],
)
def test_a_date_is_whole_seconds_rounded_down(value: float, seconds: int) -> None:
    found = numeric_date({"exp": value}, "exp")
    assert found == seconds
    assert type(found) is int


def test_an_absent_date_is_none() -> None:
    assert numeric_date({"nbf": 1}, "exp") is None


@pytest.mark.parametrize("value", NOT_DATES, ids=repr)
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_a_date_is_a_finite_number_within_the_calendar(name: str, value: Any) -> None:
    claims = {"exp": NOW + 60, name: value}
    assert refused(lambda: numeric_date(claims, name)) == "malformed_claim"
    assert refused(lambda: check_times(claims, now=NOW, leeway=60)) == "malformed_claim"


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_no_date_that_is_not_finite_comes_out_of_json(number: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - that it is a ValueError is the contract
        json_object(b'{"exp":' + number + b"}")


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW + 1},
        {"exp": NOW + 1, "nbf": NOW, "iat": NOW},
        {"exp": NOW - 59},
        {"exp": NOW + 1, "nbf": NOW + 60, "iat": NOW + 60},
        {"exp": NOW + 0.5 - 60 + 1, "iat": 0},
    ],
)
def test_a_token_is_valid_within_its_times_and_the_leeway(claims: dict[str, Any]) -> None:
    assert check_times(claims, now=NOW, leeway=60) == claims["exp"] // 1


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({}, "no_expiry"),
        ({"nbf": 0, "iat": 0}, "no_expiry"),
        ({"exp": NOW - 60}, "expired"),
        ({"exp": NOW - 59.5}, "expired"),
        ({"exp": 0}, "expired"),
        ({"exp": -MAX_NUMERIC_DATE}, "expired"),
        ({"exp": NOW + 600, "nbf": NOW + 61}, "not_yet_valid"),
        ({"exp": NOW + 600, "iat": NOW + 61}, "not_yet_valid"),
        ({"exp": NOW + 600, "nbf": NOW, "iat": NOW + 3600}, "not_yet_valid"),
        ({"exp": NOW - 60, "nbf": NOW + 61}, "expired"),
    ],
    ids=repr,
)
def test_a_token_outside_its_times_is_refused(claims: dict[str, Any], reason: str) -> None:
    assert refused(lambda: check_times(claims, now=NOW, leeway=60)) == reason


@pytest.mark.parametrize(("exp", "reason"), [(NOW, "expired"), (NOW - 1, "expired")])
def test_without_leeway_a_token_ends_at_its_second(exp: int, reason: str) -> None:
    assert refused(lambda: check_times({"exp": exp}, now=NOW, leeway=0)) == reason
    assert check_times({"exp": exp}, now=exp - 0.001, leeway=0) == exp


@pytest.mark.parametrize("aud", [API, [API], ["https://other.example", API], [API, API]])
def test_an_audience_names_this_api(aud: Any) -> None:
    check_audience({"aud": aud}, frozenset({API, "api"}))


@pytest.mark.parametrize(
    "aud",
    [
        *("", "https://api.example.co", API + "/", API + ".evil.example", "x" + API, API.upper(), f" {API}", f"{API} "),
        *("https://", API + " https://other.example", [], [""], ["https://other.example"], [API + "/"], list(API)),
    ],
    ids=repr,
)
def test_an_audience_is_compared_whole(aud: Any) -> None:
    assert refused(lambda: check_audience({"aud": aud}, frozenset({API}))) == "wrong_audience"


@pytest.mark.parametrize(
    "aud",
    [True, 1, 1.5, {}, {API: 1}, [[API]], [API, None], [API, 1], [None], [{"aud": API}], [API, [API]], [True]],
    ids=repr,
)
def test_an_audience_is_a_string_or_an_array_of_strings(aud: Any) -> None:
    assert refused(lambda: check_audience({"aud": aud}, frozenset({API}))) == "malformed_claim"


def test_a_token_without_audience_is_for_nobody() -> None:
    assert refused(lambda: check_audience({}, frozenset({API}))) == "no_audience"


@pytest.mark.parametrize(
    ("claims", "held"),
    [
        ({}, set()),
        ({"scope": ""}, set()),
        ({"scope": "photos"}, {"photos"}),
        ({"scope": "photos profile photos"}, {"photos", "profile"}),
        ({"scope": "  photos   profile "}, {"photos", "profile"}),
        ({"scope": ["photos", "profile"]}, {"photos", "profile"}),
        ({"scope": ["photos", ""]}, {"photos"}),
        ({"scope": []}, set()),
        ({"scp": "photos profile"}, {"photos", "profile"}),
        ({"scp": ["photos"]}, {"photos"}),
        ({"scope": "photos", "scp": "admin"}, {"photos"}),
        ({"scope": "", "scp": "admin"}, set()),
        ({"scope": [], "scp": "admin"}, set()),
        ({"scope": None, "scp": "photos"}, {"photos"}),
        ({"scope": "photos\tadmin"}, {"photos\tadmin"}),
        ({"scope": "photos\nadmin"}, {"photos\nadmin"}),
        ({"scope": "photos\u00a0admin,profile"}, {"photos\u00a0admin,profile"}),
        ({"scope": ["photos admin"]}, {"photos admin"}),
        ({"scopes": "admin", "permissions": ["admin"], "roles": ["admin"]}, set()),
    ],
    ids=repr,
)
def test_scopes_are_parted_by_spaces_or_listed(claims: dict[str, Any], held: set[str]) -> None:
    assert scopes(claims) == held


@pytest.mark.parametrize("name", ["scope", "scp"])
@pytest.mark.parametrize(
    "value",
    [True, False, 0, 1.5, {}, {"photos": True}, [1], ["photos", None], [["photos"]], [{}], ["photos", True]],
    ids=repr,
)
def test_scopes_are_nothing_but_strings(name: str, value: Any) -> None:
    assert refused(lambda: scopes({name: value})) == "malformed_claim"


def test_scopes_that_are_null_twice_are_malformed() -> None:
    assert refused(lambda: scopes({"scp": None})) == "malformed_claim"


@pytest.mark.parametrize(
    ("claims", "listed"),
    [
        ({"scope": "a  b"}, ["a", "", "b"]),
        ({"scope": None, "scp": ["a", 17, None]}, ["a", 17, None]),
        ({"scope": 17, "scp": "a"}, []),
        ({"scope": {"a": 1}}, []),
        ({}, [""]),
    ],
    ids=str,
)
def test_scopes_that_nobody_has_verified_stand_as_they_are(claims: dict[str, Any], listed: list[Any]) -> None:
    assert listed_scopes(claims) == listed


def test_equal_scope_strings_share_one_set() -> None:
    assert scopes({"scope": "photos profile"}) is scopes({"scp": "photos profile"})


def test_a_confirmation_is_its_object_or_none() -> None:
    assert confirmation({}) is None
    assert confirmation({"cnf": {"jkt": "x"}}) == {"jkt": "x"}
    assert confirmation({"cnf": {}}) == {}


@pytest.mark.parametrize("value", [None, False, True, 0, "", "jkt", [], [{"jkt": "x"}]], ids=repr)
def test_a_confirmation_that_is_no_object_is_never_taken_for_none(value: Any) -> None:
    assert refused(lambda: confirmation({"cnf": value})) == "malformed_claim"


@pytest.mark.parametrize("value", ["adijq39jdlaska9asud", "", None, 0, []], ids=repr)
def test_a_mac_key_constrains_the_sender_and_is_not_shown(value: Any) -> None:
    assert confirmation({"mac_key": value}) == {"mac_key": None}
    assert confirmation({"mac_key": value, "cnf": {"jkt": "x"}}) == {"jkt": "x", "mac_key": None}
    assert refused(lambda: confirmation({"mac_key": value, "cnf": None})) == "malformed_claim"


def test_an_error_holds_nothing_of_the_claims() -> None:
    with pytest.raises(InvalidToken) as raised:
        check_audience({"aud": ["s3cret"]}, frozenset({API}))
    assert "s3cret" not in f"{raised.value!r} {raised.value.description}"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
REASONS = {"malformed_claim", "no_audience", "wrong_audience", "no_expiry", "expired", "not_yet_valid"}
NAMES = st.sampled_from(
    ["sub", "client_id", "azp", "cid", "exp", "nbf", "iat", "aud", "scope", "scp", "cnf", "mac_key"]
)


@given(st.dictionaries(NAMES, VALUES))
@settings(deadline=None)
def test_no_claims_raise_anything_but_invalid_token(values: dict[str, Any]) -> None:
    claims = json_object(json.dumps(values).encode())
    checks: list[Callable[[], object]] = [
        lambda: text(claims, "sub"),
        lambda: client(claims),
        lambda: check_audience(claims, frozenset({API})),
        lambda: check_times(claims, now=NOW, leeway=60),
        lambda: scopes(claims),
        lambda: confirmation(claims),
    ]
    for check in checks:
        try:
            check()
        except InvalidToken as error:
            assert error.reason in REASONS  # noqa: PT017 - anything else that is raised fails the test by itself


@pytest.mark.parametrize(
    ("audience", "names"), [("", set()), ("a", {"a"}), (["a", "b"], {"a", "b"}), ({"a"}, {"a"}), ((), set())]
)
def test_an_audience_is_one_name_or_several(audience: Any, names: set[str]) -> None:
    assert audience_names(audience) == names


@pytest.mark.parametrize(
    "audience", [None, 5, b"a", ["a", ""], [None], iter(["a"])], ids=lambda one: type(one).__name__
)
def test_an_audience_of_another_type_is_refused(audience: Any) -> None:
    with pytest.raises(TypeError, match="audience is text"):
        audience_names(audience)


def test_claims_that_are_required_are_there() -> None:
    check_required({"sub": "ada", "iat": 0, "azp": "app", "flag": False}, ("sub", "iat", "client_id", "flag"))
    check_required({}, ())


@pytest.mark.parametrize("claims", [{}, {"sub": None}, {"sub": ""}, {"client_id": "ada"}], ids=str)
def test_a_claim_that_is_required_is_neither_absent_nor_empty(claims: dict[str, Any]) -> None:
    assert refused(lambda: check_required(claims, ("sub",))) == "missing_claim"
