import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs import (
    Bearer,
    Grant,
    InvalidToken,
    IssuerMetadata,
    JWTProvider,
    OAuthError,
    Opaque,
    RoleMap,
    ScopeCatalogue,
    TokenPrefix,
    Unavailable,
)
from oauth_rs.breaker import Breaker
from oauth_rs.client_auth import BearerToken, ClientSecret
from oauth_rs.clients import FunctionClients, RegisteredClient
from oauth_rs.flow import Reply, Run
from oauth_rs.providers.introspection import IntrospectionProvider
from oauth_rs.providers.introspection_jwt import MEDIA_TYPE
from tests.providers.asking import DOWN, form, played, said, undecided
from tests.providers.presenting import digest, presented, refused
from tests.support.issuing import API, ISSUER, Issuer, encode
from tests.support.playing import SITE, FakeClock, PlainRequest, called

URL = "https://id.example.com/introspect"
CLIENT = ClientSecret("api", "s3cret")
METADATA = said(issuer=ISSUER, introspection_endpoint=URL)
KEYS = Issuer().keys()
TOKEN = "t0ken"
NOW = 1_000_000


@pytest.fixture
def wall() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def made(location: str | IssuerMetadata = URL, **options: Any) -> IntrospectionProvider:
    return IntrospectionProvider(location, **{"client": CLIENT, "audience": API, **options})


@pytest.fixture
def provider(wall: FakeClock, clock: FakeClock) -> IntrospectionProvider:
    return made(issuer=ISSUER, clock=wall, monotonic=clock)


def active(**changes: Any) -> Reply:
    members = {"active": True, "iss": ISSUER, "aud": API, "sub": "ada", "client_id": "app", "scope": "photos profile"}
    return said(**{**members, "exp": NOW + 600, **changes})


def without(*names: str) -> Reply:
    members: dict[str, Any] = {"active": True, "iss": ISSUER, "aud": API, "sub": "ada", "client_id": "app"}
    members["exp"] = NOW + 600
    return said(**{name: value for name, value in members.items() if name not in names})


def verify(provider: IntrospectionProvider, *answers: Reply | Unavailable, token: str = TOKEN) -> Grant:
    return played(provider.verify(presented(token)), *answers)[0]


# Whom an answer names


@pytest.mark.parametrize("answer", [without("sub"), active(sub=""), active(sub=None)], ids=["absent", "empty", "null"])
def test_users_without_a_name_are_not_taken_for_one(answer: Reply, wall: FakeClock) -> None:
    with pytest.raises(InvalidToken, match="missing_claim"):
        verify(made(clock=wall), answer)


def test_a_token_may_be_nobody_s_where_that_is_said(wall: FakeClock) -> None:
    grant = verify(made(required=(), clock=wall), without("sub"))
    assert (grant.subject, "sub" in grant.claims) == ("", False)


@pytest.mark.parametrize(
    ("path", "members", "subject"),
    [
        ("username", {"username": "ada"}, "ada"),
        ("user.id", {"user": {"id": 7}}, "7"),
        (("https://id.example.com/uid",), {"https://id.example.com/uid": "a1"}, "a1"),
    ],
    ids=str,
)
def test_another_member_may_name_the_user(path: Any, members: dict[str, Any], subject: str, wall: FakeClock) -> None:
    grant = verify(made(subject=path, clock=wall), active(sub="someone", **members))
    assert (grant.subject, grant.claims["sub"]) == (subject, subject)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (active(), "missing_claim"),
        (active(user={}), "missing_claim"),
        (active(user={"id": ""}), "missing_claim"),
        (active(user="ada"), "malformed_claim"),
        *((active(user={"id": odd}), "malformed_claim") for odd in (True, 1.5, ["ada"], {"a": "b"})),
    ],
)
def test_who_is_not_named_there_is_nobody(answer: Reply, reason: str, wall: FakeClock) -> None:
    with pytest.raises(InvalidToken, match=reason):
        verify(made(subject="user.id", clock=wall), answer)


def test_more_may_be_required(wall: FakeClock) -> None:
    provider = made(required=("sub", "client_id", "iat"), clock=wall)
    with pytest.raises(InvalidToken, match="missing_claim"):
        verify(provider, active())
    assert verify(provider, active(iat=NOW), token="another").subject == "ada"


# What is asked, and what an answer grants


def test_the_provider_is_asked_what_the_token_means(provider: IntrospectionProvider) -> None:
    _, (fetch,) = played(provider.verify(presented(TOKEN)), active())
    assert (fetch.method, fetch.url) == ("POST", URL)
    assert form(fetch) == {"token": TOKEN, "token_type_hint": "access_token"}
    assert ("Accept", "application/json") in fetch.headers
    assert CLIENT.prove(URL).headers[0] in fetch.headers


def test_an_active_token_proves_a_grant(provider: IntrospectionProvider) -> None:
    assert verify(provider, active()) == Grant(
        scheme="Bearer",
        provider=URL,
        issuer=ISSUER,
        subject="ada",
        client_id="app",
        scopes=frozenset({"photos", "profile"}),
        expires_at=NOW + 600,
        claims_json=active().body.replace(b", ", b",").replace(b": ", b":"),
    )


def test_members_of_its_own_are_claims(provider: IntrospectionProvider) -> None:
    grant = verify(provider, active(jti="1", act={"sub": "batch"}))
    assert (grant.claims["jti"], grant.actor) == ("1", {"sub": "batch"})


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["https://other.example", API]},
        {"nbf": NOW, "iat": NOW},
        {"exp": NOW + 600.5},
        {"token_type": "Bearer"},
        {"token_type": "bearer", "typ": "Bearer"},
        {"token_type": "access_token"},
        {"token_use": "access_token", "typ": "at+jwt"},
        {"token_use": "access", "typ": "JWT"},
        {"typ": "application/at+jwt"},
        {"username": "ada@example.com", "unknown": {"deep": [1, None]}},
    ],
    ids=str,
)
def test_spellings_that_providers_use_are_accepted(provider: IntrospectionProvider, changes: dict[str, Any]) -> None:
    assert verify(provider, active(**changes)).scopes == {"photos", "profile"}


@pytest.mark.parametrize("name", ["iss", "client_id", "exp"])
def test_members_that_are_optional_may_be_missing(provider: IntrospectionProvider, name: str) -> None:
    grant = verify(provider, without(name))
    assert (grant.subject, grant.client_id) == ("ada", "" if name == "client_id" else "app")
    assert grant.scopes == frozenset()
    assert grant.expires_at == (0 if name == "exp" else NOW + 600)


@pytest.mark.parametrize("cnf", [{"x5t#S256": "abc"}, {"jkt": "abc"}, {}], ids=str)
def test_what_a_token_is_bound_to_is_handed_on(provider: IntrospectionProvider, cnf: dict[str, str]) -> None:
    assert verify(provider, active(cnf=cnf, token_type="DPoP")).confirmation == cnf


def test_a_bound_token_is_no_bearer_token(provider: IntrospectionProvider) -> None:
    bearer = Bearer(provider)
    asking = bearer.authenticate(PlainRequest(), b"t0ken", SITE)
    assert not isinstance(asking, Grant)
    with refused("sender_constrained"):
        played(asking, active(cnf={"jkt": "abc"}))
    with refused("sender_constrained"):
        bearer.authenticate(PlainRequest(), b"t0ken", SITE)  # nor when it is remembered


def test_a_provider_grants_no_scope_beyond_its_own() -> None:
    provider = made(scopes=["photos"], roles=RoleMap("roles", {"admin": {"all"}, "reader": {"photos"}}))
    assert verify(provider, said(active=True, aud=API, sub="ada", scope="photos all", roles=["admin"])).scopes == {
        "photos"
    }


def test_roles_bring_scopes_and_names_say_where_claims_stand() -> None:
    provider = made(roles=RoleMap("roles", {"reader": {"photos"}}), owner={"mail": "email"}, domain="example.com")
    grant = verify(provider, said(active=True, aud=API, sub="ada", roles=["reader"], email="ada@example.com"))
    assert grant.scopes == {"photos"}
    assert grant.roles == {"reader"}
    assert (grant.owner, grant.owner_domain) == ({"mail": "ada@example.com"}, "example.com")


def test_tokens_of_known_clients_alone_are_good(wall: FakeClock) -> None:
    provider = made(clients={"app", "other"}, clock=wall)
    assert verify(provider, active()).client_id == "app"
    for stranger in ("stranger", "App", ""):
        with refused("client_not_registered"):
            verify(provider, active(client_id=stranger), token=f"of {stranger}")


def test_a_registry_is_asked_once_while_an_answer_is_believed(wall: FakeClock) -> None:
    def find(_client_id: str) -> None: ...

    provider = made(clients=FunctionClients(find=find), clock=wall)
    run = Run(provider.verify(presented(TOKEN)))
    run.send(active())
    assert run.effect == called(find, "app")
    assert provider.recall(digest(TOKEN)) is None
    run.send(RegisteredClient("app"))
    assert provider.recall(digest(TOKEN)) is run.result


# What is refused


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (said(active=False), "inactive_token"),
        (active(active=False), "inactive_token"),
        (active(iss="https://other.example.com"), "wrong_issuer"),
        (active(iss=f"{ISSUER}/"), "wrong_issuer"),
        (active(iss=None), "wrong_issuer"),
        (active(iss=[ISSUER]), "wrong_issuer"),
        (active(aud="https://other.example.com"), "wrong_audience"),
        (active(aud=[]), "wrong_audience"),
        (active(aud=""), "wrong_audience"),
        (active(aud=API[:-1]), "wrong_audience"),
        (active(aud=None), "no_audience"),
        (without("aud"), "no_audience"),
        (active(aud=7), "malformed_claim"),
        (active(aud=[API, 7]), "malformed_claim"),
        (active(exp=NOW - 60), "expired"),
        (active(exp=0), "expired"),
        (active(exp=str(NOW + 600)), "malformed_claim"),
        (active(exp=True), "malformed_claim"),
        (active(exp=None), "malformed_claim"),
        (active(nbf=NOW + 61), "not_yet_valid"),
        (active(iat=NOW + 61), "not_yet_valid"),
        (active(sub=7), "malformed_claim"),
        (active(client_id=["app"]), "malformed_claim"),
        (active(scope=["photos", 7]), "malformed_claim"),
        (active(scope={"photos": True}), "malformed_claim"),
        (active(cnf="abc"), "malformed_claim"),
        (active(act="batch"), "malformed_claim"),
        (active(authorization_details={"type": "x"}), "malformed_claim"),
        (active(token_type="refresh_token"), "wrong_typ"),
        (active(token_use="refresh_token"), "wrong_typ"),
        (active(token_use="id_token"), "wrong_typ"),
        (active(typ="Refresh"), "wrong_typ"),
        (active(typ="Offline"), "wrong_typ"),
        (active(typ="ID"), "wrong_typ"),
        (active(token_type="DPoP"), "wrong_typ"),
        (active(token_type="mac"), "wrong_typ"),
        (active(typ="logout+jwt"), "wrong_typ"),
        (active(typ="secevent+jwt"), "wrong_typ"),
        (active(typ="rt+jwt"), "wrong_typ"),
        (active(typ="token-introspection+jwt"), "wrong_typ"),
        (active(typ="DPoP"), "wrong_typ"),
        (active(token_use="service"), "wrong_typ"),
        (active(cnf={"jkt": "a"}, token_type="DPoP", typ="logout+jwt"), "wrong_typ"),
        (active(token_type="N_A"), "wrong_typ"),
        (active(token_type=7), "malformed_claim"),
        (active(cnf={"jkt": "a"}, token_use="refresh_token"), "wrong_typ"),
    ],
    ids=lambda value: value.body.decode()[-80:] if isinstance(value, Reply) else value,
)
def test_an_answer_is_held_to_like_the_claims_of_a_jwt(
    provider: IntrospectionProvider, answer: Reply, reason: str
) -> None:
    with refused(reason):
        verify(provider, answer)


@pytest.mark.parametrize(
    "answer",
    [
        said(),
        said(sub="ada"),
        active(active="true"),
        active(active="True"),
        active(active=1),
        active(active=0),
        active(active=None),
        active(active=[True]),
        active(active={}),
        said(Active=True),
        Reply(200, b""),
        Reply(200, b"<!doctype html>"),
        Reply(200, b"true"),
        Reply(200, b'{"active": true, "active": true}'),
        Reply(200, b'{"active": true, "exp": 1e400}'),
        Reply(200, b'{"active": true, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
        said(201, active=True),
        said(400, active=True),
        said(404, active=True),
    ],
    ids=lambda reply: f"{reply.status} {reply.body[:40].decode()}",
)
def test_what_is_no_answer_decides_nothing(provider: IntrospectionProvider, answer: Reply) -> None:
    with undecided("endpoint_unusable"):
        verify(provider, answer)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (DOWN, "fetch_failed"),
        (Unavailable("redirected", ""), "redirected"),
        (said(500, active=True), "endpoint_failed"),
        (said(401, active=True), "endpoint_refused"),
    ],
    ids=["down", "redirect", "500", "401"],
)
def test_an_endpoint_that_does_not_answer_leaves_it_undecided(
    provider: IntrospectionProvider, answer: Any, reason: str
) -> None:
    with undecided(reason):
        verify(provider, answer)


def test_clocks_may_differ_by_the_leeway(wall: FakeClock) -> None:
    provider = made(leeway=0, clock=wall)
    with refused("expired"):
        verify(provider, active(exp=NOW))
    assert verify(made(clock=wall), active(exp=NOW - 59)).expires_at == NOW - 59


# The audience


def test_answers_without_an_audience_are_accepted_where_that_is_said() -> None:
    provider = made(audience=(), audience_unproved=True)
    assert verify(provider, said(active=True, sub="ada")).subject == "ada"
    assert verify(provider, said(active=True, aud=None, sub="bob"), token="other").subject == "bob"


@pytest.mark.parametrize("audience", [(), API])
def test_an_answer_for_another_audience_is_refused_all_the_same(audience: Any) -> None:
    with refused("wrong_audience"):
        verify(made(audience=audience, audience_unproved=True), said(active=True, aud="https://other.example.com"))


def test_an_answer_that_names_us_is_accepted_beside_those_that_name_nobody() -> None:
    provider = made(audience=["photos", API], audience_unproved=True)
    assert verify(provider, said(active=True, aud=["photos"], sub="ada")).subject == "ada"


@pytest.mark.parametrize("audience", [(), "", [], frozenset()], ids=str)
def test_a_provider_knows_its_audience_or_says_that_it_has_none(audience: Any) -> None:
    with pytest.raises(ValueError, match="audience_unproved=True where they have none"):
        made(audience=audience)


# Whatever is answered

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([API, ISSUER]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
names = ("active", "iss", "aud", "sub", "client_id", "azp", "scope", "exp", "nbf", "iat", "cnf", "token_type", "typ")
members = st.dictionaries(st.sampled_from(names), json_values, max_size=4)


@given(changes=members, good=st.booleans())
def test_no_answer_raises_anything_else_or_passes_without_saying_so(changes: dict[str, Any], *, good: bool) -> None:
    answer = {**({"active": True, "iss": ISSUER, "aud": API, "exp": NOW + 600} if good else {}), **changes}
    try:
        grant = verify(made(issuer=ISSUER, clock=FakeClock(NOW)), said(**answer))
    except (InvalidToken, Unavailable):
        return
    assert answer["active"] is True
    assert answer.get("iss", ISSUER) == ISSUER
    assert API in ([answer["aud"]] if isinstance(answer["aud"], str) else answer["aud"])
    assert "exp" not in answer or NOW - 60 < answer["exp"] == grant.claims["exp"]
    assert (grant.confirmation is None) == ("cnf" not in answer)


@given(body=st.binary(max_size=64), status=st.integers(100, 599), signs=st.booleans())
def test_no_bytes_pass_or_raise_anything_else(body: bytes, status: int, *, signs: bool) -> None:
    provider = made(issuer=ISSUER, keys=KEYS) if signs else made()
    with pytest.raises(OAuthError) as caught:
        verify(provider, Reply(status, body, MEDIA_TYPE))
    assert caught.value.status == 503


# What is remembered


def recalled(provider: IntrospectionProvider, token: str = TOKEN) -> bool:
    return provider.recall(digest(token)) is not None


def test_an_answer_is_believed_for_a_while(provider: IntrospectionProvider, clock: FakeClock) -> None:
    grant = verify(provider, active())
    assert provider.remembers
    assert provider.recall(digest(TOKEN)) is grant
    clock.pass_seconds(60)
    assert not recalled(provider)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Reply(200, b"<!doctype html>"), "no JSON object"),
        (said(active="t0ken"), "nothing that says whether the token is active"),
        (said(404), "answered 404"),
    ],
    ids=["html", "no word", "404"],
)
def test_why_an_answer_cannot_be_used_is_told(caplog: pytest.LogCaptureFixture, answer: Reply, cause: str) -> None:
    provider = made()
    for _ in range(2):
        with undecided("endpoint_unusable"):
            verify(provider, answer)
    assert caplog.messages == [f"{URL} gave no answer to use: {cause}"]


def test_an_answer_is_not_believed_past_its_end(provider: IntrospectionProvider, wall: FakeClock) -> None:
    verify(provider, active(exp=NOW + 10))
    wall.pass_seconds(10)
    assert not recalled(provider)
    with refused("inactive_token"):
        verify(provider, said(active=False))


def test_an_answer_past_its_end_is_not_shared_with_those_who_come_later(provider: IntrospectionProvider) -> None:
    shared = []
    for _ in range(3):
        _, (fetch,) = played(provider.verify(presented(TOKEN)), active(exp=NOW - 30))
        shared.append((fetch.shared, fetch.shared_by))
    first, second, third = shared
    assert (first[0], second[0]) == (1, 0)
    assert first[1] != second[1] == third[1]  # those who ask at one time still share


def test_a_token_without_an_end_is_asked_about_again(provider: IntrospectionProvider, clock: FakeClock) -> None:
    verify(provider, without("exp"))
    assert recalled(provider)
    clock.pass_seconds(60)
    assert not recalled(provider)


def test_a_refusal_is_believed_for_a_shorter_while(provider: IntrospectionProvider, clock: FakeClock) -> None:
    with refused("inactive_token"):
        verify(provider, said(active=False))
    with refused("inactive_token"):
        provider.verify(presented(TOKEN))
    clock.pass_seconds(5)
    assert verify(provider, active()).subject == "ada"


def test_what_could_not_be_decided_is_asked_again(provider: IntrospectionProvider) -> None:
    with undecided("fetch_failed"):
        verify(provider, DOWN)
    assert verify(provider, active()).subject == "ada"


def test_nothing_is_remembered_where_that_is_wanted(clock: FakeClock) -> None:
    provider = made(cache_seconds=0, refused_seconds=0, monotonic=clock)
    assert not provider.remembers
    for _ in range(2):
        verify(provider, active(exp=int(time.time()) + 60))
        assert not recalled(provider)
    with refused("inactive_token"):
        verify(provider, said(active=False))
    _, (fetch,) = played(provider.verify(presented(TOKEN)), said(active=True, aud=API, sub="ada"))
    assert fetch.shared == 0


def test_a_token_whose_hash_nobody_has_made_is_asked_about_like_others() -> None:
    provider = made(cache_seconds=0)
    token = presented("t0ken")
    token.digest = b""
    with refused("inactive_token"):
        played(provider.verify(token), said(active=False))
    with refused("inactive_token"):
        provider.verify(presented(TOKEN))


def test_tokens_whose_hash_nobody_has_made_share_no_answer() -> None:
    provider, shared = made(cache_seconds=0), []
    for text in ("one", "other", "one"):
        token = presented(text)
        token.digest = b""
        _, (fetch,) = played(provider.verify(token), said(active=True, aud=API, sub="ada"))
        shared.append(fetch.shared_by)
    assert shared[0] == shared[2] != shared[1]


# Signed answers


@pytest.fixture
def signing(wall: FakeClock, clock: FakeClock) -> IntrospectionProvider:
    return made(issuer=ISSUER, keys=Issuer().keys(), clock=wall, monotonic=clock)


def signed(answer: Reply, *, status: int = 200, aud: str = "api") -> Reply:
    payload = b'{"iss": "%s", "aud": "%s", "iat": %d, "token_introspection": %s}'
    body = encode(payload % (ISSUER.encode(), aud.encode(), NOW, answer.body))
    header = {"typ": "token-introspection+jwt", "alg": "ES256", "kid": "k1"}
    return Reply(status, Issuer().sign(header, body).encode(), MEDIA_TYPE)


def test_a_signed_answer_is_asked_for_and_read(signing: IntrospectionProvider) -> None:
    grant, (fetch,) = played(signing.verify(presented(TOKEN)), signed(active()))
    assert ("Accept", MEDIA_TYPE) in fetch.headers
    assert (grant.subject, grant.claims["aud"]) == ("ada", API)
    assert recalled(signing)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (said(active=False), "inactive_token"),
        (active(aud="https://other.example.com"), "wrong_audience"),
        (active(exp=NOW - 60), "expired"),
    ],
    ids=["inactive", "audience", "expired"],
)
def test_a_signed_answer_is_held_to_like_any(signing: IntrospectionProvider, answer: Reply, reason: str) -> None:
    with refused(reason):
        verify(signing, signed(answer))


@pytest.mark.parametrize(
    "answer",
    [
        active(),
        Reply(200, signed(active()).body, "application/json"),
        signed(active(), aud="other"),
        signed(said(active="true")),
        Reply(200, Issuer().token().encode(), MEDIA_TYPE),
        signed(active(), status=202),
    ],
    ids=["json", "called json", "for another", "active as text", "access token", "202"],
)
def test_no_other_answer_counts_where_signed_ones_were_asked_for(signing: IntrospectionProvider, answer: Reply) -> None:
    with undecided("endpoint_unusable"):
        verify(signing, answer)


def test_a_signed_answer_is_no_answer_where_a_plain_one_was_asked_for(provider: IntrospectionProvider) -> None:
    with undecided("endpoint_unusable"):
        verify(provider, signed(active()))


# Beside others, and with a catalogue


def test_providers_are_told_apart_by_what_they_accept() -> None:
    Bearer(JWTProvider(ISSUER, audience=API), made(accepts=Opaque()))
    Bearer(made(accepts=TokenPrefix("pt_")), made(accepts=TokenPrefix("qt_"), name="others"))
    with pytest.raises(ValueError, match="tell them apart"):
        Bearer(JWTProvider(ISSUER, audience=API), made())


def test_with_a_catalogue_scopes_bring_what_they_imply(provider: IntrospectionProvider) -> None:
    verify(provider, active())
    bound = provider.with_catalogue(ScopeCatalogue({"photos": {"thumbnails": {}}, "profile": {}}))
    assert not recalled(bound)
    assert verify(bound, active()).scopes == {"photos", "thumbnails", "profile"}
    assert recalled(bound)
    assert recalled(provider)
    assert provider.recall(digest(TOKEN)) != bound.recall(digest(TOKEN))


def test_with_a_catalogue_the_endpoint_and_its_rest_are_the_same(clock: FakeClock) -> None:
    provider = made(breaker=Breaker(failures=1), monotonic=clock)
    bound = provider.with_catalogue(ScopeCatalogue({"photos": {}}))
    with undecided("fetch_failed"):
        verify(provider, DOWN)
    with undecided("endpoint_resting"):
        Run(bound.verify(presented(TOKEN)))


def test_a_catalogue_must_have_the_scopes_of_the_provider() -> None:
    with pytest.raises(ValueError, match="there is no scope 'films'"):
        made(scopes=["films"]).with_catalogue(ScopeCatalogue({"photos": {}}))


# Where to ask


def test_the_endpoint_is_found_by_the_metadata_of_the_issuer(wall: FakeClock) -> None:
    provider = made(IssuerMetadata(ISSUER), clock=wall)
    assert (provider.name, provider.issuer) == (ISSUER, ISSUER)
    assert verify(provider, METADATA, active()).issuer == ISSUER
    with refused("wrong_issuer"):
        verify(provider, active(iss="https://other.example.com"), token="other")


@pytest.mark.parametrize("answer", [active(), active(iss="https://other.example.com")], ids=["ours", "another"])
def test_where_no_issuer_is_stated_the_endpoint_is_it(answer: Reply, wall: FakeClock) -> None:
    assert verify(made(clock=wall), answer).issuer == URL


def test_warm_finds_the_endpoint_and_fetches_the_keys(wall: FakeClock) -> None:
    played(made(IssuerMetadata(ISSUER)).warm(), METADATA)
    played(made().warm())
    signing = made(IssuerMetadata(ISSUER), keys=Issuer().keys(), clock=wall)
    played(signing.warm(), METADATA)
    assert verify(signing, signed(active())).subject == "ada"


# Configuration


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"client": None}, "client is ClientSecret"),
        ({"client": ("api", "s3cret")}, "client is ClientSecret"),
        ({"client": ClientSecret}, "client is ClientSecret"),
        ({"audience": [API, 7]}, "audience is text"),
        ({"audience": [""]}, "audience is text"),
        ({"audience": 7}, "audience is text"),
        ({"audience": None}, "audience is text"),
        ({"scopes": "photos"}, "scopes is a list"),
        ({"required": "sub"}, "required is a list"),
        ({"required": [1]}, "required is a list"),
        ({"audience_unproved": "no"}, "audience_unproved is True or False, not 'no'"),
        ({"subject": 7}, "subject leads to a claim"),
        ({"issuer": IssuerMetadata(ISSUER)}, "issuer is text"),
        ({"roles": {"admin": {"all"}}}, "roles is RoleMap"),
        ({"clients": "app"}, "clients is a list"),
        ({"accepts": "pt_"}, "accepts is a selector"),
        ({"keys": f"{ISSUER}/jwks"}, "keys is RemoteKeys"),
        ({"leeway": "60"}, "leeway is a number"),
        ({"timeout": None}, "timeout is a number"),
        ({"cache_seconds": None}, "cache_seconds is a number"),
        ({"refused_seconds": False}, "refused_seconds is a number"),
        ({"cache_size": 1.5}, "cache_size is a number"),
        ({"breaker": 3}, "breaker is Breaker"),
    ],
    ids=str,
)
def test_options_of_the_wrong_kind_say_how_to_mend_them(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        made(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keys": Issuer().keys()}, "give issuer="),
        ({"keys": Issuer().keys(), "issuer": ISSUER, "client": BearerToken("t0ken")}, "a client with an id"),
        ({"scopes": ["two words"]}, "is not one scope"),
        ({"leeway": 301}, "leeway is 0 to 300"),
        ({"timeout": 0}, "timeout is above 0"),
        ({"cache_seconds": 301}, "cache_seconds is 0 to 300"),
        ({"refused_seconds": -1}, "refused_seconds is 0 to 300"),
        ({"cache_size": -1}, "cache_size is 0 or more"),
    ],
    ids=str,
)
def test_options_that_cannot_be_say_how_to_mend_them(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**options)


@pytest.mark.parametrize("url", ["http://id.example.com/introspect", "introspect", "https://a:b@id.example.com/"])
def test_a_token_is_shown_to_no_insecure_place(url: str) -> None:
    with pytest.raises(ValueError, match="over https"):
        made(url)


def test_names_tell_providers_of_one_endpoint_apart() -> None:
    assert (made().name, made(name="partners").name) == (URL, "partners")
