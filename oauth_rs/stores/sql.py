"""Credentials that SQLAlchemy finds in a database: OAuth 1.0a clients and tokens, MAC keys.

Secrets are encrypted at rest; sql_rows.py says how, and what that is good for. Judges nothing, as all sources of
credentials, and issues nothing.
"""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    bindparam,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from ..credentials import MACKey, OAuth1Pair
from ..flow import Flow
from .sql_database import Database, delete_ids
from .sql_rows import Rows, Value

_BATCH = 500  # secrets encrypted anew in one transaction: some 50 ms, so nobody waits long for its locks


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
        self._database = Database(engine)
        self._rows = Rows(keys, prefix)
        self.metadata = self._rows.metadata
        self.clients, self.tokens, self.mac_keys = self._rows.clients, self._rows.tokens, self._rows.mac_keys
        self.engine = engine
        self._pair_query = _query(self.clients, self.tokens)
        self._mac_key_query = _query(self.mac_keys)

    def oauth1(self, client_id: str, token: str, /) -> Flow[OAuth1Pair]:
        """The client and the token, by one query and the same work whichever of them exist.

        Raises Unavailable (`credentials_unavailable`, `credentials_unreadable`).
        """
        row = yield from self._database.one(self._pair_query, client_id=client_id, token=token)
        width = len(self.clients.c)
        client = self._rows.value(self.clients, row[:width], client_id)
        return client, self._rows.value(self.tokens, row[width:], token) if token else None

    def mac_key(self, kid: str, /) -> Flow[MACKey | None]:
        """The key called `kid`. Raises Unavailable (`credentials_unavailable`, `credentials_unreadable`)."""
        row = yield from self._database.one(self._mac_key_query, kid=kid)
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
            delete_ids(connection, key, [row[key.name]])
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
        delete_ids(connection, self.tokens.c.client_id, clients)
        delete_ids(connection, self.clients.c.client_id, clients)
        delete_ids(connection, self.tokens.c.token, tokens)
        delete_ids(connection, self.mac_keys.c.kid, mac_keys)

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


def _query(*tables: Table) -> Select[Any]:
    """One row with the columns of all tables, those of a table NULL where it has no row of the id asked for."""
    source: Any = select(literal_column("1").label("one")).subquery("always")
    for table in tables:
        key = _key(table)
        source = source.outerjoin(table, key == bindparam(key.name))
    return select(*(column for table in tables for column in table.c)).select_from(source)


def _key(table: Table) -> ColumnElement[str] | Any:
    return table.primary_key.columns[0]
