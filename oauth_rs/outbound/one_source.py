"""What hands out the tokens of one source: for calls, and to prove who this application is (RFC 7662 section 2.1).

Does not get tokens and does not keep them: source.py does.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import MISCONFIGURED_SECONDS, OAuthError, Unavailable
from ..flow import Call, Flow
from .answer import UNREACHABLE
from .auth import BearerAuth
from .errors import OutboundError
from .source import TokenSource

_NO_PROOF = "gives no token by which this application could prove itself"


class OneSource:
    """Whoever gets tokens from one `source`, and hands them out."""

    source: TokenSource

    def auth(self, *origins: str, plain_http: bool = False) -> BearerAuth:
        """For `httpx2.Client(auth=...)` and `httpx2.AsyncClient(auth=...)`; see BearerAuth."""
        return self.source.auth(*origins, plain_http=plain_http)

    def token(self) -> str:
        """A token that is good now, for clients other than httpx2. Raises OutboundError and Unavailable."""
        return self.source.token()

    async def async_token(self) -> str:
        """The same for callers that await."""
        return await self.source.async_token()

    def current(self, refused: str = "", /) -> Flow[str]:
        """A token for `BearerToken(source)` of client_auth.py: another than `refused` where one can be had.

        Raises Unavailable, whatever goes wrong: where the provider gives none, whoever runs this application mends it.
        """
        token: str = yield from Call(self._proving, self._proving_awaiting, (refused,))
        return token

    def _proving(self, refused: str) -> str:
        self.source.drop(refused)
        with self._for_proof():
            return self.token()

    async def _proving_awaiting(self, refused: str) -> str:
        self.source.drop(refused)
        with self._for_proof():
            return await self.async_token()

    @contextmanager
    def _for_proof(self) -> Iterator[None]:
        try:
            yield
        except Unavailable:
            raise
        except (OutboundError, OAuthError) as error:
            self.source.complain(_NO_PROOF, error.reason)
            raise Unavailable("token_endpoint_refused", UNREACHABLE, retry_after=MISCONFIGURED_SECONDS) from error
