"""What makes a signed request or a proof good for one time only (RFC 5849 section 3.3, RFC 9449 section 11.1).

Schemes spend a key for each request whose signature is good, and never before: whoever cannot sign can neither fill a
store nor use up the nonce of another. Keys are made by `replay_key`: fixed in length whatever the client sends, and
beginning with whose they are. Other stores that keep the same contract are in stores/.
"""

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Protocol

from .errors import Unavailable
from .flow import Flow

OWNER_BYTES = 8  # of a key: whose it is
# About 150 MB: 1,600 requests a second that are good for 300 s, or 900 where all have one owner.
DEFAULT_ENTRIES = 1_000_000
_SHARE = 16  # from half full on, one owner may have a sixteenth: nobody can use up the store for the others


class ReplayStore(Protocol):
    """Remembers keys until they need not be remembered any more; safe with threads, and with whatever shares it."""

    def first_use(self, key: bytes, signed_at: float, until: float, now: float, /) -> bool | Flow[bool]:
        """True for exactly one of all calls with `key` up to `until`.

        `signed_at` is when the request says it was made; all three times are NumericDates, `now` by the caller's clock.
        Raises Unavailable where that cannot be known: a store refuses before it forgets.
        """

    def warm(self) -> Flow[None]:
        """Reports what is wrong with the store before the first request."""


def replay_key(owner: str, *parts: bytes) -> bytes:
    """24 bytes that stand for `parts` of `owner`: different lists have different keys."""
    # No part holds a NUL: the readers of headers refuse it.
    return _owner(owner) + sha256(b"\0".join(parts)).digest()[:16]


@lru_cache(maxsize=4096)
def _owner(owner: str) -> bytes:
    return sha256(owner.encode()).digest()[:OWNER_BYTES]


@dataclass(frozen=True, slots=True)
class _Generation:
    """The keys that came while this was the newest generation, and those of the generation before.

    What is set once stands in dictionaries, for `setdefault` lets one thread win: `following` has the next generation
    from the turn on, `turns` the time of the turn once it is known. `beyond` has, by owner, how many keys came when the
    store was over half full.
    """

    young: dict[bytes, object] = field(default_factory=dict)
    old: dict[bytes, object] = field(default_factory=dict)
    following: "dict[str, _Generation]" = field(default_factory=dict)
    turns: dict[str, float] = field(default_factory=dict)
    beyond: Counter[bytes] = field(default_factory=Counter)


class MemoryReplay:
    """Keys in the memory of this process: for an application that is served by one process.

    At most `entries` keys (about 150 bytes each). A full store refuses with 503; from half full on, one owner may add a
    sixteenth of `entries` in each generation. Needs no lock: what must happen once is one `dict.setdefault`.
    """

    def __init__(self, *, entries: int = DEFAULT_ENTRIES) -> None:
        if entries < _SHARE:
            raise ValueError(f"entries is the number of keys to remember, {_SHARE} or more")
        self._entries = entries
        self._half = entries // 2
        self._spans = [1]  # seconds that keys had to be kept, each longer than those before
        self._longest = 1  # of them, or less when threads came at once
        self._now = (float("-inf"), _Generation())  # the newest, and when it turns

    def first_use(self, key: bytes, _signed_at: float, until: float, now: float, /) -> bool:
        """True for exactly one of all calls with `key`. Raises Unavailable (`replay_store_full`)."""
        if until - now > self._longest:
            self._lengthen(until - now)
        turn_at, generation = self._now
        if now >= turn_at:
            generation = self._turn(generation, now)
        young, old = generation.young, generation.old
        if key in old:
            return False
        if len(young) + len(old) >= self._half and key not in young:
            self._refuse_beyond(generation, key)
        mine = object()
        if young.setdefault(key, mine) is not mine:
            return False
        # Looked at after the key was written: a key that did not come too late is seen by whoever looks into `old`, and
        # one that did is entered where they write.
        return not generation.following or _enter_after(generation, key, mine)

    def warm(self) -> Flow[None]:
        """Has nothing to report."""
        yield from ()

    def _lengthen(self, seconds: float) -> None:
        self._spans.append(int(seconds) + 1)
        self._longest = max(self._spans)

    def _turn(self, generation: _Generation, now: float) -> _Generation:
        turn_at = now
        while now >= turn_at:
            # Threads that turn at once all go on with the first one's.
            generation = generation.following.setdefault("next", _Generation(old=generation.young))
            # Asked only now: a thread that lengthens the span later than this finds that the generation has turned.
            turn_at = generation.turns.setdefault("at", now + max(self._spans))
        self._now = turn_at, generation
        return generation

    def _refuse_beyond(self, generation: _Generation, key: bytes) -> None:
        owner = key[:OWNER_BYTES]
        full = len(generation.young) + len(generation.old) >= self._entries
        if full or generation.beyond[owner] >= self._entries // _SHARE:
            raise Unavailable("replay_store_full", "Too many signed requests are under way; try again later.")
        generation.beyond[owner] += 1


def _enter_after(generation: _Generation, key: bytes, mine: object) -> bool:
    """Enters a key that came while `generation` turned into all that follow; True when it is the first there too."""
    while generation.following:
        generation = generation.following["next"]
        if generation.young.setdefault(key, mine) is not mine:
            return False
    return True
