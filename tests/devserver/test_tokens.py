import hmac
import json
from base64 import urlsafe_b64decode
from typing import Any

import jwt
import pytest

from oauth_rs.devserver.keys import ALGORITHMS, KeyRing
from oauth_rs.devserver.tokens import Mint
from tests.devserver.conftest import Read

API = "https://api.example.com"


@pytest.fixture(scope="module")
def mint() -> Mint:
    return Mint(
        issuer="http://127.0.0.1:9000", audience=API, client_id="demo", keys=KeyRing("ES256"), clock=lambda: 1000.9
    )


def header(token: str) -> dict[str, Any]:
    return jwt.get_unverified_header(token)


def claims(token: str) -> dict[str, Any]:
    payload: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return payload


def test_a_token_has_what_rfc_9068_requires(mint: Mint, read: Read) -> None:
    token = read(mint.token(client_id="cli", scope="photos albums"), mint.keys.jwks())
    assert len(token["claims"].pop("jti")) >= 16
    assert token == {
        "header": {"alg": "ES256", "typ": "at+jwt", "kid": mint.keys.signing().kid},
        "claims": {
            "iss": "http://127.0.0.1:9000",
            "sub": "cli",
            "aud": API,
            "iat": 1000,
            "exp": 1600,
            "client_id": "cli",
            "scope": "photos albums",
        },
    }


@pytest.mark.parametrize("alg", list(ALGORITHMS))
def test_every_algorithm_signs_under_the_name_asked_for(mint: Mint, read: Read, alg: str) -> None:
    assert read(mint.token(alg=alg), mint.keys.jwks())["header"]["alg"] == alg


def test_two_tokens_never_share_an_id(mint: Mint) -> None:
    assert claims(mint.token())["jti"] != claims(mint.token())["jti"]


def test_a_token_without_scope_has_no_scope_claim(mint: Mint) -> None:
    assert "scope" not in claims(mint.token())


def test_claims_replace_and_add(mint: Mint) -> None:
    token = mint.token(claims={"exp": 1, "aud": ["https://wrong.example"], "nbf": 5, "cnf": {"jkt": "x"}})
    assert {"exp": 1, "aud": ["https://wrong.example"], "nbf": 5, "cnf": {"jkt": "x"}}.items() <= claims(token).items()


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"])
def test_a_dropped_claim_is_missing(mint: Mint, name: str) -> None:
    assert name not in claims(mint.token(drop={name}))


@pytest.mark.parametrize("name", ["typ", "kid"])
def test_a_dropped_header_member_is_missing(mint: Mint, name: str) -> None:
    assert name not in header(mint.token(drop=[name]))


def test_a_header_may_lie_about_type_key_and_algorithm(mint: Mint) -> None:
    lies = {"typ": "logout+jwt", "kid": "../../etc/passwd", "alg": "RS256"}
    assert header(mint.token(header=lies)) == lies


def test_an_overridden_token_is_still_signed(mint: Mint, read: Read) -> None:
    assert read(mint.token(claims={"exp": 1}, drop=["aud"]), mint.keys.jwks())["claims"]["exp"] == 1


def test_none_leaves_the_signature_empty(mint: Mint) -> None:
    token = mint.token(alg="none")
    assert header(token)["alg"] == "none"
    assert token.endswith(".")


def test_hs256_is_signed_with_the_public_key_as_the_secret(mint: Mint) -> None:
    message, _, signature = mint.token(alg="HS256").rpartition(".")
    secret = mint.keys.signing().public_pem()
    assert json.loads(urlsafe_b64decode(message.split(".")[0] + "==="))["alg"] == "HS256"
    assert urlsafe_b64decode(signature + "=") == hmac.digest(secret, message.encode(), "sha256")


@pytest.mark.parametrize("alg", ["HS512", "PS256", "es256"])
def test_an_unknown_algorithm_is_a_value_error(mint: Mint, alg: str) -> None:
    with pytest.raises(ValueError, match="unknown algorithm"):
        mint.token(alg=alg)


@pytest.mark.parametrize("alg", ["HS512", "PS256"])
def test_a_jwt_of_another_kind_is_signed_with_a_known_algorithm(mint: Mint, alg: str) -> None:
    with pytest.raises(ValueError, match="unknown algorithm"):
        mint.signed({}, header={"typ": "x+jwt"}, alg=alg)


def test_a_jwt_of_another_kind_has_what_it_was_given_and_no_more(mint: Mint, read: Read) -> None:
    token = mint.signed({"sub": "x", "iat": 5}, header={"typ": "x+jwt"}, drop=["iat"])
    assert read(token, mint.keys.jwks()) == {
        "header": {"alg": "ES256", "kid": mint.keys.signing().kid, "typ": "x+jwt"},
        "claims": {"sub": "x"},
    }


def test_claims_are_for_as_long_as_is_said(mint: Mint) -> None:
    assert [mint.claims(lifetime=lifetime)["exp"] for lifetime in (None, 5, 0)] == [1600, 1005, 1000]
    assert mint.claims(audience=["a", "b"], scope="x")["aud"] == ["a", "b"]
