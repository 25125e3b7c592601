"""The formats of configuration: each module reads its own, into plain data and the line of each entry.

`read(text)` gives both, and raises LineError. Lines are found when they are asked for: only mistakes need them.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ..entries import KeyPath

Read: TypeAlias = tuple[Mapping[str, Any], Callable[[], Mapping[KeyPath, int]]]
