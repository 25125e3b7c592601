"""Where verification keys come from, and keys that are given in configuration (RFC 7517 section 5).

Fetches nothing: see remote_keys.py.
"""

import math
from collections.abc import Mapping
from typing import Any, Protocol

from .errors import InvalidToken
from .flow import Flow
from .jose.jwk import Key, KeySet


class KeySource(Protocol):
    """Finds the key for a token.

    `basis` is an object that is replaced whenever a key ceases to be good: what was concluded from it is then void.
    `max_age` is how long, in seconds, keys count as fresh: nothing concluded from them is remembered longer.
    """

    @property
    def max_age(self) -> float: ...

    @property
    def basis(self) -> object: ...

    def peek(self, algorithm: str, kid: str | None, /) -> Key | None:
        """The key, when it is at hand and nothing is due; None means that `find` must be asked."""

    def find(self, algorithm: str, kid: str | None, /) -> Flow[Key]: ...

    def outlast(self, until: float, /) -> bool:
        """True when the keys are good until then, by a clock that never goes back, unless replaced earlier."""

    def warm(self) -> Flow[None]: ...


class StaticKeys:
    """Keys given in configuration: `StaticKeys(pem_key(...), symmetric_key(...))`.

    A key that was given no `kid` serves tokens of any, as long as it is the only one for their algorithm.
    """

    __slots__ = ("_keys", "basis")

    max_age = math.inf

    def __init__(self, *keys: Key) -> None:
        if not keys:
            raise ValueError("StaticKeys() verifies nothing: give it at least one key")
        if not all(isinstance(key, Key) for key in keys):
            raise TypeError("StaticKeys is given keys such as pem_key(...), public_key(...) and symmetric_key(...)")
        self._keys = KeySet(keys)
        self.basis: object = self._keys  # they are good as long as the configuration

    @classmethod
    def from_jwks(cls, document: Mapping[str, Any]) -> "StaticKeys":
        """The public keys of a JWK Set. Raises ValueError when one of them cannot be used: here that is a mistake."""
        keys, odd = KeySet.from_jwks(document)
        if odd:
            raise ValueError(
                f"{odd} of the keys cannot be used: private, symmetric, weak, repeated or of an unknown kind"
            )
        return cls(*keys.keys)

    def peek(self, algorithm: str, kid: str | None, /) -> Key | None:
        """The key for `algorithm` and `kid`, if there is one."""
        key = self._keys.select(algorithm, kid)
        if key is None and kid is not None:
            unnamed = self._keys.select(algorithm, None)
            return unnamed if unnamed is not None and unnamed.kid is None else None
        return key

    def find(self, algorithm: str, kid: str | None, /) -> Flow[Key]:
        """The key for `algorithm` and `kid`. Raises InvalidToken (`unknown_key`)."""
        yield from ()  # never asks for anything
        key = self.peek(algorithm, kid)
        if key is None:
            raise unknown_key()
        return key

    def outlast(self, _until: float, /) -> bool:
        """True: these keys are good until the configuration changes."""
        return True

    def warm(self) -> Flow[None]:
        yield from ()


def unknown_key() -> InvalidToken:
    return InvalidToken("unknown_key", "The access token is not signed by a known key.")
