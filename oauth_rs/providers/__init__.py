"""Who grants: a provider says what a bearer token means."""

from collections.abc import Mapping
from typing import Any, Protocol

from ..encoding import json_object
from ..errors import InvalidToken
from ..flow import Flow
from ..jose.jws import JSON_OBJECT, parse
from ..model import Grant


class PresentedToken:
    """A bearer token as it came, read once for all providers: none of it is verified yet.

    `digest` is the SHA-256 of the token, b"" where no provider remembers tokens. Making one raises InvalidToken when
    the token is not a JWT (see jose/jws.py).
    """

    __slots__ = ("_claims", "digest", "jws")

    def __init__(self, token: bytes, digest: bytes) -> None:
        self.digest = digest
        self.jws = parse(token, payload=JSON_OBJECT)
        self._claims: Mapping[str, Any] | None = None

    @property
    def claims(self) -> Mapping[str, Any]:
        """The payload as a JSON object, read when first asked for. Raises InvalidToken (`malformed_claims`)."""
        if self._claims is None:
            try:  # noqa: SIM105 - suppress() takes longer than all of this
                self._claims = json_object(self.jws.payload)
            except ValueError:
                pass  # raised below, because the parser's error holds the claims and would be chained
        if self._claims is None:
            raise InvalidToken("malformed_claims", "The access token does not carry a JSON object.")
        return self._claims


class Provider(Protocol):
    """Says what bearer tokens of one source mean. `name` is unique within a scheme."""

    @property
    def name(self) -> str: ...

    @property
    def remembers(self) -> bool:
        """False when `recall` never knows anything, and nobody need make a digest for it."""

    def recall(self, digest: bytes, /) -> Grant | None:
        """The grant of a token verified a moment ago, while nothing it rests on has changed. Asked before `verify`."""

    def recognises(self, token: PresentedToken, /) -> bool:
        """True when `token` claims to come from here. It may lie: this selects a provider and proves nothing."""

    def verify(self, token: PresentedToken, /) -> Grant | Flow[Grant]:
        """The grant that `token` proves. Raises InvalidToken, or Unavailable when that cannot be known."""

    def warm(self) -> Flow[None]:
        """Fetches ahead what the first token would have to wait for."""


def unknown_issuer() -> InvalidToken:
    return InvalidToken("unknown_issuer", "The access token is from an issuer that is not accepted.")
