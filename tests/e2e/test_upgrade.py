"""From the release before to this one and back, with notifications under way: nobody gets nothing, and nobody twice."""

import asyncio
import shutil
import sys
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stack.local import FORGIVING_NOVU, LocalStack
from stack.migrations import apply_migrations
from stack.postgres import MIGRATIONS
from stack.processes import ChildProcess
from tests.e2e.deployments import FAILED_TASK
from tests.e2e.system import SHORT_TIMES, System, eventually

BEFORE = Path(__file__).parent / "releases" / "0.1.0.tar.xz"
"""The release before: `git archive COMMIT worker listener shared infra/supabase/migrations | xz -9e`."""

SLOW_NOVU = {"kind": "latency", "milliseconds": 9000, "requests": None}
"""Longer than a worker has from SIGTERM on."""


class Release:
    """A release's listener and worker, as processes that find its code first: Python looks where it is started."""

    def __init__(self, name: str, source: Path | None, system: System, directory: Path) -> None:
        self._source = source
        self._system = system
        self.listener = ChildProcess(f"listener of {name}", directory / f"{name}.listener.log")
        self.worker = ChildProcess(f"worker of {name}", directory / f"{name}.worker.log")

    async def start(self) -> None:
        env = shutil.which("env")
        assert env is not None
        at = [] if self._source is None else [env, "-C", str(self._source)]
        for process, part in ((self.listener, "listener"), (self.worker, "worker")):
            await process.start([*at, sys.executable, "-m", part], self._system.environment)

    async def stop(self) -> None:
        await asyncio.gather(self.listener.stop(within_seconds=15), self.worker.stop(within_seconds=15))

    def said(self) -> str:
        return self.listener.log_file.read_text() + self.worker.log_file.read_text()


@asynccontextmanager
async def two_releases(directory: Path) -> AsyncIterator[tuple[System, Release, Release]]:
    """A stack as the release before has left it, in which that release runs; and this one, not started."""
    before = directory / "before"
    with tarfile.open(BEFORE) as archive:
        archive.extractall(before, filter="data")
    migrations = before / "infra" / "supabase" / "migrations"
    async with LocalStack(directory / "stack", migrations=migrations, novu_settings=FORGIVING_NOVU) as stack:
        system = System(stack, directory, SHORT_TIMES)
        old, new = Release("before", before, system, directory), Release("now", None, system, directory)
        try:
            await system.seed()
            await old.start()
            yield system, old, new
        finally:
            await asyncio.gather(old.stop(), new.stop())
            await system.stop()


@pytest.mark.parametrize("count", [120, pytest.param(1000, marks=pytest.mark.whole)])
async def test_an_upgrade_and_a_roll_back_with_notifications_under_way_lose_and_repeat_none(
    tmp_path: Path, count: int
) -> None:
    portion = count // 5
    async with two_releases(tmp_path) as (system, old, new):
        # Migrations run before the code that needs them: the old code goes on, on the new schema.
        await system.insert(portion)
        migrated = await apply_migrations(system.stack.postgres.url, MIGRATIONS)
        await system.insert(portion)
        # Whoever stops is cut off in the middle of a call of Novu's; what it has begun is the other's to finish.
        await are_cut_off(system, old, portion, under_way=portion // 2)
        await new.start()
        await eventually(system.is_settled, within=180, what="the new code ends what the old one began")
        # Back goes the code, and never the schema. What the new code may have sent under its keys the old one leaves
        # alone for a quarter of an hour (decision 50); it works on all else.
        await are_cut_off(system, new, portion, under_way=portion)
        await old.start()
        await system.insert(portion)
        await eventually(lambda: are_sent(system, count - portion), what="the old code works again")
        left_alone = (await system.statuses())["PROCESSING"]
        await old.stop()
        await new.start()
        await eventually(system.is_settled, within=180, what="nothing was lost on the way back")

        assert len(migrated) > 40, "there was something to migrate"
        assert left_alone == portion
        assert await system.statuses() == {"SENT": count}
        deliveries = await system.deliveries()
        assert set(deliveries) == await system.transaction_ids()
        assert set(deliveries.values()) == {1}, "nobody gets nothing, and nobody twice"
        for release in (old, new):
            assert FAILED_TASK not in release.said()
            assert "TypeError" not in release.said(), "neither is told what it does not know"


async def are_cut_off(system: System, release: Release, count: int, *, under_way: int) -> None:
    """Insert so many, have Novu take longer for them than a worker may take to leave, and stop it once so many are
    under way: what has not been claimed by then is for the other release to send.
    """
    await system.sink_faults(SLOW_NOVU)
    await system.insert(count)

    async def are_at_novu() -> bool:
        return (await system.statuses())["PROCESSING"] >= under_way

    await eventually(are_at_novu, what=f"{under_way} of them are under way")
    await release.stop()
    assert (await system.statuses())["PROCESSING"] > 0, "they are under way still"
    await system.sink.delete("/_sink/faults")


async def are_sent(system: System, count: int) -> bool:
    return (await system.statuses())["SENT"] == count
