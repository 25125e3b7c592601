from typing import Any

import pytest

from oauth_rs.members import offers


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
