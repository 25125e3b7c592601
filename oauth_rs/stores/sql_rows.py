"""Clients, tokens and MAC keys as rows of SQL tables, their secrets encrypted (Fernet), and rows as values again.

Whoever reads the rows cannot sign requests with them. Whoever can write to them can: RSA keys are public keys, in the
clear, and nothing ties a secret to its row. Does not reach for a database itself.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text

from ..credentials import MACKey, OAuth1Client, OAuth1Token
from ..errors import Unavailable

MAX_ID = 255  # characters: the index of every common database takes a primary key of this length
_UNREADABLE = (ValueError, TypeError, AttributeError, InvalidToken, UnsupportedAlgorithm)  # whatever a row may hold

Value: TypeAlias = OAuth1Client | OAuth1Token | MACKey

logger = logging.getLogger("oauth_rs")


class Rows:
    """The tables `<prefix>clients`, `<prefix>tokens` and `<prefix>mac_keys`, and how values stand in them."""

    def __init__(self, keys: Iterable[bytes | str], prefix: str) -> None:
        if isinstance(keys, bytes | str):
            raise TypeError("keys is a list of keys, the newest first")
        fernets = [Fernet(key) for key in keys]
        if not fernets:
            raise ValueError("keys holds at least one key, made by cryptography.fernet.Fernet.generate_key()")
        self._newest, self._fernet = fernets[0], MultiFernet(fernets)
        self.metadata = MetaData()
        self.clients = Table(f"{prefix}clients", self.metadata, *_client_columns())
        self.tokens = Table(f"{prefix}tokens", self.metadata, *_token_columns())
        self.mac_keys = Table(f"{prefix}mac_keys", self.metadata, *_mac_key_columns())
        self._loads: dict[Table, Callable[[dict[str, Any]], Value]] = {
            self.clients: self._client,
            self.tokens: self._token,
            self.mac_keys: self._mac_key,
        }
        secret = token_urlsafe()
        nobodies: list[Value] = [
            OAuth1Client(client_id=secret, secret=secret),
            OAuth1Token(token=secret, client_id=secret, secret=secret),
            MACKey(kid=secret, key=secret),
        ]
        self._nobody = dict(map(self.row, nobodies))

    def row(self, value: Value) -> tuple[Table, dict[str, Any]]:
        """The table and the row of `value`. Raises ValueError for ids and scopes that cannot be stored."""
        if isinstance(value, OAuth1Client):
            return self.clients, self._client_row(value)
        if isinstance(value, OAuth1Token):
            return self.tokens, self._token_row(value)
        if isinstance(value, MACKey):
            return self.mac_keys, self._mac_key_row(value)
        raise TypeError("what is stored is an OAuth1Client, an OAuth1Token or a MACKey")

    def value(self, table: Table, cells: Sequence[Any], asked: str) -> Any:
        """What the row stands for; None when it is not that of the id `asked`, and then as much is done for nothing.

        Raises Unavailable (`credentials_unreadable`) and logs an error for a row that holds no such value.
        """
        # Compared once more: some collations take `App` for `app`, or ids that end in spaces for those that do not.
        known = cells[0] == asked
        try:
            row = dict(zip(self._nobody[table], cells, strict=True)) if known else self._nobody[table]
            value = self._loads[table](row)
        except _UNREADABLE as error:
            _log_unreadable(table, asked)
            raise Unavailable("credentials_unreadable", "The credentials cannot be checked now.") from error
        return value if known else None

    def renewed(self, table: Table, identifier: str, encrypted: str) -> str:
        """The same secret encrypted with the newest key; "" where it was so, and where no key decrypts it (logged)."""
        try:
            self._newest.decrypt(encrypted)
        except (InvalidToken, TypeError):
            return self._renewed(table, identifier, encrypted)
        return ""

    def _renewed(self, table: Table, identifier: str, encrypted: str) -> str:
        try:
            return self._fernet.rotate(encrypted).decode()
        except (InvalidToken, TypeError):
            _log_unreadable(table, identifier)
            return ""

    def _client_row(self, client: OAuth1Client) -> dict[str, Any]:
        return {
            "client_id": checked_id(client.client_id),
            "secret": self._encrypted(client.secret.encode()),
            "rsa_key": _pem(client.rsa_key) if isinstance(client.rsa_key, RSAPublicKey) else None,
            "methods": joined(client.methods),
            "scopes": joined(client.scopes),
        }

    def _token_row(self, token: OAuth1Token) -> dict[str, Any]:
        return {
            "token": checked_id(token.token),
            "client_id": checked_id(token.client_id),
            "secret": self._encrypted(token.secret.encode()),
            "subject": token.subject,
            "scopes": joined(token.scopes),
            "expires_at": token.expires_at,
        }

    def _mac_key_row(self, key: MACKey) -> dict[str, Any]:
        return {
            "kid": checked_id(key.kid),
            "key": self._encrypted(key.key if isinstance(key.key, bytes) else key.key.encode()),
            "algorithm": str(key.algorithm),
            "subject": key.subject,
            "client_id": key.client_id and checked_id(key.client_id),
            "scopes": joined(key.scopes),
            "expires_at": key.expires_at,
            "issued_at": key.issued_at,
        }

    def _client(self, row: dict[str, Any]) -> OAuth1Client:
        return OAuth1Client(
            client_id=row["client_id"],
            secret=self._fernet.decrypt(row["secret"]).decode(),
            rsa_key=None if row["rsa_key"] is None else _public_key(row["rsa_key"]),
            methods=row["methods"].split() or [""],  # none at all is not all that are possible
            scopes=row["scopes"].split(),
        )

    def _token(self, row: dict[str, Any]) -> OAuth1Token:
        return OAuth1Token(
            token=row["token"],
            client_id=_text(row["client_id"]),
            secret=self._fernet.decrypt(row["secret"]).decode(),
            subject=_text(row["subject"]),
            scopes=row["scopes"].split(),
            expires_at=int(row["expires_at"]),
        )

    def _mac_key(self, row: dict[str, Any]) -> MACKey:
        return MACKey(
            kid=row["kid"],
            key=self._fernet.decrypt(row["key"]),
            algorithm=row["algorithm"],
            subject=_text(row["subject"]),
            client_id=_text(row["client_id"]),
            scopes=row["scopes"].split(),
            expires_at=int(row["expires_at"]),
            issued_at=None if row["issued_at"] is None else int(row["issued_at"]),
        )

    def _encrypted(self, secret: bytes) -> str:
        return self._newest.encrypt(secret).decode()


def storable(identifier: str) -> bool:
    """True for 1 to MAX_ID printable ASCII characters: some database has an error for every other, NUL to emoji."""
    return 0 < len(identifier) <= MAX_ID and identifier.isascii() and identifier.isprintable()


def _client_columns() -> list[Column[Any]]:
    return [
        Column("client_id", String(MAX_ID), primary_key=True),
        Column("secret", Text, nullable=False),
        Column("rsa_key", Text),
        Column("methods", String(255), nullable=False),
        Column("scopes", Text, nullable=False),
    ]


def _token_columns() -> list[Column[Any]]:
    return [
        Column("token", String(MAX_ID), primary_key=True),
        Column("client_id", String(MAX_ID), nullable=False),
        Column("secret", Text, nullable=False),
        Column("subject", Text, nullable=False),
        Column("scopes", Text, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
    ]


def _mac_key_columns() -> list[Column[Any]]:
    return [
        Column("kid", String(MAX_ID), primary_key=True),
        Column("key", Text, nullable=False),
        Column("algorithm", String(32), nullable=False),
        Column("subject", Text, nullable=False),
        Column("client_id", String(MAX_ID), nullable=False),
        Column("scopes", Text, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
        Column("issued_at", BigInteger),
    ]


def checked_id(identifier: str) -> str:
    """`identifier`, when it is storable. Raises ValueError otherwise."""
    if not storable(identifier):
        raise ValueError(f"an id that is stored is 1 to {MAX_ID} printable ASCII characters")
    return identifier


def _text(cell: object) -> str:
    if not isinstance(cell, str):
        raise TypeError("not a text")
    return cell


def joined(values: Collection[str]) -> str:
    """One text, that `split` takes apart again. Raises ValueError where it would not."""
    words = sorted(map(str, values))
    if (text := " ".join(words)).split() != words:
        raise ValueError("a scope or role that is stored is not empty and holds no white space")
    return text


def _pem(key: RSAPublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@lru_cache(maxsize=1024)
def _public_key(pem: str) -> RSAPublicKey:
    # Kept, so that a client with a key takes no longer than one without; what it is, OAuth1Client checks.
    return load_pem_public_key(pem.encode())  # type: ignore[return-value]


def _log_unreadable(table: Table, identifier: str) -> None:
    if "token" in table.c:  # tokens are in no log
        identifier = f"sha256:{sha256(identifier.encode()).hexdigest()[:12]}"
    logger.error("the row %r of %s does not hold what it should, or no key of ours decrypts it", identifier, table.name)
