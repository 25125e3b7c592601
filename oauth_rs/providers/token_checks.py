"""Whether a token was issued to this application: what a user endpoint does not say (RFC 9700 section 4.4).

Whoever shows a user endpoint a token learns whose it is, and not for whom: a token that another application was given
would let that in as its user. A check asks the provider first. Does not ask about the user.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

from ..client_auth import ClientSecret
from ..errors import InvalidToken
from ..flow import Flow
from .answers import inactive, members_of, unusable
from .endpoint import JSON, Endpoint, Question
from .seconds import TIMEOUT

_OK, _NOT_FOUND = 200, 404
_SECONDS = re.compile("[0-9]{1,12}")  # some write a number as text
_ACCEPT = (("Accept", JSON),)
_JSON = (*_ACCEPT, ("Content-Type", JSON))
_GITHUB_SAYS = frozenset({_OK, _NOT_FOUND, 422})  # 422: what is not even like a token of GitHub's
_TOKEN_INFO_SAYS = frozenset({_OK, 400, 401, 422})  # whatever one finds right for a bad token; 404 is for a wrong URL


class TokenCheck(Protocol):
    """Asks whether a token was issued to this application. `digest` is its SHA-256.

    Gives claims: `client_id`, and `scope` and `exp` where they are known. Raises InvalidToken and Unavailable.
    """

    def check(self, token: str, digest: bytes, /) -> Flow[Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class GitHubCheck:
    """GitHub's "check a token": knows the tokens of the OAuth application that `client` is. `timeout` is in seconds."""

    client: ClientSecret
    _: KW_ONLY
    api: str = "https://api.github.com"
    timeout: float = TIMEOUT
    _endpoint: Endpoint = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.client, ClientSecret):
            raise TypeError("client is ClientSecret(id, secret), those of your OAuth application at GitHub")
        url = f"{self.api}/applications/{quote(self.client.client_id, safe='')}/token"
        object.__setattr__(self, "_endpoint", Endpoint(url, client=self.client, timeout=self.timeout))

    def check(self, token: str, digest: bytes, /) -> Flow[Mapping[str, Any]]:
        """The claims of a token of our application. Raises InvalidToken (`not_our_client`) and Unavailable."""
        body = json.dumps({"access_token": token}).encode()
        reply = yield from self._endpoint.ask(Question(about=digest, headers=_JSON, body=body, answers=_GITHUB_SAYS))
        if reply.status != _OK:
            raise _not_ours()
        answer = members_of(reply)
        app = answer.get("app")
        if not isinstance(app, Mapping) or app.get("client_id") != self.client.client_id:
            raise _not_ours()
        claims: dict[str, Any] = {"client_id": self.client.client_id, "scope": answer.get("scopes") or []}
        if answer.get("expires_at") is not None:
            claims["exp"] = _numeric_date(answer["expires_at"])
        return claims


@dataclass(frozen=True, slots=True)
class TokenInfoCheck:
    """An endpoint that tells for whom a token is: its JSON answer to the form field `access_token` has `client_id`
    in `member`, as `aud` or `azp`. The token goes into the body, never into the URL. `timeout` is in seconds.
    """

    url: str
    _: KW_ONLY
    client_id: str
    member: str = "aud"
    timeout: float = TIMEOUT
    _endpoint: Endpoint = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for value in (self.client_id, self.member):
            if not value or not isinstance(value, str):
                raise ValueError("TokenInfoCheck needs the client_id of this application, and where it stands")
        object.__setattr__(self, "_endpoint", Endpoint(self.url, timeout=self.timeout))

    def check(self, token: str, digest: bytes, /) -> Flow[Mapping[str, Any]]:
        """The claims of a token of our application.

        Raises InvalidToken (`inactive_token`, `not_our_client`) and Unavailable.
        """
        form = (("access_token", token),)
        reply = yield from self._endpoint.ask(
            Question(about=digest, headers=_ACCEPT, fields=form, answers=_TOKEN_INFO_SAYS)
        )
        if reply.status != _OK:
            raise inactive()
        answer = members_of(reply)
        if _is_over(answer):
            raise inactive()
        if answer.get(self.member) != self.client_id:
            raise _not_ours()
        claims: dict[str, Any] = {"client_id": self.client_id, "scope": answer.get("scope", "")}
        if "exp" in answer:
            exp = answer["exp"]
            claims["exp"] = int(exp) if isinstance(exp, str) and _SECONDS.fullmatch(exp) else exp
        return claims


def _is_over(answer: Mapping[str, Any]) -> bool:
    """True where one of the ways to say that a token is no good, or not by itself, is in a good answer."""
    if answer.get("active", True) is not True or "error" in answer or answer.get("cnf") is not None:
        return True
    left = answer.get("expires_in", 1)
    if isinstance(left, str) and _SECONDS.fullmatch(left):
        left = int(left)
    return not isinstance(left, int | float) or left <= 0


def _not_ours() -> InvalidToken:
    return InvalidToken("not_our_client", "The access token was not issued to this application.")


def _numeric_date(text: Any) -> int:
    try:
        date = datetime.fromisoformat(text)
        if date.tzinfo is not None:  # else it would be a date wherever this machine stands
            return int(date.timestamp())
    except (TypeError, ValueError):
        pass
    raise unusable()
