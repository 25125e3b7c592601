"""Tokens by a refresh token that somebody has given this application (RFC 6749 section 6).

Providers may replace the refresh token with each use (RFC 9700 section 4.14.2) and take a second use of the old one for
theft: the new one is kept in memory first, and then in the store. Does not get the first refresh token.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ..client_auth import ClientAuth
from ..fetch import HTTPSettings
from ..flow import Flow, call
from ..members import offers
from ..urls import shown
from .answer import Token
from .endpoint import TokenEndpoint
from .errors import TokenRefused
from .one_source import OneSource
from .parameters import parameters
from .source import HTTP, TokenSource


class RefreshTokenStore(Protocol):
    """Where the refresh token is over a restart, and for other processes. Both may be coroutine functions.

    Whoever uses one token from several processes lets only one of them refresh at a time.
    """

    def load(self) -> Any:
        """The refresh token that was saved last; "" or None when there is none."""

    def save(self, refresh_token: str, /) -> Any:
        """Returns once `refresh_token` is safe. It is a secret: encrypt it."""


class RefreshToken(OneSource):
    """Tokens of `issuer` by the refresh token that `store` has, or by `refresh_token` where it has none.

    Without a store a refresh token that was replaced is lost with the process. When the provider refuses the token and
    another process has saved a newer one, that is tried. The other options are those of ClientCredentials.
    """

    def __init__(
        self,
        issuer: str,
        *,
        client: ClientAuth,
        refresh_token: str = "",
        store: RefreshTokenStore | None = None,
        scopes: Sequence[str] = (),
        resource: str | Sequence[str] = (),
        extra: Mapping[str, str] | None = None,
        token_endpoint: str = "",
        http: HTTPSettings = HTTP,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(refresh_token, str):
            raise TypeError("refresh_token is text")
        if store is not None and not offers(store, "load", "save"):
            raise TypeError("store has the functions load() and save(refresh_token)")
        if not refresh_token and store is None:
            raise ValueError("give a refresh_token, a store that has one, or both")
        self._fields = parameters("refresh_token", scopes=scopes, resource=resource, extra=extra)
        self._endpoint = TokenEndpoint(issuer, client=client, url=token_endpoint, monotonic=monotonic)
        self._store = store
        self._first = refresh_token
        self._unsaved = ""
        self.source = TokenSource(
            self._ask, endpoint=self._endpoint, name=shown(issuer), http=http, monotonic=monotonic
        )

    def __repr__(self) -> str:
        return f"RefreshToken({self._endpoint.issuer!r}, client_id={self._endpoint.client_id!r})"

    def _ask(self, _refused: str) -> Flow[Token]:
        used = self._unsaved or (yield from self._load()) or self._first
        if not used:
            raise TokenRefused("no_refresh_token")
        try:
            token = yield from self._exchange(used)
        except TokenRefused as error:
            newer = yield from self._load()
            if error.reason != "invalid_grant" or newer in {"", used}:
                raise
            self._unsaved, used = "", newer
            token = yield from self._exchange(used)
        if token.refresh_token not in {"", used}:
            self._unsaved = token.refresh_token
        if self._unsaved and self._store is not None:
            yield from call(self._store.save, self._unsaved)
            self._unsaved = ""
        return token

    def _exchange(self, refresh_token: str) -> Flow[Token]:
        return self._endpoint.ask((*self._fields, ("refresh_token", refresh_token)))

    def _load(self) -> Flow[str]:
        if self._store is None:
            return ""
        return (yield from call(self._store.load)) or ""
