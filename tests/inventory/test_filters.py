from collections.abc import Callable
from typing import Any

import pytest

from oauth_rs import FieldFilter, Public
from oauth_rs.inventory.filters import Filtering, filtering
from oauth_rs.inventory.pieces import Anything, Piece, literal
from oauth_rs.inventory.places import HERE, Place, Served, examples, opaque
from oauth_rs.policy import OperationScopes
from tests.inventory.conftest import Servers

NUMBER = Piece("<id>", ("1729", "example"), Anything("[^/]+"))
CUSTOMER = (literal("/customers/"), NUMBER)
NAMES, EVERYTHING = FieldFilter({"profile": ["name"]}), FieldFilter({"admin": ["*"]})
Look = Callable[..., Filtering]


def found(place: Place, method: str = "GET", **more: Any) -> Served:
    return Served(method=method, place=place, endpoint="it", **more)


@pytest.fixture
def look(server: Servers) -> Look:
    """What is filtered behind a server with the given filters and other options."""

    def give(filters: dict[str, FieldFilter], method: str = "GET", more: Any = None, **options: Any) -> Filtering:
        place = HERE.behind(server(filters=filters, **options)).below(*CUSTOMER)
        return filtering(found(place, method, **(more or {})), examples())

    return give


@pytest.mark.parametrize(
    "name",
    ["GET /customers/<id>", "* /customers/<id>", "GET /<path:all>", "GET /customers/<string(maxlength=9):x>"],
)
def test_a_filter_that_holds_at_every_path_is_told(look: Look, name: str) -> None:
    assert look({name: NAMES}) == Filtering((NAMES,))


@pytest.mark.parametrize(
    "name", ["GET /customer/<id>", "POST /customers/<id>", "GET /customers", "GET /customers/<id>/x"]
)
def test_one_for_other_operations_is_not(look: Look, name: str) -> None:
    assert look({name: NAMES}) == Filtering(())


PARTLY = {
    "GET /customers/<int:id>": "that of /customers/1729 is, that of /customers/example is not",
    "GET /customers/1": "that of /customers/1 is, that of /customers/1729 is not",
    "* /customers/<any(new,old):id>": "that of /customers/new is, that of /customers/1729 is not",
}


@pytest.mark.parametrize(("name", "told"), PARTLY.items(), ids=PARTLY)
def test_answers_that_go_out_beside_a_filter_are_a_problem(look: Look, name: str, told: str) -> None:
    assert look({name: NAMES}) == Filtering((NAMES,), f"only some of its answers are filtered: {told}")
    for method in ("*", "GET"):
        assert bool(look({name: NAMES}, method).problem)


def test_several_filters_that_leave_nothing_out_are_none(look: Look) -> None:
    both = {"GET /customers/<int:id>": NAMES, "GET /customers/<id>": EVERYTHING}
    assert look(both) == Filtering((NAMES, EVERYTHING))
    assert look({**both, "GET /customers/<int:id>": EVERYTHING}) == Filtering((EVERYTHING,))


def test_where_nobody_gets_there_nothing_need_be_filtered(look: Look) -> None:
    filters = {"GET /customers/<int:id>": NAMES}
    refused = OperationScopes({"GET /customers/<int:id>": "profile"})
    assert look(filters, policy=refused) == Filtering((NAMES,))
    anybody = OperationScopes({"GET /customers/<int:id>": "profile"}, default=Public())
    assert look(filters, policy=anybody).problem


def test_a_method_that_is_not_filtered_at_all_is_no_problem(look: Look) -> None:
    assert look({"GET /customers/<id>": NAMES}, "*") == Filtering((NAMES,))
    assert look({"GET /customers/<id>": NAMES}, "HEAD") == Filtering((NAMES,))
    assert look({"HEAD /customers/<id>": NAMES}, "GET") == Filtering(())


def test_a_decorator_filters_at_every_path(look: Look) -> None:
    decorated = look({"GET /customers/<int:id>": NAMES}, more={"filters": (EVERYTHING, EVERYTHING)})
    assert decorated == Filtering((EVERYTHING, NAMES))


def test_a_handshake_has_no_answer_to_filter(look: Look) -> None:
    assert look({"GET /customers/<int:id>": NAMES}, "WEBSOCKET") == Filtering(())


def test_a_path_that_is_refused_is_none_that_goes_out(server: Servers) -> None:
    place = HERE.behind(server(filters={"GET /customers/<id>": NAMES})).below(literal("/customers/"))
    either = place.below(Piece("<path:id>", ("1729", "/1729"), Anything(".*?")))
    assert filtering(found(either), examples()) == Filtering((NAMES,))


def test_of_an_application_with_routes_of_its_own_some_may_be_filtered(server: Servers) -> None:
    place = HERE.behind(server(filters={"GET /shop/customers": NAMES})).below(literal("/shop"))
    assert filtering(opaque(object(), place), examples()) == Filtering((NAMES,))


def test_a_server_filters_by_the_path_from_where_it_stands(server: Servers) -> None:
    outer = server(filters={"GET /shop/customers/<int:id>": NAMES})
    inner = server(filters={"GET /customers/<id>": EVERYTHING})
    place = HERE.behind(outer).below(literal("/shop"))
    assert filtering(found(place.behind(inner).below(*CUSTOMER)), examples()) == Filtering((NAMES, EVERYTHING))
    assert filtering(found(place.below(*CUSTOMER)), examples()).problem


def test_a_path_that_another_route_answers_is_not_judged(server: Servers) -> None:
    place = HERE.behind(server(filters={"GET /customers/new": NAMES}))
    first = found(place.below(literal("/customers/new"))).earlier()
    assert filtering(found(place.below(*CUSTOMER), before=(first,)), examples()) == Filtering(())


def test_outside_of_a_root_path_filters_are_not_looked_for(server: Servers) -> None:
    place = HERE.behind(server(filters={"GET /customers/<id>": NAMES})).rooted("/shop").below(*CUSTOMER)
    assert filtering(found(place), examples()) == Filtering(())
