"""YAML texts: of YAML 1.1 only what reads alike everywhere. No aliases, merges and tags, no keys but text, numbers in
decimal, `true` and `false`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from ..entries import KeyPath, LineError
from . import Read

_Lines: TypeAlias = dict[KeyPath, int]
TAG = "tag:yaml.org,2002:"
# What means the same in all versions of YAML. 017 is 15 in one, 17 in another; 1:30 is 90 or text; `no` False or text.
SCALARS: Mapping[str, tuple[re.Pattern[str], Callable[[str], Any]]] = {
    "str": (re.compile(r"(?s:.*)"), str),
    "null": (re.compile(r"|~|null|Null|NULL"), lambda _: None),
    "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text[0] in "tT"),
    "int": (re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})"), int),
    "float": (re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})\.[0-9]+"), float),
}


def read(text: str) -> Read:
    """The mapping that `text` is. Needs PyYAML."""
    with pyyaml(text) as yaml:
        for event in yaml.parse(text, yaml.SafeLoader) if "*" in text else ():  # parsing takes long: only if need be
            if isinstance(event, yaml.AliasEvent):
                raise LineError("aliases are not read: write out what it stands for", line_of(event))
        root = yaml.compose(text, yaml.SafeLoader)
    lines: _Lines = {}
    data = {} if root is None else _value(root, (), lines)
    if not isinstance(data, dict):
        raise LineError("a file is made of sections: let it begin with the name of one and a colon", 1)
    return data, lambda: lines


@contextmanager
def pyyaml(text: str) -> Iterator[Any]:
    """PyYAML; what it says about `text` leaves as LineError."""
    try:
        import yaml  # noqa: PLC0415 - with the extra `yaml` only
    except ImportError as error:
        raise LineError("YAML needs PyYAML: pip install 'oauth_rs[yaml]'", 1) from error
    try:
        yield yaml
    except yaml.MarkedYAMLError as error:
        # Where an anchor is there twice, the problem is `second occurrence`.
        twice = error.problem == "second occurrence" and error.context
        what = twice.partition(";")[0] if twice else error.problem
        raise LineError(f"not YAML: {what}", _line(error.problem_mark)) from error
    except yaml.reader.ReaderError as error:
        raise LineError(f"not YAML: {error.reason}", text.count("\n", 0, error.position) + 1) from error


def line_of(part: Any) -> int:
    """The line, from 1, in which a node or an event begins."""
    return _line(part.start_mark)


def _value(node: Any, path: KeyPath, lines: _Lines) -> Any:
    """What a node stands for; notes the line of each entry."""
    kind = node.tag.removeprefix(TAG)
    line = line_of(node)
    lines.setdefault(path, line)
    if node.id == "mapping" and kind == "map":
        return _mapping(node, path, lines)
    if node.id == "sequence" and kind == "seq":
        return [_value(item, (*path, index), lines) for index, item in enumerate(node.value)]
    if node.id != "scalar" or kind not in SCALARS:
        raise LineError("tags and dates are not read: put text in quotes", line)
    pattern, make = SCALARS[kind]
    if not pattern.fullmatch(node.value):  # not shown: it may be a secret
        raise LineError("read in several ways: put text in quotes, write decimal numbers, true or false", line)
    return make(node.value)


def _mapping(node: Any, path: KeyPath, lines: _Lines) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        line = line_of(key)
        if key.tag != f"{TAG}str" or key.id != "scalar":
            raise LineError("a key is text, and none of `<<`, `no`, 17: put it in quotes", line)
        inner = (*path, key.value)
        if key.value in found:
            raise LineError(f"{key.value!r} is there twice, first in line {lines[inner]}: take one out", line)
        lines[inner] = line
        found[key.value] = _value(value, inner, lines)
    return found


def _line(mark: Any) -> int:
    return int(mark.line) + 1
