"""The endpoints that real authorization servers have too, by path: which methods each takes, and what answers.

Does not serve them: `app` does, and adds the conveniences and OAuth 1.0a.
"""

from collections.abc import Collection, Mapping
from typing import TypeAlias

from oauth_rs.devserver import github, metadata, status_list
from oauth_rs.devserver.authentication import ClientAuthentication
from oauth_rs.devserver.clients import Client
from oauth_rs.devserver.grants import Grants
from oauth_rs.devserver.introspection import Introspection
from oauth_rs.devserver.issued import IssuedTokens
from oauth_rs.devserver.ledger import Ledger
from oauth_rs.devserver.messages import Call, Endpoint, Reply
from oauth_rs.devserver.refresh_tokens import RefreshTokens
from oauth_rs.devserver.revocation import Revocation
from oauth_rs.devserver.userinfo import UserInfo
from oauth_rs.devserver.users import Users

Endpoints: TypeAlias = Mapping[str, tuple[Collection[str], Endpoint]]
"""Methods and function of each path; a path may have parameters in braces."""


def endpoints(
    issued: IssuedTokens,
    *,
    ledger: Ledger,
    refresh_tokens: RefreshTokens,
    clients: Mapping[str, Client],
    users: Users,
    audiences: Collection[str],
    token_by_get: bool,
) -> Endpoints:
    """Those of the issuer of `issued`. With `token_by_get` tokens may be asked for in a query: some providers want it.

    `clients` are known by their ids.
    """
    issuer = issued.mint.issuer
    authentication = ClientAuthentication(clients, issuer=issuer, clock=issued.mint.clock)
    grants = Grants(
        ledger,
        clients=clients,
        authentication=authentication,
        issued=issued,
        refresh_tokens=refresh_tokens,
        audiences=audiences,
    )
    introspection = Introspection(issued, authentication=authentication, users=users)
    revocation = Revocation(issued, refresh_tokens=refresh_tokens, authentication=authentication)
    hub = github.GitHub(issued, users=users, authentication=authentication)
    about = metadata.Metadata(issuer, grants=grants)

    def jwks(_call: Call) -> Reply:
        return Reply(headers={}, body=issued.mint.keys.jwks(), media_type="application/jwk-set+json")

    return {
        "/token": (["GET", "POST"] if token_by_get else ["POST"], grants.respond),
        "/introspect": (["POST"], introspection.respond),
        "/revoke": (["POST"], revocation.respond),
        "/userinfo": (["GET", "POST"], UserInfo(issued, users=users).respond),
        "/jwks": (["GET"], jwks),
        **{path: (["GET"], about.respond) for path in metadata.PATHS},
        status_list.PATH: (["GET"], issued.statuses.respond),
        github.USER: (["GET"], hub.user),
        github.CHECK: (["POST"], hub.check),
    }
