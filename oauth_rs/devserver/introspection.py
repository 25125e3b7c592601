"""The introspection endpoint: what a token means, as JSON or signed (RFC 7662, RFC 9701).

Any client may ask about any access token, and so may the bearer of a token with the scope `introspect`. Refresh tokens
are not told from unknown text: a resource server must not take one for an access token. Does not limit who sees what.
"""

from http import HTTPStatus
from typing import Any

from oauthlib.oauth2 import InvalidRequestError, OAuth2Error
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from oauth_rs.devserver.authentication import FIELDS, ClientAuthentication
from oauth_rs.devserver.issued import IssuedTokens
from oauth_rs.devserver.messages import Call, Reply, refusal
from oauth_rs.devserver.users import Users

SCOPE = "introspect"
MEDIA_TYPE = "application/token-introspection+jwt"
_JSON = "application/json"
_PARAMETERS = FIELDS | {"token", "token_type_hint"}  # RFC 7662 section 2.1: a hint may be ignored


class Introspection:
    """Answers for the tokens of `issued`."""

    def __init__(self, issued: IssuedTokens, *, authentication: ClientAuthentication, users: Users) -> None:
        self._issued = issued
        self._authentication = authentication
        self._users = users

    def respond(self, call: Call) -> Reply:
        try:
            fields = call.fields(_PARAMETERS)
            asking = self._asking(fields, call.authorization)
            if "token" not in fields:
                raise InvalidRequestError(description="Send the token.")
        except OAuth2Error as error:
            return refusal(error)
        members = self._members(fields["token"])
        accepted = parse_accept_header(call.accept, MIMEAccept)
        if accepted.best_match([_JSON, MEDIA_TYPE]) == MEDIA_TYPE:
            return self._signed(members, asking)
        return Reply(body=members)

    def _asking(self, fields: dict[str, str], authorization: str | None) -> str:
        """The id of the client that asks. Raises oauthlib's errors."""
        if not (authorization or "").lower().startswith("bearer "):
            return self._authentication.authenticate(fields, authorization).client_id
        if not fields.keys().isdisjoint(FIELDS - {"client_id"}):
            raise InvalidRequestError(description="One client authentication method at a time.")
        # RFC 7662 section 2.3: a token that lacks privileges is a 401 here.
        claims = self._issued.granted(authorization, SCOPE, lacking=HTTPStatus.UNAUTHORIZED)
        return str(claims.get("client_id", ""))

    def _members(self, token: str) -> dict[str, Any]:
        claims = self._issued.find(token)
        if claims is None:
            return {"active": False}
        subject, client_id = claims.get("sub"), claims.get("client_id")
        is_user = isinstance(subject, str) and subject not in {"", client_id}
        username = {"username": self._users.find(str(subject)).preferred_username} if is_user else {}
        return {"active": True, "token_type": _token_type(claims), **username, **claims}

    def _signed(self, members: dict[str, Any], asking: str) -> Reply:
        mint = self._issued.mint
        # RFC 9701 section 5: without `sub` and `exp` of its own, nobody takes it for an access token.
        payload = {"iss": mint.issuer, "aud": asking, "iat": int(mint.clock()), "token_introspection": members}
        token = mint.signed(payload, header={"typ": "token-introspection+jwt"})
        return Reply(body=token, media_type=MEDIA_TYPE)


def _token_type(claims: dict[str, Any]) -> str:
    bound = claims.get("cnf")
    if isinstance(bound, dict) and "jkt" in bound:
        return "DPoP"  # RFC 9449 section 6.2
    return "mac" if "mac_key" in claims else "Bearer"
