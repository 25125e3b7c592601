"""The three shapes of OAuth 2.0 MAC: what its drafts ask of a client, and what their implementers really send.

The drafts (draft-ietf-oauth-v2-http-mac-00 to -05) expired, disagree with each other, and in places with their own
examples. Which shape a header has is told by its attributes. A profile says what was signed, and which body; it does
not know keys, nor what time it is.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha1, sha256
from typing import ClassVar, Literal, TypeAlias

from ..errors import InvalidToken
from ..mac_string import Target, body_hash, digest_matches, malformed, same, string_00, string_02, string_05
from ..request import Request
from ..signature_methods import SignatureMethod

MAX_SIGNED_HEADERS = 32  # real clients name one to four
Fields: TypeAlias = Mapping[str, str]
_TIMESTAMP = re.compile(r"[0-9]{1,15}")
_AGED_NONCE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?):.+")
_SEQUENCE_NUMBER = re.compile(r"[0-9]{1,20}")
# Without "_": WSGI folds it with "-", and one header would have two names.
_HEADER_NAMES = re.compile(r"[a-z0-9-]++(?::[a-z0-9-]++)*+")
# Signed, they would stand in the debug log.
_NEVER_SIGNED = frozenset({"authorization", "proxy-authorization", "cookie"})
_LIKE_A_TIMESTAMP = re.compile(r"[0-9]{10,}")
_MILLISECONDS_FROM = 100_000_000_000  # the year 1973 in milliseconds, the year 5138 in seconds
_EXT_HASHES = {"sha-1": sha1, "sha-256": sha256}
_BODY_DIGESTS = frozenset({"content-digest", "digest"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft00:
    """`id`, `nonce` and `mac`, as in -00; the nonce begins with the age of the key in seconds.

    A `bodyhash` that is sent is checked. With `body_hash="required"` every body must have one.
    """

    body_hash: Literal["if_sent", "required"] = "if_sent"

    needed: ClassVar = ("id", "nonce", "mac")
    allowed: ClassVar = frozenset({*needed, "bodyhash", "ext"})
    counts_from_issue: ClassVar = True

    def __post_init__(self) -> None:
        if self.body_hash not in {"if_sent", "required"}:
            raise ValueError('body_hash is "if_sent" or "required"')

    def signed_at(self, fields: Fields) -> float:
        """In seconds since the key was issued. Raises InvalidToken (`malformed_mac`)."""
        aged = _AGED_NONCE.fullmatch(fields["nonce"])
        if aged is None:
            raise malformed()
        return float(aged[1])

    def strings(self, fields: Fields, target: Target, _request: Request) -> list[str]:
        """What the client may have signed, the right one first."""
        return [
            string_00(
                nonce=fields["nonce"],
                method=target.method,
                target=path + target.query,
                host=host,
                port=target.port,
                bodyhash=fields.get("bodyhash", ""),
                ext=fields.get("ext", ""),
            )
            for path in target.paths
            for host in target.names
        ]

    def once(self, fields: Fields) -> tuple[str, ...]:
        """What no two requests of one key share."""
        return (fields["nonce"],)

    def covers_body(self, fields: Fields, _request: Request) -> bool:
        """True when `check_body` is to be asked."""
        return self.body_hash == "required" or "bodyhash" in fields

    def check_body(self, fields: Fields, _request: Request, body: bytes, method: SignatureMethod) -> None:
        """Returns when the body is the signed one. Raises InvalidToken (`no_body_hash`, `bad_body_hash`)."""
        _check_hash(fields.get("bodyhash", ""), body_hash(method, body), body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft02:
    """`id`, `ts`, `nonce` and `mac`, as in -01 and -02, which leave bodies unprotected.

    `sign_query=False` is for clients that sign the path alone: then nothing protects the query. With `ext_body_hash`,
    the `ext` of a request with a body must be the hash of its content type and body, in hexadecimal.
    """

    sign_query: bool = True
    ext_body_hash: Literal["sha-1", "sha-256"] | None = None

    needed: ClassVar = ("id", "ts", "nonce", "mac")
    allowed: ClassVar = frozenset({*needed, "ext"})
    counts_from_issue: ClassVar = False

    def __post_init__(self) -> None:
        if self.ext_body_hash not in {None, *_EXT_HASHES}:
            raise ValueError('ext_body_hash is "sha-1", "sha-256" or None')

    def signed_at(self, fields: Fields) -> float:
        """The NumericDate of `ts`. Raises InvalidToken (`malformed_mac`)."""
        return _timestamp(fields)

    def strings(self, fields: Fields, target: Target, _request: Request) -> list[str]:
        """What the client may have signed, the right one first."""
        return [
            string_02(
                ts=fields["ts"],
                nonce=fields["nonce"],
                method=target.method,
                target=path + target.query if self.sign_query else path,
                host=host,
                port=target.port,
                ext=fields.get("ext", ""),
            )
            for path in target.paths
            for host in target.names
        ]

    def once(self, fields: Fields) -> tuple[str, ...]:
        return fields["ts"], fields["nonce"]

    def covers_body(self, _fields: Fields, _request: Request) -> bool:
        return self.ext_body_hash is not None

    def check_body(self, fields: Fields, request: Request, body: bytes, _method: SignatureMethod) -> None:
        """Returns when the body is the signed one. Raises InvalidToken (`no_body_hash`, `bad_body_hash`)."""
        hashed = _EXT_HASHES[self.ext_body_hash or "sha-256"](b", ".join(request.header(b"content-type")) + body)
        _check_hash(fields.get("ext", "").lower(), hashed.hexdigest(), body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft05:
    """`kid`, `ts` and `mac`, as in -03 to -05; `h` names the headers that are signed, `host` alone when it is left out.

    `h` itself is not signed: on the way, another header can be named in the place of one. So only what `required` lists
    is sure to be covered; each of these must be named and be there. A `content-digest` or `digest` that is named is
    checked. A repeated header counts as one, joined by ", " (RFC 7230 section 3.2.2) or as the WSGI server joins it.
    """

    required: Collection[str] = ("host",)

    needed: ClassVar = ("kid", "ts", "mac")
    allowed: ClassVar = frozenset({*needed, "seq-nr", "access_token", "h", "cb"})
    counts_from_issue: ClassVar = False

    def __post_init__(self) -> None:
        if isinstance(self.required, str):
            raise TypeError("required is a list, as ['host', 'content-digest']")
        object.__setattr__(self, "required", frozenset(map(str.lower, self.required)))

    def signed_at(self, fields: Fields) -> float:
        """The NumericDate of `ts`: -05 says milliseconds, and seconds in its example. Reason: `malformed_mac`."""
        stamp = _timestamp(fields)
        return stamp / 1000 if stamp >= _MILLISECONDS_FROM else stamp

    def strings(self, fields: Fields, target: Target, request: Request) -> list[str]:
        """What the client may have signed. Raises InvalidToken (`malformed_mac`, `channel_binding`, `not_covered`)."""
        if "cb" in fields:
            raise InvalidToken("channel_binding", "Channel bindings cannot be checked here.")
        if "seq-nr" in fields and not _SEQUENCE_NUMBER.fullmatch(fields["seq-nr"]):
            raise malformed()
        values = _signed_values(fields, request)
        if not values.keys() >= set(self.required):
            raise InvalidToken("not_covered", "The MAC does not cover all that it must cover here.")
        return [
            string_05(
                ts=fields["ts"],
                method=target.method,
                target=target.path + target.query,
                # Whatever a proxy left in the Host header, the host is the external one.
                values=[host if name == "host" else value for name, value in values.items()],
                seq_nr=fields.get("seq-nr", ""),
                ts_first=ts_first,
            )
            for ts_first in (False, True)
            for host in target.hosts
        ]

    def once(self, fields: Fields) -> tuple[str, ...]:
        """What no two requests of one key share: there is no nonce, and the MAC covers time and sequence number."""
        return (fields["mac"],)

    def covers_body(self, fields: Fields, request: Request) -> bool:
        return not _BODY_DIGESTS.isdisjoint(_signed_values(fields, request))

    def check_body(self, fields: Fields, request: Request, body: bytes, _method: SignatureMethod) -> None:
        """Returns when the body is the signed one. Raises InvalidToken (`bad_body_hash`)."""
        values = _signed_values(fields, request)
        if not all(digest_matches(values[name], body) for name in _BODY_DIGESTS & values.keys()):
            raise _bad_body_hash()


Profile: TypeAlias = Draft00 | Draft02 | Draft05


def profile_of(fields: Fields, profiles: Collection[Profile]) -> Profile:
    """The one of `profiles` that `fields` follow, in full.

    Raises InvalidToken (`missing_attribute`, `unknown_attribute`, `draft_not_accepted`).
    """
    kind: type[Profile] = Draft05 if "kid" in fields else Draft02 if "ts" in fields else Draft00
    if not all(fields.get(name) for name in kind.needed):
        raise InvalidToken("missing_attribute", "An attribute of the MAC credentials is missing.")
    if not fields.keys() <= kind.allowed:  # no MAC covers it, and whoever sent it may rely on it
        raise InvalidToken("unknown_attribute", "The MAC credentials have an attribute that is not understood.")
    for profile in profiles:
        if isinstance(profile, kind):
            return profile
    raise InvalidToken("draft_not_accepted", "MAC credentials of this draft are not accepted here.")


def _timestamp(fields: Fields) -> int:
    # The expression takes ASCII digits; int() alone would take those of every script, and signs.
    if not _TIMESTAMP.fullmatch(fields["ts"]):
        raise malformed()
    return int(fields["ts"])


def _signed_values(fields: Fields, request: Request) -> dict[str, str]:
    """The headers that `h` names, in its order and without those that are not there."""
    text = fields.get("h", "host").lower()
    names = text.split(":") if text else []
    if len(names) > MAX_SIGNED_HEADERS or len(set(names)) < len(names) or _NEVER_SIGNED & set(names):
        raise malformed()
    if text and not _HEADER_NAMES.fullmatch(text):
        raise malformed()
    found = {name: request.header(name.encode()) for name in names}
    values = {name: b", ".join(sent).decode("latin-1").strip(" \t") for name, sent in found.items() if sent}
    # A line does not say what it is. One that could pass for `ts` would let a signed request be read in a second way,
    # as made at another time.
    if any("\n" in value or _LIKE_A_TIMESTAMP.fullmatch(value) for value in values.values()):
        raise malformed()
    return values


def _check_hash(sent: str, expected: str, body: bytes) -> None:
    if body and not sent:
        raise InvalidToken("no_body_hash", "No hash covers the body of the request.")
    if sent and not same(sent, expected):
        raise _bad_body_hash()


def _bad_body_hash() -> InvalidToken:
    return InvalidToken("bad_body_hash", "The body is not the one that was signed.")
