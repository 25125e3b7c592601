"""Credentials that SQLAlchemy finds in a database: OAuth 1.0a clients and tokens, MAC keys.

Secrets are encrypted at rest; sql_rows.py says how, and what that is good for. Judges nothing, as all sources of
credentials, and issues nothing.
"""

import logging
from collections.abc import Collection, Iterable
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    Table,
    bindparam,
    delete,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from ..credentials import MACKey, OAuth1Pair
from ..errors import Unavailable
from ..flow import Call, Flow
from .sql_rows import Rows, Value, storable

_BATCH = 500  # secrets encrypted anew in one transaction: some 50 ms, so nobody waits long for its locks
_FAILURES = (SQLAlchemyError, OSError)  # OSError: some async drivers let theirs through, time-outs among them

_Ids: TypeAlias = tuple[tuple[str, str], ...]

logger = logging.getLogger("oauth_rs")


class SQLCredentials:
    """Credentials in the tables `<prefix>clients`, `<prefix>tokens` and `<prefix>mac_keys`.

    `engine` is an Engine or an AsyncEngine. Give it time-outs (`pool_timeout`, by default 30 s, and in `connect_args`
    those of the driver): what takes longer, or fails, is a 503. An AsyncEngine belongs to one event loop, that of the
    application or, under WSGI, one of this package; it does not work under trio.

    `keys` are made by `Fernet.generate_key()`, the newest first: that one encrypts, all of them decrypt. To change it,
    let every process know the new key as the last one, then as the first one; call `rotate`; then drop the old one.

    Ids are stored in the clear, and have 1 to 255 printable ASCII characters; any other that a client sends is unknown.

    `create_tables`, `add`, `replace`, `remove` and `rotate` work on a connection and in its transaction:
    `with engine.begin() as connection: store.add(connection, client)`, and with an AsyncEngine
    `await connection.run_sync(store.add, client)`. They raise what SQLAlchemy raises. `engine`, `metadata`, `clients`,
    `tokens` and `mac_keys` are there for migrations and queries.
    """

    def __init__(self, engine: Engine | AsyncEngine, *, keys: Iterable[bytes | str], prefix: str = "oauth_rs_") -> None:
        if not isinstance(engine, Engine | AsyncEngine):
            raise TypeError("engine is made by sqlalchemy.create_engine or create_async_engine")
        self._rows = Rows(keys, prefix)
        self.metadata = self._rows.metadata
        self.clients, self.tokens, self.mac_keys = self._rows.clients, self._rows.tokens, self._rows.mac_keys
        self.engine = self._engine = engine
        if engine.dialect.name == "postgresql":
            # One statement needs no transaction round it: this saves two of three round trips. The drivers of other
            # databases would spend as many on the switch.
            self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._pair_query = _query(self.clients, self.tokens)
        self._mac_key_query = _query(self.mac_keys)

    def oauth1(self, client_id: str, token: str, /) -> Flow[OAuth1Pair]:
        """The client and the token, by one query and the same work whichever of them exist.

        Raises Unavailable (`credentials_unavailable`, `credentials_unreadable`).
        """
        row = yield from self._ask(self._pair_query, client_id=client_id, token=token)
        width = len(self.clients.c)
        client = self._rows.value(self.clients, row[:width], client_id)
        return client, self._rows.value(self.tokens, row[width:], token) if token else None

    def mac_key(self, kid: str, /) -> Flow[MACKey | None]:
        """The key called `kid`. Raises Unavailable (`credentials_unavailable`, `credentials_unreadable`)."""
        row = yield from self._ask(self._mac_key_query, kid=kid)
        key: MACKey | None = self._rows.value(self.mac_keys, row, kid)
        return key

    def create_tables(self, connection: Connection, /) -> None:
        """The tables exist; those that did are as they were."""
        self.metadata.create_all(connection)

    def add(self, connection: Connection, /, *values: Value) -> None:
        """OAuth1Clients, OAuth1Tokens and MACKeys are stored.

        Raises ValueError for what cannot be stored, IntegrityError for an id that is there already.
        """
        for table, row in map(self._rows.row, values):
            connection.execute(insert(table), row)

    def replace(self, connection: Connection, /, *values: Value) -> None:
        """The values are stored, in place of those with the same ids. Raises ValueError for what cannot be stored."""
        for table, row in map(self._rows.row, values):
            key = _key(table)
            _delete(connection, key, [row[key.name]])
            connection.execute(insert(table), row)

    def remove(
        self,
        connection: Connection,
        /,
        *,
        clients: Collection[str] = (),
        tokens: Collection[str] = (),
        mac_keys: Collection[str] = (),
    ) -> None:
        """Nothing is stored under these ids. The tokens of a client go with it, lest a namesake inherits them."""
        _delete(connection, self.tokens.c.client_id, clients)
        _delete(connection, self.clients.c.client_id, clients)
        _delete(connection, self.tokens.c.token, tokens)
        _delete(connection, self.mac_keys.c.kid, mac_keys)

    def rotate(self, connection: Connection, /) -> int:
        """Every secret is encrypted with the newest key; gives the number of those that were not.

        Takes a connection without a transaction, for it commits batch after batch. Requests may be served and secrets
        changed meanwhile, and one that broke off can be run again. What no key decrypts is logged and left as it is.
        """
        if connection.in_transaction():
            raise ValueError("rotate commits in batches: give it a connection of engine.connect(), not engine.begin()")
        secrets = ((self.clients, "secret"), (self.tokens, "secret"), (self.mac_keys, "key"))
        return sum(self._rotate(connection, table, table.c[name]) for table, name in secrets)

    def _rotate(self, connection: Connection, table: Table, secret: ColumnElement[str]) -> int:
        key = _key(table)
        page = select(key, secret).order_by(key).limit(_BATCH)
        # Only where the secret is what was read: another may have been stored since.
        change = (
            update(table).where(key == bindparam("id"), secret == bindparam("old")).values({secret: bindparam("new")})
        )
        renewed, rows = 0, connection.execute(page).all()
        while rows:
            pairs = [(*row, self._rows.renewed(table, *row)) for row in rows]
            stale = [{"id": identifier, "old": old, "new": new} for identifier, old, new in pairs if new]
            if stale:
                connection.execute(change, stale)
            connection.commit()
            renewed += len(stale)
            rows = connection.execute(page.where(key > rows[-1][0])).all()
        connection.rollback()
        return renewed

    def _ask(self, query: Select[Any], **ids: str) -> Flow[Row[Any]]:
        # What cannot be stored is looked for too, as what is never there: no request is told by its time or an error.
        askable = tuple((name, value if storable(value) else "") for name, value in ids.items())
        arguments = (self._engine, query, askable)
        if isinstance(self._engine, AsyncEngine):
            row: Row[Any] = yield from Call(awaiting=_awaiting, arguments=arguments)
        else:
            row = yield from Call(blocking=_blocking, arguments=arguments)
        return row


def _query(*tables: Table) -> Select[Any]:
    """One row with the columns of all tables, those of a table NULL where it has no row of the id asked for."""
    source: Any = select(literal_column("1").label("one")).subquery("always")
    for table in tables:
        key = _key(table)
        source = source.outerjoin(table, key == bindparam(key.name))
    return select(*(column for table in tables for column in table.c)).select_from(source)


def _blocking(engine: Engine, query: Select[Any], ids: _Ids, *, again: bool = True) -> Row[Any]:
    try:
        with engine.connect() as connection:
            row: Row[Any] = connection.execute(query, dict(ids)).one()
            return row
    except _FAILURES as error:
        if not (again and _was_cut(error)):
            raise _unavailable(error) from error
    return _blocking(engine, query, ids, again=False)


async def _awaiting(engine: AsyncEngine, query: Select[Any], ids: _Ids, *, again: bool = True) -> Row[Any]:
    try:
        async with engine.connect() as connection:
            row: Row[Any] = (await connection.execute(query, dict(ids))).one()
            return row
    except _FAILURES as error:
        if not (again and _was_cut(error)):
            raise _unavailable(error) from error
    return await _awaiting(engine, query, ids, again=False)


def _was_cut(error: Exception) -> bool:
    # A connection that lay idle, mostly. The pool has dropped all it had, so the next one is made anew.
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _unavailable(error: Exception) -> Unavailable:
    cause = getattr(error, "orig", None) or error
    logger.warning("credentials were not found out: %s %.200r", type(cause).__name__, str(cause))
    return Unavailable("credentials_unavailable", "The credentials cannot be checked now.")


def _key(table: Table) -> ColumnElement[str] | Any:
    return table.primary_key.columns[0]


def _delete(connection: Connection, column: ColumnElement[str] | Any, ids: Collection[str]) -> None:
    if isinstance(ids, str):
        raise TypeError("what is removed is a list of ids, not one string")
    if found := [{"id": identifier} for identifier in ids if storable(identifier)]:
        connection.execute(delete(column.table).where(column == bindparam("id")), found)
