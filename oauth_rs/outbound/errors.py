"""Why a call of the application's own cannot be made, where trying again would not help (RFC 6749 section 5.2).

    OutboundError
    +-- TokenRefused     the provider gives no token for what is asked
    +-- TokenUnusable    the provider gives a token, and not one that can be used here
    +-- WrongOrigin      the call would carry the token to where it does not belong

None is an `OAuthError`, for whoever calls this application has done nothing wrong: a handler that lets one escape ends
as a 500. What may pass is `oauth_rs.Unavailable`, which the middlewares answer with 503 and `Retry-After`; it is raised
too where the provider refuses this application itself, which whoever runs it can mend.
"""


class OutboundError(Exception):
    """`reason` is stable, snake_case and meant for logs; it never holds a token, a secret, or what a server wrote.

    `detail` says in words what it is about, as far as that is known: the issuer, the origins. It is "" otherwise.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class TokenRefused(OutboundError):
    """The provider gives no token for what is asked: a code of RFC 6749, 6750 or 8707, else `token_refused`.

    `no_refresh_token` where there is none to ask with.
    """


class TokenUnusable(OutboundError):
    """The answer is not one of RFC 6749 section 5.1 (`malformed_answer`), or no bearer token (`not_bearer`)."""


class WrongOrigin(OutboundError):
    """The request goes to an origin that the `auth` is not bound to (`other_origin`), or over http (`plain_http`)."""
