"""What runs beside an activity, and beside a process, meets a foreign exception: it is told of, counted and goes on."""

from collections.abc import Iterable
from typing import Any, cast

import pytest
from temporalio.runtime import MetricBuffer
from temporalio.testing import ActivityEnvironment

from shared.temporal import sdk_metrics
from tests.faults.await_points import await_points
from tests.faults.counted import Counted
from tests.faults.injector import raising_once_at_each
from tests.unit.listener.fakes import eventually
from worker.activities import heartbeat

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")

METRICS = await_points("shared.temporal.sdk_metrics")
HEARTBEAT = await_points("worker.activities.heartbeat")
POINTS = [*METRICS, *HEARTBEAT]


class Buffer:
    """Counts how often it is emptied."""

    emptied = 0

    def retrieve_updates(self) -> Iterable[Any]:
        self.emptied += 1
        return ()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    monkeypatch.setattr("random.uniform", lambda least, most: min(most, 0.002))  # every backoff
    return Counted.instead(monkeypatch)


async def test_the_metrics_of_temporal_s_sdk_come_on(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk_metrics, "_DRAIN_INTERVAL_SECONDS", 0.001)
    buffer = Buffer()

    with raising_once_at_each(METRICS) as fired:
        async with sdk_metrics.Drain(cast(MetricBuffer, buffer)).running():
            await eventually(lambda: len(fired) == len(METRICS))
            emptied = buffer.emptied
            await eventually(lambda: buffer.emptied > emptied + 2)

    assert counted.faults == [("metrics of Temporal's SDK", "Foreign")] * len(METRICS)


async def test_an_activity_s_heartbeats_come_on(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL_SECONDS", 0.001)
    beats: list[object] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = beats.append

    async def work() -> None:
        async with heartbeat.heartbeating(lambda: ["details"]):
            await eventually(lambda: len(fired) == len(HEARTBEAT))
            come = len(beats)
            await eventually(lambda: len(beats) > come + 2)

    with raising_once_at_each(HEARTBEAT) as fired:
        await environment.run(work)

    assert counted.faults == [("heartbeat of an activity", "Foreign")] * len(HEARTBEAT)
