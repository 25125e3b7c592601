"""Times several calls against each other: short batches, round by round, so that whatever else the machine does hits
all of them alike. Only ratios come out: on a shared machine nothing else repeats.
"""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import repeat
from statistics import median
from time import thread_time
from timeit import Timer

ROUNDS = 250
BATCH_SECONDS = 0.002  # short enough that most batches run without being interrupted


class Samples:
    """Seconds per call of each case, one value per round."""

    def __init__(self, seconds: Mapping[str, list[float]]) -> None:
        self._seconds = seconds

    def ratio(self, case: str, against: str, *, over: str = "") -> float:
        """The median over the rounds of `case` / `against`; with `over`, of what each takes more than `over` does."""
        base = self._seconds[over] if over else repeat(0.0)
        rounds = zip(self._seconds[case], self._seconds[against], base, strict=False)
        return median((one - bare) / (other - bare) for one, other, bare in rounds)

    def __contains__(self, case: str) -> bool:
        return case in self._seconds

    def median(self, case: str) -> float:
        """The median seconds of one call."""
        return median(self._seconds[case])


def interleaved(
    calls: Mapping[str, Callable[[], object]], *, rounds: int = ROUNDS, batch_seconds: float = BATCH_SECONDS
) -> Samples:
    """Samples of `calls`, which do nothing but compute; warmed, with the garbage collector off while they run."""
    # The time of this thread on a processor: a batch that was interrupted counts no longer than it ran.
    timers = {name: Timer(call, timer=thread_time) for name, call in calls.items()}
    counts = {name: _calls_per_batch(timer, batch_seconds) for name, timer in timers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    with _frozen_heap():
        for _ in range(rounds):
            for name in order:
                seconds[name].append(timers[name].timeit(counts[name]) / counts[name])
            order.reverse()  # nobody always runs after the same neighbour
            gc.collect()  # the heap is frozen: this takes only what the round left
    return Samples(seconds)


def _calls_per_batch(timer: Timer, batch_seconds: float) -> int:
    timer.timeit(3)
    count = 1
    while (spent := timer.timeit(count)) < batch_seconds / 4:
        count *= 2
    return max(1, round(count * batch_seconds / spent))


@contextmanager
def _frozen_heap() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
