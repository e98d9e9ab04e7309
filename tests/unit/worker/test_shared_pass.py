"""Schedulers that many enterprises share: each is seen to by itself, rows go together, who stumbles waits alone."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from temporalio.testing import ActivityEnvironment

from shared.notification.priority import NORMAL
from shared.ports import CronRules, DueEnterprises, DueScheduled, StoreUnavailable
from shared.shards import shared_scheduler
from shared.temporal.messages import Portion
from tests.unit.virtual_time import run_virtually
from tests.unit.worker import test_rule_firing as firing
from tests.unit.worker.test_scheduled_delivery import FakeStarter
from worker.activities.rule_firing import CHANGED_MEANWHILE_PAUSE_SECONDS, CronPass, RuleFiring
from worker.activities.scheduled_delivery import ScheduledDelivery, ScheduledPass, SharedSchedule
from worker.activities.shared_pass import AFTER_A_STUMBLE_SECONDS

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SHARD = 3


class FakeWork:
    """Each look's due enterprises in turn, nobody after the last; the next instant is `next_in` seconds away."""

    def __init__(self, *looks: Sequence[str], next_in: float | None = None) -> None:
        self._looks = list(looks)
        self._next_due_at = None if next_in is None else NOON + timedelta(seconds=next_in)
        self.asked: list[tuple[str, int]] = []
        self.asked_at: list[float] = []

    async def due(self, scheduler: Literal["cron", "scheduled"], shard: int) -> DueEnterprises:
        self.asked.append((scheduler, shard))
        self.asked_at.append(asyncio.get_running_loop().time())
        looks = len(self.asked)
        due = tuple(self._looks[looks - 1]) if looks <= len(self._looks) else ()
        return DueEnterprises(NOON, due, has_more=False, next_due_at=self._next_due_at)


class Rules(firing.FakeStore):
    """Every enterprise has the same rules; the database answers nothing of those in `away`."""

    def __init__(self, *away: str, cron: str = "0 12 * * *") -> None:
        super().__init__(firing.rule(1, cron))
        self.away = away
        self.read: list[str] = []

    async def cron_rules(self, enterprise_id: str) -> CronRules:
        self.read.append(enterprise_id)
        if enterprise_id in self.away:
            raise StoreUnavailable("a lock")
        return CronRules(NOON, self._rules)


class Rows:
    """Scheduled rows of several enterprises, due for as long as nobody has claimed them."""

    def __init__(self, **rows: int) -> None:
        self.rows = rows

    async def due_scheduled(self, enterprise_id: str, *, limit: int) -> DueScheduled:
        first = 1000 * (1 + sorted(self.rows).index(enterprise_id))
        return DueScheduled(NOON, tuple(range(first, first + self.rows[enterprise_id])), False, None)


class FakeSharedStarter:
    def __init__(self) -> None:
        self.batches: list[dict[str, int]] = []

    async def start(
        self,
        enterprise_id: str,
        notification_ids: Sequence[int],
        *,
        priority: int = NORMAL,
        others: Sequence[Portion] = (),
    ) -> bool:
        portions = [Portion(enterprise_id, list(notification_ids)), *others]
        self.batches.append({each.enterprise_id: len(each.notification_ids) for each in portions})
        return True


async def fire(store: Rules, work: FakeWork) -> CronPass:
    result: CronPass = await ActivityEnvironment().run(RuleFiring(store, work).fire_due_rules, shared_scheduler(SHARD))
    return result


async def start(store: Rows, work: FakeWork) -> tuple[ScheduledPass, FakeStarter, FakeSharedStarter]:
    starter, shared = FakeStarter(), FakeSharedStarter()
    result: ScheduledPass = await ActivityEnvironment().run(
        ScheduledDelivery(store, starter, SharedSchedule(work, shared)).start_due, shared_scheduler(SHARD)
    )
    return result, starter, shared


async def test_the_rules_of_all_who_are_due_fire_and_it_sleeps_until_the_next_instant_of_anybody() -> None:
    store, work = Rules(), FakeWork(["acme", "globex"], ["initech"], next_in=60)

    result = await fire(store, work)

    assert result == CronPass(3, 60.0)
    assert sorted(store.read) == ["acme", "globex", "initech"]
    assert set(work.asked) == {("cron", SHARD)}


async def test_one_whose_rules_cannot_be_read_is_seen_to_again_soon_and_the_others_fire() -> None:
    store, work = Rules("globex"), FakeWork(["acme", "globex"], ["globex"], next_in=3600)

    result = await fire(store, work)

    assert result == CronPass(1, AFTER_A_STUMBLE_SECONDS)
    assert sorted(store.read) == ["acme", "globex"]


def test_whose_rules_another_transaction_holds_is_looked_at_with_pauses_and_the_others_at_once() -> None:
    looks = ["held"], ["held", "acme"], ["held"], ["held"], ["held"]
    work = FakeWork(*looks, next_in=60)

    result = run_virtually(fire(Rules(cron="30 12 * * *"), work))

    assert result == CronPass(0, 60.0)
    waits = [later - earlier for earlier, later in itertools.pairwise(work.asked_at)]
    pause = CHANGED_MEANWHILE_PAUSE_SECONDS
    assert waits == pytest.approx([0.0, 0.0, pause, pause, pause], abs=0.1)


async def test_with_nobody_s_rules_ahead_it_sleeps_until_somebody_rings() -> None:
    assert await fire(Rules(), FakeWork()) == CronPass(0, None)


async def test_scheduled_rows_of_many_go_in_shared_batches_and_a_flood_in_its_own() -> None:
    store = Rows(acme=1, flood=600, globex=1, initech=1)

    result, starter, shared = await start(store, FakeWork(["acme", "flood", "globex", "initech"], next_in=90))

    assert result == ScheduledPass(603, 90.0)
    assert [len(batch) for batch in starter.batches] == [250, 250]
    assert sum(sum(batch.values()) for batch in shared.batches) == 103
    assert {name for batch in shared.batches for name in batch} == {"acme", "flood", "globex", "initech"}


def test_a_row_that_waits_for_its_claim_is_not_started_again() -> None:
    work = FakeWork(["acme", "globex"], ["acme", "globex"], next_in=0.01)

    result, _, shared = run_virtually(start(Rows(acme=1, globex=2), work))

    assert result.rows == 3
    assert shared.batches == [{"acme": 1, "globex": 2}]
