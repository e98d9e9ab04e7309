"""Versioned workers whose deliveries do not end, so that a build keeps what it began."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig

from shared.temporal.messages import NotificationProcessingInput, NotificationProcessingResult
from tests.workflows.conftest import eventually
from worker.registry import VERSIONED_WORKFLOWS


@activity.defn(name="deliver_notifications")
async def deliver_for_ever(input: NotificationProcessingInput) -> NotificationProcessingResult:
    await asyncio.Event().wait()
    raise AssertionError("nobody ends it")


@asynccontextmanager
async def current_worker(temporal: Client, task_queue: str, build: WorkerDeploymentVersion) -> AsyncIterator[None]:
    """A worker of this build, which has all new work from now on."""
    worker = Worker(
        temporal,
        task_queue=task_queue,
        workflows=VERSIONED_WORKFLOWS,
        activities=[deliver_for_ever],
        deployment_config=WorkerDeploymentConfig(build, use_worker_versioning=True),
    )
    async with worker:
        await eventually(lambda: _is_current(temporal, build))
        yield


async def _is_current(temporal: Client, build: WorkerDeploymentVersion) -> bool:
    """Once the server has heard of the worker."""
    try:
        await temporal.workflow_service.set_worker_deployment_current_version(
            SetWorkerDeploymentCurrentVersionRequest(
                namespace=temporal.namespace, deployment_name=build.deployment_name, build_id=build.build_id
            )
        )
    except RPCError:
        return False
    return True
