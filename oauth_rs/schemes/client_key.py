"""Callers without a token: a registered client shows its id and secret, or an API key (RFC 7617, RFC 6749 section 2.3).

client_presentation.py says where. A secret that is sent is good for whoever sees it: TLS only. Does not limit how often
somebody tries, for nobody comes upon a generated secret, and does not issue any.
"""

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from hmac import compare_digest

from ..catalogue import ScopeCatalogue
from ..claim_names import ClaimNames
from ..clients import (
    MAX_KEYS,
    ClientRegistry,
    Found,
    RegisteredClient,
    StaticClients,
    check_functions,
    digest_of,
    is_registry,
    new_secret,
    settled,
)
from ..errors import InvalidClient, OAuthError
from ..flow import Flow, at_once
from ..headers import challenge, quotable
from ..model import Grant
from ..request import Request
from ..scopes import checked_scope
from . import Places, Site
from .client_presentation import BasicAuth, Presentation, Presentations, PresentedSecret

_UNPROVED = "The client is unknown, or its secret or key is not good."  # nobody is told which
_NOBODYS_HASH = digest_of(new_secret())  # of a secret that nobody has: what an unknown client is checked against
_NAMES = ClaimNames(roles=(("roles",),), properties="properties")


class ClientKey:
    """Checks clients of the registry `clients`, that show a secret or an API key where `presentation` says.

    A grant has the scopes of its client, and those that `roles` gives for each of its roles; it has no subject and does
    not end. `realm` goes into every challenge. `provider` is the name that its grants have there.
    """

    name = "ClientKey"
    binds_requests = needs_hosts = False

    def __init__(
        self,
        clients: ClientRegistry,
        *,
        presentation: Sequence[Presentation] = (BasicAuth(),),
        roles: Mapping[str, Collection[str]] | None = None,
        realm: str = "api",
        provider: str = "ClientKey",
    ) -> None:
        if not is_registry(clients):
            raise TypeError("clients is a registry, such as StaticClients([RegisteredClient(...)])")
        if not realm or not provider:
            raise ValueError("realm and provider are not empty: RFC 7617 section 2 demands a realm")
        self._clients = clients
        self._presentations = Presentations(presentation)
        check_functions(clients, *self._presentations.functions)
        self._roles = _role_map({} if roles is None else roles)
        self._catalogue: ScopeCatalogue | None = None
        self._provider = provider
        self._realm = quotable(realm)
        self._basic = challenge("Basic", (("realm", realm), ("charset", "UTF-8"))) if self._presentations.basic else ""
        self.authorization_names: Collection[bytes] = frozenset({b"basic"} if self._presentations.basic else ())
        self.places = Places(headers=self._presentations.headers)
        self.looks_elsewhere = bool(self.places.headers)

    def with_catalogue(self, catalogue: ScopeCatalogue, /) -> "ClientKey":
        """The same scheme, whose grants hold all that `catalogue` makes of their scopes.

        Raises ValueError as `catalogue.check` does where `roles`, or a client of StaticClients, has a scope that it
        does not know.
        """
        for role, scopes in self._roles.items():
            catalogue.check(sorted(scopes), f"{self.name}, role {role!r}")
        for client in self._clients if isinstance(self._clients, StaticClients) else ():
            catalogue.check(sorted(client.scopes), f"{self.name}, client {client.client_id!r}")
        scheme = copy(self)
        scheme._catalogue = catalogue  # noqa: SLF001 - its own kind, and nobody else has it yet
        return scheme

    def elsewhere(self, request: Request, /) -> Sequence[bytes]:
        """The sets of headers with credentials: none, one, or more. Raises as `Presentations.sets` does."""
        return self._presentations.sets(request)

    def authenticate(self, request: Request, credentials: bytes, site: Site, /) -> Grant | Flow[Grant]:  # noqa: ARG002 - others need them
        """The grant of the client whose secret or key is in `credentials`.

        Raises InvalidRequest (`malformed_credentials`), InvalidClient (`unknown_client_id`, `bad_client_secret`,
        `unknown_api_key`, `client_disabled`: told apart in logs only) and Unavailable as the registry does.
        """
        return at_once(self._check(credentials))

    def challenge(
        self, *, scope: str = "", error: str = "", description: str = "", more: Sequence[tuple[str, str]] = ()
    ) -> str:
        """`Basic` with realm and charset, all that RFC 7617 knows; where Basic is not read, `ClientKey` with the rest.

        `ClientKey` is a name of this package: RFC 9110 section 11.6.1 demands a challenge, also where no registered
        scheme would do.
        """
        if self._basic:
            return self._basic
        said = (("realm", self._realm), ("scope", scope), ("error", error), ("error_description", description))
        return challenge(self.name, (*said, *more))

    def private(self, request: Request, /) -> bool:
        """True when a secret or key is in a header of its own, of which caches know nothing."""
        return self._presentations.found(request)

    def warm(self) -> Flow[None]:
        """Fetches nothing."""
        yield from ()

    def _check(self, credentials: bytes) -> Flow[Grant]:
        try:
            presented = self._presentations.read(credentials)
            digest = digest_of(presented.secret)
            if presented.client_id is None:
                client = yield from settled(self._clients.find_by_key(digest))
            else:
                client = yield from settled(self._clients.find(presented.client_id))
            return self._grant(_proved(client, presented, digest))
        except OAuthError as error:
            error.trace(self.name, credentials)
            raise

    def _grant(self, client: RegisteredClient) -> Grant:
        scopes = frozenset(client.scopes).union(*(self._roles.get(role, ()) for role in client.roles))
        if self._catalogue is not None:
            scopes = self._catalogue.held(scopes)
        return Grant(
            self.name, self._provider, "", "", client.client_id, scopes, 0, client.claims_json, None, None, _NAMES
        )


def _proved(client: Found, presented: PresentedSecret, digest: str) -> RegisteredClient:
    """The client, when the secret or key is its own. Who is unknown is checked as all others are, and refused after."""
    asked, _, is_key = presented
    good = _is_among(digest, _hashes(client, is_key=is_key), MAX_KEYS if is_key else 1)
    # What a registry found under another spelling, as databases may that do not mind case, is not what was asked for.
    if asked is not None and (client is None or client.client_id != asked):
        raise InvalidClient("unknown_client_id", _UNPROVED)
    if client is None or (is_key and not good):
        raise InvalidClient("unknown_api_key", _UNPROVED)
    if not good:
        raise InvalidClient("bad_client_secret", _UNPROVED)
    if client.disabled:
        raise InvalidClient("client_disabled", _UNPROVED)
    return client


def _hashes(client: Found, *, is_key: bool) -> Collection[str]:
    if client is None:
        return ()
    if is_key:
        return client.key_hashes
    return [client.secret_hash] if client.secret_hash else ()


def _is_among(digest: str, hashes: Collection[str], comparisons: int) -> bool:
    """True when `digest` is one of `hashes`, after as many comparisons whether or not, and whichever is right."""
    found = False
    for one in (*hashes, *[_NOBODYS_HASH] * (comparisons - len(hashes))):
        found |= compare_digest(one, digest)
    return found


def _role_map(roles: Mapping[str, Collection[str]]) -> dict[str, frozenset[str]]:
    if not isinstance(roles, Mapping):
        raise TypeError("roles maps roles to scopes, as {'manager': ['reports', 'audit']}")
    if any(isinstance(scopes, str) for scopes in roles.values()):
        raise TypeError("the scopes of a role are a list, as ['reports'], not one string")
    return {role: frozenset(map(checked_scope, scopes)) for role, scopes in roles.items()}
