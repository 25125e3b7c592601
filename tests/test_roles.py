from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs import InvalidToken
from oauth_rs.roles import RoleMap

SCOPES = {"manager": {"profile", "address"}, "clerk": ["profile"]}
ROLES = RoleMap("realm_access.roles", SCOPES)


def realm(roles: Any) -> dict[str, Any]:
    return {"realm_access": {"roles": roles}}


def refused(roles: RoleMap, claims: dict[str, Any]) -> str:
    with pytest.raises(InvalidToken) as caught:
        roles.scopes_for(claims)
    return caught.value.reason


# What roles stand for


@pytest.mark.parametrize(
    ("roles", "scopes"),
    [
        (["manager"], {"profile", "address"}),
        (["clerk"], {"profile"}),
        (["manager", "clerk", "manager"], {"profile", "address"}),
        (["clerk", "stranger"], {"profile"}),
        ("clerk", {"profile"}),
    ],
    ids=str,
)
def test_each_role_stands_for_its_scopes(roles: Any, scopes: set[str]) -> None:
    assert ROLES.scopes_for(realm(roles)) == scopes


@pytest.mark.parametrize(
    "role",
    [
        *(
            "Manager",
            "MANAGER",
            "manager ",
            " manager",
            "manager\t",
            "manager\n",
            "manager\0",
            "managers",
            "manage",
            "",
        ),
        *("manager clerk", "clerk manager", "manager,clerk", "['manager']", "m\u0430nager", "manager\u200b", "*"),
        *("\uff4danager", "realm_access.roles", "profile"),
    ],
)
def test_a_role_is_compared_to_the_letter(role: str) -> None:
    assert ROLES.scopes_for(realm([role])) == frozenset()
    assert ROLES.scopes_for(realm(role)) == frozenset()


@pytest.mark.parametrize(
    "claims",
    [{}, {"realm_access": None}, {"realm_access": {}}, realm(None), realm([]), {"roles": ["manager"]}],
    ids=str,
)
def test_without_roles_there_are_no_scopes(claims: dict[str, Any]) -> None:
    assert ROLES.scopes_for(claims) == frozenset()


@pytest.mark.parametrize(
    "claims",
    [
        *(realm(7), realm(True), realm({}), realm({"manager": True}), realm(["manager", 7]), realm(["manager", None])),
        *(realm([["manager"]]), realm([True]), realm([{"name": "manager"}]), realm(0), realm(1.5), realm(False)),
        *({"realm_access": ["manager"]}, {"realm_access": "manager"}, {"realm_access": 7}, {"realm_access": True}),
    ],
    ids=str,
)
def test_roles_of_the_wrong_type_refuse_the_token(claims: dict[str, Any]) -> None:
    assert refused(ROLES, claims) == "malformed_claim"


def test_an_error_shows_nothing_of_the_claims() -> None:
    with pytest.raises(InvalidToken) as caught:
        ROLES.scopes_for(realm(["s3cret", 7]))
    assert caught.value.__context__ is None
    assert "s3cret" not in f"{caught.value!r} {caught.value.description}"


def test_a_claim_whose_name_holds_dots_is_given_as_a_sequence() -> None:
    roles = RoleMap(("https://example.com/roles",), SCOPES)
    assert roles.scopes_for({"https://example.com/roles": ["clerk"]}) == {"profile"}
    assert roles.scopes_for({"https://example": {"com/roles": ["clerk"]}}) == frozenset()


def test_ten_thousand_roles_are_looked_at_once_each() -> None:
    roles = RoleMap("roles", {"manager": {f"scope{number}" for number in range(1000)}})
    assert len(roles.scopes_for({"roles": ["manager"] * 10_000})) == 1000


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_a_claim_holds_it_is_scopes_of_the_map_or_a_refusal(value: Any) -> None:
    with suppress(InvalidToken):
        assert ROLES.scopes_for(realm(value)) <= {"profile", "address"}


# Configuration


@pytest.mark.parametrize("source", ["", ".", "a..b", ".a", (), ("",), (7,)], ids=str)
def test_a_source_leads_to_a_claim(source: Any) -> None:
    with pytest.raises(ValueError, match="is no claim"):
        RoleMap(source, SCOPES)


@pytest.mark.parametrize("scopes", [[("manager", ["a"])], None, "manager"], ids=str)
def test_a_map_is_a_map(scopes: Any) -> None:
    with pytest.raises(TypeError, match="maps each role"):
        RoleMap("roles", scopes)


@pytest.mark.parametrize("role", ["", 7, None])
def test_a_role_is_text(role: Any) -> None:
    with pytest.raises(ValueError, match="a role is text"):
        RoleMap("roles", {role: ["a"]})


@pytest.mark.parametrize("scope", ["a b", "", "a\t", 'a"', "a\\", "é", "a\n"])
def test_what_a_role_stands_for_is_checked(scope: str) -> None:
    with pytest.raises(ValueError, match="is not one scope"):
        RoleMap("roles", {"manager": [scope]})


@pytest.mark.parametrize("scopes", ["profile", None, 7, [1], [None], ["profile", 1], b"profile"], ids=str)
def test_the_scopes_of_a_role_are_a_list(scopes: Any) -> None:
    with pytest.raises(TypeError, match="role 'manager' stands for a list"):
        RoleMap("roles", {"manager": scopes})


@pytest.mark.parametrize("source", [7, None, {"roles"}], ids=str)
def test_a_source_is_a_path(source: Any) -> None:
    with pytest.raises(TypeError, match="the source of a RoleMap leads to a claim"):
        RoleMap(source, SCOPES)


def test_a_map_does_not_change_with_what_it_was_made_of() -> None:
    mine = {"manager": ["profile"]}
    roles = RoleMap("roles", mine)
    mine["manager"].append("admin")
    mine["clerk"] = ["admin"]
    assert roles.scopes_for({"roles": ["manager", "clerk"]}) == {"profile"}
    with pytest.raises(TypeError):
        roles.scopes["clerk"] = ["admin"]  # type: ignore[index]
