import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest
from sqlalchemy import (
    Column,
    Engine,
    MetaData,
    NullPool,
    Select,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    insert,
    literal_column,
    select,
)
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from oauth_rs.errors import Unavailable
from oauth_rs.fetch import HTTPSettings
from oauth_rs.fetch.awaiting import AwaitingHTTP
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Call, Flow, Run
from oauth_rs.stores.sql_database import Database, delete_ids
from tests.support.databases import cut_all, disposed, new_prefix
from tests.support.finding import HOSTILE
from tests.support.postgres import Postgres

TABLE = Table(f"{new_prefix()}things", MetaData(), Column("id", String(255)), Column("kind", String(20)))
QUERY = select(TABLE.c.kind).where(TABLE.c.id == bindparam("id")).order_by(TABLE.c.kind)
ROWS = [("a", "one"), ("b", "one"), ("b", "two"), ("%", "percent")]

Ask = Callable[[Flow[Any]], Any]


def fill(connection: Any) -> None:
    TABLE.metadata.drop_all(connection)
    TABLE.metadata.create_all(connection)
    connection.execute(insert(TABLE), [{"id": identifier, "kind": kind} for identifier, kind in ROWS])


def filled(engine: Engine) -> Database:
    with engine.begin() as connection:
        fill(connection)
    return Database(engine)


def block(flow: Flow[Any]) -> Any:
    return BlockingHTTP(HTTPSettings()).drive(Run(flow))


@contextmanager
def awaited(url: str, **options: Any) -> Iterator[tuple[Database, Ask]]:
    """A database behind an AsyncEngine, and how ASGI asks it: on one event loop."""
    engine, http = create_async_engine(url, **options), AwaitingHTTP(HTTPSettings())

    async def begin() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(fill)

    with asyncio.Runner() as runner:
        try:
            runner.run(begin())
            yield Database(engine), lambda flow: runner.run(http.drive(Run(flow)))
        finally:
            runner.run(engine.dispose())


@pytest.fixture(params=["sqlite", "postgresql", "sqlite+aiosqlite", "postgresql, awaited"])
def asked(urls: Callable[[str], str], request: pytest.FixtureRequest) -> Iterator[tuple[Database, Ask]]:
    kind, _, awaits = request.param.partition(", ")
    if awaits or "aio" in kind:
        with awaited(urls(kind)) as database:
            yield database
    else:
        with disposed(create_engine(urls(kind))) as engine:
            yield filled(engine), block


def reason(ask: Ask, flow: Flow[Any]) -> str:
    with pytest.raises(Unavailable) as caught:
        ask(flow)
    return caught.value.reason


# Questions


def test_rows_are_found_by_id(asked: tuple[Database, Ask]) -> None:
    database, ask = asked
    assert ask(database.one(QUERY, id="a")) == ("one",)
    assert ask(database.all(QUERY, id="b")) == [("one",), ("two",)]
    assert ask(database.all(QUERY, id="nobody")) == []


@pytest.mark.parametrize("identifier", ["b", "nobody"])
def test_what_should_be_one_row_and_is_not_is_an_outage(asked: tuple[Database, Ask], identifier: str) -> None:
    database, ask = asked
    assert reason(ask, database.one(QUERY, id=identifier)) == "credentials_unavailable"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_any_text_is_asked_for_and_no_error(asked: tuple[Database, Ask], text: str) -> None:
    database, ask = asked
    assert ask(database.all(QUERY, id=text)) == ([("percent",)] if text == "%" else [])


@pytest.mark.parametrize("text", ["\0", "", "\ud800", "a" * 256, "\u00e4"])
def test_what_cannot_be_stored_is_never_sent_to_the_database(text: str) -> None:
    database = Database(create_engine("sqlite://"))
    effect = Run(database.all(QUERY, id=text)).effect
    assert isinstance(effect, Call)
    assert effect.arguments[-1] == (("id", ""),)


def test_a_question_is_an_effect_that_can_be_shared(lite: Engine) -> None:
    database = Database(lite)
    one, same, other = (Run(flow).effect for flow in (database.all(QUERY, id=name) for name in "aab"))
    assert one == same != other
    assert hash(one) == hash(same)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_engine_that_blocks_serves_those_who_await(lite: Engine, backend: str) -> None:
    database, http = filled(lite), AwaitingHTTP(HTTPSettings())

    async def ask() -> Any:
        return await http.drive(Run(database.one(QUERY, id="a")))

    assert anyio.run(ask, backend=backend) == ("one",)


def test_an_engine_that_awaits_serves_those_who_block(lite: Engine) -> None:
    filled(lite)
    engine = create_async_engine(lite.url.set(drivername="sqlite+aiosqlite"), poolclass=NullPool)
    assert block(Database(engine).one(QUERY, id="a")) == ("one",)


def test_on_postgresql_a_question_opens_no_transaction(postgres: Postgres) -> None:
    with disposed(create_engine(postgres.url)) as engine:
        database, seen = filled(engine), []

        def look(_connection: Any, cursor: Any, *_args: Any) -> None:
            seen.append(cursor.connection.info.transaction_status.name)

        event.listen(engine, "after_cursor_execute", look)
        block(database.one(QUERY, id="a"))
        with engine.connect() as connection:  # what the application does has its transactions as before
            connection.execute(select(TABLE))
        assert seen == ["IDLE", "INTRANS"]


# Out of order


def test_a_table_that_is_not_there_is_an_outage_with_its_cause_in_the_log(
    asked: tuple[Database, Ask], caplog: pytest.LogCaptureFixture
) -> None:
    database, ask = asked
    missing: Select[Any] = select(literal_column("1")).select_from(Table("missing_table", MetaData()))
    assert reason(ask, database.all(missing, id="app\nINJECTED")) == "credentials_unavailable"
    (record,) = caplog.records
    assert "missing_table" in record.message
    assert "\n" not in record.message


@pytest.mark.parametrize("error", [ConnectionRefusedError, TimeoutError, OSError])
def test_an_error_that_a_driver_lets_through_is_an_outage(error: type[OSError]) -> None:
    def refuse() -> Any:
        raise error

    database = Database(create_engine("sqlite://", creator=refuse))
    assert reason(block, database.all(QUERY, id="a")) == "credentials_unavailable"


def test_what_no_database_raises_is_not_hidden() -> None:
    def broken() -> Any:
        raise KeyError

    with pytest.raises(KeyError):
        block(Database(create_engine("sqlite://", creator=broken)).all(QUERY, id="a"))


def test_connections_that_were_cut_while_idle_cost_no_request(postgres: Postgres) -> None:
    with disposed(create_engine(postgres.url)) as engine:
        database = filled(engine)
        cut_all(postgres)
        assert [block(database.one(QUERY, id="a")) for _ in range(3)] == [("one",)] * 3


def test_connections_that_were_cut_while_idle_cost_no_awaited_request(postgres: Postgres) -> None:
    with awaited(postgres.url) as (database, ask):
        cut_all(postgres)
        assert [ask(database.one(QUERY, id="a")) for _ in range(3)] == [("one",)] * 3


def test_connections_that_are_cut_again_and_again_are_an_outage(postgres: Postgres) -> None:
    with disposed(create_engine(postgres.url)) as engine:
        database, tries = filled(engine), []

        def cut(connection: Any, *_args: Any) -> None:
            tries.append(connection)
            cut_all(postgres)

        event.listen(engine, "before_cursor_execute", cut)
        assert reason(block, database.one(QUERY, id="a")) == "credentials_unavailable"
        assert len(tries) == 2


# Rows that go


@pytest.mark.parametrize(
    ("ids", "left"),
    [
        ([], ["%", "a", "b", "b"]),
        (["b"], ["%", "a"]),
        ({"a", "nobody"}, ["%", "b", "b"]),
        (["%"], ["a", "b", "b"]),
        (("\0", "", "a" * 256), ["%", "a", "b", "b"]),
        (["' OR '1'='1"], ["%", "a", "b", "b"]),
    ],
    ids=str,
)
def test_rows_go_by_their_ids(engine: Engine, ids: Any, left: list[str]) -> None:
    filled(engine)
    with engine.begin() as connection:
        delete_ids(connection, TABLE.c.id, ids)
    with engine.connect() as connection:
        assert sorted(connection.execute(select(TABLE.c.id)).scalars()) == left


def test_one_string_is_no_list_of_ids(lite: Engine) -> None:
    filled(lite)
    with lite.begin() as connection, pytest.raises(TypeError, match="list of ids"):
        delete_ids(connection, TABLE.c.id, "ab")


@pytest.mark.parametrize("engine", ["sqlite://", None, Engine, AsyncEngine], ids=["URL", "nothing", "class", "other"])
def test_only_an_engine_is_an_engine(engine: Any) -> None:
    with pytest.raises(TypeError, match="create_engine"):
        Database(engine)
