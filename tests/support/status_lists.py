"""Status List Tokens, good and bad, made the way a status issuer makes them."""

import time
import zlib
from collections.abc import Collection, Mapping
from typing import Any

from tests.support.issuing import Issuer, encode

URI = "https://id.example.com/statuslists/1"


def packed(statuses: Mapping[int, int], *, bits: int = 1, size: int = 1024) -> bytes:
    """The byte array of a list with `size` places, of which those that are not named are valid."""
    array = bytearray(size * bits // 8)
    for idx, status in statuses.items():
        place, shift = divmod(idx * bits, 8)
        array[place] |= status << shift
    return bytes(array)


def lst(array: bytes) -> str:
    return encode(zlib.compress(array, 9)).decode()


def status_list(statuses: Mapping[int, int] | None = None, *, bits: int = 2, size: int = 1024) -> dict[str, Any]:
    """The claim of that name: by default 1 is invalid, 2 suspended, 3 what no standard says, and the rest valid."""
    return {
        "bits": bits,
        "lst": lst(packed({1: 1, 2: 2, 3: 3} if statuses is None else statuses, bits=bits, size=size)),
    }


def list_token(
    issuer: Issuer, *, header: Mapping[str, Any] | None = None, drop: Collection[str] = (), **changes: Any
) -> bytes:
    """A signed Status List Token with `changes` to its claims and `header`; `drop` names claims and members to omit."""
    now = int(time.time())
    members = {"typ": "statuslist+jwt", "alg": issuer.algorithm, "kid": issuer.kid, **(header or {})}
    claims = {"sub": URI, "iat": now, "exp": now + 3600, "ttl": 60, "status_list": status_list(), **changes}
    return issuer.sign(
        {name: value for name, value in members.items() if name not in drop},
        encode({name: value for name, value in claims.items() if name not in drop}),
    ).encode()


def status(idx: Any = 0, uri: Any = URI) -> dict[str, Any]:
    """The claim `status` of a token."""
    return {"status_list": {"idx": idx, "uri": uri}}
