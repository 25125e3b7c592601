import time

import pytest

from oauth_rs.configuration import MAX_BYTES
from oauth_rs.entries import LineError
from oauth_rs.formats import lenient_yaml
from oauth_rs.formats.lenient_yaml import MAX_WEIGHT, read

TWICE = "'200' is there twice, first in line 2: take one out"
TAG = "tags are not read: leave it out"
MERGE = "merges (`<<`) are not read: write out what it stands for"
CIRCLE = "an alias stands inside of what it stands for"
TOO_MUCH = "too much with all that its aliases stand for"


def laughs(levels: int) -> str:
    """Ten times as much with every level."""
    lines = ["a0: &a0 [lol]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels + 1)]
    return "\n".join(lines) + "\n"


def test_what_reads_alike_everywhere_is_read_as_it_is() -> None:
    text = "a: [1, -2, 0, 1.5, true, False, ~, null, '017', \"no\", 'true']\nb: {c: {d: }}\n"
    assert read(text)[0] == {
        "a": [1, -2, 0, 1.5, True, False, None, None, "017", "no", "true"],
        "b": {"c": {"d": None}},
    }
    assert read("")[0] == {}


@pytest.mark.parametrize(
    "scalar",
    [
        *("yes", "no", "on", "OFF", "2026-01-01", "2026-01-01T10:00:00Z", "017", "0x11", "0b1", "1_000", "1:30"),
        *("9" * 20, ".inf", ".nan", "1_0.5", "1:30.5", "1e3", "=", "<<", "1.2.3"),
    ],
)
def test_what_is_read_in_several_ways_is_its_text(scalar: str) -> None:
    assert read(f"a: {scalar}\nb: [{scalar}]\n")[0] == {"a": scalar, "b": [scalar]}


@pytest.mark.parametrize(
    "key", ["200", "017", "yes", "no", "true", "~", "null", "2026-01-01", "1.5", "0x11", "/a", "x-y"]
)
def test_a_key_is_its_text(key: str) -> None:
    assert read(f"a:\n  {key}: {{}}\n  '{key}x': 1\n")[0] == {"a": {key: {}, f"{key}x": 1}}


def test_a_quoted_merge_key_is_a_key() -> None:
    assert read("a: {'<<': 1, \"=\": 2}\n")[0] == {"a": {"<<": 1, "=": 2}}


@pytest.mark.parametrize("tagged", ["!!str 017", "!!int 017", "! 017", "!!timestamp 017", "!!bool 017", "!!float 017"])
def test_tags_of_plain_values_leave_them_text(tagged: str) -> None:
    assert read(f"a: {tagged}\n")[0] == {"a": "017"}


def test_an_alias_stands_for_what_it_points_to() -> None:
    text = "a: &a {x: [&s no, 1], ? *s : y}\nb: [*a, *s]\nc: {d: *a}\n"
    a = {"x": ["no", 1], "no": "y"}
    assert read(text)[0] == {"a": a, "b": [a, "no"], "c": {"d": a}}


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("- a\n", "the document is not an object", 1),
        ("a\n", "the document is not an object", 1),
        ("a:\n  200: 1\n  '200': 2\n", TWICE, 3),
        ("a:\n  &k 200: 1\n  *k : 2\n", TWICE, 2),
        ("a:\n  ? [b]\n  : 1\n", "a key is one text", 2),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", MERGE, 3),
        ("a: {<<: {b: 1}}\n", MERGE, 1),
        ("a: !!python/object/apply:os.system ['true']\n", TAG, 1),
        ("a: !!python/name:os.system\n", TAG, 1),
        ("\na: !include x\n", TAG, 2),
        ("a: !!binary aGk=\n", TAG, 1),
        ("a: !!set {x}\n", TAG, 1),
        ("a: !!omap []\n", TAG, 1),
        ("a: !!map []\n", TAG, 1),
        ("a: !!seq x\n", TAG, 1),
        ("a: {!own x: 1}\n", TAG, 1),
        ("a:\n  b: &x [1, *x]\n", CIRCLE, 2),
        ("a: &x\n  b: {c: *x}\n", CIRCLE, 1),
        ("a: &x {? *x : 1}\n", "a key is one text", 1),
        ("a: *x\n", "not YAML: found undefined alias", 1),
        ("a: &x 1\nb: &x 2\n", "not YAML: found duplicate anchor 'x'", 2),
        ("a: 1\n---\nb: 1\n", "not YAML: but found another document", 2),
        ("a: {\n", "not YAML: ", 2),
        ("\n\na: \x00\n", "not YAML: special characters are not allowed", 3),
        ("a: " + "[*" * 5000, "not YAML: ", 1),
        (laughs(9), TOO_MUCH, 7),
        (laughs(200), TOO_MUCH, 7),
        (f"a: &a {'x' * 100_000}\nb: [{'*a, ' * 1000}]\n", TOO_MUCH, 2),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, message: str, line: int) -> None:
    with pytest.raises(LineError) as caught:
        read(text)
    assert str(caught.value).startswith(message)
    assert caught.value.line == line


def test_a_document_of_few_aliases_is_read_and_one_of_a_billion_entries_is_refused_at_once() -> None:
    assert len(read(laughs(4))[0]["a4"]) == 10
    start = time.process_time()
    with pytest.raises(LineError):
        read(laughs(2_000))
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "text",
    ["a: [" + "b," * 8_000 + "]", "a: {" + "".join(f"{n}," for n in range(2_500)) + "}", "a:\n" + "- -\n" * 4_000],
)
def test_what_has_no_aliases_is_never_too_much(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(lenient_yaml, "MAX_WEIGHT", MAX_WEIGHT * len(text) // MAX_BYTES)
    assert read(text)[0]["a"]


def test_the_line_of_each_entry_is_known() -> None:
    lines = read("a: &x\n  b: [1,\n    2]\nc:\n  200: *x\n")[1]()
    assert lines == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "b", 0): 2,
        ("a", "b", 1): 3,
        ("c",): 4,
        ("c", "200"): 5,
        ("c", "200", "b"): 2,
        ("c", "200", "b", 0): 2,
        ("c", "200", "b", 1): 3,
    }


def test_lines_are_told_down_to_some_depth() -> None:
    lines = read("a: " + "[" * 100 + "\nb" + "]" * 100 + "\n")[1]()
    assert max(map(len, lines)) == 32
    assert read("")[1]() == {(): 1}
