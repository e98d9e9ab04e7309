"""ScheduleStore on Supabase."""

from datetime import datetime

from supabase import AsyncClient

from shared.notification.priority import read_priority
from shared.ports import DueScheduled
from shared.supabase.decoding import read_instant
from shared.supabase.sql_function import call_function


class SupabaseScheduleStore:
    """The port ScheduleStore, over PostgREST."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def due_scheduled(self, enterprise_id: str, *, limit: int) -> DueScheduled:
        answer = await call_function(self._client, "due_scheduled", p_enterprise_id=enterprise_id, p_limit=limit)
        return DueScheduled(
            now=datetime.fromisoformat(answer["now"]),
            notification_ids=tuple(answer["due"]),
            has_more=answer["has_more"],
            next_due_at=read_instant(answer["next_due_at"]),
            priorities={int(key): read_priority(value) for key, value in answer["priorities"].items()},
        )
