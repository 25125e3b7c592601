"""An orders API on Starlette, behind the checks of examples/gateway.py."""

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.gateway import ORDERS, server, told
from oauth_rs import RemoteKeys
from oauth_rs.starlette import protect


def create_app(issuer: str, key: EllipticCurvePrivateKey, *, keys: RemoteKeys | None = None) -> Starlette:
    """The application, with the options of `server`."""

    async def whoami(request: Request) -> Response:
        return JSONResponse(told(request.headers, key.public_key(), request.state.grant))

    app = Starlette(
        routes=[
            Route("/health", health),
            Route("/whoami", whoami),
            Route("/orders/{number}", read_order),
            Route("/orders/{number}/cancellation", cancel, methods=["POST"]),
            Route("/orders/{number}/refund", refund, methods=["POST"]),
            Route("/tenants/{tenant}/orders", of_tenant),
        ]
    )
    protect(app, server(issuer, key, keys=keys))
    return app


async def health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def read_order(request: Request) -> Response:
    order = ORDERS.get(request.path_params["number"])
    if order is None:
        raise HTTPException(404, "There is no such order.")
    return JSONResponse(order)


async def cancel(request: Request) -> Response:
    return JSONResponse({"cancelled": request.path_params["number"]}, 202)


async def refund(request: Request) -> Response:
    return JSONResponse({"refunded": request.path_params["number"]}, 202)


async def of_tenant(request: Request) -> Response:
    return JSONResponse({"orders of": request.path_params["tenant"]})
