"""Tokens on behalf of a caller: the caller's token is traded for one that is meant for another API (RFC 8693).

The caller's own token goes to the provider only, in the body of a request. Does not check it: the middleware has.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from os import getpid
from typing import Any, Protocol

from ..breaker import Breaker
from ..cache import GenerationalCache
from ..client_auth import ClientAuth
from ..encoding import base64url_decode, json_object
from ..errors import InvalidToken, MissingCredentials
from ..fetch import HTTPSettings
from ..flow import Flow
from ..handover import HIDDEN
from ..headers import split_scheme
from ..model import Grant
from ..quiet import MINUTE, Quiet
from ..urls import shown
from .answer import AHEAD, UNSTATED_LIFE, Token, is_token
from .auth import BearerAuth
from .endpoint import TokenEndpoint
from .errors import TokenRefused
from .parameters import parameters
from .source import HTTP, TokenSource, check_http

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
OF_ACCESS = "urn:ietf:params:oauth:token-type:access_token"
MAX_CALLERS = 4096  # whose tokens are kept, a few KiB each
CALLER_SECONDS = 3600.0  # that they are kept at most; after that they are traded anew
# Of an endpoint that is up: a firewall before it may not like the token of one caller, who chooses it. That must not
# keep all the others from being traded for. Some say of a token that is not good that the client is not.
_ABOUT_THE_CALLER = frozenset({"token_endpoint_unusable", "reply_too_large", "unauthorized", "unauthorized_client"})
# What providers say of a caller's token that they do not take, as one that was revoked: RFC 8693 section 2.2.2 has
# `invalid_request`, which is also what they say of a request that is wrong.
_NOT_TAKEN = frozenset({"invalid_request", "invalid_grant", "invalid_token"})
_PARTS = 3

logger = logging.getLogger("oauth_rs")


class TokenExchange:
    """Tokens of `issuer` for what the callers of this application want elsewhere.

    `subject_token_type` is what callers send (RFC 8693 section 3). The other options are those of ClientCredentials
    with the same names. What was traded is kept by the SHA-256 of the caller's token, for 4096 callers; at the bound
    the oldest half is forgotten. Nothing is kept past the end of the caller's grant, where it has one. After a failure
    its caller waits; the endpoint is left alone after three in a row, of which what may be about one token is none.
    A caller whose token the provider does not take gets InvalidToken (`token_not_exchanged`), which leaves as 401.
    """

    def __init__(
        self,
        issuer: str,
        *,
        client: ClientAuth,
        scopes: Sequence[str] = (),
        audience: str | Sequence[str] = (),
        resource: str | Sequence[str] = (),
        subject_token_type: str = OF_ACCESS,
        extra: Mapping[str, str] | None = None,
        token_endpoint: str = "",
        http: HTTPSettings = HTTP,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        check_http(http)
        if not isinstance(subject_token_type, str):
            raise TypeError("subject_token_type is a URI, as text")
        asked = parameters(EXCHANGE, scopes=scopes, audience=audience, resource=resource, extra=extra)
        self._fields = (
            *asked,
            ("subject_token_type", subject_token_type),
            ("requested_token_type", OF_ACCESS),
        )
        self._endpoint = TokenEndpoint(
            issuer,
            client=client,
            url=token_endpoint,
            breaker=Breaker(),
            forgiven=_ABOUT_THE_CALLER,
            monotonic=monotonic,
        )
        self._http, self._clock, self._monotonic = http, clock, monotonic
        self._quiet = Quiet(MINUTE)
        self._sources: GenerationalCache[TokenSource] = GenerationalCache(size=MAX_CALLERS, seconds=CALLER_SECONDS)
        self._locks: dict[int, threading.Lock] = {}  # by process id: a fork must not inherit one that is held

    def __repr__(self) -> str:
        return f"TokenExchange({self._endpoint.issuer!r}, client_id={self._endpoint.client_id!r})"

    def auth(
        self, token: str, grant: Grant | None = None, *, origins: Sequence[str] = (), plain_http: bool = False
    ) -> BearerAuth:
        """For calls on behalf of whoever sent `token`; see `of` and BearerAuth."""
        return self.of(token, grant).auth(*origins, plain_http=plain_http)

    def of(self, token: str, grant: Grant | None = None) -> TokenSource:
        """The tokens on behalf of whoever sent `token`, from `bearer_token(request)`.

        `grant`, what the middleware has made of it, says when it ends. Otherwise a JWT says so itself, which can only
        shorten what is kept, and of any other kind what is traded is kept for 60 seconds. At its end no token is to be
        had for it: InvalidToken (`expired`), which leaves as 401. Raises TypeError and ValueError for what is no token.
        """
        if not isinstance(token, str):
            raise TypeError("the token of a caller is text: see bearer_token(request)")
        if not is_token(token):
            raise ValueError("a caller's token is text that follows Bearer in a header: see bearer_token(request)")
        digest, now = sha256(token.encode()).digest(), self._monotonic()
        source = self._sources.get(digest, now)
        if source is not None:
            return source
        with self._locks.setdefault(getpid(), threading.Lock()):
            source = self._sources.get(digest, now)  # somebody may have been quicker
            if source is None:
                source = self._source(token, grant)
                self._sources.put(digest, source, now)
            return source

    def _source(self, token: str, grant: Grant | None) -> TokenSource:
        ends_at = float(grant.expires_at) if grant is not None and grant.expires_at else _end_of(token)
        return TokenSource(
            lambda _refused: self._ask(token, ends_at),  # a partial would show the token in its repr
            endpoint=self._endpoint,
            name=shown(self._endpoint.issuer),
            http=self._http,
            monotonic=self._monotonic,
        )

    def _ask(self, subject_token: str, ends_at: float) -> Flow[Token]:
        left = ends_at - self._clock() if ends_at else UNSTATED_LIFE
        if left <= 0:
            raise InvalidToken("expired", "The access token has expired.", scheme="Bearer")
        try:
            token = yield from self._endpoint.ask((*self._fields, ("subject_token", subject_token)))
        except TokenRefused as error:
            if error.reason not in _NOT_TAKEN:
                raise
            self._tell(error.reason)
            raise InvalidToken("token_not_exchanged", "The access token is not active.", scheme="Bearer") from error
        life = min(token.life, left)
        return Token(text=token.text, life=life, fresh=life * AHEAD, scopes=token.scopes)

    def _tell(self, code: str) -> None:
        if code == "invalid_request" and self._quiet.ends(self._monotonic()):
            logger.warning(
                "%s does not take the token of a caller: %s, answered with 401; if it says so of every caller, what is "
                "asked for is wrong",
                self._endpoint,
                code,
            )


class _Headers(Protocol):
    def get(self, name: str, /) -> Any: ...


class _HasHeaders(Protocol):
    @property
    def headers(self) -> _Headers: ...


def bearer_token(request: _HasHeaders) -> str:
    """The token that the caller of a handler has sent in `Authorization`: of a request of Flask, Starlette, Django.

    For `TokenExchange`, not to be passed on. Raises MissingCredentials (`no_credentials`), which leaves as 401 with the
    challenges of this API, where the caller has proved itself in another way or not at all. `hide_credentials=True`
    takes the token away from handlers, so there is none to trade: RuntimeError.
    """
    value = request.headers.get("Authorization") or ""
    if not value and _is_hidden(request):
        raise RuntimeError(
            "hide_credentials=True takes the tokens of callers away, and one is needed here: leave it out"
        )
    scheme, credentials = split_scheme(value.encode("latin-1", "replace"))
    token = credentials.decode("latin-1")
    if scheme != b"bearer" or not is_token(token):
        raise MissingCredentials("no_credentials", "This operation needs a bearer token in the Authorization header.")
    return token


def _is_hidden(request: _HasHeaders) -> bool:
    # The scope of ASGI, the environ of Flask, and that of Django.
    return any(HIDDEN in (getattr(request, place, None) or ()) for place in ("scope", "environ", "META"))


def _end_of(token: str) -> float:
    """The `exp` of a JWT, which nobody has verified here; 0 for what is none or does not say."""
    parts = token.split(".")
    try:
        exp = json_object(base64url_decode(parts[1].encode())).get("exp") if len(parts) == _PARTS else None
    except ValueError:
        return 0.0
    return float(min(exp, 1e12)) if isinstance(exp, int | float) and not isinstance(exp, bool) and exp > 0 else 0.0
