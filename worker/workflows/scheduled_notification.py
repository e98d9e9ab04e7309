"""Rows scheduled for later -> processing when they fall due; one workflow for each enterprise, asleep until then."""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from shared.temporal.messages import SchedulerInput, SchedulerState
    from shared.temporal.names import DUE_AT_SIGNAL, SCHEDULED_NOTIFICATION_WORKFLOW, STOP_SIGNAL
    from worker.activities.scheduled_delivery import ScheduledDelivery
    from worker.activity_options import SCHEDULER_PASS
    from worker.failures import is_not_served
    from worker.workflows.waking import AFTER_A_FAILED_PASS_SECONDS, sleep_unless


@workflow.defn(name=SCHEDULED_NOTIFICATION_WORKFLOW)
class ScheduledNotificationWorkflow:
    """Each pass hands on what is due and learns when the next row is; an earlier row ends the sleep.

    A row moved to later or retracted needs no signal: the pass finds nothing due then, and sleeps on.
    """

    @workflow.init
    def __init__(self, input: SchedulerInput) -> None:
        self._passes = input.passes
        self._last_pass_at: str | None = None
        self._wakes_at: datetime | None = None
        self._asleep = False
        self._due_earlier = False
        self._stopping = False

    @workflow.run
    async def run(self, input: SchedulerInput) -> None:
        while not self._stopping:
            self._due_earlier = False
            sleep_seconds = await self._pass(input.enterprise_id)
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(SchedulerInput(input.enterprise_id, self._passes))
            await self._sleep(sleep_seconds)

    async def _pass(self, enterprise_id: str) -> float | None:
        try:
            due = await workflow.execute_local_activity_method(
                ScheduledDelivery.start_due, enterprise_id, **SCHEDULER_PASS
            )
        except FailureError as error:  # the worker's log has the cause; the rows are still due at the next pass
            if is_cancelled_exception(error) or is_not_served(error):
                raise
            return AFTER_A_FAILED_PASS_SECONDS
        self._passes += 1
        self._last_pass_at = workflow.now().isoformat()
        return due.sleep_seconds

    async def _sleep(self, seconds: float | None) -> None:
        self._wakes_at = None if seconds is None else workflow.now() + timedelta(seconds=seconds)
        self._asleep = True
        await sleep_unless(lambda: self._due_earlier or self._stopping, seconds)
        self._asleep = False

    @workflow.signal(name=DUE_AT_SIGNAL)
    def due_at(self, instant: str) -> None:
        """A row was scheduled for this instant (RFC 3339): look again if that is before the planned one."""
        if not self._asleep or self._wakes_at is None or datetime.fromisoformat(instant) < self._wakes_at:
            self._due_earlier = True

    @workflow.signal(name=STOP_SIGNAL)
    def stop(self) -> None:
        """End after the pass that is under way."""
        self._stopping = True

    @workflow.query
    def state(self, enterprise_id: str = "") -> SchedulerState:
        """How often and when it last looked, and when it will next."""
        wakes_at = self._wakes_at.isoformat() if self._wakes_at else None
        return SchedulerState(enterprise_id, self._passes, self._last_pass_at, wakes_at)
