import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.entries import LineError
from oauth_rs.formats.json import _DEEPEST, json_lines, line_of_second, read
from tests.support.costing import cost

TEXT = """\
{
  "a": [1, true,
    {"b\\n\\"": "x, {[y", "c":

    []}, null
  ], "d": {},
  "": -1.5e3, "a": "again"
}
"""


def test_each_member_and_each_item_has_its_line() -> None:
    assert list(json_lines(TEXT)) == [
        (("a",), 2),
        (("a", 0), 2),
        (("a", 1), 2),
        (("a", 2), 3),
        (("a", 2, 'b\n"'), 3),
        (("a", 2, "c"), 3),
        (("a", 3), 5),
        (("d",), 6),
        (("",), 7),
        (("a",), 7),
    ]


@pytest.mark.parametrize("text", ["", "5", '"a"', "[]", "{}", "[\n]", " null "])
def test_what_has_no_entries_has_no_lines(text: str) -> None:
    assert list(json_lines(text)) == []


def test_the_lines_of_what_stands_very_deep_are_not_told() -> None:
    paths = [path for path, _ in json_lines("[" * 500 + "]" * 500)]
    assert max(map(len, paths)) == _DEEPEST


def paths(value: Any, *path: str | int) -> list[tuple[str | int, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for name, one in members for found in ((*path, name), *paths(one, *path, name))]


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES, st.booleans(), st.booleans())
def test_the_entries_are_those_that_python_reads(value: Any, ascii_only: bool, indented: bool) -> None:  # noqa: FBT001 - drawn
    text = json.dumps(value, ensure_ascii=ascii_only, indent=2 if indented else None)
    told = list(json_lines(text))
    assert [path for path, _ in told] == paths(value)
    assert [line for _, line in told] == sorted(line for _, line in told)


DEEP = "[" * 40 + '{"a": 1,\n"a": 2}'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (TEXT, 7),
        ('{"a": 1}', 1),
        ('{"a": 1,\n"a": 2},,]', 2),
        (DEEP + "]" * 40, 1),
        (DEEP + "]" * 41, 1),
        (DEEP + ',"\\', 1),
    ],
    ids=["twice", "once", "then no JSON", "deep", "deep, then no JSON", "deep, then no text"],
)
def test_a_name_that_is_there_again_is_found(text: str, line: int) -> None:
    assert line_of_second(text) == line


def test_a_text_without_an_end_takes_no_time() -> None:
    text = DEEP + ',"' + '\\"' * 100_000
    assert line_of_second(text) == 1
    assert cost(lambda: line_of_second(text), rounds=2) < 1


def test_json_is_read_into_data_and_lines() -> None:
    data, lines = read(TEXT.replace('"": -1.5e3, "a": "again"', '"": -1.5e3'))
    assert data == {"a": [1, True, {'b\n"': "x, {[y", "c": []}, None], "d": {}, "": -1500.0}
    assert lines()["a", 2, "c"] == 3


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("{\n,}", "not JSON: Expecting property name", 2),
        ("", "not JSON: Expecting value", 1),
        ("[]", "the document is not an object", 1),
        ('{"a": 1,\n"a": 2}', "a name is there twice in one object, among a: take one out", 2),
        (f'{{"a": {"9" * 5000}}}', "not JSON: Exceeds the limit", 1),
    ],
    ids=["syntax", "empty", "list", "twice", "number"],
)
def test_json_that_is_none_is_refused(text: str, message: str, line: int) -> None:
    with pytest.raises(LineError) as caught:
        read(text)
    assert str(caught.value).startswith(message)
    assert caught.value.line == line
