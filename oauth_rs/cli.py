"""The command line: `python -m oauth_rs devserver` runs the development authorization server.

Does not configure or run an application of yours.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

# Written out, not imported: `--help` works without the extras.
_ALGORITHMS = ("RS256", "ES256", "Ed25519", "EdDSA")
_DEVSERVER_NEEDS = ("oauthlib", "starlette", "uvicorn")
_STORE_NEEDS = (*_DEVSERVER_NEEDS, "sqlalchemy")
_PORT_MAX = 65_535
_FAILED, _MISUSED = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status: 0 done, 1 failed, 2 misused or something not installed."""
    options = _parser().parse_args(arguments)
    status: int = options.run(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="oauth_rs", description="OAuth resource-server middleware.")
    commands = parser.add_subparsers(required=True, metavar="command")
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
    return parser


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
