"""What an orders API asks of its callers. flask_app/gateway.py and starlette_app/gateway.py are the applications.

Callers of six kinds are told apart before anything is verified: by host, by path, by header, by the beginning of a
token, by the scopes it claims, and by tenant. The views know nothing of tokens: they read one signed header.
"""

from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from werkzeug.datastructures import Headers

from oauth_rs import (
    Acr,
    AllOf,
    AnyOf,
    Bearer,
    CarriesScope,
    Condition,
    DirectURL,
    FieldFilter,
    Grant,
    Header,
    InHeader,
    JWTProvider,
    MaxAge,
    OnHost,
    OperationScopes,
    Public,
    RemoteKeys,
    Request,
    ResourceServer,
    SignedIdentity,
    TenantProviders,
    TokenPrefix,
    UnderPath,
)
from oauth_rs.signed_identity import TYP

LIVE, SANDBOX = "api.example.com", "sandbox.api.example.com"
API, SANDBOX_API = f"https://{LIVE}", f"https://{SANDBOX}"  # the audiences: tokens are good for one of the two
DEVICES = "https://devices.example.com"  # issues tokens that begin with dev_
LOGIN = "https://login.example.com"  # has an issuer for each tenant
MOVED = "https://old-login.example.com/acme"  # still on file, but not among the issuers that are allowed
TENANTS = {f"{LOGIN}/acme": "acme", f"{LOGIN}/globex": "globex", MOVED: "acme"}
CLIENTS = {"demo"}  # of the customers: no other application may act for them
MFA = "urn:example:mfa"
GATEWAY, BEHIND = "https://gateway.example.com", "https://orders.internal"  # who signs identities, and for whom

ORDERS: dict[str, dict[str, Any]] = {
    "1": {"number": 1, "owner": "ada", "total": 165, "margin": 0.3},
    "2": {"number": 2, "owner": "bob", "total": 90, "margin": 0.1},
}
FILTERS = {"GET /orders/<number>": FieldFilter({"orders.read": ["total"], "staff": ["*"]}, always=["number"])}


def owns(grant: Grant, request: Request) -> bool:
    order = ORDERS.get(request.parameters["number"])
    return order is not None and bool(order["owner"] == grant.subject)


def own_tenant(grant: Grant, request: Request) -> bool:
    return bool(request.parameters["tenant"] == grant.owner_domain)


POLICY = OperationScopes(
    {
        "GET /health": Public(),
        "GET /whoami": AllOf(),
        "GET /orders/<number>": AnyOf("orders.read", "staff"),
        "POST /orders/<number>/cancellation": AllOf("orders.write", Condition(owns)),
        "POST /orders/<number>/refund": AllOf("orders.write", Acr(MFA), MaxAge(300)),
        "GET /tenants/<tenant>/orders": AllOf("orders.read", Condition(own_tenant)),
    }
)


def server(issuer: str, key: EllipticCurvePrivateKey, *, keys: RemoteKeys | None = None) -> ResourceServer:
    """The server in front of the orders, for customers, staff and partners of `issuer`, devices and tenants.

    `key` signs the identities. `keys` replaces the key sets that the metadata of the issuers names.
    """

    def tenant(found: str) -> JWTProvider | None:
        return JWTProvider(found, audience=API, keys=keys, domain=TENANTS[found]) if found in TENANTS else None

    usual = InHeader("Authorization")
    bearer = Bearer(
        JWTProvider(
            issuer,
            audience=API,
            keys=keys,
            accepts=[OnHost(LIVE), usual, CarriesScope("orders.*")],
            clients=CLIENTS,
            properties={"plan": "plan"},
            owner={"name": "name"},
            name="customers",
        ),
        JWTProvider(
            issuer, audience=API, keys=keys, accepts=[OnHost(LIVE), usual, CarriesScope("staff")], name="staff"
        ),
        JWTProvider(issuer, audience=SANDBOX_API, keys=keys, accepts=[OnHost(SANDBOX), usual], name="sandbox"),
        JWTProvider(
            issuer,
            audience=API,
            keys=keys,
            accepts=InHeader("X-Partner-Token"),
            scopes={"orders.read"},
            name="partners",
        ),
        JWTProvider(DEVICES, audience=API, keys=keys, accepts=TokenPrefix("dev_"), name="devices"),
        TenantProviders(tenant, allow=[f"{LOGIN}/*"], accepts=UnderPath("/tenants/*")),
        presentation=[Header("Authorization", "Bearer"), Header("X-Partner-Token")],
        realm="orders",
    )
    return ResourceServer(
        bearer,
        url=DirectURL(hosts=[LIVE, SANDBOX]),
        policy=POLICY,
        filters=FILTERS,
        identity=SignedIdentity(key, issuer=GATEWAY, audience=BEHIND),
        hide_credentials=True,
    )


def caller(headers: Headers | Mapping[str, str], key: EllipticCurvePublicKey) -> dict[str, Any]:
    """Who calls, by the signed header: what an application behind does that others than the gateway can reach."""
    token = headers["OAuth-Identity"]
    if jwt.get_unverified_header(token).get("typ") != TYP:
        raise jwt.InvalidTokenError("not an identity")
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=["ES256"],
        issuer=GATEWAY,
        audience=BEHIND,
        options={"require": ["exp", "iat", "iss", "aud", "jti"]},
    )
    return claims


def told(headers: Headers | Mapping[str, str], key: EllipticCurvePublicKey, grant: Grant) -> dict[str, Any]:
    """What is known of the caller, and which credentials are there to be seen: none, for they are hidden."""
    return {
        "provider": grant.provider,
        "caller": caller(headers, key),
        "details": [details["type"] for details in grant.authorization_details],
        "credentials": [name for name in ("Authorization", "X-Partner-Token") if name in headers],
    }
