"""A stand-in for the orchestration that does nothing but wait, and complete when it is told to stop."""

from temporalio import workflow

from shared.temporal.messages import OrchestrationInput
from shared.temporal.names import ADD_ENTERPRISES_SIGNAL, MASTER_ORCHESTRATION_WORKFLOW, STOP_SIGNAL


@workflow.defn(name=MASTER_ORCHESTRATION_WORKFLOW)
class WaitingOrchestration:
    def __init__(self) -> None:
        self._stopping = False

    @workflow.run
    async def run(self, input: OrchestrationInput) -> None:
        await workflow.wait_condition(lambda: self._stopping)

    @workflow.signal(name=ADD_ENTERPRISES_SIGNAL)
    def add_enterprises(self, enterprise_ids: list[str]) -> None:
        """Heard, and nothing done."""

    @workflow.signal(name=STOP_SIGNAL)
    def stop(self) -> None:
        self._stopping = True
