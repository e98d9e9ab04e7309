"""The connection to Temporal, and starting notification processing through it."""

import asyncio
from collections.abc import Sequence
from typing import Any

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from shared.temporal.messages import NotificationProcessingInput
from shared.temporal.names import NOTIFICATION_PROCESSING_WORKFLOW, notification_processing_id
from shared.temporal.runtime import runtime


async def connect(address: str, namespace: str, connect_config: dict[str, Any]) -> Client:
    """Connect, waiting for as long as Temporal is away (`Client.connect` itself does not retry)."""
    config = {**connect_config, "target_host": address, "namespace": namespace, "runtime": runtime()}
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type((RPCError, RuntimeError)), wait=wait_random_exponential(multiplier=0.2, max=10)
    ):
        with attempt:
            return await Client.connect(**config)
    raise AssertionError("unreachable: the retry never gives up")


async def connect_unless_stopped(
    stop: asyncio.Event, address: str, namespace: str, connect_config: dict[str, Any]
) -> Client | None:
    """The connection, however long Temporal is away; None if `stop` is set before."""
    connection = asyncio.create_task(connect(address, namespace, connect_config))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({connection, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return connection.result() if connection.done() else None
    finally:
        connection.cancel()
        stopping.cancel()


class NotificationProcessingStarter:
    """Starts NotificationProcessingWorkflow; starting the same ids while they run is harmless."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def start(self, enterprise_id: str, notification_ids: Sequence[int]) -> bool:
        """Start one workflow for all the ids; False if that very work is already running.

        Raises:
            RPCError: Temporal did not answer within about ten seconds, or refused.
        """
        try:
            await self._client.start_workflow(
                NOTIFICATION_PROCESSING_WORKFLOW,
                NotificationProcessingInput(enterprise_id, list(notification_ids)),
                id=notification_processing_id(enterprise_id, notification_ids),
                task_queue=self._task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                priority=Priority(fairness_key=enterprise_id),
                request_eager_start=True,
            )
        except WorkflowAlreadyStartedError:
            return False
        return True
