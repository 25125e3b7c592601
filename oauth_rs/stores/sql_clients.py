"""Registered clients that SQLAlchemy finds in a database, with the hashes of their secrets and keys.

Whoever reads the rows cannot call as a client; whoever can write to them can register one. Judges nothing, as all
registries, and makes no secret.
"""

import json
import logging
from collections.abc import Collection, Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    MetaData,
    Select,
    String,
    Table,
    Text,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from ..clients import Found, RegisteredClient, digest_of, new_secret
from ..encoding import json_object
from ..errors import Unavailable
from ..flow import Flow
from .sql_database import Database, delete_ids
from .sql_rows import MAX_ID, checked_id, joined, storable

_UNREADABLE = (ValueError, TypeError, AttributeError)  # whatever a row may hold
_HASH = 71  # characters: "sha256:" and 64 digits

logger = logging.getLogger("oauth_rs")


class SQLClients:
    """Clients in the tables `<prefix>registered_clients` and `<prefix>client_keys`.

    `engine` is an Engine or an AsyncEngine. Give it time-outs (`pool_timeout`, by default 30 s, and in `connect_args`
    those of the driver): what takes longer, or fails, is a 503. An AsyncEngine belongs to one event loop, that of the
    application or, under WSGI, one of this package; it does not work under trio.

    Ids have 1 to 255 printable ASCII characters; any other that a client sends is unknown.

    `create_tables`, `add`, `replace`, `remove`, `disable` and `enable` work on a connection and in its transaction:
    `with engine.begin() as connection: store.add(connection, client)`, and with an AsyncEngine
    `await connection.run_sync(store.add, client)`. They raise what SQLAlchemy raises. `engine`, `metadata`, `clients`
    and `keys` are there for migrations and queries.
    """

    def __init__(self, engine: Engine | AsyncEngine, *, prefix: str = "oauth_rs_") -> None:
        self._database = Database(engine)
        self.engine = engine
        self.metadata = MetaData()
        self.clients = Table(f"{prefix}registered_clients", self.metadata, *_client_columns())
        self.keys = Table(f"{prefix}client_keys", self.metadata, *_key_columns())
        self._query = _query(self.clients, self.keys)
        owner = select(self.keys.c.client_id).where(self.keys.c.key_hash == bindparam("key_hash"))
        self._find = self._query.where(self.clients.c.client_id == bindparam("client_id"))
        self._find_by_key = self._query.where(self.clients.c.client_id == owner.scalar_subquery())
        nobody = RegisteredClient(new_secret(), secret_hash=digest_of(new_secret()))
        self._nobody = [SimpleNamespace(**_row(nobody), key_hash=None, owner=None)]

    def find(self, client_id: str, /) -> Flow[Found]:
        """The client of that id, by one query and the same work whether it exists.

        Raises Unavailable (`credentials_unavailable`, `credentials_unreadable`).
        """
        rows = yield from self._database.all(self._find, client_id=client_id)
        # Compared once more: some collations take `App` for `app`, or ids that end in spaces for those that do not.
        return self._client(rows, known=bool(rows) and rows[0].client_id == client_id)

    def find_by_key(self, key_hash: str, /) -> Flow[Found]:
        """The client of the key, by one query and the same work. Raises Unavailable as `find` does."""
        rows = yield from self._database.all(self._find_by_key, key_hash=key_hash)
        return self._client(rows, known=any(row.key_hash == key_hash and row.owner == row.client_id for row in rows))

    def create_tables(self, connection: Connection, /) -> None:
        """The tables exist; those that did are as they were."""
        self.metadata.create_all(connection)

    def add(self, connection: Connection, /, *clients: RegisteredClient) -> None:
        """The clients are stored.

        Raises ValueError for what cannot be stored, IntegrityError for an id or a key that is there already.
        """
        for row, keys in _stored(clients):
            connection.execute(insert(self.clients), row)
            # Of a namesake that was deleted by other means: nobody inherits them.
            delete_ids(connection, self.keys.c.client_id, [row["client_id"]])
            if keys:
                connection.execute(insert(self.keys), keys)

    def replace(self, connection: Connection, /, *clients: RegisteredClient) -> None:
        """The clients are stored, keys and all, in place of those with the same ids. Raises as `add` does."""
        self.remove(connection, [row["client_id"] for row, _ in _stored(clients)])
        self.add(connection, *clients)

    def remove(self, connection: Connection, client_ids: Collection[str], /) -> None:
        """No client has one of these ids, and none of their keys is good."""
        delete_ids(connection, self.keys.c.client_id, client_ids)
        delete_ids(connection, self.clients.c.client_id, client_ids)

    def disable(self, connection: Connection, client_ids: Collection[str], /) -> None:
        """The clients are refused until they are enabled; unknown ids are passed over."""
        self._set_disabled(connection, client_ids, disabled=True)

    def enable(self, connection: Connection, client_ids: Collection[str], /) -> None:
        """The clients are no longer refused; unknown ids are passed over."""
        self._set_disabled(connection, client_ids, disabled=False)

    def _set_disabled(self, connection: Connection, client_ids: Collection[str], *, disabled: bool) -> None:
        if isinstance(client_ids, str):
            raise TypeError("what is disabled or enabled is a list of ids, not one string")
        if found := [{"id": client_id} for client_id in client_ids if storable(client_id)]:
            change = update(self.clients).where(self.clients.c.client_id == bindparam("id")).values(disabled=disabled)
            connection.execute(change, found)

    def _client(self, rows: Sequence[Any], *, known: bool) -> Found:
        """What the rows stand for; None when they are not those asked for, and then as much is done for nothing."""
        try:
            client = _loaded(rows if known else self._nobody)
        except _UNREADABLE as error:
            logger.error("the rows of %r in %s do not hold what they should", rows[0].client_id, self.clients.name)  # noqa: TRY400 - the traceback may show a hash
            raise Unavailable("credentials_unreadable", "The credentials cannot be checked now.") from error
        return client if known else None


def _query(clients: Table, keys: Table) -> Select[Any]:
    """A row for each key of each client, and one for a client that has none."""
    key_columns = keys.c.key_hash, keys.c.client_id.label("owner")
    return select(*clients.c, *key_columns).select_from(
        clients.outerjoin(keys, keys.c.client_id == clients.c.client_id)
    )


def _loaded(rows: Sequence[Any]) -> RegisteredClient:
    row = rows[0]
    return RegisteredClient(
        row.client_id,
        secret_hash=row.secret_hash,
        key_hashes=[one.key_hash for one in rows if one.owner == row.client_id],
        roles=row.roles.split(),
        scopes=row.scopes.split(),
        properties=json_object(row.properties.encode()),
        disabled=row.disabled,
    )


def _stored(clients: Sequence[RegisteredClient]) -> list[tuple[dict[str, Any], list[dict[str, str]]]]:
    """The row of each client, and the rows of its keys."""
    if not all(isinstance(client, RegisteredClient) for client in clients):
        raise TypeError("what is stored is a RegisteredClient")
    return [(_row(one), [{"key_hash": key, "client_id": one.client_id} for key in one.key_hashes]) for one in clients]


def _row(client: RegisteredClient) -> dict[str, Any]:
    return {
        "client_id": checked_id(client.client_id),
        "secret_hash": client.secret_hash,
        "roles": joined(client.roles),
        "scopes": joined(client.scopes),
        "properties": json.dumps(client.properties),
        "disabled": client.disabled,
    }


def _client_columns() -> list[Column[Any]]:
    return [
        Column("client_id", String(MAX_ID), primary_key=True),
        Column("secret_hash", String(_HASH), nullable=False),
        Column("roles", Text, nullable=False),
        Column("scopes", Text, nullable=False),
        Column("properties", Text, nullable=False),
        Column("disabled", Boolean, nullable=False),
    ]


def _key_columns() -> list[Column[Any]]:
    return [
        Column("key_hash", String(_HASH), primary_key=True),
        Column("client_id", String(MAX_ID), nullable=False, index=True),
    ]
