import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_rs.configuration import MAX_BYTES, ConfigurationError, Document, load, load_openapi, read_catalogue
from oauth_rs.entries import EntryError, KeyPath
from tests.conftest import Written

TOML = """\
# it's the scopes of a "bank"
[scopes.withdraw]
description = "Take money out"
url = "https://api.example.com/scopes/withdraw"
id = 17
children = [
    "deposit",  # in ]
    "balance",
]

[scopes.deposit]
id = 18

[scopes]
balance = {}
"""
YAML = """\
# the scopes of a bank
scopes:
  withdraw:
    description: Take money out
    url: https://api.example.com/scopes/withdraw
    id: 17
    children:
      - deposit
      - balance

  deposit: {id: 18}
  balance:
"""
JSON = """\
{"scopes": {
    "withdraw": {
        "description": "Take money out", "url": "https://api.example.com/scopes/withdraw", "id": 17,
        "children": ["deposit", "balance"]
    },
    "deposit": {"id": 18},
    "balance": null
}}
"""
TREE = """\
withdraw: Take money out (https://api.example.com/scopes/withdraw, id 17)
  deposit (id 18)
  balance"""


def complaint(action: Callable[[Path], object], path: Path) -> str:
    """What `action` says is wrong with the file, without the folder that it is in."""
    with pytest.raises(ConfigurationError) as caught:
        action(path)
    text = str(caught.value)
    assert text.startswith(f"{path}:")
    assert "\n" not in text
    return text.removeprefix(f"{path}:")


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.toml", TOML), ("a.yaml", YAML), ("a.json", JSON), ("b.YML", YAML), ("c.TOML", TOML), ("d.JSON", JSON)],
)
def test_a_catalogue_is_read_from_toml_yaml_and_json_alike(written: Written, name: str, text: str) -> None:
    path = written(name, text)
    for spelling in (path, str(path)):
        catalogue = read_catalogue(spelling)
        assert str(catalogue) == TREE
        assert catalogue.held(["17"]) == {"withdraw", "deposit", "balance"}


@pytest.mark.parametrize("name", ["a.toml", "a.yaml"])
def test_other_sections_are_left_alone_and_an_empty_one_is_a_catalogue(written: Written, name: str) -> None:
    text = "scopes = {}\n[other]\nx = 1\n" if name == "a.toml" else "scopes: {}\nother:\n  x: 1\n"
    assert len(read_catalogue(written(name, text))) == 0


FAMILIES = 'scope_families = [\n"tenant:{tenant}:read", "{tenant}/admin"]\n'


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.toml", FAMILIES + TOML), ("a.yaml", FAMILIES.replace(" = ", ": ") + YAML), ("a.json", "")],
)
def test_families_of_scopes_stand_beside_the_section(written: Written, name: str, text: str) -> None:
    text = text or JSON.replace("{", '{"scope_families": ["tenant:{tenant}:read", "{tenant}/admin"], ', 1)
    catalogue = read_catalogue(written(name, text))
    assert list(catalogue.families) == ["tenant:{tenant}:read", "{tenant}/admin"]
    assert str(catalogue) == TREE


@pytest.mark.parametrize(
    ("text", "complaint_is"),
    [
        ("scopes: {}\nscope_families: 'a:{b}'\n", "2: scope_families is a list of templates"),
        ("scopes: {}\nscope_families: {a: 'a:{b}'}\n", "2: scope_families is a list of templates"),
        ("scopes: {}\nscope_families:\n", "2: scope_families is a list of templates"),
        ("scopes: {}\nscope_families:\n- 'a:{b}'\n- 17\n", "4: a family is text"),
        ("scopes: {}\nscope_families:\n- 'a:{b}'\n- photos\n", "4: 'photos' is one scope, and no family"),
        ("scopes: {}\nscope_families:\n- 'a:{b'\n", "3: "),
        ("scopes:\n  x: {}\n  a:b: {}\nscope_families: ['a:{b}']\n", "3: scope 'a:b': 'a:b' is of the family"),
    ],
    ids=ascii,
)
def test_a_mistake_in_families_is_told_with_its_line(written: Written, text: str, complaint_is: str) -> None:
    assert complaint(read_catalogue, written("a.yaml", text)).startswith(complaint_is)


@pytest.mark.parametrize("text", [TOML.replace("\n", "\r\n"), "\ufeff" + TOML])
def test_files_of_windows_are_read(written: Written, text: str) -> None:
    document = load(written("a.toml", text))
    assert document.line("scopes", "deposit", "id") == 12


@pytest.mark.parametrize(
    ("keys", "in_toml", "in_yaml"),
    [
        ((), 1, 1),
        (("scopes",), 2, 2),
        (("scopes", "withdraw"), 2, 3),
        (("scopes", "withdraw", "id"), 5, 6),
        (("scopes", "withdraw", "children"), 6, 7),
        (("scopes", "withdraw", "children", 1), 6, 9),
        (("scopes", "withdraw", "children", 7), 6, 7),
        (("scopes", "withdraw", "absent"), 2, 3),
        (("scopes", "deposit", "id"), 12, 11),
        (("scopes", "balance"), 15, 12),
        (("scopes", "absent", "id"), 2, 2),
        (("absent",), 1, 1),
    ],
    ids=str,
)
def test_a_document_knows_the_line_of_an_entry_or_of_what_is_above_it(
    written: Written, keys: KeyPath, in_toml: int, in_yaml: int
) -> None:
    assert load(written("a.toml", TOML)).line(*keys) == in_toml
    assert load(written("a.yaml", YAML)).line(*keys) == in_yaml


def test_a_document_shows_its_name_and_not_what_it_holds(written: Written) -> None:
    path = written("a.toml", "secret = 'x1y2z3'\n")
    assert repr(load(path)) == f"Document(name={str(path)!r})"


@pytest.mark.parametrize(
    ("text", "complaint_is"),
    [
        ("", "1: there is no section `scopes`: is it misspelled, or not declared?"),
        ("[scope.a]\n", "1: there is no section `scopes`: did you mean 'scope'?"),
        ("x = 1\nscopes = 1\n", "2: there is no section `scopes`: write its entries below its name"),
        ("[[scopes]]\n", "1: there is no section `scopes`"),
        ("[scopes.a]\nid = 1\nid = 2\n", "3: not TOML: Cannot overwrite a value"),
        ("x = " + "[" * 5000, "1: nested too deeply"),
        (b"a = 1\n# \xff\n", "2: not UTF-8: save it as UTF-8"),
        (b"\n\xff", "2: not UTF-8"),
        (b"a = 1\n\n'\xc3", "3: not UTF-8"),
        ("a = 1\n".encode("utf-16"), "1: not UTF-8"),
        ("[scopes.a]\n\nurll = 'x'\n", "3: scope 'a': there is no member 'urll': did you mean 'url'?"),
        ("[scopes.a]\nID = 1\n", "2: scope 'a': there is no member 'ID': did you mean 'id'?"),
        ("[scopes.a]\nxyzzy = 1\n", "2: scope 'a': there is no member 'xyzzy': is it misspelled"),
        ("[scopes.a]\n_ = 1\n", "2: scope 'a': there is no member '_'"),
        ("[scopes.a]\n[scopes.a.b]\n", "2: scope 'a': there is no member 'b': children are listed by name"),
        ("[scopes]\na = 1\n", "2: scope 'a': write description, url, id, children below its name"),
        ("[scopes]\na = ['b']\n", "2: scope 'a': write description"),
        ("[scopes.a]\nid = 1\nchildren = {b = {}}\n", "3: scope 'a': children is a list of names"),
        ("[scopes.a]\nchildren = 1\n", "2: scope 'a': children is a list of names"),
        ("[scopes.a]\nchildren = 'b'\n", "2: scope 'a': its children are a list of names"),
        ("[scopes.a]\nchildren = [\n  1]\n", "2: scope 'a': its children are a list of names"),
        ("[scopes.a]\nchildren = ['b']\n", "2: scope 'a': its child 'b' is not declared"),
        ("[scopes.a]\nid = 1\n[scopes.b]\n\nid = 1\n", "5: scope 'b': the id '1' is taken by 'a'"),
        ("[scopes.a]\nid = true\n", "2: scope 'a': the id is a whole number"),
        ("[scopes.a]\nid = '1'\n", "2: scope 'a': the id is a whole number"),
        ("[scopes.a]\nurl = 'x'\n", "2: scope 'a': write the url whole"),
        ("[scopes.a]\ndescription = 1\n", "2: scope 'a': the description is one line"),
        ("[scopes.a]\n[scopes.'a b']\n", "2: scope 'a b': 'a b' is not one scope"),
        (
            "[scopes.a]\nchildren = ['b']\n[scopes.b]\nchildren = ['a']\n",
            "2: scopes imply each other, take one arrow out: a -> b -> a",
        ),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_a_mistake_in_toml_is_told_with_its_line(written: Written, text: str | bytes, complaint_is: str) -> None:
    assert complaint(read_catalogue, written("a.toml", text)).startswith(complaint_is)


@pytest.mark.parametrize(
    ("text", "complaint_is"),
    [
        ("", "1: there is no section `scopes`"),
        ("# nothing\n", "1: there is no section `scopes`"),
        ("scops: {}\n", "1: there is no section `scopes`: did you mean 'scops'?"),
        ("x: 1\nscopes:\n", "2: there is no section `scopes`: write its entries below its name"),
        ("scopes:\n  a: {}\n  b: {}\n  a: {}\n", "4: 'a' is there twice, first in line 2: take one out"),
        ("a: " + "[" * 5000, "1: nested too deeply"),
        (b"a: 1\n# \xff\n", "2: not UTF-8"),
        ("scopes:\n  a:\n    urll: x\n", "3: scope 'a': there is no member 'urll': did you mean 'url'?"),
        ("scopes:\n  a:\n    b:\n      id: 1\n", "3: scope 'a': there is no member 'b': children are listed by name"),
        ("scopes:\n  a: x\n", "2: scope 'a': write description, url, id, children below its name"),
        ("scopes:\n  a:\n  children: [a]\n", "3: scope 'children': write description"),
        ("scopes:\n  a:\n    children:\n", "3: scope 'a': children is a list of names"),
        ("scopes:\n  a:\n    children: {b: {}}\n", "3: scope 'a': children is a list of names"),
        ("scopes:\n  a:\n    id: '17'\n", "3: scope 'a': the id is a whole number from 0 to 2**63 - 1, without quotes"),
        ("scopes:\n  a:\n    id: true\n", "3: scope 'a': the id is a whole number"),
        ("scopes:\n  a:\n    description:\n", "3: scope 'a': the description is one line"),
        ("scopes:\n  a:\n    description: |\n      x\n      y\n", "3: scope 'a': the description is one line"),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_a_mistake_in_yaml_is_told_with_its_line(written: Written, text: str | bytes, complaint_is: str) -> None:
    assert complaint(read_catalogue, written("a.yaml", text)).startswith(complaint_is)


@given(st.text(max_size=200) | st.binary(max_size=200), st.sampled_from(["toml", "yaml"]))
@settings(deadline=None)
def test_whatever_a_file_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes, kind: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any.{kind}"
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    try:
        read_catalogue(path)
    except ConfigurationError as error:
        assert str(error).startswith(f"{path}:")  # noqa: PT017 - most are refused, some may pass


@given(st.text(alphabet="ab01:*&<!-?[]{},' \n~", max_size=60) | st.binary(max_size=200))
def test_whatever_an_openapi_document_in_yaml_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "openapi.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    try:
        read = load_openapi(path)
    except ConfigurationError as error:
        assert str(error).startswith(f"{path}:")  # noqa: PT017 - most are refused, some may pass
    else:
        assert all(read.line(name) >= 1 for name in read.data)


def test_only_openapi_documents_are_read_leniently(written: Written) -> None:
    text = "a: &x no\nb: *x\n"
    assert load_openapi(written("a.yaml", text)).data == {"a": "no", "b": "no"}
    assert load_openapi(written("a.yml", text)).line("b") == 2
    assert complaint(load, written("a.yaml", text)).startswith("2: aliases are not read")
    assert load_openapi(written("a.json", '{"a": 1}')).data == load(written("a.json", '{"a": 1}')).data


def test_no_value_of_a_file_is_shown_that_may_be_a_secret(written: Written) -> None:
    assert "0123456701234567" not in complaint(load, written("a.yaml", "secret: 0123456701234567\n"))


def test_yaml_without_pyyaml_says_what_to_install(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert complaint(load, written("a.yaml", YAML)) == "1: YAML needs PyYAML: pip install 'oauth_rs[yaml]'"
    assert str(read_catalogue(written("a.toml", TOML))) == TREE


@pytest.mark.parametrize("name", ["json", ".json", "a", "toml", ".toml", "a.toml.bak", "a.yamlx", "a.ini"])
def test_a_file_of_another_kind_is_refused_unread(tmp_path: Path, name: str) -> None:
    told = "1: the name tells the format: let it end in .toml, .yaml, .yml or .json"
    assert complaint(load, tmp_path / name) == told


@pytest.mark.parametrize("name", ["a.toml", "a.yaml"])
def test_a_file_over_the_limit_is_refused(written: Written, name: str) -> None:
    assert load(written(name, "#" * MAX_BYTES)).data == {}
    assert complaint(load, written(name, "#" * (MAX_BYTES + 1))).startswith(f"1: over {MAX_BYTES} bytes")


def test_json_may_be_larger(written: Written) -> None:
    assert load(written("a.json", "{}" + " " * MAX_BYTES)).data == {}


def test_a_file_without_an_end_is_read_no_further_than_the_limit(tmp_path: Path) -> None:
    (tmp_path / "a.toml").symlink_to("/dev/zero")
    assert complaint(load, tmp_path / "a.toml").startswith("1: over")


@pytest.mark.parametrize("name", ["absent.toml", "absent.yaml", "absent.json", "folder.toml"])
def test_a_file_that_cannot_be_read_is_an_os_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(OSError, match=name):
        load(tmp_path / name)


@pytest.fixture
def document(written: Written) -> Document:
    return load(written("a.toml", "[policy]\nfirst = 1\n[policy.second]\nx = 1\n"))


@pytest.mark.parametrize(
    ("keys", "error", "line"),
    [
        (("policy", "first"), ValueError("wrong"), 2),
        (("policy",), EntryError("wrong", "second", "x"), 4),
        ((), EntryError("wrong", "policy", "second"), 3),
        (("policy",), EntryError("wrong"), 1),
        (("policy", "third"), UnicodeError("wrong"), 1),
    ],
    ids=repr,
)
def test_a_value_error_from_within_gets_file_and_line(
    document: Document, keys: KeyPath, error: ValueError, line: int
) -> None:
    with pytest.raises(ConfigurationError) as caught, document.located(*keys):
        raise error
    assert str(caught.value) == f"{document.name}:{line}: wrong"
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [TypeError("x"), KeyError("x"), OSError("x"), ConfigurationError("a.toml:7: x")], ids=repr
)
def test_other_errors_and_those_that_have_a_line_leave_as_they_are(document: Document, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, document.located("policy"):
        raise error
    assert caught.value is error


def test_nothing_happens_where_nothing_is_wrong(document: Document) -> None:
    seen = []
    with document.located("policy"):
        seen.append(document.line("policy"))
    assert seen


def test_an_error_can_be_made_for_any_entry(document: Document) -> None:
    assert str(document.error("wrong", "policy", "second", "y")) == f"{document.name}:3: wrong"


# JSON


def test_json_is_read_and_has_lines(written: Written) -> None:
    document = load(written("a.json", '{\n"a": {\n"b": [1, "x"]}}'))
    assert document.data == {"a": {"b": [1, "x"]}}
    assert [document.line(*path) for path in (("a",), ("a", "b"), ("a", "c"), ("c",))] == [2, 3, 2, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{\n,}", "2: not JSON: Expecting property name"),
        ("", "1: not JSON: Expecting value"),
        ("[]", "1: the document is not an object"),
        (b'{"a": "\xff"}', "1: not UTF-8: save it as UTF-8"),
        ('{"a": 1,\n"a": 2}', "2: a name is there twice in one object, among a: take one out"),
        ("[" * 200_000, "1: nested too deeply"),
    ],
    ids=["syntax", "empty", "list", "bytes", "twice", "deep"],
)
def test_json_that_is_none_is_refused(written: Written, content: str | bytes, message: str) -> None:
    assert complaint(load, written("a.json", content)).startswith(message)
