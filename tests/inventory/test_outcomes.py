from collections.abc import Iterator
from typing import Any

import pytest

from oauth_rs import DirectURL
from oauth_rs.inventory.outcomes import Outcome, outcomes
from oauth_rs.inventory.pieces import Anything, Piece, literal
from oauth_rs.inventory.places import HERE, Asked, Place, Served, examples
from oauth_rs.policy import NoScopes, Operation, OperationRule, OperationScopes, PassThrough, Public
from oauth_rs.request import Request
from oauth_rs.scopes import AllOf
from tests.inventory.conftest import Servers

PHOTO = (literal("/photos/"), Piece("<id>", ("1729", "example"), Anything("[^/]+")))


def ends(place: Place, method: str = "GET", *asked: Asked) -> list[Outcome]:
    there = place.below(*PHOTO)
    return outcomes(Served(method=method, place=there, endpoint="photo", asked=asked), examples())


def told(found: list[Outcome]) -> list[str]:
    """Where each is, and what it takes or else what becomes of it."""
    return [f"{one.method} {one.path} {' '.join(map(str, _scopes(one))) or one.protection}" for one in found]


def _scopes(outcome: Outcome) -> list[str]:
    return [scope for one in outcome.asked for scope in one.requirement.scopes]


OPTIONS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a server": ({}, "protected", "protected"),
    "optional": ({"credentials": "optional"}, "unprotected", "protected"),
    "public": ({"public": ["/photos/*"]}, "public", "closed"),
    "public by policy": ({"policy": OperationScopes({"GET /photos/<n>": Public()})}, "public", "closed"),
    "passed through": ({"policy": OperationScopes({"* /photos/<n>": PassThrough()})}, "pass-through", "closed"),
    "mapped": ({"policy": OperationScopes({"GET /photos/<n>": "a"})}, "protected", "protected"),
    "for all": ({"policy": NoScopes()}, "protected", "protected"),
    "not mapped": ({"policy": OperationScopes({"POST /photos/<n>": "a"})}, "refused", "refused"),
}


@pytest.mark.parametrize(("options", "plain", "decorated"), OPTIONS.values(), ids=OPTIONS)
def test_the_server_and_what_is_asked_decide(
    server: Servers, options: dict[str, Any], plain: str, decorated: str
) -> None:
    place, asked = HERE.behind(server(**options)), Asked("decorator", AllOf("x"))
    assert [one.protection for one in ends(place)] == [plain]
    assert [one.protection for one in ends(place, "GET", asked)] == [decorated]


def test_without_a_server_nothing_is_protected_but_by_what_is_asked() -> None:
    assert [one.protection for one in ends(HERE)] == ["unprotected"]
    assert [one.protection for one in ends(HERE, "GET", Asked("decorator", AllOf()))] == ["protected"]


RULES: dict[str, tuple[dict[str, str | OperationRule], str, list[str]]] = {
    "the method": ({"GET /photos/<id>": "a", "POST /photos/<id>": "b"}, "POST", ["POST /photos/1729 b"]),
    "any method": ({"* /photos/<id>": "a", "POST /photos/<id>": "b"}, "PUT", ["PUT /photos/1729 a"]),
    "GET for HEAD": ({"GET /photos/<id>": "a"}, "HEAD", ["HEAD /photos/1729 a"]),
    "HEAD of its own": ({"HEAD /photos/<id>": "b", "* /photos/<id>": "a"}, "HEAD", ["HEAD /photos/1729 b"]),
    "GET for a handshake": ({"GET /photos/<id>": "a"}, "WEBSOCKET", ["GET /photos/1729 a"]),
    "a number": (
        {"GET /photos/<int:id>": "a"},
        "GET",
        ["GET /photos/1729 a", "GET /photos/example refused"],
    ),
    "text of its own": (
        {"GET /photos/<id>": "a", "GET /photos/cat": "b"},
        "GET",
        ["GET /photos/1729 a", "GET /photos/cat b"],
    ),
    "all alike": ({"GET /photos/<id>": "a", "GET /photos/cat": "a"}, "GET", ["GET /photos/1729 a"]),
    "a path": ({"GET /<path:all>": "a"}, "GET", ["GET /photos/1729 a"]),
}


@pytest.mark.parametrize(("rules", "method", "expected"), RULES.values(), ids=RULES)
def test_each_outcome_is_told_once_with_its_first_path(
    server: Servers, rules: dict[str, str | OperationRule], method: str, expected: list[str]
) -> None:
    assert told(ends(HERE.behind(server(policy=OperationScopes(rules))), method)) == expected


def test_a_route_for_any_method_is_asked_for_with_each(server: Servers) -> None:
    policy = OperationScopes({"DELETE /photos/<id>": "a"}, default=Public())
    found = ends(HERE.behind(server(policy=policy)), "*")
    assert [one.method for one in found] == ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
    assert [one.method for one in found if one.protection == "protected"] == ["DELETE"]


@pytest.mark.parametrize("name", ["POST /photos/<id>", "GET /photos", "GET /photos/<id>/x"])
def test_where_no_example_is_mapped_the_default_holds(server: Servers, name: str) -> None:
    for default, expected in ((None, "refused"), ("rest", "rest"), (Public(), "public")):
        place = HERE.behind(server(policy=OperationScopes({name: "a"}, default=default)))
        assert told(ends(place)) == [f"GET /photos/1729 {expected}"]


def test_a_path_that_can_be_read_in_several_ways_is_refused(server: Servers) -> None:
    policy = OperationScopes({"GET /photos/<id>": "photos"}, default=Public())
    place = HERE.behind(server(policy=policy)).below(literal("/a/"))
    assert [one.protection for one in ends(place)] == ["refused"]


def test_a_server_sees_the_path_from_where_it_stands(server: Servers) -> None:
    inner = server(policy=OperationScopes({"GET /photos/<id>": "inner"}))
    outer = server(policy=OperationScopes({"GET /api/photos/<id>": "outer"}))
    place = HERE.behind(outer).below(literal("/api")).behind(inner)
    assert told(ends(place)) == ["GET /api/photos/1729 outer inner"]


def test_a_path_that_another_route_answers_is_no_example(server: Servers) -> None:
    place = HERE.behind(server(public=["/photos/open"]))
    first = Served(method="GET", place=place.below(literal("/photos/open")), endpoint="open").earlier()
    for before, expected in ((), ["protected", "public"]), ((first,), ["protected"]):
        found = Served(method="GET", place=place.below(*PHOTO), endpoint="photo", before=before)
        assert [one.protection for one in outcomes(found, examples())] == expected


def test_the_host_is_compared_in_lower_case(server: Servers) -> None:
    checked = server(public=["//sandbox.example.com/photos/*"], url=DirectURL(hosts=["sandbox.example.com"]))
    place = HERE.behind(checked)
    assert [one.protection for one in ends(place.at("Sandbox.example.com"))] == ["public"]
    assert [one.protection for one in ends(place)] == ["protected"]


class Looking:
    """A policy of the user's, which looks at everything that a request has."""

    def find(self, request: Request, /) -> Operation | None:
        assert not request.header(b"x-tenant")
        assert (request.url_scheme, request.peer, request.raw_path, request.query) == ("https", "", b"", b"")
        assert not request.parameters
        return Operation(AllOf("looked")) if request.path == "/photos/example" else None

    def rules(self) -> Iterator[tuple[str, OperationRule]]:
        yield "some operations", AllOf("looked")


def test_policies_of_the_users_are_asked_alike(server: Servers) -> None:
    found = ends(HERE.behind(server(policy=Looking())))
    assert told(found) == ["GET /photos/1729 refused", "GET /photos/example looked"]
