import json
from pathlib import Path
from typing import Any

import pytest

from oauth_rs.configuration import ConfigurationError
from oauth_rs.entries import EntryError
from oauth_rs.policy import OperationScopes
from oauth_rs.policy_files import policy_of, read_openapi_policy, read_policy
from oauth_rs.smart import smart
from tests.conftest import Written
from tests.support.playing import PlainRequest

TOML = """\
[scopes.photos]
id = 1

[policy.operations]
"GET /health" = { public = true }
"* /legacy/<path:rest>" = { pass_through = true }
"GET /me" = { any_grant = true }
"GET /photos/<int:id>" = "photos.read"
"POST /photos" = { all = ["photos.write", "quota"] }
"GET /reports" = { any = ["reports", { all = ["audit", "admin"] }] }
"POST /transfers" = { all = ["transfer"], acr = ["urn:example:mfa"], max_age = 300 }
"GET /tenants/<tenant>/bills" = "tenant:{tenant}:read"
"GET /fhir/Patient/<id>" = { smart = "Patient.r", patient = "id" }

[policy.operations."PUT /photos/<int:id>"]
max_age = 60
any = ["a", "b"]
all = ["x"]

[policy.default]
any_grant = true
"""
RULES = {
    "GET /health": "Public()",
    "* /legacy/<path:rest>": "PassThrough()",
    "GET /me": "AllOf()",
    "GET /photos/<int:id>": "AllOf('photos.read')",
    "POST /photos": "AllOf('photos.write', 'quota')",
    "GET /reports": "AnyOf('reports', AllOf('audit', 'admin'))",
    "POST /transfers": "AllOf('transfer', Acr('urn:example:mfa'), MaxAge(300))",
    "GET /tenants/<tenant>/bills": "AllOf('tenant:{tenant}:read')",
    "GET /fhir/Patient/<id>": repr(smart("Patient", "r", patient="id")),
    "PUT /photos/<int:id>": "AllOf('x', AnyOf('a', 'b'), MaxAge(60))",
    "default": "AllOf()",
}


def shown(policy: Any) -> dict[str, str]:
    return {name: repr(rule) for name, rule in policy.rules()}


def test_a_policy_is_read_from_a_file(written: Written) -> None:
    policy = read_policy(written("api.toml", TOML))
    assert isinstance(policy, OperationScopes)
    assert shown(policy) == RULES
    found = policy.find(PlainRequest("GET", "/photos/7"))
    assert found is not None
    assert found.parameters == {"id": 7}


def test_yaml_and_json_say_the_same(written: Written) -> None:
    text = """\
policy:
  operations:
    GET /health: {public: true}
    GET /photos/<int:id>: photos.read
    GET /reports:
      any:
        - reports
        - all: [audit, admin]
  default: other
"""
    rules = {
        "GET /health": {"public": True},
        "GET /photos/<int:id>": "photos.read",
        "GET /reports": {"any": ["reports", {"all": ["audit", "admin"]}]},
    }
    same = json.dumps({"policy": {"operations": rules, "default": "other"}})
    for path in (written("api.yaml", text), written("api.json", same)):
        assert shown(read_policy(path)) == {
            "GET /health": "Public()",
            "GET /photos/<int:id>": "AllOf('photos.read')",
            "GET /reports": "AnyOf('reports', AllOf('audit', 'admin'))",
            "default": "AllOf('other')",
        }


@pytest.mark.parametrize(
    ("data", "rules"),
    [
        ({"any_grant": True}, {"every operation": "AllOf()"}),
        ({"api": ["photos", "profile"]}, {"every operation": "AllOf('photos', 'profile')"}),
        ({"api": ["a", {"any": ["b", "c"]}]}, {"every operation": "AllOf('a', AnyOf('b', 'c'))"}),
        ({"api": ({"max_age": 60},)}, {"every operation": "AllOf(MaxAge(60))"}),
        ({"operations": {}, "default": {"public": True}}, {"default": "Public()"}),
        (
            {"operations": {"GET /a": "a"}, "default": {"pass_through": True}},
            {"GET /a": "AllOf('a')", "default": "PassThrough()"},
        ),
    ],
    ids=str,
)
def test_a_policy_has_one_of_three_forms(data: Any, rules: dict[str, str]) -> None:
    assert shown(policy_of(data)) == rules


@pytest.mark.parametrize(
    ("rule", "made"),
    [
        ("a", "AllOf('a')"),
        ({"all": ["a"]}, "AllOf('a')"),
        ({"all": ["a", {"all": ["b"]}]}, "AllOf('a', AllOf('b'))"),
        ({"all": ["a", {"acr": ["x"]}]}, "AllOf('a', Acr('x'))"),
        ({"any": ["a"]}, "AnyOf('a')"),
        ({"any": ["a", {"any": ["b", "t:{id}"]}]}, "AnyOf('a', AnyOf('b', 't:{id}'))"),
        ({"acr": ["x", "y"]}, "Acr('x', 'y')"),
        ({"max_age": 0}, "MaxAge(0)"),
        ({"max_age": 60, "acr": ["x"]}, "AllOf(Acr('x'), MaxAge(60))"),
        ({"any": ["a", "b"], "acr": ["x"]}, "AllOf(AnyOf('a', 'b'), Acr('x'))"),
        ({"smart": "*.cruds"}, repr(smart("*", "cruds"))),
        (
            {"smart": "Patient.rs", "contexts": ["user"], "filtered": True},
            repr(smart("Patient", "rs", contexts=("user",), filtered=True)),
        ),
        ({"smart": "Patient.r", "all": ["a"]}, f"AllOf('a', {smart('Patient', 'r')!r})"),
    ],
    ids=str,
)
def test_members_of_a_rule_hold_together(rule: Any, made: str) -> None:
    policy = policy_of({"operations": {"GET /x/<id>": rule}})
    assert shown(policy) == {"GET /x/<id>": made}


@pytest.mark.parametrize(
    ("data", "path", "message"),
    [
        ([], (), "a policy is a table with any_grant, api, operations, default, not \\[\\]"),
        (None, (), "a policy is a table"),
        ({1: 2}, (1,), "a policy has no 1: "),
        ({"operations": {1: "a"}}, ("operations",), "1 is no operation: write it as text"),
        ({}, (), "a policy is one of"),
        ({"default": "a"}, (), "a policy is one of"),
        ({"any_grant": True, "api": ["a"]}, (), "a policy is one of"),
        ({"api": ["a"], "operations": {"GET /a": "a"}}, (), "a policy is one of"),
        ({"operation": {"GET /a": "a"}}, ("operation",), "did you mean 'operations'"),
        ({"operations": {"GET /a": "a"}, "defaults": "a"}, ("defaults",), "did you mean 'default'"),
        ({"any_grant": True, "any": ["a"]}, ("any",), "a policy has no 'any'"),
        ({"any_grant": True, "default": "a"}, ("default",), "a default stands beside operations"),
        ({"api": ["a"], "default": "a"}, ("default",), "a default stands beside operations"),
        ({"any_grant": False}, ("any_grant",), "any_grant is true, or left out"),
        ({"any_grant": 1}, ("any_grant",), "any_grant is true, or left out"),
        ({"any_grant": "true"}, ("any_grant",), "any_grant is true, or left out"),
        ({"api": "photos"}, ("api",), "api lists at least one"),
        ({"api": []}, ("api",), "api lists at least one"),
        ({"api": {"all": ["a"]}}, ("api",), "api lists at least one"),
        ({"api": ["a b"]}, ("api",), "'a b' is not one scope"),
        ({"api": ["t:{tenant}"]}, ("api",), "APIScopes knows no path"),
        ({"api": [{"public": True}]}, ("api", "public"), "said of a whole operation"),
        ({"api": [["a"]]}, ("api",), "neither all nor any"),
        ({"operations": ["GET /a"]}, ("operations",), "operations is a table"),
        ({"operations": "GET /a"}, ("operations",), "operations is a table"),
        ({"operations": {}}, ("operations",), "map at least one operation"),
        ({"operations": {"GET /a": "a"}, "default": {"public": False}}, ("default", "public"), "public is true"),
        ({"operations": {"GET /a": "a"}, "default": ["a"]}, ("default",), "default: a list says neither"),
        ({"operations": {"GET /<a>": "a"}, "default": "t:{a}"}, ("default",), "'default' has no parameter a"),
    ],
    ids=str,
)
def test_a_policy_of_no_form_is_refused_at_its_place(data: Any, path: tuple[str, ...], message: str) -> None:
    with pytest.raises(EntryError, match=message) as caught:
        policy_of(data)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("rule", "further", "message"),
    [
        (["a", "b"], (), r"a list says neither all nor any: write \{ all = \[...\] \}"),
        ([], (), "a list says neither all nor any"),
        (None, (), "write a scope, or a table with all, any"),
        (7, (), "write a scope, or a table with"),
        (True, (), "write a scope, or a table with"),
        ({}, (), "write a scope, or a table with"),
        ("", (), "'' is not one scope"),
        ("a b", (), "'a b' is not one scope"),
        ("t:{tenant}", (), "has no parameter tenant in its path"),
        ("t:{", (), "is written twice"),
        ({"public": True, "all": ["a"]}, (), "public says it all"),
        ({"public": True, "any_grant": True}, (), "public says it all"),
        ({"public": 1}, ("public",), "public is true, or left out"),
        ({"pass_through": False}, ("pass_through",), "pass_through is true, or left out"),
        ({"any_grant": "yes"}, ("any_grant",), "any_grant is true, or left out"),
        ({"al": ["a"]}, ("al",), "a rule has no 'al': did you mean 'all'"),
        ({"max-age": 3}, ("max-age",), "did you mean 'max_age'"),
        ({"ALL": ["a"]}, ("ALL",), "did you mean 'all'"),
        ({1: 2}, (1,), "a rule has no 1: "),
        ({"condition": "x"}, ("condition",), "a rule has no 'condition'"),
        ({"all": []}, ("all",), "all lists at least one"),
        ({"all": "a"}, ("all",), "all lists at least one"),
        ({"all": {"any": ["a"]}}, ("all",), "all lists at least one"),
        ({"all": ["a b"]}, (), "'a b' is not one scope"),
        ({"all": ["a", 7]}, ("all",), "write a scope, or a table"),
        ({"all": ["a", None]}, ("all",), "write a scope, or a table"),
        ({"all": ["a", {"any": []}]}, ("all", "any"), "any lists at least one"),
        ({"all": ["a", {"public": True}]}, ("all", "public"), "public is said of a whole operation"),
        ({"any": ["a", {"any_grant": True}]}, ("any", "any_grant"), "any_grant is said of a whole operation"),
        ({"any": ["a", ["b"]]}, ("any",), "a list says neither"),
        ({"any": ["a", "caf\u00e9"]}, ("any",), "is not one scope"),
        ({"acr": "x"}, ("acr",), "acr is a list of texts"),
        ({"acr": [7]}, ("acr",), "acr is a list of texts"),
        ({"acr": []}, ("acr",), "can never be met"),
        ({"acr": ["a b"]}, ("acr",), "is not one authentication context"),
        ({"max_age": "300"}, ("max_age",), "MaxAge takes whole seconds"),
        ({"max_age": 1.5}, ("max_age",), "MaxAge takes whole seconds"),
        ({"max_age": True}, ("max_age",), "MaxAge takes whole seconds"),
        ({"max_age": -1}, ("max_age",), "MaxAge takes whole seconds"),
        ({"patient": "id", "all": ["a"]}, ("patient",), "patient stands beside smart"),
        ({"filtered": True}, ("filtered",), "filtered stands beside smart"),
        ({"smart": 7}, ("smart",), "write smart = 'Patient.r'"),
        ({"smart": ["Patient.r"]}, ("smart",), "write smart = 'Patient.r'"),
        ({"smart": "Patient.r", "patient": 7}, ("smart",), "write smart = 'Patient.r'"),
        ({"smart": "Patient"}, ("smart",), "is no FHIR resource type"),
        ({"smart": "patient/Patient.r"}, ("smart",), "is no FHIR resource type"),
        ({"smart": "Patient.read"}, ("smart",), "are no permissions"),
        ({"smart": "Patient.sr"}, ("smart",), "are no permissions"),
        ({"smart": "Patient.r", "contexts": "user"}, ("contexts",), "contexts is a list of texts"),
        ({"smart": "Patient.r", "contexts": ["users"]}, ("smart",), "contexts are some of"),
        ({"smart": "Patient.r", "filtered": False}, ("filtered",), "filtered is true, or left out"),
        ({"smart": "Patient.r", "patient": "number"}, (), "has no parameter number in its path"),
    ],
    ids=str,
)
def test_a_rule_that_is_none_is_refused_at_its_place(rule: Any, further: tuple[str, ...], message: str) -> None:
    with pytest.raises(EntryError, match=message) as caught:
        policy_of({"operations": {"GET /ok": "ok", "GET /x/<id>": rule}})
    assert caught.value.path == ("operations", "GET /x/<id>", *further)
    assert "GET /x/<id>" in str(caught.value)


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("get /x", "is no operation"),
        ("/x", "is no operation"),
        ("GET /<nope:id>", "cannot be read"),
        ("GET /a//b", "no request has"),
        ("GET /ok/", "are one operation"),
    ],
)
def test_an_operation_that_is_none_is_refused_at_its_place(operation: str, message: str) -> None:
    with pytest.raises(EntryError, match=message) as caught:
        policy_of({"operations": {"GET /ok": "ok", operation: "x"}})
    assert caught.value.path == ("operations", operation)


@pytest.mark.parametrize(
    ("name", "text", "line", "message"),
    [
        ("a.toml", '[policy.operations]\n"GET /a" = "a"\n\n"GET /b" = ["b"]\n', 4, "a list says neither"),
        ("a.toml", '[policy.operations."GET /a"]\nall = ["a"]\nmax_ages = 3\n', 3, "did you mean 'max_age'"),
        ("a.toml", '[policy.operations]\n"GET /a" = "a"\n"GET /a/" = "b"\n', 3, "are one operation"),
        ("a.toml", '[policy.operations]\n"GET /a" = "a"\n[policy.default]\npublic = false\n', 4, "public is true"),
        ("a.toml", "[scopes.a]\n\n[policy]\nany_grant = 1\n", 4, "any_grant is true"),
        ("a.toml", "[policys]\nany_grant = true\n", 1, "no section `policy`"),
        ("a.toml", 'policy = "any"\n', 1, "no section `policy`"),
        ("a.toml", '[policy.operations]\n"GET /a" = "a"\n"GET /a" = "b"\n', 3, "not TOML"),
        ("a.yaml", "policy:\n  operations:\n    GET /a: a\n    GET /b: [b]\n", 4, "a list says neither"),
        ("a.yaml", "policy:\n  operations:\n    GET /a: a\n    GET /a: b\n", 4, "is there twice"),
        ("a.yaml", "policy:\n  operations:\n    GET /a: {max_age: 1.5}\n", 3, "whole seconds"),
        ("a.yaml", "policy:\n", 1, "no section `policy`"),
        ("a.ini", "", 1, "the name tells the format"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_line(
    written: Written, name: str, text: str, line: int, message: str
) -> None:
    path = written(name, text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_policy(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    for name in ("no.toml", "no.yaml"):
        with pytest.raises(FileNotFoundError):
            read_policy(tmp_path / name)
        with pytest.raises(FileNotFoundError):
            read_openapi_policy(tmp_path / "no.json")


# OpenAPI documents

DOCUMENT = {
    "openapi": "3.1.1",
    "paths": {"/photos/{id}": {"get": {"security": [{"oauth": ["photos"]}]}, "put": {"security": []}}},
    "components": {"securitySchemes": {"oauth": {"type": "http", "scheme": "bearer"}}},
}
LINES = """\
{
  "openapi": "3.1.1",
  "paths": {
    "/photos/{id}": {
      "get": {"security": [
        {"oauth": ["photos"]}]},
      "put": {
        "security": []}}},
  "components": {"securitySchemes": {"oauth": {"type": "http", "scheme": "bearer"}}}
}
"""
YAML = """\
openapi: 3.1.1
paths:
  /photos/{id}:
    get:
      security: [{oauth: [photos]}]
      responses: {"200": {description: A photo}}
    put: {security: []}
components:
  securitySchemes:
    oauth: {type: http, scheme: bearer}
"""


# As tools write them and people do: codes without quotes, dates, `yes`, and what is meant twice written once.
ORDINARY = """\
openapi: 3.1.0
info:
  version: 1.0
  description: yes
  x-updated: 2026-01-01
security: &reading
  - oauth: [photos]
paths:
  /photos/{id}:
    put: &writing
      security: [{oauth: [no]}, {oauth: [photos]}]
      responses: {200: {example: 2026-01-01}, default: {example: 017}}
    get:
      security: *reading
      responses: {200: {description: no}, 404: {example: 1:30}}
    delete: *writing
components:
  securitySchemes:
    oauth: {type: http, scheme: bearer}
"""


def test_an_ordinary_openapi_document_in_yaml_is_read(written: Written) -> None:
    assert shown(read_openapi_policy(written("a.yaml", ORDINARY))) == {
        "PUT /photos/<id>": "AnyOf('no', 'photos')",
        "GET /photos/<id>": "AllOf('photos')",
        "DELETE /photos/<id>": "AnyOf('no', 'photos')",
    }


@pytest.mark.parametrize("level", [3, 100])
def test_an_openapi_document_that_grows_by_its_aliases_is_cheap_or_refused(written: Written, level: int) -> None:
    more = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, level))
    path = written("a.yaml", f"x0: &x0 [x]\n{more}{YAML}")
    if level == 3:
        assert len(shown(read_openapi_policy(path))) == 2
    else:
        with pytest.raises(ConfigurationError, match=r"a\.yaml:\d: too much with all that its aliases stand for"):
            read_openapi_policy(path)


@pytest.mark.parametrize("text", ["operations: {GET /a: no}", "api: [no]", "operations: {GET /a: *a}", "api: &a [*a]"])
def test_a_policy_in_yaml_is_read_strictly_as_before(written: Written, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"read in several ways|aliases are not read"):
        read_policy(written("a.yaml", f"policy: {{{text}}}\n"))


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", json.dumps(DOCUMENT)), ("a.JSON", json.dumps(DOCUMENT)), ("a.yml", YAML)]
)
def test_an_openapi_document_is_read(written: Written, name: str, text: str) -> None:
    policy = read_openapi_policy(written(name, text), default="other")
    rules = {"GET /photos/<id>": "AllOf('photos')", "PUT /photos/<id>": "Public()", "default": "AllOf('other')"}
    assert shown(policy) == rules


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", json.dumps(DOCUMENT).replace("[]", "[{}, {}]"), ":1: PUT /photos/{id}: a grant is optional"),
        ("a.json", '{"openapi": "3.1.1",\n "paths": {},\n}', ":3: "),
        ("a.json", '{"paths": {"/a": {}, "/a": {}}}', ":1: a name is there twice in one object, among /a"),
        ("a.json", "[" * 100_000, ":1: "),
        ("a.json", "", ":1: "),
        ("a.json", "\xff", ":1: "),
        ("a.json", "[]", ":1: the document is not an object"),
        ("a.json", "{}", ":1: not an OpenAPI 3.0, 3.1 or 3.2 document"),
        ("a.yaml", YAML.replace('"200"', '200: {}, "200"'), ":6: '200' is there twice, first in line 6"),
        ("a.yaml", YAML.replace("[photos]", "[17]"), ":5: GET /photos/{id}: oauth has a list of scopes"),
        ("a.yaml", YAML.replace("[photos]", "no"), ":5: GET /photos/{id}: oauth has a list of scopes"),
        ("a.yaml", YAML.replace("[]", "no"), ":7: PUT /photos/{id}: security lists objects"),
        ("a.yaml", YAML.replace("[]", "[*none]"), ":7: not YAML: found undefined alias"),
        ("a.yaml", ORDINARY.replace("[no]", "[a b]"), ":11: PUT /photos/{id}: 'a b' is not one scope"),
        ("a.yaml", ORDINARY.replace("- oauth: [photos]", "- oauth: [a b]"), ":7: GET /photos/{id}: 'a b'"),
        ("a.yaml", ORDINARY.replace("    get:", "    <<: *reading\n    get:"), ":13: merges (`<<`) are not read"),
        ("a.yaml", ORDINARY.replace("3.1.0", "yes"), ":1: not an OpenAPI 3.0, 3.1 or 3.2 document"),
        ("a.yaml", YAML.replace("put", "PUT"), ":7: /photos/{id} has a member 'PUT'"),
        ("a.yaml", YAML.replace("[photos]", "['a b']"), ":5: GET /photos/{id}: 'a b' is not one scope"),
        ("a.json", LINES.replace('"photos"', '"a b"'), ":6: GET /photos/{id}: 'a b' is not one scope"),
        ("a.json", LINES.replace("[]", "5"), ":8: PUT /photos/{id}: security lists objects"),
        ("a.json", LINES.replace('"put"', '"get"'), ":7: a name is there twice in one object, among get"),
        ("a.json", LINES.replace("3.1.1", "2.0"), ":2: not an OpenAPI 3.0, 3.1 or 3.2 document"),
        ("a.toml", "openapi = '3.1.1'\n[paths.'/a'.get]", ":2: nothing says who may call GET /a"),
        ("a.txt", "{}", ":1: the name tells the format"),
    ],
)
def test_an_openapi_document_that_is_none_is_refused(written: Written, name: str, text: str, message: str) -> None:
    path = written(name, text)
    with pytest.raises(ConfigurationError) as caught:
        read_openapi_policy(path)
    assert str(caught.value).startswith(f"{path}{message}")
