from typing import Any

import pytest

from oauth_rs.openapi.document import Described
from oauth_rs.openapi.finding import RuleFinder
from oauth_rs.policy import APIScopes, NoScopes, Operation, OperationScopes, PassThrough, Public
from oauth_rs.scopes import AllOf
from tests.support.playing import PlainRequest

POLICY: dict[str, Any] = {
    "GET /": "root",
    "GET /photos": "list",
    "GET /photos/<int:id>": "show",
    "* /photos/<number>": "change",
    "HEAD /photos/<int:n>/": "head",
    "GET /photos/new": "form",
    "* /legacy/<path:rest>": PassThrough(),
    "GET /legacy/status": Public(),
    "GET /tags/<any(red,blue):tag>": "tag",
    "GET /codes/<string(length=2):code>/names": "code",
    "GET /files/<path:name>": "file",
    "GET /n/<int:id>/<path:rest>": "deep",
}


def rule_of(method: str, path: str, policy: Any = None) -> str | None:
    rule = RuleFinder(policy or OperationScopes(POLICY)).find(Described(method, path, {}))
    return None if rule is None else repr(rule)


@pytest.mark.parametrize(
    ("method", "path", "rule"),
    [
        ("GET", "/", "AllOf('root')"),
        ("GET", "/photos/", "AllOf('list')"),
        ("GET", "/photos/{photo-id}", "AllOf('show')"),
        ("PUT", "/photos/{photo-id}", "AllOf('change')"),
        ("HEAD", "/photos/{id}", "AllOf('head')"),
        ("HEAD", "/photos", "AllOf('list')"),
        ("GET", "/photos/new", "AllOf('form')"),
        ("GET", "/photos/7", "AllOf('show')"),
        ("PUT", "/photos/new", "AllOf('change')"),
        ("GET", "/tags/{tag}", "AllOf('tag')"),
        ("GET", "/tags/red", "AllOf('tag')"),
        ("GET", "/codes/{c}/names", "AllOf('code')"),
        ("GET", "/files/{name}", "AllOf('file')"),
        ("GET", "/files/{name}/{version}", "AllOf('file')"),
        ("POST", "/legacy/a/{id}", "PassThrough()"),
        ("GET", "/legacy/status", "Public()"),
        ("GET", "/n/{id}/a", "AllOf('deep')"),
    ],
)
def test_an_operation_falls_under_the_rule_that_its_requests_would(method: str, path: str, rule: str) -> None:
    assert rule_of(method, path) == rule


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", "/photos"), ("GET", "/albums"), ("GET", "/albums/{id}"), ("GET", "/tags/green"), ("GET", "/legacy")),
        *(("POST", "/files/{name}"), ("GET", "/codes/{c}"), ("GET", "/a/../b"), ("GET", "/a;b"), ("GET", "/{a}//b")),
    ],
)
def test_what_no_rule_covers_falls_under_none(method: str, path: str) -> None:
    assert rule_of(method, path) is None


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"GET /a/<int:id>": "number", "GET /a/<name>": "name"}, "/a/{id}"),
        ({"GET /a/<int:id>/<path:rest>": "number", "GET /a/<path:rest>": "rest"}, "/a/{id}/x"),
    ],
)
def test_where_the_values_of_parameters_decide_nothing_is_guessed(policy: dict[str, Any], path: str) -> None:
    with pytest.raises(ValueError, match="falls under several rules, by the values of its parameters"):
        rule_of("GET", path, OperationScopes(policy))


def test_a_value_that_another_template_has_as_it_stands_is_not_sampled() -> None:
    policy = OperationScopes({"GET /a/x/b": "x", "GET /a/<path:rest>": "rest"})
    assert rule_of("GET", "/a/{id}/b", policy) == "AllOf('rest')"


def test_several_templates_that_ask_for_the_same_are_one() -> None:
    assert rule_of("GET", "/a/{id}", OperationScopes({"GET /a/<int:id>": "x", "GET /a/<name>": "x"})) == "AllOf('x')"


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/photos", "AllOf('list')"),
        ("/albums/{id}", "AllOf('other')"),
        ("/n/{id}/a", "AllOf('deep')"),  # only numbers come under it, and the default is not for those
        ("/a;b", None),
    ],
)
def test_the_default_is_for_what_no_rule_covers(path: str, rule: str | None) -> None:
    assert rule_of("GET", path, OperationScopes(POLICY, default="other")) == rule


@pytest.mark.parametrize(("policy", "rule"), [(NoScopes(), "AllOf()"), (APIScopes("a", "b"), "AllOf('a', 'b')")])
def test_other_policies_have_one_rule_for_all(policy: Any, rule: str) -> None:
    assert rule_of("GET", "/photos/{id}", policy) == rule_of("DELETE", "/", policy) == rule


class Own:
    """A policy of one's own, that looks at the whole request."""

    def find(self, request: PlainRequest, /) -> Operation | None:
        seen = (request.raw_path, request.query, request.url_scheme, request.peer, request.header(b"x"))
        return Operation(AllOf("own")) if seen == (b"/caf\xc3\xa9", b"", "https", "", ()) else None

    def rules(self) -> list[tuple[str, Any]]:
        return []


def test_a_policy_of_ones_own_is_asked_about_a_request() -> None:
    assert rule_of("GET", "/caf%C3%A9", Own()) == "AllOf('own')"
    assert rule_of("GET", "/x", Own()) is None
