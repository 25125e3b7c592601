from collections.abc import Iterator

import pytest
from werkzeug.routing import BaseConverter

from oauth_rs import FieldFilter, ResourceServer
from oauth_rs.inventory.pieces import Anything, Piece, literal
from oauth_rs.inventory.places import HERE, Place, Served, examples, opaque
from oauth_rs.inventory.unmet import hints, lost_filters
from oauth_rs.policy import APIScopes, NoScopes, Operation, OperationRule, OperationScopes, Public
from oauth_rs.request import Request
from oauth_rs.scopes import AllOf
from tests.inventory.conftest import Servers

NUMBER = Piece("{id}", ("1729", "example"), Anything("[^/]+"))
NAMES, EVERYTHING = FieldFilter({"profile": ["name"]}), FieldFilter({"admin": ["*"]})


def customers(server: ResourceServer, methods: tuple[str, ...] = ("GET", "HEAD"), place: Place = HERE) -> list[Served]:
    """`/customers` and `/customers/{id}` behind `server`."""
    first = place.behind(server).below(literal("/customers"))
    both = first, first.below(literal("/"), NUMBER)
    return [Served(method=method, place=each, endpoint="it") for each in both for method in methods]


def lost(found: list[Served]) -> list[str]:
    return [route.name for route in lost_filters(found, examples())]


@pytest.mark.parametrize(
    "name",
    [
        "GET /customers/<id>",
        "* /customers/<id>",
        "HEAD /customers/<id>",
        "GET /customers/",
        "GET /customers/<int:id>",
        "GET /customers/<uuid:id>",
        "GET /customers/<any(new,old):id>",
        "GET /customers/<string(length=40):id>",
        "GET /customers/new",
        "GET /<path:all>",
        "GET /<all>",
    ],
)
def test_a_filter_is_not_lost_where_a_route_has_a_path_of_it(server: Servers, name: str) -> None:
    assert lost(customers(server(filters={name: NAMES}))) == []


@pytest.mark.parametrize(
    "name",
    [
        "GET /customer/<id>",
        "POST /customers/<id>",
        "GET /customers/<id>/orders",
        "GET /Customers",
        "GET /",
        "GET /api/customers",
    ],
)
def test_a_filter_that_no_route_has_is_lost(server: Servers, name: str) -> None:
    (route,) = lost_filters(customers(server(filters={name: NAMES, "GET /customers": NAMES})), examples())
    assert (route.name, route.endpoint, route.protection, route.filters) == (name, "filters", "broken", (NAMES,))
    assert route.problem.startswith("it is a filter, and no route behind its server answers there: ")


def test_the_route_that_was_meant_is_named(server: Servers) -> None:
    place = HERE.below(literal("/api"))
    (route,) = lost_filters(customers(server(filters={"GET /customer/<id>": NAMES}), place=place), examples())
    assert route.problem.endswith("did you mean 'GET /customers/{id}'?")
    (route,) = lost_filters(customers(server(filters={"GET /x": NAMES}), place=place), examples())
    assert route.problem.endswith("is it misspelled, or not declared?")


def test_of_two_filters_with_the_same_fields_one_may_be_lost(server: Servers) -> None:
    filters = {"GET /customers": NAMES, "GET /customer/<id>": NAMES, "GET /clients": NAMES}
    assert lost(customers(server(filters=filters))) == ["GET /customer/<id>", "GET /clients"]


def test_one_that_another_filter_is_taken_before_everywhere_is_lost(server: Servers) -> None:
    place = HERE.behind(server(filters={"GET /<path:x>": NAMES, "GET /a/<y>": EVERYTHING}))
    assert lost([Served(method="GET", place=place.below(literal("/a/"), NUMBER), endpoint="it")]) == ["GET /<path:x>"]


def test_a_handshake_is_not_filtered(server: Servers) -> None:
    assert lost(customers(server(filters={"GET /customers": NAMES}), ("WEBSOCKET",))) == ["GET /customers"]


@pytest.mark.parametrize("name", ["GET /static/a", "PROPFIND /static/<int:n>", "* /static/<path:rest>", "GET /static"])
def test_what_an_application_that_cannot_be_looked_into_answers_is_not_known(server: Servers, name: str) -> None:
    place = HERE.behind(server(filters={name: NAMES}))
    assert lost([opaque(object(), place.below(literal("/static")), itself=True)]) == []
    assert lost([opaque(object(), place.below(literal("/other")), itself=True)]) == [name]


def test_each_server_has_its_own(server: Servers) -> None:
    outer = server(filters={"GET /shop/customers": NAMES, "GET /customers/<id>": NAMES})
    inner = server(filters={"GET /customers": NAMES, "GET /shop/customers/<id>": NAMES})
    found = customers(inner, place=HERE.behind(outer).below(literal("/shop")))
    assert lost(found) == ["GET /customers/<id>", "GET /shop/customers/<id>"]


def test_one_server_in_several_places_has_the_routes_of_all(server: Servers) -> None:
    one = server(filters={"GET /customers": NAMES, "POST /customers/<id>": NAMES})
    found = customers(one, place=HERE.below(literal("/a"))) + customers(one, ("POST",), HERE.below(literal("/b")))
    assert lost(found) == []


def test_outside_of_a_root_path_nothing_is_told(server: Servers) -> None:
    policy = OperationScopes({"GET /customer": "x"}, default="y")
    place = HERE.behind(server(filters={"GET /x": NAMES}, policy=policy)).rooted("/api").below(literal("/customers"))
    found = [Served(method="GET", place=place, endpoint="it")]
    assert (lost(found), hints(found, examples())) == ([], [""])


def test_where_there_are_no_filters_none_is_lost(server: Servers) -> None:
    assert lost(customers(server())) == []
    assert lost([]) == []


HINTS: dict[str, tuple[dict[str, str | OperationRule], list[str]]] = {
    "a letter": ({"GET /customer/<id>": "a"}, ["", "", "GET /customer/<id>", "GET /customer/<id>"]),
    "any method": ({"* /custommers": "a"}, ["* /custommers", "* /custommers", "", ""]),
    "HEAD alone": ({"HEAD /customer": "a"}, ["", "HEAD /customer", "", ""]),
    "another method": ({"POST /customer": "a"}, ["", "", "", ""]),
    "nothing near": ({"GET /orders": "a"}, ["", "", "", ""]),
    "all have theirs": ({"GET /customers": "a", "GET /customers/<x>": "a", "GET /customer": "b"}, ["", "", "", ""]),
    "another kind of parameter": ({"GET /customer/<int:id>": "a"}, ["", "", *["GET /customer/<int:id>"] * 2]),
}


@pytest.mark.parametrize(("rules", "expected"), HINTS.values(), ids=HINTS)
def test_a_rule_that_no_route_has_is_told_where_it_may_have_been_meant(
    server: Servers, rules: dict[str, str | OperationRule], expected: list[str]
) -> None:
    for default in (None, Public()):
        told = hints(customers(server(policy=OperationScopes(rules, default=default))), examples())
        text = "no route falls under {!r} of its policy: is this the one that was meant?"
        assert told == [text.format(name) if name else "" for name in expected]


def test_under_a_wide_rule_one_of_its_own_may_be_missed(server: Servers) -> None:
    policy = OperationScopes({"GET /<path:all>": "read", "DELETE /customer/<id>": "admin", "* /<path:all>": "write"})
    found = customers(server(policy=policy), ("DELETE",))
    assert [bool(hint) for hint in hints(found, examples())] == [False, True]


def test_handshakes_fall_under_rules_for_get(server: Servers) -> None:
    met, missed = OperationScopes({"GET /customers": "a"}), OperationScopes({"GET /customer": "a"})
    assert hints(customers(server(policy=met), ("WEBSOCKET",)), examples()) == ["", ""]
    assert all(hints(customers(server(policy=missed), ("WEBSOCKET",)), examples())[:1])


class Code(BaseConverter):
    regex = "[A-Z]{3}"


class Own:
    """A policy of the user's, which names operations as it likes."""

    def find(self, _request: Request, /) -> Operation | None:
        return None

    def rules(self) -> Iterator[tuple[str, OperationRule]]:
        for name in ("GET /customer", "all that is left", "GET /<int(:x>"):
            yield name, AllOf("a")


@pytest.mark.parametrize(
    "policy",
    [
        None,
        NoScopes(),
        APIScopes("a"),
        Own(),
        OperationScopes({"GET /customer": "a", "GET /<code:x>/b": "b"}, converters={"code": Code}),
    ],
    ids=repr,
)
def test_of_policies_that_cannot_be_read_nothing_is_told(server: Servers, policy: object) -> None:
    assert hints(customers(server(policy=policy)), examples()) == ["", "", "", ""]
