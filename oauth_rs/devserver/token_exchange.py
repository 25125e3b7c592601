"""Token exchange: a client gets a token of its own for the subject of one that it holds (RFC 8693).

It delegates: the new token has an `act`. Both tokens are access tokens of this server. Does not read `may_act`, nor ask
whether the token was meant for the client that exchanges it.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from oauthlib.oauth2 import InvalidRequestError, InvalidScopeError, OAuth2Error

from oauth_rs.devserver.issued import IssuedTokens, scopes_of
from oauth_rs.devserver.token_types import TokenTypes

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
PARAMETERS = frozenset(
    {"subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type"}
)
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a type
JWT = "urn:ietf:params:oauth:token-type:jwt"

Check = Callable[[Any], None]


class TokenExchange:
    """To oauthlib, a grant type. `before` and `after` are asked as its own grants ask custom validators."""

    def __init__(
        self, validator: Any, *, issued: IssuedTokens, before: Iterable[Check], after: Iterable[Check]
    ) -> None:
        self._validator = validator
        self._issued = issued
        self._before = tuple(before)
        self._after = tuple(after)

    def create_token_response(self, request: Any, tokens: TokenTypes) -> tuple[dict[str, str], str, int]:
        try:
            self._validate(request)
        except OAuth2Error as error:
            return {}, error.json, error.status_code
        issued_type = request.requested_token_type or ACCESS_TOKEN
        return {}, json.dumps({**tokens.create_token(request), "issued_token_type": issued_type}), 200

    def _validate(self, request: Any) -> None:
        for check in self._before:
            check(request)
        self._validator.authenticate_client(request)
        request.requested_token_type = _requested(request)
        subject = self._claims(request, "subject")
        acting = self._claims(request, "actor")["sub"] if _given(request, "actor") else request.client.client_id
        # Section 4.1: who acts now stands outside, who acted before within.
        earlier = {"act": subject["act"]} if "act" in subject else {}
        request.user = subject["sub"]
        request.claims = {"act": {"sub": acting, **earlier}}
        held = scopes_of(subject)
        request.scopes = request.scopes or sorted(held)
        if not held.issuperset(request.scopes):
            raise InvalidScopeError
        for check in self._after:
            check(request)

    def _claims(self, request: Any, whose: str) -> dict[str, Any]:
        """The claims of the token that the request brings. Section 2.2.2: whatever is wrong, it is invalid_request."""
        if getattr(request, f"{whose}_token_type", None) != ACCESS_TOKEN:
            raise InvalidRequestError(description=f"The {whose}_token_type is {ACCESS_TOKEN}.")
        claims = self._issued.find(getattr(request, f"{whose}_token", None) or "")
        if claims is None or not isinstance(claims.get("sub"), str):
            raise InvalidRequestError(description=f"The {whose}_token is no access token that is good here.")
        return claims


def _given(request: Any, whose: str) -> bool:
    """True when there is a token or its type: section 2.1 has either both or none."""
    return any(getattr(request, name, None) for name in (f"{whose}_token", f"{whose}_token_type"))


def _requested(request: Any) -> str | None:
    wanted: str | None = getattr(request, "requested_token_type", None)
    if wanted not in {None, ACCESS_TOKEN, JWT}:
        raise InvalidRequestError(description=f"The requested_token_type is {ACCESS_TOKEN} or {JWT}.")
    if wanted == JWT:
        request.token_format = "jwt"  # noqa: S105 - the name of a format
    return wanted
