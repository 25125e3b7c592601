"""How a request carries its proof: a scheme finds its credentials, checks them and writes its own challenge."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from ..flow import Flow
from ..model import Grant, Request
from ..replay import ReplayStore
from ..urls import ExternalURL


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
    def looks_elsewhere(self) -> bool:
        """True when credentials may also stand outside `Authorization`: only then is `elsewhere` called."""

    def elsewhere(self, request: Request, /) -> Sequence[bytes] | Flow[Sequence[bytes]]:
        """The credentials outside `Authorization`, all of them: more than one is refused."""

    def authenticate(self, request: Request, credentials: bytes, site: Site, /) -> Grant | Flow[Grant]:
        """The grant that `credentials` prove. Raises OAuthError that names this scheme and traces the credentials."""

    def challenge(self, *, scope: str = "", error: str = "", description: str = "") -> str:
        """A `WWW-Authenticate` value of this scheme."""

    def private(self, request: Request, /) -> bool: ...

    def warm(self) -> Flow[None]: ...
