"""What heartbeats, the database and Temporal tell of processes elsewhere: as the functions see a deployment."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from shared.health.assessment import report_status
from shared.health.condition import Condition, Part
from shared.health.report import StatusReport
from shared.health_monitor import HealthMonitor
from shared.process_usage import ProcessUsage
from shared.shards import shards_of
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

    async def shows(self, check: Callable[[StatusReport], bool], *, what: str) -> None:
        """Look until it shows: how soon it does is asserted where a clock is at hand (tests/unit/health)."""

        async def is_shown() -> bool:
            return check(await self.look())

        await eventually(is_shown, what=what)


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
            await watched.shows(is_healthy, what="healthy at first")
            yield watched


def is_healthy(report: StatusReport) -> bool:
    return report.health.status is Condition.HEALTHY


async def test_processes_elsewhere_are_known_by_their_heartbeats_alive_killed_and_stopped(watched: Watched) -> None:
    system = watched.system
    sent = await system.insert(30)
    await eventually(system.is_settled, what="thirty rows settled")
    await watched.shows(lambda it: _counts(it.to_json(), len(sent)), what="counted as heard and as sent")

    seen = (await watched.look()).to_json()
    assert {each["component"] for each in seen["processes"]} == {"listener", "worker"}
    [shards] = [each["shards"] for each in seen["processes"] if each["component"] == "listener"]
    assert shards == list(shards_of(ENTERPRISES))
    assert set(seen["enterprises"]) == set(ENTERPRISES)
    assert seen["recent"]["sent"] == len(sent)
    assert 0 < seen["recent"]["latency_p50_seconds"] < 10
    assert seen["task_queues"]["activity"]["pollers"] == 1

    await system.worker.kill()
    await system.insert(6)
    for reason in ("no worker", "due rows wait"):
        await watched.shows(partial(_names, reason=reason), what=reason)
    assert (await watched.look()).health.condition_of(Part.QUEUE) is Condition.UNHEALTHY

    await system.start_worker()
    await watched.shows(is_healthy, what="healthy with a new worker")

    await system.listener.stop(within_seconds=60)
    left = await watched.look()
    assert left.health.condition_of(Part.SUBSCRIPTIONS) is Condition.UNHEALTHY
    assert "listener" not in {each["component"] for each in left.to_json()["processes"]}, (
        "one that leaves in good order takes its heartbeat away"
    )


def _counts(seen: Mapping[str, Any], rows: int) -> bool:
    """Whether every process has told of so many rows, each in a heartbeat of its own."""
    enterprises = seen["enterprises"].values()
    return (
        seen["deliveries"]["sent"] == seen["dependencies"]["novu"]["accepted"] == rows
        and sum(each["events_seen"] for each in enterprises) >= rows
        and all(each["last_sweep_at"] and each["last_event_at"] for each in enterprises)
    )


def _names(report: StatusReport, *, reason: str) -> bool:
    return any(reason in problem.reason for problem in report.health.problems)
