import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from oauth_rs import Grant, InvalidToken, JWTProvider, RemoteKeys, StaticKeys, Unavailable, symmetric_key
from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.claim_names import STANDARD
from oauth_rs.clients import FunctionClients, RegisteredClient, StaticClients
from oauth_rs.flow import Fetch, Reply, Run
from oauth_rs.providers.issuers import IssuedBy
from oauth_rs.providers.request_selection import OnHost
from oauth_rs.roles import RoleMap
from oauth_rs.scope_declarations import Scope
from tests.providers.presenting import digest, presented
from tests.support.issuing import API, ISSUER, LIFE, Issuer, encode
from tests.support.playing import FakeClock, called, play

JWKS_URL = f"{ISSUER}/jwks"
FETCH = Fetch("GET", JWKS_URL, (("Accept", "application/jwk-set+json, application/json"),), shared=1.0)
SECRET = b"0123456789abcdef0123456789abcdef"
DOWN = Unavailable("fetch_failed", "A server did not answer.")


def verify(provider: JWTProvider, token: str, *script: tuple[Any, Any]) -> Grant:
    return play(provider.verify(presented(token)), *script)


def reason(provider: JWTProvider, token: str, *script: tuple[Any, Any]) -> str:
    with pytest.raises(InvalidToken) as caught:
        verify(provider, token, *script)
    return caught.value.reason


@pytest.fixture
def provider(issuer: Issuer) -> JWTProvider:
    return issuer.provider()


@pytest.fixture
def wall() -> FakeClock:
    return FakeClock(float(int(time.time())))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


Timed = Callable[..., tuple[JWTProvider, str]]


@pytest.fixture
def timed(issuer: Issuer, wall: FakeClock, clock: FakeClock) -> Timed:
    """A provider on the two clocks, and a token with these claims issued at this moment of `wall`."""

    def make(options: dict[str, Any] | None = None, **claims: Any) -> tuple[JWTProvider, str]:
        now = int(wall.now)
        token = issuer.token(**{"iat": now, "exp": now + 600, **claims})
        return issuer.provider(clock=wall, monotonic=clock, **(options or {})), token

    return make


# What a good token proves


def test_a_good_token_proves_a_grant(provider: JWTProvider, issuer: Issuer) -> None:
    claims = issuer.claims()
    assert verify(provider, issuer.token(**claims)) == Grant(
        scheme="Bearer",
        provider=ISSUER,
        issuer=ISSUER,
        subject="ada",
        client_id="app",
        scopes=frozenset({"photos", "profile"}),
        expires_at=claims["exp"],
        claims_json=json.dumps(claims).encode(),
    )


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"])
def test_every_default_algorithm_is_verified(algorithm: str) -> None:
    issuer = Issuer(algorithm)
    assert verify(issuer.provider(), issuer.token()).subject == "ada"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["https://other.example", API]},
        {"scope": ["photos", "profile"]},
        {"nbf": 0},
        {"exp": time.time() + LIFE + 0.5},
        {"unknown": {"deep": [1, None]}},
        {"sub": "Zoë"},
    ],
    ids=str,
)
def test_spellings_that_issuers_use_are_accepted(provider: JWTProvider, issuer: Issuer, claims: dict[str, Any]) -> None:
    assert verify(provider, issuer.token(**claims)).scopes == {"photos", "profile"}


def test_any_of_several_audiences_will_do(issuer: Issuer) -> None:
    provider = issuer.provider(audience={API, "photos-api"})
    assert verify(provider, issuer.token(aud="photos-api")).subject == "ada"


def test_the_name_of_the_provider_may_differ_from_its_issuer(issuer: Issuer) -> None:
    grant = verify(issuer.provider(name="staff"), issuer.token())
    assert (grant.provider, grant.issuer) == ("staff", ISSUER)


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "photos admin"}, {"photos"}),
        ({"scope": "admin"}, set()),
        ({"scope": ""}, set()),
        ({"scope": "Photos PHOTOS photos.all"}, set()),
        ({"scope": ["photos"]}, {"photos"}),
    ],
    ids=str,
)
def test_a_provider_grants_no_scope_beyond_its_own(issuer: Issuer, claims: dict[str, Any], scopes: set[str]) -> None:
    provider = issuer.provider(scopes=["photos", "profile"])
    assert verify(provider, issuer.token(**claims)).scopes == scopes


def test_scp_counts_where_scope_is_absent(provider: JWTProvider, issuer: Issuer) -> None:
    assert verify(provider, issuer.token(drop=["scope"], scp=["photos"])).scopes == {"photos"}


def test_the_confirmation_of_a_bound_token_is_handed_on(provider: JWTProvider, issuer: Issuer) -> None:
    assert verify(provider, issuer.token(cnf={"jkt": "abc"})).confirmation == {"jkt": "abc"}


# Whose token it is


@pytest.mark.parametrize(
    "iss",
    [ISSUER + "/", ISSUER.upper(), "https://id.example.com.evil.example", "", None, [ISSUER], {"a": ISSUER}, 7, True],
    ids=str,
)
def test_a_token_is_recognised_by_its_issuer_to_the_letter(provider: JWTProvider, issuer: Issuer, iss: Any) -> None:
    token = issuer.token(iss=iss)
    assert not recognises(provider, token)
    assert reason(provider, token) == "wrong_issuer"


def recognises(provider: JWTProvider, token: str) -> bool:
    return all(selector.matches(presented(token)) for selector in provider.accepts)


def test_a_token_without_an_issuer_is_not_recognised(provider: JWTProvider, issuer: Issuer) -> None:
    token = issuer.token(drop=["iss"])
    assert not recognises(provider, token)
    assert reason(provider, token) == "wrong_issuer"


def test_recognising_proves_nothing(provider: JWTProvider) -> None:
    forged = Issuer(kid="k9").token()
    assert recognises(provider, forged)
    assert reason(provider, forged) == "unknown_key"


def test_a_token_of_another_issuer_causes_no_fetch(issuer: Issuer) -> None:
    provider = issuer.provider(keys=RemoteKeys(JWKS_URL))
    for iss in ("https://other.example", ISSUER + "/", None, [ISSUER]):
        assert reason(provider, issuer.token(iss=iss)) == "unknown_issuer"


def test_a_token_of_another_issuer_causes_no_fetch_by_an_unknown_kid(remote: "Remote") -> None:
    remote.clock.pass_seconds(30)
    assert reason(remote.provider, Issuer(kid="k9", issuer="https://other.example").token()) == "unknown_issuer"


# Algorithms and signatures


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "es256", "ES256K", "RSA1_5", "ES256\x00"])
def test_an_algorithm_that_is_none_of_ours_is_refused_by_its_name(
    provider: JWTProvider, issuer: Issuer, algorithm: str
) -> None:
    assert reason(provider, issuer.token(header={"alg": algorithm})) == "algorithm_not_allowed"


@pytest.mark.parametrize("algorithm", ["HS256", "HS512", "RS256", "PS256", "ES384", "EdDSA"])
def test_the_header_cannot_choose_an_algorithm_the_key_does_not_have(
    provider: JWTProvider, issuer: Issuer, algorithm: str
) -> None:
    assert reason(provider, issuer.token(header={"alg": algorithm})) == "unknown_key"


@pytest.mark.parametrize("secret_of", ["pem", "der", "jwk", "x"])
def test_the_public_key_is_never_an_hmac_secret(provider: JWTProvider, issuer: Issuer, secret_of: str) -> None:
    public = issuer.private_key.public_key()
    secret = {
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(issuer.jwk).encode(),
        "x": issuer.jwk["x"].encode(),
    }[secret_of]
    signing_input = encode({"typ": "at+jwt", "alg": "HS256", "kid": "k1"}) + b"." + encode(issuer.claims())
    mac = jwt.get_algorithm_by_name("HS256").sign(signing_input, secret)
    assert reason(provider, (signing_input + b"." + encode(mac)).decode()) == "unknown_key"


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS384", "HS512"])
def test_no_symmetric_algorithm_is_looked_up_at_the_issuer(issuer: Issuer, algorithm: str) -> None:
    provider = issuer.provider(keys=RemoteKeys(JWKS_URL))
    assert reason(provider, issuer.token(header={"alg": algorithm})) == "algorithm_not_allowed"


def hs256(secret: bytes, **claims: Any) -> str:
    return jwt.encode(Issuer().claims(**claims), secret, algorithm="HS256", headers={"typ": "at+jwt", "kid": "h"})


def test_hs256_is_accepted_with_a_symmetric_key_given_explicitly(issuer: Issuer) -> None:
    provider = issuer.provider(keys=StaticKeys(symmetric_key(SECRET, kid="h")))
    assert verify(provider, hs256(SECRET)).subject == "ada"
    assert reason(provider, hs256(SECRET[::-1])) == "bad_signature"


def test_hs256_is_never_accepted_from_a_key_set(issuer: Issuer) -> None:
    provider = issuer.provider(keys=RemoteKeys(JWKS_URL))
    assert reason(provider, hs256(SECRET)) == "algorithm_not_allowed"
    with pytest.raises(ValueError, match="cannot be used"):
        StaticKeys.from_jwks({"keys": [issuer.jwk, {"kty": "oct", "k": encode(SECRET).decode(), "kid": "h"}]})


def test_algorithms_narrow_what_the_keys_allow() -> None:
    rsa, ec = Issuer("RS256"), Issuer(kid="k2")
    keys = StaticKeys.from_jwks({"keys": [rsa.jwk, ec.jwk]})
    provider = rsa.provider(keys=keys, algorithms=["ES256"])
    assert verify(provider, ec.token()).subject == "ada"
    assert reason(provider, rsa.token()) == "algorithm_not_allowed"


def test_algorithms_cannot_widen_what_a_key_allows() -> None:
    issuer = Issuer("RS256")
    pss = Issuer("PS256")
    pss.private_key = issuer.private_key
    assert reason(issuer.provider(algorithms=["RS256", "PS256"]), pss.token()) == "unknown_key"


def test_a_narrowed_algorithm_is_refused_before_any_effect(issuer: Issuer) -> None:
    provider = issuer.provider(keys=RemoteKeys(JWKS_URL), algorithms=["RS256"])
    assert reason(provider, issuer.token()) == "algorithm_not_allowed"


def _flip(text: str) -> str:
    return ("B" if text[0] == "A" else "A") + text[1:]


@pytest.mark.parametrize("part", [1, 2], ids=["payload", "signature"])
def test_a_changed_part_is_a_bad_signature(provider: JWTProvider, issuer: Issuer, part: int) -> None:
    parts = issuer.token().split(".")
    parts[part] = _flip(parts[part]) if part == 2 else encode({**issuer.claims(), "sub": "eve"}).decode()
    assert reason(provider, ".".join(parts)) == "bad_signature"


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\0" * 63, b"\xff" * 64, b"x" * 8000], ids=len)
def test_a_signature_that_is_none_is_bad(provider: JWTProvider, issuer: Issuer, signature: bytes) -> None:
    stem = issuer.token().rpartition(".")[0]
    assert reason(provider, f"{stem}.{encode(signature).decode()}") == "bad_signature"


FORGER = Issuer()
FORGER.private_key = Issuer(kid="forger").private_key


@pytest.mark.parametrize(
    "token",
    [
        FORGER.token(exp=1),
        FORGER.token(exp="never"),
        FORGER.token(aud="https://other.example"),
        FORGER.token(nbf=9_999_999_999),
        FORGER.token(header={"typ": "JWT"}),
        FORGER.token(drop=["sub", "jti", "exp", "aud"]),
        FORGER.token(scope={"a": 1}, cnf="x"),
    ],
    ids=["expired", "odd exp", "wrong aud", "not yet", "wrong typ", "claims missing", "odd claims"],
)
def test_nothing_of_the_claims_is_believed_before_the_signature(provider: JWTProvider, token: str) -> None:
    assert reason(provider, token) == "bad_signature"


def test_a_token_that_names_no_key_is_verified_by_the_only_one(provider: JWTProvider, issuer: Issuer) -> None:
    assert verify(provider, issuer.token(drop=["kid"])).subject == "ada"


def test_a_key_named_in_the_header_is_not_used(provider: JWTProvider, issuer: Issuer) -> None:
    own = {
        "jwk": Issuer(kid="forger").jwk,
        "jku": "https://evil.example/",
        "x5u": "https://evil.example/",
        "x5c": ["AA"],
    }
    assert reason(provider, FORGER.token(header=own)) == "bad_signature"
    assert verify(provider, issuer.token(header=own)).subject == "ada"


# The type of the token


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"])
def test_both_spellings_of_an_access_token_are_accepted_in_any_case(
    provider: JWTProvider, issuer: Issuer, typ: str
) -> None:
    assert verify(provider, issuer.token(header={"typ": typ})).subject == "ada"


@pytest.mark.parametrize(
    "typ",
    [
        *("JWT", "", "jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "token-introspection+jwt", "id_token+jwt"),
        *("at+jwt ", " at+jwt", "at+jwt; x=y", "text/at+jwt", "application/application/at+jwt", "at+jwt\x00", "a"),
    ],
)
def test_other_types_are_not_access_tokens(provider: JWTProvider, issuer: Issuer, typ: str) -> None:
    assert reason(provider, issuer.token(header={"typ": typ})) == "wrong_typ"


def test_an_absent_type_is_not_an_access_token(provider: JWTProvider, issuer: Issuer) -> None:
    assert reason(provider, issuer.token(drop=["typ"])) == "wrong_typ"


@pytest.mark.parametrize(
    ("accepted", "typ"),
    [(["at+jwt", "JWT"], "JWT"), (["at+jwt", "JWT"], "application/jwt"), ([None], "")],
)
def test_a_relaxation_lets_in_the_types_it_names(issuer: Issuer, accepted: list[str | None], typ: str) -> None:
    assert verify(issuer.provider(typ=accepted), issuer.token(header={"typ": typ})).subject == "ada"


@pytest.mark.parametrize(
    ("accepted", "typ"),
    [(["at+jwt", "JWT"], "logout+jwt"), (["JWT"], "at+jwt"), ([None], "JWT"), ([None], "at+jwt"), ([], "at+jwt")],
)
def test_a_relaxation_lets_in_no_other_type(issuer: Issuer, accepted: list[str | None], typ: str) -> None:
    assert reason(issuer.provider(typ=accepted), issuer.token(header={"typ": typ})) == "wrong_typ"


def test_an_absent_type_is_let_in_by_name(issuer: Issuer) -> None:
    assert verify(issuer.provider(typ=["at+jwt", None]), issuer.token(drop=["typ"])).subject == "ada"


# Required claims


@pytest.mark.parametrize("value", ["absent", "", None])
@pytest.mark.parametrize("claim", ["sub", "client_id", "iat", "jti"])
def test_each_claim_of_rfc_9068_is_required(
    provider: JWTProvider, issuer: Issuer, claim: str, value: str | None
) -> None:
    changes: dict[str, Any] = {"drop": [claim]} if value == "absent" else {claim: value}
    assert reason(provider, issuer.token(**changes)) in {"missing_claim", "malformed_claim"}


@pytest.mark.parametrize("stand_in", ["azp", "cid"])
def test_azp_or_cid_stands_in_for_client_id(provider: JWTProvider, issuer: Issuer, stand_in: str) -> None:
    changes: dict[str, Any] = {stand_in: "app2"}
    assert verify(provider, issuer.token(drop=["client_id"], **changes)).client_id == "app2"


@pytest.mark.parametrize("claims", [{"azp": ""}, {"cid": ""}, {"azp": "", "cid": ""}, {"appid": "x"}], ids=str)
def test_an_empty_stand_in_stands_in_for_nothing(provider: JWTProvider, issuer: Issuer, claims: dict[str, Any]) -> None:
    assert reason(provider, issuer.token(drop=["client_id"], **claims)) == "missing_claim"


@pytest.mark.parametrize("value", [["app"], 7, None, True, {}], ids=str)
@pytest.mark.parametrize("claim", ["client_id", "azp", "cid", "sub"])
def test_a_name_that_is_no_string_is_refused(provider: JWTProvider, issuer: Issuer, claim: str, value: Any) -> None:
    token = issuer.token(**{"client_id": "", claim: value})
    assert reason(provider, token) in {"malformed_claim", "missing_claim"}


def test_fewer_claims_are_required_only_where_that_is_stated(issuer: Issuer) -> None:
    token = issuer.token(drop=["sub", "client_id", "jti", "iat"])
    assert reason(issuer.provider(required=["jti"]), token) == "missing_claim"
    grant = verify(issuer.provider(required=[]), token)
    assert (grant.subject, grant.client_id) == ("", "")


def test_more_claims_may_be_required(issuer: Issuer) -> None:
    provider = issuer.provider(required=["tenant"])
    assert verify(provider, issuer.token(tenant="a")).claims["tenant"] == "a"
    assert reason(provider, issuer.token()) == "missing_claim"


# Audience


@pytest.mark.parametrize(
    ("aud", "expected"),
    [
        ("https://other.example", "wrong_audience"),
        (API + "/", "wrong_audience"),
        (API.upper(), "wrong_audience"),
        (API[:-1], "wrong_audience"),
        ("", "wrong_audience"),
        ([], "wrong_audience"),
        (["https://other.example"], "wrong_audience"),
        (None, "no_audience"),
        (7, "malformed_claim"),
        ({API: 1}, "malformed_claim"),
        ([API, 7], "malformed_claim"),
        ([[API]], "malformed_claim"),
    ],
    ids=str,
)
def test_a_token_for_another_audience_is_refused(
    provider: JWTProvider, issuer: Issuer, aud: Any, expected: str
) -> None:
    assert reason(provider, issuer.token(aud=aud)) == expected


def test_a_token_for_no_audience_is_refused(provider: JWTProvider, issuer: Issuer) -> None:
    assert reason(provider, issuer.token(drop=["aud"])) == "no_audience"


# Time


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"exp": -60}, "expired"),
        ({"exp": -60.5}, "expired"),
        ({"exp": -59}, ""),
        ({"nbf": 60}, ""),
        ({"nbf": 61}, "not_yet_valid"),
        ({"nbf": 61.5}, "not_yet_valid"),
        ({"iat": 60}, ""),
        ({"iat": 61}, "not_yet_valid"),
    ],
    ids=str,
)
def test_times_are_held_to_the_second_with_a_leeway_of_60(
    timed: Timed, wall: FakeClock, claims: dict[str, float], expected: str
) -> None:
    provider, token = timed(**{name: wall.now + offset for name, offset in claims.items()})
    if expected:
        assert reason(provider, token) == expected
    else:
        assert verify(provider, token).subject == "ada"


def test_a_leeway_of_zero_leaves_none(timed: Timed, wall: FakeClock) -> None:
    provider, token = timed({"leeway": 0}, exp=int(wall.now) + 1)
    assert verify(provider, token).subject == "ada"
    wall.pass_seconds(1)
    assert reason(provider, token) == "expired"


@pytest.mark.parametrize("value", ["1999999999", True, None, [1999999999], {}, 1e300, -1e300, 10**30], ids=str)
@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
def test_a_date_that_is_no_finite_number_is_refused(
    provider: JWTProvider, issuer: Issuer, claim: str, value: Any
) -> None:
    assert reason(provider, issuer.token(**{claim: value})) in {"malformed_claim", "missing_claim"}


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_a_date_that_json_does_not_know_is_refused(provider: JWTProvider, issuer: Issuer, number: bytes) -> None:
    payload = json.dumps(issuer.claims(exp="here")).encode().replace(b'"here"', number)
    token = issuer.sign({"typ": "at+jwt", "alg": "ES256", "kid": "k1"}, encode(payload))
    assert reason(provider, token) == "malformed_claims"


def test_a_token_without_an_expiry_is_refused(provider: JWTProvider, issuer: Issuer) -> None:
    assert reason(provider, issuer.token(drop=["exp"])) == "no_expiry"


@pytest.mark.parametrize(
    "claims",
    [
        *({"scope": 7}, {"scope": {}}, {"scope": ["a", 7]}, {"cnf": "x"}, {"cnf": None}),
        *(
            {"act": "https://batch.example.com"},
            {"act": ["x"]},
            {"act": True},
            {"authorization_details": {"type": "x"}},
        ),
    ],
    ids=str,
)
def test_a_claim_of_the_wrong_type_is_refused(provider: JWTProvider, issuer: Issuer, claims: dict[str, Any]) -> None:
    assert reason(provider, issuer.token(**claims)) == "malformed_claim"


@pytest.mark.parametrize("claims", [{"act": None, "authorization_details": None}, {"act": {}}], ids=str)
def test_who_acts_may_be_nobody(provider: JWTProvider, issuer: Issuer, claims: dict[str, Any]) -> None:
    assert not verify(provider, issuer.token(**claims)).actor


# Keys that must be fetched


def test_keys_come_from_the_metadata_of_the_issuer_unless_given() -> None:
    effect = Run(JWTProvider(ISSUER, audience=API).warm()).effect
    assert isinstance(effect, Fetch)
    assert effect.url == f"{ISSUER}/.well-known/oauth-authorization-server"


def test_a_cold_start_verifies_once_the_keys_are_there(issuer: Issuer) -> None:
    provider = issuer.provider(keys=RemoteKeys(JWKS_URL))
    keys = Reply(200, json.dumps(issuer.jwks).encode())
    assert verify(provider, issuer.token(), (FETCH, keys)).subject == "ada"


def test_an_issuer_that_is_down_is_not_the_fault_of_the_token(issuer: Issuer) -> None:
    provider = issuer.provider(keys=RemoteKeys(JWKS_URL))
    with pytest.raises(Unavailable, match="fetch_failed"):
        verify(provider, issuer.token(), (FETCH, DOWN))


def test_warming_fetches_the_keys(issuer: Issuer) -> None:
    provider = issuer.provider(keys=RemoteKeys(JWKS_URL))
    play(provider.warm(), (FETCH, Reply(200, json.dumps(issuer.jwks).encode())))
    assert verify(provider, issuer.token()).subject == "ada"


# Verdicts that are remembered


def test_a_verified_token_is_recalled_as_the_same_grant(provider: JWTProvider, issuer: Issuer) -> None:
    token = issuer.token()
    provider.recall(digest(token))
    grant = verify(provider, token)
    assert provider.recall(digest(token)) is grant


def test_a_refused_token_is_not_remembered(provider: JWTProvider, issuer: Issuer) -> None:
    token = issuer.token(aud="https://other.example")
    assert reason(provider, token) == "wrong_audience"
    assert provider.recall(digest(token)) is None


def recalled(provider: JWTProvider, token: str) -> bool:
    return provider.recall(digest(token)) is not None


@pytest.mark.parametrize("exp", [100, 100.9])
def test_a_verdict_never_outlives_its_token(timed: Timed, wall: FakeClock, exp: float) -> None:
    provider, token = timed(exp=wall.now + exp)
    provider.recall(digest(token))
    verify(provider, token)
    wall.pass_seconds(99)
    assert recalled(provider, token)
    wall.pass_seconds(1)
    assert not recalled(provider, token)


def test_a_verdict_never_outlives_cache_seconds(timed: Timed, clock: FakeClock) -> None:
    provider, token = timed({"cache_seconds": 10})
    provider.recall(digest(token))
    verify(provider, token)
    clock.pass_seconds(4)
    assert recalled(provider, token)
    clock.pass_seconds(6)
    assert not recalled(provider, token)


def test_reading_a_verdict_does_not_prolong_it(timed: Timed, clock: FakeClock) -> None:
    provider, token = timed({"cache_seconds": 10})
    provider.recall(digest(token))
    verify(provider, token)
    found = []
    for _ in range(10):
        clock.pass_seconds(1)
        found.append(recalled(provider, token))
    assert found[0]
    assert not found[-1]


def test_a_wall_clock_set_back_does_not_prolong_a_verdict(timed: Timed, wall: FakeClock, clock: FakeClock) -> None:
    provider, token = timed()
    provider.recall(digest(token))
    verify(provider, token)
    wall.pass_seconds(-86_400)
    clock.pass_seconds(300)
    assert not recalled(provider, token)


def test_a_wall_clock_set_forward_ends_a_verdict(timed: Timed, wall: FakeClock) -> None:
    provider, token = timed()
    provider.recall(digest(token))
    verify(provider, token)
    wall.pass_seconds(600)
    assert not recalled(provider, token)


@pytest.mark.parametrize("options", [{"cache_size": 0}, {"cache_seconds": 0}], ids=str)
def test_nothing_is_remembered_where_the_cache_is_off(timed: Timed, options: dict[str, int]) -> None:
    provider, token = timed(options)
    provider.recall(digest(token))
    verify(provider, token)
    assert not recalled(provider, token)


def test_no_provider_recalls_what_another_verified(issuer: Issuer) -> None:
    token = issuer.token(aud=[API, "https://b.example"])
    first, second = issuer.provider(), issuer.provider(audience="https://b.example", scopes=["photos"])
    for provider in (first, second):
        provider.recall(digest(token))
    verify(first, token)
    assert recalled(first, token)
    assert not recalled(second, token)


class Remote:
    """A provider whose keys are fetched, with the token of an issuer verified and remembered."""

    def __init__(self, issuer: Issuer, clock: FakeClock) -> None:
        self.issuer, self.clock = issuer, clock
        self.keys = RemoteKeys(JWKS_URL, monotonic=clock)
        self.provider = issuer.provider(keys=self.keys, monotonic=clock)
        self.token = issuer.token()
        self.provider.recall(digest(self.token))
        verify(self.provider, self.token, (FETCH, self.answer(issuer)))

    def answer(self, *issuers: Issuer) -> Reply:
        return Reply(200, json.dumps({"keys": [one.jwk for one in issuers]}).encode())

    def rotate_to(self, *issuers: Issuer) -> None:
        self.clock.pass_seconds(30)
        verify(self.provider, issuers[0].token(), (FETCH, self.answer(*issuers)))


@pytest.fixture
def remote(issuer: Issuer, clock: FakeClock) -> Remote:
    return Remote(issuer, clock)


def test_a_removed_key_takes_the_tokens_it_verified_along(remote: Remote) -> None:
    assert recalled(remote.provider, remote.token)
    remote.rotate_to(Issuer(kid="k2"))
    assert not recalled(remote.provider, remote.token)
    assert reason(remote.provider, remote.token) == "unknown_key"


def test_an_added_key_leaves_the_remembered_tokens(remote: Remote) -> None:
    remote.rotate_to(Issuer(kid="k2"), remote.issuer)
    assert recalled(remote.provider, remote.token)


def test_an_issuer_that_fails_leaves_the_remembered_tokens(remote: Remote) -> None:
    remote.clock.pass_seconds(30)
    with pytest.raises(Unavailable):
        verify(remote.provider, Issuer(kid="k2").token(), (FETCH, DOWN))
    assert recalled(remote.provider, remote.token)


def test_a_token_whose_key_goes_while_it_is_verified_is_not_remembered(remote: Remote) -> None:
    remote.clock.pass_seconds(480)
    flow = remote.provider.verify(presented(remote.token))
    assert not isinstance(flow, Grant)
    slow = Run(flow)  # has its key, and sends a refresh aside
    play(remote.keys._load_aside(), (FETCH, remote.answer(Issuer(kid="k2"))))
    remote.provider.recall(b"")
    slow.send(None)
    assert not recalled(remote.provider, remote.token)


def test_a_verdict_that_could_outlive_the_ceiling_of_its_keys_is_not_remembered(remote: Remote) -> None:
    remote.clock.pass_seconds(86_400 - 300)
    remote.provider.recall(digest(remote.token))
    play(remote.provider.verify(presented(remote.token)), (FETCH, DOWN))
    assert not recalled(remote.provider, remote.token)


# Configuration


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"audience": ""}, "audience"),
        ({"audience": []}, "audience"),
        ({"algorithms": []}, "algorithms"),
        ({"algorithms": ["ES256", "none"]}, "never accepted"),
        ({"leeway": -1}, "leeway"),
        ({"leeway": 301}, "leeway"),
        ({"leeway": float("nan")}, "leeway"),
        ({"cache_seconds": -1}, "cache_seconds"),
        ({"cache_seconds": 301}, "cache_seconds"),
        ({"cache_size": -1}, "cache_size"),
    ],
    ids=str,
)
def test_a_configuration_that_cannot_be_meant_is_refused(issuer: Issuer, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        issuer.provider(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(
            ({"keys": keys}, "keys is RemoteKeys")
            for keys in ("https://id.example.com/jwks", StaticKeys, RemoteKeys, 5)
        ),
        ({"keys": symmetric_key(bytes(32))}, "keys is RemoteKeys"),
        *(({"audience": audience}, "audience is text") for audience in (None, 5, [API, ""], [5], b"api")),
        *(({"leeway": value}, "leeway is a number") for value in ("60", None, True)),
        *(({"cache_seconds": value}, "cache_seconds is a number") for value in ("60", None)),
        *(({"cache_size": value}, "cache_size is a number") for value in ("9", 1.5, None)),
        ({"status": "https://id.example.com/lists"}, "status is StatusLists"),
        ({"issuer": 5}, "needs the issuer"),
        ({"issuer": None}, "needs the issuer"),
    ],
    ids=repr,
)
def test_an_option_of_another_type_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        JWTProvider(**{"issuer": ISSUER, "audience": API, **options})


def test_keys_that_count_as_empty_are_taken_as_they_are() -> None:
    class Empty(StaticKeys):
        def __len__(self) -> int:
            return 0

    keys = Empty(symmetric_key(bytes(32)))
    assert play(JWTProvider(ISSUER, audience=API, keys=keys).warm()) is None  # else they would be fetched


@pytest.mark.parametrize("option", ["algorithms", "typ", "required", "scopes"])
def test_a_list_given_as_one_string_is_refused(issuer: Issuer, option: str) -> None:
    with pytest.raises(TypeError, match=f"{option} is a list"):
        issuer.provider(**{option: "RS256"})


def test_a_provider_needs_an_issuer() -> None:
    with pytest.raises(ValueError, match="issuer"):
        JWTProvider("", audience=API)


@pytest.mark.parametrize("issuer_url", ["id.example.com", "http://id.example.com", "file:///keys"])
def test_keys_are_discovered_only_at_a_secure_issuer(issuer_url: str) -> None:
    with pytest.raises(ValueError, match="over https"):
        JWTProvider(issuer_url, audience=API)


def test_an_algorithm_nobody_knows_is_a_mistake_in_configuration(issuer: Issuer) -> None:
    with pytest.raises(ValueError, match="no such algorithms: RS265"):
        issuer.provider(algorithms=["ES256", "RS265"])


@pytest.mark.parametrize("value", [0, False])
def test_a_required_claim_may_be_zero_or_false(issuer: Issuer, value: object) -> None:
    provider = issuer.provider(required=("admin",))
    assert play(provider.verify(presented(issuer.token(admin=value)))).subject == "ada"


# Scopes, roles and a catalogue


CATALOGUE = ScopeCatalogue({"withdraw": Scope(id=17, children={"deposit": {}}), "internal": Scope(id=99)})
ROLES = RoleMap("realm_access.roles", {"manager": {"withdraw"}, "root": {"internal"}})


def realm(*roles: Any) -> dict[str, Any]:
    return {"realm_access": {"roles": [*roles]}}


def test_roles_grant_their_scopes_and_the_grant_tells_them(issuer: Issuer) -> None:
    grant = verify(issuer.provider(roles=ROLES), issuer.token(**realm("manager", "stranger")))
    assert grant.scopes == {"photos", "profile", "withdraw"}
    assert grant.roles == {"manager", "stranger"}


@pytest.mark.parametrize(
    "claims", [{}, realm(), realm("Manager"), realm("manager root"), {"roles": ["manager"]}], ids=str
)
def test_other_roles_grant_nothing(issuer: Issuer, claims: dict[str, Any]) -> None:
    assert verify(issuer.provider(roles=[ROLES]), issuer.token(**claims)).scopes == {"photos", "profile"}


@pytest.mark.parametrize(
    "claims", [realm(7), realm("manager", None), {"realm_access": "manager"}, {"realm_access": {"roles": {}}}], ids=str
)
def test_roles_of_the_wrong_type_are_refused(issuer: Issuer, claims: dict[str, Any]) -> None:
    assert reason(issuer.provider(roles=ROLES), issuer.token(**claims)) == "malformed_claim"


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": "internal withdraw"},
        {"scope": ["99", 99, "internal"]},
        {"scope": "", **realm("root")},
        {"scope": "99 internal", **realm("root", "manager")},
    ],
    ids=str,
)
def test_a_partner_grants_nothing_but_what_it_may(issuer: Issuer, claims: dict[str, Any]) -> None:
    partner = issuer.provider(scopes=["withdraw"], roles=ROLES).with_catalogue(CATALOGUE)
    token = issuer.token(**claims)
    for _ in range(2):
        assert verify(partner, token).scopes <= {"withdraw", "deposit"}


def test_a_bound_provider_has_the_same_keys_and_remembers_for_itself(remote: "Remote") -> None:
    bound = remote.provider.with_catalogue(CATALOGUE)
    token = remote.issuer.token(scope="withdraw")
    assert not recalled(bound, remote.token)
    assert verify(bound, token).scopes == {"withdraw", "deposit"}  # and nothing was fetched
    assert recalled(bound, token)
    assert not recalled(remote.provider, token)
    assert verify(remote.provider, token).scopes == {"withdraw"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scopes": ["witdraw"]}, "the scopes of provider 'staff'.*'witdraw'.*'withdraw'"),
        ({"roles": RoleMap("roles", {"boss": ["99"]})}, "role 'boss' of provider 'staff'.*another spelling"),
    ],
    ids=str,
)
def test_a_provider_names_scopes_that_the_catalogue_has(issuer: Issuer, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        issuer.provider(name="staff", **options).with_catalogue(CATALOGUE)


# What a grant says of itself


def test_all_grants_of_a_provider_share_their_names(issuer: Issuer) -> None:
    provider = issuer.provider(properties="props", owner={"mail": "email"}, domain="example.com")
    claims: dict[str, Any] = {"props": {"plan": "gold", "seats": 3}, "email": "ada@example.com", "name": "Ada"}
    grants = [verify(provider, issuer.token(jti=jti, **claims)) for jti in "12"]
    assert grants[0].names is grants[1].names
    assert grants[0].properties == {"plan": "gold", "seats": "3"}
    assert (grants[0].owner, grants[0].owner_domain) == ({"mail": "ada@example.com"}, "example.com")


def test_a_provider_that_says_nothing_of_its_claims_has_the_standard_names(
    provider: JWTProvider, issuer: Issuer
) -> None:
    grant = verify(provider, issuer.token(name="Ada", roles=["manager"], act={"sub": "eve"}))
    assert grant.names is STANDARD
    assert (grant.owner, grant.owner_domain, grant.roles) == ({"name": "Ada"}, ISSUER, frozenset())
    assert grant.actor == {"sub": "eve"}


# Known clients


CLIENTS = {"app": RegisteredClient("app"), "gone": RegisteredClient("gone", disabled=True)}
REFUSED_CLIENTS = ["gone", "stranger", "App", "app ", "app\0", "app,gone", "\u0430pp"]


@pytest.mark.parametrize(
    "clients",
    [{"app", "other"}, ["app"], CLIENTS, StaticClients(CLIENTS), list(CLIENTS.values())],
    ids=lambda one: type(one).__name__,
)
def test_tokens_of_known_clients_alone_are_good(issuer: Issuer, clients: Any) -> None:
    provider = issuer.provider(clients=clients)
    assert verify(provider, issuer.token()).client_id == "app"
    for client_id in REFUSED_CLIENTS:
        assert reason(provider, issuer.token(client_id=client_id)) == "client_not_registered"


@pytest.mark.parametrize("claims", [{"client_id": ""}, {"drop": ["client_id"]}], ids=str)
def test_a_token_without_a_client_is_of_none_that_is_known(issuer: Issuer, claims: dict[str, Any]) -> None:
    assert reason(issuer.provider(clients={"app"}, required=()), issuer.token(**claims)) == "client_not_registered"


def test_azp_names_a_client_too(issuer: Issuer) -> None:
    provider = issuer.provider(clients={"app"})
    assert verify(provider, issuer.token(drop=["client_id"], azp="app")).client_id == "app"
    assert reason(provider, issuer.token(drop=["client_id"], azp="stranger")) == "client_not_registered"


def test_nobody_is_asked_about_a_client_before_the_token_is_good(issuer: Issuer) -> None:
    asked: list[str] = []
    provider = issuer.provider(clients=FunctionClients(find=asked.append))
    for token in (FORGER.token(), issuer.token(exp=1), issuer.token(aud="https://other.example")):
        assert reason(provider, token) != "client_not_registered"
    assert asked == []


def test_a_registry_is_asked_once_while_the_verdict_is_remembered(issuer: Issuer) -> None:
    def find(client_id: str) -> RegisteredClient | None:
        return CLIENTS.get(client_id)

    provider = issuer.provider(clients=FunctionClients(find=find))
    token = issuer.token()
    provider.recall(b"")
    grant = verify(provider, token, (called(find, "app"), CLIENTS["app"]))
    assert provider.recall(digest(token)) is grant
    stranger = issuer.token(client_id="gone")
    for _ in range(2):
        assert reason(provider, stranger, (called(find, "gone"), CLIENTS["gone"])) == "client_not_registered"


@pytest.mark.parametrize("options", [{}, {"cache_size": 0}], ids=str)
def test_a_registry_is_asked_after_the_keys_were_fetched(issuer: Issuer, options: dict[str, int]) -> None:
    def find(_client_id: str) -> None: ...

    cold = issuer.provider(keys=RemoteKeys(JWKS_URL), clients=FunctionClients(find=find), **options)
    keys = Reply(200, json.dumps(issuer.jwks).encode())
    assert verify(cold, issuer.token(), (FETCH, keys), (called(find, "app"), CLIENTS["app"])).client_id == "app"
    assert reason(cold, issuer.token(), (called(find, "app"), None)) == "client_not_registered"


def test_a_registry_that_cannot_be_asked_is_no_verdict(issuer: Issuer) -> None:
    def find(_client_id: str) -> None: ...

    provider = issuer.provider(clients=FunctionClients(find=find))
    with pytest.raises(Unavailable):
        verify(provider, issuer.token(), (called(find, "app"), DOWN))
    assert provider.recall(digest(issuer.token())) is None


@pytest.mark.parametrize("clients", ["app", 7, b"app"], ids=str)
def test_clients_are_listed(issuer: Issuer, clients: Any) -> None:
    with pytest.raises(TypeError, match="clients is a list"):
        issuer.provider(clients=clients)
    with pytest.raises(ValueError, match="at least one client"):
        issuer.provider(clients=[])


# What selects it


def test_a_provider_always_demands_its_issuer(issuer: Issuer) -> None:
    assert issuer.provider().accepts == (IssuedBy(ISSUER),)
    assert issuer.provider(accepts=[OnHost("a.example")]).accepts == (OnHost("a.example"), IssuedBy(ISSUER))
