"""Where a notification stands, what it waits for, and what a person can do about it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cli.operator_store import NotificationTrace
from cli.orchestration_report import OrchestrationCondition, OrchestrationReport
from cli.trace.processing import PendingAttempt, TemporalView
from shared.notification.delivery import DeliveryState
from shared.notification.outcomes import RefusalCode
from shared.notification.transaction_id import transaction_ids as notification_transaction_ids
from shared.shards import shard_of, shared_scheduler

RECIPIENTS_PER_TRANSACTION = 100

TAKEN_UP_WITHIN = timedelta(seconds=60)
"""A due row that nobody has claimed by then was missed by the event and by the sweep that follows it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`state` is a word for programs; `explanation` and `hint` are sentences. `needs_attention`: it will not go on, or
    is not known to.
    """

    state: str
    explanation: str
    hint: str | None = None
    needs_attention: bool = False


def stand(row: NotificationTrace, temporal: TemporalView, orchestration: OrchestrationReport | None) -> Standing:
    """`orchestration` is asked for only where the row waits to be taken up."""
    match row.status:
        case "SENT":
            return _sent(row)
        case "FAILED":
            return _failed(row)
        case "RETRACTED":
            return _retracted(row)
        case "PROCESSING":
            return _processing(row, temporal)
        case _:
            return _pending(row, temporal, orchestration)


def transaction_ids(row: NotificationTrace) -> list[str]:
    """Those under which Novu has the notification, or may have, one for each chunk of 100 recipients."""
    may_be_at_novu = row.chunks_sent or row.in_doubt_since is not None
    base = row.transaction_id or (row.transaction_base if may_be_at_novu else None)
    if base is None:
        return []
    return notification_transaction_ids(base, -(-row.recipient_count // RECIPIENTS_PER_TRANSACTION))


def waits_to_be_taken_up(row: NotificationTrace) -> bool:
    """Whether somebody should claim it now."""
    due = row.scheduled_for is None or row.scheduled_for <= row.now
    lapsed = row.lease_expires_at is None or row.lease_expires_at <= row.now
    free = row.status == "PENDING" or (row.status == "PROCESSING" and lapsed)
    return bool(row.enterprise_id) and row.is_active and due and free


def _sent(row: NotificationTrace) -> Standing:
    state = row.delivery.get("state") if isinstance(row.delivery, Mapping) else None
    seconds = (row.updated_at - max(row.created_at, row.scheduled_for or row.created_at)).total_seconds()
    accepted = f"Novu accepted it, {seconds:.1f} s after it was due"
    if state is None:
        return Standing(
            "sent",
            f"{accepted}.",
            "If it did not arrive, look for the transaction id in Novu's activity feed: what became of a message is "
            "known there only, unless account is kept of it (NOVU_DELIVERY, docs/delivery.md).",
        )
    if state in (DeliveryState.PARTLY, DeliveryState.UNDELIVERED):
        return Standing(
            "sent",
            f"{accepted}; it is {state}.",
            "What the first cause means, and what to do, is in docs/delivery.md.",
            needs_attention=True,
        )
    return Standing("sent", f"{accepted}; it is {state}.")


def _failed(row: NotificationTrace) -> Standing:
    code = row.error_details.get("code")
    message = row.error_details.get("message", "the row does not say why")
    chosen = f"--enterprise {row.enterprise_id}" + (f" --code {code}" if code else "")
    replay = _before_a_replay(row) or f"Mend the cause, then: xnovu replay {chosen}"
    if code not in {known.value for known in RefusalCode}:
        return Standing("failed", f"It failed before XNovu could decide on it: {message}", replay, needs_attention=True)
    details = ", ".join(
        f"{name} {value}"
        for name, value in row.error_details.items()
        if name not in ("code", "message", "attempts", "lastAttempt") and isinstance(value, str | int)
    )
    return Standing(
        "failed",
        f"{code}: {message}" + (f" ({details})" if details else ""),
        f"What to do about {code} is in docs/error_codes.md. {replay}",
        needs_attention=True,
    )


def _before_a_replay(row: NotificationTrace) -> str:
    """What to do first where the row itself keeps a replay from choosing it; empty if nothing does."""
    then = f"Then: xnovu replay --id {row.id}"
    if not row.is_active:
        return f"A replay leaves out what is unpublished or deactivated: publish it first. {then}"
    if row.deliver_before is not None and row.deliver_before <= row.now:
        return f"A replay leaves out what is past its deliver_before: move that first, or set it to null. {then}"
    return ""


def _retracted(row: NotificationTrace) -> Standing:
    if row.transaction_id is None and not row.chunks_sent:
        if row.lease_expires_at is not None:
            return Standing(
                "retracted", "It was retracted while a worker had it; that worker may still report it as sent."
            )
        return Standing("retracted", "It was retracted before anything of it reached Novu.")
    if row.cancellation is None:
        return Standing("cancelling", "It was retracted after it reached Novu; Novu is still to be asked to cancel it.")
    done = (
        "and Novu cancelled what it still held back"
        if row.cancellation.get("cancelled")
        else "and Novu had nothing to cancel: it was sent, or is on Novu's queue and will be"
    )
    return Standing("retracted", f"It was retracted after it reached Novu, {done}.")


def _processing(row: NotificationTrace, temporal: TemporalView) -> Standing:
    lease = row.lease_expires_at
    lapsed = lease is None or lease <= row.now
    processing = temporal.processing
    if row.in_doubt_since is not None and row.claim_owner is None:
        return Standing(
            "in_doubt",
            f"Novu left a call unanswered at {_text(row.in_doubt_since)} and may have taken it; "
            + ("the next sweep of a listener has Novu asked." if lapsed else f"Novu is asked again at {_text(lease)}."),
            "NOVU_DOUBT_WAIT_SECONDS is how long it waits (docs/novu.md).",
        )
    if processing is not None and processing.status == "running":
        if processing.pending is not None and processing.pending.last_failure is not None:
            return _retrying(processing.pending)
        worker = processing.pending.worker if processing.pending else None
        return Standing("processing", f"A worker has it{f' ({worker})' if worker else ''}.")
    if temporal.unreachable:
        return Standing(
            "unknown",
            f"A workflow claimed it, and what it does is unknown: {temporal.unreachable}",
            "xnovu doctor temporal",
            needs_attention=True,
        )
    if lapsed:
        return Standing(
            "abandoned",
            "Whoever claimed it is gone and the claim has lapsed; the next sweep of a listener takes it up again.",
            "If that lasts longer than a minute, no listener runs for this enterprise: xnovu daemon status",
            needs_attention=True,
        )
    return Standing(
        "held",
        f"Its workflow has ended without a report; the claim holds until {_text(lease)}, then a sweep takes it up.",
    )


def _retrying(pending: PendingAttempt) -> Standing:
    when = f", the next attempt is at {_text(pending.next_attempt_at)}" if pending.next_attempt_at else ""
    return Standing(
        "retrying",
        f"Attempt {pending.attempt} of {pending.activity}: the one before failed with {pending.last_failure!r}{when}.",
        "A fault passes or is given up after 24 hours. If it is Novu's or the database's: xnovu doctor",
        needs_attention=True,
    )


def _pending(row: NotificationTrace, temporal: TemporalView, orchestration: OrchestrationReport | None) -> Standing:
    if row.enterprise_id is None:
        return Standing(
            "nobodys", "It has no enterprise_id: such rows are never sent.", "Set enterprise_id.", needs_attention=True
        )
    if not row.is_active:
        what = "it is deactivated" if row.deactivated else f"its publish_status is {row.publish_status}"
        return Standing(
            "not_published",
            f"It is not sent as long as {what}.",
            "A row is sent when publish_status is PUBLISH and deactivated is false.",
            needs_attention=True,
        )
    if row.scheduled_for is not None and row.scheduled_for > row.now:
        seconds = (row.scheduled_for - row.now).total_seconds()
        return Standing(
            "scheduled", f"It waits for {_text(row.scheduled_for)}, which is in {timedelta(seconds=int(seconds))}."
        )
    processing = temporal.processing
    if processing is not None and processing.status == "running":
        if processing.pending is not None and processing.pending.last_failure is not None:
            return _retrying(processing.pending)
        if processing.pending is None or not processing.pending.running:
            return Standing(
                "queued",
                "Its workflow is started, and waits for a worker.",
                "If that lasts, no worker runs, or those that run are busy: xnovu daemon status",
            )
        return Standing("queued", "Its workflow is about to claim it.")
    return _not_taken_up(row, temporal, orchestration)


def _not_taken_up(
    row: NotificationTrace, temporal: TemporalView, orchestration: OrchestrationReport | None
) -> Standing:
    due_for = row.now - max(row.updated_at, row.scheduled_for or row.updated_at)
    due = f"It has been due for {max(due_for, timedelta()).total_seconds():.0f} s and nobody has taken it up"
    if temporal.unreachable:
        return Standing("not_taken_up", f"{due}: {temporal.unreachable}", "xnovu doctor temporal", needs_attention=True)
    if orchestration is None or orchestration.condition is not OrchestrationCondition.RUNNING:
        why = (orchestration and (orchestration.reason or orchestration.condition)) or "no daemon has been seen"
        return Standing("not_taken_up", f"{due}: {why}.", "xnovu daemon start", needs_attention=True)
    served = {
        scheduler.workflow_id.partition("/")[2]
        for scheduler in (orchestration.observed.schedulers if orchestration.observed else ())
    }
    if row.enterprise_id not in served and shared_scheduler(shard_of(row.enterprise_id or "")) not in served:
        return Standing(
            "not_served",
            f"{due}: no daemon is configured for enterprise {row.enterprise_id}.",
            "Add it to DAEMON_ENTERPRISE_IDS (or --enterprises) and restart the daemon.",
            needs_attention=True,
        )
    if due_for <= TAKEN_UP_WITHIN:
        return Standing("due", f"{due}; a listener's next sweep will.")
    return Standing(
        "not_taken_up",
        f"{due}, although a worker runs: no listener hears or sweeps for this enterprise.",
        "xnovu daemon health names the state of its subscription; xnovu doctor realtime tries one.",
        needs_attention=True,
    )


def _text(instant: datetime | None) -> str:
    return "never" if instant is None else instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
