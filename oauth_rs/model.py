"""The grant that was proved, and whether it meets a requirement.

Checks no credentials: schemes/ and providers/ do.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from .claim_names import STANDARD, ClaimNames
from .errors import InsufficientAuthentication, InsufficientScope, OAuthError
from .flow import Flow
from .request import Request
from .scopes import Lack, Requirement, all_of, needs_request
from .signature_methods import SignatureMethod


class Grant(NamedTuple):
    """Who may do what, through which client, until when.

    `subject` and `client_id` are "" where the provider does not name one. `expires_at` is a NumericDate (seconds), 0
    for credentials without an end. `confirmation` is the `cnf` claim of a sender-constrained token (RFC 7800), whose
    proof the scheme has checked. `signature_method` is what a signed request was signed with, None for tokens. `names`
    says where the claims of its provider hold what no standard gives a place. `user` is what the application's own
    function found for this request, see `ResourceServer(user=...)`; None without one.
    """

    # A tuple, because a frozen dataclass takes twice as long to make, and every new token makes one. Nothing should
    # unpack it: fields will be added.
    scheme: str
    provider: str
    issuer: str
    subject: str
    client_id: str
    scopes: frozenset[str]
    expires_at: int
    claims_json: bytes = b"{}"
    confirmation: Mapping[str, Any] | None = None
    signature_method: SignatureMethod | None = None
    names: ClaimNames = STANDARD
    user: Any = None

    def __repr__(self) -> str:
        # Without subject and claims: grants end up in logs.
        scopes = " ".join(sorted(self.scopes))
        return f"<Grant of {self.provider} to client {self.client_id!r}: {scopes!r} until {self.expires_at}>"

    @property
    def is_authenticated(self) -> bool:
        """True: with `display_name` and `identity` this makes a grant what Starlette calls a user."""
        return True

    @property
    def display_name(self) -> str:
        return self.subject

    @property
    def identity(self) -> str:
        return self.subject

    @property
    def claims(self) -> dict[str, Any]:
        """Every claim as the issuer made it, decoded anew at each reading: the dict is yours to change.

        Kept as JSON because a thousand cached grants then cost a quarter of the memory and no garbage collection.
        """
        claims: dict[str, Any] = json.loads(self.claims_json)
        return claims

    @property
    def roles(self) -> frozenset[str]:
        """The roles that the claims named in `RoleMap` hold; what the provider may grant for them is in `scopes`."""
        return self.names.roles_in(self.claims)

    @property
    def properties(self) -> dict[str, str]:
        """Properties of the grant, from the claims that the provider's `properties` names; as text."""
        return self.names.properties_in(self.claims)

    @property
    def owner(self) -> dict[str, str]:
        """Attributes of the resource owner: claims of OpenID Connect Core 5.1, or those that `owner` names; as text."""
        return self.names.owner_in(self.claims)

    @property
    def owner_domain(self) -> str:
        """Where `subject` is known: the provider's `domain`, else its issuer."""
        return self.names.domain or self.issuer

    @property
    def actor(self) -> dict[str, Any] | None:
        """The claim `act`: who acts for the subject, as an object with `sub` (RFC 8693 section 4.1); None if nobody."""
        act = self.claims.get("act")
        return act if isinstance(act, dict) else None

    @property
    def authorization_details(self) -> tuple[dict[str, Any], ...]:
        """The objects of the claim `authorization_details` that have a `type` (RFC 9396 sections 2 and 9.1).

        Does not judge them: compare by `type`, and refuse what you do not know.
        """
        details = self.claims.get("authorization_details")
        listed = details if isinstance(details, list) else []
        return tuple(one for one in listed if isinstance(one, dict) and isinstance(one.get("type"), str))

    def allows(self, *needed: str | Requirement) -> bool:
        """True when this grant meets every part of `needed`. Raises TypeError for what needs the request to be told."""
        return _at_once(self, all_of(needed)) is None

    def require(self, *needed: str | Requirement) -> None:
        """Returns when this grant meets every part of `needed`. Raises TypeError for what needs the request to be told.

        Raises InsufficientScope (`insufficient_scope`), which leaves as 403 with its challenge, and
        InsufficientAuthentication (`acr_too_low`, `authentication_too_old`), as 401.
        """
        lack = _at_once(self, all_of(needed))
        if lack is not None:
            raise lack


def shortfall(grant: Grant, requirement: Requirement, request: Request | None) -> Lack | Flow[Lack]:
    """The refusal that says what `grant` lacks of `requirement`: of its scheme, and with all scopes that it takes."""
    if requirement.met_by(grant.scopes):
        return None
    lack = requirement.shortfall(grant, request)
    if lack is None or isinstance(lack, OAuthError):
        return _addressed(lack, grant, requirement)
    return _waited(lack, grant, requirement)


def _waited(flow: Flow[Lack], grant: Grant, requirement: Requirement) -> Flow[Lack]:
    return _addressed((yield from flow), grant, requirement)


def _addressed(lack: Lack, grant: Grant, requirement: Requirement) -> Lack:
    if isinstance(lack, InsufficientScope | InsufficientAuthentication):
        lack.scheme = grant.scheme
        lack.scope = " ".join(requirement.scopes)
    return lack


def _at_once(grant: Grant, requirement: Requirement) -> Lack:
    if not needs_request(requirement):
        lack = shortfall(grant, requirement, None)
        if lack is None or isinstance(lack, OAuthError):
            return lack
    # Whatever the grant: else it would work for some callers, and fail for others.
    raise TypeError(f"{requirement!r} needs the request: ask for it with @requires or a policy")
