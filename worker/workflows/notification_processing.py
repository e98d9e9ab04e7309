"""PENDING -> PROCESSING -> SENT or FAILED, for one notification or a batch of them."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from shared.temporal.messages import MAX_BATCH_SIZE, NotificationProcessingInput, NotificationProcessingResult
    from shared.temporal.names import NOTIFICATION_PROCESSING_WORKFLOW
    from worker.activities.notification_delivery import GiveUpInput, NotificationDelivery
    from worker.activity_options import DELIVERY, GIVING_UP
    from worker.failures import describe_failure, is_not_served, is_put_off


@workflow.defn(name=NOTIFICATION_PROCESSING_WORKFLOW)
class NotificationProcessingWorkflow:
    """Ids in, counts out; the rows hold the rest."""

    @workflow.run
    async def run(self, input: NotificationProcessingInput) -> NotificationProcessingResult:
        if not 0 < len(input.notification_ids) <= MAX_BATCH_SIZE:
            raise ApplicationError(
                f"notification_ids must hold 1 to {MAX_BATCH_SIZE} ids", type="InvalidInput", non_retryable=True
            )
        while True:
            try:
                return await workflow.execute_activity_method(NotificationDelivery.deliver, input, **DELIVERY)
            except ActivityError as error:
                if is_cancelled_exception(error) or is_not_served(error):
                    raise
                if is_put_off(error):
                    continue
                cause = describe_failure(error)
            return await workflow.execute_activity_method(
                NotificationDelivery.give_up,
                GiveUpInput(input.enterprise_id, input.notification_ids, cause),
                **GIVING_UP,
            )
