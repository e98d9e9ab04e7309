"""Records one history of each workflow as this release runs it: `python -m tests.workflows.record_histories RELEASE`.

Run it once for each release, and never again for the same one: test_replay holds every later release to these files.
Activities are stand-ins; only the order of a workflow's steps matters here.
"""

import asyncio
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from shared.temporal.messages import (
    NotificationProcessingInput,
    NotificationProcessingResult,
    NotificationRetractionInput,
    NotificationRetractionResult,
    OrchestrationInput,
    OrchestrationObservation,
    SchedulerInput,
    SchedulerPasses,
)
from shared.temporal.names import (
    ADD_ENTERPRISES_SIGNAL,
    DUE_AT_SIGNAL,
    REMOVE_ENTERPRISES_SIGNAL,
    RULES_CHANGED_SIGNAL,
    STOP_SIGNAL,
)
from worker.activities.notification_delivery import GiveUpInput
from worker.activities.rule_firing import CronPass
from worker.activities.scheduled_delivery import ScheduledPass
from worker.registry import WORKFLOWS
from worker.workflows.cron_scheduling import CronSchedulingWorkflow
from worker.workflows.master_orchestration import MasterOrchestrationWorkflow
from worker.workflows.notification_processing import NotificationProcessingWorkflow
from worker.workflows.notification_retraction import NotificationRetractionWorkflow
from worker.workflows.scheduled_notification import ScheduledNotificationWorkflow

HISTORIES = Path(__file__).with_name("histories")
TASK_QUEUE = "recording"


@activity.defn(name="deliver_notifications")
async def deliver(input: NotificationProcessingInput) -> NotificationProcessingResult:
    """Fails for good for notification 13."""
    if 13 in input.notification_ids:
        raise ApplicationError("Novu: 503", type="NovuFault", non_retryable=True)
    return NotificationProcessingResult(sent=len(input.notification_ids))


@activity.defn(name="give_up_notifications")
async def give_up(input: GiveUpInput) -> NotificationProcessingResult:
    return NotificationProcessingResult(failed={str(key): "delivery_timed_out" for key in input.notification_ids})


@activity.defn(name="cancel_retracted")
async def cancel_retracted(input: NotificationRetractionInput) -> NotificationRetractionResult:
    return NotificationRetractionResult(cancelled=len(input.notification_ids))


@activity.defn(name="fire_due_rules")
async def fire_due_rules(enterprise_id: str) -> CronPass:
    return CronPass(1, 1.5)


@activity.defn(name="start_due")
async def start_due(enterprise_id: str) -> ScheduledPass:
    return ScheduledPass(1, 1.5)


@activity.defn(name="observe_schedulers")
async def observe_schedulers(enterprise_ids: list[str]) -> OrchestrationObservation:
    passes = {enterprise_id: SchedulerPasses() for enterprise_id in enterprise_ids}
    return OrchestrationObservation(passes, [], 0, 0.0, datetime.now(UTC).isoformat())


@activity.defn(name="stop_schedulers")
async def stop_schedulers(enterprise_ids: list[str]) -> None:
    return None


ACTIVITIES: list[Callable[..., Any]] = [
    deliver,
    give_up,
    cancel_retracted,
    fire_due_rules,
    start_due,
    observe_schedulers,
    stop_schedulers,
]


def anonymous(history: str) -> str:
    """Without the recording machine's name, processes and paths, none of which a replay looks at."""
    for what, instead in (
        (r'"identity": "[^"]*"', '"identity": "recorder"'),
        (r'"name": "\d+@[^"]*"', '"name": "sticky"'),
        (r'"stackTrace": "(?:[^"\\]|\\.)*"', '"stackTrace": ""'),
    ):
        history = re.sub(what, instead, history)
    return history


async def record(client: Client, release: str) -> None:
    """Run every workflow through its signals, updates and sleeps, and save what happened."""

    async def save(handle: WorkflowHandle[Any, Any], name: str) -> None:
        await handle.result()
        history = (await handle.fetch_history()).to_json()
        (HISTORIES / f"{name}.{release}.json").write_text(anonymous(history) + "\n")

    for name, ids in (("sent", [1, 2]), ("given_up", [13])):
        processing = await client.start_workflow(
            NotificationProcessingWorkflow.run,
            NotificationProcessingInput("ent1", ids),
            id=f"recorded/processing/{name}",
            task_queue=TASK_QUEUE,
        )
        await save(processing, f"notification_processing.{name}")
    retraction = await client.start_workflow(
        NotificationRetractionWorkflow.run,
        NotificationRetractionInput("ent1", [1]),
        id="recorded/retraction",
        task_queue=TASK_QUEUE,
    )
    await save(retraction, "notification_retraction")
    cron = await client.start_workflow(
        CronSchedulingWorkflow.run, SchedulerInput("ent1"), id="recorded/cron", task_queue=TASK_QUEUE
    )
    await asyncio.sleep(2.0)
    await cron.signal(RULES_CHANGED_SIGNAL)
    await asyncio.sleep(0.5)
    await cron.signal(STOP_SIGNAL)
    await save(cron, "cron_scheduling")
    scheduled = await client.start_workflow(
        ScheduledNotificationWorkflow.run, SchedulerInput("ent1"), id="recorded/scheduled", task_queue=TASK_QUEUE
    )
    await asyncio.sleep(2.0)
    for delay in (timedelta(hours=1), timedelta(seconds=0)):
        await scheduled.signal(DUE_AT_SIGNAL, (datetime.now(UTC) + delay).isoformat())
        await asyncio.sleep(0.5)
    await scheduled.signal(STOP_SIGNAL)
    await save(scheduled, "scheduled_notification")
    master = await client.start_workflow(
        MasterOrchestrationWorkflow.run, OrchestrationInput(["ent1"]), id="recorded/master", task_queue=TASK_QUEUE
    )
    await master.signal(ADD_ENTERPRISES_SIGNAL, ["ent2"])
    await master.execute_update(MasterOrchestrationWorkflow.add_enterprises_and_wait, ["ent3"])
    await master.signal(REMOVE_ENTERPRISES_SIGNAL, ["ent1"])
    await asyncio.sleep(0.5)
    await master.execute_update(MasterOrchestrationWorkflow.stop_and_wait)
    await save(master, "master_orchestration")


async def main(release: str) -> None:
    """Start a server and a worker, record, stop."""
    temporal = str(Path(sys.executable).with_name("temporal"))
    async with (
        await WorkflowEnvironment.start_local(dev_server_existing_path=temporal) as environment,
        Worker(environment.client, task_queue=TASK_QUEUE, workflows=WORKFLOWS, activities=ACTIVITIES),
    ):
        await record(environment.client, release)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
