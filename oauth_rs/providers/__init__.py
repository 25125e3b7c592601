"""Who grants: a provider says what a bearer token means."""

from collections.abc import Sequence
from typing import Protocol

from ..catalogue import ScopeCatalogue
from ..errors import InvalidToken
from ..flow import Flow
from ..model import Grant
from .presented import Presented
from .selection import Selector


class Provider(Protocol):
    """Says what bearer tokens of one source mean. `name` is unique within a scheme."""

    @property
    def name(self) -> str: ...

    @property
    def remembers(self) -> bool:
        """False when `recall` never knows anything, and nobody need make a digest for it."""

    @property
    def accepts(self) -> Sequence[Selector]:
        """What its tokens, and the requests that present them, must all be: no other token is shown to it.

        What it is shown is printable ASCII without spaces and commas, at most 16 KiB.
        """

    def recall(self, digest: bytes, /) -> Grant | None:
        """The grant of a token verified a moment ago, while nothing it rests on has changed. Asked before `verify`."""

    def verify(self, token: Presented, /) -> Grant | Flow[Grant]:
        """The grant that `token` proves, remembered under its digest. Raises InvalidToken, or Unavailable when that
        cannot be known.
        """

    def warm(self) -> Flow[None]:
        """Fetches ahead what the first token would have to wait for."""

    def with_catalogue(self, catalogue: ScopeCatalogue, /) -> "Provider":
        """The same provider, remembering nothing yet, whose grants hold the scopes that `catalogue` makes of theirs.

        Raises ValueError for a scope of its configuration that the catalogue does not have.
        """


def unknown_issuer() -> InvalidToken:
    return InvalidToken("unknown_issuer", "The access token is from an issuer that is not accepted.")
