"""The ASGI shell: checks each HTTP request and each WebSocket handshake before the application sees it (ASGI 3.0).

The grant is at `scope["state"]["grant"]`, None where none was needed, and as `scope["auth"]` and `scope["user"]` in
the shape Starlette expects; what decorators ask for is done by the middleware at `scope["oauth_rs.checked"]`.
Runs under asyncio and trio. Bodies pass unbuffered, save a form that is read for its token. Knows no framework.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from .asgi_response import Answer, Message, Send, private
from .errors import InvalidRequest, OAuthError
from .fetch import HTTPSettings
from .fetch.awaiting import AwaitingHTTP
from .fields import FieldFilter
from .filtering import MAX_FILTERED_BYTES, filter_of, filter_rules
from .flow import Flow, Run, T
from .handover import ScopeHandover, unconditional_scope
from .headers import is_form
from .model import Grant
from .server import ResourceServer, checked_server
from .urls import PATH_SAFE

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
ASGIApplication: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

GRANT: Final = "oauth_rs.grant"
CHECKED: Final = "oauth_rs.checked"
NO_PARAMETERS: Mapping[str, Any] = {}
_POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1


class ASGIRequest:
    """The core's view of a scope, of which `root` is the `root_path` that the middleware has seen."""

    __slots__ = ("_scope", "method", "parameters", "root")

    def __init__(self, scope: Scope, root: str | None = None) -> None:
        self._scope = scope
        # As it is here: mounts further in move it on.
        self.root: str = scope.get("root_path", "") if root is None else root
        # A WebSocket handshake is a GET, also where HTTP/2 calls it CONNECT.
        self.method: str = "GET" if scope.get("type") == "websocket" else scope.get("method", "GET")
        self.parameters = NO_PARAMETERS

    @property
    def path(self) -> str:
        path, root = str(self._scope["path"]), str(self.root)
        # The path holds the mount point since ASGI 2.3 of 2024; servers before leave it out.
        return path.removeprefix(root) if path == root or path.startswith(root + "/") else path

    @property
    def raw_path(self) -> bytes:
        raw: bytes | None = self._scope.get("raw_path")
        if raw:
            return raw.partition(b"?")[0]
        # Bridges leave surrogates where the path was not UTF-8. So no two paths become one, and none raises.
        return quote(str(self._scope["path"]), safe=PATH_SAFE, errors="surrogatepass").encode()

    @property
    def query(self) -> bytes:
        query: bytes = self._scope.get("query_string", b"")
        return query

    @property
    def url_scheme(self) -> str:
        return str(self._scope.get("scheme", "http"))

    @property
    def peer(self) -> str:
        client = self._scope.get("client")
        return str(client[0]) if client else ""

    def header(self, name: bytes, /) -> Sequence[bytes]:
        found: list[bytes] = []
        for key, value in self._scope["headers"]:  # a comprehension is a call in Python 3.11
            if key == name:
                found.append(value)
        if not found and not name.islower():  # as an application may write it
            lower = name.lower()
            return () if lower == name else self.header(lower)
        return tuple(found)


class _Nobody:
    """Stands where Starlette looks for a caller when there is no grant."""

    scopes: frozenset[str] = frozenset()
    is_authenticated = False
    display_name = identity = ""


_NOBODY = _Nobody()


class OAuthMiddleware:
    """`app` behind `server`: what is refused never reaches it. An OAuthError that `app` raises is answered too.

    At `lifespan.startup` the keys are fetched; an issuer that cannot be reached then does not keep `app` from starting.
    An answer in JSON that is to be filtered has at most `max_filtered` bytes.
    """

    def __init__(
        self,
        app: ASGIApplication,
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
        self._handover = ScopeHandover(server.identity, server.hidden) if changes else None
        self._changes = bool(changes) or server.filters is not None
        self._http = AwaitingHTTP(http or HTTPSettings())

    @property
    def server(self) -> ResourceServer:
        """The server that is asked about each request."""
        return self._server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        if scope["type"] not in {"http", "websocket"}:
            raise RuntimeError(f"oauth_rs cannot check a {scope['type']!r} scope, so it does not let it through")
        request = ASGIRequest(scope)
        answer = Answer(send, self, request.root)
        body = None
        try:
            if self._handover is not None:
                self._handover.clean(scope)
            verdict = self._server.authenticate(request)
            if verdict is None or isinstance(verdict, Grant):
                grant = verdict
            else:
                body = _Body(receive)
                grant = await self._http.drive(Run(verdict), body.read)
                receive = body.receive
            scope[GRANT] = scope.setdefault("state", {})["grant"] = grant
            scope["auth"] = scope["user"] = grant or _NOBODY
            scope[CHECKED] = answer
            if self._marks_private and self._server.private(request):
                answer.out = private(send)
            if self._changes:
                self._change(scope, request, grant, body)
            await self._app(scope, receive, answer.send)
        except OAuthError as error:
            await self._refuse(error, scope, answer)
        finally:
            # The scope leads to the answer, that to the server's side of the connection, and this often to the scope:
            # else each request would be a circle that stays until the collector finds it.
            answer.end()

    async def drive(self, flow: Flow[T]) -> T:
        """The result of `flow`, whatever it asks for but the body of a request. Raises what it raises."""
        return await self._http.drive(Run(flow))

    def filter(self, scope: Scope, fields: FieldFilter) -> None:
        """The answer to the request of `scope` will show what `fields` show to its grant, if it is JSON.

        Raises RuntimeError where it has begun, and TypeError for a WebSocket.
        """
        if scope["type"] != "http":
            raise TypeError("answers are filtered, and a WebSocket has none: filter what it sends, by fields.visible")
        grant: Grant | None = scope[GRANT]
        scope[CHECKED].filter(fields, frozenset() if grant is None else grant.scopes, scope["method"], self._rules)
        unconditional_scope(scope)
        # By extensions a body can go another way, as a path or as an open file.
        extensions = scope.get("extensions") or {}
        scope["extensions"] = {n: it for n, it in extensions.items() if not n.startswith("http.response.")}

    def _change(self, scope: Scope, request: ASGIRequest, grant: Grant | None, body: "_Body | None") -> None:
        if self._server.filters is not None and scope["type"] == "http":
            fields = filter_of(self._server.filters, request)
            if fields is not None:
                self.filter(scope, fields)
        if self._handover is not None and grant is not None:
            self._handover.fill(scope, grant)
            if body is not None and body.data is not None and is_form(request):
                body.data = self._handover.form_without(scope, body.data)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def warmed() -> Message:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._http.drive(Run(self._server.warm()))
            return message

        await self._app(scope, warmed, send)

    async def _refuse(self, error: OAuthError, scope: Scope, answer: Answer) -> None:
        if scope["type"] == "http" and answer.started:
            raise error  # half an answer is out: only the server can end this
        refusal = self._server.refuse(error)
        if scope["type"] == "websocket" and (answer.started or not _denial_answers(scope)):
            await answer.send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": error.error})
            return
        headers = [(name.lower().encode(), value.encode()) for name, value in refusal.headers]
        kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
        await answer.send({"type": f"{kind}.start", "status": refusal.status, "headers": headers})
        body = b"" if scope.get("method") == "HEAD" else refusal.body
        await answer.send({"type": f"{kind}.body", "body": body})


class _Body:
    """A body that the check reads first, and the application then receives again, byte for byte."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.data: bytes | None = None  # until the application receives it

    async def read(self, limit: int) -> bytes | None:
        if self.data is not None:  # by another scheme before
            return self.data if len(self.data) <= limit else None
        body, more = bytearray(), True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                raise InvalidRequest("body_incomplete", "The body ended before its length.")
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > limit:
                return None
        self.data = bytes(body)
        return self.data

    async def receive(self) -> Message:
        if self.data is None:
            return await self._receive()
        body, self.data = self.data, None
        return {"type": "http.request", "body": body, "more_body": False}


def _denial_answers(scope: Scope) -> bool:
    return "websocket.http.response" in (scope.get("extensions") or ())
