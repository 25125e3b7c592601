"""Which fields of a response each scope shows (RFC 6749 section 3.3): in values, in JSON bodies (RFC 8259), in headers.

What no held scope lists is dropped. Does not read a response, cap its size, undo a content coding, or know whose grant
it is.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache, partial
from typing import Any, Final, NoReturn, TypeAlias

from .headers import private_cache_control
from .scope_templates import is_template
from .scopes import checked_scope

MAX_PATH = 32  # names in one path; responses nest some six deep, and the walk recurses once for each name
MAX_MERGED = 256  # sets of scopes whose fields are kept merged; merging anew takes some microseconds

FieldPath: TypeAlias = str | Sequence[str]
_Path: TypeAlias = tuple[str, ...]  # without the "*": () is everything
_Tree: TypeAlias = "dict[str, _Tree] | None"  # what is shown below each name; None is everything

_HIDDEN: Final = object()
# Validators, digests and ranges speak of the whole (RFC 9110 sections 8.8 and 14, RFC 9530); a length and a transfer
# coding must not stand together (RFC 9112 section 6.2).
_OF_THE_WHOLE = frozenset(
    {
        "accept-ranges",
        "content-digest",
        "content-length",
        "content-md5",
        "content-range",
        "digest",
        "etag",
        "last-modified",
        "repr-digest",
        "transfer-encoding",
    }
)


class Unfilterable(ValueError):
    """A value or body that cannot be filtered, so that nothing of it may be sent."""


class FieldFilter:
    """The fields that each scope shows; those of `always` are shown to everybody.

    A path is names joined by dots, as `address.street`, or a list or tuple of names where they hold dots themselves. It
    shows all that is below it and leads through lists, so `orders.number` is the number of each order. `*` as the last
    name is everything there. Scopes are compared whole: templates, which a path would fill, are refused.
    """

    __slots__ = ("_always", "_fields", "_names", "_tree", "scopes")

    def __init__(self, fields: Mapping[str, Collection[FieldPath]], *, always: Collection[FieldPath] = ()) -> None:
        self._fields = {_scope(scope): _listed(paths) for scope, paths in _mapped(fields)}
        self._always = _listed(always)
        paths = {scope: tuple(map(_path, listed)) for scope, listed in self._fields.items()}
        common = tuple(map(_path, self._always))
        if not common and not any(paths.values()):
            raise ValueError("this filter shows nothing to anybody: list at least one field")
        self.scopes = tuple(paths)
        self._names = frozenset(paths)
        # By the scopes that are named here: the others of a token, however many, merge nothing anew.
        self._tree: Callable[[frozenset[str]], _Tree] = lru_cache(maxsize=MAX_MERGED)(partial(_merged, paths, common))

    def visible(self, value: Any, scopes: AbstractSet[str]) -> Any:
        """What `scopes` show of `value`, which stays as it is; parts that are shown whole are shared, not copied.

        Mappings become dicts and tuples lists; lists keep an item, if only `{}`, for each object in them. Whatever else
        stands where a path goes on is dropped, and becomes None where it is all of `value`. Only names that are text
        are found. Raises Unfilterable where lists nest some hundreds deep.
        """
        tree = self._tree(frozenset(self._names & scopes))
        if tree is None:
            return value
        try:
            shown = _pruned(value, tree)
        except RecursionError as error:
            raise Unfilterable("the value is nested too deep to be filtered") from error
        return None if shown is _HIDDEN else shown

    def visible_json(self, body: bytes, scopes: AbstractSet[str]) -> bytes:
        """What `scopes` show of a JSON body, as compact UTF-8. Raises Unfilterable for what is not JSON in UTF-8.

        Of members with one name the last is read, and only that is written. Lone surrogates are written as escapes,
        numbers with a fraction or exponent as the double they are (RFC 8259 sections 4, 8.2 and 6); one that is shown
        and beyond a double is Unfilterable, as are very long integers. The size of `body` is for the caller to bound.
        """
        try:
            shown = self.visible(_decoder.decode(body.decode()), scopes)
            # The only characters that UTF-8 lacks stand inside strings, where JSON has the same escape as Python.
            return _encoder.encode(shown).encode("utf-8", "backslashreplace")
        except (ValueError, RecursionError) as error:
            raise Unfilterable("the body is not JSON that can be filtered") from error

    def __repr__(self) -> str:
        fields = {scope: list(paths) for scope, paths in self._fields.items()}
        return f"FieldFilter({fields}, always={list(self._always)})"


def is_json(content_type: str) -> bool:
    """True for `application/json` and every type that ends in `+json` (RFC 6839 section 3.1), with any parameters.

    Sequences of JSON texts, as `application/x-ndjson` or `application/json-seq`, are none.
    """
    media_type = content_type.partition(";")[0].strip(" \t").lower()
    return media_type == "application/json" or media_type.endswith("+json")


def filtered_headers(
    headers: Iterable[tuple[str, str]], *, vary: Iterable[str], length: int | None
) -> list[tuple[str, str]]:
    """The headers of a response whose body was filtered down to `length` bytes; None leaves the length out.

    Without what is true of the whole body only, for private caches at most, and varying by `vary` too. `Vary: *` stays.
    """
    kept = [(name, value) for name, value in headers if name.lower() not in _OF_THE_WHOLE]
    kept = _varied(private_cache_control(kept), vary)
    return kept if length is None else [*kept, ("Content-Length", str(length))]


def _varied(headers: list[tuple[str, str]], vary: Iterable[str]) -> list[tuple[str, str]]:
    listed = [one.strip() for name, value in headers if name.lower() == "vary" for one in value.split(",")]
    if "*" in listed:
        return headers
    names: dict[str, str] = {}
    for one in (*filter(None, listed), *vary):
        names.setdefault(one.lower(), one)
    others = [(name, value) for name, value in headers if name.lower() != "vary"]
    return [*others, ("Vary", ", ".join(names.values()))] if names else others


def _scope(text: str) -> str:
    if is_template(checked_scope(text)):
        raise ValueError(f"{text!r} is a template, and a filter knows no path: have the requirement ask for it")
    return text


def _mapped(fields: Any) -> Iterable[tuple[str, Any]]:
    if not isinstance(fields, Mapping) or not all(isinstance(scope, str) for scope in fields):
        raise TypeError("a filter maps scopes to fields: write FieldFilter({'profile': ['name', 'email']})")
    return fields.items()


def _listed(paths: Any) -> tuple[FieldPath, ...]:
    # Text would be taken for a list of letters, and a mapping for one of whole objects.
    if not isinstance(paths, list | tuple | set | frozenset):
        raise TypeError(f"{paths!r} is not a list of fields: write ['name', 'address.street']")
    return tuple(paths)


def _path(path: Any) -> _Path:
    written = path.split(".") if isinstance(path, str) else path
    names = tuple(written) if isinstance(written, list | tuple) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(
            f"{path!r} is no field: write 'address.street', or ('address', 'street.no') where names hold dots"
        )
    if "*" in names[:-1]:
        raise ValueError(f"{path!r} has '*' before its end: leave it out for lists, and name the members of objects")
    if len(names) > MAX_PATH:
        raise ValueError(f"{path!r} is over {MAX_PATH} names long: end it earlier, and it shows all below")
    return names[:-1] if names[-1] == "*" else names


def _merged(paths: Mapping[str, tuple[_Path, ...]], common: tuple[_Path, ...], scopes: frozenset[str]) -> _Tree:
    root: dict[str, _Tree] = {}
    for path in (*common, *(path for scope in scopes for path in paths[scope])):
        if not path:
            return None
        _grow(root, path)
    return root


def _grow(tree: dict[str, _Tree], path: _Path) -> None:
    for name in path[:-1]:
        below = tree.setdefault(name, {})
        if below is None:  # a shorter path shows all of it
            return
        tree = below
    tree[path[-1]] = None


def _pruned(value: Any, tree: dict[str, _Tree]) -> Any:
    if isinstance(value, list | tuple):
        items = (_pruned(item, tree) for item in value)
        return [item for item in items if item is not _HIDDEN]
    if not isinstance(value, dict | Mapping):  # dict first, because asking for a Mapping takes longer
        return _HIDDEN
    shown = {}
    for name, member in value.items():
        if name in tree:
            below = tree[name]
            part = member if below is None else _pruned(member, below)
            if part is not _HIDDEN:
                shown[name] = part
    return shown


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)
_encoder = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"))
