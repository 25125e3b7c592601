import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_rs.encoding import MAX_JSON_DEPTH, base64url_decode, json_object
from tests.support.costing import cost
from tests.support.issuing import encode

SUITE: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "json_parsing.json").read_text())


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", b""), (b"f", b"Zg"), (b"fo", b"Zm8"), (b"foo", b"Zm9v"), (b"\xff\xef\xbe", b"_---"), (b"\x00", b"AA")],
)
def test_base64url_as_in_rfc_7515_and_4648(data: bytes, text: bytes) -> None:
    assert encode(data) == text
    assert base64url_decode(text) == data


@pytest.mark.parametrize(
    "text",
    [
        *(b"Zg==", b"Zm8=", b"Zm9v=", b"Zm9v====", b"=", b"Zg=", b"Z=g"),
        *(b"A", b"Zm9vA", b"AAAAAAAAA"),
        *(b"Zh", b"Zv", b"Zm9", b"Zm+", b"AB", b"AAB"),
        *(b"+A", b"/A", b"++++", b"////", b"ab+/"),
        *(b" Zg", b"Zg ", b"Z g", b"Zm9v\n", b"\nZm9v", b"Zm\r\n9v", b"Zm9v\t", b"Zm9v    "),
        *(b"Zm9v!", b"Zm.v", b"Zm9v?A", b"Zm9\x00", b"Zm9v%3D", b"\xc3\xa9\xc3\xa9", b"\xff\xff\xff\xff", b"####Zm9v"),
    ],
)
def test_every_other_spelling_of_base64url_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - that it is a ValueError is the contract
        base64url_decode(text)


@given(st.binary())
def test_base64url_round_trip(data: bytes) -> None:
    assert base64url_decode(encode(data)) == data


@given(st.text(alphabet="AQgwEZz09-_+/= \n.\x00\xe9", max_size=12).map(str.encode) | st.binary(max_size=12))
@settings(max_examples=500)
def test_what_base64url_accepts_is_the_one_spelling_of_its_bytes(text: bytes) -> None:
    try:
        data = base64url_decode(text)
    except ValueError:
        return
    assert encode(data) == text


def member(value: bytes) -> bytes:
    return b'{"v":' + value + b"}"


@pytest.mark.parametrize("name", SUITE["refused"])
def test_json_suite_n_cases_are_refused_alone_and_inside(name: str) -> None:
    data = b64decode(SUITE["refused"][name])
    for document in (data, member(data)):
        with pytest.raises(ValueError):  # noqa: PT011 - that it is a ValueError is the contract
            json_object(document)


@pytest.mark.parametrize("name", SUITE["accepted"])
def test_json_suite_y_cases_are_read_like_the_standard_library_reads_them(name: str) -> None:
    data = b64decode(SUITE["accepted"][name])
    assert json_object(member(data)) == {"v": json.loads(data)}


@pytest.mark.parametrize("name", SUITE["refused_here"])
def test_json_suite_cases_left_open_are_refused(name: str) -> None:
    data = b64decode(SUITE["refused_here"][name])
    for document in (data, member(data)):
        with pytest.raises(ValueError):  # noqa: PT011 - that it is a ValueError is the contract
            json_object(document)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b" ", b"null", b"true", b"1", b'"{}"', b"[]", b'[{"a":1}]', b"{", b"}", b"}{", b"{}{}", b"{} {}"),
        *(b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}', b'{"a":{"b":1,"b":2}}', b'{"a":[{"b":1,"b":2}]}'),
        *(b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1e999}', b'{"a":-1e999}', b'{"a":[1e400]}'),
        *(b'{"a":"\\ud800"}', b'{"\\udc00":1}', b'{"a":"\\udc00\\ud800"}', b'{"a":["\\ud83d"]}'),
        *(b'{"a":"\xff"}', b'{"a":"\xc0\xaf"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xf4\x90\x80\x80"}', b'{"a":"\xc3"}'),
        *(b"\xef\xbb\xbf{}", "{}".encode("utf-16"), "{}".encode("utf-16-le"), "{}".encode("utf-32-be"), b"\x00{}"),
        *(b"\x0b{}", b"\x0c{}", b"\xc2\xa0{}", b"{}\x00", b"{}\xe2\x80\xa8", b"\x1f{}"),
        *(b"{'a':1}", b"{a:1}", b'{"a":1,}', b'{"a":01}', b'{"a":+1}', b'{"a":.5}', b'{"a":"\n"}', b"{}//"),
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":-' + b"9" * 5000 + b"}",
    ],
    ids=lambda data: repr(data)[:40],
)
def test_what_is_not_one_strict_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - that it is a ValueError is the contract
        json_object(data)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b" \t\r\n{}\n\r\t ", {}),
        (b"{} ", {}),
        (b"\n{}", {}),
        (b'{"a":"\\ud834\\udd1e"}', {"a": "\U0001d11e"}),
        ('{"é":"\U0001d11e"}'.encode(), {"é": "\U0001d11e"}),
        (b'{"a":"\\\\ud800"}', {"a": "\\ud800"}),
        (b'{"a":1e308,"b":1e-999,"c":-0}', {"a": 1e308, "b": 0.0, "c": 0}),
        (b'{"a":12345678901234567890}', {"a": 12345678901234567890}),
        (b'{"a":{"x":1},"b":{"x":1}}', {"a": {"x": 1}, "b": {"x": 1}}),
    ],
)
def test_what_is_legal_is_read(data: bytes, value: dict[str, Any]) -> None:
    assert json_object(data) == value


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    """An object that is `depth` deep, itself counted."""
    return b'{"a":' + opening * (depth - 1) + b"1" + closing * (depth - 1) + b"}"


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
def test_nesting_is_held_to_its_limit(opening: bytes, closing: bytes) -> None:
    step = opening.count(b"[") + opening.count(b"{")
    deepest = (MAX_JSON_DEPTH - 1) // step + 1
    assert json_object(nested(deepest, opening, closing))
    with pytest.raises(ValueError, match="nested too deep"):
        json_object(nested(deepest + 1, opening, closing))


def test_the_limit_is_the_same_whatever_stands_beside() -> None:
    for beside in (b"", b',"b":[]', b',"b":[[{}]],"c":"]"', b',"b":"["'):
        assert json_object(nested(32)[:-1] + beside + b"}")
        with pytest.raises(ValueError, match="nested too deep"):
            json_object(nested(33)[:-1] + beside + b"}")


def test_depth_is_nesting_and_not_the_number_of_brackets() -> None:
    wide = {"a": [[[]]] * 100, "b": "[{" * 100, 'c"\\': {"d": '"[[[['}}
    assert json_object(json.dumps(wide).encode()) == wide


@pytest.mark.parametrize(
    "disguise",
    [b'{"\\"":"\\\\",', b'{"a":"\\\\\\"",', b'{"]]]]":"}}}}",', b'{"a":[],"b":{},'],
    ids=["escaped quotes", "backslashes", "closers in strings", "closed before"],
)
def test_no_string_hides_the_depth(disguise: bytes) -> None:
    with pytest.raises(ValueError, match="nested too deep"):
        json_object(disguise + b'"z":' + b"[" * MAX_JSON_DEPTH + b"]" * MAX_JSON_DEPTH + b"}")


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        nested(100_000),
        b" " + nested(100_000, b'{"a":', b"}"),
        b"\n\n" + nested(100_000, b'{"a":', b"}"),
        b'[{"":' * 50_000,
        b"{" + b"]" * 100_000 + b"[" * 100_000,
        b'{"a":' + b"[]," * 40 + b'\\"' * 100_000,
        b'{"a":' + b"[]," * 40 + b'"' + b'\\"' * 100_000,
        b'{"a":' + b"[]," * 40 + b'"' * 100_000,
        b'{"a":' + b"[]," * 100_000,
        b'{"a":"' + b"\\" * 100_000,
        b'{"a":' + b"[]," * 40 + b'"' + b"\\" * 100_001,
    ],
    ids=lambda data: repr(data[:8] + data[-8:]),
)
def test_bombs_are_refused_at_once_and_as_value_error(data: bytes) -> None:
    def refuse() -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - that it is a ValueError is the contract
            json_object(data)

    assert cost(refuse, rounds=2) < 1  # some 5 ms; a quadratic step would take a minute


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.booleans(), st.sampled_from(["", " ", "\n\t"]))
@settings(deadline=None)
def test_json_is_read_like_the_standard_library_reads_it(value: dict[str, Any], ascii_only: bool, space: str) -> None:  # noqa: FBT001
    text = space + json.dumps(value, ensure_ascii=ascii_only, indent=2 if space else None) + space
    assert json_object(text.encode()) == json.loads(text)


@given(st.text(alphabet='{}[]":,\\u0eE1.-+ntf a', max_size=30).map(str.encode) | st.binary())
@settings(max_examples=500, deadline=None)
def test_no_bytes_raise_anything_but_value_error(data: bytes) -> None:
    for document in (data, member(data), b'{"' + data + b'":1}'):
        try:
            value = json_object(document)
        except ValueError:
            continue
        assert value == json.loads(document.decode())
