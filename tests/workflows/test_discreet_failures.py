"""What Temporal keeps of failures: foreign exceptions by type and place, wherever in a worker they are raised."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from shared.ports import StoreUnavailable
from shared.temporal.discreet import DATA_CONVERTER
from shared.temporal.messages import MAX_BATCH_SIZE, NotificationProcessingInput
from tests.workflows.conftest import PATIENCE_SECONDS, eventually
from worker.registry import WORKFLOWS
from worker.workflows.notification_processing import NotificationProcessingWorkflow

PERSON = "zanzibar@example.org"

TWICE = RetryPolicy(maximum_attempts=2, initial_interval=timedelta(milliseconds=10))


@dataclass(frozen=True)
class Asked:
    where: str
    numbers: list[int]


def quote(kind: str) -> None:
    """Raise as our code, or a library beneath it, might."""
    try:
        raise KeyError(PERSON)
    except KeyError as error:
        if kind == "refused":
            raise ApplicationError("refused", type="Refused", non_retryable=True) from error
        if kind == "unavailable":
            raise StoreUnavailable("away") from error
        if kind == "group":
            raise ExceptionGroup(PERSON, [ValueError(PERSON), StoreUnavailable("away")]) from None
        raise ValueError(f"no such person: {PERSON}") from error


@activity.defn
async def act(kind: str) -> None:
    activity.heartbeat(activity.info().attempt)
    quote(kind)


@workflow.defn(failure_exception_types=[ValueError])
class Failing:
    @workflow.run
    async def run(self, asked: Asked) -> None:
        where, _, kind = asked.where.partition(" ")
        if where == "local":
            await workflow.execute_local_activity(
                act, kind, start_to_close_timeout=timedelta(seconds=5), retry_policy=TWICE
            )
        if where == "activity":
            await workflow.execute_activity(act, kind, start_to_close_timeout=timedelta(seconds=5), retry_policy=TWICE)
        quote(kind)


@pytest_asyncio.fixture(loop_scope="session")
async def client(temporal: Client, task_queue: str) -> AsyncIterator[Client]:
    """A client as ours are made, with a worker of its own."""
    config = temporal.config()
    config["data_converter"] = DATA_CONVERTER
    discreet = Client(**config)
    async with Worker(
        discreet,
        task_queue=task_queue,
        workflows=[Failing],
        activities=[act],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield discreet


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("activity value", [("ValueError", "ValueError in quote"), ("KeyError", "KeyError in quote")]),
        ("activity unavailable", [("StoreUnavailable", "away"), ("KeyError", "KeyError in quote")]),
        ("activity refused", [("Refused", "refused"), ("KeyError", "KeyError in quote")]),
        ("activity group", [("ExceptionGroup", "ExceptionGroup (ValueError, StoreUnavailable: away) in quote")]),
        ("local value", [("ValueError", "ValueError in quote"), ("KeyError", "KeyError in quote")]),
        ("workflow value", [("ValueError", "ValueError in quote"), ("KeyError", "KeyError in quote")]),
    ],
)
@pytest.mark.asyncio(loop_scope="session")
async def test_a_failure_keeps_types_and_places(
    client: Client, task_queue: str, where: str, told: list[tuple[str, str]]
) -> None:
    handle = await client.start_workflow(
        Failing.run, Asked(where, []), id=f"failing/{uuid.uuid4()}", task_queue=task_queue
    )

    with pytest.raises(WorkflowFailureError):
        await handle.result()

    events = (await handle.fetch_history()).events
    assert all(PERSON.encode() not in event.SerializeToString() for event in events)
    last = events[-1]
    assert last.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED
    found = [
        (failure.application_failure_info.type, failure.message)
        for failure in causes(last.workflow_execution_failed_event_attributes.failure)
        if failure.HasField("application_failure_info")
    ]
    assert [kind for kind, _ in found] == [kind for kind, _ in told]
    assert all(message.startswith(text) for (_, message), (_, text) in zip(found, told, strict=True))
    assert "in quote" in last.workflow_execution_failed_event_attributes.failure.SerializeToString().decode("latin-1")


@pytest.mark.asyncio(loop_scope="session")
async def test_an_input_that_cannot_be_read_is_not_quoted(client: Client, task_queue: str) -> None:
    handle = await client.start_workflow(
        "Failing",
        {"where": "activity value", "numbers": ["no-number"]},
        id=f"failing/{uuid.uuid4()}",
        task_queue=task_queue,
        execution_timeout=timedelta(seconds=2 * PATIENCE_SECONDS),
    )

    async def failed() -> bool:
        return any(
            event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
            for event in (await handle.fetch_history()).events
        )

    await eventually(failed)

    [failure, *_] = [
        event.workflow_task_failed_event_attributes.failure
        for event in (await handle.fetch_history()).events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    ]
    assert b"no-number" not in failure.SerializeToString()
    assert "converter" in failure.SerializeToString().decode("latin-1")


def causes(failure: Failure) -> list[Failure]:
    """The failure, its cause, and so on."""
    return [failure, *(causes(failure.cause) if failure.HasField("cause") else [])]


@pytest.mark.asyncio(loop_scope="session")
async def test_our_own_workflows_fail_in_their_own_words_from_within_the_sandbox(
    client: Client, task_queue: str
) -> None:
    queue = f"{task_queue}-ours"
    async with Worker(client, task_queue=queue, workflows=WORKFLOWS):
        handle = await client.start_workflow(
            NotificationProcessingWorkflow.run,
            NotificationProcessingInput("ent1", []),
            id=f"failing/{uuid.uuid4()}",
            task_queue=queue,
        )
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()

    assert isinstance(failed.value.cause, ApplicationError)
    assert (failed.value.cause.type, failed.value.cause.message) == (
        "InvalidInput",
        f"notification_ids must hold 1 to {MAX_BATCH_SIZE} ids",
    )
