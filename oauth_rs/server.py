"""The resource server: picks the scheme of a request, lets it check, and renders every refusal (RFC 6750 section 3).

Knows no framework and does no input or output: the shells drive its flows. Does not decide which operation needs which
scope: decorators do.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .errors import InsufficientScope, InvalidRequest, MissingCredentials, OAuthError, Unavailable
from .flow import Flow, at_once
from .headers import split_scheme
from .model import Grant, Request, insufficient
from .policy import PublicPaths, is_preflight
from .replay import MemoryReplay, ReplayStore
from .schemes import Scheme, Site
from .scopes import Requirement
from .urls import DirectURL, ExternalURL

logger = logging.getLogger("oauth_rs")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer that refuses a request."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class ResourceServer:
    """Protects one API with `schemes`.

    `public` lists paths that need no grant, and have none even when a token is sent. `credentials="optional"` lets
    requests without any through with no grant; credentials that are there and not good are refused all the same. `url`
    says which URL callers use, and refuses requests for a Host it does not serve; schemes that check a signed URL need
    one that names its hosts. `replay` remembers which signed requests were used, in the memory of this process when
    left out. Immutable once made; serves any number of threads, tasks and both shells.
    """

    def __init__(
        self,
        *schemes: Scheme,
        public: Iterable[str] = (),
        credentials: Literal["required", "optional"] = "required",
        url: ExternalURL | None = None,
        replay: ReplayStore | None = None,
    ) -> None:
        _check_options(schemes, public, credentials, url, replay)
        self._schemes = schemes
        self._by_name = {name: scheme for scheme in schemes for name in scheme.authorization_names}
        if len(self._by_name) < sum(len(scheme.authorization_names) for scheme in schemes):
            raise ValueError("two schemes answer to the same name in Authorization")
        self._elsewhere = tuple(scheme for scheme in schemes if scheme.looks_elsewhere)
        self.marks_private = bool(self._elsewhere)
        self._public = PublicPaths(public) if public else None
        self._optional = credentials == "optional"
        self._url = url
        if any(scheme.binds_requests for scheme in schemes):
            if url is None or not url.names_hosts:
                raise ValueError(
                    "signed requests are good for one API: name yours, as url=DirectURL(hosts=['api.example.com']),"
                    " FixedURL('https://api.example.com') or ForwardedURL(proxies=..., hosts=...)"
                )
            if replay is None:
                logger.warning("used nonces are kept in the memory of this process: give replay= where there are more")
        # `or` would take a store of the user's that is empty, and says so with __len__, for none.
        self._site = Site(DirectURL() if url is None else url, MemoryReplay() if replay is None else replay)

    def authenticate(self, request: Request) -> Grant | Flow[Grant | None] | None:
        """The grant that the request proves; None where none is needed and none was tried.

        Raises MissingCredentials (`no_credentials`, `unsupported_scheme`), InvalidRequest (`several_credentials`) and
        what the scheme and the URL policy raise.
        """
        if request.method == "OPTIONS" and is_preflight(request):
            self._check_host(request)
            return None
        if self._public is not None and self._public.cover(request.path):
            self._check_host(request)
            return None
        for scheme in self._elsewhere:
            if scheme.elsewhere(request):  # nearly never; then all are asked
                return at_once(self._search(request))
        values = request.header(b"authorization")
        if len(values) == 1:
            return self._by_authorization(request, values[0])
        self._refuse_unless_optional(request, len(values))
        return None

    def private(self, request: Request) -> bool:
        """True when a successful answer must carry `Cache-Control: private`; never when not `marks_private`.

        Caches know of `Authorization` themselves (RFC 9111 section 3.5), and nothing else comes beside it.
        """
        return not request.header(b"authorization") and any(scheme.private(request) for scheme in self._elsewhere)

    def warm(self) -> Flow[None]:
        """Fetches ahead what the first request would have to wait for.

        Issuers and stores that cannot be reached are logged, not raised.
        """
        try:
            yield from self._site.replay.warm()
        except Unavailable as error:
            logger.warning("the replay store could not be reached ahead of the first request: %s", error.reason)
        for scheme in self._schemes:
            yield from scheme.warm()

    def refuse(self, error: OAuthError) -> Refusal:
        """The answer for `error`, with every challenge that applies; leaves a log record with its reason."""
        logger.info(
            "refused: %s",
            error.reason,
            extra={"oauth_reason": error.reason, "oauth_status": error.status, "oauth_credential": error.credential},
        )
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        if isinstance(error, Unavailable):
            headers.append(("Retry-After", str(error.retry_after)))
        else:
            headers += [("WWW-Authenticate", challenge) for challenge in self._challenges(error)]
        # No code where there were no credentials: RFC 6750 section 3.1, last paragraph.
        members = {"error": error.error, "error_description": error.description}
        body = json.dumps({name: value for name, value in members.items() if value}).encode()
        return Refusal(error.status, (*headers, ("Content-Length", str(len(body)))), body)

    def _search(self, request: Request) -> Flow[Grant | None]:
        found: list[tuple[Scheme, bytes]] = []
        for scheme in self._elsewhere:
            search = scheme.elsewhere(request)
            found += [(scheme, one) for one in (search if isinstance(search, Sequence) else (yield from search))]
        values = request.header(b"authorization")
        if len(values) + len(found) != 1:
            self._refuse_unless_optional(request, len(values) + len(found))
            return None
        verdict = self._by_authorization(request, values[0]) if values else self._ask(*found[0], request)
        return verdict if isinstance(verdict, Grant) else (yield from verdict)

    def _by_authorization(self, request: Request, authorization: bytes) -> Grant | Flow[Grant]:
        name, credentials = split_scheme(authorization)
        scheme = self._by_name.get(name)
        if scheme is None:
            self._check_host(request)
            raise MissingCredentials(
                "unsupported_scheme", "The authentication scheme is not one that is accepted here."
            )
        return self._ask(scheme, credentials, request)

    def _ask(self, scheme: Scheme, credentials: bytes, request: Request) -> Grant | Flow[Grant]:
        if self._url is not None and not scheme.binds_requests:  # else the scheme asks for the URL, and that is dear
            self._url.of(request)
        verdict = scheme.authenticate(request, credentials, self._site)
        return verdict if isinstance(verdict, Grant) else self._wait(verdict)

    def _wait(self, verdict: Flow[Grant]) -> Flow[Grant]:
        grant = yield from verdict
        if not isinstance(grant, Grant):  # None would pass as a request that needs no grant
            raise TypeError("the authenticate of a scheme gives a grant or raises")
        return grant

    def _refuse_unless_optional(self, request: Request, sets: int) -> None:
        self._check_host(request)
        if sets:
            raise InvalidRequest("several_credentials", "The request carries more than one set of credentials.")
        if not self._optional:
            raise _no_credentials()

    def _check_host(self, request: Request) -> None:
        if self._url is not None:
            self._url.of(request)

    def _challenges(self, error: OAuthError) -> list[str]:
        scope = error.scope if isinstance(error, InsufficientScope | MissingCredentials) else ""
        if not error.error:
            return [scheme.challenge(scope=scope) for scheme in self._schemes]
        challenges = []
        for scheme in self._schemes:
            if error.scheme in {"", scheme.name}:
                challenges.append(scheme.challenge(scope=scope, error=error.error, description=error.description))
            elif error.status == 401:  # noqa: PLR2004 - another scheme might succeed; no other scheme widens a scope
                challenges.append(scheme.challenge())
        return challenges


def _check_options(
    schemes: tuple[Scheme, ...],
    public: Iterable[str],
    credentials: str,
    url: ExternalURL | None,
    replay: ReplayStore | None,
) -> None:
    if not schemes:
        raise ValueError("ResourceServer() lets nobody in: give it at least one scheme, as Bearer(JWTProvider(...))")
    if not all(hasattr(scheme, "authorization_names") for scheme in schemes) or any(
        isinstance(scheme, type) for scheme in schemes
    ):
        raise TypeError("wrap providers in a scheme: ResourceServer(Bearer(JWTProvider(...)))")
    if url is not None and not hasattr(url, "names_hosts"):
        raise TypeError("url is FixedURL(...), DirectURL(...) or ForwardedURL(...)")
    if replay is not None and (isinstance(replay, type) or not hasattr(replay, "first_use")):
        raise TypeError("replay is a store such as SQLiteReplay(path) or RedisReplay(url)")
    if isinstance(public, str):
        raise TypeError("public is a list of paths, not one string")
    if credentials not in {"required", "optional"}:
        raise ValueError('credentials is "required" or "optional"')


def authorize(grant: Grant | None, requirement: Requirement) -> Grant:
    """`grant`, when there is one and it meets `requirement`.

    Raises MissingCredentials (`no_credentials`) and InsufficientScope (`insufficient_scope`).
    """
    if grant is not None and requirement.met_by(grant.scopes):
        return grant
    if grant is not None:
        raise insufficient(grant, requirement)
    raise _no_credentials(" ".join(requirement.scopes))


def _no_credentials(scope: str = "") -> MissingCredentials:
    return MissingCredentials("no_credentials", "This resource needs credentials.", scope=scope)
