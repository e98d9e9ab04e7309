"""HeartbeatStore on Supabase."""

from postgrest import AsyncPostgrestClient

from shared.health.observations import ComponentReport
from shared.supabase.component_reports import dump_report
from shared.supabase.sql_function import call_function


class SupabaseHeartbeatStore:
    """The port HeartbeatStore, over PostgREST."""

    def __init__(self, client: AsyncPostgrestClient) -> None:
        self._client = client

    async def publish(self, report: ComponentReport) -> None:
        await call_function(
            self._client,
            "publish_heartbeat",
            p_component_id=report.component_id,
            p_component=report.component,
            p_report=dump_report(report),
        )

    async def withdraw(self, component_id: str) -> None:
        await call_function(self._client, "withdraw_heartbeat", p_component_id=component_id)
