"""Back ends that only applications call: bills over REST and records over FHIR for the photo service, fees and a union
catalogue for the lending library. All check their callers.

The demo starts them; they stand for services that somebody else runs.
"""

from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.lending import FEES, UNION
from examples.starlette_app import fhir
from examples.starlette_app.integration import BILLS, RECORDS
from oauth_rs import Bearer, IssuerMetadata, JWTProvider, RemoteKeys, ResourceServer
from oauth_rs.starlette import protect, requires

OWED = {"ada": [120, 45], "bob": []}


def bills_app(issuer: str) -> Starlette:
    return protected(issuer, BILLS, [Route("/bills/{patient}", read_bills)])


def records_app(issuer: str) -> Starlette:
    return protected(issuer, RECORDS, fhir.routes)


def fees_app(issuer: str) -> Starlette:
    return protected(issuer, FEES, [Route("/fees", read_fees)])


def union_app(issuer: str) -> Starlette:
    return protected(issuer, UNION, [Route("/requests", read_requests)])


def protected(issuer: str, audience: str, routes: list[Any]) -> Starlette:
    app = Starlette(routes=routes)
    keys = RemoteKeys(IssuerMetadata(issuer), cooldown=0)  # asks about every unknown key at once; in production 30 s
    protect(app, ResourceServer(Bearer(JWTProvider(issuer, audience=audience, keys=keys))))
    return app


@requires("bills.read")
async def read_bills(request: Request) -> Response:
    owed = OWED.get(request.path_params["patient"])
    if owed is None:
        raise HTTPException(404, "There is no such patient.")
    return JSONResponse({"bills": owed, "total": sum(owed)})


@requires("fees")
async def read_fees(request: Request) -> Response:
    """What the subject of the token owes, whoever asks on their behalf."""
    grant = request.state.grant
    asks = (grant.actor or {}).get("sub", "")
    return JSONResponse({"owes": 3, "reader": grant.subject, "through": asks})


@requires("requests")
async def read_requests(request: Request) -> Response:
    return JSONResponse({"account": request.state.grant.subject, "requests": ["Ars Magna", "Rechenbuch"]})
