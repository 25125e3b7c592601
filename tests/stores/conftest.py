from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from tests.support.databases import disposed
from tests.support.postgres import Postgres, running_postgres
from tests.support.redis_server import RedisServer, running_redis


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def urls(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """The URL of a database of the kind that is named; only the one of PostgreSQL is there already."""

    def url(kind: str) -> str:
        if kind == "postgresql":
            server: Postgres = request.getfixturevalue("postgres")
            return server.url
        return f"{kind}:///{tmp_path_factory.mktemp('sql')}/credentials.db"

    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(urls: Callable[[str], str], request: pytest.FixtureRequest) -> Iterator[Engine]:
    with disposed(create_engine(urls(request.param))) as engine:
        yield engine


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Engine]:
    with disposed(create_engine(f"sqlite:///{tmp_path}/credentials.db")) as engine:
        yield engine


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server for the tests that do it no harm; they empty it."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(shared: RedisServer) -> RedisServer:
    shared.says("flushall")
    return shared


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RedisServer]:
    """A server to stop, stun and start again."""
    with running_redis(tmp_path) as server:
        yield server
