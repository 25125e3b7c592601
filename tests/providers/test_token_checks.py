import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from oauth_rs.client_auth import BearerToken, ClientSecret
from oauth_rs.errors import Unavailable
from oauth_rs.flow import Fetch, Pace, Reply
from oauth_rs.providers.token_checks import GitHubCheck, TokenCheck, TokenInfoCheck
from tests.providers.asking import DOWN, form, played, said, undecided
from tests.providers.presenting import digest, refused
from tests.support.playing import FakeClock

URL = "https://id.example.com/tokeninfo"
APP = {"client_id": "app", "name": "Photos"}
GITHUB = GitHubCheck(ClientSecret("app", "s3cret"))
INFO = TokenInfoCheck(URL, client_id="app")


def ask(check: TokenCheck, answer: Any) -> tuple[Mapping[str, Any], Fetch]:
    claims, (fetch,) = played(check.check("t0ken", digest("t0ken")), answer)
    return claims, fetch


def claims_of(check: TokenCheck, answer: Any) -> Mapping[str, Any]:
    return ask(check, answer)[0]


# GitHub


def test_github_is_asked_with_our_credentials_and_the_token_in_the_body() -> None:
    _, fetch = ask(GITHUB, said(app=APP))
    assert (fetch.method, fetch.url) == ("POST", "https://api.github.com/applications/app/token")
    assert json.loads(fetch.body) == {"access_token": "t0ken"}
    assert set(fetch.headers) >= {
        *ClientSecret("app", "s3cret").prove("").headers,
        ("Content-Type", "application/json"),
    }


def test_an_id_cannot_lead_elsewhere() -> None:
    _, fetch = ask(
        GitHubCheck(ClientSecret("../a?b", "s"), api="https://git.example.com/api"), said(app={"client_id": "../a?b"})
    )
    assert fetch.url == "https://git.example.com/api/applications/..%2Fa%3Fb/token"


@pytest.mark.parametrize(
    ("answer", "claims"),
    [
        ({"scopes": ["repo", "user"]}, {"scope": ["repo", "user"]}),
        ({"scopes": None}, {"scope": []}),
        ({}, {"scope": []}),
        ({"scopes": [], "expires_at": None}, {"scope": []}),
        ({"scopes": [], "expires_at": "2030-01-01T00:00:00Z"}, {"scope": [], "exp": 1_893_456_000}),
        ({"scopes": [], "expires_at": "2030-01-01T00:00:00+01:00"}, {"scope": [], "exp": 1_893_452_400}),
    ],
    ids=str,
)
def test_a_token_of_our_application_has_its_scopes_and_its_end(answer: dict[str, Any], claims: dict[str, Any]) -> None:
    assert claims_of(GITHUB, said(app=APP, **answer)) == {"client_id": "app", **claims}


@pytest.mark.parametrize(
    "answer",
    [
        said(404, app=APP),
        said(422, app=APP),
        said(app={**APP, "client_id": "other"}),
        said(app={**APP, "client_id": None}),
        said(app={"name": "app"}),
        said(app="app"),
        said(app=["client_id", "app"]),
        said(client_id="app"),
        said(),
    ],
    ids=["404", "422", "other", "null", "no id", "text", "list", "elsewhere", "nothing"],
)
def test_a_token_of_another_application_is_not_ours(answer: Reply) -> None:
    with refused("not_our_client"):
        claims_of(GITHUB, answer)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (DOWN, "fetch_failed"),
        (said(401), "endpoint_refused"),
        (said(403), "endpoint_unusable"),
        (said(500), "endpoint_failed"),
        (Reply(200, b"<html>"), "endpoint_unusable"),
        (Reply(200, b"[]"), "endpoint_unusable"),
    ],
    ids=["down", "401", "403", "500", "html", "list"],
)
def test_github_that_does_not_answer_leaves_it_undecided(answer: Any, reason: str) -> None:
    with undecided(reason):
        claims_of(GitHubCheck(ClientSecret("app", "s3cret")), answer)


def test_github_says_with_403_too_how_long_it_wants_to_be_left_alone() -> None:
    check = GitHubCheck(ClientSecret("app", "s3cret"))
    for reason in ("endpoint_failed", "endpoint_resting"):
        with pytest.raises(Unavailable, match=reason):
            claims_of(check, replace(said(403), pace=Pace(retry_after="60", remaining="4900")))


def test_github_that_is_asked_too_often_is_left_alone_for_as_long_as_it_says(caplog: pytest.LogCaptureFixture) -> None:
    check = GitHubCheck(ClientSecret("app", "s3cret"))
    limited = replace(said(403), pace=Pace(retry_after="600", remaining="0"))
    for reason in ("endpoint_failed", "endpoint_resting"):
        with pytest.raises(Unavailable, match=reason) as caught:
            claims_of(check, limited)
        assert caught.value.retry_after == 300
    assert "configuration:" not in caplog.text


@pytest.mark.parametrize(
    "date", ["tomorrow", "", 1_893_456_000, True, ["2030"], "2030-01-01T00:00:00", "2030-13-01T00:00:00Z"], ids=str
)
def test_an_end_that_is_no_moment_leaves_it_undecided(date: Any) -> None:
    with undecided("endpoint_unusable"):
        claims_of(GITHUB, said(app=APP, expires_at=date))


@pytest.mark.parametrize("client", ["app", BearerToken("t0ken"), None], ids=["text", "token", "none"])
def test_an_application_at_github_has_a_secret(client: Any) -> None:
    with pytest.raises(TypeError, match="client is ClientSecret"):
        GitHubCheck(client)


# Token info


def test_an_endpoint_is_told_the_token_in_a_form() -> None:
    _, fetch = ask(INFO, said(aud="app"))
    assert (fetch.method, fetch.url, form(fetch)) == ("POST", URL, {"access_token": "t0ken"})
    assert fetch.timeout == 5


@pytest.mark.parametrize(
    ("answer", "claims"),
    [
        ({}, {"scope": ""}),
        ({"scope": "email profile"}, {"scope": "email profile"}),
        ({"exp": 1_893_456_000}, {"scope": "", "exp": 1_893_456_000}),
        ({"exp": "1893456000"}, {"scope": "", "exp": 1_893_456_000}),
        ({"exp": "9" * 5000}, {"scope": "", "exp": "9" * 5000}),
        ({"exp": "²"}, {"scope": "", "exp": "²"}),
        ({"exp": "-1"}, {"scope": "", "exp": "-1"}),
        ({"exp": "1\n"}, {"scope": "", "exp": "1\n"}),
        ({"exp": True}, {"scope": "", "exp": True}),
        ({"exp": None}, {"scope": "", "exp": None}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_token_for_us_has_what_is_known_of_it(answer: dict[str, Any], claims: dict[str, Any]) -> None:
    assert claims_of(INFO, said(aud="app", **answer)) == {"client_id": "app", **claims}


def test_the_client_may_stand_in_another_member() -> None:
    check = TokenInfoCheck(URL, client_id="app", member="azp", timeout=2)
    claims, fetch = ask(check, said(aud="x", azp="app"))
    assert (claims["client_id"], fetch.timeout) == ("app", 2)


@pytest.mark.parametrize("aud", ["other", "APP", "app ", "", None, ["app"], {"app": 1}, 7, True], ids=str)
def test_a_token_for_somebody_else_is_not_ours(aud: Any) -> None:
    with refused("not_our_client"):
        claims_of(INFO, said(aud=aud))


def test_a_token_for_nobody_is_not_ours() -> None:
    with refused("not_our_client"):
        claims_of(INFO, said(azp="app"))


@pytest.mark.parametrize("status", [400, 401, 422])
def test_a_token_that_is_not_known_is_not_active(status: int) -> None:
    with refused("inactive_token"):
        claims_of(INFO, said(status, aud="app"))


@pytest.mark.parametrize(
    "said_too",
    [
        {"active": False},
        {"active": "true"},
        {"active": None},
        {"error": "invalid_token"},
        {"error": ""},
        {"cnf": {"jkt": "abc"}},
        {"cnf": {}},
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": "0"},
        {"expires_in": "soon"},
        {"expires_in": None},
    ],
    ids=str,
)
def test_a_token_that_is_ours_and_no_good_is_not_active(said_too: dict[str, Any]) -> None:
    with refused("inactive_token"):
        claims_of(INFO, said(aud="app", **said_too))


@pytest.mark.parametrize("said_too", [{"active": True}, {"cnf": None}])
def test_what_says_that_a_token_is_good_does_no_harm(said_too: dict[str, Any]) -> None:
    assert claims_of(INFO, said(aud="app", **said_too)) == {"client_id": "app", "scope": ""}


@pytest.mark.parametrize(
    ("said_too", "exp"),
    [
        ({"expires_in": 3599}, 1_000_003_599),
        ({"expires_in": "3599"}, 1_000_003_599),
        ({"expires_in": 0.5}, 1_000_000_000),
        ({"expires_in": 1e300}, 2_000_000_000),
        ({"expires_in": 10**400}, 2_000_000_000),
        ({"expires_in": 3599, "exp": 7}, 7),  # the same said in another way, by a clock that is not ours
    ],
    ids=str,
)
def test_a_token_ends_when_its_seconds_are_over(said_too: dict[str, Any], exp: int) -> None:
    check = TokenInfoCheck(URL, client_id="app", clock=FakeClock(1_000_000_000.0))
    assert claims_of(check, said(aud="app", **said_too))["exp"] == exp


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (DOWN, "fetch_failed"),
        (said(500), "endpoint_failed"),
        (said(403, aud="app"), "endpoint_unusable"),
        (said(404, aud="app"), "endpoint_unusable"),
        (Reply(200, b"<html>"), "endpoint_unusable"),
    ],
    ids=["down", "500", "403", "404", "html"],
)
def test_an_endpoint_that_does_not_answer_leaves_it_undecided(answer: Any, reason: str) -> None:
    with undecided(reason):
        claims_of(TokenInfoCheck(URL, client_id="app"), answer)


@pytest.mark.parametrize("options", [{"client_id": ""}, {"client_id": None}, {"member": ""}, {"member": 7}], ids=str)
def test_a_check_knows_for_whom_it_looks_and_where(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="client_id of this application"):
        TokenInfoCheck(URL, **{"client_id": "app", **options})


@pytest.mark.parametrize(
    "make", [lambda url: GitHubCheck(GITHUB.client, api=url), lambda url: TokenInfoCheck(url, client_id="app")]
)
def test_no_check_shows_a_token_to_an_insecure_place(make: Any) -> None:
    with pytest.raises(ValueError, match="over https"):
        make("http://id.example.com")


def test_no_secret_is_shown() -> None:
    assert "s3cret" not in repr(GITHUB)
