"""The development server's HTTP face: token endpoint, key set, metadata (RFC 6749 3.2, RFC 7517 5, RFC 8414 3), and
the endpoints of OAuth 1.0a (RFC 5849 2).

`/dev/*` are conveniences that no real authorization server has: whoever reaches them mints any token and rotates the
keys. Does not listen (`running` does), authorize users, or speak TLS.
"""

import json
from collections import Counter
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from oauth_rs.devserver.grants import Grants, form
from oauth_rs.devserver.oauth1 import ThreeLegged
from oauth_rs.devserver.tokens import Mint

NOTICE = "Development only, not for production: anyone who reaches /dev/token can mint any token."

# Bytes of a request body: a token request has a few hundred; room for large claims in `/dev/token`.
BODY_LIMIT = 65_536

_NO_STORE = {"Cache-Control": "no-store"}
_WISHES: dict[str, type] = {"claims": dict, "header": dict, "alg": str, "drop": list}
_KEEP = {(): False, (("keep", "false"),): False, (("keep", "true"),): True}


class DevApplication:
    """The ASGI application. `hits` counts the requests of each known path, whatever they were answered.

    Without `three_legged` there is no `/oauth1`.
    """

    def __init__(
        self, mint: Mint, grants: Grants, *, hits: Counter[str], three_legged: ThreeLegged | None = None
    ) -> None:
        self._mint = mint
        self._grants = grants
        self._hits = hits
        routes = [
            Route("/token", self._token, methods=["POST"]),
            Route("/jwks", self._jwks),
            Route("/.well-known/oauth-authorization-server", self._metadata),
            Route("/.well-known/openid-configuration", self._metadata),
            Route("/dev/token", self._dev_token, methods=["POST"]),
            Route("/dev/rotate", self._dev_rotate, methods=["POST"]),
            *(_oauth1_routes(three_legged) if three_legged else ()),
        ]
        self._paths = {route.path for route in routes}  # strangers' paths are not counted: they would never end
        self._app = Starlette(routes=routes)
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path in self._paths:
            self._hits[path] += 1
        await self._app(scope, receive, send)

    async def _token(self, request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _too_large()
        reply = await run_in_threadpool(  # it may write to a database
            self._grants.respond,
            body,
            content_type=request.headers.get("content-type", ""),
            authorization=request.headers.get("authorization"),
        )
        return JSONResponse(reply.body, reply.status, reply.headers)

    async def _jwks(self, _request: Request) -> Response:
        return JSONResponse(self._mint.keys.jwks(), media_type="application/jwk-set+json")

    async def _metadata(self, _request: Request) -> Response:
        issuer = self._mint.issuer
        return JSONResponse(
            {
                "issuer": issuer,
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/jwks",
                "grant_types_supported": self._grants.grant_types,
                "scopes_supported": self._grants.scopes,
                "response_types_supported": [],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "oauth_rs_notice": NOTICE,
            }
        )

    async def _dev_token(self, request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _too_large()
        try:
            token = self._mint.token(**_wishes(body))
        except (ValueError, RecursionError):
            return _invalid("Send JSON with any of claims {}, header {}, drop [] and a known alg.")
        return JSONResponse({"access_token": token, "token_type": "Bearer"}, headers=_NO_STORE)

    async def _dev_rotate(self, request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _too_large()
        try:
            keep = _KEEP[tuple(form(body))]
        except (ValueError, KeyError):
            return _invalid("Send keep=true or keep=false as a form, or nothing.")
        return JSONResponse({"kid": self._mint.keys.rotate(keep=keep).kid}, headers=_NO_STORE)


def _oauth1_routes(three_legged: ThreeLegged) -> list[Route]:
    async def respond(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _too_large()
        if len(request.headers.getlist("authorization")) > 1:
            return _invalid("One Authorization header at a time.")
        headers, text, status = await run_in_threadpool(
            three_legged.respond, request.url.path, query=request.url.query, body=body, headers=dict(request.headers)
        )
        return Response(text, status, headers)

    return [Route(path, respond, methods=[method]) for path, method in three_legged.paths.items()]


def _wishes(body: bytes) -> dict[str, Any]:
    wishes = json.loads(body or b"{}")
    if isinstance(wishes, dict) and all(isinstance(wishes[name], _WISHES.get(name, ())) for name in wishes):
        return wishes
    raise ValueError("not an object, or a member is unknown or of the wrong type")


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
