"""The goals API over real ports, with a live issuer."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest

from examples.flask_app.app import create_app
from examples.serving import on_werkzeug
from oauth_rs.devserver import DevServer
from tests.examples.conftest import API, ROOT, process

Call = Callable[..., httpx2.Response]
T = TypeVar("T")
BOTH = "goals goals.write"
ADA, BOB = {"who": "ada"}, {"who": "bob"}
SWIM = {"title": "Swim a mile"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "goals.sqlite"


@pytest.fixture
def url(server: DevServer, database: Path) -> Iterator[str]:
    with on_werkzeug(lambda _host: create_app(server.issuer, API, database)) as url:
        yield url


@pytest.fixture
def call(server: DevServer, url: str) -> Iterator[Call]:
    with caller(server, url) as call:
        yield call


@contextmanager
def caller(server: DevServer, url: str) -> Iterator[Call]:
    """Sends a request with a token of `who` for `scope`, or with `token`; an empty one is left out."""

    def call(
        method: str,
        path: str = "/goals",
        *,
        who: str = "ada",
        scope: str = BOTH,
        token: str | None = None,
        **options: Any,
    ) -> httpx2.Response:
        if token is None:
            token = server.token(scope=scope, claims={"sub": who})
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **options.pop("headers", {})}
        return client.request(method, path, headers=headers, **options)

    with httpx2.Client(base_url=url, trust_env=False, timeout=60) as client:
        yield call


def users(database: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("select issuer, subject from users").fetchall()


def test_a_goal_is_created_read_listed_changed_and_deleted(call: Call) -> None:
    created = call("POST", json=SWIM)
    assert (created.status_code, created.json()) == (201, {"number": 1, "title": "Swim a mile", "done": False})
    where = created.headers["location"]
    assert call("PATCH", where, json={"done": True}).json() == {"number": 1, "title": "Swim a mile", "done": True}
    assert call("GET", where).json()["done"] is True
    assert [goal["number"] for goal in call("GET").json()["goals"]] == [1]
    assert call("DELETE", where).status_code == 204
    assert call("GET", where).status_code == 404
    assert call("GET").json() == {"goals": []}


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_somebody_elses_goal_looks_like_none_and_stays_as_it_is(call: Call, method: str) -> None:
    where = call("POST", **ADA, json=SWIM).headers["location"]
    body = {"json": {"title": "Rest"}} if method == "PATCH" else {}
    foreign, missing = call(method, where, **BOB, **body), call(method, "/goals/999", **BOB, **body)
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert foreign.content == missing.content
    assert call("GET", where, **ADA).json()["title"] == "Swim a mile"


def test_a_list_holds_only_goals_of_the_caller(call: Call) -> None:
    call("POST", **ADA, json=SWIM)
    assert call("GET", **BOB).json() == {"goals": []}


def test_one_subject_of_two_issuers_is_two_users(server: DevServer, call: Call, database: Path) -> None:
    where = call("POST", json=SWIM).headers["location"]
    with (
        DevServer.running(audience=API, algorithm="ES256") as other,
        on_werkzeug(lambda _host: create_app(other.issuer, API, database)) as url,
        caller(other, url) as call_there,
    ):
        assert call_there("GET", where).status_code == 404
        assert users(database) == [(server.issuer, "ada"), (other.issuer, "ada")]


@pytest.mark.parametrize(
    ("method", "path", "held", "lacking"),
    [
        ("GET", "/goals", "goals.write", "goals"),
        ("GET", "/goals/1", "goals.write", "goals"),
        ("POST", "/goals", "goals", "goals.write"),
        ("PATCH", "/goals/1", "goals", "goals.write"),
        ("DELETE", "/goals/1", "goals", "goals.write"),
        ("DELETE", "/goals/1", "", "goals.write"),
    ],
)
def test_each_operation_names_the_scope_it_lacks(call: Call, method: str, path: str, held: str, lacking: str) -> None:
    refused = call(method, path, scope=held, **({"json": SWIM} if method in {"POST", "PATCH"} else {}))
    assert refused.status_code == 403
    assert f'scope="{lacking}"' in refused.headers["www-authenticate"]
    assert refused.json()["error"] == "insufficient_scope"


@pytest.mark.parametrize(("method", "scope"), [("GET", "goals"), ("POST", "goals.write")])
def test_a_request_without_a_token_is_refused_and_makes_no_user(
    call: Call, database: Path, method: str, scope: str
) -> None:
    refused = call(method, token="")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == f'Bearer realm="goals", scope="{scope}"'
    assert users(database) == []


def test_a_token_for_another_audience_makes_no_user(server: DevServer, call: Call, database: Path) -> None:
    token = server.token(scope=BOTH, claims={"aud": "https://other.example.com"})
    assert call("GET", token=token).status_code == 401
    assert users(database) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"[" * 4000,
        b'{"title": "\xff"}',
        b'{"title": "Rest", "owner": 2}',
        b'{"title": ""}',
        b'{"title": "  "}',
        b'{"title": null}',
        b'{"title": 7}',
        b'{"title": ["Rest"]}',
        b'{"title": "a\\u0000b"}',
        b'{"title": "a\\nb"}',
        b'{"title": "\\ud800"}',
        b'{"title": "' + b"a" * 201 + b'"}',
        b'{"title": "Rest", "done": "yes"}',
        b'{"title": "Rest", "done": 1}',
        b'{"title": "Rest", "done": null}',
    ],
    ids=lambda body: body[:24].decode(errors="replace"),
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/goals"), ("PATCH", "/goals/1")])
def test_a_body_that_is_not_a_goal_is_a_clear_400(call: Call, method: str, path: str, body: bytes) -> None:
    refused = call(method, path, content=body, headers=JSON)
    assert refused.status_code == 400
    assert refused.json()["error_description"].endswith(".")
    assert "www-authenticate" not in refused.headers


@pytest.mark.parametrize("title", ["x", "é" * 200, " \U0001f3ca\u200d\u2640\ufe0f ", "'; drop table goals; --"])
def test_a_title_comes_back_as_it_was_sent(call: Call, title: str) -> None:
    assert call("GET", call("POST", json={"title": title}).headers["location"]).json()["title"] == title


def test_json_that_is_not_called_json_is_a_400(call: Call) -> None:
    assert call("POST", data=SWIM).status_code == 400


def test_a_new_goal_without_a_title_is_a_400(call: Call) -> None:
    refused = call("POST", json={"done": True})
    assert (refused.status_code, refused.json()["error_description"]) == (400, "A new goal needs a title.")


def test_a_body_over_the_limit_is_a_413(call: Call) -> None:
    refused = call("POST", content=b" " * 5000, headers=JSON)
    assert (refused.status_code, refused.headers["content-type"]) == (413, "application/json")


@pytest.mark.parametrize("number", ["0", "9" * 19, "9" * 30, "9" * 5000, "x", "1/2"], ids=lambda text: text[:20])
def test_a_number_that_no_goal_has_is_a_404(call: Call, number: str) -> None:
    assert call("GET", f"/goals/{number}").status_code == 404


@pytest.mark.parametrize("number", ["-1", "+1", "1.0", "1_0", "%201"])
def test_a_number_that_some_would_read_and_others_not_is_a_400(call: Call, number: str) -> None:
    assert call("GET", f"/goals/{number}").status_code == 400


def test_a_method_that_is_not_offered_is_told_which_are(call: Call) -> None:
    refused = call("PUT", "/goals/1", json=SWIM)
    assert (refused.status_code, refused.json()["error"]) == (405, "Method Not Allowed")
    assert {"GET", "PATCH", "DELETE"} <= set(refused.headers["allow"].split(", "))


def together(times: int, database: Path, act: Callable[[], T]) -> list[T]:
    """What `times` threads get from `act`. None can write until all had the time to read what is not there yet."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection, ThreadPoolExecutor(times) as threads:
        connection.execute("begin immediate")
        begun = [threads.submit(act) for _ in range(times)]
        wait(begun, timeout=0.5)
        connection.execute("rollback")
        return [one.result() for one in begun]


def test_first_requests_that_arrive_together_make_one_user(call: Call, server: DevServer, database: Path) -> None:
    assert together(12, database, lambda: call("POST", json=SWIM).status_code) == [201] * 12
    assert users(database) == [(server.issuer, "ada")]
    assert len(call("GET").json()["goals"]) == 12


def test_applications_that_start_together_share_a_new_database(server: DevServer, database: Path) -> None:
    assert len(together(4, database, lambda: create_app(server.issuer, API, database))) == 4


def test_processes_make_one_user_too(server: DevServer, database: Path) -> None:
    application = f"examples.flask_app.app:create_app({server.issuer!r}, {API!r}, {str(database)!r})"
    options = ["--no-control-socket", "-w", "3", "--threads", "4", "-b", "127.0.0.1:0"]
    with process("-m", "gunicorn", *options, application) as url, caller(server, url) as call:
        assert call("GET", who="bob").status_code == 200
        assert together(12, database, lambda: call("POST", json=SWIM).status_code) == [201] * 12
    assert users(database) == [(server.issuer, "bob"), (server.issuer, "ada")]


def test_the_script_runs_alone(server: DevServer, database: Path) -> None:
    script = ROOT / "examples" / "flask_app" / "app.py"
    options = ["--issuer", server.issuer, "--audience", API, "--port", "0", "--database", str(database)]
    with process(script, *options) as url, caller(server, url) as call:
        assert call("POST", json=SWIM).status_code == 201
        assert call("POST", token="").status_code == 401


def test_all_goals_of_a_caller_are_forgotten_by_whoever_has_just_signed_in(server: DevServer, call: Call) -> None:
    assert call("POST", json=SWIM).status_code == 201
    assert call("POST", json=SWIM, **BOB).status_code == 201
    stale = call("DELETE")
    assert stale.status_code == 401
    assert 'error="insufficient_user_authentication"' in stale.headers["www-authenticate"]
    assert 'max_age="300"' in stale.headers["www-authenticate"]
    fresh = server.token(scope=BOTH, claims={"sub": "ada", "auth_time": int(time.time())})
    assert call("DELETE", token=fresh).status_code == 204
    assert call("GET").json() == {"goals": []}
    assert len(call("GET", **BOB).json()["goals"]) == 1


def test_the_scope_above_holds_both_below(call: Call) -> None:
    assert call("POST", json=SWIM, scope="goals.all").status_code == 201
    assert call("GET", scope="https://api.example.com/scopes/goals").status_code == 200


def test_what_a_client_says_of_itself_reaches_nobody(call: Call) -> None:
    told = call("GET", "/whoami", headers={"OAuth-ClientID": "root", "OAuth_Scope": "admin"}).json()
    assert told["oauth-clientid"] == "demo"
    assert told["oauth-scope"] == BOTH
    assert told["oauth-resourceowneruid"] == "ada"
