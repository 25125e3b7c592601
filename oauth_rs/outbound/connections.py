"""The other APIs that an application calls, by name: where each is, and how it is authorized there.

A connection binds its tokens to the origin of its URL. Keeps no clients open: the application does.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from ssl import SSLContext
from typing import Any, Protocol

import httpx2

from ..members import offers
from ..model import Grant
from ..urls import shown
from .auth import BearerAuth, checked_origin
from .token_exchange import TokenExchange


class Authorizes(Protocol):
    """A source of tokens: ClientCredentials, RefreshToken, or what `TokenExchange.of` gives."""

    def auth(self, *origins: str, plain_http: bool = False) -> BearerAuth: ...


class Connection:
    """The API at `base_url`, called with the tokens of `auth`, which never go to another origin.

    `plain_http` allows a URL that is neither https nor on this machine: whoever is on the way can read the token.
    Raises ValueError and TypeError.
    """

    def __init__(self, base_url: str, *, auth: Authorizes | TokenExchange, plain_http: bool = False) -> None:
        self.base_url = checked_origin(base_url, plain_http=plain_http)
        if not offers(auth, "auth"):
            raise TypeError("auth is ClientCredentials(...), TokenExchange(...) or RefreshToken(...)")
        self._authorizes, self._plain_http = auth, plain_http

    def __repr__(self) -> str:
        return f"Connection({shown(self.base_url)!r}, auth={self._authorizes!r})"

    @property
    def auth(self) -> BearerAuth:
        """For a client of your own, or a single call."""
        if isinstance(self._authorizes, TokenExchange):
            raise TypeError("this connection acts for callers: connection.on_behalf_of(bearer_token(request))")
        return self._authorizes.auth(self.base_url, plain_http=self._plain_http)

    def on_behalf_of(self, token: str, grant: Grant | None = None) -> "Connection":
        """The same connection for the caller who sent `token`; see `TokenExchange.of`."""
        if not isinstance(self._authorizes, TokenExchange):
            raise TypeError("this connection acts for the application: give it auth=TokenExchange(...)")
        return Connection(self.base_url, auth=self._authorizes.of(token, grant), plain_http=self._plain_http)

    def client(self, **options: Any) -> httpx2.Client:
        """A new client with `base_url` and `auth`, to be kept and closed by you; `options` are those of httpx2.

        Unless they say otherwise, proxies of the environment are not used and redirects are not followed.
        """
        return httpx2.Client(base_url=self.base_url, auth=self.auth, **{**_defaults(), **options})

    def async_client(self, **options: Any) -> httpx2.AsyncClient:
        """The same for callers that await."""
        return httpx2.AsyncClient(base_url=self.base_url, auth=self.auth, **{**_defaults(), **options})


class Connections(Mapping[str, Connection]):
    """Connections by name. One that was not named is a KeyError that says which were."""

    def __init__(self, connections: Mapping[str, Connection]) -> None:
        named: Any = connections
        if not isinstance(named, Mapping) or not all(
            isinstance(name, str) and isinstance(one, Connection) for name, one in named.items()
        ):
            raise TypeError("Connections maps names to Connection(base_url, auth=...)")
        self._connections = dict(connections)

    def __getitem__(self, name: str) -> Connection:
        try:
            return self._connections[name]
        except KeyError:
            raise KeyError(f"no connection {name!r}: there are {', '.join(sorted(self._connections))}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._connections)

    def __len__(self) -> int:
        return len(self._connections)

    def __repr__(self) -> str:
        return f"Connections({self._connections!r})"


def _defaults() -> dict[str, Any]:
    return {"trust_env": False, "verify": _tls()}


@lru_cache(maxsize=1)
def _tls() -> SSLContext:
    # Reading the trust anchors takes longer than most calls.
    return httpx2.create_ssl_context(trust_env=False)
