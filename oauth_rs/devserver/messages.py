"""What endpoints are asked and what they answer, apart from HTTP: calls, forms, replies (RFC 6749 section 5.2).

Does not route, read from sockets, or know any endpoint.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from oauthlib.oauth2 import InvalidRequestError, OAuth2Error

# A token request has a dozen parameters of ours; the rest is room for clients that send more (RFC 6749 section 3.2).
FIELDS_LIMIT = 64

FORM = "application/x-www-form-urlencoded"
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_REALM = "oauth_rs devserver"
# RFC 6749 section 5.2: a 401 names the scheme the client may use; oauthlib would say Bearer.
BASIC_CHALLENGE = f'Basic realm="{_REALM}", charset="UTF-8"'
BEARER_CHALLENGE = f'Bearer realm="{_REALM}"'
_BEARER_ERRORS = {"invalid_token", "insufficient_scope"}  # RFC 6750 section 3.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. A POST has its fields in the `body`, a GET in the `query`; `parameters` are those of the path."""

    method: str = "POST"
    query: bytes = field(default=b"", repr=False)
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    authorization: str | None = field(default=None, repr=False)
    accept: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    def form(self) -> list[tuple[str, str]]:
        """The fields in order. Raises oauthlib's InvalidRequestError where there is no form."""
        posted = self.method == "POST"
        if posted and self.content_type.partition(";")[0].strip().lower() != FORM:
            raise InvalidRequestError(description=f"The body must be {FORM}.")
        try:
            return form(self.body if posted else self.query)
        except ValueError as error:
            raise InvalidRequestError(description="The body is not a valid form.") from error

    def fields(self, names: Collection[str]) -> dict[str, str]:
        """Those fields that are called `names`. Raises InvalidRequestError, also for one that is there twice."""
        found = [pair for pair in self.form() if pair[0] in names]
        if len(dict(found)) < len(found):
            raise InvalidRequestError(description="A parameter is repeated.")
        return dict(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered: text of `media_type`, or the members of a JSON object."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: NO_STORE)
    body: Mapping[str, Any] | str = field(default="", repr=False)
    media_type: str = "application/json"


Endpoint: TypeAlias = Callable[[Call], Reply]
"""Answers one call. Nothing that is sent makes it raise."""


def form(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form in order, those without a value left out (RFC 6749 section 3.2).

    `ValueError` when it is not UTF-8 or has more than `FIELDS_LIMIT` fields.
    """
    return parse_qsl(body.decode(), errors="strict", max_num_fields=FIELDS_LIMIT)


def refusal(error: OAuth2Error) -> Reply:
    """`error` as RFC 6749 section 5.2 has it, or RFC 6750 section 3 where it is about a bearer token."""
    members = {"error": error.error, "error_description": error.description}
    return refused({name: value for name, value in members.items() if value}, status=error.status_code)


def refused(members: Mapping[str, Any], *, status: int) -> Reply:
    """An answer with its challenge, where `status` or the error in `members` asks for one."""
    headers = dict(NO_STORE)
    if members["error"] in _BEARER_ERRORS:
        headers["WWW-Authenticate"] = f'{BEARER_CHALLENGE}, error="{members["error"]}"'
    elif status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = BASIC_CHALLENGE
    return Reply(status=status, headers=headers, body=members)
