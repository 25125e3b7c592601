"""Customers, shown by role: a salesperson sees the profile, a manager the address too, an admin everything.

Which scopes a role has stands in access.py. What each scope shows stands here, once, and is cut out of the answer on
its way out: a field that nobody listed is seen by nobody but the admin.
"""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from oauth_rs import FieldFilter, MaxAge
from oauth_rs.starlette import filtered, requires

FIELDS = FieldFilter(
    {
        "profile": ["name", "email", "age"],
        "address": ["address"],
        "customers.all": ["*"],
    },
    always=["number"],
)
CUSTOMERS: dict[str, dict[str, Any]] = {
    "1": {
        "number": 1,
        "name": "Grace Murray",
        "email": "grace@example.com",
        "age": 37,
        "address": {"street": "1 Harbour Lane", "city": "Arlington"},
        "credit": {"limit": 5000, "late": ["2025-03", "2026-01"]},
    },
    "2": {
        "number": 2,
        "name": "Edsger Wybe",
        "email": "edsger@example.com",
        "age": 42,
        "address": {"street": "2 Shortest Path", "city": "Nuenen"},
        "credit": {"limit": 900, "late": []},
    },
}


@requires("profile")
@filtered(FIELDS)
async def list_customers(_request: Request) -> Response:
    return JSONResponse(list(CUSTOMERS.values()))


@requires("profile")
@filtered(FIELDS)
async def read_customer(request: Request) -> Response:
    return JSONResponse(customer(request))


@requires("customers.all", MaxAge(300))  # whoever changes a limit has just proved who they are
async def set_limit(request: Request) -> Response:
    body = await request.body()
    if not body.isdigit() or len(body) > 6:  # noqa: PLR2004 - a million is nobody's
        raise HTTPException(400, "Send the new limit, a number of up to six digits.")
    customer(request)["credit"]["limit"] = int(body)
    return Response(status_code=204)


def customer(request: Request) -> dict[str, Any]:
    found = CUSTOMERS.get(request.path_params["number"])
    if found is None:
        raise HTTPException(404, "There is no such customer.")
    return found


routes = [
    Route("/customers", list_customers),
    Route("/customers/{number}", read_customer),
    Route("/customers/{number}/limit", set_limit, methods=["PUT"]),
]
