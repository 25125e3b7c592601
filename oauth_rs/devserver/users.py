"""Users of the development server: what UserInfo and the GitHub-like API say about a subject (OpenID Connect Core 5.1).

Does not log anybody in: tokens name a subject, and that is all it takes.
"""

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class User:
    """Somebody whose tokens have `subject` as `sub`. What is left out is made of the subject."""

    subject: str
    _: KW_ONLY
    name: str = ""
    email: str = ""
    preferred_username: str = ""

    def __post_init__(self) -> None:
        if not self.subject:
            raise ValueError("a user needs a subject, which may not be empty")
        made = {
            "name": self.subject,
            "email": f"{self.subject}@example.com",
            "preferred_username": self.subject,
        }
        for member, value in made.items():
            object.__setattr__(self, member, getattr(self, member) or value)

    @property
    def number(self) -> int:
        """For APIs that number their users: the same for this subject on every server."""
        return int.from_bytes(sha256(self.subject.encode(errors="surrogatepass")).digest()[:4])


class Users:
    """Those who are known, by subject. `ValueError` for one that is there twice."""

    def __init__(self, users: Iterable[User]) -> None:
        listed = list(users)
        self._users = {user.subject: user for user in listed}
        if len(self._users) < len(listed):
            raise ValueError("two users have the same subject: give each its own")

    def find(self, subject: str) -> User:
        """Who has `subject`: whoever is not known is one whose members are all made of it."""
        return self._users.get(subject) or User(subject)
