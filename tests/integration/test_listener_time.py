"""What concerns time and retraction, on the real database and the Realtime edge: what rings, and what must not."""

import statistics
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.listener_bench import Bench, eventually, listening

pytestmark = pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning")  # the library's own use of it


async def test_a_rule_inserted_changed_paused_or_published_rings_within_two_seconds(
    local_stack: Mapping[str, str],
) -> None:
    async with listening(local_stack) as bench:
        await bench.hears()
        seconds = []

        rule = await bench.insert_rule()
        seconds.append(await rings(bench, "the insert"))
        await bench.update_rule(rule, "trigger_config = '{}'")
        seconds.append(await rings(bench, "the change"))
        await bench.update_rule(rule, "deactivated = true")
        seconds.append(await rings(bench, "the pause"))
        draft = await bench.insert_rule(publish_status="DRAFT")
        seconds.append(await rings(bench, "the draft"))
        await bench.update_rule(draft, "publish_status = 'PUBLISH'")
        seconds.append(await rings(bench, "the publication"))

        assert statistics.median(seconds) < 2, "the median: this machine may be busy with something else for once"


async def test_a_row_scheduled_for_later_rings_its_scheduler_and_starts_nothing(
    local_stack: Mapping[str, str],
) -> None:
    in_an_hour, in_two_hours, in_half_an_hour = (now() + timedelta(hours=hours) for hours in (1, 2, 0.5))
    async with listening(local_stack) as bench:
        await bench.hears()
        ours = bench.enterprise_ids[0]
        [row] = await bench.insert(scheduled_for=in_an_hour)
        await eventually(lambda: bench.rows_told == [(ours, in_an_hour)])

        await bench.update([row], f"scheduled_for = '{in_two_hours.isoformat()}'")
        await bench.update([row], f"scheduled_for = '{in_half_an_hour.isoformat()}'")
        await eventually(lambda: bench.rows_told == [(ours, in_an_hour), (ours, in_half_an_hour)])

        assert bench.rows_started == []
        await bench.update([row], "scheduled_for = now()")
        await bench.starts(row)


async def test_a_row_that_can_never_fall_due_rings_at_once_and_one_that_is_not_published_rings_nothing(
    local_stack: Mapping[str, str],
) -> None:
    later = now() + timedelta(hours=1)
    async with listening(local_stack) as bench:
        await bench.hears()
        [never] = await bench.insert()
        await bench.starts(never)
        await bench.update([never], "scheduled_for = 'infinity'")
        await bench.insert(scheduled_for=later, publish_status="DRAFT")
        [draft] = await bench.insert(scheduled_for=later, enterprise=1, publish_status="DRAFT")
        await bench.update([draft], "publish_status = 'PUBLISH'")

        await eventually(lambda: bench.rows_told == [(bench.enterprise_ids[1], later)])
        assert bench.rows_started == [never, never], "its claim ends it, and says why"


async def test_many_rows_scheduled_at_once_are_one_ring(local_stack: Mapping[str, str]) -> None:
    later = now() + timedelta(hours=1)
    async with listening(local_stack) as bench:
        await bench.hears()
        received = bench.feed.status.changes_received
        await bench.insert(300, scheduled_for=later)
        await eventually(lambda: bench.feed.status.changes_received == received + 1)

        await eventually(lambda: bench.rows_told == [(bench.enterprise_ids[0], later)])


async def test_a_sent_row_that_is_retracted_rings_and_an_unsent_one_does_not(local_stack: Mapping[str, str]) -> None:
    async with listening(local_stack) as bench:
        await bench.hears()
        ours = bench.enterprise_ids[0]
        [sent, by_hand, unsent] = await bench.insert(3)
        await bench.starts(sent, by_hand, unsent)
        await bench.update([sent, by_hand], "notification_status = 'SENT', transaction_id = 'xnovu-' || id")
        received = bench.feed.status.changes_received

        await bench.call("retract_notifications", ours, [unsent], "wrong price")
        await bench.call("retract_notifications", ours, [sent], "wrong price")
        await bench.update([by_hand], "notification_status = 'RETRACTED'")

        await eventually(lambda: sorted(ids_of(bench.retracted)) == [sent, by_hand])
        assert bench.feed.status.changes_received == received + 2


async def test_a_row_retracted_in_flight_rings_when_its_worker_reports_that_it_was_sent(
    local_stack: Mapping[str, str],
) -> None:
    async with listening(local_stack) as bench:
        await bench.hears()
        ours = bench.enterprise_ids[0]
        [row] = await bench.insert()
        await bench.starts(row)
        await bench.call("claim_notifications", ours, [row], "worker", 60)
        await bench.call("retract_notifications", ours, [row], "wrong price")
        outcome = f'[{{"id": {row}, "status": "SENT", "transaction_id": "xnovu-{row}"}}]'

        await bench.call("record_outcomes", ours, "worker", outcome)

        await eventually(lambda: bench.retracted == [(ours, (row,))])


async def test_our_own_bookkeeping_rings_nothing(local_stack: Mapping[str, str]) -> None:
    async with listening(local_stack) as bench:
        await bench.hears()
        ours = bench.enterprise_ids[0]
        rule = await bench.insert_rule()
        [row] = await bench.insert()
        await bench.starts(row)
        await rings(bench, "the rule")
        await bench.call("claim_notifications", ours, [row], "worker", 60)
        outcome = f'[{{"id": {row}, "status": "SENT", "transaction_id": "xnovu-{row}"}}]'
        await bench.call("record_outcomes", ours, "worker", outcome)
        await bench.call("retract_notifications", ours, [row], "wrong price")
        await eventually(lambda: ids_of(bench.retracted) == [row])
        received = bench.feed.status.changes_received

        cancellation = f'[{{"id": {row}, "transaction_id": "xnovu-{row}", "cancellation": {{"cancelled": true}}}}]'
        await bench.call("record_cancellations", ours, cancellation)
        await bench.call("cron_rules", ours)
        await bench.call("fire_rules", ours, "[]", None)
        await bench.call("due_scheduled", ours, 100)
        await bench.update([row], "tags = '{touched}'")
        [last] = await bench.insert()
        await bench.starts(last)

        assert bench.feed.status.changes_received == received + 1, f"only the last row, nothing of rule {rule}"
        assert bench.rules_told == []


async def test_what_happened_unheard_is_found_by_the_sweep_after_the_gap(local_stack: Mapping[str, str]) -> None:
    later = now() + timedelta(hours=1)
    async with listening(local_stack) as bench:
        await bench.hears()
        ours = bench.enterprise_ids[0]
        [sent] = await bench.insert()
        await bench.starts(sent)
        await bench.update([sent], "notification_status = 'SENT', transaction_id = 'xnovu-' || id")
        await bench.fault("lose_events", seconds=5.0)
        await bench.insert_rule()
        await bench.insert(scheduled_for=later)
        await bench.call("retract_notifications", ours, [sent], "wrong price")

        await eventually(lambda: ours in bench.rules_told)
        await eventually(lambda: bench.rows_told == [(ours, later)])
        await eventually(lambda: bench.retracted == [(ours, (sent,))])

        assert bench.listener.counters.recovered_schedule == 1
        assert bench.listener.counters.recovered_retractions == 1


def now() -> datetime:
    """To the microsecond, as the database keeps it."""
    return datetime.now(UTC)


def ids_of(batches: list[tuple[str, tuple[int, ...]]]) -> list[int]:
    return [notification_id for _, ids in batches for notification_id in ids]


async def rings(bench: Bench, what: str) -> float:
    """Wait until the first enterprise's rules were told of, once, and forget it; the seconds it took."""
    start = time.monotonic()
    await eventually(lambda: bool(bench.rules_told))
    assert bench.rules_told == [bench.enterprise_ids[0]], what
    bench.rules_told.clear()
    return time.monotonic() - start
