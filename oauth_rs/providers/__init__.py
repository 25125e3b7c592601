"""Who grants: a provider says what a bearer token means."""

from collections.abc import Mapping
from typing import Any, Protocol

from ..encoding import json_object
from ..errors import InvalidToken
from ..flow import Flow
from ..jose import jws
from ..model import Grant


class PresentedToken:
    """A bearer token as it came, read once for all providers: none of it is verified yet.

    `jws` and `claims` are None when the token is not a JWT; `fault` then says why. `digest` is its SHA-256.
    """

    __slots__ = ("claims", "digest", "fault", "jws")

    jws: jws.CompactJWS | None
    claims: Mapping[str, Any] | None

    def __init__(self, token: bytes, digest: bytes) -> None:
        self.digest = digest
        self.jws = self.claims = self.fault = None
        try:
            signed = jws.parse(token)
            self.claims = json_object(signed.payload)
            self.jws = signed
        except InvalidToken as error:
            self.fault = error
        except ValueError:
            self.fault = InvalidToken("malformed_claims", "The access token does not carry a JSON object.")


class Provider(Protocol):
    """Says what bearer tokens of one source mean. `name` is unique within a scheme."""

    @property
    def name(self) -> str: ...

    def recall(self, digest: bytes, /) -> Grant | None:
        """The grant of a token verified a moment ago, while nothing it rests on has changed."""

    def recognises(self, token: PresentedToken, /) -> bool:
        """True when `token` claims to come from here. It may lie: this selects a provider and proves nothing."""

    def verify(self, token: PresentedToken, /) -> Grant | Flow[Grant]:
        """The grant that `token` proves. Raises InvalidToken, or Unavailable when that cannot be known."""

    def warm(self) -> Flow[None]:
        """Fetches ahead what the first token would have to wait for."""
