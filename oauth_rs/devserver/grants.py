"""The token endpoint on oauthlib's OAuth 2.0 endpoints: client credentials, refresh tokens, token exchange.

RFC 6749 sections 4.4 and 6, RFC 8693, RFC 8707. Does not route or serve HTTP, or make the tokens: `token_types` does. A
further grant is one more entry in `grant_types`, its parameters in `_PARAMETERS`, and the validator methods oauthlib
then asks for. With `token_type=mac` the token comes with a MAC key (draft-ietf-oauth-v2-http-mac-05 section 4), with
`token_format=opaque` it is opaque; neither is something that real servers know.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

from oauthlib.oauth2 import (
    ClientCredentialsGrant,
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Error,
    RefreshTokenGrant,
    TokenEndpoint,
)
from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error

from oauth_rs.devserver.authentication import FIELDS, ClientAuthentication
from oauth_rs.devserver.clients import Client
from oauth_rs.devserver.issued import IssuedTokens
from oauth_rs.devserver.ledger import Ledger
from oauth_rs.devserver.messages import NO_STORE, Call, Reply, refusal, refused
from oauth_rs.devserver.refresh_tokens import RefreshTokens
from oauth_rs.devserver.token_exchange import GRANT_TYPE, PARAMETERS, TokenExchange
from oauth_rs.devserver.token_types import FORMATS, TokenTypes, token_type_of

# RFC 6749 section 3.2: other parameters are ignored. oauthlib keeps parameters and its own state in one namespace, so
# what it has no use for does not get there.
_PARAMETERS = (
    {"grant_type", "scope", "resource", "audience", "token_type", "token_format", "refresh_token"} | FIELDS | PARAMETERS
)
_REPEATABLE = {"resource", "audience"}  # RFC 8707 section 2


class Grants:
    """Answers token requests of `clients` for any of `audiences`."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        clients: Mapping[str, Client],
        authentication: ClientAuthentication,
        issued: IssuedTokens,
        refresh_tokens: RefreshTokens,
        audiences: Collection[str],
    ) -> None:
        self._clients = clients
        self._audiences = frozenset(audiences)
        validator = _Validator(authentication, refresh_tokens)
        before, after = [_check_repeats, _check_token], [self._check_target]
        self._endpoint = TokenEndpoint(
            default_grant_type="client_credentials",
            default_token_type=TokenTypes(ledger, issued=issued, refresh_tokens=refresh_tokens),
            grant_types={
                "client_credentials": ClientCredentialsGrant(validator, pre_token=before, post_token=after),
                "refresh_token": RefreshTokenGrant(validator, pre_token=before, post_token=[*after, validator.use]),
                GRANT_TYPE: TokenExchange(validator, issued=issued, before=before, after=after),
            },
        )

    @property
    def grant_types(self) -> list[str]:
        return list(self._endpoint.grant_types)

    @property
    def scopes(self) -> list[str]:
        """Every scope some client may ask for, sorted."""
        return sorted({scope for client in self._clients.values() for scope in client.scopes})

    def respond(self, call: Call) -> Reply:
        """The answer to one token request: a token, or an error of RFC 6749 section 5.2."""
        try:
            fields = [pair for pair in call.form() if pair[0] in _PARAMETERS]
        except OAuth2Error as error:
            return refusal(error)
        headers = {} if call.authorization is None else {"Authorization": call.authorization}
        _, answer, status = self._endpoint.create_token_response("/token", body=urlencode(fields), headers=headers)
        members = {name: value for name, value in json.loads(answer).items() if value != ""}
        return refused(members, status=status) if "error" in members else Reply(headers=NO_STORE, body=members)

    def _check_target(self, request: Any) -> None:
        family = getattr(request, "family", None)
        granted = family.audience if family else ()
        wanted = tuple(dict.fromkeys(value for name, value in request.decoded_body if name in _REPEATABLE))
        # RFC 8707 section 2.2: a refresh token is good for the resources it was granted for, or for some of them.
        if not (frozenset(granted) or self._audiences).issuperset(wanted):
            raise CustomOAuth2Error("invalid_target", description="The requested resource is not known here.")
        request.audience = wanted or granted


class _Validator:
    """The part of oauthlib's `RequestValidator` that the grants ask for; oauthlib duck-types it."""

    def __init__(self, authentication: ClientAuthentication, refresh_tokens: RefreshTokens) -> None:
        self._authentication = authentication
        self._refresh_tokens = refresh_tokens

    def client_authentication_required(self, _request: Any) -> bool:
        return True

    def authenticate_client(self, request: Any) -> bool:
        """True, or the refusal is raised: it knows more than a False would say."""
        fields = {name: value for name, value in request.decoded_body if name in FIELDS}
        request.client = self._authentication.authenticate(fields, request.headers.get("Authorization"))
        return True

    def validate_grant_type(self, _client_id: str, grant_type: str, client: Client, _request: Any) -> bool:
        return grant_type != "refresh_token" or client.refresh

    def get_default_scopes(self, _client_id: str, request: Any) -> list[str]:
        return sorted(request.client.scopes)

    def validate_scopes(self, _client_id: str, scopes: list[str], client: Client, _request: Any) -> bool:
        return client.scopes >= set(scopes)

    def validate_refresh_token(self, token: str, client: Client, request: Any) -> bool:
        request.family = self._refresh_tokens.find(token, client_id=client.client_id)
        return request.family is not None

    def get_original_scopes(self, _token: str, request: Any) -> list[str]:
        request.user = request.family.subject
        return list(request.family.scopes)

    def is_within_original_scope(self, *_arguments: Any) -> bool:
        return False  # oauthlib looked already

    def use(self, request: Any) -> None:
        """The refresh token is used up: last, so that a request that is refused leaves it good."""
        if not self._refresh_tokens.use(request.refresh_token, request.family):
            raise InvalidGrantError

    def save_token(self, _token: dict[str, Any], _request: Any) -> None:
        pass  # what must be remembered is, where it is made


def _check_repeats(request: Any) -> None:
    if not _REPEATABLE.issuperset(request.duplicate_params):
        raise InvalidRequestError(description="A parameter is repeated.")


def _check_token(request: Any) -> None:
    if token_type_of(request) not in {"bearer", "mac"}:
        raise InvalidRequestError(description="The token_type is Bearer or mac.")
    if (getattr(request, "token_format", None) or "jwt") not in FORMATS:
        raise InvalidRequestError(description="The token_format is jwt or opaque.")
