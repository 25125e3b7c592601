"""A lending library on Starlette, behind the checks of examples/lending.py."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.lending import (
    NoAnswer,
    Trusted,
    calling,
    loans,
    log_out,
    log_out_everywhere,
    server,
)
from oauth_rs import MemoryDenyList
from oauth_rs.outbound import Connections, bearer_token
from oauth_rs.starlette import protect


def create_app(trusted: Trusted, outbound: Connections, *, deny: MemoryDenyList) -> Starlette:
    """The application: `outbound` has the back ends, `deny` what was logged out."""

    async def read_fees(request: Request) -> Response:
        with calling():
            caller = outbound["fees"].on_behalf_of(bearer_token(request), request.state.grant)
            async with caller.async_client() as client:
                return JSONResponse((await client.get("/fees")).raise_for_status().json())

    async def read_requests(_request: Request) -> Response:
        with calling():
            async with outbound["union"].async_client() as client:
                return JSONResponse((await client.get("/requests")).raise_for_status().json())

    async def leave(request: Request) -> Response:
        log_out(deny, request.state.grant)
        return Response(status_code=204)

    async def leave_everywhere(request: Request) -> Response:
        log_out_everywhere(deny, request.state.grant)
        return Response(status_code=204)

    app = Starlette(
        routes=[
            Route("/health", health),
            Route("/loans", read_loans),
            Route("/fees", read_fees),
            Route("/requests", read_requests),
            Route("/log-out", leave, methods=["POST"]),
            Route("/log-out/everywhere", leave_everywhere, methods=["POST"]),
        ],
        exception_handlers={NoAnswer: no_answer},
    )
    protect(app, server(trusted, deny))
    return app


async def health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def read_loans(request: Request) -> Response:
    return JSONResponse(loans(request.state.grant))


async def no_answer(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "Bad Gateway"}, 502)
