"""RuleStore on Supabase."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from postgrest import AsyncPostgrestClient

from shared.ports import CronRule, CronRules, FiredRules, RuleFirings
from shared.supabase.sql_function import CallFunction, call_function


class SupabaseRuleStore:
    """The port RuleStore, over PostgREST."""

    def __init__(self, client: AsyncPostgrestClient, *, call: CallFunction | None = None) -> None:
        """`call` is another way to call a function."""
        self._call: CallFunction = call or partial(call_function, client)

    async def cron_rules(self, enterprise_id: str) -> CronRules:
        answer = await self._call("read_cron_rules", p_enterprise_id=enterprise_id)
        return CronRules(
            now=datetime.fromisoformat(answer["now"]),
            rules=tuple(_cron_rule(row) for row in answer["rules"]),
            time_zone=answer.get("time_zone"),
        )

    async def fire_rules(
        self, enterprise_id: str, firings: Sequence[RuleFirings], *, next_due_at: datetime | None
    ) -> FiredRules:
        answer = await self._call(
            "fire_rules",
            p_enterprise_id=enterprise_id,
            p_firings=[_firing(firing) for firing in firings],
            p_next_due_at=next_due_at and next_due_at.isoformat(),
        )
        return FiredRules(
            fired=answer["fired"],
            already_fired=answer["already_fired"],
            skipped_rule_ids=tuple(answer["skipped_rules"]),
            notification_ids=tuple(answer["notification_ids"]),
            unwritable_rule_ids=tuple(answer.get("unwritable_rules", ())),
        )


def _cron_rule(row: Mapping[str, Any]) -> CronRule:
    return CronRule(
        id=row["id"],
        trigger_config=row["trigger_config"],
        unreadable=row["unreadable"],
        fired_through=datetime.fromisoformat(row["fired_through"]),
        schedule_error=row["schedule_error"],
    )


def _firing(firing: RuleFirings) -> dict[str, Any]:
    return {
        "rule_id": firing.rule_id,
        "instants": [instant.isoformat() for instant in firing.instants],
        "decided_through": firing.decided_through.isoformat(),
        "expected_fired_through": firing.expected_fired_through.isoformat(),
        "error": firing.error,
    }
