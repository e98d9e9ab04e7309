"""`xnovu apply`, `export` and the lists, on a real database."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app

MAIL = """template_key: KEY-mail
channel_type: EMAIL
subject_template: Order {{ id }}
body_file: mail.liquid
variables_description:
  id: {type: integer}
  name: Whom it is for
"""
WORKFLOW = """workflow_key: KEY-order
workflow_type: DYNAMIC
default_channels: [EMAIL]
template_overrides: {emailTemplateId: KEY-mail, tags: [shop]}
payload_schema: {type: object, required: [id]}
"""
RULE = """name: nightly
workflow: KEY-order
trigger_config: {cron: 0 9 * * *, timezone: Europe/Berlin}
rule_payload:
  recipients: [00000000-0000-4000-8000-0000000000ff]
  payload: {id: 7, name: Ada}
"""


@dataclass(frozen=True)
class Bench:
    """An enterprise of the test's own, the command line, and its directory of files."""

    stack: Mapping[str, str]
    enterprise_id: str
    directory: Path

    def xnovu(self, *arguments: str) -> Result:
        names = ("NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY")
        environment = {"TEMPORAL_ADDRESS": None, "NOVU_SECRET_KEY": None, **{name: self.stack[name] for name in names}}
        return CliRunner().invoke(app, arguments, env=environment)

    def apply(self, *options: str) -> Result:
        return self.xnovu("apply", "-f", str(self.directory), "--enterprise", self.enterprise_id, *options)

    def key(self, name: str) -> str:
        return f"{self.enterprise_id}-{name}"

    def write(self, path: str, text: str) -> None:
        file = self.directory / self.enterprise_id / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("KEY", self.enterprise_id), newline="")

    def write_shop(self) -> None:
        self.write("templates/mail.yaml", MAIL)
        self.write("templates/mail.liquid", "<p>Hi {{ name }}</p>\n")
        self.write("workflows/order.yaml", WORKFLOW)
        self.write("rules/nightly.yaml", RULE)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        async def ask() -> list[dict[str, Any]]:
            connection = await asyncpg.connect(self.stack["XNOVU_STACK_POSTGRES_URL"])
            try:
                return [dict(row) for row in await connection.fetch(query, *values)]
            finally:
                await connection.close()

        return asyncio.run(ask())

    def status_of(self, name: str) -> str:
        query = "select publish_status::text from notify.ent_notification_template where template_key = $1"
        [row] = self.rows(query, self.key(name))
        status: str = row["publish_status"]
        return status


@pytest.fixture
def bench(local_stack: Mapping[str, str], tmp_path: Path) -> Bench:
    return Bench(local_stack, f"files-{uuid4().hex[:8]}", tmp_path)


def test_what_files_say_is_planned_written_and_then_nothing_is_left_to_do(bench: Bench) -> None:
    bench.write_shop()

    planned = bench.apply("--dry-run")
    written = bench.apply("--yes")
    again = bench.apply("--dry-run")

    assert planned.exit_code == 2, planned.output
    assert f"  + template {bench.key('mail')}" in planned.stdout
    assert "Plan: 3 to create, 0 to update, 0 to delete, 0 unchanged." in planned.stdout
    assert (written.exit_code, written.stderr) == (0, "")
    assert again.exit_code == 0
    assert "Plan: 0 to create, 0 to update, 0 to delete, 3 unchanged." in again.stdout
    [rule] = bench.rows(
        "select r.trigger_config::text, r.publish_status::text as status, w.workflow_key"
        " from notify.ent_notification_rule r"
        " join notify.ent_notification_workflow w on w.id = r.notification_workflow_id where r.enterprise_id = $1",
        bench.enterprise_id,
    )
    assert rule["workflow_key"] == bench.key("order")
    assert rule["status"] == "PUBLISH"
    assert json.loads(rule["trigger_config"]) == {"cron": "0 9 * * *", "timezone": "Europe/Berlin"}


def test_a_change_is_shown_as_a_difference_and_touches_nothing_else(bench: Bench) -> None:
    bench.write_shop()
    bench.apply("--yes")
    bench.rows("update notify.ent_notification_template set description = null, created_by = $1", uuid4())
    bench.write("templates/mail.liquid", "<p>Hello {{ name }}</p>\n<p>{{ id }}</p>\n")

    planned = bench.apply("--dry-run")
    answer = json.loads(bench.apply("--yes", "--json").stdout)

    assert planned.exit_code == 2
    assert "-<p>Hi {{ name }}</p>" in planned.stdout
    assert "+<p>Hello {{ name }}</p>" in planned.stdout
    assert "Plan: 0 to create, 1 to update, 0 to delete, 2 unchanged." in planned.stdout
    assert answer["applied"] == [bench.enterprise_id]
    [row] = bench.rows(
        "select body_template, created_by from notify.ent_notification_template where template_key = $1",
        bench.key("mail"),
    )
    assert row["body_template"] == "<p>Hello {{ name }}</p>\n<p>{{ id }}</p>"
    assert row["created_by"] is not None


def test_with_anything_wrong_nothing_is_written_and_each_is_named_by_file_and_line(bench: Bench) -> None:
    bench.write_shop()
    bench.write("templates/mail.liquid", "<p>Hi {{ nmae }}</p>\n")
    bench.write("workflows/order.yaml", WORKFLOW.replace("KEY-mail", "KEY-mial"))
    bench.write("rules/nightly.yaml", RULE.replace("0 9 * * *", "0 25 * * *"))

    told = bench.apply("--yes")
    answer = json.loads(bench.apply("--yes", "--json").stdout)

    lines = [line for line in told.stderr.splitlines() if line.startswith("  ! ")]
    at = f"  ! {bench.enterprise_id}"
    assert told.exit_code == 1
    assert any(it.startswith(f"{at}/templates/mail.yaml:4: ") and "variable nmae is undefined" in it for it in lines)
    assert any(
        it.startswith(f"{at}/workflows/order.yaml:4: ") and f"did you mean {bench.key('mail')}?" in it for it in lines
    )
    assert any(it.startswith(f"{at}/rules/nightly.yaml:3: ") for it in lines)
    assert answer["error"]["exit_code"] == 1
    assert {problem["line"] for problem in answer["problems"]} >= {3, 4}
    assert (
        bench.rows("select 1 from notify.ent_notification_template where enterprise_id = $1", bench.enterprise_id) == []
    )


def test_what_is_in_no_file_is_left_and_marked_deleted_only_when_asked(bench: Bench) -> None:
    bench.write_shop()
    bench.write("templates/old.yaml", MAIL.replace("KEY-mail", "KEY-old").replace("mail.liquid", "old.liquid"))
    bench.write("templates/old.liquid", "{{ name }}")
    bench.apply("--yes")
    (bench.directory / bench.enterprise_id / "templates" / "old.yaml").unlink()

    left = bench.apply("--dry-run")
    status_before = bench.status_of("old")
    pruned = bench.apply("--prune", "--yes")

    assert left.exit_code == 0
    assert f"? template {bench.key('old')}: is in no file" in left.stdout
    assert "old.liquid: no template's body_file" in left.stdout
    assert status_before == "PUBLISH"
    assert pruned.exit_code == 0, pruned.output
    assert bench.status_of("old") == "DELETED"
    assert bench.apply("--prune", "--dry-run").exit_code == 0


def test_a_template_that_is_still_named_is_not_pruned(bench: Bench) -> None:
    bench.write_shop()
    bench.apply("--yes")
    for name in ("mail.yaml", "mail.liquid"):
        (bench.directory / bench.enterprise_id / "templates" / name).unlink()

    refused = bench.apply("--prune", "--yes")

    assert refused.exit_code == 1
    assert f"there is no template {bench.key('mail')}" in refused.stderr
    assert bench.status_of("mail") == "PUBLISH"


ODD_TEXTS = (
    "",
    "no",
    "0o14",
    "é 🐙 \u202e",
    "a\r\nb\r",
    "\n\n x \n\n",
    "\ttab: {a}\n# b",
    "\x07\x1b[31m\x85",
    " - x",
    "'\"",
)


def test_what_is_exported_and_applied_changes_nothing(bench: Bench) -> None:
    for number, text in enumerate(ODD_TEXTS):
        bench.rows(
            "insert into notify.ent_notification_template (name, description, template_key, enterprise_id,"
            " channel_type, subject_template, body_template, variables_description, publish_status, deactivated)"
            " values ($1, $2, $3, $4, 'SMS', $2, $2, $5, 'DRAFT', $6)",
            *(f"{number} {text}", text, f"{bench.key('')}/../{text}{number}", bench.enterprise_id),
            *(json.dumps({text: [text, 1, 1.0, 1e30, True, None, {}], "n": 10**25}), number % 2 == 0),
        )
    [template, *_] = bench.rows(
        "select id from notify.ent_notification_template where enterprise_id = $1 order by id", bench.enterprise_id
    )
    bench.rows(
        "insert into notify.ent_notification_workflow (name, workflow_key, enterprise_id, workflow_type,"
        " default_channels, template_overrides, payload_schema, publish_status)"
        " values ('w', $1, $2, 'DYNAMIC', '{SMS,PUSH}', $3, '{\"type\": 7}', 'PUBLISH')",
        *(bench.key("w"), bench.enterprise_id, json.dumps({"smsTemplateId": template["id"], "x": {"y": []}})),
    )
    bench.rows(
        "insert into notify.ent_notification_rule (name, enterprise_id, notification_workflow_id, trigger_type,"
        " trigger_config) select 'odd: rule', $1, id, null, '[1]' from notify.ent_notification_workflow"
        " where enterprise_id = $1",
        bench.enterprise_id,
    )

    exported = bench.xnovu("export", str(bench.directory), "--enterprise", bench.enterprise_id)
    again = bench.apply("--dry-run", "--json")

    assert (exported.exit_code, exported.stderr) == (0, ""), exported.output
    assert "left out" not in exported.stdout
    assert again.exit_code == 0, again.output
    summary = json.loads(again.stdout)["summary"]
    assert summary == {"create": 0, "update": 0, "delete": 0, "refused": 0, "left": 0, "unchanged": len(ODD_TEXTS) + 2}


def test_an_export_writes_over_nothing_unless_told_to(bench: Bench) -> None:
    bench.write_shop()
    bench.apply("--yes")

    refused = bench.xnovu("export", str(bench.directory), "--enterprise", bench.enterprise_id)
    forced = bench.xnovu("export", str(bench.directory), "--enterprise", bench.enterprise_id, "--force")

    assert refused.exit_code == 1
    assert "is not empty" in refused.stderr
    assert forced.exit_code == 0


def test_lists_show_what_there_is_with_each_rule_s_next_firing_or_error(bench: Bench) -> None:
    bench.write_shop()
    bench.apply("--yes")
    bench.rows(
        "insert into notify.ent_notification_rule (name, enterprise_id, notification_workflow_id, trigger_type,"
        " trigger_config, publish_status)"
        " select 'broken', $1, id, 'CRON', '{\"cron\": \"0 9 * * *\"}', 'PUBLISH'"
        " from notify.ent_notification_workflow where enterprise_id = $1",
        bench.enterprise_id,
    )
    bench.rows(
        "update notify.ent_notification_rule set schedule_error = 'no recipients'"
        " where enterprise_id = $1 and name = 'broken'",
        bench.enterprise_id,
    )
    whose = ("--enterprise", bench.enterprise_id)

    [workflow] = json.loads(bench.xnovu("workflow", "list", *whose, "--json").stdout)
    templates = bench.xnovu("template", "list", *whose).stdout.splitlines()
    rules = {it["name"]: it for it in json.loads(bench.xnovu("rule", "list", *whose, "--json").stdout)}

    assert (workflow["workflow_key"], workflow["status"], workflow["default_channels"]) == (
        *(bench.key("order"), "PUBLISH"),
        ["EMAIL"],
    )
    assert templates[0].split() == ["enterprise", "id", "status", "template_key", "channel_type", "name"]
    assert bench.key("mail") in templates[1]
    assert rules["nightly"]["next"].endswith(":00:00Z")
    assert (rules["nightly"]["error"], rules["broken"]["error"]) == (None, "no recipients")


def test_one_is_shown_as_its_file_and_one_that_is_not_there_with_what_was_meant(bench: Bench) -> None:
    bench.write_shop()
    bench.apply("--yes")
    whose = ("--enterprise", bench.enterprise_id)

    shown = bench.xnovu("template", "show", bench.key("mail"), *whose)
    missing = bench.xnovu("workflow", "show", bench.key("odrer"), *whose, "--json")

    assert shown.exit_code == 0
    assert f"template_key: {bench.key('mail')}\nchannel_type: EMAIL\n" in shown.stdout
    assert "<p>Hi {{ name }}</p>" in shown.stdout
    assert missing.exit_code == 1
    assert json.loads(missing.stdout)["error"]["hint"] == f"did you mean {bench.key('order')}?"
