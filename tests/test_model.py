import json
import time
from collections.abc import Collection
from typing import Any

import pytest

from oauth_rs.claim_names import ClaimNames
from oauth_rs.errors import InsufficientAuthentication, InsufficientScope, OAuthError, Unavailable
from oauth_rs.flow import Call, Flow
from oauth_rs.model import Grant, shortfall
from oauth_rs.requirements import Acr, Condition, MaxAge
from oauth_rs.scopes import AllOf, AnyOf, Granted, Lack, Requirement
from oauth_rs.smart import smart
from tests.support.playing import PlainRequest, play

GRANT = Grant(
    scheme="Bearer",
    provider="https://id.example.com",
    issuer="https://id.example.com",
    subject="ada@example.com",
    client_id="app",
    scopes=frozenset({"photos", "profile"}),
    expires_at=2_000_000_000,
    claims_json=b'{"sub":"ada@example.com","secret":"s3cret"}',
    confirmation={"jkt": "thumbprint"},
)


@pytest.mark.parametrize(
    ("needed", "allowed"),
    [
        ((), True),
        (("photos",), True),
        (("photos", "profile"), True),
        ((AnyOf("quota", "photos"),), True),
        (("quota",), False),
        (("photos", "quota"), False),
        (("photos", AnyOf("quota", "admin")), False),
        ((AllOf("photos", "quota"),), False),
        (("Photos",), False),
        (("photo",), False),
    ],
)
def test_a_grant_allows_what_its_scopes_cover(needed: tuple[str | Requirement, ...], allowed: bool) -> None:  # noqa: FBT001
    assert GRANT.allows(*needed) is allowed


def test_require_lets_through_what_is_covered() -> None:
    GRANT.require("photos", AnyOf("profile", "quota"))


def test_require_refuses_with_every_scope_of_the_operation() -> None:
    with pytest.raises(InsufficientScope) as raised:
        GRANT.require("photos", AnyOf("quota", "admin"))
    assert raised.value.reason == "insufficient_scope"
    assert raised.value.scope == "photos quota admin"
    assert raised.value.scheme == "Bearer"


@pytest.mark.parametrize("needed", ["two scopes", "", 'quo"te'])
def test_require_refuses_what_is_not_a_scope(needed: str) -> None:
    with pytest.raises(ValueError, match="is not one scope"):
        GRANT.require(needed)


def test_claims_are_read_anew_so_that_no_caller_changes_anothers() -> None:
    GRANT.claims["sub"] = "eve"
    assert GRANT.claims == {"sub": "ada@example.com", "secret": "s3cret"}


def test_a_grant_without_claims_has_none() -> None:
    assert GRANT._replace(claims_json=b"{}").claims == {}


@pytest.mark.parametrize("name", ["ada@example.com", "s3cret", "thumbprint"])
def test_a_grant_does_not_show_who_it_is_about(name: str) -> None:
    assert name not in repr(GRANT)
    assert "photos" in repr(GRANT)


@pytest.mark.parametrize("name", ["scopes", "subject", "expires_at", "confirmation"])
def test_a_grant_does_not_change(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(GRANT, name, None)


def test_grants_are_equal_by_value_and_hashable_unless_bound() -> None:
    unbound = GRANT._replace(confirmation=None)
    assert unbound != GRANT
    assert {unbound: 1}[GRANT._replace(confirmation=None)] == 1


def test_a_grant_is_what_starlette_calls_a_user() -> None:
    assert GRANT.is_authenticated is True
    assert GRANT.identity == GRANT.display_name == "ada@example.com"


# What the claims say beside scopes


def claiming(names: ClaimNames | None = None, **claims: Any) -> Grant:
    return GRANT._replace(claims_json=json.dumps(claims).encode(), names=names or GRANT.names)


def test_roles_properties_and_owner_are_where_the_provider_says() -> None:
    names = ClaimNames(
        roles=["realm.roles"], properties={"plan": "plan.name"}, owner={"mail": "email"}, domain="example"
    )
    grant = claiming(names, realm={"roles": ["manager"]}, plan={"name": "gold"}, email="ada@example.com")
    assert grant.roles == {"manager"}
    assert (grant.properties, grant.owner) == ({"plan": "gold"}, {"mail": "ada@example.com"})
    assert grant.owner_domain == "example"


def test_a_provider_that_says_nothing_has_owners_and_nothing_more() -> None:
    grant = claiming(name="Ada", roles=["admin"], plan="gold")
    assert (grant.roles, grant.properties, grant.owner) == (frozenset(), {}, {"name": "Ada"})
    assert grant.owner_domain == "https://id.example.com"


@pytest.mark.parametrize(
    ("act", "actor"),
    [
        ({"sub": "bot", "act": {"sub": "other"}}, {"sub": "bot", "act": {"sub": "other"}}),
        *((odd, None) for odd in (None, "bot", ["bot"], 7, True, [{"sub": "bot"}])),
    ],
    ids=repr,
)
def test_an_actor_is_an_object_or_nobody(act: Any, actor: Any) -> None:
    assert claiming(act=act).actor == actor
    assert GRANT.actor is None


@pytest.mark.parametrize(
    ("details", "found"),
    [
        ([{"type": "payment", "amount": 7}, {"type": "account"}], ["payment", "account"]),
        ([{"type": "payment"}, {"amount": 7}, {"type": 7}, {"type": None}, "payment", ["payment"], None], ["payment"]),
        *((odd, []) for odd in (None, {}, {"type": "payment"}, "payment", 7, [[{"type": "payment"}]])),
    ],
    ids=repr,
)
def test_authorization_details_are_objects_with_a_type(details: Any, found: list[str]) -> None:
    assert [one["type"] for one in claiming(authorization_details=details).authorization_details] == found
    assert GRANT.authorization_details == ()


# What is lacking, and who says so

REQUEST = PlainRequest("GET", "/t/acme", parameters={"tenant": "acme"})
ASKED = Condition(lambda _grant, _request: True)


@pytest.mark.parametrize(
    ("requirement", "kind", "scope"),
    [
        (AllOf("quota"), InsufficientScope, "quota"),
        (AllOf("photos", AnyOf("quota", "admin")), InsufficientScope, "photos quota admin"),
        (AllOf("photos", "tenant:{tenant}:read"), InsufficientScope, "photos"),
        (AllOf("photos", Acr("mfa")), InsufficientAuthentication, "photos"),
        (AllOf("photos", MaxAge(60)), InsufficientAuthentication, "photos"),
        (AnyOf("admin", AllOf("photos", Acr("mfa"))), InsufficientAuthentication, "admin photos"),
        (Acr("mfa"), InsufficientAuthentication, ""),
    ],
    ids=repr,
)
def test_a_lack_names_the_scheme_and_every_scope_of_the_operation(
    requirement: Requirement, kind: type[OAuthError], scope: str
) -> None:
    lack: Any = play(shortfall(GRANT, requirement, REQUEST))
    assert (type(lack), lack.scheme, lack.scope) == (kind, "Bearer", scope)


def test_a_lack_that_was_waited_for_names_them_too() -> None:
    requirement = AllOf("photos", ASKED)
    call = Call(blocking=ASKED._function, arguments=(GRANT, REQUEST))
    lack: Any = play(shortfall(GRANT, requirement, REQUEST), (call, False))
    assert (lack.reason, lack.scheme, lack.scope) == ("condition_not_met", "Bearer", "photos")
    assert play(shortfall(GRANT, requirement, REQUEST), (call, True)) is None


class Refusing:
    """A requirement of one's own, with a refusal of its own."""

    scopes = ("x",)

    def met_by(self, _held: Collection[str], /) -> bool:
        return False

    def shortfall(self, _grant: Granted, _request: object, /) -> OAuthError:
        return Unavailable("database_down", "Not now.")


def test_a_refusal_of_another_kind_is_left_as_it_is() -> None:
    lack = play(shortfall(GRANT, Refusing(), REQUEST))
    assert isinstance(lack, Unavailable)
    assert lack.scheme == ""
    with pytest.raises(Unavailable):
        GRANT.require(Refusing())


@pytest.mark.parametrize("needed", [Acr("mfa"), AllOf("photos", MaxAge(60))], ids=repr)
def test_a_handler_may_ask_for_what_needs_no_request(needed: Requirement) -> None:
    assert not GRANT.allows(needed)
    assert claiming(acr="mfa", auth_time=int(time.time())).allows(needed)
    with pytest.raises(InsufficientAuthentication):
        GRANT.require(needed)


class Waiting:
    """A requirement of one's own that must be waited for."""

    scopes: tuple[str, ...] = ()

    def met_by(self, _held: Collection[str], /) -> bool:
        return False

    def shortfall(self, _grant: Granted, _request: object, /) -> Flow[Lack]:
        yield from Call(blocking=print)
        return None


@pytest.mark.parametrize(
    "needed", [ASKED, "tenant:{tenant}:read", smart("Patient", "r", patient="id"), Waiting()], ids=repr
)
def test_what_needs_the_request_is_a_mistake_there_and_never_a_pass(needed: Any) -> None:
    grant = claiming(patient="7")._replace(scopes=frozenset({"patient/Patient.r", "tenant:acme:read"}))
    for ask in (grant.allows, grant.require):
        with pytest.raises(TypeError, match="ask for it with @requires or a policy"):
            ask(needed)
