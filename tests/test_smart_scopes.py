from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.smart_scopes import MAX_PARAMETERS, MAX_SCOPE_LENGTH, SmartScope, covered, smart_scope

LAB = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
SUBSETS = ["".join(letters) for size in range(1, 6) for letters in combinations("cruds", size)]


@pytest.mark.parametrize("context", ["patient", "user", "system"])
@pytest.mark.parametrize("resource", ["Observation", "*", "A", "A" * 64])
def test_every_subset_of_cruds_in_order_is_a_scope(context: str, resource: str) -> None:
    for permissions in SUBSETS:
        read = smart_scope(f"{context}/{resource}.{permissions}")
        assert read == SmartScope(context=context, resource=resource, permissions=permissions)


@pytest.mark.parametrize(("suffix", "permissions"), [("read", "rs"), ("write", "cud"), ("*", "cruds")])
@pytest.mark.parametrize("start", ["patient/Observation.", "user/*.", "system/Patient."])
@pytest.mark.parametrize("end", ["", "?category=laboratory"])
def test_a_scope_of_version_1_is_its_version_2_spelling(suffix: str, permissions: str, start: str, end: str) -> None:
    assert smart_scope(start + suffix + end) == smart_scope(start + permissions + end) is not None


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", ".", "patient", "patient/", "patient/Observation", "/Observation.rs", "patient/.rs", "patient.rs"),
        *("openid", "fhirUser", "launch", "launch/patient", "offline_access", "patient/launch"),
        # Suffixes: nothing, out of order, repeated, unknown, of both versions, in other cases.
        *("patient/Observation.", "patient/Observation.dr", "patient/Observation.sr", "patient/Observation.dus"),
        *("patient/Observation.rr", "patient/Observation.rss", "patient/Observation.crudsx", "patient/Observation.x"),
        *("patient/Observation.rd.", "patient/Observation.read.", "patient/Observation.readwrite", "patient/*.**"),
        *("patient/Observation.reads", "patient/Observation.rea", "patient/Observation.READ", "patient/Observation.RS"),
        *("patient/Observation.r.s", "patient/Observation.r,s", "patient/Observation.r s", "patient/Observation.r*"),
        # Contexts and types: other ones, twins in other cases, repeated, inside of others.
        *("Patient/Observation.rs", "PATIENT/Observation.rs", "launch/Observation.rs", "*/Observation.rs"),
        *("patient/observation.rs", "patient/OBSERVATION1.rs", "patient/Obs-ervation.rs", "patient/*Observation.rs"),
        *("patient/Observation*.rs", "patient//Observation.rs", "patient/user/Observation.rs", "xpatient/Patient.rs"),
        *("patient/Observation.rs/", "patient/Observation.rspatient/Patient.rs", "patient:Observation.rs"),
        *("patient\\Observation.rs", "patient.Observation.rs", "patient%2FObservation.rs", "patient/%4Fbservation.rs"),
        "patient/" + "A" * 65 + ".rs",
        # White space, control characters, look-alikes.
        *(" patient/Observation.rs", "patient/Observation.rs ", "patient/Observation.rs\n", "\tpatient/Observation.rs"),
        *(
            "patient/Observation.r\ns",
            "patient/Observation.rs\x00",
            "patient/Observation.rs\r\n",
            "patient/\nPatient.rs",
        ),
        *("p\u0430tient/Observation.rs", "patient/\u041ebservation.rs", "patient\uff0fObservation.rs"),
        *("patient\u2215Observation.rs", "patient/Observation\uff0ers", "patient/Observation.\uff52\uff53"),
        *("patient/Observation.r\u017f", "patient/Observation.rs\u200b", "patient/\u2217.rs", "patient/Obse\u0301.rs"),
    ],
    ids=ascii,
)
def test_what_the_grammar_does_not_have_is_no_scope(text: str) -> None:
    assert smart_scope(text) is None


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("category=laboratory", (("category", "laboratory"),)),
        (f"category={LAB}", (("category", LAB),)),
        ("category=a&category=b", (("category", "a"), ("category", "b"))),
        ("code=b&category=a", (("category", "a"), ("code", "b"))),
        ("&".join(f"code={letter}" for letter in "gdbfaceh"), tuple(("code", letter) for letter in "abcdefgh")),
        ("code=a&code=a", (("code", "a"),)),
        ("code=a,b", (("code", "a,b"),)),
        ("code=a=b?c/d:e", (("code", "a=b?c/d:e"),)),
        ("code:in=http://valueset.example.org/ValueSet/diabetes", (("code:in", "http://valueset.example.org/ValueSet/diabetes"),)),
        ("patient.birthdate=1990", (("patient.birthdate", "1990"),)),
        ("_has:Observation:patient:code=1234-5", (("_has:Observation:patient:code", "1234-5"),)),
        ("_id=7&_lastUpdated=gt2020&_tag=a|b", (("_id", "7"), ("_lastUpdated", "gt2020"), ("_tag", "a|b"))),
        ("_counted=x", (("_counted", "x"),)),
        ("%63ode=%61%20b", (("code", "a b"),)),
        ("code=a%26code%3Db", (("code", "a&code=b"),)),
        ("code=%2541", (("code", "%41"),)),
        ("code=a%2Bb%23c%5C,%22", (("code", 'a+b#c\\,"'),)),
        ("name=%C3%A9", (("name", "\u00e9"),)),
    ],
)  # fmt: skip
def test_parameters_are_decoded_once_and_sorted(query: str, filters: tuple[tuple[str, str], ...]) -> None:
    read = smart_scope(f"patient/Observation.rs?{query}")
    assert read is not None
    assert (read.permissions, read.filters) == ("rs", filters)


@pytest.mark.parametrize(
    "query",
    [
        # Not pairs, or pairs that say nothing: a server passes over them, and they would limit nothing.
        *("", "&", "=", "category", "category=", "=laboratory", "&code=a", "code=a&", "code=a&&x=b", "code=a&category"),
        *("code=a&category=", "code=,", "code=|", "code=,|,", "code=%20", "code=%2C", "code=$", "?code=a", "?"),
        # What shapes the answer or adds to it.
        *("_count=5", "_include=Observation:subject", "_include:iterate=Patient:link", "_revinclude=Provenance:target"),
        *("_sort=date", "_summary=true", "_elements=id", "_format=json", "_total=none", "_contained=true"),
        *("_pretty=true", "code=a&_count=5", "_%63ount=5", "_containedType=container", "_include.x=y", "_graph=a"),
        # Malformed escapes, what is no UTF-8, what cannot be seen.
        *("code=%", "code=%2", "code=%zz", "code=%%41", "code=%u0041", "code=%-1", "c%=a", "code=a%+1"),
        *("code=%FF", "code=%C0%AF", "code=%ED%A0%80", "code=%C3", "code=a%00b", "code=a%0Ab", "code=a%0D", "%00=a"),
        *("code=%7F", "code=%E2%80%AE", "code=a%E2%80%8Bb", "code=%09a"),
        # Characters that readers of a query take in different ways, or that no scope has.
        *("code=a+b", "code=a#b", "code=a b", 'code="a"', "code=a\\b", "code=\u00e9", "code=a\n", "code=a\t"),
        # Names that are none.
        *("co de=a", "co%20de=a", "code%26=a", "1code=a", "code:=a", "code..x=a", ".code=a", "code[]=a", "c\u043ede=a"),
        *("code=\x7f", "__code=a", "code%3D=a", "-code=a", "c%C3%B6de=a", "code:in:=a"),
    ],
    ids=ascii,
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["rs", "read", "*"])
def test_a_scope_with_a_parameter_that_limits_nothing_is_no_scope(query: str, suffix: str) -> None:
    assert smart_scope(f"patient/Observation.{suffix}?{query}") is None


def test_a_scope_has_a_greatest_number_of_parameters() -> None:
    parts = [f"code={number}" for number in range(MAX_PARAMETERS + 1)]
    assert smart_scope("user/Observation.rs?" + "&".join(parts[1:]))
    assert smart_scope("user/Observation.rs?" + "&".join(parts)) is None


def test_a_scope_has_a_greatest_length() -> None:
    text = "user/Observation.rs?code="
    assert smart_scope(text + "a" * (MAX_SCOPE_LENGTH - len(text)))
    assert smart_scope(text + "a" * (MAX_SCOPE_LENGTH - len(text) + 1)) is None


MARKS = "patient/user/system/Observation.*.cruds.read.write?code=a&%41%C3%A9_:\n\t "


@given(st.text() | st.text(alphabet=MARKS) | st.text(alphabet=MARKS).map("patient/Patient.rs?".__add__))
def test_no_text_makes_reading_raise(text: str) -> None:
    read = smart_scope(text)
    assert read is None or (read.permissions in SUBSETS and text.startswith(f"{read.context}/{read.resource}."))


# What lies within others


def is_covered(text: str, *by: str) -> bool:
    scope = smart_scope(text)
    assert scope is not None
    return covered(scope, [one for one in map(smart_scope, by) if one is not None])


@pytest.mark.parametrize(
    ("text", "by"),
    [
        ("user/Observation.rs", ["user/Observation.rs"]),
        ("user/Observation.rs", ["user/Observation.read"]),
        ("user/Observation.read", ["user/Observation.rs"]),
        ("user/Observation.r", ["user/Observation.rs"]),
        ("user/Observation.write", ["user/Observation.cruds"]),
        ("user/Observation.rs", ["user/*.rs"]),
        ("user/*.s", ["user/*.*"]),
        ("user/Observation.rs", ["user/Observation.r", "user/*.s"]),
        ("user/Observation.rs?category=lab", ["user/Observation.rs"]),
        ("user/Observation.r?code=1&category=lab", ["user/*.rs?category=lab"]),
        ("user/Observation.r?category=a%62", ["user/Observation.r?category=ab"]),
    ],
    ids=str,
)
def test_what_opens_no_more_is_covered(text: str, by: list[str]) -> None:
    assert is_covered(text, *by)


@pytest.mark.parametrize(
    ("text", "by"),
    [
        ("user/Observation.rs", []),
        ("user/Observation.write", ["user/Observation.rs"]),
        ("user/Observation.cruds", ["user/Observation.rs"]),
        ("user/Observation.*", ["user/Observation.read"]),
        ("user/Observation.rs", ["user/Observation.r"]),
        ("user/Observation.rs", ["user/Observation.r", "patient/Observation.s"]),
        ("user/Observation.rs", ["user/Observation.r", "user/Patient.s"]),
        ("user/*.rs", ["user/Observation.rs"]),
        ("user/Observation.rs", ["user/Patient.rs", "user/ObservationX.rs"]),
        ("patient/Observation.rs", ["user/Observation.rs", "system/*.cruds"]),
        ("system/Observation.rs", ["user/*.cruds", "patient/*.cruds"]),
        ("user/Observation.rs", ["user/Observation.rs?category=lab"]),
        ("user/Observation.rs?category=lab", ["user/Observation.rs?category=x"]),
        ("user/Observation.rs?category=lab", ["user/Observation.rs?category=lab&code=1"]),
        ("user/Observation.rs?category=lab,x", ["user/Observation.rs?category=lab"]),
    ],
    ids=str,
)
def test_what_opens_more_is_not_covered(text: str, by: list[str]) -> None:
    assert not is_covered(text, *by)
