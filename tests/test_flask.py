import gzip
import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, jsonify, request, send_file, stream_with_context
from flask.testing import FlaskClient
from flask.views import MethodView, View

from oauth_rs import AllOf, AnyOf, Bearer, Grant, HTTPSettings, InvalidToken, RemoteKeys, ResourceServer, Unavailable
from oauth_rs.fields import FieldFilter
from oauth_rs.flask import current_grant, filtered, protect, requires
from oauth_rs.requirements import Acr, Condition, MaxAge
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


def is_ada(grant: Any, request: Any) -> bool:
    return bool(grant.subject == "ada" and request.parameters.get("owner", "ada") == "ada")


async def is_ada_async(grant: Any, request: Any) -> bool:
    return is_ada(grant, request)


def cannot_tell(_grant: Any, _request: Any) -> bool:
    raise Unavailable("database_down", "Nothing can be decided now.")


@pytest.fixture
def ask(app: Flask, issuer: Issuer) -> Callable[..., Any]:
    """Asks the application with a token of the given claims."""
    return lambda path="/", method="GET", **claims: app.test_client().open(
        path, method=method, headers=list(bearer(issuer.token(**claims)))
    )


CONDITIONS = {"plain": is_ada, "async": is_ada_async}
each_condition = pytest.mark.parametrize("function", CONDITIONS.values(), ids=CONDITIONS)


async def async_view(**_arguments: Any) -> str:
    return "done"


def streaming_view(**_arguments: Any) -> Iterator[str]:
    yield "done"


@each_condition
@pytest.mark.parametrize("endpoint", [view, async_view, streaming_view], ids=["plain", "async", "generator"])
def test_a_condition_is_asked_with_the_request_and_its_parameters(
    app: Flask, ask: Callable[..., Any], function: Any, endpoint: Any
) -> None:
    app.add_url_rule("/<owner>", view_func=requires("photos", Condition(function))(endpoint))
    answers = [ask("/ada"), ask("/bob"), ask("/ada", sub="bob"), ask("/ada", scope="x")]
    assert [answer.status_code for answer in answers] == [200, 403, 403, 403]
    assert answers[0].text == "done"
    assert 'scope="photos"' in answers[1].headers["WWW-Authenticate"]


@each_condition
def test_a_condition_stands_before_a_class_of_views(app: Flask, ask: Callable[..., Any], function: Any) -> None:
    guarded = requires(Condition(function))(type("Guarded", (Item,), {}))
    app.add_url_rule("/<owner>", view_func=guarded.as_view("guarded"))  # type: ignore[attr-defined]
    assert [ask(path, method).status_code for path in ("/ada", "/bob") for method in ("GET", "POST")] == [
        200,
        200,
        403,
        403,
    ]


def test_a_condition_that_cannot_tell_is_a_503(app: Flask, ask: Callable[..., Any]) -> None:
    app.add_url_rule("/", view_func=requires(Condition(cannot_tell))(view))
    answer = ask()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


@pytest.mark.parametrize("answer", [None, 1, "yes", is_ada_async])
def test_a_condition_that_gives_no_verdict_is_a_500(app: Flask, ask: Callable[..., Any], answer: Any) -> None:
    app.add_url_rule("/", view_func=requires(Condition(lambda *_: answer))(view))
    assert ask().status_code == 500


def test_a_stronger_or_newer_authentication_is_asked_for(app: Flask, ask: Callable[..., Any]) -> None:
    app.add_url_rule("/", view_func=requires(Acr("mfa"), MaxAge(60, clock=lambda: 1000))(view))
    weak, old, good = ask(acr="pwd", auth_time=990), ask(acr="mfa", auth_time=900), ask(acr="mfa", auth_time=990)
    assert [answer.status_code for answer in (weak, old, good)] == [401, 401, 200]
    assert 'error="insufficient_user_authentication"' in weak.headers["WWW-Authenticate"]
    assert 'acr_values="mfa"' in weak.headers["WWW-Authenticate"]
    assert 'max_age="60"' in old.headers["WWW-Authenticate"]


def test_a_scope_of_the_path_is_that_of_its_parameter(app: Flask, ask: Callable[..., Any]) -> None:
    app.add_url_rule("/<tenant>/bills", view_func=requires("tenant:{tenant}:read")(view))
    paths = ["/a/bills", "/b/bills", "/a:x/bills"]
    assert [ask(path, scope="tenant:a:read tenant:a:x:read").status_code for path in paths] == [200, 403, 403]


def test_a_scope_of_a_parameter_that_the_path_lacks_is_a_500(app: Flask, ask: Callable[..., Any]) -> None:
    app.add_url_rule("/<client>", view_func=requires("tenant:{tenant}:read")(view))
    assert ask("/a", scope="tenant:a:read tenant::read tenant:{tenant}:read").status_code == 500


def test_a_condition_without_a_grant_is_not_asked(app: Flask) -> None:
    app.add_url_rule("/open/x", view_func=requires("photos", Condition(cannot_tell))(view))
    answer = app.test_client().get("/open/x")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer scope="photos"')


FIELDS = FieldFilter({"profile": ["name", "orders.number"]}, always=["id"])
ADA: dict[str, Any] = {"id": 1, "name": "Ada", "secret": "x", "orders": [{"number": 7, "secret": "y"}]}
SHOWN: dict[str, Any] = {"id": 1, "name": "Ada", "orders": [{"number": 7}]}


def as_stream() -> Response:
    text = json.dumps(ADA)
    return Response(stream_with_context(iter([text[:9], text[9:]])), mimetype="application/json")


async def as_dict_async() -> dict[str, Any]:
    return ADA


@filtered(FIELDS)
class AdaView(MethodView):
    def get(self) -> dict[str, Any]:
        return ADA


ANSWERS: dict[str, tuple[Any, int, Any]] = {
    "dict": (lambda: ADA, 200, SHOWN),
    "list": (lambda: [ADA, ADA], 200, [SHOWN, SHOWN]),
    "tuple": (lambda: (ADA, 201, {"X-Made": "1"}), 201, SHOWN),
    "response": (lambda: jsonify(ADA), 200, SHOWN),
    "response of bytes": (lambda: Response(json.dumps(ADA), mimetype="application/json"), 200, SHOWN),
    "problem that is none": (lambda: Response(json.dumps(ADA), mimetype="application/hal+json"), 200, SHOWN),
    "streaming response": (as_stream, 200, SHOWN),
    "file of JSON": (lambda: send_file(BytesIO(json.dumps(ADA).encode()), "application/json"), 200, SHOWN),
    "async": (as_dict_async, 200, SHOWN),
    "empty dict": (dict, 200, {}),
    "error": (lambda: (ADA, 404), 404, ADA),
    "nothing that is JSON": (lambda: Response("Ada", mimetype="application/json"), 500, {"error": "server_error"}),
    "compressed": (
        lambda: Response(gzip.compress(b"{}"), mimetype="application/json", headers={"Content-Encoding": "gzip"}),
        500,
        {"error": "server_error"},
    ),
}


@pytest.mark.parametrize(("endpoint", "status", "shown"), ANSWERS.values(), ids=ANSWERS)
def test_whatever_a_view_answers_is_filtered(
    app: Flask, ask: Callable[..., Any], endpoint: Any, status: int, shown: Any
) -> None:
    app.add_url_rule("/", view_func=filtered(FIELDS)(endpoint))
    answer = ask()
    assert (answer.status_code, answer.json) == (status, shown)


def test_head_of_a_filtered_view_has_its_headers_and_no_length(app: Flask, ask: Callable[..., Any]) -> None:
    app.add_url_rule("/", view_func=filtered(FIELDS)(lambda: ADA))
    answer = ask(method="HEAD")
    assert (answer.status_code, answer.data, answer.headers["Cache-Control"]) == (200, b"", "private")
    assert "Content-Length" not in answer.headers


def test_whether_the_whole_is_what_somebody_guessed_is_not_told(app: Flask, issuer: Issuer) -> None:
    def tagged() -> Response:
        answer = jsonify(ADA)
        answer.add_etag()
        answer.make_conditional(request)
        return answer

    app.add_url_rule("/free", "free", tagged)
    app.add_url_rule("/filtered", "filtered", filtered(FIELDS)(tagged))
    headers = dict(bearer(issuer.token()))
    headers["If-None-Match"] = app.test_client().get("/free", headers=headers).headers["ETag"]
    assert [app.test_client().get(path, headers=headers).status_code for path in ("/free", "/filtered")] == [304, 200]


def test_a_class_of_views_is_filtered(app: Flask, ask: Callable[..., Any]) -> None:
    app.add_url_rule("/", view_func=AdaView.as_view("ada"))
    assert (ask().json, ask(scope="x").json) == (SHOWN, {"id": 1})


def test_what_is_no_json_is_not_filtered(app: Flask, ask: Callable[..., Any]) -> None:
    app.add_url_rule("/text", "text", filtered(FIELDS)(lambda: "Ada, secret"))
    app.add_url_rule("/file", "file", filtered(FIELDS)(lambda: send_file(BytesIO(b"PNG"), "image/png")))
    assert [ask(path).text for path in ("/text", "/file")] == ["Ada, secret", "PNG"]
    assert "Vary" not in ask("/text").headers


def test_a_filter_and_a_requirement_stand_before_one_view_in_any_order(app: Flask, ask: Callable[..., Any]) -> None:
    app.add_url_rule("/a", "a", requires("photos")(filtered(FIELDS)(lambda: ADA)))
    app.add_url_rule("/b", "b", filtered(FIELDS)(requires("photos")(lambda: ADA)))
    for path in ("/a", "/b"):
        assert (ask(path, scope="photos profile").json, ask(path, scope="profile").status_code) == (SHOWN, 403)


def test_two_filters_show_what_both_show(app: Flask, ask: Callable[..., Any]) -> None:
    app.add_url_rule(
        "/", view_func=filtered(FIELDS)(filtered(FieldFilter({"profile": ["name", "secret"]}))(lambda: ADA))
    )
    assert ask().json == {"name": "Ada"}


def test_a_public_view_shows_what_everybody_may_see(app: Flask, ask: Callable[..., Any]) -> None:
    app.add_url_rule("/open/x", view_func=filtered(FIELDS)(lambda: ADA))
    assert ask("/open/x").json == {"id": 1}


def test_a_blueprint_may_be_filtered_before_its_views(app: Flask, ask: Callable[..., Any]) -> None:
    blueprint = Blueprint("b", __name__, url_prefix="/b")
    blueprint.before_request(filtered(FIELDS)(lambda: None))
    blueprint.add_url_rule("/", view_func=lambda: ADA)
    app.register_blueprint(blueprint)
    assert ask("/b/").json == SHOWN


def test_an_answer_of_an_error_handler_is_filtered_too(app: Flask, ask: Callable[..., Any]) -> None:
    def broken() -> str:
        raise LookupError("mine")

    app.register_error_handler(LookupError, lambda _error: ADA)
    app.add_url_rule("/", view_func=filtered(FIELDS)(broken))
    assert ask().json == SHOWN


def test_an_answer_over_the_limit_does_not_go_out(issuer: Issuer) -> None:
    app = Flask(__name__)
    protect(app, ResourceServer(Bearer(issuer.provider())), max_filtered=9)
    app.add_url_rule("/", view_func=filtered(FIELDS)(lambda: ADA))
    answer = app.test_client().get("/", headers=list(bearer(issuer.token())))
    assert (answer.status_code, answer.json) == (500, {"error": "server_error"})


def test_without_the_middleware_nothing_is_shown_and_the_error_says_why() -> None:
    app = Flask(__name__)
    app.testing = True
    app.add_url_rule("/function", view_func=filtered(FIELDS)(lambda: ADA))
    app.add_url_rule("/class", view_func=AdaView.as_view("ada"))
    for path in ("/function", "/class"):
        with pytest.raises(RuntimeError, match=r"call oauth_rs\.flask\.protect"):
            app.test_client().get(path)


@pytest.mark.parametrize("undecorated", [view, Item, {"profile": ["name"]}, None])
def test_a_decorator_without_its_filter_is_a_mistake_found_at_import(undecorated: Any) -> None:
    with pytest.raises(TypeError, match="write @filtered"):
        filtered(undecorated)


def test_what_is_no_application_is_not_protected(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider()))
    with pytest.raises(TypeError, match=r"app is a .* application, not ResourceServer"):
        protect(server, Flask(__name__))  # type: ignore[arg-type]  # the wrong way round
