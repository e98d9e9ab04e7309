"""`xnovu rule next`, on the rules of a real database."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app

NINE_IN_BERLIN = {"cron": "0 9 * * *", "timezone": "Europe/Berlin"}
SPRING = "2026-03-28T00:00:00Z"


def insert_rule(stack: Mapping[str, str], **columns: Any) -> int:
    """A published CRON rule of a published workflow, with these columns changed; returns its id."""

    async def insert() -> int:
        connection = await asyncpg.connect(stack["XNOVU_STACK_POSTGRES_URL"])
        try:
            workflow_id = await connection.fetchval(
                "insert into notify.ent_notification_workflow"
                " (name, enterprise_id, publish_status, workflow_type, workflow_key)"
                " values ($1, 'cli', 'PUBLISH', 'STATIC', $1) returning id",
                str(uuid4()),
            )
            row = {
                "name": str(uuid4()),
                "enterprise_id": "cli",
                "publish_status": "PUBLISH",
                "notification_workflow_id": workflow_id,
                "trigger_type": "CRON",
                "trigger_config": json.dumps(NINE_IN_BERLIN),
                **columns,
            }
            places = ", ".join(f"${position}" for position in range(1, len(row) + 1))
            rule_id: int = await connection.fetchval(
                f"insert into notify.ent_notification_rule ({', '.join(row)}) values ({places}) returning id",
                *row.values(),
            )
            return rule_id
        finally:
            await connection.close()

    return asyncio.run(insert())


def rule_next(stack: Mapping[str, str], rule_id: int, *options: str, **changes: str | None) -> Result:
    """The command with no setting but Supabase's."""
    environment = {
        "TEMPORAL_ADDRESS": None,
        "NOVU_SECRET_KEY": None,
        "NEXT_PUBLIC_SUPABASE_URL": stack["NEXT_PUBLIC_SUPABASE_URL"],
        "SUPABASE_SERVICE_ROLE_KEY": stack["SUPABASE_SERVICE_ROLE_KEY"],
        **changes,
    }
    return CliRunner().invoke(app, ["rule", "next", str(rule_id), *options], env=environment)


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
def test_it_prints_what_cron_next_prints(local_stack: Mapping[str, str], form: list[str]) -> None:
    rule_id = insert_rule(local_stack)

    of_the_rule = rule_next(local_stack, rule_id, "-n", "3", "--from", SPRING, *form)

    of_the_expression = CliRunner().invoke(
        app, ["cron", "next", "0 9 * * *", "--timezone", "Europe/Berlin", "-n", "3", "--from", SPRING, *form]
    )
    assert (of_the_rule.exit_code, of_the_rule.stderr) == (0, "")
    assert of_the_rule.stdout == of_the_expression.stdout
    assert "clocks have changed" in of_the_rule.stdout


def test_a_rule_without_a_zone_fires_in_utc(local_stack: Mapping[str, str]) -> None:
    rule_id = insert_rule(local_stack, trigger_config=json.dumps({"cron": "0 9 * * *", "timezone": None}))

    [firing] = json.loads(rule_next(local_stack, rule_id, "-n", "1", "--from", SPRING, "--json").stdout)

    assert firing == {"local": "2026-03-28T09:00:00+00:00", "utc": "2026-03-28T09:00:00Z", "note": None}


def test_each_reason_why_it_does_not_fire_is_on_stderr(local_stack: Mapping[str, str]) -> None:
    rule_id = insert_rule(
        local_stack, publish_status="DRAFT", trigger_config=json.dumps({"cron": "0 9 * * *", "timezone": "Nowhere"})
    )

    result = rule_next(local_stack, rule_id)

    assert (result.exit_code, result.stdout) == (1, "")
    lines = result.stderr.splitlines()
    assert lines[0] == f"Rule {rule_id} does not fire: the rule is not published: publish_status is DRAFT"
    assert "There is no time zone `Nowhere`" in lines[1]


def test_a_rule_that_is_not_there_is_said_to_be_missing(local_stack: Mapping[str, str]) -> None:
    result = rule_next(local_stack, 2**62)

    assert (result.exit_code, result.stderr) == (1, f"Rule {2**62} does not fire: there is no such rule\n")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SUPABASE_SERVICE_ROLE_KEY": None}, "SUPABASE_SERVICE_ROLE_KEY: is missing"),
        ({"SUPABASE_SERVICE_ROLE_KEY": "wrong"}, "The database did not answer: trace_rule: "),
        ({"NEXT_PUBLIC_SUPABASE_URL": "http://127.0.0.1:1"}, "The database did not answer: trace_rule: "),
    ],
)
def test_nothing_known_is_exit_code_2_and_not_called_a_rule_that_does_not_fire(
    local_stack: Mapping[str, str], changes: dict[str, str | None], said: str
) -> None:
    result = rule_next(local_stack, 1, **changes)

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.parametrize("options", [["--from", "tomorrow"], ["--from", "9999-01-01T00:00:00Z"], ["-n", "0"]])
def test_a_wrong_option_is_exit_code_2(local_stack: Mapping[str, str], options: list[str]) -> None:
    rule_id = insert_rule(local_stack)

    result = rule_next(local_stack, rule_id, *options)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr != ""


@pytest.mark.parametrize("config", ['{"cron": ' + "7" * 5_000 + "}", "[" * 1_500 + "]" * 1_500])
def test_a_rule_whose_configuration_cannot_be_read_does_not_fire_and_says_why(
    local_stack: Mapping[str, str], config: str
) -> None:
    result = rule_next(local_stack, insert_rule(local_stack, trigger_config=config))

    assert result.exit_code == 1
    assert "trigger_config " in result.stderr
