import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.scope_templates import MAX_PARAMETER, Template, is_template


@pytest.mark.parametrize(
    ("text", "values", "scope"),
    [
        ("tenant:{tenant}:read", {"tenant": "acme"}, "tenant:acme:read"),
        ("tenant:{tenant}:read", {"tenant": "a.b-c_d~9"}, "tenant:a.b-c_d~9:read"),
        ("{a}:x:{a}:{b}", {"a": "1", "b": "2"}, "1:x:1:2"),
        ("{{{a}}}:{{b}}", {"a": "x"}, "{x}:{b}"),
        ("{{no}}", {}, "{no}"),
        ("t:{a}", {"a": "x" * MAX_PARAMETER}, "t:" + "x" * MAX_PARAMETER),
    ],
)
def test_a_template_takes_what_it_is_filled_to(text: str, values: dict[str, str], scope: str) -> None:
    template = Template(text)
    assert template.filled(values) == template.filled({**values, "other": ":"}) == scope
    assert template.takes(scope)
    assert template.parameters == tuple(values)
    for other in ("", scope + "x:", ":" + scope, scope + "\n", scope.upper() + "!"):
        assert not template.takes(other)


@pytest.mark.parametrize(
    "value",
    ["", " ", "a:b", "a/b", "*", "a\n", "{a}", "caf\u00e9", "\u0661", "a%62", "x" * (MAX_PARAMETER + 1)],
    ids=ascii,
)
def test_what_is_no_value_fills_nothing_and_is_not_taken(value: str) -> None:
    template = Template("t:{a}:r")
    assert template.filled({"a": value}) is None
    assert not template.takes(f"t:{value}:r")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("t.{a}.r", "x.y"),
        ("t.{a}", "x.y"),
        ("{a}-r", "x-y"),
        ("{a}~x", "b~x"),
        ("t_{a}:x", "b_c"),
        ("{a}.x:{a}", "y.z"),
    ],
)
def test_a_value_does_not_hold_a_mark_beside_it(text: str, value: str) -> None:
    template = Template(text)
    assert template.filled({"a": value}) is None
    assert not template.takes(text.format(a=value))


def test_a_parameter_that_is_there_twice_has_one_value() -> None:
    assert not Template("{a}:x:{a}").takes("1:x:2")


@pytest.mark.parametrize(
    "text", ["{}", "{0}", "{a.b}", "{a[0]}", "{a!r}", "{a:3}", "{a:{b}}", "{a-b}", "{ a}", "{a}{b}"]
)
def test_a_parameter_is_a_name(text: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(f"{text!r} has a parameter that is none")):
        Template(text)


@pytest.mark.parametrize("text", ["{", "}", "a{b", "a}b", "{{{", "}}}", "{a}}", "{{a}"])
def test_a_brace_of_the_scope_is_written_twice(text: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(f"{text!r}: a brace of the scope itself is written twice")):
        Template(text)


@pytest.mark.parametrize("text", ["org{org}team{team}", "doc{id}", "{id}s", "a:{id}b", "v1{x}:y"])
def test_a_parameter_has_a_mark_beside_it(text: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(f"{text!r} needs a mark beside its parameter")):
        Template(text)


def test_a_template_is_told_from_a_scope() -> None:
    assert [is_template(one) for one in ("a:{b}", "a{{b", "a}}b", "a:b")] == [True, True, True, False]


VALUES = st.text(st.sampled_from("ab.:-_~/%{}\u00e9"), max_size=4)
TEXTS = st.sampled_from(["t:{a}:r", "{a}.{b}", "{a}-x.{b}", "{a}/{a}", "{{{a}}}"])


@given(TEXTS, VALUES, VALUES)
def test_to_fill_and_to_take_are_inverses(text: str, a: str, b: str) -> None:
    template, scope = Template(text), text.format(a=a, b=b)
    assert template.takes(scope) is (template.filled({"a": a, "b": b}) is not None)
