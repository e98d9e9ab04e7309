"""Temporal's part: its metrics under their own names, and which workflows take a trace along."""

from dataclasses import dataclass
from typing import Any, cast

import pytest
from opentelemetry import metrics
from temporalio.client import OutboundInterceptor, StartWorkflowInput
from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_GAUGE,
    BUFFERED_METRIC_KIND_HISTOGRAM,
    MetricBuffer,
)

from shared.temporal.names import (
    CRON_SCHEDULING_WORKFLOW,
    MASTER_ORCHESTRATION_WORKFLOW,
    NOTIFICATION_PROCESSING_WORKFLOW,
    NOTIFICATION_RETRACTION_WORKFLOW,
    SCHEDULED_NOTIFICATION_WORKFLOW,
)
from shared.temporal.sdk_metrics import Drain
from shared.temporal.tracing import RowTracing
from tests.unit.telemetry.conftest import Recorded


@dataclass
class FakeMetric:
    name: str
    kind: int
    unit: str | None = None
    description: str | None = None


@dataclass
class FakeUpdate:
    metric: FakeMetric
    value: float
    attributes: dict[str, Any]


class FakeBuffer:
    def __init__(self, *updates: FakeUpdate) -> None:
        self.updates = list(updates)

    def retrieve_updates(self) -> list[FakeUpdate]:
        updates, self.updates = self.updates, []
        return updates


def test_each_kind_of_metric_is_passed_on_with_its_attributes(recorded: Recorded) -> None:
    polls = FakeMetric("temporal_request", BUFFERED_METRIC_KIND_COUNTER)
    slots = FakeMetric("temporal_worker_task_slots_available", BUFFERED_METRIC_KIND_GAUGE)
    latency = FakeMetric("temporal_request_latency", BUFFERED_METRIC_KIND_HISTOGRAM, "duration")
    buffer = FakeBuffer(
        *(FakeUpdate(polls, 1, {"operation": operation}) for operation in ("Start", "Poll", "Poll")),
        FakeUpdate(slots, 50, {}),
        FakeUpdate(slots, 49, {}),
        FakeUpdate(latency, 0.25, {}),
    )
    drain = Drain(cast(MetricBuffer, buffer), metrics.get_meter("test"))

    drain.drain()
    drain.drain()

    assert recorded.value("temporal_request", {"operation": "Poll"}) == 2
    assert recorded.value("temporal_request", {"operation": "Start"}) == 1
    assert recorded.latest("temporal_worker_task_slots_available") == {frozenset(): 49}
    assert recorded.value("temporal_request_latency") == 1


class Last(OutboundInterceptor):
    """Where a call leaves for the server: keeps what it is given."""

    def __init__(self) -> None:
        self.headers: list[str] = []

    async def start_workflow(self, input: StartWorkflowInput) -> Any:
        self.headers += input.headers


@pytest.mark.parametrize(
    ("workflow", "is_traced"),
    [
        (NOTIFICATION_PROCESSING_WORKFLOW, True),
        (NOTIFICATION_RETRACTION_WORKFLOW, True),
        (MASTER_ORCHESTRATION_WORKFLOW, False),
        (CRON_SCHEDULING_WORKFLOW, False),
        (SCHEDULED_NOTIFICATION_WORKFLOW, False),
    ],
)
async def test_only_work_on_rows_takes_a_trace_along(recorded: Recorded, workflow: str, is_traced: bool) -> None:
    last = Last()
    input = cast(StartWorkflowInput, FakeInput(workflow))

    await RowTracing().intercept_client(last).start_workflow(input)

    assert bool(last.headers) == is_traced
    assert bool(recorded.spans()) == is_traced


class FakeInput:
    def __init__(self, workflow: str) -> None:
        self.workflow = workflow
        self.id = "an-id"
        self.start_signal = None
        self.headers: dict[str, Any] = {}
