import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from shared.ports import CronRule, CronRules, FiredRules, RuleFirings
from worker.activities import rule_firing
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
    def __init__(self, *rules: CronRule, skipped_once: tuple[int, ...] = (), time_zone: str | None = None) -> None:
        self._rules = rules
        self._time_zone = time_zone
        self._skipped = skipped_once
        self.looks = 0
        self.firings: list[RuleFirings] = []
        self.next_due_at: datetime | None = None
        self.due: list[datetime | None] = []

    async def cron_rules(self, enterprise_id: str) -> CronRules:
        decided = {firing.rule_id: firing.decided_through for firing in self.firings}
        rules = [replace(rule, fired_through=decided.get(rule.id, rule.fired_through)) for rule in self._rules]
        return CronRules(NOON, tuple(rules), self._time_zone)

    async def fire_rules(
        self, enterprise_id: str, firings: Sequence[RuleFirings], *, next_due_at: datetime | None
    ) -> FiredRules:
        self.firings += firings
        self.next_due_at = next_due_at
        self.due.append(next_due_at)
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


async def test_while_many_rules_are_decided_others_get_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_firing, "TURN_SECONDS", 0.0)
    store = FakeStore(*(rule(number, "0 * * * *", fired_through=NOON - timedelta(days=400)) for number in range(50)))
    turns = 0

    async def work_beside() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(work_beside())
    await run(store)
    beside.cancel()
    with suppress(asyncio.CancelledError):
        await beside

    assert len(store.firings) == 50
    assert turns >= 50


async def test_what_is_too_much_for_one_look_is_written_by_and_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_firing, "MOST_INSTANTS", 4)
    store = FakeStore(*(rule(number, "*/10 * * * * *") for number in range(5)))

    result = await run(store)

    assert sorted(firing.rule_id for firing in store.firings) == [0, 1, 2, 3, 4]
    assert store.due == [NOON, NOON, NOON + timedelta(seconds=10)]
    assert result == CronPass(10, 10.0)


async def test_rules_that_always_fire_keep_no_other_from_being_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_firing, "MOST_INSTANTS", 1)
    monkeypatch.setattr(rule_firing, "LONGEST_WAIT_SECONDS", 0.0)
    every_second = [rule(number, "* * * * * *", fired_through=NOON - timedelta(seconds=1)) for number in range(3)]
    store = FakeStore(*every_second, rule(9, "0 12 * * *"))

    await run(store)

    assert store.firings[0].rule_id == 9


async def test_a_rule_that_names_no_zone_fires_in_its_enterprise_s() -> None:
    named = rule(2, "0 14 * * *", trigger_config={"cron": "0 14 * * *", "timezone": "Europe/London"})
    store = FakeStore(rule(1, "0 14 * * *"), named, time_zone="Europe/Berlin")

    looked = await run(store)

    assert store.firings == []
    assert store.next_due_at == NOON + timedelta(hours=1), "two o'clock in Berlin, and an hour later in London"
    assert looked.sleep_seconds == 3600
