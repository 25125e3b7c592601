from collections.abc import Iterator

import pytest
from werkzeug.routing import BaseConverter, Map, Rule

from oauth_rs import DirectURL, FieldFilter
from oauth_rs.inventory.pieces import ANGLES, Anything, Piece, literal, pieces
from oauth_rs.inventory.templates import Template, merged, segments, templates
from oauth_rs.policy import NoScopes, Operation, OperationRule, OperationScopes, Public
from oauth_rs.request import Request
from oauth_rs.scopes import AllOf
from tests.inventory.conftest import Servers

NAMES = FieldFilter({"profile": ["name"]})


def of(template: str) -> Template:
    rule = Rule(template, endpoint="x")
    Map([rule])
    return segments(tuple(pieces(template, ANGLES, rule._converters)))


def shapes(template: Template) -> str:
    """`a` for text, `<>` for a parameter, `</>` for one that spans slashes."""
    return "/".join(one.values[0] if one.is_literal else "</>" if one.spans else "<>" for one in template)


@pytest.mark.parametrize(
    ("template", "shape"),
    [
        ("/", ""),
        ("/a", "a"),
        ("/a/", "a/"),
        ("/a/<x>", "a/<>"),
        ("/<x>-<int:y>.json/b", "<>/b"),
        ("/<path:x>/b", "</>/b"),
        ("/<any(a, b):x>", "<>"),
        ("/<any('a/b', c):x>", "</>"),
    ],
)
def test_a_template_is_cut_at_its_slashes(template: str, shape: str) -> None:
    assert shapes(of(template)) == shape


def test_what_is_below_an_application_is_one_segment() -> None:
    below = Piece("/*", ("/1729", "/"), Anything("/.*"))
    assert segments([below])[0].values == ("1729", "")
    assert shapes(segments([literal("/static"), below])) == "</>"


MERGED: dict[str, tuple[str, str, set[str]]] = {
    "the same": ("/a/b", "/a/b", {"/a/b"}),
    "text of the template": ("/a/<x>", "/a/open", {"/a/open"}),
    "text of the route": ("/a/open", "/a/<x>", {"/a/open"}),
    "text of both": ("/<kind>/export", "/reports/<name>", {"/reports/export"}),
    "choices": ("/<x>", "/<any(open, free):x>", {"/open", "/free"}),
    "a number, where both have a parameter": ("/<x>", "/<int(min=5000):n>", {"/11111", "/example"}),
    "all below": ("/f/<path:x>", "/f/a/<int:n>/c", {"/f/a/1729/c"}),
    "all before": ("/f/<x>/export", "/<path:x>/export", {"/f/example/export"}),
    "nothing below": ("/<x>/<path:y>", "/a", {"/a/"}),
    "a slash at the end": ("/<path:x>", "/a/b", {"/a/b", "/a/b/"}),
    "both span": ("/<path:x>/b", "/a/<path:y>", {"/a/b", "/a/1729/b"}),
}


@pytest.mark.parametrize(("route", "template", "expected"), MERGED.values(), ids=MERGED)
def test_a_path_is_made_of_both(route: str, template: str, expected: set[str]) -> None:
    assert expected <= set(merged(of(route), of(template)))


@pytest.mark.parametrize(
    ("route", "template"),
    [("/a", "/b"), ("/a/<x>", "/b/<x>"), ("/a/<x>", "/a"), ("/a", "/a/<x>"), ("/<x>/a", "/<x>/b"), ("/a", "/a/")],
)
def test_where_they_do_not_meet_there_is_no_path(route: str, template: str) -> None:
    assert list(merged(of(route), of(template))) == []


@pytest.mark.parametrize("template", ["/<path:a>/<path:b>/<path:c>", "".join(f"/<p{number}>" for number in range(30))])
def test_paths_are_few_however_many_parameters_there_are(template: str) -> None:
    assert 0 < len(list(merged(of(template), of(template)))) <= 64


class Code(BaseConverter):
    regex = "[A-Z]{3}"


class Own:
    """A policy of the user's, which names operations as it likes."""

    def find(self, _request: Request, /) -> Operation | None:
        return None

    def rules(self) -> Iterator[tuple[str, OperationRule]]:
        for name in ("GET /a/<x>", "all that is left", "GET /<int(:x>", "GET"):
            yield name, AllOf("a")


def test_the_templates_of_a_server_are_those_of_its_policy_its_filters_and_its_public_paths(server: Servers) -> None:
    policy = OperationScopes(
        {"GET /a/<x>": "a", "POST /a/<x>": "b", "GET /<code:x>/b": Public()}, default="c", converters={"code": Code}
    )
    public = ["/health", "/docs/*", "//sandbox.example.com/try/*"]
    filters = {"* /a/<y>": NAMES, "GET /c/<path:x>": NAMES}
    all_three = server(policy=policy, filters=filters, public=public, url=DirectURL(hosts=["sandbox.example.com"]))
    found = [shapes(one) for one in templates(all_three)]
    assert found == ["a/<>", "<>/b", "a/<>", "c/</>", "health", "docs/</>", "try/</>"]


def test_what_is_no_template_is_left_out(server: Servers) -> None:
    assert templates(server()) == ()
    assert templates(server(policy=NoScopes())) == ()
    assert [shapes(one) for one in templates(server(policy=Own()))] == ["a/<>", "<>"]
