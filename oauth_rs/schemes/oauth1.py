"""OAuth 1.0a: requests signed with HMAC or RSA by a client, for itself or with a token (RFC 5849 section 3).

Parameters are read from the `Authorization` header, a form body or the query. Two-legged requests come without a token.
What is signed is the URL, the query, a form and the parameters; another body only where `oauth_body_hash` says what it
is (draft-eaton-oauth-bodyhash). Nothing here issues credentials.
"""

import logging
import re
import time
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Sequence
from copy import copy
from hashlib import sha1, sha256, sha512
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote, unquote

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from ..catalogue import ScopeCatalogue
from ..credentials import Credentials, OAuth1Client, OAuth1Token
from ..errors import InvalidRequest, InvalidToken, OAuthError
from ..flow import Flow, at_once
from ..headers import challenge, is_form, quotable
from ..members import offers
from ..model import Grant
from ..oauth1_request import ProtocolParameters, has_form, holds_signature, parameters_of, take_parameters, with_form
from ..oauth1_signature import base_string, hmac_signature, normalized, plaintext_signature, rsa_signed, rsa_size, same
from ..replay import replay_key
from ..request import Request
from ..signature_methods import SignatureMethod
from . import Places, Site
from .signed import MAX_BODY_BYTES, WINDOW, checked_limits, in_time, read_body, replayed, stale

MAX_FORM_BYTES = 262_144  # sorting and encoding a form takes a hundred times as long as hashing it
_SIGNED = frozenset(SignatureMethod) - {SignatureMethod.PLAINTEXT}
_RSA = frozenset({SignatureMethod.RSA_SHA1, SignatureMethod.RSA_SHA256})
_UNPROVED = "The signature does not prove the client and the token."  # nobody is told which of them there are
# Parameters of the application that may be secret; `oauth_token` only names one.
_SECRETS = re.compile(r"((?!oauth_token=)[^=]*(?:passw|secret|token|assertion)[^=]*)=.*", re.IGNORECASE | re.DOTALL)
_HERE = b""  # the credentials of a request that has them in its query or form
# Whom an unknown client is checked against: a secret that nobody has, and keys that nobody made, by the length of the
# signatures that they take.
_NOBODYS_SECRET = token_urlsafe()


def _nobodys_key(size: int) -> RSAPublicKey:
    digits = b"".join(sha512(b"nobody %d" % part).digest() for part in range(size // 64))
    return RSAPublicNumbers(65_537, 1 << size * 8 - 1 | int.from_bytes(digits) | 1).public_key()


_NOBODYS_KEYS = {size: _nobodys_key(size) for size in (256, 384, 512, 1024)}
_NOBODYS_KEY = _NOBODYS_KEYS[256]
_NOBODY = OAuth1Client(client_id="nobody", secret=_NOBODYS_SECRET, rsa_key=_NOBODYS_KEY)

logger = logging.getLogger("oauth_rs")


class OAuth1:
    """Checks requests that the clients of `credentials` signed.

    `methods` are names or aliases of signature methods: all but PLAINTEXT when left out; PLAINTEXT is good over TLS
    only. `window` is in seconds, either way. With `demand_body_hash` every body that is not a form must be covered by
    an `oauth_body_hash`; one that is sent is checked always. `max_form`, for forms, and `max_body`, for bodies with a
    hash, are in bytes. `realm` goes into the challenge.
    Does not check the `realm` of a request: it is not signed.
    """

    name = "OAuth1"
    authorization_names: Collection[bytes] = frozenset({b"oauth"})
    looks_elsewhere = True
    binds_requests = needs_hosts = True
    places = Places(prefixes=(b"oauth_",))

    def __init__(
        self,
        credentials: Credentials,
        *,
        methods: Iterable[str] = _SIGNED,
        window: float = WINDOW,
        demand_body_hash: bool = False,
        max_form: int = MAX_FORM_BYTES,
        max_body: int = MAX_BODY_BYTES,
        realm: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if isinstance(methods, str):
            raise TypeError("methods is a list, as ['HMAC-SHA256']")
        checked_limits(window, max_form, max_body)
        if not offers(credentials, "oauth1"):
            raise TypeError("credentials are an object such as StaticCredentials(clients=[...], tokens=[...])")
        self._credentials = credentials
        self._methods = {method.value: method for method in map(SignatureMethod, methods)}
        if not self._methods:
            raise ValueError("methods lists at least one signature method")
        self._window = window
        self._demand_body_hash = demand_body_hash
        self._max_form = max_form
        self._max_body = max_body
        self._challenge = challenge("OAuth", (("realm", quotable(realm)),))
        self._clock = clock
        self._catalogue: ScopeCatalogue | None = None

    def elsewhere(self, request: Request, /) -> Sequence[bytes] | Flow[Sequence[bytes]]:
        """One set of credentials where query or form holds a signature; a form beside `Authorization` is not read."""
        if holds_signature(request.query):
            return (_HERE,)
        if not request.header(b"authorization") and has_form(request):
            return self._in_form()
        return ()

    def authenticate(self, request: Request, credentials: bytes, site: Site, /) -> Grant | Flow[Grant]:
        """The grant of the client, or of the token, that signed the request.

        Raises InvalidRequest (those of oauth1_request.py, `plaintext_without_tls`), RequestTooLarge (`body_too_large`),
        InvalidToken (`stale_timestamp`, `bad_signature`, `unknown_client`, `unknown_token`, `method_not_allowed`,
        `no_body_hash`, `bad_body_hash`, `expired`, `replayed`) and Unavailable.
        """
        return at_once(self._check(request, credentials, site))

    def challenge(self, **_said: Any) -> str:
        """`OAuth` with the realm; RFC 5849 section 3.5.1 knows no other parameter."""
        return self._challenge

    def private(self, request: Request, /) -> bool:
        """True when the signature is in the query, or may be in a form."""
        return holds_signature(request.query) or is_form(request)

    def warm(self) -> Flow[None]:
        """Fetches nothing."""
        yield from ()

    def with_catalogue(self, catalogue: ScopeCatalogue, /) -> "OAuth1":
        """The same scheme, whose clients and tokens hold what `catalogue` makes of their scopes."""
        bound = copy(self)
        bound._catalogue = catalogue  # noqa: SLF001 - nobody else has it yet
        return bound

    def _check(self, request: Request, credentials: bytes, site: Site) -> Flow[Grant]:
        form = None
        try:
            sent = parameters_of(credentials, request)
            if has_form(request):
                form = yield from read_body(self._max_form)
                sent = with_form(sent, form)
            parameters, signed = take_parameters(normalized(sent), self._methods)
            url = site.url.of(request)
            now = self._clock()
            if parameters.method is SignatureMethod.PLAINTEXT:
                _check_plaintext(url)
            # For PLAINTEXT without a timestamp there is none to check.
            if abs(parameters.timestamp - now) > self._window and parameters.timestamp:
                raise stale()
            found = self._credentials.oauth1(parameters.client_id, parameters.token)
            client, token = found if isinstance(found, tuple) else (yield from found)
            token = token if parameters.token else None
            base = base_string(request.method, url, signed)
            grant = _granted(parameters, base, client, token)
            if 0 < grant.expires_at <= now:
                raise InvalidToken("expired", "The token has expired.")
            if parameters.body_hash or (self._demand_body_hash and form is None):
                _check_body_hash(parameters.body_hash, (yield from read_body(self._max_body)) if form is None else form)
            if parameters.timestamp:
                first, until = self._first_use(parameters, site), parameters.timestamp + self._window
                if not (first if isinstance(first, bool) else (yield from in_time(first, until, self._clock))):
                    raise replayed()
        except OAuthError as error:
            error.trace(self.name, credentials or request.query + (form or b""))
            raise
        return grant if self._catalogue is None else grant._replace(scopes=self._catalogue.held(grant.scopes))

    def _in_form(self) -> Flow[Sequence[bytes]]:
        return (_HERE,) if holds_signature((yield from read_body(self._max_form))) else ()

    def _first_use(self, parameters: ProtocolParameters, site: Site) -> bool | Flow[bool]:
        client_id, token, _, _, timestamp, nonce, _ = parameters
        now, until = self._clock(), timestamp + self._window
        if now > until:  # looked at again: a body can be dripped until the store has forgotten the first of two
            raise stale()
        key = replay_key(f"OAuth1 {client_id}", f"{token}\0{timestamp}\0{nonce}".encode())
        return site.replay.first_use(key, timestamp, until, now)


def _check_plaintext(url: str) -> None:
    if not url.startswith("https:"):
        raise InvalidRequest("plaintext_without_tls", "A PLAINTEXT signature is a secret: it needs TLS.")


def _granted(
    parameters: ProtocolParameters, base: bytes, client: OAuth1Client | None, token: OAuth1Token | None
) -> Grant:
    """The grant, when the signature is right. Who is unknown is checked as whoever is known, and refused after."""
    client_id, token_id, method, signature, _, _, _ = parameters
    signer = client or _NOBODY
    secret, token_secret = signer.secret or _NOBODYS_SECRET, token.secret if token else ""
    if method in _RSA:
        good = rsa_signed(method, base, signature, _key_for(signer, signature))
    elif method is SignatureMethod.PLAINTEXT:
        good = same(signature, plaintext_signature(secret, token_secret))
    else:
        good = same(signature, hmac_signature(method, base, secret, token_secret))
    # What a source found under another spelling, as databases may that do not mind case, is not what was asked for.
    if client is None or client.client_id != client_id:
        raise InvalidToken("unknown_client", _UNPROVED)
    if token_id and (token is None or token.token != token_id or token.client_id != client_id):
        raise InvalidToken("unknown_token", _UNPROVED)
    if method not in client.methods:
        raise InvalidToken("method_not_allowed", _UNPROVED)
    if not good:
        _log_mismatch(base)
        raise InvalidToken("bad_signature", _UNPROVED)
    subject, expires_at, of = ("", 0, client) if token is None else (token.subject, token.expires_at, token)
    return Grant("OAuth1", "OAuth1", "", subject, client_id, frozenset(of.scopes), expires_at, b"{}", None, method)


def _key_for(client: OAuth1Client, signature: str) -> RSAPublicKey:
    """The key of `client`, or another where it has none or one of another size: the time it takes tells neither."""
    size = rsa_size(signature)
    key = client.rsa_key
    if key is None or isinstance(key, str) or key.key_size != size * 8:
        return _NOBODYS_KEYS.get(size, _NOBODYS_KEY)
    return key


def _log_mismatch(base: bytes) -> None:
    if logger.isEnabledFor(logging.DEBUG):
        verb, url, parameters = base.decode().split("&")
        pairs = [_SECRETS.sub(r"\1=...", pair) for pair in unquote(parameters).split("&")]
        shown = f"{verb}&{url}&{quote('&'.join(pairs), safe='')}"
        # All of it quoted: a path may hold anything.
        seen = (unquote(verb), unquote(url), pairs, shown)
        logger.debug("bad_signature: the server saw %r %r with %r; the base string is %r", *seen)


def _check_body_hash(presented: str, body: bytes) -> None:
    """Returns when `presented` is the hash of `body`: with SHA-1, as libraries do whatever the method, or SHA-256."""
    if not presented:
        if body:
            raise InvalidToken("no_body_hash", "The signature must cover the body by its hash.")
        return
    hashes = [b64encode(hashed(body).digest()).decode() for hashed in (sha1, sha256)]
    if presented not in hashes:
        raise InvalidToken("bad_body_hash", "The body is not the one whose hash was signed.")
