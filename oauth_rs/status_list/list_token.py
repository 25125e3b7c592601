"""Status List Tokens, taken apart and read, and where a token has its status (draft-ietf-oauth-status-list-21).

A list is one byte array with 1, 2, 4 or 8 bits for each token, compressed, in a signed JWT (sections 4 and 5); a token
names its list and its index in the claim `status` (section 6). Does not fetch, and does not know which lists may be
asked. Not the CBOR form, and not Status List Aggregation.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..encoding import base64url_decode, json_object
from ..errors import InvalidToken
from ..jose.claims import MAX_NUMERIC_DATE, numeric_date
from ..jose.jwk import Key
from ..jose.jws import JOSEHeader, parse

VALID, INVALID, SUSPENDED = 0, 1, 2  # section 7.1
MAX_STATUS_BYTES = 1 << 20  # inflated: eight million tokens of one bit, or a million of eight; kept for each list
MAX_LIST_TOKEN = 1 << 21  # bytes: so many statuses that cannot be compressed, in base64url, and once more in the JWT
TYP = "statuslist+jwt"
LEEWAY = 60.0  # seconds of clock difference with who signs the list, for `iat` and `nbf`; none for `exp`
_SIZES = (1, 2, 4, 8)
_BYTE = 8
_PARTS = 3


class StatusReference(NamedTuple):
    """Where the status of a token stands: at `idx` of the list at `uri`."""

    uri: str
    idx: int


def status_reference(claims: Mapping[str, Any]) -> StatusReference | None:
    """What the claim `status` refers to, None when there is none (section 6.2). The URI may lead anywhere.

    Raises InvalidToken (`malformed_claim`; `status_not_supported` where the status is told in another way only).
    """
    if "status" not in claims:
        return None
    status = claims["status"]
    if not isinstance(status, dict) or not status:
        raise _malformed()
    if "status_list" not in status:
        raise InvalidToken("status_not_supported", "The status of the access token cannot be checked here.")
    place = status["status_list"]
    if not isinstance(place, dict):
        raise _malformed()
    uri, idx = place.get("uri"), place.get("idx")
    if not isinstance(uri, str) or type(idx) is not int or idx < 0:  # not isinstance: True is an int to it
        raise _malformed()
    return StatusReference(uri, idx)


@dataclass(frozen=True, slots=True, eq=False)
class StatusList:
    """The statuses of many tokens, as they were at `issued_at`. Times are NumericDates, `ttl` is in seconds."""

    bits: int
    statuses: bytes = field(repr=False)
    issued_at: int
    expires_at: int | None
    ttl: float | None

    def status(self, idx: int) -> int | None:
        """The status at `idx`, None where the list has no such place."""
        place, shift = divmod(idx * self.bits, _BYTE)
        if not 0 <= place < len(self.statuses):
            return None
        return self.statuses[place] >> shift & (1 << self.bits) - 1


class StatusListToken:
    """A Status List Token, not verified yet: a header to find the key by. Raises ValueError for what is none."""

    __slots__ = ("_payload", "_signature", "_signing_input", "header")

    def __init__(self, token: bytes) -> None:
        parts = token.split(b".", _PARTS)
        if len(token) > MAX_LIST_TOKEN or len(parts) != _PARTS:
            raise ValueError("it is not a signed JWT, or a very long one")
        first, self._payload, last = parts
        try:
            # A list may be longer than a token may be; header and signature may not.
            jws = parse(b".".join((first, b"", last)))
        except InvalidToken as error:
            raise ValueError("it is not signed in a way that is accepted") from error
        if jws.header.typ != TYP:  # whatever else this issuer signs must not pass for a list
            raise ValueError(f"its typ is not {TYP}")
        self.header: JOSEHeader = jws.header
        self._signing_input, self._signature = token[: -len(last) - 1], jws.signature

    def read(self, key: Key, *, uri: str, issuer: str, now: float) -> StatusList:
        """The list, when `key` signed it and it is the one at `uri`, in force `now`, and of `issuer` if it says whose.

        Raises ValueError that says what is wrong, in a constant sentence.
        """
        if not key.verify(self.header.alg, self._signing_input, self._signature):
            raise ValueError("its signature is not good")
        claims = _claims(self._payload)
        if claims.get("sub") != uri:
            raise ValueError("it is the list of another address")
        if claims.get("iss", issuer) != issuer:
            raise ValueError("it is of another issuer")
        issued_at, expires_at = _times(claims, now)
        bits, statuses = _inflated(claims.get("status_list"))
        return StatusList(bits, statuses, issued_at, expires_at, _ttl(claims))


def _claims(payload: bytes) -> Mapping[str, Any]:
    try:
        return json_object(base64url_decode(payload))
    except ValueError as error:
        raise ValueError("it does not carry a JSON object") from error


def _times(claims: Mapping[str, Any], now: float) -> tuple[int, int | None]:
    try:
        issued_at, not_before = numeric_date(claims, "iat"), numeric_date(claims, "nbf")
        expires_at = numeric_date(claims, "exp")
    except InvalidToken as error:
        raise ValueError("one of its times is not a number") from error
    if issued_at is None:
        raise ValueError("it does not say when it was issued")
    if max(issued_at, not_before or 0) > now + LEEWAY:
        raise ValueError("it is not valid yet")
    if expires_at is not None and now >= expires_at:
        raise ValueError("it has expired")
    return issued_at, expires_at


def _ttl(claims: Mapping[str, Any]) -> float | None:
    if "ttl" not in claims:
        return None
    ttl = claims["ttl"]
    if type(ttl) not in {int, float} or not 0 < ttl <= MAX_NUMERIC_DATE:
        raise ValueError("its ttl is not a positive number")
    return float(ttl)


def _inflated(status_list: object) -> tuple[int, bytes]:
    """Bits for each status, and all of them. Inflates no further than MAX_STATUS_BYTES, whatever is packed in there."""
    members = status_list if isinstance(status_list, dict) else {}
    bits, packed = members.get("bits"), members.get("lst")
    if type(bits) is not int or bits not in _SIZES or not isinstance(packed, str):
        raise ValueError("it holds no list of 1, 2, 4 or 8 bits")
    inflater = zlib.decompressobj()
    try:
        statuses = inflater.decompress(base64url_decode(packed.encode()), MAX_STATUS_BYTES + 1)
    except (ValueError, zlib.error) as error:
        raise ValueError("its statuses cannot be inflated") from error
    if len(statuses) > MAX_STATUS_BYTES:
        raise ValueError("it holds more statuses than are kept")
    if not inflater.eof or inflater.unused_data:
        raise ValueError("its statuses end too early, or are followed by something")
    return bits, statuses


def _malformed() -> InvalidToken:
    return InvalidToken("malformed_claim", "A claim of the access token is not of its type.")
