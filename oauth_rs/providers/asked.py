"""A server that is asked about tokens: what it said of them a moment ago, and the grants that are made on its word.

What it is asked, and what its answers mean, is for introspection.py and userinfo.py.
"""

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from hashlib import sha256
from sys import intern
from typing import Any

from ..catalogue import ScopeCatalogue
from ..clients import Clients, registry_of
from ..flow import Flow, Reply
from ..jose import claims as claim
from ..model import Grant
from .answers import as_json, end_of
from .endpoint import Endpoint, Question
from .known_clients import admit
from .presented import Presented
from .scoping import Terms
from .seconds import MAX_LEEWAY, check_seconds
from .verdicts import Verdicts


class AskedServer:
    """Answers of `endpoint` become grants of the provider `name`, which `verdicts` remember.

    `terms` say what they hold, and `issuer` who grants; tokens of others than `clients` are refused. `leeway` is in
    seconds; `clock` is wall time.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        verdicts: Verdicts,
        terms: Terms,
        *,
        clients: Clients | None,
        name: str,
        issuer: str,
        leeway: float,
        clock: Callable[[], float],
    ) -> None:
        check_seconds("leeway", leeway, most=MAX_LEEWAY)
        self._endpoint, self._verdicts, self._terms = endpoint, verdicts, terms
        self._clients = None if clients is None else registry_of(clients)
        self._name, self._issuer = name, issuer
        self._leeway, self._clock = leeway, clock
        self.remembers, self.recall = verdicts.remembers, verdicts.recall

    def verdict(self, token: Presented, ask: Callable[[str, bytes], Flow[Grant]]) -> Flow[Grant]:
        """What `ask(text, digest)` says of `token`, remembered; the log tells why it cannot. Raises what it raises."""
        digest = token.digest or sha256(token.text).digest()
        return self._verdicts.after(digest, self._endpoint.watch(ask(token.text.decode(), digest)))

    def ask(self, question: Question) -> Flow[Reply]:
        """The answer to `question`, shared for no longer than is remembered. Raises as `Endpoint.ask` does."""
        # Nothing that is said of a token past its end is kept, be it good within the leeway (RFC 7662 section 4).
        shared = 0.0 if self._verdicts.has_ended(question.about) else self._verdicts.shared
        return self._endpoint.ask(replace(question, shared=shared))

    def find(self) -> Flow[str]:
        """The URL of the endpoint. Raises as `Endpoint.find` does."""
        return self._endpoint.find()

    def granted(
        self, claims: Mapping[str, Any], *, subject: str, confirmation: Mapping[str, Any] | None = None
    ) -> Flow[Grant]:
        """The grant of a token of which the server says `claims`.

        Raises InvalidToken (`malformed_claim`, `expired`, `not_yet_valid`, `client_not_registered`) and Unavailable as
        the registry of clients does.
        """
        grant = Grant(
            "Bearer",
            self._name,
            self._issuer,
            subject,
            intern(claim.client(claims)),  # few clients, many grants
            self._terms.scoping.of(claims),
            end_of(claims, self._clock(), self._leeway),
            as_json(claims),
            confirmation,
            None,
            self._terms.names,
        )
        yield from admit(self._clients, grant.client_id)
        return grant

    def with_catalogue(self, catalogue: ScopeCatalogue) -> "AskedServer":
        """The same server, of which nothing is remembered yet, on the same terms in the words of `catalogue`.

        Raises ValueError where they name a scope that the catalogue does not have.
        """
        bound = copy(self)
        scoping = self._terms.scoping.with_catalogue(catalogue, self._name)
        bound._terms = self._terms._replace(scoping=scoping)  # noqa: SLF001 - nobody else has it yet
        bound._verdicts = self._verdicts.anew()  # noqa: SLF001
        bound.recall = bound._verdicts.recall  # noqa: SLF001
        return bound
