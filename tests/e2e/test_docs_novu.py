"""docs/novu.md leads from an empty account to five channels: its blocks are run as they stand."""

import json
import re
import shlex
from pathlib import Path
from textwrap import dedent

import asyncpg
import pytest

from tests.e2e import rows
from tests.e2e.system import System

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="session")]

DOCUMENT = Path(__file__).parents[2] / "docs" / "novu.md"
SECTION = re.compile(r"^## From an empty account to five channels$.*?(?=^## )", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^ *```(?P<language>sql|console|json)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)


async def test_an_empty_account_becomes_a_message_in_five_channels(system: System) -> None:
    [section] = SECTION.findall(DOCUMENT.read_text())
    shown = None
    connection = await system.connect()
    try:
        for block in BLOCK.finditer(section):
            text = dedent(block["text"])
            match block["language"]:
                case "sql":
                    notification_id = await _run(connection, text)
                case "console":
                    said = [
                        await system.says(*shlex.split(line.removeprefix("$ xnovu "))) for line in text.splitlines()
                    ]
                case "json":
                    shown = json.loads(text)
    finally:
        await connection.close()

    await rows.settled(system, [notification_id])

    assert said[-1] == "", "the check is silent"
    [call] = [call for call in await system.sink_calls() if call["workflow"] == "acme-shipped"]
    assert call["payload"] == shown
    assert await _messages(system, call["transaction_id"]) == {
        "email": (1, "ada@example.org"),
        "in_app": (1, None),
        "sms": (1, "+12025550101"),
        "push": (1, None),
        "chat": (1, None),
    }


async def _run(connection: asyncpg.Connection, statement: str) -> int:
    """The first value that it returns, 0 without one."""
    return await connection.fetchval(statement) or 0


async def _messages(system: System, transaction_id: str) -> dict[str, tuple[int, str | None]]:
    """For each channel, how many were sent, and where to, as Novu has it."""
    truth = (await system.sink.get("/_sink/truth", params={"transaction_id_prefix": transaction_id})).json()
    key = {"Authorization": f"ApiKey {system.environment['NOVU_SECRET_KEY']}"}
    messages = await system.sink.get("/v1/messages", params={"transactionId": transaction_id}, headers=key)
    addresses = {one["channel"]: one.get("email") or one.get("phone") for one in messages.json()["data"]}
    return {one["channel"]: (one["sent"], addresses[one["channel"]]) for one in truth["people"]}
