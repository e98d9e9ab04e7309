"""A full run seen through its telemetry: one trace for a delivery, every metric documented, nothing personal."""

import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from stack.sample_data import sample_payload
from tests.e2e import rows
from tests.e2e.logs import events, read_log
from tests.e2e.system import System, eventually, running_system
from tests.otlp.receiver import OtlpReceiver, ReceivedSpan, read_attributes, receiving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
PERSONAL = "zanzibar"
ADDRESS = f"{PERSONAL}@example.org"
OTLP_SECRET = "planted-otlp-secret"

STEPS = [
    "xnovu.hand_over",
    "StartWorkflow:NotificationProcessingWorkflow",
    "RunWorkflow:NotificationProcessingWorkflow",
    "StartActivity:deliver_notifications",
    "RunActivity:deliver_notifications",
    "xnovu.claim",
    "xnovu.render",
    "xnovu.trigger",
    "POST /v1/events/trigger",
    "xnovu.record",
    "CompleteWorkflow:NotificationProcessingWorkflow",
]
"""One delivery, in the order its steps begin."""


@dataclass(frozen=True)
class Observed:
    """A system, and who receives its telemetry."""

    system: System
    receiver: OtlpReceiver

    async def trace_of(self, notification_id: int) -> list[ReceivedSpan]:
        """The spans of the trace that names the row, once its workflow's last is there, in the order they began."""

        def spans() -> list[ReceivedSpan]:
            everything = self.receiver.spans()
            traces = {
                received.span.trace_id
                for received in everything
                if notification_id in _ids(received.attributes.get("xnovu.notification.ids"))
            }
            return [received for received in everything if received.span.trace_id in traces]

        async def is_complete() -> bool:
            return STEPS[-1] in {received.span.name for received in spans()}

        await eventually(is_complete, what=f"the trace of row {notification_id} has arrived")
        return sorted(spans(), key=lambda received: received.span.start_time_unix_nano)

    async def metric(self, name: str, **attributes: str) -> float:
        """The sum of what has these attributes, in the latest export that has any (of a histogram, of how many values
        it has); 0 before.
        """
        wanted = {f"xnovu.{key.replace('_', '.')}": value for key, value in attributes.items()}.items()
        for metric in reversed(self.receiver.metrics()):
            if metric.name == name:
                points = getattr(metric, str(metric.WhichOneof("data"))).data_points
                return sum(_number(point) for point in points if wanted <= read_attributes(point.attributes).items())
        return 0.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def observed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Observed]:
    async with (
        receiving() as receiver,
        running_system(
            tmp_path_factory.mktemp("telemetry"),
            DAEMON_LOG_LEVEL="debug",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
            OTEL_EXPORTER_OTLP_HEADERS=f"x-key={OTLP_SECRET}",
            OTEL_METRIC_EXPORT_INTERVAL="500",
            OTEL_BSP_SCHEDULE_DELAY="200",
        ) as system,
    ):
        observed = Observed(system, receiver)

        async def are_subscribed() -> bool:
            return await observed.metric("xnovu.listener.subscriptions", state="subscribed") == 3

        await eventually(are_subscribed, what="three subscriptions are measured")
        yield observed


async def test_one_trace_leads_from_the_commit_to_novus_answer(observed: Observed) -> None:
    acme = observed.system.enterprises[0]
    row = {"notification_workflow_id": acme.dynamic, "channels": ["EMAIL"], "payload": sample_payload(1)}
    found_by = "sweep"
    while found_by == "sweep":  # one that comes by may be faster than the change; the test's timeout ends this
        [alone] = await rows.insert(observed.system, "acme", row)
        inserted = time.time()
        spans = await observed.trace_of(alone)
        found_by = str(spans[0].attributes["xnovu.found_by"])
    begun_at = await rows.execute(
        observed.system, "select created_at from notify.ent_notification where id = $1", alone
    )

    assert [received.span.name for received in spans] == STEPS
    assert [received.service for received in spans] == ["xnovu-listener"] * 2 + ["xnovu-worker"] * 9
    first = spans[0].span
    assert len({received.span.trace_id for received in spans}) == 1
    # It begins with the commit, which comes after the transaction's beginning, and before whoever inserts is told.
    assert begun_at.timestamp() <= first.start_time_unix_nano / 1e9 <= inserted
    assert _path(spans, "POST /v1/events/trigger") == [
        "xnovu.hand_over",
        "StartWorkflow:NotificationProcessingWorkflow",
        "StartActivity:deliver_notifications",
        "RunActivity:deliver_notifications",
        "xnovu.trigger",
        "POST /v1/events/trigger",
    ]


async def test_a_burst_is_one_trace_for_each_batch_and_each_row_is_named(observed: Observed) -> None:
    ids = await observed.system.insert(120)
    await rows.settled(observed.system, ids)

    traces = {
        received.span.trace_id for row in (ids[0], ids[39], ids[119]) for received in await observed.trace_of(row)
    }

    assert len(traces) <= 3
    named = {
        number
        for received in observed.receiver.spans()
        if received.span.trace_id in traces
        for number in _ids(received.attributes.get("xnovu.notification.ids"))
    }
    assert {ids[0], ids[39], ids[119]} <= named <= set(ids)


async def test_outcomes_and_answers_are_measured_as_they_happened(observed: Observed) -> None:
    globex = observed.system.enterprises[1]
    of = {"enterprise_id": "globex"}
    good = {"notification_workflow_id": globex.static, "channels": ["EMAIL"]}
    bad = {"notification_workflow_id": globex.undefined_variable, "channels": ["EMAIL"]}
    ids = await rows.insert(observed.system, "globex", *[good] * 5, *[bad] * 2)
    await rows.settled(observed.system, ids)
    sent = await rows.execute(
        observed.system,
        "select count(*) from notify.ent_notification where enterprise_id = $1 and notification_status = 'SENT'",
        "globex",
    )

    async def are_counted() -> bool:
        refused = await observed.metric("xnovu.render.refusals", code="template_undefined_variable")
        failed = await observed.metric("xnovu.notifications", **of, outcome="FAILED")
        return (
            refused == failed == 2
            and await observed.metric("xnovu.notifications", **of, outcome="SENT") == sent
            and await observed.metric("xnovu.notification.commit_to_outcome.duration") > 0
            and await observed.metric("temporal_workflow_task_schedule_to_start_latency") > 0
            and await observed.metric("xnovu.task_queue.pollers", task_type="workflow") > 0
        )

    await eventually(are_counted, what="seven outcomes are measured")


async def test_a_line_logged_within_a_delivery_names_its_trace(observed: Observed) -> None:
    acme = observed.system.enterprises[0]
    [failing] = await rows.insert(
        observed.system, "acme", {"notification_workflow_id": acme.broken_template, "channels": ["EMAIL"]}
    )
    spans = await observed.trace_of(failing)

    [line] = [
        line
        for line in events(observed.system.worker.log_file, "notification_failed")
        if line["notification_id"] == failing
    ]
    assert line["trace_id"] == spans[0].span.trace_id.hex()
    assert line["span_id"] in {received.span.span_id.hex() for received in spans}


async def test_a_failed_attempt_s_line_names_its_trace_and_its_workflow(observed: Observed) -> None:
    system = observed.system
    acme = system.enterprises[0]
    await system.sink_faults({"kind": "server_error", "status": 503, "requests": 1, "workflow": "acme-welcome"})
    [row] = await rows.insert(system, "acme", {"notification_workflow_id": acme.static, "channels": ["EMAIL"]})
    spans = await observed.trace_of(row)

    [line] = [
        line
        for line in events(system.worker.log_file, "temporal_sdk")
        if line["level"] == "warn" and line["workflow_id"] == f"notification-processing/acme/{row}"
    ]
    assert (line["what"], line["attempt"]) == ("Completing activity as failed", 1)
    assert line["trace_id"] == spans[0].span.trace_id.hex()


async def test_every_line_of_note_about_a_row_or_workflow_names_a_trace(observed: Observed) -> None:
    system = observed.system
    acme = system.enterprises[0]
    await system.sink_faults({"kind": "server_error", "status": 503, "requests": 1, "workflow": "acme-welcome"})
    ids = await rows.insert(
        system,
        "acme",
        *({"notification_workflow_id": each, "channels": ["EMAIL"]} for each in (acme.static, acme.broken_template)),
    )
    for row in ids:
        await observed.trace_of(row)

    lines = [
        line
        for process in (system.listener, system.worker)
        for line in read_log(process.log_file)
        if line["level"] in ("warn", "error")
    ]

    of_rows = [line for line in lines if "notification_id" in line or "workflow_id" in line]
    assert {line["event"] for line in of_rows} >= {"notification_failed", "temporal_sdk"}
    assert [line for line in of_rows if "trace_id" not in line] == []


async def test_every_metric_that_is_sent_is_documented_with_its_unit_and_attributes(observed: Observed) -> None:
    documented = {
        name: (unit, set(re.findall(r"`([^`]+)`", attributes)))
        for name, unit, attributes in re.findall(
            r"^\| `([^`]+)` \| (?:counter|gauge|histogram) \| `([^`]+)` \| ([^|]+) \|",
            DOCUMENT.read_text(),
            re.MULTILINE,
        )
    }

    sent = [metric for metric in observed.receiver.metrics() if not metric.name.startswith("temporal_")]

    assert len({metric.name for metric in sent}) > 20
    for metric in sent:
        unit, attributes = documented[metric.name]
        assert metric.unit == unit, metric.name
        for point in getattr(metric, str(metric.WhichOneof("data"))).data_points:
            assert read_attributes(point.attributes).keys() <= attributes, metric.name


async def test_neither_telemetry_nor_a_log_holds_a_secret_an_address_or_a_payload(observed: Observed) -> None:
    system = observed.system
    acme = system.enterprises[0]
    email = {"channels": ["EMAIL"], "recipients": [ADDRESS], "payload": {"name": PERSONAL, "email": ADDRESS}}
    await system.sink_faults(
        {"kind": "server_error", "status": 500, "requests": 1, "workflow": "acme-welcome"},
        {"kind": "event_status", "workflow": "acme-refused", "error": [f"subscriber {ADDRESS} is unknown"]},
    )
    greeting = await rows.insert_template(
        system, "acme", "acme-telemetry", f"<p>{PERSONAL} {{{{ name }}}}</p>", subject=f"{PERSONAL}"
    )
    refused = await rows.insert_email_workflow(system, "acme", "acme-refused", greeting)
    workflows = (acme.static, acme.dynamic, acme.broken_template, acme.undefined_variable, refused)
    ids = await rows.insert(
        system, "acme", *({**email, "notification_workflow_id": workflow} for workflow in workflows)
    )
    [odd] = await rows.insert(
        system, "acme", {"notification_workflow_id": acme.static, "recipients": [ADDRESS], "payload": [PERSONAL]}
    )
    found = await rows.settled(system, [*ids, odd])
    for row in (*ids, odd):
        await observed.trace_of(row)

    assert {row.status for row in found.values()} == {"SENT", "FAILED"}
    environment = system.stack.environment
    secrets = [environment["SUPABASE_SERVICE_ROLE_KEY"], environment["NOVU_SECRET_KEY"], OTLP_SECRET]
    logs = [process.log_file for process in (system.listener, system.worker)]
    assert all(read_log(file) != [] for file in logs)
    said = b"".join([*observed.receiver.bodies, *(file.read_bytes() for file in logs)])
    assert {headers["x-key"] for headers in observed.receiver.headers} == {OTLP_SECRET}
    for planted in (PERSONAL, ADDRESS, *secrets):
        assert planted.encode() not in said


def _ids(value: object) -> list[int]:
    return value if isinstance(value, list) else []


def _number(point: Any) -> float:
    return float(point.count if hasattr(point, "bucket_counts") else point.as_int or point.as_double)


def _path(spans: list[ReceivedSpan], name: str) -> list[str]:
    """The names from the root of the trace down to the span of this name."""
    by_id = {received.span.span_id: received.span for received in spans}
    [span] = [received.span for received in spans if received.span.name == name]
    path = [span.name]
    while span.parent_span_id:
        span = by_id[span.parent_span_id]
        path.insert(0, span.name)
    return path
