"""`xnovu send`: one notification from the command line, by the road that all others take."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

import typer

from cli.failure import EXIT_NOTHING_KNOWN, exit_with_hint, failures_named
from cli.firings import read_instant
from cli.object_option import read_object
from cli.operator_store import NotificationTrace, OperatorStore
from cli.supabase_session import supabase_session
from cli.terminal import say
from shared.ports import CreatedNotification, CreateRefusal, NewNotification
from shared.settings import SupabaseSettings
from shared.suggestion import active_workflows
from shared.supabase.template_store import SupabaseTemplateStore, WorkflowTemplates
from shared.supabase.trigger_store import SupabaseTriggerStore

EXIT_NOT_SENT = 1

LOOK_EVERY_SECONDS = 0.25

_ENDED = ("SENT", "FAILED", "RETRACTED")

_HINTS = {
    CreateRefusal.INVALID_RECIPIENTS: "in this project recipients are uuids.",
    CreateRefusal.REFUSED_BY_DATABASE: "a constraint or trigger of this project's own refused the row.",
}


@dataclass(frozen=True, slots=True)
class _Sending:
    """The row that was made, and what became of it while we watched; `row` is None if nobody watched."""

    notification_id: int
    row: NotificationTrace | None

    @property
    def status(self) -> str:
        return self.row.status if self.row else "PENDING"


def send(
    enterprise: Annotated[str, typer.Option(help="The enterprise's id.")],
    workflow: Annotated[str, typer.Option(metavar="KEY", help="The workflow_key of one of its active workflows.")],
    to: Annotated[list[str], typer.Option(metavar="ID", help="A Novu subscriber id; repeat it for more.")],
    payload: Annotated[str, typer.Option(metavar="JSON|@FILE", help="An object; @- reads standard input.")] = "{}",
    overrides: Annotated[
        str | None, typer.Option(metavar="JSON|@FILE", help="Novu's overrides, an object; as --payload.")
    ] = None,
    at: Annotated[str | None, typer.Option(metavar="INSTANT", help="RFC 3339; not before it. Default: now.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is SENT or has FAILED.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="With --wait: seconds to wait at most.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="One object: notification_id, status, code, ...")] = False,
) -> None:
    """Insert a notification; a running daemon sends it.

    Exit 0 when it was inserted (with --wait: SENT), 1 if it was refused, failed or was not sent in time, 2 for wrong
    usage or settings, or no database.
    """
    if not all(map(str.strip, to)):
        exit_with_hint("--to is blank.", "give a Novu subscriber's id, such as --to ada.", EXIT_NOTHING_KNOWN)
    notification = NewNotification(
        enterprise_id=enterprise,
        workflow_key=workflow,
        recipients=tuple(to),
        payload=read_object("--payload", payload),
        overrides=None if overrides is None else read_object("--overrides", overrides),
        scheduled_for=None if at is None else read_instant(at, "--at"),
    )
    with failures_named():
        sending = asyncio.run(_send(SupabaseSettings.load(), notification, timeout if wait else None))
    if sending is CreateRefusal.WORKFLOW_NOT_FOUND:
        _exit_without_workflow(enterprise, workflow)
    if isinstance(sending, CreateRefusal):
        exit_with_hint(
            f"Not inserted: {sending.value}.", _HINTS.get(sending, "see docs/error_codes.md."), EXIT_NOT_SENT
        )
    _print(sending, as_json)
    if wait and sending.status != "SENT":
        raise typer.Exit(EXIT_NOT_SENT)


def _exit_without_workflow(enterprise_id: str, workflow_key: str) -> NoReturn:
    """Say why there is none that could be sent, and which there are."""
    with failures_named():
        found = asyncio.run(_workflow(SupabaseSettings.load(), enterprise_id, workflow_key))
    if found.workflow is not None:
        exit_with_hint(
            f"Not inserted: workflow_not_found: {workflow_key} of enterprise {enterprise_id} is unpublished"
            " or deactivated.",
            f"xnovu workflow show {workflow_key} --enterprise {enterprise_id} shows it.",
            EXIT_NOT_SENT,
        )
    exit_with_hint(
        f"Not inserted: workflow_not_found: enterprise {enterprise_id} has no workflow {workflow_key}.",
        active_workflows(workflow_key, found.known_keys),
        EXIT_NOT_SENT,
    )


async def _workflow(settings: SupabaseSettings, enterprise_id: str, workflow_key: str) -> WorkflowTemplates:
    async with supabase_session(settings) as client:
        return await SupabaseTemplateStore(client).read(enterprise_id, workflow_key)


async def _send(
    settings: SupabaseSettings, notification: NewNotification, wait_seconds: float | None
) -> _Sending | CreateRefusal:
    async with supabase_session(settings) as client:
        created = await SupabaseTriggerStore(client).create(notification, idempotency_key=None, dry_run=False)
        if not isinstance(created, CreatedNotification):
            return created
        assert created.notification_id is not None, "only a dry run makes no row"
        row = None
        if wait_seconds is not None:
            row = await _follow(OperatorStore(client), created.notification_id, wait_seconds)
        return _Sending(created.notification_id, row)


async def _follow(store: OperatorStore, notification_id: int, seconds: float) -> NotificationTrace | None:
    """The row once it has ended, or as it is when time is up; None if somebody has deleted it."""
    deadline = time.monotonic() + seconds
    while True:
        row = await store.trace(notification_id)
        if row is None or row.status in _ENDED or time.monotonic() >= deadline:
            return row
        await asyncio.sleep(LOOK_EVERY_SECONDS)


def _print(sending: _Sending, as_json: bool) -> None:
    details: Mapping[str, Any] = sending.row.error_details if sending.row else {}
    if as_json:
        answer = {
            "notification_id": sending.notification_id,
            "status": sending.status,
            "transaction_id": sending.row.transaction_id if sending.row else None,
            "code": details.get("code"),
            "message": details.get("message"),
        }
        say(json.dumps(answer, indent=2))
        return
    reason = f": {details.get('code')}, {details.get('message')}" if details else ""
    say(f"notification {sending.notification_id}: {sending.status}{reason}")
    if sending.status != "SENT":
        say(f"Hint: xnovu trace {sending.notification_id} says where it stands.", err=True)
