"""RetractionStore on Supabase."""

from collections.abc import Mapping, Sequence
from typing import Any

from postgrest import AsyncPostgrestClient

from shared.ports import RetractedNotification
from shared.supabase.sql_function import call_function


class SupabaseRetractionStore:
    """The port RetractionStore, over PostgREST."""

    def __init__(self, client: AsyncPostgrestClient) -> None:
        self._client = client

    async def retractions_to_cancel(
        self, enterprise_id: str, notification_ids: Sequence[int]
    ) -> list[RetractedNotification]:
        rows = await call_function(
            self._client,
            "retractions_to_cancel",
            p_enterprise_id=enterprise_id,
            p_notification_ids=list(notification_ids),
        )
        return [
            RetractedNotification(
                id=row["id"],
                transaction_id=row["transaction_id"],
                recipient_count=row["recipient_count"],
                settled=row["settled"],
                second_tries=tuple(row.get("second_tries", ())),
            )
            for row in rows
        ]

    async def record_cancellations(
        self, enterprise_id: str, cancellations: Mapping[int, Mapping[str, Any]]
    ) -> frozenset[int]:
        answer = await call_function(
            self._client,
            "record_cancellations",
            p_enterprise_id=enterprise_id,
            p_cancellations=[
                {"id": notification_id, "cancellation": dict(cancellation)}
                for notification_id, cancellation in cancellations.items()
            ],
        )
        return frozenset(answer["recorded"])
