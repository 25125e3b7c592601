import json
from typing import Any

import pytest

from oauth_rs.errors import InsufficientAuthentication, InsufficientScope, MissingCredentials, OAuthError, Unavailable
from oauth_rs.flow import Call
from oauth_rs.model import Grant
from oauth_rs.permission import authorize, no_credentials, permit, permit_operation
from oauth_rs.policy import Operation, PassThrough, Public
from oauth_rs.requirements import Acr, Condition
from oauth_rs.scopes import AllOf, AnyOf, Requirement
from tests.support.playing import PlainRequest, play

REQUEST = PlainRequest("GET", "/t/acme", parameters={"tenant": "acme"})


def grant(*scopes: str, **claims: Any) -> Grant:
    return Grant("Bearer", "p", "i", "ada", "app", frozenset(scopes), 0, json.dumps(claims).encode())


GRANT = grant("photos", "tenant:acme:read", acr="mfa")


def owns(_grant: Any, _request: Any) -> bool:
    return True


OWNS = AllOf("photos", Condition(owns))
CALL = Call(blocking=owns, arguments=(GRANT, REQUEST))


@pytest.mark.parametrize(
    "requirement", [AllOf(), AllOf("photos"), AnyOf("x", "photos"), Acr("mfa"), AllOf("photos", Acr("mfa"))], ids=repr
)
def test_a_grant_that_meets_a_requirement_is_given_back(requirement: Requirement) -> None:
    assert authorize(GRANT, requirement) is GRANT
    assert play(permit(GRANT, requirement, REQUEST)) is GRANT
    assert play(permit_operation(GRANT, Operation(requirement), REQUEST)) is GRANT


@pytest.mark.parametrize(
    ("requirement", "kind", "reason"),
    [
        (AllOf("photos", "quota"), InsufficientScope, "insufficient_scope"),
        (AllOf("Photos"), InsufficientScope, "insufficient_scope"),
        (AllOf("photos", Acr("hardware")), InsufficientAuthentication, "acr_too_low"),
    ],
    ids=repr,
)
def test_a_grant_that_does_not_is_refused(requirement: Requirement, kind: type[OAuthError], reason: str) -> None:
    with pytest.raises(kind, match=reason) as caught:
        authorize(GRANT, requirement)
    assert caught.value.scheme == "Bearer"
    with pytest.raises(kind, match=reason):
        play(permit(GRANT, requirement, REQUEST))
    with pytest.raises(kind, match=reason):
        play(permit_operation(GRANT, Operation(requirement), REQUEST))


@pytest.mark.parametrize(
    ("requirement", "scope"),
    [(AllOf(), ""), (AllOf("photos", AnyOf("a", "b")), "photos a b"), (Acr("mfa"), ""), (AllOf("{x}", "b"), "b")],
    ids=repr,
)
def test_without_a_grant_credentials_are_asked_for(requirement: Requirement, scope: str) -> None:
    with pytest.raises(MissingCredentials, match="no_credentials") as caught:
        authorize(None, requirement)
    assert caught.value.scope == scope
    with pytest.raises(MissingCredentials, match="no_credentials") as caught:
        permit(None, requirement, REQUEST)
    assert caught.value.scope == scope
    assert no_credentials().scope == ""


def test_what_needs_the_request_is_decided_with_it() -> None:
    assert play(permit(GRANT, AllOf("tenant:{tenant}:read"), REQUEST)) is GRANT
    with pytest.raises(InsufficientScope):
        permit(GRANT, AllOf("tenant:{tenant}:write"), REQUEST)
    for requirement in (AllOf("tenant:{tenant}:read"), OWNS):
        with pytest.raises(TypeError, match="ask for it with @requires or a policy"):
            authorize(GRANT, requirement)


def test_a_condition_is_waited_for() -> None:
    assert play(permit(GRANT, OWNS, REQUEST), (CALL, True)) is GRANT
    assert play(permit_operation(GRANT, Operation(OWNS), REQUEST), (CALL, True)) is GRANT


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (False, InsufficientScope),
        (Unavailable("database_down", "Not now."), Unavailable),
        (None, TypeError),
        (1, TypeError),
    ],
)
def test_a_condition_that_is_not_met_or_cannot_tell_is_no_pass(answer: Any, error: type[Exception]) -> None:
    for verdict in (permit(GRANT, OWNS, REQUEST), permit_operation(GRANT, Operation(OWNS), REQUEST)):
        with pytest.raises(error):
            play(verdict, (CALL, answer))


def test_a_condition_is_not_asked_where_scopes_are_lacking() -> None:
    with pytest.raises(InsufficientScope, match="insufficient_scope"):
        permit(GRANT, AllOf("quota", Condition(owns)), REQUEST)


@pytest.mark.parametrize("operation", [None, Operation(Public()), Operation(PassThrough())], ids=repr)
def test_an_operation_without_a_requirement_is_granted_to_nobody(operation: Operation | None) -> None:
    with pytest.raises(InsufficientScope, match="operation_not_mapped") as caught:
        permit_operation(GRANT, operation, REQUEST)
    assert (caught.value.scope, caught.value.scheme) == ("", "Bearer")
