import pytest

from oauth_rs.entries import LineError
from oauth_rs.formats.yaml import read

SECTIONS = "a file is made of sections"
MANY_WAYS = "read in several ways: put text in quotes"
KEY = "a key is text"


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("- a\n", f"{SECTIONS}", 1),
        ("a\n", f"{SECTIONS}", 1),
        ("scopes:\n  a: {}\n  b: {}\n  a: {}\n", "'a' is there twice, first in line 2: take one out", 4),
        ("scopes:\n  a: {}\nscopes: {}\n", "'scopes' is there twice, first in line 1: take one out", 3),
        ('scopes:\n  a: {id: 1,\n    "id": 2}\n', "'id' is there twice, first in line 2: take one out", 3),
        ("scopes:\n  no: {}\n", f"{KEY}", 2),
        ("scopes:\n  17: {}\n", f"{KEY}", 2),
        ("scopes:\n  ~: {}\n", f"{KEY}", 2),
        ("scopes:\n  2026-01-01: {}\n", f"{KEY}", 2),
        ("scopes:\n  ? [a]\n  : {}\n", f"{KEY}", 2),
        ("scopes:\n  ? !!str [a]\n  : {}\n", f"{KEY}", 2),
        ("scopes:\n  <<: {a: {}}\n", f"{KEY}", 2),
        ("scopes:\n  a: &x {}\n  b: *x\n", "aliases are not read: write out what it stands for", 3),
        ("scopes:\n  a: &x\n    children: [b, *x]\n", "aliases are not read", 3),
        ("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "aliases are not read", 2),
        ("a: *b\n", "aliases are not read", 1),
        ("scopes: !!python/object:os.system {}\n", "tags and dates are not read", 1),
        ("a: !!python/object/apply:os.system ['true']\n", "tags and dates are not read", 1),
        ("a: !own x\n", "tags and dates are not read", 1),
        ("a: !!set {x}\n", "tags and dates are not read", 1),
        ("a: !!omap []\n", "tags and dates are not read", 1),
        ("a: !!map []\n", "tags and dates are not read", 1),
        ("a: !!seq x\n", "tags and dates are not read", 1),
        ("a: !!binary aGk=\n", "tags and dates are not read", 1),
        ("\na: 2026-01-01\n", "tags and dates are not read", 2),
        ("a: !!int x\n", f"{MANY_WAYS}", 1),
        ("a: !!bool x\n", f"{MANY_WAYS}", 1),
        ("a: !!null x\n", f"{MANY_WAYS}", 1),
        ("a: !!float x\n", f"{MANY_WAYS}", 1),
        *((f"a:\n  b: {text}\n", f"{MANY_WAYS}", 2) for text in ("017", "0x11", "0b1", "1_000", "1:30", "9" * 20)),
        *(
            (f"a:\n  - {text}\n", f"{MANY_WAYS}", 2)
            for text in ("no", "Yes", "on", "OFF", ".inf", ".nan", "1_0.5", "1:30.5")
        ),
        ("scopes:\n\ta: 1\n", "not YAML: found character '\\t' that cannot start any token", 2),
        ("scopes: {\n", "not YAML: ", 2),
        ("a: 'x\n\n", "not YAML: found unexpected end of stream", 3),
        ("a: 1\n---\nb: 1\n", "not YAML: but found another document", 2),
        ("\n\na: \x00\n", "not YAML: special characters are not allowed", 3),
        ("a: " + "[*" * 5000, "not YAML: ", 1),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_yaml_that_could_be_read_in_two_ways_is_told_with_its_line(text: str, message: str, line: int) -> None:
    with pytest.raises(LineError) as caught:
        read(text)
    assert str(caught.value).startswith(message)
    assert caught.value.line == line


def test_yaml_is_read_into_plain_data() -> None:
    text = "a: [1, -2, +3, 0, 1.5, true, False, ~, null, '017', \"no\", x*y, 'a\nb']\nb: {c: {d: }}\n"
    assert read(text)[0] == {
        "a": [1, -2, 3, 0, 1.5, True, False, None, None, "017", "no", "x*y", "a b"],
        "b": {"c": {"d": None}},
    }
    assert read("")[0] == {}


def test_yaml_knows_the_line_of_each_entry() -> None:
    _, lines = read("a:\n  b: [1,\n    2]\n")
    assert lines() == {(): 1, ("a",): 1, ("a", "b"): 2, ("a", "b", 0): 2, ("a", "b", 1): 3}
