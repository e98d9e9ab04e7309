"""SharedWork on Supabase."""

from datetime import datetime
from typing import Literal

from postgrest import AsyncPostgrestClient

from shared.ports import DueEnterprises
from shared.supabase.decoding import read_instant
from shared.supabase.sql_function import call_function


class SupabaseSharedWork:
    """The port SharedWork, over PostgREST."""

    def __init__(self, client: AsyncPostgrestClient) -> None:
        self._client = client

    async def due(self, scheduler: Literal["cron", "scheduled"], shard: int) -> DueEnterprises:
        answer = await call_function(self._client, "shared_work", p_scheduler=scheduler, p_shard=shard)
        return DueEnterprises(
            now=datetime.fromisoformat(answer["now"]),
            enterprise_ids=tuple(answer["due"]),
            has_more=answer["has_more"],
            next_due_at=read_instant(answer["next_due_at"]),
        )
