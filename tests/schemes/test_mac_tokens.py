import hashlib
import json
from base64 import b64encode
from typing import Any

import pytest

from oauth_rs import InvalidToken, JWTProvider, RemoteKeys, Unavailable
from oauth_rs.flow import Fetch, Reply
from oauth_rs.providers.choosing import Choice
from oauth_rs.schemes.mac_tokens import CACHE_SECONDS, Holder, TokenKeys
from oauth_rs.signature_methods import SignatureMethod
from tests.support.issuing import Issuer, encode
from tests.support.playing import SITE, FakeClock, PlainRequest, play

SECRET = "adijq39jdlaska9asud"  # of the example in draft -05 section 4.3
JWK = {"kty": "oct", "k": encode(SECRET.encode()).decode()}
JWKS_URL = "https://id.example.com/jwks"
HERE = (PlainRequest(), SITE.url)
FETCH = Fetch("GET", JWKS_URL, (("Accept", "application/jwk-set+json, application/json"),), shared=1.0)


def token(**claims: Any) -> str:
    return Issuer().token(**{"mac_key": SECRET, "kid": "t1", **claims})


def thumbprint(text: str) -> str:
    return b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()


def keys(**options: Any) -> TokenKeys:
    return TokenKeys(Choice([Issuer().provider(**options)]))


def found(holder: Holder | None) -> Holder:
    assert holder is not None
    return holder


def refused(text: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        play(keys().of_token(text, None, *HERE))
    return caught.value.reason


# The key in a token


def test_a_token_carries_its_key() -> None:
    holder = found(play(keys().of_token(token(iat=1_700_000_000, mac_algorithm="hmac-sha-1"), "t1", *HERE)))
    assert (holder.key.kid, holder.key.key) == ("t1", SECRET.encode())
    assert (holder.key.algorithm, holder.key.issued_at) == (SignatureMethod.HMAC_SHA1, 1_700_000_000)


@pytest.mark.parametrize(
    ("claims", "kid"),
    [
        ({"cnf": {"jwk": JWK}, "kid": "t1"}, "t1"),
        ({"cnf": {"jwk": {**JWK, "kid": "j1", "alg": "HS256"}}}, "j1"),
        ({"cnf": {"jwk": {**JWK, "kid": "j1"}}, "kid": "t1"}, "t1"),
    ],
)
def test_a_key_may_stand_in_the_confirmation(claims: dict[str, Any], kid: str) -> None:
    key = found(play(keys().of_token(Issuer().token(**claims), None, *HERE))).key
    assert (key.kid, key.key, key.algorithm) == (kid, SECRET.encode(), SignatureMethod.HMAC_SHA256)


def test_the_grant_is_that_of_the_token_for_this_scheme_without_the_key() -> None:
    holder = found(play(keys().of_token(token(), "t1", *HERE)))
    grant = holder.grant
    assert (grant.scheme, grant.provider, grant.subject) == ("MAC", "https://id.example.com", "ada")
    assert grant.allows("photos")
    assert (grant.confirmation, grant.signature_method) == (None, SignatureMethod.HMAC_SHA256)
    assert grant.claims["kid"] == "t1"
    assert SECRET not in f"{grant!r} {grant.claims_json!r} {holder.key!r}"


def test_no_spelling_of_the_key_is_left_in_the_claims() -> None:
    grant = found(play(keys().of_token(Issuer().token(cnf={"jwk": JWK}), None, *HERE))).grant
    assert JWK["k"].encode() not in grant.claims_json


@pytest.mark.parametrize("of", ["claim", "hash"])
def test_a_token_is_named_by_its_claim_or_by_its_hash(of: str) -> None:
    text = token()
    assert play(keys().of_token(text, "t1" if of == "claim" else thumbprint(text), *HERE)) is not None


@pytest.mark.parametrize("kid", ["t2", "", "T1", thumbprint("another"), SECRET])
def test_a_token_that_is_named_otherwise_gives_no_key(kid: str) -> None:
    assert play(keys().of_token(token(), kid, *HERE)) is None


def test_tokens_with_one_key_and_no_kid_count_as_one_key() -> None:
    one, other = (
        found(play(keys().of_token(Issuer().token(mac_key=SECRET, jti=jti), None, *HERE))).key for jti in "12"
    )
    assert one.kid == other.kid
    assert SECRET not in one.kid


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({}, "no_mac_key"),
        ({"kid": "t1", "mac_algorithm": "hmac-sha-256"}, "no_mac_key"),
        ({"mac_key": ""}, "malformed_claim"),
        ({"mac_key": None}, "malformed_claim"),
        ({"mac_key": [SECRET]}, "malformed_claim"),
        ({"mac_key": SECRET, "kid": 1}, "malformed_claim"),
        ({"mac_key": SECRET, "mac_algorithm": "PLAINTEXT"}, "malformed_claim"),
        ({"mac_key": SECRET, "mac_algorithm": "RSA-SHA256"}, "malformed_claim"),
        ({"mac_key": SECRET, "mac_algorithm": "none"}, "malformed_claim"),
        ({"mac_key": SECRET, "mac_algorithm": 1}, "malformed_claim"),
        ({"mac_key": SECRET, "cnf": {"jkt": "x"}}, "sender_constrained"),
        ({"mac_key": SECRET, "cnf": {"jwk": JWK}}, "sender_constrained"),
        ({"cnf": {}}, "sender_constrained"),
        ({"cnf": {"jkt": "x"}}, "sender_constrained"),
        ({"cnf": {"jwk": JWK, "jkt": "x"}}, "sender_constrained"),
        ({"cnf": {"jwk": Issuer().jwk}}, "sender_constrained"),
        ({"cnf": {"jwk": [JWK]}}, "sender_constrained"),
        ({"cnf": {"jwk": {**JWK, "alg": "HS512"}}}, "sender_constrained"),
        ({"cnf": {"jwk": {**JWK, "alg": None}}}, "sender_constrained"),
        ({"cnf": {"jwk": {"kty": "oct"}}}, "malformed_claim"),
        ({"cnf": {"jwk": {"kty": "oct", "k": "a b"}}}, "malformed_claim"),
        ({"cnf": {"jwk": {"kty": "oct", "k": 1}}}, "malformed_claim"),
        ({"cnf": {"jwk": {**JWK, "kid": 1}}}, "malformed_claim"),
        ({"cnf": "x"}, "malformed_claim"),
        ({"mac_key": SECRET, "aud": "https://other.example"}, "wrong_audience"),
        ({"mac_key": SECRET, "exp": 1}, "expired"),
    ],
    ids=str,
)
def test_a_token_without_a_proper_key_is_refused(claims: dict[str, Any], reason: str) -> None:
    assert refused(Issuer().token(**claims)) == reason


@pytest.mark.parametrize("text", ["a.b.c", "..", "", "a" * 20_000, Issuer(kid="k9").token(mac_key=SECRET)])
def test_what_the_issuer_did_not_sign_is_refused(text: str) -> None:
    assert refused(text) in {"malformed_token", "token_too_long", "unknown_key"}


def test_an_error_about_a_key_does_not_show_it() -> None:
    with pytest.raises(InvalidToken) as caught:
        play(keys().of_token(Issuer().token(cnf={"jwk": {"kty": "oct", "k": "s3cret!"}}), None, *HERE))
    assert caught.value.__context__ is None
    assert "s3cret" not in f"{caught.value!r} {caught.value.description}"


def test_the_keys_of_the_issuer_are_fetched_when_they_must_be() -> None:
    cold = keys(keys=RemoteKeys(JWKS_URL))
    answer = Reply(200, json.dumps(Issuer().jwks).encode())
    assert play(cold.of_token(token(), "t1", *HERE), (FETCH, answer)) is not None


def test_a_provider_that_remembers_nothing_is_asked_each_time() -> None:
    forgetful = keys(cache_size=0)
    assert [play(forgetful.of_token(token(), "t1", *HERE)) is not None for _ in range(2)] == [True, True]


# A kid alone


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_800_000_000.0)


@pytest.fixture
def kept(clock: FakeClock) -> TokenKeys:
    return TokenKeys(Choice([provider(clock)]))


def provider(clock: FakeClock) -> JWTProvider:
    return Issuer().provider(clock=clock, monotonic=clock, leeway=0)


def lasting(seconds: float = 600, **claims: Any) -> str:
    return token(**{"iat": 1_800_000_000, "exp": 1_800_000_000 + seconds, **claims})


def keep(keys: TokenKeys, text: str, clock: FakeClock, kid: str = "t1") -> None:
    keys.keep(kid, found(play(keys.of_token(text, kid, *HERE))), clock())


def test_a_kid_stands_for_the_token_that_was_kept(kept: TokenKeys, clock: FakeClock) -> None:
    text = lasting()
    keep(kept, text, clock)
    assert found(play(kept.of_kid("t1", clock(), *HERE))).token == text


@pytest.mark.parametrize("kid", ["t2", "", "T1"])
def test_a_kid_that_was_not_kept_stands_for_nothing(kept: TokenKeys, clock: FakeClock, kid: str) -> None:
    keep(kept, lasting(), clock)
    assert play(kept.of_kid(kid, clock(), *HERE)) is None


def test_the_hash_of_a_token_stands_for_it_once_it_was_used(kept: TokenKeys, clock: FakeClock) -> None:
    text = lasting()
    assert play(kept.of_kid(thumbprint(text), clock(), *HERE)) is None
    keep(kept, text, clock, thumbprint(text))
    assert found(play(kept.of_kid(thumbprint(text), clock(), *HERE))).key.kid == "t1"


@pytest.mark.parametrize(("seconds", "is_good"), [(599.0, True), (600.0, False), (601.0, False)])
def test_a_kid_never_outlives_its_token(kept: TokenKeys, clock: FakeClock, seconds: float, *, is_good: bool) -> None:
    keep(kept, lasting(600), clock)
    clock.pass_seconds(seconds)
    assert (play(kept.of_kid("t1", clock(), *HERE)) is not None) is is_good


def test_a_kid_is_forgotten_when_nobody_uses_it(kept: TokenKeys, clock: FakeClock) -> None:
    keep(kept, lasting(10 * CACHE_SECONDS), clock)
    clock.pass_seconds(CACHE_SECONDS + 1)
    assert play(kept.of_kid("t1", clock(), *HERE)) is None


def test_a_kid_is_not_known_to_another_process(kept: TokenKeys, clock: FakeClock) -> None:
    keep(kept, lasting(), clock)
    assert play(TokenKeys(Choice([provider(clock)])).of_kid("t1", clock(), *HERE)) is None


def test_a_kid_goes_when_the_key_of_its_issuer_goes(clock: FakeClock) -> None:
    remote = RemoteKeys(JWKS_URL, monotonic=clock, max_age=300)
    known = TokenKeys(Choice([Issuer().provider(keys=remote, clock=clock, monotonic=clock)]))
    answer = Reply(200, json.dumps(Issuer().jwks).encode())
    holder = found(play(known.of_token(lasting(6000), "t1", *HERE), (FETCH, answer)))
    known.keep("t1", holder, clock())
    clock.pass_seconds(400)
    rotated = Reply(200, json.dumps(Issuer(kid="k2").jwks).encode())
    assert play(known.of_kid("t1", clock(), *HERE), (FETCH, rotated)) is None


def test_a_kid_whose_token_cannot_be_judged_now_is_no_verdict(clock: FakeClock) -> None:
    remote = RemoteKeys(JWKS_URL, monotonic=clock)
    known = TokenKeys(Choice([Issuer().provider(keys=remote, clock=clock, monotonic=clock)]))
    warm = TokenKeys(Choice([provider(clock)]))
    known.keep("t1", found(play(warm.of_token(lasting(), "t1", *HERE))), clock())
    with pytest.raises(Unavailable):
        play(known.of_kid("t1", clock(), *HERE), (FETCH, Unavailable("fetch_failed", "A server did not answer.")))


# Two tokens with one kid


@pytest.mark.parametrize(
    "other", [{"client_id": "mallory"}, {"sub": "mallory"}, {"client_id": "mallory", "mac_key": "guessed"}]
)
def test_a_token_does_not_take_the_kid_of_another_client(
    kept: TokenKeys, clock: FakeClock, other: dict[str, Any]
) -> None:
    keep(kept, lasting(), clock)
    keep(kept, lasting(**other), clock)
    assert found(play(kept.of_kid("t1", clock(), *HERE))).grant.client_id == "app"
    assert found(play(kept.of_kid("t1", clock(), *HERE))).grant.subject == "ada"


def test_tokens_that_name_no_client_do_not_replace_each_other(clock: FakeClock) -> None:
    lax = TokenKeys(Choice([Issuer().provider(clock=clock, required=())]))
    for jti in "12":
        keep(lax, Issuer().token(drop=["sub", "client_id"], **claims(jti)), clock)
    assert found(play(lax.of_kid("t1", clock(), *HERE))).grant.claims["jti"] == "1"


def claims(jti: str) -> dict[str, Any]:
    return {"mac_key": SECRET, "kid": "t1", "jti": jti, "iat": 1_800_000_000, "exp": 1_800_000_600}


def test_a_client_that_renews_its_token_keeps_its_kid(kept: TokenKeys, clock: FakeClock) -> None:
    keep(kept, lasting(), clock)
    keep(kept, lasting(jti="2", mac_key="another"), clock)
    assert found(play(kept.of_kid("t1", clock(), *HERE))).key.key == b"another"


def test_the_kid_of_a_token_that_expired_is_free(kept: TokenKeys, clock: FakeClock) -> None:
    keep(kept, lasting(10), clock)
    clock.pass_seconds(11)
    keep(kept, lasting(client_id="other"), clock)
    assert found(play(kept.of_kid("t1", clock(), *HERE))).grant.client_id == "other"


def test_a_kid_that_is_used_stays(kept: TokenKeys, clock: FakeClock) -> None:
    text = lasting(10 * CACHE_SECONDS)
    for _ in range(6):
        keep(kept, text, clock)
        clock.pass_seconds(CACHE_SECONDS / 2)
    assert play(kept.of_kid("t1", clock(), *HERE)) is not None
