from typing import Any
from unittest.mock import Mock

import pytest

from oauth_rs.members import check_flag, offers, takes


class Store:
    loaded = ""

    def load(self) -> None: ...


def test_an_object_with_all_members_offers_them() -> None:
    assert offers(Store(), "load", "loaded")


@pytest.mark.parametrize("value", [None, "text", 1, object(), Store, Store()], ids=repr)
def test_what_lacks_one_does_not(value: Any) -> None:
    assert not offers(value, "load", "save")


@pytest.mark.parametrize("kind", [Store, type(Store), str])
def test_a_class_offers_nothing(kind: type) -> None:
    assert not offers(kind, "load")
    assert not offers(kind, "__init__")


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (lambda: None, 0),
        (lambda _one, _two=2: None, 1),
        (lambda _one, _two=2: None, 2),
        (lambda *_all: None, 7),
        (Store().load, 0),
        (min, 2),  # does not tell
        (Mock(spec=len), 1),
    ],
)
def test_a_function_takes_as_many_as_it_has_parameters(function: Any, count: int) -> None:
    assert takes(function, count)


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (None, 0),
        ("load", 1),
        (lambda: None, 1),
        (lambda _one: None, 2),
        (lambda *, _key: None, 0),
        (Store().load, 1),
        (lambda _a, _b: None, 1),
    ],
)
def test_a_function_takes_no_other_number(function: Any, count: int) -> None:
    assert not takes(function, count)


def test_a_flag_is_true_or_false() -> None:
    check_flag("strict", True)
    check_flag("strict", False)


@pytest.mark.parametrize("value", ["no", "false", "", 0, 1, None], ids=repr)
def test_a_flag_is_nothing_else(value: Any) -> None:
    with pytest.raises(TypeError, match="strict is True or False, not"):
        check_flag("strict", value)
