"""The process `python -m listener`: what it says, and how it ends."""

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from temporalio.client import Client

from tests.integration.memory import peak_memory_bytes

HARMLESS = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV")}


@asynccontextmanager
async def running(environment: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """The listener's process, which does not outlive the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "listener",
        env=HARMLESS | dict(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_bad_settings_are_named_all_at_once_and_no_secret_is_quoted() -> None:
    environment = {
        "TEMPORAL_ADDRESS": "nowhere",
        "SUPABASE_SERVICE_ROLE_KEY": "a secret",
        "SUBSCRIPTION_MAX_RETRIES": "0",
    }

    async with running(environment) as process:
        _, errors = await process.communicate()

    text = errors.decode()
    assert process.returncode == 2
    assert "Traceback" not in text
    assert "a secret" not in text
    for setting in (
        "TEMPORAL_ADDRESS",
        "SUPABASE_SERVICE_ROLE_KEY",
        "NEXT_PUBLIC_SUPABASE_URL",
        "DAEMON_ENTERPRISE_IDS",
        "SUBSCRIPTION_MAX_RETRIES",
    ):
        assert text.count(setting) == 1


async def test_a_signal_while_temporal_is_away_ends_the_process() -> None:
    environment = {
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        "SUPABASE_URL": "http://127.0.0.1:1",
        "SUPABASE_SERVICE_ROLE_KEY": "key",
        "DAEMON_ENTERPRISE_IDS": "ent1",
    }

    async with running(environment) as process:
        await logged(process, "temporal_connecting")
        process.send_signal(signal.SIGTERM)
        output, errors = await process.communicate()

    assert process.returncode == 0, errors.decode()
    assert json.loads(output.splitlines()[-1])["event"] == "process_stopped"


async def test_a_signal_in_the_middle_of_work_drains_and_the_memory_stays_small(local_stack: Mapping[str, str]) -> None:
    enterprise_id = f"drain-{secrets.token_hex(4)}"
    task_queue = f"nobody-works-{secrets.token_hex(4)}"
    temporal = await Client.connect(local_stack["TEMPORAL_ADDRESS"])
    environment = {**local_stack, "DAEMON_ENTERPRISE_IDS": enterprise_id, "TEMPORAL_TASK_QUEUE": task_queue}

    async with running(environment) as process:
        await logged(process, "subscription_subscribed")
        await insert(local_stack, enterprise_id, 1000)
        await eventually_started(temporal, task_queue, 1)
        process.send_signal(signal.SIGTERM)
        peak_bytes = peak_memory_bytes(process.pid)
        counts = await logged(process, "listener_stopped")
        _, errors = await process.communicate()

    assert process.returncode == 0, errors.decode()
    await eventually_started(temporal, task_queue, counts["workflows_started"])
    assert counts["workflows_started"] == counts["batches"]
    assert peak_bytes < 130 * 2**20


async def eventually_started(temporal: Client, task_queue: str, workflows: int) -> None:
    """Wait until Temporal lists at least so many; its list trails the starts."""
    async with asyncio.timeout(60):
        while (await temporal.count_workflows(f"TaskQueue = '{task_queue}'")).count < workflows:  # noqa: ASYNC110 - a list to ask, not an event
            await asyncio.sleep(0.05)


async def logged(process: asyncio.subprocess.Process, event: str) -> dict[str, Any]:
    """The first log line of this event from now on."""
    assert process.stdout is not None
    async with asyncio.timeout(60):
        async for line in process.stdout:
            record: dict[str, Any] = json.loads(line)
            if record["event"] == event:
                return record
    raise AssertionError(f"the process ended without {event}")


async def insert(stack: Mapping[str, str], enterprise_id: str, count: int) -> None:
    connection = await asyncpg.connect(stack["XNOVU_STACK_POSTGRES_URL"])
    try:
        await connection.execute(
            "insert into notify.ent_notification (name, enterprise_id, publish_status, payload, recipients) "
            "select 'row ' || gen_random_uuid(), $1, 'PUBLISH', '{}', '{someone}' from generate_series(1, $2)",
            enterprise_id,
            count,
        )
    finally:
        await connection.close()
