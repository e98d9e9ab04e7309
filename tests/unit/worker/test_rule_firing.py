from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.testing import ActivityEnvironment

from shared.ports import CronRule, CronRules, FiredRules, RuleFirings
from worker.activities.rule_firing import CronPass, RuleFiring

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def rule(rule_id: int, cron: str, *, error: str | None = None, **fields: Any) -> CronRule:
    defaults = {
        "trigger_config": {"cron": cron},
        "fired_through": NOON - timedelta(seconds=20),
        "schedule_error": error,
    }
    return CronRule(id=rule_id, **{**defaults, **fields})


class FakeStore:
    def __init__(self, *rules: CronRule, skipped_once: tuple[int, ...] = ()) -> None:
        self._rules = rules
        self._skipped = skipped_once
        self.looks = 0
        self.firings: list[RuleFirings] = []
        self.next_due_at: datetime | None = None

    async def cron_rules(self, enterprise_id: str) -> CronRules:
        return CronRules(NOON, tuple(self._rules))

    async def fire_rules(
        self, enterprise_id: str, firings: Sequence[RuleFirings], *, next_due_at: datetime | None
    ) -> FiredRules:
        self.firings += firings
        self.next_due_at = next_due_at
        self.looks += 1
        skipped, self._skipped = self._skipped, ()
        return FiredRules(
            fired=sum(len(firing.instants) for firing in firings),
            already_fired=0,
            skipped_rule_ids=skipped,
            notification_ids=(),
        )


async def run(store: FakeStore) -> CronPass:
    result: CronPass = await ActivityEnvironment().run(RuleFiring(store).fire_due_rules, "ent1")
    return result


async def test_due_rules_fire_and_the_sleep_lasts_until_the_next_instant() -> None:
    store = FakeStore(rule(1, "0 12 * * *"), rule(2, "30 12 * * *"))

    result = await run(store)

    assert [(firing.rule_id, firing.instants) for firing in store.firings] == [(1, (NOON,))]
    assert store.firings[0].decided_through == NOON
    assert result == CronPass(1, 1800.0)
    assert store.next_due_at == NOON + timedelta(minutes=30)


async def test_a_rule_that_cannot_fire_gets_its_reason_once_and_disturbs_no_other() -> None:
    fresh = FakeStore(rule(1, "61 * * * *"), rule(2, "0 12 * * *"))
    await run(fresh)
    reason = next(firing.error for firing in fresh.firings if firing.rule_id == 1)
    known = FakeStore(rule(1, "61 * * * *", error=reason))

    await run(known)

    assert reason
    assert {firing.rule_id for firing in fresh.firings} == {1, 2}
    assert known.firings == []


async def test_a_repaired_rule_s_reason_is_taken_back() -> None:
    store = FakeStore(rule(1, "30 12 * * *", error="was wrong"))

    await run(store)

    assert [(firing.instants, firing.error) for firing in store.firings] == [((), None)]


async def test_without_rules_it_sleeps_until_somebody_rings() -> None:
    assert await run(FakeStore()) == CronPass(0, None)


async def test_rules_that_changed_meanwhile_are_looked_at_again() -> None:
    store = FakeStore(rule(1, "30 12 * * *"), skipped_once=(1,))

    result = await run(store)

    assert store.looks == 2
    assert result.sleep_seconds == 1800.0


async def test_a_rule_whose_configuration_is_not_sent_along_says_why_and_the_others_fire() -> None:
    reason = "trigger_config holds a number of 300 digits"
    store = FakeStore(rule(1, "0 12 * * *", trigger_config=None, unreadable=reason), rule(2, "0 12 * * *"))

    await run(store)

    assert [(firing.rule_id, firing.instants, firing.error) for firing in store.firings] == [
        (1, (), reason),
        (2, (NOON,), None),
    ]
