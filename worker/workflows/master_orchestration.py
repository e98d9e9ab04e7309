"""Keeps a cron and a scheduled workflow running for every enterprise; one for each deployment, however many daemons."""

from collections.abc import Iterable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from shared.shards import shard_of_scheduler
    from shared.temporal.messages import (
        OrchestrationInput,
        OrchestrationObservation,
        OrchestrationState,
        SchedulerPasses,
        SchedulerStatus,
    )
    from shared.temporal.names import (
        ADD_ENTERPRISES_SIGNAL,
        MASTER_ORCHESTRATION_WORKFLOW,
        REMOVE_ENTERPRISES_SIGNAL,
        STOP_SIGNAL,
        cron_scheduling_id,
        scheduled_notification_id,
    )
    from worker.activities.scheduler_watch import SchedulerWatch
    from worker.activity_options import SCHEDULER_PASS
    from worker.workflows.waking import AFTER_A_FAILED_PASS_SECONDS, sleep_unless

OBSERVATION_INTERVAL = timedelta(seconds=60)
"""Two Temporal actions a minute for the whole deployment."""


@workflow.defn(name=MASTER_ORCHESTRATION_WORKFLOW)
class MasterOrchestrationWorkflow:
    """Observes, starts what is missing, stops what was removed, sleeps. Signals and updates change the set."""

    @workflow.init
    def __init__(self, input: OrchestrationInput) -> None:
        self._enterprises = set(input.enterprise_ids)
        self._removed: set[str] = set()
        self._observation: OrchestrationObservation | None = None
        self._restarted = input.restarted
        self._changes = 0
        self._changes_applied = -1
        self._stopping = False

    @workflow.run
    async def run(self, input: OrchestrationInput) -> OrchestrationState:
        while not self._stopping:
            applied = await self._apply_changes()
            if workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(OrchestrationInput(sorted(self._enterprises), self._restarted))
            await (self._sleep() if applied else self._sleep_after_failure())
        await self._stop_all()
        self._changes_applied = self._changes
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.state()

    async def _apply_changes(self) -> bool:
        """Whether it succeeded."""
        changes = self._changes
        removed, self._removed = self._removed, set()
        try:
            await self._stop_schedulers(removed)
            observation = await workflow.execute_local_activity_method(
                SchedulerWatch.observe_schedulers, sorted(self._enterprises), **SCHEDULER_PASS
            )
        except FailureError as error:  # the worker's log has the cause; all of it is tried again at the next look
            if is_cancelled_exception(error):
                raise
            self._removed |= removed - self._enterprises
            return False
        known = _workflow_ids(self._observation.passes) if self._observation else set()
        self._restarted += len(known.intersection(observation.restarted))
        self._observation = observation
        self._changes_applied = changes
        return True

    async def _sleep(self) -> None:
        await sleep_unless(
            lambda: self._stopping or self._changes_applied < self._changes, OBSERVATION_INTERVAL.total_seconds()
        )

    async def _sleep_after_failure(self) -> None:
        await sleep_unless(lambda: self._stopping, AFTER_A_FAILED_PASS_SECONDS)

    async def _stop_all(self) -> None:
        while True:
            try:
                await self._stop_schedulers(self._enterprises | self._removed)
            except FailureError as error:
                if is_cancelled_exception(error):
                    raise
                await workflow.sleep(AFTER_A_FAILED_PASS_SECONDS)
            else:
                return

    async def _stop_schedulers(self, enterprise_ids: set[str]) -> None:
        if enterprise_ids:
            await workflow.execute_local_activity_method(
                SchedulerWatch.stop_schedulers, sorted(enterprise_ids), **SCHEDULER_PASS
            )

    @workflow.signal(name=ADD_ENTERPRISES_SIGNAL)
    def add_enterprises(self, enterprise_ids: list[str]) -> None:
        """Orchestrate these too; those known already are no change. Schedulers that many share, and those of single
        enterprises, do not run beside each other: what is said last counts.
        """
        fresh = set(enterprise_ids) - self._enterprises
        are_shared = any(shard_of_scheduler(each) is not None for each in enterprise_ids)
        leaving = {each for each in self._enterprises if (shard_of_scheduler(each) is not None) is not are_shared}
        if not enterprise_ids:
            leaving.clear()
        self._enterprises = (self._enterprises - leaving) | fresh
        self._removed = (self._removed - fresh) | leaving
        self._changes += bool(fresh or leaving)

    @workflow.signal(name=REMOVE_ENTERPRISES_SIGNAL)
    def remove_enterprises(self, enterprise_ids: list[str]) -> None:
        """Stop these enterprises' schedulers; their rows still go out, scheduled ones by the sweep."""
        leaving = set(enterprise_ids) & self._enterprises
        self._enterprises -= leaving
        self._removed |= leaving
        self._changes += bool(leaving)

    @workflow.signal(name=STOP_SIGNAL)
    def stop(self) -> None:
        """Stop every scheduler, then end."""
        self._stopping = True

    @workflow.update
    async def add_enterprises_and_wait(self, enterprise_ids: list[str]) -> OrchestrationState:
        """As the signal; answers when their schedulers run."""
        self.add_enterprises(enterprise_ids)
        return await self._state_after_changes()

    @workflow.update
    async def remove_enterprises_and_wait(self, enterprise_ids: list[str]) -> OrchestrationState:
        """As the signal; answers when their schedulers have been told to stop."""
        self.remove_enterprises(enterprise_ids)
        return await self._state_after_changes()

    @workflow.update
    async def stop_and_wait(self) -> OrchestrationState:
        """As the signal; answers when every scheduler has been told to stop."""
        self._changes += 1
        self._stopping = True
        return await self._state_after_changes()

    async def _state_after_changes(self) -> OrchestrationState:
        change = self._changes
        await workflow.wait_condition(lambda: self._changes_applied >= change)
        return self.state()

    @workflow.query
    def state(self) -> OrchestrationState:
        """The orchestration as last observed."""
        observation = self._observation
        passes = observation.passes if observation else {}
        return OrchestrationState(
            status="stopping" if self._stopping else "running" if observation else "starting",
            schedulers=[
                scheduler
                for enterprise_id in sorted(self._enterprises)
                for scheduler in _schedulers(enterprise_id, passes.get(enterprise_id))
            ],
            unaccounted_rows=observation.unaccounted_rows if observation else 0,
            oldest_unaccounted_age_seconds=observation.oldest_unaccounted_age_seconds if observation else 0.0,
            restarted=self._restarted,
            observed_at=observation.observed_at if observation else None,
        )


def _workflow_ids(enterprise_ids: Iterable[str]) -> set[str]:
    return {
        workflow_id
        for enterprise_id in enterprise_ids
        for workflow_id in (cron_scheduling_id(enterprise_id), scheduled_notification_id(enterprise_id))
    }


def _schedulers(enterprise_id: str, passes: SchedulerPasses | None) -> tuple[SchedulerStatus, SchedulerStatus]:
    state = "running" if passes else "starting"
    seen = passes or SchedulerPasses()
    return (
        SchedulerStatus(cron_scheduling_id(enterprise_id), state, seen.cron_last, seen.cron_next),
        SchedulerStatus(scheduled_notification_id(enterprise_id), state, seen.scheduled_last, seen.scheduled_next),
    )
