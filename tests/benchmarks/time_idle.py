"""What it costs to wait: 200 enterprises with 20 rules each and a scheduled row, nothing of it due for an hour.

Temporal's actions are counted from the histories of all workflows, by the time of their events. Queries leave none;
nobody makes any here. SQL statements are counted by pg_stat_statements: those of the role that our processes' requests
come in as, the frame of each request's transaction included. What the edge's own Realtime half asks is Supabase's.
"""

import asyncio
import os
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import psutil
from temporalio.client import Client

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import ChildProcess, free_port
from stack.sample_data import insert_notifications, insert_rules, seed_enterprise
from tests.benchmarks.temporal_cost import actions_of

ENTERPRISES = 200
RULES = 20
WINDOW_MINUTES = float(os.environ.get("XNOVU_IDLE_MINUTES", "10"))
QUIET_SECONDS = 15.0
"""Since the schedulers' last pass, before the counting begins."""
READY_WITHIN_SECONDS = 180.0


@dataclass(frozen=True)
class Idle:
    """What was counted in the window, requests by path, and the daemon's own use of the machine."""

    minutes: float
    temporal_actions: int
    sql_statements: int
    requests: Counter[str]
    cpu_seconds: float
    resident_bytes: int

    def per_enterprise_and_minute(self, count: int) -> float:
        """The count, shared out."""
        return count / ENTERPRISES / self.minutes


async def measure(directory: Path) -> Idle:
    """Start everything with one daemon, wait until it rests, and count."""
    async with LocalStack(directory, novu_settings=FORGIVING_NOVU) as stack:
        await _count_statements(stack)
        database = await asyncpg.connect(stack.environment["XNOVU_STACK_POSTGRES_URL"])
        daemon = ChildProcess("daemon", directory / "daemon.log")
        try:
            enterprise_ids = await _seed(database)
            environment = {
                **stack.environment,
                "DAEMON_ENTERPRISE_IDS": ",".join(enterprise_ids),
                "DAEMON_HEALTH_PORT": str(free_port()),
                "XDG_STATE_HOME": str(directory),
            }
            await daemon.start([sys.executable, "-m", "cli", "daemon", "start", "--foreground"], environment)
            await daemon.wait_until_ready(lambda: _rests(database), READY_WITHIN_SECONDS)
            return await _count(stack, database, _process(daemon))
        finally:
            await daemon.stop(within_seconds=15)
            await database.close()


async def _count_statements(stack: LocalStack) -> None:
    connection = await asyncpg.connect(stack.environment["XNOVU_STACK_POSTGRES_URL"])
    await connection.execute("alter system set shared_preload_libraries = 'pg_stat_statements'")
    await connection.close()
    await stack.postgres.restart()
    connection = await asyncpg.connect(stack.environment["XNOVU_STACK_POSTGRES_URL"])
    await connection.execute("create extension pg_stat_statements")
    await connection.close()


async def _seed(database: asyncpg.Connection) -> list[str]:
    now = datetime.now(UTC)
    later = [now + timedelta(hours=2 + number) for number in range(RULES)]
    names = [f"enterprise-{number:03}" for number in range(ENTERPRISES)]
    async with database.transaction():
        for name in names:
            enterprise = await seed_enterprise(database, name)
            row = {"notification_workflow_id": enterprise.static}
            await insert_rules(
                database,
                name,
                [{**row, "trigger_config": {"cron": f"{time.minute} {time.hour} * * *"}} for time in later],
            )
            await insert_notifications(database, name, [{**row, "scheduled_for": later[0].isoformat()}])
    return names


async def _rests(database: asyncpg.Connection) -> bool:
    """Whether every scheduler knows what comes next, and none has looked again for a while."""
    rests: bool = await database.fetchval(
        """
        select count(next_due_at) = $1 and max(last_pass_at) < now() - make_interval(secs => $2)
          from notify.scheduler_pass
        """,
        2 * ENTERPRISES,
        QUIET_SECONDS,
    )
    return rests


async def _count(stack: LocalStack, database: asyncpg.Connection, daemon: psutil.Process) -> Idle:
    client = await Client.connect(stack.environment["TEMPORAL_ADDRESS"])
    requests_before = await _requests(stack)
    cpu_before = _cpu_seconds(daemon)
    await database.execute("select pg_stat_statements_reset()")
    began = datetime.now(UTC)
    await asyncio.sleep(WINDOW_MINUTES * 60)
    ended = datetime.now(UTC)
    sql_statements = await database.fetchval(
        """
        select coalesce(sum(s.calls), 0)::bigint
          from pg_stat_statements s join pg_roles r on r.oid = s.userid
         where r.rolname in ('authenticator', 'service_role')
        """
    )
    return Idle(
        minutes=(ended - began) / timedelta(minutes=1),
        temporal_actions=await _actions_between(client, began, ended),
        sql_statements=sql_statements,
        requests=await _requests(stack) - requests_before,
        cpu_seconds=_cpu_seconds(daemon) - cpu_before,
        resident_bytes=sum(process.memory_info().rss for process in _family(daemon)),
    )


async def _actions_between(client: Client, began: datetime, ended: datetime) -> int:
    actions = 0
    async for workflow in client.list_workflows():
        handle = client.get_workflow_handle(workflow.id, run_id=workflow.run_id)
        async for event in handle.fetch_history_events():
            if began <= event.event_time.ToDatetime(UTC) < ended:
                actions += actions_of(event)
    return actions


async def _requests(stack: LocalStack) -> Counter[str]:
    """Requests to Supabase's REST interface so far, by path."""
    async with httpx.AsyncClient() as http:
        response = await http.get(f"{stack.edge.url}/health")
    response.raise_for_status()
    return Counter(response.json()["rest_requests"])


def _process(daemon: ChildProcess) -> psutil.Process:
    if daemon.pid is None:
        raise RuntimeError(f"the daemon is not running; its log is {daemon.log_file}")
    return psutil.Process(daemon.pid)


def _family(daemon: psutil.Process) -> list[psutil.Process]:
    return [daemon, *daemon.children(recursive=True)]


def _cpu_seconds(daemon: psutil.Process) -> float:
    return sum(times.user + times.system for times in (process.cpu_times() for process in _family(daemon)))
