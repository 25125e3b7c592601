"""Credentials that sign requests, written where resource servers look them up: clients, tokens, MAC keys.

Does not ask who wants them: `grants` and `oauth1` do that for requests, and nobody does for `DevServer`.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

from oauth_rs.credentials import MACKey, OAuth1Client, OAuth1Token
from oauth_rs.devserver.tokens import Mint

if TYPE_CHECKING:  # SQLAlchemy is for those who give a store
    from sqlalchemy import Engine

    from oauth_rs.stores.sql import SQLCredentials


class Ledger:
    """Makes credentials of `mint`'s clients and writes them to `store`; writes nothing where that is None.

    The tables are made, and `clients` put in place of their namesakes from earlier runs, whose tokens stay good.
    ValueError for a store with an AsyncEngine: requests are answered in threads here.
    """

    def __init__(self, store: "SQLCredentials | None", *, mint: Mint, clients: Iterable[OAuth1Client] = ()) -> None:
        self.mint = mint
        self._store = store
        if store is not None:
            with _engine(store).begin() as connection:
                store.create_tables(connection)
                store.replace(connection, *clients)

    @property
    def writes(self) -> bool:
        return self._store is not None

    def oauth1_token(
        self, *, client_id: str | None = None, subject: str = "", scope: str = "", expires_at: int = 0
    ) -> OAuth1Token:
        """A new token, written down. OAuth 1.0a cannot tell a client when a token ends, so by default it does not."""
        token = OAuth1Token(
            token=token_urlsafe(16),
            client_id=self.mint.client_id if client_id is None else client_id,
            secret=token_urlsafe(32),
            subject=subject,
            scopes=scope.split(),
            expires_at=expires_at,
        )
        self.keep(token)
        return token

    def mac_key(
        self,
        *,
        client_id: str | None = None,
        subject: str = "",
        scope: str = "",
        algorithm: str = "hmac-sha-256",
        expires_at: int | None = None,
    ) -> MACKey:
        """A new key, written down. It lives as long as tokens do unless `expires_at` is given, 0 for never."""
        now = int(self.mint.clock())
        key = MACKey(
            kid=token_urlsafe(16),
            key=token_urlsafe(32),
            algorithm=algorithm,
            subject=subject,
            client_id=self.mint.client_id if client_id is None else client_id,
            scopes=scope.split(),
            expires_at=now + self.mint.lifetime if expires_at is None else expires_at,
            issued_at=now,
        )
        self.keep(key)
        return key

    def keep(self, value: OAuth1Token | MACKey) -> None:
        """`value` is in the store, and good from now on."""
        if self._store is not None:
            with _engine(self._store).begin() as connection:
                self._store.add(connection, value)


def open_store(file: Path) -> "SQLCredentials":
    """The store in the SQLite `file`, with its encryption key in `file`.key beside it, made (mode 0600) when missing.

    OSError when the key can neither be read nor made, ValueError for a file or a key that is none.
    """
    from sqlalchemy import URL, NullPool, create_engine  # noqa: PLC0415 - with the extra `sql` only
    from sqlalchemy.exc import DatabaseError  # noqa: PLC0415

    from oauth_rs.stores.sql import SQLCredentials  # noqa: PLC0415

    engine = create_engine(URL.create("sqlite", database=str(file)), poolclass=NullPool)
    store = SQLCredentials(engine, keys=[_key(Path(f"{file}.key"))])
    try:
        with engine.begin() as connection:
            store.create_tables(connection)
    except DatabaseError as error:
        raise ValueError(f"not an SQLite database: {error.orig}") from error
    return store


def _key(file: Path) -> bytes:
    with suppress(FileExistsError):  # never in place of one that is there: what it encrypted would be lost
        file.touch(0o600, exist_ok=False)
        file.write_bytes(Fernet.generate_key())
    return file.read_bytes().strip()


def _engine(store: "SQLCredentials") -> "Engine":
    if hasattr(store.engine, "sync_engine"):
        raise ValueError("the development server writes with threads: give its SQLCredentials an Engine of its own")
    return store.engine
