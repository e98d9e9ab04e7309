"""Rows whose rendering is put off, because what is like them has cost the renderer too much lately."""

from dataclasses import dataclass, field
from datetime import timedelta

from temporalio.exceptions import ApplicationError

from worker.rendering.request import RenderDelayed


@dataclass(slots=True)
class DelayedRows:
    """Neither sent nor failed: they stay claimed and come again. `chunks_sent` is by notification id."""

    chunks_sent: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, notification_id: int, chunks_sent: int, delayed: RenderDelayed) -> None:
        """Put a row off as long as the renderer says."""
        self.chunks_sent[notification_id] = chunks_sent
        self.seconds = max(self.seconds, delayed.seconds)

    def fault(self) -> ApplicationError:
        """The error to raise from the activity, whose next attempt is to come when the renderer takes them."""
        return ApplicationError(
            f"rendering of {len(self.chunks_sent)} notifications is put off: what is like them costs too much",
            type="RenderingDelayed",
            next_retry_delay=timedelta(seconds=self.seconds),
        )
