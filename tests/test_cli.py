import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import httpx2
import jwt
import pytest
from sqlalchemy import NullPool, create_engine, select

from oauth_rs.cli import main
from oauth_rs.stores.sql import SQLCredentials
from tests.support.processes import PATIENCE


@contextmanager
def devserver(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The development server in a process of its own, and its issuer."""
    command = [sys.executable, "-m", "oauth_rs", "devserver", "--port", "0", "--alg", "ES256", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())["issuer"]
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_devserver_cleanly(number: signal.Signals) -> None:
    with devserver() as (process, _issuer):
        process.send_signal(number)
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output) == (0, "")
    assert errors.startswith("WARNING: oauth_rs devserver. Development only, not for production")
    assert errors.count("\n") == 1


def test_two_signals_in_a_row_end_the_devserver_as_one_does() -> None:
    with devserver() as (process, _issuer):
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) == 0


def test_the_options_reach_the_devserver() -> None:
    options = [
        "--client",
        "a:b:api:read,api:write",
        "--audience",
        "urn:one",
        "--audience",
        "urn:two",
        "--lifetime",
        "9",
    ]
    posted = {"grant_type": "client_credentials", "scope": "api:read", "resource": "urn:two"}
    with devserver(*options) as (_process, issuer):
        reply = httpx2.post(f"{issuer}/token", data=posted, auth=("a", "b"), trust_env=False).json()
    claims = jwt.decode(reply["access_token"], options={"verify_signature": False})
    assert (claims["aud"], claims["scope"], claims["exp"] - claims["iat"]) == ("urn:two", "api:read", 9)


def test_the_credentials_are_kept_for_resource_servers_to_read(tmp_path: Path) -> None:
    file = tmp_path / "dev.sqlite"
    posted = {"grant_type": "client_credentials", "token_type": "mac"}
    with devserver("--credentials", str(file)) as (_process, issuer):
        kid = httpx2.post(f"{issuer}/token", data=posted, auth=("demo", "secret"), trust_env=False).json()["kid"]
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    store = SQLCredentials(engine, keys=[Path(f"{file}.key").read_text()])
    with engine.connect() as connection:
        assert connection.scalars(select(store.clients.c.client_id)).all() == ["demo"]
        assert connection.scalars(select(store.mac_keys.c.kid)).all() == [kid]


def test_a_file_that_cannot_hold_credentials_ends_with_status_1_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "odd").write_text("no database " * 50)
    for file in (tmp_path / "odd", tmp_path / "nowhere" / "dev.sqlite"):
        assert main(["devserver", "--port", "0", "--credentials", str(file)]) == 1
        errors = capsys.readouterr().err
        assert errors.startswith(f"oauth_rs: cannot use {file} for credentials: ")
        assert errors.count("\n") == 1


def test_listening_on_every_address_is_warned_about() -> None:
    with devserver("--host", "0.0.0.0") as (process, _issuer):  # noqa: S104 - what the warning is for
        process.terminate()
        assert "may be reachable from other machines" in process.communicate(timeout=PATIENCE)[1]


def test_missing_extras_are_named_with_the_remedy() -> None:
    script = "import sys; sys.modules['oauthlib'] = None; from oauth_rs.cli import main; sys.exit(main(['devserver']))"
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert process.returncode == 2
    assert process.stderr == "oauth_rs: oauthlib not installed: pip install 'oauth_rs[devserver]'\n"


def test_a_store_needs_one_more_extra() -> None:
    script = "import sys; sys.modules['sqlalchemy'] = None; from oauth_rs.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", script, "devserver", "--credentials", "dev.sqlite"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 2
    assert process.stderr == "oauth_rs: sqlalchemy not installed: pip install 'oauth_rs[devserver,sql]'\n"


def test_without_a_store_sqlalchemy_is_not_needed() -> None:
    script = "import sys; sys.modules['sqlalchemy'] = None; import oauth_rs.devserver"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_importing_main_runs_nothing() -> None:
    assert import_module("oauth_rs.__main__").main is main


def test_the_command_line_starts_without_the_extras() -> None:
    extras = {"oauthlib", "uvicorn", "flask", "starlette", "fastapi", "redis", "sqlalchemy", "yaml"}
    script = f"import sys; import oauth_rs.cli; sys.exit(bool({extras} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["devserver", "--port", "-1"],
        ["devserver", "--port", "65536"],
        ["devserver", "--port", "http"],
        ["devserver", "--alg", "HS256"],
        ["devserver", "--alg", "none"],
        ["devserver", "--lifetime", "long"],
        ["routes"],
        ["routes", "a:b", "c:d"],
        ["routes", "--allow", "a:b"],
        ["scopes"],
        ["scopes", "one.toml", "two.toml"],
    ],
)
def test_misuse_ends_with_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2


@pytest.mark.parametrize("client", ["", "demo", "demo:", ":hushhush", ":hushhush:photos"])
def test_an_incomplete_client_is_refused_without_repeating_its_secret(
    client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["devserver", "--client", client])
    errors = capsys.readouterr().err
    assert "a client is id:secret:scope,scope" in errors
    assert "hushhush" not in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lifetime", "0"], "lifetime must be at least one second"),
        (["--client", "a:b:caf\u00e9"], "a scope is printable ASCII"),
        (["--client", "a:b", "--client", "a:c"], "two clients have the same id"),
    ],
)
def test_unusable_options_end_with_status_2_and_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["devserver", "--port", "0", *arguments]) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1


def test_a_taken_port_ends_with_status_1_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["devserver", "--alg", "ES256", "--port", port]) == 1
    assert capsys.readouterr().err.startswith(f"oauth_rs: cannot listen on 127.0.0.1 port {port}:")


def test_the_help_says_it_is_not_for_production(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["devserver", "--help"])
    assert "NOT FOR PRODUCTION" in capsys.readouterr().out


PROTECTED = """
from flask import Flask
from oauth_rs import Bearer, JWTProvider, ResourceServer
from oauth_rs.flask import protect, requires

def create_app():
    app = Flask(__name__, static_folder=None)
    protect(app, ResourceServer(Bearer(JWTProvider("https://id.example.com", audience="https://api.example.com"))))
    app.add_url_rule("/photos", "photos", requires("photos")(lambda: "done"))
    return app

app = create_app()
"""
UNPROTECTED = """
from starlette.applications import Starlette
from starlette.routing import Route
app = Starlette(routes=[Route("/open", lambda request: None)])
"""


@pytest.fixture
def listing(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command with a module `served` of the given text in the current directory."""

    def run(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "served.py").write_text(text)
        # As an installed script is run: Python itself puts the current directory nowhere then.
        command = [sys.executable, "-P", "-m", "oauth_rs", "routes", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


Listing = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("target", ["served:app", "served:create_app()"])
def test_the_routes_of_an_application_are_listed(listing: Listing, target: str) -> None:
    process = listing(PROTECTED, target)
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.splitlines()[1].split() == ["GET", "/photos", "protected", "photos", "photos"]


def test_an_unprotected_route_is_marked_and_ends_with_status_1(listing: Listing) -> None:
    process = listing(UNPROTECTED, "served:app")
    assert (process.returncode, process.stderr) == (1, "")
    assert process.stdout.splitlines()[1].split()[:4] == ["!", "GET", "/open", "unprotected"]


def test_a_broken_route_ends_with_status_1(listing: Listing) -> None:
    process = listing(PROTECTED.replace("protect(app,", "dict.get({},"), "served:app")
    assert process.returncode == 1
    assert "GET /photos (photos) is broken: it asks for a grant, and no middleware stands" in process.stdout


def test_a_route_that_is_open_at_some_paths_ends_with_status_1(listing: Listing) -> None:
    text = PROTECTED.replace('.com"))))', '.com")), public=["/photos"]))').replace('requires("photos")', "")
    process = listing(text.replace('"/photos", "photos"', '"/<name>", "photos"'), "served:app")
    assert process.returncode == 1
    assert process.stdout.splitlines()[1].split()[:4] == ["!", "GET", "/<name>", "public"]
    assert "/1729 takes any grant, /photos is public" in process.stdout


@pytest.mark.parametrize(("text", "status"), [(PROTECTED, 0), (UNPROTECTED, 1)])
def test_the_routes_are_listed_for_programs_too(listing: Listing, text: str, status: int) -> None:
    process = listing(text, "served:app", "--json")
    assert process.returncode == status
    (route,) = json.loads(process.stdout)
    assert route["protection"] == ("unprotected" if status else "protected")


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        (PROTECTED, "serve:app", "there is no module 'serve'"),
        (PROTECTED, "served:application", "served has no application: is it misspelled"),
        (PROTECTED, "served:create_app", "write served:create_app() for the application"),
        (PROTECTED, "served:Flask", "type is no application that can be looked at"),
        (PROTECTED, "served", "'served' names no application"),
        ("1 / 0", "served:app", "served cannot be imported: ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(0)", "served:app", "served cannot be imported: SystemExit: 0"),
        ("def app(): raise ValueError", "served:app()", "served:app() cannot be called: ValueError"),
        ("app = 1", "served:app", "int is no application that can be looked at"),
    ],
)
def test_what_cannot_be_listed_ends_with_status_2_and_one_line(
    listing: Listing, text: str, target: str, message: str
) -> None:
    process = listing(text, target)
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr.startswith("oauth_rs: ")
    assert message in process.stderr
    assert process.stderr.count("\n") == 1


def test_the_current_directory_is_not_put_there_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "served_once.py").write_text(PROTECTED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    assert main(["routes", "served_once:app"]) == 0
    assert main(["routes", "served_once:app"]) == 0
    assert sys.path.count(str(tmp_path)) == 1
    assert "1 route: 1 protected" in capsys.readouterr().out


SCOPES = """
[scopes.withdraw]
description = "Take money out"
children = ["deposit"]
[scopes.deposit]
"""


def test_the_scopes_of_a_file_are_printed_as_a_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scopes.toml").write_text(SCOPES)
    assert main(["scopes", str(tmp_path / "scopes.toml")]) == 0
    assert capsys.readouterr() == ("withdraw: Take money out\n  deposit\n", "")


def test_a_good_file_is_checked_without_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scopes.toml").write_text(SCOPES)
    assert main(["scopes", "--check", str(tmp_path / "scopes.toml")]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("options", [[], ["--check"]])
@pytest.mark.parametrize(
    ("text", "line"),
    [
        (SCOPES.replace('"deposit"', '"deposits"'), 4),
        (SCOPES + 'children = ["withdraw"]', 4),
        (SCOPES + "child = 1", 6),
        ("[scope.a]", 1),
        ("[scopes.a", 1),
        ("", 1),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], text: str, line: int
) -> None:
    file = tmp_path / "scopes.toml"
    file.write_text(text)
    assert main(["scopes", *options, str(file)]) == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith(f"{file}:{line}: ")
    assert errors.count("\n") == 1


POLICY = (
    SCOPES
    + """
[policy.operations]
"GET /goals" = "deposit"
"POST /goals" = { all = ["withdraw"], max_age = 300 }
"GET /health" = { public = true }
[policy.default]
any_grant = true
"""
)


@pytest.mark.parametrize(
    "text",
    [POLICY, SCOPES + '[policy]\napi = ["deposit"]', SCOPES + "[policy]\nany_grant = true"],
)
def test_a_good_policy_is_checked_without_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (tmp_path / "access.toml").write_text(text)
    assert main(["scopes", "--check", str(tmp_path / "access.toml")]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (POLICY.replace('= "deposit"', '= "deposits"'), 8, "GET /goals: there is no scope 'deposits'"),
        (POLICY.replace('["withdraw"]', '["withdrew"]'), 9, "did you mean 'withdraw'?"),
        (POLICY.replace("max_age", "maxage"), 9, "a rule has no 'maxage': did you mean 'max_age'?"),
        (POLICY.replace("public = true", "publik = true"), 10, "a rule has no 'publik'"),
        (POLICY.replace("policy.operations", "policy.operation"), 7, "a policy has no 'operation'"),
        (POLICY.replace('"GET /goals"', '"GET goals"'), 8, "'GET goals' is no operation"),
        (POLICY.replace("any_grant = true", 'all = ["none"]'), 11, "default: there is no scope 'none'"),
        (SCOPES + '[policy]\napi = ["deposit", "x"]', 7, "every operation: there is no scope 'x'"),
        ("policy = 1\n" + SCOPES, 1, "there is no section `policy`"),
    ],
)
def test_a_mistake_in_a_policy_is_told_with_its_line_when_the_file_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, line: int, message: str
) -> None:
    file = tmp_path / "access.toml"
    file.write_text(text)
    assert main(["scopes", "--check", str(file)]) == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith(f"{file}:{line}: ")
    assert message in errors
    assert errors.count("\n") == 1
    assert main(["scopes", str(file)]) == 0


def test_the_policy_of_an_example_is_good() -> None:
    assert main(["scopes", "--check", "examples/flask_app/access.toml"]) == 0


def test_a_file_that_is_not_there_ends_with_status_1_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (tmp_path / "none.toml", tmp_path / "none.yaml"):
        assert main(["scopes", str(file)]) == 1
        assert capsys.readouterr().err == f"oauth_rs: cannot read {file}: No such file or directory\n"


@pytest.fixture
def nobody_reads() -> Iterator[int]:
    """The end to write to of a pipe that nobody reads from, as once `head` is gone."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


def test_whoever_stops_reading_is_told_nothing(tmp_path: Path, nobody_reads: int) -> None:
    (tmp_path / "scopes.toml").write_text(SCOPES)
    command = [sys.executable, "-m", "oauth_rs", "scopes", str(tmp_path / "scopes.toml")]
    process = subprocess.run(command, stdout=nobody_reads, stderr=subprocess.PIPE, text=True, check=False)
    assert (process.returncode, process.stderr) == (0, "")


def test_the_status_is_what_it_is_when_nobody_reads(
    tmp_path: Path, nobody_reads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unread.py").write_text(UNPROTECTED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with os.fdopen(os.dup(nobody_reads), "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        assert main(["routes", "unread:app"]) == 1
