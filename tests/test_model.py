import pytest

from oauth_rs.errors import InsufficientScope
from oauth_rs.model import Grant
from oauth_rs.scopes import AllOf, AnyOf, Requirement

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
