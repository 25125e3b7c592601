import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import pytest

from oauth_rs import (
    Bearer,
    FormField,
    Header,
    InvalidRequest,
    InvalidToken,
    LegacyQuery,
    OAuthError,
    RemoteKeys,
    RequestTooLarge,
    Unavailable,
)
from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.flow import Fetch, ReadBody, Reply
from oauth_rs.providers.request_selection import InHeader, OnHost
from oauth_rs.providers.selection import CarriesScope
from oauth_rs.schemes import Places
from oauth_rs.schemes.bearer import AUTHORIZATION, MAX_FORM_BYTES, MAX_QUERY_BYTES
from tests.support.issuing import Issuer, encode
from tests.support.playing import SITE, FakeClock, PlainRequest, play

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JWKS_URL = "https://id.example.com/jwks"
FETCH = Fetch("GET", JWKS_URL, (("Accept", "application/jwk-set+json, application/json"),), shared=1.0)
DOWN = Unavailable("fetch_failed", "A server did not answer.")
REQUEST = PlainRequest()
READ = ReadBody(MAX_FORM_BYTES)


@pytest.fixture
def bearer(issuer: Issuer) -> Bearer:
    return Bearer(issuer.provider())


@pytest.fixture
def cold(issuer: Issuer) -> Bearer:
    """Keys must be fetched before anything can be verified."""
    return Bearer(issuer.provider(keys=RemoteKeys(JWKS_URL)))


def scheme(*presentation: Header | FormField | LegacyQuery) -> Bearer:
    return Bearer(Issuer().provider(), presentation=presentation)


def refused(bearer: Bearer, token: str, *script: tuple[Any, Any]) -> OAuthError:
    with pytest.raises(OAuthError) as caught:
        play(bearer.authenticate(REQUEST, token.encode(), SITE), *script)
    return caught.value


# Where a token may be


def test_by_default_a_token_is_looked_for_in_authorization_alone(bearer: Bearer) -> None:
    assert bearer.authorization_names == {b"bearer"}
    assert not bearer.looks_elsewhere
    request = PlainRequest("POST", headers={**FORM, "Access-Token": "a"}, query=b"access_token=a")
    assert play(bearer.elsewhere(request)) == []
    assert not bearer.private(request)


def test_a_header_of_another_name_is_read_where_switched_on() -> None:
    bearer = scheme(Header("Access-Token"))
    assert bearer.authorization_names == set()
    assert bearer.looks_elsewhere
    assert play(bearer.elsewhere(PlainRequest(headers={"access-TOKEN": "a.b.c"}))) == [b"a.b.c"]


def test_every_value_of_a_repeated_header_is_reported() -> None:
    request = PlainRequest(headers=[("Access-Token", "a"), ("access-token", "b")])
    assert play(scheme(Header("Access-Token")).elsewhere(request)) == [b"a", b"b"]


def test_authorization_may_answer_to_another_scheme_name() -> None:
    assert scheme(Header("Authorization", "Token"), Header("authorization", "JWT")).authorization_names == {
        b"token",
        b"jwt",
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (b"access_token=a.b.c", [b"a.b.c"]),
        (b"x=1&access_token=a&y=2", [b"a"]),
        (b"access%5Ftoken=a", [b"a"]),
        (b"%61ccess_token=a%2Db", [b"a-b"]),
        (b"access_token=a&access_token=a", [b"a", b"a"]),
        (b"access_token=a&access%5ftoken=b", [b"a", b"b"]),
        (b"access_token=", [b""]),
        (b"access_token", [b""]),
        (b"access_token=a=b", [b"a=b"]),
        (b"access_token=a+b", [b"a b"]),
        (b"access_token=\xc3\xa9", [b"\xc3\xa9"]),
    ],
    ids=str,
)
def test_a_query_token_is_found_in_every_spelling(query: bytes, found: list[bytes]) -> None:
    request = PlainRequest(query=query)
    assert play(scheme(LegacyQuery()).elsewhere(request)) == found
    assert scheme(LegacyQuery()).private(request)


@pytest.mark.parametrize(
    "query",
    [b"", b"&&", b"Access_Token=a", b"access_token2=a", b"x=access_token=a", b"access+token=a", b"a;access_token=a"],
    ids=str,
)
def test_other_parameters_are_not_tokens(query: bytes) -> None:
    assert play(scheme(LegacyQuery()).elsewhere(PlainRequest(query=query))) == []
    assert not scheme(LegacyQuery()).private(PlainRequest(query=query))


def test_a_query_parameter_may_have_another_name() -> None:
    bearer = scheme(LegacyQuery("token"))
    assert play(bearer.elsewhere(PlainRequest(query=b"token=a&access_token=b"))) == [b"a"]


def test_a_query_that_is_too_long_is_not_searched() -> None:
    query = b"access_token=a&x=" + b"x" * MAX_QUERY_BYTES
    assert play(scheme(LegacyQuery()).elsewhere(PlainRequest(query=query[:MAX_QUERY_BYTES]))) == [b"a"]
    with pytest.raises(InvalidRequest, match="query_too_long"):
        play(scheme(LegacyQuery()).elsewhere(PlainRequest(query=query)))


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded",
        "application/x-www-form-urlencoded; charset=utf-8",
        "application/x-www-form-urlencoded ;charset=UTF-8",
    ],
)
def test_a_form_token_is_read_where_switched_on(content_type: str) -> None:
    request = PlainRequest("POST", headers={"Content-Type": content_type})
    assert play(scheme(FormField()).elsewhere(request), (READ, b"x=1&access%5Ftoken=a.b")) == [b"a.b"]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", FORM),
        ("HEAD", FORM),
        ("POST", {}),
        ("POST", {"Content-Type": ""}),
        ("POST", {"Content-Type": "application/json"}),
        ("POST", {"Content-Type": "multipart/form-data; boundary=x"}),
        ("POST", {"Content-Type": "application/x-www-form-urlencoded2"}),
        ("POST", {"Content-Type": "text/plain; application/x-www-form-urlencoded"}),
        ("POST", {**FORM, "Content-Encoding": "gzip"}),
        ("POST", [*FORM.items(), *FORM.items()]),
    ],
    ids=str,
)
def test_a_body_that_is_no_plain_form_is_not_even_read(
    method: str, headers: Mapping[str, str] | Sequence[tuple[str, str]]
) -> None:
    assert play(scheme(FormField()).elsewhere(PlainRequest(method, headers=headers))) == []


def test_every_value_of_a_repeated_field_is_reported() -> None:
    flow = scheme(FormField()).elsewhere(PlainRequest("POST", headers=FORM))
    assert play(flow, (READ, b"access_token=a&access_token=a")) == [b"a", b"a"]


def test_the_query_is_not_read_for_a_form_token_nor_the_other_way() -> None:
    request = PlainRequest("POST", headers=FORM, query=b"access_token=q")
    assert play(scheme(FormField()).elsewhere(request), (READ, b"x=1")) == []
    assert play(scheme(LegacyQuery()).elsewhere(request)) == [b"q"]


def test_a_form_that_is_too_large_is_refused() -> None:
    with pytest.raises(RequestTooLarge, match="form_too_large"):
        play(scheme(FormField()).elsewhere(PlainRequest("POST", headers=FORM)), (READ, None))


@pytest.mark.parametrize(
    "body", [b"access_token=\xc3\xa9", b"access_token=a&x=\xff", b"\x80=1&access_token=a"], ids=str
)
def test_a_form_with_a_token_is_ascii(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="form_not_ascii"):
        play(scheme(FormField()).elsewhere(PlainRequest("POST", headers=FORM)), (READ, body))


def test_a_form_without_a_token_may_be_anything() -> None:
    assert play(scheme(FormField()).elsewhere(PlainRequest("POST", headers=FORM)), (READ, b"x=\xff&&=")) == []


def test_tokens_in_all_places_are_all_reported() -> None:
    request = PlainRequest("POST", headers={**FORM, "Access-Token": "h"}, query=b"access_token=q")
    places = scheme(Header("Access-Token"), FormField(), LegacyQuery())
    assert play(places.elsewhere(request), (READ, b"access_token=f")) == [b"h", b"q", b"f"]


# What a token proves


def test_a_good_token_gives_its_grant_and_is_recalled(bearer: Bearer, issuer: Issuer) -> None:
    token = issuer.token().encode()
    grant = play(bearer.authenticate(REQUEST, token, SITE))
    assert grant.subject == "ada"
    assert play(bearer.authenticate(REQUEST, token, SITE)) is grant


def test_a_good_token_gives_its_grant_once_the_keys_were_fetched(cold: Bearer, issuer: Issuer) -> None:
    keys = Reply(200, json.dumps(issuer.jwks).encode())
    assert play(cold.authenticate(REQUEST, issuer.token().encode(), SITE), (FETCH, keys)).subject == "ada"


@pytest.mark.parametrize(
    "token",
    ["", " ", "a b", "a,b", "a\tb", "t\xf6ken", "a" + "é" * 9, "a.b.c,a.b.c", f"{Issuer().token()},x", "a.b.c d"],
)
def test_credentials_that_cannot_be_one_token_are_a_bad_request(bearer: Bearer, token: str) -> None:
    error = refused(bearer, token)
    assert (type(error), error.reason) == (InvalidRequest, "malformed_credentials")


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("opaque", "malformed_token"),
        ("a.b.c", "malformed_token"),
        ('"a"', "malformed_token"),
        ("=", "malformed_token"),
        ("a;b", "malformed_token"),
        ("a\x00", "malformed_token"),
        ("a\r\nb", "malformed_token"),
        ("%41.%41.%41", "malformed_token"),
        ("a.b.c.d.e", "encrypted_token"),
        ("a" * 20_000, "token_too_long"),
        (Issuer().token(header={"crit": ["x"]}), "crit_not_supported"),
        (Issuer().sign({"alg": "ES256"}, encode(b"[]")), "malformed_claims"),
        (Issuer().token(drop=["iss"]), "wrong_issuer"),
        (Issuer(issuer="https://other.example").token(), "wrong_issuer"),
        (Issuer(kid="k9", issuer="https://other.example").token(), "unknown_issuer"),
        (Issuer(kid="k9").token(), "unknown_key"),
        (Issuer().token(exp=1), "expired"),
    ],
    ids=lambda value: value if len(value) < 30 else "",
)
def test_a_token_that_is_not_good_says_why(bearer: Bearer, token: str, reason: str) -> None:
    error = refused(bearer, token)
    assert (type(error), error.reason) == (InvalidToken, reason)


@pytest.mark.parametrize(
    "token",
    [
        "opaque",
        "a.b.c.d.e",
        "not base64url!",
        Issuer(issuer="https://other.example").token(),
        Issuer(issuer="https://id.example.com.evil.example").token(header={"jku": JWKS_URL}),
        Issuer().token(drop=["iss"]),
        Issuer().token(header={"crit": ["x"]}),
        Issuer().token(header={"alg": "none"}),
        Issuer().token(header={"alg": "HS256"}),
        Issuer().token() + "=",
        "a" * 20_000,
    ],
    ids=[
        *("opaque", "jwe", "not b64", "unknown issuer", "issuer prefix", "no issuer", "crit", "none", "hs256"),
        *("padding", "too long"),
    ],
)
def test_a_token_that_cannot_be_good_causes_no_effect(cold: Bearer, token: str) -> None:
    assert not isinstance(refused(cold, token), Unavailable)


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
        {"jwk": Issuer(kid="evil").jwk},
        {"x5c": ["AAAA"]},
        {"kid": "https://evil.example/jwks"},
        {"kid": "../../jwks?"},
    ],
    ids=str,
)
def test_nothing_in_a_header_says_what_is_fetched(cold: Bearer, issuer: Issuer, header: dict[str, Any]) -> None:
    forged = Issuer()
    forged.private_key = Issuer(kid="evil").private_key
    keys = Reply(200, json.dumps(issuer.jwks).encode())
    assert refused(cold, forged.token(header=header), (FETCH, keys)).reason in {"bad_signature", "unknown_key"}


def test_an_issuer_that_is_down_makes_no_verdict(cold: Bearer, issuer: Issuer) -> None:
    assert refused(cold, issuer.token(), (FETCH, DOWN)) is DOWN


@pytest.mark.parametrize("cnf", [{"jkt": "a"}, {"x5t#S256": "a"}, {"unheard-of": 1}, {}], ids=str)
def test_a_sender_constrained_token_is_refused_also_when_recalled(
    bearer: Bearer, issuer: Issuer, cnf: dict[str, Any]
) -> None:
    token = issuer.token(cnf=cnf)
    reasons = [refused(bearer, token).reason for _ in range(3)]
    assert reasons == ["sender_constrained"] * 3


@pytest.mark.parametrize("key", ["adijq39jdlaska9asud", "", None])
def test_a_token_that_carries_a_mac_key_is_no_bearer_token(bearer: Bearer, issuer: Issuer, key: str | None) -> None:
    token = issuer.token(mac_key=key, kid="t1")
    assert [refused(bearer, token).reason for _ in range(2)] == ["sender_constrained"] * 2


def test_a_sender_constrained_token_is_refused_also_after_its_key_was_fetched(cold: Bearer, issuer: Issuer) -> None:
    error = refused(cold, issuer.token(cnf={"jkt": "a"}), (FETCH, Reply(200, json.dumps(issuer.jwks).encode())))
    assert (error.reason, error.scheme, len(error.credential)) == ("sender_constrained", "Bearer", 12)


@pytest.mark.parametrize("token", ["opaque", "", "ä", Issuer(kid="k9").token(), Issuer().token(cnf={}, jti="2")])
def test_an_error_names_the_credentials_by_a_short_hash_only(bearer: Bearer, token: str) -> None:
    error = refused(bearer, token)
    assert (error.scheme, error.credential) == ("Bearer", sha256(token.encode()).hexdigest()[:12])
    assert not token or token not in f"{error!r} {error.description} {vars(error)}"


def test_an_error_names_the_credentials_when_nothing_can_be_decided(cold: Bearer, issuer: Issuer) -> None:
    token = issuer.token()
    error = refused(cold, token, (FETCH, Reply(500, b"")))
    assert (error.scheme, error.credential) == ("Bearer", sha256(token.encode()).hexdigest()[:12])


# Several providers


OTHER = "https://other.example"


def test_each_token_goes_to_the_provider_of_its_issuer_alone() -> None:
    here, there = Issuer(), Issuer(issuer=OTHER, kid="k2")
    down = here.provider(keys=RemoteKeys(JWKS_URL))
    bearer = Bearer(down, there.provider())
    assert play(bearer.authenticate(REQUEST, there.token().encode(), SITE)).issuer == OTHER
    assert refused(bearer, here.token(), (FETCH, DOWN)).reason == "fetch_failed"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (Issuer(issuer="https://third.example").token(), "unknown_issuer"),
        (Issuer().token(drop=["iss"]), "unknown_issuer"),
        (Issuer().token(iss=[OTHER]), "unknown_issuer"),
        (Issuer().sign({"alg": "ES256"}, encode(b"[]")), "malformed_claims"),
        ("opaque", "malformed_token"),
        ("a.b.c.d.e", "encrypted_token"),
    ],
    ids=["a third", "none", "an array", "no claims", "opaque", "jwe"],
)
def test_a_token_of_none_of_the_issuers_causes_no_effect(token: str, reason: str) -> None:
    there = Issuer(issuer=OTHER)
    bearer = Bearer(
        Issuer().provider(keys=RemoteKeys(JWKS_URL)), there.provider(keys=RemoteKeys(f"{OTHER}/jwks"), audience="b")
    )
    assert refused(bearer, token).reason == reason


def test_a_key_of_one_issuer_does_not_speak_for_another() -> None:
    here, there = Issuer(), Issuer(issuer=OTHER)
    there.private_key = Issuer(kid="k2").private_key
    bearer = Bearer(here.provider(), there.provider())
    here.issuer = OTHER
    assert refused(bearer, here.token()).reason == "bad_signature"


def test_a_token_refused_by_its_provider_is_not_tried_on_the_next(issuer: Issuer) -> None:
    strict = issuer.provider(audience="https://a.example", name="strict", accepts=CarriesScope("photos"))
    bearer = Bearer(strict, issuer.provider(name="lax", accepts=CarriesScope("films")))
    assert refused(bearer, issuer.token(scope="photos")).reason == "wrong_audience"


def test_a_token_of_the_second_provider_is_recalled_too() -> None:
    here, there = Issuer(), Issuer(issuer=OTHER, kid="k2")
    bearer = Bearer(here.provider(), there.provider())
    token = there.token().encode()
    play(bearer.authenticate(REQUEST, token, SITE))
    assert play(bearer.authenticate(REQUEST, token, SITE)) is play(bearer.authenticate(REQUEST, token, SITE))


def test_warming_goes_on_where_one_issuer_cannot_be_reached(caplog: pytest.LogCaptureFixture) -> None:
    here, there = Issuer(), Issuer(issuer=OTHER)
    clock = FakeClock()
    url = f"{OTHER}/jwks"
    bearer = Bearer(
        here.provider(keys=RemoteKeys(JWKS_URL, monotonic=clock)), there.provider(keys=RemoteKeys(url, monotonic=clock))
    )
    second = Fetch("GET", url, FETCH.headers, shared=1.0)
    play(bearer.warm(), (FETCH, DOWN), (second, Reply(200, json.dumps(there.jwks).encode())))
    assert play(bearer.authenticate(REQUEST, there.token().encode(), SITE)).issuer == OTHER
    assert caplog.messages == ["https://id.example.com could not be reached ahead of the first request: fetch_failed"]


# Challenges


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "Bearer"),
        ({"scope": "a b"}, 'Bearer scope="a b"'),
        ({"error": "invalid_token"}, 'Bearer error="invalid_token"'),
        (
            {"description": "It expired.", "error": "invalid_token", "scope": "a"},
            'Bearer scope="a", error="invalid_token", error_description="It expired."',
        ),
    ],
    ids=str,
)
def test_a_challenge_says_what_is_known_in_a_fixed_order(bearer: Bearer, given: dict[str, Any], expected: str) -> None:
    assert bearer.challenge(**given) == expected


def test_realm_and_metadata_go_into_every_challenge(issuer: Issuer) -> None:
    url = "https://api.example.com/.well-known/oauth-protected-resource"
    bearer = Bearer(issuer.provider(), realm="photos", resource_metadata=url)
    assert bearer.challenge() == f'Bearer realm="photos", resource_metadata="{url}"'
    assert bearer.challenge(error="invalid_token") == (
        f'Bearer realm="photos", error="invalid_token", resource_metadata="{url}"'
    )


# Configuration


@pytest.mark.parametrize(
    "options", [{"realm": 'a"b'}, {"realm": "a\\b"}, {"realm": "é"}, {"realm": "a\r\nX: y"}, {"resource_metadata": '"'}]
)
def test_what_cannot_stand_in_a_challenge_is_refused(issuer: Issuer, options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="cannot stand in a challenge"):
        Bearer(
            issuer.provider(), realm=options.get("realm", ""), resource_metadata=options.get("resource_metadata", "")
        )


def test_every_place_of_a_token_is_told_and_no_other(issuer: Issuer) -> None:
    assert Bearer(issuer.provider()).places == Places()
    everywhere = scheme(AUTHORIZATION, Header("Access-Token"), FormField("form_token"), LegacyQuery())
    assert everywhere.places == Places(frozenset({b"access-token"}), frozenset({b"form_token", b"access_token"}))


def test_a_catalogue_binds_every_provider() -> None:
    here, there = Issuer(), Issuer(issuer=OTHER)
    bearer = Bearer(here.provider(), there.provider(), realm="photos")
    bound = bearer.with_catalogue(ScopeCatalogue({"photos": {"thumbnails": {}}}))
    for issuer in (here, there):
        token = issuer.token(scope="photos").encode()
        for _ in range(2):
            assert play(bound.authenticate(REQUEST, token, SITE)).scopes == {"photos", "thumbnails"}
            assert play(bearer.authenticate(REQUEST, token, SITE)).scopes == {"photos"}
    assert bound.challenge() == bearer.challenge()


def test_a_provider_names_scopes_that_the_catalogue_has(issuer: Issuer) -> None:
    with pytest.raises(ValueError, match=r"the scopes of provider 'staff'.*'fotos'"):
        Bearer(issuer.provider(scopes=["fotos"], name="staff")).with_catalogue(ScopeCatalogue({"photos": {}}))


def test_providers_that_one_token_could_be_for_are_refused(issuer: Issuer) -> None:
    with pytest.raises(ValueError, match="for provider 'a' and for 'b'"):
        Bearer(issuer.provider(name="a"), issuer.provider(name="b", audience="other"))


@pytest.mark.parametrize(
    ("presentation", "header"), [((AUTHORIZATION,), "X-Token"), ((Header("X-Token"), FormField()), "Authorization")]
)
def test_a_provider_looks_at_headers_that_are_read(issuer: Issuer, presentation: Any, header: str) -> None:
    with pytest.raises(ValueError, match="this scheme reads none"):
        Bearer(issuer.provider(accepts=InHeader(header)), presentation=presentation)


def test_a_host_must_be_known_only_where_providers_are_told_by_it(issuer: Issuer) -> None:
    assert not Bearer(issuer.provider()).needs_hosts
    by_host = Bearer(issuer.provider(accepts=OnHost("api.example.com")))
    assert by_host.needs_hosts
    assert by_host.with_catalogue(ScopeCatalogue({"photos": {}})).needs_hosts


def test_a_scheme_needs_a_provider_and_a_place(issuer: Issuer) -> None:
    with pytest.raises(ValueError, match="trusts nobody"):
        Bearer()
    with pytest.raises(ValueError, match="at least one place"):
        Bearer(issuer.provider(), presentation=[])


def test_two_providers_of_one_name_are_refused(issuer: Issuer) -> None:
    with pytest.raises(ValueError, match="two providers are named"):
        Bearer(issuer.provider(), issuer.provider(audience="other"))


@pytest.mark.parametrize(
    ("name", "scheme_name"), [("Authorization", ""), ("authorization", ""), ("Access-Token", "Bearer"), ("", "Bearer")]
)
def test_a_scheme_name_belongs_to_authorization_and_only_there(name: str, scheme_name: str) -> None:
    with pytest.raises(ValueError, match="write Header"):
        Header(name, scheme_name)


def test_an_issuer_is_not_a_provider() -> None:
    with pytest.raises(TypeError, match="JWTProvider"):
        Bearer("https://id.example.com")  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["Authorization", Header, None])
def test_a_presentation_is_made_of_places(issuer: Issuer, place: Any) -> None:
    with pytest.raises(TypeError, match="presentation lists"):
        Bearer(issuer.provider(), presentation=[place])


def test_one_place_is_no_list_of_places(issuer: Issuer) -> None:
    with pytest.raises(TypeError, match="presentation lists"):
        Bearer(issuer.provider(), presentation=FormField("token"))  # type: ignore[arg-type]
