"""What the development server says about itself (RFC 8414 section 2).

Names only what has a registered name: not the status list, of which tokens know the address, nor `/github` and `/dev`.
"""

from typing import Any

from oauth_rs.devserver.authentication import METHODS
from oauth_rs.devserver.grants import Grants
from oauth_rs.devserver.keys import ALGORITHMS
from oauth_rs.devserver.messages import Call, Reply
from oauth_rs.jose.algorithms import ASYMMETRIC

NOTICE = "Development only, not for production: anyone who reaches /dev/token can mint any token."
PATHS = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")

_SIGNED = sorted(ASYMMETRIC)


class Metadata:
    """The metadata of `issuer`, whatever Host it is asked for under."""

    def __init__(self, issuer: str, *, grants: Grants) -> None:
        self._document = {
            "issuer": issuer,
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/jwks",
            "introspection_endpoint": f"{issuer}/introspect",
            "revocation_endpoint": f"{issuer}/revoke",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "grant_types_supported": grants.grant_types,
            "scopes_supported": grants.scopes,
            "response_types_supported": [],
            **_authentication("token"),
            **_authentication("introspection", "Bearer"),
            **_authentication("revocation"),
            "introspection_signing_alg_values_supported": list(ALGORITHMS),  # RFC 9701 section 7
            "oauth_rs_notice": NOTICE,
        }

    def respond(self, _call: Call) -> Reply:
        return Reply(headers={}, body=self._document)


def _authentication(endpoint: str, *more: str) -> dict[str, Any]:
    return {
        f"{endpoint}_endpoint_auth_methods_supported": [*METHODS, *more],
        f"{endpoint}_endpoint_auth_signing_alg_values_supported": _SIGNED,
    }
