"""A claim's answer, row by row: one that cannot be read becomes a refusal of its own, and the others are delivered."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.notification.crowd import held
from shared.notification.models import (
    Channel,
    ClaimedBatch,
    Notification,
    NovuWorkflow,
    SecondTry,
    Template,
    WorkflowType,
)
from shared.notification.outcomes import Failed, Refusal, RefusalCode
from shared.supabase.decoding import Unreadable, read_count, read_json, read_label, read_labels
from shared.supabase.recipients import read_recipients

NAME_CHARACTERS = 500
"""Of a workflow's key, or a reference to a template: one more is sent of those that are longer."""

TEMPLATE_REFERENCES = {
    Channel.EMAIL: "emailTemplateId",
    Channel.IN_APP: "inAppTemplateId",
    Channel.SMS: "smsTemplateId",
    Channel.PUSH: "pushTemplateId",
    Channel.CHAT: "chatTemplateId",
}
"""Which member of a workflow's `template_overrides` names the channel's template."""

_UNSENT = {
    "payload": (RefusalCode.PAYLOAD_TOO_LARGE, "payload is larger than an event of Novu's can be"),
    "overrides": (RefusalCode.PAYLOAD_TOO_LARGE, "overrides are larger than an event of Novu's can be"),
    "recipients": (RefusalCode.INVALID_RECIPIENTS, "recipients are more than 100,000, or longer than 4 MB"),
    "scheduled_for": (RefusalCode.ROW_UNREADABLE, "scheduled_for can never come: it is infinity or after 9999-12-01"),
}
"""What the database found and did not send along, by column."""


def read_claimed_batch(answer: Mapping[str, Any]) -> ClaimedBatch:
    """The answer of `claim_batch` (docs/database_functions.md); nothing that a row holds makes this raise."""
    # A claim of a database that is older than this code knows nothing of Novu's channels, nor of recipients.
    at_novu = answer.get("novu_channels", {})
    known = answer.get("recipients", {"known": {}})
    # Only a claim of followed rows tells of second tries.
    tries = answer.get("second_tries", {})
    workflows = {int(key): read_workflow(value, at_novu.get(key)) for key, value in answer["workflows"].items()}
    read = [
        _notification_or_failed(row, workflows, _second_try(tries.get(str(row["id"]))))
        for row in answer["notifications"]
    ]
    return ClaimedBatch(
        notifications=tuple(it for it in read if isinstance(it, Notification)),
        unreadable=tuple(it for it in read if isinstance(it, Failed)),
        refused=tuple(_claim_refused(int(key), state) for key, state in answer.get("refused", {}).items()),
        templates=read_templates(answer["templates"]),
        templates_withheld=answer["templates_withheld"],
        deferred=tuple(answer["deferred"]),
        recipients=None if known is None else read_recipients(known),
    )


def _notification_or_failed(
    row: Mapping[str, Any], workflows: Mapping[int, NovuWorkflow | Refusal], second_try: SecondTry | None
) -> Notification | Failed:
    if "unreadable" in row:
        column = row["unreadable"]["column"]
        code, message = _UNSENT[column]
        return Failed(row["id"], Refusal(code, message, {"column": column}))
    workflow = workflows.get(row["notification_workflow_id"])
    if isinstance(workflow, Refusal):
        return Failed(row["id"], workflow)
    try:
        return _notification(row, workflow, second_try)
    except Unreadable as unreadable:
        return Failed(row["id"], _refusal(unreadable))


def _claim_refused(notification_id: int, sqlstate: str) -> Failed:
    message = "the database refused to have the row claimed"
    return Failed(notification_id, Refusal(RefusalCode.CLAIM_REFUSED, message, {"sqlstate": sqlstate}))


def _notification(row: Mapping[str, Any], workflow: NovuWorkflow | None, second_try: SecondTry | None) -> Notification:
    overrides = read_json("overrides", row["overrides"])
    return Notification(
        id=row["id"],
        workflow=workflow,
        recipients=held(row["recipients"] or ()),
        payload=read_json("payload", row["payload"]),
        transaction_base=row["transaction_base"],
        channels=read_labels("channels", row["channels"], Channel),
        overrides={} if overrides is None else overrides,
        attempts=row["attempts"],
        chunks_sent=read_count("chunks_sent", row["chunks_sent"]),
        expired=row["expired"],
        chunks_beyond=frozenset(it for it in row["chunks_beyond"] or () if isinstance(it, int)),
        doubt_seconds=row["doubt_seconds"],
        doubtful_repeats=row["doubtful_repeats"],
        idempotency_round=row["idempotency_round"],
        second_try=second_try,
    )


def _second_try(told: Mapping[str, Any] | None) -> SecondTry | None:
    """Nothing of it is anybody's text but the recipients: the database counts and names channels itself."""
    if told is None:
        return None
    parts = (
        (None if part["channel"] is None else Channel(part["channel"]), held(part["recipients"]))
        for part in told["parts"]
    )
    return SecondTry(told["number"], told["first_chunk"], tuple(parts))


def read_workflow(row: Mapping[str, Any], novu_channels: Sequence[str] | None = None) -> NovuWorkflow | Refusal:
    """A workflow's row, or why it cannot be read; `novu_channels` are those that it is noted to have at Novu."""
    try:
        return _workflow(row, novu_channels)
    except Unreadable as unreadable:
        return _refusal(unreadable)


def _workflow(row: Mapping[str, Any], novu_channels: Sequence[str] | None) -> NovuWorkflow:
    references = {
        channel: row["templates"][name] for channel, name in TEMPLATE_REFERENCES.items() if name in row["templates"]
    }
    return NovuWorkflow(
        key=_name("workflow.workflow_key", row["workflow_key"]),
        type=read_label("workflow.workflow_type", row["workflow_type"], WorkflowType),
        default_channels=read_labels("workflow.default_channels", row["default_channels"], Channel),
        template_references={
            channel: _name("workflow.template_overrides", reference) for channel, reference in references.items()
        },
        novu_channels=None if novu_channels is None else frozenset(it for it in Channel if it in novu_channels),
        payload_schema=_schema(row.get("payload_schema")),
    )


def _schema(value: Any) -> str | None:
    """A claim of a database that is older than this code knows none; a JSON null is none either."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Unreadable("workflow.payload_schema", "is larger than 64 KB")
    text: str = value["text"]
    return None if text == "null" else text


def _name(column: str, text: str) -> str:
    if not text or len(text) > NAME_CHARACTERS:
        raise Unreadable(column, f"holds a name that is empty or longer than {NAME_CHARACTERS} characters")
    return text


def read_templates(rows: Sequence[Mapping[str, Any]]) -> dict[str, Template]:
    """By key. A channel that this release does not know is kept as it is named: no channel's template, then."""
    return {
        row["template_key"]: Template(
            id=row["id"],
            key=row["template_key"],
            channel=row["channel_type"],
            subject=row["subject_template"],
            body=row["body_template"],
        )
        for row in rows
    }


def _refusal(unreadable: Unreadable) -> Refusal:
    return Refusal(RefusalCode.ROW_UNREADABLE, str(unreadable), {"column": unreadable.column})
