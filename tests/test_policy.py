from collections.abc import Collection
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.routing import BaseConverter

from oauth_rs.errors import InvalidRequest, OAuthError
from oauth_rs.operations import OperationError
from oauth_rs.policy import APIScopes, NoScopes, OperationScopes, PassThrough, Public
from oauth_rs.requirements import Acr, Condition, MaxAge
from oauth_rs.scopes import AllOf, AnyOf
from oauth_rs.smart import smart
from tests.support.playing import PlainRequest

POLICY = OperationScopes(
    {
        "GET /health": Public(),
        "* /legacy/<path:rest>": PassThrough(),
        "GET /photos/<int:id>": "photos.read",
        "POST /photos": AllOf("photos.write", AnyOf("quota", "admin")),
        "GET /tenants/<tenant>/bills": "tenant:{tenant}:read",
        "GET /fhir/Patient/<id>": smart("Patient", "r", patient="id"),
        "POST /transfers": AllOf("transfer", Acr("urn:example:mfa"), MaxAge(300), Condition(lambda _g, _r: True)),
    }
)


def asked(method: str, path: str, policy: Any = POLICY) -> tuple[str, dict[str, Any]] | None:
    """The rule, as it was written, and the parameters."""
    operation = policy.find(PlainRequest(method, path))
    return None if operation is None else (repr(operation.rule), dict(operation.parameters))


@pytest.mark.parametrize(
    ("method", "path", "rule", "parameters"),
    [
        ("GET", "/health", "Public()", {}),
        ("HEAD", "/health/", "Public()", {}),
        ("DELETE", "/legacy/a/b", "PassThrough()", {"rest": "a/b"}),
        ("GET", "/photos/7", "AllOf('photos.read')", {"id": 7}),
        ("POST", "/photos", "AllOf('photos.write', AnyOf('quota', 'admin'))", {}),
        ("GET", "/tenants/acme/bills", "AllOf('tenant:{tenant}:read')", {"tenant": "acme"}),
    ],
)
def test_an_operation_has_its_rule_and_its_parameters(
    method: str, path: str, rule: str, parameters: dict[str, Any]
) -> None:
    assert asked(method, path) == (rule, parameters)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", "/health"), ("GET", "/healthy"), ("GET", "/Health"), ("GET", "/photos"), ("PUT", "/photos")),
        *(("POST", "/photos/7"), ("GET", "/photos/x"), ("GET", "/legacy"), ("GET", "/"), ("GET", "")),
        *(("GET", "/tenants/acme/bills/7"), ("GET", "/tenants/a/b/bills"), ("GET", "/photos%7"), ("GET", "*")),
    ],
)
def test_what_is_not_mapped_is_nobodys(method: str, path: str) -> None:
    assert asked(method, path) is None


@pytest.mark.parametrize(
    "path",
    [
        *("//health", "/photos//7", "/legacy/../photos", "/legacy/..", "/./health", "/legacy/a/./b", "/health/."),
        *("/health;x", "/health\\", "/legacy/..\\photos", "/health\x00", "/health\n", "/legacy/\x7f", "/\thealth"),
        *("/health//", "//", "/legacy/..;/photos", "/not/mapped/../x", "/photos%2F7", "/legacy/%2e%2E/photos"),
    ],
)
def test_a_path_that_can_be_read_in_two_ways_is_refused_whatever_it_would_be(path: str) -> None:
    for policy in (POLICY, OperationScopes({"* /<path:rest>": Public()}, default=Public())):
        with pytest.raises(InvalidRequest, match="ambiguous_path"):
            policy.find(PlainRequest("GET", path))


@pytest.mark.parametrize("method", ["get", "Get", "gET", "PO\u017fT", "head", "", "1", "post\n"])
def test_a_method_in_lower_case_is_refused_for_some_frameworks_take_it_for_the_other(method: str) -> None:
    for policy in (POLICY, OperationScopes({"* /health": Public()}, default=Public())):
        with pytest.raises(InvalidRequest, match="ambiguous_method"):
            policy.find(PlainRequest(method, "/health"))


def test_the_method_is_that_of_the_request_line() -> None:
    overrides = {"X-HTTP-Method-Override": "GET", "X-HTTP-Method": "GET", "X-Method-Override": "GET"}
    assert POLICY.find(PlainRequest("DELETE", "/health", headers=overrides, query=b"_method=GET")) is None


def test_a_path_that_takes_too_long_is_refused_and_not_left_to_the_default() -> None:
    policy = OperationScopes({"GET /<a>-<b>.json": "photos"}, default=Public())
    with pytest.raises(InvalidRequest, match="path_too_long"):
        policy.find(PlainRequest("GET", "/" + "-" * 5_000))


@pytest.mark.parametrize(
    ("default", "rule"), [("other", "AllOf('other')"), (AllOf(), "AllOf()"), (Public(), "Public()")]
)
def test_the_default_is_for_all_that_is_not_mapped(default: Any, rule: str) -> None:
    policy = OperationScopes({"GET /photos": "photos"}, default=default)
    assert asked("GET", "/photos", policy) == ("AllOf('photos')", {})
    assert asked("POST", "/photos", policy) == asked("GET", "/x", policy) == (rule, {})
    assert list(policy.rules())[-1][0] == "default"


def test_what_a_converter_cannot_read_is_not_left_to_the_default() -> None:
    policy = OperationScopes({"GET /n/<int(max=5):id>": "numbers"}, default=Public())
    assert asked("GET", "/n/7", policy) == asked("GET", "/n/7/", policy) == ("AllOf('numbers')", {"id": "7"})


UPPER = "12345678-1234-4234-8234-123456789ABC"


@pytest.mark.parametrize(
    "rule",
    [
        "tenant:{v}:read",
        Condition(lambda _g, _r: True),
        AnyOf("admin", AllOf("a", "b:{v}")),
        smart("*", "r", patient="v"),
    ],
)
@pytest.mark.parametrize(
    ("kind", "plain", "other"),
    [
        *(("int", "7", "007"), ("int(fixed_digits=3)", "007", "7"), ("int(signed=True)", "-7", "-07")),
        *(("int(max=5)", "7", "007"), ("float", "1.5", "1.50"), ("uuid", UPPER.lower(), UPPER)),
    ],
)
def test_where_a_rule_depends_on_a_value_it_has_one_spelling(rule: Any, kind: str, plain: str, other: str) -> None:
    policy = OperationScopes({f"GET /t/<{kind}:v>/x": rule, "* /<path:rest>": "admin"}, default=AllOf())
    found = policy.find(PlainRequest("GET", f"/t/{plain}/x"))
    assert found is not None
    assert "v" in found.parameters
    with pytest.raises(InvalidRequest, match="ambiguous_path"):
        policy.find(PlainRequest("GET", f"/t/{other}/x"))


@pytest.mark.parametrize("rule", ["photos", Public(), PassThrough(), AllOf(), AnyOf("a", MaxAge(5))])
def test_where_it_does_not_it_may_be_spelled_otherwise(rule: Any) -> None:
    policy = OperationScopes({"GET /t/<int:v>": rule, "GET /u/<uuid:v>": rule})
    assert policy.find(PlainRequest("GET", "/t/007")) is not None
    assert policy.find(PlainRequest("GET", f"/u/{UPPER}")) is not None


def test_any_grant_will_do_where_there_are_no_scopes() -> None:
    for path in ("/", "/photos", "//x", "/../y"):
        assert asked("GET", path, NoScopes()) == ("AllOf()", {})
    assert [(name, repr(rule)) for name, rule in NoScopes().rules()] == [("every operation", "AllOf()")]


def test_the_scopes_of_an_api_are_asked_for_everywhere() -> None:
    policy = APIScopes("photos", AnyOf("a", "b"), MaxAge(300))
    for method, path in (("GET", "/"), ("get", "//x"), ("DELETE", "/photos/..")):
        assert asked(method, path, policy) == ("AllOf('photos', AnyOf('a', 'b'), MaxAge(300))", {})
    assert [name for name, _ in policy.rules()] == ["every operation"]


def test_rules_are_listed_with_their_operations() -> None:
    policy = OperationScopes({"GET /b": "b", "* /a": Public()}, default=PassThrough())
    listed = [(name, repr(rule)) for name, rule in policy.rules()]
    assert listed == [("GET /b", "AllOf('b')"), ("* /a", "Public()"), ("default", "PassThrough()")]
    assert [name for name, _ in OperationScopes({"GET /b": "b"}).rules()] == ["GET /b"]


class Every:
    """A requirement of one's own."""

    scopes = ("x",)
    parameters = ("id",)

    def met_by(self, held: Collection[str], /) -> bool:
        return "x" in held

    def shortfall(self, _grant: Any, _request: Any, /) -> OAuthError | None:
        return None


def test_a_requirement_of_ones_own_is_a_rule() -> None:
    every = Every()
    assert OperationScopes({"GET /<id>": every}).find(PlainRequest("GET", "/7")) == (every, {"id": "7"})


@pytest.mark.parametrize(
    "rule",
    [
        None,
        7,
        b"photos",
        ["photos"],
        {"photos"},
        ("a",),
        print,
        Public,
        PassThrough,
        AllOf,
        Every,
        NoScopes(),
    ],
    ids=repr,
)
def test_what_is_no_rule_is_refused(rule: Any) -> None:
    with pytest.raises(TypeError, match=r"asks for a scope, AllOf\(...\)"):
        OperationScopes({"GET /x": rule})


@pytest.mark.parametrize("default", [7, ["photos"], Public, NoScopes()], ids=repr)
def test_what_is_no_default_is_refused(default: Any) -> None:
    with pytest.raises(TypeError, match=r"'default' asks for a scope, AllOf\(...\)"):
        OperationScopes({"GET /x": "a"}, default=default)


@pytest.mark.parametrize("scope", ["", "a b", 'a"b', "caf\u00e9", "a\n", "{", "a}", "{}", "{a.b}", "{a}{b}"])
def test_a_rule_that_is_no_scope_is_refused(scope: str) -> None:
    with pytest.raises(ValueError, match=r"is not one scope|brace|is none"):
        OperationScopes({"GET /<a>/<b>": scope})


@pytest.mark.parametrize(
    ("operation", "rule"),
    [
        ("GET /bills", "tenant:{tenant}:read"),
        ("GET /<id>/bills", "tenant:{tenant}:read"),
        ("GET /<Tenant>/bills", "tenant:{tenant}:read"),
        ("GET /<id>", AnyOf("admin", AllOf("a", "tenant:{tenant}:read"))),
        ("GET /Patient/<number>", smart("Patient", "r", patient="id")),
        ("* /x", Every()),
    ],
)
def test_a_rule_that_names_a_parameter_its_path_lacks_is_refused(operation: str, rule: Any) -> None:
    with pytest.raises(OperationError, match=r"has no parameter \w+ in its path") as caught:
        OperationScopes({"GET /ok": "ok", operation: rule})
    assert caught.value.name == operation


@pytest.mark.parametrize("default", ["tenant:{tenant}:read", smart("Patient", "r", patient="id"), Every()])
def test_a_default_knows_no_parameters(default: Any) -> None:
    with pytest.raises(OperationError, match="'default' has no parameter"):
        OperationScopes({"GET /<tenant>/<id>": "x"}, default=default)


@pytest.mark.parametrize("needed", ["tenant:{tenant}:read", smart("Patient", "r", patient="id"), AnyOf("a", "{b}")])
def test_the_scopes_of_an_api_know_none_either(needed: Any) -> None:
    with pytest.raises(ValueError, match="APIScopes knows no path"):
        APIScopes("photos", needed)


def test_policies_that_say_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match=r"write NoScopes\(\)"):
        APIScopes()
    with pytest.raises(ValueError, match="map at least one operation"):
        OperationScopes({})
    assert asked("GET", "/", OperationScopes({}, default="x")) == ("AllOf('x')", {})


@pytest.mark.parametrize("needed", [None, 7, ["photos"], AllOf, Public()], ids=repr)
def test_the_scopes_of_an_api_are_requirements(needed: Any) -> None:
    with pytest.raises(TypeError, match="a requirement is made of scope names"):
        APIScopes(needed)


def test_a_mistake_in_an_operation_names_it() -> None:
    with pytest.raises(OperationError) as caught:
        OperationScopes({"GET /ok": "ok", "GET /<nope:id>": "x"})
    assert caught.value.name == "GET /<nope:id>"


class Letter(BaseConverter):
    regex = "[a-z]"


def test_converters_of_ones_own_are_handed_on() -> None:
    policy = OperationScopes({"GET /<letter:id>": "x"}, converters={"letter": Letter})
    assert asked("GET", "/q", policy) == ("AllOf('x')", {"id": "q"})
    assert asked("GET", "/qq", policy) is None


OPEN = OperationScopes({"GET /docs/<path:rest>": Public(), "GET /docs": Public(), "* /<path:rest>": "secret"})


@given(st.text(alphabet="docs/.;\\%2eE \x00\u2025\uff0f", max_size=24))
def test_no_path_below_a_public_one_leads_out_of_it(text: str) -> None:
    path = f"/docs/{text}"
    try:
        operation = OPEN.find(PlainRequest("GET", path))
    except InvalidRequest:
        return
    assert operation is not None
    segments = path.split("/")
    assert ".." not in segments
    assert "" not in segments[1:-1]
    assert "\\" not in path


@given(st.text(max_size=6), st.text())
def test_whatever_is_asked_nothing_but_a_refusal_is_raised(method: str, path: str) -> None:
    with suppress(InvalidRequest):
        POLICY.find(PlainRequest(method, path))


@pytest.mark.parametrize("rules", [[("GET /", "a")], {1: "a"}, None, "GET /"])
def test_rules_map_operations_to_what_they_ask_for(rules: Any) -> None:
    with pytest.raises(TypeError, match="rules map operations to what they ask for"):
        OperationScopes(rules, default="a")
