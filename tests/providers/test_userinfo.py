import logging
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs import Grant, InvalidToken, IssuerMetadata, RoleMap, ScopeCatalogue, Unavailable
from oauth_rs.client_auth import BearerToken, ClientSecret
from oauth_rs.flow import Flow, Reply, Run
from oauth_rs.providers.token_checks import GitHubCheck, TokenInfoCheck
from oauth_rs.providers.userinfo import UserInfoProvider, github, openid
from tests.providers.asking import DOWN, played, said, undecided
from tests.providers.presenting import digest, presented, refused
from tests.support.issuing import ISSUER
from tests.support.playing import FakeClock

URL = "https://id.example.com/userinfo"
ADA = said(sub="ada", name="Ada", email="ada@example.com", preferred_username="al", groups=["staff"])
APP = ClientSecret("app", "s3cret")
OURS = said(app={"client_id": "app"}, scopes=["repo"])
USER = said(id=7, login="ada", name="Ada Lovelace", email=None)
TOKEN = "t0ken"
NOW = 1_000_000


@pytest.fixture
def wall() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def made(location: Any = URL, **options: Any) -> UserInfoProvider:
    defaults = {} if "check" in options else {"audience_unproved": True}
    return UserInfoProvider(location, **{**defaults, **options})


class Claims:
    """A check that finds these claims, or raises."""

    def __init__(self, found: Mapping[str, Any] | Exception) -> None:
        self._found = found

    def check(self, _token: str, _digest: bytes, /) -> Flow[Mapping[str, Any]]:
        yield from ()
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


def checked(**claims: Any) -> UserInfoProvider:
    return made(check=Claims(claims), clock=FakeClock(NOW))


def verify(provider: UserInfoProvider, *answers: Reply | Unavailable, token: str = TOKEN) -> Grant:
    return played(provider.verify(presented(token)), *answers)[0]


# Whose a token is


def test_the_user_endpoint_is_shown_the_token_in_a_header() -> None:
    _, (fetch,) = played(made().verify(presented(TOKEN)), ADA)
    assert (fetch.method, fetch.url, fetch.body) == ("GET", URL, b"")
    assert set(fetch.headers) == {("Accept", "application/json"), ("Authorization", "Bearer t0ken")}


def test_a_good_token_proves_whose_it_is() -> None:
    grant = verify(made(name="friends"), ADA)
    assert (grant.scheme, grant.provider, grant.issuer) == ("Bearer", "friends", URL)
    assert (grant.subject, grant.client_id, grant.scopes, grant.expires_at) == ("ada", "", frozenset(), 0)
    assert grant.confirmation is None
    assert grant.owner == {"name": "Ada", "email": "ada@example.com", "preferred_username": "al"}
    assert grant.claims["userinfo"]["groups"] == ["staff"]


def test_the_issuer_may_be_named() -> None:
    assert verify(made(issuer="https://id.example.com"), ADA).issuer == "https://id.example.com"
    assert github(APP, issuer="https://github.com").issuer == "https://github.com"


def test_fields_say_where_claims_stand() -> None:
    fields = {"sub": "data.id", "email": ("data", "mail.address"), "name": "data.name.full"}
    answer = said(data={"id": 42, "mail.address": "ada@example.com", "name": "Ada"})
    grant = verify(made(fields=fields), answer)
    assert (grant.subject, grant.owner) == ("42", {"email": "ada@example.com"})


def test_every_good_token_has_the_scopes_that_are_granted() -> None:
    assert verify(made(grants=["photos", "albums"]), ADA).scopes == {"photos", "albums"}
    assert verify(made(grants=["photos", "albums"], scopes=["photos"]), ADA).scopes == {"photos"}


def test_scopes_may_stand_in_the_answer() -> None:
    fields = {"sub": "sub", "scope": "rights"}
    assert verify(made(fields=fields, grants=["photos"]), said(sub="ada", rights=["a", "b"])).scopes == {
        "a",
        "b",
        "photos",
    }


def test_what_the_check_knows_is_in_the_grant() -> None:
    grant = verify(checked(client_id="app", scope="photos", exp=NOW + 60), ADA)
    assert (grant.client_id, grant.expires_at) == ("app", NOW + 60)
    assert grant.scopes == {"photos"}


def test_attributes_of_the_owner_may_be_named_differently() -> None:
    grant = verify(made(owner={"groups": "userinfo.groups"}, domain="example.com"), ADA)
    assert (grant.owner, grant.owner_domain) == ({"groups": "staff"}, "example.com")


def test_roles_of_the_answer_bring_scopes_and_properties_are_read() -> None:
    roles = RoleMap("userinfo.groups", {"staff": {"photos", "albums"}})
    provider = made(roles=roles, scopes=["photos"], properties={"first": "userinfo.given_name"})
    grant = verify(provider, said(sub="ada", groups=["staff"], given_name="Ada"))
    assert (grant.roles, grant.scopes) == (frozenset({"staff"}), frozenset({"photos"}))
    assert grant.properties == {"first": "Ada"}


def test_tokens_of_known_clients_alone_are_good() -> None:
    options: dict[str, Any] = {"clients": {"app", "other"}, "clock": FakeClock(NOW)}
    assert verify(made(check=Claims({"client_id": "app"}), **options), ADA).client_id == "app"
    for claims in ({"client_id": "stranger"}, {"client_id": "App"}, {}):
        with refused("client_not_registered"):
            verify(made(check=Claims(claims), **options), ADA)


def test_the_answer_may_name_a_known_client() -> None:
    provider = made(fields={"sub": "sub", "azp": "app.id"}, clients={"app"})
    assert verify(provider, said(sub="ada", app={"id": "app"})).client_id == "app"
    with refused("client_not_registered"):
        verify(provider, said(sub="ada", app={"id": "stranger"}), token="0ther")


def test_a_client_that_nothing_names_cannot_be_known() -> None:
    with pytest.raises(ValueError, match="no token would be of a known client"):
        made(clients={"app"})


# What is refused, and what is not decided


@pytest.mark.parametrize(
    "answer",
    [
        said(400, sub="ada"),
        said(401, sub="ada"),
        said(403, sub="ada", error="insufficient_scope"),
        said(403, error="invalid_token"),
    ],
    ids=["400", "401", "403 scope", "403 token"],
)
def test_a_token_that_the_user_endpoint_does_not_take_is_not_active(answer: Reply) -> None:
    with refused("inactive_token"):
        verify(made(), answer)


@pytest.mark.parametrize("error", ["invalid_auth", "invalid_token", "token_revoked"])
def test_a_good_answer_may_refuse_a_token_by_its_error(error: str) -> None:
    with refused("inactive_token"):
        verify(made(), said(ok=False, error=error))


@pytest.mark.parametrize("error", ["server_error", "temporarily_unavailable", "slow_down", "", None, True, ["x"], {}])
def test_an_error_that_is_not_for_the_token_decides_nothing(error: Any) -> None:
    with undecided("endpoint_unusable"):
        verify(made(), said(ok=False, error=error))


@pytest.mark.parametrize("sub", [True, 1.5, ["ada"], ""], ids=str)
def test_an_error_beside_something_that_is_no_user_decides_nothing(sub: Any) -> None:
    with undecided("endpoint_unusable"):
        verify(made(), said(sub=sub, error="invalid_token"))


def test_an_error_beside_a_user_does_no_harm() -> None:
    assert verify(made(), said(sub="ada", error="no picture")).subject == "ada"


@pytest.mark.parametrize("sub", ["", None, True, False, 1.5, ["ada"], {"id": "ada"}], ids=str)
def test_an_answer_that_names_nobody_decides_nothing(sub: Any) -> None:
    with undecided("endpoint_unusable"):
        verify(made(), said(sub=sub))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (DOWN, "fetch_failed"),
        (said(500, sub="ada"), "endpoint_failed"),
        (said(403, sub="ada", message="API rate limit exceeded"), "endpoint_unusable"),
        (said(403, error=["invalid_token"]), "endpoint_unusable"),
        (Reply(403, b"<html>"), "endpoint_unusable"),
        (said(404, sub="ada"), "endpoint_unusable"),
        (said(204, sub="ada"), "endpoint_unusable"),
        (said(name="Ada"), "endpoint_unusable"),
        (said(), "endpoint_unusable"),
        (Reply(200, b"<!doctype html>"), "endpoint_unusable"),
        (Reply(200, b"null"), "endpoint_unusable"),
        (Reply(200, b'{"sub": "ada", "sub": "eve"}'), "endpoint_unusable"),
        (Reply(200, b'{"sub": 1e400}'), "endpoint_unusable"),
        (Reply(200, b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."), "endpoint_unusable"),
    ],
    ids=[
        "down",
        "500",
        "403",
        "403 list",
        "403 html",
        "404",
        "204",
        "no sub",
        "empty",
        "html",
        "null",
        "twice",
        "infinite",
        "jwt",
    ],
)
def test_an_endpoint_that_does_not_answer_leaves_it_undecided(answer: Any, reason: str) -> None:
    with undecided(reason):
        verify(made(), answer)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([OURS, said(name="Ada")], "https://api.github.com/user gave no answer to use: no user"),
        ([OURS, said(403)], "https://api.github.com/user gave no answer to use: 403 that is not for the token"),
        ([said(500)], "https://api.github.com/applications/app/token gave no answer to use: answered 500"),
        ([Reply(200, b"x")], "https://api.github.com/applications/app/token gave no answer to use: no JSON object"),
    ],
    ids=["no user", "403", "check down", "check html"],
)
def test_which_endpoint_gave_no_answer_is_told(
    caplog: pytest.LogCaptureFixture, answers: list[Reply], words: str
) -> None:
    with pytest.raises(Unavailable):
        verify(github(APP), *answers)
    assert caplog.record_tuples == [("oauth_rs", logging.WARNING, words)]


def test_a_path_through_what_is_no_object_leads_nowhere() -> None:
    with undecided("endpoint_unusable"):
        verify(made(fields={"sub": "sub.id"}), said(sub="ada"))


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": NOW - 60}, "expired"),
        ({"exp": 0}, "expired"),
        ({"exp": str(NOW + 60)}, "malformed_claim"),
        ({"exp": True}, "malformed_claim"),
        ({"nbf": NOW + 61}, "not_yet_valid"),
        ({"client_id": 7}, "malformed_claim"),
        ({"scope": 7}, "malformed_claim"),
        ({"scope": ["photos", None]}, "malformed_claim"),
    ],
    ids=str,
)
def test_what_the_check_knows_is_held_to_like_the_claims_of_a_jwt(claims: dict[str, Any], reason: str) -> None:
    with refused(reason):
        verify(checked(**claims), ADA)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "x"]), inner, max_size=3),
    max_leaves=6,
)


@given(answer=st.dictionaries(st.sampled_from(["user", "scope", "client_id", "exp"]), json_values))
def test_no_answer_raises_anything_else_or_passes_without_a_subject(answer: dict[str, Any]) -> None:
    fields = {"sub": "user.id", "scope": "scope", "client_id": "client_id", "exp": "exp"}
    try:
        grant = verify(made(fields=fields), said(**answer))
    except (InvalidToken, Unavailable):
        return
    assert grant.subject == str(answer["user"]["id"]) != ""


# Whose application it was issued to


def test_the_check_comes_first() -> None:
    provider = made(check=GitHubCheck(APP))
    _, fetches = played(provider.verify(presented(TOKEN)), OURS, ADA)
    assert [fetch.url for fetch in fetches] == ["https://api.github.com/applications/app/token", URL]


@pytest.mark.parametrize("answer", [said(404), said(app={"client_id": "other"})], ids=["404", "other"])
def test_a_token_of_another_application_is_never_shown_to_the_user_endpoint(answer: Reply) -> None:
    with refused("not_our_client"):
        verify(made(check=GitHubCheck(APP)), answer)


def test_a_check_that_cannot_be_made_shows_the_token_to_nobody() -> None:
    with undecided("fetch_failed"):
        verify(made(check=TokenInfoCheck(URL, client_id="app")), DOWN)


def test_what_a_check_refuses_is_remembered() -> None:
    provider = made(check=Claims(InvalidToken("not_our_client", "No.")))
    for _ in range(2):
        with refused("not_our_client"):
            verify(provider)


@pytest.mark.parametrize("options", [{}, {"check": GitHubCheck(APP), "audience_unproved": True}], ids=["none", "both"])
def test_the_application_is_checked_or_said_not_to_be(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="audience_unproved=True"):
        UserInfoProvider(URL, **options)


# What is remembered


def test_an_answer_is_believed_for_a_while(clock: FakeClock) -> None:
    provider = made(monotonic=clock)
    grant = verify(provider, ADA)
    assert provider.remembers
    assert provider.recall(digest(TOKEN)) is grant
    clock.pass_seconds(60)
    assert provider.recall(digest(TOKEN)) is None


def test_a_refusal_is_believed_for_a_shorter_while(clock: FakeClock) -> None:
    provider = made(monotonic=clock)
    with refused("inactive_token"):
        verify(provider, said(401))
    with refused("inactive_token"):
        provider.verify(presented(TOKEN))
    clock.pass_seconds(5)
    assert verify(provider, ADA).subject == "ada"


def test_nothing_is_remembered_where_that_is_wanted() -> None:
    provider = made(cache_seconds=0, refused_seconds=0)
    assert not provider.remembers
    token = presented("t0ken")
    token.digest = b""
    for _ in range(2):
        assert played(provider.verify(token), ADA)[0].subject == "ada"


def test_an_endpoint_that_fails_is_left_alone() -> None:
    provider = made()
    for _ in range(3):
        with undecided("fetch_failed"):
            verify(provider, DOWN)
    with undecided("endpoint_resting"):
        Run(provider.verify(presented(TOKEN)))


def test_tokens_whose_hash_nobody_has_made_share_no_answer() -> None:
    provider, shared = made(cache_seconds=0), []
    for text in ("one", "other", "one"):
        token = presented(text)
        token.digest = b""
        _, (fetch,) = played(provider.verify(token), ADA)
        shared.append(fetch.shared_by)
    assert shared[0] == shared[2] != shared[1]


# With a catalogue


def test_with_a_catalogue_scopes_bring_what_they_imply() -> None:
    provider = made(grants=["photos"])
    verify(provider, ADA)
    bound = provider.with_catalogue(ScopeCatalogue({"photos": {"thumbnails": {}}}))
    assert bound.recall(digest(TOKEN)) is None
    assert verify(bound, ADA).scopes == {"photos", "thumbnails"}
    assert bound.recall(digest(TOKEN)) is not None


@pytest.mark.parametrize("option", ["grants", "scopes"])
def test_a_catalogue_must_have_the_scopes_of_the_provider(option: str) -> None:
    with pytest.raises(ValueError, match="there is no scope 'films'"):
        made(**{option: ["films"]}).with_catalogue(ScopeCatalogue({"photos": {}}))


# Presets


def test_github_knows_users_by_their_number() -> None:
    provider = github(APP)
    grant, fetches = played(provider.verify(presented(TOKEN)), OURS, USER)
    assert fetches[-1].url == "https://api.github.com/user"
    assert (grant.provider, grant.subject, grant.client_id) == ("github", "7", "app")
    assert grant.scopes == {"repo"}
    assert grant.owner == {"preferred_username": "ada", "name": "Ada Lovelace"}
    assert grant.owner_domain == "github.com"


def test_the_options_of_github_are_those_of_any_provider() -> None:
    options: dict[str, Any] = {"name": "git", "scopes": ["user"], "domain": "git.example.com", "timeout": 2}
    provider = github(APP, api="https://git.example.com/api/v3", **options)
    grant, fetches = played(provider.verify(presented(TOKEN)), OURS, USER)
    assert [fetch.url for fetch in fetches] == [
        "https://git.example.com/api/v3/applications/app/token",
        "https://git.example.com/api/v3/user",
    ]
    assert (grant.provider, grant.scopes, grant.owner_domain) == ("git", frozenset(), "git.example.com")
    assert [fetch.timeout for fetch in fetches] == [2, 2]


def test_openid_finds_the_endpoint_by_the_metadata_of_the_issuer() -> None:
    provider = openid(ISSUER, audience_unproved=True)
    metadata = said(issuer=ISSUER, userinfo_endpoint=URL)
    grant = verify(provider, metadata, ADA)
    assert (provider.name, grant.issuer, grant.owner_domain) == (ISSUER, ISSUER, ISSUER)
    assert verify(provider, ADA, token="other").subject == "ada"


def test_openid_finds_the_endpoint_that_the_metadata_of_oauth_does_not_name() -> None:
    provider = openid(ISSUER, audience_unproved=True)
    oauth, of_openid = said(issuer=ISSUER), said(issuer=ISSUER, userinfo_endpoint=URL)
    _, fetches = played(provider.verify(presented(TOKEN)), oauth, of_openid, ADA)
    assert fetches[-1].url == URL


def test_openid_does_not_prove_for_whom_a_token_is() -> None:
    with pytest.raises(ValueError, match="audience_unproved=True"):
        openid(ISSUER)


def test_warm_finds_the_endpoint() -> None:
    provider = UserInfoProvider(IssuerMetadata(ISSUER), audience_unproved=True)
    played(provider.warm(), said(issuer=ISSUER, userinfo_endpoint=URL))
    played(made().warm())
    assert verify(provider, ADA).subject == "ada"


# Configuration


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"check": GitHubCheck}, "check is GitHubCheck"),
        ({"check": "github"}, "check is GitHubCheck"),
        ({"fields": ["sub"]}, "fields maps claims"),
        ({"fields": "sub"}, "fields maps claims"),
        ({"grants": "photos"}, "grants is a list"),
        ({"scopes": "photos"}, "scopes is a list"),
        ({"accepts": "gho_"}, "accepts is a selector"),
        ({"issuer": IssuerMetadata("https://id.example.com")}, "issuer is text"),
        ({"leeway": None}, "leeway is a number"),
        ({"timeout": "1"}, "timeout is a number"),
        ({"cache_seconds": "60"}, "cache_seconds is a number"),
        ({"cache_size": None}, "cache_size is a number"),
        ({"breaker": True}, "breaker is Breaker"),
    ],
    ids=str,
)
def test_options_of_the_wrong_kind_say_how_to_mend_them(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        made(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fields": {}}, "maps at least `sub`"),
        ({"fields": {"name": "name"}}, "maps at least `sub`"),
        ({"fields": {"sub": ""}}, "is no claim"),
        ({"fields": {"sub": "data..id"}}, "is no claim"),
        ({"grants": ["two words"]}, "is not one scope"),
        ({"leeway": 301}, "leeway is 0 to 300"),
        ({"timeout": 0}, "timeout is above 0"),
        ({"location": "http://id.example.com/userinfo"}, "over https"),
    ],
    ids=str,
)
def test_options_that_cannot_be_say_how_to_mend_them(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**options)


@pytest.mark.parametrize("client", ["app", BearerToken("t0ken")], ids=["text", "token"])
def test_github_asks_for_the_secret_of_the_application(client: Any) -> None:
    with pytest.raises(TypeError, match="client is ClientSecret"):
        github(client)
