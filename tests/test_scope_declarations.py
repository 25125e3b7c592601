from typing import Any

import pytest

from oauth_rs.entries import EntryError
from oauth_rs.scope_declarations import Declaration, Scope, flattened, spellings


def test_a_scope_may_be_declared_again_alike() -> None:
    shared = Scope("See", children=("c", "d"))
    scopes = flattened(
        {"a": {"b": shared}, "x": {"b": Scope("See", children=["d", "c"])}, "c": {}, "d": {}, "b": shared}
    )
    assert [*scopes] == ["a", "b", "x", "c", "d"]
    assert scopes["b"].children == ("c", "d")


def test_one_dict_may_stand_in_several_places() -> None:
    inner: dict[str, Declaration] = {"read": {}, "write": ["read"]}
    scopes = flattened({"a": inner, "b": Scope(children=inner)})
    assert scopes["a"] == scopes["b"] == Scope(children=("read", "write"))
    assert [*scopes] == ["a", "read", "write", "b"]


def test_a_scope_has_two_other_spellings_at_most() -> None:
    assert [*spellings(Scope("See"))] == []
    assert [*spellings(Scope("See", url="https://x/", id=0))] == [("https://x/", "url"), ("0", "id")]


def test_a_scope_is_a_frozen_value() -> None:
    scope = Scope("See", id=1)
    assert scope == Scope("See", id=1)
    with pytest.raises(AttributeError):
        scope.id = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        Scope("See", "https://x/")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "a b", " a", "a ", "a\tb", "a\n", "a\r\n", "a\x00", "a\x7f", 'a"b', "a\\b"),
        *("caf\u00e9", "\uff41", "\u0430", "a\u200b", "a\xa0b", "\ufeffa"),
    ],
    ids=ascii,
)
def test_a_name_is_one_scope_token(name: str) -> None:
    several: list[dict[str, Declaration]] = [{name: {}}, {"a": {name: {}}}, {"a": [name]}]
    for scopes in several:
        with pytest.raises(EntryError, match="is not one scope"):
            flattened(scopes)
    with pytest.raises(EntryError, match="is not one scope") as caught:
        flattened({name: {}})
    assert str(caught.value).startswith(f"scope {name!r}: {name!r} is not")


@pytest.mark.parametrize("name", [17, None, True, b"a", ("a",)], ids=str)
def test_a_name_is_text(name: Any) -> None:
    with pytest.raises(EntryError, match="the name of a scope is text"):
        flattened({name: {}})


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        *(("id", value, "a whole number from 0") for value in (True, False, -1, 1.0, "17", 2**63, b"1", [17])),
        *(("url", value, "the url is text") for value in (17, None, b"https://x/", ["https://x/"], True)),
        *(("url", value, "write the url whole") for value in ("x", "//x/y", "/x", ":x", "1a:x", "https:", "a/b:c")),
        *(("url", value, "scope 'a', url: .* is not one scope") for value in ("https://x/a b", "https://x/\u00e9")),
        *(
            ("description", value, "one line of text")
            for value in (17, None, b"x", "a\nb", "a\tb", "\x1b[2J", "\u2028")
        ),
    ],
)
def test_members_that_are_none_are_refused_and_the_entry_named(member: str, value: Any, message: str) -> None:
    with pytest.raises(EntryError, match=message) as caught:
        flattened({"x": {}, "y": {"a": Scope(**{member: value})}})
    assert "'a'" in str(caught.value)
    assert caught.value.path == ("a", member)


def test_a_number_too_long_to_print_is_refused_as_an_id() -> None:
    with pytest.raises(EntryError, match="a whole number from 0"):
        flattened({"a": Scope(id=10**5000)})
