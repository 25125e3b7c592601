from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, request
from flask.testing import FlaskClient
from flask.views import MethodView, View

from oauth_rs import AllOf, AnyOf, Bearer, Grant, HTTPSettings, InvalidToken, RemoteKeys, ResourceServer
from oauth_rs.flask import current_grant, protect, requires
from tests.support.calling import bearer
from tests.support.issuing import Issuer
from tests.support.serving import ScriptedServer


@pytest.fixture
def app(issuer: Issuer) -> Flask:
    app = Flask(__name__)
    protect(app, ResourceServer(Bearer(issuer.provider()), public=["/open/*"]))
    return app


@pytest.fixture
def caller(app: Flask, issuer: Issuer) -> Callable[..., Any]:
    """Asks the application with a token of the given scope."""

    def call(path: str = "/", scope: str = "photos profile", method: str = "GET") -> Any:
        return app.test_client().open(path, method=method, headers=list(bearer(issuer.token(scope=scope))))

    return call


def view(**_arguments: Any) -> str:
    return "done"


def test_three_lines_protect_an_application(issuer: Issuer) -> None:
    app = Flask(__name__)
    protect(app, ResourceServer(Bearer(issuer.provider())))
    app.add_url_rule("/", view_func=view)
    client = app.test_client()
    assert client.get("/").status_code == 401
    assert client.get("/", headers=list(bearer(issuer.token()))).text == "done"


def test_the_grant_is_on_the_request(app: Flask, caller: Callable[..., Any]) -> None:
    app.add_url_rule("/", view_func=lambda: request.grant.subject)  # type: ignore[attr-defined]
    assert caller().text == "ada"


def test_the_current_grant_is_typed_and_follows_the_request(app: Flask, caller: Callable[..., Any]) -> None:
    def names() -> str:
        grant: Grant = current_grant
        assert current_grant == request.grant  # type: ignore[attr-defined]
        return " ".join(sorted(grant.scopes))

    app.add_url_rule("/", view_func=names)
    assert [caller(scope=scope).text for scope in ("b a", "c")] == ["a b", "c"]


def test_a_public_path_has_no_grant(app: Flask) -> None:
    app.add_url_rule("/open/x", view_func=lambda: f"{request.grant}")  # type: ignore[attr-defined]
    assert app.test_client().get("/open/x").text == "None"


def test_touching_the_current_grant_where_there_is_none_asks_for_credentials(app: Flask) -> None:
    app.add_url_rule("/open/x", view_func=lambda: current_grant.subject)
    assert app.test_client().get("/open/x").status_code == 401


def test_outside_of_a_request_there_is_no_grant() -> None:
    with pytest.raises(RuntimeError, match="outside of request context"):
        _ = current_grant.subject


def test_a_public_path_that_requires_a_scope_asks_for_it(app: Flask) -> None:
    app.add_url_rule("/open/x", view_func=requires("photos", AnyOf("a", "b"))(view))
    answer = app.test_client().get("/open/x")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer scope="photos a b"')


REQUIREMENTS: dict[str, tuple[tuple[Any, ...], str, bool]] = {
    "one": (("photos",), "photos", True),
    "one of another name": (("photos",), "photo photos2 PHOTOS", False),
    "nothing but a grant": ((), "", True),
    "two, both there": (("a", "b"), "b a", True),
    "two, one there": (("a", "b"), "a", False),
    "any, one there": ((AnyOf("a", "b"),), "b", True),
    "any, none there": ((AnyOf("a", "b"),), "c", False),
    "nested, met": ((AllOf("a", AnyOf("b", AllOf("c", "d"))),), "a c d", True),
    "nested, not met": ((AllOf("a", AnyOf("b", AllOf("c", "d"))),), "a c", False),
    "nested beside a name, not met": ((AnyOf("b", "c"), "a"), "b c", False),
    "no scope at all": (("a",), "", False),
}


@pytest.mark.parametrize(("needed", "held", "passes"), REQUIREMENTS.values(), ids=REQUIREMENTS)
def test_a_view_runs_only_for_a_grant_that_covers_it(
    app: Flask, caller: Callable[..., Any], needed: tuple[Any, ...], held: str, *, passes: bool
) -> None:
    app.add_url_rule("/", view_func=requires(*needed)(view))
    answer = caller(scope=held)
    assert (answer.status_code, answer.text == "done") == ((200, True) if passes else (403, False))


def test_a_refusal_names_every_scope_and_has_one_content_type(app: Flask, caller: Callable[..., Any]) -> None:
    app.add_url_rule("/", view_func=requires("a", AnyOf("b", "photos"))(view))
    answer = caller()
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert 'scope="a b photos"' in answer.headers["WWW-Authenticate"]
    assert answer.json["error"] == "insufficient_scope"
    assert answer.headers.getlist("Content-Type") == ["application/json"]


def test_a_refused_head_request_has_no_body(app: Flask, caller: Callable[..., Any]) -> None:
    app.add_url_rule("/", view_func=requires("admin")(view))
    answer = caller(method="HEAD")
    assert (answer.status_code, answer.data) == (403, b"")


class Item(MethodView):
    def get(self, **_arguments: Any) -> str:
        return "got"

    def post(self, **_arguments: Any) -> str:
        return "posted"


def test_a_method_view_is_decorated_as_a_class(app: Flask, caller: Callable[..., Any]) -> None:
    @requires("admin")
    class Guarded(Item):
        pass

    app.add_url_rule("/<x>", view_func=Guarded.as_view("guarded"))
    assert [caller("/1", method=method).status_code for method in ("GET", "POST", "HEAD")] == [403] * 3
    assert caller("/1", "admin", "POST").text == "posted"


def test_decorating_a_class_leaves_its_base_alone(app: Flask, caller: Callable[..., Any]) -> None:
    guarded = requires("admin")(type("Guarded", (Item,), {}))
    app.add_url_rule("/free", view_func=Item.as_view("free"))
    app.add_url_rule("/guarded", view_func=guarded.as_view("guarded"))  # type: ignore[attr-defined]
    assert [caller(path).status_code for path in ("/free", "/guarded")] == [200, 403]


def test_a_view_below_a_decorated_one_meets_both(app: Flask, caller: Callable[..., Any]) -> None:
    guarded = requires("a")(type("Guarded", (Item,), {}))
    further = requires("b")(type("Further", (guarded,), {}))
    app.add_url_rule("/", view_func=further.as_view("further"))  # type: ignore[attr-defined]
    assert [caller(scope=scope).status_code for scope in ("", "a", "b", "a b")] == [403, 403, 403, 200]


def test_single_methods_of_a_view_are_decorated(app: Flask, caller: Callable[..., Any]) -> None:
    class Partly(Item):
        @requires("admin")
        def post(self, **_arguments: Any) -> str:
            return "posted"

    app.add_url_rule("/", view_func=Partly.as_view("partly"))
    assert [caller(method=method).status_code for method in ("GET", "POST")] == [200, 403]
    assert caller("/", "admin", "POST").text == "posted"


def test_the_decorators_of_a_view_take_it(app: Flask, caller: Callable[..., Any]) -> None:
    class Listed(View):
        decorators = [requires("admin")]  # noqa: RUF012 - as Flask documents it

        def dispatch_request(self) -> str:
            return "done"

    app.add_url_rule("/", view_func=Listed.as_view("listed"))
    assert (caller().status_code, caller(scope="admin").text) == (403, "done")


def test_async_views_are_decorated(app: Flask, caller: Callable[..., Any]) -> None:
    @requires("photos")
    async def photos() -> str:
        return current_grant.subject

    @requires("admin")
    class Admin(MethodView):
        async def get(self) -> str:
            return "done"

    app.add_url_rule("/photos", view_func=photos)
    app.add_url_rule("/admin", view_func=Admin.as_view("admin"))
    assert (caller("/photos").text, caller("/photos", "x").status_code) == ("ada", 403)
    assert (caller("/admin").status_code, caller("/admin", "admin").text) == (403, "done")


def test_a_streaming_view_is_refused_before_it_begins(app: Flask, caller: Callable[..., Any]) -> None:
    @requires("admin")
    def stream() -> Iterator[str]:
        yield from ("a", "b")

    app.add_url_rule("/", view_func=stream)
    assert (caller().status_code, caller(scope="admin").text) == (403, "ab")


def test_stacked_decorators_all_apply(app: Flask, caller: Callable[..., Any]) -> None:
    app.add_url_rule("/", view_func=requires("a")(requires("b")(view)))
    assert [caller(scope=scope).status_code for scope in ("a", "b", "a b")] == [403, 403, 200]


def test_a_whole_blueprint_is_guarded_before_its_views(app: Flask, caller: Callable[..., Any]) -> None:
    @requires("admin")
    def guard() -> None:
        """Lets the request go on."""

    blueprint = Blueprint("admin", __name__, url_prefix="/admin")
    blueprint.before_request(guard)
    blueprint.add_url_rule("/", view_func=view)
    app.register_blueprint(blueprint)
    app.add_url_rule("/", "free", view)
    assert [caller(path).status_code for path in ("/", "/admin/")] == [200, 403]
    assert caller("/admin/", "admin").text == "done"


def test_a_grant_refuses_inside_a_view(app: Flask, caller: Callable[..., Any]) -> None:
    def strict() -> str:
        current_grant.require("admin")
        return "done"

    app.add_url_rule("/", view_func=strict)
    answer = caller()
    assert (answer.status_code, 'scope="admin"' in answer.headers["WWW-Authenticate"]) == (403, True)


def test_any_refusal_raised_by_a_view_is_answered(app: Flask, caller: Callable[..., Any]) -> None:
    def revoked() -> Response:
        raise InvalidToken("revoked", "It was revoked.")

    app.add_url_rule("/", view_func=revoked)
    assert (caller().status_code, caller().json["error"]) == (401, "invalid_token")


def test_a_handler_for_every_exception_does_not_swallow_refusals(app: Flask, caller: Callable[..., Any]) -> None:
    app.register_error_handler(Exception, lambda _error: "swallowed")
    app.add_url_rule("/", view_func=requires("admin")(view))
    assert caller().status_code == 403


@pytest.fixture
def unprotected() -> FlaskClient:
    app = Flask(__name__)
    app.testing = True
    app.add_url_rule("/function", view_func=requires()(view))
    app.add_url_rule("/class", view_func=requires("a")(type("Guarded", (Item,), {})).as_view("guarded"))  # type: ignore[attr-defined]
    app.add_url_rule("/grant", view_func=lambda: current_grant.subject)
    return app.test_client()


@pytest.mark.parametrize("path", ["/function", "/class", "/grant"])
def test_without_the_middleware_nothing_passes_and_the_error_says_why(
    unprotected: FlaskClient, issuer: Issuer, path: str
) -> None:
    with pytest.raises(RuntimeError, match=r"call oauth_rs\.flask\.protect"):
        unprotected.get(path, headers=list(bearer(issuer.token())))


def test_without_the_middleware_the_client_gets_a_500(unprotected: FlaskClient) -> None:
    unprotected.application.testing = False
    assert unprotected.get("/function").status_code == 500


@pytest.mark.parametrize("undecorated", [view, Item, lambda: "done", 1, None, ["photos"]])
def test_a_decorator_without_its_scopes_is_a_mistake_found_at_import(undecorated: Any) -> None:
    with pytest.raises(TypeError, match="miss its parentheses"):
        requires(undecorated)


@pytest.mark.parametrize("scope", ["a b", "", 'a"', "ä"])
def test_what_is_not_one_scope_is_a_mistake_found_at_import(scope: str) -> None:
    with pytest.raises(ValueError, match="not one scope"):
        requires(scope)


def test_the_name_and_the_text_of_a_view_stay() -> None:
    assert requires("a")(view).__name__ == "view"


def test_keys_are_fetched_as_the_settings_say(web: ScriptedServer, issuer: Issuer) -> None:
    url = "http://127.0.0.1:1/keys"
    web.answers[url] = issuer.jwks  # as a proxy is asked
    app = Flask(__name__)
    protect(app, ResourceServer(Bearer(issuer.provider(keys=RemoteKeys(url)))), http=HTTPSettings(proxy=web.url))
    app.add_url_rule("/", view_func=view)
    assert app.test_client().get("/", headers=list(bearer(issuer.token()))).text == "done"


def test_protect_gives_the_middleware_that_can_be_warmed(issuer: Issuer) -> None:
    app = Flask(__name__)
    middleware = protect(app, ResourceServer(Bearer(issuer.provider())))
    assert app.wsgi_app is middleware
    middleware.warm()
