from copy import deepcopy
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.openapi import policy_from, write_security
from oauth_rs.openapi.writing import MAX_ALTERNATIVES
from oauth_rs.policy import APIScopes, NoScopes, OperationScopes, PassThrough, Public
from oauth_rs.requirements import Acr, Condition, MaxAge
from oauth_rs.scope_declarations import Scope
from oauth_rs.scopes import AllOf, AnyOf, Requirement
from oauth_rs.smart import smart
from tests.support.playing import PlainRequest

BEARER = {"type": "http", "scheme": "bearer"}


def document(path: str = "/photos", **operation: Any) -> dict[str, Any]:
    return {"openapi": "3.1.1", "info": {"title": "Photos", "version": "1"}, "paths": {path: {"get": operation}}}


def written(rule: Any, path: str = "/photos", said: Any = None) -> dict[str, Any]:
    """The operation `GET path` that had the members `said`, once `rule` was written to it."""
    template = path.replace("{", "<").replace("}", ">")
    whole = document(path)
    whole["paths"][path]["get"] = said or {}
    whole = write_security(whole, OperationScopes({f"GET {template}": rule}))
    found: dict[str, Any] = whole["paths"][path]["get"]
    return found


def oauth(*alternatives: list[str]) -> list[dict[str, list[str]]]:
    return [{"oauth": scopes} for scopes in alternatives]


def owns(_grant: Any, _request: Any) -> bool:
    return True


@pytest.mark.parametrize(
    ("rule", "security"),
    [
        (Public(), []),
        ("a", oauth(["a"])),
        (AllOf(), oauth([])),
        (AllOf("a", "b", "a"), oauth(["a", "b"])),
        (AnyOf("a", "b"), oauth(["a"], ["b"])),
        (AnyOf("a", AllOf("b", "c")), oauth(["a"], ["b", "c"])),
        (AllOf("a", AnyOf("b", "c")), oauth(["a", "b"], ["a", "c"])),
        (AllOf(AnyOf("a", "b"), AnyOf("c", "d")), oauth(["a", "c"], ["a", "d"], ["b", "c"], ["b", "d"])),
        (AllOf("a", AnyOf("a", "b")), oauth(["a"])),
        (AnyOf("a", AllOf("a", "b")), oauth(["a"])),
        (AnyOf(AllOf("b", "a"), AllOf("a", "b")), oauth(["a", "b"])),
        (AllOf(AllOf(AllOf("a"))), oauth(["a"])),
    ],
    ids=repr,
)
def test_a_rule_becomes_alternatives_of_which_none_is_one_too_many(rule: Any, security: Any) -> None:
    found = written(rule)
    assert [sorted(*one.values()) for one in found["security"]] == [sorted(*one.values()) for one in security]
    assert "x-oauth-requirements" not in found


@pytest.mark.parametrize(
    ("rule", "security", "more"),
    [
        (AllOf("a", Acr("mfa"), MaxAge(300)), oauth(["a"]), ["Acr('mfa')", "MaxAge(300)"]),
        (Acr("mfa"), oauth([]), ["Acr('mfa')"]),
        (AllOf("a", AllOf("b", Condition(owns))), oauth(["a", "b"]), ["Condition(owns)"]),
        (AnyOf("a", Acr("mfa")), oauth([]), ["AnyOf('a', Acr('mfa'))"]),
        (
            AllOf("x", AnyOf("a", AllOf("b", Acr("mfa")))),
            oauth(["x", "a"], ["x", "b"]),
            ["AnyOf('a', AllOf('b', Acr('mfa')))"],
        ),
        ("photo:{id}", oauth([]), ["'photo:{id}'"]),
        (AllOf("a", "photo:{id}", AnyOf("b", "c")), oauth(["a", "b"], ["a", "c"]), ["'photo:{id}'"]),
        (smart("Patient", "r", contexts=("user",)), oauth([]), [repr(smart("Patient", "r", contexts=("user",)))]),
    ],
    ids=repr,
)
def test_what_is_asked_for_beside_scopes_stands_beside_them(rule: Any, security: Any, more: list[str]) -> None:
    found = written(rule, "/photos/{id}")
    assert (found["security"], found["x-oauth-requirements"]) == (security, more)


def test_what_was_said_before_is_said_no_more() -> None:
    stale = {"security": [{"other": ["x"]}], "x-oauth-requirements": ["MaxAge(1)"], "summary": "Photos", "x-team": "a"}
    assert written("a", said=stale) == {"security": oauth(["a"]), "summary": "Photos", "x-team": "a"}
    assert written(Public(), said=stale) == {"security": [], "summary": "Photos", "x-team": "a"}
    assert written(MaxAge(9), said=stale)["x-oauth-requirements"] == ["MaxAge(9)"]


def test_what_another_back_end_checks_is_left_as_it_was() -> None:
    said = {"security": [{"other": ["x"]}], "x-oauth-requirements": ["theirs"]}
    assert written(PassThrough(), said=said) == said
    assert written(PassThrough()) == {}


@pytest.mark.parametrize(
    ("policy", "security"),
    [(NoScopes(), oauth([])), (APIScopes("a", AnyOf("b", "c")), oauth(["a", "b"], ["a", "c"]))],
    ids=repr,
)
def test_a_policy_for_all_operations_is_written_to_all(policy: Any, security: Any) -> None:
    whole = document()
    whole["paths"]["/b/{id}"] = {"delete": {}, "summary": "B"}
    found = write_security(whole, policy)["paths"]
    assert found["/photos"]["get"] == found["/b/{id}"]["delete"] == {"security": security}
    assert found["/b/{id}"]["summary"] == "B"


def test_operations_that_the_policy_does_not_map_are_refused_and_all_named() -> None:
    whole = document()
    whole["paths"] |= {"/b/{id}": {"put": {}, "get": {}}, "/c": {"post": {}}}
    with pytest.raises(ValueError, match=r"no rule and no default for PUT /b/\{id\}, POST /c: map them"):
        write_security(whole, OperationScopes({"GET /photos": "a", "GET /b/<id>": "b"}))
    default = write_security(whole, OperationScopes({"GET /photos": "a"}, default=Public()))
    assert default["paths"]["/c"]["post"] == {"security": []}


def test_rules_that_the_values_of_parameters_decide_between_are_refused() -> None:
    with pytest.raises(ValueError, match=r"GET /a/\{id\} falls under several rules"):
        write_security(document("/a/{id}"), OperationScopes({"GET /a/<int:id>": "x", "GET /a/<name>": "y"}))


def test_path_items_that_are_referred_to_are_written_out_each_by_its_own_rule() -> None:
    whole = document()
    whole["paths"]["/again"] = {"$ref": "#/paths/~1photos"}
    shared = whole["paths"]["/photos"]
    whole["paths"]["/same"] = shared
    policy = OperationScopes({"GET /photos": "a", "GET /again": "b", "GET /same": "c"})
    found = write_security(whole, policy)["paths"]
    said = [found[path]["get"]["security"] for path in ("/photos", "/again", "/same")]
    assert said == [oauth(["a"]), oauth(["b"]), oauth(["c"])]
    assert shared == {"get": {}}


@pytest.mark.parametrize("pairs", [9, 20, 40])
def test_a_requirement_of_too_many_alternatives_is_refused_before_they_are_made(pairs: int) -> None:
    rule = AllOf(*(AnyOf(f"a{n}", f"b{n}") for n in range(pairs)))
    with pytest.raises(ValueError, match=rf"GET /photos has over {MAX_ALTERNATIVES} alternatives"):
        written(rule)


def test_so_is_one_of_too_many_scopes() -> None:
    assert len(written(AnyOf(*map(str, range(MAX_ALTERNATIVES))))["security"]) == MAX_ALTERNATIVES
    with pytest.raises(ValueError, match="alternatives: give a name to scopes that go together"):
        written(AnyOf(*map(str, range(10_000))))


# The security scheme

CATALOGUE = ScopeCatalogue({"a": Scope("Do A"), "b": Scope(), "offline_access": Scope("Stay")})


def declared(schemes: Any, catalogue: ScopeCatalogue | None = None, scheme: str = "oauth", rule: Any = "a") -> Any:
    whole = document()
    if schemes is not None:
        whole["components"] = {"securitySchemes": schemes, "schemas": {"X": {}}}
    found = write_security(whole, OperationScopes({"GET /photos": rule}), scheme=scheme, catalogue=catalogue)
    return found["components"]["securitySchemes"]


def test_a_scheme_that_is_not_there_is_one_of_bearer_tokens() -> None:
    assert declared(None) == {"oauth": BEARER}
    assert declared({}, CATALOGUE, "token") == {"token": BEARER}
    other = {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}
    assert declared(other, CATALOGUE) == {**other, "oauth": BEARER}


@pytest.mark.parametrize(
    ("catalogue", "known", "scopes"),
    [
        (None, {}, {"a": "", "z": ""}),
        (None, {"a": "Old A", "x": "X"}, {"a": "Old A", "x": "X", "z": ""}),
        (CATALOGUE, {}, {"a": "Do A", "b": "", "z": ""}),
        (CATALOGUE, {"b": "Old B", "a": "Old A"}, {"b": "Old B", "a": "Do A", "z": ""}),
    ],
    ids=range(4),
)
def test_flows_list_the_scopes_with_what_they_are_for(catalogue: Any, known: Any, scopes: Any) -> None:
    flows = {"clientCredentials": {"tokenUrl": "https://t", "scopes": known}, "implicit": {"x": 1}, "x-more": {"y": 2}}
    found = declared({"oauth": {"type": "oauth2", "flows": flows}}, catalogue, rule=AllOf("a", "z"))["oauth"]["flows"]
    assert found["clientCredentials"] == {"tokenUrl": "https://t", "scopes": scopes}
    assert found["implicit"]["scopes"].keys() == (scopes.keys() - known.keys()) | {"a", "z"} | (
        {"b"} if catalogue else set()
    )
    assert found["x-more"] == {"y": 2}


@pytest.mark.parametrize(
    "scheme", [{"type": "openIdConnect", "openIdConnectUrl": "https://x"}, {**BEARER, "bearerFormat": "JWT"}]
)
def test_a_scheme_without_flows_has_no_place_for_scopes(scheme: dict[str, Any]) -> None:
    assert declared({"oauth": scheme}, CATALOGUE) == {"oauth": scheme}


def test_a_scheme_that_is_referred_to_is_written_out() -> None:
    real = {"type": "oauth2", "flows": {"implicit": {"scopes": {}}}}
    found = declared({"oauth": {"$ref": "#/components/securitySchemes/real"}, "real": real})
    assert found["oauth"]["flows"]["implicit"]["scopes"] == {"a": ""}
    assert found["real"] == real


@pytest.mark.parametrize(
    "scheme", [{"type": "apiKey"}, {"type": "http", "scheme": "basic"}, {"type": "mutualTLS"}, {}], ids=str
)
def test_a_scheme_that_grants_no_scopes_is_refused(scheme: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="'oauth' grants no scopes: name another one"):
        declared({"oauth": scheme})


# Both ways


def test_the_document_that_was_given_is_not_changed_nor_shared() -> None:
    whole = document(tags=["x"])
    whole["components"] = {"securitySchemes": {"oauth": {"type": "oauth2", "flows": {"implicit": {"scopes": {}}}}}}
    before = deepcopy(whole)
    found = write_security(whole, OperationScopes({"GET /photos": "a"}), catalogue=CATALOGUE)
    assert whole == before
    found["paths"]["/photos"]["get"]["tags"].append("y")
    found["info"]["title"] = "Other"
    assert whole == before


def test_writing_once_more_changes_nothing() -> None:
    policy = OperationScopes({"GET /photos": AllOf("a", AnyOf("b", "c"), MaxAge(3))})
    once = write_security(document(), policy, catalogue=CATALOGUE)
    assert write_security(once, policy, catalogue=CATALOGUE) == once


@pytest.mark.parametrize(
    "other", [[], {}, {"openapi": "2.0"}, {"openapi": "3.1.1", "paths": {"/a": {"GET": {}}}}], ids=str
)
def test_what_is_no_document_is_refused(other: Any) -> None:
    with pytest.raises(ValueError, match=r"not an|has a member"):
        write_security(other, NoScopes())


def test_what_is_more_than_scopes_cannot_be_read_back_as_less() -> None:
    with pytest.raises(ValueError, match="asks for more than scopes"):
        policy_from(write_security(document(), OperationScopes({"GET /photos": AllOf("a", MaxAge(3))})))


NAMES = "abcd"
SCOPES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(NAMES),
    lambda inner: st.builds(AllOf, inner, inner) | st.builds(AnyOf, inner, inner, inner),
    max_leaves=6,
)
RULES = SCOPES | st.builds(Public)
HELD = [set(some) for size in range(len(NAMES) + 1) for some in combinations(NAMES, size)]


def meaning(policy: OperationScopes, path: str) -> object:
    operation = policy.find(PlainRequest("GET", path))
    assert operation is not None
    return [operation.rule.met_by(held) for held in HELD] if isinstance(operation.rule, Requirement) else "public"


@given(RULES, RULES)
def test_what_was_written_means_the_same_when_it_is_read(one: Any, other: Any) -> None:
    policy = OperationScopes({"GET /one": one, "GET /other/<int:id>": other})
    whole = {"openapi": "3.1.1", "paths": {"/one": {"get": {}}, "/other/{id}": {"get": {}}}}
    again = policy_from(write_security(whole, policy))
    for path in ("/one", "/other/7"):
        assert meaning(again, path) == meaning(policy, path)


@pytest.mark.parametrize(
    ("components", "where"),
    [
        (None, "components"),
        ({"securitySchemes": None}, "securitySchemes"),
        ({"securitySchemes": {"oauth": None}}, "the security scheme 'oauth'"),
        ({"securitySchemes": {"oauth": {"type": "oauth2", "flows": None}}}, "the security scheme 'oauth': flows"),
        (
            {"securitySchemes": {"oauth": {"type": "oauth2", "flows": {"implicit": None}}}},
            "the security scheme 'oauth': implicit",
        ),
        (
            {"securitySchemes": {"oauth": {"type": "oauth2", "flows": {"implicit": {"scopes": ["a"]}}}}},
            "the security scheme 'oauth': implicit.scopes",
        ),
    ],
)
def test_a_place_for_schemes_that_is_no_object_is_refused(components: Any, where: str) -> None:
    with pytest.raises(ValueError, match=f"^{where} is not an object"):
        write_security({**document(), "components": components}, APIScopes("a"))


OIDC = {"type": "openIdConnect", "openIdConnectUrl": "https://x"}


@pytest.mark.parametrize("version", ["3.0.0", "3.0.4", 3.0])
@pytest.mark.parametrize("schemes", [{}, {"oauth": BEARER}, {"oauth": {"$ref": "#/x-bearer"}}])
def test_openapi_3_0_has_no_place_for_scopes_of_bearer_tokens(version: Any, schemes: dict[str, Any]) -> None:
    whole = {**document(), "openapi": version, "x-bearer": BEARER, "components": {"securitySchemes": schemes}}
    with pytest.raises(ValueError, match="declare one of oauth2 or openIdConnect"):
        write_security(whole, APIScopes("a"))
    for policy in (NoScopes(), OperationScopes({"GET /photos": Public()})):
        assert write_security(whole, policy)["components"]["securitySchemes"]["oauth"] == BEARER


@pytest.mark.parametrize("scheme", [OIDC, {"type": "oauth2", "flows": {}}])
def test_openapi_3_0_has_a_place_for_scopes_of_others(scheme: dict[str, Any]) -> None:
    whole = {**document(), "openapi": "3.0.4", "components": {"securitySchemes": {"oauth": scheme}}}
    assert write_security(whole, APIScopes("a"))["paths"]["/photos"]["get"]["security"] == oauth(["a"])


def test_operations_of_other_methods_are_written_too() -> None:
    item = {"query": {}, "additionalOperations": {"PURGE": {"summary": "x"}}}
    whole = {"openapi": "3.2.0", "paths": {"/a": item, "/b": {"$ref": "#/paths/~1a"}}}
    rules: dict[str, Any] = {"QUERY /a": "a", "PURGE /a": "p", "* /b": Public()}
    found = write_security(whole, OperationScopes(rules))["paths"]
    assert found["/a"] == {
        "query": {"security": oauth(["a"])},
        "additionalOperations": {"PURGE": {"summary": "x", "security": oauth(["p"])}},
    }
    assert found["/b"]["additionalOperations"] == {"PURGE": {"summary": "x", "security": []}}
    assert item["additionalOperations"] == {"PURGE": {"summary": "x"}}
