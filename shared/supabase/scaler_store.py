"""ScalerMemory on Supabase."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from postgrest import AsyncPostgrestClient

from shared.ports import ScalerTick
from shared.supabase.sql_function import call_function


class SupabaseScalerMemory:
    """The port ScalerMemory, over PostgREST."""

    def __init__(self, client: AsyncPostgrestClient) -> None:
        self._client = client

    async def begin_tick(self, pool: str, *, hold_seconds: float) -> ScalerTick | None:
        answer = await call_function(self._client, "begin_scaler_tick", p_pool=pool, p_hold_seconds=hold_seconds)
        if not answer["begun"]:
            return None
        return ScalerTick(answer["version"], datetime.fromisoformat(answer["now"]), answer["memory"])

    async def end_tick(self, pool: str, tick: ScalerTick, memory: Mapping[str, Any] | None) -> bool:
        answer = await call_function(
            self._client, "end_scaler_tick", p_pool=pool, p_version=tick.version, p_memory=memory
        )
        return bool(answer["ended"])
