"""What Novu tells of what it did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """Entries as Novu told them; they hold personal data."""

    entries: tuple[Mapping[str, Any], ...]
    has_more: bool


class ActivityUnavailable(Exception):
    """Novu did not tell. The message is for an operator and quotes nothing of the answer."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class NotificationActivity(Protocol):
    """What Novu did with what it took. Every method raises ActivityUnavailable."""

    async def notifications(self, transaction_ids: Sequence[str], page: int, limit: int) -> ActivityPage:
        """One entry for each event and subscriber, newest first; `limit` is 1 to 50."""

    async def messages(self, transaction_ids: Sequence[str], page: int, limit: int) -> ActivityPage:
        """One entry for each message, newest first; `limit` is 1 to 100."""


class AnswerTooLarge(ActivityUnavailable):
    """A page weighs more than is read at once: ask for fewer entries."""
