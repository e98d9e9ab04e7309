"""Fires an enterprise's CRON rules: each due instant becomes a notification row under a key of its own."""

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from temporalio import activity

from shared.ports import CronRule, CronRules, RuleFirings, RuleStore, SharedWork
from shared.shards import shard_of_scheduler
from worker.activities.shared_pass import AFTER_A_STUMBLE_SECONDS, see_to_each
from worker.activities.short_waits import LONGEST_WAIT_SECONDS, SHORTEST_TIMER_SECONDS
from worker.scheduling.rule_decision import DEFAULT_TIME_ZONE, RuleDecision, decide

log = logging.getLogger("RuleFiring")

CHANGED_MEANWHILE_PAUSE_SECONDS = 0.5
"""A rule that changed while it was decided upon is looked at again after this, and one that a transaction holds."""

TURN_SECONDS = 0.02
"""After so much deciding, others on this process's event loop get their turn: an outage leaves a rule a tenth of a
second's work, and an enterprise may have thousands."""

MOST_DECIDING_SECONDS = 5.0
MOST_INSTANTS = 1_000
"""After either, what is decided is written, and the other rules are decided in another look."""


@dataclass(frozen=True)
class CronPass:
    """Rows written, and how long to sleep until the next instant; None while no rule has one."""

    fired: int
    sleep_seconds: float | None


class RuleFiring:
    """What CronSchedulingWorkflow does in a pass."""

    def __init__(self, store: RuleStore, work: SharedWork | None = None) -> None:
        """`work` finds who needs a pass of those that share a scheduler."""
        self._store = store
        self._work = work

    @activity.defn(name="fire_due_rules")
    async def fire_due_rules(self, enterprise_id: str) -> CronPass:
        """Write the rows of every instant that is due; and of those that fall due in a moment.

        Safe to repeat, and beside a second scheduler: a row's name is made of its rule and instant, and a rule's
        progress moves only from where it was read. The sleep is reckoned by the database's clock.
        """
        shard = shard_of_scheduler(enterprise_id)
        look = partial(self._fire, enterprise_id) if shard is None else partial(self._fire_shared, shard)
        fired = 0
        began = time.monotonic()
        while True:
            looked = await look()
            fired += looked.fired
            sleep_seconds = looked.sleep_seconds
            if sleep_seconds is None or sleep_seconds > SHORTEST_TIMER_SECONDS:
                return CronPass(fired, sleep_seconds)
            if time.monotonic() - began > LONGEST_WAIT_SECONDS:
                return CronPass(fired, sleep_seconds)
            await asyncio.sleep(sleep_seconds)

    async def _fire_shared(self, shard: int) -> CronPass:
        """Look once, at all who need it of those that share this scheduler."""
        assert self._work is not None, "whoever starts such a scheduler has a database for it"
        fired = 0
        stumbled: frozenset[str] = frozenset()
        unmoved: set[str] = set()

        async def see_to(enterprise_id: str) -> None:
            nonlocal fired
            looked = await self._fire(enterprise_id)
            fired += looked.fired
            if not looked.fired and looked.sleep_seconds != 0.0:
                unmoved.add(enterprise_id)

        began = time.monotonic()
        while True:
            work = await self._work.due("cron", shard)
            due = [each for each in work.enterprise_ids if each not in stumbled]
            if due and unmoved.issuperset(due):  # a transaction under way holds a mark or a rule of theirs
                await asyncio.sleep(CHANGED_MEANWHILE_PAUSE_SECONDS)
            stumbled |= await see_to_each(due, see_to, what="cron")
            if not due or time.monotonic() - began > LONGEST_WAIT_SECONDS:
                break
        ahead = [AFTER_A_STUMBLE_SECONDS] if stumbled else []
        if work.next_due_at is not None:
            ahead.append(max(0.0, (work.next_due_at - work.now).total_seconds()))
        return CronPass(fired, 0.0 if due else min(ahead, default=None))

    async def _fire(self, enterprise_id: str) -> CronPass:
        """Look once."""
        rules = await self._store.cron_rules(enterprise_id)
        decisions = await _decide_in_turns(rules)
        is_all = len(decisions) == len(rules.rules)
        following = [decision.next_due_at for _, decision in decisions if decision.next_due_at is not None]
        next_due_at = min(following, default=None) if is_all else rules.now
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
        for rule_id in fired.unwritable_rule_ids:
            log.error("rule_unwritable", extra={"enterprise_id": enterprise_id, "rule_id": rule_id})
        if fired.skipped_rule_ids:
            return CronPass(fired.fired, CHANGED_MEANWHILE_PAUSE_SECONDS)
        return CronPass(
            fired.fired, None if next_due_at is None else max(0.0, (next_due_at - rules.now).total_seconds())
        )


async def _decide_in_turns(rules: CronRules) -> list[tuple[CronRule, RuleDecision]]:
    """Of all rules, or where that is too much at once, of those that have waited for a decision the longest."""
    decisions: list[tuple[CronRule, RuleDecision]] = []
    instants = 0
    spent = 0.0
    turn_began = time.monotonic()
    for rule in sorted(rules.rules, key=lambda it: it.fired_through):
        decision = _decide(rule, rules.now, rules.time_zone or DEFAULT_TIME_ZONE)
        decisions.append((rule, decision))
        instants += len(decision.instants)
        turn = time.monotonic() - turn_began
        if instants >= MOST_INSTANTS or spent + turn > MOST_DECIDING_SECONDS:
            break
        if turn > TURN_SECONDS:
            spent += turn
            await asyncio.sleep(0)
            turn_began = time.monotonic()
    return decisions


def _decide(rule: CronRule, now: datetime, time_zone: str) -> RuleDecision:
    if rule.unreadable is not None:
        return RuleDecision(error=rule.unreadable)
    return decide(rule.trigger_config, rule.fired_through, now, time_zone)


def _is_news(rule: CronRule, decision: RuleDecision) -> bool:
    """Whether the rule has something to write: most passes concern few rules."""
    return bool(decision.instants) or decision.error != rule.schedule_error
