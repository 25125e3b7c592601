import pytest

from oauth_rs.entries import EntryError, meant, placed


@pytest.mark.parametrize("error", [ValueError("wrong"), TypeError("wrong")], ids=repr)
def test_a_mistake_gets_its_place(error: Exception) -> None:
    with pytest.raises(EntryError, match=r"^rule 7: wrong$") as caught, placed("rules", 7, what="rule 7"):
        raise error
    assert caught.value.path == ("rules", 7)
    assert caught.value.__cause__ is error


def test_nothing_need_stand_before_it() -> None:
    with pytest.raises(EntryError, match=r"^wrong$"), placed("rules"):
        raise ValueError("wrong")


def test_what_has_its_place_keeps_it() -> None:
    with pytest.raises(EntryError, match=r"^wrong$") as caught, placed("rules", what="the rules"), placed("rules", 7):
        raise ValueError("wrong")
    assert caught.value.path == ("rules", 7)


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(LookupError), placed("rules"):
        raise LookupError


def test_a_hint_is_as_it_was_declared() -> None:
    assert meant("READ", ["Read", "write"]) == "did you mean 'Read'?"
    assert meant(5, ["read"]) == "is it misspelled, or not declared?"
    assert meant("read", []) == "is it misspelled, or not declared?"
