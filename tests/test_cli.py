import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import httpx2
import jwt
import pytest
from sqlalchemy import NullPool, create_engine, select

from oauth_rs.cli import main
from oauth_rs.stores.sql import SQLCredentials


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
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output) == (0, "")
    assert errors.startswith("WARNING: oauth_rs devserver. Development only, not for production")
    assert errors.count("\n") == 1


def test_two_signals_in_a_row_end_the_devserver_as_one_does() -> None:
    with devserver() as (process, _issuer):
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


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
        assert "may be reachable from other machines" in process.communicate(timeout=10)[1]


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
    script = "import sys; import oauth_rs.cli; sys.exit(bool({'oauthlib', 'uvicorn'} & set(sys.modules)))"
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
