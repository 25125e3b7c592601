"""What the demo tries of the inventory: `python -m oauth_rs routes` on both examples, and on a route left open."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import examples.flask_app.app
import examples.starlette_app.app
import oauth_rs.flask
import oauth_rs.starlette
from examples.demo_world import Answer, App, Case, Expected
from oauth_rs import Bearer, JWTProvider, ResourceServer
from oauth_rs.inventory import assert_protected, unprotected

ROOT = Path(__file__).parents[1]
ISSUER, API = "https://id.example.com", "https://api.example.com"  # nobody is asked: no request is sent
GOALS = """\
GET /static/<path:filename> protected any grant
GET /goals protected goals
POST /goals protected goals.write
DELETE /goals protected goals.write and MaxAge(300) and goals.write
GET /goals/<int(max=9223372036854775807):number> protected goals
PATCH /goals/<int(max=9223372036854775807):number> protected goals.write
DELETE /goals/<int(max=9223372036854775807):number> protected goals.write
GET /whoami protected any grant

8 routes: 8 protected
"""
PHOTOS = """\
GET /health public - -
GET /whoami protected photos -
GET /photos protected photos -
GET /photos/{number} protected photos -
POST /photos/{number}/prints protected photos.print -
GET /albums/{album} protected album:{album}:read -
WEBSOCKET /photos/live protected photos -
GET /customers protected profile profile, address, customers.all
GET /customers/{number} protected profile profile, address, customers.all
PUT /customers/{number}/limit protected customers.all and customers.all and MaxAge(300) -
GET /fhir/Patient/{number} protected smart('Patient', 'r'
GET /fhir/Observation protected smart('Observation', 's'
GET /fhir/Observation/{number} protected smart('Observation', 'r'
GET /legacy/{rest:path} pass-through - -

14 routes: 1 public, 12 protected, 1 pass-through
"""
OPEN = Expected(1, shows=("! GET /debug unprotected -\n\nGET /debug (",))


def goals() -> Flask:
    return examples.flask_app.app.create_app(ISSUER, API, ":memory:")


def photos() -> Starlette:
    return examples.starlette_app.app.create_app(ISSUER, API)


def open_goals() -> Flask:
    """An application of which somebody forgot that credentials are optional."""
    app = Flask(__name__, static_folder=None)
    oauth_rs.flask.protect(app, optional())
    app.add_url_rule("/debug", "debug", lambda: "open")
    return app


def open_photos() -> Starlette:
    app = Starlette(routes=[Route("/debug", lambda _request: PlainTextResponse("open"))])
    oauth_rs.starlette.protect(app, optional())
    return app


def optional() -> ResourceServer:
    return ResourceServer(Bearer(JWTProvider(ISSUER, audience=API)), credentials="optional")


def inventory_cases(flask: App, starlette: App) -> Iterator[Case]:
    """By command, by assertion and by function. Statuses are those of the process, or 1 where a route is open."""
    fault = Expected(1, shows=("GET /debug",))
    for app, make, listed, left_open in ((flask, goals, GOALS, open_goals), (starlette, photos, PHOTOS, open_photos)):
        for function, sent, ask, expected in (
            (make, "routes", routes_command, Expected(0, shows=(f"\n{listed}",))),
            (make, "assert_protected", asserted, Expected(0)),
            (make, "unprotected", left_unprotected, Expected(0)),
            (left_open, "routes", routes_command, OPEN),
            (left_open, "assert_protected", asserted, fault),
            (left_open, "unprotected", left_unprotected, fault),
        ):
            name = "every route" if function is make else "a route left open"
            yield Case(app=app, name=name, sent=sent, send=partial(ask, function), expected=expected)


def routes_command(make: Callable[[], Any]) -> Answer:
    """What the command says of the application, without the last column, and without the defaults of SMART scopes."""
    target = f"{inventory_cases.__module__}:{make.__name__}()"
    command = [sys.executable, "-m", "oauth_rs", "routes", target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    return Answer(status=done.returncode, headers=httpx2.Headers(), body=squeezed(done.stdout))


def squeezed(table: str) -> str:
    rows = [re.split(" {2,}", line.strip()) for line in table.splitlines()]
    kept = [" ".join(row[:-1] or row).partition(", contexts")[0] for row in rows]
    return "".join(f"{line}\n" for line in kept)


def asserted(make: Callable[[], Any]) -> Answer:
    try:
        assert_protected(make())
    except AssertionError as error:
        return Answer(status=1, headers=httpx2.Headers(), body=str(error))
    return Answer(status=0, headers=httpx2.Headers())


def left_unprotected(make: Callable[[], Any]) -> Answer:
    found = unprotected(make())
    return Answer(status=int(bool(found)), headers=httpx2.Headers(), body=" ".join(route.name for route in found))
