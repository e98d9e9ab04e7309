"""What would be written, and why it may not be: files beside rows, without a database."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from cli.action import Action
from cli.apply import _reason
from cli.files.directory import read_directory
from cli.files.kinds import Entry, Kind
from cli.files.plan import EnterprisePlan, plan_enterprise
from cli.files.rows import FileRows, Kept, Surroundings, Written
from cli.files.validation import coming_firings
from cli.files.yaml_text import read_yaml
from tests.unit.cli.files.columns import MAIL, NIGHTLY, ORDER
from tests.unit.cli.files.renderer import Renderer
from worker.render_pool.pool import RenderPool


def template(**changes: Any) -> Entry:
    return Entry(Kind.TEMPLATE, {**MAIL, **changes}, id=1)


def workflow(**changes: Any) -> Entry:
    return Entry(Kind.WORKFLOW, {**ORDER, **changes}, id=2)


def rule(**changes: Any) -> Entry:
    return Entry(Kind.RULE, {**NIGHTLY, **changes}, id=3)


class _Rows:
    def __init__(self, entries: Sequence[Entry], surroundings: Surroundings) -> None:
        self._entries = entries
        self._surroundings = surroundings

    async def seen(self, _: str) -> str:
        return "seen"

    async def read(self, _: Sequence[str]) -> dict[str, Kept]:
        return {"acme": Kept(list(self._entries))}

    async def time_zones(self, *_: object) -> dict[str, str]:
        return {"acme": "Asia/Tokyo"}

    async def surroundings(self, *_: object) -> Surroundings:
        return self._surroundings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "acme").mkdir()
    return tmp_path


async def plan(
    root: Path,
    files: Sequence[Entry],
    rows: Sequence[Entry] = (),
    *,
    prune: bool = False,
    surroundings: Surroundings | None = None,
) -> EnterprisePlan:
    """Of files with these columns."""
    directory = read_directory(root)
    directory.enterprises["acme"] = []
    for number, entry in enumerate(files):
        name = f"acme/{number}.yaml"
        directory.enterprises["acme"].append(replace(entry, id=None, file=name))
        directory.documents[name] = read_yaml("")
    store = cast(FileRows, _Rows(rows, surroundings or Surroundings()))
    return await plan_enterprise(store, cast(RenderPool, Renderer()), "acme", directory, prune=prune)


def actions(planned: EnterprisePlan) -> dict[str, Action]:
    return {step.entry.subject: step.action for step in planned.steps}


async def test_what_is_named_is_written_before_what_names_it_and_deletions_come_last(root: Path) -> None:
    old = template(template_key="old", name="old")

    planned = await plan(root, [rule(), workflow(), template()], [old], prune=True)

    assert planned.problems == []
    assert [step.entry.subject for step in planned.todo] == [
        *("template mail", "workflow order", "rule nightly", "template old")
    ]
    assert planned.todo[-1].as_change() == {
        "kind": "template",
        "id": 1,
        "columns": {"publish_status": "DELETED"},
    }


async def test_only_columns_that_differ_are_written_and_1_is_not_true(root: Path) -> None:
    there = template(variables_description={"a": True})

    planned = await plan(root, [template(variables_description={"a": 1}, subject_template="s")], [there])

    assert planned.todo[0].as_change()["columns"] == {"subject_template": "s", "variables_description": {"a": 1}}


async def test_what_was_deleted_comes_back_with_its_row(root: Path) -> None:
    planned = await plan(root, [template()], [template(publish_status="DELETED")])

    assert actions(planned) == {"template mail": Action.CREATE}
    assert planned.todo[0].as_change() == {
        "kind": "template",
        "id": 1,
        "columns": {"publish_status": "PUBLISH"},
    }


async def test_a_fault_that_was_there_is_a_remark_and_one_that_is_new_hinders(root: Path) -> None:
    broken = [template(), workflow(template_overrides={"emailTemplateId": "nowhere"})]

    as_it_is = await plan(root, [*broken, template(template_key="new", name="new")], broken)
    made_so = await plan(root, broken)

    assert as_it_is.problems == []
    assert any(it.startswith("workflow order, as it is already: emailTemplateId") for it in as_it_is.remarks)
    assert [str(it) for it in made_so.problems] == [
        "acme/1.yaml:1: emailTemplateId: there is no template nowhere: it is one of mail."
    ]


async def test_a_row_that_was_written_past_every_check_is_a_remark(root: Path) -> None:
    rows = [template(), workflow(default_channels=["EMAIL", None]), rule()]

    planned = await plan(root, [template(body_template="Hello")], rows)

    assert planned.problems == []
    assert any("default channel None has no template" in remark for remark in planned.remarks)


async def test_a_change_that_breaks_what_it_does_not_touch_hinders(root: Path) -> None:
    includes = template(template_key="page", name="page", body_template='{% xnovu_render "mail" %}')
    rows = [template(), includes]

    planned = await plan(root, [template(publish_status="DRAFT"), includes], rows)
    unwritten = await plan(root, [template(publish_status="DRAFT")], rows)

    assert "no active template mail to include" in str(planned.problems[0])
    assert str(unwritten.problems[0]).startswith("acme: template page: ")


FAULTS: list[tuple[list[Entry], str]] = [
    ([template(body_template="{% if %}")], "Template mail, line 1"),
    ([template(body_template="{{ a }}", variables_description={"b": "B"})], "variable a is undefined"),
    ([template(body_template='{% xnovu_render "nowhere" %}')], "no active template nowhere"),
    ([template(category="shop")], "there is no category of code shop: there are none"),
    ([template(channel_type="SMS"), workflow()], "emailTemplateId: template mail is of channel SMS"),
    ([template(publish_status="DRAFT"), workflow()], "emailTemplateId: template mail is not published"),
    ([template(), workflow(template_overrides={})], "default channel EMAIL has no template"),
    (
        [template(), workflow(template_overrides={"emailTemplateID": "mail"}, default_channels=[])],
        "did you mean emailTemplateId ",
    ),
    ([template(), workflow(payload_schema={"type": 7})], "payload_schema of workflow order is no JSON Schema"),
    ([template(), workflow(payload_schema={"$comment": "x" * 65_536})], "payload_schema is larger than"),
    ([rule()], "there is no workflow order: there are none"),
    ([template(), workflow(), rule(workflow="odrer")], "there is no workflow odrer: did you mean order?"),
    ([template(), workflow(), rule(trigger_config={"cron": "0 25 * * *"})], "`25` is not between 0 and 23"),
    ([template(), workflow(), rule(trigger_config={"cron": "0 9 * * *", "tz": "UTC"})], "did you mean timezone?"),
    ([template(), workflow(), rule(rule_payload={"recipients": []})], "rule_payload.recipients must be a list"),
    ([template(), workflow(), rule(rule_payload={"recipient": ["a"]})], "has no member recipient: did you mean recip"),
    ([template(), workflow(), rule(rule_payload={"recipients": ["a"], "channels": ["FAX"]})], "channels must be"),
    (
        [template(body_template="{{ name }}"), workflow(), rule()],
        "Template mail, line 1: variable name is undefined",
    ),
    (
        [template(), workflow(payload_schema={"required": ["id"]}), rule()],
        "payload breaks payload_schema of workflow order: payload: required id",
    ),
    ([template(), template(template_key="other")], "the name 'mail' is that of template mail"),
]


@pytest.mark.parametrize(("files", "told"), FAULTS, ids=[told for _, told in FAULTS])
async def test_what_would_fail_later_is_told_before_it_is_written(root: Path, files: list[Entry], told: str) -> None:
    planned = await plan(root, files)

    assert any(told in problem.message for problem in planned.problems), planned.problems


async def test_what_is_not_promised_or_does_not_run_is_no_error(root: Path) -> None:
    files = [
        template(body_template="{{ name }}"),
        workflow(publish_status="DRAFT"),
        rule(),
        rule(name="event", trigger_type="EVENT", trigger_config=None, rule_payload=None),
    ]

    planned = await plan(root, files)

    assert planned.problems == []
    assert any("variables_description does not describe it" in remark for remark in planned.remarks)
    assert any("workflow order is not published: the rule rests" in remark for remark in planned.remarks)


async def test_keys_and_names_that_others_hold_are_told(root: Path) -> None:
    taken = Surroundings(taken={Kind.TEMPLATE: frozenset({"mail"})})
    deleted = template(template_key="old", name="mail", publish_status="DELETED")

    others = await plan(root, [template()], surroundings=taken)
    gone = await plan(root, [template()], [deleted])
    pruned = await plan(root, [template()], [template(template_key="old", name="mail")], prune=True)

    assert "mail is another enterprise's already" in others.problems[0].message
    for planned in (gone, pruned):
        assert "the name 'mail' is that of template old, which is deleted" in planned.problems[0].message


async def test_why_nothing_was_written_is_told_of_the_thing_that_was_refused(root: Path) -> None:
    planned = await plan(root, [template(), workflow()])

    refused = _reason(planned, Written(refused_at=1, sqlstate="23505", constraint="one_of_a_kind"))
    meanwhile = _reason(planned, Written(changed_meanwhile=True))

    assert refused == "workflow order: a name or key that must be unique is another row's (23505, one_of_a_kind)."
    assert meanwhile == "somebody else has written there since the plan was made; plan again."
    assert _reason(planned, Written(ids=(1, 2))) is None


def test_the_next_firings_of_a_rule_are_in_its_own_zone() -> None:
    firings = coming_firings(rule(trigger_config={"cron": "30 9 * * *", "timezone": "Asia/Shanghai"}))

    assert len(firings) == 3
    assert all(it.endswith("T09:30:00+08:00") for it in firings)
    assert coming_firings(rule(deactivated=True)) == []
    assert coming_firings(rule(trigger_config={"cron": "x"})) == []


async def test_a_rule_that_names_no_zone_fires_in_its_enterprise_s(root: Path) -> None:
    nightly = rule(trigger_config={"cron": "30 9 * * *"})
    planned = await plan(root, [workflow(), nightly])

    firings = coming_firings(nightly, planned.time_zone)

    assert len(firings) == 3
    assert all(it.endswith("T09:30:00+09:00") for it in firings)
    assert all(it.endswith("T09:30:00+00:00") for it in coming_firings(nightly))
