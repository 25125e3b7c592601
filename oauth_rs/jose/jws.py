"""Compact JSON Web Signatures, taken apart (RFC 7515 section 7.1, RFC 8725 sections 3.1 and 3.10).

Accepts the compact form only. Does not verify the signature (that is the key's work, see jwk.py), and never uses a key
or an address that the header carries: `jwk`, `jku`, `x5c` and `x5u` are not even read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..encoding import base64url_decode, json_object
from ..errors import InvalidToken
from .algorithms import SUPPORTED

MAX_TOKEN_BYTES = 16_384  # twice the header line that common servers accept; keeps every later step linear and small
_MAX_REMEMBERED_HEADER = 512  # a header as issuers write it; longer ones are parsed each time rather than kept
_PARTS = 3
# A JSON object in base64url begins with e, or with I, C or D where it begins with white space: most rubbish does not.
JSON_OBJECT = (b"e", b"I", b"C", b"D")


@dataclass(frozen=True, slots=True)
class JOSEHeader:
    """The protected header members that decide something. `typ` is as `media_type` gives it, "" when absent."""

    alg: str
    kid: str | None
    typ: str


class CompactJWS:
    """The parts of one token, none of it verified: a header to choose by, bytes to verify, claims to believe later."""

    __slots__ = ("_claims", "header", "payload", "signature", "signing_input")

    def __init__(self, header: JOSEHeader, signing_input: bytes, payload: bytes, signature: bytes) -> None:
        self.header = header
        self.signing_input = signing_input
        self.payload = payload
        self.signature = signature
        self._claims: Mapping[str, Any] | None = None

    @property
    def claims(self) -> Mapping[str, Any]:
        """The payload as a JSON object, read when first asked for. Raises InvalidToken (`malformed_claims`)."""
        if self._claims is None:
            try:  # noqa: SIM105 - suppress() takes longer than all of this
                self._claims = json_object(self.payload)
            except ValueError:
                pass  # raised below, because the parser's error holds the claims and would be chained
        if self._claims is None:
            raise _malformed_claims()
        return self._claims


def parse(token: bytes, *, payload: tuple[bytes, ...] | None = None) -> CompactJWS:
    """The parts of `token`, strictly decoded. Its signature is not checked.

    `payload` lists what the payload may begin with, in base64url, when it may not be just anything.
    Raises InvalidToken (`token_too_long`, `encrypted_token`, `malformed_token`, `crit_not_supported`,
    `algorithm_not_allowed` for `none` and all that algorithms.py does not know, and `malformed_claims`).
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise InvalidToken("token_too_long", "The access token is longer than this server accepts.")
    parts = token.split(b".", _PARTS)  # one more than there should be, however many dots a stranger sends
    if len(parts) != _PARTS:
        raise _not_three_parts(token)
    first, middle, last = parts
    if first[:1] not in JSON_OBJECT:
        raise malformed()
    if payload is not None and middle[:1] not in payload:
        raise _malformed_claims()
    try:
        header = _remembered(first) if len(first) <= _MAX_REMEMBERED_HEADER else _header(first)
        if header.alg not in SUPPORTED:
            raise algorithm_not_allowed()
        return CompactJWS(header, token[: -len(last) - 1], base64url_decode(middle), base64url_decode(last))
    except ValueError:
        pass  # raised out here, because the decoder's error holds what it read and would be chained
    raise malformed()


def media_type(typ: str) -> str:
    """`typ` in its one form: case does not count, and "application/" may be left out (RFC 7515 section 4.1.9)."""
    return typ.lower().removeprefix("application/")


def _header(segment: bytes) -> JOSEHeader:
    members = json_object(base64url_decode(segment))
    if "alg" not in members:
        raise ValueError("alg is missing")
    if "crit" in members or "b64" in members:
        # No extension is understood here, so none may be critical (RFC 7515 4.1.11); b64 is nothing unless it is
        # critical (RFC 7797 section 6).
        raise InvalidToken("crit_not_supported", "The access token demands an extension that is not supported.")
    return JOSEHeader(
        _text(members["alg"]),
        _text(members["kid"]) if "kid" in members else None,
        media_type(_text(members.get("typ", ""))),
    )


# Issuers write the same header for every token of a key, and reading it is a third of the work before the signature.
# What is remembered follows from the bytes alone, so it does not matter whose token they came with.
_remembered = lru_cache(maxsize=256)(_header)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a header member has the wrong type")  # noqa: TRY004 - a stranger's mistake, not a caller's
    return value


def _not_three_parts(token: bytes) -> InvalidToken:
    if token.count(b".") == 4:  # noqa: PLR2004 - RFC 7516 section 7.1: a compact JWE has five parts
        return InvalidToken("encrypted_token", "Encrypted access tokens are not supported.")
    return malformed()


def malformed() -> InvalidToken:
    return InvalidToken("malformed_token", "The access token is not a well-formed JWT.")


def algorithm_not_allowed() -> InvalidToken:
    return InvalidToken("algorithm_not_allowed", "The access token is signed in a way that is not accepted.")


def _malformed_claims() -> InvalidToken:
    return InvalidToken("malformed_claims", "The access token does not carry a JSON object.")
