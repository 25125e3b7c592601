import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import Engine, NullPool, create_engine, event, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from oauth_rs.credentials import FunctionCredentials, MACKey, OAuth1Client, OAuth1Token, StaticCredentials
from oauth_rs.errors import Unavailable
from oauth_rs.fetch import HTTPSettings
from oauth_rs.fetch.awaiting import AwaitingHTTP
from oauth_rs.flow import Run
from oauth_rs.stores import sql, sql_rows
from oauth_rs.stores.sql import SQLCredentials
from tests.support.databases import add_lax_collation, cut_all, disposed, new_prefix
from tests.support.finding import (
    CLIENT,
    HOSTILE,
    MAC_KEY,
    TOKEN,
    UNKNOWN,
    CredentialsContract,
    Source,
    awaiting,
    blocking,
)
from tests.support.postgres import Postgres

OLD, NEW = Fernet.generate_key(), Fernet.generate_key()
BOTH = (CLIENT.client_id, TOKEN.token)
SOON = 10.0  # seconds: much less than it takes to wait for what does not come


def fill(store: SQLCredentials, engine: Engine, *values: Any) -> SQLCredentials:
    with engine.begin() as connection:
        store.create_tables(connection)
        store.add(connection, *(values or (CLIENT, TOKEN, MAC_KEY)))
    return store


async def fill_async(store: SQLCredentials, engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(store.create_tables)
        await connection.run_sync(store.add, CLIENT, TOKEN, MAC_KEY)


@contextmanager
def awaited_store(url: str, **options: Any) -> Iterator[tuple[Source, asyncio.Runner]]:
    engine = create_async_engine(url, **options)
    store = SQLCredentials(engine, keys=[NEW, OLD], prefix=new_prefix())
    with awaiting(store) as (source, runner):
        try:
            runner.run(fill_async(store, engine))
            yield source, runner
        finally:
            runner.run(engine.dispose())


def functions(*, coroutines: bool) -> FunctionCredentials:
    clients, tokens, keys = {CLIENT.client_id: CLIENT}, {TOKEN.token: TOKEN}, {MAC_KEY.kid: MAC_KEY}

    def token(_client_id: str, asked: str) -> OAuth1Token | None:
        return tokens.get(asked)

    async def async_client(asked: str) -> OAuth1Client | None:
        return clients.get(asked)

    async def async_token(_client_id: str, asked: str) -> OAuth1Token | None:
        return tokens.get(asked)

    async def async_key(asked: str) -> MACKey | None:
        return keys.get(asked)

    if coroutines:
        return FunctionCredentials(client=async_client, token=async_token, mac_key=async_key)
    return FunctionCredentials(client=clients.get, token=token, mac_key=keys.get)


class TestInMemory(CredentialsContract):
    @pytest.fixture(params=["static", "functions", "coroutine functions"])
    def source(self, request: pytest.FixtureRequest) -> Source:
        if request.param == "static":
            return blocking(StaticCredentials(clients=[CLIENT], tokens=[TOKEN], mac_keys=[MAC_KEY]))
        return blocking(functions(coroutines=request.param == "coroutine functions"))


class TestBlocking(CredentialsContract):
    @pytest.fixture(scope="class", params=["sqlite", "postgresql"])
    @classmethod
    def source(cls, urls: Callable[[str], str], request: pytest.FixtureRequest) -> Iterator[Source]:
        with disposed(create_engine(urls(request.param))) as engine:
            yield blocking(fill(SQLCredentials(engine, keys=[NEW, OLD], prefix=new_prefix()), engine))


class TestAwaiting(CredentialsContract):
    @pytest.fixture(scope="class", params=["sqlite+aiosqlite", "postgresql"])
    @classmethod
    def source(cls, urls: Callable[[str], str], request: pytest.FixtureRequest) -> Iterator[Source]:
        with awaited_store(urls(request.param)) as (source, _runner):
            yield source


def store_in(engine: Engine, *values: Any, keys: Any = (NEW, OLD)) -> SQLCredentials:
    return fill(SQLCredentials(engine, keys=keys, prefix=new_prefix()), engine, *values)


def reason(ask: Callable[[], object]) -> str:
    with pytest.raises(Unavailable) as caught:
        ask()
    return caught.value.reason


# One query, the same work


@pytest.mark.parametrize(
    "pair",
    [BOTH, (UNKNOWN, UNKNOWN), (CLIENT.client_id, UNKNOWN), (UNKNOWN, ""), (HOSTILE["NUL"], HOSTILE["long"])],
    ids=["known", "both unknown", "unknown token", "no token", "hostile"],
)
def test_every_pair_takes_one_statement_and_the_same(engine: Engine, pair: tuple[str, str]) -> None:
    source, statements = blocking(store_in(engine)), []
    source.pair(*BOTH)  # the first connection has more to say
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    source.pair(*BOTH)
    source.pair(*pair)
    assert len(statements) == 2
    assert statements[0] == statements[1]


@pytest.fixture
def decrypted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was decrypted, as it happens."""
    secrets: list[bytes] = []

    class Counted(MultiFernet):
        def decrypt(self, msg: bytes | str, ttl: int | None = None) -> bytes:
            secrets.append(secret := super().decrypt(msg, ttl))
            return secret

    monkeypatch.setattr(sql_rows, "MultiFernet", Counted)
    return secrets


@pytest.mark.parametrize("pair", [BOTH, (UNKNOWN, UNKNOWN), (CLIENT.client_id, UNKNOWN), (UNKNOWN, TOKEN.token)])
def test_as_many_secrets_are_decrypted_whatever_is_known(
    lite: Engine, pair: tuple[str, str], decrypted: list[bytes]
) -> None:
    blocking(store_in(lite)).pair(*pair)
    assert len(decrypted) == 2


def test_an_unknown_mac_key_is_decrypted_for_nothing(lite: Engine, decrypted: list[bytes]) -> None:
    assert blocking(store_in(lite)).mac_key(UNKNOWN) is None
    assert len(decrypted) == 1


def test_on_postgresql_a_question_opens_no_transaction(postgres: Postgres) -> None:
    with disposed(create_engine(postgres.url)) as engine:
        store = store_in(engine)
        seen: list[Any] = []

        def look(_connection: Any, cursor: Any, *_args: Any) -> None:
            seen.append(cursor.connection.info.transaction_status.name)

        event.listen(engine, "after_cursor_execute", look)
        blocking(store).pair(*BOTH)
        with engine.connect() as connection:  # what the application does has its transactions as before
            connection.execute(select(store.clients))
        assert seen == ["IDLE", "INTRANS"]


@pytest.mark.parametrize("similar", [CLIENT.client_id.upper(), CLIENT.client_id + " "])
def test_a_database_that_is_lax_about_ids_does_not_decide(lite: Engine, similar: str) -> None:
    store = SQLCredentials(lite, keys=[NEW])
    event.listen(lite, "connect", add_lax_collation)
    columns = "client_id VARCHAR(255) PRIMARY KEY COLLATE lax, secret, rsa_key, methods, scopes"
    with lite.begin() as connection:
        connection.execute(text(f"CREATE TABLE {store.clients.name} ({columns})"))
    fill(store, lite, CLIENT)
    with lite.connect() as connection:
        same = select(func.count()).where(store.clients.c.client_id == similar)
        assert connection.execute(same).scalar() == 1
    assert blocking(store).pair(similar) == (None, None)
    assert blocking(store).pair(CLIENT.client_id) == (CLIENT, None)


# Out of order


def test_a_database_without_the_tables_is_an_outage(engine: Engine) -> None:
    source = blocking(SQLCredentials(engine, keys=[NEW], prefix=new_prefix()))
    assert reason(lambda: source.pair(*BOTH)) == "credentials_unavailable"
    assert reason(lambda: source.mac_key("kid")) == "credentials_unavailable"


def test_a_pool_that_is_used_up_is_an_outage(lite: Engine) -> None:
    store_in(lite)
    with disposed(create_engine(lite.url, pool_size=1, max_overflow=0, pool_timeout=0.05)) as engine, engine.connect():
        source = blocking(SQLCredentials(engine, keys=[NEW]))
        assert reason(lambda: source.pair(*BOTH)) == "credentials_unavailable"


@pytest.mark.parametrize("error", [ConnectionRefusedError, TimeoutError, OSError])
def test_an_error_that_a_driver_lets_through_is_an_outage(error: type[OSError]) -> None:
    def refuse() -> Any:
        raise error

    source = blocking(SQLCredentials(create_engine("sqlite://", creator=refuse), keys=[NEW]))
    assert reason(lambda: source.pair(*BOTH)) == "credentials_unavailable"


def test_what_no_database_raises_is_not_hidden() -> None:
    def broken() -> Any:
        raise KeyError

    source = blocking(SQLCredentials(create_engine("sqlite://", creator=broken), keys=[NEW]))
    with pytest.raises(KeyError):
        source.pair(*BOTH)


def test_an_outage_is_logged_with_its_cause(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    source = blocking(SQLCredentials(engine, keys=[NEW], prefix=new_prefix()))
    reason(lambda: source.pair("app\nINJECTED", ""))
    (record,) = caplog.records
    assert "\n" not in record.message
    assert "clients" in record.message


def test_a_secret_that_no_key_decrypts_is_an_outage_and_logged(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    store = store_in(engine, keys=[OLD])
    source = blocking(SQLCredentials(engine, keys=[NEW], prefix=store.clients.name.removesuffix("clients")))
    assert reason(lambda: source.pair(*BOTH)) == "credentials_unreadable"
    assert reason(lambda: source.mac_key(MAC_KEY.kid)) == "credentials_unreadable"
    assert f"{CLIENT.client_id!r} of {store.clients.name}" in caplog.text
    assert source.pair(UNKNOWN, UNKNOWN) == (None, None)


def test_a_row_that_is_no_client_is_an_outage(engine: Engine) -> None:
    store = store_in(engine)
    with engine.begin() as connection:
        connection.execute(update(store.clients).values(methods="HMAC-MD5"))
    assert reason(lambda: blocking(store).pair(*BOTH)) == "credentials_unreadable"


def test_a_database_that_went_away_is_an_outage_until_it_is_back(postgres: Postgres) -> None:
    with disposed(create_engine(postgres.url)) as engine:
        source = blocking(store_in(engine))
        source.pair(*BOTH)
        postgres.stop()
        try:
            started = time.monotonic()
            assert [reason(lambda: source.pair(*BOTH)) for _ in range(3)] == ["credentials_unavailable"] * 3
            assert time.monotonic() - started < SOON
        finally:
            postgres.start()
        assert source.pair(*BOTH) == (CLIENT, TOKEN)


def test_a_database_that_went_away_is_an_outage_for_those_who_await_too(postgres: Postgres) -> None:
    with awaited_store(postgres.url) as (source, _runner):
        source.pair(*BOTH)
        postgres.stop()
        try:
            started = time.monotonic()
            assert [reason(lambda: source.pair(*BOTH)) for _ in range(3)] == ["credentials_unavailable"] * 3
            assert time.monotonic() - started < SOON
        finally:
            postgres.start()
        assert source.pair(*BOTH) == (CLIENT, TOKEN)


def test_connections_that_were_cut_while_idle_cost_no_request(postgres: Postgres) -> None:
    with disposed(create_engine(postgres.url)) as engine:
        source = blocking(store_in(engine))
        with engine.connect(), engine.connect():  # several lie idle
            pass
        cut_all(postgres)
        assert [source.pair(*BOTH) for _ in range(3)] == [(CLIENT, TOKEN)] * 3


def test_connections_that_were_cut_while_idle_cost_no_awaited_request(postgres: Postgres) -> None:
    with awaited_store(postgres.url) as (source, _runner):
        source.pair(*BOTH)
        cut_all(postgres)
        assert [source.pair(*BOTH) for _ in range(3)] == [(CLIENT, TOKEN)] * 3


# Both engines under both shells


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_engine_that_blocks_serves_those_who_await(lite: Engine, backend: str) -> None:
    store, http = store_in(lite), AwaitingHTTP(HTTPSettings())

    async def ask() -> Any:
        return await http.drive(Run(store.oauth1(*BOTH)))

    assert anyio.run(ask, backend=backend) == (CLIENT, TOKEN)


def test_an_engine_that_awaits_serves_those_who_block(lite: Engine) -> None:
    store = store_in(lite)
    url = lite.url.set(drivername="sqlite+aiosqlite")
    awaited = SQLCredentials(
        create_async_engine(url, poolclass=NullPool), keys=[NEW], prefix=store.clients.name.removesuffix("clients")
    )
    assert blocking(awaited).pair(*BOTH) == (CLIENT, TOKEN)


def test_requests_at_once_get_each_their_own_answer(engine: Engine) -> None:
    clients = [OAuth1Client(client_id=f"app{number}", secret=f"secret {number}") for number in range(8)]
    source = blocking(store_in(engine, *clients))
    found: list[Any] = []

    def ask(client: OAuth1Client) -> None:
        found.extend(source.pair(client.client_id)[0] == client for _ in range(20))

    threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 160


# What is stored


def test_the_file_holds_ids_but_no_secret(lite: Engine, tmp_path: Path) -> None:
    store = store_in(lite, CLIENT, TOKEN, MAC_KEY)
    with lite.begin() as connection:
        store.replace(connection, CLIENT)
    content = (tmp_path / "credentials.db").read_bytes()
    for public in (CLIENT.client_id, TOKEN.token, MAC_KEY.kid):
        assert public.encode() in content
    for secret in (CLIENT.secret.encode(), TOKEN.secret.encode(), b"secret of", b"key of ada"):
        assert secret not in content


def test_stores_with_other_prefixes_do_not_meet(engine: Engine) -> None:
    store_in(engine)
    assert blocking(store_in(engine, MAC_KEY)).pair(*BOTH) == (None, None)


def test_the_tables_may_be_there_already(engine: Engine) -> None:
    store = store_in(engine)
    with engine.begin() as connection:
        store.create_tables(connection)
    assert blocking(store).pair(*BOTH) == (CLIENT, TOKEN)


def test_what_is_added_is_part_of_the_transaction(engine: Engine) -> None:
    store = store_in(engine)
    with engine.connect() as connection:
        store.add(connection, OAuth1Client(client_id="app", secret="s"))
        connection.rollback()
    assert blocking(store).pair("app") == (None, None)


def test_what_is_there_is_not_added_again(engine: Engine) -> None:
    store = store_in(engine)
    with pytest.raises(IntegrityError), engine.begin() as connection:
        store.add(connection, OAuth1Client(client_id=CLIENT.client_id, secret="another"))
    assert blocking(store).pair(*BOTH) == (CLIENT, TOKEN)


@pytest.mark.parametrize("name", ["add", "replace"])
def test_nothing_is_stored_of_values_of_which_one_cannot_be(engine: Engine, name: str) -> None:
    store = store_in(engine)
    good, bad = OAuth1Client(client_id="app", secret="s"), OAuth1Client(client_id="a\0pp", secret="s")
    with pytest.raises(ValueError, match="printable"), engine.begin() as connection:
        getattr(store, name)(connection, good, bad)
    assert blocking(store).pair("app") == (None, None)


def test_what_is_replaced_has_its_new_secret_and_keeps_its_tokens(engine: Engine) -> None:
    store, changed = store_in(engine), OAuth1Client(client_id=CLIENT.client_id, secret="another")
    with engine.begin() as connection:
        store.replace(connection, changed, OAuth1Client(client_id="app", secret="s"))
    client, token = blocking(store).pair(*BOTH)
    assert client is not None
    assert (client.secret, token) == ("another", TOKEN)
    assert blocking(store).pair("app")[0] is not None


REMOVED: dict[str, tuple[dict[str, list[str]], tuple[Any, Any, Any]]] = {
    "token": ({"tokens": [TOKEN.token]}, (CLIENT, None, MAC_KEY)),
    "MAC key": ({"mac_keys": [MAC_KEY.kid]}, (CLIENT, TOKEN, None)),
    "client, with its tokens": ({"clients": [CLIENT.client_id]}, (None, None, MAC_KEY)),
    "nothing": ({}, (CLIENT, TOKEN, MAC_KEY)),
    "unknown ones": ({"clients": [UNKNOWN], "tokens": [UNKNOWN], "mac_keys": [UNKNOWN]}, (CLIENT, TOKEN, MAC_KEY)),
    "others' ids": ({"clients": [TOKEN.token], "tokens": [MAC_KEY.kid, CLIENT.client_id]}, (CLIENT, TOKEN, MAC_KEY)),
    "hostile ids": ({"clients": list(HOSTILE.values()), "tokens": ["\0"]}, (CLIENT, TOKEN, MAC_KEY)),
}


@pytest.mark.parametrize(("ids", "left"), REMOVED.values(), ids=REMOVED)
def test_what_is_removed_is_unknown(engine: Engine, ids: dict[str, list[str]], left: Any) -> None:
    store = store_in(engine)
    with engine.begin() as connection:
        store.remove(connection, **ids)
    source = blocking(store)
    assert (*source.pair(*BOTH), source.mac_key(MAC_KEY.kid)) == left


def test_one_string_is_no_list_of_ids(lite: Engine) -> None:
    store = store_in(lite)
    with lite.begin() as connection, pytest.raises(TypeError, match="list"):
        store.remove(connection, clients="app")


# Rotation


def rotate(store: SQLCredentials, engine: Engine) -> int:
    with engine.connect() as connection:
        return store.rotate(connection)


def with_keys(store: SQLCredentials, engine: Engine, *keys: bytes) -> SQLCredentials:
    return SQLCredentials(engine, keys=keys, prefix=store.clients.name.removesuffix("clients"))


def test_after_a_rotation_the_old_key_can_go(engine: Engine) -> None:
    old = store_in(engine, keys=[OLD])
    assert rotate(with_keys(old, engine, NEW, OLD), engine) == 3
    source = blocking(with_keys(old, engine, NEW))
    assert (source.pair(*BOTH), source.mac_key(MAC_KEY.kid)) == ((CLIENT, TOKEN), MAC_KEY)
    assert reason(lambda: blocking(old).pair(*BOTH)) == "credentials_unreadable"


def test_a_second_rotation_has_nothing_to_do(engine: Engine) -> None:
    store = with_keys(store_in(engine, keys=[OLD]), engine, NEW, OLD)
    assert rotate(store, engine) == 3
    with engine.connect() as connection:
        before = connection.execute(select(store.tokens)).all()
    assert rotate(store, engine) == 0
    with engine.connect() as connection:
        assert connection.execute(select(store.tokens)).all() == before


def test_an_empty_store_rotates_nothing(engine: Engine) -> None:
    assert rotate(store_in(engine, CLIENT, keys=[NEW]), engine) == 0


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_every_batch_is_reached_and_committed(engine: Engine, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "_BATCH", 2)
    tokens = [OAuth1Token(token=f"token{name}", client_id="app", secret="s") for name in "ZaB9_"[:number]]
    store = with_keys(store_in(engine, *tokens, keys=[OLD]), engine, NEW, OLD)
    assert rotate(store, engine) == len(tokens)
    source = blocking(with_keys(store, engine, NEW))
    assert [source.pair("app", token.token)[1] for token in tokens] == tokens


def test_a_rotation_that_broke_off_keeps_what_it_had_done(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "_BATCH", 2)
    tokens = [OAuth1Token(token=f"token{number}", client_id="app", secret="s") for number in range(5)]
    store = with_keys(store_in(engine, *tokens, keys=[OLD]), engine, NEW, OLD)
    commits = itertools.count(1)

    def break_off(_connection: Any) -> None:
        if next(commits) == 3:
            raise KeyboardInterrupt

    event.listen(engine, "commit", break_off)
    with pytest.raises(KeyboardInterrupt):
        rotate(store, engine)
    event.remove(engine, "commit", break_off)
    assert 0 < rotate(store, engine) < 5
    assert rotate(store, engine) == 0


def test_a_rotation_needs_a_connection_that_it_may_commit(engine: Engine) -> None:
    store = store_in(engine)
    with engine.begin() as connection, pytest.raises(ValueError, match=r"engine\.connect"):
        store.rotate(connection)


def test_what_no_key_decrypts_is_left_and_the_rest_rotated(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    store = with_keys(store_in(engine, keys=[OLD]), engine, NEW, OLD)
    with engine.begin() as connection:
        connection.execute(update(store.tokens).values(secret="lost"))
    assert rotate(store, engine) == 2
    assert f"of {store.tokens.name} does not hold" in caplog.text
    with engine.connect() as connection:
        assert connection.execute(select(store.tokens.c.secret)).scalar() == "lost"


def test_a_secret_that_is_replaced_meanwhile_stays_replaced(engine: Engine) -> None:
    store = with_keys(store_in(engine, keys=[OLD]), engine, NEW, OLD)
    changed = OAuth1Token(token=TOKEN.token, client_id=CLIENT.client_id, secret="another")

    def replace(_connection: Any, _cursor: Any, statement: str, *_args: Any) -> None:
        if statement.startswith(f"UPDATE {store.tokens.name}"):
            with disposed(create_engine(engine.url)) as other, other.begin() as connection:
                store.replace(connection, changed)

    event.listen(engine, "before_cursor_execute", replace)
    rotate(store, engine)
    _, token = blocking(store).pair(*BOTH)
    assert token is not None
    assert token.secret == "another"


def test_requests_are_served_while_secrets_are_rotated(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "_BATCH", 3)
    tokens = [OAuth1Token(token=f"token{number:03}", client_id="app", secret=f"s{number}") for number in range(60)]
    first = store_in(engine, CLIENT, *tokens, keys=[OLD])
    source, done = blocking(with_keys(first, engine, OLD, NEW)), threading.Event()
    found: list[bool] = []

    def read() -> None:
        for token in itertools.cycle(tokens):
            found.append(source.pair(CLIENT.client_id, token.token) == (CLIENT, token))
            if done.is_set():
                return

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    rotated = rotate(with_keys(first, engine, NEW, OLD), engine)
    done.set()
    for thread in threads:
        thread.join()
    assert rotated == 61
    assert found
    assert all(found)


def test_an_engine_that_awaits_is_managed_through_its_connections(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/credentials.db"
    with awaited_store(url) as (source, runner):
        store: Any = source.credentials

        async def manage() -> int:
            engine: AsyncEngine = store.engine
            async with engine.begin() as connection:
                await connection.run_sync(partial(store.remove, tokens=[TOKEN.token]))
            async with engine.connect() as connection:
                return await connection.run_sync(store.rotate)

        assert runner.run(manage()) == 0
        assert source.pair(*BOTH) == (CLIENT, None)


# How it is made


@pytest.mark.parametrize("engine", ["sqlite://", None, Engine], ids=["URL", "nothing", "class"])
def test_only_an_engine_is_an_engine(engine: Any) -> None:
    with pytest.raises(TypeError, match="create_engine"):
        SQLCredentials(engine, keys=[NEW])


@pytest.mark.parametrize(("keys", "error"), [([], ValueError), (NEW, TypeError), (["short"], ValueError)])
def test_a_store_without_good_keys_is_refused_at_the_start(lite: Engine, keys: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        SQLCredentials(lite, keys=keys)
