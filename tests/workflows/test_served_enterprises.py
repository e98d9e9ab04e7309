"""Work for an enterprise that nobody serves here is refused, before anything is read or written."""

import logging
import uuid
from collections.abc import AsyncIterator, Collection
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from shared.ports import SchedulerPass, Unaccounted
from shared.temporal.messages import (
    NotificationProcessingInput,
    NotificationProcessingResult,
    NotificationRetractionInput,
    NotificationRetractionResult,
    Portion,
    SchedulerInput,
)
from shared.temporal.names import cron_scheduling_id, scheduled_notification_id
from tests.unit.telemetry.conftest import Recorded, recorded  # noqa: F401 - a fixture
from tests.workflows.conftest import PATIENCE_SECONDS
from worker.activities.notification_delivery import GiveUpInput
from worker.activities.rule_firing import CronPass
from worker.activities.scheduled_delivery import ScheduledPass
from worker.activities.scheduler_watch import SchedulerWatch
from worker.registry import WORKFLOWS
from worker.served_enterprises import ServedEnterprises

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Activities:
    """Stand-ins that note for whom they ran."""

    def __init__(self) -> None:
        self.ran_for: list[str] = []

    @activity.defn(name="deliver_notifications")
    async def deliver(self, input: NotificationProcessingInput) -> NotificationProcessingResult:
        self.ran_for += [portion.enterprise_id for portion in input.portions]
        return NotificationProcessingResult(sent=sum(len(portion.notification_ids) for portion in input.portions))

    @activity.defn(name="give_up_notifications")
    async def give_up(self, input: GiveUpInput) -> NotificationProcessingResult:
        self.ran_for.append(input.enterprise_id)
        return NotificationProcessingResult()

    @activity.defn(name="cancel_retracted")
    async def cancel(self, input: NotificationRetractionInput) -> NotificationRetractionResult:
        self.ran_for.append(input.enterprise_id)
        return NotificationRetractionResult()

    @activity.defn(name="fire_due_rules")
    async def fire(self, enterprise_id: str) -> CronPass:
        self.ran_for.append(enterprise_id)
        return CronPass(0, None)

    @activity.defn(name="start_due")
    async def start(self, enterprise_id: str) -> ScheduledPass:
        self.ran_for.append(enterprise_id)
        return ScheduledPass(0, None)


@pytest_asyncio.fixture(loop_scope="session")
async def activities(temporal: Client, task_queue: str) -> AsyncIterator[Activities]:
    """Of a worker that serves acme."""
    stands_in = Activities()
    async with Worker(
        temporal,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=[stands_in.deliver, stands_in.give_up, stands_in.cancel, stands_in.fire, stands_in.start],
        interceptors=[ServedEnterprises(["acme"])],
    ):
        yield stands_in


WORK: list[tuple[str, Any]] = [
    ("NotificationProcessingWorkflow", NotificationProcessingInput("victim", [1])),
    ("NotificationProcessingWorkflow", NotificationProcessingInput("victim", [1], [Portion("victim too", [2])])),
    ("NotificationRetractionWorkflow", NotificationRetractionInput("victim", [1])),
    ("CronSchedulingWorkflow", SchedulerInput("victim")),
    ("ScheduledNotificationWorkflow", SchedulerInput("victim")),
]


@pytest.mark.parametrize(("workflow", "asked"), WORK, ids=[name for name, _ in WORK])
async def test_work_for_another_enterprise_ends_at_once_logged_and_counted(
    temporal: Client,
    task_queue: str,
    activities: Activities,
    workflow: str,
    asked: Any,
    caplog: pytest.LogCaptureFixture,
    recorded: Recorded,  # noqa: F811 - the fixture
) -> None:
    with pytest.raises(WorkflowFailureError) as failed, caplog.at_level(logging.ERROR, "TemporalService"):
        await temporal.execute_workflow(
            workflow,
            asked,
            id=f"{uuid.uuid4()}",
            task_queue=task_queue,
            execution_timeout=timedelta(seconds=2 * PATIENCE_SECONDS),
        )

    cause = failed.value.cause
    refusal = cause.cause if isinstance(cause, ActivityError) else cause
    assert isinstance(refusal, ApplicationError)
    assert (refusal.type, refusal.non_retryable) == ("EnterpriseNotServed", True)
    assert activities.ran_for == []
    lines = [record for record in caplog.records if record.message == "enterprise_not_served"]
    assert lines[0].__dict__["enterprise_id"] == "victim"
    assert recorded.value("xnovu.worker.not_served") == len(lines)


async def test_work_for_its_own_goes_on(temporal: Client, task_queue: str, activities: Activities) -> None:
    result = await temporal.execute_workflow(
        "NotificationProcessingWorkflow",
        NotificationProcessingInput("acme", [1]),
        id=f"{uuid.uuid4()}",
        task_queue=task_queue,
        result_type=NotificationProcessingResult,
    )

    assert result == NotificationProcessingResult(sent=1)
    assert activities.ran_for == ["acme"]


async def test_of_a_shared_batch_its_own_part_goes_on(
    temporal: Client, task_queue: str, activities: Activities, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "TemporalService"):
        result = await temporal.execute_workflow(
            "NotificationProcessingWorkflow",
            NotificationProcessingInput("victim", [1, 2], [Portion("acme", [3])]),
            id=f"{uuid.uuid4()}",
            task_queue=task_queue,
            result_type=NotificationProcessingResult,
        )

    assert result == NotificationProcessingResult(sent=1)
    assert activities.ran_for == ["acme"]
    [line] = [record for record in caplog.records if record.message == "enterprise_not_served"]
    assert line.__dict__["enterprise_id"] == "victim"


async def test_without_a_list_everybody_is_served() -> None:
    assert ServedEnterprises([]).serves("anybody")
    assert not ServedEnterprises(["acme"]).serves("acme.1")


class NoRows:
    """Nothing is unaccounted for, and no scheduler has looked yet."""

    async def unaccounted(self, enterprise_ids: Collection[str], *, older_than_seconds: int) -> Unaccounted:
        return Unaccounted(0, 0.0)

    async def unaccounted_in(self, shards: Collection[int], *, older_than_seconds: int) -> Unaccounted:
        return Unaccounted(0, 0.0)

    async def scheduler_passes(self, enterprise_ids: Collection[str]) -> list[SchedulerPass]:
        return []


async def test_the_orchestration_starts_no_scheduler_that_would_be_refused(temporal: Client, task_queue: str) -> None:
    ours, victim = f"acme-{uuid.uuid4()}", f"victim-{uuid.uuid4()}"
    watch = SchedulerWatch(temporal, task_queue, NoRows(), serves=ServedEnterprises([ours]).serves)

    observed = await ActivityEnvironment().run(watch.observe_schedulers, [ours, victim])

    assert set(observed.passes) == {ours}
    assert sorted(observed.restarted) == [cron_scheduling_id(ours), scheduled_notification_id(ours)]
    with pytest.raises(RPCError) as missing:
        await temporal.get_workflow_handle(cron_scheduling_id(victim)).describe()
    assert missing.value.status is RPCStatusCode.NOT_FOUND
    for workflow_id in observed.restarted:
        await temporal.get_workflow_handle(workflow_id).terminate()
