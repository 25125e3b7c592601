"""The WSGI shell: checks each request before the application sees it (PEP 3333).

The grant is at `environ["oauth_rs.grant"]`, None where none was needed; what decorators ask for is done by the
middleware at `environ["oauth_rs.checked"]`. Blocks the thread it is called in, while keys are fetched, a body is
read, or a store or database is asked. Knows no framework.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wsgi import get_content_length, get_input_stream

from .errors import InvalidRequest, OAuthError
from .fetch import HTTPSettings
from .fetch.blocking import BlockingHTTP
from .fields import FieldFilter
from .filtering import MAX_FILTERED_BYTES, filter_of, filter_rules
from .flow import Flow, Run, T
from .handover import EnvironHandover, unconditional_environ
from .headers import is_form
from .model import Grant
from .server import ResourceServer, checked_server
from .urls import PATH_SAFE
from .wsgi_response import Checked, Start

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

GRANT: Final = "oauth_rs.grant"
CHECKED: Final = "oauth_rs.checked"
NO_PARAMETERS: Mapping[str, Any] = {}
MAX_KEYS = 64  # names of headers that are remembered with their key


class WSGIRequest:
    """The core's view of an environ, of which `root` is the `SCRIPT_NAME` that the middleware has seen. WSGI has folded
    repeated headers into one, joined by commas.
    """

    __slots__ = ("_environ", "method", "parameters", "root")

    def __init__(self, environ: "WSGIEnvironment", root: str | None = None) -> None:
        self._environ = environ
        # As it is here: whoever dispatches further in moves it on.
        self.root: str = environ.get("SCRIPT_NAME", "") if root is None else root
        self.method: str = environ["REQUEST_METHOD"]
        self.parameters = NO_PARAMETERS

    @property
    def path(self) -> str:
        path = str(self._environ.get("PATH_INFO", ""))
        root = str(self._environ.get("SCRIPT_NAME", ""))
        if root != self.root:
            path = (root + path).removeprefix(str(self.root))
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
    the server's to end. An answer in JSON that is to be filtered has at most `max_filtered` bytes.
    """

    def __init__(
        self,
        app: "WSGIApplication",
        server: ResourceServer,
        *,
        http: HTTPSettings | None = None,
        max_filtered: int = MAX_FILTERED_BYTES,
    ) -> None:
        self._app = app
        self._server = checked_server(server)
        self._rules = filter_rules(server.places, max_filtered)
        self._marks_private = server.marks_private
        changes = server.identity is not None or server.hidden
        self._handover = EnvironHandover(server.identity, server.hidden) if changes else None
        self._changes = bool(changes) or server.filters is not None
        self._http = BlockingHTTP(http or HTTPSettings())

    @property
    def server(self) -> ResourceServer:
        """The server that is asked about each request."""
        return self._server

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = WSGIRequest(environ)
        checked = Checked(self, request.root)
        start = Start(start_response, checked)
        body = None
        try:
            if self._handover is not None:
                self._handover.clean(environ)
            verdict = self._server.authenticate(request)
            if verdict is None or isinstance(verdict, Grant):
                environ[GRANT] = verdict
            else:
                body = _Body(environ)
                environ[GRANT] = self._http.drive(Run(verdict), body.read)
            environ[CHECKED] = checked
            if self._marks_private:
                start.private = self._server.private(request)
            if self._changes:
                self._change(environ, request, body)
            return start.answer(self._app(environ, start))
        except OAuthError as error:
            return self._refuse(error, environ, start)

    def drive(self, flow: Flow[T]) -> T:
        """The result of `flow`, whatever it asks for but the body of a request. Raises what it raises."""
        return self._http.drive(Run(flow))

    def filter(self, environ: "WSGIEnvironment", fields: FieldFilter) -> None:
        """The answer to the request of `environ` will show what `fields` show to its grant, if it is JSON.

        Raises RuntimeError where it has begun.
        """
        grant: Grant | None = environ[GRANT]
        scopes = frozenset[str]() if grant is None else grant.scopes
        environ[CHECKED].filter(fields, scopes, environ["REQUEST_METHOD"], self._rules)
        unconditional_environ(environ)

    def warm(self) -> None:
        """Fetches the keys of every issuer now rather than with the first request; call it in each worker process."""
        self._http.drive(Run(self._server.warm()))

    def _change(self, environ: "WSGIEnvironment", request: WSGIRequest, body: "_Body | None") -> None:
        fields = None if self._server.filters is None else filter_of(self._server.filters, request)
        if fields is not None:
            self.filter(environ, fields)
        grant: Grant | None = environ[GRANT]
        if self._handover is not None and grant is not None:
            self._handover.fill(environ, grant)
            if body is not None and body.data is not None and is_form(request):
                body.replace(self._handover.form_without(environ, body.data))

    def _refuse(self, error: OAuthError, environ: "WSGIEnvironment", start: Start) -> Iterable[bytes]:
        refusal = self._server.refuse(error)
        status = f"{refusal.status} {HTTPStatus(refusal.status).phrase}"
        # When the application had begun to answer, exc_info lets the server replace that answer or end it.
        start.send(status, list(refusal.headers), *([sys.exc_info()] if start.checked.started else []))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [refusal.body]


class _EnvironKeys(dict[bytes, str]):
    """Where an environ keeps each header; filled as headers are asked for."""

    def __missing__(self, name: bytes) -> str:
        key = name.decode("ascii").upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        if len(self) < MAX_KEYS:  # clients of MAC name headers too
            self[name] = key
        return key


_KEYS = _EnvironKeys()


class _Body:
    """A body that the check reads first, and the application then reads again, byte for byte."""

    __slots__ = ("_environ", "data")

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self._environ = environ
        self.data: bytes | None = None

    def read(self, limit: int) -> bytes | None:
        length = get_content_length(self._environ)
        if length is None and "wsgi.input_terminated" not in self._environ:
            if "HTTP_TRANSFER_ENCODING" in self._environ:  # nobody can tell its end, but the application may read it
                raise InvalidRequest("body_unbounded", "This server cannot read a body without a length.")
            return b""
        try:
            # One byte more than allowed: the stream ends at its limit without a word on whether there was more.
            body = get_input_stream(self._environ, max_content_length=limit + 1).read()
        except RequestEntityTooLarge:
            return None
        except ClientDisconnected as error:
            raise _incomplete() from error
        if len(body) > limit:
            return None
        if length is not None and len(body) < length:
            raise _incomplete()  # a server that ends the stream itself ends it silently when its client goes
        self.replace(body)
        return body

    def replace(self, data: bytes) -> None:
        self.data = data
        self._environ["wsgi.input"] = BytesIO(data)


def _incomplete() -> InvalidRequest:
    return InvalidRequest("body_incomplete", "The body ended before its length.")
