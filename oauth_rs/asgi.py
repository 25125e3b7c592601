"""The ASGI shell: checks each HTTP request and each WebSocket handshake before the application sees it (ASGI 3.0).

The grant is at `scope["state"]["grant"]`, None where none was needed, and as `scope["auth"]` and `scope["user"]` in
the shape Starlette expects. Runs under asyncio and trio. Bodies pass unbuffered, save a form that is read for its
token. Knows no framework.
"""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from .errors import InvalidRequest, OAuthError
from .fetch import HTTPSettings
from .fetch.awaiting import AwaitingHTTP
from .flow import Run
from .headers import private_cache_control
from .model import Grant
from .server import ResourceServer
from .urls import PATH_SAFE

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApplication: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

GRANT: Final = "oauth_rs.grant"
_POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1


class ASGIRequest:
    """The core's view of a scope."""

    __slots__ = ("_scope", "method")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.method: str = scope.get("method", "GET")  # a WebSocket handshake is a GET

    @property
    def path(self) -> str:
        path, root = str(self._scope["path"]), str(self._scope.get("root_path", ""))
        # The path holds the mount point since ASGI 2.3 of 2024; servers before leave it out.
        return path.removeprefix(root) if path == root or path.startswith(root + "/") else path

    @property
    def raw_path(self) -> bytes:
        raw: bytes | None = self._scope.get("raw_path")
        return raw.partition(b"?")[0] if raw else quote(str(self._scope["path"]), safe=PATH_SAFE).encode()

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
        found = []
        for key, value in self._scope["headers"]:  # a comprehension is a call in Python 3.11
            if key == name:
                found.append(value)
        return found


class _Nobody:
    """Stands where Starlette looks for a caller when there is no grant."""

    scopes: frozenset[str] = frozenset()
    is_authenticated = False
    display_name = identity = ""


_NOBODY = _Nobody()


class OAuthMiddleware:
    """`app` behind `server`: what is refused never reaches it. An OAuthError that `app` raises is answered too.

    At `lifespan.startup` the keys are fetched; an issuer that cannot be reached then does not keep `app` from starting.
    """

    def __init__(self, app: ASGIApplication, server: ResourceServer, *, http: HTTPSettings | None = None) -> None:
        self._app = app
        self._server = server
        self._marks_private = server.marks_private
        self._http = AwaitingHTTP(http or HTTPSettings())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        if scope["type"] not in {"http", "websocket"}:
            raise RuntimeError(f"oauth_rs cannot check a {scope['type']!r} scope, so it does not let it through")
        request = ASGIRequest(scope)
        answer = _Answer(send)
        try:
            verdict = self._server.authenticate(request)
            if verdict is None or isinstance(verdict, Grant):
                grant = verdict
            else:
                body = _Body(receive)
                grant = await self._http.drive(Run(verdict), body.read)
                receive = body.receive
            scope[GRANT] = scope.setdefault("state", {})["grant"] = grant
            scope["auth"] = scope["user"] = grant or _NOBODY
            if self._marks_private and self._server.private(request):
                answer.out = _private(send)
            await self._app(scope, receive, answer.send)
        except OAuthError as error:
            await self._refuse(error, scope, answer)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def warmed() -> Message:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._http.drive(Run(self._server.warm()))
            return message

        await self._app(scope, warmed, send)

    async def _refuse(self, error: OAuthError, scope: Scope, answer: "_Answer") -> None:
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


class _Answer:
    """Passes messages out, and remembers that one went."""

    __slots__ = ("out", "started")

    def __init__(self, out: Send) -> None:
        self.out = out
        self.started = False

    def send(self, message: Message) -> Awaitable[None]:
        self.started = True
        return self.out(message)


class _Body:
    """A body that the check reads first, and the application then receives again, byte for byte."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read: bytes | None = None

    async def read(self, limit: int) -> bytes | None:
        if self._read is not None:  # by another scheme before
            return self._read if len(self._read) <= limit else None
        body, more = bytearray(), True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                raise InvalidRequest("body_incomplete", "The body ended before its length.")
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > limit:
                return None
        self._read = bytes(body)
        return self._read

    async def receive(self) -> Message:
        if self._read is None:
            return await self._receive()
        body, self._read = self._read, None
        return {"type": "http.request", "body": body, "more_body": False}


def _denial_answers(scope: Scope) -> bool:
    return "websocket.http.response" in (scope.get("extensions") or ())


def _private(send: Send) -> Send:
    async def private(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())]
            marked = private_cache_control(headers)
            # A new message: the application may keep its own and send it with every answer.
            encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in marked]
            message = {**message, "headers": encoded}
        await send(message)

    return private
