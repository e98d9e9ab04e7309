"""The last quarter of an hour, a sample for each look: what the status page plots."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.health.observations import DatabaseObservation

SAMPLES = 300


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. None where there was no answer, or nothing to measure."""

    at: datetime
    sent_per_minute: float | None
    failed_per_minute: float | None
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    waiting_rows: int | None


class History:
    """The latest samples, oldest first."""

    def __init__(self, capacity: int = SAMPLES) -> None:
        self._samples: deque[Sample] = deque(maxlen=capacity)

    @property
    def samples(self) -> Sequence[Sample]:
        """All that is remembered."""
        return tuple(self._samples)

    def remember(self, sample: Sample) -> None:
        """The oldest is forgotten for it, once there are enough."""
        self._samples.append(sample)

    def note(self, database: DatabaseObservation, now: datetime) -> None:
        """Remember this look; a look without an answer of the database is a gap in every line."""
        if database.error is not None or database.answered_at is None:
            self.remember(Sample(now, None, None, None, None, None))
            return
        recent = database.recent
        self.remember(
            Sample(
                at=now,
                sent_per_minute=recent.sent * 60 / recent.seconds,
                failed_per_minute=recent.failed * 60 / recent.seconds,
                latency_p50_seconds=recent.latency_p50_seconds,
                latency_p95_seconds=recent.latency_p95_seconds,
                waiting_rows=sum(due.rows for due in database.due.values()),
            )
        )
