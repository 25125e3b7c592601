"""The WSGI shell: checks each request before the application sees it (PEP 3333).

The grant is at `environ["oauth_rs.grant"]`, None where none was needed. Blocks the thread it is called in, while keys
are fetched, a body is read, or a store or database is asked. Knows no framework.
"""

import sys
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wsgi import get_content_length, get_input_stream

from .errors import InvalidRequest, OAuthError
from .fetch import HTTPSettings
from .fetch.blocking import BlockingHTTP
from .flow import Run
from .headers import private_cache_control
from .model import Grant
from .server import ResourceServer
from .urls import PATH_SAFE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

GRANT: Final = "oauth_rs.grant"
MAX_KEYS = 64  # names of headers that are remembered with their key


class WSGIRequest:
    """The core's view of an environ. WSGI has folded repeated headers into one, joined by commas."""

    __slots__ = ("_environ", "method")

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self._environ = environ
        self.method: str = environ["REQUEST_METHOD"]

    @property
    def path(self) -> str:
        path = str(self._environ.get("PATH_INFO", ""))
        return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")

    @property
    def raw_path(self) -> bytes:
        for name in ("RAW_URI", "REQUEST_URI"):  # gunicorn and others; uWSGI, Werkzeug, mod_wsgi
            target: str = self._environ.get(name, "")
            if target[:1] == "/":
                return target.partition("?")[0].encode("latin-1", "replace")
        path = str(self._environ.get("SCRIPT_NAME", "")) + str(self._environ.get("PATH_INFO", ""))
        return quote(path.encode("latin-1", "replace"), safe=PATH_SAFE).encode()

    @property
    def query(self) -> bytes:
        query: str = self._environ.get("QUERY_STRING", "")
        return query.encode("latin-1", "replace")

    @property
    def url_scheme(self) -> str:
        scheme: str = self._environ.get("wsgi.url_scheme", "http")
        return scheme

    @property
    def peer(self) -> str:
        return str(self._environ.get("REMOTE_ADDR", ""))

    def header(self, name: bytes, /) -> Sequence[bytes]:
        value = self._environ.get(_KEYS[name])
        # Servers hand over ISO-8859-1; a character beyond it becomes "?", which no credential contains.
        return () if value is None else (value.encode("latin-1", "replace"),)


class OAuthMiddleware:
    """`app` behind `server`: what is refused never reaches it.

    An OAuthError that `app` raises when it is called is answered too; one that it raises while its body is iterated is
    the server's to end.
    """

    def __init__(self, app: "WSGIApplication", server: ResourceServer, *, http: HTTPSettings | None = None) -> None:
        self._app = app
        self._server = server
        self._marks_private = server.marks_private
        self._http = BlockingHTTP(http or HTTPSettings())

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = WSGIRequest(environ)
        start = _Start(start_response)
        try:
            verdict = self._server.authenticate(request)
            if verdict is None or isinstance(verdict, Grant):
                environ[GRANT] = verdict
            else:
                environ[GRANT] = self._http.drive(Run(verdict), lambda limit: _read_body(environ, limit))
            if self._marks_private:
                start.private = self._server.private(request)
            return self._app(environ, start)
        except OAuthError as error:
            return self._refuse(error, environ, start)

    def warm(self) -> None:
        """Fetches the keys of every issuer now rather than with the first request; call it in each worker process."""
        self._http.drive(Run(self._server.warm()))

    def _refuse(self, error: OAuthError, environ: "WSGIEnvironment", start: "_Start") -> Iterable[bytes]:
        refusal = self._server.refuse(error)
        status = f"{refusal.status} {HTTPStatus(refusal.status).phrase}"
        # When the application had begun to answer, exc_info lets the server replace that answer or end it.
        start.send(status, list(refusal.headers), *([sys.exc_info()] if start.started else []))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [refusal.body]


class _Start:
    """Passes `start_response` on, and remembers that it was called."""

    __slots__ = ("private", "send", "started")

    def __init__(self, start_response: "StartResponse") -> None:
        self.send = start_response
        self.started = self.private = False

    def __call__(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        self.started = True
        return self.send(status, private_cache_control(headers) if self.private else headers, *exc_info)


class _EnvironKeys(dict[bytes, str]):
    """Where an environ keeps each header; filled as headers are asked for."""

    def __missing__(self, name: bytes) -> str:
        key = name.decode("ascii").upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        if len(self) < MAX_KEYS:  # clients of MAC name headers too
            self[name] = key
        return key


_KEYS = _EnvironKeys()


def _read_body(environ: "WSGIEnvironment", limit: int) -> bytes | None:
    length = get_content_length(environ)
    if length is None and "wsgi.input_terminated" not in environ:
        if "HTTP_TRANSFER_ENCODING" in environ:  # nobody can tell where it ends, but the application may read it
            raise InvalidRequest("body_unbounded", "This server cannot read a body without a length.")
        return b""
    try:
        # One byte more than allowed: the stream ends at its limit without a word on whether there was more.
        body = get_input_stream(environ, max_content_length=limit + 1).read()
    except RequestEntityTooLarge:
        return None
    except ClientDisconnected as error:
        raise _incomplete() from error
    if len(body) > limit:
        return None
    if length is not None and len(body) < length:
        raise _incomplete()  # a server that ends the stream itself ends it silently when its client goes
    environ["wsgi.input"] = BytesIO(body)
    return body


def _incomplete() -> InvalidRequest:
    return InvalidRequest("body_incomplete", "The body ended before its length.")
