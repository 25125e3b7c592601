import asyncio
import logging
import os
import threading
import time
from typing import Any

import anyio
import pytest

from oauth_rs.outbound.flight import Flight, Slots

PATIENCE = 5.0


def lands_soon(flight: Flight[str]) -> threading.Timer:
    timer = threading.Timer(0.05, flight.end, ["here"])
    timer.start()
    return timer


def test_threads_wait_for_one_outcome() -> None:
    flight: Flight[str] = Flight(PATIENCE)
    got: list[Any] = []
    threads = [threading.Thread(target=lambda: got.append(flight.wait())) for _ in range(20)]
    for thread in threads:
        thread.start()
    flight.end("here")
    for thread in threads:
        thread.join()
    assert got == ["here"] * 20


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_wait_for_one_outcome(backend: str) -> None:
    flight: Flight[str] = Flight(PATIENCE)
    got: list[Any] = []

    async def one() -> None:
        got.append(await flight.awaited())

    async def all_of_them() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(1000):
                group.start_soon(one)
            await anyio.wait_all_tasks_blocked()
            lands_soon(flight)

    anyio.run(all_of_them, backend=backend)
    assert got == ["here"] * 1000


def test_tasks_of_several_event_loops_and_threads_wait_for_one_outcome() -> None:
    flight: Flight[str] = Flight(PATIENCE)
    got: list[Any] = []
    ways = [
        lambda: got.append(anyio.run(flight.awaited, backend="asyncio")),
        lambda: got.append(anyio.run(flight.awaited, backend="trio")),
        lambda: got.append(asyncio.run(flight.awaited())),
        lambda: got.append(flight.wait()),
    ]
    threads = [threading.Thread(target=way) for way in ways]
    for thread in threads:
        thread.start()
    lands_soon(flight).join()
    for thread in threads:
        thread.join()
    assert got == ["here"] * 4


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_outcome_that_is_there_is_not_waited_for(backend: str) -> None:
    flight: Flight[str] = Flight(PATIENCE)
    flight.end("here")
    assert anyio.run(flight.awaited, backend=backend) == "here"
    assert flight.wait() == "here"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_patience_ends(backend: str) -> None:
    flight: Flight[str] = Flight(0.05)
    began = time.monotonic()
    assert flight.wait() is None
    assert anyio.run(flight.awaited, backend=backend) is None
    assert time.monotonic() - began < 2
    assert not flight.joinable()


def test_one_is_joined_until_it_ends() -> None:
    flight: Flight[str] = Flight(PATIENCE)
    assert flight.joinable()
    flight.end("here")
    assert not flight.joinable()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_that_is_cancelled_leaves_the_others_alone(backend: str) -> None:
    flight: Flight[str] = Flight(PATIENCE)
    got: list[Any] = []

    async def one() -> None:
        got.append(await flight.awaited())

    async def two() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(one)
            with anyio.move_on_after(0.01):
                await flight.awaited()
            lands_soon(flight)

    anyio.run(two, backend=backend)
    assert got == ["here"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_event_loop_that_has_ended_is_not_woken(backend: str, caplog: pytest.LogCaptureFixture) -> None:
    flight: Flight[str] = Flight(PATIENCE)

    async def give_up() -> None:
        with anyio.move_on_after(0.01):
            await flight.awaited()

    anyio.run(give_up, backend=backend)
    with caplog.at_level(logging.DEBUG, logger="concurrent.futures"):
        flight.end("here")
    assert not [record for record in caplog.records if record.name == "concurrent.futures"]


def test_there_are_so_many_slots_and_no_more() -> None:
    slots = Slots(2)
    assert [slots.take() for _ in range(4)] == [True, True, False, False]
    slots.give_back()
    assert [slots.take() for _ in range(2)] == [True, False]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_begins_with_all_slots_free() -> None:
    slots = Slots(1)
    assert slots.take()
    child = os.fork()
    if child == 0:
        os._exit(0 if slots.take() and not slots.take() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert not slots.take()
