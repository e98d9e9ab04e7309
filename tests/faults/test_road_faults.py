"""Listener and worker run in this process on the real stack while rows and rules of every kind go their road. Each
await of what lies between us and the database, and between us and Temporal, meets a foreign exception: every row goes
out once, all runs again, and it was told.
"""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.service import RPCError

from listener import bootstrap as listener
from listener.backlog import Backlog
from listener.batcher import Batcher
from shared import json_logs
from shared.heartbeat import Reporter
from shared.notification.outcomes import Outcome
from shared.settings import DaemonSettings
from shared.supabase.notification_store import SupabaseNotificationStore
from shared.supervision import Supervisor
from shared.temporal.names import MASTER_ORCHESTRATION_ID, cron_scheduling_id
from stack.local import LocalStack
from stack.sample_data import SampleEnterprise, sample_payload
from tests.e2e import rows, rules
from tests.e2e.system import SHORT_TIMES, System, eventually
from tests.faults.await_points import await_points
from tests.faults.counted import Counted
from tests.faults.injector import CANARY, points_of, raising_once_at_each
from worker import bootstrap as worker
from worker.activity_options import DELIVERY, SCHEDULER_PASS

pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning"),  # the library's own use of it
]

MODULES = (
    "listener.backlog",
    "shared.supabase.client",
    "shared.supabase.notification_store",
    "shared.supabase.orchestration_store",
    "shared.supabase.recipients",
    "shared.supabase.retraction_store",
    "shared.supabase.rule_store",
    "shared.supabase.schedule_store",
    "shared.supabase.sql_function",
    "shared.temporal.client",
    "shared.temporal.orchestration",
    "shared.temporal.schedulers",
    "shared.temporal.starters",
    "shared.temporal.task_queues",
    "shared.temporal.tracing",
    "worker.served_enterprises",
)
OF_OTHERS = {
    "connect_anew",
    "connect_at_first_call",
    "connect_once",
    "_RowWorkflowStarter.start_or_find",
    "ServedEnterprises.serves_by_now",
    "ServedEnterprises.run",
    "SupabaseOrchestrationStore.unaccounted_in",
    "_read_build",
    "read_build_queues",
}
"""The functions' and the commands', and those of test_roster_faults and test_keys_faults."""

POINTS = [point for point in await_points(*MODULES) if point.function not in OF_OTHERS]
ENTERPRISES = 3
ROUNDS = 8
ENDS_WITHIN_SECONDS = 90.0
"""A round takes ten where nothing else runs."""

MANY = 600
"""Of so many recipients what is known does not come along with the claim."""

RETRACT = "update notify.ent_notification set notification_status = 'RETRACTED' where id = any($1)"
AT_ONCE = RetryPolicy(
    initial_interval=timedelta(milliseconds=50), backoff_coefficient=1.0, maximum_interval=timedelta(milliseconds=50)
)


class FollowsEverySecond(SupabaseNotificationStore):
    """Account is kept of what becomes of every second batch, as it is of all or of none by the settings."""

    async def record_outcomes(
        self, enterprise_id: str, *, claim_owner: str, outcomes: Sequence[Outcome]
    ) -> Mapping[int, Outcome]:
        self._look_after_seconds = 45.0 if self._look_after_seconds is None else None
        return await super().record_outcomes(enterprise_id, claim_owner=claim_owner, outcomes=outcomes)


class Road:
    """Listener and worker as a daemon keeps them, and rows to send."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.parts = {name: Supervisor(first_backoff_seconds=0.01) for name in ("daemon", "listener", "worker")}
        self.failing: set[str] = set()
        self.sent: list[int] = []
        self.to_retract: list[int] = []

    async def run(self, settings: DaemonSettings, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            for name, component in (("listener", listener.run), ("worker", worker.run)):
                run = partial(component, settings, stop, parts=self.parts[name], reporting=self.reporting)
                tasks.create_task(self.parts["daemon"].keep(name, run, until=stop))

    @asynccontextmanager
    async def reporting(self, reporter: Reporter) -> AsyncIterator[None]:
        """What would be published of the process is noted."""

        async def look() -> None:
            while True:
                self.failing |= {part.part for part in reporter.report().failing}
                await asyncio.sleep(0.1)

        looking = asyncio.create_task(look())
        try:
            yield
        finally:
            looking.cancel()

    async def go(self) -> None:
        """A round: what every enterprise sends, at once, until all of it has its end."""
        await asyncio.gather(*map(self._send, self.system.enterprises))
        await self._ends("notification_status = 'SENT'", [*self.sent, *self.to_retract], "every row is sent")
        await rows.execute(self.system, RETRACT, self.to_retract)
        await self._ends("cancellation is not null", self.to_retract, "Novu was asked to cancel what was retracted")
        self.to_retract.clear()

    async def _send(self, enterprise: SampleEnterprise) -> None:
        """A row whose recipient's credentials Novu lacks; beside it one that Novu does not take at once, and has many
        recipients; one for a moment later; and one that is to be retracted.
        """
        system, name = self.system, enterprise.enterprise_id
        subscriber = f"ada-{uuid4().hex}"
        static = {"notification_workflow_id": enterprise.static}
        order = {"notification_workflow_id": enterprise.dynamic, "channels": ["PUSH"], "recipients": [subscriber]}
        later = {"scheduled_for": (datetime.now(UTC) + timedelta(seconds=1)).isoformat()}
        await rows.execute(
            system,
            "insert into notify.recipient (enterprise_id, subscriber_id, credentials) values ($1, $2, $3)",
            *(name, subscriber, json.dumps([{"providerId": "fcm", "channel": "PUSH", "deviceTokens": ["token"]}])),
        )
        await system.sink_faults({"kind": "server_error", "status": 503, "requests": 1, "workflow": f"{name}-welcome"})
        ids = await rows.insert(
            system,
            name,
            {**order, "payload": sample_payload(1)},
            {**static, "recipients": [f"many-{number}" for number in range(MANY)]},
            {**static, **later},
            static,
        )
        self.sent += ids[:-1]
        self.to_retract += ids[-1:]

    async def _ends(self, as_it_should: str, ids: Sequence[int], what: str) -> None:
        lacking = f"select count(*) from notify.ent_notification where id = any($1) and ({as_it_should}) is not true"

        connection = await self.system.connect()

        async def has_ended() -> bool:
            return not await connection.fetchval(lacking, ids)

        try:
            await eventually(has_ended, within=ENDS_WITHIN_SECONDS, what=what)
        finally:
            await connection.close()


@asynccontextmanager
async def running(road: Road) -> AsyncIterator[None]:
    """In this process, from the settings in its environment, until the end of the block."""
    stop = asyncio.Event()
    running = asyncio.create_task(road.run(DaemonSettings.load(), stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(running, 60)


@asynccontextmanager
async def orchestrated_by_none(stack: Mapping[str, str]) -> AsyncIterator[Client]:
    """Temporal without an orchestration of somebody else's task queue, which would be joined; and none is left."""
    client = await Client.connect(stack["TEMPORAL_ADDRESS"])
    await terminate(client, MASTER_ORCHESTRATION_ID)
    try:
        yield client
    finally:
        await terminate(client, MASTER_ORCHESTRATION_ID)


async def terminate(client: Client, workflow_id: str) -> None:
    with suppress(RPCError):  # it does not run
        await client.get_workflow_handle(workflow_id).terminate()


async def test_rows_and_rules_go_their_road_whatever_await_of_it_meets_a_fault(
    local_stack: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    names = [f"road{number}-{uuid4().hex[:8]}" for number in range(ENTERPRISES)]
    ours = {**SHORT_TIMES, "DAEMON_ENTERPRISE_IDS": ",".join(names), "TEMPORAL_TASK_QUEUE": f"test-{uuid4()}"}
    for name, value in {**local_stack, **ours}.items():
        monkeypatch.setenv(name, value)
    for options in (DELIVERY, SCHEDULER_PASS):
        monkeypatch.setitem(options, "retry_policy", AT_ONCE)
    monkeypatch.setattr("worker.activities.portion_delivery.MOST_FAULTS", len(POINTS))
    monkeypatch.setattr("worker.activities.novu_fan_out.EVENTS_PER_ROUND", 2)  # many recipients take several
    caplog.handler.setFormatter(json_logs.Formatter())
    monkeypatch.setattr("random.uniform", lambda least, most: min(most, 0.002))  # every backoff
    monkeypatch.setattr("worker.bootstrap.SupabaseNotificationStore", FollowsEverySecond)
    monkeypatch.setattr("listener.intake.Batcher", partial(Batcher, batch_size=2))  # two rows are a flood
    monkeypatch.setattr("listener.bootstrap.telemetry", SimpleNamespace(measures=lambda: True))
    monkeypatch.setattr("listener.bootstrap.Backlog", partial(Backlog, look_every_seconds=0.5))
    monkeypatch.setattr("shared.temporal.client.telemetry", SimpleNamespace(is_on=lambda: True))
    counted = Counted.instead(monkeypatch)
    system = System(cast(LocalStack, SimpleNamespace(environment=local_stack)), tmp_path, {}, names)
    await system.seed()
    road = Road(system)

    async with orchestrated_by_none(local_stack) as temporal, asyncio.timeout(200), running(road):
        with raising_once_at_each(POINTS) as fired:
            [rule] = await rules.insert(system, system.enterprises[0], rules.EVERY_SECOND)
            for _ in range(ROUNDS):
                await terminate(temporal, MASTER_ORCHESTRATION_ID)
                await terminate(temporal, cron_scheduling_id(names[1]))
                await rules.insert(system, system.enterprises[1], rules.NOT_THIS_YEAR)
                await road.go()
                if len(fired) == len(POINTS):
                    break
        assert not [str(point) for point in POINTS if point not in fired], "the scene does not come here"
        await rules.fired_through(system, rule, datetime.now(UTC))
        await rules.pause(system, rule)
        await road.go()

    delivered = await system.deliveries()
    events = [row.transaction_id or "" for row in (await rows.read(system, road.sent)).values()]
    assert {delivered[event] for event in events} == {1}
    assert {count for event, count in delivered.items() if event.startswith(tuple(events))} == {1}, "chunks, too"
    told = points_of([record.exc_info[1] for record in caplog.records if record.exc_info])
    assert not [str(point) for point in fired - told], "nobody was told"
    assert {error for _, error in counted.faults} == {"Foreign"}
    assert road.failing, "health said so"
    assert CANARY not in caplog.text
    caplog.clear()
    gc.collect()  # sockets whose closing met its fault
