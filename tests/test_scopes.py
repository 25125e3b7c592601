import re
from collections.abc import Collection
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.errors import InsufficientAuthentication, InsufficientScope, OAuthError
from oauth_rs.flow import Call, Flow
from oauth_rs.model import Grant, shortfall
from oauth_rs.request import Request
from oauth_rs.requirements import Acr, Condition, MaxAge
from oauth_rs.scopes import (
    AllOf,
    AnyOf,
    Granted,
    Requirement,
    ScopeTemplate,
    all_of,
    lacking,
    parameters_of,
    templates_of,
)
from oauth_rs.smart import smart
from tests.support.playing import PlainRequest, play


@pytest.mark.parametrize(
    ("requirement", "held", "met"),
    [
        (AllOf("a", "b"), {"a", "b", "c"}, True),
        (AllOf("a", "b"), {"a"}, False),
        (AllOf("a"), set(), False),
        (AllOf(), set(), True),
        (AnyOf("a", "b"), {"b"}, True),
        (AnyOf("a", "b"), {"c"}, False),
        (AnyOf("a", "b"), set(), False),
        (AllOf("a", AnyOf("b", "c")), {"a", "c"}, True),
        (AllOf("a", AnyOf("b", "c")), {"b", "c"}, False),
        (AnyOf("a", AllOf("b", "c")), {"b", "c"}, True),
        (AnyOf("a", AllOf("b", "c")), {"b"}, False),
    ],
    ids=repr,
)
def test_a_requirement_is_met_by_exactly_the_right_scopes(requirement: Requirement, held: set[str], met: bool) -> None:  # noqa: FBT001
    assert requirement.met_by(held) is met


@pytest.mark.parametrize("held", ["photo", "photos.read", "PHOTOS", " photos", "photos "])
def test_scopes_are_compared_whole_and_to_the_letter(held: str) -> None:
    assert not AllOf("photos").met_by({held})
    assert not AnyOf("photos").met_by({held})


def test_a_requirement_names_each_scope_once_and_in_order() -> None:
    assert AllOf("b", AnyOf("a", "b"), "c", "a").scopes == ("b", "a", "c")
    assert AnyOf("b", AllOf("a", "b")).scopes == ("b", "a")


def test_a_requirement_shows_how_it_was_written() -> None:
    assert repr(AllOf("a", AnyOf("b", "c"))) == "AllOf('a', AnyOf('b', 'c'))"


def test_any_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="name at least one scope"):
        AnyOf()


@pytest.mark.parametrize("name", ["", " ", "a b", "a\tb", 'a"b', "a\\b", "caf\u00e9", "a\n", "a\x7f", "\x00"])
@pytest.mark.parametrize("kind", [AllOf, AnyOf])
def test_what_is_not_one_scope_token_is_refused(kind: Any, name: str) -> None:
    with pytest.raises(ValueError, match="is not one scope"):
        kind(name)


@pytest.mark.parametrize("name", ["photos", "!", "#~", "https://example.com/a?b=c&d=%20", "patient/*.rs", "a,b"])
def test_every_scope_token_of_rfc_6749_is_taken(name: str) -> None:
    assert AllOf(name).scopes == (name,)


@pytest.mark.parametrize(
    "part", [None, 7, b"photos", ["photos"], ("a", "b"), {"a"}, print, AllOf], ids=lambda part: type(part).__name__
)
@pytest.mark.parametrize("kind", [AllOf, AnyOf])
def test_what_is_neither_scope_nor_requirement_is_refused(kind: Any, part: Any) -> None:
    with pytest.raises(TypeError, match=r"AllOf\('a', 'b'\); did @requires miss its parentheses"):
        kind(part)


def test_all_of_parts_is_the_only_requirement_itself() -> None:
    either = AnyOf("a", "b")
    assert all_of((either,)) is either
    assert all_of(("a", either)).scopes == ("a", "b")
    assert all_of(("a",)).met_by({"a"})
    assert all_of(()).met_by(set())


@pytest.mark.parametrize("part", ["a b", ""])
def test_all_of_parts_checks_a_single_scope_too(part: str) -> None:
    with pytest.raises(ValueError, match="is not one scope"):
        all_of((part,))


class Every:
    """A requirement of one's own: the Protocol is three members."""

    scopes = ("x", "y")

    def met_by(self, held: Collection[str], /) -> bool:
        return len(held) > 1

    def shortfall(self, grant: Granted, _request: Request | None, /) -> OAuthError | None:
        return None if self.met_by(grant.scopes) else lacking(self)


def test_a_requirement_of_ones_own_can_be_a_part() -> None:
    assert AnyOf("a", Every()).met_by({"b", "c"})
    assert not AllOf("a", Every()).met_by({"b", "c"})
    assert AllOf("a", Every()).scopes == ("a", "x", "y")
    assert all_of((Every(),)).scopes == ("x", "y")


# Templates


def grant_of(*scopes: str) -> Any:
    return Grant("Bearer", "p", "i", "ada", "app", frozenset(scopes), 0)


def lack_of(requirement: Requirement, held: Any, **parameters: Any) -> OAuthError | None:
    return play(requirement.shortfall(held, PlainRequest(parameters=parameters)))


@pytest.mark.parametrize(
    ("template", "parameters", "scope"),
    [
        ("tenant:{tenant}:read", {"tenant": "acme"}, "tenant:acme:read"),
        ("tenant:{tenant}:read", {"tenant": "acme", "id": 7}, "tenant:acme:read"),
        ("photo:{id}", {"id": 7}, "photo:7"),
        ("u/{id}", {"id": UUID(int=7)}, "u/00000000-0000-0000-0000-000000000007"),
        ("{a}:{b}", {"a": "x.y", "b": "~z_"}, "x.y:~z_"),
        ("t-{a}:{a}", {"a": "x"}, "t-x:x"),
        ("{{{a}}}:{{b}}", {"a": "x"}, "{x}:{b}"),
        ("{{no}}", {}, "{no}"),
        ("t:{a}", {"a": "x" * 256}, "t:" + "x" * 256),
    ],
)
def test_a_template_is_met_by_the_scope_that_the_path_makes_of_it(
    template: str, parameters: dict[str, Any], scope: str
) -> None:
    for requirement in (ScopeTemplate(template), AllOf(template), AnyOf("other", template)):
        assert lack_of(requirement, grant_of("openid", scope), **parameters) is None
        for held in ("openid", template, scope + "x", "x" + scope, scope.upper() + "!", scope[:-1] or "x"):
            assert isinstance(lack_of(requirement, grant_of(held), **parameters), InsufficientScope)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            " ",
            "a:b",
            "a:read",
            "acme:admin",
            "a/b",
            "a b",
            "a+b",
            "*",
            "a*",
            "a,b",
            "a\n",
            "\nacme",
            "a\x00",
            "a%3Ab",
        ),
        *(
            "{tenant}",
            "{",
            "a}",
            "acme\u200b",
            "\u0430cme",
            "\uff41cme",
            "caf\u00e9",
            "\u0661",
            "x" * 257,
            '"',
            "\\",
            "a=b",
        ),
        *(None, True, ["acme"], {"a": 1}, 1.5, -1),
    ],
    ids=repr,
)
def test_a_value_that_could_make_another_scope_of_it_meets_nothing(value: Any) -> None:
    everything = grant_of(
        f"tenant:{value}:read", "tenant::read", "tenant:acme:read", "tenant:*:read", f"tenant:{value}"
    )
    lack = lack_of(AllOf("tenant:{tenant}:read"), everything, tenant=value)
    harmless = isinstance(value, bool | float | int) or value is None  # text of letters, digits, `.` and `-`
    assert (lack is None) is harmless


@pytest.mark.parametrize(
    ("template", "value", "met"),
    [
        ("t.{tenant}.read", "acme.admin", False),
        ("t.{tenant}", "acme.admin", False),
        ("{tenant}-read", "acme-admin", False),
        ("{a}~x", "b~x", False),
        ("t_{a}:x", "b_c", False),
        ("t-x:{tenant}:y", "acme-1.2_3~4", True),
        ("t.x:{tenant}", "acme.x", True),
    ],
)
def test_a_value_does_not_hold_the_mark_that_parts_it_from_the_rest(template: str, value: str, met: object) -> None:
    (name,) = ScopeTemplate(template).parameters
    held = grant_of(template.format_map({name: value}))
    assert (lack_of(ScopeTemplate(template), held, **{name: value}) is None) is met


def test_no_challenge_shows_what_the_path_made_of_a_template() -> None:
    request = PlainRequest(parameters={"tenant": "acme"})
    lack = play(shortfall(grant_of("photos"), AllOf("photos", "tenant:{tenant}:read"), request))
    assert isinstance(lack, InsufficientScope)
    assert lack.scope == "photos"
    assert AllOf("photos", "tenant:{tenant}:read").scopes == ("photos",)
    assert ScopeTemplate("a:{b}").scopes == ()


@pytest.mark.parametrize(
    "template",
    [
        *(
            "{}",
            "a{}",
            "{0}",
            "{1a}",
            "{a.b}",
            "{a[0]}",
            "{a!r}",
            "{a:3}",
            "{a:{b}}",
            "{a b}",
            "{a-b}",
            "{ a}",
            "{a}{b}",
        ),
        *("{", "}", "a{b", "a}b", "{{{", "}}}", "{a}}", "{{a}"),
    ],
)
@pytest.mark.parametrize("kind", [AllOf, AnyOf, ScopeTemplate])
def test_what_is_no_template_is_refused(kind: Any, template: str) -> None:
    with pytest.raises(ValueError, match=r"has a parameter that is none|is written twice|is not one scope"):
        kind(template)


def test_a_template_that_names_what_the_path_lacks_is_a_mistake_and_never_a_pass() -> None:
    with pytest.raises(TypeError, match="the path has no parameter 'tenant'"):
        lack_of(AllOf("tenant:{tenant}:read"), grant_of("tenant:acme:read"), Tenant="acme")


def test_a_template_cannot_be_asked_without_the_request() -> None:
    with pytest.raises(TypeError, match="needs the request"):
        grant_of("tenant:acme:read").require("tenant:{tenant}:read")
    for held in ("tenant:acme:read", "a"):  # whatever the grant
        with pytest.raises(TypeError, match="needs the request"):
            grant_of(held).allows(AnyOf("a", "tenant:{tenant}:read"))


@pytest.mark.parametrize("template", ["org{org}team{team}", "doc{id}", "{id}s", "a:{id}b", "v1{x}:y"])
def test_a_parameter_has_a_mark_beside_it(template: str) -> None:
    with pytest.raises(ValueError, match="needs a mark beside its parameter"):
        ScopeTemplate(template)


def test_any_of_a_requirement_that_every_grant_meets_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="met by any grant"):
        AnyOf("admin", AllOf())


def test_functions_of_the_application_are_asked_last() -> None:
    def ask(_grant: Any, _request: Any) -> bool:
        raise AssertionError("the scopes are lacking")

    lack = lack_of(AllOf(Condition(ask), AnyOf("x", "y")), grant_of("a"))
    assert lack is not None
    assert lack.reason == "insufficient_scope"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (AllOf("a", AnyOf("b", "c")), AllOf("a", AnyOf("b", "c"))),
        (AllOf("t:{x}"), AllOf("t:{x}")),
        (AllOf(Acr("mfa")), AllOf(Acr("mfa"))),
        (AllOf(MaxAge(3)), AllOf(MaxAge(3))),
        (AllOf(Condition(print)), AllOf(Condition(print))),
        (AllOf(smart("Patient", "r")), AllOf(smart("Patient", "r"))),
    ],
    ids=repr,
)
def test_requirements_that_ask_for_the_same_are_equal(one: AllOf, other: AllOf) -> None:
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (AllOf("a"), AnyOf("a")),
        (AllOf("a"), AllOf("b")),
        (AnyOf("a"), AnyOf("b")),
        (AllOf("t:{x}"), AllOf("t:{y}")),
        (AllOf(Acr("mfa")), AllOf(Acr("pwd"))),
        (AllOf(MaxAge(3)), AllOf(MaxAge(4))),
        (AllOf(Condition(lambda _g, _r: True)), AllOf(Condition(lambda _g, _r: True))),
        (AllOf(smart("Patient", "r")), AllOf(smart("Patient", "r", filtered=True))),
        (AllOf(Acr("mfa")), AllOf("mfa")),
        (AllOf(MaxAge(3)), AllOf(Acr("3"))),
        (AllOf(smart("Patient", "r")), AllOf("t:{x}")),
        (AllOf("t:{x}"), AllOf(Condition(print))),
        (AllOf(Condition(print)), AllOf(MaxAge(1))),
    ],
    ids=repr,
)
def test_requirements_that_ask_for_something_else_are_not_equal(one: AllOf, other: AllOf) -> None:
    assert one != other


def test_a_template_is_not_met_by_scopes_alone() -> None:
    assert not ScopeTemplate("a:{b}").met_by({"a:{b}", "a:b", "a:"})
    assert not AllOf("x", "a:{b}").met_by({"x", "a:{b}"})
    assert AnyOf("x", "a:{b}").met_by({"x"})


def test_a_template_shows_how_it_was_written() -> None:
    assert repr(AllOf("x", AnyOf("a:{b}", "{{c}}"))) == "AllOf('x', AnyOf('a:{b}', '{{c}}'))"


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_value_makes_a_scope_with_more_pieces(one: str, other: str) -> None:
    held = frozenset({f"t:{one}:{other}:read", f"t:{one}:{other}", "t:acme:read:read"})
    lack = lack_of(AllOf("t:{a}:{b}:read"), grant_of(*held), a=one, b=other)
    assert (lack is None) is (
        ":" not in one + other and all(map(re.compile(r"[\w.~-]+", re.ASCII).fullmatch, (one, other)))
    )


# Which parameters a requirement looks at


class Looking:
    scopes = ()
    parameters = ("id", "name")

    def met_by(self, _held: Collection[str], /) -> bool:
        return False

    def shortfall(self, _grant: Granted, _request: Request | None, /) -> None:
        return None


@pytest.mark.parametrize(
    ("requirement", "parameters"),
    [
        (AllOf(), set()),
        (AllOf("a", AnyOf("b", "c")), set()),
        (AllOf("a:{b}", AnyOf("c", AllOf("d:{e}:{b}"))), {"b", "e"}),
        (AnyOf("a", Looking()), {"id", "name"}),
        (Looking(), {"id", "name"}),
        (Every(), set()),
    ],
    ids=repr,
)
def test_the_parameters_of_a_requirement_are_those_of_all_its_parts(
    requirement: Requirement, parameters: set[str]
) -> None:
    assert parameters_of(requirement) == parameters


# Parts that must be waited for


class Waiting:
    """Asks the outside, and lacks what it is told to."""

    scopes: tuple[str, ...] = ()

    def __init__(self, lack: OAuthError | None) -> None:
        self.lack = lack

    def met_by(self, _held: Collection[str], /) -> bool:
        return False

    def shortfall(self, _grant: Granted, _request: Request | None, /) -> Flow[OAuthError | None]:
        yield from ASK
        return self.lack


class Never:
    """A part that must not be asked."""

    scopes: tuple[str, ...] = ()

    def met_by(self, _held: Collection[str], /) -> bool:
        return False

    def shortfall(self, _grant: Granted, _request: Request | None, /) -> OAuthError | None:
        raise AssertionError


ASK = Call(blocking=print)
REFUSED = InsufficientScope("condition_not_met", "No.", scope="")


@pytest.mark.parametrize(
    ("requirement", "waits", "lack"),
    [
        (AllOf("a", Waiting(None)), 1, None),
        (AllOf("a", Waiting(REFUSED)), 1, REFUSED),
        (AllOf("a", Waiting(None), Waiting(REFUSED), Never()), 2, REFUSED),
        (AnyOf("b", Waiting(None), Never()), 1, None),
        (AnyOf("b", Waiting(REFUSED), Waiting(None), Never()), 2, None),
        (AnyOf("a", Never()), 0, None),
        (AllOf("a", AnyOf("b", Waiting(None))), 1, None),
        (AnyOf("b", AllOf("c", Never()), AllOf("a", Waiting(None))), 1, None),
    ],
    ids=range(8),
)
def test_parts_are_asked_in_order_and_no_more_than_need_be(requirement: Requirement, waits: int, lack: Any) -> None:
    assert play(requirement.shortfall(grant_of("a"), PlainRequest()), *[(ASK, None)] * waits) is lack


def better(acr: str = "", max_age: int | None = None) -> Waiting:
    """A part that takes a better or later authentication."""
    return Waiting(InsufficientAuthentication("r", "No.", acr_values=(acr,) if acr else (), max_age=max_age))


@pytest.mark.parametrize(
    ("parts", "acr_values", "max_age"),
    [
        ((better("x"),), ("x",), None),
        ((better("x"), better(max_age=60)), ("x",), 60),
        ((better(max_age=60), better("x")), ("x",), 60),
        ((better(max_age=60), better(max_age=9), better(max_age=300)), (), 9),
        ((better("x"), better("y")), ("x",), None),
        ((better("x"), Waiting(None)), ("x",), None),
    ],
    ids=range(6),
)
def test_what_an_authentication_lacks_is_told_at_once(
    parts: tuple[Waiting, ...], acr_values: tuple[str, ...], max_age: int | None
) -> None:
    lack = play(AllOf("a", *parts).shortfall(grant_of("a"), PlainRequest()), *[(ASK, None)] * len(parts))
    assert isinstance(lack, InsufficientAuthentication)
    assert (lack.acr_values, lack.max_age) == (acr_values, max_age)


def test_what_no_authentication_mends_comes_before_what_one_does() -> None:
    requirement = AllOf("a", better("x"), Waiting(REFUSED))
    assert play(requirement.shortfall(grant_of("a"), PlainRequest()), (ASK, None), (ASK, None)) is REFUSED


def test_of_several_ways_the_first_that_an_authentication_opens_is_told() -> None:
    either = AnyOf("b", Waiting(REFUSED), better("x"), better("y"))
    lack = play(either.shortfall(grant_of("a"), PlainRequest()), *[(ASK, None)] * 3)
    assert isinstance(lack, InsufficientAuthentication)
    assert lack.acr_values == ("x",)


def test_nobody_is_asked_for_who_lacks_a_scope() -> None:
    for requirement in (AllOf("b", Never()), AllOf("a", "b", Never())):
        lack = lack_of(requirement, grant_of("a"))
        assert isinstance(lack, InsufficientScope)
        assert lack.reason == "insufficient_scope"


def test_where_no_way_is_open_the_scopes_of_all_are_named() -> None:
    lack = lack_of(AnyOf("b", AllOf("c", Never())), grant_of("a"))
    assert isinstance(lack, InsufficientScope)
    assert lack.scope == "b c"


NAMES = st.sampled_from("abcd")
REQUIREMENTS: st.SearchStrategy[Any] = st.recursive(
    NAMES,
    lambda inner: st.builds(
        lambda kind, parts: kind(*parts), st.sampled_from([AllOf, AnyOf]), st.lists(inner, min_size=1, max_size=3)
    ),
).filter(lambda found: not isinstance(found, str))


@given(REQUIREMENTS, st.frozensets(NAMES), st.frozensets(NAMES))
def test_more_scopes_never_meet_less(requirement: Requirement, held: frozenset[str], more: frozenset[str]) -> None:
    assert requirement.met_by(held) is (lack_of(requirement, grant_of(*held)) is None)
    assert requirement.met_by(held) <= requirement.met_by(held | more)
    assert requirement.met_by(frozenset(requirement.scopes))


def test_the_templates_of_a_requirement_are_those_of_all_its_parts() -> None:
    rule = AllOf("a", "b:{x}", AnyOf("c:{y}", AllOf("d", "e:{z}")))
    assert [template.text for template in templates_of(rule)] == ["b:{x}", "c:{y}", "e:{z}"]
    assert templates_of(AllOf("a")) == ()
