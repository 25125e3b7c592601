"""Where claims stand that each issuer names as it likes: roles, properties of a grant, attributes of its owner.

A path is names joined by dots, as `realm_access.roles`, or a sequence of names where they hold dots themselves, as
`("https://example.com/roles",)`. Reads only claims whose signature is good. Does not map anything to scopes: roles.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

ClaimPath: TypeAlias = str | Sequence[str]
# OpenID Connect Core 1.0 section 5.1: the standard claims that are text about a person.
OWNER_CLAIMS = (
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "email",
    "phone_number",
    "locale",
    "zoneinfo",
)
_NOWHERE = ("", ())


def claim_path(path: ClaimPath, option: str = "a path") -> tuple[str, ...]:
    """The names that lead to a claim. Raises ValueError for a path that leads nowhere, TypeError for what is none."""
    if not isinstance(path, str | Sequence):
        raise TypeError(f"{option} leads to a claim, as 'realm_access.roles', not {type(path).__name__}")
    names: tuple[Any, ...] = tuple(path.split(".")) if isinstance(path, str) else tuple(path)
    if not names or not all(name and isinstance(name, str) for name in names):
        raise ValueError(f"{path!r} is no claim: write 'realm_access.roles', or ('https://example.com/roles',)")
    return names


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClaimNames:
    """Where the claims of one provider say what no standard gives a place.

    `roles` lists the claims that hold roles. `properties` are those of the grant: the claim that holds them all, or a
    mapping from the name of each to its claim. `owner` maps attributes of the resource owner to their claims: by
    default the textual ones of OpenID. `domain` is where the owner is known; the issuer when left out.
    """

    roles: Sequence[ClaimPath] = ()
    properties: ClaimPath | Mapping[str, ClaimPath] = ()
    owner: Mapping[str, ClaimPath] = field(default_factory=lambda: dict.fromkeys(OWNER_CLAIMS, ""))
    domain: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.roles, str) or not isinstance(self.roles, Sequence):
            raise TypeError("roles lists claims, as ['realm_access.roles']")
        if not isinstance(self.domain, str):
            raise TypeError("domain is text, as 'example.com'")
        object.__setattr__(self, "roles", tuple(map(claim_path, self.roles)))
        if isinstance(self.properties, Mapping):
            object.__setattr__(self, "properties", _paths(self.properties, "properties"))
        elif self.properties not in _NOWHERE:
            object.__setattr__(self, "properties", claim_path(self.properties, "properties"))
        object.__setattr__(self, "owner", _paths(self.owner, "owner"))

    def roles_in(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """The roles that `claims` hold. Raises ValueError where a claim of roles is no text and no list of texts."""
        return frozenset(role for path in self.roles for role in roles_at(claims, claim_path(path)))

    def properties_in(self, claims: Mapping[str, Any]) -> dict[str, str]:
        if isinstance(self.properties, Mapping):
            return _texts(claims, self.properties)
        try:
            found = at_path(claims, claim_path(self.properties)) if self.properties else None
        except ValueError:
            found = None  # what is not there in that form is not there
        return _texts(found, {name: (name,) for name in found}) if isinstance(found, Mapping) else {}

    def owner_in(self, claims: Mapping[str, Any]) -> dict[str, str]:
        return _texts(claims, self.owner)


def at_path(claims: Mapping[str, Any], path: Sequence[str]) -> Any:
    """What stands at `path`, None where nothing does. Raises ValueError where it leads through what is no object."""
    found: Any = claims
    for name in path:
        if not isinstance(found, Mapping):
            raise ValueError("a claim on the path is not an object")  # noqa: TRY004 - a stranger's mistake
        found = found.get(name)
        if found is None:
            return None
    return found


def roles_at(claims: Mapping[str, Any], path: Sequence[str]) -> list[str]:
    """The roles at `path`: one where it is text, for the names of roles may hold spaces; a list of them; or none."""
    found = at_path(claims, path)
    listed = [found] if isinstance(found, str) else [] if found is None else found
    if not isinstance(listed, list) or not all(isinstance(role, str) for role in listed):
        raise ValueError("the roles are not text")
    return listed


def _paths(paths: Any, option: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(paths, Mapping) or not all(isinstance(name, str) for name in paths):
        raise TypeError(f"{option} maps names to claims, as {{'mail': 'email'}}")
    return {name: claim_path((name,) if path in _NOWHERE else path, option) for name, path in paths.items()}


def _texts(claims: Mapping[str, Any], paths: Mapping[str, ClaimPath]) -> dict[str, str]:
    found = {}
    for name, path in paths.items():
        try:
            text = _text(at_path(claims, claim_path(path)))
        except ValueError:
            continue  # what is not there in that form is not there
        if text is not None:
            found[name] = text
    return found


def _text(value: Any) -> str | None:
    """Text as it is, numbers and truth values as JSON writes them, lists of texts joined by spaces; nothing else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " ".join(value)
    return None


STANDARD = ClaimNames()
