"""The token endpoint on oauthlib's OAuth 2.0 endpoints: client credentials (RFC 6749 section 4.4, RFC 8707).

Does not route or serve HTTP, issue refresh tokens, or remember what it issued. A further grant is one more entry in
`grant_types`, its parameters in `_PARAMETERS`, and the validator methods oauthlib then asks for. With `token_type=mac`
the token comes with a MAC key (draft-ietf-oauth-v2-http-mac-05 section 4).
"""

import hmac
import json
from base64 import b64decode
from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from oauthlib.oauth2 import ClientCredentialsGrant, InvalidRequestError, TokenEndpoint
from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error

from oauth_rs.credentials import OAuth1Client
from oauth_rs.devserver.ledger import Ledger
from oauth_rs.devserver.token_types import TokenTypes, token_type_of

# A token request has six parameters of ours; the rest is room for clients that send more (RFC 6749 section 3.2).
FIELDS_LIMIT = 64

# RFC 6749 section 3.2: other parameters are ignored. oauthlib keeps parameters and its own state in one namespace, so
# what it has no use for does not get there.
_PARAMETERS = {"grant_type", "scope", "client_id", "client_secret", "resource", "audience", "token_type"}
_REPEATABLE = {"resource", "audience"}  # RFC 8707 section 2
_FORM = "application/x-www-form-urlencoded"
# RFC 6749 section 5.2: a 401 names the scheme the client may use; oauthlib would say Bearer.
_CHALLENGE = 'Basic realm="oauth_rs devserver", charset="UTF-8"'
_SCOPE_CHARACTERS = frozenset(chr(code) for code in range(0x21, 0x7F)) - {'"', "\\"}


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client with its secret and the scopes it may ask for. `ValueError` when one is unusable.

    OAuth 1.0a requests it signs with its secret, or with the private half of `rsa_key` (a public key, or one in PEM)
    and then with nothing else. RFC 6749 sections 2.3.1 and 3.3, RFC 5849 section 3.4.
    """

    client_id: str
    secret: str = field(repr=False)
    scopes: AbstractSet[str] = field(default=frozenset(), kw_only=True)
    rsa_key: RSAPublicKey | str | None = field(default=None, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        if not self.client_id or not self.secret:
            raise ValueError("a client needs an id and a secret, neither may be empty")
        if not all(scope and set(scope) <= _SCOPE_CHARACTERS for scope in self.scopes):
            raise ValueError("a scope is printable ASCII without spaces, quotes or backslashes")
        object.__setattr__(self, "scopes", frozenset(self.scopes))
        self.oauth1()

    def oauth1(self) -> OAuth1Client:
        """The same client as OAuth 1.0a knows it."""
        secret = "" if self.rsa_key else self.secret
        return OAuth1Client(client_id=self.client_id, secret=secret, rsa_key=self.rsa_key, scopes=self.scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReply:
    """What the token endpoint answers: a status, headers, and the members of its JSON body."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any] = field(repr=False)


class Grants:
    """Answers token requests of `clients` for any of `audiences`."""

    def __init__(self, ledger: Ledger, *, clients: Iterable[Client], audiences: Collection[str]) -> None:
        self.clients = {client.client_id: client for client in clients}
        self._audiences = frozenset(audiences)
        validator = _Clients(self.clients)
        self._endpoint = TokenEndpoint(
            default_grant_type="client_credentials",
            default_token_type=TokenTypes(ledger),
            grant_types={
                "client_credentials": ClientCredentialsGrant(
                    validator, pre_token=[_check_repeats, _check_token_type], post_token=[self._check_target]
                )
            },
        )

    @property
    def grant_types(self) -> list[str]:
        return list(self._endpoint.grant_types)

    @property
    def scopes(self) -> list[str]:
        """Every scope some client may ask for, sorted."""
        return sorted({scope for client in self.clients.values() for scope in client.scopes})

    def respond(self, body: bytes, *, content_type: str, authorization: str | None) -> TokenReply:
        """The answer to one `POST /token`: a token, or an error of RFC 6749 section 5.2. Nothing sent raises."""
        if content_type.partition(";")[0].strip().lower() != _FORM:
            return _refusal("invalid_request", f"The body must be {_FORM}.")
        try:
            fields = [pair for pair in form(body) if pair[0] in _PARAMETERS]
        except ValueError:
            return _refusal("invalid_request", "The body is not a valid form.")
        headers = {} if authorization is None else {"Authorization": authorization}
        _, answer, status = self._endpoint.create_token_response("/token", body=urlencode(fields), headers=headers)
        return _reply(answer, status)

    def _check_target(self, request: Any) -> None:
        wanted = [value for name, value in request.decoded_body if name in _REPEATABLE]
        if not self._audiences.issuperset(wanted):
            raise CustomOAuth2Error("invalid_target", description="The requested resource is not known here.")
        request.audience = wanted[0] if len(set(wanted)) == 1 else list(dict.fromkeys(wanted))


class _Clients:
    """The part of oauthlib's `RequestValidator` the client credentials grant asks for; oauthlib duck-types it."""

    def __init__(self, clients: dict[str, Client]) -> None:
        self._clients = clients

    def authenticate_client(self, request: Any) -> bool:
        """True when one method of RFC 6749 section 2.3.1 proves a client; two at once are an invalid request."""
        client_id, secret = request.client_id or "", request.client_secret or ""
        header = request.headers.get("Authorization")
        if header is not None:
            if secret:
                raise InvalidRequestError(description="One client authentication method at a time.")
            named = client_id
            client_id, secret = _basic(header)
            if named not in {"", client_id}:
                return False
        request.client = self._clients.get(client_id)
        expected = request.client.secret if request.client else "\0"  # an unknown client costs the same comparison
        return hmac.compare_digest(secret.encode(), expected.encode()) and request.client is not None

    def validate_grant_type(self, _client_id: str, _grant_type: str, _client: Client, _request: Any) -> bool:
        return True  # every client may use the one grant there is

    def get_default_scopes(self, _client_id: str, request: Any) -> list[str]:
        return sorted(request.client.scopes)

    def validate_scopes(self, _client_id: str, scopes: list[str], client: Client, _request: Any) -> bool:
        return client.scopes >= set(scopes)

    def save_token(self, _token: dict[str, Any], _request: Any) -> None:
        pass  # tokens are self-contained: nothing to remember


def form(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form in order, those without a value left out (RFC 6749 section 3.2).

    `ValueError` when it is not UTF-8 or has more than `FIELDS_LIMIT` fields.
    """
    return parse_qsl(body.decode(), errors="strict", max_num_fields=FIELDS_LIMIT)


def _basic(header: str) -> tuple[str, str]:
    """Id and secret of a Basic header, form-decoded as RFC 6749 section 2.3.1 asks; empty ones if there are none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        client_id, _, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return unquote_plus(client_id), unquote_plus(secret)


def _check_repeats(request: Any) -> None:
    if not _REPEATABLE.issuperset(request.duplicate_params):
        raise InvalidRequestError(description="A parameter is repeated.")


def _check_token_type(request: Any) -> None:
    if token_type_of(request) not in {"bearer", "mac"}:
        raise InvalidRequestError(description="The token_type is Bearer or mac.")


def _refusal(error: str, description: str) -> TokenReply:
    return _reply(json.dumps({"error": error, "error_description": description}), 400)


def _reply(body: str, status: int) -> TokenReply:
    members = {name: value for name, value in json.loads(body).items() if value != ""}
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = _CHALLENGE
    return TokenReply(status=status, headers=headers, body=members)
