"""Workers come with the work and go with it: real processes, a real queue, nothing lost, nothing twice."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHandle

from stack.processes import ChildProcess
from tests.e2e import rows
from tests.e2e.autoscaling import TICK_SECONDS, ScaledSystem, scaled_system
from tests.e2e.logs import events
from tests.e2e.system import eventually

WAVES = int(os.environ.get("XNOVU_AUTOSCALE_WAVES", "1"))
"""`make soak-autoscale` makes twenty."""

ROWS = 5000
SECONDS_FOR_A_WAVE = 240

EVENTS, RECIPIENTS_OF_AN_EVENT = 501, 100
"""A request to Novu holds a hundred events at most."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(360 + SECONDS_FOR_A_WAVE * max(1, WAVES)),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scaled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ScaledSystem]:
    async with scaled_system(tmp_path_factory.mktemp("autoscale")) as running:
        yield running


async def test_five_thousand_rows_bring_workers_and_their_end_takes_them_away(
    scaled: ScaledSystem, record_property: Callable[[str, object], None]
) -> None:
    loop = asyncio.get_running_loop()
    waves = []
    await scaled.slow_novu(1000)

    for _ in range(WAVES):
        began, first_tick = loop.time(), len(scaled.ticks)
        ids = await scaled.system.insert(ROWS)
        settled = await rows.settled(scaled.system, ids, within=SECONDS_FOR_A_WAVE)
        sent = loop.time()
        await scaled.wait_for_nobody(within=120)
        counts = scaled.counts(first_tick)
        assert {row.status for row in settled.values()} == {"SENT"}
        assert max(counts) >= 2
        assert counts[-1] == 0
        _assert_steps(counts)
        waves.append((sent - began, loop.time() - sent, max(counts)))

    deliveries = await scaled.system.deliveries()
    assert len(deliveries) == WAVES * ROWS
    assert set(deliveries.values()) == {1}
    assert set(deliveries) == await scaled.system.transaction_ids()
    assert scaled.refused == []
    assert scaled.instances.crashes == 0
    record_property("autoscale_waves", f"{WAVES} of {ROWS} rows, lost 0, twice 0")
    record_property("autoscale_seconds_to_send", " ".join(f"{wave[0]:.0f}" for wave in waves))
    record_property("autoscale_seconds_to_nobody", " ".join(f"{wave[1]:.0f}" for wave in waves))
    record_property("autoscale_most_workers", " ".join(str(wave[2]) for wave in waves))


@pytest.mark.skipif(WAVES < 20, reason="takes minutes: make soak-autoscale")
async def test_a_queue_of_five_thousand_tasks_is_worked_off(
    scaled: ScaledSystem, record_property: Callable[[str, object], None]
) -> None:
    """One workflow for each row, as under light load; without the listener, which would make batches of them."""
    acme = scaled.system.enterprises[0]
    temporal = await Client.connect(scaled.system.environment["TEMPORAL_ADDRESS"])
    await scaled.slow_novu(1)
    await scaled.system.listener.stop(within_seconds=15)
    ids = await rows.insert(scaled.system, "acme", *[{"notification_workflow_id": acme.static}] * ROWS)
    first_tick = len(scaled.ticks)
    at_once = asyncio.Semaphore(50)

    async def start(notification_id: int) -> None:
        async with at_once:
            await temporal.start_workflow(
                "NotificationProcessingWorkflow",
                {"enterprise_id": acme.enterprise_id, "notification_ids": [notification_id]},
                id=f"notification-processing/{acme.enterprise_id}/{notification_id}",
                task_queue="xnovu-notification-processing",
            )

    await asyncio.gather(*map(start, ids))
    settled = await rows.settled(scaled.system, ids, within=900)
    await scaled.wait_for_nobody(within=240)
    await scaled.system.start_listener()

    assert {row.status for row in settled.values()} == {"SENT"}
    delivered = Counter(call["transaction_id"] for call in await scaled.system.sink_calls() if not call["duplicate"])
    assert {delivered[base] for base in (await rows.transaction_bases(scaled.system, ids)).values()} == {1}
    record_property("autoscale_deepest_queue", max(tick["backlog"] for tick in scaled.ticks[first_tick:]))
    _assert_steps(scaled.counts(first_tick))


@pytest.mark.whole
async def test_under_a_steady_load_the_number_settles(scaled: ScaledSystem) -> None:
    await scaled.slow_novu(100)
    ids: list[int] = []

    for _ in range(40):
        ids += await rows.insert(
            scaled.system, "acme", {"notification_workflow_id": scaled.system.enterprises[0].static}
        )
        await asyncio.sleep(1.5)  # the load itself
    counts = scaled.counts()[-int(24 / TICK_SECONDS) :]

    settled = await rows.settled(scaled.system, ids)
    assert {row.status for row in settled.values()} == {"SENT"}
    assert min(counts) >= 1
    assert max(counts) - min(counts) <= 1


@pytest.mark.whole
async def test_a_delivery_of_more_than_twenty_seconds_survives_the_end_of_its_worker(scaled: ScaledSystem) -> None:
    temporal = await Client.connect(scaled.system.environment["TEMPORAL_ADDRESS"])
    await scaled.wait_for_nobody(within=120)
    scaled.pools.set_by_hand(3)
    # One row, whose recipients take six requests, one after the other, of seven seconds each.
    await scaled.slow_novu(7000)
    recipients = [f"s{number}" for number in range(EVENTS * RECIPIENTS_OF_AN_EVENT)]
    row = {"notification_workflow_id": scaled.system.enterprises[0].static, "recipients": recipients}
    [notification_id] = await rows.insert(scaled.system, "acme", row)
    execution, busy = await _who_delivers(temporal)
    ended_before, first_tick = len(scaled.instances.ended), len(scaled.ticks)
    scaled.instances.choose = lambda running: _with_pid(running, busy)

    async def is_taken_away() -> bool:
        return busy in [instance.pid for instance in scaled.instances.ended[ended_before:]]

    await eventually(is_taken_away, what="the worker is taken away while it delivers")
    await scaled.slow_novu(0)
    settled = await rows.settled(scaled.system, [notification_id])

    assert settled[notification_id].status == "SENT"
    assert all(instance.by_itself for instance in scaled.instances.ended[ended_before:])
    assert await _attempts(execution) >= 2
    calls = await rows.calls_for(scaled.system, notification_id)
    assert sum(not call["duplicate"] for call in calls) == EVENTS
    assert min(scaled.counts(first_tick)) >= 1


async def test_every_decision_is_one_line_with_its_inputs(scaled: ScaledSystem) -> None:
    decided = events(scaled.scaler_log, "scaling_decided")

    assert len(decided) >= len(scaled.ticks)
    assert all({"current", "instances", "seen", "limits", "memory", "verdict"} <= set(line) for line in decided)
    assert {line["verdict"] for line in decided} >= {"up", "down", "steady"}


def _assert_steps(counts: Sequence[int]) -> None:
    """Up by two at most, as set; down one by one, and up again only with new work, of which a wave has none."""
    assert all(-1 <= after - before <= 2 for before, after in pairwise(counts))
    top = counts.index(max(counts))
    assert list(counts[top:]) == sorted(counts[top:], reverse=True)


async def _who_delivers(temporal: Client) -> tuple[WorkflowHandle[Any, Any], int]:
    """The delivery that runs, and the process id of its worker. A run that leaves its row in doubt ends, and another
    follows under the same id: this is the one that runs now.
    """
    found: list[tuple[WorkflowHandle[Any, Any], int]] = []

    async def is_delivered() -> bool:
        async for execution in temporal.list_workflows(
            "WorkflowType = 'NotificationProcessingWorkflow' AND ExecutionStatus = 'Running'"
        ):
            handle = temporal.get_workflow_handle(execution.id, run_id=execution.run_id)
            description = await handle.describe()
            found.extend(
                (handle, int(pending.last_worker_identity.partition("@")[0]))
                for pending in description.raw_description.pending_activities
                if pending.last_worker_identity
            )
        return bool(found)

    await eventually(is_delivered, what="a worker has begun the delivery")
    return found[0]


async def _attempts(run: WorkflowHandle[Any, Any]) -> int:
    """How often the delivery's activity was begun."""
    history = await run.fetch_history()
    return max(
        event.activity_task_started_event_attributes.attempt
        for event in history.events
        if event.HasField("activity_task_started_event_attributes")
    )


def _with_pid(running: Sequence[ChildProcess], pid: int) -> ChildProcess:
    """The instance with this process id; another one once it is gone."""
    return next((process for process in running if process.pid == pid), running[0])
