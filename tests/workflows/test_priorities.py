"""On the real server: what is of a higher priority goes first, and within a priority enterprises take turns."""

import asyncio

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from listener.workflows import by_portions
from shared.notification.priority import FIRST, LAST
from shared.temporal.messages import NotificationProcessingInput, NotificationProcessingResult, Portion
from shared.temporal.names import notification_processing_id, shared_processing_id
from shared.temporal.starters import SHARED_TURN, NotificationProcessingStarter
from tests.workflows.conftest import PATIENCE_SECONDS
from worker.registry import WORKFLOWS

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEWSLETTERS = 80
"""Batches of 250: a newsletter to twenty thousand."""

FEW = 40
"""A queue has four partitions, and a poll looks into one: by chance so many may pass the one that has the first
priority by, each with three quarters: once in a hundred thousand times.
"""


async def test_a_password_reset_does_not_wait_behind_a_newsletter_of_its_enterprise(
    temporal: Client, task_queue: str
) -> None:
    delivered: list[int] = []
    all_delivered = asyncio.Event()

    @activity.defn(name="deliver_notifications")
    async def deliver(input: NotificationProcessingInput) -> NotificationProcessingResult:
        delivered.extend(input.notification_ids)
        if len(delivered) == NEWSLETTERS + 1:
            all_delivered.set()
        return NotificationProcessingResult(sent=len(input.notification_ids))

    starter = NotificationProcessingStarter(temporal, task_queue)
    for number in range(1, NEWSLETTERS + 1):
        await starter.start("ent1", [number], priority=LAST)
    await starter.start("ent1", [1_000], priority=FIRST)

    async with Worker(
        temporal,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=[deliver],
        max_concurrent_activities=2,
        max_concurrent_workflow_tasks=2,
    ):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await all_delivered.wait()

    assert delivered.index(1_000) < FEW, f"the reset came as number {delivered.index(1_000)}"


async def test_who_waits_for_a_batch_hears_of_its_end_however_it_ends_and_of_one_that_nobody_knows(
    temporal: Client, task_queue: str
) -> None:
    starter = NotificationProcessingStarter(temporal, task_queue)
    await starter.start("ent1", [3_000_001])
    waiting = asyncio.create_task(starter.wait("ent1", [3_000_001]))
    await asyncio.sleep(0)
    assert not waiting.done()

    await temporal.get_workflow_handle(notification_processing_id("ent1", [3_000_001])).terminate()

    async with asyncio.timeout(60):
        await waiting
        await starter.wait("ent1", [3_000_002])


async def test_a_batch_that_several_share_is_found_by_whose_it_is_and_has_a_turn_of_its_own(
    temporal: Client, task_queue: str
) -> None:
    start = by_portions(NotificationProcessingStarter(temporal, task_queue))
    portions = [Portion("ent1", [2_000_001]), Portion("ent2", [2_000_002, 2_000_003])]

    assert await start(portions, priority=FIRST)
    assert not await start(portions)
    assert await start(portions[:1])

    shared = temporal.get_workflow_handle(shared_processing_id([2_000_001, 2_000_002, 2_000_003]))
    description = await shared.describe()
    assert await description.memo() == {"enterprise_ids": ["ent1", "ent2"]}
    priority = description.raw_description.workflow_execution_info.priority
    assert (priority.fairness_key, priority.priority_key) == (SHARED_TURN, FIRST)
    assert priority.fairness_weight == 2
    alone = await temporal.get_workflow_handle(notification_processing_id("ent1", [2_000_001])).describe()
    assert alone.raw_description.workflow_execution_info.priority.fairness_key == "ent1"
    for started in (shared, temporal.get_workflow_handle(alone.id)):
        await started.terminate()
