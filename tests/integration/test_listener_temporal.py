"""What the listener asks of Temporal, on the real server: schedulers are woken or started, the orchestration is kept.

Each test has a namespace of its own, because the orchestration has one id. Only a stand-in for the orchestration ever
runs: what was started and signalled is read from the histories.
"""

import asyncio
import dataclasses
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from listener.bootstrap import workflows
from listener.counters import ListenerCounters
from listener.listener import Listener
from listener.orchestration_keeper import OrchestrationKeeper
from listener.workflows import Work
from shared.ports import RowRetracted, RowScheduled, RuleChanged
from shared.temporal.messages import Portion
from shared.temporal.names import (
    MASTER_ORCHESTRATION_ID,
    STOP_SIGNAL,
    cron_scheduling_id,
    notification_processing_id,
    notification_retraction_id,
    scheduled_notification_id,
)
from shared.temporal.orchestration import OrchestrationRun
from tests.integration.orchestration_double import WaitingOrchestration
from tests.unit.listener.fakes import FakeFeed, FakeStore, an_insert

TASK_QUEUE = "xnovu"
IN_SUMMER = datetime(2999, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
ENTERPRISES = ("ent1", "ent2")


@pytest.fixture
async def temporal(local_stack: Mapping[str, str]) -> Client:
    """A client of a namespace that nobody else uses."""
    address, namespace = local_stack["TEMPORAL_ADDRESS"], f"listener-{secrets.token_hex(4)}"
    client = await Client.connect(address)
    retention = Duration(seconds=24 * 3600)
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=namespace, workflow_execution_retention_period=retention)
    )
    return await Client.connect(address, namespace=namespace)


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await check():  # noqa: ASYNC110 - a server to ask, not an event
            await asyncio.sleep(0.05)


async def history(client: Client, workflow_id: str) -> list[tuple[str, list[Any]]]:
    """What was told to the latest run of a workflow: its input as `start`, then each signal with its arguments."""
    told = []
    async for event in client.get_workflow_handle(workflow_id).fetch_history_events():
        if event.HasField("workflow_execution_started_event_attributes"):
            told.append(("start", event.workflow_execution_started_event_attributes.input))
        if event.HasField("workflow_execution_signaled_event_attributes"):
            signal = event.workflow_execution_signaled_event_attributes
            told.append((signal.signal_name, signal.input))
    return [(name, [json.loads(payload.data) for payload in payloads.payloads]) for name, payloads in told]


async def run_id(client: Client, workflow_id: str) -> str:
    return (await client.get_workflow_handle(workflow_id).describe()).run_id


@asynccontextmanager
async def orchestrating(client: Client) -> AsyncIterator[None]:
    async with Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[WaitingOrchestration],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield


async def stop_orchestration(client: Client) -> None:
    handle = client.get_workflow_handle(MASTER_ORCHESTRATION_ID)
    await handle.signal(STOP_SIGNAL)
    await handle.result()


@dataclass
class Keeping:
    """A keeper at work: what it counted, and how often it looked."""

    counters: ListenerCounters
    looks: int = 0

    async def looked(self, times: int) -> None:
        """Wait until it has looked so often once more."""
        goal = self.looks + times

        async def has_looked() -> bool:
            return self.looks >= goal

        await eventually(has_looked)


@asynccontextmanager
async def keeping(client: Client) -> AsyncIterator[Keeping]:
    asked, bench = workflows(client, TASK_QUEUE), Keeping(ListenerCounters())

    async def observe() -> OrchestrationRun:
        found = await asked.observe_orchestration()
        bench.looks += 1
        return found

    keeper = OrchestrationKeeper(
        dataclasses.replace(asked, observe_orchestration=observe), ENTERPRISES, bench.counters, interval_seconds=0.05
    )
    running = asyncio.create_task(keeper.run())
    try:
        yield bench
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_the_first_ring_starts_the_enterprises_cron_scheduler_and_later_ones_signal_it(temporal: Client) -> None:
    asked = workflows(temporal, TASK_QUEUE)

    for _ in range(3):
        assert await asked.rules_changed("ent1")

    started, *signals = await history(temporal, cron_scheduling_id("ent1"))
    assert started == ("start", [{"enterprise_id": "ent1", "passes": 0}])
    assert signals == [("rules_changed", [])] * 3
    description = await temporal.get_workflow_handle(cron_scheduling_id("ent1")).describe()
    assert description.workflow_type == "CronSchedulingWorkflow"
    assert description.raw_description.workflow_execution_info.priority.fairness_key == "ent1"


async def test_the_instant_of_a_scheduled_row_is_told_in_utc(temporal: Client) -> None:
    asked = workflows(temporal, TASK_QUEUE)

    assert await asked.row_due_at("ent1", IN_SUMMER)

    assert await history(temporal, scheduled_notification_id("ent1")) == [
        ("start", [{"enterprise_id": "ent1", "passes": 0}]),
        ("due_at", ["2999-07-01T10:00:00+00:00"]),
    ]


async def test_a_scheduler_that_was_terminated_is_started_by_the_next_ring(temporal: Client) -> None:
    asked = workflows(temporal, TASK_QUEUE)
    await asked.join_orchestration(ENTERPRISES)
    await asked.rules_changed("ent1")
    first = await run_id(temporal, cron_scheduling_id("ent1"))
    await temporal.get_workflow_handle(cron_scheduling_id("ent1")).terminate()

    assert await asked.rules_changed("ent1")

    assert await run_id(temporal, cron_scheduling_id("ent1")) != first


async def test_a_scheduler_is_not_started_while_the_orchestration_is_stopped(temporal: Client) -> None:
    asked = workflows(temporal, TASK_QUEUE)
    async with orchestrating(temporal):
        await asked.join_orchestration(ENTERPRISES)
        await stop_orchestration(temporal)

        assert not await asked.rules_changed("ent1")
        assert not await asked.row_due_at("ent1", IN_SUMMER)

        await asked.join_orchestration(ENTERPRISES)
        assert await asked.rules_changed("ent1")


async def test_retractions_are_started_once_however_often_they_are_asked_for(temporal: Client) -> None:
    retract = workflows(temporal, TASK_QUEUE).start[Work.RETRACTION]

    assert await retract([Portion("ent1", [3, 1, 2])])
    assert not await retract([Portion("ent1", [1, 2, 3])])

    [started] = await history(temporal, notification_retraction_id("ent1", [1, 2, 3]))
    assert started == ("start", [{"enterprise_id": "ent1", "notification_ids": [3, 1, 2]}])


async def test_the_orchestration_is_joined_once_and_then_only_looked_at(temporal: Client) -> None:
    async with keeping(temporal) as bench:
        await bench.looked(5)

    assert await history(temporal, MASTER_ORCHESTRATION_ID) == [
        ("start", [{"enterprise_ids": ["ent1", "ent2"], "restarted": 0}]),
        ("add_enterprises", [["ent1", "ent2"]]),
    ]


async def test_a_terminated_orchestration_is_started_again(temporal: Client) -> None:
    async with keeping(temporal) as bench:
        await bench.looked(1)
        first = await run_id(temporal, MASTER_ORCHESTRATION_ID)
        await temporal.get_workflow_handle(MASTER_ORCHESTRATION_ID).terminate()
        await bench.looked(3)

    assert await run_id(temporal, MASTER_ORCHESTRATION_ID) != first
    assert await workflows(temporal, TASK_QUEUE).observe_orchestration() is OrchestrationRun.RUNNING
    assert bench.counters.orchestration_restarted == 1


async def test_a_stop_holds_until_a_listener_is_started_anew(temporal: Client) -> None:
    observe = workflows(temporal, TASK_QUEUE).observe_orchestration
    async with orchestrating(temporal):
        async with keeping(temporal) as bench:
            await bench.looked(1)
            await stop_orchestration(temporal)
            await bench.looked(5)
            assert await observe() is OrchestrationRun.STOPPED

        async with keeping(temporal) as bench:
            await bench.looked(1)
            assert await observe() is OrchestrationRun.RUNNING


async def test_two_listeners_at_once_join_one_orchestration_and_double_nothing(temporal: Client) -> None:
    stop = asyncio.Event()
    feeds = [FakeFeed(ENTERPRISES) for _ in range(2)]
    listeners = [
        Listener(feed, FakeStore(), workflows(temporal, TASK_QUEUE), ENTERPRISES, sweep_interval_seconds=3600.0)
        for feed in feeds
    ]
    running = [asyncio.create_task(listener.run(stop)) for listener in listeners]

    for feed in feeds:
        feed.send(RowScheduled("ent1", IN_SUMMER), RuleChanged("ent1"), an_insert(7), RowRetracted("ent1", 8))

    async def both_are_done() -> bool:
        counters = [listener.counters for listener in listeners]
        return all(each.batches == 2 and each.rule_rings == 1 and each.schedule_rings == 1 for each in counters)

    async def both_have_joined() -> bool:
        return len(await history(temporal, MASTER_ORCHESTRATION_ID)) == 3

    try:
        await eventually(both_are_done)
        await eventually(both_have_joined)
    finally:
        stop.set()
        await asyncio.wait(running)

    async def all_are_listed() -> bool:
        ids = sorted([execution.id async for execution in temporal.list_workflows()])
        return ids == sorted(
            [
                MASTER_ORCHESTRATION_ID,
                cron_scheduling_id("ent1"),
                scheduled_notification_id("ent1"),
                notification_processing_id("ent1", [7]),
                notification_retraction_id("ent1", [8]),
            ]
        )

    await eventually(all_are_listed)
    assert sorted(listener.counters.workflows_already_running for listener in listeners) in ([0, 2], [1, 1])
    assert [name for name, _ in await history(temporal, cron_scheduling_id("ent1"))] == [
        "start",
        "rules_changed",
        "rules_changed",
    ]
