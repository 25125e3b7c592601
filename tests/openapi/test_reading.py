import json
from copy import deepcopy
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Security
from fastapi.security import APIKeyHeader, OAuth2AuthorizationCodeBearer, SecurityScopes

from oauth_rs.entries import EntryError
from oauth_rs.openapi import policy_from
from oauth_rs.policy import OperationScopes, Public
from oauth_rs.scopes import AllOf
from tests.support.playing import PlainRequest

SCHEMES = {
    "oauth": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://id.example.com/t", "scopes": {}}}},
    "oidc": {"type": "openIdConnect", "openIdConnectUrl": "https://id.example.com/.well-known/openid-configuration"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "basic": {"type": "http", "scheme": "basic"},
    "tls": {"type": "mutualTLS"},
}
NOTHING = object()
AT_B = ("paths", "/b", "get", "security")


def document(security: Any = NOTHING, root: Any = NOTHING, path: str = "/photos", **operation: Any) -> dict[str, Any]:
    """A document with `GET path`, whose security and that of the document are left out unless given."""
    own = {} if security is NOTHING else {"security": security}
    whole = {} if root is NOTHING else {"security": root}
    return {
        "openapi": "3.1.1",
        **whole,
        "paths": {path: {"get": {**own, **operation}}},
        "components": {"securitySchemes": SCHEMES},
    }


def rule_of(security: Any = NOTHING, root: Any = NOTHING) -> str:
    ((_, rule),) = policy_from(document(security, root)).rules()
    return repr(rule)


@pytest.mark.parametrize(
    ("security", "rule"),
    [
        ([], "Public()"),
        ([{}], "Public()"),
        ([{"oauth": []}], "AllOf()"),
        ([{"oauth": ["a"]}], "AllOf('a')"),
        ([{"oauth": ["a", "b"]}], "AllOf('a', 'b')"),
        ([{"oauth": ["a", "a"]}], "AllOf('a')"),
        ([{"oauth": ["a"]}, {"oauth": ["b"]}], "AnyOf('a', 'b')"),
        ([{"oauth": ["a"]}, {"oauth": ["b", "c"]}], "AnyOf('a', AllOf('b', 'c'))"),
        ([{"oauth": ["a"]}, {"oauth": []}], "AllOf()"),
        ([{"oauth": ["a"], "oidc": ["b"]}], "AllOf('a', 'b')"),
        ([{"oauth": ["a"], "oidc": ["b", "a"]}, {"bearer": ["c"]}], "AnyOf(AllOf('a', 'b'), 'c')"),
        ([{"oidc": ["a"]}], "AllOf('a')"),
        ([{"bearer": []}], "AllOf()"),
        ([{"bearer": ["role"]}], "AllOf('role')"),
        ([{"oauth": ["tenant:{tenant}"]}], "AllOf('tenant:{tenant}')"),
        # Schemes that grant no scopes: nothing is asked for, and what they open beside others is not open.
        ([{"key": []}], "AllOf()"),
        ([{"basic": []}, {"tls": []}], "AllOf()"),
        ([{"oauth": ["a"]}, {"key": []}], "AllOf('a')"),
        ([{"key": []}, {"oauth": ["a"]}, {"tls": [], "basic": []}, {"oidc": ["b"]}], "AnyOf('a', 'b')"),
        ([{"key": []}, {"bearer": []}], "AllOf()"),
    ],
    ids=str,
)
def test_security_becomes_a_rule(security: Any, rule: str) -> None:
    whole = document(security, path="/{tenant}")
    ((name, found),) = policy_from(whole).rules()
    assert (name, repr(found)) == ("GET /<tenant>", rule)


@pytest.mark.parametrize(
    ("own", "root", "rule"),
    [
        ([{"oauth": ["a"]}], [{"oauth": ["b"]}], "AllOf('a')"),
        ([], [{"oauth": ["b"]}], "Public()"),
        ([{"oauth": ["a"]}], [], "AllOf('a')"),
        (NOTHING, [{"oauth": ["b"]}], "AllOf('b')"),
        (NOTHING, [], "Public()"),
    ],
    ids=range(5),
)
def test_the_security_of_an_operation_overrides_that_of_the_document(own: Any, root: Any, rule: str) -> None:
    assert rule_of(own, root) == rule


def test_operations_about_which_nothing_is_said_are_refused_and_all_named() -> None:
    whole = document([{"oauth": ["a"]}])
    whole["paths"] |= {"/b/{id}": {"post": {}, "get": {"security": []}}, "/c": {"delete": {"security": None}}}
    with pytest.raises(
        ValueError, match=r"nothing says who may call POST /b/\{id\}, DELETE /c: write `security: \[\]`"
    ):
        policy_from(whole)


@pytest.mark.parametrize(
    ("security", "message"),
    [
        ([{"oauth": ["a"]}, {}], "a grant is optional"),
        ([{}, {"oauth": ["a"]}], "a grant is optional"),
        ([{}, {}], "a grant is optional"),
        ([{"nope": []}], "there is no security scheme 'nope'"),
        ([{"OAuth": ["a"]}], "there is no security scheme 'OAuth'"),
        ([{"oauth": ["a"]}, {"nope": []}], "there is no security scheme 'nope'"),
        ({}, "security lists objects"),
        ({"oauth": ["a"]}, "security lists objects"),
        ("oauth", "security lists objects"),
        (False, "security lists objects"),
        (["oauth"], "security lists objects"),
        ([None], "security lists objects"),
        ([{"oauth": "a"}], "oauth has a list of scopes"),
        ([{"oauth": None}], "oauth has a list of scopes"),
        ([{"oauth": {"a": ""}}], "oauth has a list of scopes"),
        ([{"oauth": [7]}], "oauth has a list of scopes"),
        ([{"oauth": [["a"]]}], "oauth has a list of scopes"),
        ([{"oauth": ["a b"]}], "'a b' is not one scope"),
        ([{"oauth": [""]}], "'' is not one scope"),
        ([{"oauth": ["a"]}, {"oauth": ["caf\u00e9", "b"]}], "is not one scope"),
        ([{"oauth": ["a{"]}], "is written twice"),
        ([{"key": ["admin"]}], "key grants no scopes, so admin would not be asked for"),
        ([{"tls": ["a", "b"], "oauth": ["c"]}], "tls grants no scopes, so a, b would not be asked for"),
    ],
    ids=str,
)
def test_security_that_says_nothing_clear_is_refused_with_the_operation(security: Any, message: str) -> None:
    for whole in (document(security), document(root=security)):
        with pytest.raises(ValueError, match=f"^GET /photos.*{message}"):
            policy_from(whole)


def test_requirements_beside_the_scopes_are_not_passed_over() -> None:
    whole = document([{"oauth": ["a"]}])
    whole["paths"]["/photos"]["get"]["x-oauth-requirements"] = ["MaxAge(300)"]
    with pytest.raises(ValueError, match=r"GET /photos asks for more than scopes \(x-oauth-requirements\)"):
        policy_from(whole)


def test_a_scope_may_name_parameters_of_its_path_and_no_others() -> None:
    with pytest.raises(EntryError, match="has no parameter tenant in its path"):
        policy_from(document([{"oauth": ["tenant:{tenant}"]}], path="/{id}"))


def test_the_rules_hold_for_the_paths_of_the_document() -> None:
    whole = document([{"oauth": ["a"]}], path="/photos/{photo-id}.{format}")
    whole["paths"] |= {"/photos/new": {"get": {"security": []}, "head": {"security": [{"oauth": ["h"]}]}}}
    policy = policy_from(whole)
    found = policy.find(PlainRequest("GET", "/photos/7.jpg"))
    assert found is not None
    assert (repr(found.rule), found.parameters) == ("AllOf('a')", {"photo_id": "7", "format": "jpg"})
    shown = [policy.find(PlainRequest(method, "/photos/new")) for method in ("GET", "HEAD", "POST")]
    assert [found and repr(found.rule) for found in shown] == ["Public()", "AllOf('h')", None]


def test_servers_webhooks_and_callbacks_do_not_matter() -> None:
    whole = document([{"oauth": ["a"]}], callbacks={"done": {"{$request.body#/url}": {"post": {}}}})
    whole |= {"servers": [{"url": "https://api.example.com/v1"}], "webhooks": {"new": {"post": {}}}}
    policy = policy_from(whole)
    assert [name for name, _ in policy.rules()] == ["GET /photos"]
    assert policy.find(PlainRequest("GET", "/v1/photos")) is None


def test_a_path_item_that_is_referred_to_is_read() -> None:
    whole = document([{"oauth": ["a"]}])
    whole["paths"]["/again"] = {"$ref": "#/paths/~1photos"}
    assert [name for name, _ in policy_from(whole).rules()] == ["GET /photos", "GET /again"]
    whole["paths"]["/away"] = {"$ref": "photos.json"}
    with pytest.raises(ValueError, match=r"/away: 'photos\.json' leads out of the document"):
        policy_from(whole)


def test_a_scheme_that_is_referred_to_is_followed() -> None:
    whole = document([{"alias": ["a"]}])
    whole["components"] = {"securitySchemes": {**SCHEMES, "alias": {"$ref": "#/components/securitySchemes/oauth"}}}
    assert [repr(rule) for _, rule in policy_from(whole).rules()] == ["AllOf('a')"]


@pytest.mark.parametrize(
    ("one", "other"), [("/a/{id}", "/a/{name}"), ("/a", "/a/"), ("/a/{b-c}", "/a/{b_c}"), ("/a/{b}", "/a/{b}/")]
)
def test_two_paths_that_are_one_are_refused(one: str, other: str) -> None:
    whole = document([{"oauth": ["a"]}], path=one)
    whole["paths"][other] = {"get": {"security": []}}
    with pytest.raises(ValueError, match=r"are one operation|is there twice"):
        policy_from(whole)


def test_the_default_is_for_what_the_document_does_not_have() -> None:
    whole = document([{"oauth": ["a"]}])
    for default, rule in (("b", "AllOf('b')"), (AllOf(), "AllOf()"), (Public(), "Public()")):
        found = policy_from(whole, default=default).find(PlainRequest("POST", "/x"))
        assert found is not None
        assert repr(found.rule) == rule
    assert policy_from(whole).find(PlainRequest("POST", "/x")) is None


def test_a_document_without_operations_is_refused() -> None:
    listed: list[dict[str, Any]] = [{}, {"/a": {}}, {"x-a": {"get": {}}}]
    for paths in listed:
        with pytest.raises(ValueError, match="map at least one operation"):
            policy_from({"openapi": "3.1.1", "paths": paths})


def test_a_document_is_not_changed() -> None:
    whole = document([{"oauth": ["a"]}, {"bearer": ["b", "c"]}])
    before = deepcopy(whole)
    policy_from(whole)
    assert whole == before


def test_a_thousand_operations_are_read() -> None:
    whole = document([])
    security = [{"oauth": ["a"]}, {"oauth": ["b", "c"]}]
    whole["paths"] = {f"/r{n}/{{id}}": {"get": {"security": security}, "put": {"security": []}} for n in range(500)}
    assert len(list(policy_from(whole).rules())) == 1_000


def test_what_fastapi_writes_is_read() -> None:
    app = FastAPI()
    oauth = OAuth2AuthorizationCodeBearer("https://id.example.com/a", "https://id.example.com/t", scopes={"photos": ""})

    def user(_scopes: SecurityScopes, _token: Annotated[str, Security(oauth)]) -> None: ...

    @app.get("/photos/{number}")
    def photo(number: int, _user: Annotated[None, Security(user, scopes=["photos", "profile"])]) -> None: ...

    @app.post("/jobs", dependencies=[Security(APIKeyHeader(name="X-Key"))])
    def job() -> None: ...

    whole = json.loads(json.dumps(app.openapi()))
    rules = {name: repr(rule) for name, rule in policy_from(whole).rules()}
    assert rules == {"GET /photos/<number>": "AllOf('photos', 'profile')", "POST /jobs": "AllOf()"}


def test_the_outcome_is_a_policy_like_one_in_code() -> None:
    assert type(policy_from(document([]))) is OperationScopes


def test_two_sets_of_credentials_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="carries one set of credentials"):
        policy_from(
            {
                "openapi": "3.1.0",
                "paths": {"/a": {"get": {"security": [{"oauth": ["a"], "key": []}]}}},
                "components": {
                    "securitySchemes": {
                        "oauth": {"type": "oauth2", "flows": {}},
                        "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
                    }
                },
            }
        )


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"openapi": "2.0"}, ("openapi",)),
        ({"paths": []}, ("paths",)),
        ({"paths": {"/b": {"$ref": "#/nowhere"}}}, ("paths", "/b")),
        ({"paths": {"/b": {"GET": {}}}}, ("paths", "/b", "GET")),
        ({"paths": {"/b": {"get": []}}}, ("paths", "/b", "get")),
        ({"paths": {"/b": {"get": {"x-oauth-requirements": [], "security": []}}}}, ("paths", "/b", "get")),
        ({"paths": {"/{+b}": {"get": {"security": []}}}}, ("paths", "/{+b}", "get")),
        ({"paths": {"/b": {"get": {"security": [{}, {}]}}}}, ("paths", "/b", "get", "security")),
        ({"paths": {"/b": {"get": {"security": [{"oauth": []}, {"oauth": ["a b"]}]}}}}, (*AT_B, 1)),
        ({"paths": {"/b": {"get": {"security": [{"none": []}]}}}}, (*AT_B, 0)),
        ({"paths": {"/b": {"get": {"security": [{"oauth": ["t:{t}"]}]}}}}, ("paths", "/b", "get")),
        ({"paths": {"/b": {"get": {"security": []}, "put": {}, "post": {}}}}, ("paths", "/b", "put")),
        ({"paths": {"/b": {"get": {}}}, "security": "oauth"}, ("security",)),
        ({"paths": {"/b": {"get": {}}}, "security": [{"oauth": ["a b"]}]}, ("security", 0)),
    ],
    ids=str,
)
def test_a_mistake_leads_to_its_entry(changes: dict[str, Any], path: tuple[str | int, ...]) -> None:
    with pytest.raises(EntryError) as caught:
        policy_from({**document([]), **changes})
    assert caught.value.path == path


def test_a_mistake_in_the_default_leads_to_no_entry() -> None:
    with pytest.raises(EntryError, match="'default' has no parameter t") as caught:
        policy_from(document([]), default="t:{t}")
    assert caught.value.path == ()


def test_operations_of_other_methods_are_read_too() -> None:
    purge = {"PURGE": {"security": [{"oauth": ["p"]}]}}
    whole = {**document([]), "openapi": "3.2.0", "paths": {"/a": {"additionalOperations": purge}}}
    assert dict(policy_from(whole).rules()) == {"PURGE /a": AllOf("p")}


def test_a_method_that_no_policy_has_leads_to_its_entry() -> None:
    whole = {**document([]), "paths": {"/a": {"additionalOperations": {"purge": {"security": []}}}}}
    with pytest.raises(EntryError, match="'purge /a' is no operation") as caught:
        policy_from(whole)
    assert caught.value.path == ("paths", "/a", "additionalOperations", "purge")
