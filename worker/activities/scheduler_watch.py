"""Sees to it that every enterprise's schedulers run, and looks how they and the rows fare."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from temporalio import activity
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from shared.ports import OrchestrationStore
from shared.shards import shard_of_scheduler
from shared.temporal.messages import OrchestrationObservation, SchedulerInput, SchedulerPasses
from shared.temporal.names import (
    CRON_SCHEDULING_WORKFLOW,
    SCHEDULED_NOTIFICATION_WORKFLOW,
    STOP_SIGNAL,
    cron_scheduling_id,
    scheduled_notification_id,
)

UNACCOUNTED_AFTER_SECONDS = 120
"""A due row that nobody has held for so long should have been found by several sweeps."""
CONCURRENT_CALLS = 16


@dataclass(frozen=True, slots=True)
class _Scheduler:
    """One scheduling workflow there should be."""

    workflow_id: str
    workflow_type: str
    enterprise_id: str


class SchedulerWatch:
    """What MasterOrchestrationWorkflow does in a pass. The schedulers are workflows of their own, not its children:
    they outlive its every run, and a look at what is running finds those that anybody has terminated.
    """

    def __init__(
        self,
        client: Client,
        task_queue: str,
        store: OrchestrationStore,
        *,
        serves: Callable[[str], bool] = lambda enterprise_id: True,
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._store = store
        self._serves = serves

    @activity.defn(name="observe_schedulers")
    async def observe_schedulers(self, enterprise_ids: list[str]) -> OrchestrationObservation:
        """Start the schedulers that do not run, and read what all of them did. Safe to repeat.

        Those of enterprises that this deployment does not serve are left alone: started, they would only be refused.
        """
        enterprise_ids = list(filter(self._serves, enterprise_ids))
        running = await self._running_ids()
        shards = [shard for each in enterprise_ids if (shard := shard_of_scheduler(each)) is not None]
        missing = [scheduler for scheduler in _schedulers(enterprise_ids) if scheduler.workflow_id not in running]
        started = await _for_each(missing, self._start)
        unaccounted = await (
            self._store.unaccounted_in(shards, older_than_seconds=UNACCOUNTED_AFTER_SECONDS)
            if shards
            else self._store.unaccounted(enterprise_ids, older_than_seconds=UNACCOUNTED_AFTER_SECONDS)
        )
        return OrchestrationObservation(
            passes=await self._passes(enterprise_ids),
            restarted=[scheduler.workflow_id for scheduler, is_new in zip(missing, started, strict=True) if is_new],
            unaccounted_rows=unaccounted.rows,
            oldest_unaccounted_age_seconds=unaccounted.oldest_age_seconds,
            observed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    @activity.defn(name="stop_schedulers")
    async def stop_schedulers(self, enterprise_ids: list[str]) -> None:
        """Tell the enterprises' schedulers to end. Safe to repeat: one that has ended is no error."""
        await _for_each(_schedulers(enterprise_ids), self._stop)

    async def _running_ids(self) -> set[str]:
        query = (
            f"WorkflowType IN ('{CRON_SCHEDULING_WORKFLOW}', '{SCHEDULED_NOTIFICATION_WORKFLOW}')"
            " AND ExecutionStatus = 'Running'"
        )
        return {execution.id async for execution in self._client.list_workflows(query, page_size=1000)}

    async def _start(self, scheduler: _Scheduler) -> bool:
        """Whether it did not run yet: what the list of running workflows says may be a moment old."""
        try:
            await self._client.start_workflow(
                scheduler.workflow_type,
                SchedulerInput(scheduler.enterprise_id),
                id=scheduler.workflow_id,
                task_queue=self._task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                priority=Priority(fairness_key=scheduler.enterprise_id),
            )
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def _stop(self, scheduler: _Scheduler) -> bool:
        try:
            await self._client.get_workflow_handle(scheduler.workflow_id).signal(STOP_SIGNAL)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True

    async def _passes(self, enterprise_ids: Collection[str]) -> dict[str, SchedulerPasses]:
        passes = {enterprise_id: SchedulerPasses() for enterprise_id in enterprise_ids}
        for seen in await self._store.scheduler_passes(enterprise_ids):
            last = seen.last_pass_at.isoformat()
            following = seen.next_due_at.isoformat() if seen.next_due_at else None
            known = passes[seen.enterprise_id]
            passes[seen.enterprise_id] = (
                replace(known, cron_last=last, cron_next=following)
                if seen.scheduler == "cron"
                else replace(known, scheduled_last=last, scheduled_next=following)
            )
        return passes


def _schedulers(enterprise_ids: Collection[str]) -> list[_Scheduler]:
    return [
        scheduler
        for enterprise_id in enterprise_ids
        for scheduler in (
            _Scheduler(cron_scheduling_id(enterprise_id), CRON_SCHEDULING_WORKFLOW, enterprise_id),
            _Scheduler(scheduled_notification_id(enterprise_id), SCHEDULED_NOTIFICATION_WORKFLOW, enterprise_id),
        )
    ]


async def _for_each(schedulers: Collection[_Scheduler], call: Callable[[_Scheduler], Awaitable[bool]]) -> list[bool]:
    """The call's answers, a few calls at a time."""
    slots = asyncio.Semaphore(CONCURRENT_CALLS)

    async def one(scheduler: _Scheduler) -> bool:
        async with slots:
            return await call(scheduler)

    async with asyncio.TaskGroup() as calls:
        tasks = [calls.create_task(one(scheduler)) for scheduler in schedulers]
    return [task.result() for task in tasks]
