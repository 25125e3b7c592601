"""How clients prove to the development server who they are: by secret or by JWT (RFC 6749 section 2.3, RFC 7523).

Does not know certificates (RFC 8705: the server speaks no TLS), nor clients without credentials.
"""

import hmac
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_plus

from oauthlib.oauth2 import InvalidClientError, InvalidRequestError

from oauth_rs.devserver.clients import Client
from oauth_rs.errors import OAuthError
from oauth_rs.jose.claims import check_audience, check_times, text
from oauth_rs.jose.jws import CompactJWS, parse
from oauth_rs.replay import MemoryReplay, replay_key

METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")
FIELDS = frozenset({"client_id", "client_secret", "client_assertion", "client_assertion_type"})
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME = 3600  # seconds that may be left of one: it must be remembered until it is over
LEEWAY = 60  # seconds

# RFC 7523 section 3 asks for what names the server; some clients name the endpoint that they call, whichever it is.
_PATHS = ("", "/token", "/introspect", "/revoke")
# Never the `typ` of something else that the client's key may sign, as a DPoP proof (RFC 8725 section 3.11).
_TYPES = {"", "jwt", "client-authentication+jwt"}


class ClientAuthentication:
    """Knows `clients` by their ids. JWTs of theirs are for `issuer`, or for an endpoint of it that takes them."""

    def __init__(self, clients: Mapping[str, Client], *, issuer: str, clock: Callable[[], float]) -> None:
        self._clients = clients
        self._audiences = frozenset(f"{issuer}{path}" for path in _PATHS)
        self._clock = clock
        self._replay = MemoryReplay()

    def authenticate(self, fields: Mapping[str, str], authorization: str | None) -> Client:
        """The client that one method proves, with `fields` of a form or with a header.

        Raises oauthlib's InvalidClientError; InvalidRequestError for two methods at once.
        """
        if (authorization is not None) + ("client_secret" in fields) + ("client_assertion" in fields) > 1:
            raise InvalidRequestError(description="One client authentication method at a time.")
        named = fields.get("client_id", "")
        if authorization is not None:
            client = self.basic(authorization, decode=unquote_plus)
        elif "client_assertion" in fields:
            client = self._asserted(fields)
        else:
            client = self._secret(named, fields.get("client_secret", ""))
        if named not in {"", client.client_id}:
            raise InvalidClientError
        return client

    def basic(self, authorization: str, *, decode: Callable[[str], str] = str) -> Client:
        """The client that a Basic header proves (RFC 7617); RFC 6749 section 2.3.1 has id and secret encoded in it.

        Raises oauthlib's InvalidClientError.
        """
        scheme, _, encoded = authorization.partition(" ")
        try:
            client_id, _, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
        except ValueError as error:
            raise InvalidClientError from error
        if scheme.lower() != "basic":
            raise InvalidClientError
        return self._secret(decode(client_id), decode(secret))

    def _secret(self, client_id: str, secret: str) -> Client:
        client = self._clients.get(client_id)
        expected = (client.secret if client else "") or "\0"  # no client, no secret: the same comparison
        if not hmac.compare_digest(secret.encode(), expected.encode()) or client is None or not client.secret:
            raise InvalidClientError
        return client

    def _asserted(self, fields: Mapping[str, str]) -> Client:
        if fields.get("client_assertion_type") != ASSERTION_TYPE:
            raise InvalidClientError
        try:
            jws = parse(fields["client_assertion"].encode())
            client = self._clients.get(text(jws.claims, "iss"))  # believed only when a key of this client says so
            if client is None or not _signed(jws, client):
                raise InvalidClientError
            self._check(jws.claims, client.client_id)
        except OAuthError as error:
            raise InvalidClientError from error
        return client

    def _check(self, claims: Mapping[str, Any], client_id: str) -> None:
        now = self._clock()
        check_audience(claims, self._audiences)
        expires = check_times(claims, now, LEEWAY)
        jti = text(claims, "jti")
        if text(claims, "sub") != client_id or not jti or expires > now + ASSERTION_LIFETIME + LEEWAY:
            raise InvalidClientError
        if not self._replay.first_use(replay_key(client_id, jti.encode()), now, expires + LEEWAY, now):
            raise InvalidClientError(description="The assertion was used before.")


def _signed(jws: CompactJWS, client: Client) -> bool:
    key = client.keys.select(jws.header.alg, jws.header.kid)
    return jws.header.typ in _TYPES and key is not None and key.verify(jws.header.alg, jws.signing_input, jws.signature)
