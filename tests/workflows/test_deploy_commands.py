"""`xnovu deploy` off the straight way: a ramp that is called off, versions switched on and off, refusals."""

import os
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from shared.temporal.messages import NotificationProcessingInput, NotificationProcessingResult, SchedulerInput
from tests.e2e.deployments import deploy
from tests.workflows.conftest import eventually
from worker.activities.rule_firing import CronPass
from worker.registry import VERSIONED_WORKFLOWS, WORKFLOWS
from worker.workflows.cron_scheduling import CronSchedulingWorkflow
from worker.workflows.notification_processing import NotificationProcessingWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

WAIT = ("--wait", "20")


@activity.defn(name="deliver_notifications")
async def deliver(input: NotificationProcessingInput) -> NotificationProcessingResult:
    return NotificationProcessingResult(sent=1)


@activity.defn(name="fire_due_rules")
async def fire_due_rules(enterprise_id: str) -> CronPass:
    return CronPass(0, 0.5)


@asynccontextmanager
async def workers(client: Client, task_queue: str, *builds: str | None) -> AsyncIterator[None]:
    """One worker of each build; None: one without a version."""
    async with AsyncExitStack() as stack:
        for build in builds:
            version = build and WorkerDeploymentConfig(
                WorkerDeploymentVersion(task_queue, build), use_worker_versioning=True
            )
            worker = Worker(
                client,
                task_queue=task_queue,
                workflows=VERSIONED_WORKFLOWS if build else WORKFLOWS,
                activities=[deliver, fire_due_rules],
                deployment_config=version or None,
            )
            await stack.enter_async_context(worker)
        yield


def settings(client: Client, task_queue: str) -> Mapping[str, str]:
    return {
        **os.environ,
        "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "TEMPORAL_TASK_QUEUE": task_queue,
        "TEMPORAL_WORKER_DEPLOYMENT_NAME": task_queue,
    }


async def builds_of(client: Client, workflow_id: str) -> list[str]:
    """Which build did each of its workflow tasks; "" is a worker without a version."""
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    return [
        event.workflow_task_completed_event_attributes.deployment_version.build_id
        for event in history.events
        if event.HasField("workflow_task_completed_event_attributes")
    ]


async def new_ones_are_taken_by(client: Client, task_queue: str, build: str) -> None:
    """As soon as Temporal's partitions have all heard of a change, and from then on."""

    async def its_build() -> str:
        input = NotificationProcessingInput("acme", [1])
        workflow_id = f"{task_queue}/{uuid.uuid4()}"
        await client.execute_workflow(NotificationProcessingWorkflow.run, input, id=workflow_id, task_queue=task_queue)
        (found,) = set(await builds_of(client, workflow_id))
        return found

    async def is_its() -> bool:
        return await its_build() == build

    await eventually(is_its)
    assert {await its_build() for _ in range(3)} == {build}


@pytest.mark.parametrize("chosen", ["one", "three"])
async def test_what_is_made_current_has_all_the_work_though_another_build_was_ramping(
    temporal: Client, task_queue: str, chosen: str
) -> None:
    environment = settings(temporal, task_queue)
    async with workers(temporal, task_queue, "one", "two", "three"):
        assert (await deploy(environment, "set-current", "one", *WAIT)).output == "set_current one\n"
        assert (await deploy(environment, "ramp", "two", "100", *WAIT)).output == "ramping two percent=100\n"
        await new_ones_are_taken_by(temporal, task_queue, "two")

        answer = await deploy(environment, "set-current", chosen, *WAIT)

        assert (answer.code, answer.output) == (0, f"set_current {chosen}\n")
        standing = (await deploy(environment, "status", "--json")).object
        assert (standing["current"], standing["ramping"], standing["ramp_percent"]) == (chosen, None, None)
        await new_ones_are_taken_by(temporal, task_queue, chosen)
        again = await deploy(environment, "set-current", chosen)
        assert (again.code, again.output) == (0, f"already_current {chosen}\n")


async def test_versions_are_switched_on_under_running_workflows_and_off_again(
    temporal: Client, task_queue: str
) -> None:
    environment = settings(temporal, task_queue)
    async with workers(temporal, task_queue, None):
        await temporal.start_workflow(
            CronSchedulingWorkflow.run, SchedulerInput("acme"), id=task_queue, task_queue=task_queue
        )
        async with workers(temporal, task_queue, "one"):
            await new_ones_are_taken_by(temporal, task_queue, "")  # not before it is current

            assert (await deploy(environment, "set-current", "one", *WAIT)).code == 0

            await new_ones_are_taken_by(temporal, task_queue, "one")
            await _goes_on(temporal, task_queue, "one")
        off = await deploy(environment, "set-unversioned")

        assert (off.code, off.output) == (0, "set_unversioned\n")
        await new_ones_are_taken_by(temporal, task_queue, "")
        await _goes_on(temporal, task_queue, "")
        assert (await deploy(environment, "set-unversioned", "--json")).object == {"result": "already_unversioned"}
        await temporal.get_workflow_handle(task_queue).terminate()


async def test_versions_are_not_switched_off_while_nobody_without_one_polls(temporal: Client, task_queue: str) -> None:
    environment = settings(temporal, task_queue)
    async with workers(temporal, task_queue, "one"):
        await deploy(environment, "set-current", "one", *WAIT)

        answer = await deploy(environment, "set-unversioned")

        assert answer.code == 1
        assert "No worker without a version polls" in answer.errors
        assert (await deploy(environment, "status", "--json")).object["current"] == "one"


async def test_a_build_that_nobody_polls_for_gets_no_work(temporal: Client, task_queue: str) -> None:
    environment = settings(temporal, task_queue)
    async with workers(temporal, task_queue, "one"):
        await deploy(environment, "set-current", "one", *WAIT)
        elsewhere = {**environment, "TEMPORAL_TASK_QUEUE": f"{task_queue}-elsewhere"}

        for arguments in (("set-current", "one"), ("ramp", "one", "10")):
            answer = await deploy(elsewhere, *arguments)
            assert answer.code == 1
            assert answer.errors.startswith(f"No worker of build one polls task queue {task_queue}-elsewhere")


async def test_the_current_build_is_not_ramped(temporal: Client, task_queue: str) -> None:
    environment = settings(temporal, task_queue)
    async with workers(temporal, task_queue, "one"):
        await deploy(environment, "set-current", "one", *WAIT)

        answer = await deploy(environment, "ramp", "one", "10")

        assert answer.code == 1
        assert answer.errors.startswith("Build one is current: it has all the work.\nHint: ")
        assert (await deploy(environment, "drained", "one")).code == 3


async def test_without_temporal_a_command_says_so() -> None:
    environment = {**os.environ, "TEMPORAL_ADDRESS": "127.0.0.1:1", "TEMPORAL_WORKER_DEPLOYMENT_NAME": "any"}

    answer = await deploy(environment, "status")

    assert answer.code == 2
    assert answer.errors.startswith("Temporal at 127.0.0.1:1: ")


async def _goes_on(client: Client, workflow_id: str, build: str) -> None:
    """The scheduler's next steps are this build's."""

    async def is_there() -> bool:
        return (await builds_of(client, workflow_id))[-1:] == [build]

    await eventually(is_there)
