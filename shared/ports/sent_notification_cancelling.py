"""The way back from Novu."""

from typing import Protocol

from shared.ports.notification_trigger import TriggerFault


class CancelFailed(Exception):
    """Novu did not say whether it cancelled; `fault` is why."""

    def __init__(self, fault: TriggerFault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


class SentNotificationCancelling(Protocol):
    """Novu's way back."""

    async def cancel(self, transaction_id: str) -> bool:
        """Cancel what Novu still holds back of a triggered event; False if there is nothing left to cancel.

        Raises CancelFailed on a passing fault; asking again is harmless.
        """
        ...
