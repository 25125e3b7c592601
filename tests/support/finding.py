"""What every source of credentials does, and how a shell asks it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import GeneratorType
from typing import Any

import pytest

from oauth_rs.credentials import Credentials, MACKey, OAuth1Client, OAuth1Pair, OAuth1Token
from oauth_rs.fetch import HTTPSettings
from oauth_rs.fetch.awaiting import AwaitingHTTP
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Run

# Letters and digits, 20 to 30: what validators of oauthlib take by default.
CLIENT = OAuth1Client(client_id="photoPrinter0123456789", secret="secret of the printer")
TOKEN = OAuth1Token(
    token="tokenOfAda01234567890",
    client_id=CLIENT.client_id,
    secret="secret of the token, ü too",
    subject="ada",
    scopes={"photos", "orders.read"},
)
MAC_KEY = MACKey(
    kid="macKeyOfAda0123456789",
    key=b"\x00\xff key of ada",
    algorithm="hmac-sha-1",
    subject="ada",
    client_id="app",
    scopes={"photos"},
    expires_at=4_000_000_000,
    issued_at=1_700_000_000,
)
UNKNOWN = "nobodyKnowsThis0123456"

HOSTILE = {
    "NUL": "\0",
    "NUL within": "photo\0Printer",
    "half a surrogate pair": "\ud800",
    "line break": "photo\nPrinter",
    "beyond the BMP": "\U0001f511",
    "quotes": "' OR '1'='1",
    "statement": "x'; DROP TABLE oauth_rs_clients; --",
    "placeholder": "%(client_id)s :token ? %s {0}",
    "pattern": "%",
    "long": "a" * 10_000,
}
"""Ids that a client may send, and that nobody has."""

NEARLY = {
    "lower case": str.lower,
    "upper case": str.upper,
    "space after": lambda known: known + " ",
    "space before": lambda known: " " + known,
    "cut short": lambda known: known[:-1],
    "pattern": lambda known: known[:-1] + "_",
    "NUL after": lambda known: known + "\0",
}
"""How an id that is known becomes one that is not."""


@dataclass
class Source:
    """Credentials, and what drives their flows."""

    credentials: Credentials
    drive: Callable[[Run[Any]], Any]

    def pair(self, client_id: str, token: str = "") -> OAuth1Pair:
        pair: OAuth1Pair = self._found(self.credentials.oauth1(client_id, token))
        return pair

    def mac_key(self, kid: str) -> MACKey | None:
        key: MACKey | None = self._found(self.credentials.mac_key(kid))
        return key

    def _found(self, answer: Any) -> Any:
        return self.drive(Run(answer)) if isinstance(answer, GeneratorType) else answer


def blocking(credentials: Credentials) -> Source:
    """Asked as WSGI does."""
    return Source(credentials, BlockingHTTP(HTTPSettings()).drive)


@contextmanager
def awaiting(credentials: Credentials) -> Iterator[tuple[Source, asyncio.Runner]]:
    """Asked as ASGI does, all on one event loop: that of the Runner."""
    http = AwaitingHTTP(HTTPSettings())
    with asyncio.Runner() as runner:
        yield Source(credentials, lambda run: runner.run(http.drive(run))), runner


class CredentialsContract:
    """For subclasses with a fixture `source` that knows CLIENT, TOKEN and MAC_KEY."""

    mac_key: MACKey | None = MAC_KEY

    def test_a_known_client_and_token_are_found(self, source: Source) -> None:
        assert source.pair(CLIENT.client_id, TOKEN.token) == (CLIENT, TOKEN)

    def test_secrets_are_given_as_they_were(self, source: Source) -> None:
        client, token = source.pair(CLIENT.client_id, TOKEN.token)
        assert client is not None
        assert token is not None
        assert (client.secret, token.secret) == (CLIENT.secret, TOKEN.secret)

    def test_without_a_token_none_is_found(self, source: Source) -> None:
        assert source.pair(CLIENT.client_id) == (CLIENT, None)

    def test_an_unknown_client_is_none(self, source: Source) -> None:
        assert source.pair(UNKNOWN, TOKEN.token)[0] is None

    def test_an_unknown_token_is_none(self, source: Source) -> None:
        assert source.pair(CLIENT.client_id, UNKNOWN) == (CLIENT, None)

    def test_neither_is_found_where_both_are_unknown(self, source: Source) -> None:
        assert source.pair(UNKNOWN, UNKNOWN) == (None, None)

    def test_an_empty_client_id_is_unknown(self, source: Source) -> None:
        assert source.pair("") == (None, None)

    def test_a_client_is_no_token_and_a_token_no_client(self, source: Source) -> None:
        assert source.pair(TOKEN.token, CLIENT.client_id) == (None, None)

    @pytest.mark.parametrize("change", NEARLY.values(), ids=NEARLY)
    def test_an_id_is_known_by_its_exact_text(self, source: Source, change: Callable[[str], str]) -> None:
        assert source.pair(change(CLIENT.client_id), change(TOKEN.token)) == (None, None)
        assert source.mac_key(change(MAC_KEY.kid)) is None

    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    def test_an_id_of_any_text_is_unknown_and_no_error(self, source: Source, text: str) -> None:
        assert source.pair(text, text) == (None, None)
        assert source.pair(CLIENT.client_id, text) == (CLIENT, None)
        assert source.mac_key(text) is None

    def test_a_known_mac_key_is_found(self, source: Source) -> None:
        assert source.mac_key(MAC_KEY.kid) == self.mac_key

    def test_an_unknown_mac_key_is_none(self, source: Source) -> None:
        assert source.mac_key(UNKNOWN) is None
        assert source.mac_key("") is None
