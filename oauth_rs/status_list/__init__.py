"""Whether a status list says that a token was revoked (draft-ietf-oauth-status-list-21 sections 6 to 8).

A token says where its list is, but it is believed only when the token is good in every other way, and only within what
configuration allows: nothing in a token leads to a request elsewhere. What the list in memory says is asked again each
time a token is used, so a list that is refreshed reaches remembered tokens too.
"""

import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..cache import GenerationalCache
from ..errors import InvalidToken
from ..flow import Flow
from ..keys import KeySource
from ..urls import secure
from .list_token import SUSPENDED, VALID, status_reference
from .remote import CEILING, SHORTEST, RemoteStatusList, Signer

MAX_LISTS = 64  # for each provider: 64 MiB when each is as long as it may be
MAX_URI = 512  # characters; real ones have some sixty
_REMEMBERED = 300.0  # seconds: as long as providers remember verdicts
# Neither escapes of a slash, a dot, a backslash, a percent sign or control characters, nor what no URL holds.
_CHARACTER = r"[A-Za-z0-9._~!$&'()*+,;=:@-]|%(?!2[EFef5]|5[Cc]|[01]|7[Ff])[0-9A-Fa-f]{2}"
_BASE = re.compile(rf"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?((?:/(?:{_CHARACTER})*)*)")
_BELOW = re.compile(rf"((?:/(?:{_CHARACTER})*)*)(?:\?(?:[/?]|{_CHARACTER})*)?")
_FIX = "write under=['https://status.example.com/lists'], over https, or over http from this machine"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StatusLists:
    """The status list that a token refers to is asked whenever the token is used: `JWTProvider(status=StatusLists())`.

    `under` are the URLs at or below which lists may be: the origin of the issuer when left out. Lists are signed with
    the keys of the issuer, or with `keys`; those that say of whom they are, are of the issuer, or of `issuer`.
    `required` refuses tokens that refer to no list. `max_age` is the longest, in seconds, that a list is fresh whatever
    its `ttl`. `lists` is how many are kept.
    """

    under: Collection[str] = ()
    keys: KeySource | None = None
    issuer: str = ""
    required: bool = False
    max_age: float = CEILING
    lists: int = MAX_LISTS

    def __post_init__(self) -> None:
        if isinstance(self.under, str):
            raise TypeError("under is a list of URLs, as ['https://status.example.com/lists']")
        object.__setattr__(self, "under", tuple(map(_base, self.under)))
        if not SHORTEST <= self.max_age <= CEILING:
            raise ValueError(f"max_age is {SHORTEST:.0f} to {CEILING:.0f} seconds")
        if self.lists < 1:
            raise ValueError("lists is how many lists are kept, at least one")

    def of(
        self,
        issuer: str,
        keys: KeySource,
        *,
        tokens: int,
        algorithms: Collection[str] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> "TokenStatus":
        """The status of the tokens of `issuer`, which `keys` verify; `tokens` is how many of them are remembered.

        Raises ValueError where the issuer is no URL, and nothing else says where lists may be.
        """
        signer = Signer(
            issuer=self.issuer or issuer,
            keys=keys if self.keys is None else self.keys,
            algorithms=algorithms if self.keys is None else None,
            max_age=self.max_age,
            clock=clock,
            monotonic=monotonic,
        )
        under = tuple(self.under) or (_origin(issuer),)
        return TokenStatus(signer, under, required=self.required, lists=self.lists, tokens=tokens)


class _Place(NamedTuple):
    """Where the status of a token stands; `list` is None for a token that refers to none."""

    list: RemoteStatusList | None
    idx: int


class TokenStatus:
    """The status of the tokens of one provider, which share its lists."""

    def __init__(self, signer: Signer, under: tuple[str, ...], *, required: bool, lists: int, tokens: int) -> None:
        self._signer = signer
        self._under = under
        self._required = required
        self._size = lists
        self._lists: dict[str, RemoteStatusList] = {}
        self._places: GenerationalCache[_Place] = GenerationalCache(size=tokens, seconds=_REMEMBERED)

    def holds(self, digest: bytes, /) -> bool:
        """True when the token of this `digest` was checked a moment ago, and its list in memory has it valid now.

        False also where its list is to be refreshed: then the token is to be verified, and `check` asked, anew.
        """
        now = self._signer.monotonic()
        place = self._places.get(digest, now)
        if place is None or place.list is None:
            return place is not None
        found = place.list.peek(now)
        return found is not None and found.status(place.idx) == VALID

    def check(self, claims: Mapping[str, Any], digest: bytes, /) -> Flow[None]:
        """Returns when its list says that the token with these claims is valid; remembers that under `digest`, if any.

        To be asked when the token is good in every other way. Raises InvalidToken (`malformed_claim`, `missing_claim`,
        `status_not_supported`, `status_list_not_allowed`, `status_out_of_range`, `token_revoked`, `token_suspended`)
        and Unavailable (see RemoteStatusList.find).
        """
        reference = status_reference(claims)
        place = _Place(None, 0)
        if reference is not None:
            found = self._list(reference.uri)
            place = _Place(found, reference.idx)
            statuses = found.peek(self._signer.monotonic()) or (yield from found.find())
            _refuse_unless_valid(statuses.status(reference.idx))
        elif self._required:
            raise InvalidToken("missing_claim", "The access token lacks a claim that is required.")
        if digest:
            self._places.put(digest, place, self._signer.monotonic())

    def _list(self, uri: str) -> RemoteStatusList:
        found = self._lists.get(uri)
        if found is None:
            if not any(_is_at_or_below(base, uri) for base in self._under):
                raise InvalidToken("status_list_not_allowed", "The status list of the access token is not asked here.")
            found = self._lists.setdefault(uri, RemoteStatusList(uri, self._signer))
            self._make_room(found)
        return found

    def _make_room(self, newest: RemoteStatusList) -> None:
        # What is stale for longest is not asked for any more: lists in use are refreshed.
        others = [(uri, one) for uri, one in list(self._lists.items()) if one is not newest]
        others.sort(key=lambda other: other[1].stale_at)
        for uri, one in others[: max(0, len(self._lists) - self._size)]:
            self._lists.pop(uri, None)
            one.drop()


def _refuse_unless_valid(status: int | None) -> None:
    if status is None:
        raise InvalidToken("status_out_of_range", "The access token has no place in its status list.")
    if status == SUSPENDED:
        raise InvalidToken("token_suspended", "The access token is suspended.")
    if status != VALID:  # those that applications define say no more than that it is not the plain one
        raise InvalidToken("token_revoked", "The access token was revoked.")


def _base(url: str) -> str:
    """`url` without the slash at its end. Raises ValueError where no lists may be below it."""
    found = _BASE.fullmatch(url)
    if found is None or not secure(url) or _has_dot_segments(found[1]):
        raise ValueError(f"{url!r} is no place for status lists: {_FIX}")
    return url.rstrip("/")


def _origin(issuer: str) -> str:
    parts = urlsplit(issuer)
    return _base(f"{parts.scheme}://{parts.netloc}")


def _is_at_or_below(base: str, uri: str) -> bool:
    if len(uri) > MAX_URI or not uri.startswith(base):
        return False
    rest = _BELOW.fullmatch(uri, len(base))
    return rest is not None and not _has_dot_segments(rest[1])


def _has_dot_segments(path: str) -> bool:
    return not {".", ".."}.isdisjoint(path.split("/"))
