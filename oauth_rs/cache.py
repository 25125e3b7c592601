"""A bounded memory of values that may be forgotten at any time: two generations of a dict, without a lock.

New entries go to the young generation. When it has half the entries, or half the life, the old generation is dropped
and the young one takes its place, so an entry lives at most `seconds` and a full cache forgets its oldest half. Entries
are never promoted: that would prolong them.

Threads may lose an entry to each other's turn of the generations; none can make one live longer.
"""

from typing import Generic, TypeVar

V = TypeVar("V")


class GenerationalCache(Generic[V]):
    """At most `size` entries, each for at most `seconds`. `now` is any clock that never goes back, in seconds."""

    __slots__ = ("_half_life", "_half_size", "generations")

    def __init__(self, *, size: int, seconds: float) -> None:
        self._half_size = size // 2
        self._half_life = seconds / 2
        # The young one, the old one, and when they turn; replaced as one, so that no thread sees half a turn. Read from
        # outside where a call is too dear: until `turn_at`, what is in neither is not there.
        self.generations: tuple[dict[bytes, V], dict[bytes, V], float] = ({}, {}, float("-inf"))

    def get(self, key: bytes, now: float) -> V | None:
        young, old, turn_at = self.generations
        if now >= turn_at:
            young, old = self._turn(young, turn_at, now)
        value = young.get(key)
        return old.get(key) if value is None else value

    def put(self, key: bytes, value: V, now: float) -> None:
        if not self._half_size:
            return
        young, _, turn_at = self.generations
        if now >= turn_at or len(young) >= self._half_size:
            young, _ = self._turn(young, turn_at, now)
        young[key] = value

    def __len__(self) -> int:
        young, old, _ = self.generations
        return len(young) + len(old)

    def _turn(self, young: dict[bytes, V], due: float, now: float) -> tuple[dict[bytes, V], dict[bytes, V]]:
        # What is young came after `due - half_life`, so it may stay until `due + half_life`, however late the turn is.
        gone_at = due + self._half_life
        fresh: dict[bytes, V] = {}
        old, turn_at = (young, min(now + self._half_life, gone_at)) if now < gone_at else ({}, now + self._half_life)
        self.generations = (fresh, old, turn_at)
        return fresh, old
