"""The functions as processes: they serve, they end in order, and a wrong setting stops them at once."""

import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import psutil
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from temporalio.client import Client

from shared.temporal.starters import NotificationProcessingStarter
from stack.processes import free_port
from tests.contract.functions.bench import TENANT, Bench
from tests.contract.functions.framework import running, serving, starting
from tests.otlp.receiver import read_attributes, receiving
from tests.workflows.conftest import eventually


async def _again(temporal: Client, bench: Bench, notification_ids: list[int]) -> None:
    """As the listener does that hears of the row after it was sent."""
    starter = NotificationProcessingStarter(temporal, bench.environment["TEMPORAL_TASK_QUEUE"])
    run = await starter.start_or_find(bench.ours.enterprise_id, notification_ids)
    result = await temporal.get_workflow_handle(run.workflow_id, run_id=run.run_id).result()
    assert (result["sent"], result["not_claimed"]) == (0, 1)


async def test_a_call_over_http_makes_a_row_and_the_worker_sends_it(
    bench: Bench, temporal: Client, tmp_path: Path
) -> None:
    worker = running([sys.executable, "-m", "worker"], bench.environment, tmp_path / "worker")

    async with serving("trigger", bench.environment, tmp_path / "trigger") as function:
        with worker:
            async with httpx.AsyncClient(base_url=function.url, headers=TENANT) as client:
                sent = (await client.post("/trigger", json=bench.new())).json()
                query = {"workflowId": sent["workflowId"], "runId": sent["runId"]}

                async def is_completed() -> bool:
                    return bool((await client.get("/trigger", params=query)).json()["status"] == "COMPLETED")

                await eventually(is_completed)
                state = (await client.get("/trigger", params=query)).json()
                await _again(temporal, bench, sent["notificationIds"])

                async def is_told() -> bool:
                    latest = (await client.get("/trigger", params={"workflowId": sent["workflowId"]})).json()
                    return bool(latest == state)

                await eventually(is_told, within=30)
        children = psutil.Process(function.process.pid).children(recursive=True)
        function.process.send_signal(signal.SIGTERM)
        assert function.process.wait(10) == 0

    assert state["result"] == {"sent": 1, "failed": {}, "notClaimed": 0}
    assert (await bench.row(sent["notificationIds"][0]))["notification_status"] == "SENT"
    assert children != []
    assert not any(child.is_running() for child in children)
    lines = [json.loads(line) for line in function.output_file.read_text().splitlines()]
    audited = [line for line in lines if line["component"] == "FunctionsAudit"]
    assert (audited[0]["event"], audited[0]["caller"], audited[0]["outcome"]) == (
        "trigger_called",
        "tenant",
        "answered",
    )


async def test_a_call_is_one_trace_with_the_callers_and_the_workflows_and_brings_nothing_else_along(
    bench: Bench, temporal: Client, tmp_path: Path
) -> None:
    trace_id, caller_span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    headers = {
        **TENANT,
        "traceparent": f"00-{trace_id}-{caller_span_id}-01",
        "tracestate": "vendor=planted-state",
        "baggage": "customer=planted-baggage",
    }

    async with receiving() as receiver:

        def spans() -> list[Span]:
            return [received.span for received in receiver.spans() if received.span.trace_id.hex() == trace_id]

        async def have_come() -> bool:
            return len(spans()) == 3

        environment = {
            **bench.environment,
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        async with (
            serving("trigger", environment, tmp_path) as function,
            httpx.AsyncClient(base_url=function.url, headers=headers) as client,
        ):
            refused = await client.post("/trigger", json=bench.new(workflowKey="unknown"))
            sent = await client.post("/trigger", json=bench.new())
            await eventually(have_come)

    calls = [span for span in spans() if span.name == "trigger"]
    assert {span.parent_span_id.hex() for span in calls} == {caller_span_id}
    assert [read_attributes(span.attributes)["http.response.status_code"] for span in calls] == [
        refused.status_code,
        sent.status_code,
    ]
    starts = [span for span in spans() if span.parent_span_id == calls[1].span_id]
    assert [span.name for span in starts] == ["StartWorkflow:NotificationProcessingWorkflow"]
    history = await temporal.get_workflow_handle(sent.json()["workflowId"]).fetch_history()
    kept = b"".join(event.SerializeToString() for event in history.events)
    assert trace_id.encode() in kept
    assert b"planted" not in kept


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"SUPABASE_SERVICE_ROLE_KEY": ""}, "SUPABASE_SERVICE_ROLE_KEY"),
        ({"DAEMON_ENTERPRISE_IDS": ""}, "DAEMON_ENTERPRISE_IDS"),
        ({"FUNCTIONS_API_KEYS": ""}, "FUNCTIONS_TRUST_PLATFORM_IDENTITY"),
        ({"FUNCTIONS_API_KEYS": "operator:planted-secret"}, "FUNCTIONS_API_KEYS"),
        ({"FUNCTIONS_API_KEYS": f"operator:{'0' * 64}:elsewhere"}, "FUNCTIONS_API_KEYS"),
    ],
)
def test_a_wrong_setting_stops_the_process_at_once_by_name(
    tmp_path: Path, changed: Mapping[str, str], named: str
) -> None:
    valid = {
        "TEMPORAL_ADDRESS": "localhost:7233",
        "SUPABASE_URL": "http://localhost:1",
        "SUPABASE_SERVICE_ROLE_KEY": "key",
        "DAEMON_ENTERPRISE_IDS": "ent1",
        "FUNCTIONS_API_KEYS": f"operator:{'0' * 64}",
    }

    with starting("trigger", {**valid, **changed}, tmp_path, free_port()) as function:
        assert function.wait(20) == 2

    said = (tmp_path / "output").read_text()
    assert f"{named}: " in said
    assert "Traceback" not in said
    assert "planted-secret" not in said
