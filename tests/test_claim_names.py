from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.claim_names import OWNER_CLAIMS, STANDARD, ClaimNames, at_path, claim_path, roles_at

CLAIMS = {
    "sub": "ada",
    "name": "Ada L.",
    "email": "ada@example.com",
    "email_verified": True,
    "plan": {
        "name": "gold",
        "seats": 5,
        "rate": 1.5,
        "trial": False,
        "tags": ["a", "b"],
        "nested": {"x": 1},
        "none": None,
    },
    "realm_access": {"roles": ["manager", "user"]},
    "https://example.com/roles": "auditor",
    "resource_access": {"my.api": {"roles": ["x"]}},
}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("roles", ("roles",)),
        ("realm_access.roles", ("realm_access", "roles")),
        (("https://example.com/roles",), ("https://example.com/roles",)),
        (["resource_access", "my.api", "roles"], ("resource_access", "my.api", "roles")),
    ],
)
def test_a_path_is_the_names_that_lead_to_a_claim(path: Any, names: tuple[str, ...]) -> None:
    assert claim_path(path) == names


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", (), [], ("a", ""), ("a", 7), (None,), [["a"]]], ids=repr)
def test_a_path_that_leads_nowhere_is_refused(path: Any) -> None:
    with pytest.raises(ValueError, match=r"is no claim: write 'realm_access\.roles'"):
        claim_path(path)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("sub",), "ada"),
        (("plan", "name"), "gold"),
        (("plan", "none"), None),
        (("plan", "none", "x"), None),
        (("nothing",), None),
        (("nothing", "at", "all"), None),
        (("SUB",), None),
    ],
)
def test_what_stands_at_a_path_is_found(path: tuple[str, ...], found: Any) -> None:
    assert at_path(CLAIMS, path) == found


@pytest.mark.parametrize("path", [("sub", "x"), ("email_verified", "x"), ("plan", "tags", "0"), ("plan", "seats", "x")])
def test_a_path_through_what_is_no_object_is_an_error(path: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="not an object"):
        at_path(CLAIMS, path)


@pytest.mark.parametrize(
    ("claim", "roles"),
    [
        (["manager", "user"], ["manager", "user"]),
        ("manager", ["manager"]),
        ("content manager, user", ["content manager, user"]),
        ("", [""]),
        ([], []),
        (None, []),
    ],
    ids=repr,
)
def test_roles_are_text_or_a_list_of_texts(claim: Any, roles: list[str]) -> None:
    assert roles_at({"roles": claim}, ("roles",)) == roles


@pytest.mark.parametrize(
    "claim", [7, True, 1.5, {"manager": 1}, ["manager", 7], [None], [["manager"]], [True]], ids=repr
)
def test_roles_of_another_kind_are_an_error(claim: Any) -> None:
    with pytest.raises(ValueError, match="the roles are not text"):
        roles_at({"roles": claim}, ("roles",))


def test_roles_are_gathered_from_all_their_claims() -> None:
    names = ClaimNames(roles=["realm_access.roles", ("https://example.com/roles",), "missing.roles"])
    assert names.roles_in(CLAIMS) == {"manager", "user", "auditor"}
    assert STANDARD.roles_in(CLAIMS) == frozenset()


@pytest.mark.parametrize("roles", ["realm_access.roles", "roles"])
def test_one_path_of_roles_is_not_a_list_of_them(roles: Any) -> None:
    with pytest.raises(TypeError, match="roles lists claims"):
        ClaimNames(roles=roles)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"roles": 7}, "roles lists claims"),
        ({"roles": None}, "roles lists claims"),
        ({"roles": [7]}, "a path leads to a claim"),
        ({"domain": 5}, "domain is text"),
        ({"domain": None}, "domain is text"),
        ({"owner": "email"}, "owner maps names"),
        ({"owner": None}, "owner maps names"),
        ({"owner": ["email"]}, "owner maps names"),
        ({"owner": {7: "email"}}, "owner maps names"),
        ({"owner": {"mail": None}}, "owner leads to a claim"),
        ({"owner": {"mail": 0}}, "owner leads to a claim"),
        ({"properties": 5}, "properties leads to a claim"),
        ({"properties": None}, "properties leads to a claim"),
        ({"properties": {"plan"}}, "properties leads to a claim"),
        ({"properties": {"plan": 5}}, "properties leads to a claim"),
        ({"properties": {7: "plan"}}, "properties maps names"),
    ],
    ids=str,
)
def test_options_of_another_kind_are_named_when_names_are_made(options: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        ClaimNames(**options)


@pytest.mark.parametrize("path", [7, None, True, {"a": 1}, {"a"}], ids=repr)
def test_what_is_no_path_is_of_another_kind(path: Any) -> None:
    with pytest.raises(TypeError, match="the option leads to a claim"):
        claim_path(path, "the option")


@pytest.mark.parametrize(
    "options", [{"roles": [""]}, {"properties": "a."}, {"properties": {"x": "a."}}, {"owner": {"x": "."}}]
)
def test_every_path_is_looked_at_when_names_are_made(options: Any) -> None:
    with pytest.raises(ValueError, match="is no claim"):
        ClaimNames(**options)


def test_properties_are_all_that_one_claim_holds_as_text() -> None:
    found = ClaimNames(properties="plan").properties_in(CLAIMS)
    assert found == {"name": "gold", "seats": "5", "rate": "1.5", "trial": "false", "tags": "a b"}


def test_or_those_that_are_named() -> None:
    names = ClaimNames(
        properties={"plan": "plan.name", "verified": "email_verified", "sub": "", "gone": "x.y", "odd": "sub.x"}
    )
    assert names.properties_in(CLAIMS) == {"plan": "gold", "verified": "true", "sub": "ada"}


@pytest.mark.parametrize("claim", ["gold", 5, ["a"], None, True], ids=repr)
def test_a_claim_that_holds_no_properties_has_none(claim: Any) -> None:
    assert ClaimNames(properties="plan").properties_in({"plan": claim}) == {}


def test_there_are_no_properties_unless_they_are_named() -> None:
    assert STANDARD.properties_in(CLAIMS) == {}
    assert ClaimNames(properties="missing").properties_in(CLAIMS) == {}
    assert ClaimNames(properties="name.inside").properties_in(CLAIMS) == {}


def test_the_owner_has_the_textual_claims_of_openid_unless_others_are_named() -> None:
    assert STANDARD.owner_in(CLAIMS) == {"name": "Ada L.", "email": "ada@example.com"}
    assert ClaimNames(owner={"mail": "email", "tier": ("plan", "name")}).owner_in(CLAIMS) == {
        "mail": "ada@example.com",
        "tier": "gold",
    }
    assert set(STANDARD.owner) == set(OWNER_CLAIMS)


@pytest.mark.parametrize("value", [{"a": 1}, ["a", 1], [{}], None], ids=repr)
def test_what_has_no_text_is_left_out(value: Any) -> None:
    assert STANDARD.owner_in({"name": value}) == {}


def test_names_do_not_change_and_do_not_keep_what_they_were_given() -> None:
    given = {"mail": "email"}
    names = ClaimNames(owner=given)
    given["sub"] = "sub"
    assert set(names.owner) == {"mail"}
    with pytest.raises(AttributeError):
        names.domain = "x"  # type: ignore[misc]


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abc"), JSON))
def test_whatever_the_claims_are_only_text_comes_out(claims: dict[str, Any]) -> None:
    names = ClaimNames(properties={"x": "a", "y": "a.b"}, owner={"z": "b.c", "w": "c"})
    for found in (names.properties_in(claims), names.owner_in(claims)):
        assert all(isinstance(value, str) for value in found.values())
