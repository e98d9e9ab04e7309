"""Has the listener's state read whenever metrics are collected, from the collector's thread."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from opentelemetry.metrics import Observation

from listener import metrics
from listener.observable import Observable
from shared.ports import FeedState
from shared.shards import shards_of
from shared.telemetry.metric import Metric, observe, observe_value


def observe_listener(listener: Observable) -> None:
    """Once for each listener, before it runs."""
    counters = listener.counters
    observe(metrics.SUBSCRIPTION_LIVE, lambda: _live(listener.states()))
    observe(metrics.SUBSCRIPTIONS, lambda: _by_state(listener.states()))
    observe_value(metrics.PROOF_OF_LIFE_AGE, lambda: _age(listener.feed_status.last_proof_of_life))
    observe_value(metrics.TEMPORAL_AVAILABLE, lambda: int(listener.temporal_available))
    observe_value(metrics.RECONNECTS, lambda: listener.feed_status.reconnects)
    observe_value(metrics.FLAWS, lambda: len(listener.flaws))
    observe_value(metrics.GAPS, lambda: counters.gaps)
    observe_value(metrics.BATCHES, lambda: counters.batches)
    observe_value(metrics.ROWS_DROPPED, lambda: counters.rows_dropped_while_temporal_was_away)
    observe_value(metrics.QUEUE_FULL, lambda: counters.queue_full)
    observe_value(metrics.SWEEPS, lambda: counters.sweeps)
    observe_value(metrics.SWEEPS_DELAYED, lambda: counters.sweeps_delayed_by_database)
    observe_value(metrics.SWEPT, lambda: counters.swept)
    observe_value(metrics.ORCHESTRATION_RESTARTS, lambda: counters.orchestration_restarted)
    observe(
        metrics.CHANGES,
        lambda: _by(
            metrics.CHANGES,
            notification=counters.changes,
            retraction=counters.retractions,
            rule=counters.rule_rings,
            schedule=counters.schedule_rings,
            repeated=counters.changes_already_handed_over,
            malformed=listener.feed_status.changes_malformed,
            failed=listener.feed_status.callbacks_failed,
        ),
    )
    observe(
        metrics.WORKFLOWS,
        lambda: _by(
            metrics.WORKFLOWS,
            started=counters.workflows_started,
            already_running=counters.workflows_already_running,
        ),
    )
    observe(
        metrics.RECOVERED,
        lambda: _by(
            metrics.RECOVERED,
            pending=counters.recovered_pending,
            lease_expired=counters.recovered_expired,
            schedule=counters.recovered_schedule,
            retraction=counters.recovered_retractions,
            rules=counters.recovered_rules,
        ),
    )


def _by(metric: Metric, **values: int) -> list[Observation]:
    [attribute] = metric.attributes
    return [Observation(value, {attribute: name}) for name, value in values.items()]


def _live(states: dict[str, FeedState]) -> Iterator[Observation]:
    """As many series as there are shards, whoever the enterprises are: one socket hears a whole shard."""
    unheard = {each for each, state in states.items() if state not in (FeedState.SUBSCRIBED, FeedState.CATCHING_UP)}
    silent = set(shards_of(unheard))
    for shard in shards_of(states):
        yield Observation(int(shard not in silent), {metrics.SHARD: str(shard)})


def _by_state(states: dict[str, FeedState]) -> list[Observation]:
    counted = Counter(states.values())
    return _by(metrics.SUBSCRIPTIONS, **{state.value: counted[state] for state in FeedState})


def _age(instant: datetime | None) -> float | None:
    return None if instant is None else (datetime.now(UTC) - instant).total_seconds()
