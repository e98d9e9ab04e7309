"""Fires an enterprise's CRON rules: each due instant becomes a notification row under a key of its own."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime

from temporalio import activity

from shared.ports import CronRule, RuleFirings, RuleStore
from worker.activities.short_waits import LONGEST_WAIT_SECONDS, SHORTEST_TIMER_SECONDS
from worker.scheduling.rule_decision import RuleDecision, decide

log = logging.getLogger("RuleFiring")

CHANGED_MEANWHILE_PAUSE_SECONDS = 0.5
"""A rule that changed while it was decided upon is looked at again after this."""


@dataclass(frozen=True)
class CronPass:
    """Rows written, and how long to sleep until the next instant; None while no rule has one."""

    fired: int
    sleep_seconds: float | None


class RuleFiring:
    """What CronSchedulingWorkflow does in a pass."""

    def __init__(self, store: RuleStore) -> None:
        self._store = store

    @activity.defn(name="fire_due_rules")
    async def fire_due_rules(self, enterprise_id: str) -> CronPass:
        """Write the rows of every instant that is due; and of those that fall due in a moment.

        Safe to repeat, and beside a second scheduler: a row's name is made of its rule and instant, and a rule's
        progress moves only from where it was read. The sleep is reckoned by the database's clock.
        """
        fired = 0
        waited = 0.0
        while True:
            looked = await self._fire(enterprise_id)
            fired += looked.fired
            sleep_seconds = looked.sleep_seconds
            if sleep_seconds is None or sleep_seconds > SHORTEST_TIMER_SECONDS or waited > LONGEST_WAIT_SECONDS:
                return CronPass(fired, sleep_seconds)
            await asyncio.sleep(sleep_seconds)
            waited += sleep_seconds

    async def _fire(self, enterprise_id: str) -> CronPass:
        """Look once."""
        rules = await self._store.cron_rules(enterprise_id)
        decisions = [(rule, _decide(rule, rules.now)) for rule in rules.rules]
        following = [decision.next_due_at for _, decision in decisions if decision.next_due_at is not None]
        next_due_at = min(following, default=None)
        fired = await self._store.fire_rules(
            enterprise_id,
            [
                RuleFirings(rule.id, decision.instants, rules.now, rule.fired_through, decision.error)
                for rule, decision in decisions
                if _is_news(rule, decision)
            ],
            next_due_at=next_due_at,
        )
        for rule, decision in decisions:
            if decision.error and decision.error != rule.schedule_error:
                log.warning("rule_refused", extra={"enterprise_id": enterprise_id, "rule_id": rule.id})
        if fired.skipped_rule_ids:
            return CronPass(fired.fired, CHANGED_MEANWHILE_PAUSE_SECONDS)
        return CronPass(
            fired.fired, None if next_due_at is None else max(0.0, (next_due_at - rules.now).total_seconds())
        )


def _decide(rule: CronRule, now: datetime) -> RuleDecision:
    if rule.unreadable is not None:
        return RuleDecision(error=rule.unreadable)
    return decide(rule.trigger_config, rule.fired_through, now)


def _is_news(rule: CronRule, decision: RuleDecision) -> bool:
    """Whether the rule has something to write: most passes concern few rules."""
    return bool(decision.instants) or decision.error != rule.schedule_error
