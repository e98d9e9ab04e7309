from typing import Any

import pytest

from cli.rule_row import RuleRow

RULE: dict[str, Any] = {
    "enterprise_id": "acme",
    "publish_status": "PUBLISH",
    "deactivated": False,
    "trigger_type": "cron",
    "trigger_config": {"cron": "0 9 * * *"},
    "schedule_error": None,
    "notification_workflow_id": 7,
}
WORKFLOW: dict[str, Any] = {"enterprise_id": "acme", "publish_status": "PUBLISH", "deactivated": False}


def test_an_active_rule_of_an_active_workflow_has_no_hindrance() -> None:
    assert list(RuleRow(RULE, WORKFLOW).hindrances()) == []


@pytest.mark.parametrize(
    ("change", "hindrance"),
    [
        ({"publish_status": "DRAFT"}, "the rule is not published: publish_status is DRAFT"),
        ({"deactivated": True}, "the rule is deactivated"),
        ({"trigger_type": "EVENT"}, "the rule is not a CRON rule: trigger_type is EVENT"),
        ({"trigger_type": None}, "the rule is not a CRON rule: trigger_type is null"),
        ({"trigger_config": None}, "trigger_config must be an object"),
        ({"trigger_config": {"cron": "0 0 30 2 *"}}, "No date in any year"),
        ({"trigger_config": {"cron": "0 9 * * *", "timezone": "Nowhere"}}, "There is no time zone `Nowhere`"),
        ({"trigger_config": {"cron": "0 9 * * *", "enabled": False}}, "trigger_config.enabled is false"),
        ({"schedule_error": "rule_payload must be an object"}, "schedule_error: rule_payload must be an object"),
    ],
)
def test_what_keeps_a_rule_from_firing_is_named(change: dict[str, Any], hindrance: str) -> None:
    [named] = RuleRow({**RULE, **change}, WORKFLOW).hindrances()

    assert hindrance in named


@pytest.mark.parametrize(
    ("workflow", "hindrance"),
    [
        (None, "its workflow 7 does not exist"),
        ({**WORKFLOW, "publish_status": "DELETED"}, "its workflow 7 is not published: publish_status is DELETED"),
        ({**WORKFLOW, "deactivated": True}, "its workflow 7 is deactivated"),
        ({**WORKFLOW, "enterprise_id": "globex"}, "its workflow 7 belongs to another enterprise"),
    ],
)
def test_what_keeps_its_workflow_from_being_used_is_named(workflow: dict[str, Any] | None, hindrance: str) -> None:
    assert list(RuleRow(RULE, workflow).hindrances()) == [hindrance]


def test_a_rule_without_an_enterprise_belongs_to_nobody() -> None:
    hindrances = list(RuleRow({**RULE, "enterprise_id": None}, {**WORKFLOW, "enterprise_id": None}).hindrances())

    assert hindrances == ["the rule belongs to no enterprise: enterprise_id is null"]


def test_everything_is_named_at_once() -> None:
    rule = {**RULE, "publish_status": "DRAFT", "deactivated": True, "trigger_config": {"cron": "nonsense"}}

    assert len(list(RuleRow(rule, None).hindrances())) == 4


def test_a_refusal_that_the_scheduler_has_written_down_is_named_once() -> None:
    rule = {**RULE, "trigger_config": {"cron": "0 0 30 2 *"}}
    [refusal] = RuleRow(rule, WORKFLOW).hindrances()

    assert list(RuleRow({**rule, "schedule_error": refusal}, WORKFLOW).hindrances()) == [refusal]
