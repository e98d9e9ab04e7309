"""ScheduleStore on Supabase."""

from datetime import datetime
from functools import partial

from postgrest import AsyncPostgrestClient

from shared.notification.priority import read_priority
from shared.ports import DueScheduled
from shared.supabase.decoding import read_instant
from shared.supabase.sql_function import CallFunction, call_function


class SupabaseScheduleStore:
    """The port ScheduleStore, over PostgREST."""

    def __init__(self, client: AsyncPostgrestClient, *, call: CallFunction | None = None) -> None:
        """`call` is another way to call a function."""
        self._call: CallFunction = call or partial(call_function, client)

    async def due_scheduled(self, enterprise_id: str, *, limit: int) -> DueScheduled:
        answer = await self._call("due_scheduled", p_enterprise_id=enterprise_id, p_limit=limit)
        return DueScheduled(
            now=datetime.fromisoformat(answer["now"]),
            notification_ids=tuple(answer["due"]),
            has_more=answer["has_more"],
            next_due_at=read_instant(answer["next_due_at"]),
            priorities={int(key): read_priority(value) for key, value in answer["priorities"].items()},
        )
