"""The process `python -m listener`: what it says, and how it ends."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping

HARMLESS = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV")}


async def start(environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "listener",
        env=HARMLESS | dict(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_bad_settings_are_named_all_at_once_and_no_secret_is_quoted() -> None:
    process = await start(
        {"TEMPORAL_ADDRESS": "nowhere", "SUPABASE_SERVICE_ROLE_KEY": "a secret", "SUBSCRIPTION_MAX_RETRIES": "0"}
    )

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
    process = await start(
        {
            "TEMPORAL_ADDRESS": "127.0.0.1:1",
            "SUPABASE_URL": "http://127.0.0.1:1",
            "SUPABASE_SERVICE_ROLE_KEY": "key",
            "DAEMON_ENTERPRISE_IDS": "ent1",
        }
    )
    assert process.stdout is not None
    first = json.loads(await process.stdout.readline())
    assert first["event"] == "process_starting"

    process.send_signal(signal.SIGTERM)
    output, errors = await process.communicate()

    assert process.returncode == 0, errors.decode()
    assert json.loads(output.splitlines()[-1])["event"] == "process_stopped"
