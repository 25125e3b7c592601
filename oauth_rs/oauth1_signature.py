"""The signature of OAuth 1.0a: what is signed, and whether it is signed well (RFC 5849 section 3.4).

Parameters are kept as text, `name=value&name=value`, in the one percent-encoding of section 3.6. Nearly all arrive so,
and then they are used as they came: one regular expression tells. Does not know which parameters a request must
have, nor whose keys these are.
"""

import hmac
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import sha1, sha256
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from .signature_methods import SignatureMethod

MAX_PARAMETERS = 1_000  # of a query or a form; applications that take forms allow about as many
# Section 3.6: unreserved characters as they are, every other byte as % and two upper-case digits. Possessive, so that
# what does not match is given up at once.
_PLAIN = "[A-Za-z0-9._~-]"
_ESCAPES = f"(?:%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF]){_PLAIN}*+)*+"
_TEXT, _NAME = f"{_PLAIN}*+{_ESCAPES}", f"(?=[^=]){_PLAIN}*+{_ESCAPES}"
_ARE_PAIRS = re.compile(f"{_TEXT}={_TEXT}(?:&{_TEXT}={_TEXT})*+").fullmatch
_ARE_NAMED = re.compile(f"{_NAME}={_TEXT}(?:&{_NAME}={_TEXT})*+").fullmatch  # in a header no name is empty
_IS_ESCAPED = re.compile(_TEXT).fullmatch
_HEADER_ITEM = re.compile(r'[ \t]*([^ \t=,"]+)[ \t]*=[ \t]*"([^"]*)"[ \t]*(?:,|$)')
_HMAC: dict[SignatureMethod, Callable[[bytes], Any]] = {
    SignatureMethod.HMAC_SHA1: sha1,
    SignatureMethod.HMAC_SHA256: sha256,
}
_BLOCK_BYTES = 64  # of SHA-1 and SHA-256 alike
_INNER_PAD, _OUTER_PAD = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))
_PKCS1 = PKCS1v15()
_RSA: dict[SignatureMethod, tuple[Callable[[bytes], Any], Prehashed]] = {
    SignatureMethod.RSA_SHA1: (sha1, Prehashed(SHA1())),  # noqa: S303 - what old clients have; may be switched off
    SignatureMethod.RSA_SHA256: (sha256, Prehashed(SHA256())),
}


def escape(text: str) -> str:
    """`text` in the percent-encoding of section 3.6, of its UTF-8."""
    return text if text.isalnum() and text.isascii() else quote(text, safe="")


def header_parameters(credentials: bytes) -> str:
    """The parameters of an `Authorization` header after its scheme, save `realm` (section 3.5.1).

    Raises ValueError for anything else than names with quoted values.
    """
    text = credentials.decode("ascii").strip(" \t")
    parameters = text.replace('", ', "&").replace('="', "=").removesuffix('"')
    # So many quotes can only have gone from where they belong: one after each =, one before each comma and at the end.
    # A & that was there before has taken none with it.
    whole = text.count('"') == 2 * parameters.count("&") + 2
    if whole and _ARE_NAMED(parameters) and "realm" not in parameters:
        return parameters
    return "&".join(_header_pairs(text))


def _header_pairs(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        item = _HEADER_ITEM.match(text, at)
        if item is None:
            raise ValueError("not a list of names with quoted values")
        if item[1] != "realm":
            yield f"{_escaped(item[1])}={_escaped(item[2])}"  # a + is a + here, unlike in a query
        at = item.end()


def encoded_parameters(encoded: bytes) -> str:
    """The parameters of a query or a form (section 3.4.1.3.1), in any percent-encoding, `+` for a space.

    Raises ValueError for more than MAX_PARAMETERS, and for more percent signs than there can be escapes.
    """
    if encoded.count(b"&") >= MAX_PARAMETERS:
        raise ValueError("too many parameters")
    text = encoded.decode("latin-1").replace("+", "%20")
    if _ARE_PAIRS(text):
        return text
    if 3 * encoded.count(b"%") > len(encoded):  # stray ones are the slowest thing to read that there is
        raise ValueError("not percent-encoded")
    return "&".join(_encoded_pairs(text))


def _encoded_pairs(text: str) -> Iterator[str]:
    for pair in text.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            yield f"{_escaped(name)}={_escaped(value)}"


def _escaped(text: str) -> str:
    # Bytes stay bytes: what is not UTF-8 must not become the same as something else that is not.
    return quote(unquote_to_bytes(text.encode("latin-1")), safe="")


def normalized(parameters: str) -> str:
    """The parameters in the order of section 3.4.1.3.2, and with a space for each `=`.

    A space is below all that a name may hold: so plain order is order by name and then by value.
    """
    pairs = parameters.replace("=", " ").split("&")
    pairs.sort()
    return "&".join(pairs)


def base_string(method: str, url: str, normalized: str) -> bytes:
    """The signature base string (section 3.4.1.1). `normalized` no longer holds `oauth_signature`.

    `url` is that of section 3.4.1.2: scheme and host in lower case, no default port, no query.
    """
    parameters = normalized.replace("%", "%25").replace("&", "%26").replace(" ", "%3D")
    # Most URLs hold nothing else that is to be escaped.
    escaped_url = url.replace("/", "%2F").replace(":", "%3A")
    if "%" in url or not _IS_ESCAPED(escaped_url):
        escaped_url = quote(url.encode("latin-1"), safe="")
    return f"{escape(method.upper())}&{escaped_url}&{parameters}".encode()


def hmac_signature(method: SignatureMethod, base: bytes, client_secret: str, token_secret: str) -> str:
    """The base64 text of the HMAC of `base` (section 3.4.2), escaped as it is sent."""
    inner, outer = _keyed(method, client_secret, token_secret)
    inner, outer = inner.copy(), outer.copy()
    inner.update(base)
    outer.update(inner.digest())
    text = b2a_base64(outer.digest(), newline=False).decode()
    return text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")


@lru_cache(maxsize=1024)  # setting up an HMAC takes as long as the rest of it, and copying that of the library as well
def _keyed(method: SignatureMethod, client_secret: str, token_secret: str) -> tuple[Any, Any]:
    """The inner and the outer hash of RFC 2104 section 2, as far as the key goes."""
    hashed = _HMAC[method]
    key = f"{escape(client_secret)}&{escape(token_secret)}".encode()
    block = (hashed(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
    return hashed(block.translate(_INNER_PAD)), hashed(block.translate(_OUTER_PAD))


def plaintext_signature(client_secret: str, token_secret: str) -> str:
    """Both secrets (section 3.4.4), escaped as they are sent."""
    return quote(f"{escape(client_secret)}&{escape(token_secret)}", safe="")


def same(presented: str, expected: str) -> bool:
    """True when both, escaped, are the same text, found out in constant time. Only one text is right."""
    return hmac.compare_digest(presented, expected)


def rsa_size(signature: str) -> int:
    """How many bytes `signature`, in base64, escaped, stands for; without looking whether it is well formed."""
    escapes = signature.count("%")
    return (len(signature) - 2 * escapes) * 3 // 4 - signature[-6:].count("%3D")


def rsa_signed(method: SignatureMethod, base: bytes, signature: str, key: RSAPublicKey) -> bool:
    """True when `signature`, in base64, escaped, is one of `base` by `key` (section 3.4.3, RFC 8017 section 8.2.2)."""
    text = signature.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=").encode()
    try:
        decoded = a2b_base64(text, strict_mode=True)
    except Base64Error:
        return False
    if b2a_base64(decoded, newline=False) != text:  # stray bits would make many texts of one signature
        return False
    hashed, algorithm = _RSA[method]
    try:
        key.verify(decoded, hashed(base).digest(), _PKCS1, algorithm)
    except InvalidSignature:
        return False
    return True
