"""The one MasterOrchestrationWorkflow of a deployment: joining it, and whether it runs."""

from collections.abc import Collection
from datetime import timedelta
from enum import StrEnum

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from shared.temporal.messages import OrchestrationInput
from shared.temporal.names import ADD_ENTERPRISES_SIGNAL, MASTER_ORCHESTRATION_ID, MASTER_ORCHESTRATION_WORKFLOW

RPC_TIMEOUT = timedelta(seconds=5)


class OrchestrationRun(StrEnum):
    """Whether the orchestration runs. It completes only when it is told to stop; any other end is ABSENT."""

    RUNNING = "running"
    STOPPED = "stopped"
    ABSENT = "absent"


class Orchestration:
    """Joins and observes the orchestration, whoever started it."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def join(self, enterprise_ids: Collection[str]) -> None:
        """Have these enterprises orchestrated; starts the orchestration if it does not run, stopped or not.

        Safe to repeat, and from several processes at once. Raises RPCError.
        """
        ids = sorted(enterprise_ids)
        await self._client.start_workflow(
            MASTER_ORCHESTRATION_WORKFLOW,
            OrchestrationInput(ids),
            id=MASTER_ORCHESTRATION_ID,
            task_queue=self._task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            start_signal=ADD_ENTERPRISES_SIGNAL,
            start_signal_args=[ids],
            rpc_timeout=RPC_TIMEOUT,
        )

    async def observe(self) -> OrchestrationRun:
        """Whether it runs; costs no Temporal action. Raises RPCError."""
        try:
            found = await self._client.get_workflow_handle(MASTER_ORCHESTRATION_ID).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return OrchestrationRun.ABSENT
        match found.status:
            case WorkflowExecutionStatus.RUNNING | WorkflowExecutionStatus.CONTINUED_AS_NEW:
                return OrchestrationRun.RUNNING
            case WorkflowExecutionStatus.COMPLETED:
                return OrchestrationRun.STOPPED
            case _:
                return OrchestrationRun.ABSENT
