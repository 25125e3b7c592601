"""What every registry of clients does, and how a shell asks it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import GeneratorType
from typing import Any

import pytest

from oauth_rs.clients import ClientRegistry, RegisteredClient, digest_of, hashed
from oauth_rs.fetch import HTTPSettings
from oauth_rs.fetch.awaiting import AwaitingHTTP
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Run
from tests.support.finding import HOSTILE, NEARLY, UNKNOWN

# As `new_secret` makes them; fixed, so that what a test shows is the same each time.
SECRET = "Wb1aB7kCh3G0YkQ8vTn2mXz5LrEoU9dSpKfJiNyRc4A"
KEY = "kq_7Zf3GmS9xPz0LwVbT4nCyR1uHdEoJ2iXaKsQ8-NvA"
SPARE_KEY = "Hc5wQk2sTq8YbNz0fLrXvJ3mEa7uGdPo9iKxW1RnS-4B"
OTHER_KEY = "aV9mXr4TzQ1kBn7cPyWfL0eJsUg3HdoK8iN5RxS2vM-C"

CLIENT = RegisteredClient(
    "reports-2024",
    secret_hash=hashed(SECRET),
    key_hashes=[hashed(KEY), hashed(SPARE_KEY)],
    roles=["manager", "auditor"],
    scopes=["orders.read", "profile"],
    properties={"tenant": "north", "limits": {"day": 1000}, "näme": ["ü", True, None]},
)
OTHER = RegisteredClient("billing", key_hashes=[hashed(OTHER_KEY)])
BARE = RegisteredClient("kiosk")
DISABLED = RegisteredClient("old-app", secret_hash=hashed(SECRET), disabled=True)
CLIENTS = [CLIENT, OTHER, BARE, DISABLED]


@dataclass
class Source:
    """A registry, and what drives its flows."""

    registry: ClientRegistry
    drive: Callable[[Run[Any]], Any]

    def find(self, client_id: str) -> RegisteredClient | None:
        return self._found(self.registry.find(client_id))

    def find_by_key(self, key_hash: str) -> RegisteredClient | None:
        return self._found(self.registry.find_by_key(key_hash))

    def _found(self, answer: Any) -> RegisteredClient | None:
        found: RegisteredClient | None = self.drive(Run(answer)) if isinstance(answer, GeneratorType) else answer
        return found


def blocking(registry: ClientRegistry) -> Source:
    """Asked as WSGI does."""
    return Source(registry, BlockingHTTP(HTTPSettings()).drive)


@contextmanager
def awaiting(registry: ClientRegistry) -> Iterator[tuple[Source, asyncio.Runner]]:
    """Asked as ASGI does, all on one event loop: that of the Runner."""
    http = AwaitingHTTP(HTTPSettings())
    with asyncio.Runner() as runner:
        yield Source(registry, lambda run: runner.run(http.drive(run))), runner


class RegistryContract:
    """For subclasses with a fixture `source` that knows CLIENTS."""

    @pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.client_id)
    def test_a_client_is_found_by_its_id_as_it_was(self, source: Source, client: RegisteredClient) -> None:
        found = source.find(client.client_id)
        assert found == client
        assert found is not None
        assert found.claims_json == client.claims_json

    @pytest.mark.parametrize(("key", "client"), [(KEY, CLIENT), (SPARE_KEY, CLIENT), (OTHER_KEY, OTHER)])
    def test_a_client_is_found_by_each_of_its_keys(self, source: Source, key: str, client: RegisteredClient) -> None:
        assert source.find_by_key(hashed(key)) == client

    def test_an_unknown_id_is_none(self, source: Source) -> None:
        assert source.find(UNKNOWN) is None
        assert source.find("") is None

    def test_an_unknown_key_is_none(self, source: Source) -> None:
        assert source.find_by_key(digest_of(UNKNOWN)) is None
        assert source.find_by_key("") is None

    def test_a_secret_is_no_key(self, source: Source) -> None:
        assert source.find_by_key(hashed(SECRET)) is None

    def test_a_key_is_found_by_its_hash_alone(self, source: Source) -> None:
        assert source.find_by_key(KEY) is None
        assert source.find(KEY) is None
        assert source.find(hashed(KEY)) is None

    def test_an_id_is_no_key(self, source: Source) -> None:
        assert source.find_by_key(CLIENT.client_id) is None
        assert source.find_by_key(digest_of(CLIENT.client_id)) is None

    @pytest.mark.parametrize("change", [change for name, change in NEARLY.items() if name != "lower case"])
    def test_an_id_is_known_by_its_exact_text(self, source: Source, change: Callable[[str], str]) -> None:
        assert source.find(change(CLIENT.client_id)) is None

    @pytest.mark.parametrize("change", NEARLY.values(), ids=NEARLY)
    def test_a_hash_is_known_by_its_exact_text(self, source: Source, change: Callable[[str], str]) -> None:
        changed = change(hashed(KEY))
        assert source.find_by_key(changed) is None or changed == hashed(KEY)

    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    def test_what_is_asked_may_be_any_text_and_is_no_error(self, source: Source, text: str) -> None:
        assert source.find(text) is None
        assert source.find_by_key(text) is None
