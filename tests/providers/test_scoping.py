from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.claim_names import STANDARD
from oauth_rs.jose import claims as claim
from oauth_rs.providers.scoping import Scoping, names_of, role_maps, scoping_of, terms_of
from oauth_rs.roles import RoleMap
from oauth_rs.scope_declarations import Scope
from tests.providers.presenting import refused
from tests.support.costing import cost

URL = "https://api.example.com/scopes/"
CATALOGUE = ScopeCatalogue(
    {
        "withdraw": Scope(
            "Take money out", url=f"{URL}withdraw", id=17, children={"deposit": Scope(id=18), "balance": {}}
        ),
        "internal": Scope("Ours alone", url=f"{URL}internal", id=99, children={"audit": Scope(id=100)}),
        "staff": ["internal", "balance"],
    }
)
ROLES = RoleMap("roles", {"manager": {"withdraw"}, "root": {"internal"}, "boss": {"staff"}})


def scoping(allowed: Any = None, *roles: RoleMap, catalogue: ScopeCatalogue | None = CATALOGUE) -> Scoping:
    made = scoping_of(allowed, roles)
    return made if catalogue is None else made.with_catalogue(catalogue, "partner")


def granted(made: Scoping, scope: Any = "", **claims: Any) -> set[str]:
    return set(made.of({"scope": scope, **claims}))


# Where nothing was asked for


def test_scopes_are_granted_as_they_are_claimed() -> None:
    made = scoping_of(None, ())
    assert made.of is claim.scopes
    assert granted(made, "a b") == {"a", "b"}


# Allowed scopes without a catalogue


@pytest.mark.parametrize(
    "scope",
    [
        *(
            "internal",
            "photosx",
            "xphotos",
            "photo",
            "Photos",
            "PHOTOS",
            "photos.all",
            "photos\t",
            "photos\n",
            "\tphotos",
        ),
        *(
            "photos\u200b",
            "ph\u043etos",
            "\uff50hotos",
            "photos,internal",
            "photos\u00a0internal",
            "photos\x0binternal",
        ),
        *(["internal"], ["photos internal"], "", " ", "  ", [], [""], None),
    ],
    ids=ascii,
)
def test_nothing_but_the_allowed_scopes_is_granted(scope: Any) -> None:
    assert granted(scoping({"photos"}, catalogue=None), scope) == set()


@pytest.mark.parametrize("scope", ["photos", "photos internal", " photos  ", ["photos"], ["", "photos", "x"]], ids=str)
def test_allowed_scopes_are_granted(scope: Any) -> None:
    assert granted(scoping({"photos"}, catalogue=None), scope) == {"photos"}


@pytest.mark.parametrize("scope", [7, True, {}, ["photos", 7], ["photos", None], [["photos"]], [True], [17]], ids=str)
def test_scopes_of_the_wrong_type_refuse_the_token(scope: Any) -> None:
    with refused("malformed_claim"):
        scoping({"photos"}, catalogue=None).of({"scope": scope})


def test_who_may_grant_nothing_grants_nothing() -> None:
    assert granted(scoping([], ROLES, catalogue=None), "photos", roles=["manager", "root"]) == set()


# Roles


def test_roles_add_their_scopes_to_those_that_are_claimed() -> None:
    assert granted(scoping(None, ROLES, catalogue=None), "photos", roles=["manager"]) == {"photos", "withdraw"}


def test_several_maps_add_up() -> None:
    more = RoleMap("realm.roles", {"manager": {"films"}})
    made = scoping(None, ROLES, more, catalogue=None)
    assert granted(made, roles="manager", realm={"roles": ["manager"]}) == {"withdraw", "films"}


def test_roles_grant_no_more_than_is_allowed() -> None:
    assert granted(scoping({"withdraw"}, ROLES, catalogue=None), roles=["manager", "root"]) == {"withdraw"}


def test_roles_of_the_wrong_type_refuse_the_token() -> None:
    with refused("malformed_claim"):
        scoping(None, ROLES).of({"scope": "photos", "roles": 7})


# With a catalogue


@pytest.mark.parametrize(
    "scope",
    ["withdraw", f"{URL}withdraw", "17", ["withdraw"], ["17"], [17], [f"{URL}withdraw", 17, "withdraw"]],
    ids=str,
)
def test_every_spelling_is_one_scope_and_brings_what_it_implies(scope: Any) -> None:
    assert granted(scoping(), scope) == {"withdraw", "deposit", "balance"}
    assert granted(scoping(), None, scp=scope) == {"withdraw", "deposit", "balance"}


def test_what_roles_grant_brings_what_it_implies() -> None:
    assert granted(scoping(None, ROLES), "openid", roles=["boss"]) == {
        "openid",
        "staff",
        "internal",
        "audit",
        "balance",
    }


def test_scopes_that_no_catalogue_has_are_kept() -> None:
    assert granted(scoping(), "openid patient/Observation.rs deposit") == {
        "openid",
        "patient/Observation.rs",
        "deposit",
    }


@pytest.mark.parametrize(
    "number", [True, False, 0, 1, -17, 170, 16, 17.0, 1.5, 10**40, None, [17], {"id": 17}], ids=str
)
def test_what_is_no_id_of_the_catalogue_refuses_the_token(number: Any) -> None:
    with refused("malformed_claim"):
        scoping().of({"scope": ["withdraw", number]})


def test_a_number_means_nothing_without_a_catalogue_that_has_ids() -> None:
    with refused("malformed_claim"):
        scoping(catalogue=None).of({"scope": [17]})
    with refused("malformed_claim"):
        scoping(catalogue=ScopeCatalogue({"withdraw": {}})).of({"scope": [17]})


@pytest.mark.parametrize("scope", [17, True, {"withdraw": 1}], ids=str)
def test_a_number_alone_is_no_list_of_scopes(scope: Any) -> None:
    with refused("malformed_claim"):
        scoping().of({"scope": scope})


# Allowed scopes with a catalogue


def test_who_may_grant_a_parent_may_grant_its_children_alone() -> None:
    made = scoping({"withdraw"})
    assert granted(made, "deposit") == {"deposit"}
    assert granted(made, "withdraw") == {"withdraw", "deposit", "balance"}


def test_who_may_grant_a_child_may_not_grant_its_parent() -> None:
    assert granted(scoping({"deposit"}), "withdraw") == set()
    assert granted(scoping({"deposit"}), "withdraw deposit") == {"deposit"}


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": "internal"},
        {"scope": "audit internal staff"},
        {"scope": ["internal"]},
        {"scope": f"{URL}internal"},
        {"scope": [f"{URL}internal", "99", 99, 100]},
        {"scope": "99"},
        {"scope": [99]},
        {"scope": "staff"},
        {"scp": "internal"},
        {"scp": [99]},
        {"roles": ["root"]},
        {"roles": "root"},
        {"roles": ["boss"]},
        {"scope": "withdraw internal", "roles": ["root", "boss", "manager"]},
        {"scope": ["withdraw internal", " internal", "internal "]},
    ],
    ids=str,
)
def test_no_way_leads_to_a_scope_that_a_partner_may_not_grant(claims: dict[str, Any]) -> None:
    assert scoping({"withdraw"}, ROLES).of(claims) <= {"withdraw", "deposit", "balance"}


SPELLINGS = st.sampled_from(
    [*CATALOGUE.names, f"{URL}withdraw", f"{URL}internal", "17", "18", "99", "100", 17, 18, 99, 100, "openid", "", "x"]
)


@given(
    allowed=st.sets(st.sampled_from(CATALOGUE.names)),
    scope=st.lists(SPELLINGS),
    roles=st.lists(st.sampled_from(["manager", "root", "boss", "Root", ""])),
)
def test_all_that_is_granted_is_allowed_and_closed(allowed: set[str], scope: list[Any], roles: list[str]) -> None:
    found = scoping(allowed, ROLES).of({"scope": scope, "roles": roles})
    assert found <= CATALOGUE.expand(frozenset(allowed))
    assert CATALOGUE.expand(found) == found


# SMART scopes within those that are allowed


@pytest.mark.parametrize("catalogue", [None, CATALOGUE], ids=["alone", "catalogue"])
@pytest.mark.parametrize(
    ("allowed", "scope"),
    [
        ("user/Observation.rs", "user/Observation.r"),
        ("user/Observation.rs", "user/Observation.read"),
        ("user/Observation.rs", "user/Observation.rs?category=lab"),
        ("user/Observation.read", "user/Observation.rs"),
        ("user/*.rs", "user/Observation.rs"),
        ("user/*.rs?category=lab", "user/Observation.s?category=lab&code=1"),
    ],
)
def test_a_smart_scope_within_one_that_is_allowed_is_granted(allowed: str, scope: str, catalogue: Any) -> None:
    assert granted(scoping([allowed, "photos" if catalogue is None else "audit"], catalogue=catalogue), scope) == {
        scope
    }


@pytest.mark.parametrize("catalogue", [None, CATALOGUE], ids=["alone", "catalogue"])
@pytest.mark.parametrize(
    "scope",
    [
        *("user/Observation.write", "user/Observation.cruds", "user/Observation.*", "user/Observation.c", "user/*.rs"),
        *("patient/Observation.rs", "system/Observation.r", "user/Patient.rs", "user/Observation.sr", "photos", "a b"),
        *("user/Observation.rs?_count=1", "user/Observation.rs?", "user/Observation.rs ", "user/Observation.rS"),
        "user/Observation.rs?x=" + "y" * 2_048,
    ],
    ids=lambda one: one[:40],
)
def test_no_smart_scope_goes_beyond_what_is_allowed(scope: str, catalogue: Any) -> None:
    assert granted(scoping(["user/Observation.rs"], catalogue=catalogue), [scope]) == set()


def test_what_a_smart_scope_implies_is_granted_within_what_is_allowed_alone() -> None:
    catalogue = ScopeCatalogue({"user/Observation.r": ["internal", "audit"], "internal": {}, "audit": {}})
    made = scoping(["user/Observation.rs", "audit"], catalogue=catalogue)
    assert granted(made, "user/Observation.r") == {"user/Observation.r", "audit"}
    roles = RoleMap("roles", {"doctor": ["user/Observation.r"]})
    assert granted(scoping(["user/*.rs"], roles, catalogue=catalogue), roles="doctor") == {"user/Observation.r"}


# Families within those that are allowed


TENANTS = ScopeCatalogue({"internal": {}}, families=["tenant:{tenant}:read", "t:{t}:x"])


def test_a_provider_may_grant_a_family_of_scopes() -> None:
    made = scoping(["tenant:{tenant}:read"], catalogue=TENANTS)
    claimed = "tenant:b:read tenant:acme:read tenant:a:write tenant:a:b:read t:a:x internal user/Observation.rs"
    assert granted(made, claimed) == {"tenant:b:read", "tenant:acme:read"}


def test_a_provider_may_grant_one_scope_of_a_family() -> None:
    roles = RoleMap("roles", {"clerk": ["tenant:b:read", "tenant:c:read"]})
    made = scoping(["tenant:b:read"], roles, catalogue=TENANTS)
    assert granted(made, "tenant:a:read", roles="clerk") == {"tenant:b:read"}


def test_only_the_bound_of_a_provider_names_a_family_whole() -> None:
    with pytest.raises(ValueError, match=r"there is no scope 't:\{x\}:x'"):
        scoping(["t:{x}:x"], catalogue=TENANTS)
    with pytest.raises(ValueError, match="role 'clerk' of provider 'partner'"):
        scoping(None, RoleMap("roles", {"clerk": ["t:{t}:x"]}), catalogue=TENANTS)


def test_scopes_are_bound_to_the_catalogue_last_given() -> None:
    other = ScopeCatalogue({"withdraw": {}, "internal": {}, "staff": {}})
    made = scoping({"withdraw"}, ROLES).with_catalogue(other, "partner")
    assert granted(made, "withdraw deposit") == {"withdraw"}


@pytest.mark.parametrize(
    ("allowed", "roles", "message"),
    [
        (["witdraw"], (), "the scopes of provider 'partner': there is no scope 'witdraw'.*'withdraw'"),
        ([f"{URL}withdraw"], (), "the scopes of provider 'partner'.*another spelling of 'withdraw'"),
        (["17"], (), "the scopes of provider 'partner'.*another spelling"),
        (None, (RoleMap("roles", {"boss": ["stuff"]}),), "role 'boss' of provider 'partner'.*'staff'"),
    ],
)
def test_a_scope_that_the_catalogue_does_not_have_is_refused(
    allowed: Any, roles: tuple[RoleMap, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        scoping(allowed, *roles)


# Much of it


@pytest.mark.parametrize(
    "scope",
    [" ".join(f"s{number}" for number in range(10_000)), " " * 60_000, "withdraw " * 6_000, "a\t" * 30_000],
    ids=len,
)
def test_ten_thousand_scopes_take_linear_time(scope: str) -> None:
    made = scoping({"withdraw"}, ROLES)
    claims = {"scope": scope, "roles": ["manager"] * 10_000}
    assert made.of(claims) <= {"withdraw", "deposit", "balance"}
    assert cost(lambda: made.of(claims)) < 0.05


# Options


@pytest.mark.parametrize("roles", [["manager"], "manager", [None], {"manager": 1}, None, 7], ids=str)
def test_roles_are_role_maps(roles: Any) -> None:
    with pytest.raises(TypeError, match="roles is RoleMap"):
        role_maps(roles)


def test_one_role_map_needs_no_list() -> None:
    assert role_maps(ROLES) == role_maps([ROLES]) == (ROLES,)


@pytest.mark.parametrize("scope", ["a b", "", "é", "a\t"])
def test_allowed_scopes_are_scopes(scope: str) -> None:
    with pytest.raises(ValueError, match="is not one scope"):
        scoping_of([scope], ())


def test_a_provider_that_says_nothing_of_its_claims_has_standard_names() -> None:
    assert names_of((), (), None, "") is STANDARD


@pytest.mark.parametrize(("properties", "domain"), [(None, ""), (0, ""), ((), None), ((), 0)])
def test_nothing_of_another_kind_is_taken_for_nothing(properties: Any, domain: Any) -> None:
    with pytest.raises(TypeError, match=r"properties leads|domain is text"):
        names_of((), properties, None, domain)


def test_names_say_where_the_claims_are() -> None:
    names = names_of((ROLES,), "props", {"mail": "email"}, "example.com")
    claims = {"roles": "manager", "props": {"plan": "gold"}, "email": "a@example.com", "name": "Ada"}
    assert names.roles_in(claims) == {"manager"}
    assert names.properties_in(claims) == {"plan": "gold"}
    assert (names.owner_in(claims), names.domain) == ({"mail": "a@example.com"}, "example.com")


def test_the_owner_is_read_by_standard_claims_unless_said_otherwise() -> None:
    assert names_of((), (), None, "example.com").owner_in({"name": "Ada", "x": "y"}) == {"name": "Ada"}
    assert names_of((), (), {}, "").owner_in({"name": "Ada"}) == {}


# All of it


def test_the_terms_of_a_provider_are_its_scopes_and_its_names() -> None:
    terms = terms_of(["photos", "deposit"], ROLES, "attributes", None, "example.com")
    assert granted(terms.scoping, "deposit films") == {"deposit"}
    assert (terms.names.roles, terms.names.domain) == ((ROLES.source,), "example.com")


def test_scopes_are_a_list() -> None:
    with pytest.raises(TypeError, match="scopes is a list of strings"):
        terms_of("photos", (), (), None, "")
