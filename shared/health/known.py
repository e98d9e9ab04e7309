"""What is known at all: what does not answer is unknown, not nothing."""

from datetime import datetime

from shared.health.observations import DatabaseObservation, Observations
from shared.health.thresholds import Thresholds


def database_is_known(database: DatabaseObservation, now: datetime, limits: Thresholds) -> bool:
    """Whether the database has answered lately: its latest figures still tell how things are."""
    return is_fresh(database.answered_at, now, limits)


def is_fresh(answered_at: datetime | None, now: datetime, limits: Thresholds) -> bool:
    """Whether an answer of this instant still counts."""
    return answered_at is not None and (now - answered_at).total_seconds() <= limits.answer_within


def heartbeats_are_known(observations: Observations) -> bool:
    """Heartbeats come through the database: while it does not answer, that nobody reports means nothing."""
    return observations.database.answered_at is not None and observations.database.error is None
