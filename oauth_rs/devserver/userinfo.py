"""The UserInfo endpoint: who the subject of an access token is (OpenID Connect Core 1.0 section 5.3).

Takes the token in a Bearer header only. Does not pick claims by scope: `openid` gives all there are. Does not sign.
"""

from http import HTTPStatus

from oauthlib.oauth2 import OAuth2Error

from oauth_rs.devserver.issued import IssuedTokens
from oauth_rs.devserver.messages import BEARER_CHALLENGE, NO_STORE, Call, Reply, refusal
from oauth_rs.devserver.users import Users

SCOPE = "openid"


class UserInfo:
    """Tells the bearers of tokens of `issued` which of `users` they speak for."""

    def __init__(self, issued: IssuedTokens, *, users: Users) -> None:
        self._issued = issued
        self._users = users

    def respond(self, call: Call) -> Reply:
        if call.authorization is None:  # RFC 6750 section 3.1: then without an error code
            headers = {**NO_STORE, "WWW-Authenticate": BEARER_CHALLENGE}
            return Reply(status=HTTPStatus.UNAUTHORIZED, headers=headers, body={})
        try:
            claims = self._issued.granted(call.authorization, SCOPE)
        except OAuth2Error as error:
            return refusal(error)
        user = self._users.find(str(claims.get("sub") or "nobody"))
        return Reply(
            body={
                "sub": user.subject,
                "name": user.name,
                "email": user.email,
                "preferred_username": user.preferred_username,
            }
        )
