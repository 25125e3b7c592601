import re
from typing import Any

import pytest
from starlette.convertors import CONVERTOR_TYPES
from werkzeug.routing import BaseConverter, Map, Rule, ValidationError

from oauth_rs.inventory.pieces import ANGLES, Anything, Piece, literal, pattern, pieces, values
from oauth_rs.inventory.places import HERE, Place

BRACES = re.compile(r"{(\w+)(?::\w+)?}")


class Code(BaseConverter):
    """One that must not be asked: it would look into a database."""

    regex = "[A-Z]{3}"

    def to_python(self, value: str) -> Any:
        raise LookupError(value)


class Year(Code):
    regex = r"\d{4}"


def nothing(_server: object) -> tuple[()]:
    """The templates of no server."""
    return ()


def examples(place: Place) -> list[str]:
    return ["".join(one) for one in place.examples(nothing)]


def of_rule(template: str) -> tuple[Rule, Place]:
    rule = Rule(template, endpoint="x")
    Map([rule], converters={"code": Code, "year": Year})
    return rule, HERE.below(*pieces(template, ANGLES, rule._converters))


MATCHED = [
    "/plain",
    "/<name>",
    "/<int:number>",
    "/<int(max=9):number>",
    "/<int(min=4000):number>",
    "/<int(min=5000, max=5001):number>",
    "/<int(fixed_digits=6):number>",
    "/<int(signed=True, max=0):number>",
    "/<float:number>",
    "/<float(min=2000.5, max=2000.5):number>",
    "/<uuid:key>",
    "/<path:rest>",
    "/<any(about, 'a:b', \"c d\"):page>",
    "/<string(length=2):language>",
    "/<string(minlength=30):long>",
    "/<a>/<int:b>-<uuid:c>/<path:d>/end",
]


@pytest.mark.parametrize("template", MATCHED)
def test_the_examples_of_a_path_are_led_there(template: str) -> None:
    rule, place = of_rule(template)
    found = examples(place)
    match = Map([rule.empty()]).bind("").match
    assert found
    for example in found:
        assert match(example)[0] == "x"


@pytest.mark.parametrize("name", CONVERTOR_TYPES)
def test_the_examples_fit_the_converters_of_starlette(name: str) -> None:
    place = HERE.below(*pieces(f"/{{it:{name}}}", BRACES, {"it": CONVERTOR_TYPES[name]}))
    for example in examples(place):
        CONVERTOR_TYPES[name].convert(example.removeprefix("/"))
        assert re.fullmatch(CONVERTOR_TYPES[name].regex, example.removeprefix("/"))


def test_the_path_is_written_as_it_was() -> None:
    template = "/<a>/<int(max=9):b>-<uuid:c>/end"
    assert of_rule(template)[1].path == template


def test_converters_of_the_users_are_judged_by_their_pattern_alone() -> None:
    with pytest.raises(LookupError):
        Code(Map()).to_python("ABC")
    assert examples(of_rule("/<year:y>")[1]) == ["/1729", "/1111"]


def test_where_no_sample_fits_there_is_an_example_all_the_same() -> None:
    assert examples(of_rule("/<code:x>")[1]) == ["/1729"]


def test_a_number_that_is_out_of_bounds_is_no_example() -> None:
    rule, place = of_rule("/<int(max=9):number>")
    with pytest.raises(ValidationError):
        rule._converters["number"].to_python("1729")
    assert "/1729" not in examples(place)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("/<name>", ["1729", "example", "00000000-0000-4000-8000-000000001729", "1729.5", "2001-01-01"]),
        ("/<path:rest>", ["1729", "example", "example/1729", "1729/", "00000000-0000-4000-8000-000000001729"]),
        ("/<int:number>", ["1729", "1", "11", "111", "1111"]),
        ("/<any(f, e, d, c, b, a):page>", ["a", "b", "c", "d", "e", "f"]),
    ],
)
def test_a_parameter_has_samples_of_each_kind_that_fits(template: str, expected: list[str]) -> None:
    assert examples(of_rule(template)[1]) == [f"/{value}" for value in expected]


def test_what_may_be_empty_has_an_empty_sample() -> None:
    place = HERE.below(*pieces("/{p:path}", BRACES, {"p": CONVERTOR_TYPES["path"]}))
    assert {"/", "/1729/", "/example/1729", "/1729"} <= set(examples(place))


def of_path(path: str, template: str) -> tuple[str, ...] | None:
    parts = of_rule(template)[1].pieces
    return values(path, parts, pattern(parts))


@pytest.mark.parametrize(
    ("path", "template", "expected"),
    [
        ("/a/7-x/b/c", "/a/<int:n>-<x>/<path:rest>", ("/a/", "7", "-", "x", "/", "b/c", "")),
        ("/plain", "/plain", ("/plain",)),
        ("/9", "/<int(max=9):n>", ("/", "9", "")),
        ("/ABC", "/<code:x>", ("/", "ABC", "")),
    ],
)
def test_a_path_is_taken_apart_by_its_template(path: str, template: str, expected: tuple[str, ...]) -> None:
    assert of_path(path, template) == expected


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/b", "/a"),
        ("/a/b", "/<x>"),
        ("/x", "/<int:n>"),
        ("/10", "/<int(max=9):n>"),
        ("/axb", "/a.b"),
        ("/abc", "/<code:x>"),
        ("/a\n", "/<path:x>"),
    ],
)
def test_a_path_that_does_not_fit_is_none(path: str, template: str) -> None:
    assert of_path(path, template) is None


def test_a_pattern_may_stand_for_a_converter() -> None:
    parts = (literal("/x"), Piece("/*", ("/1",), Anything("/.*")))
    assert values("/x/1/2", parts, pattern(parts)) == ("/x", "/1/2")
    assert values("/x", parts, pattern(parts)) is None
