"""The two values that everything speaks of: the request as the core sees it, and the grant that was proved.

Neither does any checking of credentials; see schemes/ and providers/.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from .errors import InsufficientScope
from .scopes import Requirement, all_of
from .signature_methods import SignatureMethod


class Request(Protocol):
    """A view of one request; the shells implement it over the environ or the scope and read only what is asked.

    `path` is decoded and relative to the protected application, in the form the application routes; `raw_path` is the
    whole path as sent, percent-encoded, without the query; `peer` is the address of the connection, "" when unknown.
    """

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def raw_path(self) -> bytes: ...
    @property
    def query(self) -> bytes: ...
    @property
    def url_scheme(self) -> str: ...
    @property
    def peer(self) -> str: ...

    def header(self, name: bytes, /) -> Sequence[bytes]:
        """The values of a header in the order sent; `name` is in lower case."""


class Grant(NamedTuple):
    """Who may do what, through which client, until when.

    `subject` and `client_id` are "" where the provider does not name one. `expires_at` is a NumericDate (seconds), 0
    for credentials without an end. `confirmation` is the `cnf` claim of a sender-constrained token (RFC 7800), whose
    proof the scheme has checked. `signature_method` is what a signed request was signed with, None for tokens.
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

    def allows(self, *needed: str | Requirement) -> bool:
        """True when this grant covers every part of `needed`."""
        return all_of(needed).met_by(self.scopes)

    def require(self, *needed: str | Requirement) -> None:
        """Returns when this grant covers every part of `needed`.

        Raises InsufficientScope (`insufficient_scope`), which leaves as 403 with its challenge.
        """
        requirement = all_of(needed)
        if not requirement.met_by(self.scopes):
            raise insufficient(self, requirement)


def insufficient(grant: Grant, requirement: Requirement) -> InsufficientScope:
    """The refusal of an operation that asks for `requirement`."""
    return InsufficientScope(
        "insufficient_scope",
        "The grant does not cover this operation.",
        scope=" ".join(requirement.scopes),
        scheme=grant.scheme,
    )
