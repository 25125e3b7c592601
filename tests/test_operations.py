from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.routing import BaseConverter, ValidationError

from oauth_rs.errors import InvalidRequest
from oauth_rs.matching_time import MAX_PATH
from oauth_rs.operations import MAX_SPELLINGS, OperationError, OperationMap
from tests.support.costing import cost
from tests.support.playing import PlainRequest

MAP = OperationMap(
    {
        "GET /": "root",
        "GET /photos": "list",
        "POST /photos": "add",
        "GET /photos/<int:id>": "show",
        "* /photos/<int:id>": "change",
        "GET /photos/new": "form",
        "GET /files/<path:rest>": "file",
        "GET /files/<path:rest>/info": "info",
        "GET /tags/<any(red,blue):tag>": "colour",
        "GET /tags/<tag>": "tag",
        "GET /pages/<string(length=2):lang>": "page",
        "GET /reports/<name>.<format>": "report",
        "GET /gr\u00f6\u00dfe/<id>": "size",
        "PROPFIND /dav": "find",
    }
)


def said(method: str, path: str, operations: OperationMap[str] = MAP) -> str | None:
    found = operations.match(method, path)
    return None if found is None else found[0]


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/", "root"),
        ("GET", "", "root"),
        ("GET", "/photos", "list"),
        ("POST", "/photos", "add"),
        ("GET", "/photos/7", "show"),
        ("DELETE", "/photos/7", "change"),
        ("GET", "/photos/new", "form"),
        ("GET", "/files/a", "file"),
        ("GET", "/files/a/b/c", "file"),
        ("GET", "/files/a/b/info", "info"),
        ("GET", "/files/info", "file"),
        ("GET", "/tags/red", "colour"),
        ("GET", "/tags/green", "tag"),
        ("GET", "/tags/Red", "tag"),
        ("GET", "/pages/de", "page"),
        ("GET", "/reports/a.b.pdf", "report"),
        ("GET", "/gr\u00f6\u00dfe/\u00e9", "size"),
        ("PROPFIND", "/dav", "find"),
    ],
)
def test_an_operation_is_found_by_its_method_and_path(method: str, path: str, name: str) -> None:
    assert said(method, path) == name


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(
            ("PUT", "/photos"),
            ("GET", "/photos/x"),
            ("GET", "/photos/1.5"),
            ("GET", "/photos/7/8"),
        ),
        *(("GET", "/Photos"), ("GET", "/PHOTOS"), ("GET", "/photo"), ("GET", "/photosx"), ("GET", "/photos%2F7")),
        *(
            ("GET", "/x/photos"),
            ("GET", "/photos\n"),
            ("GET", "/photos?x"),
        ),
        *(("GET", "/files"), ("POST", "/files/a"), ("GET", "/pages/deu"), ("GET", "/pages/d"), ("GET", "/pages/d/e")),
        *(("GET", "/reports/a"), ("GET", "/reports/a."), ("GET", "/reports/.a"), ("GET", "/reportsXa.b")),
        *(("GET", "/gro\u0308\u00dfe/1"), ("GET", "/gr\u00d6\u00dfe/1"), ("GET", "/gr%C3%B6%C3%9Fe/1")),
        *(("*", "/photos"), ("", "/photos"), ("GET ", "/photos"), ("GET /", "/photos"), ("PROPFIN", "/dav")),
    ],
)
def test_nothing_is_found_for_another_method_or_path(method: str, path: str) -> None:
    assert MAP.match(method, path) is None


@pytest.mark.parametrize("path", ["/photos", "/photos/7", "/files/a/b", "/tags/red", "/reports/a.pdf"])
def test_a_slash_at_the_end_does_not_count(path: str) -> None:
    assert MAP.match("GET", path + "/") == MAP.match("GET", path) is not None


@pytest.mark.parametrize(
    ("names", "path"),
    [
        (("GET /photos/", "* /photos"), "/photos"),
        (("GET /photos", "* /photos/"), "/photos/"),
        (("* /photos/", "GET /photos"), "/photos/"),
        (("GET /a/<id>/", "* /a/<id>"), "/a/b"),
        (("GET /a/<path:id>/", "* /a/<path:id>"), "/a/b/c"),
    ],
)
def test_neither_does_it_in_a_template(names: tuple[str, ...], path: str) -> None:
    operations = OperationMap({name: name[:3] for name in names})
    assert said("GET", path, operations) == "GET"
    assert said("PUT", path, operations) == "* /"


@pytest.mark.parametrize("names", [("GET /x", "HEAD /x", "* /x"), ("* /x", "HEAD /x", "GET /x")])
def test_an_entry_of_its_own_comes_before_get_and_get_before_all_others(names: tuple[str, ...]) -> None:
    operations = OperationMap({name: name[:4] for name in names})
    assert [said(method, "/x", operations) for method in ("HEAD", "GET", "PUT")] == ["HEAD", "GET ", "* /x"]


def test_get_covers_head_and_no_other_method() -> None:
    operations = OperationMap({"GET /x": "get", "* /y": "any"})
    assert said("HEAD", "/x", operations) == "get"
    assert said("HEAD", "/y", operations) == "any"
    assert [said(method, "/x", operations) for method in ("POST", "OPTIONS", "TRACE", "CONNECT")] == [None] * 4


def test_the_template_that_says_more_is_taken_before_the_one_with_the_method() -> None:
    operations = OperationMap({"GET /a/<id>": "loose", "* /a/<int:id>": "number", "* /a/b": "fixed"})
    assert [said("GET", path, operations) for path in ("/a/x", "/a/7", "/a/b")] == ["loose", "number", "fixed"]


def test_a_template_without_the_method_leaves_the_path_to_the_next() -> None:
    operations = OperationMap({"POST /a/new": "add", "* /a/<id>": "any"})
    assert [said(method, "/a/new", operations) for method in ("POST", "GET")] == ["add", "any"]


def test_parameters_are_what_their_converters_make_of_them() -> None:
    found = MAP.match("GET", "/photos/007")
    assert found == ("show", {"id": 7})
    assert MAP.match("GET", "/files/a//b/") == ("file", {"rest": "a//b"})
    assert MAP.parameters("GET /reports/<name>.<format>") == {"name", "format"}
    assert MAP.parameters("GET /photos") == frozenset()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("int", "9" * 5_000),
        ("int(max=5)", "7"),
        ("int(min=2)", "1"),
        ("int(fixed_digits=3)", "7"),
        ("float(max=1)", "2.0"),
    ],
)
def test_what_a_converter_cannot_read_stays_text_and_with_its_operation(variable: str, value: str) -> None:
    operations = OperationMap({f"GET /n/<{variable}:id>": "number", "GET /n/<id>": "other"})
    assert operations.match("GET", f"/n/{value}") == ("number", {"id": value})


class Even(BaseConverter):
    regex = r"\d+"
    weight = 10

    def to_python(self, value: str) -> int:
        if int(value) % 2:
            raise ValidationError
        return int(value)


@pytest.mark.parametrize(
    "name", ["GET /photos/{id}", "* /f/{x:path}", "GET /a}", "GET /<id>/{x", "GET /photos/*", "GET /:id", "* /a/**"]
)
def test_variables_of_other_frameworks_are_refused(name: str) -> None:
    with pytest.raises(OperationError, match="has a variable of another framework: write '<id>'") as caught:
        OperationMap({name: 1})
    assert caught.value.name == name


def test_converters_of_ones_own_are_taken_by_name() -> None:
    operations = OperationMap({"GET /n/<even:id>": "even"}, converters={"even": Even})
    assert operations.match("GET", "/n/4") == ("even", {"id": 4})
    assert operations.match("GET", "/n/5") == ("even", {"id": "5"})
    assert operations.match("GET", "/n/x") is None


@pytest.mark.parametrize(
    "name",
    [
        *("", "GET", "GET ", "GET photos", "/photos", "get /photos", "Get /photos", " GET /photos", "GET  /photos"),
        *(
            "GET /photos ",
            "GET /photos\n",
            "GET\t/photos",
            "GET /a b",
            "GET /photos?x=1",
            "GET /photos#x",
            "GET,POST /x",
        ),
        *("** /photos", "*GET /photos", "GET* /photos", "GET https://api.example.com/photos", "GET *"),
    ],
)
def test_what_names_no_operation_is_refused(name: str) -> None:
    with pytest.raises(OperationError, match="is no operation: write 'GET /photos/<id>'") as caught:
        OperationMap({name: 1})
    assert caught.value.name == name


@pytest.mark.parametrize(
    "path",
    ["//photos", "/a//b", "/a/../b", "/a/..", "/./a", "/a;b", "/a;v=<x>", "/a\\b", "/a\x00", "/a/\x7f", "/a//<id>"],
)
def test_a_path_that_no_request_has_is_refused(path: str) -> None:
    with pytest.raises(OperationError, match="has a path that no request has"):
        OperationMap({f"GET {path}": 1})


@pytest.mark.parametrize(
    "template",
    [
        *("/<", "/<id", "/a<", "/<>", "/<:id>", "/<int:>", "/<1a>", "/<a-b>", "/<int(:a>", "/<a>/<a>", "/<nope:id>"),
        *("/<int(foo=1):id>", "/<string(length='x'):id>", "/<string(1,2,3,4):id>", "/<Int:id>", "/<None>"),
    ],
)
def test_a_template_that_cannot_be_read_is_refused(template: str) -> None:
    with pytest.raises(OperationError, match="has a path template that cannot be read"):
        OperationMap({f"GET {template}": 1})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GET /photos", "GET /photos/"),
        ("GET /photos/<id>", "GET /photos/<name>"),
        ("GET /photos/<int:id>", "GET /photos/<int:number>/"),
        ("GET /<string:a>", "GET /<b>"),
        ("GET /<default:a>", "GET /<b>"),
        ("* /<path:a>", "* /<path:b>"),
        ("HEAD /a", "HEAD /a/"),
    ],
)
def test_two_names_of_one_operation_are_refused(one: str, other: str) -> None:
    with pytest.raises(OperationError, match="are one operation: leave one of them out") as caught:
        OperationMap({one: 1, other: 2})
    assert caught.value.name == other


@pytest.mark.parametrize(
    "template",
    [
        *("/<a>-<b>-<c>.json", "/<a>.<b>.<c>.<d>", "/<a><b><c>x", "/<path:a>/x/<path:b>/x/<path:c>/y"),
        *("/<path:a>/<b>-<c>/<d>-<e>", "/<path:a>/<path:b>/<c>-<d>.x", "/<int:x>_<int:y>_<int:z>"),
    ],
)
def test_a_template_that_takes_long_to_match_is_refused(template: str) -> None:
    with pytest.raises(OperationError, match="takes too long to match"):
        OperationMap({f"GET {template}": 1})


@pytest.mark.parametrize("template", ["/<a>-<b>.json", "/<path:a>/x/<path:b>/y", "/<path:a>.<b>.y", "/<a><b>.x"])
def test_where_a_match_must_choose_twice_the_path_is_bounded(template: str) -> None:
    operations = OperationMap({f"GET {template}": 1})

    def match() -> None:
        for piece in ("-", "x/", "a.json-"):
            assert operations.match("GET", ("/" + piece * MAX_PATH)[:MAX_PATH]) is None

    assert cost(match, rounds=2) < 1
    with pytest.raises(InvalidRequest, match="path_too_long"):
        operations.match("GET", "/" + "-" * MAX_PATH)


@pytest.mark.parametrize("template", ["/<a>/<b>/<c>", "/<path:a>/edit", "/<a>.<b>", "/v<a>/<path:b>", "/<int:a>x"])
def test_elsewhere_the_length_of_a_path_does_not_matter(template: str) -> None:
    operations = OperationMap({f"GET {template}": 1})

    def match() -> None:
        for piece in ("-", "x/", "1", "a.", "/"):
            operations.match("GET", "/" + piece * 100_000)

    assert cost(match, rounds=2) < 1


def test_a_thousand_operations_are_told_apart() -> None:
    operations = OperationMap({f"{method} /r{n}/<int:id>": n for n in range(500) for method in ("GET", "PUT")})
    assert len(operations.items()) == 1_000
    assert [operations.match("PUT", f"/r{n}/7") for n in (0, 250, 499)] == [(n, {"id": 7}) for n in (0, 250, 499)]
    assert operations.match("GET", "/r500/7") is None


def test_entries_are_listed_as_they_were_given() -> None:
    given = {"* /b/": 1, "GET /a": 2}
    assert dict(OperationMap(given).items()) == given


@given(st.text(max_size=8), st.text())
def test_nothing_that_is_asked_for_raises_anything(method: str, path: str) -> None:
    found: Any = MAP.match(method, path)
    assert found is None or found[0] in dict(MAP.items()).values()


@given(st.lists(st.sampled_from(["a", "7", "new", "photos", "info"]), min_size=1, max_size=4).map("/".join))
def test_a_path_and_its_twin_with_a_slash_are_one_operation(path: str) -> None:
    operations = OperationMap({"GET /photos/<uuid:x>": 1, "GET /<a>/new/": 2, "* /<a>/": 3, "GET /<a>/<int:b>/info": 4})
    for method in ("GET", "HEAD", "PUT"):
        assert verdict(operations, method, f"/{path}") == verdict(operations, method, f"/{path}/")


def verdict(operations: OperationMap[Any], method: str, path: str) -> Any:
    try:
        return operations.match(method, path)
    except InvalidRequest as error:
        return error.reason


# What one router reads and another does not


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("int", ["+5", "-5", " 5", "5 ", "5.0", "5.", "5_0", "\u0665", "\uff15", "7\n"]),
        ("int(signed=True)", ["+5", "5.0", "--5 "]),
        ("float", ["5", "+5.0", "5.", ".5", "1e5", "1.5e-3", "nan", "Infinity", "-inf", "5_0.0", "\u0665.5"]),
        ("uuid", ["1" * 32, "{12345678-1234-4234-8234-123456789abc}", "urn:uuid:12345678-1234-4234-8234-123456789abc"]),
    ],
)
@pytest.mark.parametrize("beside", [{}, {"GET /x/<name>": "text"}, {"* /<path:rest>": "all"}], ids=str)
def test_a_value_that_some_router_takes_for_another_kind_is_refused(
    kind: str, values: list[str], beside: dict[str, str]
) -> None:
    operations = OperationMap({f"GET /x/<{kind}:value>": "kind", **beside})
    for value in values:
        found = verdict(operations, "GET", f"/x/{value}")
        assert found == "ambiguous_path" or (value == "--5 " and found != "kind"), value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", "007"),
        ("int(signed=True)", "-5"),
        ("float", "5.25"),
        ("float(signed=True)", "-5.25"),
        ("uuid", "12345678-1234-4234-8234-123456789ABC"),
        ("any(a,b)", "b"),
    ],
)
@pytest.mark.parametrize("other", ["name", "string(length=3):name", "path:name"])
def test_a_value_that_is_plainly_of_its_kind_is_of_its_operation(kind: str, value: str, other: str) -> None:
    for entries in (
        {f"GET /x/<{kind}:v>": 1, f"GET /x/<{other}>": 2},
        {f"GET /x/<{other}>": 2, f"GET /x/<{kind}:v>": 1},
    ):
        found = OperationMap(entries).match("GET", f"/x/{value}")
        assert found is not None
        assert found[0] == 1


@pytest.mark.parametrize(
    "value", ["abc", "2024-11", "v5", "5x", "\u00bd", "1.2.3", "-", "e5", "infinite", "12345678-1234"]
)
def test_a_value_that_no_router_takes_for_a_number_is_text(value: str) -> None:
    operations = OperationMap({"GET /x/<int:a>": 1, "GET /x/<float:a>": 2, "GET /x/<uuid:a>": 3, "GET /x/<name>": 4})
    assert operations.match("GET", f"/x/{value}") == (4, {"name": value})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/x/<int:a>", "/x/<int(min=1):b>"),
        ("/x/<string(length=2):a>", "/x/<b>"),
        ("/x/<any(a,b):k>", "/x/<any(b,c):k>"),
        ("/x/<any(a,'b'):k>", "/x/b"),
        ("/x/<any('a,b'):k>", "/x/a,b"),
        ("/x/<any(a,b):k>/y/<any(c,d):l>", "/x/b/y/<any(d,e):m>"),
    ],
)
def test_templates_that_take_the_same_path_are_one_operation(first: str, second: str) -> None:
    with pytest.raises(OperationError, match="are one operation"):
        OperationMap({f"GET {first}": 1, f"GET {second}": 2})


def test_lists_without_a_text_in_common_are_two_operations() -> None:
    operations = OperationMap({"GET /x/<any(a,b):k>": 1, "GET /x/<any(c,d):k>": 2})
    assert operations.match("GET", "/x/d") == (2, {"k": "d"})


@pytest.mark.parametrize(
    ("entries", "path", "expected"),
    [
        ({"GET /files/<path:p>": 1}, "/files/", (1, {"p": ""})),
        ({"GET /files/<path:p>": 1}, "/files", None),
        ({"* /<path:p>": 1}, "/", (1, {"p": ""})),
        ({"GET /": 0, "* /<path:p>": 1}, "/", (0, {})),
        ({"GET /files": 0, "GET /files/<path:p>": 1}, "/files", (0, {})),
        ({"GET /files": 0, "GET /files/<path:p>": 1}, "/files/", "ambiguous_path"),
        ({"GET /files": 1, "GET /files/<path:p>": 1}, "/files/", (1, {})),
        ({"GET /files/<path:p>": 1, "GET /files/<path:p>/info": 2}, "/files/a/info/", "ambiguous_path"),
        ({"GET /files": 0, "GET /files/<name>": 1}, "/files/", (0, {})),
        ({"GET /files": 0, "GET /x.<path:p>": 1}, "/files/", (0, {})),
    ],
)
def test_what_is_below_a_slash_is_for_the_rest_of_the_path(entries: dict[str, int], path: str, expected: Any) -> None:
    assert verdict(OperationMap(entries), "GET", path) == expected


def test_many_templates_that_choose_take_no_longer_than_one() -> None:
    for template in ("/<path:a>/x/<path:b>/z{}", "/<a>-<b>.{}"):
        operations = OperationMap({f"GET {template.format(number)}": number for number in range(30)})
        assert verdict(operations, "GET", "/" + "-9x/" * 500) == "path_too_long"


@pytest.mark.parametrize("operation", ["GET /a%20b", "GET /a%2Fb/<c>"])
def test_a_template_is_written_decoded(operation: str) -> None:
    with pytest.raises(OperationError, match="nothing percent-encoded"):
        OperationMap({operation: 1})


@pytest.mark.parametrize(
    ("method", "path", "reason"), [("GET", "/a//b", "ambiguous_path"), ("get", "/a", "ambiguous_method")]
)
def test_a_request_that_can_be_taken_for_another_is_refused(method: str, path: str, reason: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        OperationMap({"* /<path:p>": 1}).find(PlainRequest(method, path))
    assert refused.value.reason == reason
    assert OperationMap({"* /<path:p>": 1}).find(PlainRequest("GET", "/a")) == (1, {"p": "a"})


def listed(*numbers: int) -> str:
    return f"<any({','.join(f't{number}' for number in numbers)}):one>"


def test_long_lists_are_compared_to_their_ends() -> None:
    first = f"GET /{listed(*range(MAX_SPELLINGS))}"
    assert OperationMap({first: 1, f"GET /{listed(MAX_SPELLINGS)}": 2}).match("GET", f"/t{MAX_SPELLINGS}")
    with pytest.raises(OperationError, match="are one operation"):
        OperationMap({first: 1, f"GET /{listed(MAX_SPELLINGS, MAX_SPELLINGS - 1)}": 2})


@pytest.mark.parametrize(
    "template",
    [f"/{listed(*range(MAX_SPELLINGS + 1))}", f"/{listed(*range(101))}/{listed(*range(100)).replace('one', 'two')}"],
    ids=["one list", "two lists"],
)
def test_lists_that_are_too_long_to_compare_are_refused(template: str) -> None:
    with pytest.raises(OperationError, match="lists texts for over 10000 paths: list fewer") as caught:
        OperationMap({f"GET {template}": 1})
    assert caught.value.name == f"GET {template}"


def test_templates_that_take_too_long_together_are_refused() -> None:
    few = {f"GET /<path:r>/c{number}/<a>..<b>": number for number in range(5)}
    OperationMap(few)
    for template in ("/<path:r>/c{}/<a>..<b>", "/<int:a><int:b>x{}"):
        many = {f"GET {template.format(number)}": number for number in range(200)}
        with pytest.raises(OperationError, match="these templates together take too long to match"):
            OperationMap(many)
