"""`xnovu recipient show`, on a real database and the sink."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from typer.testing import CliRunner, Result

from cli.__main__ import app


def insert(stack: Mapping[str, str], subscriber_id: str, **columns: Any) -> None:
    async def execute() -> None:
        connection = await asyncpg.connect(stack["XNOVU_STACK_POSTGRES_URL"])
        try:
            row = {"enterprise_id": "cli", "subscriber_id": subscriber_id, **columns}
            places = ", ".join(f"${position}" for position in range(1, len(row) + 1))
            await connection.execute(
                f"insert into notify.recipient ({', '.join(row)}) values ({places})", *row.values()
            )
        finally:
            await connection.close()

    asyncio.run(execute())


def show(stack: Mapping[str, str], subscriber_id: str, *options: str, **changes: str) -> Result:
    names = ("NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "NOVU_API_URL", "NOVU_SECRET_KEY")
    environment = {"TEMPORAL_ADDRESS": None, **{name: stack[name] for name in names}, **changes}
    return CliRunner().invoke(app, ["recipient", "show", subscriber_id, *options], env=environment)


def at_novu(stack: Mapping[str, str], **subscriber: Any) -> None:
    headers = {"Authorization": f"ApiKey {stack['NOVU_SECRET_KEY']}"}
    httpx.post(f"{stack['NOVU_API_URL']}/v2/subscribers", json=subscriber, headers=headers).raise_for_status()


def test_both_sides_are_shown_and_what_the_next_notification_changes(local_stack: Mapping[str, str]) -> None:
    ada = f"ada-{uuid4().hex}"
    tokens = json.dumps([{"providerId": "fcm", "deviceTokens": ["secret-token"]}])
    insert(local_stack, ada, email="new@example.org", first_name="Ada", credentials=tokens)
    at_novu(local_stack, subscriberId=ada, email="old@example.org", firstName="Ada", phone="+44 1")

    text = show(local_stack, ada, "--enterprise", "cli")
    told = json.loads(show(local_stack, ada, "--enterprise", "cli", "--json").stdout)

    assert text.exit_code == 0
    lines = [" ".join(line.split()) for line in text.stdout.splitlines()]
    assert "email new@example.org old@example.org the next notification changes it" in lines
    assert "firstName Ada Ada" in lines
    assert "phone - +44 1" in lines
    assert "secret-token" not in text.stdout
    assert told["differences"] == ["email"]
    assert told["here"] == {"email": "new@example.org", "firstName": "Ada"}
    assert told["credentials"] == {"at_novu": {}, "to_be_given": True}


def test_another_enterprises_recipient_is_not_shown(local_stack: Mapping[str, str]) -> None:
    ada = f"ada-{uuid4().hex}"
    insert(local_stack, ada, email="ada@example.org")

    answer = show(local_stack, ada, "--enterprise", "other")

    assert answer.exit_code == 1
    assert "ada@example.org" not in answer.output


def test_a_novu_that_does_not_answer_is_said(local_stack: Mapping[str, str]) -> None:
    wrong = show(local_stack, "ada", "--enterprise", "cli", NOVU_SECRET_KEY="wrong")

    assert wrong.exit_code == 2
    assert "Novu answered HTTP 401" in wrong.stderr
