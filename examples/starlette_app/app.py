"""A photo service on Starlette, with customers and a little FHIR beside it: access.py says who may do what.

Run it with `python examples/starlette_app/app.py`; README.md has the requests to try.
"""

import argparse
import math
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import anyio
import uvicorn
from sqlalchemy import URL, NullPool, create_engine
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from examples.starlette_app import access, customers, fhir, integration
from oauth_rs import ClientRegistry, Credentials, DirectURL, ExternalURL, Grant, RemoteKeys, ReplayStore
from oauth_rs.asgi import OAuthMiddleware
from oauth_rs.outbound import Connections
from oauth_rs.starlette import requires
from oauth_rs.stores.sql import SQLCredentials
from oauth_rs.stores.sqlite import SQLiteReplay

EXPIRED = 1008  # RFC 6455 section 7.4.1: the connection no longer meets our policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    title: str
    album: str
    private: bool = False


PHOTOS = {
    "1": Photo(title="Harbour at dawn", album="town"),
    "2": Photo(title="Market day", album="town"),
    "3": Photo(title="Family dinner", album="family", private=True),
}


def create_app(
    issuer: str,
    audience: str,
    *,
    keys: RemoteKeys | None = None,
    origins: Collection[str] = (),
    partner: str = "",
    clients: ClientRegistry | None = None,
    outbound: Connections | None = None,
    credentials: Credentials | None = None,
    replay: ReplayStore | None = None,
    url: ExternalURL | None = None,
) -> Starlette:
    """The application, for tokens of `issuer` made out to `audience`, and for the scripts of `origins`.

    `keys` replaces the key set that the issuer's metadata names, or how long it is believed. `partner` is another
    issuer, whose tokens are good for looking at photos. `clients` may call with an API key. `outbound` has the
    back ends `bills` and `records`. With `credentials` requests to `url` may be signed instead, each good once:
    `replay` knows which were used.
    """
    server = access.server(
        issuer, audience, keys=keys, partner=partner, clients=clients, credentials=credentials, replay=replay, url=url
    )
    return Starlette(
        routes=[
            Route("/health", health),
            Route("/whoami", whoami),
            Route("/photos", list_photos),
            Route("/photos/{number}", read_photo),
            Route("/photos/{number}/prints", print_photo, methods=["POST"]),
            Route("/albums/{album}", read_album),
            WebSocketRoute("/photos/live", live),
            *customers.routes,
            *fhir.routes,
            *(integration.routes(outbound) if outbound is not None else []),
            Route("/legacy/{rest:path}", legacy),
        ],
        # CORS stands outside: a script of another origin may then read a refusal too.
        middleware=[
            Middleware(CORSMiddleware, allow_origins=origins, allow_headers=["Authorization"], allow_methods=["*"]),
            Middleware(OAuthMiddleware, server),
        ],
        exception_handlers={HTTPException: as_json},
    )


def signing(file: str | Path, *hosts: str) -> dict[str, Any]:
    """Options of `create_app`: requests to `hosts` may be signed with what the development server keeps in `file`.

    Used nonces go to a file beside it, which all worker processes share.
    """
    engine = create_engine(URL.create("sqlite", database=str(file)), poolclass=NullPool)
    return {
        "credentials": SQLCredentials(engine, keys=[Path(f"{file}.key").read_bytes()]),
        "replay": SQLiteReplay(f"{file}.replay"),
        "url": DirectURL(hosts=hosts),
    }


async def health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def whoami(request: Request) -> Response:
    """What an application behind a gateway is told about its caller."""
    return JSONResponse({name: value for name, value in request.headers.items() if name.startswith("oauth")})


async def legacy(request: Request) -> Response:
    """An application that was there before: it looks at the token itself, which comes as it was sent."""
    if request.headers.get("authorization") != "Bearer legacy":
        return Response("Ask the old server.", 401, {"WWW-Authenticate": 'Bearer realm="legacy"'})
    return Response("as ever")


@requires("photos")
async def list_photos(request: Request) -> Response:
    shown = request.state.grant.allows("photos.private")
    return JSONResponse({number: photo.title for number, photo in PHOTOS.items() if shown or not photo.private})


@requires("photos")
async def read_photo(request: Request) -> Response:
    return JSONResponse(asdict(photo_for(request.state.grant, request.path_params["number"])))


@requires("photos.print")
async def print_photo(request: Request) -> Response:
    grant: Grant = request.state.grant
    photo = photo_for(grant, request.path_params["number"])
    return JSONResponse({"printed": photo.title, "for": grant.subject or grant.client_id}, 202)


@requires("album:{album}:read")
async def read_album(request: Request) -> Response:
    album = request.path_params["album"]
    return JSONResponse([photo.title for photo in PHOTOS.values() if photo.album == album])


@requires("photos")
async def live(websocket: WebSocket) -> None:
    """Answers each number with its photo until the grant expires: a socket may outlive the token that opened it."""
    grant: Grant = websocket.state.grant
    left = grant.expires_at - time.time() if grant.expires_at else math.inf
    await websocket.accept()
    with anyio.move_on_after(left):
        while (message := await websocket.receive())["type"] == "websocket.receive":
            try:
                photo = photo_for(grant, message.get("text") or "")
            except HTTPException as error:
                await websocket.send_json({"error": error.detail})
            else:
                await websocket.send_json(asdict(photo))
        return
    await websocket.close(EXPIRED, "The grant has expired.")


def photo_for(grant: Grant, number: str) -> Photo:
    """The photo, when `grant` lets its bearer see it: only the photo itself can say which scope that takes."""
    photo = PHOTOS.get(number)
    if photo is None:
        raise HTTPException(404, "There is no such photo.")
    if photo.private:
        grant.require("photos.private")
    return photo


async def as_json(_request: Request, error: Exception) -> Response:
    """Starlette's own errors in the shape of oauth_rs's."""
    http = cast("HTTPException", error)
    body = {"error": HTTPStatus(http.status_code).phrase, "error_description": http.detail}
    return JSONResponse(body, http.status_code, http.headers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--issuer", default="http://127.0.0.1:9000", help="default: %(default)s")
    parser.add_argument("--audience", default="http://127.0.0.1:8000", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=8000, help="0 picks a free one (default: %(default)s)")
    parser.add_argument(
        "--credentials", type=Path, help="the development server's: requests to this (known) --port may be signed too"
    )
    options = parser.parse_args()
    hosts = f"127.0.0.1:{options.port}", f"localhost:{options.port}"
    signed = signing(options.credentials, *hosts) if options.credentials else {}
    uvicorn.run(create_app(options.issuer, options.audience, **signed), port=options.port)


if __name__ == "__main__":
    main()
