"""A small part of a FHIR server, `Patient` and `Observation`, behind SMART scopes.

`patient/Observation.rs` opens the observations of the patient in the launch context, `user/Observation.rs` those of
all, and `user/Observation.rs?category=vital-signs` one kind of them. The handlers ask `access` how far a grant reaches.
"""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from oauth_rs.smart import Access, access, smart
from oauth_rs.starlette import requires

MEDIA_TYPE = "application/fhir+json"
PATIENTS = {
    "ada": {"resourceType": "Patient", "id": "ada", "name": [{"family": "Lovelace"}]},
    "bob": {"resourceType": "Patient", "id": "bob", "name": [{"family": "Noyce"}]},
}
OBSERVATIONS = {
    number: {
        "resourceType": "Observation",
        "id": number,
        "subject": {"reference": f"Patient/{patient}"},
        "category": [{"coding": [{"code": category}]}],
        "valueQuantity": {"value": value, "unit": unit},
    }
    for number, patient, category, value, unit in (
        ("1", "ada", "vital-signs", 62, "/min"),
        ("2", "ada", "laboratory", 5.1, "mmol/l"),
        ("3", "bob", "vital-signs", 71, "/min"),
    )
}


@requires(smart("Patient", "r", patient="number"))
async def read_patient(request: Request) -> Response:
    found = PATIENTS.get(request.path_params["number"])
    if found is None:
        raise HTTPException(404, "There is no such patient.")
    return JSONResponse(found, media_type=MEDIA_TYPE)


@requires(smart("Observation", "r", filtered=True))
async def read_observation(request: Request) -> Response:
    found = OBSERVATIONS.get(request.path_params["number"])
    # One that is out of reach is like one that does not exist: the answer gives nothing away.
    if found is None or not reaches(access(request.state.grant, "Observation", filtered=True), "r", found):
        raise HTTPException(404, "There is no such observation.")
    return JSONResponse(found, media_type=MEDIA_TYPE)


@requires(smart("Observation", "s", filtered=True))
async def search_observations(request: Request) -> Response:
    reach = access(request.state.grant, "Observation", filtered=True)
    entries = [{"resource": found} for found in OBSERVATIONS.values() if reaches(reach, "s", found)]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}
    return JSONResponse(bundle, media_type=MEDIA_TYPE)


def reaches(reach: Access, letter: str, observation: dict[str, Any]) -> bool:
    patient = observation["subject"]["reference"].removeprefix("Patient/")
    category = observation["category"][0]["coding"][0]["code"]

    def matches(parameter: str, value: str) -> bool:
        return parameter == "category" and category in value.split(",")

    return reach.reaches(letter, patient=patient, matches=matches)


routes = [
    Mount(
        "/fhir",
        routes=[
            Route("/Patient/{number}", read_patient),
            Route("/Observation", search_observations),
            Route("/Observation/{number}", read_observation),
        ],
    )
]
