"""Both shells' views of one request are requests to the core, and say the same of it."""

from typing import Any

import pytest

from oauth_rs.asgi import ASGIRequest
from oauth_rs.request import Request
from oauth_rs.wsgi import WSGIRequest
from tests.support.calling import environ_of, scope_of

ASKED: tuple[Any, ...] = ("POST", "/photos/7%2F8?size=2", [("Host", "api.example.com"), ("X-Key", "k")])


def views() -> list[Request]:
    method, target, headers = ASKED
    environ = environ_of(method, target, headers, b"", RAW_URI=target, REMOTE_ADDR="192.0.2.1")
    return [WSGIRequest(environ), ASGIRequest(scope_of(method, target, headers))]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("method", "POST"),
        ("path", "/photos/7/8"),
        ("raw_path", b"/photos/7%2F8"),
        ("query", b"size=2"),
        ("url_scheme", "http"),
        ("peer", "192.0.2.1"),
        ("parameters", {}),
    ],
)
def test_both_views_say_the_same(name: str, expected: Any) -> None:
    assert [getattr(view, name) for view in views()] == [expected, expected]


@pytest.mark.parametrize(("name", "expected"), [(b"x-key", [b"k"]), (b"host", [b"api.example.com"]), (b"x-none", [])])
def test_both_views_find_the_same_headers(name: bytes, expected: list[bytes]) -> None:
    assert [list(view.header(name)) for view in views()] == [expected, expected]


def test_parameters_of_one_request_are_not_those_of_another() -> None:
    for first, second in zip(views(), views(), strict=True):
        first.parameters = {"number": "7"}
        assert second.parameters == {}
