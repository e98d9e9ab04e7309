"""What a soak runs on: the stack, a listener, a worker and the webhook function, and days that pass in a minute."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from temporalio.client import Client

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import ChildProcess
from tests.e2e import rows, rules
from tests.e2e.system import System, eventually
from tests.e2e.webhook import running_webhook
from tests.soak.watched import LEAKS

ENTERPRISES = tuple(f"soak-{number}" for number in range(20))
RULES = ("*/2 * * * * *",) * 5 + ("* * * * * *",)
"""One a second: its scheduler's history comes to its end, and a new run begins, within a quarter of an hour."""
SETTINGS = {
    "NOVU_DELIVERY": "webhook",
    "NOVU_ACTIVITY_REQUESTS_PER_SECOND": "50",
    "NOVU_DOUBT_WAIT_SECONDS": "5",
    "XNOVU_BUILD": "soak",
}
NOVU = {
    **FORGIVING_NOVU,
    "worker": {"delay_seconds": [0, 3]},
    "answers": {"lost_share": 0.002},
    "provider_faults": [{"share": 0.05, "raw": "550 5.1.1 no such user"}],
}
SLOT = "slot"
"""A leak of nobody's process: a replication slot that nobody reads."""
ALL_LEAKS = (*LEAKS, SLOT)

_DATABASE = {
    # Of PostgreSQL's own cycles many fall into one run.
    "checkpoint_timeout": "30s",
    "max_wal_size": "128MB",
    "min_wal_size": "64MB",
    "autovacuum_naptime": "10s",
}
PRUNED_EVERY_SECONDS = 20.0
ENDED_FOR_SECONDS = 90.0
"""So long a row is kept after it has ended; its delivery account is closed by then."""
_LET_TWO_DAYS_PASS = """
with ended as (
    select id from notify.ent_notification
     where notification_status in ('SENT', 'FAILED', 'RETRACTED')
       and updated_at between now() - interval '1 day' and now() - make_interval(secs => $1)
     order by id for update skip locked
)
update notify.ent_notification n
   set created_at = n.created_at - interval '2 days', updated_at = n.updated_at - interval '2 days'
  from ended where n.id = ended.id
returning n.notification_status::text as status, n.error_details ->> 'code' as code, n.delivery ->> 'state' as delivery
"""
_OPEN = """
select count(*) from notify.ent_notification
 where notification_status in ('PENDING', 'PROCESSING') and publish_status = 'PUBLISH' and not deactivated
"""


@dataclass(slots=True)
class Bed:
    """One run's system, and what became of the rows that it has pruned."""

    system: System
    temporal: Client
    database: asyncpg.Connection
    processes: dict[str, ChildProcess]
    task_files: dict[str, Path]
    rule_ids: list[int] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)

    async def prune_for_good(self) -> None:
        """Every so often what has ended is two days old, and `xnovu prune` takes it away; until it is cancelled."""
        while True:
            await asyncio.sleep(PRUNED_EVERY_SECONDS)
            await self._let_time_pass()
            answer = json.loads(await self.system.says("prune", "--yes", "--json"))
            if answer["refused"]:
                raise RuntimeError(f"rows could not be pruned: {answer['refused']}")

    async def _let_time_pass(self) -> None:
        """By the table's own clock; no trigger of ours sees it."""
        async with self.database.transaction():
            await self.database.execute("set local session_replication_role = replica")
            aged = await self.database.fetch(_LET_TWO_DAYS_PASS, ENDED_FOR_SECONDS)
        self.outcomes.update(" ".join(filter(None, (row["status"], row["code"], row["delivery"]))) for row in aged)

    async def open_rows(self) -> int:
        """Published rows that have not ended."""
        count: int = await rows.execute(self.system, _OPEN)
        return count


@asynccontextmanager
async def running_bed(directory: Path, leaks: str) -> AsyncIterator[Bed]:
    """Everything started, rules firing. `leaks`: of ALL_LEAKS, by commas, or `none`."""
    of_processes = ",".join(leak for leak in leaks.split(",") if leak != SLOT) or "none"
    async with AsyncExitStack() as exits:
        stack = await exits.enter_async_context(LocalStack(directory / "stack", novu_settings=NOVU))
        system = System(stack, directory, SETTINGS, ENTERPRISES)
        exits.push_async_callback(system.stop)
        database = await system.connect()
        exits.push_async_callback(database.close)
        await system.seed()
        for name, value in _DATABASE.items():
            await database.execute(f"alter system set {name} = '{value}'")
        await database.execute("select pg_reload_conf()")
        for enterprise_id in ENTERPRISES:
            await database.execute("select notify.keep_notifications($1, 1)", enterprise_id)
        if SLOT in leaks.split(","):
            await database.execute("select pg_create_logical_replication_slot('leak', 'pgoutput')")
        webhook = await exits.enter_async_context(running_webhook(system.environment, directory))
        await system.sink_settings(webhooks=webhook.at_novu)
        processes = {"listener": system.listener, "worker": system.worker}
        task_files = {part: directory / f"{part}.tasks" for part in processes}
        for part, process in processes.items():
            watched = ("-m", "tests.soak.watched", str(task_files[part]), of_processes, part)
            await process.start([sys.executable, *watched], system.environment)
        await eventually(lambda: _are_there(task_files.values()), what="listener and worker are watched")
        temporal = await Client.connect(system.environment["TEMPORAL_ADDRESS"])
        bed = Bed(system, temporal, database, {**processes, "webhook": webhook.process}, task_files)
        for enterprise, cron in zip(system.enterprises, RULES, strict=False):
            bed.rule_ids += await rules.insert(system, enterprise, {"cron": cron})
        yield bed


async def _are_there(files: Iterable[Path]) -> bool:
    return all(file.exists() for file in files)
