import pytest

from oauth_rs.jose.jws import JSON_OBJECT, parse
from oauth_rs.providers.presented import Presented
from tests.providers.presenting import digest, presented, refused
from tests.support.issuing import Issuer, encode


def test_a_token_is_taken_apart_once() -> None:
    token = presented(Issuer().token())
    assert token.jws is token.jws
    assert token.claims["sub"] == "ada"


def test_what_was_taken_apart_before_is_not_again() -> None:
    jws = parse(Issuer().token().encode(), payload=JSON_OBJECT)
    plain = presented("never looked at")
    assert Presented(plain.text, b"", plain.request, plain.url, jws).jws is jws


def test_a_jwt_may_stand_behind_a_prefix() -> None:
    text = f"pt_{Issuer().token()}"
    token = presented(text).behind(b"pt_")
    assert token.claims["sub"] == "ada"
    assert (token.text, token.digest) == (text.encode(), digest(text))


def test_without_a_prefix_it_is_the_same_token() -> None:
    token = presented("opaque")
    assert token.behind(b"") is token


@pytest.mark.parametrize(
    ("text", "prefix", "reason"),
    [
        ("opaque", b"", "malformed_token"),
        (f"pt_{Issuer().token()}", b"", "malformed_token"),
        (f"pt_pt_{Issuer().token()}", b"pt_", "malformed_token"),
        (f"PT_{Issuer().token()}", b"pt_", "malformed_token"),
        ("a.b.c.d.e", b"", "encrypted_token"),
        ("a" * 20_000, b"", "token_too_long"),
        (Issuer().sign({"alg": "ES256"}, encode(b"[]")), b"", "malformed_claims"),
    ],
)
def test_what_is_no_jwt_says_so_each_time(text: str, prefix: bytes, reason: str) -> None:
    token = presented(text).behind(prefix)
    for _ in range(2):
        with refused(reason):
            _ = token.claims
