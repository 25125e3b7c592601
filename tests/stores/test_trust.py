import logging
import subprocess
import sys
from math import inf, nan
from pathlib import Path

import pytest

from oauth_rs.errors import Unavailable
from oauth_rs.quiet import OUTAGE
from oauth_rs.stores.trust import _PERIOD, Trust
from tests.support.playing import FakeClock
from tests.support.replay_contract import at_once

NOW = 1_000_000.0


def accepts(trust: Trust, signed_at: float, now: float = NOW) -> bool:
    try:
        trust.check(signed_at, now)
    except Unavailable:
        return False
    return True


@pytest.mark.parametrize("distrust", [-1, -0.001, inf, nan])
def test_distrust_is_a_number_of_seconds(distrust: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        Trust(distrust=distrust)


@pytest.mark.parametrize("signed_at", [0, NOW - 1e9, NOW, NOW + 1e9])
def test_a_store_that_lost_nothing_is_believed(signed_at: float) -> None:
    assert accepts(Trust(), signed_at)


@pytest.mark.parametrize(
    ("signed_at", "accepted"), [(NOW - 600, False), (NOW - 1, False), (NOW, False), (NOW + 0.001, True)]
)
def test_what_was_signed_before_a_loss_is_refused(signed_at: float, accepted: bool) -> None:  # noqa: FBT001
    trust = Trust()
    trust.lost(NOW)
    assert accepts(trust, signed_at) is accepted


def test_an_older_loss_changes_nothing() -> None:
    trust = Trust()
    for at in (NOW, NOW - 100):
        trust.lost(at)
    trust.raise_gate(NOW - 50)
    assert not accepts(trust, NOW)
    trust.raise_gate(NOW + 50)
    assert not accepts(trust, NOW + 50)


@pytest.mark.parametrize(("after", "retry"), [(0, 5), (0.5, 5), (4.9, 1), (5, 1), (100, 1)])
def test_the_refusal_says_when_to_come_again(after: float, retry: int) -> None:
    trust = Trust()
    trust.lost(NOW + 5)
    with pytest.raises(Unavailable) as caught:
        trust.check(NOW, NOW + after)
    assert (caught.value.status, caught.value.reason, caught.value.retry_after) == (503, "replay_memory_lost", retry)


# Requests dated ahead of time


@pytest.mark.parametrize("lead", [0.001, 10, 300])
def test_the_gate_stands_as_far_ahead_as_requests_were_dated(lead: float) -> None:
    trust = Trust()
    for one in (lead / 4, lead, -50, lead / 2):
        trust.expect(NOW + one, NOW)
    trust.lost(NOW + 1)
    assert [accepts(trust, NOW + 1 + lead), accepts(trust, NOW + 1.01 + lead)] == [False, True]


def test_what_was_lost_before_this_process_used_it_has_the_leads_of_others() -> None:
    trust = Trust(distrust=7)
    trust.expect(NOW + 50, NOW)
    trust.lost(NOW, ours=False)
    assert trust.gate == NOW + 7


def test_requests_dated_in_the_past_draw_no_gate_back() -> None:
    trust = Trust()
    trust.expect(NOW - 300, NOW)
    trust.lost(NOW)
    assert [accepts(trust, NOW), accepts(trust, NOW + 0.001)] == [False, True]


@pytest.mark.parametrize(("after", "counts"), [(1, True), (_PERIOD - 1, True), (_PERIOD, True), (2 * _PERIOD, False)])
def test_a_lead_is_forgotten_after_a_while_and_not_before(after: float, counts: bool) -> None:  # noqa: FBT001
    trust = Trust()
    trust.expect(NOW + 100, NOW)
    for now in (NOW + after / 2, NOW + after):
        trust.expect(now, now)
    trust.lost(NOW + after)
    assert accepts(trust, NOW + after + 100) is not counts


@pytest.mark.parametrize(("lead", "gate"), [(0, 60), (59, 60), (100, 100)])
def test_the_larger_of_lead_and_distrust_counts(lead: float, gate: float) -> None:
    trust = Trust(distrust=60)
    trust.expect(NOW + lead, NOW)
    trust.lost(NOW)
    assert trust.gate == NOW + gate


def test_no_lead_is_overlooked_among_threads() -> None:
    for _ in range(50):
        trust = Trust()
        at_once([lambda lead=lead, trust=trust: trust.expect(NOW + lead, NOW) for lead in range(1, 9)])  # type: ignore[misc]
        trust.lost(NOW)
        assert trust.gate == NOW + 8


FORK = """
import os
from oauth_rs.stores.trust import Trust
trust = Trust()
with trust._lock():
    child = os.fork()
    if not child:
        trust.lost(5)
        os._exit(int(trust.gate))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_child_waits_for_no_lock_of_its_parent() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], check=True, capture_output=True, text=True, timeout=30)
    assert done.stdout == "5\n"


# The log


def test_why_is_logged_and_not_answered(caplog: pytest.LogCaptureFixture) -> None:
    refusal = Trust().unavailable(OSError("no route to 10.0.0.7"))
    assert (refusal.status, refusal.reason) == (503, "replay_store_unavailable")
    assert "10.0.0.7" not in f"{refusal} {refusal.description}"
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (logging.WARNING, "signed requests are refused, nonces cannot be kept: OSError: no route to 10.0.0.7")
    ]


def test_an_outage_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    trust = Trust(monotonic=clock)
    for _ in range(1000):
        trust.unavailable(OSError())
    assert len(caplog.records) == 1
    clock.pass_seconds(OUTAGE)
    trust.unavailable(OSError())
    assert len(caplog.records) == 2


def test_it_does_no_input_or_output() -> None:
    module = Path(__file__).parents[2] / "oauth_rs" / "stores" / "trust.py"
    assert not {"socket", "sqlite3", "redis"} & set(module.read_text().split())
