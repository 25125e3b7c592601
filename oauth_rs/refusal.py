"""What a refusal looks like on the wire: status, challenges, body (RFC 6750 section 3, RFC 9470 section 3).

Everything in it is constant or configured. Does not decide anything.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import InsufficientAuthentication, InsufficientScope, MissingCredentials, OAuthError, Unavailable
from .schemes import Scheme

_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer that refuses a request."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def render(error: OAuthError, schemes: Iterable[Scheme]) -> Refusal:
    """The answer for `error`, with the challenge of each of `schemes` that applies."""
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
    if isinstance(error, Unavailable):
        headers.append(("Retry-After", str(error.retry_after)))
    else:
        headers += [("WWW-Authenticate", challenge) for challenge in _challenges(error, schemes)]
    # No code where there were no credentials: RFC 6750 section 3.1, last paragraph.
    members = {"error": error.error, "error_description": error.description}
    body = json.dumps({name: value for name, value in members.items() if value}).encode()
    return Refusal(error.status, (*headers, ("Content-Length", str(len(body)))), body)


def _challenges(error: OAuthError, schemes: Iterable[Scheme]) -> list[str]:
    known = InsufficientScope | MissingCredentials | InsufficientAuthentication
    scope = error.scope if isinstance(error, known) else ""
    if not error.error:
        return [scheme.challenge(scope=scope) for scheme in schemes]
    challenges = []
    for scheme in schemes:
        if error.scheme in {"", scheme.name}:
            challenges.append(
                scheme.challenge(scope=scope, error=error.error, description=error.description, more=_more(error))
            )
        elif error.status == _UNAUTHORIZED:  # another scheme might succeed; no other scheme widens a scope
            challenges.append(scheme.challenge())
    return challenges


def _more(error: OAuthError) -> tuple[tuple[str, str], ...]:
    if not isinstance(error, InsufficientAuthentication):
        return ()
    max_age = "" if error.max_age is None else str(error.max_age)
    return ("acr_values", " ".join(error.acr_values)), ("max_age", max_age)
