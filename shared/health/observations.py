"""What is observed of a running deployment. Every number is counted where it happens or answered by who knows it.

Times are aware datetimes in UTC, ages and durations seconds. Nothing here is personal: ids, codes and counts only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class SubscriptionState(StrEnum):
    """An enterprise's place on the feed; CATCHING_UP is subscribed, with a sweep of what was missed still to come.

    A listener says one of the first four of its own. UNHEARD: no living listener has it. UNKNOWN: some listener had it
    when the database, through which it tells, last answered.
    """

    SUBSCRIBED = "subscribed"
    CATCHING_UP = "catching_up"
    RECONNECTING = "reconnecting"
    FAILED = "failed"
    UNHEARD = "unheard"
    UNKNOWN = "unknown"


class Component(StrEnum):
    """What a process runs, and reports on."""

    LISTENER = "listener"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessObservation:
    """One process, its children included in memory and CPU (100 is one core)."""

    pid: int
    host: str
    version: str
    build: str
    started_at: datetime
    memory_bytes: int
    cpu_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterpriseObservation:
    """What one listener has seen and done for one enterprise since it started."""

    state: SubscriptionState
    last_event_at: datetime | None = None
    last_sweep_at: datetime | None = None
    recovered_by_sweep: int = 0
    events_seen: int = 0
    workflows_started: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerObservation:
    """A listener: its enterprises, and whether Temporal answered its latest workflow start.

    `shards`: those of the deployment's that it hears; each enterprise is in one. `serves_everybody`: in these whoever
    the database says is served. Of thousands `enterprises` names only those whose state is another than that of their
    shard in `shard_states`.
    `way`: how rings for row changes reach it. `last_proof_of_life`: when one of its own last came back.
    `unread_rules`: by enterprise, since when its scheduler was told in vain that rules have changed. `flaws` keep row
    changes from it, each with its remedy.
    """

    enterprises: Mapping[str, EnterpriseObservation]
    shards: tuple[int, ...] = ()
    serves_everybody: bool = False
    shard_states: Mapping[int, SubscriptionState] = field(default_factory=dict)
    temporal_available: bool = True
    way: str | None = None
    last_proof_of_life: datetime | None = None
    reconnects: int = 0
    last_error: str | None = None
    unread_rules: Mapping[str, datetime] = field(default_factory=dict)
    flaws: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NovuObservation:
    """Novu's answers, by event. `failing_since` is set while the latest calls brought nothing but faults, `well_since`
    from the first answer after such a time, or at all.

    `unanswered_since`: when the oldest call began that is still without an answer. `slow_seconds`: how long the slowest
    of the latest answers took. `lacking_keys`: variables with enterprises' own keys that the worker needs and lacks.
    """

    accepted: int = 0
    refused: int = 0
    faults: int = 0
    last_call_at: datetime | None = None
    failing_since: datetime | None = None
    last_fault: str | None = None
    well_since: datetime | None = None
    unanswered_since: datetime | None = None
    slow_seconds: float = 0.0
    lacking_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerObservation:
    """A worker: whether it polls its task queue, and the outcomes that it wrote to rows since it started.

    `enterprise_ids`: those that it works for; None: for all.
    """

    polling: bool
    enterprise_ids: tuple[str, ...] | None = None
    sent: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    novu: NovuObservation = field(default_factory=NovuObservation)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingPart:
    """A part of a process that met an exception which nobody foresaw, and has not run for long enough since.

    `faults` since it last ran well; `last_fault` is the exception's class; not `running`: it waits to be run again.
    """

    part: str
    faults: int
    failing_since: datetime
    last_fault: str
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentReport:
    """What a listener or a worker says of itself: its heartbeat. `component_id` is new with every start."""

    component_id: str
    reported_at: datetime
    process: ProcessObservation
    listener: ListenerObservation | None = None
    worker: WorkerObservation | None = None
    failing: tuple[FailingPart, ...] = ()

    @property
    def component(self) -> Component:
        """Which of the two it is."""
        return Component.LISTENER if self.listener is not None else Component.WORKER


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQueueObservation:
    """Temporal's statistics of one kind of task, as much as five seconds old. Rates are tasks a second.

    `pollers` polled within the last 75 s: a poll lasts 60 s and is dated from its beginning, so the last one of a
    worker that has left counts for a while.
    """

    backlog: int
    backlog_age_seconds: float
    added_per_second: float
    dispatched_per_second: float
    pollers: int
    last_poll_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalObservation:
    """The latest answer of Temporal, and `error` if the latest call had none.

    `orchestration` is Temporal's own word for the state of the orchestration workflow, or NOT_FOUND or UNKNOWN.
    `running_schedulers` holds workflow ids.
    """

    answered_at: datetime | None = None
    error: str | None = None
    task_queue: str = ""
    orchestration: str = "UNKNOWN"
    task_queues: Mapping[str, TaskQueueObservation] = field(default_factory=dict)
    running_schedulers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRows:
    """An enterprise's rows that are due and in nobody's hands, or in somebody's; `rows` is counted up to a thousand."""

    rows: int
    oldest_age_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerPassObservation:
    """An enterprise's "cron" or "scheduled": its last pass, and for how long the next has been overdue."""

    enterprise_id: str
    scheduler: str
    last_pass_at: datetime
    overdue_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentDeliveries:
    """What ended within the last `seconds`; latency from the row being due to its being SENT, None without any."""

    seconds: float
    sent: int = 0
    failed: int = 0
    latency_p50_seconds: float | None = None
    latency_p95_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStates:
    """What became of the latest `rows` of which account is kept (docs/delivery.md), by state; `unheard_seconds`: how
    long the oldest is sent of which nothing was heard.
    """

    rows: int = 0
    states: Mapping[str, int] = field(default_factory=dict)
    unheard_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedNotification:
    """A row that is FAILED, the code of its refusal (docs/error_codes.md), and the key of the template that refused."""

    notification_id: int
    enterprise_id: str
    code: str
    failed_at: datetime
    template: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriedDeliveries:
    """An enterprise's rows whose delivery met a fault and is tried again: the latest fault's code, and for how long the
    oldest has been failing. `rows` is counted up to a thousand.
    """

    enterprise_id: str
    code: str
    rows: int
    oldest_age_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LostComponent:
    """A listener or worker that was heard of and has not said that it ends: killed, frozen, or cut off.

    `enterprise_ids`: those that it heard, of a listener; `shards`: those in which it heard everybody.
    """

    component_id: str
    component: Component
    host: str
    pid: int | None
    reported_at: datetime
    silent_seconds: float
    enterprise_ids: tuple[str, ...] = ()
    shards: tuple[int, ...] = ()
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleErrors:
    """An enterprise's active rules that cannot fire, counted up to a thousand; `error` is that of `rule_id`."""

    enterprise_id: str
    rules: int
    rule_id: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseObservation:
    """The latest answer of the database, and `error` if the latest call had none; `error_code` is PostgreSQL's,
    PostgREST's or HTTP's.

    `in_hands`: rows that a worker holds, their age since the claim or the first fault. `paused`: enterprises that are
    not to be served. `served`: whom listeners of everybody are to hear, if one reports. `latest_faults`: by code, when
    a delivery that is tried again last met one.
    """

    answered_at: datetime | None = None
    error: str | None = None
    error_code: str | None = None
    lost: tuple[LostComponent, ...] = ()
    paused: frozenset[str] = frozenset()
    served: frozenset[str] = frozenset()
    in_hands: Mapping[str, DueRows] = field(default_factory=dict)
    rule_errors: tuple[RuleErrors, ...] = ()
    latest_faults: Mapping[str, datetime] = field(default_factory=dict)
    due: Mapping[str, DueRows] = field(default_factory=dict)
    passes: tuple[SchedulerPassObservation, ...] = ()
    recent: RecentDeliveries = field(default_factory=lambda: RecentDeliveries(seconds=0.0))
    failures: tuple[FailedNotification, ...] = ()
    retried: tuple[RetriedDeliveries, ...] = ()
    delivery: DeliveryStates = field(default_factory=DeliveryStates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """All that one look sees. `observer` is the process that looks, `failing` are parts of its own; `components` have
    reported lately, those with `own_ids` run in it. `expected`: the enterprises that its settings name.
    """

    observer: ProcessObservation
    components: tuple[ComponentReport, ...]
    temporal: TemporalObservation
    database: DatabaseObservation
    failing: tuple[FailingPart, ...] = ()
    own_ids: frozenset[str] = frozenset()
    expected: tuple[str, ...] = ()

    @property
    def listeners(self) -> tuple[ListenerObservation, ...]:
        """The listeners' own accounts."""
        return tuple(report.listener for report in self.components if report.listener is not None)

    @property
    def workers(self) -> tuple[WorkerObservation, ...]:
        """The workers' own accounts."""
        return tuple(report.worker for report in self.components if report.worker is not None)
