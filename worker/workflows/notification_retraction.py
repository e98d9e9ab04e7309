"""RETRACTED after SENT: Novu is asked to cancel, and its answer is stored on the row."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shared.temporal.messages import NotificationRetractionInput, NotificationRetractionResult
    from shared.temporal.names import NOTIFICATION_RETRACTION_WORKFLOW
    from worker.activities.retraction_cancelling import RetractionCancelling
    from worker.activity_options import DELIVERY


@workflow.defn(name=NOTIFICATION_RETRACTION_WORKFLOW)
class NotificationRetractionWorkflow:
    """Ids in, counts out; the rows hold the rest."""

    @workflow.run
    async def run(self, input: NotificationRetractionInput) -> NotificationRetractionResult:
        return await workflow.execute_activity_method(RetractionCancelling.cancel_retracted, input, **DELIVERY)
