"""What crosses Temporal: ids and counts only. Fields are added with defaults, never renamed or dropped."""

from dataclasses import dataclass, field

MAX_BATCH_SIZE = 100
"""Notifications in one workflow: one claim, one bulk call to Novu (its limit is 100 events), one record."""


@dataclass(frozen=True)
class NotificationProcessingInput:
    """Process these notifications of this enterprise."""

    enterprise_id: str
    notification_ids: list[int]


@dataclass(frozen=True)
class NotificationProcessingResult:
    """How it ended: how many were sent, which failed and with which refusal code, how many were not ours to send."""

    sent: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    not_claimed: int = 0
