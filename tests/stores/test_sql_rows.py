import logging
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.credentials import MACKey, OAuth1Client, OAuth1Token
from oauth_rs.errors import Unavailable
from oauth_rs.stores.sql_rows import Rows, Value, storable
from tests.support.finding import CLIENT, HOSTILE, MAC_KEY, TOKEN

OLD, NEW = Fernet.generate_key(), Fernet.generate_key()
ROWS = Rows([NEW, OLD], "oauth_rs_")
PUBLIC_KEY = rsa.generate_private_key(65537, 2048).public_key()
RSA_CLIENT = OAuth1Client(client_id="rsa", rsa_key=PUBLIC_KEY)


def found(value: Value, asked: str = "", /, **cells: Any) -> Any:
    """What is made of the row of `value`, with some cells changed."""
    table, row = ROWS.row(value)
    row |= cells
    return ROWS.value(table, list(row.values()), asked or row[table.primary_key.columns[0].name])


VALUES: dict[str, Value] = {
    "client": CLIENT,
    "client with scopes": OAuth1Client(client_id="app", secret="s", scopes={"b", "a"}),
    "client with PLAINTEXT alone": OAuth1Client(client_id="app", secret="s", methods=["PLAINTEXT"]),
    "client with a key": RSA_CLIENT,
    "client with both": OAuth1Client(client_id="both", secret="s", rsa_key=PUBLIC_KEY, methods=["RSA-SHA1"]),
    "token": TOKEN,
    "token without a secret": OAuth1Token(token="t", client_id="app", secret=""),
    "token that ends": OAuth1Token(token="t", client_id="app", secret="s", expires_at=2**40),
    "MAC key": MAC_KEY,
    "least of a MAC key": MACKey(kid="k", key="key"),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_row_is_the_value_again(value: Value) -> None:
    again = found(value)
    assert again == value
    assert getattr(again, "secret", "") == getattr(value, "secret", "")


@given(secret=st.text(st.characters(exclude_categories=["Cs"])), key=st.binary(min_size=1))
def test_any_secret_is_itself_again(secret: str, key: bytes) -> None:
    assert found(OAuth1Token(token="t", client_id="app", secret=secret)).secret == secret
    assert found(MACKey(kid="k", key=key)).key == key


@pytest.mark.parametrize("value", [CLIENT, TOKEN, MAC_KEY], ids=lambda value: type(value).__name__)
def test_a_row_holds_its_secret_in_no_readable_form(value: Value) -> None:
    row = repr(ROWS.row(value)[1])
    assert "secret of" not in row
    assert "key of" not in row
    assert repr(ROWS.row(value)[1]) != row  # the same secret twice is not seen to be the same


@pytest.mark.parametrize("value", [CLIENT, TOKEN, MAC_KEY], ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("asked", ["", "nobody", "PHOTOPRINTER0123456789"])
def test_the_row_of_another_id_is_nothing(value: Value, asked: str) -> None:
    table, row = ROWS.row(value)
    assert ROWS.value(table, list(row.values()), asked) is None


@pytest.mark.parametrize("value", [CLIENT, TOKEN, MAC_KEY], ids=lambda value: type(value).__name__)
def test_no_row_is_nothing(value: Value) -> None:
    table, row = ROWS.row(value)
    assert ROWS.value(table, [None] * len(row), "asked") is None


UNREADABLE: dict[str, tuple[Value, dict[str, Any]]] = {
    "a secret in the clear": (CLIENT, {"secret": "secret of the printer"}),
    "a secret of another key": (TOKEN, {"secret": Fernet(Fernet.generate_key()).encrypt(b"s").decode()}),
    "a secret cut short": (CLIENT, {"secret": ROWS.row(CLIENT)[1]["secret"][:-4]}),
    "a secret that is no text": (TOKEN, {"secret": Fernet(NEW).encrypt(b"\xff").decode()}),
    "no secret": (CLIENT, {"secret": None}),
    "a number for a secret": (CLIENT, {"secret": 7}),
    "an empty MAC key": (MAC_KEY, {"key": Fernet(NEW).encrypt(b"").decode()}),
    "a MAC key of another key": (MAC_KEY, {"key": Fernet(Fernet.generate_key()).encrypt(b"s").decode()}),
    "an algorithm nobody knows": (MAC_KEY, {"algorithm": "hmac-md5"}),
    "an RSA algorithm for a MAC": (MAC_KEY, {"algorithm": "RSA-SHA256"}),
    "no algorithm": (MAC_KEY, {"algorithm": None}),
    "a method nobody knows": (CLIENT, {"methods": "HMAC-SHA1 HMAC-MD5"}),
    "a method without its key": (CLIENT, {"methods": "RSA-SHA1"}),
    "no methods": (CLIENT, {"methods": ""}),
    "no text of methods": (CLIENT, {"methods": None}),
    "a key that is none": (RSA_CLIENT, {"rsa_key": "-----BEGIN PUBLIC KEY-----"}),
    "an empty key": (RSA_CLIENT, {"rsa_key": ""}),
    "a key that went away": (RSA_CLIENT, {"rsa_key": None}),
    "a curve nobody knows": (
        RSA_CLIENT,
        {"rsa_key": "-----BEGIN PUBLIC KEY-----\nMBQwDAYHKoZIzj0CAQYBKgMEAAQBAg==\n-----END PUBLIC KEY-----\n"},
    ),
    "no scopes": (TOKEN, {"scopes": None}),
    "no subject": (TOKEN, {"subject": None}),
    "no client": (TOKEN, {"client_id": None}),
    "no client of a MAC key": (MAC_KEY, {"client_id": None}),
    "no expiry": (TOKEN, {"expires_at": None}),
    "an expiry in words": (MAC_KEY, {"expires_at": "never"}),
    "an issue in words": (MAC_KEY, {"issued_at": "once"}),
}


@pytest.mark.parametrize(("value", "cells"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_row_that_holds_no_value_is_an_outage_not_an_error(value: Value, cells: dict[str, Any]) -> None:
    with pytest.raises(Unavailable) as caught:
        found(value, **cells)
    assert caught.value.reason == "credentials_unreadable"


def test_the_log_names_the_row_and_not_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Unavailable):
        found(TOKEN, secret="secret of the token")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "oauth_rs_tokens" in record.message
    assert TOKEN.token not in caplog.text
    assert "sha256:" in record.message
    assert "secret of" not in caplog.text


def test_a_row_that_is_not_asked_for_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    assert found(TOKEN, "another", secret="not encrypted") is None
    assert not caplog.records


def test_a_key_that_is_left_out_decrypts_no_more() -> None:
    old, new = Rows([OLD], "oauth_rs_"), Rows([NEW], "oauth_rs_")
    table, row = old.row(CLIENT)
    assert old.value(table, list(row.values()), CLIENT.client_id) == CLIENT
    with pytest.raises(Unavailable):
        new.value(new.clients, list(row.values()), CLIENT.client_id)


def test_a_secret_of_an_older_key_is_renewed_for_the_newest_one() -> None:
    encrypted = Fernet(OLD).encrypt(b"secret")
    renewed = ROWS.renewed(ROWS.clients, "app", encrypted.decode())
    assert Fernet(NEW).decrypt(renewed) == b"secret"
    with pytest.raises(InvalidToken):
        Fernet(OLD).decrypt(renewed)


def test_a_secret_of_the_newest_key_needs_no_renewal() -> None:
    assert ROWS.renewed(ROWS.clients, "app", Fernet(NEW).encrypt(b"secret").decode()) == ""


@pytest.mark.parametrize("encrypted", [None, "", "in the clear", Fernet(Fernet.generate_key()).encrypt(b"s").decode()])
def test_a_secret_that_no_key_decrypts_is_left_and_logged(encrypted: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert ROWS.renewed(ROWS.clients, "app", encrypted) == ""
    assert "'app' of oauth_rs_clients" in caplog.text
    assert "in the clear" not in caplog.text


@pytest.mark.parametrize("text", ["a", "a" * 255, "id with spaces", "~!@#$%^&*()\"'\\"])
def test_ids_are_printable_ascii(text: str) -> None:
    assert storable(text)


@pytest.mark.parametrize("text", ["", "a" * 256, "é", "\x7f", "a\n", *(HOSTILE[name] for name in ("NUL", "long"))])
def test_an_id_that_a_database_may_balk_at_is_not_stored(text: str) -> None:
    assert not storable(text)
    with pytest.raises(ValueError, match="255 printable ASCII characters"):
        ROWS.row(OAuth1Client(client_id=text, secret="s"))
    with pytest.raises(ValueError, match="255 printable ASCII characters"):
        ROWS.row(OAuth1Token(token="t", client_id=text, secret="s"))


@pytest.mark.parametrize("scope", ["", "two words", "new\nline", " photos"])
def test_a_scope_that_is_not_one_word_is_not_stored(scope: str) -> None:
    with pytest.raises(ValueError, match="white space"):
        ROWS.row(OAuth1Client(client_id="app", secret="s", scopes={"photos", scope}))


@pytest.mark.parametrize("value", [None, "app", {"client_id": "app"}])
def test_nothing_but_credentials_is_stored(value: Any) -> None:
    with pytest.raises(TypeError, match="OAuth1Client"):
        ROWS.row(value)


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ([], ValueError),
        (["too short"], ValueError),
        ([b"\xff" * 32], ValueError),
        ([NEW, ""], ValueError),
        (NEW, TypeError),
        (NEW.decode(), TypeError),
    ],
)
def test_keys_that_encrypt_nothing_are_refused_at_the_start(keys: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Rows(keys, "oauth_rs_")


def test_keys_may_be_text_as_environments_hold_them() -> None:
    rows = Rows([NEW.decode(), OLD.decode()], "oauth_rs_")
    assert rows.value(rows.clients, list(ROWS.row(CLIENT)[1].values()), CLIENT.client_id) == CLIENT


def test_the_only_indexes_are_the_primary_keys() -> None:
    for table in ROWS.metadata.tables.values():
        assert not table.indexes
        assert len(table.primary_key.columns) == 1
