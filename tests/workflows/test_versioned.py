"""Workflows of versioned workers: what a worker without versions began replays, new runs begin on the current build."""

import pytest
from temporalio import activity
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client, WorkflowHistory
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import Replayer, Worker, WorkerDeploymentConfig
from temporalio.workflow import _Definition as Definition

from shared.temporal.messages import (
    NotificationProcessingInput,
    NotificationProcessingResult,
    SchedulerInput,
)
from shared.temporal.starters import NotificationProcessingStarter
from tests.workflows.conftest import eventually
from tests.workflows.test_replay import RECORDED
from worker.activities.rule_firing import CronPass
from worker.registry import VERSIONED_WORKFLOWS, WORKFLOWS
from worker.workflows.cron_scheduling import CronSchedulingWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("recorded", RECORDED.values(), ids=RECORDED.keys())
async def test_a_recorded_history_replays_on_a_versioned_worker(recorded: str) -> None:
    await Replayer(workflows=VERSIONED_WORKFLOWS).replay_workflow(WorkflowHistory.from_json("recorded", recorded))


async def test_each_workflow_has_one_for_versioned_workers_by_the_same_name() -> None:
    plain = [Definition.must_from_class(each) for each in WORKFLOWS]
    versioned = [Definition.must_from_class(each) for each in VERSIONED_WORKFLOWS]

    assert [each.name for each in versioned] == [each.name for each in plain]
    assert {each.versioning_behavior for each in plain} == {VersioningBehavior.UNSPECIFIED}
    assert VersioningBehavior.UNSPECIFIED not in {each.versioning_behavior for each in versioned}
    for one, other in zip(plain, versioned, strict=True):
        assert (other.signals.keys(), other.queries.keys(), other.updates.keys()) == (
            one.signals.keys(),
            one.queries.keys(),
            one.updates.keys(),
        )


@activity.defn(name="deliver_notifications")
async def deliver(input: NotificationProcessingInput) -> NotificationProcessingResult:
    return NotificationProcessingResult(sent=1)


@activity.defn(name="fire_due_rules")
async def fire_due_rules(enterprise_id: str) -> CronPass:
    return CronPass(0, 0.05)


def _worker(client: Client, task_queue: str, build_id: str) -> Worker:
    return Worker(
        client,
        task_queue=task_queue,
        workflows=VERSIONED_WORKFLOWS,
        activities=[deliver, fire_due_rules],
        deployment_config=WorkerDeploymentConfig(
            WorkerDeploymentVersion(task_queue, build_id), use_worker_versioning=True
        ),
    )


async def _set_current(client: Client, task_queue: str, build_id: str) -> None:
    """Once the server has heard of the worker."""

    async def is_taken() -> bool:
        try:
            await client.workflow_service.set_worker_deployment_current_version(
                SetWorkerDeploymentCurrentVersionRequest(
                    namespace=client.namespace, deployment_name=task_queue, build_id=build_id
                )
            )
        except RPCError:
            return False
        return True

    await eventually(is_taken)


async def _builds(client: Client, workflow_id: str, run_id: str | None = None) -> set[str]:
    history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    return {
        event.workflow_task_completed_event_attributes.deployment_version.build_id
        for event in history.events
        if event.HasField("workflow_task_completed_event_attributes")
    }


async def test_an_eager_start_beside_a_versioned_worker_ends_on_the_current_build(
    temporal: Client, task_queue: str
) -> None:
    async with _worker(temporal, task_queue, "one"):
        await _set_current(temporal, task_queue, "one")

        started = await NotificationProcessingStarter(temporal, task_queue).start_or_find("acme", [1])
        await temporal.get_workflow_handle(started.workflow_id, run_id=started.run_id).result()

        assert await _builds(temporal, started.workflow_id, started.run_id) == {"one"}
        history = await temporal.get_workflow_handle(started.workflow_id).fetch_history()
        assert history.events[0].workflow_execution_started_event_attributes.eager_execution_accepted


async def test_a_scheduler_moves_on_to_the_next_build_and_continues_as_new_there(
    temporal: Client, task_queue: str
) -> None:
    async with _worker(temporal, task_queue, "one"):
        await _set_current(temporal, task_queue, "one")
        handle = await temporal.start_workflow(
            CronSchedulingWorkflow.run, SchedulerInput("acme"), id=task_queue, task_queue=task_queue
        )
        first_run = handle.first_execution_run_id

        async def has_continued() -> bool:
            return (await temporal.get_workflow_handle(task_queue).describe()).run_id != first_run

        await eventually(has_continued)
        async with _worker(temporal, task_queue, "two"):
            await _set_current(temporal, task_queue, "two")

            async def is_on_the_next_build() -> bool:
                return await _builds(temporal, task_queue) == {"two"}

            await eventually(is_on_the_next_build)
            await handle.terminate()
