"""OAuth resource-server middleware for WSGI and ASGI applications.

Four ideas protect an application: a provider says what tokens mean, a server checks requests, `requires` names the
scopes an operation needs, and the grant tells the handler who calls. Everything else is optional.
"""

from .errors import (
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    MissingCredentials,
    OAuthError,
    RequestTooLarge,
    Unavailable,
)
from .fetch import HTTPSettings
from .jose.jwk import pem_key, public_key, symmetric_key
from .keys import KeySource, RemoteKeys, StaticKeys
from .model import Grant
from .providers.jwt import JWTProvider
from .schemes.bearer import Bearer, FormField, Header, LegacyQuery
from .scopes import AllOf, AnyOf
from .server import ResourceServer
from .urls import DirectURL, FixedURL, ForwardedURL

__all__ = [
    "AllOf",
    "AnyOf",
    "Bearer",
    "DirectURL",
    "FixedURL",
    "FormField",
    "ForwardedURL",
    "Grant",
    "HTTPSettings",
    "Header",
    "InsufficientScope",
    "InvalidRequest",
    "InvalidToken",
    "JWTProvider",
    "KeySource",
    "LegacyQuery",
    "MissingCredentials",
    "OAuthError",
    "RemoteKeys",
    "RequestTooLarge",
    "ResourceServer",
    "StaticKeys",
    "Unavailable",
    "pem_key",
    "public_key",
    "symmetric_key",
]
