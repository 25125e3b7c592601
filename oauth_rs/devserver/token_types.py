"""What a token endpoint hands out: Bearer tokens, or MAC tokens with their keys (draft-ietf-oauth-v2-http-mac-05 4.1).

A MAC token is an access token like the others, with its key among its claims; and the key is in the ledger.
"""

from typing import Any

from oauthlib.oauth2 import BearerToken

from oauth_rs.devserver.ledger import Ledger

_MAC_ALGORITHM = "hmac-sha-256"


def token_type_of(request: Any) -> str:
    """The type that a token request asks for, in lower case: `bearer` where it does not say."""
    return (getattr(request, "token_type", None) or "bearer").lower()


class TokenTypes:
    """To oauthlib, the one kind of token there is."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._bearer = BearerToken(None, self._bearer_token, expires_in=ledger.mint.lifetime)

    def create_token(self, request: Any, *, refresh_token: bool) -> dict[str, Any]:
        if token_type_of(request) == "mac":
            return self._mac(request)
        token: dict[str, Any] = self._bearer.create_token(request, refresh_token=refresh_token)
        return token

    def _bearer_token(self, request: Any) -> str:
        return self._ledger.mint.token(**_wishes(request))

    def _mac(self, request: Any) -> dict[str, Any]:
        wishes = _wishes(request)
        client_id, scope = wishes["client_id"], wishes["scope"]
        key = self._ledger.mac_key(client_id=client_id, subject=client_id, scope=scope, algorithm=_MAC_ALGORITHM)
        text = key.key if isinstance(key.key, str) else key.key.decode()
        members = {"kid": key.kid, "mac_key": text, "mac_algorithm": _MAC_ALGORITHM}
        times = {"iat": key.issued_at, "exp": key.expires_at}
        return {
            "access_token": self._ledger.mint.token(**wishes, claims={**times, **members}),
            "token_type": "mac",
            **members,
            "expires_in": self._ledger.mint.lifetime,
            "scope": scope,
        }


def _wishes(request: Any) -> dict[str, Any]:
    return {
        "client_id": request.client.client_id,
        "scope": " ".join(request.scopes),
        "audience": request.audience or None,
    }
