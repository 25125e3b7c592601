from collections.abc import Iterator

import pytest

from tests.outbound.provider import API, Provider, providing, serving_api


@pytest.fixture
def provider() -> Iterator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture
def api() -> Iterator[API]:
    with serving_api() as api:
        yield api


@pytest.fixture
def other() -> Iterator[API]:
    """An API at another origin."""
    with serving_api() as api:
        yield api
