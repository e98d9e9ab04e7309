"""Active CRON rules -> PENDING rows, each at its instant; one workflow for each enterprise, asleep between instants."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from shared.temporal.messages import SchedulerInput, SchedulerState
    from shared.temporal.names import CRON_SCHEDULING_WORKFLOW, RULES_CHANGED_SIGNAL, STOP_SIGNAL
    from worker.activities.rule_firing import RuleFiring
    from worker.activity_options import SCHEDULER_PASS
    from worker.failures import is_not_served
    from worker.workflows.waking import AFTER_A_FAILED_PASS_SECONDS, sleep_unless


@workflow.defn(name=CRON_SCHEDULING_WORKFLOW)
class CronSchedulingWorkflow:
    """Each pass fires what is due and learns when the next instant is; a changed rule ends the sleep."""

    @workflow.init
    def __init__(self, input: SchedulerInput) -> None:
        self._passes = input.passes
        self._last_pass_at: str | None = None
        self._next_pass_at: str | None = None
        self._rules_changed = False
        self._stopping = False

    @workflow.run
    async def run(self, input: SchedulerInput) -> None:
        while not self._stopping:
            self._rules_changed = False
            sleep_seconds = await self._pass(input.enterprise_id)
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(SchedulerInput(input.enterprise_id, self._passes))
            await sleep_unless(lambda: self._rules_changed or self._stopping, sleep_seconds)

    async def _pass(self, enterprise_id: str) -> float | None:
        try:
            cron_pass = await workflow.execute_local_activity_method(
                RuleFiring.fire_due_rules, enterprise_id, **SCHEDULER_PASS
            )
        except FailureError as error:  # the worker's log has the cause; nothing is decided, so nothing is missed
            if is_cancelled_exception(error) or is_not_served(error):
                raise
            return AFTER_A_FAILED_PASS_SECONDS
        self._note(cron_pass.sleep_seconds)
        return cron_pass.sleep_seconds

    def _note(self, sleep_seconds: float | None) -> None:
        now = workflow.now()
        self._passes += 1
        self._last_pass_at = now.isoformat()
        self._next_pass_at = None if sleep_seconds is None else (now + timedelta(seconds=sleep_seconds)).isoformat()

    @workflow.signal(name=RULES_CHANGED_SIGNAL)
    def rules_changed(self) -> None:
        """A rule was added, changed, paused or published."""
        self._rules_changed = True

    @workflow.signal(name=STOP_SIGNAL)
    def stop(self) -> None:
        """End after the pass that is under way."""
        self._stopping = True

    @workflow.query
    def state(self, enterprise_id: str = "") -> SchedulerState:
        """How often and when it last looked, and when it will next."""
        return SchedulerState(enterprise_id, self._passes, self._last_pass_at, self._next_pass_at)
