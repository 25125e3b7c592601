"""An orders API on Flask, behind the checks of examples/gateway.py."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from flask import Flask, abort, request

from examples.gateway import ORDERS, server, told
from oauth_rs import RemoteKeys
from oauth_rs.flask import current_grant, protect


def create_app(issuer: str, key: EllipticCurvePrivateKey, *, keys: RemoteKeys | None = None) -> Flask:
    """The application, with the options of `server`."""
    app = Flask(__name__, static_folder=None)
    protect(app, server(issuer, key, keys=keys))

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/whoami")
    def whoami() -> dict[str, Any]:
        return told(request.headers, key.public_key(), current_grant)

    @app.get("/orders/<number>")
    def read_order(number: str) -> dict[str, Any]:
        return ORDERS.get(number) or abort(404)

    @app.post("/orders/<number>/cancellation")
    def cancel(number: str) -> tuple[dict[str, str], int]:
        return {"cancelled": number}, 202

    @app.post("/orders/<number>/refund")
    def refund(number: str) -> tuple[dict[str, str], int]:
        return {"refunded": number}, 202

    @app.get("/tenants/<tenant>/orders")
    def of_tenant(tenant: str) -> dict[str, str]:
        return {"orders of": tenant}

    return app
