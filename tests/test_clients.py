import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.clients import (
    MAX_KEYS,
    MAX_SECRET,
    ClientRegistry,
    FunctionClients,
    RegisteredClient,
    StaticClients,
    digest_of,
    hashed,
    is_registry,
    known,
    new_secret,
    registry_of,
    settled,
)
from oauth_rs.errors import Unavailable
from oauth_rs.flow import Call, Flow, Run
from tests.support.playing import play
from tests.support.registering import (
    BARE,
    CLIENT,
    CLIENTS,
    DISABLED,
    KEY,
    OTHER,
    SECRET,
    RegistryContract,
    Source,
    blocking,
)

STATIC = StaticClients(CLIENTS)
TWIN = RegisteredClient(CLIENT.client_id.upper())
HASH = hashed(SECRET)


def functions(*, coroutines: bool) -> FunctionClients:
    async def find(client_id: str) -> RegisteredClient | None:
        return STATIC.find(client_id)

    async def find_by_key(key_hash: str) -> RegisteredClient | None:
        return STATIC.find_by_key(key_hash)

    if coroutines:
        return FunctionClients(find=find, find_by_key=find_by_key)
    return FunctionClients(find=STATIC.find, find_by_key=STATIC.find_by_key)


class TestInMemory(RegistryContract):
    @pytest.fixture(params=["static", "mapping", "functions", "coroutine functions"])
    def source(self, request: pytest.FixtureRequest) -> Source:
        if request.param == "static":
            return blocking(STATIC)
        if request.param == "mapping":
            return blocking(StaticClients({client.client_id: client for client in CLIENTS}))
        return blocking(functions(coroutines=request.param == "coroutine functions"))


# Secrets


def test_a_new_secret_has_256_bits_and_can_be_kept() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(secret) for secret in secrets} == {43}
    assert all(hashed(secret) == digest_of(secret) for secret in secrets)


def test_a_hash_is_sha256_in_lower_case_digits() -> None:
    # The second example of FIPS 180 for SHA-256.
    secret = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
    assert hashed(secret) == "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"


@pytest.mark.parametrize(
    "secret", ["x" * 22, "x" * MAX_SECRET, "colon:and/slash+and=equals", "~!@#$%^&*()\"'\\{}[]<>?.-_"]
)
def test_a_generated_secret_may_have_any_mark_a_header_carries(secret: str) -> None:
    assert hashed(secret) == digest_of(secret)


@pytest.mark.parametrize("secret", ["", "x", "hunter2", "correct horse", "x" * 21])
def test_a_secret_that_is_too_short_to_be_generated_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match=r"22 characters or more: generate it by secrets\.token_urlsafe\(32\)"):
        hashed(secret)


@pytest.mark.parametrize(
    "secret",
    [
        "correct horse battery staple",
        "one,two,three,four,five,six",
        "tab\tin a secret of length",
        SECRET + "\n",
        SECRET + "\0",
        "Passwörter sind nicht erzeugt",
        "\ud800" * 22,
        "x" * (MAX_SECRET + 1),
    ],
    ids=ascii,
)
def test_a_secret_that_no_header_carries_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="512 characters of printable ASCII without spaces and commas") as caught:
        hashed(secret)
    assert secret not in str(caught.value)


@pytest.mark.parametrize("secret", [None, SECRET.encode(), 12345678901234567890123])
def test_a_secret_is_text(secret: Any) -> None:
    with pytest.raises(TypeError, match="text"):
        hashed(secret)


# A client


def test_a_client_is_its_id_and_nothing_more_unless_told() -> None:
    assert (BARE.secret_hash, BARE.key_hashes, BARE.roles, BARE.scopes) == ("", (), (), frozenset())
    assert (BARE.properties, BARE.disabled, BARE.claims_json) == ({}, False, b'{"roles": [], "properties": {}}')


def test_lists_are_sets_whatever_they_came_as() -> None:
    one = RegisteredClient("a", roles=["r", "q", "r"], scopes=iter(["s", "t"]), key_hashes=[HASH, HASH])  # type: ignore[arg-type]
    other = RegisteredClient("a", roles={"q", "r"}, scopes=("t", "s", "t"), key_hashes={HASH})
    assert one == other
    assert hash(one) == hash(other)
    assert (one.roles, one.scopes, one.key_hashes) == (("q", "r"), frozenset("st"), (HASH,))


def test_what_is_given_can_be_changed_afterwards_and_the_client_is_not() -> None:
    properties: dict[str, Any] = {"limits": [1]}
    client = RegisteredClient("app", properties=properties)
    properties["limits"].append(2)
    assert client.properties == {"limits": [1]}


def test_hashes_are_not_shown() -> None:
    assert "sha256" not in repr(CLIENT)
    assert "claims" not in repr(CLIENT)
    assert CLIENT.client_id in repr(CLIENT)


@pytest.mark.parametrize("name", ["client_id", "secret_hash", "disabled", "claims_json", "scopes"])
def test_a_client_cannot_be_changed(name: str) -> None:
    with pytest.raises((AttributeError, TypeError)):
        setattr(CLIENT, name, "changed")


@pytest.mark.parametrize(
    "options",
    [
        {"secret_hash": SECRET},
        {"secret_hash": HASH.upper()},
        {"secret_hash": HASH + "0"},
        {"secret_hash": HASH[:-1]},
        {"secret_hash": HASH + "\n"},
        {"secret_hash": HASH.removeprefix("sha256:")},
        {"secret_hash": HASH.replace("sha256", "md5")},
        {"secret_hash": " "},
        {"key_hashes": [KEY]},
        {"key_hashes": [HASH, KEY]},
        {"key_hashes": [""]},
    ],
    ids=repr,
)
def test_what_is_no_hash_is_refused_and_not_shown(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"what hashed\(secret\) gives") as caught:
        RegisteredClient("app", **options)
    assert SECRET not in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"client_id": ""}, ValueError),
        ({"client_id": None}, TypeError),
        ({"client_id": b"app"}, TypeError),
        ({"secret_hash": None}, TypeError),
        ({"secret_hash": HASH.encode()}, TypeError),
        ({"key_hashes": HASH}, TypeError),
        ({"key_hashes": [None]}, TypeError),
        ({"key_hashes": [digest_of(str(number)) for number in range(MAX_KEYS + 1)]}, ValueError),
        ({"roles": "manager"}, TypeError),
        ({"roles": [b"manager"]}, TypeError),
        ({"roles": [""]}, ValueError),
        ({"roles": ["line\nbreak"]}, ValueError),
        ({"roles": ["\ud800"]}, ValueError),
        ({"scopes": "orders.read"}, TypeError),
        ({"scopes": ["orders read"]}, ValueError),
        ({"scopes": [""]}, ValueError),
        ({"scopes": ["räume"]}, ValueError),
        ({"scopes": [7]}, TypeError),
        ({"disabled": None}, TypeError),
        ({"disabled": "false"}, TypeError),
        ({"disabled": 0}, TypeError),
        ({"properties": None}, TypeError),
        ({"properties": [("a", 1)]}, TypeError),
        ({"properties": {"a": object()}}, ValueError),
        ({"properties": {"a": b"bytes"}}, ValueError),
        ({"properties": {"a": {1, 2}}}, ValueError),
        ({"properties": {"a": float("nan")}}, ValueError),
        ({"properties": {"a": float("inf")}}, ValueError),
        ({"properties": {("a",): 1}}, ValueError),
        ({"properties": {"a": "\ud800"}}, ValueError),
        ({"properties": {"a": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}}, ValueError),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_a_client_that_could_not_be_used_is_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        RegisteredClient(**{"client_id": "app", **options})


def test_a_client_may_have_sixteen_keys() -> None:
    keys = [digest_of(str(number)) for number in range(MAX_KEYS)]
    assert len(RegisteredClient("app", key_hashes=keys).key_hashes) == 16


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON, max_size=4))
def test_properties_are_what_they_were(properties: dict[str, Any]) -> None:
    assert RegisteredClient("app", properties=properties).properties == properties


# Registries in memory


@pytest.mark.parametrize(
    "clients",
    [
        [CLIENT, CLIENT],
        [CLIENT, RegisteredClient(CLIENT.client_id)],
        [OTHER, RegisteredClient("thief", key_hashes=OTHER.key_hashes)],
        {"another": CLIENT},
        {"a": OTHER, "b": OTHER},
    ],
)
def test_what_is_there_twice_or_under_another_name_is_refused(clients: Any) -> None:
    with pytest.raises(ValueError, match="client"):
        StaticClients(clients)


@pytest.mark.parametrize("clients", [["app"], [None], {"app": HASH}, [("app", HASH)], [RegisteredClient]])
def test_a_registry_lists_clients(clients: Any) -> None:
    with pytest.raises(TypeError, match="RegisteredClient"):
        StaticClients(clients)


def test_two_clients_may_have_the_same_secret() -> None:
    twins = StaticClients([CLIENT, DISABLED])
    assert twins.find(DISABLED.client_id) is DISABLED


def test_a_registry_of_nobody_knows_nobody() -> None:
    assert StaticClients().find("app") is StaticClients().find_by_key(HASH) is None


# Found by functions


def find(_asked: str) -> Any:
    raise NotImplementedError


async def find_later(_asked: str) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize("function", [find, find_later])
def test_functions_are_asked_with_what_the_request_shows(function: Any) -> None:
    clients = FunctionClients(find=function, find_by_key=function)
    asked = Call(awaiting=find_later) if function is find_later else Call(find)
    for flow, text in ((clients.find("app"), "app"), (clients.find_by_key(HASH), HASH)):
        assert play(flow, (Call(asked.blocking, asked.awaiting, (text,)), CLIENT)) is CLIENT


def test_what_there_is_no_function_for_is_unknown() -> None:
    assert play(FunctionClients(find=find).find_by_key(HASH)) is None
    assert play(FunctionClients(find_by_key=find).find("app")) is None


def test_applications_are_known_by_their_ids() -> None:
    clients = FunctionClients(find=find)
    assert registry_of(clients) is clients
    with pytest.raises(ValueError, match="FunctionClients is not told how: give find="):
        registry_of(FunctionClients(find_by_key=find))


@pytest.mark.parametrize(
    "options", [{}, {"find": "app"}, {"find": find, "find_by_key": {}}, {"find": lambda: None}], ids=repr
)
def test_functions_are_given_and_can_be_called(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="at least one function"):
        FunctionClients(**options)


@pytest.mark.parametrize("answer", [False, True, 0, "", SECRET, {}, {"client_id": "app"}, RegisteredClient], ids=repr)
def test_a_function_that_gives_something_else_lets_nobody_in(answer: Any) -> None:
    for flow in (FunctionClients(find=find).find("app"), FunctionClients(find_by_key=find).find_by_key(HASH)):
        run = Run(flow)
        with pytest.raises(TypeError, match="gives a RegisteredClient or None") as caught:
            run.send(answer)
        assert SECRET not in str(caught.value)


def test_a_function_that_cannot_tell_leaves_it_open() -> None:
    down = Unavailable("credentials_unavailable", "The credentials cannot be checked now.")
    with pytest.raises(Unavailable) as caught:
        play(FunctionClients(find=find).find("app"), (Call(find, None, ("app",)), down))
    assert caught.value is down


# Known clients


@pytest.mark.parametrize("client", [CLIENT, OTHER, BARE], ids=lambda client: client.client_id)
def test_a_registered_client_is_known(client: RegisteredClient) -> None:
    assert known(STATIC, client.client_id) is True
    assert play(known(FunctionClients(find=find), "app"), (Call(find, None, ("app",)), RegisteredClient("app"))) is True


@pytest.mark.parametrize(
    "client_id", ["", "nobody", DISABLED.client_id, CLIENT.client_id.upper(), CLIENT.client_id + " ", KEY, HASH, "\0"]
)
def test_nobody_else_is_known(client_id: str) -> None:
    assert known(STATIC, client_id) is False


@pytest.mark.parametrize("found", [None, TWIN, OTHER, RegisteredClient("app", disabled=True)], ids=repr)
def test_who_was_found_under_another_name_or_is_disabled_is_not_known(found: RegisteredClient | None) -> None:
    clients = FunctionClients(find=find)
    asked = "app" if found is None or found.disabled else CLIENT.client_id
    assert play(known(clients, asked), (Call(find, None, (asked,)), found)) is False


def test_no_registry_is_asked_for_the_client_without_a_name() -> None:
    assert known(FunctionClients(find=find), "") is False


def test_who_is_known_stays_open_where_the_registry_cannot_tell() -> None:
    down = Unavailable("credentials_unavailable", "The credentials cannot be checked now.")
    with pytest.raises(Unavailable):
        play(known(FunctionClients(find=find), "app"), (Call(find, None, ("app",)), down))


class Odd:
    """A registry that gives what none should."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def find(self, _client_id: str, /) -> Any:
        return self.answer

    find_by_key = find


def flow_of(answer: Any) -> Flow[Any]:
    yield from ()
    return answer


@pytest.mark.parametrize(
    "answer", [True, "app", {}, {"client_id": "app"}, [], (CLIENT,), flow_of(True), flow_of("app")]
)
def test_a_registry_that_gives_something_else_lets_nobody_in(answer: Any) -> None:
    with pytest.raises(TypeError, match="RegisteredClient or None"):
        known(Odd(answer), "app")


def test_a_coroutine_is_no_answer() -> None:
    later = asyncio.sleep(0, CLIENT)
    with pytest.raises(TypeError, match="RegisteredClient or None"):
        known(Odd(later), CLIENT.client_id)
    later.close()


@pytest.mark.parametrize(("answer", "client"), [(CLIENT, CLIENT), (None, None), (flow_of(CLIENT), CLIENT)])
def test_an_answer_is_waited_for_where_it_is_a_flow(answer: Any, client: Any) -> None:
    assert play(settled(answer)) is client


# What a registry can be made of


@pytest.mark.parametrize(
    "clients",
    [
        {"app", "kiosk"},
        ["kiosk", "app"],
        ("app", BARE),
        iter(["app", "kiosk"]),
        {"kiosk": BARE, "app": RegisteredClient("app")},
    ],
)
def test_a_list_of_ids_or_clients_makes_a_registry(clients: Any) -> None:
    registry = registry_of(clients)
    assert known(registry, "app") is known(registry, "kiosk") is True
    assert known(registry, "ap") is known(registry, "app,kiosk") is False
    assert registry.find_by_key(HASH) is None


@pytest.mark.parametrize(
    "registry", [STATIC, FunctionClients(find=find), Odd(None)], ids=lambda value: type(value).__name__
)
def test_a_registry_is_itself(registry: ClientRegistry) -> None:
    assert registry_of(registry) is registry
    assert is_registry(registry)


@pytest.mark.parametrize(
    "clients", ["app", b"app", "", None, 7, StaticClients, RegisteredClient("app"), find], ids=repr
)
def test_what_lists_no_clients_makes_none(clients: Any) -> None:
    with pytest.raises(TypeError, match="clients is a list of client ids"):
        registry_of(clients)
    assert not is_registry(clients)


@pytest.mark.parametrize("clients", [[], set(), {}, ()])
def test_a_registry_that_would_refuse_everybody_is_a_mistake(clients: Collection[str]) -> None:
    with pytest.raises(ValueError, match="at least one client: leave it out"):
        registry_of(clients)


@pytest.mark.parametrize("clients", [[""], ["app", ""], ["app", "app"], ["kiosk", BARE]])
def test_an_id_is_not_empty_and_there_once(clients: Any) -> None:
    with pytest.raises(ValueError, match="client_id is"):
        registry_of(clients)


def test_a_class_below_may_find_clients_by_itself() -> None:
    class Own(FunctionClients):
        def find(self, client_id: str, /) -> Flow[RegisteredClient | None]:
            yield from ()
            return STATIC.find(client_id)

    clients = Own(find_by_key=find)
    assert registry_of(clients) is clients
