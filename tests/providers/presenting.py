"""Tokens as requests present them, without a server."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import pytest

from oauth_rs import Grant, InvalidToken
from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.flow import Flow
from oauth_rs.providers.presented import Presented
from oauth_rs.providers.selection import Accepts, selectors_of
from oauth_rs.urls import DirectURL, ExternalURL
from tests.support.playing import PlainRequest

URL = DirectURL(hosts=["api.example.com", "sandbox.api.example.com", "other.example.com:8443"])


def digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def presented(token: str, *, url: ExternalURL = URL, path: str = "/", **request: Any) -> Presented:
    """`token` in a request to api.example.com, unless its headers say otherwise."""
    headers = {"Host": "api.example.com", "Authorization": f"Bearer {token}", **dict(request.pop("headers", {}))}
    plain = PlainRequest(path=path, headers=headers, **request)
    return Presented(token.encode(), digest(token), plain, url)


@contextmanager
def refused(reason: str) -> Iterator[None]:
    """Whatever happens in here ends as an InvalidToken with `reason`."""
    with pytest.raises(InvalidToken) as caught:
        yield
    assert caught.value.reason == reason


class Minted:
    """A provider of opaque tokens, those it was made with; `shown` are all that it was asked about."""

    remembers = True

    def __init__(self, *tokens: str, name: str = "minted", accepts: Accepts = ()) -> None:
        self.name = name
        self.accepts = selectors_of(accepts)
        self.shown: list[str] = []
        self._tokens = tokens
        self._grants: dict[bytes, Grant] = {}

    def recall(self, digest: bytes, /) -> Grant | None:
        return self._grants.get(digest)

    def verify(self, token: Presented, /) -> Grant:
        text = token.text.decode()
        self.shown.append(text)
        if text not in self._tokens:
            raise InvalidToken("unknown_token", "The access token is not known.")
        grant = Grant("Bearer", self.name, "", text, "app", frozenset(), 0)
        return self._grants.setdefault(token.digest, grant)

    def warm(self) -> Flow[None]:
        yield from ()

    def with_catalogue(self, _catalogue: ScopeCatalogue, /) -> "Minted":
        return Minted(*self._tokens, name=self.name, accepts=self.accepts)
