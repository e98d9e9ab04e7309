"""PENDING -> PROCESSING -> SENT or FAILED, for one notification or a batch of them."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from shared.temporal.messages import MAX_BATCH_SIZE, NotificationProcessingInput, NotificationProcessingResult
    from shared.temporal.names import NOTIFICATION_PROCESSING_WORKFLOW
    from worker.activities.notification_delivery import GiveUpInput, NotificationDelivery
    from worker.activity_options import DELIVERY, GIVING_UP
    from worker.failures import describe_failure, is_not_served, is_put_off, put_off_among


@workflow.defn(name=NOTIFICATION_PROCESSING_WORKFLOW)
class NotificationProcessingWorkflow:
    """Ids in, counts out; the rows hold the rest."""

    @workflow.run
    async def run(self, input: NotificationProcessingInput) -> NotificationProcessingResult:
        sizes = {portion.enterprise_id: len(portion.notification_ids) for portion in input.portions}
        if not all(sizes.values()) or sum(sizes.values()) > MAX_BATCH_SIZE:
            raise ApplicationError(
                f"notification_ids must hold 1 to {MAX_BATCH_SIZE} ids", type="InvalidInput", non_retryable=True
            )
        if len(sizes) < len(input.portions):
            raise ApplicationError(
                "others must name each enterprise once, and not that of the batch",
                type="InvalidInput",
                non_retryable=True,
            )
        while True:
            try:
                return await workflow.execute_activity_method(NotificationDelivery.deliver, input, **DELIVERY)
            except ActivityError as error:
                if is_cancelled_exception(error) or is_not_served(error):
                    raise
                if is_put_off(error):
                    continue
                cause, put_off = describe_failure(error), put_off_among(error)
            given_up = [portion for portion in input.portions if portion.enterprise_id not in put_off]
            result = await workflow.execute_activity_method(
                NotificationDelivery.give_up,
                GiveUpInput(given_up[0].enterprise_id, given_up[0].notification_ids, cause, given_up[1:]),
                **GIVING_UP,
            )
            if not put_off:
                return result
            first, *others = [portion for portion in input.portions if portion.enterprise_id in put_off]
            input = NotificationProcessingInput(first.enterprise_id, first.notification_ids, others)
