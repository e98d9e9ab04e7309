"""A foreign exception that quotes a person, raised at every port a worker has: the person is in no history, no pending
attempt, no line of the log, no span and no metric; and the work is done all the same.
"""

import asyncio
import errno
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from postgrest.exceptions import APIError
from pydantic import TypeAdapter
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from shared import json_logs
from shared.notification.models import Channel
from shared.notification.priority import NORMAL
from shared.ports import CronRules, DueScheduled, FiredRules, RetractedNotification
from shared.temporal.discreet import DATA_CONVERTER
from shared.temporal.messages import NotificationProcessingInput, NotificationRetractionInput, SchedulerInput
from shared.temporal.names import STOP_SIGNAL
from shared.temporal.tracing import RowTracing
from tests.unit.telemetry.conftest import Recorded, recorded  # noqa: F401 - a fixture
from tests.unit.worker.builders import (
    DYNAMIC,
    FakeRenderer,
    FakeStore,
    FakeTrigger,
    a_notification,
    an_addressing,
    doubts,
)
from tests.workflows.conftest import PATIENCE_SECONDS
from worker.activities.notification_delivery import NotificationDelivery
from worker.activities.retraction_cancelling import RetractionCancelling
from worker.activities.rule_firing import RuleFiring
from worker.activities.scheduled_delivery import ScheduledDelivery
from worker.measured import MeasuredClaims, MeasuredRenderer, MeasuredTrigger
from worker.registry import WORKFLOWS

pytestmark = pytest.mark.asyncio(loop_scope="session")

PERSON = "zanzibar@example.org"

NOW = datetime.now(UTC)


class Speechless(Exception):
    """Cannot even say what it is."""

    def __str__(self) -> str:
        raise ValueError(PERSON)


def caused() -> Exception:
    error = RuntimeError(PERSON)
    error.__cause__ = KeyError(PERSON)
    error.__cause__.__context__ = ValueError(PERSON)
    error.add_note(PERSON)
    return error


def unreadable() -> Exception:
    with pytest.raises(ValueError, match="zanzibar") as raised:
        TypeAdapter(dict[str, int]).validate_python({PERSON: PERSON})
    return raised.value


KINDS: tuple[Callable[[], Exception], ...] = (
    lambda: ValueError(PERSON),
    caused,
    lambda: httpx.ReadError(PERSON),
    lambda: APIError(
        {"code": "23514", "message": PERSON, "details": f"Failing row contains ({PERSON})", "hint": PERSON}
    ),
    lambda: ExceptionGroup(PERSON, [KeyError(PERSON), ExceptionGroup(PERSON, [ValueError(PERSON)])]),
    unreadable,
    lambda: OSError(errno.ENOSPC, PERSON),
    Speechless,
)


class Stores:
    """Rows, rules, retractions and schedules that there are none of, or one."""

    async def cron_rules(self, enterprise_id: str) -> CronRules:
        return CronRules(NOW, ())

    async def fire_rules(self, enterprise_id: str, firings: Any, *, next_due_at: datetime | None) -> FiredRules:
        return FiredRules(0, 0, (), ())

    async def due_scheduled(self, enterprise_id: str, *, limit: int) -> DueScheduled:
        return DueScheduled(NOW, (1,), has_more=False, next_due_at=None)

    async def start(self, enterprise_id: str, notification_ids: Any, *, priority: int = NORMAL) -> bool:
        return True

    async def retractions_to_cancel(self, enterprise_id: str, notification_ids: Any) -> list[RetractedNotification]:
        return [RetractedNotification(1, "xnovu.acme.1", 1)]

    async def record_cancellations(self, enterprise_id: str, cancellations: Mapping[int, Any]) -> frozenset[int]:
        return frozenset(cancellations)

    async def cancel(self, transaction_id: str) -> bool:
        return True


class Injecting:
    """A port one of whose methods raises, once."""

    def __init__(self, port: Any, method: str, error: Callable[[], Exception]) -> None:
        self._port = port
        self._method = method
        self._error = error
        self.raised = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name != self._method or self.raised:
            return method

        async def fail(*arguments: Any, **named: Any) -> Any:
            self.raised += 1
            raise self._error()

        return fail


PROCESSING = "NotificationProcessingWorkflow"
RETRACTION = "NotificationRetractionWorkflow"
CRON = "CronSchedulingWorkflow"
SCHEDULED = "ScheduledNotificationWorkflow"

PORTS = (
    *((PROCESSING, method) for method in ("claim", "render", "trigger", "record_outcomes")),
    *((RETRACTION, method) for method in ("retractions_to_cancel", "cancel", "record_cancellations")),
    *((CRON, method) for method in ("cron_rules", "fire_rules")),
    *((SCHEDULED, method) for method in ("due_scheduled", "start")),
)


@dataclass(frozen=True)
class Case:
    """One workflow, with one of its ports failing in one way."""

    workflow: str
    method: str
    error: Callable[[], Exception]

    def injected(self) -> tuple[list[Injecting], list[Callable[..., Any]]]:
        """The ports, and the activities on them."""

        def on(port: Any) -> Any:
            ports.append(Injecting(port, self.method, self.error))
            return ports[-1]

        ports: list[Injecting] = []
        row = a_notification(
            1, workflow=DYNAMIC, channels=(Channel.EMAIL,), recipients=(PERSON,), payload={PERSON: PERSON}
        )
        delivery = NotificationDelivery(
            MeasuredClaims(on(FakeStore(row))),
            MeasuredTrigger(on(FakeTrigger())),
            MeasuredRenderer(on(FakeRenderer())),
            an_addressing(),
            doubts(),
            claim_lease_seconds=120,
        )
        stores = on(Stores())
        return ports, [
            delivery.deliver,
            delivery.give_up,
            RetractionCancelling(stores, lambda _: stores).cancel_retracted,
            RuleFiring(stores).fire_due_rules,
            ScheduledDelivery(stores, stores).start_due,
        ]

    @property
    def input(self) -> Any:
        match self.workflow:
            case "NotificationProcessingWorkflow":
                return NotificationProcessingInput("acme", [1])
            case "NotificationRetractionWorkflow":
                return NotificationRetractionInput("acme", [1])
            case _:
                return SchedulerInput("acme")


CASES = [
    Case(workflow, method, KINDS[(place + turn) % len(KINDS)])
    for turn in range(2)
    for place, (workflow, method) in enumerate(PORTS)
] + [Case(PROCESSING, "record_outcomes", kind) for kind in KINDS]


async def test_no_exception_takes_a_person_out_of_the_worker(
    temporal: Client,
    recorded: Recorded,  # noqa: F811 - the fixture
) -> None:
    config = temporal.config()
    config["data_converter"] = DATA_CONVERTER
    config["interceptors"] = [RowTracing()]
    client = Client(**config)

    with lines_of_the_log() as lines:
        kept = await asyncio.gather(*(play(client, case) for case in CASES))

    assert PERSON.encode() not in b"".join(kept)
    text = "\n".join(lines)
    assert PERSON not in text
    for kind in ("ValueError", "RuntimeError", "ReadError", "APIError", "ExceptionGroup", "ValidationError", "ENOSPC"):
        assert kind in text, "each was told, by its type"
    recorded.tracers.force_flush()
    spans = recorded.exporter.get_finished_spans()
    assert {"error.type"} <= {name for span in spans for name in span.attributes or {}}
    assert PERSON not in "".join(span.to_json() for span in spans)
    data = recorded.reader.get_metrics_data()
    assert data is not None
    assert PERSON not in data.to_json()


async def play(client: Client, case: Case) -> bytes:
    """Run the case to its end; all that Temporal kept of it, pending attempts too, as long as there were any."""
    ports, activities = case.injected()
    queue = str(uuid.uuid4())
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=activities))
        handle: WorkflowHandle[Any, Any] = await client.start_workflow(
            case.workflow, case.input, id=f"{case.workflow}/{case.method}/{queue}", task_queue=queue
        )
        seen: list[bytes] = []
        looking = asyncio.create_task(look_on(handle, seen))
        if case.workflow in (CRON, SCHEDULED):
            while not any(port.raised for port in ports):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.02)
            await handle.signal(STOP_SIGNAL)
        await asyncio.wait_for(handle.result(), timeout=PATIENCE_SECONDS)
        looking.cancel()
    assert sum(port.raised for port in ports) == 1, case
    history = (await handle.fetch_history()).events
    return b"".join([*seen, *(event.SerializeToString() for event in history)])


async def look_on(handle: WorkflowHandle[Any, Any], seen: list[bytes]) -> None:
    """Note what Temporal tells of the workflow while it runs: its attempts' last failures and heartbeats are there."""
    while True:
        seen.append((await handle.describe()).raw_description.SerializeToString())
        await asyncio.sleep(0.3)


@contextmanager
def lines_of_the_log() -> Iterator[list[str]]:
    """All that any logger says, as our processes would write it."""
    lines: list[str] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Collecting()
    handler.setFormatter(json_logs.Formatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
