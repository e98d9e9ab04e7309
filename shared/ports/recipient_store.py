"""What the project knows of its subscribers."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from shared.notification.recipient import KnownRecipients


class RecipientStore(Protocol):
    """What the project knows of subscribers. Both methods raise StoreUnavailable on a passing fault."""

    async def find(self, enterprise_id: str, subscriber_ids: Iterable[str]) -> KnownRecipients:
        """What is known of these subscribers of the enterprise, in as many calls as it takes."""
        ...

    async def note_kept(self, enterprise_id: str, kept: Mapping[str, tuple[str, str | None]]) -> None:
        """Note, by subscriber id, the hash of the credentials that Novu was given, and why it refused them, if it did.

        Safe to repeat.
        """
        ...
