"""The applications that tests/test_servers.py serves with real servers; KEYS_URL says where their keys are."""

import os
import time

from flask import Flask, request
from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from oauth_rs import Bearer, FormField, Grant, JWTProvider, RemoteKeys, ResourceServer, flask, starlette
from oauth_rs.schemes.bearer import AUTHORIZATION
from tests.support.issuing import API, ISSUER

server = ResourceServer(
    Bearer(
        JWTProvider(ISSUER, audience=API, keys=RemoteKeys(os.environ["KEYS_URL"])),
        presentation=[AUTHORIZATION, FormField()],
    )
)

flask_app = Flask(__name__)
flask.protect(flask_app, server)


@flask_app.route("/echo", methods=["GET", "POST"])
@flask.requires("photos")
def flask_echo() -> bytes:
    return flask.current_grant.subject.encode() + b" " + request.get_data()


@flask_app.get("/process")
def process() -> str:
    time.sleep(0.02)  # long enough for the other worker to take the next request
    return str(os.getpid())


@starlette.requires("photos")
async def starlette_echo(request: Request) -> PlainTextResponse:
    grant: Grant = request.state.grant
    return PlainTextResponse(grant.subject.encode() + b" " + await request.body())


class Mirror:
    """Sends each chunk of the body back as it comes."""

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": more})


class Live(WebSocketEndpoint):
    encoding = "text"

    async def on_connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(websocket.state.grant.subject)

    @starlette.requires("admin")
    async def on_receive(self, websocket: WebSocket, data: str) -> None:
        await websocket.send_text(data)


@starlette.requires("admin")
class Admin(Live):
    """Refuses before it opens, where Live refuses what comes in."""


starlette_app = Starlette(
    routes=[
        Route("/echo", starlette_echo, methods=["GET", "POST"]),
        Route("/mirror", Mirror(), methods=["POST"]),
        WebSocketRoute("/live", Live),
        WebSocketRoute("/admin", Admin),
    ]
)
starlette.protect(starlette_app, server)
