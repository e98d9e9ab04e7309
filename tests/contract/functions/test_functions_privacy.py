"""Whatever callers and operators send, and whatever goes wrong, no log and no answer holds a person or a secret."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from tests.contract.functions.bench import OPERATOR, TENANT, TENANT_KEY, Bench
from tests.contract.functions.framework import serving

PERSONAL = "zanzibar"
GUESSED_KEY = "planted-guess"
IDEMPOTENCY_KEY = f"{PERSONAL}-order"

_HARMLESS = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def secrets_of(bench: Bench) -> list[str]:
    settings = bench.environment
    return [settings["SUPABASE_SERVICE_ROLE_KEY"], settings["NOVU_SECRET_KEY"], settings["FUNCTIONS_API_KEYS"]]


async def call_in_every_way(url: str, bench: Bench) -> list[int]:
    """Calls that are answered, refused for each part of a call that can be wrong, and repeated; their statuses."""
    person = {"recipients": [f"{PERSONAL}@example.org"], "payload": {"name": PERSONAL}}
    good = bench.new(**person)
    key = {"Idempotency-Key": IDEMPOTENCY_KEY}
    calls: list[tuple[dict[str, str], object]] = [
        ({**TENANT, **key}, good),
        ({**TENANT, **key}, good),
        ({**TENANT, **key}, {**good, "payload": {"other": PERSONAL}}),
        ({"X-Api-Key": GUESSED_KEY}, good),
        (TENANT, {**good, "enterpriseId": bench.theirs.enterprise_id}),
        (TENANT, {**good, "workflowKey": PERSONAL}),
        (TENANT, {**good, "recipients": [{"subscriberId": PERSONAL}]}),
        (TENANT, {**good, "payload": PERSONAL}),
        (TENANT, {**good, PERSONAL: PERSONAL}),
        (TENANT, {**good, "recipients": [f"{PERSONAL} on sea"]}),
        (TENANT, {**good, "overrides": {"email": {"bcc": PERSONAL}}}),
        (TENANT, {**good, "overrides": {"email": {"headers": {PERSONAL: f"a\r\n{PERSONAL}"}}}}),
        (TENANT, {**good, "payload": {"name": PERSONAL * 40_000}}),
    ]
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        answers = [await client.post("/trigger", headers=headers, json=body) for headers, body in calls]
        answers.append(await client.post("/trigger", headers=TENANT, content=f'{{"recipients": ["{PERSONAL}"'))
        answers.append(
            await client.get("/trigger", headers=TENANT, params={"workflowId": "notification-processing/nobody/1"})
        )
    return [answer.status_code for answer in answers]


async def test_a_function_s_log_holds_no_person_and_no_secret(bench: Bench, tmp_path: Path) -> None:
    environment = {**bench.environment, "DAEMON_LOG_LEVEL": "debug"}
    nowhere = "http://127.0.0.1:1"
    no_temporal = {**environment, "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    no_supabase = {**environment, "SUPABASE_URL": nowhere, "NEXT_PUBLIC_SUPABASE_URL": nowhere}
    personal = bench.new(recipients=[PERSONAL])

    async with serving("trigger", environment, tmp_path / "well") as function:
        statuses = await call_in_every_way(function.url, bench)
    async with (
        serving("trigger", no_temporal, tmp_path / "no temporal") as alone,
        serving("trigger", no_supabase, tmp_path / "no supabase") as without_rows,
        serving("status", environment, tmp_path / "status") as status,
        httpx.AsyncClient(timeout=30) as client,
    ):
        unstored = [
            await client.post(f"{it.url}/trigger", headers=TENANT, json=personal) for it in (alone, without_rows)
        ]
        told = await client.get(f"{status.url}/status", headers=OPERATOR)

    assert statuses[:2] == [200, 200]
    assert set(statuses) >= {200, 400, 401, 403, 404, 409, 413}
    assert [answer.status_code for answer in unstored] == [503, 503]
    logs = [(tmp_path / name / "output").read_text() for name in ("well", "no temporal", "no supabase", "status")]
    lines = [json.loads(line) for line in "".join(logs).splitlines()]
    assert {"temporal", "supabase"} == {it["dependency"] for it in lines if it["event"] == "dependency_failed"}
    assert len([it for it in lines if it["event"] == "trigger_called"]) == len(statuses) + len(unstored)
    for planted in (PERSONAL, GUESSED_KEY, TENANT_KEY, *secrets_of(bench)):
        assert planted not in "".join([*logs, told.text])


async def test_what_commands_print_holds_no_person_and_no_secret(bench: Bench) -> None:
    environment = {**bench.environment, "DAEMON_LOG_LEVEL": "debug"}
    away = {**environment, "NEXT_PUBLIC_SUPABASE_URL": "http://127.0.0.1:1", "NOVU_SECRET_KEY": "another-planted-key"}
    send = ("send", "--enterprise", bench.ours.enterprise_id, "--workflow", bench.workflow_key)
    to = ("--to", f"{PERSONAL}@example.org")

    sent = await said(environment, *send, *to, "--payload", json.dumps({"name": PERSONAL}), "--json")
    notification_id = str(json.loads(sent)["notification_id"])
    rest = [
        await said(environment, *send, *to, "--payload", f'{{"name": "{PERSONAL}'),
        await said(environment, *send, *to, "--payload", f'["{PERSONAL}"]'),
        await said(environment, "trace", notification_id),
        await said(environment, "trace", notification_id, "--json"),
        await said(environment, "replay", "--enterprise", bench.ours.enterprise_id),
        await said(away, *send, *to),
        await said(away, "trace", notification_id),
        await said(away, "doctor", "--json"),
    ]

    assert all(rest)
    for planted in (PERSONAL, "another-planted-key", *secrets_of(bench)):
        assert planted not in "".join([sent, *rest])


async def said(environment: Mapping[str, str], *arguments: str) -> str:
    """All that a command prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *arguments),
        env={**_HARMLESS, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return output.decode()
