from collections.abc import Iterator

import pytest

from tests.support.issuing import Issuer
from tests.support.serving import ScriptedServer, serving


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def web() -> Iterator[ScriptedServer]:
    """An HTTP server that answers as the test tells it."""
    with serving() as server:
        yield server
