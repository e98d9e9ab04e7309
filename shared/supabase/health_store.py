"""HealthStore on Supabase."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from postgrest import AsyncPostgrestClient
from pydantic import TypeAdapter

from shared.health.observations import (
    ComponentReport,
    DatabaseObservation,
    DeliveryStates,
    DueRows,
    FailedNotification,
    LostComponent,
    RecentDeliveries,
    RetriedDeliveries,
    RuleErrors,
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
_LOST = TypeAdapter(tuple[LostComponent, ...])
_RULE_ERRORS = TypeAdapter(tuple[RuleErrors, ...])
_LATEST_FAULTS = TypeAdapter(dict[str, datetime])


class SupabaseHealthStore:
    """The port HealthStore, over PostgREST."""

    def __init__(self, client: AsyncPostgrestClient) -> None:
        self._client = client
        self._served: frozenset[str] = frozenset()
        self._seen: str | None = None

    async def look(
        self,
        own: Sequence[ComponentReport],
        *,
        expected: Collection[str],
        max_age_seconds: float,
        recent_seconds: float,
        failures: int,
    ) -> tuple[list[ComponentReport], DatabaseObservation]:
        answer = await call_function(
            self._client,
            "look_at_deployment",
            p_reports=[
                {"component_id": report.component_id, "component": report.component, "report": dump_report(report)}
                for report in own
            ],
            p_max_age_seconds=max_age_seconds,
            p_recent_seconds=recent_seconds,
            p_failures=failures,
            p_enterprise_ids=list(expected),
            p_seen=self._seen,
        )
        self._note_everybody(answer["everybody"])
        return load_reports(answer["heartbeats"]), DatabaseObservation(
            answered_at=datetime.now(UTC),
            due={row["enterprise_id"]: _DUE.validate_python(row) for row in answer["due"]},
            in_hands={row["enterprise_id"]: _DUE.validate_python(row) for row in answer["in_hands"]},
            lost=_LOST.validate_python(
                [{**each, "started_at": _instant(each.get("started_at"))} for each in answer["lost"]]
            ),
            paused=frozenset(answer["paused"]),
            served=self._served,
            rule_errors=_RULE_ERRORS.validate_python(answer["rule_errors"]),
            latest_faults=_LATEST_FAULTS.validate_python(answer["latest_faults"]),
            passes=_PASSES.validate_python(answer["passes"]),
            recent=_RECENT.validate_python(answer["recent"]),
            failures=_FAILURES.validate_python(answer["failures"]),
            retried=_RETRIED.validate_python(answer["retried"]),
            delivery=_DELIVERY.validate_python(answer["delivery"]),
        )

    def _note_everybody(self, everybody: Mapping[str, Any] | None) -> None:
        """Who is served, if a listener serves everybody; thousands are told only when they are others than before."""
        if everybody is None:
            self._served, self._seen = frozenset(), None
        elif everybody["served"] is not None:
            self._served, self._seen = frozenset(everybody["served"]), everybody["digest"]


def _instant(text: Any) -> datetime | None:
    """What a process said of itself; None for what is no instant of a known time zone."""
    try:
        instant = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return instant if instant.tzinfo else None
