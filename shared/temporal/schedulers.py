"""Waking an enterprise's two scheduling workflows."""

from datetime import UTC, datetime

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from shared.temporal.messages import SchedulerInput
from shared.temporal.names import (
    CRON_SCHEDULING_WORKFLOW,
    DUE_AT_SIGNAL,
    RULES_CHANGED_SIGNAL,
    SCHEDULED_NOTIFICATION_WORKFLOW,
    cron_scheduling_id,
    scheduled_notification_id,
)
from shared.temporal.orchestration import RPC_TIMEOUT, Orchestration, OrchestrationRun


class Schedulers:
    """Signals the schedulers. One that does not run is started, unless the orchestration was told to stop.

    Every call raises RPCError if Temporal does not answer or refuses. Repeating one is harmless: the signals say what
    to look at, not what to do.
    """

    def __init__(self, client: Client, task_queue: str, orchestration: Orchestration) -> None:
        self._client = client
        self._task_queue = task_queue
        self._orchestration = orchestration

    async def rules_changed(self, enterprise_id: str) -> bool:
        """Have the enterprise's rules read anew; False if the orchestration is stopped."""
        return await self._wake(
            CRON_SCHEDULING_WORKFLOW, cron_scheduling_id(enterprise_id), enterprise_id, RULES_CHANGED_SIGNAL, []
        )

    async def row_due_at(self, enterprise_id: str, instant: datetime) -> bool:
        """Have the enterprise's scheduled rows looked at by this instant; False if the orchestration is stopped."""
        return await self._wake(
            SCHEDULED_NOTIFICATION_WORKFLOW,
            scheduled_notification_id(enterprise_id),
            enterprise_id,
            DUE_AT_SIGNAL,
            [instant.astimezone(UTC).isoformat()],
        )

    async def _wake(
        self, workflow: str, workflow_id: str, enterprise_id: str, signal: str, arguments: list[str]
    ) -> bool:
        if await self._signal(workflow_id, signal, arguments):
            return True
        # Looked up now, not remembered: a stop by an operator must hold from the first moment.
        if await self._orchestration.observe() is OrchestrationRun.STOPPED:
            return False
        await self._client.start_workflow(
            workflow,
            SchedulerInput(enterprise_id),
            id=workflow_id,
            task_queue=self._task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            start_signal=signal,
            start_signal_args=arguments,
            priority=Priority(fairness_key=enterprise_id),
            rpc_timeout=RPC_TIMEOUT,
        )
        return True

    async def _signal(self, workflow_id: str, signal: str, arguments: list[str]) -> bool:
        """False if the workflow does not run."""
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            await handle.signal(signal, args=arguments, rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True
