"""What remembering 100,000 verified tokens takes: this package's cache against a dict from the token to its claims.

Each is filled in a process of its own: `python -m benchmarks.memory cache` or `dict`. Making the tokens, 1,037 bytes
each, takes most of the time.
"""

import gc
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from . import tokens
from .rows import Row, beside

TOKENS = 100_000
AIM = 0.25


def rows() -> Iterator[Row]:
    filling = {name: _start(name) for name in ("cache", "dict")}
    cache, plain = (_finish(filling[name]) for name in ("cache", "dict"))
    yield Row(
        case="memory per cached token / token -> claims dict",
        ratio=cache["bytes"] / plain["bytes"],
        aim=AIM,
        note=beside({"garbage-collector pause": cache["pause"] / plain["pause"]}),
    )


def cache() -> Callable[[int], object]:
    bearer = tokens.bearer("RS256", cache_size=4 * TOKENS)
    return lambda number: tokens.check(bearer, tokens.token("RS256", number))()


def plain() -> Callable[[int], object]:
    kept: dict[str, Any] = {}

    def put(number: int) -> None:
        kept[tokens.token("RS256", number)] = json.loads(tokens.payload(number))

    return put


def measure(put: Callable[[int], object]) -> dict[str, float]:
    """Bytes kept per token, and the seconds of one full collection over what was kept."""
    put(0)
    gc.collect()
    gc.freeze()
    gc.disable()
    tracemalloc.start()
    for number in range(1, TOKENS + 1):
        put(number)
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return {"bytes": kept / TOKENS, "pause": median(_pause() for _ in range(9))}


def _pause() -> float:
    started = time.thread_time()
    gc.collect()
    return time.thread_time() - started


def _start(name: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", __spec__.name, name], stdout=subprocess.PIPE, text=True)


def _finish(process: subprocess.Popen[str]) -> dict[str, float]:
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("a measuring process failed")
    measured: dict[str, float] = json.loads(output)
    return measured


if __name__ == "__main__":
    print(json.dumps(measure({"cache": cache, "dict": plain}[sys.argv[1]]())))
