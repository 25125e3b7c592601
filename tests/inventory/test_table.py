from typing import Any

from oauth_rs import AllOf, AnyOf, FieldFilter
from oauth_rs.inventory.route import Route
from oauth_rs.inventory.table import table


def route(path: str, **more: Any) -> Route:
    members = {"method": "GET", "endpoint": path.strip("/"), "protection": "protected", "sources": ("server",), **more}
    return Route(path=path, **members)


def test_the_columns_are_aligned_and_faults_are_marked_and_explained() -> None:
    found = [
        route("/photos", requirements=(AllOf("photos", AnyOf("a", "b")),)),
        route("/me", method="DELETE"),
        route("/debug", protection="unprotected", sources=(), problem="no middleware stands in front of it"),
        route("/x", protection="broken", problem="nobody can get there"),
        route("/health", protection="public", sources=(), note="several rules decide here"),
        route("/mixed", protection="public", sources=(), problem="not at every path"),
    ]
    assert table(found).splitlines() == [
        "   method  path     protection   takes                endpoint",
        "   GET     /photos  protected    photos and (a or b)  photos",
        "   DELETE  /me      protected    any grant            me",
        "!  GET     /debug   unprotected  -                    debug",
        "!  GET     /x       broken       any grant            x",
        "   GET     /health  public       -                    health",
        "!  GET     /mixed   public       -                    mixed",
        "",
        "GET /debug (debug) is unprotected: no middleware stands in front of it",
        "GET /x (x) is broken: nobody can get there",
        "GET /mixed (mixed) is public: not at every path",
        "GET /health (health): several rules decide here",
        "6 routes: 2 protected, 1 unprotected, 1 broken, 2 public",
    ]


def test_filters_have_a_column_where_there_are_some() -> None:
    found = [route("/customers", filters=(FieldFilter({"profile": ["name"], "admin": ["*"]}),)), route("/photos")]
    assert table(found).splitlines()[:3] == [
        "  method  path        protection  takes      filtered by     endpoint",
        "  GET     /customers  protected   any grant  profile, admin  customers",
        "  GET     /photos     protected   any grant  -               photos",
    ]


def test_where_nothing_is_wrong_there_is_only_a_count() -> None:
    assert table([route("/x")]).splitlines()[-2:] == ["", "1 route: 1 protected"]


def test_an_application_without_routes_has_an_empty_table() -> None:
    assert table([]).splitlines() == ["  method  path  protection  takes  endpoint", "", "0 routes"]


def test_what_a_terminal_would_obey_is_escaped() -> None:
    path = "/\x1b[31m\n\t\x9b\u202e\ud800\u00e4\U0001f600"
    shown = table([route(path, endpoint="e\x07", problem="no\r", note="well\x00")])
    escaped = r"/\x1b[31m\n\t\x9b\u202e\ud800" + "\u00e4\U0001f600"
    assert shown.splitlines()[1:-1] == [
        f"!  GET     {escaped}  protected   any grant  e\\x07",
        "",
        f"GET {escaped} (e\\x07) is protected: no\\r",
        f"GET {escaped} (e\\x07): well\\x00",
    ]
