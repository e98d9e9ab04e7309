"""HealthStore on Supabase."""

from collections.abc import Collection
from datetime import UTC, datetime

from pydantic import TypeAdapter
from supabase import AsyncClient

from shared.health.observations import (
    DatabaseObservation,
    DueRows,
    FailedNotification,
    RecentDeliveries,
    SchedulerPassObservation,
)
from shared.supabase.sql_function import call_function

_PASSES = TypeAdapter(tuple[SchedulerPassObservation, ...])
_FAILURES = TypeAdapter(tuple[FailedNotification, ...])
_RECENT = TypeAdapter(RecentDeliveries)
_DUE = TypeAdapter(DueRows)


class SupabaseHealthStore:
    """The port HealthStore, over PostgREST."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def observe(
        self, enterprise_ids: Collection[str], *, recent_seconds: float, failures: int
    ) -> DatabaseObservation:
        answer = await call_function(
            self._client,
            "health_observation",
            p_enterprise_ids=sorted(enterprise_ids),
            p_recent_seconds=recent_seconds,
            p_failures=failures,
        )
        return DatabaseObservation(
            answered_at=datetime.now(UTC),
            due={row["enterprise_id"]: _DUE.validate_python(row) for row in answer["due"]},
            passes=_PASSES.validate_python(answer["passes"]),
            recent=_RECENT.validate_python(answer["recent"]),
            failures=_FAILURES.validate_python(answer["failures"]),
        )
