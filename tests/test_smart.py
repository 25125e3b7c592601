import json
from collections.abc import Collection
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.errors import InsufficientScope
from oauth_rs.model import Grant
from oauth_rs.scopes import AllOf, AnyOf, Requirement, parameters_of
from oauth_rs.smart import (
    MAX_FILTERED,
    Reach,
    access,
    smart,
)
from oauth_rs.smart_scopes import _read
from tests.support.costing import cost
from tests.support.playing import PlainRequest, play

LAB = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
SUBSETS = ["".join(letters) for size in range(1, 6) for letters in combinations("cruds", size)]


def grant(*scopes: str, **claims: Any) -> Grant:
    return Grant(
        scheme="Bearer",
        provider="https://id.example.com",
        issuer="https://id.example.com",
        subject="ada",
        client_id="app",
        scopes=frozenset(scopes),
        expires_at=0,
        claims_json=json.dumps(claims).encode(),
    )


def asked(**parameters: Any) -> Any:
    """A request after its path was matched."""
    request: Any = PlainRequest()
    request.parameters = parameters
    return request


def met(requirement: Requirement, held: Grant, request: Any = None) -> bool:
    lack = play(requirement.shortfall(held, request))
    assert lack is None or isinstance(lack, InsufficientScope)
    assert not (lack and requirement.met_by(held.scopes)), "met_by says no more than shortfall"
    return lack is None


@pytest.mark.parametrize(
    "held",
    [
        ["user/Observation.rs"],
        ["user/Observation.cruds"],
        ["user/*.rs"],
        ["user/*.read"],
        ["user/Observation.*"],
        ["user/Observation.r", "user/Observation.s"],
        ["user/Observation.r", "system/*.s"],
        ["system/Observation.read", "openid"],
        ["user/Observation.s", "user/Patient.rs", "system/Observation.cr"],
        ["user/Observation.rs", "user/Observation.rs?code=a"],
    ],
)
def test_scopes_add_up(held: list[str]) -> None:
    requirement = smart("Observation", "rs")
    assert requirement.met_by(held)
    assert met(requirement, grant(*held))


@pytest.mark.parametrize(
    "held",
    [
        [],
        ["user/Observation.r"],
        ["user/Observation.s", "user/Patient.rs"],
        ["user/Observation.r", "user/Observation.cud"],
        ["user/Patient.cruds", "system/ObservationDefinition.rs", "user/Observatio.rs"],
        ["User/Observation.rs", "user/observation.rs", "USER/Observation.RS"],
        ["user/Observation.write", "user/Observation.sr", "user/Observation.reads", "user/Observation."],
        ["user/Observation.rs "],
        ["user/Observation.rs\n"],
        ["user/Observation.rs user/Observation.s"],
        ["user/Observation.rs?"],
        ["user/Observation.rs?category=laboratory"],
        ["user/*.rs?_tag=a"],
        ["patient/Observation.rs"],
        ["patient/*.*", "launch/patient", "launch"],
    ],
    ids=repr,
)
def test_what_does_not_open_every_letter_is_not_enough(held: list[str]) -> None:
    requirement = smart("Observation", "rs")
    assert not requirement.met_by(held)
    assert not met(requirement, grant(*held))


@pytest.mark.parametrize("needed", SUBSETS)
def test_each_letter_stands_for_itself(needed: str) -> None:
    requirement = smart("Observation", needed)
    enough = [held for held in SUBSETS if met(requirement, grant(f"user/Observation.{held}"))]
    assert enough == [held for held in SUBSETS if set(needed) <= set(held)]


@pytest.mark.parametrize(
    ("held", "enough"),
    [
        ("user/*.rs", True),
        ("system/*.read", True),
        ("user/Observation.cruds", False),
        ("user/*.r", False),
        ("user/Patient.rs", False),
    ],
)
def test_asking_for_all_types_needs_a_scope_for_all_of_them(held: str, enough: bool) -> None:  # noqa: FBT001
    assert met(smart("*", "rs"), grant(held)) is enough


@pytest.mark.parametrize("context", ["patient", "user", "system"])
@pytest.mark.parametrize("accepted", [["patient"], ["user"], ["system"], ["user", "system"], ["patient", "system"]])
def test_only_scopes_of_accepted_contexts_count(context: str, accepted: list[str]) -> None:
    requirement = smart("Observation", "rs", contexts=accepted)
    held = grant(f"{context}/Observation.rs", patient="123")
    assert met(requirement, held) is (context in accepted)
    assert requirement.met_by(held.scopes) is (context in accepted and context != "patient")
    assert access(held, "Observation", contexts=accepted).allows("rs") is (context in accepted)


@pytest.mark.parametrize("scope", ["user/Observation.rs?code=a", "system/*.rs?_tag=a", "user/Observation.read?code=a"])
def test_a_scope_with_parameters_counts_where_the_handler_applies_filters(scope: str) -> None:
    assert met(smart("Observation", "rs", filtered=True), grant(scope))
    assert not met(smart("Observation", "rs"), grant(scope))
    assert not access(grant(scope), "Observation").allows("r")


def test_scopes_with_parameters_do_not_decide_alone() -> None:
    assert not smart("Observation", "rs", filtered=True).met_by(["user/Observation.rs?code=a"])
    assert smart("Observation", "rs", filtered=True).met_by(["user/Observation.rs"])


def test_letters_may_come_from_scopes_with_and_without_parameters() -> None:
    held = grant("user/Observation.r", "patient/Observation.s?code=a", patient="123")
    assert met(smart("Observation", "rs", filtered=True), held)
    assert not met(smart("Observation", "rs"), held)


@pytest.mark.parametrize("patient", ["123", "a", "A-b.9", "x" * 64])
def test_a_patient_scope_counts_in_the_context_of_a_patient(patient: str) -> None:
    held = grant("patient/Observation.rs", patient=patient)
    assert met(smart("Observation", "rs"), held)
    assert not smart("Observation", "rs").met_by(held.scopes)


@pytest.mark.parametrize(
    "patient",
    [
        *(
            "",
            " ",
            "x" * 65,
            "Patient/123",
            "123/",
            "/123",
            "123 ",
            "123\n",
            "\n123",
            "1,2",
            "1|2",
            "12_3",
            "1%32",
            "*",
        ),
        *("1\u0662", "\uff11", "caf\u00e9", "123\x00", "https://ehr.example.org/Patient/123"),
        *(None, 123, 1.5, True, False, [], ["123"], {}, {"id": "123"}, {"reference": "Patient/123"}),
    ],
    ids=ascii,
)
def test_what_is_no_id_is_no_patient(patient: Any) -> None:
    held = grant("patient/Observation.rs", "patient/*.*", patient=patient)
    assert not met(smart("Observation", "r"), held)
    assert not met(smart("Observation", "r", patient="id"), held, asked(id=patient))
    assert not access(held, "Observation").allows("r")


def test_without_the_claim_there_is_no_patient() -> None:
    assert not met(smart("Observation", "r"), grant("patient/Observation.rs", Patient="123", launch="123"))


def test_another_context_needs_no_patient() -> None:
    held = grant("patient/Observation.rs", "user/Observation.rs", patient=["123"])
    assert met(smart("Observation", "rs"), held)
    assert access(held, "Observation").alternatives("r") == (Reach(patient=None),)


@pytest.mark.parametrize("scope", ["patient/Patient.r", "patient/*.read", "patient/Patient.cruds"])
def test_a_path_may_name_the_patient(scope: str) -> None:
    assert met(smart("Patient", "r", patient="id"), grant(scope, patient="123"), asked(id="123", other="456"))


@pytest.mark.parametrize(
    "value", ["456", "", "1234", "12", "0123", "123 ", "123\n", "PATIENT", 123, ["123"], None, True]
)
def test_a_patient_scope_is_not_for_another_patient(value: Any) -> None:
    held = grant("patient/Patient.r", "patient/*.*", patient="123")
    assert not met(smart("Patient", "r", patient="id"), held, asked(id=value))


@pytest.mark.parametrize("twin", ["ABC", "abC", "\u0430bc"])
def test_the_ids_of_patients_are_compared_to_the_letter(twin: str) -> None:
    assert not met(smart("Patient", "r", patient="id"), grant("patient/Patient.r", patient="abc"), asked(id=twin))


@pytest.mark.parametrize("scope", ["user/Patient.r", "system/*.read", "user/Patient.r?active=true"])
def test_scopes_of_other_contexts_are_for_every_patient_of_the_path(scope: str) -> None:
    requirement = smart("Patient", "r", patient="id", filtered=True)
    assert met(requirement, grant(scope, "patient/Patient.r", patient="123"), asked(id="456"))


def test_the_patient_of_the_path_counts_letter_by_letter() -> None:
    held = grant("patient/Patient.r", "user/Patient.u", patient="123")
    requirement = smart("Patient", "ru", patient="id")
    assert met(requirement, held, asked(id="123"))
    assert not met(requirement, held, asked(id="456"))


def test_a_path_without_the_parameter_is_a_mistake() -> None:
    requirement = smart("Patient", "r", patient="id")
    for parameters in ({}, {"patient": "123"}, {"ID": "123"}):
        with pytest.raises(TypeError, match="no such parameter"):
            requirement.shortfall(grant("patient/Patient.r", patient="123"), asked(**parameters))


def test_a_handler_cannot_ask_for_the_patient_of_the_path() -> None:
    with pytest.raises(TypeError, match="ask for it with @requires or a policy"):
        grant("patient/Patient.r", patient="123").require(smart("Patient", "r", patient="id"))


def test_a_requirement_names_a_scope_for_each_context() -> None:
    assert smart("Observation", "rs").scopes == (
        "patient/Observation.rs",
        "user/Observation.rs",
        "system/Observation.rs",
    )
    assert smart("*", "c", contexts=["system", "user", "system"]).scopes == ("system/*.c", "user/*.c")


def test_its_refusal_names_no_patient() -> None:
    requirement = smart("Patient", "r", contexts=("patient", "user"), patient="id")
    lack = play(requirement.shortfall(grant("patient/Patient.r", patient="123"), asked(id="456")))
    assert isinstance(lack, InsufficientScope)
    assert (lack.reason, lack.status, lack.scope) == ("insufficient_scope", 403, "patient/Patient.r user/Patient.r")


def test_it_nests_in_others() -> None:
    held = grant("patient/Observation.rs", "user/Condition.r", "labs", patient="123")
    assert held.allows(smart("Observation", "rs"), AnyOf("no", AllOf("labs", smart("Condition", "r"))))
    assert not held.allows(AllOf("labs", smart("Condition", "rs")))


def test_it_tells_which_parameter_of_the_path_it_looks_at() -> None:
    assert parameters_of(AllOf("a", smart("Patient", "r", patient="id"), smart("Observation", "r"))) == {"id"}


def test_it_shows_how_it_was_written() -> None:
    shown = repr(smart("Patient", "r", contexts=["patient"], filtered=True, patient="id"))
    assert shown == "smart('Patient', 'r', contexts=('patient',), filtered=True, patient='id')"


@pytest.mark.parametrize(
    "permissions", ["", "sr", "rr", "read", "*", "R", "rs ", "r,s", "x", "cruds\n", "patient/*.rs"]
)
def test_permissions_are_letters_in_order(permissions: str) -> None:
    with pytest.raises(ValueError, match='letters of "cruds" in that order'):
        smart("Observation", permissions)
    with pytest.raises(ValueError, match='letters of "cruds" in that order'):
        access(grant("user/*.*"), "Observation").allows(permissions)


NO_TYPES = [
    "",
    "observation",
    "Observation.r",
    "Obs ervation",
    "Observation\n",
    "**",
    "user/Observation",
    "Observation1",
]


@pytest.mark.parametrize("resource", NO_TYPES)
def test_a_resource_is_a_fhir_type(resource: str) -> None:
    with pytest.raises(ValueError, match="no FHIR resource type"):
        smart(resource, "r")


@pytest.mark.parametrize("contexts", [[], "", "patient", ["Patient"], ["user", "launch"], ["user/"], [""]])
def test_contexts_are_some_of_three(contexts: Any) -> None:
    with pytest.raises(ValueError, match="contexts are some of patient, user, system"):
        smart("Observation", "r", contexts=contexts)
    with pytest.raises(ValueError, match="contexts are some of patient, user, system"):
        access(grant(), "Observation", contexts=contexts)


@pytest.mark.parametrize(
    ("patient", "contexts"), [("id", ["user"]), ("id", ["user", "system"]), ("{id}", ["patient"]), ("a b", ["patient"])]
)
def test_the_patient_is_a_parameter_and_for_patient_scopes(patient: str, contexts: Collection[str]) -> None:
    with pytest.raises(ValueError, match="patient names the parameter of a path"):
        smart("Patient", "r", patient=patient, contexts=contexts)


EVERYBODY = Reach(patient=None)
ADA = Reach(patient="ada")
LAB_OF_ALL = Reach(patient=None, filters=(("category", "lab"),))
LAB_OF_ADA = Reach(patient="ada", filters=(("category", "lab"),))
CODE_OF_ALL = Reach(patient=None, filters=(("code", "a"),))


@pytest.mark.parametrize(
    ("held", "alternatives"),
    [
        ([], ()),
        (["user/Observation.c"], ()),
        (["user/Observation.r"], (EVERYBODY,)),
        (["patient/Observation.r"], (ADA,)),
        (["user/Observation.r?category=lab"], (LAB_OF_ALL,)),
        (["patient/Observation.r?category=lab"], (LAB_OF_ADA,)),
        (["patient/Observation.r", "user/*.r"], (EVERYBODY,)),
        (["patient/Observation.r", "patient/*.rs?category=lab"], (ADA,)),
        (["patient/Observation.r?category=lab", "user/Observation.r"], (EVERYBODY,)),
        (["patient/Observation.r?category=lab", "user/Observation.r?category=lab"], (LAB_OF_ALL,)),
        (["patient/Observation.r?category=lab", "user/Observation.r?code=a"], (CODE_OF_ALL, LAB_OF_ADA)),
        (["patient/Observation.r", "user/Observation.r?category=lab"], (LAB_OF_ALL, ADA)),
        (["user/Observation.r?code=a", "system/Observation.r?category=lab"], (LAB_OF_ALL, CODE_OF_ALL)),
        (["user/Observation.r?category=lab", "user/Observation.read?category=l%61b"], (LAB_OF_ALL,)),
    ],
)
def test_alternatives_keep_filters_with_their_patient(held: list[str], alternatives: tuple[Reach, ...]) -> None:
    assert access(grant(*held, patient="ada"), "Observation", filtered=True).alternatives("r") == alternatives


def test_each_letter_has_its_own_alternatives() -> None:
    held = grant("patient/Observation.rs", "user/Observation.u", "user/Observation.s?category=lab", patient="ada")
    found = access(held, "Observation", filtered=True)
    assert [found.alternatives(letter) for letter in "cruds"] == [(), (ADA,), (EVERYBODY,), (), (LAB_OF_ALL, ADA)]
    assert found.allows("rus")
    assert not found.allows("cr")


@pytest.mark.parametrize("letter", ["", "rs", "x", "R", "read", "*", " r"])
def test_alternatives_are_those_of_one_letter(letter: str) -> None:
    found = access(grant("user/*.*"), "Observation")
    with pytest.raises(ValueError, match='write one letter of "cruds"'):
        found.alternatives(letter)
    with pytest.raises(ValueError, match='write one letter of "cruds"'):
        found.reaches(letter, patient="ada")


@pytest.mark.parametrize("resource", [*NO_TYPES, "Observation.rs?code=a", "Observation.rs?code=1"])
def test_nothing_is_open_of_what_is_no_type(resource: str) -> None:
    held = grant("user/*.*", "user/Observation.rs?code=1.5", "patient/*.*", patient="ada")
    assert not any(access(held, resource, filtered=True).alternatives(letter) for letter in "cruds")


def test_all_types_are_open_through_scopes_for_all_of_them() -> None:
    held = grant("user/Observation.cruds", "patient/*.s", patient="ada")
    assert access(held, "*").reach == ((), (), (), (), (ADA,))


def test_one_resource_is_reached_through_its_patient() -> None:
    found = access(grant("patient/Observation.r", patient="ada"), "Observation")
    assert found.reaches("r", patient="ada")
    assert not found.reaches("r", patient="bob")
    assert not found.reaches("r", patient="Ada")
    assert not found.reaches("r", patient="")
    assert not found.reaches("r", patient=None)
    assert not found.reaches("u", patient="ada")


@pytest.mark.parametrize("patient", ["ada", "bob", None])
def test_a_resource_of_anybody_is_reached_without_limits(patient: str | None) -> None:
    assert access(grant("user/Observation.r"), "Observation").reaches("r", patient=patient)


def test_a_filter_that_nobody_looks_at_lets_nothing_through() -> None:
    found = access(grant("user/Observation.r?category=lab&code=a"), "Observation", filtered=True)
    assert not found.reaches("r", patient="ada")
    assert not found.reaches("r", patient="ada", matches=lambda name, _value: name == "code")
    assert found.reaches(
        "r", patient="ada", matches=lambda name, value: (name, value) in {("category", "lab"), ("code", "a")}
    )


@pytest.mark.parametrize("answer", [None, 1, "yes", object()])
def test_a_filter_is_met_by_true_alone(answer: Any) -> None:
    found = access(grant("user/Observation.r?category=lab"), "Observation", filtered=True)
    assert not found.reaches("r", patient="ada", matches=lambda _name, _value: answer)


def test_a_filter_is_not_that_of_another_patient() -> None:
    held = grant("patient/Observation.r", "user/Observation.r?category=lab", patient="ada")
    found = access(held, "Observation", filtered=True)
    assert found.reaches("r", patient="ada", matches=lambda _name, _value: False)
    assert not found.reaches("r", patient="bob", matches=lambda _name, _value: False)
    assert found.reaches("r", patient="bob", matches=lambda _name, _value: True)


def test_neither_shows_a_patient() -> None:
    found = access(grant("patient/Observation.r", patient="ada-s3cret"), "Observation")
    assert "s3cret" not in repr(found)
    assert "s3cret" not in repr(found.alternatives("r"))


SCOPES = st.builds(
    "{}/{}.{}{}".format,
    st.sampled_from(["patient", "user", "system"]),
    st.sampled_from(["Observation", "Patient", "*"]),
    st.sampled_from([*SUBSETS, "read", "write", "*", "dr", ""]),
    st.sampled_from(["", "", "?code=a", "?code=b", "?code=a&code=b", "?code", "?_count=1"]),
)
SETS = st.frozensets(SCOPES | st.sampled_from(["openid", "launch/patient"]), max_size=8)
FILTERS = st.frozensets(st.sampled_from([("code", "a"), ("code", "b")]))


def open_by_hand(scopes: Collection[str], letter: str, patient: str, holds: Collection[tuple[str, str]]) -> bool:
    """Whether Observation is open, written anew and one scope at a time; the launch patient is ada."""
    for text in scopes:
        scope, _, query = text.partition("?")
        context, _, rest = scope.partition("/")
        resource, _, suffix = rest.partition(".")
        letters = {"read": "rs", "write": "cud", "*": "cruds"}.get(suffix, suffix)
        usable = letters in SUBSETS and resource in {"Observation", "*"} and query not in {"code", "_count=1"}
        pairs = {tuple(pair.split("=")) for pair in query.split("&")} if query else set()
        mine = context in {"user", "system"} or (context == "patient" and patient == "ada")
        if usable and letter in letters and mine and pairs <= set(holds):
            return True
    return False


@given(SETS, st.sampled_from("cruds"), st.sampled_from(["ada", "bob"]), FILTERS)
def test_the_union_is_that_of_its_scopes(
    scopes: frozenset[str], letter: str, patient: str, holds: frozenset[Any]
) -> None:
    found = access(grant(*scopes, patient="ada"), "Observation", filtered=True)
    reached = found.reaches(letter, patient=patient, matches=lambda name, value: (name, value) in holds)
    assert reached is open_by_hand(scopes, letter, patient, holds)


@given(SETS, st.sampled_from(SUBSETS), st.booleans(), st.sampled_from(["", "ada"]))
def test_a_requirement_agrees_with_access(scopes: frozenset[str], letters: str, filtered: bool, patient: str) -> None:  # noqa: FBT001
    held = grant(*scopes, patient=patient)
    assert met(smart("Observation", letters, filtered=filtered), held) is access(
        held, "Observation", filtered=filtered
    ).allows(letters)


@given(SETS, SETS, st.sampled_from(SUBSETS), st.booleans())
def test_more_scopes_never_open_less(one: frozenset[str], other: frozenset[str], letters: str, filtered: bool) -> None:  # noqa: FBT001
    requirement = smart("Observation", letters, filtered=filtered)
    assert met(requirement, grant(*one, patient="ada")) <= met(requirement, grant(*one, *other, patient="ada"))
    assert requirement.met_by(one) <= requirement.met_by(one | other)


@given(SETS, SETS, st.sampled_from("cruds"))
def test_more_scopes_never_narrow_an_alternative(one: frozenset[str], other: frozenset[str], letter: str) -> None:
    few, many = (access(grant(*held, patient="ada"), "Observation", filtered=True) for held in (one, one | other))
    for reach in few.alternatives(letter):
        assert any(
            wider.patient in {None, reach.patient} and (not wider.filters or wider.filters == reach.filters)
            for wider in many.alternatives(letter)
        )


def test_many_scopes_with_parameters_count_for_none() -> None:
    scopes = [f"user/Observation.rs?code={number}" for number in range(MAX_FILTERED + 1)]
    few, many = grant(*scopes[1:]), grant(*scopes)
    assert len(access(few, "Observation", filtered=True).alternatives("r")) == MAX_FILTERED
    assert not access(many, "Observation", filtered=True).allows("r")
    assert not met(smart("Observation", "r", filtered=True), many)


def test_many_scopes_with_parameters_spoil_neither_others_nor_other_types() -> None:
    scopes = [f"user/Observation.rs?code={number}" for number in range(MAX_FILTERED + 1)]
    held = grant(*scopes, "user/Observation.r", "user/Condition.r?code=a", patient="ada")
    assert access(held, "Observation", filtered=True).alternatives("r") == (EVERYBODY,)
    assert access(held, "Condition", filtered=True).alternatives("r") == (CODE_OF_ALL,)


HUGE: dict[str, frozenset[str]] = {
    "others": frozenset(f"scope{number}" for number in range(10_000)),
    "filtered": frozenset(f"user/Observation.rs?code={number}" for number in range(10_000)),
    "malformed": frozenset(f"user/Observation.rs{number}" for number in range(10_000)),
    "other types": frozenset(f"user/Observation{'a' * (number % 50)}.r{number}" for number in range(10_000)),
    "one long value": frozenset({"user/Observation.rs?code=" + "a" * 100_000}),
    "one long suffix": frozenset({"user/Observation." + "cruds" * 20_000}),
    "one long type": frozenset({"user/" + "Observation" * 10_000 + ".rs"}),
    "escapes": frozenset({"user/Observation.rs?" + "%" * 2_000, "user/Observation.rs?code=" + "%41" * 600 + "%"}),
    "names": frozenset({"user/Observation.rs?" + "a:" * 1_000, "user/Observation.rs?" + "a" * 2_000 + "="}),
    "pairs": frozenset("user/Observation.rs?" + f"a{number}=b&" * 250 for number in range(MAX_FILTERED)),
    "values": frozenset(
        "user/Observation.rs?" + "&".join(["code=" + "%41" * 30] * 15) + f"&code=%x{number}"
        for number in range(MAX_FILTERED)
    ),
}


@pytest.mark.parametrize("held", HUGE.values(), ids=HUGE.keys())
def test_no_set_of_scopes_takes_long(held: frozenset[str]) -> None:
    def look() -> None:
        _read.cache_clear()
        one = grant(*held)
        assert not met(smart("Observation", "rs", filtered=True), one)
        assert not access(one, "Observation", filtered=True).allows("r")

    assert cost(look) < 0.5  # some ten milliseconds


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resource": 5}, "resource is text, not 5"),
        ({"permissions": ["r"]}, r"permissions is text, not \['r'\]"),
        ({"patient": 5}, "patient is text, not 5"),
        ({"patient": None}, "patient is text, not None"),
        ({"filtered": "no"}, "filtered is True or False, not 'no'"),
        ({"contexts": 5}, "contexts is a list of texts"),
        ({"contexts": [["user"]]}, "contexts is a list of texts"),
    ],
    ids=str,
)
def test_options_of_other_types_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        smart(**{"resource": "Observation", "permissions": "r", **options})


@pytest.mark.parametrize("options", [{"filtered": "no"}, {"filtered": 1}, {"contexts": 5}])
def test_what_opens_more_is_not_taken_for_true(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"filtered is True|contexts is a list"):
        access(grant("user/Observation.r?code=a"), "Observation", **options)
