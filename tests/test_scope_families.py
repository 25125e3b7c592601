import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.scope_families import ScopeFamily
from oauth_rs.scopes import ScopeTemplate
from tests.support.granting import grant
from tests.support.playing import PlainRequest

READ = ScopeFamily("tenant:{tenant}:read")


@pytest.mark.parametrize(
    "scope", ["tenant:acme:read", "tenant:a:read", "tenant:a.b-c_d~9:read", f"tenant:{'a' * 256}:read"]
)
def test_what_has_the_shape_is_of_the_family(scope: str) -> None:
    assert READ.has(scope)


@pytest.mark.parametrize(
    "scope",
    [
        *("tenant::read", "tenant:acme:write", "tenant:acme:read ", " tenant:acme:read", "xtenant:acme:read", ""),
        *("tenant:acme:reads", "tenant:a:b:read", "tenant:a/b:read", "Tenant:acme:read", "tenant:{tenant}:read"),
        *("tenant:*:read", "tenant:\u00e9:read", "tenant:acme:read\n", "tenant:a%62:read", f"tenant:{'a' * 257}:read"),
    ],
    ids=lambda one: ascii(one)[:40],
)
def test_what_has_another_shape_is_not(scope: str) -> None:
    assert not READ.has(scope)


def test_marks_beside_a_parameter_are_not_of_its_value() -> None:
    family = ScopeFamily("{tenant}.read")
    assert family.has("acme.read")
    assert family.has("ac-me.read")
    assert not family.has("a.b.read")


def test_a_parameter_that_is_there_twice_has_one_value() -> None:
    family = ScopeFamily("{a}:x:{a}:{b}")
    assert family.has("1:x:1:2")
    assert not family.has("1:x:2:2")


def test_braces_of_the_scopes_are_written_twice() -> None:
    assert ScopeFamily("a{{{b}}}").has("a{x}")
    assert not ScopeFamily("a{{{b}}}").has("ax")


@pytest.mark.parametrize(
    "template",
    ["photos", "a:{{b}}", "", "a b{c}", "{", "x{a}", "{a}{b}", "{a!r}:", "{0}:", "{}:", "a:{b}c", "{a}", "{a}:{b}"],
)
def test_what_is_no_template_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(template))):
        ScopeFamily(template)


def test_a_family_shows_its_template() -> None:
    assert repr(READ) == "ScopeFamily('tenant:{tenant}:read')"


VALUES = st.text(st.sampled_from("ab.:-_~/%{}é"), max_size=4)


@given(st.sampled_from(["t:{a}:r", "t:{a}.{b}", "{a}-x.{b}", "t/{a}/{a}", "t{{{a}}}"]), VALUES, VALUES)
def test_a_family_is_what_its_template_asks_for(template: str, a: str, b: str) -> None:
    scope = template.format(a=a, b=b)
    request = PlainRequest(parameters={"a": a, "b": b})
    asked_for = ScopeTemplate(template).shortfall(grant(scopes=frozenset({scope})), request) is None
    assert ScopeFamily(template).has(scope) is asked_for
