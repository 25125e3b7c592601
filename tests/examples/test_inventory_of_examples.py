"""Every route of the examples is protected or declared public."""

from pathlib import Path

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
