from typing import Any

import pytest

from oauth_rs import Unavailable
from oauth_rs.clients import FunctionClients, RegisteredClient, registry_of
from oauth_rs.providers.known_clients import admit
from tests.providers.asking import DOWN
from tests.providers.presenting import refused
from tests.support.playing import called, play

KNOWN = registry_of([RegisteredClient("app"), RegisteredClient("gone", disabled=True)])


def find(_client_id: str) -> Any: ...


def test_a_known_client_is_admitted_without_asking_anybody() -> None:
    play(admit(KNOWN, "app"))


@pytest.mark.parametrize("client_id", ["gone", "stranger", "App", "app ", "app\0", ""], ids=ascii)
def test_any_other_client_is_refused(client_id: str) -> None:
    with refused("client_not_registered"):
        play(admit(KNOWN, client_id))


def test_without_a_registry_every_client_is_admitted() -> None:
    play(admit(None, ""))


def test_a_function_is_asked_by_the_shell() -> None:
    clients = FunctionClients(find=find)
    play(admit(clients, "app"), (called(find, "app"), RegisteredClient("app")))
    with refused("client_not_registered"):
        play(admit(clients, "app"), (called(find, "app"), None))


def test_a_registry_that_cannot_be_asked_is_no_verdict() -> None:
    with pytest.raises(Unavailable):
        play(admit(FunctionClients(find=find), "app"), (called(find, "app"), DOWN))
