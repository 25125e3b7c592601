"""A lending library on Flask, behind the checks of examples/lending.py."""

from typing import Any

from flask import Flask, request

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
from oauth_rs.flask import current_grant, protect
from oauth_rs.outbound import Connections, bearer_token


def create_app(trusted: Trusted, outbound: Connections, *, deny: MemoryDenyList) -> Flask:
    """The application: `outbound` has the back ends, `deny` what was logged out."""
    app = Flask(__name__, static_folder=None)
    protect(app, server(trusted, deny))
    app.register_error_handler(NoAnswer, no_answer)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/loans")
    def read_loans() -> dict[str, Any]:
        return loans(current_grant)

    @app.get("/fees")
    def read_fees() -> Any:
        with calling():
            caller = outbound["fees"].on_behalf_of(bearer_token(request), current_grant)
            with caller.client() as client:
                return client.get("/fees").raise_for_status().json()

    @app.get("/requests")
    def read_requests() -> Any:
        with calling(), outbound["union"].client() as client:
            return client.get("/requests").raise_for_status().json()

    @app.post("/log-out")
    def leave() -> tuple[str, int]:
        log_out(deny, current_grant)
        return "", 204

    @app.post("/log-out/everywhere")
    def leave_everywhere() -> tuple[str, int]:
        log_out_everywhere(deny, current_grant)
        return "", 204

    return app


def no_answer(_error: NoAnswer) -> tuple[dict[str, str], int]:
    return {"error": "Bad Gateway"}, 502
