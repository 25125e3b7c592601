"""The protocol parameters of an OAuth 1.0a request, wherever they stand (RFC 5849 sections 3.1, 3.2 and 3.5).

Reads strictly: each at most once, timestamps in ASCII digits, text in UTF-8. Knows no client and checks no signature.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from .errors import InvalidRequest
from .headers import is_form, is_odd_form
from .oauth1_signature import encoded_parameters, header_parameters
from .request import Request
from .signature_methods import SignatureMethod

MAX_HEADER_BYTES = 16_384  # real ones have 400
MAX_QUERY_BYTES = 65_536  # as long as the longest request line of common servers
MAX_TIMESTAMP_DIGITS = 12  # the end of the year 9999 has 12
# In either spelling, and with either of the two alone: a request that tries and fails is not one that has not tried.
_SIGNED = re.compile(rb"(?:^|&)oauth(?:_|%5[Ff])(?:signature|consumer(?:_|%5[Ff])key)(?=[=&]|$)").search
_PROTOCOL = re.compile(r"(?:^|&)oauth_").search  # section 3.5: all that begins so stands in one place
# Sorted, the protocol parameters stand together in this order; nearly always these are all, and all of version 1.0.
_FIELDS = ("body_hash", "consumer_key", "nonce", "signature", "signature_method", "timestamp", "token")
_USUAL = re.compile(
    r"(?<![^&])(?:oauth_body_hash ([^&]+)&)?oauth_consumer_key ([^&]+)&oauth_nonce ([^&]+)&oauth_signature ([^&]*)&"
    r"oauth_signature_method ([^&]+)&oauth_timestamp ([0-9]+)(?:&oauth_token ([^&]*))?(?:&oauth_version 1\.0)?"
    r"(?![^&]|&oauth_)"
).match


class ProtocolParameters(NamedTuple):
    """What the client says of its signature. `token` is "" in two-legged requests.

    `timestamp` is 0 and `nonce` "" for PLAINTEXT without them (section 3.1). `signature` and `nonce` are still
    percent-encoded: they are only compared.
    """

    client_id: str
    token: str
    method: SignatureMethod
    signature: str
    timestamp: int
    nonce: str
    body_hash: str


def holds_signature(encoded: bytes) -> bool:
    """True when a query or form carries the protocol parameters."""
    return b"oauth" in encoded and _SIGNED(encoded) is not None


def has_form(request: Request) -> bool:
    """True when the body is a form, whose parameters are signed.

    Raises InvalidRequest (`malformed_form`) where the application might see one that is not counted here: parameters
    can be moved from a form to the query without changing the signature, and others put in their place.
    """
    if not request.header(b"content-type"):
        return False
    if is_form(request):
        return True
    if is_odd_form(request):
        raise InvalidRequest("malformed_form", "A form has one content type and no encoding.")
    return False


def parameters_of(credentials: bytes, request: Request) -> str:
    """The parameters of the header and of the query.

    Raises InvalidRequest (`malformed_credentials`, `parameters_in_two_places`).
    """
    query = request.query
    if len(credentials) > MAX_HEADER_BYTES or len(query) > MAX_QUERY_BYTES:
        raise _not_well_formed()
    if not credentials and request.header(b"authorization"):  # the name of the scheme alone is not the credentials
        raise _not_well_formed()
    try:
        found = header_parameters(credentials) if credentials else ""
        return _both(found, encoded_parameters(query)) if query else found
    except ValueError as error:
        raise _not_well_formed() from error


def with_form(parameters: str, form: bytes) -> str:
    """`parameters` and those of a form.

    Raises InvalidRequest (`malformed_credentials`, `parameters_in_two_places`).
    """
    try:
        return _both(parameters, encoded_parameters(form)) if form else parameters
    except ValueError as error:
        raise _not_well_formed() from error


def _both(some: str, more: str) -> str:
    if "oauth_" in more and _PROTOCOL(more) and _PROTOCOL(some):
        raise InvalidRequest("parameters_in_two_places", "Protocol parameters stand in one place, and one only.")
    return f"{some}&{more}" if some and more else some or more


def take_parameters(normalized: str, methods: Mapping[str, SignatureMethod]) -> tuple[ProtocolParameters, str]:
    """The protocol parameters among those of `normalized`, and what is left when the signature is taken out of it.

    Raises InvalidRequest (`repeated_parameter`, `missing_parameter`, `malformed_parameter`,
    `unsupported_signature_method`, `unsupported_version`).
    """
    usual = _USUAL(normalized, normalized.find("oauth_"))
    if usual is None:
        return _take_unusual(normalized, methods)
    begin, end = usual.span(4)
    left = normalized[: begin - len("oauth_signature ")] + normalized[end + 1 :]
    return _parameters(usual.groups(default=""), methods), left


def _take_unusual(normalized: str, methods: Mapping[str, SignatureMethod]) -> tuple[ProtocolParameters, str]:
    pairs = normalized.split("&")
    found = [pair.partition(" ") for pair in pairs if pair.startswith("oauth_")]
    fields = {name.removeprefix("oauth_"): value for name, _, value in found}
    if len(fields) < len(found):
        raise InvalidRequest("repeated_parameter", "A protocol parameter is there more than once.")
    if not {"consumer_key", "signature", "signature_method"} <= fields.keys():
        raise _missing()
    if fields.get("body_hash") == "":  # it would be read as no claim about the body
        raise _malformed()
    if fields.get("version", "1.0") != "1.0":
        raise InvalidRequest("unsupported_version", "The version of the protocol is 1.0.")
    left = "&".join(pair for pair in pairs if not pair.startswith("oauth_signature "))
    return _parameters([fields.get(name, "") for name in _FIELDS], methods), left


def _parameters(texts: Sequence[str], methods: Mapping[str, SignatureMethod]) -> ProtocolParameters:
    """What `texts` say: the values of _FIELDS."""
    body_hash, client_id, nonce, signature, method_name, timestamp, token = texts
    method = methods.get(method_name)
    if method is None:
        raise InvalidRequest("unsupported_signature_method", "The signature method is not accepted here.")
    if "%" in client_id or "%" in token or "%" in body_hash:
        client_id, token, body_hash = _decoded(client_id), _decoded(token), _decoded(body_hash)
    if not client_id:
        raise _missing()
    if not timestamp or not nonce:
        if timestamp or nonce or method is not SignatureMethod.PLAINTEXT:
            raise _missing()
        return ProtocolParameters(client_id, token, method, signature, 0, "", body_hash)
    # Digits of other scripts are percent-encoded here, so isdigit knows ASCII ones only.
    seconds = int(timestamp) if timestamp.isdigit() and len(timestamp) <= MAX_TIMESTAMP_DIGITS else 0
    if not seconds:
        raise _malformed()
    return ProtocolParameters(client_id, token, method, signature, seconds, nonce, body_hash)


def _decoded(text: str) -> str:
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise _malformed() from error
    if not decoded.isprintable():
        raise _malformed()
    return decoded


def _not_well_formed() -> InvalidRequest:
    return InvalidRequest("malformed_credentials", "The credentials are not well formed.")


def _missing() -> InvalidRequest:
    return InvalidRequest("missing_parameter", "A protocol parameter is missing.")


def _malformed() -> InvalidRequest:
    return InvalidRequest("malformed_parameter", "A protocol parameter is not well formed.")
