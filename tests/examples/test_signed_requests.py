"""Both examples with the development server's credentials: requests signed by oauthlib and requests-oauthlib."""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from oauthlib.oauth1 import Client as Signer
from oauthlib.oauth2.rfc6749.tokens import prepare_mac_header
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

import examples.flask_app.app as goals
import examples.starlette_app.app as photos
from examples.serving import on_uvicorn, on_werkzeug
from oauth_rs import MACKey
from oauth_rs.devserver import DevServer
from tests.examples.conftest import API, ROOT, SCOPES, process
from tests.support.ports import free_port

ALL = " ".join(SCOPES)
SWIM = {"title": "Swim a mile"}
NOBODYS: dict[str, Any] = {"resource_owner_key": None, "resource_owner_secret": None}  # two-legged
Call = Callable[..., httpx2.Response]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "goals.sqlite"


@pytest.fixture
def goals_url(server: DevServer, credentials: Path, database: Path) -> Iterator[str]:
    def make(host: str) -> Any:
        return goals.create_app(server.issuer, API, database, **goals.signing(credentials, host))

    with on_werkzeug(make) as url:
        yield url


@pytest.fixture
def photos_url(server: DevServer, credentials: Path) -> Iterator[str]:
    with on_uvicorn(lambda host: photos.create_app(server.issuer, API, **photos.signing(credentials, host))) as url:
        yield url


@pytest.fixture(params=["flask", "starlette"])
def read_url(request: pytest.FixtureRequest) -> str:
    """What a GET with the right scope reads, in both examples."""
    names = {"flask": ("goals_url", "/goals"), "starlette": ("photos_url", "/photos")}
    fixture, path = names[request.param]
    return f"{request.getfixturevalue(fixture)}{path}"


def users(database: Path) -> list[Any]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT issuer, subject FROM users ORDER BY number").fetchall()


def send(method: str, url: str, headers: dict[str, str], **options: Any) -> httpx2.Response:
    return httpx2.request(method, url, headers=headers, trust_env=False, timeout=60, **options)


def bearer(server: DevServer, **wishes: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.token(scope=ALL, **wishes)}"}


def oauth1(server: DevServer, url: str, method: str = "GET", **changes: Any) -> dict[str, str]:
    """Headers of a request signed with a token of ada's; `changes` are of the signer."""
    token = server.oauth1_token(subject="ada", scope=ALL)
    secrets = {"client_secret": "secret", "resource_owner_secret": token.secret}
    signer = {"client_key": "demo", "resource_owner_key": token.token, **secrets, **changes}
    headers: dict[str, str] = Signer(**signer).sign(url, method)[1]
    return headers


def mac(key: MACKey, url: str, method: str = "GET") -> dict[str, str]:
    headers: dict[str, str] = prepare_mac_header(key.kid, url, key.key, method, hash_algorithm="hmac-sha-256", draft=1)
    return headers


def test_without_credentials_every_scheme_is_offered(read_url: str) -> None:
    refused = send("GET", read_url, {})
    offered = [challenge.split()[0] for challenge in refused.headers.get_list("www-authenticate")]
    assert (refused.status_code, offered) == (401, ["Bearer", "OAuth", "MAC"])


@pytest.mark.parametrize(
    "changes",
    [
        {"client_key": "nobody"},
        {"client_secret": "guess"},
        {"resource_owner_key": "never"},
        {"resource_owner_secret": "guess"},
        {"timestamp": "1500000000"},
        {"signature_method": "PLAINTEXT"},
    ],
    ids=str,
)
def test_a_signature_that_proves_nothing_is_refused(server: DevServer, read_url: str, changes: dict[str, str]) -> None:
    refused = send("GET", read_url, oauth1(server, read_url, **changes))
    assert refused.status_code in {400, 401}
    assert any(challenge.startswith("OAuth ") for challenge in refused.headers.get_list("www-authenticate"))


def test_a_key_that_is_not_the_one_of_its_id_is_refused(server: DevServer, read_url: str) -> None:
    key = server.mac_key(subject="ada", scope=ALL)
    refused = send("GET", read_url, mac(MACKey(kid=key.kid, key="guess"), read_url))
    assert refused.status_code == 401
    assert 'error="The MAC is not good."' in refused.headers["www-authenticate"]


def test_a_request_for_another_host_is_refused(server: DevServer, read_url: str) -> None:
    elsewhere = read_url.replace("127.0.0.1", "localhost")
    headers = {**oauth1(server, elsewhere), "Host": elsewhere.split("/")[2]}
    assert send("GET", read_url, headers).status_code == 400


@pytest.mark.parametrize("create", [goals.create_app, photos.create_app], ids=["flask", "starlette"])
def test_an_application_that_is_not_told_its_host_does_not_start(
    server: DevServer, credentials: Path, tmp_path: Path, create: Callable[..., Any]
) -> None:
    options = {**goals.signing(credentials, "goals.example"), "url": None}
    places = [tmp_path / "goals.sqlite"] if create is goals.create_app else []
    with pytest.raises(ValueError, match="name yours"):
        create(server.issuer, API, *places, **options)


def test_a_refused_request_makes_no_user(server: DevServer, goals_url: str, database: Path) -> None:
    url = f"{goals_url}/goals"
    assert send("POST", url, oauth1(server, url, "POST", client_secret="guess"), json=SWIM).status_code == 401
    assert send("POST", url, mac(MACKey(kid="nobody", key="k"), url, "POST"), json=SWIM).status_code == 401
    assert users(database) == []


def test_a_user_is_the_same_however_requests_are_made(server: DevServer, goals_url: str, database: Path) -> None:
    url, key = f"{goals_url}/goals", server.mac_key(subject="ada", scope=ALL)
    ways = [bearer(server, claims={"sub": "ada"}), oauth1(server, url, "POST"), mac(key, url, "POST")]
    assert [send("POST", url, headers, json=SWIM).status_code for headers in ways] == [201] * 3
    assert len(send("GET", url, oauth1(server, url)).json()["goals"]) == 3
    assert users(database) == [(server.issuer, "ada")]


def test_a_client_that_acts_for_nobody_has_goals_of_its_own(server: DevServer, goals_url: str, database: Path) -> None:
    url = f"{goals_url}/goals"
    posted = send("POST", url, oauth1(server, url, "POST", **NOBODYS), json=SWIM)
    where = goals_url + posted.headers["location"]
    assert send("GET", where, oauth1(server, where)).status_code == 404
    assert send("GET", where, oauth1(server, where, **NOBODYS)).json()["title"] == "Swim a mile"
    assert users(database) == [(server.issuer, "demo"), (server.issuer, "ada")]


def test_a_print_is_for_the_client_where_there_is_no_user(server: DevServer, photos_url: str) -> None:
    url = f"{photos_url}/photos/1/prints"
    printed = [send("POST", url, oauth1(server, url, "POST", **changes)).json()["for"] for changes in ({}, NOBODYS)]
    assert printed == ["ada", "demo"]


def shake(url: str, headers: dict[str, str]) -> ClientConnection:
    return connect(url, additional_headers=headers, proxy=None)


def test_a_socket_opened_with_a_token_without_an_end_stays_open(server: DevServer, photos_url: str) -> None:
    url = photos_url.replace("http", "ws", 1) + "/photos/live"
    with shake(url, oauth1(server, url)) as connection:
        with pytest.raises(TimeoutError):
            connection.recv(timeout=0.5)
        connection.send("1")
        assert "Harbour" in str(connection.recv(timeout=30))


def test_a_socket_closes_when_its_key_ends(server: DevServer, photos_url: str) -> None:
    url = photos_url.replace("http", "ws", 1) + "/photos/live"
    key = server.mac_key(subject="ada", scope=ALL, expires_at=int(time.time()) + 3)
    with shake(url, mac(key, url)) as connection, pytest.raises(ConnectionClosedError) as closed:
        connection.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "The grant has expired.")


def test_a_handshake_is_good_once(server: DevServer, photos_url: str) -> None:
    url = photos_url.replace("http", "ws", 1) + "/photos/live"
    headers = oauth1(server, url)
    with shake(url, headers), pytest.raises(InvalidStatus) as refused, shake(url, headers):
        pass
    assert refused.value.response.status_code == 401


def test_of_a_request_sent_to_many_workers_at_once_one_is_accepted(
    server: DevServer, credentials: Path, tmp_path: Path
) -> None:
    port = free_port()
    arguments = f"{server.issuer!r}, {API!r}, {str(tmp_path / 'goals.sqlite')!r}"
    (tmp_path / "served_goals.py").write_text(
        "from examples.flask_app.app import create_app, signing\n"
        f"app = create_app({arguments}, **signing({str(credentials)!r}, '127.0.0.1:{port}'))\n"
    )
    options = ["--no-control-socket", "-w", "3", "--threads", "4", "-b", f"127.0.0.1:{port}"]
    with process("-m", "gunicorn", *options, "--pythonpath", tmp_path, "served_goals:app") as url:
        headers = oauth1(server, f"{url}/goals")
        with ThreadPoolExecutor(12) as threads:
            answers = threads.map(lambda _: send("GET", f"{url}/goals", headers).status_code, range(24))
        assert Counter(answers) == {200: 1, 401: 23}


@pytest.mark.parametrize(("name", "path"), [("flask_app", "/goals"), ("starlette_app", "/photos")])
def test_the_scripts_take_signed_requests_too(server: DevServer, credentials: Path, name: str, path: str) -> None:
    port = str(free_port())
    options = ["--issuer", server.issuer, "--audience", API, "--port", port, "--credentials", str(credentials)]
    options += ["--database", str(credentials.with_name("goals.sqlite"))] * (name == "flask_app")
    with process(ROOT / "examples" / name / "app.py", *options) as url:
        headers = oauth1(server, url + path)
        assert [send("GET", url + path, headers).status_code for _ in range(2)] == [200, 401]
