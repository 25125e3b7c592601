"""What an endpoint answered about a token, read strictly.

An answer that cannot be understood says nothing of the token: that is 503, and never a pass. One that can be is held to
like the claims of a JWT. Does not ask: endpoint.py does.
"""

import json
from collections.abc import Mapping
from typing import Any

from ..encoding import json_object
from ..errors import InvalidToken, Unavailable
from ..flow import Reply
from ..jose import claims as claim

_PASSING = {"", "temporarily_unavailable", "server_error", "slow_down"}
UNREACHABLE = "The provider of the access token could not be asked."


def members_of(reply: Reply) -> dict[str, Any]:
    """The JSON object in `reply`. Raises Unavailable (`endpoint_unusable`)."""
    try:
        return json_object(reply.body)
    except ValueError:
        pass  # raised out here, because that error holds the answer and would be chained
    raise unusable("no JSON object")


def refuses(reply: Reply) -> bool:
    """True where an error says that it is for the token (RFC 6750 section 3.1), and not for who asked or how often."""
    return error_of(reply) in {"invalid_token", "insufficient_scope"}


def names_error(answer: Mapping[str, Any]) -> bool:
    """True where `answer` has an error in words, and not one that may pass (RFC 6749 section 4.1.2.1)."""
    error = answer.get("error")
    return isinstance(error, str) and error not in _PASSING


def error_of(reply: Reply) -> str:
    """The text that is `error` in the JSON object in `reply`, "" where there is none."""
    try:
        error = json_object(reply.body).get("error")
    except ValueError:
        return ""
    return error if isinstance(error, str) else ""


def end_of(answer: Mapping[str, Any], now: float, leeway: float) -> int:
    """`exp` in seconds, 0 where there is none: whoever is asked has just said that the token is good.

    Raises InvalidToken (`expired`, `not_yet_valid`, `malformed_claim`).
    """
    ends = claim.check_times({"exp": claim.MAX_NUMERIC_DATE, **answer}, now, leeway)
    return ends if "exp" in answer else 0


def as_json(claims: Mapping[str, Any]) -> bytes:
    """`claims` as a grant keeps them."""
    return json.dumps(claims, separators=(",", ":")).encode()


def inactive() -> InvalidToken:
    return InvalidToken("inactive_token", "The access token is not active.")


def unusable(cause: str) -> Unavailable:
    return Unavailable("endpoint_unusable", UNREACHABLE, cause=cause)
