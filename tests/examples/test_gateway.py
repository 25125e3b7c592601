"""The orders API as its demo tries it, over real ports, and that each case can fail: on servers that check less."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from examples import gateway
from examples.demo_gateway_cases import gateway_cases
from examples.demo_setup import gateways
from examples.demo_world import World
from examples.flask_app.gateway import create_app as create_flask_app
from examples.starlette_app.gateway import create_app as create_starlette_app
from oauth_rs import AllOf, OperationScopes
from oauth_rs.devserver import DevServer
from oauth_rs.inventory import assert_protected, routes
from tests.support.issuing import ISSUER

KEY = ec.generate_private_key(ec.SECP256R1())
HOSTS = [gateway.LIVE, gateway.SANDBOX, "example.net"]
ALLOWED = [f"{gateway.LOGIN}/*", gateway.MOVED]
LESS: tuple[tuple[str, dict[str, Any], set[str]], ...] = (
    ("JWTProvider", {"clients": None}, {"client not registered"}),
    ("JWTProvider", {"scopes": None}, {"header of partners"}),
    ("JWTProvider", {"properties": ()}, {"signed identity, property"}),
    (
        "JWTProvider",
        {"audience": [gateway.API, gateway.SANDBOX_API]},
        {"live host, sandbox token", "sandbox host, live token"},
    ),
    ("TenantProviders", {"accepts": ()}, {"path of no tenant"}),
    ("TenantProviders", {"allow": ALLOWED}, {"tenant not allowed"}),
    ("DirectURL", {"hosts": HOSTS}, {"host of nobody"}),
    ("ResourceServer", {"hide_credentials": False}, {"credentials hidden", "partner token hidden"}),
    ("ResourceServer", {"filters": None}, {"live host", "sandbox host", "prefix", "header of partners"}),
)
RULES: tuple[tuple[str, Any, set[str]], ...] = (
    ("POST /orders/<number>/refund", AllOf("orders.write"), {"acr too low", "acr, an hour ago"}),
    ("POST /orders/<number>/cancellation", AllOf("orders.write"), {"condition: another"}),
    ("GET /tenants/<tenant>/orders", AllOf("orders.read"), {"path of another tenant"}),
)


def failing(server: DevServer) -> list[set[str]]:
    """The names of the cases that are not as expected, for each framework."""
    with ExitStack() as stack:
        apps = gateways(stack, server.issuer)
        http = stack.enter_context(httpx2.Client(trust_env=False, timeout=60))
        world = World(
            issuer=server,
            partner=server,
            internal=server,
            http=http,
            start=lambda: apps,
            gateways=apps,
            rsa_key="",
            client_secret="",
            api_key="",
        )
        return [
            {case.name for case in gateway_cases(world, app) if not case.expected.met_by(case.send())} for app in apps
        ]


def test_all_is_as_the_demo_expects(server: DevServer) -> None:
    assert failing(server) == [set(), set()]


@pytest.mark.parametrize(
    ("what", "changed", "names"), LESS, ids=[f"{what}-{'-'.join(changed)}" for what, changed, _ in LESS]
)
def test_a_server_that_checks_less_fails_the_demo(
    server: DevServer, monkeypatch: pytest.MonkeyPatch, what: str, changed: dict[str, Any], names: set[str]
) -> None:
    strict = getattr(gateway, what)

    def made(self: object, *given: Any, **options: Any) -> None:
        strict.__init__(self, *given, **{**options, **changed})

    monkeypatch.setattr(gateway, what, type(what, (strict,), {"__init__": made}))
    assert failing(server) == [names, names]


@pytest.mark.parametrize(("operation", "rule", "names"), RULES, ids=[rule[0] for rule in RULES])
def test_a_policy_that_asks_for_less_fails_the_demo(
    server: DevServer, monkeypatch: pytest.MonkeyPatch, operation: str, rule: Any, names: set[str]
) -> None:
    monkeypatch.setattr(gateway, "POLICY", OperationScopes({**dict(gateway.POLICY.rules()), operation: rule}))
    assert failing(server) == [names, names]


@pytest.mark.parametrize("create_app", [create_flask_app, create_starlette_app])
def test_every_route_is_protected_or_public(create_app: Callable[..., Any]) -> None:
    app = create_app(ISSUER, KEY)
    assert_protected(app)
    assert [route.name for route in routes(app) if route.protection != "protected"] == ["GET /health"]


@pytest.mark.parametrize("header", [{"typ": "at+jwt"}, {"typ": "JWT"}, {"typ": None}])
def test_what_is_no_identity_is_not_taken_for_one(header: dict[str, Any]) -> None:
    token = jwt.encode({"sub": "root"}, KEY, algorithm="ES256", headers=header)
    with pytest.raises(jwt.InvalidTokenError, match="not an identity"):
        gateway.caller({"OAuth-Identity": token}, KEY.public_key())
