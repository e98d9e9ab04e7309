"""Where Novu keeps what push and chat need."""

from typing import Protocol

from shared.notification.recipient import Recipient
from shared.ports.notification_trigger import TriggerResult


class SubscriberCredentials(Protocol):
    """Novu's keeping of push and chat credentials."""

    async def give_credentials(self, recipient: Recipient) -> TriggerResult:
        """Have Novu hold the recipient's credentials, and no others of the same providers. Never raises."""
        ...
