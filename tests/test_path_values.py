import re
import time
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from starlette.convertors import CONVERTOR_TYPES
from werkzeug.routing import Map

from oauth_rs.errors import InvalidRequest
from oauth_rs.operations import OperationMap
from oauth_rs.path_values import CONVERTERS, is_plainly, refuse_doubtful

# What values are made of here: digits of two scripts, and all that numbers and UUIDs are written with.
TEXTS = st.text(alphabet="0129\u0665+-._eE \tnaifNINF{}abc:urdi", min_size=1, max_size=40)
BOTH = {kind: OperationMap({f"GET /x/<{kind}:v>": kind, "GET /x/<text>": "text"}) for kind in ("int", "float", "uuid")}


def taken_for(kind: str, value: str) -> str:
    try:
        found = BOTH[kind].match("GET", f"/x/{value}")
    except InvalidRequest:
        return "doubt"
    return found[0] if found else "nothing"


@pytest.mark.parametrize("kind", ["int", "float", "uuid"])
def test_whatever_starlette_takes_for_a_kind_is_never_text(kind: str) -> None:
    pattern = re.compile(CONVERTOR_TYPES[kind].regex)

    @given(TEXTS | st.from_regex(pattern, fullmatch=True))
    def check(value: str) -> None:
        if pattern.fullmatch(value) and value[-1:] != "\n":
            assert taken_for(kind, value) in {kind, "doubt"}

    check()


@pytest.mark.parametrize(("kind", "adapter"), [("int", TypeAdapter(int)), ("float", TypeAdapter(float))])
def test_whatever_pydantic_takes_for_a_number_is_never_text(kind: str, adapter: "TypeAdapter[object]") -> None:
    @given(TEXTS)
    @example("0-1")
    def check(value: str) -> None:
        try:
            adapter.validate_python(value)
        except ValidationError:
            return
        assert taken_for(kind, value) in {kind, "doubt"}

    check()


@given(TEXTS)
def test_what_is_taken_for_a_number_everybody_takes_for_one(value: str) -> None:
    if taken_for("int", value) == "int":
        assert value.isascii()
        assert value.isdigit()
    if taken_for("float", value) == "float":
        assert re.fullmatch(r"[0-9]+\.[0-9]+", value)


@pytest.mark.parametrize(
    "value", ["1" * 16_000 + "x", "1." + "1" * 16_000 + "x", "_" * 16_000 + "x", " " * 16_000 + "x"]
)
@pytest.mark.parametrize("kind", ["int", "float", "uuid"])
def test_a_long_value_is_read_in_one_way(kind: str, value: str) -> None:
    before = time.thread_time()
    assert taken_for(kind, value) == "text"
    assert time.thread_time() - before < 0.2  # 2 ms or so


def test_the_kinds_that_say_more_are_asked_first() -> None:
    weights = [CONVERTERS[kind].weight for kind in ("any", "int", "float", "uuid")]
    assert weights == sorted(weights)
    assert weights[-1] < Map.default_converters["default"].weight


@pytest.mark.parametrize(
    ("kind", "options", "plain", "others"),
    [
        ("int", {}, ["0", "7", "70"], ["007", "00", "9" * 5_000]),
        ("int", {"signed": True}, ["-7", "7"], ["-07", "-0"]),
        ("int", {"fixed_digits": 3}, ["007", "700"], []),
        ("float", {}, ["1.5", "10.0"], ["1.50", "01.5", "10.00", "1.0000000000000000001"]),
        ("float", {"signed": True}, ["-0.00002", "0.00005", "10000000000000000.0"], ["0.000050", "-00.00002"]),
        ("uuid", {}, [str(UUID(int=10))], [str(UUID(int=10)).upper()]),
        ("any", {}, ["a"], []),
    ],
)
def test_each_number_and_each_uuid_has_one_plain_spelling(
    kind: str, options: dict[str, int], plain: list[str], others: list[str]
) -> None:
    converter = CONVERTERS[kind](Map(), *("ab" if kind == "any" else ""), **options)
    for text in plain + others:
        value = text if len(text) > 100 else converter.to_python(text)
        assert is_plainly(converter, text, value) is (text in plain), text


def test_doubt_is_a_bad_request() -> None:
    with pytest.raises(InvalidRequest) as refused:
        refuse_doubtful()
    assert (refused.value.status, refused.value.reason) == (400, "ambiguous_path")
