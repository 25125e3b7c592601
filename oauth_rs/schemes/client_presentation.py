"""Where a client shows its id and secret, or an API key: in `Authorization: Basic` (RFC 7617), or in other headers.

Basic is read as RFC 7617 has it: id and secret are not form-decoded, as RFC 6749 section 2.3.1 has it at token
endpoints. Of secrets that `new_secret` makes, and ids of letters, digits and `-._`, both forms are the same. Does not
know any client: client_key.py checks what was shown.
"""

from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import NamedTuple, TypeAlias

from ..clients import MAX_SECRET
from ..errors import InvalidRequest
from ..headers import is_name
from ..request import Request

MAX_CLIENT_ID = 255  # bytes, as many as registries in databases hold
MAX_BASIC = (MAX_CLIENT_ID + len(":") + MAX_SECRET + 2) // 3 * 4  # bytes: base64 of the longest id and secret


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """Id and secret in `Authorization: Basic`, in UTF-8. An id with a colon cannot be sent so."""


@dataclass(frozen=True, slots=True)
class SecretHeaders:
    """Id and secret in two headers."""

    client_id: str = "X-Client-Id"
    secret: str = "X-Client-Secret"  # noqa: S105 - the name of a header

    def __post_init__(self) -> None:
        _check_names(self.client_id, self.secret)


@dataclass(frozen=True, slots=True)
class KeyHeader:
    """An API key in a header. It names its client, unless there is a header `client_id` that must name it too."""

    name: str = "X-API-Key"
    client_id: str = ""

    def __post_init__(self) -> None:
        _check_names(self.name, *([self.client_id] if self.client_id else []))


Presentation: TypeAlias = BasicAuth | SecretHeaders | KeyHeader
_KINDS = (BasicAuth, SecretHeaders, KeyHeader)


class PresentedSecret(NamedTuple):
    """What a request shows. `client_id` is None where the key alone names its client."""

    client_id: str | None
    secret: str
    is_key: bool


class _Place(NamedTuple):
    """The headers of one presentation, in lower case; `client_id` is empty where the key names its client."""

    client_id: bytes
    secret: bytes
    is_key: bool


class Presentations:
    """All that one scheme reads. Raises ValueError for none, and where a header would hold two kinds of things."""

    def __init__(self, presentation: Sequence[Presentation]) -> None:
        if isinstance(presentation, _KINDS) or not all(isinstance(one, _KINDS) for one in presentation):
            raise TypeError("presentation lists BasicAuth(), SecretHeaders(...) and KeyHeader(...)")
        if not presentation:
            raise ValueError("presentation lists at least one place where a secret or key may be")
        self.basic = any(isinstance(one, BasicAuth) for one in presentation)
        self._headers = [_place(one) for one in presentation if not isinstance(one, BasicAuth)]
        secrets = {place.secret for place in self._headers}
        self._by_id: dict[bytes, list[tuple[int, bytes]]] = {}  # presentations may share the header of the id
        for number, place in enumerate(self._headers):
            self._by_id.setdefault(place.client_id, []).append((number, place.secret))
        if len(secrets) < len(self._headers) or not secrets.isdisjoint(self._by_id):
            raise ValueError("each secret and key has a header of its own: give the presentations other names")

    @property
    def headers(self) -> frozenset[bytes]:
        """The headers that are read beside `Authorization`."""
        return frozenset(name for place in self._headers for name in (place.client_id, place.secret) if name)

    @property
    def functions(self) -> frozenset[str]:
        """What of a registry is asked for whatever these show: `find`, `find_by_key` or both."""
        named = [self.basic, *(bool(place.client_id) for place in self._headers)]
        return frozenset({"find"} if any(named) else ()) | ({"find_by_key"} if not all(named[1:]) else set())

    def found(self, request: Request) -> bool:
        """True when `request` has a secret or key in a header of its own."""
        return any(request.header(place.secret) for place in self._headers)

    def sets(self, request: Request) -> list[bytes]:
        """The sets of such headers, for `read`; two of one id header or key where there are more.

        Raises InvalidRequest (`incomplete_client_credentials`).
        """
        found: list[bytes] = []
        for id_header, places in self._by_id.items():
            secrets = [(number, value) for number, name in places for value in request.header(name)]
            ids = request.header(id_header) if id_header else [b""] * len(secrets)
            if bool(ids) != bool(secrets):
                raise InvalidRequest(
                    "incomplete_client_credentials",
                    "The id of a client comes with its secret or key, and neither alone.",
                    scheme="ClientKey",
                )
            # What is there twice makes two sets, whatever else is there: the server takes one, and need not see more.
            sets = zip(range(min(2, max(len(ids), len(secrets)))), cycle(ids), cycle(secrets), strict=False)
            found += [_packed(number, client_id, secret) for _, client_id, (number, secret) in sets]
        return found

    def read(self, credentials: bytes) -> PresentedSecret:
        """What one of `sets` holds, or what follows `Basic`. Raises InvalidRequest (`malformed_credentials`)."""
        if not credentials.startswith(b" "):
            return _in_basic(credentials)
        _, number, length, sent = credentials.split(b" ", 3)
        if b"," in sent:  # WSGI folds a header that is there twice into one
            raise _malformed()
        place, end = self._headers[int(number)], int(length)
        client_id = _text(sent[:end], MAX_CLIENT_ID) if place.client_id else None
        return PresentedSecret(client_id, _text(sent[end:], MAX_SECRET), place.is_key)


def _packed(number: int, client_id: bytes, secret: bytes) -> bytes:
    # The space in front tells it from all that can follow the name of a scheme in Authorization.
    return b" %d %d %b%b" % (number, len(client_id), client_id, secret)


def _in_basic(credentials: bytes) -> PresentedSecret:
    if len(credentials) > MAX_BASIC:
        raise _malformed()
    try:
        pair = a2b_base64(credentials)
    except ValueError as error:
        raise _malformed() from error
    client_id, colon, secret = pair.partition(b":")
    # Of all spellings of a pair the one that encodes it.
    if not colon or b2a_base64(pair, newline=False) != credentials:
        raise _malformed()
    return PresentedSecret(_text(client_id, MAX_CLIENT_ID), _text(secret, MAX_SECRET), is_key=False)


def _text(sent: bytes, longest: int) -> str:
    """The text that `sent` is, without control characters (RFC 7617 section 2), which nothing that is stored has."""
    if len(sent) > longest:
        raise _malformed()
    try:
        text = sent.decode()
    except UnicodeDecodeError as error:
        raise _malformed() from error
    if not text.isprintable():
        raise _malformed()
    return text


def _malformed() -> InvalidRequest:
    return InvalidRequest("malformed_credentials", "The credentials are not well formed.")


def _place(one: SecretHeaders | KeyHeader) -> _Place:
    secret = one.secret if isinstance(one, SecretHeaders) else one.name
    return _Place(one.client_id.lower().encode(), secret.lower().encode(), isinstance(one, KeyHeader))


def _check_names(*names: str) -> None:
    if not all(map(is_name, names)):
        raise ValueError("a header has a name such as X-API-Key, without a colon")
    if "authorization" in map(str.lower, names):
        raise ValueError("for id and secret in Authorization write BasicAuth(); API keys have a header of their own")
