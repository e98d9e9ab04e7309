"""OrchestrationStore on Supabase."""

from collections.abc import Collection
from datetime import datetime

from postgrest import AsyncPostgrestClient

from shared.ports import SchedulerPass, Unaccounted
from shared.supabase.decoding import read_instant
from shared.supabase.sql_function import call_function


class SupabaseOrchestrationStore:
    """The port OrchestrationStore, over PostgREST."""

    def __init__(self, client: AsyncPostgrestClient) -> None:
        self._client = client

    async def unaccounted(self, enterprise_ids: Collection[str], *, older_than_seconds: int) -> Unaccounted:
        answer = await call_function(
            self._client,
            "unaccounted",
            p_enterprise_ids=sorted(enterprise_ids),
            p_older_than_seconds=older_than_seconds,
        )
        return Unaccounted(rows=answer["rows"], oldest_age_seconds=float(answer["oldest_age_seconds"]))

    async def unaccounted_in(self, shards: Collection[int], *, older_than_seconds: int) -> Unaccounted:
        answer = await call_function(
            self._client, "unaccounted_in", p_shards=sorted(shards), p_older_than_seconds=older_than_seconds
        )
        return Unaccounted(rows=answer["rows"], oldest_age_seconds=float(answer["oldest_age_seconds"]))

    async def scheduler_passes(self, enterprise_ids: Collection[str]) -> list[SchedulerPass]:
        rows = await call_function(self._client, "scheduler_passes", p_enterprise_ids=sorted(enterprise_ids))
        return [
            SchedulerPass(
                enterprise_id=row["enterprise_id"],
                scheduler=row["scheduler"],
                last_pass_at=datetime.fromisoformat(row["last_pass_at"]),
                next_due_at=read_instant(row["next_due_at"]),
            )
            for row in rows
        ]
