"""The metrics of the listener (docs/metrics.md). Its counters and states are read when metrics are collected."""

from datetime import UTC, datetime

from shared.ports import RowChange
from shared.telemetry.metric import Kind, Metric, duration

SHARD = "xnovu.shard"

SUBSCRIPTION_LIVE = Metric(
    "xnovu.listener.subscription.live",
    Kind.GAUGE,
    "1",
    "By shard of enterprises (0 to 15): 1 while row changes of each of them are heard (`subscribed` or `catching_up`),"
    " 0 while those of one are not. Shards without any are left out.",
    (SHARD,),
)
SUBSCRIPTIONS = Metric(
    "xnovu.listener.subscriptions",
    Kind.GAUGE,
    "{subscription}",
    "Enterprises by the state of their subscription.",
    ("xnovu.state",),
)
PROOF_OF_LIFE_AGE = Metric(
    "xnovu.listener.proof_of_life.age",
    Kind.GAUGE,
    "s",
    "Time since a beat of the listener's canary came back from Realtime: only a working feed sends that.",
)
RECONNECTS = Metric("xnovu.listener.reconnects", Kind.COUNTER, "{reconnect}", "Times that subscriptions were lost.")
CHANGES = Metric(
    "xnovu.listener.changes",
    Kind.COUNTER,
    "{change}",
    "Row changes heard: `notification` and `retraction` are work, `rule` and `schedule` wake a scheduler, `repeated`"
    " was handed over already, `malformed` could not be read, `failed` met a defect of ours.",
    ("xnovu.change",),
)
EVENT_LAG = Metric(
    "xnovu.listener.event.lag",
    Kind.HISTOGRAM,
    "s",
    "From the commit of a row, by the database's clock, until its change was heard, by ours.",
)
GAPS = Metric(
    "xnovu.listener.gaps", Kind.COUNTER, "{gap}", "Times that changes may have been missed, each followed by a sweep."
)
BATCHES = Metric("xnovu.listener.batches", Kind.COUNTER, "{batch}", "Batches handed over to Temporal.")
WORKFLOWS = Metric(
    "xnovu.listener.workflows",
    Kind.COUNTER,
    "{workflow}",
    "What became of them: a workflow was `started`, or that very work was `already_running`.",
    ("xnovu.result",),
)
ROWS_DROPPED = Metric(
    "xnovu.listener.rows.dropped",
    Kind.COUNTER,
    "{row}",
    "Rows left in the table because Temporal did not answer; a sweep takes them up when it does.",
)
QUEUE_FULL = Metric(
    "xnovu.listener.queue_full", Kind.COUNTER, "{change}", "Changes that came faster than they were taken; swept later."
)
SWEEPS = Metric("xnovu.listener.sweeps", Kind.COUNTER, "{sweep}", "Sweeps made.")
SWEEPS_DELAYED = Metric(
    "xnovu.listener.sweeps.delayed", Kind.COUNTER, "{attempt}", "Attempts at a sweep that the database did not answer."
)
SWEPT = Metric("xnovu.listener.swept", Kind.COUNTER, "{row}", "Due rows that sweeps have seen.")
RECOVERED = Metric(
    "xnovu.listener.recovered",
    Kind.COUNTER,
    "{row}",
    "Rows that no change told of and a sweep found: `pending` never claimed, `lease_expired` claimed by a worker that"
    " was not heard of again, `schedule` due earlier than known, `retraction` still to be cancelled, `rules` that their"
    " scheduler had not read since they changed.",
    ("xnovu.cause",),
)
FLAWS = Metric(
    "xnovu.listener.flaws",
    Kind.GAUGE,
    "{flaw}",
    "What keeps row changes from the listener at the server: tables not published, missing grants or identities.",
)
ORCHESTRATION_RESTARTS = Metric(
    "xnovu.listener.orchestration.restarts", Kind.COUNTER, "{restart}", "Times that the orchestration was not running."
)
TEMPORAL_AVAILABLE = Metric(
    "xnovu.listener.temporal.available", Kind.GAUGE, "1", "1 if Temporal answered the latest workflow start, else 0."
)
BACKLOG_ROWS = Metric(
    "xnovu.backlog.rows", Kind.GAUGE, "{row}", "Rows that are due and that nobody holds, in the table."
)
BACKLOG_AGE = Metric("xnovu.backlog.age", Kind.GAUGE, "s", "How long the oldest of them has been due; 0 for none.")
QUEUE_BACKLOG = Metric(
    "xnovu.task_queue.backlog",
    Kind.GAUGE,
    "{task}",
    "Tasks that wait in Temporal for a worker, as its server estimates them.",
    ("xnovu.task.type",),
)
QUEUE_AGE = Metric(
    "xnovu.task_queue.backlog.age", Kind.GAUGE, "s", "How long the oldest of them has waited.", ("xnovu.task.type",)
)
QUEUE_POLLERS = Metric(
    "xnovu.task_queue.pollers",
    Kind.GAUGE,
    "{poller}",
    "Workers that asked for tasks within the last 75 s: a poll may last 60 s, so one that has left counts for a while.",
    ("xnovu.task.type",),
)

METRICS = tuple(value for value in vars().values() if isinstance(value, Metric))

_event_lag = duration(EVENT_LAG)


def note_event_lag(change: RowChange) -> None:
    """Record how late a change is."""
    if change.committed_at is not None:
        _event_lag.record(max(0.0, (datetime.now(UTC) - change.committed_at).total_seconds()))
