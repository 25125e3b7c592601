import os
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from oauth_rs import MACKey, OAuth1Client, SignatureMethod
from oauth_rs.devserver.keys import KeyRing
from oauth_rs.devserver.ledger import Ledger, open_store
from oauth_rs.devserver.tokens import Mint
from oauth_rs.stores.sql import SQLCredentials
from tests.devserver.conftest import found

NOW = 1_800_000_000
MINT = Mint(
    issuer="http://127.0.0.1:9000",
    audience="urn:api",
    client_id="demo",
    keys=KeyRing("Ed25519"),
    lifetime=60,
    clock=lambda: NOW,
)
CLIENT = OAuth1Client(client_id="demo", secret="secret", scopes={"photos"})


@pytest.fixture
def ledger(store: SQLCredentials) -> Ledger:
    return Ledger(store, mint=MINT, clients=[CLIENT])


def test_a_ledger_without_a_store_writes_nothing_and_says_so() -> None:
    ledger = Ledger(None, mint=MINT, clients=[CLIENT])
    assert not ledger.writes
    assert ledger.mac_key(scope="photos").client_id == "demo"


def test_an_async_engine_is_refused() -> None:
    store = SQLCredentials(create_async_engine("sqlite+aiosqlite://"), keys=[Fernet.generate_key()])
    with pytest.raises(ValueError, match="an Engine of its own"):
        Ledger(store, mint=MINT)


@pytest.mark.parametrize("algorithm", ["RSA-SHA1", "PLAINTEXT", "hmac-md5"])
def test_a_mac_key_is_for_hmac(ledger: Ledger, algorithm: str) -> None:
    with pytest.raises(ValueError, match=r"hmac-sha-1|is not a signature method"):
        ledger.mac_key(algorithm=algorithm)


def test_one_id_is_not_given_to_two(ledger: Ledger) -> None:
    key = ledger.mac_key()
    with pytest.raises(IntegrityError):
        ledger.keep(MACKey(kid=key.kid, key="another"))


def test_nothing_is_found_that_was_not_written(ledger: Ledger, store: SQLCredentials) -> None:
    assert ledger.writes
    assert found(store.oauth1("nobody", "t1")) == (None, None)
    assert found(store.mac_key("k1")) is None


def test_clients_and_their_tokens_are_found(ledger: Ledger, store: SQLCredentials) -> None:
    token = ledger.oauth1_token(subject="ada", scope="photos albums")
    assert found(store.oauth1("demo", token.token)) == (CLIENT, token)
    assert (token.client_id, token.subject, token.scopes) == ("demo", "ada", {"photos", "albums"})
    assert token.expires_at == 0


def test_a_token_may_end_and_be_for_anybody(ledger: Ledger, store: SQLCredentials) -> None:
    token = ledger.oauth1_token(client_id="other", expires_at=NOW - 1)
    assert found(store.oauth1("other", token.token)) == (None, token)
    assert (token.client_id, token.subject, token.expires_at) == ("other", "", NOW - 1)


def test_no_two_tokens_or_keys_are_alike(ledger: Ledger) -> None:
    tokens = [ledger.oauth1_token() for _ in range(2)]
    keys = [ledger.mac_key() for _ in range(2)]
    assert len({text for token in tokens for text in (token.token, token.secret)}) == 4
    assert len({text for key in keys for text in (key.kid, key.key)}) == 4


def test_a_mac_key_lives_as_long_as_a_token_of_the_mint(ledger: Ledger, store: SQLCredentials) -> None:
    key = ledger.mac_key(subject="ada", scope="photos")
    assert found(store.mac_key(key.kid)) == key
    assert (key.issued_at, key.expires_at, key.algorithm) == (NOW, NOW + 60, SignatureMethod.HMAC_SHA256)


@pytest.mark.parametrize("expires_at", [0, NOW - 1])
def test_a_mac_key_may_end_earlier_or_never(ledger: Ledger, expires_at: int) -> None:
    key = ledger.mac_key(client_id="other", algorithm="hmac-sha-1", expires_at=expires_at)
    assert (key.client_id, key.expires_at, key.algorithm) == ("other", expires_at, SignatureMethod.HMAC_SHA1)


def test_a_later_run_replaces_clients_and_keeps_their_tokens(ledger: Ledger, store: SQLCredentials) -> None:
    token = ledger.oauth1_token(subject="ada")
    changed = OAuth1Client(client_id="demo", secret="another", scopes={"photos"})
    Ledger(store, mint=MINT, clients=[changed])
    assert found(store.oauth1("demo", token.token)) == (changed, token)


def test_a_store_is_made_with_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    open_store(tmp_path / "dev.sqlite")
    assert stat.S_IMODE((tmp_path / "dev.sqlite.key").stat().st_mode) == 0o600


def test_a_store_that_is_opened_again_has_what_was_written(tmp_path: Path) -> None:
    token = Ledger(open_store(tmp_path / "dev.sqlite"), mint=MINT, clients=[CLIENT]).oauth1_token()
    assert found(open_store(tmp_path / "dev.sqlite").oauth1("demo", token.token)) == (CLIENT, token)


def test_no_secret_is_in_the_file(tmp_path: Path) -> None:
    ledger = Ledger(open_store(tmp_path / "dev.sqlite"), mint=MINT, clients=[CLIENT])
    token, key = ledger.oauth1_token(), ledger.mac_key()
    data = (tmp_path / "dev.sqlite").read_bytes()
    assert token.token.encode() in data
    assert not [secret for secret in (token.secret, key.key) if str(secret).encode() in data]


@pytest.mark.parametrize("key", [b"", b"short", b"A" * 44 + b"!"])
def test_a_key_file_that_holds_no_key_is_refused_and_kept(tmp_path: Path, key: bytes) -> None:
    (tmp_path / "dev.sqlite.key").write_bytes(key)
    with pytest.raises(ValueError, match="Fernet key"):
        open_store(tmp_path / "dev.sqlite")
    assert (tmp_path / "dev.sqlite.key").read_bytes() == key


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "dev.sqlite").write_bytes(b"minutes of the meeting " * 100)
    with pytest.raises(ValueError, match="not an SQLite database"):
        open_store(tmp_path / "dev.sqlite")
    assert (tmp_path / "dev.sqlite").read_bytes().startswith(b"minutes")


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=os.strerror(2)):
        open_store(tmp_path / "nowhere" / "dev.sqlite")
