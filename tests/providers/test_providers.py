from hashlib import sha256

import pytest

from oauth_rs.providers import PresentedToken
from tests.support.issuing import Issuer, encode

HEADER = {"typ": "at+jwt", "alg": "ES256", "kid": "k1"}


def presented(token: str) -> PresentedToken:
    return PresentedToken(token.encode(), sha256(token.encode()).digest())


def test_a_jwt_is_taken_apart_once_with_its_claims(issuer: Issuer) -> None:
    token = presented(issuer.token(sub="ada"))
    assert token.jws is not None
    assert token.claims is not None
    assert (token.jws.header.kid, token.claims["sub"], token.fault) == ("k1", "ada", None)


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
def test_what_is_no_jwt_says_why(token: str, reason: str) -> None:
    found = presented(token)
    assert (found.jws, found.claims) == (None, None)
    assert found.fault is not None
    assert found.fault.reason == reason


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
def test_a_payload_that_is_no_strict_json_object_is_a_fault(issuer: Issuer, payload: bytes) -> None:
    found = presented(issuer.sign(HEADER, encode(payload)))
    assert (found.jws, found.claims) == (None, None)
    assert found.fault is not None
    assert found.fault.reason == "malformed_claims"


def test_a_payload_nested_without_end_is_a_fault(issuer: Issuer) -> None:
    found = presented(issuer.sign(HEADER, encode(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}")))
    assert found.fault is not None
    assert found.fault.reason == "malformed_claims"


@pytest.mark.parametrize("extension", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}], ids=str)
def test_a_header_that_demands_an_extension_is_a_fault(issuer: Issuer, extension: dict[str, object]) -> None:
    found = presented(issuer.token(header=extension))
    assert found.claims is None
    assert found.fault is not None
    assert found.fault.reason == "crit_not_supported"


def test_no_fault_repeats_the_token(issuer: Issuer) -> None:
    token = issuer.sign(HEADER, encode(b'["secret-claim"]'))
    fault = presented(token).fault
    assert fault is not None
    assert "secret-claim" not in f"{fault!r} {fault.description}"
    assert token not in f"{fault!r} {fault.description}"
