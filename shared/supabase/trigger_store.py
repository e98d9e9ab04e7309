"""TriggerStore on Supabase."""

from collections.abc import Collection

from postgrest import AsyncPostgrestClient

from shared.ports import (
    CreatedNotification,
    CreateRefusal,
    IdempotencyKey,
    KeyUse,
    NewNotification,
    TriggerableNotification,
)
from shared.supabase.decoding import read_instant
from shared.supabase.sql_function import call_function


class SupabaseTriggerStore:
    """The port TriggerStore, over PostgREST."""

    def __init__(self, client: AsyncPostgrestClient) -> None:
        self._client = client

    async def find(
        self, enterprise_ids: Collection[str] | None, notification_ids: Collection[int]
    ) -> list[TriggerableNotification]:
        rows = await call_function(
            self._client,
            "notifications_to_trigger",
            p_enterprise_ids=None if enterprise_ids is None else sorted(enterprise_ids),
            p_notification_ids=sorted(notification_ids),
        )
        return [
            TriggerableNotification(
                id=row["id"],
                enterprise_id=row["enterprise_id"],
                status=row["status"],
                active=row["active"],
                due=row["due"],
                scheduled_for=read_instant(row["scheduled_for"]),
                served=row["served"],
            )
            for row in rows
        ]

    async def create(
        self,
        notification: NewNotification,
        *,
        idempotency_key: IdempotencyKey | None,
        dry_run: bool,
        started_by_caller: bool = False,
    ) -> CreatedNotification | CreateRefusal:
        scheduled_for = notification.scheduled_for
        request = {
            "p_enterprise_id": notification.enterprise_id,
            "p_workflow_key": notification.workflow_key,
            "p_recipients": list(notification.recipients),
            "p_payload": dict(notification.payload),
            "p_overrides": None if notification.overrides is None else dict(notification.overrides),
            "p_scheduled_for": None if scheduled_for is None else scheduled_for.isoformat(),
            "p_idempotency_key": None if idempotency_key is None else idempotency_key.key,
            "p_request_hash": None if idempotency_key is None else idempotency_key.request_hash,
            "p_dry_run": dry_run,
        }
        answer = await (
            call_function(self._client, "create_started_notification", **request)
            if started_by_caller
            else call_function(self._client, "create_served_notification", **request)
        )
        if "refused" in answer:
            return CreateRefusal(answer["refused"])
        return CreatedNotification(
            notification_id=answer["notification_id"], repeated=answer["repeated"], due=answer["due"]
        )

    async def use_key(
        self, enterprise_id: str, idempotency_key: IdempotencyKey, *, notification_id: int, dry_run: bool
    ) -> KeyUse:
        request = {
            "p_enterprise_id": enterprise_id,
            "p_idempotency_key": idempotency_key.key,
            "p_request_hash": idempotency_key.request_hash,
        }
        if dry_run:
            answer = await call_function(self._client, "find_trigger_request", **request)
        else:
            answer = await call_function(
                self._client, "note_trigger_request", **request, p_notification_id=notification_id
            )
        if answer is None or not answer["repeated"]:
            return KeyUse.FIRST
        return KeyUse.CONFLICT if answer["conflict"] else KeyUse.REPEATED
