"""OAuth resource-server middleware for WSGI and ASGI applications.

Four ideas protect an application: a provider says what tokens mean, a server checks requests, `requires` names the
scopes an operation needs, and the grant tells the handler who calls. Everything else is optional.
"""

from .credentials import (
    Credentials,
    FunctionCredentials,
    MACKey,
    OAuth1Client,
    OAuth1Token,
    StaticCredentials,
)
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
from .replay import MemoryReplay, ReplayStore
from .schemes import Scheme
from .schemes.bearer import Bearer, FormField, Header, LegacyQuery
from .schemes.mac import MAC
from .schemes.mac_drafts import Draft00, Draft02, Draft05
from .schemes.oauth1 import OAuth1
from .scopes import AllOf, AnyOf, Requirement
from .server import ResourceServer, authorize
from .signature_methods import SignatureMethod
from .urls import DirectURL, ExternalURL, FixedURL, ForwardedURL

__all__ = [
    "MAC",
    "AllOf",
    "AnyOf",
    "Bearer",
    "Credentials",
    "DirectURL",
    "Draft00",
    "Draft02",
    "Draft05",
    "ExternalURL",
    "FixedURL",
    "FormField",
    "ForwardedURL",
    "FunctionCredentials",
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
    "MACKey",
    "MemoryReplay",
    "MissingCredentials",
    "OAuth1",
    "OAuth1Client",
    "OAuth1Token",
    "OAuthError",
    "Provider",
    "RemoteKeys",
    "ReplayStore",
    "RequestTooLarge",
    "Requirement",
    "ResourceServer",
    "Scheme",
    "SignatureMethod",
    "StaticCredentials",
    "StaticKeys",
    "Unavailable",
    "authorize",
    "pem_key",
    "public_key",
    "symmetric_key",
]
