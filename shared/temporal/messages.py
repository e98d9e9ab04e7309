"""What crosses Temporal: ids, counts and instants only. Fields are added with defaults, never renamed or dropped."""

from dataclasses import dataclass, field

MAX_BATCH_SIZE = 250
"""Notifications in one workflow: one claim, three bulk calls to Novu (its limit is 100 events), one record.

What a workflow costs Temporal does not depend on its batch (docs/decisions/0005-batches-of-250.md)."""


@dataclass(frozen=True)
class Portion:
    """Notifications of one enterprise."""

    enterprise_id: str
    notification_ids: list[int]


@dataclass(frozen=True)
class NotificationProcessingInput:
    """Process these notifications of this enterprise, and those of `others` beside them."""

    enterprise_id: str
    notification_ids: list[int]
    others: list[Portion] = field(default_factory=list)

    @property
    def portions(self) -> list[Portion]:
        """All of them, each enterprise's by itself."""
        return [Portion(self.enterprise_id, self.notification_ids), *self.others]


@dataclass(frozen=True)
class NotificationProcessingResult:
    """How it ended: how many were sent, which failed and with which refusal code, how many were not ours to send, and
    how many were put off, because nobody knows whether Novu has them: another delivery will look.
    """

    sent: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    not_claimed: int = 0
    in_doubt: int = 0


@dataclass(frozen=True)
class NotificationRetractionInput:
    """Ask Novu to cancel these notifications, if they were sent."""

    enterprise_id: str
    notification_ids: list[int]


@dataclass(frozen=True)
class NotificationRetractionResult:
    """How many Novu cancelled, and how many it could not cancel any more."""

    cancelled: int = 0
    too_late: int = 0


@dataclass(frozen=True)
class SchedulerInput:
    """Whose rules or scheduled rows; `passes` counts those of earlier runs of the same workflow."""

    enterprise_id: str
    passes: int = 0


@dataclass(frozen=True)
class SchedulerState:
    """A scheduler's own account: passes so far, the last one's time and when the next is due (RFC 3339, UTC)."""

    enterprise_id: str
    passes: int
    last_pass_at: str | None
    next_pass_at: str | None


@dataclass(frozen=True)
class OrchestrationInput:
    """The enterprises to orchestrate at the start; later ones come by signal. `restarted` as in OrchestrationState."""

    enterprise_ids: list[str] = field(default_factory=list)
    restarted: int = 0


@dataclass(frozen=True)
class SchedulerPasses:
    """When an enterprise's two schedulers last looked, and when they will next (RFC 3339; None: never, nothing due)."""

    cron_last: str | None = None
    cron_next: str | None = None
    scheduled_last: str | None = None
    scheduled_next: str | None = None


@dataclass(frozen=True)
class OrchestrationObservation:
    """What one look found: each enterprise's passes, the schedulers that were missing and are started again, and rows
    that are due but that nobody has taken up in time.
    """

    passes: dict[str, SchedulerPasses]
    restarted: list[str]
    unaccounted_rows: int
    oldest_unaccounted_age_seconds: float
    observed_at: str


@dataclass(frozen=True)
class SchedulerStatus:
    """One scheduling workflow as last observed; times as in SchedulerPasses."""

    workflow_id: str
    state: str
    last_pass_at: str | None = None
    next_due_at: str | None = None


@dataclass(frozen=True)
class OrchestrationState:
    """The orchestration as last observed.

    `unaccounted_rows`: 0 is the normal reading. `restarted` counts schedulers that were found missing and started
    again since the orchestration began.
    """

    status: str
    schedulers: list[SchedulerStatus] = field(default_factory=list)
    unaccounted_rows: int = 0
    oldest_unaccounted_age_seconds: float = 0.0
    restarted: int = 0
    observed_at: str | None = None
