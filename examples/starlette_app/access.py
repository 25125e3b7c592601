"""Who may do what in the photo service: providers, scopes, roles, and what each operation asks for, stated once.

The handlers ask for more where only they can know: which photo is private, which patient a resource is about.
"""

from typing import Any

from oauth_rs import (
    MAC,
    Bearer,
    ClientKey,
    ClientRegistry,
    Credentials,
    ExternalURL,
    IdentityHeaders,
    JWTProvider,
    KeyHeader,
    OAuth1,
    OperationScopes,
    PassThrough,
    Public,
    RemoteKeys,
    ReplayStore,
    ResourceServer,
    RoleMap,
    Scheme,
    Scope,
    ScopeCatalogue,
)
from oauth_rs.smart import smart

CATALOGUE = ScopeCatalogue(
    {
        "photos": Scope("Look at photos", id=1),
        "photos.print": Scope("Have photos printed", id=2),
        "photos.private": Scope("See private photos: for our own applications"),
        "summary": Scope("See what a patient owes, and what was measured"),
        "customers.all": Scope(
            "Everything about customers",
            children={
                "profile": Scope("Name, e-mail address and age of customers"),
                "address": Scope("Where customers live"),
            },
        ),
    },
    families=["album:{album}:read"],  # a scope for each album
)
ROLES = RoleMap(
    "realm_access.roles",
    {"salesperson": {"profile"}, "manager": {"profile", "address"}, "admin": {"customers.all"}},
)
# What is not here is refused.
POLICY = OperationScopes(
    {
        "GET /health": Public(),
        "GET /whoami": "photos",
        "GET /photos": "photos",
        "GET /photos/live": "photos",
        "GET /photos/<number>": "photos",
        "POST /photos/<number>/prints": "photos.print",
        "GET /albums/<album>": "album:{album}:read",
        "GET /customers": "profile",
        "GET /customers/<number>": "profile",
        "PUT /customers/<number>/limit": "customers.all",
        "GET /fhir/Patient/<number>": smart("Patient", "r"),
        "GET /fhir/Observation": smart("Observation", "s", filtered=True),
        "GET /fhir/Observation/<number>": smart("Observation", "r", filtered=True),
        "GET /summary/<patient>": "summary",
        "* /legacy/<path:rest>": PassThrough(),  # an old application that checks its callers itself
    }
)
# A partner's applications look at photos, whatever else their tokens say.
PARTNER_SCOPES = {"photos"}


def server(
    issuer: str,
    audience: str,
    *,
    keys: RemoteKeys | None = None,
    partner: str = "",
    clients: ClientRegistry | None = None,
    credentials: Credentials | None = None,
    replay: ReplayStore | None = None,
    url: ExternalURL | None = None,
) -> ResourceServer:
    """The server in front of the application; the options are those of `create_app`."""
    provider = JWTProvider(issuer, audience=audience, keys=keys, roles=ROLES)
    partners = [JWTProvider(partner, audience=audience, scopes=PARTNER_SCOPES)] if partner else []
    schemes: list[Scheme] = [Bearer(provider, *partners, realm="photos")]
    if clients is not None:
        schemes.append(ClientKey(clients, presentation=[KeyHeader("X-API-Key")], roles=KEY_ROLES, realm="photos"))
    if credentials is not None:
        schemes += [OAuth1(credentials, realm="photos"), MAC(credentials, tokens=provider, realm="photos")]
    options: dict[str, Any] = {"policy": POLICY, "scopes": CATALOGUE, "identity": IdentityHeaders()}
    return ResourceServer(*schemes, url=url, replay=replay, **options)


KEY_ROLES = {"kiosk": {"photos"}}  # what the holder of an API key may do, by its role in the registry
