from hashlib import sha256

import pytest

from oauth_rs import InvalidToken
from oauth_rs.providers import PresentedToken, unknown_issuer
from tests.support.issuing import Issuer, encode

HEADER = {"typ": "at+jwt", "alg": "ES256", "kid": "k1"}


def presented(token: str) -> PresentedToken:
    return PresentedToken(token.encode(), sha256(token.encode()).digest())


def unclaimed(token: str) -> str:
    """Why `token` gives no claims."""
    with pytest.raises(InvalidToken) as caught:
        _ = presented(token).claims
    return caught.value.reason


def test_a_jwt_is_taken_apart_and_its_claims_are_read_once(issuer: Issuer) -> None:
    token = presented(issuer.token(sub="ada"))
    assert (token.jws.header.kid, token.claims["sub"]) == ("k1", "ada")
    assert token.claims is token.claims


def test_the_digest_is_kept_as_given(issuer: Issuer) -> None:
    raw = issuer.token().encode()
    assert PresentedToken(raw, sha256(raw).digest()).digest == sha256(raw).digest()


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
def test_what_is_no_jws_says_why(token: str, reason: str) -> None:
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
    assert unclaimed(issuer.sign(HEADER, encode(payload))) == "malformed_claims"


def test_a_payload_nested_without_end_carries_no_claims(issuer: Issuer) -> None:
    token = issuer.sign(HEADER, encode(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"))
    assert unclaimed(token) == "malformed_claims"


@pytest.mark.parametrize("extension", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}], ids=str)
def test_a_header_that_demands_an_extension_says_so(issuer: Issuer, extension: dict[str, object]) -> None:
    with pytest.raises(InvalidToken, match="crit_not_supported"):
        presented(issuer.token(header=extension))


@pytest.mark.parametrize("token", [Issuer().sign(HEADER, encode(b'["secret-claim"]')), "secret-claim"], ids=len)
def test_no_fault_repeats_the_token(token: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        _ = presented(token).claims
    assert "secret-claim" not in f"{caught.value!r} {caught.value.description}"


def test_the_issuer_is_not_named_when_it_is_unknown() -> None:
    assert (unknown_issuer().reason, unknown_issuer().status) == ("unknown_issuer", 401)
