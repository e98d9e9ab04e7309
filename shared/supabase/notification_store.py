"""NotificationStore on Supabase: each method is one call of an SQL function (docs/database_functions.md)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from postgrest import AsyncPostgrestClient

from shared.notification.models import ClaimedBatch
from shared.notification.outcomes import Failed, Outcome, Refusal, RefusalCode, Sent
from shared.notification.priority import read_priority
from shared.ports import DueNotifications, FeedFlaw, FeedWay, HeldClaim, LookoutFindings
from shared.supabase.claimed_batch import read_claimed_batch
from shared.supabase.decoding import read_instant
from shared.supabase.sql_function import CallFunction, call_function


class SupabaseNotificationStore:
    """The port NotificationStore, over PostgREST."""

    def __init__(
        self, client: AsyncPostgrestClient, *, look_after_seconds: float | None = None, call: CallFunction | None = None
    ) -> None:
        """`look_after_seconds`: account is kept of what becomes of sent rows, and Novu asked so much later. `call` is
        how functions are called, unless each by itself.
        """
        self._call: CallFunction = call or partial(call_function, client)
        self._look_after_seconds = look_after_seconds

    async def claim(
        self,
        enterprise_id: str,
        notification_ids: Sequence[int],
        *,
        claim_owner: str,
        lease_seconds: int,
        uncalled: bool = False,
    ) -> ClaimedBatch:
        arguments: dict[str, Any] = {
            "p_enterprise_id": enterprise_id,
            "p_notification_ids": list(notification_ids),
            "p_claim_owner": claim_owner,
            "p_lease_seconds": lease_seconds,
            "p_keyed": True,
            "p_uncalled": uncalled,
        }
        if self._look_after_seconds is None:
            return read_claimed_batch(await self._call("claim_batch", **arguments))
        return read_claimed_batch(await self._call("claim_followed_batch", **arguments))

    async def record_outcomes(
        self, enterprise_id: str, *, claim_owner: str, outcomes: Sequence[Outcome]
    ) -> Mapping[int, Outcome]:
        arguments: dict[str, Any] = {
            "p_enterprise_id": enterprise_id,
            "p_claim_owner": claim_owner,
            "p_outcomes": [_outcome(outcome) for outcome in outcomes],
        }
        if self._look_after_seconds is None:
            answer = await self._call("record_outcomes", **arguments)
        else:
            look_after = self._look_after_seconds
            answer = await self._call("record_followed_outcomes", **arguments, p_look_after_seconds=look_after)
        recorded = frozenset(answer["recorded"])
        written = {outcome.notification_id: outcome for outcome in outcomes if outcome.notification_id in recorded}
        # Absent where nothing was refused, and in databases older than this code.
        return written | {int(key): _outcome_refused(int(key), how) for key, how in answer.get("refused", {}).items()}

    async def renew_claims(
        self, enterprise_id: str, *, claim_owner: str, chunks_sent: Mapping[int, int], lease_seconds: int
    ) -> frozenset[int]:
        answer = await self._call(
            "renew_claims",
            p_enterprise_id=enterprise_id,
            p_claim_owner=claim_owner,
            p_chunks_sent={str(key): count for key, count in chunks_sent.items()},
            p_lease_seconds=lease_seconds,
        )
        return frozenset(answer["held"])

    async def hold_claims(
        self, enterprise_id: str, *, claim_owner: str, rows: Sequence[HeldClaim], lease_seconds: int
    ) -> frozenset[int]:
        answer = await self._call(
            "hold_claims",
            p_enterprise_id=enterprise_id,
            p_claim_owner=claim_owner,
            p_rows=[_held(row) for row in rows],
            p_lease_seconds=lease_seconds,
        )
        return frozenset(answer["held"])

    async def note_faults(
        self, enterprise_id: str, *, claim_owner: str, notification_ids: Collection[int], code: str
    ) -> Mapping[int, int]:
        answer = await self._call(
            "note_delivery_faults",
            p_enterprise_id=enterprise_id,
            p_claim_owner=claim_owner,
            p_notification_ids=sorted(notification_ids),
            p_code=code,
        )
        return {int(key): count for key, count in answer["faults"].items()}

    async def list_due(
        self, enterprise_ids: Collection[str], *, page_size: int, after_id: int = 0
    ) -> list[DueNotifications]:
        answer = await self._call(
            "due_notifications",
            p_enterprise_ids=sorted(enterprise_ids),
            p_page_size=page_size,
            p_after_id=after_id,
        )
        return [
            DueNotifications(
                enterprise_id=page["enterprise_id"],
                notification_ids=tuple(page["notification_ids"]),
                pending=page["pending"],
                expired=page["expired"],
                has_more=page["has_more"],
                next_scheduled_at=read_instant(page["next_scheduled_at"]),
                uncancelled=tuple(page["uncancelled"]),
                priorities={int(key): read_priority(value) for key, value in page["priorities"].items()},
                urgent=tuple((key, read_priority(value)) for key, value in page["urgent"]),
            )
            for page in answer
        ]

    async def look_out(self, enterprise_ids: Collection[str], way: FeedWay) -> LookoutFindings:
        answer = await self._call("look_out_for", p_enterprise_ids=sorted(enterprise_ids), p_way=way.value)
        return LookoutFindings(
            unread_rules={enterprise_id: float(age) for enterprise_id, age in answer["unread_rules"].items()},
            flaws=tuple(FeedFlaw(flaw["what"], flaw["mend"]) for flaw in answer["flaws"]),
        )

    async def sing(self, listener_id: str, way: FeedWay) -> int:
        return int(await self._call("sing", p_listener_id=listener_id, p_way=way.value))


def _held(row: HeldClaim) -> dict[str, Any]:
    fields = asdict(row)
    return {"id": fields.pop("notification_id"), **fields, "chunks_beyond": list(row.chunks_beyond) or None}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Sent):
        return {"id": outcome.notification_id, "status": "SENT", "transaction_id": outcome.transaction_id}
    refusal = outcome.refusal
    return {
        "id": outcome.notification_id,
        "status": "FAILED",
        "reached_novu": _reached_novu(refusal),
        "error_details": {"code": refusal.code, "message": refusal.message, **refusal.details},
    }


def _outcome_refused(notification_id: int, how: Mapping[str, Any]) -> Failed:
    message = "the database refused to write how the delivery ended"
    return Failed(notification_id, Refusal(RefusalCode.OUTCOME_REFUSED, message, dict(how)))


def _reached_novu(refusal: Refusal) -> bool:
    """Whether Novu has taken part of the notification, or may have: then retracting it is to cancel it too."""
    unknown = (RefusalCode.DELIVERY_TIMED_OUT, RefusalCode.INTERNAL_ERROR)
    return refusal.code in unknown or bool(refusal.details.get("chunks_sent") or refusal.details.get("chunks_beyond"))
