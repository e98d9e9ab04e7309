"""`xnovu novu`: what it says, its JSON and its exit codes, on a real database and the sink."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app

HARMLESS = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


@dataclass(frozen=True)
class Bench:
    """An enterprise of the test's own, the command line, and Novu's interface."""

    stack: Mapping[str, str]
    enterprise_id: str
    novu: httpx.Client

    def xnovu(self, command: str, *options: str, **changes: str | None) -> Result:
        """`xnovu novu COMMAND` for this enterprise, with no setting but those it needs."""
        names = ("NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "NOVU_API_URL", "NOVU_SECRET_KEY")
        environment = {"TEMPORAL_ADDRESS": None, **{name: self.stack[name] for name in names}, **changes}
        only = ("--enterprise", self.enterprise_id)
        return CliRunner().invoke(app, ["novu", command, *only, *options], env=environment)

    def object(self, command: str, *options: str) -> Any:
        return json.loads(self.xnovu(command, *options, "--json").stdout)

    def key(self, name: str) -> str:
        return f"{self.enterprise_id}-{name}"

    def insert(self, name: str, *channels: str, kind: str = "DYNAMIC") -> None:
        slots = {"EMAIL": "emailTemplateId", "IN_APP": "inAppTemplateId", "SMS": "smsTemplateId"}
        self.execute(
            "insert into notify.ent_notification_workflow"
            " (name, enterprise_id, publish_status, workflow_type, workflow_key, template_overrides)"
            " values ($1, $2, 'PUBLISH', $3, $4, $5)",
            *(name, self.enterprise_id, kind, self.key(name)),
            json.dumps({slots[channel]: "some" for channel in channels}),
        )

    def execute(self, statement: str, *arguments: Any) -> None:
        async def execute() -> None:
            connection = await asyncpg.connect(self.stack["XNOVU_STACK_POSTGRES_URL"])
            try:
                await connection.execute(statement, *arguments)
            finally:
                await connection.close()

        asyncio.run(execute())

    def exit_code(self, command: str, *options: str) -> int:
        return self.xnovu(command, *options).exit_code


@pytest.fixture
def bench(local_stack: Mapping[str, str]) -> Iterator[Bench]:
    headers = {"Authorization": f"ApiKey {local_stack['NOVU_SECRET_KEY']}"}
    with httpx.Client(base_url=local_stack["NOVU_API_URL"], headers=headers) as novu:
        yield Bench(local_stack, f"novu-{uuid4().hex[:8]}", novu)


def test_plan_apply_plan_and_what_the_exit_codes_say(bench: Bench) -> None:
    bench.insert("order", "EMAIL", "SMS")
    bench.insert("code", "SMS")

    planned = bench.xnovu("plan")
    nobody = bench.xnovu("apply")

    assert planned.exit_code == 2
    assert f"  + {bench.key('order')}: EMAIL, SMS\n" in planned.stdout
    assert planned.stdout.endswith("Plan: 2 to create, 0 to update, 0 to delete, 0 unchanged.\n")
    assert (nobody.exit_code, bench.exit_code("plan"), bench.exit_code("check")) == (1, 2, 2)
    assert "nobody can be asked" in nobody.stderr
    applied = bench.xnovu("apply", "--yes")
    assert (applied.exit_code, applied.stderr) == (0, "")
    assert applied.stdout.endswith("2 of 2 done.\n")
    assert [bench.exit_code(command) for command in ("plan", "check")] == [0, 0]
    assert bench.exit_code("plan", "--full") == 0
    assert bench.xnovu("check").stdout == ""


def test_a_new_channel_is_refused_to_rows_until_it_is_applied(bench: Bench) -> None:
    bench.insert("order", "EMAIL")
    bench.xnovu("apply", "--yes")
    both = json.dumps({"emailTemplateId": "some", "inAppTemplateId": "some"})
    bench.execute(
        "update notify.ent_notification_workflow set template_overrides = $1, name = 'Orders' where workflow_key = $2",
        *(both, bench.key("order")),
    )

    plan, check = bench.object("plan"), bench.object("check")

    [workflow] = plan["workflows"]
    assert (workflow["workflow_key"], workflow["action"]) == (bench.key("order"), "update")
    assert workflow["changes"] == [
        {"path": "name", "before": "order", "after": "Orders"},
        {"path": "steps.xnovu-in-app", "before": None, "after": "in_app"},
    ]
    assert plan["summary"]["update"] == 1
    assert plan["environment"]["name"] == "Development"
    assert [(one["kind"], one["message"]) for one in check["findings"]] == [("channel", "it has no step for IN_APP")]
    applied = bench.object("apply", "--yes")
    assert (applied["applied"], applied["failed"]) == ([bench.key("order")], [])
    assert bench.object("plan")["summary"] == {
        **dict.fromkeys(("create", "update", "delete", "refused", "left", "elsewhere"), 0),
        "unchanged": 1,
    }


def test_what_is_refused_is_exit_code_1_and_the_rest_is_done(bench: Bench) -> None:
    bench.insert("theirs", "SMS")
    bench.insert("empty")
    bench.insert("ours", "SMS")
    step = {"name": "Text", "type": "sms", "controlValues": {"body": "theirs"}}
    body = {"name": "Theirs", "workflowId": bench.key("theirs"), "steps": [step]}
    bench.novu.post("/v2/workflows", json=body).raise_for_status()

    planned = bench.xnovu("plan")
    applied = bench.xnovu("apply", "--yes")

    assert (planned.exit_code, applied.exit_code) == (1, 1)
    assert f"  ! {bench.key('theirs')}: it is not kept by XNovu: --adopt {bench.key('theirs')} takes" in planned.stdout
    assert f"  ! {bench.key('empty')}: it has no channel" in planned.stdout
    assert applied.stdout.endswith("1 of 1 done.\n")
    adopted = bench.object("apply", "--yes", "--adopt", bench.key("theirs"))
    assert adopted["applied"] == [bench.key("theirs")]


def test_two_machines_at_once_end_in_one_state(bench: Bench) -> None:
    for number in range(10):
        bench.insert(f"order-{number}", "EMAIL", "SMS")

    async def both() -> list[int | None]:
        arguments = ("-m", "cli", "novu", "apply", "--yes", "--enterprise", bench.enterprise_id)
        environment = HARMLESS | dict(bench.stack)
        machines = [await asyncio.create_subprocess_exec(sys.executable, *arguments, env=environment) for _ in range(2)]
        return [await machine.wait() for machine in machines]

    assert asyncio.run(both()) == [0, 0]
    assert bench.exit_code("plan", "--full") == 0
    listed = bench.novu.get("/v2/workflows", params={"limit": 100, "query": bench.enterprise_id}).json()["data"]
    assert sorted(one["workflowId"] for one in listed["workflows"]) == [bench.key(f"order-{n}") for n in range(10)]


def test_what_is_kept_goes_to_another_environment_and_is_known_there(bench: Bench) -> None:
    bench.insert("order", "EMAIL")
    bench.xnovu("apply", "--yes")

    shown = bench.xnovu("publish", "--to", "production", "--dry-run")
    published = bench.object("publish", "--to", "Production", "--yes")

    assert (shown.exit_code, bench.exit_code("publish", "--to", "production", "--dry-run")) == (2, 0)
    assert f"  + {bench.key('order')}\nPlan: 1 to create, 0 to update.\n" in shown.stdout
    assert (published["create"], published["failed"]) == ([bench.key("order")], [])
    environments = httpx.get(f"{bench.stack['NOVU_API_URL']}/_sink/environments").json()["environments"]
    keys = {one["name"]: one["key"] for one in environments}
    assert bench.xnovu("plan", NOVU_SECRET_KEY=keys["Production"]).exit_code == 0
    assert not [key for key in keys.values() if key in shown.output + json.dumps(published)]
    nowhere = bench.xnovu("publish", "--to", "nowhere")
    assert nowhere.exit_code == 1
    assert "there are: Production" in nowhere.stderr


def test_static_workflows_are_looked_at_on_request(bench: Bench) -> None:
    bench.insert("hello", kind="STATIC")

    assert bench.exit_code("check") == 0
    found = bench.xnovu("check", "--static")
    assert (found.exit_code, bench.exit_code("apply", "--static", "--yes")) == (2, 0)
    assert f"{bench.key('hello')}: a STATIC workflow that Novu does not have. Hint: " in found.stdout


def test_what_the_workers_know_of_novus_rate_holds_for_it_too(bench: Bench) -> None:
    bench.insert("order", "EMAIL")
    bench.execute(
        "insert into notify.novu_rate (category, booked_until, unpaid_since, probe_at)"
        " values ('configuration', now(), now(), now() + interval '1 hour')"
        " on conflict (owner, category) do update set unpaid_since = now(), probe_at = excluded.probe_at"
    )

    try:
        result = bench.xnovu("plan", NOVU_CONFIGURATION_PER_SECOND="20")
    finally:
        bench.execute("delete from notify.novu_rate where category = 'configuration'")

    assert result.exit_code == 1
    assert "GET /v2/workflows: not asked, HTTP 402" in result.stderr
    assert "billing page" in result.stderr


@pytest.mark.parametrize(
    ("options", "changes", "said"),
    [
        (("--nonsense",), {}, "--nonsense"),
        (("--prune",), {}, "do not go together"),
        ((), {"NOVU_SECRET_KEY": None}, "NOVU_SECRET_KEY"),
        ((), {"NOVU_SECRET_KEY": "a-wrong-key"}, "HTTP 401, API Key not found"),
        ((), {"NEXT_PUBLIC_SUPABASE_URL": "http://127.0.0.1:1"}, "The database did not answer"),
    ],
)
def test_an_error_is_exit_code_1_with_its_cause(
    bench: Bench, options: tuple[str, ...], changes: dict[str, str | None], said: str
) -> None:
    result = bench.xnovu("plan", *options, **changes)

    assert result.exit_code == 1
    assert said in result.stderr
