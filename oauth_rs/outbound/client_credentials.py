"""Tokens that the application gets for itself (RFC 6749 section 4.4, RFC 8707).

Does not act for a user: token_exchange.py and refresh_token.py do.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from ..client_auth import ClientAuth
from ..fetch import HTTPSettings
from ..flow import Flow, call
from ..members import offers
from ..urls import shown
from .answer import Token
from .endpoint import TokenEndpoint
from .one_source import OneSource
from .parameters import parameters
from .source import HTTP, SharedTokens, TokenSource

logger = logging.getLogger("oauth_rs")


class ClientCredentials(OneSource):
    """Tokens of `issuer` for this application as `client`.

    `audience`, `resource` (one or several) and `extra` are sent as the provider wants them. `token_endpoint` is its URL
    where the metadata of the issuer does not name it. `method="GET"` is for providers that want it: the parameters
    then stand in the URL, the client in a header. `shared` keeps tokens for other processes too. A call waits up to
    four times the `timeout` of `http`, and for stores. A scope that is not granted is logged once: the resource will
    say 403. `shared` needs a `client` with an id. Raises ValueError and TypeError.
    """

    def __init__(
        self,
        issuer: str,
        *,
        client: ClientAuth,
        scopes: Sequence[str] = (),
        audience: str | Sequence[str] = (),
        resource: str | Sequence[str] = (),
        extra: Mapping[str, str] | None = None,
        token_endpoint: str = "",
        method: str = "POST",
        shared: SharedTokens | None = None,
        http: HTTPSettings = HTTP,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fields = parameters(
            "client_credentials", scopes=scopes, audience=audience, resource=resource, extra=extra
        )
        self._endpoint = TokenEndpoint(issuer, client=client, url=token_endpoint, method=method, monotonic=monotonic)
        self._scopes = frozenset(scopes)
        self._told: frozenset[str] = frozenset()
        if shared is not None and not offers(shared, "put"):
            raise TypeError("shared is RedisTokens(url, keys=[...]), or None")
        if shared is not None and not self._endpoint.client_id:
            raise ValueError("tokens are shared among those that are one client: give the client its client_id")
        self._shared = shared
        self._key = self._key_of()
        self.source = TokenSource(
            self._ask, endpoint=self._endpoint, name=shown(issuer), http=http, monotonic=monotonic
        )

    def __repr__(self) -> str:
        return f"ClientCredentials({self._endpoint.issuer!r}, client_id={self._endpoint.client_id!r})"

    def _ask(self, refused: str) -> Flow[Token]:
        if self._shared is not None:
            found: Token | None = yield from call(self._shared.get, self._key)
            if found is not None and found.fresh > 0 and found.text != refused:
                return found
        token = yield from self._endpoint.ask(self._fields)
        self._tell(token)
        if self._shared is not None:
            yield from call(self._shared.put, self._key, token)
        return token

    def _tell(self, token: Token) -> None:
        missing = self._scopes - token.scopes if token.scopes is not None else frozenset()
        if not missing <= self._told:
            self._told |= missing
            logger.warning("%s does not grant: %s", self._endpoint.issuer, " ".join(sorted(missing)))

    def _key_of(self) -> bytes:
        """Equal for sources that may share tokens: of what they ask, where, and as whom. No secret is in it."""
        endpoint = self._endpoint
        asked = [endpoint.issuer, endpoint.place, endpoint.method, endpoint.client_id, *self._fields]
        return sha256(json.dumps(asked).encode()).digest()
