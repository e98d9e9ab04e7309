"""One look at everything that is watched, named as in series.KINDS."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from shared.temporal.names import (
    CRON_SCHEDULING_WORKFLOW,
    MASTER_ORCHESTRATION_WORKFLOW,
    SCHEDULED_NOTIFICATION_WORKFLOW,
)
from tests.soak.bed import Bed
from tests.soak.series import KINDS
from tests.soak.slope import Point

EVERY_SECONDS = 5.0
MEGABYTE = 1e6
_LONG_LIVED = " or ".join(
    f"WorkflowType = '{name}'"
    for name in (CRON_SCHEDULING_WORKFLOW, MASTER_ORCHESTRATION_WORKFLOW, SCHEDULED_NOTIFICATION_WORKFLOW)
)
_DATABASE = """
select (select sum(pg_table_size(c.oid)) from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind = 'r' and n.nspname !~ '^(pg_|information_schema)') / 1e6 as tables,
       (select sum(pg_indexes_size(c.oid)) from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind = 'r' and n.nspname !~ '^(pg_|information_schema)') / 1e6 as indexes,
       (select sum(n_dead_tup) from pg_stat_user_tables) as "dead rows",
       (select count(*) from pg_stat_activity where backend_type = 'client backend') as connections,
       (select coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), 0) from pg_replication_slots) / 1e6
           as "WAL held by slots",
       (select sum(size) from pg_ls_waldir()) / 1e6 as "WAL on disk"
"""


@dataclass(slots=True)
class Samples:
    """Every series so far: seconds from the beginning, and value."""

    began: float = field(default_factory=time.monotonic)
    points: dict[str, list[Point]] = field(default_factory=lambda: {name: [] for name in KINDS})
    process_ids: dict[str, int] = field(default_factory=dict)

    async def take_for(self, bed: Bed, seconds: float) -> None:
        """Look every five seconds. Raises RuntimeError where one of our processes has ended."""
        while (passed := time.monotonic() - self.began) < seconds:
            looks = {**self._processes(bed), **await _database(bed), **await _temporal(bed)}
            for name, value in looks.items():
                self.points[name].append((round(passed, 1), round(float(value), 3)))
            await asyncio.sleep(max(0.0, EVERY_SECONDS - (time.monotonic() - self.began - passed)))

    def _processes(self, bed: Bed) -> dict[str, float]:
        looks: dict[str, float] = {}
        for part, process in bed.processes.items():
            if process.pid is None:
                raise RuntimeError(f"the {part} has ended; its log is {process.log_file}")
            memory, handles, threads = (sum(each) for each in zip(*_family(process.pid), strict=True))
            looks |= {f"{part} memory": memory / MEGABYTE, f"{part} handles": handles, f"{part} threads": threads}
        for part, file in bed.task_files.items():
            looks[f"{part} tasks"] = int(file.read_text(encoding="ascii"))
        return looks


def _family(process_id: int) -> Iterator[tuple[int, int, int]]:
    """Memory, handles and threads, of a process and each of its children."""
    process = psutil.Process(process_id)
    for member in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            yield member.memory_info().rss, member.num_fds(), member.num_threads()


async def _database(bed: Bed) -> dict[str, float]:
    connection = await bed.system.connect()
    try:
        return dict(await connection.fetchrow(_DATABASE) or {})
    finally:
        await connection.close()


async def _temporal(bed: Bed) -> dict[str, float]:
    open_workflows = (await bed.temporal.count_workflows("ExecutionStatus = 'Running'")).count
    all_workflows = (await bed.temporal.count_workflows()).count
    lengths, sizes = [0], [0]
    async for execution in bed.temporal.list_workflows(f"ExecutionStatus = 'Running' and ({_LONG_LIVED})"):
        description = await bed.temporal.get_workflow_handle(execution.id, run_id=execution.run_id).describe()
        lengths.append(description.history_length)
        sizes.append(description.raw_description.workflow_execution_info.history_size_bytes)
    files = bed.system.stack.temporal.database_bytes()
    return {
        "open workflows": open_workflows,
        "longest history": max(lengths),
        "largest history": max(sizes) / MEGABYTE,
        "Temporal's file for each workflow": files.database / max(all_workflows, 1) / 1000,
        "Temporal's journal": files.journal / MEGABYTE,
    }
