"""OAuth 2.0 MAC: the attributes of its header, and what is signed (draft-ietf-oauth-v2-http-mac-00 to -05).

Every field of a signed string ends with a line feed, the last one too. Text here is made of bytes, one for each
character. Does not know which draft a client follows (schemes/mac_drafts.py does), whose keys these are, or what time
it is.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha1, sha256, sha512
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import NamedTuple

from .errors import InvalidRequest, InvalidToken
from .request import Request
from .signature_methods import SignatureMethod

MAX_HEADER_BYTES = 16_384  # as long as an access token may be; common servers read half of it
# What attributes may hold, in bytes; those that are not here are short. An id may be a whole token.
_MAX_BYTES = {
    "id": MAX_HEADER_BYTES,
    "access_token": MAX_HEADER_BYTES,
    "kid": 512,
    "nonce": 512,
    "ext": 4096,
    "h": 1024,
}
_MAX_OTHER_BYTES = 128
# string-value of -01 section 3.1: quoted, or bare where it holds neither comma nor space. Possessive, so that what does
# not match is given up at once.
_ATTRIBUTE = re.compile(
    rb'[ \t,]*+([A-Za-z_-]++)[ \t]*+=[ \t]*+(?:"([ !#-\[\]-~]*+)"|([!#-+\--\[\]-~]++))[ \t]*+(?:,|\Z)'
)
_REQUEST_LINE = re.compile(r"[!-~]++ /[^\x00-\x20\x7f]*+")
_PORT = re.compile(r":([0-9]+)\Z")
_DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}
_HASHES = {SignatureMethod.HMAC_SHA1: sha1, SignatureMethod.HMAC_SHA256: sha256}
_DIGESTS = {"sha-256": sha256, "sha-512": sha512}  # RFC 9530 section 5: the others are not to be relied on


def attributes(credentials: bytes) -> dict[str, str]:
    """The attributes of an `Authorization` value after its scheme; names in lower case, each there once.

    Raises InvalidToken (`malformed_mac`, `repeated_attribute`).
    """
    if len(credentials) > MAX_HEADER_BYTES:
        raise malformed()
    found: dict[str, str] = {}
    text, at = credentials.rstrip(b" \t,"), 0
    while at < len(text):
        item = _ATTRIBUTE.match(text, at)
        if item is None:
            raise malformed()
        name, value = item[1].decode().lower(), (item[2] or item[3] or b"").decode()
        if name in found:
            raise InvalidToken("repeated_attribute", "An attribute of the MAC credentials is there more than once.")
        if len(value) > _MAX_BYTES.get(name, _MAX_OTHER_BYTES):
            raise malformed()
        found[name] = value
        at = item.end()
    return found


def string_00(*, nonce: str, method: str, target: str, host: str, port: str, bodyhash: str = "", ext: str = "") -> str:
    """What is signed in -00. `target` is path and query as sent; `port` is decimal, also where it is the default."""
    return _lines(nonce, method.upper(), target, host, port, bodyhash, ext)


def string_02(*, ts: str, nonce: str, method: str, target: str, host: str, port: str, ext: str = "") -> str:
    """What is signed in -01 and -02 (section 3.2.1)."""
    return _lines(ts, nonce, method.upper(), target, host, port, ext)


def string_05(
    *, ts: str, method: str, target: str, values: Iterable[str], seq_nr: str = "", ts_first: bool = False
) -> str:
    """What is signed in -03 to -05 (section 5.2): as the prose orders it, or as its example does with `ts_first`.

    `values` are those of the headers that `h` names, in its order.
    """
    stamps = (ts, seq_nr) if seq_nr else (ts,)
    line = f"{method} {target} HTTP/1.1"
    return _lines(line, *stamps, *values) if ts_first else _lines(line, *values, *stamps)


def _lines(*fields: str) -> str:
    return "\n".join(fields) + "\n"


def mac_of(method: SignatureMethod, key: bytes | str, string: str) -> str:
    """The MAC of `string`, in base64."""
    secret = key.encode() if isinstance(key, str) else key
    return b64encode(hmac_digest(secret, string.encode("latin-1", "replace"), _HASHES[method])).decode()


def body_hash(method: SignatureMethod, body: bytes) -> str:
    """The `bodyhash` of -00: base64, under the hash of the MAC."""
    return b64encode(_HASHES[method](body).digest()).decode()


def same(presented: str, expected: str) -> bool:
    """True when both are the same text, found out in constant time. Base64 is never decoded: one text is right."""
    return compare_digest(presented.encode("latin-1", "replace"), expected.encode())


def digest_matches(value: str, body: bytes) -> bool:
    """True when a `Content-Digest` (RFC 9530) or `Digest` (RFC 3230) has SHA-256 or SHA-512 of `body`, and no other."""
    found: dict[str, str] = {}
    for member in value.split(","):
        name, _, encoded = member.strip().partition("=")
        if name.lower() in found:
            return False
        found[name.lower()] = encoded.removeprefix(":").removesuffix(":")
    expected = {name: b64encode(_DIGESTS[name](body).digest()).decode() for name in found.keys() & _DIGESTS.keys()}
    return bool(expected) and all(same(found[name], digest) for name, digest in expected.items())


class Target(NamedTuple):
    """Where a request went. `hosts` are as in the Host header, in every spelling that its sender may have signed."""

    method: str
    path: str
    query: str  # with its question mark, or ""
    hosts: tuple[str, ...]
    port: str

    @property
    def paths(self) -> tuple[str, ...]:
        """The path as sent. oauthlib leaves an empty one empty, which arrives as "/"."""
        return (self.path, "") if self.path == "/" else (self.path,)

    @property
    def names(self) -> list[str]:
        """The hosts without their port."""
        return list(dict.fromkeys(_PORT.sub("", host) for host in self.hosts))


def target_of(request: Request, url: str) -> Target:
    """Where `request` went, whose external URL without the query is `url`. Raises InvalidRequest (`bad_target`)."""
    scheme, _, rest = url.partition("://")
    netloc, slash, path = rest.partition("/")
    query = "?" + request.query.decode("latin-1") if request.query else ""
    target = slash + path + query
    # A target without its slash would run into the host, one with a line feed into the next field.
    if request.raw_path[:1] not in {b"", b"/"} or not _REQUEST_LINE.fullmatch(f"{request.method} {target}"):
        raise InvalidRequest("bad_target", "The target of the request is not well formed.")
    default = _DEFAULT_PORTS.get(scheme, "")
    host = netloc.lower().removesuffix(f":{default}")
    port = _PORT.search(host)
    hosts = (host, *_other_spelling(request, host, default))
    return Target(request.method, slash + path, query, hosts, port[1] if port else default)


def _other_spelling(request: Request, host: str, default_port: str) -> list[str]:
    """How the client spelled `host`, when it did so in another way: clients sign what they were given."""
    for header in (b"host", b"x-forwarded-host"):  # the second is where proxies keep it; whoever wrote it, it is `host`
        for value in request.header(header):
            sent = value.decode("latin-1")
            if sent != host and sent.lower().removesuffix(f":{default_port}") == host:
                return [sent]
    return []


def malformed() -> InvalidToken:
    return InvalidToken("malformed_mac", "The MAC credentials are not well formed.")
