import json
from collections.abc import Sequence
from typing import Any

import pytest

from oauth_rs.errors import (
    InsufficientAuthentication,
    InsufficientScope,
    InvalidClient,
    InvalidRequest,
    InvalidToken,
    MissingCredentials,
    OAuthError,
    RequestTooLarge,
    Unavailable,
)
from oauth_rs.refusal import Refusal, render
from oauth_rs.schemes.bearer import Bearer
from tests.support.issuing import Issuer


class Ticket:
    """Writes down what its challenge is made of."""

    name = "Ticket"

    def challenge(
        self, *, scope: str = "", error: str = "", description: str = "", more: Sequence[tuple[str, str]] = ()
    ) -> str:
        told = [scope, error, description, *(f"{name}={value}" for name, value in more if value)]
        return "Ticket " + "|".join(told)


SCHEMES: Any = (Bearer(Issuer().provider(), realm="api"), Ticket())


def of(error: OAuthError, scheme: str = "") -> Refusal:
    error.scheme = scheme or error.scheme
    return render(error, SCHEMES)


def challenges(refusal: Refusal) -> list[str]:
    return [value for name, value in refusal.headers if name == "WWW-Authenticate"]


def members(refusal: Refusal) -> dict[str, str]:
    found: dict[str, str] = json.loads(refusal.body)
    return found


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidRequest("r", "D."), 400, "invalid_request"),
        (RequestTooLarge("r", "D."), 413, "invalid_request"),
        (InvalidToken("r", "D."), 401, "invalid_token"),
        (InvalidClient("r", "D."), 401, "invalid_client"),
        (InsufficientAuthentication("r", "D."), 401, "insufficient_user_authentication"),
        (InsufficientScope("r", "D.", scope="a"), 403, "insufficient_scope"),
        (Unavailable("r", "D."), 503, "temporarily_unavailable"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_refusal_is_json_that_nobody_keeps(error: OAuthError, status: int, code: str) -> None:
    refusal = of(error)
    headers = dict(refusal.headers)
    assert (refusal.status, members(refusal)) == (status, {"error": code, "error_description": "D."})
    assert (headers["Content-Type"], headers["Cache-Control"]) == ("application/json", "no-store")
    assert headers["Content-Length"] == str(len(refusal.body))


def test_without_credentials_no_code_is_named_and_every_scheme_asks() -> None:
    refusal = of(MissingCredentials("no_credentials", "D.", scope="a b"))
    assert (refusal.status, members(refusal)) == (401, {"error_description": "D."})
    assert challenges(refusal) == ['Bearer realm="api", scope="a b"', "Ticket a b||"]


def test_an_error_stands_in_the_challenge_of_the_scheme_that_was_used() -> None:
    refusal = of(InvalidToken("expired", "D."), "Ticket")
    assert challenges(refusal) == ['Bearer realm="api"', "Ticket |invalid_token|D."]


def test_a_scope_is_asked_for_by_the_scheme_that_was_used_alone() -> None:
    refusal = of(InsufficientScope("insufficient_scope", "D.", scope="a b"), "Bearer")
    assert challenges(refusal) == [
        'Bearer realm="api", scope="a b", error="insufficient_scope", error_description="D."'
    ]


@pytest.mark.parametrize("error", [InvalidRequest("r", "D."), InvalidClient("r", "D.")], ids=repr)
def test_an_error_of_no_scheme_stands_in_all_challenges(error: OAuthError) -> None:
    assert all(error.error in challenge for challenge in challenges(of(error)))
    assert len(challenges(of(error))) == 2


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"acr_values": ("a", "b")}, 'acr_values="a b"'),
        ({"max_age": 300}, 'max_age="300"'),
        ({"max_age": 0}, 'max_age="0"'),
        ({"acr_values": ("a",), "max_age": 5}, 'acr_values="a", max_age="5"'),
    ],
    ids=str,
)
def test_a_better_authentication_is_asked_for_by_name_and_age(options: dict[str, Any], shown: str) -> None:
    error = InsufficientAuthentication("r", "D.", **options)
    error.scope = "transfer"
    bearer, ticket = challenges(of(error, "Bearer"))
    assert bearer == (
        'Bearer realm="api", scope="transfer", error="insufficient_user_authentication", '
        f'error_description="D.", {shown}'
    )
    assert ticket == "Ticket ||"


@pytest.mark.parametrize("seconds", [1, 30])
def test_who_cannot_be_answered_now_is_told_when_and_is_not_challenged(seconds: int) -> None:
    refusal = of(Unavailable("fetch_failed", "D.", retry_after=seconds))
    assert dict(refusal.headers)["Retry-After"] == str(seconds)
    assert challenges(refusal) == []


@pytest.mark.parametrize("error", [InvalidToken("expired", "D."), MissingCredentials("no_credentials", "D.")], ids=repr)
def test_reason_and_credential_are_for_logs_alone(error: OAuthError) -> None:
    error.credential = "5f2c9a"
    refusal = of(error, "Bearer")
    for secret in (error.reason, error.credential):
        assert secret not in refusal.body.decode() + str(refusal.headers)
