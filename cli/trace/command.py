"""The command: asks the database and Temporal, tells the story in order, and ends with where it stands."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from cli.failure import exit_with_hint, failures_named
from cli.operator_store import NotificationTrace, OperatorStore
from cli.orchestration_report import report_orchestration
from cli.supabase_session import supabase_session
from cli.terminal import say, say_line
from cli.trace.delivery import delivery_lines
from cli.trace.processing import TemporalView, look
from cli.trace.standing import RECIPIENTS_PER_TRANSACTION, Standing, stand, transaction_ids, waits_to_be_taken_up
from shared.notification.models import LARGEST_ID
from shared.notification.transaction_id import parse_transaction_id
from shared.settings import Settings

EXIT_NO_SUCH_ROW = 1


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of one notification."""

    row: NotificationTrace
    temporal: TemporalView
    standing: Standing


def trace(
    notification_id: Annotated[
        int, typer.Argument(min=1, max=LARGEST_ID, metavar="NOTIFICATION_ID", help="The row's id.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One object: row, workflow, novu, standing.")] = False,
) -> None:
    """Follow one notification from its row over its workflow to Novu, and say what it waits for.

    Exit 0 when the row was found, wherever it stands; 1 if there is no such row; 2 for wrong settings or no database.
    """
    with failures_named():
        story = asyncio.run(_tell(Settings.load(), notification_id))
    if story is None:
        exit_with_hint(
            f"There is no notification {notification_id}.",
            "the id is that of the row in notify.ent_notification of this project.",
            EXIT_NO_SUCH_ROW,
        )
    if as_json:
        say(json.dumps(_object(story), indent=2, default=_rfc3339))
    else:
        for line in _lines(story):
            say_line(line)


async def trace_lines(settings: Settings, wanted: str) -> list[str] | None:
    """What the command says of the notification with this id, or with this transaction id; None if there is none.

    Raises StoreUnavailable: the database cannot be asked.
    """
    notification_id = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else None
    if parsed := parse_transaction_id(wanted):
        async with supabase_session(settings) as client:
            notification_id = await OperatorStore(client).id_of(parsed.delivery_key)
    story = None if notification_id is None else await _tell(settings, notification_id)
    return None if story is None else list(_lines(story))


async def _tell(settings: Settings, notification_id: int) -> Story | None:
    async with supabase_session(settings) as client:
        row = await OperatorStore(client).trace(notification_id)
    if row is None:
        return None
    temporal = await look(settings, row)
    orchestration = None
    if waits_to_be_taken_up(row) and temporal.unreachable is None:
        orchestration = await report_orchestration(settings)
    return Story(row, temporal, stand(row, temporal, orchestration))


def _object(story: Story) -> dict[str, Any]:
    """What --json prints: fields are added, never renamed or dropped."""
    return {
        "row": asdict(story.row),
        "workflow": None if story.temporal.processing is None else asdict(story.temporal.processing),
        "workflow_unknown": story.temporal.unreachable,
        "novu": {"transaction_ids": transaction_ids(story.row), "delivery": story.row.delivery},
        "standing": asdict(story.standing),
    }


def _lines(story: Story) -> Iterator[str]:
    row = story.row
    workflow = row.workflow_key or "no workflow"
    usable = "" if row.workflow_usable or row.workflow_key is None else " (not active, or another enterprise's)"
    yield f"notification {row.id} of {row.enterprise_id or 'nobody'}: {row.status}, {workflow}{usable}"
    yield f"recipients: {row.recipient_count}{_progress(row)}, {_claimed(row.attempts)}" + (
        f", made by rule {row.rule_id}" if row.rule_id else ""
    )
    yield ""
    instants = sorted(_instants(story), key=lambda entry: entry[0])
    for instant, what in instants:
        yield f"{_rfc3339(instant)}  {_after(instant - row.created_at)}  {what}"
    ids = transaction_ids(row)
    if ids:
        more = f" ... {ids[-1]} ({len(ids)} in all)" if len(ids) > 1 else ""
        yield ""
        yield f"transaction id at Novu: {ids[0]}{more}"
    if row.doubtful_repeats:
        yield f"sent again in doubt: {row.doubtful_repeats} times; so often, at most, somebody got it twice"
    yield from delivery_lines(row.delivery)
    yield ""
    yield f"{story.standing.state}: {story.standing.explanation}"
    if story.standing.hint:
        yield f"Hint: {story.standing.hint}"


def _instants(story: Story) -> Iterator[tuple[datetime, str]]:
    """What happened, and what is to come, in no order."""
    row, processing = story.row, story.temporal.processing
    yield row.created_at, "row created"
    if row.scheduled_for:
        yield row.scheduled_for, "scheduled for"
    if row.deliver_before:
        yield row.deliver_before, "not to be sent after"
    if processing and processing.started_at:
        yield processing.started_at, f"workflow {processing.workflow_id} started"
    if row.processed_at:
        yield row.processed_at, "claimed" if row.attempts <= 1 else "claimed, the latest time"
    if processing and processing.closed_at:
        yield processing.closed_at, f"workflow {processing.status}"
    if row.in_doubt_since:
        yield row.in_doubt_since, "a call to Novu was left without an answer: it may have it"
    if row.retracted_at:
        yield row.retracted_at, "retracted"
    if row.status in ("SENT", "FAILED"):
        yield row.updated_at, "sent: Novu accepted it" if row.status == "SENT" else "failed"


def _after(elapsed: timedelta) -> str:
    return f"{elapsed.total_seconds():+12.3f} s"


def _progress(row: NotificationTrace) -> str:
    """How many of the recipients Novu has, while it does not have all."""
    if row.status == "SENT" or not row.chunks_sent:
        return ""
    return f" ({min(row.chunks_sent * RECIPIENTS_PER_TRANSACTION, row.recipient_count)} of them are with Novu)"


def _claimed(count: int) -> str:
    return {0: "never claimed", 1: "claimed once"}.get(count, f"claimed {count} times")


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
