"""The resource server: picks the scheme of a request, lets it check, and renders every refusal (RFC 6750 section 3).

Knows no framework and does no input or output: the shells drive its flows. Which operation needs which scope is for a
policy and for decorators to say.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from .catalogue import ScopeCatalogue
from .deny_list import DenyList, not_denied
from .errors import InvalidRequest, MissingCredentials, OAuthError, Unavailable
from .fields import FieldFilter
from .flow import Flow, at_once
from .headers import split_scheme
from .identity import Identity
from .model import Grant
from .operations import OperationMap
from .options import (
    check_apart,
    check_callables,
    check_hosts,
    check_identity,
    check_more,
    check_names,
    check_options,
    check_policy,
)
from .permission import no_credentials, permit_operation
from .policy import UNCHECKED, Operation, Policy
from .public_paths import PublicPaths, is_preflight
from .refusal import Refusal, render
from .replay import MemoryReplay, ReplayStore
from .request import Request
from .schemes import Scheme, Site
from .urls import DirectURL, ExternalURL
from .users import UserLoader, with_user

logger = logging.getLogger("oauth_rs")


class ResourceServer:
    """Protects one API with `schemes`.

    `policy` says what each operation asks for; without one any grant will do, and decorators ask for more. `public`
    lists paths that need no grant, and have none even when a token is sent. `credentials="optional"` lets requests
    without any through with no grant; credentials that are there and not good are refused all the same. `scopes` is the
    catalogue of what each scope implies. `url` says which URL callers use, and refuses requests for a Host it does not
    serve; schemes that check a signed URL need one that names its hosts. `replay` remembers which signed requests were
    used, in the memory of this process when left out. `identity` puts headers about the grant before the application,
    and `hide_credentials` takes the credentials away. `filters` says, by operation, which fields of its JSON each scope
    shows. `deny` knows grants that are not accepted any more, cached ones too. `user(grant)`, a plain or a coroutine
    function, finds the `user` of each grant, once per request. Immutable once made; serves any number of threads, tasks
    and both shells.
    """

    def __init__(
        self,
        *schemes: Scheme,
        policy: Policy | None = None,
        public: Iterable[str] = (),
        credentials: Literal["required", "optional"] = "required",
        scopes: ScopeCatalogue | None = None,
        url: ExternalURL | None = None,
        replay: ReplayStore | None = None,
        identity: Identity | None = None,
        hide_credentials: bool = False,
        filters: Mapping[str, FieldFilter] | None = None,
        deny: DenyList | None = None,
        user: UserLoader | None = None,
    ) -> None:
        check_options(schemes, public, credentials, url, replay)
        self.public = PublicPaths(public) if public else None
        check_policy(policy, self.public, credentials)
        check_more(scopes, identity, hide_credentials, filters)
        check_callables(deny, user)
        if scopes is not None:
            schemes = tuple(scheme.with_catalogue(scopes) for scheme in schemes)
            check_names(scopes, policy, filters)
        self._schemes = schemes
        self.policy = policy
        self.catalogue = scopes
        if identity is not None:
            check_identity(identity, schemes, scopes)
        self.identity = identity
        self.places = tuple(scheme.places for scheme in schemes)
        self.hidden = self.places if hide_credentials else ()
        self.filters = None if filters is None else OperationMap(filters)
        self._by_name = {name: scheme for scheme in schemes for name in scheme.authorization_names}
        check_apart(schemes)
        self._elsewhere = tuple(scheme for scheme in schemes if scheme.looks_elsewhere)
        self.marks_private = bool(self._elsewhere)
        hosts_matter = any(scheme.needs_hosts for scheme in schemes) or bool(self.public and self.public.hosts)
        if hosts_matter and (url is None or not url.names_hosts):
            raise ValueError(
                "signed requests are good for one API, OnHost(...) and public paths of one host for one host, and "
                "clients may send any Host header: name yours, as url=DirectURL(hosts=['api.example.com']), "
                "FixedURL('https://api.example.com') or ForwardedURL(proxies=..., hosts=...)"
            )
        check_hosts(url, schemes, self.public)
        if replay is None and any(scheme.binds_requests for scheme in schemes):
            logger.warning("used nonces are kept in the memory of this process: give replay= where there are more")
        self.credentials = credentials
        self._deny, self._user = deny, user
        self._url = url
        # `or` would take a store of the user's that is empty, and says so with __len__, for none.
        self._site = Site(DirectURL() if url is None else url, MemoryReplay() if replay is None else replay)

    def authenticate(self, request: Request) -> Grant | Flow[Grant | None] | None:
        """The grant that the request proves, when the policy is content with it; None where none is needed.

        Raises MissingCredentials (`no_credentials`, `unsupported_scheme`), InvalidRequest (`several_credentials`),
        InsufficientScope (`operation_not_mapped` and those of the requirement) and what the scheme, the policy and the
        URL policy raise.
        """
        if request.method == "OPTIONS" and is_preflight(request):
            self._check_host(request)
            return None
        if self.public is not None and self._is_public(self.public, request):
            return None
        return self._prove(request) if self.policy is None else self._follow(self.policy, request)

    @property
    def scopes_supported(self) -> list[str]:
        """The scopes to publish (RFC 9728 section 2): of the catalogue, else those that the policy names."""
        if self.catalogue is not None:
            return list(self.catalogue.scopes_supported)
        rules = [rule for _, rule in self.policy.rules()] if self.policy is not None else []
        return list(dict.fromkeys(name for rule in rules if not isinstance(rule, UNCHECKED) for name in rule.scopes))

    def _is_public(self, public: PublicPaths, request: Request) -> bool:
        host = urlsplit(self._url.of(request)).netloc if self._url is not None and public.hosts else ""
        if not public.cover(request.path, host):
            return False
        self._check_host(request)
        return True

    def _follow(self, policy: Policy, request: Request) -> Grant | Flow[Grant | None] | None:
        operation = policy.find(request)
        if operation is not None:
            if isinstance(operation.rule, UNCHECKED):
                self._check_host(request)
                return None
            request.parameters = operation.parameters
        try:
            verdict = self._prove(request)
        except MissingCredentials as error:
            raise _named(error, operation)  # noqa: B904 - it is the same one
        if isinstance(verdict, Grant):
            return permit_operation(verdict, operation, request)
        return None if verdict is None else _permit_later(verdict, operation, request)

    def _prove(self, request: Request) -> Grant | Flow[Grant | None] | None:
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
        try:
            if self._deny is not None:
                yield from self._deny.warm()
        except Unavailable as error:
            logger.warning("the deny list could not be reached ahead of the first request: %s", error.reason)
        for scheme in self._schemes:
            yield from scheme.warm()

    def refuse(self, error: OAuthError) -> Refusal:
        """The answer for `error`, with every challenge that applies; leaves a log record with its reason."""
        logger.info(
            "refused: %s",
            error.reason,
            extra={"oauth_reason": error.reason, "oauth_status": error.status, "oauth_credential": error.credential},
        )
        return render(error, self._schemes)

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
        if self._user is not None or (self._deny is not None and not isinstance(verdict, Grant)):
            return at_once(self._vouch(verdict, credentials))
        if self._deny is not None and isinstance(verdict, Grant):
            return not_denied(self._deny, verdict, credentials)
        return verdict if isinstance(verdict, Grant) else self._wait(verdict)

    def _vouch(self, verdict: Grant | Flow[Grant], credentials: bytes) -> Flow[Grant]:
        grant = verdict if isinstance(verdict, Grant) else (yield from self._wait(verdict))
        if self._deny is not None:
            undenied = not_denied(self._deny, grant, credentials)
            grant = undenied if isinstance(undenied, Grant) else (yield from undenied)
        return grant if self._user is None else (yield from with_user(grant, self._user))

    def _wait(self, verdict: Flow[Grant]) -> Flow[Grant]:
        grant = yield from verdict
        if not isinstance(grant, Grant):  # None would pass as a request that needs no grant
            raise TypeError("the authenticate of a scheme gives a grant or raises")
        return grant

    def _refuse_unless_optional(self, request: Request, sets: int) -> None:
        self._check_host(request)
        if sets:
            raise InvalidRequest("several_credentials", "The request carries more than one set of credentials.")
        if self.credentials != "optional":
            raise no_credentials()

    def _check_host(self, request: Request) -> None:
        if self._url is not None:
            self._url.of(request)


def checked_server(server: Any) -> ResourceServer:
    """`server`, when it is one. Raises TypeError otherwise."""
    if not isinstance(server, ResourceServer):
        raise TypeError(
            f"server is a ResourceServer, as ResourceServer(Bearer(JWTProvider(...))), not {type(server).__name__}: "
            "write protect(app, server), or OAuthMiddleware(app, server)"
        )
    return server


def _permit_later(verdict: Flow[Grant | None], operation: Operation | None, request: Request) -> Flow[Grant]:
    try:
        grant = yield from verdict
    except MissingCredentials as error:
        raise _named(error, operation)  # noqa: B904 - it is the same one
    if grant is None:  # only where credentials are optional, and then there is no policy
        raise no_credentials()
    permitted = permit_operation(grant, operation, request)
    return permitted if isinstance(permitted, Grant) else (yield from permitted)


def _named(error: MissingCredentials, operation: Operation | None) -> MissingCredentials:
    """`error`, which then names the scopes that the operation takes."""
    if operation is not None and not isinstance(operation.rule, UNCHECKED):
        error.scope = " ".join(operation.rule.scopes)
    return error
