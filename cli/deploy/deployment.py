"""A worker deployment as Temporal knows it: its versions, who polls for them, and which of them gets the work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.enums.v1 import TaskQueueType, WorkerDeploymentVersionStatus, WorkerVersioningMode
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from shared.temporal.task_queues import POLLS_AT_LEAST_EVERY

RPC_TIMEOUT = timedelta(seconds=10)
CHANGE_TIMEOUT = timedelta(seconds=60)
"""Temporal answers once all its partitions know of a change: eight seconds were seen on a busy machine."""

_STATUS_PREFIX = "WORKER_DEPLOYMENT_VERSION_STATUS_"


class UnknownBuild(Exception):
    """No worker of this build, or of this deployment, has ever polled; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Version:
    """One build. `status`: inactive (never had work), current, ramping, draining or drained.

    `pollers` polled for both types of tasks within the last 75 s (the fewer of the two counts); `open_workflows` are
    pinned to it: they end on it. Those that are not pinned move on at their next task, and keep no build alive.
    """

    build_id: str
    status: str
    ramp_percent: float | None
    created_at: str
    pollers: int
    open_workflows: int


@dataclass(frozen=True, slots=True)
class Standing:
    """All versions, the youngest first. Without a `current` one the work is that of workers without a version.

    `conflict_token` makes a change fail that another one has overtaken.
    """

    deployment: str
    current: str | None
    ramping: str | None
    ramp_percent: float | None
    versions: Sequence[Version]
    unversioned_pollers: int
    conflict_token: bytes

    def version(self, build_id: str) -> Version:
        """Raises UnknownBuild, naming those that are known."""
        for version in self.versions:
            if version.build_id == build_id:
                return version
        known = ", ".join(version.build_id for version in self.versions) or "none"
        raise UnknownBuild(
            f"Deployment {self.deployment} has no build {build_id}; it has: {known}",
            "start a worker of this build (TEMPORAL_WORKER_DEPLOYMENT_NAME, XNOVU_BUILD) first.",
        )


class Deployment:
    """Asks and changes one worker deployment; every method raises RPCError."""

    def __init__(self, client: Client, name: str, task_queue: str) -> None:
        self._client = client
        self.name = name
        self.task_queue = task_queue

    async def standing(self) -> Standing:
        """As it is now. Raises UnknownBuild if no versioned worker of this deployment has ever polled."""
        try:
            answer = await self._client.workflow_service.describe_worker_deployment(
                DescribeWorkerDeploymentRequest(namespace=self._client.namespace, deployment_name=self.name),
                timeout=RPC_TIMEOUT,
                retry=True,
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            raise UnknownBuild(
                f"There is no worker deployment {self.name} in namespace {self._client.namespace}",
                "start a worker with TEMPORAL_WORKER_DEPLOYMENT_NAME and XNOVU_BUILD first.",
            ) from None
        info = answer.worker_deployment_info
        routing = info.routing_config
        workflow_pollers = await self._pollers(TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
        activity_pollers = await self._pollers(TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)

        def pollers(build_id: str | None) -> int:
            return min(workflow_pollers.count(build_id), activity_pollers.count(build_id))

        ramping = routing.ramping_deployment_version.build_id or None
        return Standing(
            self.name,
            routing.current_deployment_version.build_id or None,
            ramping,
            routing.ramping_version_percentage if ramping else None,
            await self._versions(info, pollers),
            pollers(None),
            answer.conflict_token,
        )

    async def set_current(self, standing: Standing, build_id: str | None) -> None:
        """From now on new workflows, and the unpinned running ones, are this build's; None: those of workers without
        a version. A ramp of another build ends, which Temporal would let go on.
        """
        if standing.ramping not in (None, build_id):
            await self.ramp(standing, "", 0)
            standing = await self.standing()
        if standing.current == build_id:
            return
        await self._client.workflow_service.set_worker_deployment_current_version(
            SetWorkerDeploymentCurrentVersionRequest(
                namespace=self._client.namespace,
                deployment_name=self.name,
                build_id=build_id or "",
                conflict_token=standing.conflict_token,
                identity=self._client.identity,
            ),
            timeout=CHANGE_TIMEOUT,
            retry=True,
        )

    async def ramp(self, standing: Standing, build_id: str, percent: float) -> None:
        """From now on so many per cent of the workflows are this build's; the rest is the current one's.

        No build and 0 per cent end a ramp.
        """
        await self._client.workflow_service.set_worker_deployment_ramping_version(
            SetWorkerDeploymentRampingVersionRequest(
                namespace=self._client.namespace,
                deployment_name=self.name,
                build_id=build_id,
                percentage=percent,
                conflict_token=standing.conflict_token,
                identity=self._client.identity,
            ),
            timeout=CHANGE_TIMEOUT,
            retry=True,
        )

    async def _versions(self, info: WorkerDeploymentInfo, pollers: Callable[[str], int]) -> list[Version]:
        routing = info.routing_config
        versions = []
        for summary in info.version_summaries:
            build_id = summary.deployment_version.build_id
            is_ramping = build_id == routing.ramping_deployment_version.build_id
            versions.append(
                Version(
                    build_id,
                    WorkerDeploymentVersionStatus.Name(summary.status).removeprefix(_STATUS_PREFIX).lower(),
                    routing.ramping_version_percentage if is_ramping else None,
                    summary.create_time.ToDatetime(UTC).isoformat(timespec="seconds"),
                    pollers(build_id),
                    await self._open_workflows(build_id),
                )
            )
        return sorted(versions, key=lambda version: version.created_at, reverse=True)

    async def _pollers(self, task_queue_type: TaskQueueType.ValueType) -> list[str | None]:
        """The build id of each worker of this deployment that polled lately, None for each without a version."""
        answer = await self._client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self._client.namespace,
                task_queue=TaskQueue(name=self.task_queue),
                task_queue_type=task_queue_type,
                report_pollers=True,
            ),
            timeout=RPC_TIMEOUT,
            retry=True,
        )
        now = datetime.now(UTC)
        options = [
            poller.deployment_options
            for poller in answer.pollers
            if now - poller.last_access_time.ToDatetime(UTC) <= POLLS_AT_LEAST_EVERY
        ]
        versioned = WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED
        return [
            each.build_id if each.worker_versioning_mode == versioned else None
            for each in options
            if each.worker_versioning_mode != versioned or each.deployment_name == self.name
        ]

    async def _open_workflows(self, build_id: str) -> int:
        query = (
            f"TemporalWorkerDeploymentVersion = '{self.name}:{build_id}' and ExecutionStatus = 'Running'"
            " and TemporalWorkflowVersioningBehavior = 'Pinned'"
        )
        return (await self._client.count_workflows(query, rpc_timeout=RPC_TIMEOUT)).count
