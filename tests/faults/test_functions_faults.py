"""Every await of the functions meets a foreign exception in turn: a problem is answered and counted, the next works.

Which call comes to which await is found out by making each once. An await that none comes to fails the test: give it
to the function whose calls come to it (MODULES), or add a call.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from functions.scaling import autoscaler
from shared.cloud_run import worker_pool
from shared.temporal.messages import NotificationProcessingInput, NotificationProcessingResult, Portion
from shared.temporal.names import NOTIFICATION_PROCESSING_WORKFLOW, notification_processing_id
from tests.cloud_run.serving import serving as serving_cloud_run
from tests.cloud_run.worker_pools import WorkerPools
from tests.contract.functions import test_webhook as webhook
from tests.contract.functions.bench import OPERATOR, TENANT, Bench, open_function
from tests.faults.await_points import AwaitPoint, await_points
from tests.faults.counted import Counted
from tests.faults.injector import CANARY, noting_points, raising_once_at
from tests.workflows.conftest import eventually

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")

MODULES = {
    "trigger": (
        "functions.connections",
        "functions.deliveries",
        "functions.json_body",
        "functions.trigger",
        "functions.trigger_endpoint",
        "shared.supabase.client",
        "shared.supabase.sql_function",
        "shared.supabase.trigger_store",
        "shared.temporal.client",
        "shared.temporal.starters",
    ),
    "webhook": ("functions.bootstrap", "functions.webhook_endpoint"),
    "health": ("functions.health_endpoint", "shared.supabase.health_store"),
    "status": ("functions.health_endpoint", "shared.temporal.observation"),
    "autoscale": (
        "functions.autoscale_endpoint",
        "functions.endpoint",
        "functions.looks",
        "functions.scaling.autoscaler",
        "functions.scaling.figures",
        "shared.cloud_run.worker_pool",
        "shared.supabase.scaler_store",
        "shared.temporal.open_work",
        "shared.temporal.task_queues",
    ),
    "autoscale of builds": ("shared.temporal.task_queues",),
}
"""Of each function. functions.main but awaits these in the framework, whose answer to what they raise is 500, too."""

NOT_IN_ITS_CALLS = {
    "trigger": {
        "Connections.close",
        "SupabaseConnection.close",
        "_RowWorkflowStarter.start",
        "_RowWorkflowStarter.wait",
        "connect",
        "connect_anew",
        "connect_at_first_call",
        "connect_once",
        "connect_unless_stopped",
    },
    "webhook": set(),
    "health": {"HealthEndpoint.status"},
    "status": {"HealthEndpoint.health"},
    "autoscale": {"CloudRunWorkerPool.close", "_read_build", "read_build_queues"},
    "autoscale of builds": {"_read", "read_task_queues"},
}


def points_of_function(function: str) -> list[AwaitPoint]:
    """Those that its calls come to."""
    return [point for point in await_points(*MODULES[function]) if point.function not in NOT_IN_ITS_CALLS[function]]


POINTS = [point for function in MODULES for point in points_of_function(function)]
LATER = datetime(2100, 1, 1, tzinfo=UTC)

Call = Callable[[], Awaitable[httpx.Response | None]]
"""Calls the function once, and may do so again. Its answer, if that is not as it should be."""

Function = Callable[[], AbstractAsyncContextManager[Mapping[str, Call]]]


@workflow.defn(name=NOTIFICATION_PROCESSING_WORKFLOW)
class Processed:
    """Has nothing to do, and comes too late if it is told so."""

    @workflow.run
    async def run(self, input: NotificationProcessingInput) -> NotificationProcessingResult:
        if input.others:
            return NotificationProcessingResult(not_claimed=len(input.notification_ids))
        return NotificationProcessingResult(sent=len(input.notification_ids))


async def an_ended_run(bench: Bench, temporal: Client) -> str:
    """Its workflow id; another run of that id came too late."""
    row_id = await bench.insert(bench.ours)
    workflow_id = notification_processing_id(bench.ours.enterprise_id, [row_id])
    queue = f"ended-{uuid4()}"
    async with Worker(temporal, task_queue=queue, workflows=[Processed], workflow_runner=UnsandboxedWorkflowRunner()):
        for others in ([], [Portion("nobody", [])]):
            await temporal.execute_workflow(
                NOTIFICATION_PROCESSING_WORKFLOW,
                NotificationProcessingInput(bench.ours.enterprise_id, [row_id], others),
                id=workflow_id,
                task_queue=queue,
            )

    async def are_listed() -> bool:
        return (await temporal.count_workflows(f"WorkflowId = '{workflow_id}'")).count == 2

    await eventually(are_listed, within=30)
    return workflow_id


def trigger_calls(bench: Bench, trigger: httpx.AsyncClient, ended: str) -> Mapping[str, Call]:
    """Each makes rows and keys of its own. What was not answered well is repeated with its key: it is done once."""

    def key() -> dict[str, str]:
        return {**TENANT, "Idempotency-Key": str(uuid4())}

    async def create(**members: Any) -> httpx.Response | None:
        headers, before = key(), await bench.count()
        answer = await trigger.post("/trigger", json=bench.new(**members), headers=headers)
        if not answer.is_success:
            assert await bench.count() - before in (0, 2), "the row and its key, or neither"
            again = await trigger.post("/trigger", json=bench.new(**members), headers=headers)
            assert again.is_success, again.text
        assert await bench.count() - before == 2
        (row_id,) = (answer if answer.is_success else again).json()["notificationIds"]
        assert (await bench.row(row_id))["notification_status"] == "PENDING", "the sweep finds it"
        return None if answer.is_success else answer

    async def create_for_later() -> httpx.Response | None:
        return await create(scheduledFor=LATER.isoformat())

    async def send(**columns: Any) -> httpx.Response | None:
        row_id, headers = await bench.insert(bench.ours, **columns), key()
        answer = await trigger.post("/trigger", json={"notificationId": row_id}, headers=headers)
        if answer.is_success:
            return None
        again = await trigger.post("/trigger", json={"notificationId": row_id}, headers=headers)
        assert (again.status_code, again.json()["notificationIds"]) == (200, [row_id])
        return answer

    async def send_later() -> httpx.Response | None:
        return await send(scheduled_for=LATER.isoformat())

    async def dry_run() -> httpx.Response | None:
        row_id = await bench.insert(bench.ours)
        body = {"notificationId": row_id, "dryRun": True}
        return unless(200, await trigger.post("/trigger", json=body, headers=key()))

    async def look() -> httpx.Response | None:
        return unless(200, await trigger.get("/trigger", params={"workflowId": ended}, headers=TENANT))

    calls = (create, create_for_later, send, send_later, dry_run, look)
    return {call.__name__: call for call in calls}


def webhook_calls(client: httpx.AsyncClient) -> Mapping[str, Call]:
    """Of a message of which no account is kept."""

    async def hear() -> httpx.Response | None:
        return unless(200, await webhook.tell(client, webhook.event("nobody", 1)))

    return {"hear": hear}


def observing_calls(client: httpx.AsyncClient, function: str) -> Mapping[str, Call]:
    """Nobody listens or works: 503 is the right answer, with a report."""

    async def look() -> httpx.Response | None:
        return unless(503, await client.get(f"/{function}", headers=OPERATOR))

    return {"look": look}


def autoscale_calls(client: httpx.AsyncClient, pools: WorkerPools) -> Mapping[str, Call]:
    async def tick() -> httpx.Response | None:
        pools.set_by_hand(0)
        return unless(200, await client.post("/", headers=OPERATOR))

    async def document() -> httpx.Response | None:
        return unless(200, await client.get("/openapi.json"))

    return {"tick": tick, "document": document}


def unless(status: int, answer: httpx.Response) -> httpx.Response | None:
    """The answer, if it is another than that."""
    return None if answer.status_code == status else answer


@asynccontextmanager
async def serving(
    function: str, bench: Bench, temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Function]:
    """How to serve the function as an instance does that has just been started: nothing is open yet."""
    pools = WorkerPools(f"projects/p/locations/l/workerPools/w-{uuid4().hex[:12]}", on_change=lambda _: None)
    ended = await an_ended_run(bench, temporal)
    async with serving_cloud_run(pools) as endpoint:
        scaling = {
            "AUTOSCALE_WORKER_POOL": pools.name,
            "AUTOSCALE_CLOUD_RUN_ENDPOINT": endpoint,
            "AUTOSCALE_MIN_INSTANCES": "1",
            "AUTOSCALE_MAX_INSTANCES": "10",
            "AUTOSCALE_TASKS_PER_SECOND": "2",
        }
        builds = {"TEMPORAL_WORKER_DEPLOYMENT_NAME": "xnovu"}
        more = {
            "autoscale": scaling,
            "autoscale of builds": scaling | builds,
            "webhook": {"NOVU_WEBHOOK_SECRETS": webhook.SECRETS},
        }
        environment = {**bench.environment, **more.get(function, {})}

        @asynccontextmanager
        async def afresh() -> AsyncIterator[Mapping[str, Call]]:
            async with open_function(function.split()[0], environment, monkeypatch) as client:
                if function == "trigger":
                    yield trigger_calls(bench, client, ended)
                elif function == "webhook":
                    yield webhook_calls(client)
                elif function.startswith("autoscale"):
                    yield autoscale_calls(client, pools)
                else:
                    yield observing_calls(client, function)

        yield afresh


@pytest.mark.parametrize("function", MODULES)
async def test_an_await_of_a_function_that_fails_costs_one_answer(
    function: str, bench: Bench, temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autoscaler, "HOLD_SECONDS", 1e-6)  # a tick whose end fails keeps off the next for so long
    monkeypatch.setattr(worker_pool, "OUTCOME_TIMEOUT_SECONDS", 0.02)
    counted = Counted.instead(monkeypatch)
    points = points_of_function(function)
    async with serving(function, bench, temporal, monkeypatch) as afresh:
        first: dict[AwaitPoint, str] = {}
        later: dict[AwaitPoint, str] = {}
        async with afresh() as calls:
            names = list(calls)
        for name in names:
            async with afresh() as calls:
                for comes_to in (first, later):
                    with noting_points(points) as reached:
                        assert await calls[name]() is None
                    comes_to.update(dict.fromkeys(reached - comes_to.keys(), name))
        assert not [str(point) for point in points if point not in first], "no call comes here: see MODULES"
        assert counted.faults == []

        async def meet(point: AwaitPoint, call: Call) -> None:
            with raising_once_at(point) as injection:
                answer = await call()
            again = await call()

            assert injection.has_fired or injection.was_left, point
            if injection.has_fired:
                assert answer is not None, f"{point}: nobody was told"
                assert (answer.status_code, answer.json()["code"]) == (500, "internal_error"), point
                assert counted.faults == [(f"function {function.split()[0]}", "Foreign")], point
                assert CANARY not in answer.text
            assert again is None, point
            counted.faults.clear()

        async with afresh() as calls:
            for point, name in later.items():
                await meet(point, calls[name])
        for point in first.keys() - later.keys():
            async with afresh() as calls:
                await meet(point, calls[first[point]])
