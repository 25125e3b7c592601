"""Signed answers of an introspection endpoint (RFC 9701): made by the provider, for this application.

An answer is no access token: its `typ` is its own, and JWTProvider takes none of it. Does not know about which token an
answer is: it does not say.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import InvalidToken
from ..flow import Flow, Reply
from ..jose import claims as claim
from ..jose.jws import JSON_OBJECT, CompactJWS, parse
from ..keys import KeySource
from ..members import offers
from .answers import end_of, unusable
from .seconds import LEEWAY

MEDIA_TYPE = "application/token-introspection+jwt"
_TYP = "token-introspection+jwt"


class SignedAnswers:
    """Answers that `issuer` signs with one of `keys` for `audience`, the id of this application there."""

    def __init__(
        self,
        keys: KeySource,
        *,
        issuer: str,
        audience: str,
        leeway: float = LEEWAY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not offers(keys, "peek"):
            raise TypeError("keys is RemoteKeys('https://id.example.com/jwks'), or RemoteKeys(IssuerMetadata(...))")
        if not issuer or not audience:
            raise ValueError("signed answers name who made them and for whom: give issuer=, and a client with an id")
        self._keys, self._issuer, self._audience = keys, issuer, frozenset((audience,))
        self._leeway, self._clock = leeway, clock

    def warm(self) -> Flow[None]:
        yield from self._keys.warm()

    def members_of(self, reply: Reply) -> Flow[Mapping[str, Any]]:
        """The answer in `reply`. Raises Unavailable (`endpoint_unusable`, and what the keys raise)."""
        try:
            if _kind(reply) != MEDIA_TYPE:
                raise unusable("no signed answer")
            signed = parse(reply.body.strip(), payload=JSON_OBJECT)
            key = yield from self._keys.find(signed.header.alg, signed.header.kid)
            if key.verify(signed.header.alg, signed.signing_input, signed.signature):
                return self._content(signed)
        except InvalidToken:
            pass  # what is wrong with the answer is not wrong with the token
        raise unusable("no answer that is signed as it should be")

    def _content(self, signed: CompactJWS) -> Mapping[str, Any]:
        claims = signed.claims
        answer = claims.get("token_introspection")
        named = claims.get("iss") == self._issuer
        if signed.header.typ != _TYP or not named or "iat" not in claims or not isinstance(answer, dict):
            raise unusable("an answer that is signed for another purpose")
        claim.check_audience(claims, self._audience)
        end_of(claims, self._clock(), self._leeway)
        return answer


def _kind(reply: Reply) -> str:
    return reply.content_type.partition(";")[0].strip().lower()
