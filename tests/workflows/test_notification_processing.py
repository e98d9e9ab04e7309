import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer, Worker

from shared.temporal.messages import (
    MAX_BATCH_SIZE,
    NotificationProcessingInput,
    NotificationProcessingResult,
    Portion,
)
from shared.temporal.names import notification_processing_id
from tests.workflows.conftest import PATIENCE_SECONDS
from worker.activities.notification_delivery import GiveUpInput
from worker.registry import WORKFLOWS
from worker.workflows.notification_processing import NotificationProcessingWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Activities:
    """Stand-ins for the delivery activities; `answers` says what each attempt does."""

    def __init__(self, *answers: Callable[[], NotificationProcessingResult]) -> None:
        self._answers = list(answers)
        self.attempts = 0
        self.inputs: list[NotificationProcessingInput] = []
        self.given_up: list[GiveUpInput] = []

    @activity.defn(name="deliver_notifications")
    async def deliver(self, input: NotificationProcessingInput) -> NotificationProcessingResult:
        self.attempts += 1
        self.inputs.append(input)
        return self._answers[min(self.attempts, len(self._answers)) - 1]()

    @activity.defn(name="give_up_notifications")
    async def give_up(self, input: GiveUpInput) -> NotificationProcessingResult:
        self.given_up.append(input)
        return NotificationProcessingResult(failed={str(key): "delivery_timed_out" for key in input.notification_ids})


def sent(count: int = 1) -> Callable[[], NotificationProcessingResult]:
    return lambda: NotificationProcessingResult(sent=count)


def fault(*details: str, kind: str = "NovuFault", **options: Any) -> Callable[[], NotificationProcessingResult]:
    def answer() -> NotificationProcessingResult:
        raise ApplicationError("Novu: 503", *details, type=kind, **options)

    return answer


async def process(
    temporal: Client, task_queue: str, activities: Activities, *ids: int, others: Sequence[Portion] = ()
) -> WorkflowHandle[NotificationProcessingWorkflow, NotificationProcessingResult]:
    """Run the workflow to its end and return its handle."""
    async with Worker(
        temporal, task_queue=task_queue, workflows=WORKFLOWS, activities=[activities.deliver, activities.give_up]
    ):
        handle = await temporal.start_workflow(
            NotificationProcessingWorkflow.run,
            NotificationProcessingInput("ent1", list(ids), list(others)),
            id=f"{task_queue}/{notification_processing_id('ent1', ids or [0])}",
            task_queue=task_queue,
            execution_timeout=timedelta(seconds=2 * PATIENCE_SECONDS),
        )
        with suppress(WorkflowFailureError):
            await handle.result()
        return handle


async def test_the_result_of_the_delivery_is_the_workflow_s(temporal: Client, task_queue: str) -> None:
    handle = await process(temporal, task_queue, Activities(sent(2)), 1, 2)

    assert await handle.result() == NotificationProcessingResult(sent=2)


async def test_a_fault_is_retried_until_it_passes(temporal: Client, task_queue: str) -> None:
    activities = Activities(fault(next_retry_delay=timedelta(milliseconds=10)), sent())

    handle = await process(temporal, task_queue, activities, 1)

    assert (await handle.result()).sent == 1
    assert activities.attempts == 2
    assert activities.given_up == []


async def test_what_can_never_succeed_is_given_up_with_its_cause(temporal: Client, task_queue: str) -> None:
    activities = Activities(fault(non_retryable=True))

    handle = await process(temporal, task_queue, activities, 1, 2)

    assert (await handle.result()).failed == {"1": "delivery_timed_out", "2": "delivery_timed_out"}
    assert activities.given_up == [GiveUpInput("ent1", [1, 2], "NovuFault: Novu: 503")]


@pytest.mark.parametrize("kind", ["NovuPaymentRequired", "NovuRate"])
async def test_what_waits_for_novu_to_take_anything_is_never_given_up(
    temporal: Client, task_queue: str, kind: str
) -> None:
    activities = Activities(fault(kind=kind, non_retryable=True), fault(kind=kind, non_retryable=True), sent())

    handle = await process(temporal, task_queue, activities, 1)

    assert (await handle.result()).sent == 1
    assert (activities.attempts, activities.given_up) == (3, [])


async def test_of_a_shared_batch_those_that_wait_for_novu_to_take_anything_are_not_given_up(
    temporal: Client, task_queue: str
) -> None:
    activities = Activities(fault("ent2", "ent3", non_retryable=True), sent())

    handle = await process(
        temporal, task_queue, activities, 1, others=[Portion("ent2", [2]), Portion("ent3", [3]), Portion("ent4", [4])]
    )

    assert (await handle.result()).sent == 1
    assert activities.given_up == [GiveUpInput("ent1", [1], "NovuFault: Novu: 503", [Portion("ent4", [4])])]
    assert activities.inputs[-1] == NotificationProcessingInput("ent2", [2], [Portion("ent3", [3])])


@pytest.mark.parametrize(
    "others",
    [[Portion("ent2", [])], [Portion("ent2", list(range(MAX_BATCH_SIZE)))], [Portion("ent1", [2])]],
    ids=["an empty portion", "too many in all", "an enterprise named twice"],
)
async def test_a_shared_batch_that_is_none_fails(temporal: Client, task_queue: str, others: list[Portion]) -> None:
    handle = await process(temporal, task_queue, Activities(sent()), 1, others=others)

    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    assert isinstance(raised.value.cause, ApplicationError)
    assert raised.value.cause.type == "InvalidInput"


@pytest.mark.parametrize("ids", [(), tuple(range(MAX_BATCH_SIZE + 1))])
async def test_a_batch_of_a_wrong_size_fails_instead_of_retrying_for_ever(
    temporal: Client, task_queue: str, ids: tuple[int, ...]
) -> None:
    handle = await process(temporal, task_queue, Activities(sent()), *ids)

    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    assert isinstance(raised.value.cause, ApplicationError)
    assert raised.value.cause.type == "InvalidInput"


async def test_a_batch_costs_two_actions_and_its_history_holds_only_ids_and_counts(
    temporal: Client, task_queue: str
) -> None:
    handle = await process(temporal, task_queue, Activities(sent(100)), *range(100))

    history = await handle.fetch_history()
    names = [event.WhichOneof("attributes") for event in history.events]
    assert names.count("activity_task_scheduled_event_attributes") == 1
    assert len(history.events) == 11
    payloads = [
        json.loads(payload.data)
        for event in history.events
        for payload in (
            *event.workflow_execution_started_event_attributes.input.payloads,
            *event.activity_task_completed_event_attributes.result.payloads,
        )
    ]
    assert payloads == [
        {"enterprise_id": "ent1", "notification_ids": list(range(100)), "others": []},
        {"sent": 100, "failed": {}, "not_claimed": 0, "in_doubt": 0},
    ]


async def test_a_history_of_this_release_replays(temporal: Client, task_queue: str) -> None:
    handle = await process(temporal, task_queue, Activities(fault(non_retryable=True)), 1)

    await Replayer(workflows=WORKFLOWS).replay_workflow(await handle.fetch_history())
