import logging
from typing import Any

import pytest

from oauth_rs import InvalidRequest
from oauth_rs.fields import FieldFilter, Unfilterable
from oauth_rs.filtering import (
    MAX_FILTERED_BYTES,
    FilteredAnswer,
    FilterRules,
    checked_filter,
    filter_of,
    filter_rules,
    not_filtered,
)
from oauth_rs.operations import OperationMap
from oauth_rs.schemes import Places
from oauth_rs.wsgi import WSGIRequest

RULES = FilterRules(("Authorization",), 64)
FIELDS = FieldFilter({"profile": ["name", "email"], "orders": ["orders.number"]}, always=["id"])
JSON = ("Content-Type", "application/json")


def answer(*scopes: str, method: str = "GET", fields: tuple[FieldFilter, ...] = (FIELDS,)) -> FilteredAnswer:
    made = FilteredAnswer(RULES, frozenset(scopes), method)
    for one in fields:
        made.add(one)
    return made


def whole(filtered: FilteredAnswer, *chunks: bytes) -> bytes:
    for chunk in chunks:
        filtered.take(chunk)
    return filtered.finish()[1]


def test_an_answer_in_json_shows_what_the_scopes_show() -> None:
    filtered = answer("profile")
    assert filtered.begin(200, [JSON, ("ETag", '"1"'), ("Content-Length", "99")])
    for chunk in (b'{"id": 1, "na', b"", b'me": "Ada", "secret": 2}'):
        filtered.take(chunk)
    assert filtered.size == 37
    headers = [JSON, ("Cache-Control", "private"), ("Vary", "Authorization"), ("Content-Length", "21")]
    assert filtered.finish() == (headers, b'{"id":1,"name":"Ada"}')


def test_several_filters_show_what_all_of_them_show() -> None:
    filtered = answer("profile", fields=(FIELDS, FieldFilter({"profile": ["name", "secret"]})))
    assert filtered.begin(200, [JSON])
    filtered.take(b'{"id": 1, "name": "Ada", "email": "a", "secret": 2}')
    assert filtered.finish()[1] == b'{"name":"Ada"}'


PASSING: dict[str, tuple[int, list[tuple[str, str]]]] = {
    "an error in JSON": (404, [JSON]),
    "a server error": (500, [JSON]),
    "a choice": (300, [JSON]),
    "a redirect": (307, [JSON]),
    "not modified": (304, [JSON, ("ETag", '"1"')]),
    "informational": (103, [JSON]),
    "text": (200, [("Content-Type", "text/html; charset=utf-8")]),
    "a file": (200, [("content-type", "image/png")]),
    "part of a file": (206, [("Content-Type", "image/png")]),
    "events": (200, [("Content-Type", "text/event-stream")]),
    "a file, compressed": (200, [("Content-Type", "text/csv"), ("Content-Encoding", "gzip")]),
    "with a type that mentions JSON in a parameter": (200, [("Content-Type", "text/plain; of=application/json")]),
}


@pytest.mark.parametrize(("status", "headers"), PASSING.values(), ids=PASSING)
def test_other_answers_pass(status: int, headers: list[tuple[str, str]]) -> None:
    assert not answer("profile").begin(status, headers)


@pytest.mark.parametrize("headers", [[], [("Content-Type", "")], [("Content-Type", " ")]], ids=str)
def test_an_answer_of_no_type_has_no_body(headers: list[tuple[str, str]]) -> None:
    filtered = answer("profile")
    assert filtered.begin(200, headers)
    filtered.take(b"")
    assert filtered.finish()[1] == b""
    with pytest.raises(Unfilterable, match="not_one_json_text"):
        filtered.take(b'{"id": 1}')


UNFILTERABLE: dict[str, tuple[int, list[tuple[str, str]], str]] = {
    "a part of it": (206, [JSON, ("Content-Range", "bytes 0-1/9")], "partial"),
    "several parts": (206, [("Content-Type", "multipart/byteranges; boundary=x")], "partial"),
    "several parts, said to be all": (200, [("Content-Type", "multipart/Byteranges ;b=x")], "not_one_json_text"),
    "lines of JSON": (200, [("Content-Type", "application/jsonl")], "not_one_json_text"),
    "lines of JSON, older": (200, [("Content-Type", "application/x-ndjson; charset=utf-8")], "not_one_json_text"),
    "a sequence": (200, [("Content-Type", "application/geo+json-seq")], "not_one_json_text"),
    "JSON by an old name": (200, [("Content-Type", "TEXT/X-JSON")], "not_one_json_text"),
    "two types": (200, [JSON, ("content-type", "text/html")], "not_one_json_text"),
    "two types in one": (200, [("Content-Type", "text/html, application/json")], "not_one_json_text"),
    "compressed": (200, [JSON, ("Content-Encoding", "gzip")], "content_encoding"),
    "compressed twice": (200, [("Content-Encoding", "identity"), JSON, ("content-encoding", "br")], "content_encoding"),
}


@pytest.mark.parametrize(("status", "headers", "reason"), UNFILTERABLE.values(), ids=UNFILTERABLE)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_cannot_be_filtered_does_not_pass(
    status: int, headers: list[tuple[str, str]], reason: str, method: str
) -> None:
    with pytest.raises(Unfilterable, match=f"^{reason}$"):
        answer("profile", method=method).begin(status, headers)


@pytest.mark.parametrize("encoding", ["identity", " Identity "])
def test_an_encoding_that_is_none_is_none(encoding: str) -> None:
    assert answer("profile").begin(200, [JSON, ("Content-Encoding", encoding)])


BODIES = {
    "not JSON": (b'{"id": 1', "not_json"),
    "not UTF-8": (b'{"id": "\xff"}', "not_json"),
    "in UTF-16": ('{"id": 1}'.encode("utf-16"), "not_json"),
    "not a number": (b'{"id": NaN}', "not_json"),
    "deep": (b"[" * 32 + b"1" + b"]" * 31, "not_json"),
    "white space": (b"  ", "not_json"),
    "two texts": (b"{}\n{}", "not_json"),
    "one byte too many": (b"1" * 65, "too_large"),
}


@pytest.mark.parametrize(("body", "reason"), BODIES.values(), ids=BODIES)
def test_a_body_that_cannot_be_filtered_does_not_pass(body: bytes, reason: str) -> None:
    filtered = answer("profile")
    assert filtered.begin(200, [JSON])
    with pytest.raises(Unfilterable, match=f"^{reason}$"):
        whole(filtered, body[:9], body[9:])


@pytest.mark.parametrize("brackets", [1_000, 100_000])
def test_json_that_nests_deep_does_not_pass(brackets: int) -> None:
    filtered = FilteredAnswer(FilterRules((), 1 << 20), frozenset({"profile"}), "GET")
    filtered.add(FIELDS)
    assert filtered.begin(200, [JSON])
    filtered.take(b'{"id":' + b"[" * brackets + b"]" * brackets + b"}")
    with pytest.raises(Unfilterable):
        filtered.finish()


def test_a_body_of_the_largest_size_is_filtered() -> None:
    filtered = answer("profile")
    assert filtered.begin(200, [JSON])
    filtered.take(b'{"id":"' + b"1" * 55 + b'"}')
    assert filtered.finish()[1] == b'{"id":"' + b"1" * 55 + b'"}'


@pytest.mark.parametrize("body", [b"null", b'"secret"', b"12", b"true"])
def test_a_body_without_fields_shows_nothing(body: bytes) -> None:
    filtered = answer("profile")
    assert filtered.begin(200, [JSON])
    filtered.take(body)
    assert filtered.finish()[1] == b"null"


def test_an_empty_body_has_nothing_to_hide() -> None:
    filtered = answer("profile")
    assert filtered.begin(201, [JSON])
    headers, body = filtered.finish()
    assert (body, headers[-1]) == (b"", ("Content-Length", "0"))


@pytest.mark.parametrize(("status", "method"), [(200, "HEAD"), (204, "GET"), (205, "POST")])
def test_an_answer_without_a_body_has_no_length(status: int, method: str) -> None:
    filtered = answer("profile", method=method)
    assert filtered.begin(status, [JSON, ("Content-Length", "3")])
    filtered.take(b"{" * 99)  # of an application that sends one all the same
    assert filtered.bodiless
    assert filtered.finish() == ([JSON, ("Cache-Control", "private"), ("Vary", "Authorization")], b"")


def test_an_answer_that_begins_again_has_nothing_of_the_one_before() -> None:
    filtered = answer("profile")
    assert filtered.begin(200, [JSON, ("X-First", "1")])
    filtered.take(b'{"id": 1')
    assert filtered.begin(201, [JSON])
    filtered.take(b'{"id": 2}')
    headers, body = filtered.finish()
    assert (body, headers[0], len(headers)) == (b'{"id":2}', JSON, 4)


def test_an_answer_that_begins_again_has_a_body_where_the_one_before_had_none() -> None:
    filtered = answer("profile")
    filtered.begin(204, [])
    filtered.begin(200, [JSON])
    filtered.take(b'{"id": 2}')
    assert filtered.finish() == (
        [JSON, ("Cache-Control", "private"), ("Vary", "Authorization"), ("Content-Length", "8")],
        b'{"id":2}',
    )


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer_that_fails_after_one_without_a_body_has_one_but_for_head(method: str) -> None:
    filtered = answer("profile", method=method)
    filtered.begin(204, [])
    with pytest.raises(Unfilterable):
        filtered.begin(206, [JSON])
    assert filtered.bodiless == (method == "HEAD")


def test_what_goes_out_instead_says_nothing_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "oauth_rs"):
        refusal = not_filtered(Unfilterable("too_large"))
    assert (refusal.status, refusal.body) == (500, b'{"error": "server_error"}')
    assert ("Cache-Control", "no-store") in refusal.headers
    assert ("Content-Length", str(len(refusal.body))) in refusal.headers
    assert caplog.messages == ["response_not_filtered: too_large"]


def test_answers_vary_by_every_header_that_may_hold_credentials() -> None:
    places = [
        Places(headers=frozenset({b"x-api-key", b"x-client-id"}), fields=frozenset({b"key"})),
        Places(headers=frozenset({b"x-api-key"})),
        Places(),
    ]
    assert filter_rules(places, 9) == FilterRules(("Authorization", "X-Api-Key", "X-Client-Id"), 9)
    assert filter_rules([], MAX_FILTERED_BYTES).vary == ("Authorization",)
    assert filter_rules([], 1).limit == 1


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_lets_nothing_through_is_a_mistake_found_at_start(limit: int) -> None:
    with pytest.raises(ValueError, match="above 0"):
        filter_rules([], limit)


FILTERS = OperationMap({"GET /customers/<id>": FIELDS, "* /all": FIELDS})
FOUND = {
    "GET": ("GET", "/customers/1", True),
    "HEAD": ("HEAD", "/customers/1", True),
    "a slash at the end": ("GET", "/customers/1/", True),
    "any method": ("PATCH", "/all", True),
    "another method": ("POST", "/customers/1", False),
    "another path": ("GET", "/customers", False),
    "another case": ("GET", "/Customers/1", False),
}


@pytest.mark.parametrize(("method", "path", "found"), FOUND.values(), ids=FOUND)
def test_the_filter_is_that_of_the_operation(method: str, path: str, found: bool) -> None:  # noqa: FBT001 - a table
    request = WSGIRequest({"REQUEST_METHOD": method, "PATH_INFO": path})
    assert filter_of(FILTERS, request) is (FIELDS if found else None)


@pytest.mark.parametrize(
    "path", ["//customers/1", "/x/../customers/1", "/./customers/1", "/customers;/1", "/customers\\1"]
)
def test_a_path_that_can_be_read_as_another_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequest, match="ambiguous_path"):
        filter_of(FILTERS, WSGIRequest({"REQUEST_METHOD": "GET", "PATH_INFO": path}))


@pytest.mark.parametrize("fields", [None, {"profile": ["name"]}, FieldFilter, lambda: None])
def test_what_is_no_filter_is_a_mistake_found_at_import(fields: Any) -> None:
    with pytest.raises(TypeError, match="write @filtered"):
        checked_filter(fields)
    assert checked_filter(FIELDS) is FIELDS


@pytest.mark.parametrize("limit", [None, "9", 1.5, True])
def test_a_limit_is_a_whole_number(limit: Any) -> None:
    with pytest.raises(TypeError, match="max_filtered is a whole number of bytes"):
        filter_rules((), limit)
