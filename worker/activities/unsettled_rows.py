"""What is written to rows that are neither sent nor failed yet: whoever goes on with them knows how they stand."""

import logging
from collections.abc import Sequence

from shared.notification.outcomes import Failed
from shared.ports import FaultCode, HeldClaim, TriggerFault
from worker.activities.doubt import Doubts, JudgedDoubts
from worker.activities.novu_fan_out import FanOutResult, PendingNotification
from worker.activities.owned_claims import OwnedClaims
from worker.activities.render_delay import DelayedRows

log = logging.getLogger("NotificationDelivery")

RENDERING_DELAYED = "rendering_delayed"
"""What it calls rows whose rendering is put off, because what is like them cost too much. Each code is counted by
itself: neither this one nor those of Novu's faults bring a row nearer to `internal_error`.
"""


async def hold_doubtful(claims: OwnedClaims, judged: JudgedDoubts) -> None:
    """Put off what is in doubt; what is to be sent although it is, is marked before it is sent."""
    if judged.put_off:
        await claims.hold(judged.put_off)
    if judged.repeats:
        held = await claims.hold(judged.repeats)
        repeated = {row.notification_id for row in judged.repeats}
        judged.sendable = [
            each for each in judged.sendable if each.notification_id in held or each.notification_id not in repeated
        ]
        log.warning("notifications_repeated_in_doubt", extra=claims.about(sorted(repeated)))


async def keep_scattered(claims: OwnedClaims, sent: Sequence[PendingNotification], result: FanOutResult) -> None:
    """Of rows that are about to fail, store which chunks Novu has beyond the leading ones."""
    failed = {outcome.notification_id for outcome in result.outcomes if isinstance(outcome, Failed)}
    rows = [
        HeldClaim(each.notification_id, each.chunks_sent, tuple(each.chunks_beyond))
        for each in sent
        if each.chunks_beyond and each.notification_id in failed
    ]
    if rows:
        await claims.hold(rows)


async def leave_doubtful(claims: OwnedClaims, doubts: Doubts, result: FanOutResult) -> int:
    """Put rows off of which nobody knows whether Novu has them, and say how many; where Novu heeds the Idempotency-Key
    they count as faulted, and are asked for again.
    """
    if not result.doubtful:
        return 0
    assert result.doubt is not None
    log.warning(
        "notifications_in_doubt", extra={**claims.about(sorted(result.doubtful)), "reason": result.doubt.reason}
    )
    rows = doubts.left(result.doubtful.values())
    await claims.note_faults(result.doubtful, FaultCode.NOVU_FAULT)
    await claims.hold(rows, pause_seconds=result.doubt.retry_after_seconds or 0.0)
    kept = {row.notification_id for row in rows if row.put_off_seconds is None}
    if kept and not result.faulted:
        result.fault = TriggerFault(result.doubt.reason, result.doubt.retry_after_seconds)
    result.asked_again = bool(kept)
    return len(rows) - len(kept)


async def hold_for_retry(claims: OwnedClaims, result: FanOutResult) -> None:
    """Keep the claims over the pause that Novu asked for, so that no sweep takes the rows up meanwhile."""
    rows = [
        HeldClaim(
            each.notification_id,
            each.chunks_sent,
            tuple(each.chunks_beyond),
            # In doubt, the key of the unanswered call is kept: by it Novu knows the call again.
            refused=each.doubt_seconds is None or each.key_spent,
        )
        for each in result.faulted.values()
    ]
    if rows:
        await claims.hold(rows, pause_seconds=(result.fault and result.fault.retry_after_seconds) or 0.0)
        await claims.note_faults(result.faulted, result.fault.code if result.fault else FaultCode.NOVU_FAULT)


async def hold_delayed(claims: OwnedClaims, delayed: DelayedRows) -> None:
    """Keep what the renderer puts off until it takes it."""
    rows = [HeldClaim(notification_id, chunks) for notification_id, chunks in delayed.chunks_sent.items()]
    await claims.hold(rows, pause_seconds=delayed.seconds)
    await claims.note_faults(delayed.chunks_sent, RENDERING_DELAYED)
