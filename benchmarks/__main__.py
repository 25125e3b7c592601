"""`python -m benchmarks`: the ratios of one run on this machine, each with its aim. Takes some four minutes."""

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict

from . import asgi_overhead, decide, memory, oauth1, opaque, refuse, replay_store, server_rate, verify, wsgi_overhead
from .rows import Row, table

TOPICS: dict[str, Callable[[], Iterable[Row]]] = {
    "verify": verify.rows,
    "refuse": refuse.rows,
    "decide": decide.rows,
    "asgi": asgi_overhead.rows,
    "wsgi": wsgi_overhead.rows,
    "oauth1": oauth1.rows,
    "opaque": opaque.rows,
    "replay": replay_store.rows,
    "server": server_rate.rows,
    "memory": memory.rows,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=TOPICS, default=list(TOPICS), metavar="TOPIC", help=", ".join(TOPICS)
    )
    parser.add_argument("--strict", action="store_true", help="end with status 1 when an aim is missed")
    parser.add_argument("--rows-of", choices=TOPICS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.rows_of:
        print(json.dumps([asdict(row) for row in TOPICS[options.rows_of]()]))
        return 0
    started = time.monotonic()
    rows = [row for topic in options.only for row in in_a_process_of_its_own(topic)]
    print(*table(rows), sep="\n")
    print(f"\n{platform.python_implementation()} {platform.python_version()}, {time.monotonic() - started:.0f} s")
    return int(options.strict and not all(row.ok for row in rows))


def in_a_process_of_its_own(topic: str) -> list[Row]:
    """The rows of `topic`. What one topic leaves in heap and caches must not weigh on the next."""
    print(f"{topic} ...", file=sys.stderr, flush=True)
    command = [sys.executable, *(f"-W{option}" for option in sys.warnoptions), "-m", "benchmarks", "--rows-of", topic]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return [Row(**members) for members in json.loads(output)]


if __name__ == "__main__":
    sys.exit(main())
