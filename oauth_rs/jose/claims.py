"""Reading JWT claims by their types (RFC 7519 section 4.1, RFC 9068 section 2.2).

Only for claims whose signature is good, but for `listed_scopes`. Each function raises `InvalidToken`; none knows
which claims a provider demands.
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from ..errors import InvalidToken

MAX_NUMERIC_DATE = 253_402_300_799  # the end of the year 9999: the last second that datetime can show
_ABSENT = object()
_NO_CNF: dict[str, Any] = {}
CLIENT_CLAIMS = ("client_id", "azp", "cid")  # RFC 9068, OpenID Connect, and one widespread provider


def text(claims: Mapping[str, Any], name: str) -> str:
    """The string claim `name`, "" when absent. Reason: `malformed_claim`."""
    value = claims.get(name, "")
    if not isinstance(value, str):
        raise _malformed()
    return value


def client(claims: Mapping[str, Any]) -> str:
    """The client the token was issued to: `client_id`, else `azp`, else `cid`, else ""."""
    for name in CLIENT_CLAIMS:
        found = claims.get(name, "")
        if not isinstance(found, str):
            raise _malformed()
        if found:
            return found
    return ""


def numeric_date(claims: Mapping[str, Any], name: str) -> int | None:
    """The NumericDate claim `name` in whole seconds, rounded down; None when absent. Reason: `malformed_claim`."""
    value = claims.get(name, _ABSENT)
    if type(value) is int and -MAX_NUMERIC_DATE <= value <= MAX_NUMERIC_DATE:  # not isinstance: True is an int to it
        return value
    if value is _ABSENT:
        return None
    if type(value) is not float or not -MAX_NUMERIC_DATE <= value <= MAX_NUMERIC_DATE:
        raise _malformed()
    return int(value // 1)


def check_audience(claims: Mapping[str, Any], accepted: frozenset[str]) -> None:
    """Returns when `aud`, a string or an array of strings, names one of `accepted`.

    Reasons: `no_audience`, `wrong_audience`.
    """
    named = claims.get("aud")
    if isinstance(named, str) and named in accepted:
        return
    if named is None:
        raise InvalidToken("no_audience", "The access token does not say whom it is for.")
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, list):
        raise _malformed()
    for name in names:
        if not isinstance(name, str):
            raise _malformed()
    if accepted.isdisjoint(names):
        raise InvalidToken("wrong_audience", "The access token was issued for another audience.")


def audience_names(audience: object) -> frozenset[str]:
    """The names of an option `audience`: one text, or a list of texts; none for "". Raises TypeError."""
    if isinstance(audience, str):
        return frozenset((audience,) if audience else ())
    if not isinstance(audience, Collection) or not all(isinstance(name, str) and name for name in audience):
        raise TypeError("audience is text, or a list of texts, none of them empty")
    return frozenset(audience)


def check_times(claims: Mapping[str, Any], now: float, leeway: float) -> int:
    """`exp` in seconds, when the token is valid now.

    `exp` is demanded; `nbf` and `iat` are held to when present. Reasons: `no_expiry`, `expired`, `not_yet_valid`,
    `malformed_claim`.
    """
    expires = numeric_date(claims, "exp")
    if expires is None:
        raise InvalidToken("no_expiry", "The access token does not say when it expires.")
    if now >= expires + leeway:
        raise InvalidToken("expired", "The access token has expired.")
    latest = now + leeway
    for name in ("nbf", "iat"):
        begins = claims.get(name, 0)
        if type(begins) is int and -MAX_NUMERIC_DATE <= begins <= latest:
            continue  # as nearly always; what follows is for what is no date, or has a fraction, or is ahead
        if (numeric_date(claims, name) or 0) > latest:
            raise InvalidToken("not_yet_valid", "The access token is not valid yet.")
    return expires


def check_required(claims: Mapping[str, Any], names: Collection[str]) -> None:
    """Returns when none of `names` is absent, null or ""; any claim that names a client does for `client_id`.

    Reason: `missing_claim`.
    """
    for name in names:
        value = claims.get(name)
        if (value is None or value == "") and not (name == "client_id" and client(claims)):
            raise InvalidToken("missing_claim", "The access token lacks a claim that is required.")


def scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes of `scope`, else of `scp`: a string separated by spaces, or an array. Reason: `malformed_claim`."""
    value = _scope_claim(claims)
    if isinstance(value, str):
        return _split(value)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _malformed()
    return frozenset(filter(None, value))


def listed_scopes(claims: Mapping[str, Any]) -> list[Any]:
    """What `scopes` reads, as it stands: of whatever types, and [] where it is no list.

    For claims that nobody has verified too: it raises nothing and, as strangers may write there what they like,
    remembers nothing.
    """
    value = _scope_claim(claims)
    if isinstance(value, str):
        return value.split(" ")
    return value if isinstance(value, list) else []


def check_delegation(claims: Mapping[str, Any]) -> None:
    """Returns when `act` is an object and `authorization_details` an array, where they are there at all.

    RFC 8693 section 4.1, RFC 9396 section 9.1. Null stands for absence. Reason: `malformed_claim`.
    """
    actor, details = claims.get("act"), claims.get("authorization_details")
    if not isinstance(actor, dict | None) or not isinstance(details, list | None):
        raise _malformed()


def confirmation(claims: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The `cnf` object of a sender-constrained token (RFC 7800), None when absent. Reason: `malformed_claim`.

    A `mac_key` (OAuth 2.0 MAC) constrains the sender too: then there is a member `mac_key`, without the key.
    """
    if "cnf" not in claims and "mac_key" not in claims:
        return None
    value = claims.get("cnf", _NO_CNF)
    if not isinstance(value, dict):
        raise _malformed()
    return {**value, "mac_key": None} if "mac_key" in claims else value


def _scope_claim(claims: Mapping[str, Any]) -> Any:
    value = claims.get("scope")
    return claims.get("scp", "") if value is None else value


@lru_cache(maxsize=1024)
def _split(value: str) -> frozenset[str]:
    # Shared between grants: most tokens of an API carry one of a few scope strings.
    return frozenset(filter(None, value.split(" ")))


def _malformed() -> InvalidToken:
    return InvalidToken("malformed_claim", "A claim of the access token is not of its type.")
