"""What computing costs, on any machine and whatever else it does meanwhile."""

import time
from collections.abc import Callable

_YARD_SECONDS = 0.005  # of processor time, on the machine that the limits in the tests are meant for


def cost(work: Callable[[], object], *, rounds: int = 5) -> float:
    """The processor time that `work` takes in this thread, in seconds of a machine that does nothing else.

    Whoever shares the processor and its caches stretches processor time too, so `work` is measured against a yard that
    is stretched alike, and the least of so many rounds counts.
    """
    return min(_seconds(work) / _seconds(_yard) for _ in range(rounds)) * _YARD_SECONDS


def _seconds(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def _yard() -> None:
    seen: dict[str, int] = {}
    for number in range(30_000):
        text = f"a{number % 97}"
        seen[text] = seen.get(text, 0) + len(text)
