"""OAuth resource-server middleware for WSGI and ASGI applications.

Four ideas protect an application: a provider says what tokens mean, a server checks requests, `requires` names the
scopes an operation needs, and the grant tells the handler who calls. Everything else is optional.
"""

from .breaker import Breaker
from .catalogue import ScopeCatalogue
from .client_auth import (
    BearerToken,
    ClientAuth,
    ClientCertificate,
    ClientSecret,
    ClientSecretPost,
    PrivateKeyJWT,
)
from .clients import (
    ClientRegistry,
    FunctionClients,
    RegisteredClient,
    StaticClients,
    hashed,
    new_secret,
)
from .credentials import (
    Credentials,
    FunctionCredentials,
    MACKey,
    OAuth1Client,
    OAuth1Token,
    StaticCredentials,
)
from .deny_list import DenyList, MemoryDenyList
from .errors import (
    InsufficientAuthentication,
    InsufficientScope,
    InvalidClient,
    InvalidRequest,
    InvalidToken,
    MissingCredentials,
    OAuthError,
    RequestTooLarge,
    Unavailable,
)
from .fetch import HTTPSettings
from .fields import FieldFilter, Unfilterable
from .flow import Certificate
from .identity import Identity, IdentityHeaders
from .jose.jwk import pem_key, public_key, symmetric_key
from .keys import KeySource, StaticKeys
from .metadata import IssuerMetadata
from .model import Grant
from .permission import authorize
from .policy import APIScopes, NoScopes, Operation, OperationScopes, PassThrough, Policy, Public
from .providers import Provider
from .providers.introspection import IntrospectionProvider
from .providers.issuers import IssuedBy
from .providers.jwt import JWTProvider
from .providers.presented import Presented
from .providers.request_selection import InHeader, OnHost, UnderPath, WithHeader, WithoutHeader
from .providers.selection import CarriesScope, JWTShape, Opaque, Reads, Selector, TokenPrefix
from .providers.tenants import TenantProviders
from .providers.token_checks import GitHubCheck, TokenCheck, TokenInfoCheck
from .providers.userinfo import UserInfoProvider, github, openid
from .remote_keys import RemoteKeys
from .replay import MemoryReplay, ReplayStore
from .request import Request
from .requirements import Acr, Condition, MaxAge
from .roles import RoleMap
from .schemes import Scheme
from .schemes.bearer import Bearer, FormField, Header, LegacyQuery
from .schemes.client_key import ClientKey
from .schemes.client_presentation import BasicAuth, KeyHeader, SecretHeaders
from .schemes.mac import MAC
from .schemes.mac_drafts import Draft00, Draft02, Draft05
from .schemes.oauth1 import OAuth1
from .scope_declarations import Scope
from .scopes import AllOf, AnyOf, Requirement
from .server import ResourceServer
from .signature_methods import SignatureMethod
from .signed_identity import SignedIdentity
from .status_list import StatusLists
from .urls import DirectURL, ExternalURL, FixedURL, ForwardedURL

__all__ = [
    "MAC",
    "APIScopes",
    "Acr",
    "AllOf",
    "AnyOf",
    "BasicAuth",
    "Bearer",
    "BearerToken",
    "Breaker",
    "CarriesScope",
    "Certificate",
    "ClientAuth",
    "ClientCertificate",
    "ClientKey",
    "ClientRegistry",
    "ClientSecret",
    "ClientSecretPost",
    "Condition",
    "Credentials",
    "DenyList",
    "DirectURL",
    "Draft00",
    "Draft02",
    "Draft05",
    "ExternalURL",
    "FieldFilter",
    "FixedURL",
    "FormField",
    "ForwardedURL",
    "FunctionClients",
    "FunctionCredentials",
    "GitHubCheck",
    "Grant",
    "HTTPSettings",
    "Header",
    "Identity",
    "IdentityHeaders",
    "InHeader",
    "InsufficientAuthentication",
    "InsufficientScope",
    "IntrospectionProvider",
    "InvalidClient",
    "InvalidRequest",
    "InvalidToken",
    "IssuedBy",
    "IssuerMetadata",
    "JWTProvider",
    "JWTShape",
    "KeyHeader",
    "KeySource",
    "LegacyQuery",
    "MACKey",
    "MaxAge",
    "MemoryDenyList",
    "MemoryReplay",
    "MissingCredentials",
    "NoScopes",
    "OAuth1",
    "OAuth1Client",
    "OAuth1Token",
    "OAuthError",
    "OnHost",
    "Opaque",
    "Operation",
    "OperationScopes",
    "PassThrough",
    "Policy",
    "Presented",
    "PrivateKeyJWT",
    "Provider",
    "Public",
    "Reads",
    "RegisteredClient",
    "RemoteKeys",
    "ReplayStore",
    "Request",
    "RequestTooLarge",
    "Requirement",
    "ResourceServer",
    "RoleMap",
    "Scheme",
    "Scope",
    "ScopeCatalogue",
    "SecretHeaders",
    "Selector",
    "SignatureMethod",
    "SignedIdentity",
    "StaticClients",
    "StaticCredentials",
    "StaticKeys",
    "StatusLists",
    "TenantProviders",
    "TokenCheck",
    "TokenInfoCheck",
    "TokenPrefix",
    "Unavailable",
    "UnderPath",
    "Unfilterable",
    "UserInfoProvider",
    "WithHeader",
    "WithoutHeader",
    "authorize",
    "github",
    "hashed",
    "new_secret",
    "openid",
    "pem_key",
    "public_key",
    "symmetric_key",
]
