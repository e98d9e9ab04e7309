"""HealthStore on Supabase."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import TypeAdapter
from supabase import AsyncClient

from shared.health.observations import (
    ComponentReport,
    DatabaseObservation,
    DeliveryStates,
    DueRows,
    FailedNotification,
    RecentDeliveries,
    RetriedDeliveries,
    SchedulerPassObservation,
)
from shared.supabase.component_reports import dump_report, load_reports
from shared.supabase.sql_function import call_function

_PASSES = TypeAdapter(tuple[SchedulerPassObservation, ...])
_FAILURES = TypeAdapter(tuple[FailedNotification, ...])
_RETRIED = TypeAdapter(tuple[RetriedDeliveries, ...])
_RECENT = TypeAdapter(RecentDeliveries)
_DELIVERY = TypeAdapter(DeliveryStates)
_DUE = TypeAdapter(DueRows)


class SupabaseHealthStore:
    """The port HealthStore, over PostgREST."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def look(
        self, own: Sequence[ComponentReport], *, max_age_seconds: float, recent_seconds: float, failures: int
    ) -> tuple[list[ComponentReport], DatabaseObservation]:
        answer = await call_function(
            self._client,
            "look_at_health",
            p_reports=[
                {"component_id": report.component_id, "component": report.component, "report": dump_report(report)}
                for report in own
            ],
            p_max_age_seconds=max_age_seconds,
            p_recent_seconds=recent_seconds,
            p_failures=failures,
        )
        return load_reports(answer["heartbeats"]), DatabaseObservation(
            answered_at=datetime.now(UTC),
            due={row["enterprise_id"]: _DUE.validate_python(row) for row in answer["due"]},
            passes=_PASSES.validate_python(answer["passes"]),
            recent=_RECENT.validate_python(answer["recent"]),
            failures=_FAILURES.validate_python(answer["failures"]),
            retried=_RETRIED.validate_python(answer.get("retried", [])),  # absent before its migration
            delivery=_DELIVERY.validate_python(answer.get("delivery", {})),  # so is this
        )
