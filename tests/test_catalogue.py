import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_rs.catalogue import (
    REMEMBERED_CHARACTERS,
    REMEMBERED_SCOPES,
    REMEMBERED_SETS,
    ScopeCatalogue,
)
from oauth_rs.entries import EntryError
from oauth_rs.requirements import MaxAge
from oauth_rs.scope_declarations import Declaration, Scope
from oauth_rs.scopes import AllOf, AnyOf, Requirement

URL = "https://api.example.com/scopes/withdraw"
BANK = ScopeCatalogue(
    {
        "withdraw": Scope(
            "Take money out",
            url=URL,
            id=17,
            children={"deposit": Scope("Put money in", id=18), "balance": {}},
        ),
        "account": {},
        "audit": ["balance"],
    }
)
NAMES = [f"s{number}" for number in range(8)]


@st.composite
def hierarchies(draw: st.DrawFn) -> dict[str, list[str]]:
    """Scopes that name children among the later ones: any shape without a cycle, in any order."""
    children = {name: draw(st.lists(st.sampled_from(NAMES[at + 1 :] or [""]))) for at, name in enumerate(NAMES)}
    order = draw(st.permutations(NAMES))
    return {name: [child for child in children[name] if child] for name in order}


def below(scopes: Mapping[str, list[str]], name: str) -> set[str]:
    """All that `name` implies, found the slow way."""
    return {name}.union(*(below(scopes, child) for child in scopes.get(name, [])))


@pytest.mark.parametrize(
    ("scopes", "held"),
    [
        ({"withdraw"}, {"withdraw", "deposit", "balance"}),
        ({"audit"}, {"audit", "balance"}),
        ({"deposit", "audit"}, {"deposit", "audit", "balance"}),
        ({"17"}, {"withdraw", "deposit", "balance"}),
        ({URL, "18"}, {"withdraw", "deposit", "balance"}),
        ({"18", "openid", "patient/*.rs"}, {"deposit", "openid", "patient/*.rs"}),
        ({"account"}, {"account"}),
        (set(), set()),
    ],
    ids=str,
)
def test_who_holds_a_scope_holds_all_below_it(scopes: set[str], held: set[str]) -> None:
    assert BANK.held(scopes) == held
    assert BANK.held(iter(sorted(scopes))) == held
    assert BANK.expand(BANK.resolve(scopes)) == held


def test_no_child_implies_its_parent_or_its_siblings() -> None:
    for scope in ("deposit", "balance", "account"):
        assert BANK.held([scope]) == {scope}


@pytest.mark.parametrize(
    "scope",
    [
        *("withdraw ", " withdraw", "withdraw\t", "withdraw\n", "\twithdraw", "withdraw\x00", "withdraw\xa0"),
        *(
            "Withdraw",
            "WITHDRAW",
            "withdra",
            "withdraws",
            "with",
            "draw",
            "",
            " ",
            "\n",
            "w\u0456thdraw",
            "\uff57ithdraw",
        ),
        *(
            "017",
            "+17",
            "-17",
            " 17",
            "17 ",
            "17\n",
            "17.0",
            "1_7",
            "0x11",
            "1e1",
            "\uff11\uff17",
            "\u0661\u0667",
            "1",
            "7",
            "171",
        ),
        *(
            URL + "/",
            URL.upper(),
            URL.replace("https", "http"),
            URL + "?",
            URL[:-1],
            URL + "\n",
            " " + URL,
            "withdraw,",
        ),
        *("withdraw deposit", "withdraw,deposit", "audit/balance", "audit.balance", "*"),
    ],
    ids=ascii,
)
def test_what_only_resembles_a_scope_is_none_and_implies_nothing(scope: str) -> None:
    assert BANK.resolve([scope]) == {scope}
    assert BANK.held([scope]) == {scope}
    assert scope not in BANK


@pytest.mark.parametrize("ask", [BANK.resolve, BANK.held, lambda text: BANK.check(text, "here")])
def test_one_string_is_no_list_of_scopes(ask: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError, match="are a list, not one string"):
        ask("withdraw")


def test_the_same_object_comes_back_when_nothing_changes() -> None:
    for scopes in (frozenset({"account", "openid"}), frozenset({"audit", "balance"}), frozenset[str]()):
        assert BANK.expand(scopes) is scopes
        assert BANK.expand(frozenset([*scopes])) == scopes
        assert BANK.resolve(scopes) is scopes
    again = frozenset(["balance", "audit"])
    assert BANK.expand(again) is again


def test_tokens_with_the_same_scopes_share_one_set() -> None:
    assert BANK.held(["17", "openid"]) is BANK.held(["openid", "17"])
    assert BANK.expand(frozenset(["withdraw", "x"])) is BANK.expand(frozenset(["x", "withdraw"]))


@pytest.mark.parametrize(
    "scopes",
    [
        [f"s{number}" for number in range(REMEMBERED_SCOPES)],
        [f"s{number}" for number in range(10_000)],
        ["s" * REMEMBERED_CHARACTERS],
    ],
    ids=["many", "very many", "long"],
)
def test_large_sets_of_scopes_are_worked_out_and_not_remembered(scopes: list[str]) -> None:
    catalogue = ScopeCatalogue({"a": ["b"], "b": {}})
    assert catalogue.held([*scopes, "a"]) == {*scopes, "a", "b"}
    assert catalogue.expand(frozenset([*scopes, "a"])) == {*scopes, "a", "b"}
    assert catalogue._held.cache_info().currsize == 0
    assert catalogue._remembered.cache_info().currsize == 0


@pytest.mark.parametrize(
    "scopes",
    [["a", *(f"s{number}" for number in range(REMEMBERED_SCOPES - 1))], ["a", "s" * (REMEMBERED_CHARACTERS - 1)]],
    ids=["many", "long"],
)
def test_sets_up_to_the_limit_are_remembered(scopes: list[str]) -> None:
    catalogue = ScopeCatalogue({"a": ["b"], "b": {}})
    assert catalogue.held(scopes) is catalogue.held(reversed(scopes))


def test_no_more_sets_are_remembered_than_there_is_room_for() -> None:
    catalogue = ScopeCatalogue({"a": ["b"], "b": {}})
    for number in range(2 * REMEMBERED_SETS):
        assert catalogue.held(["a", f"s{number}"]) == {"a", "b", f"s{number}"}
    assert catalogue._held.cache_info().currsize == REMEMBERED_SETS
    assert catalogue._remembered.cache_info().currsize == REMEMBERED_SETS


@given(hierarchies(), st.frozensets(st.sampled_from([*NAMES, "openid"])))
@settings(deadline=None)
def test_expanded_is_exactly_what_is_reached_by_way_of_children(
    scopes: dict[str, list[str]], held: frozenset[str]
) -> None:
    assert ScopeCatalogue(scopes).expand(held) == held.union(*(below(scopes, name) for name in held))


@given(hierarchies(), st.frozensets(st.sampled_from([*NAMES, "openid"])), st.frozensets(st.sampled_from(NAMES)))
@settings(deadline=None)
def test_expanding_takes_nothing_away_and_ends_at_once(
    scopes: dict[str, list[str]], held: frozenset[str], more: frozenset[str]
) -> None:
    catalogue = ScopeCatalogue(scopes)
    expanded = catalogue.expand(held)
    assert held <= expanded
    assert catalogue.expand(expanded) is expanded
    assert expanded <= catalogue.expand(held | more)
    assert catalogue.expand(held | more) == expanded | catalogue.expand(more)


@given(st.lists(st.text(max_size=30) | st.sampled_from(["17", "18", URL, *BANK.names]), max_size=10))
@settings(deadline=None)
def test_resolved_are_the_same_scopes_but_for_their_spelling(scopes: list[str]) -> None:
    spelled = {"17": "withdraw", "18": "deposit", URL: "withdraw"}
    assert BANK.resolve(scopes) == {spelled.get(scope, scope) for scope in scopes}
    assert BANK.held(BANK.held(scopes)) == BANK.held(scopes)


def test_a_thousand_scopes_expand_to_all_that_is_below_them() -> None:
    catalogue = ScopeCatalogue({f"a{i}": {f"a{i}.{j}": {} for j in range(9)} for i in range(100)})
    assert len(catalogue) == 1000
    assert catalogue.expand(frozenset(f"a{i}" for i in range(100))) == frozenset(catalogue.names)


@pytest.mark.parametrize("form", ["nested", "listed", "scopes"])
def test_depth_costs_no_recursion(form: str) -> None:
    levels = 2 * sys.getrecursionlimit()
    scopes: dict[str, Any] = {f"s{levels}": {}}
    for level in range(levels - 1, -1, -1):
        if form == "listed":
            scopes[f"s{level}"] = [f"s{level + 1}"]
        else:
            scopes = {f"s{level}": scopes if form == "nested" else Scope(children=scopes)}
    catalogue = ScopeCatalogue(scopes)
    assert len(catalogue.held(["s0"])) == levels + 1
    assert str(catalogue).splitlines()[-1] == "  " * levels + f"s{levels}"


def test_a_deep_cycle_is_found_without_recursion() -> None:
    scopes = {f"s{level}": [f"s{(level + 1) % 5000}"] for level in range(5000)}
    with pytest.raises(EntryError, match=r"^scopes imply each other"):
        ScopeCatalogue(scopes)


def test_the_order_is_that_of_the_declarations() -> None:
    assert BANK.names == ("withdraw", "deposit", "balance", "account", "audit")
    assert list(BANK.descriptions) == list(BANK.names)
    assert len(BANK) == 5
    assert "deposit" in BANK
    for absent in ("17", URL, "openid", 17, None):
        assert absent not in BANK


def test_the_tops_are_those_that_no_other_implies() -> None:
    assert BANK.tops == ["withdraw", "account", "audit"]


def test_the_scopes_to_publish_leave_out_offline_access() -> None:
    catalogue = ScopeCatalogue({"b": ["a"], "offline_access": {}, "a": {}, "c": ["a"], "offline_access.x": {}})
    assert catalogue.scopes_supported == ["b", "a", "c", "offline_access.x"]
    assert "offline_access" in catalogue


def test_descriptions_go_by_name_and_cannot_be_changed() -> None:
    assert BANK.descriptions["withdraw"] == "Take money out"
    assert BANK.descriptions["balance"] == ""
    with pytest.raises(TypeError):
        BANK.descriptions["withdraw"] = "x"  # type: ignore[index]


def test_a_list_that_is_given_out_is_ones_own() -> None:
    BANK.scopes_supported.clear()
    assert BANK.scopes_supported


def test_the_tree_shows_a_child_under_each_of_its_parents() -> None:
    assert str(BANK) == BANK.tree()
    assert BANK.tree().splitlines() == [
        f"withdraw: Take money out ({URL}, id 17)",
        "  deposit: Put money in (id 18)",
        "  balance",
        "account",
        "audit",
        "  balance",
    ]
    assert repr(BANK) == "<ScopeCatalogue of 5 scopes>"


def test_the_tree_prints_children_of_a_shared_child_once() -> None:
    catalogue = ScopeCatalogue({"a": ["c"], "b": ["c", "d"], "c": Scope("See", children=["d"]), "d": {}})
    assert catalogue.tree().splitlines() == ["a", "  c: See", "    d", "b", "  c: See ...", "  d"]


def test_the_tree_of_many_diamonds_is_short() -> None:
    scopes: dict[str, list[str]] = {"a50": [], "b50": []}
    scopes |= {f"{side}{level}": [f"a{level + 1}", f"b{level + 1}"] for level in range(50) for side in "ab"}
    assert len(ScopeCatalogue(scopes).tree().splitlines()) < 250


def test_an_empty_catalogue_knows_no_scope() -> None:
    empty = ScopeCatalogue({})
    assert (len(empty), empty.tree(), empty.scopes_supported) == (0, "", [])
    assert empty.held(["a"]) == {"a"}


def test_a_child_that_is_listed_twice_is_one_child() -> None:
    assert ScopeCatalogue({"a": ["b", "b"], "b": {}}).tree() == "a\n  b"


def test_a_scope_may_be_named_by_its_own_id_or_url() -> None:
    catalogue = ScopeCatalogue({"17": Scope(id=17), URL: Scope(url=URL), "0": Scope(id=0)})
    assert catalogue.held(["17", URL, "0"]) == {"17", URL, "0"}


def test_ids_run_from_nothing_to_what_a_database_can_hold() -> None:
    catalogue = ScopeCatalogue({"a": Scope(id=0), "b": Scope(id=2**63 - 1)})
    assert catalogue.resolve(["0", "9223372036854775807"]) == {"a", "b"}


def _itself() -> dict[str, Any]:
    scopes: dict[str, Any] = {}
    scopes["a"] = scopes
    return scopes


@pytest.mark.parametrize(
    ("scopes", "cycle"),
    [
        ({"a": ["a"]}, "a -> a"),
        ({"a": ["b"], "b": ["a"]}, "a -> b -> a"),
        ({"x": ["a"], "a": {"b": {"c": ["a"]}}, "z": {}}, "a -> b -> c -> a"),
        (_itself(), "a -> a"),
    ],
    ids=str,
)
def test_scopes_that_imply_each_other_are_refused_with_the_way_round(scopes: Any, cycle: str) -> None:
    with pytest.raises(EntryError) as caught:
        ScopeCatalogue(scopes)
    assert str(caught.value) == f"scopes imply each other, take one arrow out: {cycle}"
    assert caught.value.path == ("a", "children")


@pytest.mark.parametrize(
    ("scopes", "message", "path"),
    [
        (
            {"audit": ["balence"], "balance": {}},
            r"'audit'.*'balence' is not declared: did you mean 'balance'\?",
            "children",
        ),
        ({"audit": ["Balance"], "balance": {}}, r"'Balance' is not declared: did you mean 'balance'\?", "children"),
        ({"audit": ["xyzzy"]}, "'xyzzy' is not declared: is it misspelled", "children"),
        ({"audit": ["17"], "b": Scope(id=17)}, "'17' is not declared", "children"),
        ({"audit": [URL], "b": Scope(url=URL)}, "is not declared", "children"),
        ({"audit": ["patient/*.rs"]}, "is not declared", "children"),
        ({"audit": [""]}, "scope 'audit', children: '' is not one scope", "children"),
        ({"audit": ["a b"]}, "'a b' is not one scope", "children"),
        ({"audit": "balance"}, "a list of names, or a dict of scopes", "children"),
        ({"audit": b"balance"}, "a list of names", "children"),
        ({"audit": None}, "a list of names", "children"),
        ({"audit": 17}, "a list of names", "children"),
        ({"audit": {"balance", "deposit"}}, "a list of names", "children"),
        ({"audit": [17]}, "a list of names", "children"),
        ({"audit": [["a"]]}, "a list of names", "children"),
        ({"audit": [Scope()]}, "a list of names", "children"),
        ({"audit": Scope}, "a list of names", "children"),
        ({"audit": Scope(children=None)}, "a list of names", "children"),  # type: ignore[arg-type]
        ({"x": {"a": Scope("1")}, "audit": {}, "a": Scope("2")}, "'a' is declared twice", None),
        ({"x": {"a": {}}, "a": Scope(id=1)}, "'a' is declared twice", None),
        ({"x": {"a": {}}, "a": Scope(url=URL)}, "'a' is declared twice", None),
        ({"x": {"a": {"b": {}}}, "a": {}}, "'a' is declared twice", None),
        ({"x": {"a": {"b": {}}}, "a": {"b": {"c": {}}}}, "'b' is declared twice", None),
    ],
    ids=str,
)
def test_children_and_names_that_do_not_fit_together_are_refused(scopes: Any, message: str, path: str | None) -> None:
    with pytest.raises(EntryError, match=message) as caught:
        ScopeCatalogue(scopes)
    assert caught.value.path[1:] == ((path,) if path else ())
    assert caught.value.path[0] in {*scopes, "b"}


@pytest.mark.parametrize(
    ("scopes", "message"),
    [
        ({"b": Scope(id=17), "a": Scope(id=17)}, "'a': the id '17' is taken by 'b'"),
        ({"b": Scope(url=URL), "a": Scope(url=URL)}, "'a': the url 'https.*' is taken by 'b'"),
        ({"17": {}, "a": Scope(id=17)}, "'a': the id '17' is taken by '17'"),
        ({"a": Scope(id=17), "17": {}}, "'a': the id '17' is taken by '17'"),
        ({"17": Scope(id=17), "a": Scope(id=17)}, "'a': the id '17' is taken by '17'"),
        ({URL: {}, "a": Scope(url=URL)}, "'a': the url 'https.*' is taken by 'https"),
        ({"a": Scope(url="urn:x"), "urn:x": {}}, "'a': the url 'urn:x' is taken by 'urn:x'"),
    ],
    ids=str,
)
def test_two_scopes_never_share_a_spelling(scopes: Any, message: str) -> None:
    with pytest.raises(EntryError, match=message) as caught:
        ScopeCatalogue(scopes)
    assert caught.value.path[0] == "a"


@pytest.mark.parametrize("scopes", [None, [], ["a"], "a", Scope(), 17, [("a", {})]], ids=str)
def test_a_catalogue_is_made_of_a_dict(scopes: Any) -> None:
    with pytest.raises(EntryError, match="made of a dict"):
        ScopeCatalogue(scopes)


@pytest.mark.parametrize(
    "name",
    [
        *BANK.names,
        *("patient/Observation.rs", "user/*.cruds", "system/Patient.read", "user/Medication.write", "patient/*.*"),
        *("patient/Observation.rs?category=laboratory", "system/*.s?_lastUpdated=gt2026&x=%20y", "user/A.d"),
    ],
)
def test_scopes_of_the_catalogue_and_of_smart_pass_the_check(name: str) -> None:
    BANK.check([name], "GET /photos")


@pytest.mark.parametrize(
    "name",
    [
        *("", "x", "withdraw ", "Withdraw", "with", "openid", "offline_access", "launch/patient", "fhirUser", "*"),
        *(
            "patient/",
            "patient/Observation",
            "patient/Observation.",
            "patient/Observation.dr",
            "patient/Observation.rr",
        ),
        *("patient/observation.rs", "patients/Observation.rs", "Patient/Observation.rs", "x/patient/Observation.rs"),
        *("patient/Observation.rs?", "patient/Observation.rs?a b", "patient/Observation.rs\n", "patient/O.readx"),
        *(
            "patient/Observation.rs?\u00e9",
            "patient/Obs\u00e9rvation.rs",
            "patient/**.rs",
            "patient/.rs",
            "patient/Observation.Rs",
        ),
    ],
    ids=ascii,
)
def test_what_the_catalogue_lacks_is_named_with_the_place_that_asks_for_it(name: str) -> None:
    with pytest.raises(ValueError, match="GET /photos: there is no scope ") as caught:
        BANK.check(["withdraw", name, "account"], "GET /photos")
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("withdrew", "did you mean 'withdraw'?"),
        ("WITHDRAW", "did you mean 'withdraw'?"),
        ("Ballance", "did you mean 'balance'?"),
        ("xyzzy", "is it misspelled, or not declared?"),
        ("17", "'17' is another spelling of 'withdraw': write that"),
        (URL, f"{URL!r} is another spelling of 'withdraw': write that"),
    ],
)
def test_the_check_says_what_may_have_been_meant(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match="role 'teller': ") as caught:
        BANK.check([name], "role 'teller'")
    assert str(caught.value).endswith(hint)


# Families


TENANTS = ScopeCatalogue({"photos": {}}, families=["tenant:{tenant}:read", "{tenant}/admin"])


def test_scopes_of_a_family_are_declared() -> None:
    TENANTS.check(["photos", "tenant:acme:read", "acme/admin"], "here")
    assert TENANTS.held(["tenant:acme:read"]) == {"tenant:acme:read"}
    assert (TENANTS.names, TENANTS.scopes_supported, len(TENANTS)) == (("photos",), ["photos"], 1)


@pytest.mark.parametrize(
    "name", ["tenant:acme:write", "tenant::read", "tenant:a:b:read", "tenant:{tenant}:read", "admin"]
)
def test_scopes_of_another_shape_are_not(name: str) -> None:
    with pytest.raises(ValueError, match="here: there is no scope"):
        TENANTS.check([name], "here")


@pytest.mark.parametrize(
    "rule",
    [
        *(AllOf("tenant:{t}:read"), AnyOf("photos", AllOf("photos", "tenant:{tenant}:read")), AllOf("{x}/admin")),
        *(AllOf("tenant:acme:read"), AllOf("photos"), AllOf(MaxAge(5))),
    ],
    ids=str,
)
def test_a_requirement_asks_for_what_is_declared(rule: Requirement) -> None:
    TENANTS.check_requirement(rule, "here")


def test_a_template_may_stand_for_scopes_that_are_listed() -> None:
    ScopeCatalogue({"a:read": {}, "b:read": {}}).check_requirement(AllOf("{x}:read"), "here")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            AllOf("tenant:{t}:raed"),
            "no family of the catalogue has 'tenant:{t}:raed': did you mean",
        ),
        (AnyOf("photos", AllOf("tenant:{t}:read", "x:{t}")), "no family of the catalogue has 'x:{t}'"),
        (AllOf("tenant:{a}:{b}:read"), "no family"),
        (AllOf("tenant:acme:write"), "there is no scope 'tenant:acme:write'"),
    ],
    ids=str,
)
def test_a_template_of_no_family_is_refused(rule: Requirement, message: str) -> None:
    with pytest.raises(ValueError, match=f"here: {message}"):
        TENANTS.check_requirement(rule, "here")


@pytest.mark.parametrize("scopes", [{"tenant:{tenant}:read": {}}, {"photos": {"a:{b}": {}}}, {"a:{{b": {}}], ids=str)
def test_a_family_is_no_name(scopes: dict[str, Declaration]) -> None:
    with pytest.raises(EntryError, match="has braces, as templates do: name those in families"):
        ScopeCatalogue(scopes)


@pytest.mark.parametrize(
    "scopes",
    [{"tenant:all:read": {}}, {"x": Scope(url="https://x/admin")}, {"photos": {"tenant:all:read": {}}}],
    ids=["name", "url", "child"],
)
def test_what_is_declared_by_itself_is_of_no_family(scopes: dict[str, Declaration]) -> None:
    with pytest.raises(EntryError, match="is of the family"):
        ScopeCatalogue(scopes, families=["tenant:{tenant}:read", "https://{host}/admin"])


def test_a_family_is_a_template() -> None:
    for scope in ("photos", "a:{{b}}"):
        with pytest.raises(ValueError, match=f"'{scope}' is one scope"):
            ScopeCatalogue({}, families=["tenant:{tenant}:read", scope])
    with pytest.raises(TypeError, match="a list, not one string"):
        ScopeCatalogue({}, families="a:{b}")
