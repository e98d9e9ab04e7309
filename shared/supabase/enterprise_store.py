"""EnterpriseStore on Supabase."""

from collections.abc import Collection

from postgrest import AsyncPostgrestClient

from shared.ports import OwnSettings, ServedEnterprises, ToldEnterprises
from shared.supabase.sql_function import call_function


class SupabaseEnterpriseStore:
    """The port EnterpriseStore, over PostgREST."""

    def __init__(self, client: AsyncPostgrestClient) -> None:
        self._client = client

    async def served(self, listed: Collection[str] | None, seen: str | None) -> ServedEnterprises | None:
        answer = await call_function(
            self._client,
            "served_enterprises",
            p_listed=None if listed is None else sorted(listed),
            p_seen=seen,
        )
        served = answer["served"]
        return None if served is None else ServedEnterprises(frozenset(served), answer["digest"])

    async def told(self) -> ToldEnterprises:
        answer = await call_function(self._client, "enterprises_told")
        settings = {
            enterprise_id: OwnSettings(its.get("rate_per_second"), its.get("novu_key_name"), its.get("novu_key_before"))
            for enterprise_id, its in answer["settings"].items()
        }
        return ToldEnterprises(frozenset(answer["unserved"]), settings)
