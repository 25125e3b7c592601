"""Reading what a token endpoint answers: a token, or why there is none (RFC 6749 sections 5.1 and 5.2).

Strict where a lax reading could do harm: nothing gets into a header that RFC 6750 does not allow there, and no life is
believed that is no number. Does not ask and does not remember.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from ..encoding import json_object
from ..errors import Unavailable
from ..flow import Reply
from ..metadata import is_outage
from .errors import TokenRefused, TokenUnusable

MAX_TOKEN = 16_384  # characters: what servers take as one header, ours too
MAX_LIFE = 86_400.0  # seconds: whatever a token says, it is asked for anew within a day
UNSTATED_LIFE = 60.0  # seconds for a token whose provider does not say
AHEAD = 0.8  # of its life, after which a token is renewed
UNREACHABLE = "A service that this operation depends on cannot be reached now; try again later."
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1
_DIGITS = re.compile(r"[0-9]{1,9}")
_OK, _UNAUTHORIZED = 200, 401
_CLIENT_ERRORS = range(400, 500)
# RFC 6749 section 5.2 and 4.1.2.1, RFC 8707 section 2.
_CODES = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "access_denied",
}
# RFC 6750 section 3.1: some say so, with 400, of a token that is to be exchanged. With 401 it is that of the client.
_BAD_TOKEN = "invalid_token"  # noqa: S105 - no secret
_PASSING = {"temporarily_unavailable", "server_error", "slow_down"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token, and for how many seconds it lives and need not be renewed, from when it was asked for.

    `scopes` are those granted, None where the provider does not say.
    """

    text: str = field(repr=False)
    life: float
    fresh: float
    scopes: frozenset[str] | None = None
    refresh_token: str = field(default="", repr=False)


def token_of(reply: Reply) -> Token:
    """The token that `reply` gives.

    Raises TokenRefused, TokenUnusable (`malformed_answer`, `not_bearer`), and Unavailable for an outage
    (`token_endpoint_failed`) and for what is no answer of a token endpoint at all (`token_endpoint_unusable`): a page,
    JSON that is none.
    """
    if reply.status != _OK:
        raise _refusal(reply)
    document = _object(reply.body)
    if document is None:
        raise Unavailable("token_endpoint_unusable", UNREACHABLE, cause="no JSON object")
    text, kind = document.get("access_token"), document.get("token_type")
    if not isinstance(kind, str) or not isinstance(text, str):
        raise TokenUnusable("malformed_answer")
    if kind.lower() != "bearer":
        raise TokenUnusable("not_bearer")
    if not is_token(text):
        raise TokenUnusable("malformed_answer")
    life, scope = _life(document.get("expires_in")), document.get("scope")
    return Token(
        text=text,
        life=life,
        fresh=life * AHEAD,
        scopes=frozenset(scope.split(" ")) if isinstance(scope, str) else None,
        refresh_token=_refresh_token(document.get("refresh_token")),
    )


def is_token(text: str) -> bool:
    """True for what may follow `Bearer` in a header."""
    return len(text) <= MAX_TOKEN and _TOKEN.fullmatch(text) is not None


def _refusal(reply: Reply) -> TokenRefused | Unavailable:
    code = _code(reply.body) if reply.status in _CLIENT_ERRORS else ""
    if code in _PASSING or is_outage(reply.status):
        return Unavailable("token_endpoint_failed", UNREACHABLE, cause=f"answered {reply.status}")
    if code in _CODES:
        return TokenRefused(code)
    if reply.status == _UNAUTHORIZED:  # RFC 6749 section 5.2: it is the client, and some say it in words of their own
        return TokenRefused("unauthorized" if code else "invalid_client")
    if code == _BAD_TOKEN:
        return TokenRefused(code)
    if code:
        return TokenRefused("token_refused")
    return Unavailable("token_endpoint_unusable", UNREACHABLE, cause=f"answered {reply.status}")


def _code(body: bytes) -> str:
    code = (_object(body) or {}).get("error")
    return code if isinstance(code, str) else ""


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        return json_object(body)
    except ValueError:  # a page of some proxy; not chained to what is raised for it, because it holds the body
        return None


def _life(stated: Any) -> float:
    if stated is None:
        return UNSTATED_LIFE
    if isinstance(stated, str) and _DIGITS.fullmatch(stated):  # as some providers send it
        stated = int(stated)
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not stated > 0:
        raise TokenUnusable("malformed_answer")
    return float(min(stated, MAX_LIFE))


def _refresh_token(sent: Any) -> str:
    if sent is None:
        return ""
    if not isinstance(sent, str) or len(sent) > MAX_TOKEN or not (sent.isascii() and sent.isprintable()):
        raise TokenUnusable("malformed_answer")
    return sent
