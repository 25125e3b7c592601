from functools import partial
from typing import Any

import pytest
from werkzeug.routing import Map, Rule

from oauth_rs.fields import FieldFilter
from oauth_rs.inventory.pieces import ANGLES, literal, pieces
from oauth_rs.inventory.places import HERE, Asked, Place, Served, handler, label, opaque
from oauth_rs.inventory.places import examples as remembered
from oauth_rs.inventory.templates import templates
from oauth_rs.notes import noted
from oauth_rs.policy import OperationScopes
from oauth_rs.scopes import AllOf
from tests.inventory.conftest import Servers


def nothing(_server: object) -> tuple[()]:
    """The templates of no server."""
    return ()


def at(template: str, place: Place = HERE) -> Place:
    rule = Rule(template, endpoint="x")
    Map([rule])
    return place.below(*pieces(template, ANGLES, rule._converters))


def examples(place: Place) -> list[str]:
    return ["".join(one) for one in place.examples(templates)]


def test_examples_are_few_however_many_parameters_there_are() -> None:
    template = "".join(f"/<p{number}>" for number in range(30))
    found = [*at(template).examples(nothing)]
    assert len(found) < 150
    for piece in range(60):  # and each sample is among them
        assert len({example[piece] for example in found}) == (5 if piece % 2 else 1)


def test_a_server_sees_what_is_further_down_only(server: Servers) -> None:
    first, second = server(), server()
    place = HERE.behind(first).below(literal("/api")).behind(second).below(literal("/photos"))
    (example,) = place.examples(templates)
    seen = [(passed.server, "".join(example[passed.depth :])) for passed in place.passed]
    assert seen == [(first, "/api/photos"), (second, "/photos")]


def test_what_is_asked_by_the_templates_of_each_server_is_an_example(server: Servers) -> None:
    outer = server(policy=OperationScopes({"GET /api/<n>/cat": "x", "GET /other/<n>/dog": "x", "GET /api/up/<n>": "x"}))
    inner = server(public=["/down/bird", "/api/down/fish"])
    place = at("/<name>/<kind>", HERE.behind(outer).below(literal("/api")).behind(inner))
    found = examples(place)
    assert {"/api/1729/cat", "/api/up/example", "/api/down/bird"} <= set(found)
    assert not [path for path in found if "dog" in path or "fish" in path]
    assert len(found) == len(set(found))


def test_what_a_template_adds_fits_the_place(server: Servers) -> None:
    policy = OperationScopes({"GET /n/<int(min=10):n>": "x", "GET /n/5": "x", "GET /n/text": "x"})
    found = examples(at("/n/<int(max=9):n>", HERE.behind(server(policy=policy))))
    assert "/n/5" in found
    assert all(int(path.removeprefix("/n/")) <= 9 for path in found)


def test_the_root_path_is_that_of_the_servers_further_out(server: Servers) -> None:
    place = HERE.behind(server()).rooted("/api").behind(server())
    assert [passed.root_path for passed in place.passed] == ["/api", ""]


def found_at(template: str, method: str = "GET", host: str = "") -> Served:
    return Served(method=method, place=at(template).at(host), endpoint="x")


BOTH = ["/p/live", "/p/1729"]
EARLIER: dict[str, tuple[Served, list[str]]] = {
    "the same path": (found_at("/p/live"), ["/p/1729"]),
    "a converter": (found_at("/p/<any(live, dead):x>"), ["/p/1729"]),
    "all below": (found_at("/p/<path:x>"), BOTH),  # there would be nothing left
    "any method": (found_at("/p/live", "*"), ["/p/1729"]),
    "another method": (found_at("/p/live", "POST"), BOTH),
    "another host": (found_at("/p/live", host="x"), BOTH),
    "another path": (found_at("/p/lives"), BOTH),
    "elsewhere": (found_at("/q/live"), BOTH),
}


@pytest.mark.parametrize(("other", "left"), EARLIER.values(), ids=EARLIER)
def test_what_another_route_answers_is_not_led_here(other: Served, left: list[str]) -> None:
    here = Served(method="GET", place=at("/p/<x>"), endpoint="x", before=(other.earlier(),))
    paths = ["".join(one) for one in here.led_here("GET", [("/p/", "live"), ("/p/", "1729")])]
    assert paths == left


def test_what_answers_any_method_answers_no_handshake() -> None:
    here = Served(method="WEBSOCKET", place=at("/p/<x>"), endpoint="x", before=(found_at("/p/live", "*").earlier(),))
    assert len(here.led_here("WEBSOCKET", [("/p/", "live"), ("/p/", "1729")])) == 2


def test_what_decorators_ask_for_and_filter_is_told_after_what_was_asked_before() -> None:
    fields = FieldFilter({"a": ["b"]})
    first, second = noted(noted(lambda: None, AllOf("a")), fields), noted(lambda: None, AllOf("b"))
    before = Asked("dependency", AllOf("c"))
    found = Served(method="GET", place=HERE, endpoint="x", asked=(before,)).through(first, lambda: None, second)
    assert found.asked == (before, Asked("decorator", AllOf("a")), Asked("decorator", AllOf("b")))
    assert found.filters == (fields,)


def test_a_place_is_not_changed_by_what_is_below_it(server: Servers) -> None:
    HERE.behind(server()).below(literal("/x")).at("api.example.com", "host").with_parameters("x")
    assert Place() == HERE


def test_a_host_comes_before_the_path_and_may_have_parameters() -> None:
    place = HERE.with_parameters("id").at("{sub}.example.com", "sub").below(literal("/x"))
    assert (place.path, sorted(place.parameters)) == ("//{sub}.example.com/x", ["id", "sub"])
    assert examples(place) == ["/x"]


def test_what_is_opaque_stands_for_all_below_it() -> None:
    found = opaque(Views, HERE.below(literal("/static")))
    assert (found.method, found.place.path, found.asked) == ("*", "/static/*", ())
    assert examples(found.place) == ["/static/1729", "/static/example.txt", "/static/example/1729", "/static/"]
    assert examples(opaque(Views, HERE.below(literal("/wsgi")), itself=True).place)[-1] == "/wsgi"


class Views:
    def get(self) -> None: ...
    def post(self) -> None: ...


class WithHead(Views):
    def head(self) -> None: ...


@pytest.mark.parametrize(
    ("view", "method", "name"),
    [
        (Views, "GET", "get"),
        (Views, "HEAD", "get"),
        (Views, "POST", "post"),
        (Views, "PUT", None),
        (WithHead, "HEAD", "head"),
        (object, "HEAD", None),
    ],
)
def test_get_stands_in_for_head_and_for_nothing_else(view: type, method: str, name: str | None) -> None:
    assert handler(view, method) is (None if name is None else getattr(view, name))


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (handler, "oauth_rs.inventory.places.handler"),
        (Views, f"{__name__}.Views"),
        (Views(), f"{__name__}.Views"),
        (Views.get, f"{__name__}.Views.get"),
        (Views().get, f"{__name__}.Views.get"),
        (partial(handler), "functools.partial"),
    ],
)
def test_a_label_is_where_the_thing_is_defined(thing: Any, text: str) -> None:
    assert label(thing) == text


def test_the_examples_of_a_place_are_found_once() -> None:
    find, place = remembered(), at("/photos/<int:number>")
    assert find(place) is find(place.with_parameters())
    assert find(place) == place.examples(templates)
