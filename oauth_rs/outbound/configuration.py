"""Connections as data, so that they may stand in a TOML, YAML or JSON file; docs/outbound.md shows every option.

No secret stands in a file: it names the environment variable or the file that has it. Code gives the stores of refresh
tokens, which change, and it alone allows plain http. Asks no provider: a token is got when the first call needs one.
"""

import os
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..client_auth import ClientAuth, ClientCertificate, ClientSecret, ClientSecretPost, PrivateKeyJWT
from ..configuration import load
from ..entries import EntryError, meant, placed
from ..fetch import HTTPSettings
from ..flow import Certificate
from .client_credentials import ClientCredentials
from .connections import Connection, Connections
from .refresh_token import RefreshToken, RefreshTokenStore
from .source import HTTP, SharedTokens
from .token_exchange import TokenExchange

_KINDS = ("client_credentials", "token_exchange", "refresh_token")
_ASKED = ("scopes", "audience", "resource", "extra", "token_endpoint")  # options of sources, under the same names
_NO_STORES: Mapping[str, RefreshTokenStore] = {}
_SECRET = ("client_secret_env", "client_secret_file")
# The ways to prove who asks, and the options that belong to each.
_AUTHS: Mapping[str, tuple[str, ...]] = {
    "basic": _SECRET,
    "post": _SECRET,
    "private_key_jwt": ("key_file", "kid", "algorithm"),
    "certificate": ("chain", "key"),
}
_OF_AUTHS = tuple(dict.fromkeys(option for options in _AUTHS.values() for option in options))
_OPTIONS = ("base_url", "issuer", "client_id", "auth", "kind", "method", *_ASKED, *_OF_AUTHS)
_NOT_TEXT = ("scopes", "audience", "resource", "extra")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_connections(
    path: str | os.PathLike[str],
    *,
    environ: Mapping[str, str] = os.environ,
    http: HTTPSettings = HTTP,
    shared: SharedTokens | None = None,
    stores: Mapping[str, RefreshTokenStore] = _NO_STORES,
) -> Connections:
    """The connections in the section `connections` of the file at `path`; other sections are left alone.

    Files that it names are looked for from its folder; see connections_of. Raises ConfigurationError, and OSError when
    the file cannot be read.
    """
    document = load(path)
    section = document.section("connections")
    with document.located("connections"):
        return connections_of(
            section, folder=Path(path).parent, environ=environ, http=http, shared=shared, stores=stores
        )


def connections_of(
    data: Mapping[str, Any],
    *,
    folder: str | os.PathLike[str] = ".",
    environ: Mapping[str, str] = os.environ,
    http: HTTPSettings = HTTP,
    shared: SharedTokens | None = None,
    stores: Mapping[str, RefreshTokenStore] = _NO_STORES,
) -> Connections:
    """The connections that `data` says, which is the content of a section `connections`: options by name.

    `environ` has the secrets that stand in no file. `http` and `shared` are those of ClientCredentials, for all of
    them. `stores` has the refresh token of each connection of the kind `refresh_token`, by the name of the connection.
    Raises EntryError, a ValueError whose `path` leads to the entry to mend, and TypeError for what is no mapping.
    """
    if not isinstance(data, Mapping):
        raise TypeError("connections are a mapping of names to options")
    if not isinstance(stores, Mapping):
        raise TypeError("stores maps names of connections to stores of refresh tokens")
    entries = (_Entry(name, options, Path(folder), environ) for name, options in data.items())
    made = {entry.name: _connection(entry, http, shared, stores) for entry in entries}
    for name in stores:
        if name not in made:
            raise ValueError(f"stores names {name!r}, and there is no such connection: {meant(name, made)}")
    return Connections(made)


@dataclass(frozen=True, slots=True)
class _Entry:
    """The options of one connection."""

    name: Any  # text, once it was looked at
    options: Any = field(repr=False)
    folder: Path
    environ: Mapping[str, str] = field(repr=False)

    def error(self, message: str, *option: str) -> EntryError:
        return EntryError(f"{self._what}: {message}", self.name, *option)

    def placed(self, *option: str) -> AbstractContextManager[None]:
        """What is wrong within leaves as EntryError."""
        return placed(self.name, *option, what=self._what)

    @property
    def _what(self) -> str:
        return f"connection {self.name!r}"

    def text(self, option: str, given: str = "") -> str:
        """Raises EntryError where there is none, and `given` is not either."""
        text = self.options.get(option, given)
        if not isinstance(text, str) or not text:
            raise self.error(f"{option} is text, and not empty", option)
        return text

    def choice(self, option: str, choices: tuple[str, ...]) -> str:
        chosen = self.text(option, choices[0])
        if chosen not in choices:
            raise self.error(f"{option} is one of {', '.join(choices)}: {meant(chosen, choices)}", option)
        return chosen

    def file(self, option: str) -> Path:
        path = self.folder / self.text(option)
        try:
            found = path.is_file()
        except OSError:  # too long for a path
            found = False
        if not found:  # not shown, here and below: it may be the secret itself, written in the wrong place
            raise self.error(f"{option} names no file", option)
        return path

    def content(self, option: str) -> str:
        path = self.file(option)
        try:
            return path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            pass  # raised out here, because that error may show the content and would be chained
        raise self.error(f"{option}: {str(path)!r} cannot be read as UTF-8", option)

    def secret(self) -> str:
        if len(self.options.keys() & _SECRET) != 1:
            raise self.error(
                "give either client_secret_env, an environment variable, or client_secret_file", *_SECRET[:1]
            )
        if "client_secret_file" in self.options:
            return self.content("client_secret_file").rstrip("\r\n")
        variable = self.text("client_secret_env")
        if not _VARIABLE.fullmatch(variable):
            raise self.error("client_secret_env is the name of an environment variable", "client_secret_env")
        secret = self.environ.get(variable, "")
        if not secret:
            raise self.error("the environment variable that it names is not set, or empty", "client_secret_env")
        return secret


def _connection(
    entry: _Entry, http: HTTPSettings, shared: SharedTokens | None, stores: Mapping[str, RefreshTokenStore]
) -> Connection:
    _check_options(entry)
    kind, client = entry.choice("kind", _KINDS), _client(entry)
    asked = {option: entry.options[option] for option in _ASKED if option in entry.options}
    if kind != "client_credentials" and "method" in entry.options:
        raise entry.error("method is for client_credentials: other tokens are asked for by POST", "method")
    if (kind == "refresh_token") != (entry.name in stores):
        raise entry.error("a connection has kind = 'refresh_token', and a store in stores=, or neither", "kind")
    make: Any = TokenExchange
    if kind == "client_credentials":
        make = ClientCredentials
        asked |= {"method": entry.choice("method", ("POST", "GET")), "shared": shared}
    elif kind == "refresh_token":
        if "audience" in asked:
            raise entry.error("audience does not belong to kind = 'refresh_token': resource does", "audience")
        make = RefreshToken
        asked["store"] = stores[entry.name]
    with entry.placed():
        source = make(entry.text("issuer"), client=client, http=http, **asked)
    with entry.placed("base_url"):
        return Connection(entry.text("base_url"), auth=source)


def _check_options(entry: _Entry) -> None:
    if not isinstance(entry.name, str) or not isinstance(entry.options, Mapping):
        raise entry.error(f"write {', '.join(_OPTIONS[:3])} and more below its name")
    for option in entry.options:
        if option == "client_secret":
            raise entry.error(f"no secret stands in a file: write {' or '.join(_SECRET)}", option)
        if option not in _OPTIONS:
            raise entry.error(f"there is no option {option!r}: {meant(option, _OPTIONS)}", option)
        if option not in _NOT_TEXT:
            entry.text(option)


def _client(entry: _Entry) -> ClientAuth:
    auth, client_id = entry.choice("auth", tuple(_AUTHS)), entry.text("client_id")
    for option in _OF_AUTHS:
        if option in entry.options and option not in _AUTHS[auth]:
            raise entry.error(f"{option} does not belong to auth = {auth!r}: {', '.join(_AUTHS[auth])} do", option)
    if auth == "private_key_jwt":
        more = {option: entry.options[option] for option in ("kid", "algorithm") if option in entry.options}
        with entry.placed("key_file"):
            return PrivateKeyJWT(client_id, entry.content("key_file"), **more)
    with entry.placed("client_id"):
        if auth == "certificate":
            return ClientCertificate(client_id, Certificate(str(entry.file("chain")), str(entry.file("key"))))
        make = ClientSecret if auth == "basic" else ClientSecretPost
        return make(client_id, entry.secret())
