"""`python -m benchmarks`: the ratios of one run on this machine, each with its aim. Takes some three minutes."""

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterable

from . import asgi_overhead, memory, refuse, server_rate, verify, wsgi_overhead
from .rows import Row, table

TOPICS: dict[str, Callable[[], Iterable[Row]]] = {
    "verify": verify.rows,
    "refuse": refuse.rows,
    "asgi": asgi_overhead.rows,
    "wsgi": wsgi_overhead.rows,
    "server": server_rate.rows,
    "memory": memory.rows,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=TOPICS, default=list(TOPICS), metavar="TOPIC", help=", ".join(TOPICS)
    )
    parser.add_argument("--strict", action="store_true", help="end with status 1 when an aim is missed")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    rows: list[Row] = []
    for topic in options.only:
        print(f"{topic} ...", file=sys.stderr, flush=True)
        rows += TOPICS[topic]()
    print(*table(rows), sep="\n")
    print(f"\n{platform.python_implementation()} {platform.python_version()}, {time.monotonic() - started:.0f} s")
    return int(options.strict and not all(row.ok for row in rows))


if __name__ == "__main__":
    sys.exit(main())
