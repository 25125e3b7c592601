"""How a request carries its proof: a scheme finds its credentials, checks them and writes its own challenge."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from ..catalogue import ScopeCatalogue
from ..flow import Flow
from ..model import Grant
from ..replay import ReplayStore
from ..request import Request
from ..urls import ExternalURL


class Places(NamedTuple):
    """Where the credentials of a scheme may stand beside `Authorization`.

    Names of `headers` are in lower case. `fields` are parameters of the query and of forms, to the letter; every
    parameter that begins with one of `prefixes` is one too.
    """

    headers: frozenset[bytes] = frozenset()
    fields: frozenset[bytes] = frozenset()
    prefixes: tuple[bytes, ...] = ()


class Site(NamedTuple):
    """What all schemes of a server share: which URL its callers use, and what has been used up."""

    url: ExternalURL
    replay: ReplayStore


class Scheme(Protocol):
    """One way to present credentials.

    `authorization_names` are the names in `Authorization`, in lower case, that are this scheme's. `binds_requests` is
    True when its proof covers the URL and is good once: the server must then be told its own URL, and `authenticate`
    asks for it. `private` is True for a request whose successful answer no shared cache may keep (RFC 6750 section
    2.3), and asked only where there is no `Authorization`.
    """

    @property
    def name(self) -> str: ...

    @property
    def authorization_names(self) -> Collection[bytes]: ...

    @property
    def binds_requests(self) -> bool: ...

    @property
    def needs_hosts(self) -> bool:
        """True when it is only sound where the server was told which hosts it answers for, by `url`."""

    @property
    def places(self) -> Places:
        """Where credentials are taken out before the application sees the request, if it is not to see them."""

    @property
    def looks_elsewhere(self) -> bool:
        """True when credentials may also stand outside `Authorization`: only then is `elsewhere` called."""

    def elsewhere(self, request: Request, /) -> Sequence[bytes] | Flow[Sequence[bytes]]:
        """The credentials outside `Authorization`, all of them: more than one is refused."""

    def authenticate(self, request: Request, credentials: bytes, site: Site, /) -> Grant | Flow[Grant]:
        """The grant that `credentials` prove. Raises OAuthError that names this scheme and traces the credentials."""

    def challenge(
        self, *, scope: str = "", error: str = "", description: str = "", more: Sequence[tuple[str, str]] = ()
    ) -> str:
        """A `WWW-Authenticate` value of this scheme; `more` are further parameters (RFC 9470), where it has such."""

    def private(self, request: Request, /) -> bool: ...

    def warm(self) -> Flow[None]: ...

    def with_catalogue(self, catalogue: ScopeCatalogue, /) -> "Scheme":
        """The same scheme, whose grants hold the scopes that `catalogue` makes of theirs.

        Raises ValueError for a scope of its configuration that the catalogue does not have.
        """
