"""`xnovu daemon status` beside real processes, in a Temporal namespace of their own."""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from shared.temporal.names import MASTER_ORCHESTRATION_ID, STOP_SIGNAL

HARMLESS = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


@pytest.fixture
async def environment(local_stack: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    """Settings of one enterprise, in a new namespace: each has one orchestration."""
    name = f"cli-{secrets.token_hex(4)}"
    temporal = await Client.connect(local_stack["TEMPORAL_ADDRESS"])
    await temporal.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=Duration(seconds=86_400))
    )
    return {
        **HARMLESS,
        **local_stack,
        "TEMPORAL_NAMESPACE": name,
        "DAEMON_ENTERPRISE_IDS": name,
        "XDG_STATE_HOME": str(tmp_path),
    }


async def status(environment: Mapping[str, str]) -> tuple[int | None, dict[str, Any]]:
    """The exit code, and what is said of the orchestration."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "daemon", "status", "--json"), env=environment, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    orchestration: dict[str, Any] = json.loads(output)["orchestration"]
    return process.returncode, orchestration


async def eventually_state(environment: Mapping[str, str], state: str) -> tuple[int | None, dict[str, Any]]:
    """The status once it names this state; a new namespace takes Temporal a moment, as an end does."""
    async with asyncio.timeout(60):
        while True:
            code, orchestration = await status(environment)
            if orchestration["state"] == state:
                return code, orchestration


@asynccontextmanager
async def listener_and_worker(environment: Mapping[str, str]) -> AsyncIterator[None]:
    """Both run in the block, and are killed at its end."""
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", program), env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        for program in ("listener", "worker")
    ]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            await process.wait()


async def connect(environment: Mapping[str, str]) -> Client:
    return await Client.connect(environment["TEMPORAL_ADDRESS"], namespace=environment["TEMPORAL_NAMESPACE"])


@pytest.mark.whole
@pytest.mark.slow
async def test_the_orchestration_s_state_is_named_while_workers_come_and_go(environment: Mapping[str, str]) -> None:
    enterprise_id = environment["DAEMON_ENTERPRISE_IDS"]

    code, orchestration = await eventually_state(environment, "not started")
    assert (code, orchestration["reason"]) == (3, "no daemon has ever started it")

    async with listener_and_worker(environment):
        code, orchestration = await eventually_observed(environment)
        assert (code, orchestration["state"]) == (0, "running")
        assert (orchestration["ended_at"], orchestration["reason"]) == (None, None)
        assert [
            (it["enterprise_id"], it["scheduler"], it["state"]) for it in orchestration["observed"]["schedulers"]
        ] == [
            (enterprise_id, "cron-scheduling", "running"),
            (enterprise_id, "scheduled-notification", "running"),
        ]

    # Temporal lists the killed worker's poll for minutes yet: only the missing answer tells.
    code, orchestration = await status(environment)
    assert (code, orchestration["state"], orchestration["observed"]) == (3, "waiting for a daemon", None)

    async with listener_and_worker(environment):
        await eventually_state(environment, "running")
        await (await connect(environment)).get_workflow_handle(MASTER_ORCHESTRATION_ID).signal(STOP_SIGNAL)
        code, orchestration = await eventually_state(environment, "stopped")
        assert (code, orchestration["reason"]) == (3, "it was told to stop")
        assert orchestration["started_at"] <= orchestration["ended_at"]

    async with listener_and_worker(environment):
        code, _ = await eventually_state(environment, "running")
        assert code == 0


async def eventually_observed(environment: Mapping[str, str]) -> tuple[int | None, dict[str, Any]]:
    """The status once both schedulers have made a pass."""
    async with asyncio.timeout(60):
        while True:
            code, orchestration = await status(environment)
            observed = orchestration["observed"]
            if observed and {it["state"] for it in observed["schedulers"]} == {"running"}:
                return code, orchestration


async def test_a_terminated_orchestration_has_not_been_told_to_stop(environment: Mapping[str, str]) -> None:
    await eventually_state(environment, "not started")
    temporal = await connect(environment)
    handle = await temporal.start_workflow(
        "MasterOrchestrationWorkflow", id=MASTER_ORCHESTRATION_ID, task_queue="nobody"
    )

    waiting = await status(environment)
    await handle.terminate()
    code, orchestration = await eventually_state(environment, "not started")

    assert (waiting[0], waiting[1]["reason"]) == (3, "no worker polls the task queue")
    assert (code, orchestration["reason"]) == (3, "its last run ended: terminated")


@pytest.mark.parametrize(
    ("change", "part_of_reason"),
    [
        ({"TEMPORAL_NAMESPACE": "nowhere"}, "Namespace nowhere is not found"),
        ({"TEMPORAL_ADDRESS": "127.0.0.1:1"}, "Temporal at 127.0.0.1:1: "),
    ],
)
async def test_what_cannot_be_asked_is_unreachable_and_not_called_not_started(
    local_stack: Mapping[str, str], change: Mapping[str, str], part_of_reason: str
) -> None:
    code, orchestration = await status({**HARMLESS, **local_stack, **change})

    assert (code, orchestration["state"]) == (3, "unreachable")
    assert part_of_reason in orchestration["reason"]
