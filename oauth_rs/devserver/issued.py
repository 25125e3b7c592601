"""Access tokens of the development server, made and read back: JWTs (RFC 9068), and opaque ones with what they mean.

Knows which are good now: signed by a published key or kept here, not over, not revoked, with a good status. Does not
know refresh tokens, nor who may ask. What is kept is in memory, and when there is too much the oldest is forgotten:
then an opaque token is unknown, and a JWT that was revoked is good again unless it has a status.
"""

import json
import re
from collections.abc import Collection, Mapping
from http import HTTPStatus
from secrets import token_urlsafe
from typing import Any

from oauthlib.oauth2.rfc6749.errors import InsufficientScopeError, InvalidTokenError

from oauth_rs.devserver.recent import Recent
from oauth_rs.devserver.status_list import INVALID, VALID, StatusList
from oauth_rs.devserver.tokens import Mint
from oauth_rs.errors import OAuthError
from oauth_rs.jose.claims import check_times, scopes
from oauth_rs.jose.jwk import KeySet
from oauth_rs.jose.jws import CompactJWS, parse

LIMIT = 10_000  # opaque tokens, and revoked JWTs: about 10 MB
# Other things that the same keys sign have other types, and are no access tokens (RFC 8725 section 3.11).
_TYPES = {"at+jwt", "jwt"}
_PREFIX = re.compile(r"[A-Za-z0-9_-]{0,32}")


class IssuedTokens:
    """Those of `mint`. Opaque ones begin with `prefix`."""

    def __init__(self, mint: Mint, *, statuses: StatusList, prefix: str = "pt_") -> None:
        if not _PREFIX.fullmatch(prefix):
            raise ValueError("opaque_prefix has at most 32 of the characters A-Z a-z 0-9 _ -")
        self.mint = mint
        self.statuses = statuses
        self._prefix = prefix
        self._opaque: Recent[str] = Recent(LIMIT)
        self._revoked: Recent[bool] = Recent(LIMIT)

    def jwt(
        self,
        *,
        client_id: str | None = None,
        scope: str = "",
        audience: str | list[str] | None = None,
        claims: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
        drop: Collection[str] = (),
        alg: str | None = None,
        status: bool = False,
    ) -> str:
        """A token as `Mint.token` makes it, with a place in the status list where `status` is True."""
        laid_over = {**(self.statuses.draw() if status else {}), **(claims or {})}
        return self.mint.token(
            client_id=client_id, scope=scope, audience=audience, claims=laid_over, header=header, drop=drop, alg=alg
        )

    def opaque(
        self,
        *,
        client_id: str | None = None,
        scope: str = "",
        audience: str | list[str] | None = None,
        claims: Mapping[str, Any] | None = None,
        lifetime: int | None = None,
    ) -> str:
        """A random token; what a JWT would carry is kept, with `claims` laid over it. `lifetime` is in seconds.

        `ValueError` for claims that JSON cannot say.
        """
        made = self.mint.claims(client_id=client_id, scope=scope, audience=audience, lifetime=lifetime)
        token = self._prefix + token_urlsafe(32)
        self._opaque.put(token, json.dumps({**made, **(claims or {})}, allow_nan=False))
        return token

    def find(self, token: str) -> dict[str, Any] | None:
        """The claims of an access token that is good now; None for any other text."""
        try:
            claims = self._read(token)
            check_times(claims, self.mint.clock(), 0)
        except (OAuthError, _NotOurs):
            return None
        idx = self.statuses.index_of(claims)
        good = idx is None or self.statuses.get(idx) == VALID
        return claims if good and self._revoked.get(_signed_part(token)) is None else None

    def granted(
        self, authorization: str | None, scope: str, *, lacking: HTTPStatus = HTTPStatus.FORBIDDEN
    ) -> dict[str, Any]:
        """The claims of the token in a Bearer header, good now and with `scope` (RFC 6750 section 3.1).

        Raises oauthlib's InvalidTokenError; InsufficientScopeError with the status `lacking`.
        """
        scheme, _, token = (authorization or "").partition(" ")
        claims = self.find(token.strip()) if scheme.lower() == "bearer" else None
        if claims is None:
            raise InvalidTokenError(description="The access token is not good here.")
        if scope not in scopes_of(claims):
            raise InsufficientScopeError(description="The access token lacks a scope.", status_code=lacking)
        return claims

    def revoke(self, token: str) -> None:
        """An access token is good no longer, and its status INVALID; other text is left alone."""
        claims = self.find(token)
        if claims is None:
            return
        idx = self.statuses.index_of(claims)
        if idx is not None:
            self.statuses.set(idx, INVALID)
        if self._opaque.pop(token) is None:
            self._revoked.put(_signed_part(token), True)

    def set_status(self, token: str | int, value: int) -> None:
        """The status of a token, or of an index, is `value`. `ValueError` for a token that has none in the list."""
        idx = token if isinstance(token, int) else self._index(token)
        if idx is None:
            raise ValueError("the token has no status: make it with status=True")
        self.statuses.set(idx, value)

    def _index(self, token: str) -> int | None:
        try:
            return self.statuses.index_of(_parsed(token).claims)
        except OAuthError:
            return None

    def _read(self, token: str) -> dict[str, Any]:
        """What a token of this server says, good or not. Raises OAuthError or _NotOurs."""
        kept = self._opaque.get(token)
        if kept is not None:
            claims: dict[str, Any] = json.loads(kept)
            return claims
        jws = _parsed(token)
        key = KeySet.from_jwks(self.mint.keys.jwks())[0].select(jws.header.alg, jws.header.kid)
        signed = key is not None and key.verify(jws.header.alg, jws.signing_input, jws.signature)
        if not signed or jws.header.typ not in _TYPES or jws.claims.get("iss") != self.mint.issuer:
            raise _NotOurs
        return dict(jws.claims)


class _NotOurs(Exception):
    """A well-formed JWT that is no access token of this server."""


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes of a token; none where they are malformed."""
    try:
        return scopes(claims)
    except OAuthError:
        return frozenset()


def _parsed(token: str) -> CompactJWS:
    return parse(token.encode(errors="replace"))  # what cannot be encoded is no token: nor are question marks


def _signed_part(token: str) -> str:
    """What identifies a JWT: an ECDSA signature has a twin that is as good."""
    return token.rpartition(".")[0] or token
