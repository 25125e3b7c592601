import logging
import threading
from collections.abc import Callable
from copy import copy
from typing import Any

import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from oauth_rs import Bearer, JWTProvider, ResourceServer, StaticKeys, flask, starlette
from oauth_rs.errors import OAuthError
from oauth_rs.outbound import ClientCredentials, OutboundError, TokenRefused, TokenUnusable, WrongOrigin
from tests.outbound.provider import CLIENT, Provider
from tests.support.issuing import API, ISSUER, Issuer

Ask = Callable[[], Any]
Answer = tuple[int, dict[str, str]]


@pytest.mark.parametrize("kind", [TokenRefused, TokenUnusable, WrongOrigin])
def test_an_error_is_its_reason_and_none_of_a_callers(kind: type[OutboundError]) -> None:
    error = kind("invalid_client")
    assert (str(error), error.reason, repr(error)) == (
        "invalid_client",
        "invalid_client",
        f"{kind.__name__}('invalid_client')",
    )
    assert isinstance(error, OutboundError)
    assert not isinstance(error, OAuthError)


def test_an_error_says_what_it_is_about_beside_its_reason() -> None:
    error = copy(TokenRefused("invalid_scope", "no token of https://id.example.com"))
    assert str(error) == "invalid_scope: no token of https://id.example.com"
    assert (error.reason, error.detail) == ("invalid_scope", "no token of https://id.example.com")


# What the callers of a protected API get when a handler lets an error escape


def through_flask(server: ResourceServer, headers: dict[str, str], source: ClientCredentials) -> Answer:
    app = Flask(__name__)
    flask.protect(app, server)

    @app.get("/")
    @flask.requires()
    def view() -> str:
        return source.token()

    reply = app.test_client().get("/", headers=headers)
    return reply.status_code, dict(reply.headers)


def through_starlette(server: ResourceServer, headers: dict[str, str], source: ClientCredentials) -> Answer:
    @starlette.requires()
    async def endpoint(_request: Request) -> Response:
        return JSONResponse(await source.async_token())

    app = Starlette(routes=[Route("/", endpoint)])
    starlette.protect(app, server)
    with TestClient(app, raise_server_exceptions=False) as client:
        reply = client.get("/", headers=headers)
    return reply.status_code, dict(reply.headers)


@pytest.fixture(params=[through_flask, through_starlette])
def call(request: pytest.FixtureRequest, provider: Provider, issuer: Issuer) -> Ask:
    keys = StaticKeys.from_jwks({"keys": [issuer.jwk]})
    server = ResourceServer(Bearer(JWTProvider(ISSUER, audience=API, keys=keys)))
    headers = {"Authorization": f"Bearer {issuer.token()}"}
    return lambda: request.param(server, headers, ClientCredentials(provider.url, client=CLIENT))


def test_callers_get_what_the_handler_makes_of_a_token(call: Ask) -> None:
    assert call()[0] == 200


@pytest.mark.parametrize("answer", [(500, {}), (503, b"<html>"), b"<html>"], ids=str)
def test_an_outage_is_a_503_that_says_when_to_try_again(call: Ask, provider: Provider, answer: Any) -> None:
    provider.answers["/token"] = answer
    status, headers = call()
    assert (status, {name.lower(): value for name, value in headers.items()}["retry-after"]) == (503, "1")


@pytest.mark.parametrize("answer", [(401, b""), (400, {"error": "invalid_client"})], ids=str)
def test_wrong_credentials_of_ours_are_a_503_that_is_logged(
    call: Ask, provider: Provider, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    provider.answers["/token"] = answer
    status, headers = call()
    assert (status, {name.lower(): value for name, value in headers.items()}["retry-after"]) == (503, "30")
    (record,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert record.getMessage().startswith("configuration: ")


@pytest.mark.parametrize("answer", [(400, {"error": "invalid_scope"}), {"access_token": "a"}], ids=str)
def test_what_the_provider_refuses_is_no_fault_of_callers(call: Ask, provider: Provider, answer: Any) -> None:
    provider.answers["/token"] = answer
    assert call()[0] == 500


def test_the_errors_of_one_failure_are_not_one_object(provider: Provider) -> None:
    provider.answers["/token"] = (400, {"error": "invalid_scope"})
    source = ClientCredentials(provider.url, client=CLIENT)
    errors: list[OutboundError] = []

    def ask() -> None:
        try:
            source.token()
        except OutboundError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(error) for error in errors}) == 5
    assert provider.tokens == 1
