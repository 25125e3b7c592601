"""Opaque tokens that are shown to the user endpoint of their provider (OpenID Connect Core 1.0 section 5.3).

Who answers for a token there says whose it is, and not to whom it was issued: that takes a check of its own
(token_checks.py), or the explicit word that it is not proved. Presets for GitHub and OpenID are below. Does not read
signed answers.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from copy import copy
from typing import Any

from ..breaker import Breaker
from ..catalogue import ScopeCatalogue
from ..claim_names import OWNER_CLAIMS, ClaimPath, at_path, claim_path
from ..client_auth import ClientSecret
from ..clients import Clients
from ..flow import Flow
from ..jose import claims as claim
from ..members import check_flag, offers
from ..metadata import IssuerMetadata
from ..model import Grant
from ..roles import RoleMap
from ..scopes import checked_scope
from .answers import inactive, members_of, names_error, refuses, unusable
from .asked import AskedServer
from .endpoint import JSON, Endpoint, Question
from .presented import Presented
from .scoping import terms_of
from .seconds import CACHE_SECONDS, CACHE_SIZE, LEEWAY, REFUSED_SECONDS, TIMEOUT
from .selection import Accepts, selectors_of
from .token_checks import GitHubCheck, TokenCheck
from .verdicts import Verdicts

_ENDPOINT = "userinfo_endpoint"  # as metadata names it (OpenID Connect Discovery 1.0 section 3)
_OK, _FORBIDDEN = 200, 403
_SAYS = frozenset({_OK, 400, 401, _FORBIDDEN})  # of a bad token some say 400, and 403 of one without `openid`
OPENID_FIELDS: Mapping[str, ClaimPath] = {name: name for name in ("sub", *OWNER_CLAIMS)}
GITHUB_FIELDS: Mapping[str, ClaimPath] = {"sub": "id", "preferred_username": "login", "name": "name", "email": "email"}


class UserInfoProvider:
    """Asks the user endpoint at `location`, a URL or the IssuerMetadata that names it, whose a token is.

    `check` proves that it was issued to this application. Without one there must be `audience_unproved=True`, and then
    any application that is given a token of a user can act as that user here. `fields` maps claims to members of the
    answer, `sub` among them; the whole answer is the claim `userinfo`. Scopes are those that the check knows, and
    `grants` for every good token. `issuer`, that of the metadata or else the URL of the endpoint, is the issuer of
    grants: it makes a `sub` of this provider another than the same one elsewhere. `scopes`, `roles`, `clients`,
    `accepts`, `properties`, `owner` and `domain` are those of JWTProvider, the other options those of
    IntrospectionProvider.
    """

    def __init__(
        self,
        location: str | IssuerMetadata,
        *,
        check: TokenCheck | None = None,
        audience_unproved: bool = False,
        issuer: str = "",
        fields: Mapping[str, ClaimPath] = OPENID_FIELDS,
        grants: Collection[str] = (),
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
        if isinstance(grants, str):
            raise TypeError("grants is a list of strings, not one string")
        check_flag("audience_unproved", audience_unproved)
        if not isinstance(issuer, str):
            raise TypeError("issuer is text, the name under which users of this provider are known")
        verdicts = Verdicts(
            seconds=cache_seconds, refused_seconds=refused_seconds, size=cache_size, clock=clock, monotonic=monotonic
        )
        endpoint = Endpoint(
            location, name=_ENDPOINT, timeout=timeout, breaker=breaker, clock=clock, monotonic=monotonic
        )
        self.name = name or str(location)
        self.issuer = issuer or str(location)  # never empty: see IntrospectionProvider
        self.accepts = selectors_of(accepts)
        self._fields, self._grants = _paths(fields), tuple(map(checked_scope, grants))
        self._check = check
        _check_proof(check, self._fields, audience_unproved=audience_unproved, names_clients=clients is not None)
        terms = terms_of(scopes, roles, properties, owner, domain)
        self._server = AskedServer(
            endpoint, verdicts, terms, clients=clients, name=self.name, issuer=self.issuer, leeway=leeway, clock=clock
        )
        self.remembers, self.recall = self._server.remembers, self._server.recall

    def verify(self, token: Presented, /) -> Flow[Grant]:
        """The grant of the user whose token it is, remembered.

        Raises InvalidToken (`inactive_token`, `expired`, `not_yet_valid`, `malformed_claim`, `client_not_registered`,
        those of the check) and Unavailable (those of endpoint.py, and as the registry of `clients` does).
        """
        return self._server.verdict(token, self._ask)

    def warm(self) -> Flow[None]:
        """Finds the endpoint."""
        yield from self._server.find()

    def with_catalogue(self, catalogue: ScopeCatalogue, /) -> "UserInfoProvider":
        """The same provider, remembering nothing yet, whose grants hold the scopes that `catalogue` makes of theirs.

        Raises ValueError where `scopes`, `roles` or `grants` names a scope that the catalogue does not have.
        """
        catalogue.check(self._grants, f"the grants of provider {self.name!r}")
        bound = copy(self)
        bound._server = self._server.with_catalogue(catalogue)  # noqa: SLF001 - nobody else has it yet
        bound.recall = bound._server.recall  # noqa: SLF001
        return bound

    def _ask(self, token: str, digest: bytes) -> Flow[Grant]:
        # The check first, for the user endpoint is shown nobody's token but ours.
        checked = {} if self._check is None else (yield from self._check.check(token, digest))
        headers = (("Accept", JSON), ("Authorization", f"Bearer {token}"))
        question = Question(about=digest, method="GET", headers=headers, answers=_SAYS)
        reply = yield from self._server.ask(question)
        if reply.status == _FORBIDDEN and not refuses(reply):
            raise unusable("403 that is not for the token")  # one that GitHub asks too often would refuse good ones
        if reply.status != _OK:
            raise inactive()
        claims = {**checked, **self._found(members_of(reply))}
        claims["scope"] = [*claim.scopes(claims), *self._grants]
        return (yield from self._server.granted(claims, subject=claims["sub"]))

    def _found(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """The claims that `fields` names, and `userinfo`.

        Raises InvalidToken (`inactive_token`) and Unavailable (`endpoint_unusable`).
        """
        claims = {name: value for name, path in self._fields.items() if (value := _member(answer, path)) is not None}
        if "sub" not in claims and names_error(answer):
            raise inactive()  # as some do whose status is always 200
        subject = claims.get("sub")
        if isinstance(subject, bool) or not isinstance(subject, str | int) or subject == "":
            raise unusable("no user")
        return {**claims, "sub": str(subject), "userinfo": answer}


def github(
    client: ClientSecret, *, api: str = "https://api.github.com", timeout: float = TIMEOUT, **options: Any
) -> UserInfoProvider:
    """Tokens that GitHub issued to the OAuth application `client`; `options` are those of UserInfoProvider."""
    check = GitHubCheck(client, api=api, timeout=timeout)
    defaults: dict[str, Any] = {"fields": GITHUB_FIELDS, "name": "github", "domain": "github.com"}
    return UserInfoProvider(f"{api}/user", check=check, timeout=timeout, **{**defaults, **options})


def openid(issuer: str, **options: Any) -> UserInfoProvider:
    """Tokens for the user endpoint of the OpenID provider `issuer`; `options` are those of UserInfoProvider."""
    return UserInfoProvider(IssuerMetadata(issuer), **options)


def _check_proof(
    check: TokenCheck | None, fields: Mapping[str, object], *, audience_unproved: bool, names_clients: bool
) -> None:
    """Returns when there is something to tell to whom a token was issued, where that is asked for."""
    if (check is None) != audience_unproved:
        raise ValueError(
            "a user endpoint does not say to whom a token was issued: give check=, as GitHubCheck(...), or accept "
            "tokens of any application with audience_unproved=True"
        )
    if check is not None and not offers(check, "check"):
        raise TypeError("check is GitHubCheck(...), TokenInfoCheck(...), or an object with a method `check`")
    if names_clients and check is None and fields.keys().isdisjoint(claim.CLIENT_CLAIMS):
        raise ValueError(
            "no token would be of a known client: with clients= there is a check=, or the answer names the client, "
            "as fields={'sub': 'id', 'client_id': 'app.id'}"
        )


def _paths(fields: Mapping[str, ClaimPath]) -> dict[str, tuple[str, ...]]:
    if not isinstance(fields, Mapping):
        raise TypeError("fields maps claims to members of the answer, as {'sub': 'id'}")
    if "sub" not in fields:
        raise ValueError("fields maps at least `sub`, as {'sub': 'id'}")
    return {name: claim_path(path) for name, path in fields.items()}


def _member(answer: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    try:
        return at_path(answer, path)
    except ValueError:
        pass  # what is not there in that form is not there
    return None
