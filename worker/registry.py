"""Every workflow and activity the worker offers."""

from collections.abc import Callable, Sequence
from typing import Any

from worker.activities.notification_delivery import NotificationDelivery
from worker.workflows.notification_processing import NotificationProcessingWorkflow

WORKFLOWS: Sequence[type] = (NotificationProcessingWorkflow,)


def activities(delivery: NotificationDelivery) -> Sequence[Callable[..., Any]]:
    """The activity methods, bound to the objects that hold their clients."""
    return (delivery.deliver, delivery.give_up)
