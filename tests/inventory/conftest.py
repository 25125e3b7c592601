"""Servers to stand in front of the applications that are looked at."""

from collections.abc import Callable

import pytest

from oauth_rs import Bearer, ResourceServer
from tests.support.issuing import Issuer

Servers = Callable[..., ResourceServer]


@pytest.fixture
def server(issuer: Issuer) -> Servers:
    """Makes a server with the given options."""

    def make(**options: object) -> ResourceServer:
        return ResourceServer(Bearer(issuer.provider()), **options)  # type: ignore[arg-type]  # of all kinds

    return make
