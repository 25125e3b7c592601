"""Tokens that their provider is asked about (RFC 7662), with plain or signed answers (RFC 9701).

What an answer says is held to like the claims of a JWT: kind, issuer, audience, times, scopes, `cnf`. An answer is
believed for `cache_seconds`: a token that is revoked meanwhile counts until then.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from typing import Any

from ..breaker import Breaker
from ..catalogue import ScopeCatalogue
from ..claim_names import ClaimPath, at_path, claim_path
from ..client_auth import ClientAuth
from ..clients import Clients
from ..errors import InvalidToken
from ..flow import Flow
from ..jose import claims as claim
from ..keys import KeySource
from ..members import check_flag, offers
from ..metadata import IssuerMetadata
from ..model import Grant
from ..roles import RoleMap
from .answers import inactive, members_of, unusable
from .asked import AskedServer
from .endpoint import JSON, Endpoint, Question
from .introspection_jwt import MEDIA_TYPE, SignedAnswers
from .presented import Presented
from .scoping import terms_of
from .seconds import CACHE_SECONDS, CACHE_SIZE, LEEWAY, REFUSED_SECONDS, TIMEOUT
from .selection import Accepts, selectors_of
from .verdicts import Verdicts

_ENDPOINT = "introspection_endpoint"  # as metadata names it (RFC 8414 section 2)
_HINT = ("token_type_hint", "access_token")
# Providers that know other tokens too, as refresh and ID tokens, say so in members of different names: an active one is
# no access token. Some put the type or the method of an access token there.
_KINDS = ("token_type", "token_use", "typ")
_BEARERS = frozenset({"", "bearer", "access_token", "access", "at+jwt", "application/at+jwt", "jwt"})
_PROVED = _BEARERS | {"dpop", "pop"}


class IntrospectionProvider:
    """Asks the introspection endpoint at `location`, a URL or the IssuerMetadata that names it, what a token means.

    `client` is how this application proves itself there (see client_auth.py). `audience` names this API in the `aud` of
    answers (one name or several). `audience_unproved=True` accepts answers that have no `aud`, and with them tokens
    that were issued for other APIs of the provider. `issuer`, that of the metadata by default, must be the `iss` of an
    answer that has one, and is the issuer of grants. Where nothing states it, that is the URL of the endpoint, and
    `iss` is not checked. With `keys` answers are signed, for the client's id, and no others count.

    `subject` leads to the member of an answer that names the user, text or a number. `required` lists the claims that
    must be there: users of whom an answer does not say `sub` would all be one. Tokens without a user need
    `required=()`.

    `scopes`, `roles`, `clients`, `accepts`, `properties`, `owner` and `domain` are those of JWTProvider. `timeout` of
    one call, `cache_seconds` and `refused_seconds` (at most 300, 0 for none) and `leeway` are in seconds; `cache_size`
    counts tokens. `breaker` says when the endpoint is left alone: providers of one endpoint may share it. `clock` is
    wall time, `monotonic` never goes back.
    """

    def __init__(
        self,
        location: str | IssuerMetadata,
        *,
        client: ClientAuth,
        audience: str | Collection[str] = (),
        audience_unproved: bool = False,
        issuer: str = "",
        keys: KeySource | None = None,
        subject: ClaimPath = "sub",
        required: Collection[str] = ("sub",),
        scopes: Collection[str] | None = None,
        roles: RoleMap | Iterable[RoleMap] = (),
        clients: Clients | None = None,
        accepts: Accepts = (),
        properties: ClaimPath | Mapping[str, ClaimPath] = (),
        owner: Mapping[str, ClaimPath] | None = None,
        domain: str = "",
        leeway: float = LEEWAY,
        timeout: float = TIMEOUT,
        cache_seconds: float = CACHE_SECONDS,
        refused_seconds: float = REFUSED_SECONDS,
        cache_size: int = CACHE_SIZE,
        name: str = "",
        breaker: Breaker | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not offers(client, "prove", "client_id"):
            raise TypeError("client is ClientSecret(id, secret), or another of client_auth.py")
        if not isinstance(issuer, str):
            raise TypeError("issuer is text, as the `iss` of answers spells it")
        check_flag("audience_unproved", audience_unproved)
        if isinstance(required, str) or not all(isinstance(name, str) for name in required):
            raise TypeError("required is a list of strings, not one string")
        self._subject, self._required = claim_path(subject, "subject"), tuple(required)
        verdicts = Verdicts(
            seconds=cache_seconds, refused_seconds=refused_seconds, size=cache_size, clock=clock, monotonic=monotonic
        )
        endpoint = Endpoint(
            location, name=_ENDPOINT, client=client, timeout=timeout, breaker=breaker, clock=clock, monotonic=monotonic
        )
        self.name = name or str(location)
        self._stated_issuer = issuer or (location.issuer if isinstance(location, IssuerMetadata) else "")
        # Never empty: subjects of two providers without a name would be one another's.
        self.issuer = self._stated_issuer or str(location)
        self.accepts = selectors_of(accepts)
        self._audience, self._audience_unproved = claim.audience_names(audience), audience_unproved
        if not self._audience and not audience_unproved:
            raise ValueError(
                "IntrospectionProvider needs the audience that names this API in the `aud` of answers, or "
                "audience_unproved=True where they have none"
            )
        terms = terms_of(scopes, roles, properties, owner, domain)
        self._server = AskedServer(
            endpoint, verdicts, terms, clients=clients, name=self.name, issuer=self.issuer, leeway=leeway, clock=clock
        )
        self._signed: SignedAnswers | None = None
        if keys is not None:
            self._signed = SignedAnswers(
                keys, issuer=self._stated_issuer, audience=client.client_id, leeway=leeway, clock=clock
            )
        self.remembers, self.recall = self._server.remembers, self._server.recall

    def verify(self, token: Presented, /) -> Flow[Grant]:
        """The grant that the provider says `token` stands for, remembered.

        Raises InvalidToken (`inactive_token`, `wrong_typ`, `wrong_issuer`, `no_audience`, `wrong_audience`, `expired`,
        `not_yet_valid`, `missing_claim`, `malformed_claim`, `client_not_registered`) and Unavailable (those of
        endpoint.py and introspection_jwt.py, and as the registry of `clients` does).
        """
        return self._server.verdict(token, self._ask)

    def warm(self) -> Flow[None]:
        """Finds the endpoint, and fetches the keys of signed answers."""
        yield from self._server.find()
        if self._signed is not None:
            yield from self._signed.warm()

    def with_catalogue(self, catalogue: ScopeCatalogue, /) -> "IntrospectionProvider":
        """The same provider, remembering nothing yet, whose grants hold the scopes that `catalogue` makes of theirs.

        Raises ValueError where `scopes` or `roles` names a scope that the catalogue does not have.
        """
        bound = copy(self)
        bound._server = self._server.with_catalogue(catalogue)  # noqa: SLF001 - nobody else has it yet
        bound.recall = bound._server.recall  # noqa: SLF001
        return bound

    def _ask(self, token: str, digest: bytes) -> Flow[Grant]:
        accept = ("Accept", JSON if self._signed is None else MEDIA_TYPE)
        reply = yield from self._server.ask(Question(about=digest, headers=(accept,), fields=(("token", token), _HINT)))
        answer = members_of(reply) if self._signed is None else (yield from self._signed.members_of(reply))
        return (yield from self._granted(answer))

    def _granted(self, answer: Mapping[str, Any]) -> Flow[Grant]:
        active = answer.get("active")
        if active is False:
            raise inactive()
        if active is not True:  # "true" and 1 are no answers
            raise unusable("nothing that says whether the token is active")
        confirmation = claim.confirmation(answer)
        _check_kind(answer, is_bound=confirmation is not None)
        if self._stated_issuer and answer.get("iss", self.issuer) != self.issuer:
            raise InvalidToken("wrong_issuer", "The access token is from another issuer.")
        if answer.get("aud") is not None or not self._audience_unproved:
            claim.check_audience(answer, self._audience)
        claim.check_delegation(answer)
        claims = answer if self._subject == ("sub",) else {**answer, "sub": _user(answer, self._subject)}
        claim.check_required(claims, self._required)
        return self._server.granted(claims, subject=claim.text(claims, "sub"), confirmation=confirmation)


def _user(answer: Mapping[str, Any], path: Sequence[str]) -> str:
    """The user whom `answer` names there, "" for nobody. Raises InvalidToken (`malformed_claim`)."""
    try:
        found = at_path(answer, path)
    except ValueError:
        found = False  # refused below: what a server has said is not to be chained
    if found is None:
        return ""
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise InvalidToken("malformed_claim", "A claim of the access token is not of its type.")
    return str(found)


def _check_kind(answer: Mapping[str, Any], *, is_bound: bool) -> None:
    """Returns for access tokens. One of another type than Bearer needs a proof, so it says of what (RFC 9449 6.2)."""
    kinds = {claim.text(answer, name).lower() for name in _KINDS}
    if not kinds <= (_PROVED if is_bound else _BEARERS):
        raise InvalidToken("wrong_typ", "The token is not an access token.")
