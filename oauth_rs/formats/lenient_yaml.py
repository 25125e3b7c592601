"""YAML texts that are written for other programs too, as OpenAPI documents: read so that none of it is misread.

What versions of YAML read in several ways is its text, as `no`, 017, a date, and every key. Aliases stand for what they
point to. No merges, and no tags but those of plain values.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

from ..entries import KeyPath, LineError
from . import Read
from .yaml import SCALARS, TAG, line_of, pyyaml

# Of a document with all that its aliases stand for: its characters, and some for each entry. A text of a MiB without
# aliases weighs less, for each entry takes two characters; and what weighs no more is looked through in a second.
MAX_WEIGHT = 1 << 24
_ENTRY = 16
_DEEPEST = 32  # names that lead to an entry whose line is told; what a policy is made of stands some eight deep
_PLAIN = frozenset({*SCALARS, "timestamp", "value", "merge"})

_Weighed: TypeAlias = tuple[Any, int]  # a value, and its weight


def read(text: str) -> Read:
    """The mapping that `text` is. Needs PyYAML."""
    with pyyaml(text) as yaml:
        root = yaml.compose(text, yaml.SafeLoader)
    data = {} if root is None else _value(root, {})[0]
    if not isinstance(data, dict):
        raise LineError("the document is not an object", 1)
    return data, lambda: {(): 1} if root is None else dict(_lines(root, (), line_of(root)))


def _value(node: Any, known: dict[Any, _Weighed | None]) -> _Weighed:
    """What a node stands for; `known` has those that were read, and None for those that are being read."""
    if node in known:
        found = known[node]
        if found is None:
            raise LineError("an alias stands inside of what it stands for: write that out", line_of(node))
        return found
    known[node] = None
    value, weight = _made(node, known)
    if weight > MAX_WEIGHT:
        raise LineError("too much with all that its aliases stand for: have fewer of them", line_of(node))
    known[node] = value, weight
    return value, weight


def _made(node: Any, known: dict[Any, _Weighed | None]) -> _Weighed:
    kind = node.tag.removeprefix(TAG)
    if node.id == "mapping" and kind == "map":
        return _mapping(node, known)
    if node.id == "sequence" and kind == "seq":
        items = [_value(item, known) for item in node.value]
        return [value for value, _ in items], _ENTRY + sum(weight for _, weight in items)
    if node.id != "scalar" or not _is_plain(node):
        raise LineError("tags are not read: leave it out", line_of(node))
    pattern, make = SCALARS.get(kind, SCALARS["str"])
    value = make(node.value) if pattern.fullmatch(node.value) else node.value
    return value, _ENTRY + len(node.value)


def _mapping(node: Any, known: dict[Any, _Weighed | None]) -> _Weighed:
    found: dict[str, Any] = {}
    whole = _ENTRY
    first: dict[str, int] = {}
    for key, member in node.value:
        name, line = _name(key), line_of(key)
        if name in found:
            raise LineError(f"{name!r} is there twice, first in line {first[name]}: take one out", line)
        first[name] = line
        found[name], weight = _value(member, known)
        whole += weight + len(name)
    return found, whole


def _name(key: Any) -> str:
    if key.id != "scalar":
        raise LineError("a key is one text", line_of(key))
    if key.tag == f"{TAG}merge":
        raise LineError("merges (`<<`) are not read: write out what it stands for", line_of(key))
    if not _is_plain(key):
        raise LineError("tags are not read: leave it out", line_of(key))
    return str(key.value)


def _is_plain(node: Any) -> bool:
    return node.tag.startswith(TAG) and node.tag.removeprefix(TAG) in _PLAIN


def _lines(node: Any, path: KeyPath, line: int) -> Iterator[tuple[KeyPath, int]]:
    """Each entry and its line; what an alias stands for is where it is written."""
    yield path, line
    if len(path) == _DEEPEST or node.id == "scalar":
        return
    if node.id == "mapping":
        for key, member in node.value:
            yield from _lines(member, (*path, key.value), line_of(key))
    else:
        for number, item in enumerate(node.value):
            yield from _lines(item, (*path, number), line_of(item))
