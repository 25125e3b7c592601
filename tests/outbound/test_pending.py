import asyncio
import logging
import threading
import time
from typing import Any

import anyio
import pytest

from oauth_rs.outbound.pending import Pending

PATIENCE = 5.0


def ends_soon(pending: Pending[str]) -> threading.Timer:
    timer = threading.Timer(0.05, pending.end, ["here"])
    timer.start()
    return timer


def test_threads_wait_for_one_outcome() -> None:
    pending: Pending[str] = Pending(PATIENCE)
    got: list[Any] = []
    threads = [threading.Thread(target=lambda: got.append(pending.wait())) for _ in range(20)]
    for thread in threads:
        thread.start()
    pending.end("here")
    for thread in threads:
        thread.join()
    assert got == ["here"] * 20


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_wait_for_one_outcome(backend: str) -> None:
    pending: Pending[str] = Pending(PATIENCE)
    got: list[Any] = []

    async def one() -> None:
        got.append(await pending.awaited())

    async def all_of_them() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(1000):
                group.start_soon(one)
            await anyio.wait_all_tasks_blocked()
            ends_soon(pending)

    anyio.run(all_of_them, backend=backend)
    assert got == ["here"] * 1000


def test_tasks_of_several_event_loops_and_threads_wait_for_one_outcome() -> None:
    pending: Pending[str] = Pending(PATIENCE)
    got: list[Any] = []
    ways = [
        lambda: got.append(anyio.run(pending.awaited, backend="asyncio")),
        lambda: got.append(anyio.run(pending.awaited, backend="trio")),
        lambda: got.append(asyncio.run(pending.awaited())),
        lambda: got.append(pending.wait()),
    ]
    threads = [threading.Thread(target=way) for way in ways]
    for thread in threads:
        thread.start()
    ends_soon(pending).join()
    for thread in threads:
        thread.join()
    assert got == ["here"] * 4


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_outcome_that_is_there_is_not_waited_for(backend: str) -> None:
    pending: Pending[str] = Pending(PATIENCE)
    pending.end("here")
    assert anyio.run(pending.awaited, backend=backend) == "here"
    assert pending.wait() == "here"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_patience_ends(backend: str) -> None:
    pending: Pending[str] = Pending(0.05)
    began = time.monotonic()
    assert pending.wait() is None
    assert anyio.run(pending.awaited, backend=backend) is None
    assert time.monotonic() - began < 2
    assert not pending.joinable()


def test_one_is_joined_until_it_ends() -> None:
    pending: Pending[str] = Pending(PATIENCE)
    assert pending.joinable()
    pending.end("here")
    assert not pending.joinable()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_that_is_cancelled_leaves_the_others_alone(backend: str) -> None:
    pending: Pending[str] = Pending(PATIENCE)
    got: list[Any] = []

    async def one() -> None:
        got.append(await pending.awaited())

    async def two() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(one)
            with anyio.move_on_after(0.01):
                await pending.awaited()
            ends_soon(pending)

    anyio.run(two, backend=backend)
    assert got == ["here"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_event_loop_that_has_ended_is_not_woken(backend: str, caplog: pytest.LogCaptureFixture) -> None:
    pending: Pending[str] = Pending(PATIENCE)

    async def give_up() -> None:
        with anyio.move_on_after(0.01):
            await pending.awaited()

    anyio.run(give_up, backend=backend)
    with caplog.at_level(logging.DEBUG, logger="concurrent.futures"):
        pending.end("here")
    assert not [record for record in caplog.records if record.name == "concurrent.futures"]
