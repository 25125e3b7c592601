"""The command line: a development authorization server, lists of an application's routes and of a file's scopes.

Does not configure or run an application of yours.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.configuration import ConfigurationError, load, read_catalogue
from oauth_rs.policy_files import read_policy
from oauth_rs.scopes import Requirement

# Written out, not imported: `--help` works without the extras.
_ALGORITHMS = ("RS256", "ES256", "Ed25519", "EdDSA")
_DEVSERVER_NEEDS = ("oauthlib", "starlette", "uvicorn")
_STORE_NEEDS = (*_DEVSERVER_NEEDS, "sqlalchemy")
_PORT_MAX = 65_535
_FAILED, _MISUSED = 1, 2
# Where rules that are no operation's stand in a section `policy`.
_WHOLE_API = {"default": ("default",), "every operation": ("api",)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status: 0 done, 1 failed, 2 misused or something not installed."""
    options = _parser().parse_args(arguments)
    status: int = options.run(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="oauth_rs", description="OAuth resource-server middleware.")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_devserver(commands)
    routes = commands.add_parser(
        "routes",
        help="list the routes of an application and what each takes",
        description="Lists every route of a Flask, Starlette or FastAPI application with what it takes. Status 1 when "
        "some are unprotected or broken, or not protected at every path; 2 when the application cannot be imported.",
    )
    routes.set_defaults(run=_routes)
    routes.add_argument("application", metavar="module:app", help="or module:create_app() for one to be made")
    routes.add_argument("--json", action="store_true", help="a list of objects instead of a table")
    scopes = commands.add_parser(
        "scopes",
        help="print the scopes of a configuration file as a tree",
        description="Prints the scopes of a TOML, YAML or JSON file as a tree. Status 1 and file:line when it is not "
        "good; with --check its policy is looked at too, where it has one.",
    )
    scopes.set_defaults(run=_scopes)
    scopes.add_argument("file", type=Path)
    scopes.add_argument("--check", action="store_true", help="print nothing when the file is good")
    return parser


def _add_devserver(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    devserver = commands.add_parser(
        "devserver",
        help="run a development authorization server (NOT for production)",
        description="A development authorization server. NOT FOR PRODUCTION: it keeps keys in memory, speaks plain "
        "HTTP, and its /dev/token mints any token for anyone.",
    )
    devserver.set_defaults(run=_devserver)
    devserver.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    devserver.add_argument("--port", type=_port, default=9000, help="0 picks a free one (default: %(default)s)")
    devserver.add_argument("--alg", choices=_ALGORITHMS, default="RS256", help="default: %(default)s")
    devserver.add_argument(
        "--client",
        action="append",
        type=_client,
        dest="clients",
        metavar="ID:SECRET:SCOPE,SCOPE",
        help="may be repeated (default: demo:secret:photos)",
    )
    devserver.add_argument(
        "--audience",
        action="append",
        dest="audiences",
        metavar="URL",
        help="who the tokens are for; may be repeated, the first is the default (default: http://127.0.0.1:8000)",
    )
    devserver.add_argument("--lifetime", type=int, default=600, help="of a token, seconds (default: %(default)s)")
    devserver.add_argument(
        "--credentials",
        type=Path,
        metavar="FILE",
        help="SQLite file for clients, OAuth 1.0a tokens and MAC keys, which resource servers read; its encryption key "
        "is kept in FILE.key, made when missing (default: signed requests are not served)",
    )


def _devserver(options: argparse.Namespace) -> int:
    extra, needed = ("devserver,sql", _STORE_NEEDS) if options.credentials else ("devserver", _DEVSERVER_NEEDS)
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        return _complain(_MISUSED, f"{', '.join(missing)} not installed: pip install 'oauth_rs[{extra}]'")
    # The extras are there only now; and every other command starts without them.
    from oauth_rs.devserver import Client, DevServer, serve  # noqa: PLC0415
    from oauth_rs.devserver.ledger import open_store  # noqa: PLC0415

    audience, *more_audiences = options.audiences or ["http://127.0.0.1:8000"]
    clients = options.clients or [("demo", "secret", frozenset({"photos"}))]
    try:
        credentials = open_store(options.credentials) if options.credentials else None
    except (OSError, ValueError) as error:
        return _complain(_FAILED, f"cannot use {options.credentials} for credentials: {error}")
    try:
        server = DevServer(
            audience=audience,
            more_audiences=more_audiences,
            algorithm=options.alg,
            clients=[Client(client_id, secret, scopes=scopes) for client_id, secret, scopes in clients],
            lifetime=options.lifetime,
            host=options.host,
            port=options.port,
            credentials=credentials,
        )
    except ValueError as error:
        return _complain(_MISUSED, str(error))
    except OSError as error:
        return _complain(_FAILED, f"cannot listen on {options.host} port {options.port}: {error.strerror}")
    serve(server)
    return 0


def _routes(options: argparse.Namespace) -> int:
    from oauth_rs.inventory import routes  # noqa: PLC0415 - other commands need not load it
    from oauth_rs.inventory.loading import LoadError, load  # noqa: PLC0415
    from oauth_rs.inventory.table import table  # noqa: PLC0415

    here = str(Path.cwd())
    if here not in sys.path:  # a script that pip installed has its own folder there instead
        sys.path.insert(0, here)
    try:
        found = routes(load(options.application))
    except (LoadError, TypeError) as error:
        return _complain(_MISUSED, str(error))
    _say(json.dumps([route.as_data() for route in found], indent=2) if options.json else table(found))
    return _FAILED if any(route.problem for route in found) else 0


def _scopes(options: argparse.Namespace) -> int:
    try:
        catalogue = read_catalogue(options.file)
        if options.check:
            _check_policy(options.file, catalogue)
    except OSError as error:
        return _complain(_FAILED, f"cannot read {options.file}: {error.strerror}")
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # it begins with file:line, which editors find there
        return _FAILED
    if not options.check:
        _say(str(catalogue))
    return 0


def _check_policy(file: Path, catalogue: ScopeCatalogue) -> None:
    """Returns when the policy in `file` is good, or there is none. Raises ConfigurationError and OSError."""
    document = load(file)
    if "policy" not in document.data:
        return
    for where, rule in read_policy(file).rules():
        path = _WHOLE_API.get(where, ("operations", where))
        if isinstance(rule, Requirement):
            with document.located("policy", *path):
                catalogue.check_requirement(rule, where)


def _say(text: str) -> None:
    """Prints `text`; a reader that went early, as `head` does, ends it quietly."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        with Path(os.devnull).open("wb") as nowhere:  # for what is left, which Python writes when it ends
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _complain(status: int, message: str) -> int:
    print(f"oauth_rs: {message}", file=sys.stderr)
    return status


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= _PORT_MAX:
        return int(text)
    raise argparse.ArgumentTypeError(f"a port is a number from 0 to {_PORT_MAX}")


def _client(text: str) -> tuple[str, str, frozenset[str]]:
    # Scopes come last because they may contain colons. The text holds a secret: no message repeats it.
    client_id, _, rest = text.partition(":")
    secret, _, scopes = rest.partition(":")
    if not client_id or not secret:
        raise argparse.ArgumentTypeError("a client is id:secret:scope,scope")
    return client_id, secret, frozenset(filter(None, scopes.split(",")))
