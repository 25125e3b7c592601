import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, delete, event, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from oauth_rs import ResourceServer, asgi, wsgi
from oauth_rs.clients import MAX_KEYS, RegisteredClient, digest_of, hashed, known
from oauth_rs.errors import Unavailable
from oauth_rs.flow import Run
from oauth_rs.schemes.client_key import ClientKey
from oauth_rs.schemes.client_presentation import BasicAuth, KeyHeader
from oauth_rs.stores import sql_clients
from oauth_rs.stores.sql_clients import SQLClients
from tests.support.calling import call_asgi, call_wsgi
from tests.support.databases import add_lax_collation, disposed, new_prefix
from tests.support.finding import HOSTILE, UNKNOWN
from tests.support.postgres import Postgres
from tests.support.registering import (
    BARE,
    CLIENT,
    CLIENTS,
    KEY,
    OTHER,
    OTHER_KEY,
    SECRET,
    SPARE_KEY,
    RegistryContract,
    Source,
    awaiting,
    blocking,
)

SOON = 10.0  # seconds: much less than it takes to wait for what does not come
NEW_KEY = "nE3wKq8ZrT5yLbVx0CmWf7Ho2GsJ9dPuA1iXeRkQ4-tN"


def fill(store: SQLClients, engine: Engine, *clients: RegisteredClient) -> SQLClients:
    with engine.begin() as connection:
        store.create_tables(connection)
        store.add(connection, *(clients or CLIENTS))
    return store


def store_in(engine: Engine, *clients: RegisteredClient) -> SQLClients:
    return fill(SQLClients(engine, prefix=new_prefix()), engine, *clients)


@contextmanager
def awaited_store(url: str) -> Iterator[tuple[Source, asyncio.Runner]]:
    engine = create_async_engine(url)
    store = SQLClients(engine, prefix=new_prefix())

    async def begin() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(store.create_tables)
            await connection.run_sync(store.add, *CLIENTS)

    with awaiting(store) as (source, runner):
        try:
            runner.run(begin())
            yield source, runner
        finally:
            runner.run(engine.dispose())


class TestBlocking(RegistryContract):
    @pytest.fixture(scope="class", params=["sqlite", "postgresql"])
    @classmethod
    def source(cls, urls: Callable[[str], str], request: pytest.FixtureRequest) -> Iterator[Source]:
        with disposed(create_engine(urls(request.param))) as engine:
            yield blocking(store_in(engine))


class TestAwaiting(RegistryContract):
    @pytest.fixture(scope="class", params=["sqlite+aiosqlite", "postgresql"])
    @classmethod
    def source(cls, urls: Callable[[str], str], request: pytest.FixtureRequest) -> Iterator[Source]:
        with awaited_store(urls(request.param)) as (source, _runner):
            yield source


def reason(ask: Callable[[], object]) -> str:
    with pytest.raises(Unavailable) as caught:
        ask()
    return caught.value.reason


# One query, the same work


IDS = [CLIENT.client_id, BARE.client_id, UNKNOWN, "", HOSTILE["NUL"], HOSTILE["long"]]
KEYS = [hashed(KEY), hashed(OTHER_KEY), digest_of(UNKNOWN), "", HOSTILE["NUL"]]


def test_every_question_takes_one_statement_and_the_same(engine: Engine) -> None:
    source, statements = blocking(store_in(engine)), []
    source.find(CLIENT.client_id)  # the first connection has more to say
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    for client_id in IDS:
        source.find(client_id)
    for key_hash in KEYS:
        source.find_by_key(key_hash)
    assert len(statements) == len(IDS) + len(KEYS)
    assert len(set(statements[: len(IDS)])) == len(set(statements[len(IDS) :])) == 1


def test_as_much_is_read_whoever_is_known(lite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    source, read = blocking(store_in(lite)), []

    def counted(encoded: bytes) -> dict[str, Any]:
        read.append(encoded)
        return {}

    monkeypatch.setattr(sql_clients, "json_object", counted)
    for ask, asked in [*((source.find, one) for one in IDS), *((source.find_by_key, one) for one in KEYS)]:
        ask(asked)
    assert len(read) == len(IDS) + len(KEYS)


# Databases that do not mind case, or lose rows


def lax_store(lite: Engine) -> SQLClients:
    store = SQLClients(lite)
    event.listen(lite, "connect", add_lax_collation)
    columns = "client_id VARCHAR(255) PRIMARY KEY COLLATE lax, secret_hash, roles, scopes, properties, disabled BOOLEAN"
    with lite.begin() as connection:
        connection.execute(text(f"CREATE TABLE {store.clients.name} ({columns})"))
        keys = "key_hash VARCHAR(71) PRIMARY KEY COLLATE lax, client_id VARCHAR(255) COLLATE lax"
        connection.execute(text(f"CREATE TABLE {store.keys.name} ({keys})"))
    return fill(store, lite, CLIENT)


@pytest.mark.parametrize("similar", [CLIENT.client_id.upper(), CLIENT.client_id + " "])
def test_a_database_that_is_lax_about_ids_does_not_decide(lite: Engine, similar: str) -> None:
    store = lax_store(lite)
    with lite.connect() as connection:
        same = select(func.count()).where(store.clients.c.client_id == similar)
        assert connection.execute(same).scalar() == 1
    assert blocking(store).find(similar) is None
    assert blocking(store).find(CLIENT.client_id) == CLIENT


def test_a_database_that_is_lax_about_hashes_does_not_decide(lite: Engine) -> None:
    source = blocking(lax_store(lite))
    assert source.find_by_key(hashed(KEY).upper()) is None
    assert source.find_by_key(hashed(KEY)) == CLIENT


def test_the_key_of_a_namesake_is_nobodys(lite: Engine) -> None:
    store = lax_store(lite)
    with lite.begin() as connection:
        connection.execute(insert(store.keys), {"key_hash": hashed(OTHER_KEY), "client_id": CLIENT.client_id.upper()})
    assert blocking(store).find_by_key(hashed(OTHER_KEY)) is None
    assert blocking(store).find(CLIENT.client_id) == CLIENT


def test_the_key_of_a_client_that_is_gone_is_nobodys(engine: Engine) -> None:
    store = store_in(engine)
    with engine.begin() as connection:
        connection.execute(delete(store.clients).where(store.clients.c.client_id == CLIENT.client_id))
    assert blocking(store).find_by_key(hashed(KEY)) is None


def test_a_client_does_not_inherit_the_keys_of_one_that_is_gone(engine: Engine) -> None:
    store = store_in(engine)
    with engine.begin() as connection:
        connection.execute(delete(store.clients).where(store.clients.c.client_id == CLIENT.client_id))
        store.add(connection, RegisteredClient(CLIENT.client_id))
    assert blocking(store).find(CLIENT.client_id) == RegisteredClient(CLIENT.client_id)
    assert blocking(store).find_by_key(hashed(KEY)) is None


# Out of order


def test_a_database_without_the_tables_is_an_outage(engine: Engine) -> None:
    source = blocking(SQLClients(engine, prefix=new_prefix()))
    assert reason(lambda: source.find("app")) == "credentials_unavailable"
    assert reason(lambda: source.find_by_key(hashed(KEY))) == "credentials_unavailable"


def test_a_database_that_went_away_is_an_outage_until_it_is_back(postgres: Postgres) -> None:
    with disposed(create_engine(postgres.url)) as engine:
        source = blocking(store_in(engine))
        source.find(CLIENT.client_id)
        postgres.stop()
        try:
            started = time.monotonic()
            assert reason(lambda: source.find(CLIENT.client_id)) == "credentials_unavailable"
            assert reason(lambda: source.find_by_key(hashed(KEY))) == "credentials_unavailable"
            assert time.monotonic() - started < SOON
        finally:
            postgres.start()
        assert source.find(CLIENT.client_id) == CLIENT


UNREADABLE: dict[str, dict[str, Any]] = {
    "a secret in the clear": {"secret_hash": SECRET},
    "half a hash": {"secret_hash": CLIENT.secret_hash[:-1]},
    "two words for a scope": {"scopes": 'orders"read'},
    "properties that are no JSON": {"properties": "tenant=north"},
    "properties that are no object": {"properties": "[1]"},
    "properties with two of a name": {"properties": '{"a": 1, "a": 2}'},
    "properties nested deep": {"properties": '{"a":' * 40 + "1" + "}" * 40},
    "a role with a control character": {"roles": "man\x1bager"},
}


@pytest.mark.parametrize("cells", UNREADABLE.values(), ids=UNREADABLE)
def test_a_row_that_holds_no_client_is_an_outage_not_an_error(
    engine: Engine, cells: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    store = store_in(engine)
    with engine.begin() as connection:
        connection.execute(update(store.clients).values(cells))
    assert reason(lambda: blocking(store).find(CLIENT.client_id)) == "credentials_unreadable"
    assert reason(lambda: blocking(store).find_by_key(hashed(KEY))) == "credentials_unreadable"
    assert f"{CLIENT.client_id!r} in {store.clients.name}" in caplog.text
    assert SECRET not in caplog.text
    assert blocking(store).find(UNKNOWN) is None


@pytest.mark.parametrize("column", ["secret_hash", "roles", "scopes", "properties", "disabled"])
def test_an_empty_cell_is_an_outage_and_never_a_client(lite: Engine, column: str) -> None:
    store = lax_store(lite)  # whose columns may be empty
    with lite.begin() as connection:
        connection.execute(text(f"UPDATE {store.clients.name} SET {column} = NULL"))  # noqa: S608 - a name of ours
    assert reason(lambda: blocking(store).find(CLIENT.client_id)) == "credentials_unreadable"


def test_more_keys_than_a_client_may_have_are_an_outage(engine: Engine) -> None:
    store = store_in(engine, BARE)
    keys = [{"key_hash": digest_of(str(number)), "client_id": BARE.client_id} for number in range(MAX_KEYS + 1)]
    with engine.begin() as connection:
        connection.execute(insert(store.keys), keys)
    assert reason(lambda: blocking(store).find(BARE.client_id)) == "credentials_unreadable"


# What is stored


def test_the_file_holds_hashes_but_no_secret(lite: Engine, tmp_path: Path) -> None:
    store_in(lite)
    content = (tmp_path / "credentials.db").read_bytes()
    for public in (CLIENT.client_id, CLIENT.secret_hash, hashed(KEY), "orders.read", "manager"):
        assert public.encode() in content
    for secret in (SECRET, KEY, SPARE_KEY, OTHER_KEY):
        assert secret.encode() not in content


def test_stores_with_other_prefixes_do_not_meet(engine: Engine) -> None:
    store_in(engine)
    other = blocking(store_in(engine, BARE))
    assert other.find(CLIENT.client_id) is other.find_by_key(hashed(KEY)) is None


def test_the_tables_may_be_there_already(engine: Engine) -> None:
    store = store_in(engine)
    with engine.begin() as connection:
        store.create_tables(connection)
    assert blocking(store).find(CLIENT.client_id) == CLIENT


def test_what_is_added_is_part_of_the_transaction(engine: Engine) -> None:
    store = store_in(engine)
    with engine.connect() as connection:
        store.add(connection, RegisteredClient("app", key_hashes=[hashed(NEW_KEY)]))
        connection.rollback()
    assert blocking(store).find("app") is blocking(store).find_by_key(hashed(NEW_KEY)) is None


@pytest.mark.parametrize(
    "client",
    [
        RegisteredClient(CLIENT.client_id),
        RegisteredClient("app", key_hashes=[hashed(NEW_KEY), hashed(KEY)]),
    ],
    ids=["id", "key"],
)
def test_what_another_client_has_is_not_added(engine: Engine, client: RegisteredClient) -> None:
    store = store_in(engine)
    with pytest.raises(IntegrityError), engine.begin() as connection:
        store.add(connection, client)
    assert blocking(store).find(CLIENT.client_id) == CLIENT
    assert blocking(store).find_by_key(hashed(KEY)) == CLIENT
    assert blocking(store).find("app") is None


@pytest.mark.parametrize("name", ["add", "replace"])
@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (RegisteredClient("a\0pp"), ValueError),
        (RegisteredClient("äpp"), ValueError),
        (RegisteredClient("a" * 256), ValueError),
        (RegisteredClient("bad", roles=["two words"]), ValueError),
        ({"client_id": "bad"}, TypeError),
        ("bad", TypeError),
    ],
    ids=ascii,
)
def test_nothing_is_stored_of_clients_of_which_one_cannot_be(engine: Engine, name: str, bad: Any, error: Any) -> None:
    store = store_in(engine)
    with pytest.raises(error), engine.begin() as connection:
        getattr(store, name)(connection, RegisteredClient("app"), bad)
    assert blocking(store).find("app") is None


def test_what_is_replaced_has_its_new_secret_and_keys_alone(engine: Engine) -> None:
    store = store_in(engine)
    changed = RegisteredClient(CLIENT.client_id, secret_hash=hashed(NEW_KEY), key_hashes=[hashed(SPARE_KEY)])
    with engine.begin() as connection:
        store.replace(connection, changed, RegisteredClient("app"))
    source = blocking(store)
    assert source.find(CLIENT.client_id) == source.find_by_key(hashed(SPARE_KEY)) == changed
    assert source.find_by_key(hashed(KEY)) is None
    assert source.find("app") is not None
    assert source.find(OTHER.client_id) == OTHER


@pytest.mark.parametrize(
    ("ids", "gone"),
    [
        ([CLIENT.client_id], {CLIENT.client_id}),
        ({CLIENT.client_id, OTHER.client_id}, {CLIENT.client_id, OTHER.client_id}),
        ([], set()),
        ([UNKNOWN, CLIENT.client_id.upper()], set()),
        (list(HOSTILE.values()), set()),
    ],
    ids=["one", "two", "none", "unknown ones", "hostile"],
)
def test_who_is_removed_is_unknown_keys_and_all(engine: Engine, ids: Any, gone: set[str]) -> None:
    store = store_in(engine)
    with engine.begin() as connection:
        store.remove(connection, ids)
    source = blocking(store)
    assert {client.client_id for client in CLIENTS if source.find(client.client_id) is None} == gone
    assert (source.find_by_key(hashed(KEY)) is None) == (CLIENT.client_id in gone)
    assert (source.find_by_key(hashed(OTHER_KEY)) is None) == (OTHER.client_id in gone)


def test_who_is_disabled_is_found_as_such_until_enabled(engine: Engine) -> None:
    store = store_in(engine)
    source, found = blocking(store), []
    for change in (store.disable, store.disable, store.enable):
        with engine.begin() as connection:
            change(connection, [CLIENT.client_id, UNKNOWN])
        client = source.find_by_key(hashed(KEY))
        assert client is not None
        found.append((client.disabled, source.drive(Run(known(store, CLIENT.client_id)))))  # type: ignore[arg-type]
    assert found == [(True, False), (True, False), (False, True)]
    assert source.find(CLIENT.client_id) == CLIENT
    assert source.find(OTHER.client_id) == OTHER


@pytest.mark.parametrize("ids", [[], list(HOSTILE.values())], ids=["none", "hostile"])
def test_nobody_is_disabled_by_ids_that_nobody_has(engine: Engine, ids: list[str]) -> None:
    store = store_in(engine)
    with engine.begin() as connection:
        store.disable(connection, ids)
    assert blocking(store).find(CLIENT.client_id) == CLIENT


@pytest.mark.parametrize("name", ["remove", "disable", "enable"])
def test_one_string_is_no_list_of_ids(lite: Engine, name: str) -> None:
    store = store_in(lite)
    with lite.begin() as connection, pytest.raises(TypeError, match="list of ids"):
        getattr(store, name)(connection, CLIENT.client_id)


def test_an_engine_that_awaits_is_managed_through_its_connections(tmp_path: Path) -> None:
    with awaited_store(f"sqlite+aiosqlite:///{tmp_path}/clients.db") as (source, runner):
        store: Any = source.registry

        async def manage() -> None:
            engine: AsyncEngine = store.engine
            async with engine.begin() as connection:
                await connection.run_sync(store.disable, [CLIENT.client_id])
                await connection.run_sync(store.remove, [OTHER.client_id])

        runner.run(manage())
        client = source.find(CLIENT.client_id)
        assert client is not None
        assert client.disabled
        assert source.find(OTHER.client_id) is None


@pytest.mark.parametrize("engine", ["sqlite://", None, Engine], ids=["URL", "nothing", "class"])
def test_only_an_engine_is_an_engine(engine: Any) -> None:
    with pytest.raises(TypeError, match="create_engine"):
        SQLClients(engine)


# Behind a server


def hello_wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ[wsgi.GRANT].client_id.encode()]


async def hello_asgi(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def key(value: str) -> list[tuple[str, str]]:
    return [("X-API-Key", value)]


@pytest.mark.parametrize("shell", ["wsgi", "asgi"])
def test_a_server_lets_in_who_is_stored_until_that_ends(engine: Engine, shell: str) -> None:
    store = store_in(engine)
    server = ResourceServer(ClientKey(store, presentation=[BasicAuth(), KeyHeader()]))
    behind_wsgi, behind_asgi = wsgi.OAuthMiddleware(hello_wsgi, server), asgi.OAuthMiddleware(hello_asgi, server)

    def status(value: str) -> int:
        if shell == "wsgi":
            return call_wsgi(behind_wsgi, headers=key(value)).status
        return call_asgi(behind_asgi, headers=key(value)).status

    assert (status(KEY), status(OTHER_KEY), status(SECRET)) == (200, 200, 401)
    with engine.begin() as connection:
        store.disable(connection, [CLIENT.client_id])
        store.remove(connection, [OTHER.client_id])
    assert (status(KEY), status(OTHER_KEY)) == (401, 401)


def test_requests_at_once_get_each_their_own_answer(engine: Engine) -> None:
    keys = [f"{number:043}" for number in range(8)]
    clients = [RegisteredClient(f"app{number}", key_hashes=[hashed(key)]) for number, key in enumerate(keys)]
    app = wsgi.OAuthMiddleware(
        hello_wsgi, ResourceServer(ClientKey(store_in(engine, *clients), presentation=[KeyHeader()]))
    )
    found: list[bool] = []

    def ask(number: int) -> None:
        answers = [call_wsgi(app, headers=key(keys[number])).body for _ in range(10)]
        found.extend(answer == b"app%d" % number for answer in answers)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 80
