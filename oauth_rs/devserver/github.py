"""Two resources as GitHub's REST API has them: the user of a token, and a client's question whether a token is its own.

Members have GitHub's names, and a token is any access token of this server. Does not do anything else that GitHub does.
"""

import json
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from oauthlib.oauth2 import InvalidClientError

from oauth_rs.devserver.authentication import ClientAuthentication
from oauth_rs.devserver.issued import IssuedTokens, scopes_of
from oauth_rs.devserver.messages import BASIC_CHALLENGE, BEARER_CHALLENGE, NO_STORE, Call, Reply
from oauth_rs.devserver.users import Users

USER = "/github/user"
CHECK = "/github/applications/{client_id}/token"
_SCHEMES = {"bearer", "token"}
_MESSAGES = {
    HTTPStatus.UNAUTHORIZED: "Bad credentials",
    HTTPStatus.NOT_FOUND: "Not Found",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Validation Failed",
}


class GitHub:
    """Answers as GitHub does, for tokens of `issued` and about `users`."""

    def __init__(self, issued: IssuedTokens, *, users: Users, authentication: ClientAuthentication) -> None:
        self._issued = issued
        self._users = users
        self._authentication = authentication

    def user(self, call: Call) -> Reply:
        """Who the token is for, and its scopes in a header (GET /user)."""
        scheme, _, token = (call.authorization or "").partition(" ")
        claims = self._issued.find(token.strip()) if scheme.lower() in _SCHEMES else None
        if claims is None:
            return _message(HTTPStatus.UNAUTHORIZED, BEARER_CHALLENGE)
        return Reply(headers={**NO_STORE, "X-OAuth-Scopes": ", ".join(_scopes(claims))}, body=self._user(claims))

    def check(self, call: Call) -> Reply:
        """What a token of the client that asks means; 404 for any other (POST /applications/{client_id}/token)."""
        try:
            client = self._authentication.basic(call.authorization or "")
        except InvalidClientError:
            return _message(HTTPStatus.UNAUTHORIZED, BASIC_CHALLENGE)
        token = _access_token(call.body)
        if token is None:
            return _message(HTTPStatus.UNPROCESSABLE_ENTITY)
        claims = self._issued.find(token)
        if claims is None or not client.client_id == claims.get("client_id") == call.parameters["client_id"]:
            return _message(HTTPStatus.NOT_FOUND)
        hashed = sha256(token.encode())
        return Reply(
            body={
                "id": int.from_bytes(hashed.digest()[:4]),
                "token": token,
                "token_last_eight": token[-8:],
                "hashed_token": hashed.hexdigest(),
                "app": {"client_id": client.client_id, "name": client.client_id},
                "user": self._user(claims),
                "scopes": _scopes(claims),
                "created_at": _date(claims.get("iat")),
                "expires_at": _date(claims["exp"]),
            }
        )

    def _user(self, claims: dict[str, Any]) -> dict[str, Any]:
        user = self._users.find(str(claims.get("sub") or "nobody"))
        return {"login": user.preferred_username, "id": user.number, "name": user.name, "email": user.email}


def _access_token(body: bytes) -> str | None:
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return None
    token = members.get("access_token") if isinstance(members, dict) else None
    return token if isinstance(token, str) else None


def _scopes(claims: dict[str, Any]) -> list[str]:
    return sorted(scopes_of(claims))


def _date(seconds: float | None) -> str | None:
    """A NumericDate as GitHub writes dates: 2011-09-08T17:26:27Z."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _message(status: HTTPStatus, challenge: str = "") -> Reply:
    headers = {**NO_STORE, **({"WWW-Authenticate": challenge} if challenge else {})}
    return Reply(status=status, headers=headers, body={"message": _MESSAGES[status]})
