"""Two back ends that only applications call: bills over REST, and records over FHIR. Both check their callers.

The demo starts them; they stand for services that somebody else runs.
"""

from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.starlette_app import fhir
from examples.starlette_app.integration import BILLS, RECORDS
from oauth_rs import Bearer, IssuerMetadata, JWTProvider, RemoteKeys, ResourceServer
from oauth_rs.starlette import protect, requires

OWED = {"ada": [120, 45], "bob": []}


def bills_app(issuer: str) -> Starlette:
    return protected(issuer, BILLS, [Route("/bills/{patient}", read_bills)])


def records_app(issuer: str) -> Starlette:
    return protected(issuer, RECORDS, fhir.routes)


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
