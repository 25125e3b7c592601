import json
import re
import subprocess
import sys
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask, jsonify
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from oauth_rs import FieldFilter, inventory
from oauth_rs.flask import protect, requires
from oauth_rs.inventory import assert_protected, routes, unprotected
from oauth_rs.policy import OperationScopes, Public
from oauth_rs.starlette import protect as protect_starlette
from tests.inventory.conftest import Servers
from tests.support.calling import call_asgi, call_wsgi


def view(**_arguments: Any) -> str:
    return "done"


@pytest.fixture
def app(server: Servers) -> Flask:
    """One route of each kind: protected, public, unprotected, broken."""
    app = Flask(__name__, static_folder=None)
    protect(app, server(credentials="optional", public=["/health", "/nobody"]))
    app.add_url_rule("/photos", "photos", requires("photos")(view))
    app.add_url_rule("/health", "health", view)
    app.add_url_rule("/debug", "debug", view, methods=["GET", "POST"])
    app.add_url_rule("/nobody", "nobody", requires("photos")(view))
    return app


FAULTY = ["GET /debug", "POST /debug", "GET /nobody"]


def test_the_protection_of_each_route_is_told(app: Flask) -> None:
    assert [(route.name, route.protection) for route in routes(app)] == [
        ("GET /photos", "protected"),
        ("GET /health", "public"),
        ("GET /debug", "unprotected"),
        ("POST /debug", "unprotected"),
        ("GET /nobody", "broken"),
    ]


def test_head_is_listed_where_it_differs_from_get(server: Servers) -> None:
    app = Flask(__name__, static_folder=None)
    policy = OperationScopes({"GET /a": "a", "GET /b": "b", "HEAD /b": Public(), "HEAD /c": "c"})
    protect(app, server(policy=policy))
    for path, methods in (("/a", ["GET"]), ("/b", ["GET"]), ("/c", ["HEAD"])):
        app.add_url_rule(path, path, view, methods=methods)
    found = [(route.name, route.takes or route.protection) for route in routes(app)]
    assert found == [("GET /a", "a"), ("GET /b", "b"), ("HEAD /b", "public"), ("HEAD /c", "c")]


def test_faulty_routes_are_found_and_no_others(app: Flask) -> None:
    assert [route.name for route in unprotected(app)] == FAULTY


def test_what_is_allowed_is_no_fault(app: Flask) -> None:
    assert [route.name for route in unprotected(app, allow=["GET /debug", "GET /nobody"])] == ["POST /debug"]
    assert unprotected(app, allow=FAULTY) == []


def test_the_assertion_names_every_fault_and_why(app: Flask) -> None:
    with pytest.raises(AssertionError) as caught:
        assert_protected(app)
    assert str(caught.value).splitlines() == [
        "not every route is protected:",
        "  GET /debug (debug) is unprotected: credentials are optional here, and nothing asks for a grant",
        "  POST /debug (debug) is unprotected: credentials are optional here, and nothing asks for a grant",
        f"  {routes(app)[-1].fault}",
    ]


def test_the_assertion_holds_where_all_is_protected_or_allowed(app: Flask, server: Servers) -> None:
    assert_protected(app, allow=FAULTY)
    assert_protected(app, allow=[*FAULTY, "GET /photos"])
    starlette = Starlette(routes=[Route("/", view)])
    protect_starlette(starlette, server())
    assert_protected(starlette)


@pytest.mark.parametrize("name", ["GET /debugs", "PUT /debug", "GET /debug/", "get /debug", "/debug", "debug", ""])
def test_a_name_that_is_no_route_is_a_fault(app: Flask, name: str) -> None:
    with pytest.raises(AssertionError, match="which is no route: "):
        assert_protected(app, allow=[*FAULTY, name])
    with pytest.raises(ValueError, match="which is no route: "):
        unprotected(app, allow=[name])


def test_a_name_that_is_nearly_a_route_is_met_with_a_hint(app: Flask) -> None:
    with pytest.raises(ValueError, match=r"did you mean 'GET /photos'\?"):
        unprotected(app, allow=["GET /photo"])


@pytest.mark.parametrize("ask", [unprotected, assert_protected])
def test_one_string_is_no_list_of_names(app: Flask, ask: Any) -> None:
    with pytest.raises(TypeError, match="allow is a list of routes"):
        ask(app, allow="GET /debug")


def test_a_route_that_is_open_at_some_paths_is_a_fault_and_may_be_allowed(server: Servers) -> None:
    app = Flask(__name__, static_folder=None)
    protect(app, server(public=["/d/open"]))
    app.add_url_rule("/d/<p>", "d", view)
    with pytest.raises(
        AssertionError, match=r"GET /d/<p> \(d\) is public: several rules decide here: /d/1729 takes any"
    ):
        assert_protected(app)
    assert_protected(app, allow=["GET /d/<p>"])
    app.add_url_rule("/d/open", "open", view)  # which answers there instead
    assert_protected(app)


def test_a_route_with_a_note_is_no_fault(server: Servers) -> None:
    app = Flask(__name__, static_folder=None)
    protect(app, server(policy=OperationScopes({"GET /d/<p>": "a", "GET /d/open": "b"})))
    app.add_url_rule("/d/<p>", "d", view)
    assert [bool(route.note) for route in routes(app)] == [True]
    assert_protected(app)


def test_a_filter_that_falls_on_no_route_is_a_fault_and_may_be_allowed(server: Servers) -> None:
    fields = FieldFilter({"profile": ["name"]})
    app = Flask(__name__, static_folder=None)
    protect(app, server(filters={"GET /customer/<id>": fields}))
    app.add_url_rule("/customers/<id>", "customer", view)
    with pytest.raises(
        AssertionError, match=r"GET /customer/<id> \(filters\) is broken: .* did you mean 'GET /customers/<id>'\?"
    ):
        assert_protected(app)
    assert [route.name for route in unprotected(app)] == ["GET /customer/<id>"]
    assert_protected(app, allow=["GET /customer/<id>"])
    app.add_url_rule("/customer/<id>", "other", view)
    assert_protected(app)


def test_a_route_of_which_some_answers_are_not_filtered_is_a_fault_and_may_be_allowed(server: Servers) -> None:
    fields = FieldFilter({"profile": ["name"]})
    app = Flask(__name__, static_folder=None)
    protect(app, server(filters={"GET /customers/<int:id>": fields}))
    app.add_url_rule("/customers/<id>", "customer", view)
    with pytest.raises(AssertionError, match=r"GET /customers/<id> \(customer\) is protected: only some of"):
        assert_protected(app)
    assert_protected(app, allow=["GET /customers/<id>"])


def test_a_rule_that_falls_on_no_route_is_no_fault(server: Servers) -> None:
    app = Flask(__name__, static_folder=None)
    protect(app, server(policy=OperationScopes({"GET /customer": "a", "GET /orders": "b"}, default="c")))
    app.add_url_rule("/customers", "customers", view)
    assert_protected(app)
    (route,) = routes(app)
    assert route.note == "no route falls under 'GET /customer' of its policy: is this the one that was meant?"


def test_a_route_that_is_added_later_without_protection_fails_the_assertion(server: Servers) -> None:
    app = Flask(__name__)
    protect(app, server(credentials="optional"))
    assert_protected(app, allow=["GET /static/<path:filename>"])
    app.add_url_rule("/late", view_func=view)
    with pytest.raises(AssertionError, match="GET /late"):
        assert_protected(app, allow=["GET /static/<path:filename>"])


def in_starlette(templates: list[str], answer: Any = None) -> Starlette:
    """Each route answers with its template; made by `answer`, of an object with a secret beside it."""

    def named(template: str) -> Any:
        if answer is not None:
            return lambda _request: answer({"template": template, "secret": 1})
        return lambda _request: PlainTextResponse(template)

    return Starlette(routes=[Route(template, named(template)) for template in templates])


def in_flask(templates: list[str], answer: Any = None) -> Flask:
    """The same, with the templates in werkzeug's way."""

    def named(template: str) -> Any:
        return lambda **_: template if answer is None else answer({"template": template, "secret": 1})

    app = Flask(__name__, static_folder=None)
    for template in templates:
        app.add_url_rule(in_angles(template), template, named(in_angles(template)))
    return app


def in_angles(template: str) -> str:
    return re.sub(r"{(\w+)(?::(\w+))?}", lambda it: f"<{it[2] or 'string'}:{it[1]}>", template)


def joined(parts: list[str]) -> str:
    return "/" + "/".join(part.replace("{n", f"{{n{number}") for number, part in enumerate(parts))


SEGMENTS = st.sampled_from(["a", "b", "7", "{n}", "x{n}", "{n:int}", "{n:path}"])
TEMPLATES = st.lists(SEGMENTS, min_size=1, max_size=3).map(joined)
PATHS = (
    st.lists(st.sampled_from(["a", "b", "7", "8", "xa", ""]), min_size=1, max_size=4)
    .map(joined)
    .filter(lambda path: "//" not in path)
)
OPERATIONS = TEMPLATES.map(lambda template: f"GET {in_angles(template)}")
RULES = st.sampled_from(["x", "y", Public()])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    templates=st.lists(TEMPLATES, min_size=1, max_size=4, unique=True),
    rules=st.dictionaries(OPERATIONS, RULES, min_size=1, max_size=4),
    default=st.one_of(st.none(), RULES),
    public=st.lists(PATHS, max_size=1),
    asked=st.lists(PATHS, min_size=10, max_size=10),
)
def test_a_route_that_answers_anybody_at_any_path_is_not_listed_as_protected(
    server: Servers, *, templates: list[str], rules: dict[str, Any], default: Any, public: list[str], asked: list[str]
) -> None:
    try:
        checked = server(policy=OperationScopes(rules, default=default), public=public)
    except ValueError:  # two rules are one, or take too long
        return
    starlette, flask = in_starlette(templates), in_flask(templates)
    protect_starlette(starlette, checked)
    protect(flask, checked)
    for app, call in ((starlette, call_asgi), (flask, call_wsgi)):
        protection = {route.path: route.protection for route in routes(app)}
        for path in asked + public:
            answer = call(app, target=path)
            if answer.status == 200:
                assert protection[answer.body.decode()] == "public", path


SHOWN = FieldFilter({}, always=["template"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    templates=st.lists(TEMPLATES, min_size=1, max_size=4, unique=True),
    filtered=st.lists(
        TEMPLATES.map(lambda template: f"GET {in_angles(template)}"), min_size=1, max_size=3, unique=True
    ),
    asked=st.lists(PATHS, min_size=10, max_size=10),
)
def test_what_is_filtered_at_some_paths_is_a_fault_and_no_filter_that_works_is(
    server: Servers, *, templates: list[str], filtered: list[str], asked: list[str]
) -> None:
    try:
        checked = server(public=["/*"], filters=dict.fromkeys(filtered, SHOWN))
    except ValueError:  # two filters are one, or take too long
        return
    starlette, flask = in_starlette(templates, JSONResponse), in_flask(templates, jsonify)
    protect_starlette(starlette, checked)
    protect(flask, checked)
    for app, call in ((starlette, call_asgi), (flask, call_wsgi)):
        listed = routes(app)
        found = {route.path: route for route in listed if route.endpoint != "filters"}
        lost = {route.name for route in listed if route.endpoint == "filters"}
        shown: dict[str, set[bool]] = {}
        for path in asked:
            answer = call(app, target=path)
            if answer.status == 200:
                told = json.loads(answer.body)
                shown.setdefault(told["template"], set()).add("secret" not in told)
        for template, ways in shown.items():
            assert True not in ways or found[template].filters
            assert len(ways) == 1 or found[template].problem
        assert len(lost) < len(filtered) or not any(True in ways for ways in shown.values())


def test_nothing_passes_for_protected_without_a_server() -> None:
    for app in (Flask(__name__), FastAPI(), Starlette(routes=[Route("/", view)])):
        assert {route.protection for route in routes(app)} == {"unprotected"}


@pytest.mark.parametrize("app", [None, "app:app", view, object(), Flask, Starlette, Servers, [], Starlette.__call__])
def test_what_is_no_application_is_refused_with_a_hint(app: Any) -> None:
    with pytest.raises(TypeError, match="is no application that can be looked at: give a Flask, Starlette or FastAPI"):
        routes(app)


def test_no_framework_is_imported_that_the_application_does_not_use() -> None:
    script = (
        "import sys; from oauth_rs import inventory\n"
        "try: inventory.routes(print)\n"
        "except TypeError: sys.exit(bool({'flask', 'starlette', 'fastapi'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_what_is_exported_is_there() -> None:
    assert all(hasattr(inventory, name) for name in inventory.__all__)
