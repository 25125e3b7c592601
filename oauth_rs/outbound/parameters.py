"""What a token request asks for, as fields of a form (RFC 6749 section 3.3, RFC 8707 section 2, RFC 8693 section 2.1).

Checked when a source is made. Does not prove who asks: client_auth.py does.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from ..scopes import checked_scope

Fields: TypeAlias = tuple[tuple[str, str], ...]
_OURS = frozenset(
    (
        *("grant_type", "scope", "audience", "resource", "refresh_token", "requested_token_type"),
        *("subject_token", "subject_token_type", "actor_token", "actor_token_type"),
        *("client_id", "client_secret", "client_assertion", "client_assertion_type"),
    )
)


def parameters(
    grant_type: str,
    *,
    scopes: Sequence[str] = (),
    audience: str | Sequence[str] = (),
    resource: str | Sequence[str] = (),
    extra: Mapping[str, str] | None = None,
) -> Fields:
    """The fields of a token request, in a fixed order. Raises ValueError and TypeError with what is wrong."""
    _check_texts(scopes, "scopes is a list, as ['bills.read']")
    scope = " ".join(map(checked_scope, scopes))
    return (
        ("grant_type", grant_type),
        *((("scope", scope),) if scope else ()),
        *(("audience", one) for one in _named(audience, "audience")),
        *(("resource", _checked_resource(one)) for one in _named(resource, "resource")),
        *_checked_extra({} if extra is None else extra),
    )


def _check_texts(given: Any, message: str) -> None:
    if isinstance(given, str) or not isinstance(given, Collection) or not all(isinstance(one, str) for one in given):
        raise TypeError(message)


def _named(given: str | Sequence[str], what: str) -> Collection[str]:
    if isinstance(given, str):
        return (given,) if given else ()
    _check_texts(given, f"{what} is text, or a list of texts")
    if not all(given):
        raise ValueError(f"{what} names nothing: leave it out")
    return given


def _checked_resource(uri: str) -> str:
    if not urlsplit(uri).scheme or "#" in uri:
        raise ValueError(f"a resource is an absolute URI without a fragment, not {uri!r} (RFC 8707 section 2)")
    return uri


def _checked_extra(extra: Mapping[str, str]) -> Fields:
    if not isinstance(extra, Mapping):
        raise TypeError("extra maps names to texts")
    _check_texts([*extra, *extra.values()], "extra maps names to texts")
    taken = sorted(_OURS.intersection(extra))
    if taken:
        raise ValueError(f"extra holds what has no option of its own: {', '.join(taken)} has one, or is the client's")
    return tuple(extra.items())
