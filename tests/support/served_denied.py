"""The application that tests/test_deny_servers.py serves with real servers; KEYS holds the keys of its issuer, and DENY
is where the Redis is that says which tokens are denied. Says which process answered.
"""

import json
import os

from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from oauth_rs import Bearer, JWTProvider, ResourceServer, StaticKeys, flask, starlette
from oauth_rs.stores.redis_deny import RedisDenyList
from tests.support.issuing import API, ISSUER

deny = RedisDenyList(os.environ["DENY"])
provider = JWTProvider(ISSUER, audience=API, keys=StaticKeys.from_jwks(json.loads(os.environ["KEYS"])))
server = ResourceServer(Bearer(provider), deny=deny)

flask_app = Flask(__name__)
flask.protect(flask_app, server)


@flask_app.get("/who")
@flask.requires()
def who() -> str:
    return str(os.getpid())


@flask_app.post("/log-out")
@flask.requires()
def log_out() -> str:
    deny.deny(jti=flask.current_grant.claims["jti"], issuer=ISSUER)
    return str(os.getpid())


@starlette.requires()
async def starlette_who(_request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(os.getpid()))


starlette_app = Starlette(routes=[Route("/who", starlette_who)])
starlette.protect(starlette_app, server)
