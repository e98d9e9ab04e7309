"""The metrics of Temporal's SDK that we ask for come, as they are recorded, from a real worker of a real server."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Histogram, InMemoryMetricReader, Sum
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError
from temporalio.worker import Worker

from shared.telemetry.metric import Kind, Metric
from shared.temporal.sdk_metrics import Drain, new_buffer
from tests.infra.observability.emitted import of_temporal
from tests.temporal_server import temporal_server

QUEUE = "observed"
TOO_LARGE_IN_ALL = 3
"""Times 1.9 MB: each below the limit of a payload, together above that of a message."""

pytestmark = [pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]


@activity.defn
async def succeed(_: str) -> str:
    return ""


@workflow.defn(name="Observed", sandboxed=False)
class Observed:
    """Does what it is told, so that everything happens once."""

    def __init__(self) -> None:
        self._ended = False

    @workflow.signal
    def end(self) -> None:
        self._ended = True

    @workflow.run
    async def run(self, fate: str) -> str | list[str]:
        await workflow.execute_local_activity(succeed, "", start_to_close_timeout=timedelta(seconds=5))
        await workflow.execute_activity(succeed, "", start_to_close_timeout=timedelta(seconds=5))
        if fate == "continues":
            workflow.continue_as_new("succeeds")
        if fate == "has a defect":
            raise RuntimeError
        if fate == "returns too much":
            return "x" * 3_000_000
        if fate == "asks too much":
            await asyncio.gather(
                *(
                    workflow.execute_activity(succeed, "x" * 1_900_000, start_to_close_timeout=timedelta(seconds=5))
                    for _ in range(TOO_LARGE_IN_ALL)
                )
            )
        if fate == "waits":
            await workflow.wait_condition(lambda: self._ended)
        return fate


@workflow.defn(name="Observed", sandboxed=False)
class Changed:
    """The same workflow, deployed with other steps."""

    @workflow.signal
    def end(self) -> None:
        pass

    @workflow.run
    async def run(self, fate: str) -> str:
        await workflow.sleep(1)
        return fate


@dataclass
class Seen:
    """What has come."""

    reader: InMemoryMetricReader
    drain: Drain
    metrics: dict[str, tuple[Kind, str]] = field(default_factory=dict)
    labels: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    reasons: set[str] = field(default_factory=set)

    def look(self) -> None:
        self.drain.drain()
        data = self.reader.get_metrics_data()
        for of_resource in data.resource_metrics if data else ():
            for of_scope in of_resource.scope_metrics:
                for metric in of_scope.metrics:
                    self.metrics[metric.name] = (_kind(metric.data), metric.unit or "")
                    for point in metric.data.data_points:
                        attributes: dict[str, Any] = dict(point.attributes or {})
                        self.labels[metric.name] |= attributes.keys()
                        self.reasons |= {attributes["failure_reason"]} if "failure_reason" in attributes else set()

    async def reason(self, reason: str) -> None:
        """Until a workflow task failed so."""
        async with asyncio.timeout(60):
            while reason not in self.reasons:
                await asyncio.sleep(0.05)
                self.look()


def _kind(data: object) -> Kind:
    if isinstance(data, Histogram):
        return Kind.HISTOGRAM
    return Kind.COUNTER if isinstance(data, Sum) else Kind.GAUGE


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Seen]:
    buffer, reader = new_buffer(), InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    seen = Seen(reader, Drain(buffer, provider.get_meter("temporalio")))
    runtime = Runtime(telemetry=TelemetryConfig(metrics=buffer, attach_service_name=False, logging=None))
    async with temporal_server(tmp_path_factory.mktemp("temporal"), runtime=runtime) as client:
        await _live_through_everything(client, seen)
        yield seen
    provider.shutdown()


async def _live_through_everything(client: Client, seen: Seen) -> None:
    async with Worker(client, task_queue=QUEUE, workflows=[Observed], activities=[succeed]):
        await client.execute_workflow("Observed", "continues", id="continues", task_queue=QUEUE)
        waiting = await client.start_workflow("Observed", "waits", id="waits", task_queue=QUEUE)
        for fate, reason in (
            ("has a defect", "WorkflowError"),
            ("returns too much", "PayloadsTooLarge"),
            ("asks too much", "GrpcMessageTooLarge"),
        ):
            async with _running(client, fate):
                await seen.reason(reason)
    async with Worker(client, task_queue=QUEUE, workflows=[Changed], activities=[succeed]):
        await waiting.signal("end")
        await seen.reason("NonDeterminismError")
        await waiting.terminate()
    seen.look()


@asynccontextmanager
async def _running(client: Client, fate: str) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    handle = await client.start_workflow("Observed", fate, id=fate, task_queue=QUEUE)
    yield handle
    with suppress(RPCError):  # some of them Temporal ends itself
        await handle.terminate()


@pytest.mark.parametrize("metric", of_temporal(), ids=lambda metric: metric.name)
async def test_a_metric_comes_as_it_is_recorded(metric: Metric, seen: Seen) -> None:
    assert seen.metrics.get(metric.name) == (metric.kind, metric.unit)
    assert sorted(seen.labels[metric.name]) == sorted(metric.attributes)


async def test_every_reason_that_alerts_look_for_was_seen(seen: Seen) -> None:
    [failed] = [metric for metric in of_temporal() if metric.name == "temporal_workflow_task_execution_failed"]

    assert {f"`{reason}`" for reason in seen.reasons} == set(failed.meaning.removeprefix("By ").split(", "))
