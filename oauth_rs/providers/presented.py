"""A bearer token as a request presents it: what providers are chosen by, and what they verify (RFC 6750 section 2).

Nothing here is verified: it may select a provider or refuse, and never grants.
"""

from collections.abc import Mapping
from typing import Any

from ..jose.jws import JSON_OBJECT, CompactJWS, parse
from ..request import Request
from ..urls import ExternalURL


class Presented:
    """The token `text` in `request`. `digest` is its SHA-256, b"" where no provider remembers; `url` names its host.

    `jws` is given where it was taken apart already. `prefix` is what stands before the JWT for the provider asked.
    """

    __slots__ = ("_jws", "_prefix", "digest", "request", "text", "url")

    def __init__(
        self,
        text: bytes,
        digest: bytes,
        request: Request,
        url: ExternalURL,
        jws: CompactJWS | None = None,
        *,
        prefix: bytes = b"",
    ) -> None:
        self.text = text
        self.digest = digest
        self.request = request
        self.url = url
        self._jws = jws
        self._prefix = prefix

    @property
    def jws(self) -> CompactJWS:
        """The token as a JWS, taken apart when first asked for. Raises InvalidToken (see jose/jws.py)."""
        if self._jws is None:
            self._jws = parse(self.text.removeprefix(self._prefix), payload=JSON_OBJECT)
        return self._jws

    @property
    def claims(self) -> Mapping[str, Any]:
        """What the token claims. Raises InvalidToken (`malformed_claims`, and those of `jws`)."""
        return self.jws.claims

    def behind(self, prefix: bytes) -> "Presented":
        """The same token, with the JWT in it behind `prefix`."""
        return Presented(self.text, self.digest, self.request, self.url, prefix=prefix) if prefix else self
