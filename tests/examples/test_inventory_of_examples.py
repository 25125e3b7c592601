"""Every route of the examples is protected or declared public, and the demo says so."""

from dataclasses import replace
from pathlib import Path

from examples.demo_inventory_cases import GOALS, goals, inventory_cases, routes_command
from examples.demo_world import App, Expected
from examples.flask_app.app import create_app as create_flask_app
from examples.starlette_app.app import create_app as create_starlette_app
from oauth_rs.inventory import assert_protected, routes
from tests.support.issuing import API, ISSUER


def test_every_route_of_the_flask_example_asks_for_a_grant(tmp_path: Path) -> None:
    app = create_flask_app(ISSUER, API, tmp_path / "goals.sqlite")
    assert_protected(app)
    found = {route.name: (route.protection, route.takes) for route in routes(app)}
    assert found["GET /static/<path:filename>"] == ("protected", "any grant")
    assert found["GET /goals"] == ("protected", "goals")
    assert found["POST /goals"] == ("protected", "goals.write")
    assert {protection for protection, _ in found.values()} <= {"protected", "public"}


def test_every_route_of_the_starlette_example_asks_for_a_grant_or_is_public() -> None:
    app = create_starlette_app(ISSUER, API)
    assert_protected(app)
    found = {route.name: (route.protection, route.takes) for route in routes(app)}
    assert found["GET /health"] == ("public", "")
    assert found["POST /photos/{number}/prints"] == ("protected", "photos.print")
    assert found["WEBSOCKET /photos/live"] == ("protected", "photos")
    assert {name for name, (protection, _) in found.items() if protection == "pass-through"} == {
        "GET /legacy/{rest:path}"
    }
    assert {protection for protection, _ in found.values()} == {"protected", "public", "pass-through"}


def test_the_inventory_is_as_the_demo_expects() -> None:
    flask = App(name="flask", url="", path="", scope="", form="", posted=0)
    cases = list(inventory_cases(flask, replace(flask, name="starlette")))
    answers = [case.send() for case in cases]
    assert [case.expected.met_by(answer) for case, answer in zip(cases, answers, strict=True)] == [True] * 12
    # No case is content with what was said of the other kind of application.
    assert not any(
        case.expected.met_by(answer) for case in cases for answer in answers if answer.status != case.expected.status
    )


def test_a_route_that_is_not_listed_fails_the_demo() -> None:
    listed = Expected(0, shows=(f"\n{GOALS}",))
    said = routes_command(goals)
    assert listed.met_by(said)
    for line in GOALS.splitlines(keepends=True):
        assert line == "\n" or not listed.met_by(replace(said, body=said.body.replace(f"\n{line}", "\n")))
