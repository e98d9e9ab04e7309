"""A health server over made-up observations that a test may change, and scenes worth looking at."""

import math
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cli.health_server.history import History, Sample
from cli.health_server.page import StatusPage
from cli.health_server.serving import listen, serving_at
from shared.health.observations import (
    ComponentReport,
    DatabaseObservation,
    DeliveryStates,
    DueRows,
    EnterpriseObservation,
    FailedNotification,
    ListenerObservation,
    NovuObservation,
    ProcessObservation,
    RecentDeliveries,
    RetriedDeliveries,
    SchedulerPassObservation,
    SubscriptionState,
    TaskQueueObservation,
    TemporalObservation,
    WorkerObservation,
)
from shared.health_monitor import HealthMonitor
from shared.ports import StoreUnavailable

ENTERPRISES = ("acme", "globex", "initech")
LOOK_EVERY_SECONDS = 0.2


def ago(seconds: float) -> datetime:
    """So many seconds ago."""
    return datetime.now(UTC) - timedelta(seconds=seconds)


def a_process(pid: int = 4711) -> ProcessObservation:
    return ProcessObservation(
        pid=pid,
        host="main-1",
        version="0.1.0",
        build="2026-11-25.3",
        started_at=ago(93_784),
        memory_bytes=191 * 2**20,
        cpu_percent=7.4,
    )


@dataclass
class Scene:
    """What the next look sees."""

    states: dict[str, SubscriptionState] = field(
        default_factory=lambda: dict.fromkeys(ENTERPRISES, SubscriptionState.SUBSCRIBED)
    )
    orchestration: str = "RUNNING"
    temporal_error: str | None = None
    due_rows: int = 0
    due_age_seconds: float = 0.0
    sent: int = 240
    failures: tuple[FailedNotification, ...] = ()
    delivery: DeliveryStates = field(default_factory=DeliveryStates)
    retried: tuple[RetriedDeliveries, ...] = ()
    database_error: str | None = None
    novu: NovuObservation = field(default_factory=lambda: NovuObservation(accepted=18_204, refused=31, faults=4))

    def reports(self) -> list[ComponentReport]:
        """Of a listener and two workers."""
        enterprises = {
            name: EnterpriseObservation(
                state=state,
                last_event_at=ago(4 + 9 * place),
                last_sweep_at=ago(11),
                recovered_by_sweep=2 * place,
                events_seen=6_130 + 517 * place,
                workflows_started=1_412 + 75 * place,
            )
            for place, (name, state) in enumerate(self.states.items())
        }
        worker = WorkerObservation(
            polling=True,
            sent=18_204,
            failed={"novu_refused": 31, "template_undefined_variable": 7},
            novu=replace(self.novu, last_call_at=ago(2)),
        )
        listener = ListenerObservation(enterprises=enterprises)
        return [
            ComponentReport(component_id="listener", reported_at=ago(1), process=a_process(), listener=listener),
            ComponentReport(component_id="worker", reported_at=ago(1), process=a_process(), worker=worker),
            ComponentReport(component_id="extra", reported_at=ago(3), process=a_process(4790), worker=worker),
        ]


class SceneDatabase:
    """The port HealthStore over a scene."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def look(
        self,
        own: Sequence[ComponentReport],
        *,
        expected: Collection[str],
        max_age_seconds: float,
        recent_seconds: float,
        failures: int,
    ) -> tuple[list[ComponentReport], DatabaseObservation]:
        del own, expected, max_age_seconds
        scene = self._scene
        if scene.database_error:
            raise StoreUnavailable(scene.database_error)
        due = {name: DueRows(rows=0, oldest_age_seconds=0.0) for name in scene.states}
        if scene.due_rows:
            due[min(due)] = DueRows(rows=scene.due_rows, oldest_age_seconds=scene.due_age_seconds)
        return scene.reports(), DatabaseObservation(
            answered_at=ago(0),
            due=due,
            passes=tuple(
                SchedulerPassObservation(
                    enterprise_id=name, scheduler=scheduler, last_pass_at=ago(37), overdue_seconds=0.0
                )
                for name in scene.states
                for scheduler in ("cron", "scheduled")
            ),
            recent=RecentDeliveries(
                seconds=recent_seconds, sent=scene.sent, latency_p50_seconds=0.31, latency_p95_seconds=0.62
            ),
            failures=scene.failures[:failures],
            delivery=scene.delivery,
            retried=scene.retried,
        )


class SceneTemporal:
    """The port TemporalObserving over a scene."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def observe(self) -> TemporalObservation:
        queue = TaskQueueObservation(
            backlog=0, backlog_age_seconds=0.0, added_per_second=4.02, dispatched_per_second=4.02, pollers=2
        )
        return TemporalObservation(
            answered_at=ago(0),
            error=self._scene.temporal_error,
            task_queue="xnovu-notification-processing",
            orchestration=self._scene.orchestration,
            task_queues={"workflow": queue, "activity": queue},
            running_schedulers=frozenset(
                f"{kind}/{name}" for kind in ("cron-scheduling", "scheduled-notification") for name in ENTERPRISES
            ),
        )


@asynccontextmanager
async def served(scene: Scene, *, history: History | None = None) -> AsyncIterator[str]:
    """The scene behind a health server on a free port; gives its address."""
    monitor = HealthMonitor(SceneDatabase(scene), SceneTemporal(scene), a_process)
    await monitor.look()
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    page = StatusPage("http://127.0.0.1:8233", "default")
    with listening:
        async with serving_at(listening, monitor, page, history=history, look_every_seconds=LOOK_EVERY_SECONDS):
            yield f"http://127.0.0.1:{port}"


def a_quarter_of_an_hour() -> History:
    """As a busy morning leaves it, with a minute in which the database did not answer."""
    history = History()
    for number in range(290):
        at = ago((290 - number) * 3)
        if 180 <= number < 195:
            history.remember(Sample(at, None, None, None, None, None))
            continue
        wave = math.sin(number / 23) + 0.4 * math.sin(number / 5)
        burst = max(0.0, 1 - abs(number - 120) / 14)
        history.remember(
            Sample(
                at=at,
                sent_per_minute=230 + 80 * wave + 1400 * burst,
                failed_per_minute=4 + 3 * wave,
                latency_p50_seconds=0.3 + 0.05 * wave + 0.9 * burst,
                latency_p95_seconds=0.6 + 0.12 * wave + 2.6 * burst,
                waiting_rows=int(420 * burst),
            )
        )
    return history
