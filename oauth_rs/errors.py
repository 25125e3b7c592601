"""What a check can say other than yes (RFC 6750 section 3.1, RFC 9110 section 15).

    OAuthError
    +-- InvalidRequest        400  invalid_request
    |   +-- RequestTooLarge   413  invalid_request
    +-- MissingCredentials    401  (no code: RFC 6750 section 3.1, last paragraph)
    +-- InvalidToken          401  invalid_token
    +-- InvalidClient         401  invalid_client  (RFC 6749 section 5.2)
    +-- InsufficientAuthentication
    |                         401  insufficient_user_authentication  (RFC 9470)
    +-- InsufficientScope     403  insufficient_scope
    +-- Unavailable           503  temporarily_unavailable

A `reason` is stable, snake_case and meant for logs and metrics; docs/errors.md lists them all. A `description` is a
constant sentence that a client may see. Neither ever holds a token, a claim, a key or a library's message.
Programming and configuration mistakes are not in this tree: they are `TypeError`, `ValueError` or `RuntimeError`.
"""

from hashlib import sha256
from typing import ClassVar

MISCONFIGURED_SECONDS = 30  # until it is worth asking again where it is this application that must be mended


class OAuthError(Exception):
    """A request was not let through.

    `scheme` names the scheme whose credentials were refused ("" when none was recognised) and `credential` is a short
    SHA-256 of them for logs ("" when there were none); whoever knows them fills them in on the way out, by `trace`.
    """

    status: ClassVar[int]
    error: ClassVar[str]
    credential = ""

    def __init__(self, reason: str, description: str, *, scheme: str = "") -> None:
        self.reason = reason
        self.description = description
        self.scheme = scheme

    def __str__(self) -> str:
        return self.reason

    def trace(self, scheme: str, credentials: bytes, *, digest: bytes = b"") -> None:
        """The error then names `scheme`, and the `credentials` by their SHA-256: `digest`, where that is at hand."""
        self.scheme = scheme
        self.credential = (digest or sha256(credentials).digest())[:6].hex()


class InvalidRequest(OAuthError):
    """The request is malformed or carries more than one set of credentials."""

    status = 400
    error = "invalid_request"


class RequestTooLarge(InvalidRequest):
    """A body had to be read to find its credentials, and is over the cap."""

    status = 413


class MissingCredentials(OAuthError):
    """The request carries no credentials that a scheme of this server understands."""

    status = 401
    error = ""

    def __init__(self, reason: str, description: str, *, scope: str = "") -> None:
        super().__init__(reason, description)
        self.scope = scope


class InvalidToken(OAuthError):
    """The credentials were understood and are not good."""

    status = 401
    error = "invalid_token"


class InvalidClient(OAuthError):
    """The client that calls for itself is not one that is registered, or its secret or key is wrong."""

    status = 401
    error = "invalid_client"


class InsufficientAuthentication(OAuthError):
    """The grant is good, and the user must authenticate again, or better, for this operation (RFC 9470 section 3).

    One of `acr_values` would do, as would an authentication at most `max_age` seconds ago; empty and None where they
    are not what is lacking.
    """

    status = 401
    error = "insufficient_user_authentication"

    def __init__(
        self, reason: str, description: str, *, acr_values: tuple[str, ...] = (), max_age: int | None = None
    ) -> None:
        super().__init__(reason, description)
        self.acr_values = acr_values
        self.max_age = max_age
        self.scope = ""


class InsufficientScope(OAuthError):
    """The grant is good and does not cover the operation; `scope` lists every scope the operation names."""

    status = 403
    error = "insufficient_scope"

    def __init__(self, reason: str, description: str, *, scope: str, scheme: str = "") -> None:
        super().__init__(reason, description, scheme=scheme)
        self.scope = scope


class Unavailable(OAuthError):
    """Nothing can be decided now, because something the check needs did not answer.

    `retry_after` is in whole seconds, at least 1. `cause` says in words of this package what was wrong, for a record in
    the log that nobody has written yet.
    """

    status = 503
    error = "temporarily_unavailable"

    def __init__(self, reason: str, description: str, *, retry_after: float = 1, cause: str = "") -> None:
        super().__init__(reason, description)
        self.cause = cause
        self.retry_after = max(1, int(-(-retry_after // 1)))
