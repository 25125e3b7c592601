"""Databases for tests: engines that are disposed of, tables under names of their own, connections that are cut."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, text

from tests.support.postgres import Postgres

_numbers = itertools.count()


def new_prefix() -> str:
    """What no other table's name begins with."""
    return f"t{next(_numbers)}_"


@contextmanager
def disposed(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    finally:
        engine.dispose()


def cut_all(postgres: Postgres) -> None:
    """What firewalls and restarts do to connections that lie idle in a pool."""
    with disposed(create_engine(postgres.url, isolation_level="AUTOCOMMIT")) as engine, engine.connect() as connection:
        others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        connection.execute(text(f"{others} AND backend_type = 'client backend'"))


def add_lax_collation(connection: Any, *_args: Any) -> None:
    """To be called when SQLite connects: `COLLATE lax` minds neither case nor spaces at the end."""

    def compare(one: str, other: str) -> int:
        one, other = one.rstrip().lower(), other.rstrip().lower()
        return (one > other) - (one < other)

    connection.create_collation("lax", compare)
