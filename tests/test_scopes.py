from collections.abc import Collection
from typing import Any

import pytest

from oauth_rs.scopes import AllOf, AnyOf, Requirement, all_of


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
    with pytest.raises(TypeError, match="did @requires miss its parentheses"):
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
    """A requirement of one's own: the Protocol is two members."""

    scopes = ("x", "y")

    def met_by(self, held: Collection[str], /) -> bool:
        return len(held) > 1


def test_a_requirement_of_ones_own_can_be_a_part() -> None:
    assert AnyOf("a", Every()).met_by({"b", "c"})
    assert not AllOf("a", Every()).met_by({"b", "c"})
    assert AllOf("a", Every()).scopes == ("a", "x", "y")
    assert all_of((Every(),)).scopes == ("x", "y")
