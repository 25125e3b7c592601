"""What a protected ASGI application costs over the bare one, in process: against Starlette's middleware with PyJWT."""

from collections.abc import Callable, Iterator
from typing import Any

import jwt
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend
from mcp.server.auth.provider import AccessToken
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, SimpleUser
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection

from oauth_rs import ResourceServer
from oauth_rs.asgi import OAuthMiddleware

from . import tokens
from .rows import Row, beside
from .timing import interleaved

CACHED, COLD = 0.04, 0.42
_SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/photos",
    "raw_path": b"/photos",
    "query_string": b"",
    "root_path": "",
    "client": ("127.0.0.1", 40000),
    "server": ("127.0.0.1", 8000),
}
_START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
_BODY = {"type": "http.response.body", "body": b"ok"}


def rows() -> Iterator[Row]:
    token = tokens.token("RS256")
    apps = {
        "bare": photos,
        "cached": ours(cache_size=20_000),
        "cold": ours(cache_size=0),
        "starlette": starlette(),
        "mcp": mcp(),
    }
    for name, app in apps.items():
        check(app, token, bare=name == "bare")
    samples = interleaved({name: request(app, token) for name, app in apps.items()})
    others = beside({"MCP SDK": samples.ratio("mcp", "starlette", over="bare")})
    for name, aim in (("cached", CACHED), ("cold", COLD)):
        ratio = samples.ratio(name, "starlette", over="bare")
        yield Row(case=f"ASGI overhead {name} / Starlette + PyJWT", ratio=ratio, aim=aim, note=others)


async def photos(_scope: Any, _receive: Any, send: Any) -> None:
    """The bare application."""
    await send({**_START})
    await send({**_BODY})


def ours(*, cache_size: int) -> Any:
    return OAuthMiddleware(photos, ResourceServer(tokens.bearer("RS256", cache_size=cache_size)))


class _Backend(AuthenticationBackend):
    """What Starlette's documentation shows, with PyJWT inside."""

    def __init__(self) -> None:
        self._key = tokens.checking_key("RS256")

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        header = conn.headers.get("authorization")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            claims = jwt.decode(token, self._key, algorithms=["RS256"], audience=tokens.API, issuer=tokens.ISSUER)
        except jwt.InvalidTokenError as error:
            raise AuthenticationError("invalid token") from error
        return AuthCredentials(claims["scope"].split()), SimpleUser(claims["sub"])


def starlette() -> Any:
    return AuthenticationMiddleware(photos, _Backend())


class _Verifier:
    def __init__(self) -> None:
        self._key = tokens.checking_key("RS256")

    async def verify_token(self, token: str) -> AccessToken | None:
        try:
            claims = jwt.decode(token, self._key, algorithms=["RS256"], audience=tokens.API, issuer=tokens.ISSUER)
        except jwt.InvalidTokenError:
            return None
        return AccessToken(
            token=token,
            client_id=claims["client_id"],
            scopes=claims["scope"].split(),
            expires_at=claims["exp"],
            subject=claims["sub"],
            claims=claims,
        )


def mcp() -> Any:
    return AuthenticationMiddleware(photos, BearerAuthBackend(_Verifier()))


def request(app: Any, token: str) -> Callable[[], None]:
    """One request, with a scope of its own as a server makes it, and eight headers."""
    headers = headers_with(token)

    def run() -> None:
        coroutine = app({**_SCOPE, "headers": [*headers], "state": {}}, _receive, _send)
        try:
            coroutine.send(None)
        except StopIteration:
            return
        raise RuntimeError("an application that needs an event loop cannot be timed this way")

    return run


def headers_with(token: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"host", b"api.example.com"),
        (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        (b"accept", b"application/json"),
        (b"accept-language", b"en-GB,en;q=0.5"),
        (b"accept-encoding", b"gzip, deflate, br"),
        (b"authorization", b"Bearer " + token.encode()),
        (b"origin", b"https://app.example.com"),
        (b"connection", b"keep-alive"),
    ]


def check(app: Any, token: str, *, bare: bool = False) -> None:
    """Raises RuntimeError unless `app` lets `token` in, marks the request, and does so for no other token."""
    for text, good in ((token, True), (token[:-8] + "AAAAAAAA", False)):
        scope: dict[str, Any] = {**_SCOPE, "headers": headers_with(text), "state": {}}
        sent: list[int] = []

        async def send(message: Any, sent: list[int] = sent) -> None:
            sent.append(message.get("status", 0))

        try:
            app(scope, _receive, send).send(None)
        except StopIteration:
            let_in = sent[0] == 200 and getattr(scope.get("user"), "is_authenticated", False)
            if let_in != (good and not bare):
                raise RuntimeError("an application does not protect itself as it should") from None


async def _receive() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_message: Any) -> None:
    pass
