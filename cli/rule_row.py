"""A rule as it stands in the table, and everything that keeps it from firing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from postgrest import AsyncPostgrestClient

from shared.supabase.sql_function import call_function
from worker.scheduling.rule_decision import DEFAULT_TIME_ZONE, decide


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule's columns by name, and those of its workflow; None for a workflow that is not there. `time_zone`: that of
    its enterprise, if it has one of its own.
    """

    rule: Mapping[str, Any]
    workflow: Mapping[str, Any] | None
    time_zone: str | None = None

    @property
    def trigger_config(self) -> Any:
        """Whatever JSON the rule's author wrote."""
        return self.rule["trigger_config"]

    def hindrances(self) -> Iterator[str]:
        """Each reason why the rule does not fire; none: it does. What the scheduler checks, said one by one."""
        if self.rule["enterprise_id"] is None:
            yield "the rule belongs to no enterprise: enterprise_id is null"
        yield from _inactive("the rule", self.rule)
        trigger_type = self.rule["trigger_type"]
        if (trigger_type or "").upper() != "CRON":
            yield f"the rule is not a CRON rule: trigger_type is {trigger_type or 'null'}"
            return
        yield from self._workflow_hindrances()
        now = datetime.now(UTC)
        config_error = (
            self.rule.get("unreadable")
            or decide(self.trigger_config, now, now, self.time_zone or DEFAULT_TIME_ZONE).error
        )
        if config_error:
            yield config_error
        elif self.trigger_config.get("enabled") is False:
            yield "the rule is switched off: trigger_config.enabled is false"
        schedule_error = self.rule["schedule_error"]
        if schedule_error and schedule_error != config_error:
            yield f"the last attempt failed, schedule_error: {schedule_error}"

    def _workflow_hindrances(self) -> Iterator[str]:
        name = f"its workflow {self.rule['notification_workflow_id']}"
        if self.workflow is None:
            yield f"{name} does not exist"
            return
        yield from _inactive(name, self.workflow)
        if self.workflow["enterprise_id"] != self.rule["enterprise_id"]:
            yield f"{name} belongs to another enterprise"


def _inactive(what: str, row: Mapping[str, Any]) -> Iterator[str]:
    if row["publish_status"] != "PUBLISH":
        yield f"{what} is not published: publish_status is {row['publish_status']}"
    if row["deactivated"]:
        yield f"{what} is deactivated"


async def read_rule(client: AsyncPostgrestClient, rule_id: int) -> RuleRow | None:
    """The rule as it is now; None if there is none. Raises StoreUnavailable."""
    found = await call_function(client, "trace_rule", p_rule_id=rule_id)
    return None if found is None else RuleRow(found["rule"], found["workflow"], found.get("time_zone"))
