"""One row of a claim that cannot be read is refused by itself; its batch mates are delivered."""

from typing import Any

import pytest

from shared.notification.models import Channel, SecondTry, WorkflowType
from shared.notification.outcomes import RefusalCode
from shared.supabase.claimed_batch import read_claimed_batch

ROW: dict[str, Any] = {
    "id": 1,
    "payload": '{"name": "Ada"}',
    "recipients": ["ada"],
    "channels": ["EMAIL"],
    "overrides": None,
    "attempts": 1,
    "chunks_sent": 0,
    "expired": False,
    "notification_workflow_id": 7,
    "transaction_base": "xnovu.1",
    "doubt_seconds": None,
    "doubtful_repeats": 0,
    "idempotency_round": 0,
    "chunks_beyond": None,
}
WORKFLOW: dict[str, Any] = {
    "workflow_key": "receipt",
    "workflow_type": "DYNAMIC",
    "default_channels": ["SMS"],
    "templates": {"emailTemplateId": "receipt-email"},
}
TEMPLATE: dict[str, Any] = {
    "id": 3,
    "template_key": "receipt-email",
    "channel_type": "EMAIL",
    "subject_template": None,
    "body_template": "Hello",
}


def an_answer(*rows: dict[str, Any], workflow: dict[str, Any] = WORKFLOW) -> dict[str, Any]:
    return {
        "notifications": list(rows),
        "deferred": [9],
        "workflows": {"7": workflow},
        "templates": [TEMPLATE],
        "templates_withheld": False,
    }


def test_a_claim_is_read_whole() -> None:
    batch = read_claimed_batch(an_answer({**ROW, "overrides": '{"email": {}}'}))

    [notification] = batch.notifications
    assert (notification.id, notification.payload, notification.overrides) == (1, {"name": "Ada"}, {"email": {}})
    assert notification.channels == (Channel.EMAIL,)
    assert notification.workflow is not None
    assert notification.workflow.type is WorkflowType.DYNAMIC
    assert notification.workflow.template_references == {Channel.EMAIL: "receipt-email"}
    assert batch.templates["receipt-email"].body == "Hello"
    assert (batch.deferred, batch.unreadable) == ((9,), ())


@pytest.mark.parametrize(
    ("noted", "channels"),
    [({}, None), ({"novu_channels": {}}, None), ({"novu_channels": {"7": ["SMS", "FAX"]}}, {Channel.SMS})],
)
def test_what_a_workflow_has_at_novu_is_known_or_not(noted: dict[str, Any], channels: set[Channel] | None) -> None:
    batch = read_claimed_batch({**an_answer(ROW), **noted})

    assert batch.notifications[0].workflow is not None
    assert batch.notifications[0].workflow.novu_channels == channels


@pytest.mark.parametrize(
    ("columns", "column"),
    [
        ({"payload": "1" * 5_000}, "payload"),
        ({"payload": "[" * 1_500 + "]" * 1_500}, "payload"),
        ({"overrides": '{"a": ' + "9" * 400 + "}"}, "overrides"),
        ({"channels": [None]}, "channels"),
        ({"channels": [["EMAIL"], ["SMS"]]}, "channels"),
        ({"channels": ["FAX"]}, "channels"),
        ({"chunks_sent": -1}, "chunks_sent"),
    ],
)
def test_a_row_that_cannot_be_read_names_its_column(columns: dict[str, Any], column: str) -> None:
    batch = read_claimed_batch(an_answer({**ROW, **columns}, {**ROW, "id": 2}))

    assert [notification.id for notification in batch.notifications] == [2]
    [failed] = batch.unreadable
    assert (failed.notification_id, failed.refusal.code) == (1, RefusalCode.ROW_UNREADABLE)
    assert failed.refusal.details == {"column": column}


@pytest.mark.parametrize(
    ("column", "code"),
    [
        ("payload", RefusalCode.PAYLOAD_TOO_LARGE),
        ("overrides", RefusalCode.PAYLOAD_TOO_LARGE),
        ("recipients", RefusalCode.INVALID_RECIPIENTS),
        ("scheduled_for", RefusalCode.ROW_UNREADABLE),
    ],
)
def test_what_the_database_kept_back_is_refused_by_its_column(column: str, code: RefusalCode) -> None:
    kept_back = {
        "id": 1,
        "attempts": 1,
        "chunks_sent": 0,
        "expired": False,
        "notification_workflow_id": 7,
        "unreadable": {"column": column},
    }

    batch = read_claimed_batch(an_answer(kept_back, {**ROW, "id": 2}))

    assert [notification.id for notification in batch.notifications] == [2]
    [failed] = batch.unreadable
    assert (failed.refusal.code, failed.refusal.details) == (code, {"column": column})


@pytest.mark.parametrize(
    ("columns", "column"),
    [
        ({"workflow_type": "TELEPATHIC"}, "workflow.workflow_type"),
        ({"default_channels": [None]}, "workflow.default_channels"),
        ({"default_channels": "too many"}, "workflow.default_channels"),
        ({"workflow_key": "k" * 501}, "workflow.workflow_key"),
        ({"workflow_key": ""}, "workflow.workflow_key"),
        ({"templates": {"smsTemplateId": "k" * 501}}, "workflow.template_overrides"),
    ],
)
def test_a_workflow_that_cannot_be_read_refuses_its_own_rows(columns: dict[str, Any], column: str) -> None:
    answer = an_answer(ROW, {**ROW, "id": 2, "notification_workflow_id": 8}, workflow={**WORKFLOW, **columns})
    answer["workflows"]["8"] = WORKFLOW

    batch = read_claimed_batch(answer)

    assert [notification.id for notification in batch.notifications] == [2]
    assert [failed.refusal.details for failed in batch.unreadable] == [{"column": column}]


def test_a_template_of_a_channel_of_a_later_release_is_no_channels_template() -> None:
    answer = an_answer(ROW)
    answer["templates"] = [{**TEMPLATE, "channel_type": "FAX"}]

    assert read_claimed_batch(answer).templates["receipt-email"].channel == "FAX"


@pytest.mark.parametrize(
    ("column", "schema"),
    [(None, None), ({"text": "null"}, None), ({"text": '{"type": "object"}'}, '{"type": "object"}')],
)
def test_a_payload_schema_travels_as_text(column: Any, schema: str | None) -> None:
    batch = read_claimed_batch(an_answer(ROW, workflow={**WORKFLOW, "payload_schema": column}))

    [notification] = batch.notifications
    assert notification.workflow is not None
    assert notification.workflow.payload_schema == schema


def test_a_payload_schema_that_is_too_large_fails_the_workflows_rows() -> None:
    batch = read_claimed_batch(an_answer(ROW, workflow={**WORKFLOW, "payload_schema": "too large"}))

    [failed] = batch.unreadable
    assert failed.refusal.details == {"column": "workflow.payload_schema"}


def test_whom_a_second_try_is_for_is_read_with_its_row_and_no_other() -> None:
    parts = [{"channel": "EMAIL", "recipients": ["ada"]}, {"channel": None, "recipients": ["bob", "cyd"]}]
    told = {"second_tries": {"1": {"number": 2, "first_chunk": 3, "parts": parts}}}

    batch = read_claimed_batch({**an_answer(ROW, {**ROW, "id": 2}), **told})

    second_try = SecondTry(2, 3, ((Channel.EMAIL, ("ada",)), (None, ("bob", "cyd"))))
    assert [it.second_try for it in batch.notifications] == [second_try, None]
