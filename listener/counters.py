"""What the listener has done since it started, counted where it happens."""

from dataclasses import dataclass


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
