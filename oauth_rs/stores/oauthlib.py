"""Credentials out of an OAuth 1.0a RequestValidator of oauthlib: what an application has written for that library.

The validator finds clients, tokens, secrets and keys; all that is checked is checked here. Not taken over:
`validate_timestamp_and_nonce` (the server's replay store does that), `validate_realms` (scopes do that), `check_nonce`,
`timestamp_lifetime`, `enforce_ssl`, and whatever issues tokens.
"""

import logging
from collections.abc import Callable, Collection
from typing import Any

from oauthlib.common import Request
from oauthlib.oauth1 import RequestValidator

from ..credentials import OAuth1Client, OAuth1Pair, OAuth1Token
from ..flow import Call, Flow
from ..signature_methods import SignatureMethod

_METHODS = {str(method): method for method in SignatureMethod}
_RSA = frozenset({SignatureMethod.RSA_SHA1, SignatureMethod.RSA_SHA256})
# Of the signed request, which the validator does not see; some validators look whether these are set.
_ABSENT = ("signature", "signature_method", "timestamp", "verifier", "realm")

logger = logging.getLogger("oauth_rs")


class ValidatorCredentials:
    """Clients and tokens that `validator` knows; it has no MAC keys.

    Its methods get an `oauthlib.common.Request` with `client_key`, `resource_owner_key` and nothing else of the request
    that was signed, on which they may leave what they like; where the middleware awaits, they are called in worker
    threads. From what they left there, `subject(request)` says whose a known token is and `scopes(request)` what it is
    good for. Without `scopes`, `get_realms` says it, where it is implemented.

    What `check_client_key` and `check_access_token` refuse is unknown: by default all but 20 to 30 letters and digits.
    For what is unknown the same methods are called with `dummy_client` and `dummy_access_token`: all of them, and
    `get_realms` too, must know these. `allowed_signature_methods` limits the methods of every client. A client whose
    RSA key cannot be read, or has less than 2048 bits, is unknown, and an error is logged.

    An Unavailable that a method raises is a 503, any other exception a 500.
    """

    def __init__(
        self,
        validator: RequestValidator,
        *,
        subject: Callable[[Request], str],
        scopes: Callable[[Request], Collection[str]] | None = None,
    ) -> None:
        if not isinstance(validator, RequestValidator):
            raise TypeError("validator is an instance of a subclass of oauthlib.oauth1.RequestValidator")
        self._validator, self._dummy = validator, validator.dummy_client
        self._subject, self._scopes = subject, scopes
        self._methods = frozenset(_METHODS[name] for name in validator.allowed_signature_methods if name in _METHODS)
        if not self._methods:
            raise ValueError(f"allowed_signature_methods names one of {', '.join(_METHODS)}")

    def oauth1(self, client_id: str, token: str, /) -> Flow[OAuth1Pair]:
        """The client and the token, as the validator's own methods find them."""
        pair: OAuth1Pair = yield from Call(blocking=self._look_up, arguments=(client_id, token))
        return pair

    def mac_key(self, _kid: str, /) -> None:
        """Nothing: a validator knows no MAC keys."""

    def _look_up(self, client_id: str, token: str) -> OAuth1Pair:
        request = Request("")
        for name in _ABSENT:
            setattr(request, name, None)
        request.client_key, request.resource_owner_key = client_id, token or None
        known = self._knows_client(request)
        secret = self._secret(request)
        client = self._client(request, _text(secret), known=known)
        return client, self._token(request, client_known=known, has_secret=secret is not None) if token else None

    def _knows_client(self, request: Request) -> bool:
        validator, dummy = self._validator, self._dummy
        askable = request.client_key != dummy and validator.check_client_key(request.client_key)
        if not askable:
            request.client_key = dummy
        known = validator.validate_client_key(request.client_key, request) and askable
        if not known:
            request.client_key = dummy
        return bool(known)

    def _secret(self, request: Request) -> Any:
        """None where no client has a secret, whichever is asked for: then no token needs one."""
        if self._methods <= _RSA:
            return None
        return _implemented(self._validator.get_client_secret, request.client_key, request)

    def _client(self, request: Request, secret: str, *, known: bool) -> OAuth1Client | None:
        asks_rsa = not self._methods.isdisjoint(_RSA)
        key = _text(_implemented(self._validator.get_rsa_key, request.client_key, request)) if asks_rsa else ""
        possible = self._methods & ((_RSA if key else frozenset()) | (self._methods - _RSA if secret else frozenset()))
        try:
            client = OAuth1Client(client_id=request.client_key, secret=secret, rsa_key=key or None, methods=possible)
        except ValueError:
            if known:
                logger.error("the client %r has neither a secret nor an RSA key that can be used", request.client_key)  # noqa: TRY400 - the traceback of a library may show the key
            return None
        return client if known else None

    def _token(self, request: Request, *, client_known: bool, has_secret: bool) -> OAuth1Token | None:
        validator = self._validator
        token, dummy = request.resource_owner_key, validator.dummy_access_token
        askable = token != dummy and validator.check_access_token(token)
        if not askable:
            request.resource_owner_key = dummy
        valid = validator.validate_access_token(request.client_key, request.resource_owner_key, request)
        known = valid and askable and client_known
        if not known:
            request.resource_owner_key = dummy
        found = (request.client_key, request.resource_owner_key, request)
        secret = _text(validator.get_access_token_secret(*found)) if has_secret else ""
        realms = _implemented(validator.get_realms, request.resource_owner_key, request) if not self._scopes else ()
        if not known:
            return None
        return OAuth1Token(
            token=token,
            client_id=request.client_key,
            secret=secret,
            subject=self._subject(request),
            scopes=self._scopes(request) if self._scopes else _listed(realms),
        )


def _implemented(method: Callable[..., Any], *arguments: Any) -> Any:
    """What the method gives, "" for nothing; None where the validator does without it, as its clients do."""
    try:
        return method(*arguments) or ""
    except NotImplementedError:
        return None


def _text(answer: str | bytes | None) -> str:
    return answer.decode() if isinstance(answer, bytes) else answer or ""


def _listed(realms: str | Collection[str] | None) -> Collection[str]:
    return realms.split() if isinstance(realms, str) else realms or ()
