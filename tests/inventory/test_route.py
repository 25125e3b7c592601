from typing import Any

import pytest

from oauth_rs import AllOf, AnyOf, FieldFilter, Requirement
from oauth_rs.inventory.route import Protection, Route, described
from oauth_rs.requirements import Acr


def route(*requirements: Requirement, protection: Protection = "protected", **more: Any) -> Route:
    members = {"method": "GET", "path": "/photos", "endpoint": "photos", **more}
    return Route(protection=protection, requirements=requirements, **members)


REQUIREMENTS: dict[str, Requirement] = {
    "photos": AllOf("photos"),
    "a and b": AllOf("a", "b"),
    "a or b": AnyOf("a", "b"),
    "a and (b or c)": AllOf("a", AnyOf("b", "c")),
    "a or (b and c)": AnyOf("a", AllOf("b", "c")),
    "a and b and c": AllOf("a", AllOf("b", "c")),
    "a or b or (c and (d or e))": AnyOf("a", AnyOf("b", AllOf("c", AnyOf("d", "e")))),
    "x and y": AllOf(AnyOf(AllOf("x", "y"))),
    "(a or b) and c": AllOf(AnyOf(AnyOf("a", "b")), "c"),
    "any grant": AllOf(),
    "tenant:{tenant}:read and b": AllOf("tenant:{tenant}:read", "b"),
    "a and Acr('mfa')": AllOf("a", Acr("mfa")),
    "twice": AllOf("twice", AllOf("twice")),
}


@pytest.mark.parametrize(("text", "requirement"), REQUIREMENTS.items(), ids=REQUIREMENTS)
def test_a_requirement_is_described_with_brackets_only_where_they_matter(text: str, requirement: Requirement) -> None:
    assert described(requirement) == text


def test_a_route_takes_all_of_its_requirements() -> None:
    assert route(AnyOf("a", "b"), AllOf("c"), AllOf("c"), sources=("policy", "decorator")).takes == "(a or b) and c"


def test_a_route_that_somebody_asks_a_grant_for_takes_any() -> None:
    assert route(sources=("server",)).takes == "any grant"


def test_a_route_that_nobody_asks_a_grant_for_takes_nothing() -> None:
    assert route(protection="public").takes == ""


def test_a_route_is_filtered_by_the_scopes_of_each_filter() -> None:
    assert route().filtered_by == ""
    assert route(filters=(FieldFilter({"b": ["x"], "a": ["y"]}),)).filtered_by == "b, a"
    several = FieldFilter({}, always=["x"]), FieldFilter({"a": ["y"]})
    assert route(filters=several).filtered_by == "no scope; a"
    assert route(filters=several).as_data()["filtered_by"] == "no scope; a"


def test_a_note_comes_after_those_that_are_there() -> None:
    assert route().noting("") == route()
    assert route().noting("a").noting("b").note == "a; b"


def test_a_fault_says_where_it_is_and_what_it_is() -> None:
    faulty = route(protection="broken", problem="nobody can get there")
    assert faulty.fault == "GET /photos (photos) is broken: nobody can get there"


def test_as_data_it_is_plain() -> None:
    assert route(AllOf("b", AnyOf("a", "b")), sources=("decorator",)).as_data() == {
        "method": "GET",
        "path": "/photos",
        "endpoint": "photos",
        "protection": "protected",
        "takes": "b and (a or b)",
        "scopes": ["b", "a"],
        "sources": ["decorator"],
        "filtered_by": "",
        "problem": "",
        "note": "",
    }
