"""What stores on SQLAlchemy have in common: one question to a database, blocking or awaiting, and rows that go by id.

Knows no table. Whatever a database does other than answer ends as Unavailable.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, CursorResult, Engine, Row, Select, bindparam, delete
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from ..errors import Unavailable
from ..flow import Call, Flow
from .sql_rows import storable

_FAILURES = (SQLAlchemyError, OSError)  # OSError: some async drivers let theirs through, time-outs among them

_Take: TypeAlias = Callable[[CursorResult[Any]], Any]
_Ids: TypeAlias = tuple[tuple[str, str], ...]

logger = logging.getLogger("oauth_rs")


class Database:
    """The database behind an Engine or an AsyncEngine, for one query at a time."""

    def __init__(self, engine: Engine | AsyncEngine) -> None:
        if not isinstance(engine, Engine | AsyncEngine):
            raise TypeError("engine is made by sqlalchemy.create_engine or create_async_engine")
        self._engine = engine
        if engine.dialect.name == "postgresql":
            # One statement needs no transaction round it: this saves two of three round trips. The drivers of other
            # databases would spend as many on the switch.
            self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    def one(self, query: Select[Any], **ids: str) -> Flow[Row[Any]]:
        """The one row that `query` has for `ids`. Raises Unavailable (`credentials_unavailable`)."""
        row: Row[Any] = yield from self._ask(CursorResult.one, query, ids)
        return row

    def all(self, query: Select[Any], **ids: str) -> Flow[Sequence[Row[Any]]]:
        """The rows that `query` has for `ids`. Raises Unavailable (`credentials_unavailable`)."""
        rows: Sequence[Row[Any]] = yield from self._ask(CursorResult.all, query, ids)
        return rows

    def _ask(self, take: _Take, query: Select[Any], ids: dict[str, str]) -> Flow[Any]:
        # What cannot be stored is looked for too, as what is never there: no request is told by its time or an error.
        askable = tuple((name, value if storable(value) else "") for name, value in ids.items())
        arguments = (self._engine, take, query, askable)
        if isinstance(self._engine, AsyncEngine):
            return (yield from Call(awaiting=_awaiting, arguments=arguments))
        return (yield from Call(blocking=_blocking, arguments=arguments))


def delete_ids(connection: Connection, column: ColumnElement[str] | Any, ids: Collection[str]) -> None:
    """No row has one of `ids` in `column`."""
    if isinstance(ids, str):
        raise TypeError("what is removed is a list of ids, not one string")
    if found := [{"id": identifier} for identifier in ids if storable(identifier)]:
        connection.execute(delete(column.table).where(column == bindparam("id")), found)


def _blocking(engine: Engine, take: _Take, query: Select[Any], ids: _Ids, *, again: bool = True) -> Any:
    try:
        with engine.connect() as connection:
            return take(connection.execute(query, dict(ids)))
    except _FAILURES as error:
        if not (again and _was_cut(error)):
            raise _unavailable(error) from error
    return _blocking(engine, take, query, ids, again=False)


async def _awaiting(engine: AsyncEngine, take: _Take, query: Select[Any], ids: _Ids, *, again: bool = True) -> Any:
    try:
        async with engine.connect() as connection:
            return take(await connection.execute(query, dict(ids)))
    except _FAILURES as error:
        if not (again and _was_cut(error)):
            raise _unavailable(error) from error
    return await _awaiting(engine, take, query, ids, again=False)


def _was_cut(error: Exception) -> bool:
    # A connection that lay idle, mostly. The pool has dropped all it had, so the next one is made anew.
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _unavailable(error: Exception) -> Unavailable:
    cause = getattr(error, "orig", None) or error
    logger.warning("credentials were not found out: %s %.200r", type(cause).__name__, str(cause))
    return Unavailable("credentials_unavailable", "The credentials cannot be checked now.")
