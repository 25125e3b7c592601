"""Access tokens for the calls that the application itself makes (RFC 6749 sections 4.4 and 6, RFC 8693).

A source gets tokens from a provider, keeps them, renews them ahead of time, and gives an `auth` for httpx2, blocking
and awaiting. `oauth_rs.outbound.redis` shares tokens between processes. Sends no users to log in, and passes no token
of a caller on.
"""

from .client_credentials import ClientCredentials
from .configuration import connections_of, read_connections
from .connections import Connection, Connections
from .errors import OutboundError, TokenRefused, TokenUnusable, WrongOrigin
from .refresh_token import RefreshToken, RefreshTokenStore
from .source import SharedTokens, TokenSource
from .token_exchange import TokenExchange, bearer_token

__all__ = [
    "ClientCredentials",
    "Connection",
    "Connections",
    "OutboundError",
    "RefreshToken",
    "RefreshTokenStore",
    "SharedTokens",
    "TokenExchange",
    "TokenRefused",
    "TokenSource",
    "TokenUnusable",
    "WrongOrigin",
    "bearer_token",
    "connections_of",
    "read_connections",
]
