"""OAuth 1.0a with three legs on oauthlib's endpoints: temporary credentials, approval, token (RFC 5849 section 2).

The `realm` of the first request names the scopes, parted by spaces: all of the client's when it is left out. Whoever a
`user` parameter names has approved. Tokens are written to the ledger, for resource servers to check them.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from oauthlib.oauth1 import AccessTokenEndpoint, AuthorizationEndpoint, RequestTokenEndpoint
from oauthlib.oauth1.rfc5849.errors import InvalidClientError, InvalidRequestError, OAuth1Error

from oauth_rs.credentials import OAuth1Client, OAuth1Token
from oauth_rs.devserver.ledger import Ledger
from oauth_rs.devserver.temporary import Temporary, TemporaryCredentials
from oauth_rs.replay import MemoryReplay, replay_key

WINDOW = 600  # seconds that a timestamp may be off, either way
_ID = re.compile(r"[!-~]{1,255}")  # of clients, nonces, verifiers; oauthlib's own rule asks for 20 letters and digits
_USER = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
# No scheme that a browser would run, and nothing that ends the header it is sent back in.
_CALLBACK = re.compile(r"oob|https?://[!-~]{1,2000}")
_CHALLENGE = 'OAuth realm="oauth_rs devserver"'

Reply = tuple[dict[str, str], str, int]
"""Headers, body and status."""


class ThreeLegged:
    """Answers what `clients` and their users send to `paths`. What is signed is the issuer's URL, whatever the Host."""

    def __init__(self, ledger: Ledger, *, clients: Iterable[OAuth1Client]) -> None:
        self._issuer = ledger.mint.issuer
        validator = _Validator(ledger, clients)
        self._endpoints = {
            "/oauth1/initiate": ("POST", RequestTokenEndpoint(validator).create_request_token_response),
            "/oauth1/authorize": ("GET", AuthorizationEndpoint(validator).create_authorization_response),
            "/oauth1/token": ("POST", AccessTokenEndpoint(validator).create_access_token_response),
        }

    @property
    def paths(self) -> dict[str, str]:
        """Each with its method."""
        return {path: method for path, (method, _) in self._endpoints.items()}

    def respond(self, path: str, *, query: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """The answer to one request; nothing sent raises."""
        method, endpoint = self._endpoints[path]
        url = self._issuer + path + (f"?{query}" if query else "")
        try:
            # No headers where a user comes with a browser: what is in them is for others.
            told, text, status = endpoint(url, method, body.decode(), headers if method == "POST" else {})
        except OAuth1Error as error:
            return _reply({}, error.urlencoded, error.status_code)
        except ValueError:  # what oauthlib does with `[` or `|` in a query, another scheme, bytes that are not UTF-8
            return _reply({}, InvalidRequestError("The request cannot be read.").urlencoded, HTTPStatus.BAD_REQUEST)
        return _reply(told, text or "", status)


class _Validator:
    """The part of oauthlib's `RequestValidator` that its three endpoints ask for; oauthlib duck-types it.

    Refuses by raising as soon as it knows: which clients there are is no secret here, and it takes no stand-ins then.
    """

    enforce_ssl = False
    timestamp_lifetime = WINDOW
    allowed_signature_methods = ("HMAC-SHA1", "HMAC-SHA256", "RSA-SHA1", "RSA-SHA256")

    def __init__(self, ledger: Ledger, clients: Iterable[OAuth1Client]) -> None:
        self._ledger = ledger
        self._clients = {client.client_id: client for client in clients}
        self._temporary = TemporaryCredentials(clock=ledger.mint.clock)
        self._replay = MemoryReplay()

    def check_client_key(self, client_id: str) -> bool:
        return client_id in self._clients or _refuse("There is no such client.")

    def check_nonce(self, nonce: str) -> bool:
        return bool(_ID.fullmatch(nonce))

    check_verifier = check_request_token = check_nonce

    def check_realms(self, _scopes: Collection[str]) -> bool:
        return True  # `validate_requested_realms` knows the client

    def validate_timestamp_and_nonce(self, *_arguments: Any, **_options: Any) -> bool:
        return True  # `_spend` asks when the signature is known to be good: others must not use up nonces

    def validate_client_key(self, client_id: str, request: Any) -> bool:
        return request.signature_method in self._clients[client_id].methods or _refuse("Not with this method.")

    def get_client_secret(self, client_id: str, _request: Any) -> str:
        return self._clients[client_id].secret

    def get_access_token_secret(self, *_arguments: Any) -> str:
        raise InvalidRequestError("Temporary credentials are asked for without a token.")

    def get_rsa_key(self, client_id: str, _request: Any) -> Any:
        return self._clients[client_id].rsa_key

    def get_default_realms(self, client_id: str, _request: Any) -> list[str]:
        return sorted(self._clients[client_id].scopes)

    def validate_requested_realms(self, client_id: str, scopes: list[str], _request: Any) -> bool:
        if not set(self._clients[client_id].scopes).issuperset(scopes):
            raise InvalidRequestError("The realm is a list of scopes that the client may ask for.")
        return True

    def validate_redirect_uri(self, _client_id: str, callback: str, _request: Any) -> bool:
        if not _CALLBACK.fullmatch(callback):
            raise InvalidRequestError("The callback is an http or https URL, or oob.")
        return True

    def save_request_token(self, token: dict[str, str], request: Any) -> None:
        self._spend(request)
        self._temporary.add(
            token["oauth_token"],
            client_id=request.client_key,
            secret=token["oauth_token_secret"],
            callback=request.redirect_uri,
            scopes=tuple(request.realms),
        )

    def verify_request_token(self, identifier: str, request: Any) -> bool:
        user = dict(request.params).get("user", "")
        if not _USER.fullmatch(user) or user in self._clients:  # RFC 9068 section 5: a user must not pass for a client
            raise InvalidRequestError("Say who approves, as user=ada. Clients are not users.")
        return self._temporary.find(identifier) is not None

    def save_verifier(self, identifier: str, verifier: dict[str, str], request: Any) -> None:
        user = dict(request.params)["user"]
        if not self._temporary.approve(identifier, subject=user, verifier=verifier["oauth_verifier"]):
            raise InvalidClientError("The temporary credentials were used before.")

    def get_redirect_uri(self, identifier: str, _request: Any) -> str:
        return self._found(identifier).callback

    def validate_request_token(self, client_id: str, identifier: str, _request: Any) -> bool:
        found = self._found(identifier)
        return found.client_id == client_id or _refuse("The temporary credentials are another client's.")

    def validate_verifier(self, _client_id: str, identifier: str, verifier: str, _request: Any) -> bool:
        return self._found(identifier).verified_by(verifier)

    def get_request_token_secret(self, _client_id: str, identifier: str, _request: Any) -> str:
        return self._found(identifier).secret

    def get_realms(self, identifier: str, _request: Any) -> tuple[str, ...]:
        return self._found(identifier).scopes

    def save_access_token(self, token: dict[str, str], request: Any) -> None:
        self._spend(request)
        found = self._temporary.take(request.resource_owner_key) or _refuse(
            "The temporary credentials were used before."
        )
        self._ledger.keep(
            OAuth1Token(
                token=token["oauth_token"],
                client_id=request.client_key,
                secret=token["oauth_token_secret"],
                subject=found.subject,
                scopes=found.scopes,
            )
        )

    def invalidate_request_token(self, *_arguments: Any) -> None:
        pass  # `save_access_token` took them, before anybody else could

    def _spend(self, request: Any) -> None:
        signed_at, now = int(request.timestamp), self._ledger.mint.clock()
        key = replay_key(request.client_key, b"%d" % signed_at, request.nonce.encode())
        if not self._replay.first_use(key, signed_at, signed_at + WINDOW, now):
            _refuse("The request was received before.")

    def _found(self, identifier: str) -> Temporary:
        return self._temporary.find(identifier) or _refuse("There are no such temporary credentials.")


def _refuse(description: str) -> Any:
    raise InvalidClientError(description, status_code=HTTPStatus.UNAUTHORIZED)


def _reply(headers: Mapping[str, str], body: str, status: int) -> Reply:
    told = {"Cache-Control": "no-store", **headers}
    if body:
        told["Content-Type"] = "application/x-www-form-urlencoded"
    if status == HTTPStatus.UNAUTHORIZED:
        told["WWW-Authenticate"] = _CHALLENGE
    return told, body, status
