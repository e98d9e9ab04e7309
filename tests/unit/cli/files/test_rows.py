"""Rows as files see them."""

from cli.files.kinds import Entry, Kind
from cli.files.rows import _with_keys_for_ids
from tests.unit.cli.files.columns import MAIL, ORDER


def test_templates_are_named_by_their_keys_and_what_names_none_stays_as_it_is() -> None:
    odd = {"smsTemplateId": ["nonsense"], "pushTemplateId": {"id": 7}, "chatTemplateId": 8, "tags": [7]}
    overrides = {"emailTemplateId": 7, "inAppTemplateId": "mail", **odd}

    [_, workflow] = _with_keys_for_ids(
        [Entry(Kind.TEMPLATE, MAIL, id=7), Entry(Kind.WORKFLOW, {**ORDER, "template_overrides": overrides}, id=1)]
    )

    assert workflow.columns["template_overrides"] == {"emailTemplateId": "mail", "inAppTemplateId": "mail", **odd}
