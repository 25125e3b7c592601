"""Who grants: a provider says what a bearer token means."""

from typing import Protocol

from ..errors import InvalidToken
from ..flow import Flow
from ..jose.jws import CompactJWS
from ..model import Grant


class Provider(Protocol):
    """Says what bearer tokens of one source mean. `name` is unique within a scheme."""

    @property
    def name(self) -> str: ...

    @property
    def remembers(self) -> bool:
        """False when `recall` never knows anything, and nobody need make a digest for it."""

    def recall(self, digest: bytes, /) -> Grant | None:
        """The grant of a token verified a moment ago, while nothing it rests on has changed. Asked before `verify`."""

    def recognises(self, token: CompactJWS, /) -> bool:
        """True when `token` claims to come from here. It may lie: this selects a provider and proves nothing."""

    def verify(self, token: CompactJWS, digest: bytes, /) -> Grant | Flow[Grant]:
        """The grant that `token` proves, remembered under `digest`, its SHA-256 (b"" where no provider remembers).

        Raises InvalidToken, or Unavailable when that cannot be known.
        """

    def warm(self) -> Flow[None]:
        """Fetches ahead what the first token would have to wait for."""


def unknown_issuer() -> InvalidToken:
    return InvalidToken("unknown_issuer", "The access token is from an issuer that is not accepted.")
