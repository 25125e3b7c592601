"""What an OpenAPI document says: its operations, its security schemes, and where its references lead.

OpenAPI 3.0.4, 3.1.1 and 3.2.0, sections "Paths Object", "Path Templating" and "Reference Object". Looks at nothing
that neither names an operation nor says who may call it, and does not check that a document is a good one.
"""

import re
from collections.abc import Iterator, Mapping
from keyword import iskeyword
from typing import Any, NamedTuple
from urllib.parse import unquote

from ..entries import EntryError, placed

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
MORE_METHODS = "additionalOperations"  # below it stand those of other methods, since OpenAPI 3.2
MAX_REFERENCES = 16  # one leading to the next; more are a circle
REQUIREMENTS = "x-oauth-requirements"  # what an operation asks for beside scopes

Document = Mapping[str, Any]
_VERSION = re.compile(r"3\.[012](?:\..*)?")
_MEMBERS = (MORE_METHODS, "$ref", "summary", "description", "servers", "parameters")
_PARAMETER = re.compile(r"\{([^{}]*)\}")
_NEVER = frozenset("{}<>\ufffd")  # the last one for what is not UTF-8
_EXPANSION = re.compile(r"[+*=?;#&,/]")  # RFC 6570; an OpenAPI path has none of these, whatever tools make of them


class Described(NamedTuple):
    """One operation of a document."""

    method: str
    path: str
    members: Document
    place: tuple[str, ...] = ()  # the names that lead there in the document

    @property
    def name(self) -> str:
        """As in the document, `GET /photos/{id}`."""
        return f"{self.method} {self.path}"

    @property
    def operation(self) -> str:
        """As in a policy, `GET /photos/<id>`."""
        return f"{self.method} {template_of(self.path)}"


def operations_of(document: Document) -> Iterator[Described]:
    """Every operation, in the order of the document. Raises EntryError for a document or an item that is none."""
    with placed("openapi"):
        if not _VERSION.fullmatch(str(checked_object(document, "the document").get("openapi"))):
            raise ValueError(
                "not an OpenAPI 3.0, 3.1 or 3.2 document: its member `openapi` says which it is, as '3.1.1'"
            )
    with placed("paths"):
        paths = paths_of(document)
    for path in paths:
        with placed("paths", path):
            item = path_item(document, path)
        for method in METHODS:
            if method in item:
                yield _described(method.upper(), path, item[method], "paths", path, method)
        yield from _further(path, item)


def _further(path: str, item: Document) -> Iterator[Described]:
    """The operations whose methods have no member of their own."""
    with placed("paths", path, MORE_METHODS):
        more = checked_object(item.get(MORE_METHODS, {}), f"{path}: {MORE_METHODS}")
    for method, members in more.items():
        place = ("paths", path, MORE_METHODS, method)
        with placed(*place):
            if method.lower() in METHODS:
                raise ValueError(f"{path}: {method} has a member of its own, {method.lower()!r}: move it there")
            if method == "*":  # which policies write for all methods
                raise ValueError(f"{path}: '*' is no method: name each")
        yield _described(method, path, members, *place)


def _described(method: str, path: str, members: Any, *place: str) -> Described:
    with placed(*place):
        return Described(method, path, checked_object(members, f"{method} {path}"), place)


def paths_of(document: Document) -> list[str]:
    """The paths of the document, without its extensions."""
    return [path for path in checked_object(document.get("paths", {}), "paths") if not path.startswith("x-")]


def path_item(document: Document, path: str) -> Document:
    """The operations of `path`, found where its reference leads. Raises ValueError."""
    item = resolve(document, document["paths"][path], path)
    for member in item:
        if member not in METHODS + _MEMBERS and not member.startswith("x-"):
            raise EntryError(
                f"{path} has a member {member!r}: methods are {', '.join(METHODS)}, in lower case",
                "paths",
                path,
                member,
            )
    return item


def template_of(path: str) -> str:
    """`path` as policies write it, `/photos/<id>` for `/photos/{id}`: decoded, and with names that Python can have.

    Raises ValueError for a path that cannot be one, and for parameters of other dialects, such as `{+path}`.
    """
    pieces = _PARAMETER.split(path)
    taken: dict[str, str] = {}
    for name in pieces[1::2]:
        if not name or name in taken.values() or _EXPANSION.search(name):
            raise ValueError(f"{path}: {{{name}}} is no parameter of an OpenAPI path: a name, once, for one segment")
        taken[_identifier(name, taken)] = name
    pieces[1::2] = [f"<{name}>" for name in taken]
    pieces[::2] = [_decoded(path, piece) for piece in pieces[::2]]
    return "".join(pieces)


def security_scheme(document: Document, name: str, where: str) -> Document:
    """The security scheme that `where` names. Raises ValueError when the document has none of that name."""
    schemes = checked_object(
        checked_object(document.get("components", {}), "components").get("securitySchemes", {}), "securitySchemes"
    )
    if name not in schemes:
        raise ValueError(f"{where}: there is no security scheme {name!r}: declare it in components.securitySchemes")
    return resolve(document, schemes[name], f"the security scheme {name!r}")


def carries_scopes(scheme: Document) -> bool:
    """True for a security scheme whose credentials grant scopes: oauth2, openIdConnect, and bearer tokens of http."""
    bearer = scheme.get("type") == "http" and str(scheme.get("scheme")).lower() == "bearer"
    # Not a set, for which a type that is a list has no hash.
    return bearer or scheme.get("type") in ("oauth2", "openIdConnect")


def resolve(document: Document, value: Any, where: str) -> Document:
    """The object that `value` is or refers to. Raises ValueError for references that lead out or nowhere."""
    for _ in range(MAX_REFERENCES):
        found = checked_object(value, where)
        if "$ref" not in found:
            return found
        if not found.keys().isdisjoint((*METHODS, MORE_METHODS)):
            raise ValueError(f"{where} has operations beside its $ref: move them to where it leads")
        value = _pointed_to(document, found["$ref"], where)
    raise ValueError(f"{where}: its references lead in a circle")


def _pointed_to(document: Document, reference: Any, where: str) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#/"):
        raise ValueError(f"{where}: {reference!r} leads out of the document: bundle its files into one first")
    found: Any = document
    for token in reference[2:].split("/"):
        name = unquote(token).replace("~1", "/").replace("~0", "~")  # RFC 6901 sections 4 and 6
        if not isinstance(found, Mapping) or name not in found:
            raise ValueError(f"{where}: {reference!r} leads nowhere")
        found = found[name]
    return found


def checked_object(value: Any, where: str) -> Document:
    """`value`, when it is an object. Raises ValueError that names `where` otherwise."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} is not an object")  # noqa: TRY004 - of what is in a file
    for member in value:
        if not isinstance(member, str):
            raise ValueError(f"{where} has a member {member!r} that is no text: put it in quotes")  # noqa: TRY004
    return value


def _identifier(name: str, taken: Mapping[str, str]) -> str:
    found = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if found[0].isdigit() or iskeyword(found):
        found = f"p_{found}"
    while found in taken:
        found += "_"
    return found


def _decoded(path: str, text: str) -> str:
    found = unquote(text)
    if not path.startswith("/") or not _NEVER.isdisjoint(found) or found.count("/") != text.count("/"):
        raise ValueError(f"{path} is no path: it begins with a slash, and has no other braces, no <> and no %2F")
    return found
