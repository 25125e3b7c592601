"""The Token Status List of the development server: two bits for each token (draft-ietf-oauth-status-list-21).

Served as a JWT only, at one address. Does not know the tokens: they carry the index that is drawn for them here.
"""

import itertools
import threading
import zlib
from collections.abc import Mapping
from typing import Any

from oauth_rs.devserver.keys import base64url
from oauth_rs.devserver.messages import Call, Reply
from oauth_rs.devserver.tokens import Mint

PATH = "/statuslists/1"
VALID, INVALID, SUSPENDED = 0, 1, 2
SIZE = 65_536  # tokens; the next one takes the place of the first, whose status is then VALID again
LIFETIME = 3600  # seconds until a list that was fetched is over
_BITS = 2  # a token, for values up to 3
_PER_BYTE = 8 // _BITS


class StatusList:
    """The statuses of `mint`'s tokens. Whoever fetches the list is told to keep it for `ttl` seconds at most."""

    def __init__(self, mint: Mint, *, ttl: int) -> None:
        if ttl < 1:
            raise ValueError("status_ttl must be at least one second")
        self.uri = mint.issuer + PATH
        self._mint = mint
        self._ttl = ttl
        self._lock = threading.Lock()
        self._values = bytearray(SIZE // _PER_BYTE)
        self._drawn = itertools.count()

    def draw(self) -> dict[str, Any]:
        """The claim of a new token: an index of its own, whose status is VALID."""
        idx = next(self._drawn) % SIZE
        self.set(idx, VALID)
        return {"status": {"status_list": {"idx": idx, "uri": self.uri}}}

    def index_of(self, claims: Mapping[str, Any]) -> int | None:
        """Where the status of the token with `claims` is; None for one that has none in this list."""
        status = claims.get("status")
        entry = status.get("status_list") if isinstance(status, dict) else None
        if not isinstance(entry, dict) or entry.get("uri") != self.uri:
            return None
        idx = entry.get("idx")
        return idx if type(idx) is int and 0 <= idx < SIZE else None

    def get(self, idx: int) -> int:
        return self._values[idx // _PER_BYTE] >> _shift(idx) & 0b11

    def set(self, idx: int, value: int) -> None:
        """The status at `idx` is `value`. `ValueError` for what the list cannot hold."""
        if not 0 <= idx < SIZE or not 0 <= value < 1 << _BITS:
            raise ValueError(f"an index is from 0 to {SIZE - 1}, a status 0 (valid), 1 (invalid), 2 (suspended) or 3")
        with self._lock:
            kept = self._values[idx // _PER_BYTE] & ~(0b11 << _shift(idx))
            self._values[idx // _PER_BYTE] = kept | value << _shift(idx)

    def respond(self, _call: Call) -> Reply:
        """The Status List Token, made anew."""
        now = int(self._mint.clock())
        lst = base64url(zlib.compress(bytes(self._values), level=9))
        payload = {
            "sub": self.uri,
            "iat": now,
            "exp": now + LIFETIME,
            "ttl": self._ttl,
            "status_list": {"bits": _BITS, "lst": lst},
        }
        return Reply(
            headers={"Cache-Control": f"max-age={self._ttl}"},
            body=self._mint.signed(payload, header={"typ": "statuslist+jwt"}),
            media_type="application/statuslist+jwt",
        )


def _shift(idx: int) -> int:
    """Section 4.1 of the draft: from the least significant bit of each byte on."""
    return idx % _PER_BYTE * _BITS
