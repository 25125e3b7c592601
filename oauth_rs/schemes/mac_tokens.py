"""MAC keys that come inside of access tokens (draft-ietf-oauth-v2-http-mac-05 sections 4.3 and 5.1).

A token holds its key in the claims `mac_key`, `mac_algorithm` and `kid`, or in `cnf` as a symmetric JWK (RFC 7800). Its
issuer's provider says whether it is good, each time it is used. Tokens are signed, not encrypted: whoever sees one has
its key, so they are for connections that nobody reads.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha1, sha256
from typing import Any, NamedTuple

from ..cache import GenerationalCache
from ..credentials import MACKey
from ..encoding import base64url_decode
from ..errors import InvalidToken
from ..flow import Flow
from ..jose.claims import numeric_date, text
from ..model import Grant
from ..providers.choosing import Choice
from ..providers.presented import Presented
from ..request import Request
from ..signature_methods import SignatureMethod
from ..urls import ExternalURL

CACHE_SIZE = 4096  # tokens that may be named by their kid alone; 4 MB as issuers write them, 64 MB at the most
CACHE_SECONDS = 3600.0  # without use; a token that has expired is of no use earlier
_SECRETS = frozenset({"mac_key", "cnf"})


class Holder(NamedTuple):
    """A key, what it grants, and the access token that it came in, if any."""

    key: MACKey
    grant: Grant
    token: str = ""


class TokenKeys:
    """The keys in the tokens of `choice`, and those of them that may be used without showing the token again."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._held: GenerationalCache[Holder] = GenerationalCache(size=CACHE_SIZE, seconds=CACHE_SECONDS)

    def of_token(self, token: str, kid: str | None, request: Request, url: ExternalURL) -> Flow[Holder | None]:
        """The key in `token`; None when a `kid` is given and is neither the token's nor made from it.

        Raises InvalidToken (`no_mac_key`, `sender_constrained`, `malformed_claim`, those of choosing.py and of the
        provider) and Unavailable.
        """
        encoded = token.encode()
        digest = sha256(encoded).digest()
        grant = self._choice.recall(digest)
        if grant is None:
            verdict = self._choice.grant(Presented(encoded, digest, request, url))
            grant = verdict if isinstance(verdict, Grant) else (yield from verdict)
        key, claims = _key_in(grant)
        if kid not in {None, key.kid, b64encode(sha1(encoded, usedforsecurity=False).digest()).decode()}:
            return None
        shown = {name: value for name, value in claims.items() if name not in _SECRETS}
        method = SignatureMethod(key.algorithm)
        granted = grant._replace(
            scheme="MAC", claims_json=json.dumps(shown).encode(), confirmation=None, signature_method=method
        )
        return Holder(key, granted, token)

    def of_kid(self, kid: str, now: float, request: Request, url: ExternalURL) -> Flow[Holder | None]:
        """The key in the token kept as `kid`, while that is good for `request`; None when there is none.

        Raises Unavailable.
        """
        held = self._held.get(kid.encode(), now)
        if held is None:
            return None
        try:
            return (yield from self.of_token(held.token, kid, request, url))
        except InvalidToken:  # expired since, or its issuer's key has gone: as if it had never been shown
            return None

    def keep(self, kid: str, holder: Holder, now: float) -> None:
        """Lets `kid` alone stand for the token of `holder` from now on, in this process.

        Of two good tokens with the same kid the first is kept, unless both are of one subject and client: a client
        whose token claims the kid of another must not shut that one out.
        """
        held = self._held.get(kid.encode(), now)
        if held is None or held.token == holder.token or held.grant.expires_at <= now or _alike(held, holder):
            self._held.put(kid.encode(), holder, now)


def _alike(one: Holder, other: Holder) -> bool:
    a, b = one.grant, other.grant
    return bool(a.client_id) and (a.issuer, a.subject, a.client_id) == (b.issuer, b.subject, b.client_id)


def _key_in(grant: Grant) -> tuple[MACKey, Mapping[str, Any]]:
    claims = grant.claims
    if not _SECRETS & claims.keys():
        raise InvalidToken("no_mac_key", "The access token does not come with a MAC key.")
    jwk = _jwk(claims)
    if jwk is None and "cnf" in claims:
        raise InvalidToken("sender_constrained", "The access token is bound to a key that was not proved.")
    try:
        secret = text(claims, "mac_key").encode() if jwk is None else base64url_decode(text(jwk, "k").encode())
        key = MACKey(
            # What is used up is counted by this kid: without one, every token with the same key must have the same.
            kid=text(claims, "kid") or text(jwk or {}, "kid") or b64encode(sha256(b"MAC" + secret).digest()).decode(),
            key=secret,
            algorithm=text(claims, "mac_algorithm") or SignatureMethod.HMAC_SHA256,
            issued_at=numeric_date(claims, "iat"),
        )
    except ValueError:
        pass  # raised out here, because that error may show the key and would be chained
    else:
        return key, claims
    raise InvalidToken("malformed_claim", "A claim of the access token is not of its type.")


def _jwk(claims: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The symmetric key that is all of `cnf`, where there is no `mac_key`; one for HMAC with SHA-256."""
    confirmation = claims.get("cnf")
    if "mac_key" in claims or not isinstance(confirmation, dict) or confirmation.keys() != {"jwk"}:
        return None
    jwk = confirmation["jwk"]
    if not isinstance(jwk, dict) or jwk.get("kty") != "oct" or jwk.get("alg", "HS256") != "HS256":
        return None
    return jwk
