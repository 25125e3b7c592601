"""Access tokens of the development server, good ones and bad ones on purpose (RFC 9068 section 2).

Does not ask who wants the token or why: `grants` does that for `/token`, and nobody does for `/dev/token`.
"""

import hmac
import json
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from oauth_rs.devserver.keys import KeyRing, SigningKey, base64url

# Signatures no verifier may accept: none at all, and HMAC with the public key as the secret (RFC 8725 2.1).
_FORGED: dict[str, Callable[[SigningKey, bytes], bytes]] = {
    "none": lambda _key, _message: b"",
    "HS256": lambda key, message: hmac.digest(key.public_pem(), message, "sha256"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mint:
    """Makes tokens of one issuer; `audience` and `client_id` are what a token says unless told otherwise.

    `lifetime` is in seconds.
    """

    issuer: str
    audience: str
    client_id: str
    keys: KeyRing
    lifetime: int = 600
    clock: Callable[[], float] = time.time

    def token(
        self,
        *,
        client_id: str | None = None,
        scope: str = "",
        audience: str | list[str] | None = None,
        claims: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
        drop: Collection[str] = (),
        alg: str | None = None,
    ) -> str:
        """A signed RFC 9068 token with `claims` and `header` laid over it, then `drop` taken out of both.

        `alg` picks the key that signs: one of `ALGORITHMS`, `none` (no signature) or `HS256` (signed with the
        public key as the secret); a `header` with another `alg` only lies about it. `ValueError` for an unknown
        `alg`.
        """
        payload = {**self.claims(client_id=client_id, scope=scope, audience=audience), **(claims or {})}
        return self.signed(payload, header={"typ": "at+jwt", **(header or {})}, drop=drop, alg=alg)

    def signed(
        self,
        payload: Mapping[str, Any],
        *,
        header: Mapping[str, Any],
        drop: Collection[str] = (),
        alg: str | None = None,
    ) -> str:
        """A JWT of `payload`, whatever it is for: the `typ` in `header` says that. `alg` as for `token`."""
        key = self.keys.signing(None if alg in _FORGED else alg)
        protected = {"alg": alg or key.algorithm, "kid": key.kid, **header}
        message = f"{_part(protected, drop)}.{_part(payload, drop)}".encode()
        forge = _FORGED.get(alg or "")
        signature = forge(key, message) if forge else key.sign(message)
        return f"{message.decode()}.{base64url(signature)}"

    def claims(
        self,
        *,
        client_id: str | None = None,
        scope: str = "",
        audience: str | list[str] | None = None,
        lifetime: int | None = None,
    ) -> dict[str, Any]:
        """What RFC 9068 section 2.2 asks for, whether it goes into the token or is kept for introspection."""
        client = self.client_id if client_id is None else client_id
        now = int(self.clock())
        claims = {
            "iss": self.issuer,
            "sub": client,  # RFC 9068 section 2.2: no resource owner, so the client is the subject
            "aud": audience or self.audience,
            "exp": now + (self.lifetime if lifetime is None else lifetime),
            "iat": now,
            "jti": secrets.token_urlsafe(16),
            "client_id": client,
        }
        return {**claims, "scope": scope} if scope else claims


def _part(members: Mapping[str, Any], drop: Collection[str]) -> str:
    kept = {name: value for name, value in members.items() if name not in drop}
    return base64url(json.dumps(kept, separators=(",", ":")).encode())
