"""The supervisor: a part that meets what nobody foresaw is told of, counted and run again; the end stays the end."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.settings import SettingsError
from shared.supervision import Supervisor


class Foreign(Exception):
    """Known to nobody."""


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def a_supervisor(clock: Callable[[], float] | None = None) -> Supervisor:
    return Supervisor(first_backoff_seconds=0.001, steady_seconds=10.0, clock=clock or time.monotonic)


class Part:
    """Raises what it is told to, one at each run; then runs until it is cancelled."""

    def __init__(self, *faults: BaseException) -> None:
        self.faults = list(faults)
        self.runs = 0
        self.well = asyncio.Event()

    async def run(self) -> None:
        self.runs += 1
        if self.faults:
            raise self.faults.pop(0)
        self.well.set()
        await asyncio.Event().wait()


@asynccontextmanager
async def kept(awaitable: Awaitable[None]) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.ensure_future(awaitable)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_a_part_that_meets_a_foreign_exception_runs_again_and_is_failing_until_it_has_run_for_a_while() -> None:
    clock, part = Clock(), Part(Foreign("ada@example.org"), Foreign("again"))
    supervisor = a_supervisor(clock)
    afresh: list[int] = []

    async with asyncio.timeout(5), kept(supervisor.keep("sweeper", part.run, afresh=lambda: afresh.append(part.runs))):
        await part.well.wait()
        [failing] = supervisor.failing()
        clock.now = 9.9
        still = supervisor.failing()
        clock.now = 10.0

        assert (failing.part, failing.faults, failing.last_fault, failing.running) == ("sweeper", 2, "Foreign", True)
        assert afresh == [1, 2], "before each restart, not before the first run"
        assert still == (failing,)
        assert supervisor.failing() == ()


async def test_a_part_that_waits_to_be_run_again_is_said_not_to_run() -> None:
    supervisor = Supervisor(first_backoff_seconds=1000.0, steady_seconds=2000.0)
    faulted = asyncio.Event()

    async with kept(supervisor.keep("sweeper", Part(Foreign()).run, on_fault=faulted.set)):
        await faulted.wait()

        assert [part.running for part in supervisor.failing()] == [False]


async def test_parts_of_one_name_are_one_and_each_has_its_own_restarts() -> None:
    supervisor, well, ill = a_supervisor(), Part(), Part(Foreign())

    async with kept(supervisor.keep("batcher", well.run)), kept(supervisor.keep("batcher", ill.run)):
        await ill.well.wait()

        assert (well.runs, ill.runs) == (1, 2)
        assert [(part.part, part.faults) for part in supervisor.failing()] == [("batcher", 1)]


@pytest.mark.parametrize(
    "error", [SettingsError(["X: wrong"]), ExceptionGroup("both", [SettingsError(["X"]), Foreign()])]
)
async def test_a_wrong_setting_ends_the_part(error: Exception) -> None:
    with pytest.raises(type(error)):
        await a_supervisor().keep("listener", Part(error).run)


async def test_what_concerns_the_caller_passes_however_it_is_wrapped() -> None:
    for error in (KeyError("x"), ExceptionGroup("of a task group", [KeyError("x")])):
        with pytest.raises(type(error)):
            await a_supervisor().keep("seat", Part(error).run, passing=(KeyError,))


async def test_what_concerns_the_caller_is_no_fault_in_a_part_that_is_cancelled_just_then() -> None:
    supervisor, well = a_supervisor(), asyncio.Event()

    async def run() -> None:
        try:
            well.set()
            await asyncio.Event().wait()
        finally:
            raise KeyError("x")

    keeping = asyncio.create_task(supervisor.keep("seat", run, passing=(KeyError,)))
    await well.wait()
    keeping.cancel()
    await asyncio.wait({keeping})

    assert keeping.cancelled()
    assert supervisor.failing() == ()


async def test_once_the_process_ends_nothing_is_run_again_and_no_pause_is_waited_out() -> None:
    stop, part = asyncio.Event(), Part(Foreign(), Foreign())
    supervisor = Supervisor(first_backoff_seconds=1000.0, steady_seconds=2000.0)

    async with asyncio.timeout(5), kept(supervisor.keep("worker", part.run, on_fault=stop.set, until=stop)) as keeping:
        await keeping

    assert part.runs == 1


async def test_a_part_that_stumbles_on_its_way_out_goes_all_the_same() -> None:
    supervisor, well = a_supervisor(), asyncio.Event()

    async def run() -> None:
        try:
            well.set()
            await asyncio.Event().wait()
        finally:
            raise Foreign  # in the place of the cancellation

    keeping = asyncio.create_task(supervisor.keep("batcher", run))
    await well.wait()
    keeping.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait({keeping})

    assert keeping.cancelled()
    assert [part.faults for part in supervisor.failing()] == [1]


async def test_a_part_whose_members_fail_together_runs_again_as_often_as_that_happens() -> None:
    """A TaskGroup of Python 3.11 leaves its task marked as cancelled when a member fails while it is waited for."""
    runs = 0

    async def member() -> None:
        await asyncio.sleep(0)
        raise Foreign

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            return
        async with asyncio.TaskGroup() as members:
            members.create_task(member())

    async with asyncio.timeout(5):
        await a_supervisor().keep("sweeper", run)

    assert runs == 3


async def test_a_part_that_is_cancelled_by_itself_is_not_taken_for_one_that_ended() -> None:
    part = Part(asyncio.CancelledError())
    supervisor = a_supervisor()

    async with asyncio.timeout(5), kept(supervisor.keep("feed", part.run)):
        await part.well.wait()

        assert [failing.last_fault for failing in supervisor.failing()] == ["RuntimeError"]


async def test_a_part_that_returns_has_ended() -> None:
    async def nothing() -> None:
        return

    await a_supervisor().keep("listener", nothing)


async def test_one_that_nobody_waits_for_any_more_is_forgotten() -> None:
    clock, faulted = Clock(), asyncio.Event()
    supervisor = Supervisor(first_backoff_seconds=1000.0, steady_seconds=2000.0, clock=clock)

    async with kept(supervisor.keep("seat", Part(Foreign()).run, on_fault=faulted.set)):
        await faulted.wait()
    clock.now = 2000.0

    assert supervisor.failing() == ()


async def test_what_is_done_once_is_survived_told_and_done_with(caplog: pytest.LogCaptureFixture) -> None:
    supervisor = a_supervisor()

    await supervisor.attempt("drain", Part(Foreign("ada@example.org")).run)

    assert [part.part for part in supervisor.failing()] == ["drain"]
    [record] = caplog.records
    said: dict[str, Any] = vars(record)
    assert (record.getMessage(), said["part"], said["error"]) == ("part_failed", "drain", "Foreign")
