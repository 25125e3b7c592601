"""One signed header that tells the application behind who calls (RFC 7519; typed as RFC 8725 section 3.11 asks for).

For where others than this server can reach that application: it checks the signature, and need not trust the network.
What is signed is no access token, and holds none. Makes no keys, and does not tell the application which to trust.
"""

import re
import time
from collections.abc import Callable, Sequence
from secrets import token_urlsafe
from typing import Any

import jwt

from .identity import PLAIN_NAMES, Room, folded, kind_and_version
from .model import Grant
from .pem import PrivateKey, private_key
from .scopes import is_scope

TYP = "oauth-identity+jwt"
MAX_LIFETIME = 300  # seconds: it is for one request that is under way
_NAME = re.compile(r"[A-Za-z0-9_-]+")
# What checks and servers read themselves: it is taken out of every request before they see it.
_NOT_OURS = frozenset({"authorization", "connection", "content-length", "content-type", "host", "transfer-encoding"})


class SignedIdentity:
    """A JWT of typ `oauth-identity+jwt` in `header`, good for `lifetime` seconds, made anew for each request.

    `key` is a private key, or one in PEM: P-256, P-384 or P-521 for ES256, ES384 and ES512, Ed25519 for EdDSA, RSA of
    2048 bits or more for PS256 and RS256 and their longer kin. `kid` names it for whoever checks. The claims are `iss`,
    `aud`, `iat`, `exp`, `jti`, `scope`, `oauth_version` and, where there are such, `sub`, `client_id`, `token_type`,
    `signature_method`, `act`, `properties`, `owner` and `owner_domain`. A JWT over 8 KiB refuses the request.
    """

    def __init__(
        self,
        key: PrivateKey | str | bytes,
        *,
        issuer: str,
        audience: str,
        lifetime: int = 60,
        header: str = "OAuth-Identity",
        algorithm: str = "ES256",
        kid: str = "",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key, self._algorithm = private_key(key, algorithm), algorithm
        if not issuer or not audience:
            raise ValueError("issuer names this server and audience the application behind, as their URLs")
        if not 1 <= lifetime <= MAX_LIFETIME:
            raise ValueError(f"lifetime is 1 to {MAX_LIFETIME} seconds: the identity is for one request")
        if not _NAME.fullmatch(header) or folded(header) in _NOT_OURS:
            raise ValueError(f"{header!r} is not a header that is free: write a name such as 'OAuth-Identity'")
        self.names = PLAIN_NAMES | {folded(header)}
        self._header = header
        self._room = Room(monotonic)
        self._fixed = {"iss": issuer, "aud": audience}
        self._lifetime, self._clock = lifetime, clock
        self._jose = {"typ": TYP, "kid": kid} if kid else {"typ": TYP}

    def headers(self, grant: Grant, /) -> Sequence[tuple[str, str]]:
        """The one header that says what `grant` is.

        Raises InvalidToken (`identity_too_large`) and Unavailable (`scopes_too_large`).
        """
        return [(self._header, self._room.checked(self._token, grant))]

    def _token(self, grant: Grant) -> str:
        now = int(self._clock())
        times = {"iat": now, "exp": now + self._lifetime, "jti": token_urlsafe(12)}
        claims = {**self._fixed, **times, **_said(grant)}
        return jwt.encode(claims, self._key, algorithm=self._algorithm, headers=self._jose)


def _said(grant: Grant) -> dict[str, Any]:
    claims = grant.claims
    kind, version = kind_and_version(grant)
    optional = {
        "sub": grant.subject,
        "client_id": grant.client_id,
        "token_type": kind,
        "signature_method": grant.signature_method,
        "act": grant.actor,
        "properties": grant.names.properties_in(claims),
        "owner": grant.names.owner_in(claims),
        "owner_domain": grant.owner_domain,
    }
    said = {name: value for name, value in optional.items() if value}
    # What holds a space would be two scopes to who reads this, and no issuer may grant it (RFC 6749 section 3.3).
    return {"scope": " ".join(sorted(filter(is_scope, grant.scopes))), "oauth_version": version, **said}
