from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_rs.entries import KeyPath, LineError
from oauth_rs.formats.toml import read


def lines_of(text: str) -> Mapping[KeyPath, int]:
    return read(text)[1]()


TABLES = '''\
[[operations]]
path = """
[x]
key = "1"
"""
"quoted.key" = 'c:\\'
[operations.needs]
any.of = ["a", "b"]
[[operations.more]]
at = 10
[[operations.more]]
at = 12
[[operations]]
path = \'\'\'it's '' [[ here\'\'\'\'\'
odd = """ends with two quotes\\\\"""""
[[operations.more]]
at = 17
"#" = { inner = { key = 18 } } # ] } "
'''


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("operations",), 1),
        (("operations", 0), 1),
        (("operations", 0, "path"), 2),
        (("operations", 0, "quoted.key"), 6),
        (("operations", 0, "needs"), 7),
        (("operations", 0, "needs", "any", "of"), 8),
        (("operations", 0, "more", 0, "at"), 10),
        (("operations", 0, "more", 1), 11),
        (("operations", 0, "more", 1, "at"), 12),
        (("operations", 1), 13),
        (("operations", 1, "path"), 14),
        (("operations", 1, "odd"), 15),
        (("operations", 1, "more", 0, "at"), 17),
        (("operations", 1, "more", 0), 16),
        (("operations", 1, "more", 0, "#", "inner", "key"), 18),
    ],
    ids=str,
)
def test_the_lines_of_toml_hold_with_arrays_of_tables_strings_and_comments(keys: KeyPath, line: int) -> None:
    assert lines_of(TABLES)[keys] == line


PIECES = st.sampled_from(
    [
        "\n",
        '# it\'s a [comment] """\n',
        "[t{n}]\n",
        "[t{n}.'x.y'.z]\n",
        "[[rows]]\n",
        "[rows.t{n}]\n",
        "[[rows.rows]]\n",
        "k{n} = {line}\n",
        "a.k{n}.b = {line} # ]\n",
        "k{n} = {{ b = {line} }}\n",
        "'k{n}\"' = {line}\n",
        "k{n} = [ # [\n  {line},\n  '#', \"]\\\"\", [[{line}]], '''\n]'''\n]\n",
        'k{n} = """\n[x]\\"\n\'\'\' k = 1\n"""\n',
        "k{n} = '''\n\"\"\"\n# ''\n'''''\n",
    ]
)


def _document(pieces: list[str]) -> str:
    text = "[[rows]]\n"
    for number, piece in enumerate(pieces):
        text += piece.format(n=number, line=text.count("\n") + 1)
    return text


def _numbers(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, int]]:
    if isinstance(value, int):
        yield path, value
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _numbers(inner, (*path, key))


@given(st.lists(PIECES, max_size=30))
@settings(deadline=None, max_examples=300)
def test_every_value_of_toml_is_found_in_the_line_where_its_statement_begins(
    pieces: list[str],
) -> None:
    data, found = read(_document(pieces))
    lines = found()
    for keys, line in _numbers(data):
        assert next(lines[keys[:end]] for end in range(len(keys), 0, -1) if keys[:end] in lines) == line


def test_thousands_of_keys_in_a_row_and_of_lines_in_an_array_are_read() -> None:
    long = "long = [\n" + '["x"],\n' * 50_000 + "]\nlast = 1\n"
    found = lines_of(long + "[" + "a." * 5_000 + "a]\n")
    assert found["last",] == 50_003
    assert found["a", "a", "a"] == 50_004


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("[scopes.a]\nid = \n", "not TOML: Invalid value", 2),
        ("[scopes.a]\nid = 1\nid = 2\n", "not TOML: Cannot overwrite a value", 3),
        ("[scopes.a]\nid = 1\nid = 2\nurl = ''\n", "not TOML: Cannot overwrite a value", 3),
        ("[scopes.a]\n[scopes.b]\n[scopes.a]\n", "not TOML: Cannot declare ('scopes', 'a') twice", 3),
        ("[scopes.a]\nid = [\n\n", "not TOML: Invalid value", 2),
        ("[scopes.a]\nid = 1 2\n", "not TOML: Expected newline", 2),
        ("[scopes.a\n", "not TOML: Expected ']'", 1),
        ("\n\nx = \x00", "not TOML: ", 3),
        ("x = " + "9" * 5000, "not TOML: Exceeds the limit", 1),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_what_is_no_toml_is_told_with_its_line(text: str, message: str, line: int) -> None:
    with pytest.raises(LineError) as caught:
        read(text)
    assert str(caught.value).startswith(message)
    assert caught.value.line == line
