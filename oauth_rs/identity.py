"""Headers that tell the application behind who calls, and that no client can send itself.

Values are ASCII without control characters, whatever the claims hold. Does not touch a request: the shells take out
what comes in under these names and put the headers in, see handover.py. Does not sign them: signed_identity.py does.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote, unquote

from .errors import MISCONFIGURED_SECONDS, InvalidToken, Unavailable
from .jose.claims import listed_scopes
from .model import Grant
from .quiet import Complaints

MAX_HEADER_BYTES = 8192  # what common servers and proxies take as one header
_NAMES = (
    "OAuth-ClientID",
    "OAuth-Properties",
    "OAuth-TokenType",
    "OAuth-version",
    "OAuth-ResourceOwnerDomain",
    "OAuth-ResourceOwnerUserInfo",
    "OAuth-ResourceOwnerUID",
    "OAuth-Signature-Method",
    "OAuth-Scope",
)
# Spaces are encoded too: those at the ends of a value are lost on the way, and one user would be taken for another.
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")
_LISTED = _PRINTABLE.replace(",", "").replace("=", "")
# What JSON may hold and UTF-8 may not, halves of pairs, comes through and back as it is, and stays apart.
_HALVES = "surrogatepass"
_ADDED = "cannot pass on the scopes that the catalogue, roles or a registry add to those that are claimed"


class Identity(Protocol):
    """What the application behind is told of a grant.

    `names` are folded, see `folded`: whatever comes in under any spelling of them is taken out of every request.
    """

    @property
    def names(self) -> frozenset[str]: ...

    def headers(self, grant: Grant, /) -> Sequence[tuple[str, str]]:
        """The headers for `grant`. Raises InvalidToken (`identity_too_large`) and Unavailable (`scopes_too_large`).

        Where there is a catalogue, it is called at start-up too, for grants that have nothing but scopes.
        """


class Room:
    """What one header holds; tells the log, once a minute, where configuration makes more of it."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._complaints = Complaints()
        self._monotonic = monotonic

    def checked(self, told: Callable[[Grant], str], grant: Grant) -> str:
        """What `told` makes of `grant`, when a header holds it.

        Raises Unavailable (`scopes_too_large`) where one would hold it with the scopes that are claimed alone, for what
        is added to them is configuration, else InvalidToken (`identity_too_large`).
        """
        value = told(grant)
        if len(value) <= MAX_HEADER_BYTES:
            return value
        if len(told(grant._replace(scopes=_claimed(grant.claims)))) > MAX_HEADER_BYTES:
            raise _too_large(grant)
        self._complaints.tell("identity", _ADDED, f"{len(value)} bytes", self._monotonic())
        raise Unavailable("scopes_too_large", "Who calls could not be passed on.", retry_after=MISCONFIGURED_SECONDS)


class IdentityHeaders:
    """`OAuth-ClientID`, `OAuth-Scope` and so on; with `underscores`, `OAuth_ClientID` and so on, as gateways have them.

    All but printable ASCII is percent-encoded as UTF-8, and so are `%` and spaces. Scopes are sorted and parted by
    spaces; properties of the grant and attributes of the owner are `name=value` joined by commas, see `decode_pairs`.
    What is empty is left out. A value over 8 KiB refuses the request: part of it would be taken for the whole. Where it
    is the catalogue, roles or a registry that make the scopes as long as that, the fault is ours: 503.
    """

    def __init__(self, *, underscores: bool = False, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._room = Room(monotonic)
        self._written = [name.replace("-", "_") if underscores else name for name in _NAMES]
        self.names = PLAIN_NAMES

    def headers(self, grant: Grant, /) -> Sequence[tuple[str, str]]:
        """The headers for `grant`, none of them empty.

        Raises InvalidToken (`identity_too_large`) and Unavailable (`scopes_too_large`).
        """
        claims = grant.claims
        kind, version = kind_and_version(grant)
        values = (
            _encoded(grant.client_id),
            encode_pairs(grant.names.properties_in(claims)),
            _encoded(kind),
            version,
            _encoded(grant.owner_domain),
            encode_pairs(grant.names.owner_in(claims)),
            _encoded(grant.subject),
            grant.signature_method or "",
        )
        if max(map(len, values)) > MAX_HEADER_BYTES:
            raise _too_large(grant)
        scopes = self._room.checked(lambda held: scope_text(held.scopes), grant)
        return [(name, value) for name, value in zip(self._written, (*values, scopes), strict=True) if value]


def encode_pairs(pairs: Mapping[str, str]) -> str:
    """`name=value` joined by commas; commas and equals signs of names and values are percent-encoded too."""
    return ",".join(f"{_encoded(name, _LISTED)}={_encoded(value, _LISTED)}" for name, value in pairs.items())


def decode_pairs(text: str) -> dict[str, str]:
    """The names and values that `encode_pairs` made `text` of. Raises ValueError for what it does not make."""
    pairs: dict[str, str] = {}
    for pair in text.split(",") if text else ():
        name, equals, value = (unquote(part, errors=_HALVES) for part in pair.partition("="))
        if not equals or pair.count("=") > 1 or name in pairs:
            raise ValueError("not a list of names and values, each name once, as encode_pairs makes it")
        pairs[name] = value
    return pairs


def kind_and_version(grant: Grant) -> tuple[str, str]:
    """The type of token and the version of OAuth; the tokens of OAuth 1.0a have no type."""
    return ("", "1.0a") if grant.scheme == "OAuth1" else (grant.scheme, "2.0")


def scope_text(scopes: Iterable[str]) -> str:
    """`scopes` as a header has them: sorted, encoded, parted by spaces."""
    return " ".join(sorted(map(_encoded, scopes)))


def folded(name: str) -> str:
    """`name` of a header as every spelling of it folds: servers and frameworks mind neither case nor `_` for `-`."""
    return name.lower().replace("_", "-")


def without_tokens(connection: str, names: Collection[str]) -> str:
    """The value of a `Connection` header without the names that are among `names`.

    Somebody further in would drop the headers that it names (RFC 9110 section 7.6.1).
    """
    tokens = connection.split(",")
    kept = [token for token in tokens if folded(token.strip()) not in names]
    return connection if len(kept) == len(tokens) else ",".join(kept).strip()


def _too_large(grant: Grant) -> InvalidToken:
    return InvalidToken("identity_too_large", "The access token says more than can be passed on.", scheme=grant.scheme)


def _claimed(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes that `claims` hold, in whatever spelling; none where a registry knows them."""
    return frozenset(map(str, listed_scopes(claims)))


def _folded_names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(map(folded, names))


def _encoded(text: str, safe: str = _PRINTABLE) -> str:
    return quote(text, safe=safe, errors=_HALVES)


PLAIN_NAMES = _folded_names(_NAMES)
"""The names of `IdentityHeaders`, folded."""
