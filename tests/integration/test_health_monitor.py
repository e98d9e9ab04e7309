"""What heartbeats, the database and Temporal tell of processes elsewhere: as the functions see a deployment."""

import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.client import Client

from listener.doorbell.shards import shards_of
from shared.health.assessment import report_status
from shared.health.condition import Condition, Part
from shared.health.report import StatusReport
from shared.health_monitor import HealthMonitor
from shared.process_usage import ProcessUsage
from shared.supabase import client as supabase_client
from shared.supabase.health_store import SupabaseHealthStore
from shared.temporal.observation import TemporalObserver
from tests.e2e.system import ENTERPRISES, System, eventually, running_system

pytestmark = pytest.mark.slow


class Watched:
    """A listener and a worker as processes of their own, and a monitor that knows them by what they publish."""

    def __init__(self, system: System, monitor: HealthMonitor) -> None:
        self.system = system
        self._monitor = monitor

    async def look(self) -> StatusReport:
        return report_status(await self._monitor.look(), datetime.now(UTC))

    async def shows(self, check: Callable[[StatusReport], bool], *, within: float, what: str) -> float:
        """Look until it shows; returns after how many seconds."""
        began = time.monotonic()

        async def is_shown() -> bool:
            return check(await self.look())

        await eventually(is_shown, within=within, what=what)
        return time.monotonic() - began


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    async with running_system(tmp_path) as system:
        environment = system.environment
        supabase, http = await supabase_client.connect(
            environment["SUPABASE_URL"], environment["SUPABASE_SERVICE_ROLE_KEY"]
        )
        async with http:
            temporal = await Client.connect(environment["TEMPORAL_ADDRESS"])
            monitor = HealthMonitor(
                SupabaseHealthStore(supabase),
                TemporalObserver(temporal, "xnovu-notification-processing"),
                ProcessUsage("test").observe,
            )
            watched = Watched(system, monitor)
            await watched.shows(is_healthy, within=30, what="healthy at first")
            yield watched


def is_healthy(report: StatusReport) -> bool:
    return report.health.status is Condition.HEALTHY


async def test_processes_elsewhere_are_known_by_their_heartbeats_alive_killed_and_stopped(watched: Watched) -> None:
    system = watched.system
    sent = await system.insert(30)
    await eventually(system.is_settled, within=30, what="thirty rows settled")
    await watched.shows(lambda it: it.to_json()["deliveries"]["sent"] == len(sent), within=15, what="counted as sent")

    seen = (await watched.look()).to_json()
    assert {each["component"] for each in seen["processes"]} == {"listener", "worker"}
    [shards] = [each["shards"] for each in seen["processes"] if each["component"] == "listener"]
    assert shards == list(shards_of(ENTERPRISES))
    assert set(seen["enterprises"]) == set(ENTERPRISES)
    assert sum(each["events_seen"] for each in seen["enterprises"].values()) >= len(sent)
    assert all(each["last_sweep_at"] and each["last_event_at"] for each in seen["enterprises"].values())
    assert seen["recent"]["sent"] == len(sent)
    assert 0 < seen["recent"]["latency_p50_seconds"] < 10
    assert seen["dependencies"]["novu"]["accepted"] == len(sent)
    assert seen["task_queues"]["activity"]["pollers"] == 1

    await system.worker.kill()
    await system.insert(6)
    worker_gone = await watched.shows(
        lambda it: any("no worker" in problem.reason for problem in it.health.problems), within=15, what="no worker"
    )
    await watched.shows(
        lambda it: any("due rows wait" in problem.reason for problem in it.health.problems),
        within=15 - worker_gone,
        what="rows wait",
    )
    assert (await watched.look()).health.condition_of(Part.QUEUE) is Condition.UNHEALTHY

    await system.start_worker()
    await watched.shows(is_healthy, within=30, what="healthy with a new worker")

    await system.listener.stop(within_seconds=15)
    took = await watched.shows(
        lambda it: it.health.condition_of(Part.SUBSCRIPTIONS) is Condition.UNHEALTHY, within=15, what="no listener"
    )
    assert took < 3, "one that leaves in good order takes its heartbeat away"
