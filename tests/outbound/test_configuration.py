import json
import os
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from oauth_rs.configuration import ConfigurationError
from oauth_rs.entries import EntryError
from oauth_rs.fetch import HTTPSettings
from oauth_rs.outbound import Connections, connections_of, read_connections
from tests.conftest import Written
from tests.outbound.provider import API, SECRET, Provider, granted
from tests.support.trusting import certificate_of

ENVIRON = {"BILLING_SECRET": SECRET, "EMPTY": ""}
BILLING = {
    "base_url": "https://billing.example.com/v1",
    "issuer": "https://id.example.com",
    "client_id": "api",
    "client_secret_env": "BILLING_SECRET",
}
TOML = """\
[connections.billing]
base_url = "https://billing.example.com/v1"
issuer = "https://id.example.com"
client_id = "api"
client_secret_env = "BILLING_SECRET"
scopes = ["bills.read"]
"""
YAML = """\
connections:
  billing:
    base_url: https://billing.example.com/v1
    issuer: https://id.example.com
    client_id: api
    client_secret_env: BILLING_SECRET
    scopes: [bills.read]
"""
JSON = json.dumps({"connections": {"billing": {**BILLING, "scopes": ["bills.read"]}}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what connections may name: a secret, a key, a certificate, something else."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for name, content in {"secret": f"{SECRET}\n".encode(), "key.pem": pem, "chain.pem": b"x", "odd": b"\xff"}.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def made(folder: Path, **changes: Any) -> Connections:
    """The connection `billing` with these options changed; those that are None are left out."""
    options = {option: value for option, value in {**BILLING, **changes}.items() if value is not None}
    return connections_of({"billing": options}, folder=folder, environ=ENVIRON)


def asked(provider: Provider, folder: Path, **changes: Any) -> dict[str, str]:
    """What the token endpoint is sent."""
    connection = made(folder, issuer=provider.url, **changes)["billing"]
    next(connection.auth.sync_auth_flow(connection.client().build_request("GET", "/bills")))
    return dict(provider.asked[-1].fields)


# Files


@pytest.mark.parametrize(("name", "text"), [("a.toml", TOML), ("a.yaml", YAML), ("a.yml", YAML), ("A.JSON", JSON)])
def test_connections_are_read_from_a_file(written: Written, name: str, text: str) -> None:
    path = written(name, text)
    for spelling in (path, str(path)):
        shown = repr(read_connections(spelling, environ=ENVIRON))
        source = "ClientCredentials('https://id.example.com', client_id='api')"
        assert shown == f"Connections({{'billing': Connection('https://billing.example.com/v1', auth={source})}})"


def test_the_environment_of_the_process_has_the_secrets(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written("a.toml", TOML)
    monkeypatch.delenv("BILLING_SECRET", raising=False)
    with pytest.raises(ConfigurationError, match="variable that it names is not set"):
        read_connections(path)
    monkeypatch.setitem(os.environ, "BILLING_SECRET", SECRET)
    assert list(read_connections(path)) == list(connections_of({"billing": BILLING})) == ["billing"]


def test_files_are_looked_for_beside_the_one_that_names_them(written: Written, folder: Path) -> None:
    path = written("a.toml", TOML.replace('client_secret_env = "BILLING_SECRET"', 'client_secret_file = "secret"'))
    assert path.parent == folder
    assert list(read_connections(path, environ={})) == ["billing"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", TOML.replace("scopes", "scope"), ":6: connection 'billing': there is no option 'scope': did you me"),
        ("a.yaml", YAML.replace("issuer", "isuer"), ":4: connection 'billing': there is no option 'isuer': did you me"),
        ("a.json", JSON.replace("issuer", "isuer"), ":1: connection 'billing': there is no option 'isuer': did you me"),
        (
            "a.toml",
            TOML.replace("BILLING", "BILL"),
            ":5: connection 'billing': the environment variable that it names is not set",
        ),
        ("a.toml", TOML.replace('["bills.read"]', "5"), ":1: connection 'billing': scopes is a list"),
        ("a.toml", "[connection.billing]\n", ":1: there is no section `connections`: did you mean 'connection'?"),
        ("a.toml", "connections = 5\n", ":1: there is no section `connections`"),
        ("a.toml", "[connections]\nbilling = 5\n", ":2: connection 'billing': write base_url"),
        ("a.json", "{", ":1: not JSON: Expecting"),
        ("a.json", "[]", ":1: the document is not an object"),
        ("a.json", '{"connections": {}, "connections": {}}', ":1: a name is there twice"),
        ("a.txt", TOML, ":1: the name tells the format"),
    ],
)
def test_a_mistake_is_told_with_its_line(written: Written, name: str, text: str, message: str) -> None:
    path = written(name, text)
    with pytest.raises(ConfigurationError) as caught:
        read_connections(path, environ=ENVIRON)
    assert str(caught.value).startswith(f"{path}{message}")


# What is asked


def test_tokens_are_asked_for_as_written(provider: Provider, folder: Path) -> None:
    options = {"audience": ["a", "b"], "resource": "https://r.example", "extra": {"tenant": "t"}, "scopes": ["x", "y"]}
    assert asked(provider, folder, **options) == {
        "grant_type": "client_credentials",
        "scope": "x y",
        "audience": "b",
        "resource": "https://r.example",
        "tenant": "t",
    }
    asked(provider, folder, method="GET", token_endpoint=f"{provider.url}/token")
    assert provider.asked[-1].method == "GET"


def test_a_client_proves_itself_as_written(provider: Provider, folder: Path) -> None:
    asked(provider, folder)
    assert provider.asked[-1].headers["Authorization"].startswith("Basic ")
    assert asked(provider, folder, auth="post")["client_secret"] == SECRET
    by_file = {"client_secret_env": None, "client_secret_file": "secret"}
    assert asked(provider, folder, auth="post", **by_file)["client_secret"] == SECRET
    by_key = {"client_secret_env": None, "auth": "private_key_jwt", "key_file": "key.pem", "algorithm": "ES256"}
    assert asked(provider, folder, kid="k1", **by_key)["client_assertion"].count(".") == 2
    assert asked(provider, folder, **by_key)["client_assertion"].count(".") == 2


def test_a_certificate_is_named_by_its_files(folder: Path) -> None:
    certificate_of(trustme.CA(), folder)
    by_certificate = {"client_secret_env": None, "auth": "certificate", "chain": "chain.pem", "key": "key.pem"}
    assert list(made(folder, **by_certificate)) == ["billing"]


def test_tokens_of_callers_may_be_exchanged(provider: Provider, api: API, folder: Path) -> None:
    records = made(folder, kind="token_exchange", issuer=provider.url, base_url=api.url)["billing"]
    with records.on_behalf_of("caller").client() as client:
        client.get("/records")
    assert dict(provider.asked[-1].fields)["subject_token"] == "caller"


class Shelf:
    """Tokens for one process."""

    def __init__(self) -> None:
        self.tokens: list[Any] = []

    def get(self, _key: bytes) -> Any:
        return None

    def put(self, _key: bytes, token: Any) -> None:
        self.tokens.append(token.text)


def test_settings_and_shared_tokens_hold_for_all(provider: Provider) -> None:
    shelf, options = Shelf(), {**BILLING, "issuer": provider.url, "base_url": provider.url}
    connections = connections_of(
        {"a": options, "b": options}, environ=ENVIRON, http=HTTPSettings(timeout=4.0), shared=shelf
    )
    for connection in connections.values():
        with connection.client() as client:
            client.get("/")
    assert shelf.tokens == ["token-1", "token-2"]


class Kept:
    """A store of refresh tokens."""

    def __init__(self) -> None:
        self.value = "r-1"

    def load(self) -> str:
        return self.value

    def save(self, refresh_token: str, /) -> None:
        self.value = refresh_token


MAIL = {**BILLING, "kind": "refresh_token"}


def test_a_refresh_token_is_in_a_store_that_code_gives(provider: Provider, api: API, written: Written) -> None:
    provider.answers["/token"] = granted("token-1", refresh_token="r-2")
    options = {**MAIL, "issuer": provider.url, "base_url": api.url, "scopes": ["mail"], "resource": "https://a.example"}
    path, store = written("a.json", json.dumps({"connections": {"mail": options, "billing": BILLING}})), Kept()
    outbound = read_connections(path, environ=ENVIRON, stores={"mail": store})
    with outbound["mail"].client() as client:
        assert client.get("/").status_code == 200
    asked = dict(provider.asked[-1].fields)
    assert (asked["refresh_token"], asked["scope"], asked["resource"]) == ("r-1", "mail", "https://a.example")
    assert (api.sent, store.value) == (["token-1"], "r-2")


# Mistakes


@pytest.mark.parametrize(
    ("options", "stores", "message"),
    [
        (MAIL, {}, "connection 'mail': a connection has kind = 'refresh_token', and a store"),
        (BILLING, {"mail": Kept()}, "connection 'mail': a connection has kind = 'refresh_token', and a store"),
        (MAIL, {"mail": Kept(), "male": Kept()}, "stores names 'male', and there is no such connection: did you mean"),
        (MAIL, {"mail": "r-1"}, "connection 'mail': store has the functions"),
        ({**MAIL, "audience": "a"}, {"mail": Kept()}, "connection 'mail': audience does not belong to kind"),
        ({**MAIL, "method": "POST"}, {"mail": Kept()}, "connection 'mail': method is for client_credentials"),
    ],
    ids=str,
)
def test_a_store_belongs_to_a_connection_that_needs_one(
    options: dict[str, Any], stores: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        connections_of({"mail": options}, environ=ENVIRON, stores=stores)


def test_stores_are_a_mapping() -> None:
    with pytest.raises(TypeError, match="stores maps names"):
        connections_of({"mail": MAIL}, environ=ENVIRON, stores=Kept())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "option", "message"),
    [
        *(({option: None}, option, f"{option} is text") for option in ("base_url", "issuer", "client_id")),
        *(({option: 5}, option, f"{option} is text") for option in ("base_url", "issuer", "auth", "token_endpoint")),
        *(({option: ""}, option, f"{option} is text") for option in ("kid", "client_secret_env", "client_id")),
        ({"auth": "baisc"}, "auth", "did you mean 'basic'?"),
        ({"kind": "refresh"}, "kind", "kind is one of client_credentials, token_exchange, refresh_token"),
        ({"method": "get"}, "method", "did you mean 'GET'?"),
        ({"kind": "token_exchange", "method": "POST"}, "method", "other tokens are asked for by POST"),
        ({"kind": "refresh_token"}, "kind", "a store in stores="),
        ({"method": "GET", "auth": "post"}, "", "would stand in the URL"),
        ({"base_url": "http://billing.internal"}, "base_url", "a token goes over https"),
        ({"issuer": "http://id.internal"}, "", "tokens are asked for over https"),
        ({"scopes": "a"}, "", "scopes is a list"),
        ({"extra": {"scope": "a"}}, "", "extra holds what has no option"),
        ({"client_secret": SECRET}, "client_secret", "no secret stands in a file"),
        ({"client_secret_env": None}, "client_secret_env", "either client_secret_env"),
        ({"client_secret_file": "secret"}, "client_secret_env", "either client_secret_env"),
        ({"client_secret_env": f"{SECRET}!"}, "client_secret_env", "the name of an environment variable"),
        ({"client_secret_env": "EMPTY"}, "client_secret_env", "that it names is not set, or empty"),
        ({"client_secret_env": None, "client_secret_file": "none"}, "client_secret_file", "names no file"),
        ({"client_secret_env": None, "client_secret_file": "odd"}, "client_secret_file", "cannot be read as UTF-8"),
        ({"key_file": "key.pem"}, "key_file", "does not belong to auth = 'basic'"),
        ({"auth": "private_key_jwt"}, "client_secret_env", "key_file, kid, algorithm do"),
        ({"auth": "private_key_jwt", "client_secret_env": None}, "key_file", "key_file is text"),
        (
            {"auth": "private_key_jwt", "client_secret_env": None, "key_file": "secret"},
            "key_file",
            "not a private key in PEM",
        ),
        ({"auth": "certificate", "client_secret_env": None, "chain": "chain.pem"}, "key", "key is text"),
        ({"client_id": "a\nb"}, "client_id", "printable text"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_when_read(
    folder: Path, changes: dict[str, Any], option: str, message: str
) -> None:
    with pytest.raises(EntryError, match=r"^connection 'billing': ") as caught:
        made(folder, **changes)
    assert message in str(caught.value)
    assert caught.value.path == ("billing", option) if option else ("billing",)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("data", [None, [("a", BILLING)], "a"], ids=repr)
def test_connections_are_a_mapping(data: Any) -> None:
    with pytest.raises(TypeError, match="mapping of names"):
        connections_of(data)


@pytest.mark.parametrize("data", [{5: BILLING}, {"a": None}, {"a": [BILLING]}], ids=repr)
def test_each_has_a_name_and_options(data: Any) -> None:
    with pytest.raises(EntryError, match="below its name"):
        connections_of(data)


KEY = "-----BEGIN PRIVATE KEY-----\n" + "s3cret" * 1000


@pytest.mark.parametrize(
    "options",
    [
        {"client_secret_env": "s3cret"},
        {"client_secret_env": "s3cret!"},
        {"client_secret_env": None, "client_secret_file": "s3cret"},
        {"client_secret_env": None, "client_secret_file": "s3cret\0"},
        {"client_secret_env": None, "auth": "private_key_jwt", "key_file": KEY},
    ],
    ids=["variable", "no variable", "file", "no path", "key"],
)
def test_a_secret_in_the_wrong_place_is_not_shown(folder: Path, options: dict[str, Any]) -> None:
    with pytest.raises(EntryError) as caught:
        made(folder, **options)
    assert "s3cret" not in f"{caught.value!r} {caught.value.__context__!r}"
