"""What a protected Flask application costs over the bare one, in process: against flask-jwt-extended, Authlib beside.

flask-jwt-extended is set up as its documentation shows, with the public key as PEM text.
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from authlib.integrations.flask_oauth2 import ResourceProtector  # type: ignore[import-untyped]
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator  # type: ignore[import-untyped]
from flask import Flask
from flask_jwt_extended import JWTManager, jwt_required
from joserfc.jwk import KeySet, import_key
from werkzeug.test import create_environ

from oauth_rs import ResourceServer
from oauth_rs.flask import protect, requires
from oauth_rs.wsgi import OAuthMiddleware

from . import asgi_overhead, tokens
from .rows import Row, beside
from .timing import interleaved

CACHED, COLD = 0.025, 0.17
ROUNDS = 500  # a few microseconds are looked for beside a hundred


def rows() -> Iterator[Row]:
    token = tokens.token("RS256")
    calls = {name: request(app, token) for name, app in _apps().items()}
    for name, app in _apps().items():
        check(app, token, protected=not name.startswith("bare"))
    samples = interleaved(calls, rounds=ROUNDS)
    authlib = samples.ratio("authlib", "extended", over="bare")
    for name, aim in (("cached", CACHED), ("cold", COLD)):
        over_nothing = (samples.median(f"{name}, no Flask") - samples.median("bare WSGI")) / (
            samples.median("extended") - samples.median("bare")
        )
        yield Row(
            case=f"WSGI overhead {name} / flask-jwt-extended",
            ratio=samples.ratio(name, "extended", over="bare"),
            aim=aim,
            note=beside({"around a bare WSGI app": over_nothing, "Authlib": authlib}),
        )


def _apps() -> dict[str, Any]:
    return {
        "bare": flask_app(),
        "cached": ours(cache_size=20_000),
        "cold": ours(cache_size=0),
        "extended": extended(),
        "authlib": authlib_app(),
        "bare WSGI": photos,
        "cached, no Flask": OAuthMiddleware(photos, _server(cache_size=20_000)),
        "cold, no Flask": OAuthMiddleware(photos, _server(cache_size=0)),
    }


def photos(_environ: Any, start_response: Any) -> list[bytes]:
    """The bare application without a framework."""
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def flask_app(decorate: Callable[[Any], Any] = lambda view: view) -> Flask:
    app = Flask("photos")

    @app.get("/photos")
    @decorate
    def photos() -> str:
        return "ok"

    return app


def ours(*, cache_size: int) -> Flask:
    app = flask_app(requires("photos"))
    protect(app, _server(cache_size=cache_size))
    return app


def _server(*, cache_size: int) -> ResourceServer:
    return ResourceServer(tokens.bearer("RS256", cache_size=cache_size))


def extended() -> Flask:
    app = flask_app(jwt_required())
    app.config.update(
        JWT_ALGORITHM="RS256",
        JWT_PUBLIC_KEY=tokens.public_pem("RS256"),
        JWT_DECODE_AUDIENCE=tokens.API,
        JWT_DECODE_ISSUER=tokens.ISSUER,
    )
    JWTManager(app)
    return app


class _Validator(JWTBearerTokenValidator):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(tokens.ISSUER, tokens.API)
        self._keys = KeySet([import_key(tokens.jwk("RS256"))])

    def get_jwks(self) -> KeySet:
        return self._keys


def authlib_app() -> Flask:
    protector = ResourceProtector()
    protector.register_token_validator(_Validator())
    return flask_app(protector("photos"))


def request(app: Any, token: str) -> Callable[[], None]:
    """One request, with an environ of its own, and the eight headers of the ASGI rows."""
    template = environ_with(token)

    def run() -> None:
        answer = app({**template, "wsgi.input": BytesIO()}, _start_response)
        for _ in answer:
            pass
        if hasattr(answer, "close"):
            answer.close()

    return run


def environ_with(token: str) -> dict[str, Any]:
    headers = [(name.decode(), value.decode()) for name, value in asgi_overhead.headers_with(token)]
    return dict(create_environ("/photos", base_url="http://api.example.com", headers=headers))


def check(app: Any, token: str, *, protected: bool) -> None:
    """Raises RuntimeError unless `app` lets `token` in and, where it is protected, no other."""
    for text, good in ((token, True), (token[:-8] + "AAAAAAAA", not protected)):
        answers: list[str] = []
        for _ in app(environ_with(text), lambda status, *_rest, to=answers: to.append(status)):
            pass
        if answers[0].startswith("200") != good:
            raise RuntimeError(f"an application does not protect itself as it should: {answers[0]}")


def _start_response(_status: str, _headers: Any, _exc_info: Any = None) -> Callable[[bytes], None]:
    return lambda _data: None
