from typing import Any

import pytest

from oauth_rs.flow import Reply
from oauth_rs.jose.claims import MAX_NUMERIC_DATE
from oauth_rs.providers.answers import as_json, end_of, error_of, inactive, members_of, names_error, refuses, unusable
from tests.providers.asking import said
from tests.providers.presenting import refused

NOW = 1_000_000.0


def test_an_answer_is_a_json_object() -> None:
    assert members_of(said(active=True, sub="Zoë")) == {"active": True, "sub": "Zoë"}


UNUSABLE = {
    "empty": b"",
    "html": b"<!doctype html><h1>Sign in</h1>",
    "null": b"null",
    "list": b'[{"active": true}]',
    "text": b'"active"',
    "not utf-8": b'{"active": true, "sub": "\xff"}',
    "half a surrogate": b'{"active": true, "sub": "\\ud800"}',
    "repeated member": b'{"active": false, "active": true}',
    "deep": b'{"active": true, "x": ' + b"[" * 40 + b"]" * 40 + b"}",
    "very deep": b'{"active": true, "x": ' + b"[" * 30_000,
    "infinite": b'{"active": true, "exp": 1e400}',
    "nan": b'{"active": true, "exp": NaN}',
    "many digits": b'{"active": true, "exp": ' + b"9" * 5000 + b"}",
    "cut off": b'{"active": true',
    "two": b'{"active": true}{"active": true}',
}


@pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_no_strict_json_object_is_no_answer(body: bytes) -> None:
    with pytest.raises(type(unusable(""))) as caught:
        members_of(Reply(200, body))
    assert (caught.value.reason, caught.value.status) == ("endpoint_unusable", 503)
    assert caught.value.__context__ is None  # the error of the parser holds the answer


@pytest.mark.parametrize("code", ["invalid_token", "insufficient_scope", "invalid_client", "anything", ""])
def test_an_answer_may_name_an_error(code: str) -> None:
    assert error_of(said(400, error=code)) == code
    assert refuses(said(403, error=code)) is (code in {"invalid_token", "insufficient_scope"})


@pytest.mark.parametrize(
    ("answer", "named"),
    [({"error": "x"}, True), ({"error": ""}, False), ({"error": "server_error"}, False), ({"error": 1}, False)],
    ids=str,
)
def test_an_error_in_words_that_does_not_pass_is_told_apart(answer: dict[str, Any], named: object) -> None:
    assert names_error(answer) is named


@pytest.mark.parametrize("body", [b"{}", b'{"error": null}', b'{"error": ["invalid_token"]}', *UNUSABLE.values()])
def test_what_names_no_error_refuses_no_token(body: bytes) -> None:
    assert error_of(Reply(403, body)) == ""
    assert not refuses(Reply(403, body))


def test_a_token_ends_when_the_answer_says() -> None:
    assert end_of({"exp": NOW + 60.7}, NOW, 0) == NOW + 60


def test_an_answer_without_an_end_is_good_for_now() -> None:
    assert end_of({"iat": NOW}, NOW, 0) == 0


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": NOW}, "expired"),
        ({"exp": 0}, "expired"),
        ({"exp": -1}, "expired"),
        ({"nbf": NOW + 1}, "not_yet_valid"),
        ({"exp": NOW + 9, "nbf": NOW + 1}, "not_yet_valid"),
        ({"iat": NOW + 1}, "not_yet_valid"),
        ({"exp": str(int(NOW + 60))}, "malformed_claim"),
        ({"exp": True}, "malformed_claim"),
        ({"exp": None}, "malformed_claim"),
        ({"exp": [NOW + 60]}, "malformed_claim"),
        ({"exp": MAX_NUMERIC_DATE + 1}, "malformed_claim"),
        ({"exp": 1e300}, "malformed_claim"),
        ({"nbf": "0"}, "malformed_claim"),
        ({"iat": False}, "malformed_claim"),
    ],
    ids=str,
)
def test_times_are_held_to_like_those_of_a_jwt(claims: dict[str, Any], reason: str) -> None:
    with refused(reason):
        end_of(claims, NOW, 0)


def test_clocks_may_differ_by_the_leeway() -> None:
    claims = {"exp": NOW - 59, "nbf": NOW + 60, "iat": NOW + 60}
    assert end_of(claims, NOW, 60) == NOW - 59
    with refused("expired"):
        end_of({"exp": NOW - 60}, NOW, 60)


def test_claims_are_kept_as_short_as_json_can_be() -> None:
    assert as_json({"a": [1, 2], "b": "ë"}) == b'{"a":[1,2],"b":"\\u00eb"}'


def test_a_token_that_is_not_active_is_an_invalid_one() -> None:
    assert (inactive().reason, inactive().status) == ("inactive_token", 401)
