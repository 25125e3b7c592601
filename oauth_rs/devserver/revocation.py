"""The revocation endpoint: a client gives up an access token, or a refresh token with all that followed (RFC 7009).

Does not tell an unknown token from a revoked one: both are a 200.
"""

from oauthlib.oauth2 import InvalidGrantError, InvalidRequestError, OAuth2Error

from oauth_rs.devserver.authentication import FIELDS, ClientAuthentication
from oauth_rs.devserver.clients import Client
from oauth_rs.devserver.issued import IssuedTokens
from oauth_rs.devserver.messages import Call, Reply, refusal
from oauth_rs.devserver.refresh_tokens import RefreshTokens

_PARAMETERS = FIELDS | {"token", "token_type_hint"}  # RFC 7009 section 2.1: a hint may be ignored


class Revocation:
    """Revokes tokens of `issued` and `refresh_tokens` for the client that they were issued to."""

    def __init__(
        self, issued: IssuedTokens, *, refresh_tokens: RefreshTokens, authentication: ClientAuthentication
    ) -> None:
        self._issued = issued
        self._refresh_tokens = refresh_tokens
        self._authentication = authentication

    def respond(self, call: Call) -> Reply:
        try:
            fields = call.fields(_PARAMETERS)
            client = self._authentication.authenticate(fields, call.authorization)
            if "token" not in fields:
                raise InvalidRequestError(description="Send the token.")
            self._revoke(fields["token"], client)
        except OAuth2Error as error:
            return refusal(error)
        return Reply()

    def _revoke(self, token: str, client: Client) -> None:
        family = self._refresh_tokens.owner(token)
        claims = self._issued.find(token)
        if family is not None:
            _check_owner(family.client_id, client)
            self._refresh_tokens.end(family)
        elif claims is not None:
            _check_owner(claims.get("client_id"), client)
            self._issued.revoke(token)


def _check_owner(client_id: object, client: Client) -> None:
    if client_id != client.client_id:
        raise InvalidGrantError(description="The token was issued to another client.")
