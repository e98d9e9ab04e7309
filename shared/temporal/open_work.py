"""How much of the work that was begun has not ended, as Temporal's visibility tells; a moment behind."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion

from shared.temporal.names import NOTIFICATION_PROCESSING_WORKFLOW, NOTIFICATION_RETRACTION_WORKFLOW

RPC_TIMEOUT = timedelta(seconds=3)

_TYPES = f"('{NOTIFICATION_PROCESSING_WORKFLOW}', '{NOTIFICATION_RETRACTION_WORKFLOW}')"


async def count_running_deliveries(
    client: Client, task_queue: str, build: WorkerDeploymentVersion | None = None
) -> int:
    """Deliveries and retractions of this task queue that run, or those of them that a build has begun.

    Schedulers, which run for ever, are none of them.

    Costs no Temporal action. Raises RPCError.
    """
    query = f"WorkflowType IN {_TYPES} AND ExecutionStatus = 'Running' AND TaskQueue = '{task_queue}'"
    if build is not None:
        query += f" AND TemporalWorkerDeploymentVersion = '{build.deployment_name}:{build.build_id}'"
    return (await client.count_workflows(query, rpc_timeout=RPC_TIMEOUT)).count
