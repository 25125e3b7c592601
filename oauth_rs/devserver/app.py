"""The development server's HTTP face: hands requests to endpoints (RFC 6749 3, RFC 5849 2), or to faults.

`/dev/*` are conveniences that no real authorization server has: whoever reaches them mints any token and rotates the
keys. Does not listen (`running` does), authorize users, or speak TLS.
"""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from oauth_rs.devserver.endpoints import Endpoints
from oauth_rs.devserver.faults import Faults
from oauth_rs.devserver.messages import Call, Endpoint, form
from oauth_rs.devserver.oauth1 import ThreeLegged
from oauth_rs.devserver.tokens import Mint

# Bytes of a request body: a token request has a few hundred; room for large claims in `/dev/token`.
BODY_LIMIT = 65_536

_NO_STORE = {"Cache-Control": "no-store"}
_WISHES: dict[str, type] = {"claims": dict, "header": dict, "alg": str, "drop": list}
_KEEP = {(): False, (("keep", "false"),): False, (("keep", "true"),): True}


class DevApplication:
    """The ASGI application. `hits` counts the requests of each known path, whatever they were answered.

    A path with parameters is counted under its template. Without `three_legged` there is no `/oauth1`.
    """

    def __init__(
        self, mint: Mint, endpoints: Endpoints, *, hits: Counter[str], three_legged: ThreeLegged | None = None
    ) -> None:
        self._mint = mint
        self._hits = hits
        self._routes = [
            *(Route(path, _responder(respond), methods=[*methods]) for path, (methods, respond) in endpoints.items()),
            Route("/dev/token", _reading(self._dev_token), methods=["POST"]),
            Route("/dev/rotate", _reading(self._dev_rotate), methods=["POST"]),
            *(_oauth1_routes(three_legged) if three_legged else ()),
        ]
        self.faults = Faults([route.path for route in self._routes])
        self._app = Starlette(routes=self._routes)
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = self._path(scope)
        if path:
            self._hits[path] += 1
        fault = self.faults.take(path) if path else None
        if fault is None:
            await self._app(scope, receive, send)
        else:
            await fault(self._app, scope, receive, send)

    def _path(self, scope: Scope) -> str:
        """The known path of a request; "" for those of strangers, which are not counted: they would never end."""
        return next((route.path for route in self._routes if route.matches(scope)[0] is not Match.NONE), "")

    async def _dev_token(self, _request: Request, body: bytes) -> Response:
        try:
            token = self._mint.token(**_wishes(body))
        except (ValueError, RecursionError):
            return _invalid("Send JSON with any of claims {}, header {}, drop [] and a known alg.")
        return JSONResponse({"access_token": token, "token_type": "Bearer"}, headers=_NO_STORE)

    async def _dev_rotate(self, _request: Request, body: bytes) -> Response:
        try:
            keep = _KEEP[tuple(form(body))]
        except (ValueError, KeyError):
            return _invalid("Send keep=true or keep=false as a form, or nothing.")
        return JSONResponse({"kid": self._mint.keys.rotate(keep=keep).kid}, headers=_NO_STORE)


def _responder(endpoint: Endpoint) -> Any:
    async def respond(request: Request, body: bytes) -> Response:
        if len(request.headers.getlist("authorization")) > 1:
            return _invalid("One Authorization header at a time.")
        # In a thread, because it may write to a database.
        reply = await run_in_threadpool(endpoint, _call(request, body))
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        return Response(text, reply.status, dict(reply.headers), reply.media_type)

    return _reading(respond)


def _call(request: Request, body: bytes) -> Call:
    headers = request.headers
    return Call(
        method=request.method,
        query=request.scope["query_string"],
        body=body,
        content_type=headers.get("content-type", ""),
        authorization=headers.get("authorization"),
        accept=", ".join(headers.getlist("accept")),
        parameters=request.path_params,
    )


def _oauth1_routes(three_legged: ThreeLegged) -> list[Route]:
    async def respond(request: Request, body: bytes) -> Response:
        if len(request.headers.getlist("authorization")) > 1:
            return _invalid("One Authorization header at a time.")
        headers, text, status = await run_in_threadpool(
            three_legged.respond, request.url.path, query=request.url.query, body=body, headers=dict(request.headers)
        )
        return Response(text, status, headers)

    return [Route(path, _reading(respond), methods=[method]) for path, method in three_legged.paths.items()]


def _wishes(body: bytes) -> dict[str, Any]:
    wishes = json.loads(body or b"{}")
    if isinstance(wishes, dict) and all(isinstance(wishes[name], _WISHES.get(name, ())) for name in wishes):
        return wishes
    raise ValueError("not an object, or a member is unknown or of the wrong type")


def _reading(respond: Callable[[Request, bytes], Awaitable[Response]]) -> Any:
    """An endpoint that is given the body too; one that cannot be read is 413."""

    async def read(request: Request) -> Response:
        body = await _body(request)
        return _too_large() if body is None else await respond(request, body)

    return read


async def _body(request: Request) -> bytes | None:
    """The body, or None when it is over `BODY_LIMIT` or the client left in the middle of it."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_LIMIT:
                return None
    except ClientDisconnect:
        return None
    return bytes(body)


def _too_large() -> Response:
    return _invalid(f"The body is over {BODY_LIMIT} bytes or incomplete.", status=413)


def _invalid(description: str, *, status: int = 400) -> Response:
    body = {"error": "invalid_request", "error_description": description}
    return JSONResponse(body, status, _NO_STORE)
