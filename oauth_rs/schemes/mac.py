"""OAuth 2.0 MAC: requests signed with a key that client and server share (draft-ietf-oauth-v2-http-mac-00 to -05).

The drafts expired in 2014 and live on in clients; mac_drafts.py says what each of them signs, mac_tokens.py how keys
come inside of access tokens. What is signed are method, target, host and port, and a body only where a hash of it is
signed too. Nothing here issues keys.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from copy import copy
from hmac import digest as hmac_digest
from typing import Any, cast

from ..catalogue import ScopeCatalogue
from ..credentials import Credentials, MACKey
from ..errors import InvalidToken, OAuthError, Unavailable
from ..flow import Flow, at_once
from ..headers import challenge, quotable
from ..mac_string import attributes, mac_of, malformed, same, target_of
from ..members import offers
from ..model import Grant
from ..providers import Provider
from ..providers.choosing import Choice
from ..replay import replay_key
from ..request import Request
from ..signature_methods import SignatureMethod
from ..urls import ExternalURL
from . import Places, Site
from .mac_drafts import Draft00, Draft02, Draft05, Fields, Profile, profile_of
from .mac_tokens import Holder, TokenKeys
from .signed import MAX_BODY_BYTES, WINDOW, checked_limits, in_time, read_body, replayed, stale

MAX_KID_BYTES = 512  # what is looked up in a database; an id that is a token is not
_DRAFTS: tuple[Profile, ...] = (Draft00(), Draft02(), Draft05())
_JWT_DOTS = 2
_NOT_GOOD = "The MAC is not good."  # of an unknown key too: which keys exist is not to be found out
# Stands in for a key that is unknown, so that the same work is done; what it proves is refused all the same.
_NOBODY = MACKey(kid="nobody", key=bytes(32))

logger = logging.getLogger("oauth_rs")


class MAC:
    """Checks requests that were signed with the MAC keys of `credentials`, or with those in the tokens of `tokens`.

    `profiles` are the drafts that clients may follow. `window` is in seconds, either way. `algorithms` are names or
    aliases: leave out `hmac-sha-1` to refuse keys for it. `max_body` is in bytes. `realm` goes into the challenge.
    """

    name = "MAC"
    authorization_names: Collection[bytes] = frozenset({b"mac"})
    looks_elsewhere = False
    binds_requests = needs_hosts = True
    places = Places()

    def __init__(
        self,
        credentials: Credentials | None = None,
        *,
        tokens: Provider | None = None,
        profiles: Iterable[Profile] = _DRAFTS,
        window: float = WINDOW,
        algorithms: Iterable[str] = ("hmac-sha-1", "hmac-sha-256"),
        max_body: int = MAX_BODY_BYTES,
        realm: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if credentials is None and tokens is None:
            raise ValueError("MAC() knows no key: give it credentials, or the provider of tokens that carry keys")
        if credentials is not None and not offers(credentials, "mac_key"):
            raise TypeError("credentials are such as StaticCredentials(mac_keys=[...]); a provider is tokens=")
        if tokens is not None and not offers(tokens, "recall"):
            raise TypeError("tokens is a provider, as JWTProvider(issuer, audience=...)")
        if isinstance(algorithms, str):
            raise TypeError("algorithms is a list, as ['hmac-sha-256']")
        checked_limits(window, max_body)
        self._credentials, self._provider = credentials, tokens
        choice = None if tokens is None else Choice([tokens])
        self._tokens = None if choice is None else TokenKeys(choice)
        self.hosts = frozenset[str]() if choice is None else choice.hosts
        self._catalogue: ScopeCatalogue | None = None
        self._profiles = tuple(profiles)
        self._algorithms = frozenset(map(SignatureMethod, algorithms))
        if not self._algorithms or not self._algorithms <= {SignatureMethod.HMAC_SHA1, SignatureMethod.HMAC_SHA256}:
            raise ValueError("algorithms lists hmac-sha-1, hmac-sha-256, or both")
        if not all(isinstance(profile, Profile) for profile in self._profiles):
            raise TypeError("profiles are Draft00(...), Draft02(...) and Draft05(...)")
        if not self._profiles or len(set(map(type, self._profiles))) < len(self._profiles):
            raise ValueError("profiles lists at least one draft, and each once")
        self._window, self._max_body, self._clock = window, max_body, clock
        self._realm = quotable(realm)

    def elsewhere(self, _request: Request, /) -> Sequence[bytes]:
        """Nothing: the drafts know the `Authorization` header alone."""
        return ()

    def authenticate(self, request: Request, credentials: bytes, site: Site, /) -> Grant | Flow[Grant]:
        """The grant of the key that signed the request.

        Raises InvalidToken (401: `malformed_mac`, `repeated_attribute`, `missing_attribute`, `unknown_attribute`,
        `draft_not_accepted`, `channel_binding`, `not_covered`, `stale_timestamp`, `unknown_key_id`, `bad_mac`,
        `algorithm_not_allowed`, `expired`, `no_issue_time`, `no_body_hash`, `bad_body_hash`, `replayed`, and those of
        mac_tokens.py), InvalidRequest (400: `bad_target`), RequestTooLarge (413: `body_too_large`) and Unavailable.
        """
        return at_once(self._traced(request, credentials, site))

    def challenge(self, *, error: str = "", description: str = "", **_said: Any) -> str:
        """`MAC` with the realm, and as `error` the sentence that says what was wrong (-02 section 4.1)."""
        return challenge("MAC", (("realm", self._realm), ("error", description or error)))

    def private(self, _request: Request, /) -> bool:
        """False: credentials are in no URL."""
        return False

    def warm(self) -> Flow[None]:
        """Lets the provider of tokens fetch ahead."""
        if self._provider is None:
            return
        try:
            yield from self._provider.warm()
        except Unavailable as error:
            logger.warning("%s could not be reached ahead of the first request: %s", self._provider.name, error.reason)

    def with_catalogue(self, catalogue: ScopeCatalogue, /) -> "MAC":
        """The same scheme, whose keys hold what `catalogue` makes of their scopes, and its provider bound to it.

        Raises ValueError as the provider does.
        """
        bound = copy(self)
        bound._catalogue = catalogue  # noqa: SLF001 - nobody else has it yet
        if self._provider is not None:
            bound._provider = self._provider.with_catalogue(catalogue)  # noqa: SLF001
            bound._tokens = TokenKeys(Choice([bound._provider], catalogue=catalogue))  # noqa: SLF001
        return bound

    def _traced(self, request: Request, credentials: bytes, site: Site) -> Flow[Grant]:
        try:
            return (yield from self._check(request, attributes(credentials), site))
        except OAuthError as error:
            error.trace(self.name, credentials)
            raise

    def _check(self, request: Request, fields: Fields, site: Site) -> Flow[Grant]:
        profile = profile_of(fields, self._profiles)
        url = site.url.of(request)
        strings = profile.strings(fields, target_of(request, url), request)
        signed_at = profile.signed_at(fields)
        if not profile.counts_from_issue:
            self._check_time(signed_at)
        key, grant, token = _proved(fields["mac"], strings, (yield from self._find(fields, request, site.url)), url)
        method = SignatureMethod(key.algorithm)
        if method not in self._algorithms:
            raise InvalidToken("algorithm_not_allowed", "The MAC algorithm is not accepted here.")
        if 0 < key.expires_at <= self._clock():
            raise InvalidToken("expired", "The MAC credentials have expired.")
        if profile.counts_from_issue:
            if key.issued_at is None:
                raise InvalidToken("no_issue_time", "It is not known when these MAC credentials were issued.")
            signed_at += key.issued_at
            self._check_time(signed_at)
        if profile.covers_body(fields, request):
            body = yield from read_body(self._max_body)
            profile.check_body(fields, request, body, method)
        # Looked at again: a body can be dripped until the store has forgotten that the request came before.
        now = self._check_time(signed_at)
        # By the key and not by its name: the name is not signed, and one key may have two.
        owner = f"MAC {hmac_digest(cast('bytes', key.key), b'oauth_rs replay', 'sha256').hex()}"
        once = replay_key(owner, *(part.encode() for part in profile.once(fields)))
        until = signed_at + self._window
        first = site.replay.first_use(once, signed_at, until, now)
        if not (first if isinstance(first, bool) else (yield from in_time(first, until, self._clock))):
            raise replayed()
        if self._tokens is not None and token and "kid" in fields:
            self._tokens.keep(fields["kid"], Holder(key, grant, token), now)
        return grant

    def _check_time(self, signed_at: float) -> float:
        now = self._clock()
        if not -self._window <= signed_at - now <= self._window:
            raise stale()
        return now

    def _find(self, fields: Fields, request: Request, url: ExternalURL) -> Flow[Holder | None]:
        kid = fields.get("kid")
        token = fields.get("access_token", "") if kid else fields["id"]
        named = kid or token
        a_token = self._tokens is not None and token.count(".") == _JWT_DOTS
        if len(named) > MAX_KID_BYTES and not a_token:
            raise malformed()
        # These first: no token takes the place of a key that was given here.
        if self._credentials is not None and len(named) <= MAX_KID_BYTES and not (kid and a_token):
            found = self._credentials.mac_key(named)
            key = found if found is None or isinstance(found, MACKey) else (yield from found)
            if key is not None:
                return Holder(key, self._grant_of(key))
        if self._tokens is None:
            return None
        if a_token:
            return (yield from self._tokens.of_token(token, kid, request, url))
        return (yield from self._tokens.of_kid(kid, self._clock(), request, url)) if kid else None

    def _grant_of(self, key: MACKey) -> Grant:
        method = SignatureMethod(key.algorithm)
        scopes = frozenset(key.scopes) if self._catalogue is None else self._catalogue.held(key.scopes)
        return Grant("MAC", "MAC", "", key.subject, key.client_id, scopes, key.expires_at, signature_method=method)


def _proved(mac: str, strings: Sequence[str], holder: Holder | None, url: str) -> Holder:
    """`holder`, when its key made `mac` of one of `strings`. All are tried, for one that is unknown too."""
    key = holder.key if holder else _NOBODY
    method = SignatureMethod(key.algorithm)
    good = [same(mac, mac_of(method, key.key, string)) for string in strings]
    if holder is None:
        raise InvalidToken("unknown_key_id", _NOT_GOOD)
    if True not in good:
        logger.debug("bad_mac: the server saw %s, and what is signed is one of %r", url, strings)
        raise InvalidToken("bad_mac", _NOT_GOOD)
    return holder
