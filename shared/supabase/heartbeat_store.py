"""HeartbeatStore on Supabase."""

import logging
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from supabase import AsyncClient

from shared.health.observations import ComponentReport
from shared.supabase.sql_function import call_function

log = logging.getLogger("HealthMonitor")

_REPORT = TypeAdapter(ComponentReport)


class SupabaseHeartbeatStore:
    """The port HeartbeatStore, over PostgREST."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def publish(self, report: ComponentReport) -> None:
        await call_function(
            self._client,
            "publish_heartbeat",
            p_component_id=report.component_id,
            p_component=report.component,
            p_report=_REPORT.dump_python(report, mode="json"),
        )

    async def withdraw(self, component_id: str) -> None:
        await call_function(self._client, "withdraw_heartbeat", p_component_id=component_id)

    async def read(self, max_age_seconds: float) -> list[ComponentReport]:
        rows = await call_function(self._client, "heartbeats", p_max_age_seconds=max_age_seconds)
        return [report for row in rows if (report := _read(row)) is not None]


def _read(row: dict[str, Any]) -> ComponentReport | None:
    """None for what another version of ours wrote in a way that this one cannot read."""
    try:
        return _REPORT.validate_python({**row, "reported_at": datetime.fromisoformat(row["reported_at"])})
    except ValidationError as error:
        log.warning(
            "heartbeat_unreadable", extra={"component_id": row.get("component_id"), "problems": error.error_count()}
        )
        return None
