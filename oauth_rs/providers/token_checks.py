"""Whether a token was issued to this application: what a user endpoint does not say (RFC 9700 section 4.4).

Whoever shows a user endpoint a token learns whose it is, and not for whom: a token that another application was given
would let that in as its user. A check asks the provider first. Does not ask about the user.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from math import inf
from typing import Any, Protocol
from urllib.parse import quote

from ..client_auth import ClientSecret
from ..errors import InvalidToken
from ..flow import Flow
from .answers import inactive, members_of, unusable
from .endpoint import JSON, Endpoint, Question
from .seconds import TIMEOUT

_PACED = (403, 429, 503)  # GitHub says 403 too to who asks too often, with nothing that says it of a token
_OK, _NOT_FOUND = 200, 404
_SECONDS = re.compile("[0-9]{1,12}")  # some write a number as text
_LONGEST = 10**9  # seconds that a token may live: more is no date any more
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
        object.__setattr__(self, "_endpoint", Endpoint(url, client=self.client, timeout=self.timeout, paced=_PACED))

    def check(self, token: str, digest: bytes, /) -> Flow[Mapping[str, Any]]:
        """The claims of a token of our application. Raises InvalidToken (`not_our_client`) and Unavailable."""
        return self._endpoint.watch(self._claims(token, digest))

    def _claims(self, token: str, digest: bytes) -> Flow[Mapping[str, Any]]:
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
    in `member`, as `aud` or `azp`. The token goes into the body, never into the URL. `timeout` is in seconds, `clock`
    wall time: an answer may say when a token ends by `exp`, or by `expires_in` seconds from now.
    """

    url: str
    _: KW_ONLY
    client_id: str
    member: str = "aud"
    timeout: float = TIMEOUT
    clock: Callable[[], float] = field(default=time.time, repr=False, compare=False)
    _endpoint: Endpoint = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for value in (self.client_id, self.member):
            if not value or not isinstance(value, str):
                raise ValueError("TokenInfoCheck needs the client_id of this application, and where it stands")
        object.__setattr__(self, "_endpoint", Endpoint(self.url, timeout=self.timeout, clock=self.clock))

    def check(self, token: str, digest: bytes, /) -> Flow[Mapping[str, Any]]:
        """The claims of a token of our application.

        Raises InvalidToken (`inactive_token`, `not_our_client`) and Unavailable.
        """
        return self._endpoint.watch(self._claims(token, digest))

    def _claims(self, token: str, digest: bytes) -> Flow[Mapping[str, Any]]:
        form = (("access_token", token),)
        reply = yield from self._endpoint.ask(
            Question(about=digest, headers=_ACCEPT, fields=form, answers=_TOKEN_INFO_SAYS)
        )
        if reply.status != _OK:
            raise inactive()
        answer = members_of(reply)
        left = _seconds_left(answer)
        if not _is_good(answer) or left <= 0:
            raise inactive()
        if answer.get(self.member) != self.client_id:
            raise _not_ours()
        claims: dict[str, Any] = {"client_id": self.client_id, "scope": answer.get("scope", "")}
        if "exp" in answer:
            claims["exp"] = _number(answer["exp"])
        elif left < inf:
            claims["exp"] = int(self.clock() + min(left, _LONGEST))
        return claims


def _is_good(answer: Mapping[str, Any]) -> bool:
    """False where one of the ways to say that a token is no good, or not by itself, is in a good answer."""
    return answer.get("active", True) is True and "error" not in answer and answer.get("cnf") is None


def _seconds_left(answer: Mapping[str, Any]) -> float:
    """What `expires_in` says; infinite where it is not there, 0 where it says nothing."""
    left = _number(answer.get("expires_in", inf))
    return left if isinstance(left, int | float) else 0


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and _SECONDS.fullmatch(value) else value


def _not_ours() -> InvalidToken:
    return InvalidToken("not_our_client", "The access token was not issued to this application.")


def _numeric_date(text: Any) -> int:
    try:
        date = datetime.fromisoformat(text)
        if date.tzinfo is not None:  # else it would be a date wherever this machine stands
            return int(date.timestamp())
    except (TypeError, ValueError):
        pass
    raise unusable("an end that is no date")
