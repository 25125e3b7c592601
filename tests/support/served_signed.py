"""The application that tests/test_replay_servers.py serves with real servers; REPLAY names the store they share.
Imported without it, for the names in here, it uses the memory of the process.

Says which process answered. What was signed is http://api.example.com, wherever the server listens.
"""

import os

from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from oauth_rs import (
    FixedURL,
    MemoryReplay,
    OAuth1,
    OAuth1Client,
    ReplayStore,
    ResourceServer,
    StaticCredentials,
    flask,
    starlette,
)
from oauth_rs.stores.redis import RedisReplay
from oauth_rs.stores.sqlite import SQLiteReplay

CLIENT_ID, SECRET = "printer", "a secret of the printer"
SIGNED_URL = "http://api.example.com/who"


def store(name: str) -> ReplayStore:
    if not name:
        return MemoryReplay()
    return RedisReplay(name, timeout=1.0) if name.startswith("redis:") else SQLiteReplay(name)


server = ResourceServer(
    OAuth1(StaticCredentials(clients=[OAuth1Client(client_id=CLIENT_ID, secret=SECRET)])),
    url=FixedURL("http://api.example.com"),
    replay=store(os.environ.get("REPLAY", "")),
)

flask_app = Flask(__name__)
flask.protect(flask_app, server)


@flask_app.get("/who")
@flask.requires()
def who() -> str:
    return str(os.getpid())


@starlette.requires()
async def starlette_who(_request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(os.getpid()))


starlette_app = Starlette(routes=[Route("/who", starlette_who)])
starlette.protect(starlette_app, server)
