"""Access tokens that are JWTs of one issuer (RFC 9068, RFC 8725).

The order of checks is fixed: syntax, key, signature, `typ`, issuer, required claims, audience, times, scopes, names,
`cnf`, client, status. The claims are believed only after the signature; before it they may select this provider, or
refuse what would need a fetch. Whether a token was revoked is asked with `status` only: without it a token is good
until it expires.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from copy import copy
from sys import intern
from typing import Any, TypeAlias

from ..cache import GenerationalCache
from ..catalogue import ScopeCatalogue
from ..claim_names import ClaimPath
from ..clients import Clients, registry_of
from ..errors import InvalidToken
from ..flow import Flow, at_once
from ..jose import claims as claim
from ..jose.algorithms import SUPPORTED
from ..jose.jwk import Key
from ..jose.jws import CompactJWS, algorithm_not_allowed, media_type
from ..keys import KeySource
from ..members import offers
from ..metadata import IssuerMetadata
from ..model import Grant
from ..remote_keys import RemoteKeys
from ..roles import RoleMap
from ..status_list import StatusLists, TokenStatus
from . import unknown_issuer
from .issuers import IssuedBy
from .known_clients import admit
from .presented import Presented
from .scoping import terms_of
from .seconds import CACHE_SIZE, LEEWAY, MAX_CACHE_SECONDS, MAX_LEEWAY, check_cache_size, check_seconds
from .selection import Accepts, selectors_of

_Cache: TypeAlias = GenerationalCache[Grant]
_RFC9068_CLAIMS = ("sub", "client_id", "iat", "jti")


class JWTProvider:
    """Verifies the JWT access tokens of `issuer`, for resource servers known to it as `audience` (one name or several).

    `keys` come from the issuer's metadata unless given. `algorithms` narrows what the keys allow. `typ` lists the
    accepted header types (None stands for an absent one) and `required` the claims that must be present beside `iss`,
    `aud` and `exp`; both default to RFC 9068, and issuers that do not follow it need them stated, as
    `typ=("at+jwt", "JWT")`. `client_id` is also met by `azp` or `cid`.

    `scopes` limits what this provider may grant, in whatever way. `roles` is a RoleMap, or several, and grants more
    within that limit. `clients` are ids or a registry: tokens of other clients are refused, and of one that is disabled
    when the verdict on its token is forgotten, after `cache_seconds`. `status` asks the status lists that tokens refer
    to, whenever a token is used. `accepts` tells its tokens from those of other providers. `properties`, `owner` and
    `domain` say where a grant finds what it says of itself (see ClaimNames).

    `leeway` and `cache_seconds` are in seconds; `cache_size` counts tokens, 0 keeps none. `clock` is wall time,
    `monotonic` never goes back.
    """

    def __init__(
        self,
        issuer: str,
        *,
        audience: str | Collection[str],
        keys: KeySource | None = None,
        algorithms: Collection[str] | None = None,
        typ: Collection[str | None] = ("at+jwt",),
        required: Collection[str] = _RFC9068_CLAIMS,
        scopes: Collection[str] | None = None,
        roles: RoleMap | Iterable[RoleMap] = (),
        clients: Clients | None = None,
        status: StatusLists | None = None,
        accepts: Accepts = (),
        properties: ClaimPath | Mapping[str, ClaimPath] = (),
        owner: Mapping[str, ClaimPath] | None = None,
        domain: str = "",
        leeway: float = LEEWAY,
        cache_size: int = CACHE_SIZE,
        cache_seconds: float = MAX_CACHE_SECONDS,
        name: str = "",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        _check_kinds(issuer, keys, status)
        check_seconds("leeway", leeway, most=MAX_LEEWAY)
        check_seconds("cache_seconds", cache_seconds, most=MAX_CACHE_SECONDS)
        check_cache_size(cache_size)
        for option, value in (("algorithms", algorithms), ("typ", typ), ("required", required), ("scopes", scopes)):
            if isinstance(value, str):
                raise TypeError(f"{option} is a list of strings, not one string")
        self.name = name or issuer
        self.issuer = issuer
        self.accepts = selectors_of(accepts, IssuedBy(issuer))
        self._audience = claim.audience_names(audience)
        self._keys = RemoteKeys(IssuerMetadata(issuer), monotonic=monotonic) if keys is None else keys
        self._algorithms = None if algorithms is None else frozenset(algorithms)
        self._types = frozenset(media_type(one or "") for one in typ)
        self._required = tuple(required)
        self._scoping, self._names = terms_of(scopes, roles, properties, owner, domain)
        self._clients = None if clients is None else registry_of(clients)
        self._leeway = leeway
        self._cache_size, self._cache_seconds = cache_size, min(cache_seconds, self._keys.max_age)
        self._clock, self._monotonic = clock, monotonic
        self._check_options()
        self.stated_urls = _stated(keys, status)
        self._status = None if status is None else self._status_of(status)
        self.remembers = self._cache_size > 1 and self._cache_seconds > 0
        self._memory = self._forget(None)

    def _check_options(self) -> None:
        if not self._audience:
            raise ValueError("JWTProvider needs the audience that names this API in a token's `aud`")
        if self._algorithms is not None and (not self._algorithms or "none" in self._algorithms):
            raise ValueError("algorithms lists what may sign a token; `none` is never accepted")
        if self._algorithms is not None and not self._algorithms <= SUPPORTED:
            raise ValueError(f"no such algorithms: {', '.join(sorted(self._algorithms - SUPPORTED))}")

    def _status_of(self, status: StatusLists) -> TokenStatus:
        return status.of(
            self.issuer,
            self._keys,
            tokens=self._cache_size,
            algorithms=self._algorithms,
            clock=self._clock,
            monotonic=self._monotonic,
        )

    def recall(self, digest: bytes, /) -> Grant | None:
        """The grant of a token verified within `cache_seconds`, unless it expired or a key has gone since."""
        now = self._monotonic()
        basis, cache = self._memory
        if basis is not self._keys.basis:
            basis, cache = self._memory = self._forget(self._keys.basis)
        young, old, turn_at = cache.generations
        grant = (young.get(digest) or old.get(digest)) if now < turn_at else cache.get(digest, now)
        if grant is None or self._clock() >= grant.expires_at:
            return None
        return grant if self._status is None or self._status.holds(digest) else None

    def verify(self, token: Presented, /) -> Grant | Flow[Grant]:
        """The grant that `token` proves, remembered. Fetches nothing for a token of another issuer.

        Raises InvalidToken (those of jose/jws.py, `unknown_issuer`, `algorithm_not_allowed`, `unknown_key`,
        `bad_signature`, `wrong_typ`, `wrong_issuer`, `missing_claim`, `malformed_claim`, `no_audience`,
        `wrong_audience`, `no_expiry`, `expired`, `not_yet_valid`, `malformed_claims`, `client_not_registered`, those of
        status_list/) and Unavailable (see remote_keys.py and status_list/, and as the registry of `clients` does).
        """
        jws = token.jws
        # The cache is taken before the key is found: should the key go meanwhile, this cache goes with it.
        cache = self._memory[1]
        header = jws.header
        if self._algorithms is not None and header.alg not in self._algorithms:
            raise algorithm_not_allowed()
        key = self._keys.peek(header.alg, header.kid)
        if key is not None:
            return self._conclude(jws, token.digest, key, cache)
        if jws.claims.get("iss") != self.issuer:
            raise unknown_issuer()
        return self._wait(jws, token.digest, cache)

    def warm(self) -> Flow[None]:
        """Fetches the keys of the issuer."""
        yield from self._keys.warm()

    def with_catalogue(self, catalogue: ScopeCatalogue, /) -> "JWTProvider":
        """The same provider with the same keys, whose grants hold the scopes that `catalogue` makes of theirs.

        Raises ValueError where `scopes` or `roles` names a scope that the catalogue does not have.
        """
        bound = copy(self)
        bound._scoping = self._scoping.with_catalogue(catalogue, self.name)  # noqa: SLF001 - nobody else has it yet
        bound._memory = bound._forget(None)  # noqa: SLF001 - what was remembered was granted without the catalogue
        return bound

    def _wait(self, jws: CompactJWS, digest: bytes, cache: _Cache) -> Flow[Grant]:
        key = yield from self._keys.find(jws.header.alg, jws.header.kid)
        verdict = self._conclude(jws, digest, key, cache)
        return verdict if isinstance(verdict, Grant) else (yield from verdict)

    def _conclude(self, jws: CompactJWS, digest: bytes, key: Key, cache: _Cache) -> Grant | Flow[Grant]:
        if not key.verify(jws.header.alg, jws.signing_input, jws.signature):
            raise InvalidToken("bad_signature", "The signature of the access token is not good.")
        grant = self._grant(jws, jws.claims)
        if self._clients is not None or self._status is not None:
            return at_once(self._admit(grant, jws, digest, cache))
        if self.remembers:
            self._remember(grant, digest, cache)
        return grant

    def _admit(self, grant: Grant, jws: CompactJWS, digest: bytes, cache: _Cache) -> Flow[Grant]:
        yield from admit(self._clients, grant.client_id)
        if self._status is not None:
            yield from self._status.check(jws.claims, digest)
        if self.remembers:
            self._remember(grant, digest, cache)
        return grant

    def _remember(self, grant: Grant, digest: bytes, cache: _Cache) -> None:
        now = self._monotonic()
        if self._keys.outlast(now + self._cache_seconds):
            cache.put(digest, grant, now)

    def _grant(self, signed: CompactJWS, claims: Mapping[str, Any]) -> Grant:
        if signed.header.typ not in self._types:
            raise InvalidToken("wrong_typ", "The token is not an access token.")
        if claims.get("iss") != self.issuer:
            raise InvalidToken("wrong_issuer", "The access token is from another issuer.")
        claim.check_required(claims, self._required)
        claim.check_audience(claims, self._audience)
        expires_at = claim.check_times(claims, self._clock(), self._leeway)
        scopes = self._scoping.of(claims)
        if "act" in claims or "authorization_details" in claims:
            claim.check_delegation(claims)
        return Grant(  # by position: by name it takes twice as long
            "Bearer",  # the only scheme that presents these tokens as they are
            self.name,
            self.issuer,
            claim.text(claims, "sub"),
            intern(claim.client(claims)),  # few clients, many grants
            scopes,
            expires_at,
            signed.payload,
            claim.confirmation(claims) if "cnf" in claims or "mac_key" in claims else None,
            None,
            self._names,
        )

    def _forget(self, basis: object) -> tuple[object, _Cache]:
        return basis, GenerationalCache(size=self._cache_size, seconds=self._cache_seconds)


def _check_kinds(issuer: object, keys: object, status: object) -> None:
    if not isinstance(issuer, str) or not issuer:
        raise (ValueError if issuer == "" else TypeError)(
            "JWTProvider needs the issuer whose tokens it verifies, as their `iss` spells it"
        )
    if keys is not None and not offers(keys, "peek", "basis"):
        raise TypeError("keys is RemoteKeys('https://id.example.com/jwks'), or StaticKeys(pem_key(...))")
    if status is not None and not isinstance(status, StatusLists):
        raise TypeError("status is StatusLists(...)")


def _stated(keys: KeySource | None, status: StatusLists | None) -> tuple[str, ...]:
    """Where the application itself says to fetch from: not where the metadata of the issuer leads."""
    sources = (keys, None if status is None else status.keys)
    urls = [source.stated_url for source in sources if isinstance(source, RemoteKeys)]
    return (*urls, *(() if status is None else status.under))
