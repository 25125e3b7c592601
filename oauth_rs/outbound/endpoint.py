"""The token endpoint of a provider, asked by POST or, where it must be, by GET (RFC 6749 section 3.2).

Found through the metadata of the issuer (RFC 8414) or given. After it has failed, once or a few times in a row, it is
left alone, a second at first and half a minute in the end, whoever wants a token of it. Keeps no tokens.
"""

import time
from collections.abc import Callable
from urllib.parse import urlencode

from ..breaker import Breaker
from ..client_auth import UNPROVED, BearerToken, ClientAuth, ClientCertificate, ClientSecret, Proof
from ..errors import MISCONFIGURED_SECONDS, Unavailable
from ..flow import Fetch, Flow
from ..members import offers
from ..metadata import endpoint_for_secrets
from ..quiet import Complaints, Troubles
from ..urls import secure_for_secrets, shown
from .answer import UNREACHABLE, Token, token_of
from .errors import OutboundError
from .parameters import Fields
from .turns import Turns

MAX_ASKS = 100  # at a time: each has threads of its own, and a slow provider must not use up all there are
# More that wait for their turn: all are served within the 30 s that callers wait at most, where an answer takes 3 s.
MAX_WAITING = 1_000
LIMIT = 65_536  # bytes of an answer: a token of 16 KiB, and as much again for what comes with it
_NOT_LET = "does not let this application ask for tokens in this way"
_OF_THE_CLIENT = {
    **dict.fromkeys(("invalid_client", "unauthorized"), UNPROVED),
    **dict.fromkeys(("unauthorized_client", "unsupported_grant_type"), _NOT_LET),
}
_ACCEPT = (("Accept", "application/json"),)
_FORM = (("Content-Type", "application/x-www-form-urlencoded"),)


class TokenEndpoint:
    """The token endpoint of `issuer`, or the one at `url`, asked as `client`. Raises ValueError and TypeError.

    With `method="GET"` the parameters stand in the URL, which servers log: so only a client that proves itself in a
    header may ask that way. `breaker` says when it is left alone, by default after each failure; reasons and
    codes in `forgiven` are no failures to it, and the codes no complaint about this application.
    """

    def __init__(
        self,
        issuer: str,
        *,
        client: ClientAuth,
        url: str = "",
        method: str = "POST",
        breaker: Breaker | None = None,
        forgiven: frozenset[str] = frozenset(),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not all(isinstance(text, str) for text in (issuer, url)):
            raise TypeError("the issuer and token_endpoint are URLs, as text")
        if not offers(client, "prove", "client_id"):
            raise TypeError("client is ClientSecret(id, secret) or another way to prove who asks: see client_auth")
        place = url or issuer
        if not secure_for_secrets(place):
            raise ValueError(
                "tokens are asked for over https, or over http from this machine, at a URL without a name, a password "
                "or a fragment"
            )
        if method not in {"POST", "GET"}:
            raise ValueError('method is "POST" or "GET"')
        if method == "GET" and not isinstance(client, ClientSecret | BearerToken):
            raise ValueError("by GET all that a client sends would stand in the URL: use ClientSecret(id, secret)")
        self.issuer, self.client_id, self.method = issuer, client.client_id, method
        self.place = place
        self.breaker = Breaker(failures=1) if breaker is None else breaker
        self.turns = Turns(MAX_ASKS, waiting=MAX_WAITING)
        self._client, self._url, self._found, self._clock = client, url, "", monotonic
        self._forgiven, self._complaints, self._troubles = forgiven, Complaints(), Troubles()

    def __str__(self) -> str:
        return shown(self._url) if self._url else f"the token_endpoint of {shown(self.issuer)}"

    def ask(self, fields: Fields) -> Flow[Token]:
        """A new token. Of asks that fail at one time, only one counts.

        Raises TokenRefused for what is asked, TokenUnusable, and Unavailable (`token_endpoint_refused` for who asks,
        `token_endpoint_failed`, `token_endpoint_unusable`, or what discovery and `Fetch` raise).
        """
        call = self.breaker.admit(self._clock())
        try:
            token = yield from self._exchange(fields)
        except Unavailable as error:
            self._troubles.tell(self, error.cause, self._clock())
            if error.reason in self._forgiven:
                self.breaker.answered()
            elif error.reason == "fetch_busy":
                self.breaker.handed_back(call, self._clock())
            else:
                self._found = ""  # the issuer may have moved its endpoint: ask its metadata again
                self.breaker.failed(call, self._clock())
            raise
        except OutboundError as error:
            if error.reason in _OF_THE_CLIENT:
                raise self._refused(error.reason, call) from error
            self.breaker.answered()
            raise
        self.breaker.answered()
        return token

    def _refused(self, code: str, call: object) -> Unavailable:
        if code in self._forgiven:  # may be about the caller's token, and nobody could mend it here
            self.breaker.answered()
        else:
            # A client that is not known today will not be in a second, whoever it asks for: that gets clients locked.
            now = self._clock()
            self.breaker.failed(call, now)
            self._complaints.tell(self, _OF_THE_CLIENT[code], code, now)
        return Unavailable("token_endpoint_refused", UNREACHABLE, retry_after=MISCONFIGURED_SECONDS)

    def _exchange(self, fields: Fields) -> Flow[Token]:
        url = self._url or self._found
        if not url:
            certified = isinstance(self._client, ClientCertificate)
            url = self._found = yield from endpoint_for_secrets(
                self.issuer, "token_endpoint", with_certificate=certified, shared=0.0
            )
        proving = self._client.prove(url)
        proof = proving if isinstance(proving, Proof) else (yield from proving)
        query = urlencode((*fields, *proof.fields))
        headers = (*_ACCEPT, *proof.headers)
        if self.method == "GET":
            ask = Fetch("GET", f"{url}{'&' if '?' in url else '?'}{query}", headers, limit=LIMIT)
        else:
            certificate = proof.certificate
            ask = Fetch("POST", url, _FORM + headers, query.encode(), limit=LIMIT, certificate=certificate)
        return token_of((yield from ask))
