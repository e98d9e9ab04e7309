"""What the listener has done since it started, counted where it happens."""

from collections import defaultdict
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime


@dataclass(slots=True)
class EnterpriseCounters:
    """Of one enterprise: what came, what was found, and when last."""

    events_seen: int = 0
    workflows_started: int = 0
    recovered_by_sweep: int = 0
    last_event_at: datetime | None = None
    last_sweep_at: datetime | None = None

    def note_event(self) -> None:
        """The feed told something."""
        self.events_seen += 1
        self.last_event_at = datetime.now(UTC)

    def note_sweep(self) -> None:
        """All that was due has been looked at and handed over."""
        self.last_sweep_at = datetime.now(UTC)


@dataclass(slots=True)
class ListenerCounters:
    """Counts of events, batches and rows; the health report reads them, the last log line prints them.

    The `recovered` ones are what the feed should have told and a sweep found, by cause.
    """

    changes: int = 0
    changes_already_handed_over: int = 0
    retractions: int = 0
    gaps: int = 0
    batches: int = 0
    workflows_started: int = 0
    workflows_already_running: int = 0
    rows_dropped_while_temporal_was_away: int = 0
    queue_full: int = 0
    rule_rings: int = 0
    schedule_rings: int = 0
    orchestration_restarted: int = 0
    sweeps: int = 0
    sweeps_delayed_by_database: int = 0
    swept: int = 0
    recovered_pending: int = 0
    recovered_expired: int = 0
    recovered_schedule: int = 0
    recovered_retractions: int = 0
    recovered_rules: int = 0
    enterprises: defaultdict[str, EnterpriseCounters] = field(
        default_factory=lambda: defaultdict(EnterpriseCounters), repr=False
    )

    def totals(self) -> dict[str, int]:
        """All but what is counted by enterprise."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "enterprises"}
