"""Observations of a deployment in which all is well; a test changes what matters to it."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.health.observations import (
    ComponentReport,
    DatabaseObservation,
    DueRows,
    EnterpriseObservation,
    ListenerObservation,
    NovuObservation,
    Observations,
    ProcessObservation,
    RecentDeliveries,
    SchedulerPassObservation,
    SubscriptionState,
    TaskQueueObservation,
    TemporalObservation,
    WorkerObservation,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ENTERPRISES = ("acme", "globex")

PROCESS = ProcessObservation(
    pid=4711,
    host="host",
    version="1.2.3",
    build="abc",
    started_at=NOW - timedelta(hours=1),
    memory_bytes=100 * 2**20,
    cpu_percent=12.5,
)
IDLE_QUEUE = TaskQueueObservation(
    backlog=0,
    backlog_age_seconds=0.0,
    added_per_second=0.5,
    dispatched_per_second=0.5,
    pollers=1,
    last_poll_at=NOW,
)
POLLING = WorkerObservation(polling=True)


def before(seconds: float) -> datetime:
    """So many seconds ago."""
    return NOW - timedelta(seconds=seconds)


def a_report(component_id: str, **what: Any) -> ComponentReport:
    return ComponentReport(component_id=component_id, reported_at=before(1), process=PROCESS, **what)


def a_listener(state: SubscriptionState = SubscriptionState.SUBSCRIBED, **states: SubscriptionState) -> ComponentReport:
    """Every enterprise in one state, but those that `states` names."""
    enterprises = {name: EnterpriseObservation(state=states.get(name, state)) for name in ENTERPRISES}
    return a_report("listener-1", listener=ListenerObservation(enterprises=enterprises))


def a_worker(worker: WorkerObservation = POLLING, **changes: Any) -> ComponentReport:
    return a_report("worker-1", worker=replace(worker, **changes))


def a_novu(**changes: Any) -> WorkerObservation:
    """A worker whose last call to Novu was a second ago."""
    return WorkerObservation(polling=True, novu=replace(NovuObservation(last_call_at=before(1)), **changes))


def a_temporal(**changes: Any) -> TemporalObservation:
    healthy = TemporalObservation(
        answered_at=before(1),
        task_queue="queue",
        orchestration="RUNNING",
        task_queues={"workflow": IDLE_QUEUE, "activity": IDLE_QUEUE},
        running_schedulers=frozenset(
            f"{kind}/{name}" for kind in ("cron-scheduling", "scheduled-notification") for name in ENTERPRISES
        ),
    )
    return replace(healthy, **changes)


def passes(
    *, without: Collection[tuple[str, str]] = (), overdue_seconds: float = 0.0
) -> tuple[SchedulerPassObservation, ...]:
    """A pass of every scheduler but those `without`."""
    return tuple(
        SchedulerPassObservation(
            enterprise_id=name, scheduler=scheduler, last_pass_at=before(60), overdue_seconds=overdue_seconds
        )
        for name in ENTERPRISES
        for scheduler in ("cron", "scheduled")
        if (name, scheduler) not in without
    )


def a_database(**changes: Any) -> DatabaseObservation:
    healthy = DatabaseObservation(
        answered_at=before(1),
        due={name: DueRows(rows=0, oldest_age_seconds=0.0) for name in ENTERPRISES},
        passes=passes(),
        recent=RecentDeliveries(seconds=60.0),
    )
    return replace(healthy, **changes)


def observed(
    *components: ComponentReport,
    temporal: TemporalObservation | None = None,
    database: DatabaseObservation | None = None,
) -> Observations:
    """All is well, but for what is given; without components, a listener and a worker."""
    found: Sequence[ComponentReport] = components or (a_listener(), a_worker())
    return Observations(
        observer=PROCESS,
        components=tuple(found),
        temporal=temporal or a_temporal(),
        database=database or a_database(),
    )


def a_feed_in_trouble() -> Observations:
    """One of two enterprises is heard, and something at the server is to be mended."""
    enterprises = {
        "acme": EnterpriseObservation(state=SubscriptionState.SUBSCRIBED),
        "globex": EnterpriseObservation(state=SubscriptionState.RECONNECTING),
    }
    listener = ListenerObservation(
        enterprises=enterprises,
        way="broadcast",
        last_proof_of_life=before(30),
        reconnects=3,
        last_error="no beat of the canary came back for 6 s",
        flaws=("notify.ent_notification is not published; mend it with: alter publication",),
    )
    return observed(a_report("listener-1", listener=listener), a_worker())
