from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth2.rfc6749.errors import InsufficientScopeError, InvalidTokenError

from oauth_rs.devserver.issued import LIMIT, IssuedTokens, scopes_of
from oauth_rs.devserver.keys import KeyRing, base64url
from oauth_rs.devserver.status_list import INVALID, SUSPENDED, VALID, StatusList
from oauth_rs.devserver.tokens import Mint
from oauth_rs.encoding import base64url_decode
from tests.devserver.conftest import API, Clock, made_tokens

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issued(clock: Clock) -> IssuedTokens:
    return made_tokens(clock)


def both(issued: IssuedTokens, **options: Any) -> list[str]:
    """A token of each format."""
    return [issued.jwt(**options), issued.opaque(**options)]


@pytest.mark.parametrize("prefix", ["pt ", "a.b", "\N{SNOWMAN}", "a" * 33, "\n", 'a"'])
def test_a_prefix_keeps_to_what_any_token_may_have(prefix: str) -> None:
    with pytest.raises(ValueError, match="opaque_prefix"):
        made_tokens(Clock(), prefix=prefix)


@pytest.mark.parametrize("claims", [{"a": float("nan")}, {"a": object()}])
def test_what_json_cannot_say_is_no_claim(issued: IssuedTokens, claims: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=r"JSON"):
        issued.opaque(claims=claims)


@pytest.mark.parametrize("text", ["", ".", "..", "pt_", "a.b.c", "\udc80", "\N{SNOWMAN}", "e30.e30.AAAA", "a" * 20_000])
def test_other_text_is_no_token(issued: IssuedTokens, text: str) -> None:
    issued.opaque()
    assert issued.find(text) is None
    issued.revoke(text)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    issued = ISSUED
    assert issued.find(text) is None
    issued.revoke(text)


@pytest.mark.parametrize(
    "options",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"header": {"alg": "RS256"}},
        {"header": {"kid": "other"}},
        {"header": {"typ": "statuslist+jwt"}},
        {"header": {"typ": "token-introspection+jwt"}},
        {"header": {"typ": "dpop+jwt"}},
        {"drop": ["typ"]},
        {"drop": ["iss"]},
        {"drop": ["exp"]},
        {"claims": {"iss": "https://id.example.com"}},
        {"claims": {"iss": ["http://127.0.0.1:9000"]}},
        {"claims": {"exp": 1}},
        {"claims": {"exp": "tomorrow"}},
        {"claims": {"nbf": 1_800_000_001}},
        {"claims": {"iat": 1_800_000_001}},
    ],
    ids=str,
)
def test_a_bad_jwt_is_not_good(issued: IssuedTokens, options: dict[str, Any]) -> None:
    assert issued.find(issued.jwt(**options)) is None


def test_the_jwt_of_another_issuer_is_not_good(issued: IssuedTokens) -> None:
    assert issued.find(made_tokens(Clock()).jwt()) is None


def test_other_things_that_the_key_signed_are_no_access_tokens(issued: IssuedTokens) -> None:
    listed = issued.statuses.respond(None)  # type: ignore[arg-type]
    assert issued.find(str(listed.body)) is None


@pytest.mark.parametrize("claims", [{"exp": 1}, {"exp": None}, {"nbf": 1_800_000_001}])
def test_an_opaque_token_may_be_over_or_not_begun(issued: IssuedTokens, claims: dict[str, Any]) -> None:
    assert issued.find(issued.opaque(claims=claims)) is None


def test_a_token_is_good_until_it_is_over(issued: IssuedTokens, clock: Clock) -> None:
    tokens = [*both(issued), issued.opaque(lifetime=60)]
    short = issued.opaque(lifetime=1)
    clock.now += 59.9
    assert issued.find(short) is None
    assert all(issued.find(token) for token in tokens)
    clock.now += 0.1
    assert not any(issued.find(token) for token in tokens)


def test_a_revoked_token_is_good_no_longer_and_others_are(issued: IssuedTokens) -> None:
    kept, revoked = both(issued), both(issued)
    for token in revoked:
        issued.revoke(token)
        issued.revoke(token)
    assert [issued.find(token) for token in revoked] == [None, None]
    assert all(issued.find(token) for token in kept)


def test_a_revoked_jwt_has_no_twin_that_is_good() -> None:
    clock = Clock()
    mint = Mint(issuer="urn:as", audience=API, client_id="demo", keys=KeyRing("ES256"), clock=clock)
    issued = IssuedTokens(mint, statuses=StatusList(mint, ttl=1))
    token = issued.jwt()
    message, _, signature = token.rpartition(".")
    raw = base64url_decode(signature.encode())
    twin = f"{message}.{base64url(raw[:32] + (ORDER - int.from_bytes(raw[32:])).to_bytes(32))}"
    assert issued.find(twin) is not None
    issued.revoke(token)
    assert issued.find(twin) is None


@pytest.mark.parametrize("value", [INVALID, SUSPENDED, 3])
def test_a_token_with_another_status_than_valid_is_not_good(issued: IssuedTokens, value: int) -> None:
    token = issued.jwt(status=True)
    issued.set_status(token, value)
    assert issued.find(token) is None
    issued.set_status(token, VALID)
    assert issued.find(token) is not None


def test_revoking_sets_the_status(issued: IssuedTokens) -> None:
    token = issued.jwt(status=True)
    claims = issued.find(token)
    assert claims is not None
    issued.revoke(token)
    idx = claims["status"]["status_list"]["idx"]
    assert issued.statuses.get(idx) == INVALID
    issued.set_status(idx, SUSPENDED)
    assert issued.statuses.get(idx) == SUSPENDED


@pytest.mark.parametrize("make", [lambda issued: issued.jwt(), lambda issued: issued.opaque(), lambda _: "x"])
def test_a_token_without_status_has_none_to_set(issued: IssuedTokens, make: Callable[[IssuedTokens], str]) -> None:
    with pytest.raises(ValueError, match="status=True"):
        issued.set_status(make(issued), INVALID)


def test_opaque_tokens_are_few_and_the_oldest_is_forgotten() -> None:
    issued = made_tokens(Clock())
    first, second = issued.opaque(), issued.opaque()
    for _ in range(LIMIT - 1):
        issued.opaque()
    assert issued.find(first) is None
    assert issued.find(second) is not None


def test_both_formats_say_the_same(issued: IssuedTokens) -> None:
    one, other = (issued.find(token) for token in both(issued, scope="photos", claims={"roles": ["manager"]}))
    assert one is not None
    assert other is not None
    assert one.pop("jti") != other.pop("jti")
    assert one == other
    assert (one["sub"], one["scope"], one["exp"] - one["iat"], one["roles"]) == ("demo", "photos", 60, ["manager"])


def test_a_plain_jwt_is_an_access_token_too(issued: IssuedTokens) -> None:
    assert issued.find(issued.jwt(header={"typ": "JWT"})) is not None


def test_opaque_tokens_have_the_prefix() -> None:
    assert made_tokens(Clock()).opaque().startswith("pt_")
    assert made_tokens(Clock(), prefix="ghu_").opaque().startswith("ghu_")
    assert "." not in made_tokens(Clock(), prefix="").opaque()


def test_what_was_found_may_be_changed(issued: IssuedTokens) -> None:
    for token in both(issued):
        found = issued.find(token)
        assert found is not None
        found.clear()
        assert issued.find(token)


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Bearer x", "Basic {}", "{}", "Token {}"])
def test_what_is_no_bearer_header_grants_nothing(issued: IssuedTokens, authorization: str | None) -> None:
    header = authorization and authorization.format(issued.jwt(scope="photos"))
    with pytest.raises(InvalidTokenError):
        issued.granted(header, "photos")


@pytest.mark.parametrize("scope", ["", "photo", "photos.write", "Photos"])
@pytest.mark.parametrize("status", [HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED])
def test_a_token_without_the_scope_grants_nothing(issued: IssuedTokens, scope: str, status: HTTPStatus) -> None:
    for token in both(issued, scope=scope):
        with pytest.raises(InsufficientScopeError) as caught:
            issued.granted(f"Bearer {token}", "photos", lacking=status)
        assert caught.value.status_code == status


def test_a_bearer_header_grants_what_its_token_says(issued: IssuedTokens) -> None:
    for token in both(issued, scope="albums photos"):
        assert issued.granted(f"bearer {token}", "photos")["scope"] == "albums photos"


@pytest.mark.parametrize("claims", [{}, {"scope": 1}, {"scope": [1]}, {"scope": {}}])
def test_malformed_scopes_are_none(claims: dict[str, Any]) -> None:
    assert scopes_of(claims) == frozenset()


ISSUED = made_tokens(Clock())
