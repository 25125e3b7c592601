import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.errors import Unavailable
from oauth_rs.flow import Reply
from oauth_rs.outbound.answer import AHEAD, MAX_LIFE, MAX_TOKEN, UNSTATED_LIFE, is_token, token_of
from oauth_rs.outbound.errors import OutboundError, TokenRefused, TokenUnusable
from tests.outbound.provider import granted

FAILED, UNUSABLE = "token_endpoint_failed", "token_endpoint_unusable"


def reply(document: Any, status: int = 200) -> Reply:
    return Reply(status, document if isinstance(document, bytes) else json.dumps(document).encode())


def test_a_token_is_read() -> None:
    token = token_of(reply(granted("a.b-c_d~e+f/g==", scope="read write", refresh_token="r1")))
    assert (token.text, token.scopes, token.refresh_token) == ("a.b-c_d~e+f/g==", frozenset({"read", "write"}), "r1")
    assert (token.life, token.fresh) == (3600, 3600 * AHEAD)


def test_a_token_is_in_no_repr() -> None:
    shown = repr(token_of(reply(granted("t0ken", refresh_token="r3fresh"))))
    assert "t0ken" not in shown
    assert "r3fresh" not in shown


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
def test_the_type_is_bearer_in_any_case(kind: str) -> None:
    assert token_of(reply(granted(token_type=kind))).text == "token-1"


@pytest.mark.parametrize(
    ("stated", "life"),
    [
        (1, 1),
        (0.5, 0.5),
        ("3600", 3600),
        (None, UNSTATED_LIFE),
        (10**300, MAX_LIFE),
        (1e300, MAX_LIFE),
        ("999999999", MAX_LIFE),
    ],
)
def test_a_life_is_a_number_or_its_digits_and_a_day_at_most(stated: Any, life: float) -> None:
    assert token_of(reply(granted(expires_in=stated))).life == life


def test_a_life_of_null_is_none() -> None:
    assert token_of(reply({**granted(), "expires_in": None})).life == UNSTATED_LIFE


@pytest.mark.parametrize(
    "stated",
    [0, -1, -0.0, True, False, "", "abc", "-1", "1e3", "1.5", " 60", "60 ", "٦٠", "９", "0" * 5, "1" * 10, [60], {}],  # noqa: RUF001 - digits that are none here
    ids=repr,
)
def test_a_life_that_is_no_positive_number_is_refused(stated: Any) -> None:
    assert refused(granted(expires_in=stated)) == "malformed_answer"


@pytest.mark.parametrize("stated", [b"1e400", b"NaN", b"Infinity", b"-Infinity"])
def test_a_number_that_is_not_finite_is_no_json(stated: bytes) -> None:
    assert unavailable(b'{"access_token": "a", "token_type": "bearer", "expires_in": %s}' % stated) == UNUSABLE


@pytest.mark.parametrize(
    "token",
    [
        *("", " ", "a b", "a\r\nX-Evil: 1", "a\n", "a\x00", "a\t", 'a"b', "a,b", "a;b", "a=b", "=", "tökén", "a\u2028"),
        *("a" * (MAX_TOKEN + 1), 1, True, ["a"], {"a": 1}),
    ],
    ids=lambda token: repr(token)[:12],
)
def test_a_token_that_no_header_may_hold_is_refused(token: Any) -> None:
    assert refused(granted(token)) == "malformed_answer"


@pytest.mark.parametrize("missing", ["access_token", "token_type"])
def test_a_member_that_is_missing_is_refused(missing: str) -> None:
    assert refused({**granted(), missing: None}) == "malformed_answer"
    assert refused({name: value for name, value in granted().items() if name != missing}) == "malformed_answer"


@pytest.mark.parametrize("kind", ["mac", "DPoP", "N_A", "bearer ", "Bearer token", "", "ｂearer"])  # noqa: RUF001 - a twin
def test_another_type_of_token_is_refused(kind: str) -> None:
    assert refused(granted(token_type=kind)) == "not_bearer"


@pytest.mark.parametrize(
    "sent", [1, True, ["r"], "r\n1", "r\x00", "ré", "r" * (MAX_TOKEN + 1)], ids=lambda x: repr(x)[:8]
)
def test_a_refresh_token_that_is_no_text_is_refused(sent: Any) -> None:
    assert refused(granted(refresh_token=sent)) == "malformed_answer"


@pytest.mark.parametrize("scope", [None, 1, ["read"], {"read": 1}], ids=repr)
def test_a_scope_that_is_no_text_says_nothing(scope: Any) -> None:
    assert token_of(reply(granted(scope=scope))).scopes is None


# What is no answer


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html>",
        b"[]",
        b'"token"',
        b"null",
        b"\xff",
        b"access_token=a&token_type=bearer",
        b'{"access_token": "a", "access_token": "b", "token_type": "bearer"}',
        b'{"access_token": "\\ud800", "token_type": "bearer"}',
        b'{"access_token": "a", "token_type": "bearer", "more": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"access_token": "a", "token_type": "bearer"} {}',
    ],
    ids=lambda body: repr(body)[:16],
)
def test_what_is_no_json_object_is_no_answer(body: bytes) -> None:
    assert unavailable(body) == UNUSABLE


@pytest.mark.parametrize("status", [201, 204, 400, 403, 404, 405])
def test_a_status_without_a_code_is_no_answer(status: int) -> None:
    assert (unavailable(b"<html>", status), unavailable(granted(), status)) == (UNUSABLE, UNUSABLE)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 600])
def test_a_status_of_the_moment_is_an_outage(status: int) -> None:
    assert (unavailable(b"<html>", status), unavailable(granted(), status)) == (FAILED, FAILED)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_code_of_the_moment_or_beside_an_outage_is_one(status: int) -> None:
    assert unavailable({"error": "invalid_client"}, status) == FAILED


@pytest.mark.parametrize("code", ["temporarily_unavailable", "server_error", "slow_down"])
def test_a_code_that_says_so_is_an_outage(code: str) -> None:
    assert unavailable({"error": code}, 400) == FAILED
    assert unavailable({"error": code}, 401) == FAILED


@pytest.mark.parametrize("code", [None, "", 1, ["invalid_client"], {}], ids=repr)
def test_a_code_that_is_no_text_is_no_answer(code: Any) -> None:
    assert unavailable({"error": code}, 400) == UNUSABLE


@pytest.mark.parametrize("document", [b"", b"<html>", {}, {"error": 1}, {"error": "AADSTS7000215"}], ids=repr)
def test_a_401_is_about_the_client_whatever_it_says(document: Any) -> None:
    has_words = document == {"error": "AADSTS7000215"}
    assert refused(document, 401, kind=TokenRefused) == ("unauthorized" if has_words else "invalid_client")


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize(
    "code",
    ["invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "invalid_scope", "invalid_target"],
)
def test_a_code_of_the_standards_is_the_reason(status: int, code: str) -> None:
    assert refused({"error": code, "error_description": "x"}, status, kind=TokenRefused) == code


@pytest.mark.parametrize("code", ["AADSTS7000215", "s3cret", "invalid_client\n", "INVALID_CLIENT"])
def test_no_other_code_is_repeated(code: str) -> None:
    assert refused({"error": code}, 400, kind=TokenRefused) == "token_refused"


@given(
    st.binary()
    | st.dictionaries(st.text(), st.none() | st.floats() | st.text()).map(lambda it: json.dumps(it).encode())
)
def test_no_answer_raises_anything_else(body: bytes) -> None:
    for status in (200, 400):
        try:
            assert is_token(token_of(reply(body, status)).text)
        except (OutboundError, Unavailable):
            continue


@pytest.mark.parametrize("status", [200, 400])
def test_what_is_raised_for_an_answer_holds_none_of_it(status: int) -> None:
    with pytest.raises(Unavailable) as caught:
        token_of(reply(b'{"access_token": "s3cret"', status))
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def refused(document: Any, status: int = 200, *, kind: type[OutboundError] = TokenUnusable) -> str:
    with pytest.raises(kind) as caught:
        token_of(reply(document, status))
    return caught.value.reason


def unavailable(document: Any, status: int = 200) -> str:
    with pytest.raises(Unavailable) as caught:
        token_of(reply(document, status))
    return caught.value.reason
