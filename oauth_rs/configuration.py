"""Configuration files in TOML, YAML or JSON, read into plain data that knows its lines (TOML 1.0, YAML 1.1, RFC 8259).

A mistake leaves as `file:line: what is wrong and how to mend it`. How each format is read: see formats/. Looks at no
environment and includes no other file. Does not say what sections there are, but for those about scopes, of which
`read_catalogue` makes a catalogue.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .catalogue import ScopeCatalogue
from .entries import EntryError, KeyPath, LineError, meant
from .formats import Read, json, lenient_yaml, toml, yaml
from .scope_declarations import Scope
from .scope_families import ScopeFamily

# Of TOML and YAML: a thousand scopes take a tenth of it, what is larger is hardly the file that was meant. JSON may
# be larger, for OpenAPI documents are.
MAX_BYTES = 1 << 20
_READERS = {".toml": toml.read, ".yaml": yaml.read, ".yml": yaml.read, ".json": json.read}
_OPENAPI = {**_READERS, ".yaml": lenient_yaml.read, ".yml": lenient_yaml.read}
_MEMBERS = tuple(member.name for member in fields(Scope))


class ConfigurationError(ValueError):
    """A configuration file is not good: `file:line: what is wrong and how to mend it`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a configuration file says: `data` is its content, `name` the path it was read from."""

    name: str
    data: Mapping[str, Any] = field(repr=False)
    _lines: Callable[[], Mapping[KeyPath, int]] = field(repr=False)

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
    return _load(os.fspath(path), _READERS)


def load_openapi(path: str | os.PathLike[str]) -> Document:
    """The same for an OpenAPI document, which is not written for this program alone.

    Of YAML what is read in several ways, as `no` and every key, is its text, and aliases stand for what they point to.
    """
    return _load(os.fspath(path), _OPENAPI)


def _load(name: str, readers: Mapping[str, Callable[[str], Read]]) -> Document:
    kind = Path(name).suffix.lower()
    read = readers.get(kind)
    if read is None:
        raise _error(name, 1, "the name tells the format: let it end in .toml, .yaml, .yml or .json")
    with Path(name).open("rb") as file:
        content = file.read(-1 if kind == ".json" else MAX_BYTES + 1)
    if kind != ".json" and len(content) > MAX_BYTES:
        raise _error(name, 1, f"over {MAX_BYTES} bytes: split it, or is another file meant?")
    try:
        data, lines = read(content.decode("utf-8-sig"))
    except LineError as error:
        raise _error(name, error.line, str(error)) from error
    except UnicodeDecodeError as error:
        raise _error(name, content.count(b"\n", 0, error.start) + 1, "not UTF-8: save it as UTF-8") from error
    except RecursionError as error:
        raise _error(name, 1, "nested too deeply: lists of names do without nesting") from error
    return Document(name=name, data=data, _lines=lines)


def read_catalogue(path: str | os.PathLike[str]) -> ScopeCatalogue:
    """The catalogue in the section `scopes` of the file at `path`; sections that are not about scopes are left alone.

    The section has an entry for each scope, under its name. An entry may have `description`, `url`, `id`, and
    `children`, a list of names. `scope_families`, beside the section, lists templates of scopes. Raises
    ConfigurationError, and OSError when the file cannot be read.
    """
    document = load(path)
    section = document.section("scopes")
    families = [*_families(document)]
    with document.located("scopes"):
        return ScopeCatalogue({name: _scope(name, entry) for name, entry in section.items()}, families=families)


def _families(document: Document) -> Iterator[str]:
    listed = document.data.get("scope_families", ())
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise document.error("scope_families is a list of templates, as 'tenant:{tenant}:read'", "scope_families")
    for number, template in enumerate(listed):
        with document.located("scope_families", number):
            if not isinstance(template, str):
                raise EntryError("a family is text, as 'tenant:{tenant}:read'")
            yield ScopeFamily(template).template


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
