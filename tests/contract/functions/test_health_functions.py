"""The health and status functions: what they say of a real deployment, and of one that lacks something."""

import copy
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from functions.openapi import openapi_document
from shared.temporal.names import MASTER_ORCHESTRATION_ID
from stack.processes import free_port
from tests.contract.functions.bench import OPERATOR, TENANT, Bench, open_function
from tests.contract.functions.framework import running, schemathesis, serving
from tests.contract.functions.test_trigger_refusals import assert_problem
from tests.workflows.conftest import eventually

FUNCTIONS = ["health", "status"]


@pytest.fixture
async def deserted(bench: Bench, temporal: Client) -> AsyncIterator[Bench]:
    """Nothing of ours runs, and nothing that other tests left behind is taken for it; nor is anything left behind."""
    await bench.connection.execute("delete from notify.component_heartbeat")
    await _end_orchestration(temporal)
    yield bench
    await _end_orchestration(temporal)


async def _end_orchestration(temporal: Client) -> None:
    with suppress(RPCError):  # there is none
        await temporal.get_workflow_handle(MASTER_ORCHESTRATION_ID).terminate()


async def test_a_deployment_that_runs_is_healthy_and_its_answers_are_as_documented(
    deserted: Bench, tmp_path: Path
) -> None:
    environment = deserted.environment
    listener = running([sys.executable, "-m", "listener"], environment, tmp_path / "listener")
    worker = running([sys.executable, "-m", "worker"], environment, tmp_path / "worker")
    answers: dict[str, Any] = {}
    verdicts = []

    with listener, worker:
        for name in FUNCTIONS:
            async with (
                serving(name, environment, tmp_path / name) as function,
                httpx.AsyncClient(base_url=function.url, headers=OPERATOR) as client,
            ):

                async def is_healthy(client: httpx.AsyncClient = client, name: str = name) -> bool:
                    answer = await client.get("/")
                    answers[name] = answer.json()
                    return bool(answer.status_code == 200 and answers[name]["status"] == "healthy")

                await eventually(is_healthy)
                verdicts.append(
                    await schemathesis(
                        copy.deepcopy(openapi_document()), f"/{name}", function.url, tmp_path / name, examples=20
                    )
                )

    assert [code for code, _ in verdicts] == [0, 0], "\n".join(said for _, said in verdicts)
    ids = (deserted.ours.enterprise_id, deserted.theirs.enterprise_id)
    assert {**answers["health"], "uptime": 0} == {
        "status": "healthy",
        "uptime": 0,
        "components": {
            "subscriptions": {"total": 2, "active": 2, "failed": 0, "reconnecting": 0},
            "ruleEngine": "healthy",
            "queue": "healthy",
            "temporal": "healthy",
        },
        "enterprise_status": dict.fromkeys(ids, "subscribed"),
        "temporal_status": {"status": "healthy", "orchestrationWorkflow": "RUNNING"},
    }
    assert sorted(process["component"] for process in answers["status"]["processes"]) == ["listener", "worker"]
    assert answers["status"]["task_queues"]["activity"]["pollers"] > 0


@pytest.mark.parametrize("name", FUNCTIONS)
async def test_without_listener_and_worker_it_is_unhealthy_and_says_why(
    deserted: Bench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with open_function(name, deserted.environment, monkeypatch) as function:
        answer = await function.get(f"/{name}", headers=OPERATOR)

    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/json")
    assert answer.json()["status"] == "unhealthy"
    # Both that the settings name should be heard, and nobody hears them.
    assert answer.json()["components"]["subscriptions"] == {"total": 2, "active": 0, "failed": 2, "reconnecting": 0}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("variable", "dependency"), [("TEMPORAL_ADDRESS", "temporal"), ("NEXT_PUBLIC_SUPABASE_URL", "supabase")]
)
async def test_a_dependency_that_does_not_answer_is_named(
    deserted: Bench, monkeypatch: pytest.MonkeyPatch, name: str, variable: str, dependency: str
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    address = nobody if dependency == "temporal" else f"http://{nobody}"

    async with open_function(name, {**deserted.environment, variable: address}, monkeypatch) as function:
        answer = await function.get("/", headers=OPERATOR)

    problem = assert_problem(answer, 503, "dependency_unavailable")
    assert problem["dependency"] == dependency
    assert problem["report"]["status"] == "unhealthy"


@pytest.mark.parametrize("name", FUNCTIONS)
async def test_only_callers_for_every_enterprise_may_look(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with open_function(name, bench.environment, monkeypatch) as function:
        tenant = await function.get("/", headers=TENANT)
        unknown = await function.get("/")
        other_method = await function.post("/", headers=OPERATOR)

    assert_problem(tenant, 403, "operators_only")
    assert_problem(unknown, 401, "unauthenticated")
    assert_problem(other_method, 405, "method_not_allowed")
    assert other_method.headers["allow"] == "GET, HEAD"
