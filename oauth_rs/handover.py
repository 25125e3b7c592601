"""What the application behind is handed: a request without forged identity, without credentials, with who calls.

Knows the environ of WSGI (PEP 3333) and the scope of ASGI, and reads neither bodies nor anything else from outside.
What is taken out is taken out whole; nothing else of a query or form changes by a byte. Does not check anything.
"""

from collections.abc import Iterable, MutableMapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from .identity import Identity, without_tokens
from .model import Grant
from .schemes import Places

Environ: TypeAlias = dict[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]

HIDDEN: Final = "oauth_rs.hidden"  # True in the environ or scope whose credentials were taken out

# Who may ask whether an answer has changed, or for a part of it, finds out what a filter hides (RFC 9110 sections 13.1
# and 14.2): a validator is often a hash of the whole. Without these the whole is made, and then filtered.
_CONDITIONS = ("if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range")
_READING = frozenset({"GET", "HEAD"})  # to others a condition is a guard against lost updates
_QUERIES = ("QUERY_STRING", "RAW_URI", "REQUEST_URI")  # the last two: gunicorn and others; uWSGI, Werkzeug, mod_wsgi


class Hidden:
    """The places that credentials are taken out of. All names are compared without case."""

    def __init__(self, places: Iterable[Places]) -> None:
        places = tuple(places)
        self.headers = frozenset({b"authorization", *(name.lower() for place in places for name in place.headers)})
        self._fields = frozenset(name.lower() for place in places for name in place.fields)
        self._prefixes = tuple(prefix.lower() for place in places for prefix in place.prefixes)

    def without(self, encoded: str) -> str:
        """A query or form without the parameters that are credentials."""
        pairs = encoded.split("&")
        kept = [pair for pair in pairs if not self._holds(pair.partition("=")[0])]
        return encoded if len(kept) == len(pairs) else "&".join(kept)

    def target_without(self, target: str) -> str:
        """The target of a request without the parameters of its query that are credentials."""
        path, _, query = target.partition("?")
        kept = self.without(query)
        return target if kept == query else f"{path}?{kept}" if kept else path

    def _holds(self, name: str) -> bool:
        decoded = unquote_to_bytes(name.encode("latin-1", "replace")).lower()
        return decoded in self._fields or decoded.startswith(self._prefixes)


class EnvironHandover:
    """Makes environs ready."""

    def __init__(self, identity: Identity | None, hidden: Sequence[Places]) -> None:
        self._identity = identity
        self._names = frozenset() if identity is None else identity.names
        self._keys = frozenset(map(_key, self._names))
        self._hidden = Hidden(hidden) if hidden else None

    def clean(self, environ: Environ) -> None:
        """Nothing is left in `environ` that says who calls, in any spelling."""
        for key in [key for key in environ if key.upper().replace("-", "_") in self._keys]:
            del environ[key]
        connection = without_tokens(environ.pop("HTTP_CONNECTION", ""), self._names)
        if connection:
            environ["HTTP_CONNECTION"] = connection

    def fill(self, environ: Environ, grant: Grant) -> None:
        """`environ` says who calls, and holds no credentials. Raises as `headers` of the identity does."""
        if self._hidden is not None:
            environ[HIDDEN] = True
            for name in self._hidden.headers:
                environ.pop(_key(name.decode("latin-1")), None)
            for key in _QUERIES:
                if key in environ:
                    without = self._hidden.without if key == "QUERY_STRING" else self._hidden.target_without
                    environ[key] = without(environ[key])
        if self._identity is not None:
            environ.update((_key(name), value) for name, value in self._identity.headers(grant))

    def form_without(self, environ: Environ, form: bytes) -> bytes:
        """`form`, the body of this request, without credentials; its length is then that which `environ` tells."""
        kept = _form_without(self._hidden, form)
        if kept != form and environ.get("CONTENT_LENGTH"):
            environ["CONTENT_LENGTH"] = str(len(kept))
        return kept


class ScopeHandover:
    """Makes scopes ready; the list of their headers is replaced, never changed."""

    def __init__(self, identity: Identity | None, hidden: Sequence[Places]) -> None:
        self._identity = identity
        self._names = frozenset() if identity is None else identity.names
        self._spellings = frozenset(name.encode("latin-1") for name in self._names)
        self._hidden = Hidden(hidden) if hidden else None

    def clean(self, scope: Scope) -> None:
        """Nothing is left in `scope` that says who calls, in any spelling."""
        headers = [(name, self._kept(name, value)) for name, value in scope["headers"]]
        scope["headers"] = [(name, value) for name, value in headers if value is not None]

    def fill(self, scope: Scope, grant: Grant) -> None:
        """`scope` says who calls, and holds no credentials. Raises as `headers` of the identity does."""
        headers = scope["headers"]
        if self._hidden is not None:
            scope[HIDDEN] = True
            headers = [header for header in headers if header[0].lower() not in self._hidden.headers]
            query = scope.get("query_string", b"").decode("latin-1")
            scope["query_string"] = self._hidden.without(query).encode("latin-1")
            raw = scope.get("raw_path")
            if raw and b"?" in raw:  # some servers leave the query in it
                scope["raw_path"] = self._hidden.target_without(raw.decode("latin-1")).encode("latin-1")
        if self._identity is not None:
            said = self._identity.headers(grant)
            headers = [*headers, *((name.lower().encode("ascii"), value.encode("ascii")) for name, value in said)]
        scope["headers"] = headers

    def form_without(self, scope: Scope, form: bytes) -> bytes:
        """`form`, the body of this request, without credentials; its length is then that which `scope` tells."""
        kept = _form_without(self._hidden, form)
        if kept != form:
            length = str(len(kept)).encode()
            scope["headers"] = [(name, length if name == b"content-length" else v) for name, v in scope["headers"]]
        return kept

    def _kept(self, name: bytes, value: bytes) -> bytes | None:
        spelling = name.lower().replace(b"_", b"-")
        if spelling in self._spellings:
            return None
        if spelling != b"connection":
            return value
        return without_tokens(value.decode("latin-1"), self._names).encode("latin-1") or None


def unconditional_environ(environ: Environ) -> None:
    """What is read in answer to `environ` is read whole, whatever the client had before."""
    if environ["REQUEST_METHOD"] in _READING:
        for name in _CONDITIONS:
            environ.pop(_key(name), None)


def unconditional_scope(scope: Scope) -> None:
    """What is read in answer to `scope` is read whole, whatever the client had before."""
    if scope["method"] in _READING:
        headers = scope["headers"]
        scope["headers"] = [header for header in headers if header[0].lower().decode("latin-1") not in _CONDITIONS]


def _form_without(hidden: Hidden | None, form: bytes) -> bytes:
    return form if hidden is None else hidden.without(form.decode("latin-1")).encode("latin-1")


def _key(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")
