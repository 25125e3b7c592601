"""Bearer tokens: where a request may carry one, and what it proves (RFC 6750, OAuth 2.1 section 5).

The `Authorization` header is read by default; a header of another name, a form field and the query only where they are
switched on. A sender-constrained token (`cnf`, RFC 7800) is refused: as a bearer token it comes without its proof.
Does not know what a token means: providers do.
"""

import logging
from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import unquote_to_bytes

from ..catalogue import ScopeCatalogue
from ..errors import InvalidRequest, InvalidToken, OAuthError, RequestTooLarge, Unavailable
from ..flow import Flow, ReadBody
from ..headers import challenge, is_form, is_one_token, quotable
from ..jose.jws import JSON_OBJECT, parse
from ..model import Grant
from ..providers import Provider
from ..providers.choosing import Choice
from ..providers.presented import Presented
from ..request import Request
from . import Places, Site

MAX_FORM_BYTES = 65_536  # a form that carries a token is a short one; larger ones are refused with 413
MAX_QUERY_BYTES = 65_536  # as long as the longest request line of common servers
# What two tokens look like that WSGI folded into one header: two JWTs have five parts together.
_PERHAPS_TWO = frozenset({"malformed_token", "encrypted_token", "unknown_issuer"})

logger = logging.getLogger("oauth_rs")


@dataclass(frozen=True, slots=True)
class Header:
    """A token in a header: in `Authorization` after the name of a scheme, or alone in a header of another name."""

    name: str
    scheme: str = ""

    def __post_init__(self) -> None:
        if (self.name.lower() == "authorization") != bool(self.scheme):
            raise ValueError('write Header("Authorization", "Bearer"), or Header("Access-Token") without a scheme')


@dataclass(frozen=True, slots=True)
class FormField:
    """A token in a field of a form body (RFC 6750 section 2.2). Never read of a GET or HEAD."""

    name: str = "access_token"


@dataclass(frozen=True, slots=True)
class LegacyQuery:
    """A token in the query (RFC 6750 section 2.3). URLs end up in logs: OAuth 2.1 forbids this, old clients need it."""

    name: str = "access_token"


_PLACES = (Header, FormField, LegacyQuery)
AUTHORIZATION = Header("Authorization", "Bearer")


class Bearer:
    """Checks bearer tokens, found where `presentation` says, by the one of `providers` that each is for.

    `realm` and `resource_metadata` (the URL of RFC 9728) go into every challenge. `needs_hosts` is True when a provider
    is chosen by the host: the server must then be told its own.
    """

    name = "Bearer"
    binds_requests = False

    def __init__(
        self,
        *providers: Provider,
        presentation: Sequence[Header | FormField | LegacyQuery] = (AUTHORIZATION,),
        realm: str = "",
        resource_metadata: str = "",
    ) -> None:
        if not providers:
            raise ValueError("Bearer() trusts nobody: give it at least one provider")
        if isinstance(presentation, _PLACES) or not all(isinstance(place, _PLACES) for place in presentation):
            raise TypeError("presentation lists Header(...), FormField(...) and LegacyQuery(...)")
        if not presentation:
            raise ValueError("presentation lists at least one place where a token may be")
        self._realm, self._resource_metadata = quotable(realm), quotable(resource_metadata)
        headers = [place for place in presentation if isinstance(place, Header)]
        self.authorization_names: Collection[bytes] = frozenset(
            one.scheme.lower().encode() for one in headers if one.scheme
        )
        self._headers = tuple(one.name.lower().encode() for one in headers if not one.scheme)
        self._fields = tuple(place.name.encode() for place in presentation if isinstance(place, FormField))
        self._query = tuple(place.name.encode() for place in presentation if isinstance(place, LegacyQuery))
        self.places = Places(frozenset(self._headers), frozenset((*self._fields, *self._query)))
        self.looks_elsewhere = bool(self._headers or self._fields or self._query)
        self._choose_among(providers)

    def elsewhere(self, request: Request, /) -> Sequence[bytes] | Flow[Sequence[bytes]]:
        """The tokens outside `Authorization`.

        Raises InvalidRequest (`query_too_long`, `form_not_ascii`) and RequestTooLarge (`form_too_large`).
        """
        found = [value for name in self._headers for value in request.header(name)]
        if self._query:
            if len(request.query) > MAX_QUERY_BYTES:
                raise InvalidRequest("query_too_long", "The query is longer than this server reads for a token.")
            found += _parameters(request.query, self._query)
        if self._fields and request.method not in {"GET", "HEAD"} and is_form(request):
            return self._in_form(found)
        return found

    def authenticate(self, request: Request, credentials: bytes, site: Site, /) -> Grant | Flow[Grant]:
        """The grant that the token `credentials` proves.

        Raises InvalidRequest (`malformed_credentials`), InvalidToken (`sender_constrained`, those of choosing.py and of
        the provider) and Unavailable.
        """
        digest = sha256(credentials).digest() if self._digests else b""
        try:
            for recall in self._recalls:
                grant = recall(digest)
                if grant is not None:
                    break
            else:
                # Junk ends here, before anything is made of it.
                jws = parse(credentials, payload=JSON_OBJECT) if self._takes_jwts else None
                verdict = self._grant(Presented(credentials, digest, request, site.url, jws))
                if not isinstance(verdict, Grant):
                    return self._wait(verdict, credentials)
                grant = verdict
            if grant.confirmation is not None:
                raise _sender_constrained()
        except OAuthError as error:
            if error.reason in _PERHAPS_TWO and not is_one_token(credentials):
                error = InvalidRequest("malformed_credentials", "The credentials are not well formed.")
            error.trace(self.name, credentials, digest=digest)
            raise error  # noqa: TRY201 - with the chain it has
        return grant

    def challenge(
        self, *, scope: str = "", error: str = "", description: str = "", more: Sequence[tuple[str, str]] = ()
    ) -> str:
        """`Bearer` with realm, scope, error, error_description and resource_metadata, those that are known."""
        return challenge(
            "Bearer",
            (
                ("realm", self._realm),
                ("scope", scope),
                ("error", error),
                ("error_description", description),
                *more,
                ("resource_metadata", self._resource_metadata),
            ),
        )

    def private(self, request: Request, /) -> bool:
        """True when the token is in the query: the answer then belongs to its bearer alone."""
        return bool(self._query) and bool(_parameters(request.query, self._query))

    def warm(self) -> Flow[None]:
        """Lets every provider fetch ahead; one that cannot be reached does not keep the others from it."""
        for provider in self._choice.providers:
            try:
                yield from provider.warm()
            except Unavailable as error:
                logger.warning("%s could not be reached ahead of the first request: %s", provider.name, error.reason)

    def with_catalogue(self, catalogue: ScopeCatalogue, /) -> "Bearer":
        """The same scheme, with each provider bound to `catalogue`. Raises ValueError as they do."""
        bound = copy(self)
        providers = [provider.with_catalogue(catalogue) for provider in self._choice.providers]
        bound._choose_among(providers, catalogue)  # noqa: SLF001 - nobody else has it yet
        return bound

    def _choose_among(self, providers: Sequence[Provider], catalogue: ScopeCatalogue | None = None) -> None:
        at = (b"authorization",) if self.authorization_names else ()
        self._choice = Choice(providers, headers=(*self._headers, *at), catalogue=catalogue)
        self._recalls, self._digests, self._grant = self._choice.recalls, self._choice.remembers, self._choice.grant
        self._takes_jwts, self.hosts = self._choice.takes_jwts, self._choice.hosts
        self.needs_hosts = bool(self.hosts)

    def _in_form(self, found: list[bytes]) -> Flow[Sequence[bytes]]:
        body = yield from ReadBody(MAX_FORM_BYTES)
        if body is None:
            raise RequestTooLarge("form_too_large", "The form is longer than this server reads for a token.")
        fields = _parameters(body, self._fields)
        if fields and not body.isascii():
            raise InvalidRequest("form_not_ascii", "A form that carries an access token is ASCII.")
        return found + fields

    def _wait(self, verdict: Flow[Grant], credentials: bytes) -> Flow[Grant]:
        try:
            grant = yield from verdict
            if grant.confirmation is not None:
                raise _sender_constrained()
        except OAuthError as error:
            error.trace(self.name, credentials)
            raise
        return grant


def _sender_constrained() -> InvalidToken:
    return InvalidToken("sender_constrained", "The access token is bound to a key that was not proved.")


def _parameters(encoded: bytes, names: Collection[bytes]) -> list[bytes]:
    found = []
    for pair in encoded.split(b"&"):
        name, _, value = pair.partition(b"=")
        if (unquote_to_bytes(name) if b"%" in name else name) in names:
            found.append(unquote_to_bytes(value.replace(b"+", b" ")))
    return found
