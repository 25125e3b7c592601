"""A bounded memory of what the development server issued: by key, the oldest forgotten first.

Does not know when a value is over: whoever reads it does.
"""

import threading
from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(Generic[V]):
    """At most `limit` values; where there are too many, the oldest are forgotten. Threads may share it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._values: dict[str, V] = {}

    def put(self, key: str, value: V) -> None:
        """`value` is there under `key`, as the youngest."""
        with self._lock:
            self._values.pop(key, None)
            while len(self._values) >= self._limit:
                del self._values[next(iter(self._values))]
            self._values[key] = value

    def get(self, key: str) -> V | None:
        return self._values.get(key)

    def pop(self, key: str) -> V | None:
        """The value under `key`, which is forgotten; None for all who come later."""
        with self._lock:
            return self._values.pop(key, None)

    def __len__(self) -> int:
        return len(self._values)
