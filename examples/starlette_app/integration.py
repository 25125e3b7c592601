"""One answer out of two back ends: what a patient owes, over REST, and what was measured, over FHIR.

The application calls them with tokens of its own, each made out to one of them; `outbound` gets and renews them. The
token of the caller goes no further than here.
"""

import asyncio
from typing import Any

import httpx2
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from oauth_rs.client_auth import ClientSecret
from oauth_rs.outbound import ClientCredentials, Connection, Connections
from oauth_rs.starlette import requires

BILLS, RECORDS = "https://bills.example.com", "https://records.example.com"  # as the issuer of their tokens knows them


def connections(issuer: str, client: ClientSecret, *, bills: str, records: str) -> Connections:
    """The back ends at the URLs `bills` and `records`, for the application that is `client` at `issuer`."""
    return Connections(
        {
            "bills": Connection(
                bills, auth=ClientCredentials(issuer, client=client, scopes=["bills.read"], audience=BILLS)
            ),
            "records": Connection(
                records, auth=ClientCredentials(issuer, client=client, scopes=["user/Observation.s"], audience=RECORDS)
            ),
        }
    )


def routes(outbound: Connections) -> list[Route]:
    @requires("summary")
    async def summary(request: Request) -> Response:
        patient = request.path_params["patient"]
        # A group of tasks would wrap what they raise, and a 503 of ours would end as a 500.
        bills, records = await asyncio.gather(
            ask(outbound, "bills", f"/bills/{patient}"), ask(outbound, "records", "/fhir/Observation")
        )
        measured = [
            entry["resource"]["valueQuantity"]
            for entry in records["entry"]
            if entry["resource"]["subject"]["reference"] == f"Patient/{patient}"
        ]
        return JSONResponse({"patient": patient, "owes": bills["total"], "measured": measured})

    return [Route("/summary/{patient}", summary)]


async def ask(outbound: Connections, name: str, path: str) -> Any:
    """The answer of a back end. One that fails is not the caller's fault: 502."""
    try:
        async with outbound[name].async_client() as client:
            return (await client.get(path)).raise_for_status().json()
    except (httpx2.HTTPError, ValueError) as error:
        raise HTTPException(502, "A back end did not answer as it should.") from error
