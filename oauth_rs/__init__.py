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
from .keys import KeySource, StaticKeys
from .metadata import IssuerMetadata
from .model import Grant
from .providers import Provider
from .providers.jwt import JWTProvider
from .remote_keys import RemoteKeys
from .schemes import Scheme
from .schemes.bearer import Bearer, FormField, Header, LegacyQuery
from .scopes import AllOf, AnyOf, Requirement
from .server import ResourceServer, authorize
from .urls import DirectURL, ExternalURL, FixedURL, ForwardedURL

__all__ = [
    "AllOf",
    "AnyOf",
    "Bearer",
    "DirectURL",
    "ExternalURL",
    "FixedURL",
    "FormField",
    "ForwardedURL",
    "Grant",
    "HTTPSettings",
    "Header",
    "InsufficientScope",
    "InvalidRequest",
    "InvalidToken",
    "IssuerMetadata",
    "JWTProvider",
    "KeySource",
    "LegacyQuery",
    "MissingCredentials",
    "OAuthError",
    "Provider",
    "RemoteKeys",
    "RequestTooLarge",
    "Requirement",
    "ResourceServer",
    "Scheme",
    "StaticKeys",
    "Unavailable",
    "authorize",
    "pem_key",
    "public_key",
    "symmetric_key",
]
