"""What a token endpoint hands out: Bearer tokens, or MAC tokens with their keys (draft-ietf-oauth-v2-http-mac-05 4.1).

A MAC token is an access token like the others, with its key among its claims; and the key is in the ledger. Does not
decide who gets one.
"""

from typing import Any

from oauth_rs.devserver.issued import IssuedTokens
from oauth_rs.devserver.ledger import Ledger
from oauth_rs.devserver.refresh_tokens import Family, RefreshTokens

FORMATS = {"jwt", "opaque"}
_MAC_ALGORITHM = "hmac-sha-256"


def token_type_of(request: Any) -> str:
    """The type that a token request asks for, in lower case: `bearer` where it does not say."""
    return (getattr(request, "token_type", None) or "bearer").lower()


def token_format_of(request: Any) -> str:
    """`jwt` or `opaque`: what the request asks for, or what its client is given otherwise."""
    return getattr(request, "token_format", None) or ("opaque" if request.client.opaque else "jwt")


class TokenTypes:
    """To oauthlib, the one kind of token there is.

    A grant leaves on the request its `client`, `scopes` and `audience`; where they differ from the client's the `user`
    and further `claims`; and the `family` of a refresh token.
    """

    def __init__(self, ledger: Ledger, *, issued: IssuedTokens, refresh_tokens: RefreshTokens) -> None:
        self._ledger = ledger
        self._issued = issued
        self._refresh_tokens = refresh_tokens

    def create_token(self, request: Any, **_options: Any) -> dict[str, Any]:
        mac = token_type_of(request) == "mac"
        members, claims = self._mac(request) if mac else ({"token_type": "Bearer"}, {})
        claims = {**claims, "sub": subject_of(request), **(request.claims or {})}
        token = {
            "access_token": self._access_token(request, claims),
            **members,
            "expires_in": self._ledger.mint.lifetime,
            "scope": " ".join(request.scopes),
        }
        family = self._family(request)
        if family is not None:
            token["refresh_token"] = self._refresh_tokens.follow(family, access_token=token["access_token"])
        return token

    def _access_token(self, request: Any, claims: dict[str, Any]) -> str:
        wishes = {
            "client_id": request.client.client_id,
            "scope": " ".join(request.scopes),
            "audience": audience_claim(request.audience),
            "claims": claims,
        }
        if token_format_of(request) == "opaque":
            return self._issued.opaque(**wishes)
        return self._issued.jwt(**wishes, status=request.client.status)

    def _family(self, request: Any) -> Family | None:
        """That of the refresh token it was asked with; a new one for clients that are given refresh tokens."""
        if request.grant_type != "client_credentials" or not request.client.refresh:
            family: Family | None = getattr(request, "family", None)
            return family
        return self._refresh_tokens.begin(
            client_id=request.client.client_id,
            subject=subject_of(request),
            scopes=tuple(request.scopes),
            audience=request.audience,
        )

    def _mac(self, request: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The members of the answer that tell the key, and the claims."""
        key = self._ledger.mac_key(
            client_id=request.client.client_id,
            subject=subject_of(request),
            scope=" ".join(request.scopes),
            algorithm=_MAC_ALGORITHM,
        )
        text = key.key if isinstance(key.key, str) else key.key.decode()
        members = {"kid": key.kid, "mac_key": text, "mac_algorithm": _MAC_ALGORITHM}
        times = {"iat": key.issued_at, "exp": key.expires_at}
        return {"token_type": "mac", **members}, {**times, **members}


def audience_claim(audience: tuple[str, ...]) -> str | list[str] | None:
    """One as text, several as a list (RFC 7519 section 4.1.3); None where there is none."""
    return list(audience) if len(audience) > 1 else next(iter(audience), None)


def subject_of(request: Any) -> str:
    subject: str = request.user or request.client.client_id
    return subject
