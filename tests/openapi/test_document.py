from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.entries import EntryError
from oauth_rs.openapi.document import (
    METHODS,
    carries_scopes,
    operations_of,
    path_item,
    paths_of,
    resolve,
    security_scheme,
    template_of,
)
from oauth_rs.operations import OperationMap

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.1",
    "info": {"title": "Photos", "version": "1"},
    "paths": {
        "/photos": {"summary": "Photos", "get": {"operationId": "list"}, "post": {}, "parameters": [], "x-team": "a"},
        "/albums": {"$ref": "#/components/pathItems/Albums"},
        "/again": {"$ref": "#/paths/~1photos", "description": "The same"},
        "x-note": {"get": {}},
    },
    "components": {
        "pathItems": {"Albums": {"$ref": "#/components/pathItems/Real%20one"}, "Real one": {"get": {"tags": ["a~b"]}}},
        "securitySchemes": {
            "oauth": {"type": "oauth2", "flows": {}},
            "alias": {"$ref": "#/components/securitySchemes/oauth"},
        },
    },
    "webhooks": {"new": {"post": {}}},
}


def document(paths: Any = None, **more: Any) -> dict[str, Any]:
    return {"openapi": "3.0.4", "paths": paths or {}, **more}


def test_every_operation_is_found_and_references_are_followed() -> None:
    assert [found.name for found in operations_of(DOCUMENT)] == [
        *("GET /photos", "POST /photos", "GET /albums", "GET /again", "POST /again"),
    ]
    assert paths_of(DOCUMENT) == ["/photos", "/albums", "/again"]
    assert path_item(DOCUMENT, "/albums") == {"get": {"tags": ["a~b"]}}


def test_every_method_of_openapi_is_known() -> None:
    found = operations_of(document({"/a/{b}": {method: {} for method in METHODS}}))
    assert [one.operation for one in found] == [f"{method.upper()} /a/<b>" for method in METHODS]


@pytest.mark.parametrize("version", ["3.0.0", "3.0.4", "3.1.0", "3.1.1", "3.1", 3.1, "3.2.0"])
def test_documents_of_3_0_to_3_2_are_read(version: Any) -> None:
    assert list(operations_of({"openapi": version, "paths": {}})) == []


@pytest.mark.parametrize("version", ["2.0", "3.3.0", "3.10.0", "3", "4.0", "", None, 3, "3.1x", " 3.1.0", ["3.1"]])
def test_other_documents_are_refused(version: Any) -> None:
    for other in ({"openapi": version, "paths": {}}, {"swagger": version, "paths": {}}):
        with pytest.raises(ValueError, match=r"not an OpenAPI 3\.0, 3\.1 or 3\.2 document"):
            list(operations_of(other))


@pytest.mark.parametrize("other", [[], "openapi: 3.1.1", None, 7], ids=repr)
def test_what_is_no_object_is_no_document(other: Any) -> None:
    with pytest.raises(ValueError, match="the document is not an object"):
        list(operations_of(other))


@pytest.mark.parametrize(
    ("paths", "what"),
    [
        ([], "paths"),
        ({"/a": None}, "/a"),
        ({"/a": []}, "/a"),
        ({"/a": {"get": None}}, "GET /a"),
        ({"/a": {"get": []}}, "GET /a"),
        ({"/a": {"post": "x"}}, "POST /a"),
    ],
)
def test_what_must_be_an_object_is_named(paths: Any, what: str) -> None:
    with pytest.raises(ValueError, match=f"^{what} is not an object"):
        list(operations_of({"openapi": "3.1.1", "paths": paths}))


@pytest.mark.parametrize("member", ["GET", "Get", "gets", "connect", "additionaloperations", "security"])
def test_a_member_that_openapi_does_not_know_may_be_an_operation_and_is_refused(member: str) -> None:
    with pytest.raises(ValueError, match=rf"/a has a member '{member}': methods are get, put"):
        list(operations_of(document({"/a": {member: {}}})))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("other.yaml#/paths/~1a", "leads out of the document"),
        ("https://example.com/api.json", "leads out of the document"),
        ("/a", "leads out of the document"),
        ("#", "leads out of the document"),
        ("", "leads out of the document"),
        (None, "leads out of the document"),
        (7, "leads out of the document"),
        ("#/", "leads nowhere"),
        ("#/paths/~1b", "leads nowhere"),
        ("#/paths//a", "leads nowhere"),
        ("#/info/title/0", "leads nowhere"),
        ("#/tags/0", "leads nowhere"),
        ("#/info/title", "is not an object"),
        ("#/tags", "is not an object"),
        ("#/paths/~1a", "lead in a circle"),
    ],
)
def test_a_reference_that_leads_out_or_nowhere_is_refused(reference: Any, message: str) -> None:
    broken = document({"/a": {"$ref": reference}}, info={"title": "x"}, tags=[{"name": "x"}])
    with pytest.raises(ValueError, match=f"^/a.*{message}"):
        path_item(broken, "/a")


def test_a_circle_of_several_is_one_too() -> None:
    with pytest.raises(ValueError, match="lead in a circle"):
        path_item(document({"/a": {"$ref": "#/paths/~1b"}, "/b": {"$ref": "#/paths/~1a"}}), "/a")


def test_operations_beside_a_reference_have_no_meaning() -> None:
    both = document({"/a": {"$ref": "#/paths/~1b", "get": {}}, "/b": {"post": {}}})
    with pytest.raises(ValueError, match=r"/a has operations beside its \$ref"):
        path_item(both, "/a")


@pytest.mark.parametrize(
    ("reference", "found"),
    [("#/a~1b/c~0d", {"x": 1}), ("#/a~1b/c~01d", {"x": 2}), ("#/a%7E1b/e%20f", {"x": 3}), ("#/%C3%A9", {"x": 4})],
)
def test_references_are_json_pointers(reference: str, found: Any) -> None:
    whole = {"a/b": {"c~d": {"x": 1}, "c~1d": {"x": 2}, "e f": {"x": 3}}, "\u00e9": {"x": 4}}
    assert resolve(whole, {"$ref": reference}, "here") == found


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/", "/"),
        ("/photos", "/photos"),
        ("/photos/", "/photos/"),
        ("/photos/{id}", "/photos/<id>"),
        ("/a/{b}/c/{d}", "/a/<b>/c/<d>"),
        ("/reports/{name}.{format}", "/reports/<name>.<format>"),
        ("/{from}-{to}", "/<p_from>-<to>"),
        ("/{photo-id}", "/<photo_id>"),
        ("/{photo.id}/{photo-id}", "/<photo_id>/<photo_id_>"),
        ("/{1st}", "/<p_1st>"),
        ("/{_id}", "/<_id>"),
        ("/{gr\u00f6\u00dfe}", "/<gr__e>"),
        ("/{class}/{None}", "/<p_class>/<p_None>"),
        ("/caf%C3%A9/{a%20b}", "/caf\u00e9/<a_20b>"),
        ("/a:cancel", "/a:cancel"),
        ("/a/{id}:cancel", "/a/<id>:cancel"),
        ("/{a}{b}", "/<a><b>"),
    ],
)
def test_a_path_becomes_a_template(path: str, template: str) -> None:
    assert template_of(path) == template
    assert OperationMap({f"GET {template}": 1}).match("GET", template.replace("<", "x").replace(">", "x")) is not None


@pytest.mark.parametrize("name", ["", "+path", "path*", "name=**", "?page", ";v", "#frag", "&x", "a,b", "/rest", "a/b"])
def test_parameters_of_other_dialects_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no parameter of an OpenAPI path"):
        template_of(f"/a/{{{name}}}")


@pytest.mark.parametrize("path", ["/{a}/{a}", "/{a}-{b}-{a}"])
def test_a_parameter_stands_once_in_a_path(path: str) -> None:
    with pytest.raises(ValueError, match=r"\{a\} is no parameter of an OpenAPI path: a name, once"):
        template_of(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "photos",
        "{id}",
        "/a{",
        "/a}",
        "/a/{b",
        "/a/{{b}}",
        "/{a}}",
        "/<id>",
        "/a<b",
        "/a%2Fb",
        "/a%2f{b}",
        "/%3Cint:id%3E",
        "/%7Bid%7D",
        "/%FF",
    ],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"is no path|is no parameter"):
        template_of(path)


@pytest.mark.parametrize(
    ("scheme", "carries"),
    [
        ({"type": "oauth2"}, True),
        ({"type": "openIdConnect"}, True),
        ({"type": "http", "scheme": "bearer"}, True),
        ({"type": "http", "scheme": "Bearer"}, True),
        ({"type": "http", "scheme": "basic"}, False),
        ({"type": "http"}, False),
        ({"type": "apiKey", "scheme": "bearer"}, False),
        ({"type": "mutualTLS"}, False),
        ({"type": "OAuth2"}, False),
        ({"type": None}, False),
        ({}, False),
    ],
    ids=str,
)
def test_some_security_schemes_carry_scopes(scheme: dict[str, Any], carries: object) -> None:
    assert carries_scopes(scheme) is carries


def test_a_security_scheme_is_found_by_its_name() -> None:
    assert security_scheme(DOCUMENT, "alias", "GET /a") == {"type": "oauth2", "flows": {}}


@pytest.mark.parametrize("components", [{}, {"components": {}}, {"components": {"securitySchemes": {"OAuth": {}}}}])
def test_a_security_scheme_that_is_not_declared_is_refused(components: Any) -> None:
    with pytest.raises(ValueError, match="GET /a: there is no security scheme 'oauth'"):
        security_scheme(components, "oauth", "GET /a")


@pytest.mark.parametrize(
    "components",
    [{"components": []}, {"components": {"securitySchemes": []}}, {"components": {"securitySchemes": {"oauth": "x"}}}],
)
def test_components_that_are_no_objects_are_refused(components: Any) -> None:
    with pytest.raises(ValueError, match="is not an object"):
        security_scheme(components, "oauth", "GET /a")


@given(st.text(alphabet="ab/{}-.%2F<>_ \u00e9", max_size=16))
def test_a_template_takes_the_paths_that_it_describes_or_is_refused(path: str) -> None:
    try:
        operations = OperationMap({f"GET {template_of('/' + path)}": 1})
    except ValueError:
        return
    assert len(operations.items()) == 1


@pytest.mark.parametrize(
    ("whole", "where"),
    [
        ({5: {}}, "the document"),
        ({"paths": {5: {}}}, "paths"),
        ({"paths": {"/a": {5: {}}}}, "/a"),
        ({"paths": {"/a": {"get": {5: {}}}}}, "GET /a"),
    ],
)
def test_members_that_are_no_text_are_refused(whole: dict[Any, Any], where: str) -> None:
    with pytest.raises(ValueError, match=f"^{where} has a member 5 that is no text"):
        list(operations_of({"openapi": "3.1.1", **whole}))


@pytest.mark.parametrize("kind", [["http"], {"oauth2": 1}, None, 5])
def test_a_scheme_of_no_type_carries_no_scopes(kind: Any) -> None:
    assert not carries_scopes({"type": kind, "scheme": "bearer"})


@pytest.mark.parametrize("version", ["3.2.0", "3.0.4"])  # older documents may not have them, but would mean the same
def test_there_are_operations_of_other_methods(version: str) -> None:
    item = {"query": {}, "additionalOperations": {"PURGE": {"summary": "x"}}}
    query, purge = operations_of({"openapi": version, "paths": {"/a/{b}": item}})
    assert (query.operation, query.place) == ("QUERY /a/<b>", ("paths", "/a/{b}", "query"))
    assert (purge.operation, purge.members) == ("PURGE /a/<b>", {"summary": "x"})
    assert purge.place == ("paths", "/a/{b}", "additionalOperations", "PURGE")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "/a: additionalOperations is not an object"),
        ({"PURGE": None}, "PURGE /a is not an object"),
        ({"GET": {}}, "/a: GET has a member of its own, 'get': move it there"),
        ({"get": {}}, "/a: get has a member of its own, 'get': move it there"),
    ],
)
def test_what_are_no_further_operations_are_refused(more: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        list(operations_of({"openapi": "3.2.0", "paths": {"/a": {"additionalOperations": more}}}))


def test_the_place_of_an_operation_with_a_member_of_its_own_is_told() -> None:
    with pytest.raises(EntryError) as caught:
        list(operations_of(document({"/a": {"additionalOperations": {"GET": None}}})))
    assert caught.value.path == ("paths", "/a", "additionalOperations", "GET")


def test_a_star_is_no_method() -> None:
    with pytest.raises(EntryError, match=r"/a: '\*' is no method: name each"):
        list(operations_of(document({"/a": {"additionalOperations": {"*": {"security": []}}}})))


def test_no_further_operations_stand_beside_a_reference() -> None:
    with pytest.raises(ValueError, match="has operations beside its"):
        list(operations_of(document({"/a": {"$ref": "#/b", "additionalOperations": {}}}, b={})))
