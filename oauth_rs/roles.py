"""Which scopes the roles of a token stand for, where its issuer speaks in roles.

Roles are compared to the letter; those that are not mapped stand for nothing. Reads only claims whose signature is
good. Does not know which scopes a provider may grant: providers/scoping.py does.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .claim_names import ClaimPath, claim_path, roles_at
from .entries import placed
from .errors import InvalidToken
from .scopes import checked_scope


@dataclass(frozen=True, slots=True, eq=False)
class RoleMap:
    """`RoleMap("realm_access.roles", {"manager": {"profile", "address"}})`: the scopes of each role at `source`.

    `source` leads to a claim: names joined by dots, or a sequence of names that hold dots themselves. The claim is one
    role as text, or a list of roles; where it is missing there are none.
    """

    source: ClaimPath
    scopes: Mapping[str, Collection[str]]

    def __post_init__(self) -> None:
        if not isinstance(self.scopes, Mapping):
            raise TypeError("RoleMap maps each role to its scopes, as {'manager': {'profile', 'address'}}")
        if not all(role and isinstance(role, str) for role in self.scopes):
            raise ValueError("a role is text that is not empty")
        scopes = {role: _checked(role, listed) for role, listed in self.scopes.items()}
        object.__setattr__(self, "source", claim_path(self.source, "the source of a RoleMap"))
        object.__setattr__(self, "scopes", MappingProxyType(scopes))

    def scopes_for(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """The scopes of all roles that `claims` hold. Raises InvalidToken (`malformed_claim`)."""
        try:
            roles = self.scopes.keys() & roles_at(claims, claim_path(self.source))
        except ValueError:
            pass  # raised out here: it is a stranger's mistake, and nothing about it is to be chained
        else:
            return frozenset(scope for role in roles for scope in self.scopes[role])
        raise InvalidToken("malformed_claim", "A claim of the access token is not of its type.")


def _checked(role: str, scopes: Any) -> frozenset[str]:
    if isinstance(scopes, str) or not isinstance(scopes, Collection) or not all(isinstance(one, str) for one in scopes):
        raise TypeError(f"role {role!r} stands for a list of scopes, as {{'manager': {{'profile', 'address'}}}}")
    with placed(role, what=f"role {role!r}"):
        return frozenset(map(checked_scope, scopes))
