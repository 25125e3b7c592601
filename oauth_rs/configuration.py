"""Configuration files in TOML, YAML or JSON, read into plain data that knows its lines (TOML 1.0, YAML 1.1, RFC 8259).

A mistake leaves as `file:line: what is wrong and how to mend it`. Of YAML only what reads alike everywhere is taken: no
aliases, merges and tags, no keys but text, numbers in decimal, `true` and `false`. Looks at no environment and includes
no other file. Does not say what sections there are, but for `[scopes]`, of which `read_catalogue` makes a catalogue.
"""

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from .catalogue import Scope, ScopeCatalogue
from .entries import EntryError, meant
from .json_lines import json_lines, line_of_second

# Of TOML and YAML: a thousand scopes take a tenth of it, what is larger is hardly the file that was meant. JSON may
# be larger, for OpenAPI documents are.
MAX_BYTES = 1 << 20
KeyPath: TypeAlias = tuple[str | int, ...]
_Lines: TypeAlias = dict[KeyPath, int]
_Read: TypeAlias = tuple[Mapping[str, Any], _Lines]

_MEMBERS = tuple(member.name for member in fields(Scope))
_DEEPEST = 32  # keys of one TOML statement whose lines are noted; `[a.a.a...]` may have half a million
# What a line break can stand in without ending a statement of TOML, and the line break.
_LEXEME = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})|'
    r"'''.*?'''(?:'{0,2})|"
    r'"(?:\\.|[^"\\])*"|'
    r"'[^']*'|#[^\n]*|[\[\]{}\n]",
    re.DOTALL,
)
_DEPTH = {"[": 1, "{": 1, "]": -1, "}": -1}
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_YAML_TAG = "tag:yaml.org,2002:"
# What means the same in all versions of YAML. 017 is 15 in one, 17 in another; 1:30 is 90 or text; `no` False or text.
_YAML_SCALARS: Mapping[str, tuple[re.Pattern[str], Callable[[str], Any]]] = {
    "str": (re.compile(r"(?s:.*)"), str),
    "null": (re.compile(r"|~|null|Null|NULL"), lambda _: None),
    "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text[0] in "tT"),
    "int": (re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})"), int),
    "float": (re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})\.[0-9]+"), float),
}


class ConfigurationError(ValueError):
    """A configuration file is not good: `file:line: what is wrong and how to mend it`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a configuration file says: `data` is its content, `name` the path it was read from."""

    name: str
    data: Mapping[str, Any] = field(repr=False)
    _lines: Callable[[], _Lines] = field(repr=False)

    def line(self, *keys: str | int) -> int:
        """The line, counted from 1, where what `keys` lead to begins, or else the nearest above it that is noted."""
        lines = self._lines()
        paths = (keys[:end] for end in range(len(keys), 0, -1))
        return next((lines[path] for path in paths if path in lines), 1)

    def error(self, message: str, *keys: str | int) -> ConfigurationError:
        """The error to raise about what `keys` lead to."""
        return _error(self.name, self.line(*keys), message)

    def section(self, name: str) -> Mapping[str, Any]:
        """The entries below `name`. Raises ConfigurationError where there is nothing that has entries."""
        found = self.data.get(name)
        if not isinstance(found, Mapping):
            hint = "write its entries below its name" if name in self.data else meant(name, self.data)
            raise self.error(f"there is no section `{name}`: {hint}", name)
        return found

    @contextmanager
    def located(self, *keys: str | int) -> Iterator[None]:
        """A ValueError from within leaves as ConfigurationError, with the line of what `keys` lead to.

        The `path` of an EntryError leads on from there.
        """
        try:
            yield
        except ConfigurationError:
            raise
        except ValueError as error:
            further = error.path if isinstance(error, EntryError) else ()
            raise self.error(str(error), *keys, *further) from error


def load(path: str | os.PathLike[str]) -> Document:
    """The content of the file at `path`: `.toml`, `.yaml` or `.yml`, UTF-8, 1 MiB at most; or `.json` of any size.

    YAML needs PyYAML. Raises ConfigurationError, and OSError when the file cannot be read.
    """
    name = os.fspath(path)
    kind = Path(name).suffix.lower()
    if kind == ".json":
        return _load_json(name)
    parse = {".toml": _read_toml, ".yaml": _read_yaml, ".yml": _read_yaml}.get(kind)
    if parse is None:
        raise _error(name, 1, "the name tells the format: let it end in .toml, .yaml, .yml or .json")
    with Path(name).open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _error(name, 1, f"over {MAX_BYTES} bytes: split it, or is another file meant?")
    try:
        data, lines = parse(name, content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _error(name, content.count(b"\n", 0, error.start) + 1, "not UTF-8: save it as UTF-8") from error
    except RecursionError as error:
        raise _error(name, 1, "nested too deeply: lists of names do without nesting") from error
    return Document(name=name, data=data, _lines=lambda: lines)


def _load_json(name: str) -> Document:
    content, text = Path(name).read_bytes(), ""
    try:
        text = content.decode(json.detect_encoding(content), "surrogatepass")
        data = json.loads(text, object_pairs_hook=_unique)
    except EntryError as error:
        raise _error(name, line_of_second(text), str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _error(name, getattr(error, "lineno", 1), str(error)) from error
    if not isinstance(data, dict):
        raise _error(name, 1, "the document is not an object")
    # Finding lines takes as long as reading, and only mistakes need them.
    return Document(name=name, data=data, _lines=lambda: dict(json_lines(text)))


def _unique(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):  # some readers take the first, some the last
        raise EntryError(f"a name is there twice in one object, among {', '.join(sorted(found))}: take one out")
    return found


def read_catalogue(path: str | os.PathLike[str]) -> ScopeCatalogue:
    """The catalogue in the section `scopes` of the file at `path`; other sections are left alone.

    The section has an entry for each scope, under its name. An entry may have `description`, `url`, `id`, and
    `children`, a list of names. Raises ConfigurationError, and OSError when the file cannot be read.
    """
    document = load(path)
    section = document.section("scopes")
    with document.located("scopes"):
        return ScopeCatalogue({name: _scope(name, entry) for name, entry in section.items()})


def _scope(name: str, entry: Any) -> Scope:
    if entry is None:  # in YAML, a name after which nothing follows
        return Scope()
    if not isinstance(entry, Mapping):
        raise EntryError(f"scope {name!r}: write {', '.join(_MEMBERS)} below its name", name)
    for member, value in entry.items():
        if member not in _MEMBERS:
            hint = "children are listed by name" if isinstance(value, Mapping) else meant(member, _MEMBERS)
            raise EntryError(f"scope {name!r}: there is no member {member!r}: {hint}", name, member)
    if not isinstance(entry.get("children", ()), Sequence):
        raise EntryError(f"scope {name!r}: children is a list of names", name, "children")
    return Scope(**entry)


def _error(name: str, line: int, message: str) -> ConfigurationError:
    return ConfigurationError(f"{name}:{line}: {message}")


def _read_toml(name: str, text: str) -> _Read:
    try:
        data = tomllib.loads(text)
    except ValueError as error:  # not only TOMLDecodeError: numbers of five thousand digits
        place = _TOML_PLACE.search(str(error))
        last = text.rstrip().count("\n") + 1
        line = 1 if place is None else int(place[1] or last)
        raise _error(name, line, f"not TOML: {_TOML_PLACE.sub('', str(error))}") from error
    return data, _toml_lines(text)


def _toml_lines(text: str) -> _Lines:
    """The line of each entry of a document that is known to be good.

    tomllib tells no lines. So it is given each statement alone, and what comes out has the keys of that statement.
    """
    lines: _Lines = {}
    last: dict[KeyPath, int] = {}  # an array of tables -> the index of its last one
    table: KeyPath = ()
    for line, statement in _statements(text):
        path = () if statement.startswith("[") else table
        for key in islice(_keys(tomllib.loads(statement)), _DEEPEST):
            path = (*path, last[path], key) if path in last else (*path, key)
            lines.setdefault(path, line)
        if statement.startswith("[["):
            last[path] = last.get(path, -1) + 1
            path = (*path, last[path])
            lines[path] = line
        if statement.startswith("["):
            table = path
    return lines


def _statements(text: str) -> Iterator[tuple[int, str]]:
    start, line, depth = 0, 1, 0
    for lexeme in _LEXEME.finditer(text + "\n"):
        depth += _DEPTH.get(lexeme[0], 0)
        if lexeme[0] == "\n" and not depth:
            yield line, text[start : lexeme.start()].strip()
            line += text.count("\n", start, lexeme.end())
            start = lexeme.end()


def _keys(data: Any) -> Iterator[str]:
    while isinstance(data, dict) and len(data) == 1:
        ((key, data),) = data.items()
        yield key


def _read_yaml(name: str, text: str) -> _Read:
    try:
        import yaml  # noqa: PLC0415 - with the extra `yaml` only
    except ImportError as error:
        raise _error(name, 1, "YAML needs PyYAML: pip install 'oauth_rs[yaml]'") from error
    try:
        for event in yaml.parse(text, yaml.SafeLoader) if "*" in text else ():  # parsing takes long: only if need be
            if isinstance(event, yaml.AliasEvent):
                raise _error(name, _line(event.start_mark), "aliases are not read: write out what it stands for")
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _error(name, _line(error.problem_mark), f"not YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        raise _error(name, text.count("\n", 0, error.position) + 1, f"not YAML: {error.reason}") from error
    lines: _Lines = {}
    data = {} if root is None else _yaml_value(name, root, (), lines)
    if not isinstance(data, dict):
        raise _error(name, 1, "a file is made of sections: let it begin with the name of one and a colon")
    return data, lines


def _yaml_value(name: str, node: Any, path: KeyPath, lines: _Lines) -> Any:
    """What a node stands for; notes the line of each entry."""
    kind = node.tag.removeprefix(_YAML_TAG)
    line = _line(node.start_mark)
    lines.setdefault(path, line)
    if node.id == "mapping" and kind == "map":
        return _yaml_mapping(name, node, path, lines)
    if node.id == "sequence" and kind == "seq":
        return [_yaml_value(name, item, (*path, index), lines) for index, item in enumerate(node.value)]
    if node.id != "scalar" or kind not in _YAML_SCALARS:
        raise _error(name, line, "tags and dates are not read: put text in quotes")
    pattern, make = _YAML_SCALARS[kind]
    if not pattern.fullmatch(node.value):  # not shown: it may be a secret
        raise _error(name, line, "read in several ways: put text in quotes, write decimal numbers, true or false")
    return make(node.value)


def _yaml_mapping(name: str, node: Any, path: KeyPath, lines: _Lines) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        line = _line(key.start_mark)
        if key.tag != f"{_YAML_TAG}str" or key.id != "scalar":
            raise _error(name, line, "a key is text, and none of `<<`, `no`, 17: put it in quotes")
        inner = (*path, key.value)
        if key.value in found:
            raise _error(name, line, f"{key.value!r} is there twice, first in line {lines[inner]}: take one out")
        lines[inner] = line
        found[key.value] = _yaml_value(name, value, inner, lines)
    return found


def _line(mark: Any) -> int:
    return int(mark.line) + 1
