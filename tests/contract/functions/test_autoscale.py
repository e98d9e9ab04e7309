"""The autoscale function over HTTP: the real Temporal and database, and Cloud Run's own protocol."""

import asyncio
import copy
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import httpx
import pytest
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion

from functions import looks
from functions.openapi import openapi_document
from shared.temporal.names import NOTIFICATION_PROCESSING_WORKFLOW
from shared.temporal.open_work import count_running_deliveries
from stack.processes import free_port
from tests.cloud_run.metadata import instance_of_a_service
from tests.cloud_run.serving import serving as serving_cloud_run
from tests.cloud_run.worker_pools import WorkerPools
from tests.contract.functions.bench import OPERATOR, TENANT, Bench, open_function
from tests.contract.functions.framework import schemathesis, serving, starting
from tests.contract.functions.test_trigger_refusals import assert_problem
from tests.contract.functions.versioned import current_worker
from tests.otlp.receiver import read_attributes, receiving
from tests.unit.functions.test_platform_identity import claims, token
from tests.workflows.conftest import eventually


@dataclass(frozen=True)
class Scaled:
    """A pool of Cloud Run's, and what the function needs to know of it."""

    pools: WorkerPools
    environment: Mapping[str, str]
    bench: Bench


@pytest.fixture
async def scaled(bench: Bench) -> AsyncIterator[Scaled]:
    """A pool of no instances, whose count is never acted upon."""
    pools = WorkerPools(f"projects/p/locations/l/workerPools/w{uuid4().hex[:12]}", on_change=lambda _: None)
    async with serving_cloud_run(pools) as endpoint:
        environment = {
            **bench.environment,
            "AUTOSCALE_WORKER_POOL": pools.name,
            "AUTOSCALE_CLOUD_RUN_ENDPOINT": endpoint,
            "AUTOSCALE_MIN_INSTANCES": "0",
            "AUTOSCALE_MAX_INSTANCES": "10",
            "AUTOSCALE_TASKS_PER_SECOND": "2",
        }
        yield Scaled(pools, environment, bench)


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What the scaler logs during the test."""
    written: list[dict[str, Any]] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append({"event": record.getMessage(), **record.__dict__})

    handler = Collecting()
    logger = logging.getLogger("Autoscaler")
    logger.addHandler(handler)
    yield written
    logger.removeHandler(handler)


async def _queue(temporal: Client, scaled: Scaled, count: int) -> None:
    """Deliveries that wait for a worker."""
    queue = scaled.environment["TEMPORAL_TASK_QUEUE"]
    for _ in range(count):
        await temporal.start_workflow(
            NOTIFICATION_PROCESSING_WORKFLOW,
            {"enterprise_id": scaled.bench.ours.enterprise_id, "notification_ids": [1]},
            id=f"notification-processing/autoscale-{uuid4()}",
            task_queue=queue,
        )


async def _end(temporal: Client, scaled: Scaled) -> None:
    queue = scaled.environment["TEMPORAL_TASK_QUEUE"]
    async for each in temporal.list_workflows(f"TaskQueue = '{queue}' AND ExecutionStatus = 'Running'"):
        await temporal.get_workflow_handle(each.id).terminate()


async def test_work_that_waits_brings_workers(
    scaled: Scaled, temporal: Client, monkeypatch: pytest.MonkeyPatch, lines: list[dict[str, Any]]
) -> None:
    await _queue(temporal, scaled, 3)

    async with open_function("autoscale", scaled.environment, monkeypatch) as function:
        answer = await function.post("/", headers=OPERATOR)
    await _end(temporal, scaled)

    body = answer.json()
    assert (answer.status_code, body["verdict"], body["current"]) == (200, "up", 0)
    assert body["backlog"] == 3
    assert scaled.pools.instances == body["instances"] >= 1
    [line] = [line for line in lines if line["event"] == "scaling_decided"]
    assert (line["verdict"], line["pool"], line["current"]) == ("up", scaled.pools.name, 0)
    assert line["seen"]["workflow"]["backlog"] == 3
    assert line["limits"]["tasks_per_second"] == 2
    assert line["memory"]["instances"] == scaled.pools.instances


async def test_a_call_looks_as_often_as_it_is_asked_to_and_one_look_that_fails_ends_none_of_the_others(
    scaled: Scaled, temporal: Client, monkeypatch: pytest.MonkeyPatch, lines: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(looks, "MINUTE_SECONDS", 0.8)
    await _queue(temporal, scaled, 3)
    scaled.pools.fails = [grpc.StatusCode.PERMISSION_DENIED]

    async with open_function("autoscale", scaled.environment, monkeypatch) as function:
        answer = await function.post("/autoscale?looks=4", headers=OPERATOR)
        refused = await function.post("/autoscale?looks=5", headers=OPERATOR)
    await _end(temporal, scaled)

    decided = [(line["verdict"], line["reason"]) for line in lines if line["event"] == "scaling_decided"]
    assert decided[:2] == [("hold", "cloud_run"), ("up", None)]
    assert len(decided) == 4
    assert (answer.status_code, answer.json()["verdict"]) == (200, decided[-1][0])
    assert_problem(refused, 400, "invalid_request")


async def test_where_workers_are_versioned_each_build_s_pool_is_scaled_by_its_own_figures(
    scaled: Scaled, temporal: Client, monkeypatch: pytest.MonkeyPatch, lines: list[dict[str, Any]]
) -> None:
    """The old build has what it began, the new one what comes; a third has never had a worker."""
    queue, base = scaled.environment["TEMPORAL_TASK_QUEUE"], scaled.pools.name
    deployment = f"d-{uuid4().hex[:8]}"
    old, new, unknown = (WorkerDeploymentVersion(deployment, letter * 12) for letter in "abc")
    pools = [
        WorkerPools(f"{base}-{build.build_id}", on_change=lambda _: None, instances=3) for build in (new, old, unknown)
    ]

    async def are_running(build: WorkerDeploymentVersion, count: int) -> bool:
        return await count_running_deliveries(temporal, queue, build) == count

    async with serving_cloud_run(*pools) as endpoint, current_worker(temporal, queue, old):
        environment = {
            **scaled.environment,
            "AUTOSCALE_CLOUD_RUN_ENDPOINT": endpoint,
            "AUTOSCALE_MIN_INSTANCES": "1",
            "AUTOSCALE_TASKS_PER_SECOND": "1000",
            "AUTOSCALE_WORKER_POOL": ",".join(pool.name for pool in pools),
            "TEMPORAL_WORKER_DEPLOYMENT_NAME": deployment,
        }
        await _queue(temporal, scaled, 2)
        await eventually(lambda: are_running(old, 2))
        async with current_worker(temporal, queue, new):
            await _queue(temporal, scaled, 5)
            await eventually(lambda: are_running(new, 5))
            async with open_function("autoscale", environment, monkeypatch) as function:
                body = (await function.post("/", headers=OPERATOR)).json()
        await _end(temporal, scaled)

    assert [each["pool"] for each in body["others"]] == [pool.name for pool in pools[1:]]
    told = [(each["verdict"], each["reason"], each["running"], each["current"]) for each in (body, *body["others"])]
    assert told == [("steady", None, 5, 3), ("steady", None, 2, 3), ("hold", "no_pollers", 0, 3)]
    least = {line["pool"]: line["limits"]["min_instances"] for line in lines if line["event"] == "scaling_decided"}
    assert least == {pools[0].name: 1, pools[1].name: 0, pools[2].name: 0}


async def test_without_work_nothing_is_touched(scaled: Scaled, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_function("autoscale", scaled.environment, monkeypatch) as function:
        answers = [(await function.post("/autoscale", headers=OPERATOR)).json() for _ in range(3)]

    assert [(answer["verdict"], answer["instances"]) for answer in answers] == [("steady", 0)] * 3
    assert scaled.pools.changes == []


async def test_of_two_ticks_at_once_one_acts(scaled: Scaled, temporal: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    await _queue(temporal, scaled, 1)

    async with open_function("autoscale", scaled.environment, monkeypatch) as function:
        answers = await asyncio.gather(*(function.post("/", headers=OPERATOR) for _ in range(4)))
    await _end(temporal, scaled)

    acted = [answer for answer in answers if answer.status_code == 200]
    assert len(acted) == 1
    for answer in answers:
        if answer is not acted[0]:
            assert_problem(answer, 409, "tick_in_progress")
    assert len(scaled.pools.changes) == 1


async def test_workers_that_do_not_poll_are_held(scaled: Scaled, monkeypatch: pytest.MonkeyPatch) -> None:
    scaled.pools.instances = 3

    async with open_function("autoscale", scaled.environment, monkeypatch) as function:
        body = (await function.post("/", headers=OPERATOR)).json()

    assert (body["verdict"], body["reason"], body["instances"]) == ("hold", "no_pollers", 3)
    assert scaled.pools.changes == []


async def test_a_pool_that_somebody_changes_meanwhile_is_held(
    scaled: Scaled, temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _queue(temporal, scaled, 1)
    scaled.pools.changes_between = True

    async with open_function("autoscale", scaled.environment, monkeypatch) as function:
        body = (await function.post("/", headers=OPERATOR)).json()
    await _end(temporal, scaled)

    assert (body["verdict"], body["reason"]) == ("hold", "pool_changed")
    assert scaled.pools.changes == []


@pytest.mark.parametrize(
    ("variable", "dependency", "reason"),
    [
        ("TEMPORAL_ADDRESS", "temporal", "temporal"),
        ("NEXT_PUBLIC_SUPABASE_URL", "supabase", "database"),
        ("AUTOSCALE_CLOUD_RUN_ENDPOINT", "cloud_run", "cloud_run"),
    ],
)
async def test_who_does_not_answer_is_named_and_nothing_is_touched(
    scaled: Scaled, monkeypatch: pytest.MonkeyPatch, variable: str, dependency: str, reason: str
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    address = f"http://{nobody}" if dependency == "supabase" else nobody
    environment = {**scaled.environment, variable: address}

    async with open_function("autoscale", environment, monkeypatch) as function:
        answer = await function.post("/", headers=OPERATOR)

    problem = assert_problem(answer, 503, "dependency_unavailable")
    assert problem["dependency"] == dependency
    assert (problem["tick"]["verdict"], problem["tick"]["reason"]) == ("hold", reason)
    assert scaled.pools.changes == []


async def test_a_refusal_of_cloud_run_holds_and_the_next_tick_acts(
    scaled: Scaled, temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _queue(temporal, scaled, 1)
    scaled.pools.fails = [grpc.StatusCode.PERMISSION_DENIED]

    async with open_function("autoscale", scaled.environment, monkeypatch) as function:
        refused = await function.post("/", headers=OPERATOR)
        answered = await function.post("/", headers=OPERATOR)
    await _end(temporal, scaled)

    assert_problem(refused, 503, "dependency_unavailable")
    assert (answered.status_code, answered.json()["verdict"]) == (200, "up")


async def test_only_callers_for_every_enterprise_may_scale(scaled: Scaled, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_function("autoscale", scaled.environment, monkeypatch) as function:
        tenant = await function.post("/", headers=TENANT)
        unknown = await function.post("/")
        read = await function.get("/", headers=OPERATOR)

    assert_problem(tenant, 403, "operators_only")
    assert_problem(unknown, 401, "unauthenticated")
    assert_problem(read, 405, "method_not_allowed")
    assert scaled.pools.reads == 0


async def test_cloud_scheduler_is_known_by_the_identity_that_the_platform_has_verified(
    scaled: Scaled, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = token(claims(email="scheduler@p.iam.gserviceaccount.com"))

    with instance_of_a_service() as cloud_run:
        environment = {**scaled.environment, **cloud_run, "FUNCTIONS_TRUST_PLATFORM_IDENTITY": "true"}
        async with open_function("autoscale", environment, monkeypatch) as function:
            answer = await function.post("/", headers=scheduler)

    assert answer.status_code == 200


async def test_a_tick_is_measured_before_it_is_answered(scaled: Scaled, tmp_path: Path) -> None:
    async with receiving() as receiver:
        environment = {
            **scaled.environment,
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
            "OTEL_BSP_SCHEDULE_DELAY": "3600000",
        }
        async with (
            serving("autoscale", environment, tmp_path) as function,
            httpx.AsyncClient(base_url=function.url, headers=OPERATOR) as client,
        ):
            answer = await client.post("/autoscale")
            metrics = {metric.name: metric for metric in receiver.metrics()}
            spans = [received.span.name for received in receiver.spans()]

    assert answer.status_code == 200
    [ticks] = metrics["xnovu.scaler.ticks"].sum.data_points
    assert (ticks.as_int, read_attributes(ticks.attributes)) == (1, {"xnovu.verdict": "steady"})
    assert metrics["xnovu.scaler.instances"].gauge.data_points[0].as_int == 0
    assert metrics["xnovu.scaler.current"].gauge.data_points[0].as_int == 0
    assert "autoscale" in spans


async def test_it_does_what_the_document_says(scaled: Scaled, tmp_path: Path) -> None:
    document = copy.deepcopy(openapi_document())
    del document["paths"]["/autoscale"]["post"]["parameters"]  # each call with several looks takes most of a minute

    async with serving("autoscale", scaled.environment, tmp_path) as function:
        code, said = await schemathesis(document, "/autoscale", function.url, tmp_path, examples=20)

    assert code == 0, said


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"AUTOSCALE_WORKER_POOL": ""}, "AUTOSCALE_WORKER_POOL: is missing"),
        ({"AUTOSCALE_WORKER_POOL": "worker"}, "AUTOSCALE_WORKER_POOL: must be projects/"),
        (
            {"AUTOSCALE_WORKER_POOL": "projects/p/locations/l/workerPools/n,projects/p/locations/l/workerPools/m"},
            "AUTOSCALE_WORKER_POOL: must be one pool",
        ),
        ({"TEMPORAL_WORKER_DEPLOYMENT_NAME": "d"}, "AUTOSCALE_WORKER_POOL: must end in -BUILD"),
        ({"AUTOSCALE_MIN_INSTANCES": "20"}, "AUTOSCALE_MAX_INSTANCES: must be at least AUTOSCALE_MIN_INSTANCES"),
        ({"AUTOSCALE_TASKS_PER_SECOND": "0"}, "AUTOSCALE_TASKS_PER_SECOND: "),
        (
            {"AUTOSCALE_CLOUD_RUN_ENDPOINT": "run.example:443"},
            "AUTOSCALE_CLOUD_RUN_ENDPOINT: must be host:port of this",
        ),
    ],
)
def test_a_wrong_setting_stops_it_by_name(tmp_path: Path, changed: Mapping[str, str], named: str) -> None:
    valid = {
        "TEMPORAL_ADDRESS": "localhost:1",
        "SUPABASE_URL": "http://localhost:1",
        "SUPABASE_SERVICE_ROLE_KEY": "key",
        "DAEMON_ENTERPRISE_IDS": "ent1",
        "FUNCTIONS_API_KEYS": f"operator:{'0' * 64}",
        "AUTOSCALE_WORKER_POOL": "projects/p/locations/l/workerPools/n",
        "AUTOSCALE_MIN_INSTANCES": "0",
        "AUTOSCALE_MAX_INSTANCES": "10",
        "AUTOSCALE_TASKS_PER_SECOND": "2",
    }

    with starting("autoscale", {**valid, **changed}, tmp_path, free_port()) as function:
        assert function.wait(20) == 2

    said = (tmp_path / "output").read_text()
    assert named in said
    assert "Traceback" not in said
