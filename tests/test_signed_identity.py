import re
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given

from oauth_rs import Bearer, Grant, InvalidToken, ResourceServer, SignatureMethod, Unavailable
from oauth_rs.asgi import OAuthMiddleware
from oauth_rs.identity import MAX_HEADER_BYTES, PLAIN_NAMES
from oauth_rs.signed_identity import TYP, SignedIdentity
from tests.support.calling import bearer, call_asgi
from tests.support.granting import grant, grants
from tests.support.issuing import API, ISSUER, Issuer, private_key

GATEWAY, APPLICATION = "https://gateway.example.com", "https://orders.internal"
NOW = 1_700_000_000.9
KEY = private_key("ES256", "identity")


def signed(key: Any = KEY, **options: Any) -> SignedIdentity:
    return SignedIdentity(key, **{"issuer": GATEWAY, "audience": APPLICATION, "clock": lambda: NOW, **options})


def read(of: Grant, key: Any = KEY, algorithm: str = "ES256", **options: Any) -> dict[str, Any]:
    """What the application behind reads, the clock aside."""
    ((_, token),) = signed(key, algorithm=algorithm, **options).headers(of)
    checks: Any = {"verify_exp": False, "verify_iat": False}
    claims: dict[str, Any] = jwt.decode(
        token, key.public_key(), algorithms=[algorithm], audience=APPLICATION, issuer=GATEWAY, options=checks
    )
    return claims


def test_a_grant_is_told_in_one_jwt() -> None:
    claims = {"properties": {"tier": "gold"}, "name": "Ada", "act": {"sub": "clerk"}}
    told = read(grant(claims, signature_method=SignatureMethod.HMAC_SHA1))
    assert re.fullmatch(r"[\w-]{16}", told.pop("jti"))
    assert told == {
        "iss": GATEWAY,
        "aud": APPLICATION,
        "iat": int(NOW),
        "exp": int(NOW) + 60,
        "sub": "ada",
        "client_id": "app",
        "scope": "albums photos",
        "token_type": "Bearer",
        "oauth_version": "2.0",
        "signature_method": "HMAC-SHA1",
        "act": {"sub": "clerk"},
        "properties": {"tier": "gold"},
        "owner": {"name": "Ada"},
        "owner_domain": "people.example",
    }


def test_what_is_empty_is_left_out_but_for_the_scope() -> None:
    told = read(grant(subject="", client_id="", scopes=frozenset(), scheme="OAuth1", issuer=""))
    assert told.keys() == {"iss", "aud", "iat", "exp", "jti", "scope", "oauth_version", "owner_domain"}
    assert (told["scope"], told["oauth_version"]) == ("", "1.0a")


@pytest.mark.parametrize(
    "odd", ["photos admin", "a\tadmin", "a\x0badmin", "a\xa0admin", "", '"', "caf\u00e9"], ids=ascii
)
def test_what_is_no_scope_token_is_not_told(odd: str) -> None:
    """Who splits the text again would read a scope that nobody has granted."""
    assert read(grant(scopes=frozenset({"photos", odd})))["scope"] == "photos"


def test_each_request_has_its_own() -> None:
    one, other = (read(grant())["jti"] for _ in range(2))
    assert one != other


async def unreachable(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError("the application was reached")


@pytest.mark.parametrize("kid", ["", "2026-11"])
def test_the_header_says_what_it_is_and_which_key_signed(kid: str) -> None:
    ((name, token),) = signed(kid=kid, header="X-Identity").headers(grant())
    expected = {"typ": TYP, "alg": "ES256"} | ({"kid": kid} if kid else {})
    assert (name, jwt.get_unverified_header(token)) == ("X-Identity", expected)


def test_no_spelling_of_its_own_name_or_of_the_plain_ones_comes_in() -> None:
    assert signed(header="X_Who-Calls").names == PLAIN_NAMES | {"x-who-calls"}
    assert signed().names == PLAIN_NAMES | {"oauth-identity"}


def test_it_is_no_access_token_even_of_the_same_issuer_and_key() -> None:
    issuer = Issuer()
    identity = SignedIdentity(issuer.private_key, issuer=ISSUER, audience=API, kid=issuer.kid)
    ((_, token),) = identity.headers(grant())
    server = ResourceServer(Bearer(issuer.provider(required=())))
    answer = call_asgi(OAuthMiddleware(unreachable, server), headers=bearer(token))
    assert (answer.status, 'error="invalid_token"' in answer.challenge) == (401, True)


MANY = frozenset(f"scope-{number}" for number in range(1000))


def test_scopes_that_configuration_adds_are_no_fault_of_the_token() -> None:
    with pytest.raises(Unavailable, match="scopes_too_large"):
        signed().headers(grant({"scope": "root"}, scopes=MANY))
    with pytest.raises(InvalidToken, match="identity_too_large"):
        signed().headers(grant({"scope": "root", "name": "a" * MAX_HEADER_BYTES}, scopes=MANY))


def test_that_configuration_adds_too_much_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([0.0, 59.9, 60.0])
    identity = signed(monotonic=lambda: next(times))
    for records in (1, 1, 2):
        with pytest.raises(Unavailable):
            identity.headers(grant(scopes=MANY))
        assert len(caplog.records) == records


def test_a_percent_sign_that_is_claimed_counts_as_it_is_signed() -> None:
    with pytest.raises(Unavailable, match="scopes_too_large"):
        signed().headers(grant({"scope": "%" * 2_500}, scopes=MANY))


def test_what_is_too_much_for_a_header_refuses_the_request() -> None:
    with pytest.raises(InvalidToken) as refused:
        signed().headers(grant({"scope": " ".join(MANY)}, scopes=MANY))
    assert (refused.value.reason, refused.value.scheme) == ("identity_too_large", "Bearer")


@given(grants)
def test_nothing_unsafe_comes_through_any_claim(of: Grant) -> None:
    ((_, token),) = signed().headers(of)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", token)


@pytest.mark.parametrize("lifetime", [1, 300])
def test_an_identity_is_good_for_as_long_as_was_said(lifetime: int) -> None:
    told = read(grant(), lifetime=lifetime)
    assert told["exp"] - told["iat"] == lifetime


PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("text", [PEM, PEM.decode()], ids=["bytes", "text"])
def test_a_key_may_be_in_pem(text: Any) -> None:
    ((_, token),) = signed(text).headers(grant())
    assert jwt.decode(token, KEY.public_key(), ["ES256"], audience=APPLICATION, options={"verify_exp": False})


GOOD_KEYS = {
    "ES256": KEY,
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": private_key("RS256", "identity"),
    "PS512": private_key("RS256", "identity"),
}


@pytest.mark.parametrize(("algorithm", "key"), GOOD_KEYS.items(), ids=GOOD_KEYS)
def test_every_kind_of_key_signs(algorithm: str, key: Any) -> None:
    assert read(grant(), key, algorithm)["sub"] == "ada"


@pytest.mark.parametrize(
    ("key", "algorithm", "error"),
    [(None, "ES256", TypeError), ("no PEM", "ES256", ValueError), (KEY, "ES384", ValueError)],
    ids=["nothing", "text", "another curve"],
)
def test_a_key_that_cannot_sign_is_a_mistake_found_at_start(key: Any, algorithm: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="key is"):  # all that there are: tests/test_pem.py
        signed(key, algorithm=algorithm)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"issuer": ""}, "issuer names this server"),
        ({"audience": ""}, "audience the application behind"),
        ({"lifetime": 0}, "1 to 300 seconds"),
        ({"lifetime": -60}, "1 to 300 seconds"),
        ({"lifetime": 301}, "1 to 300 seconds"),
        ({"header": ""}, "not a header that is free"),
        ({"header": "OAuth Identity"}, "not a header that is free"),
        ({"header": "X:Y"}, "not a header that is free"),
        ({"header": "Ö"}, "not a header that is free"),
        ({"header": "Authorization"}, "not a header that is free"),
        ({"header": "content_type"}, "not a header that is free"),
    ],
)
def test_what_cannot_be_is_a_mistake_found_at_start(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        signed(**options)
