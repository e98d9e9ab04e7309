"""Rows scheduled for later are delivered when they fall due, wherever their time is moved to meanwhile."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from stack.sample_data import SampleEnterprise
from tests.e2e import rows
from tests.e2e.arrivals import Arrival, arrivals, describe, lateness
from tests.e2e.system import PATIENCE_SECONDS, System, eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="session"),
]

SPREAD_ROWS = 100
BURST_ROWS = 10_000
BURST_WITHIN_SECONDS = 120.0
LATE_BY_AT_MOST_SECONDS = 30.0
"""Generous, for a machine that does other things too: the figures are in the summary of the test run."""

AN_HOUR = timedelta(hours=1)

Record = Callable[[str, object], None]


async def test_rows_are_delivered_as_they_fall_due(timed_system: System, record_property: Record) -> None:
    chance = Random(20261126)
    now = datetime.now(UTC)
    due: dict[int, datetime] = {}
    for enterprise in timed_system.enterprises:
        times = [now + timedelta(seconds=chance.uniform(2, 10)) for _ in range(SPREAD_ROWS // 10)]
        due |= await _insert(timed_system, enterprise, times)

    late = await _lateness_when_settled(timed_system, due)

    record_property("scheduled rows: reached Novu after they fell due", describe(late))
    assert min(late) >= 0
    assert max(late) < LATE_BY_AT_MOST_SECONDS


async def test_the_earliest_row_goes_first(timed_system: System) -> None:
    [enterprise, *_] = timed_system.enterprises
    for apart in (timedelta(seconds=2), timedelta(seconds=8), timedelta(seconds=30)):
        latest = datetime.now(UTC) + timedelta(seconds=3) + 3 * apart
        due = await _insert(timed_system, enterprise, [latest - number * apart for number in range(4)])

        await rows.settled(timed_system, list(due))

        arrived = await arrivals(timed_system, enterprise.enterprise_id)
        in_order = [arrived[each][0].at for each in sorted(due, reverse=True)]  # the one written last is due first
        if in_order == sorted(in_order):
            break  # or two fell due before a busy machine looked, which go out together
    assert in_order == sorted(in_order)


async def test_a_row_that_is_moved_is_delivered_at_its_new_time(timed_system: System, record_property: Record) -> None:
    [enterprise, *_] = timed_system.enterprises
    far = datetime.now(UTC) + AN_HOUR
    hastened, *_ = await _insert(timed_system, enterprise, [far])
    await _scheduler_knows(timed_system, enterprise, far)
    for seconds in (4, 16, 64):  # the machine may be too busy to move a row within the first of them
        soon = datetime.now(UTC) + timedelta(seconds=seconds)
        later = soon + timedelta(seconds=4)
        put_off, *_ = await _insert(timed_system, enterprise, [soon])
        if await _move(timed_system, put_off, later):
            break

    assert await _move(timed_system, hastened, soon)
    late = await _lateness_when_settled(timed_system, {hastened: soon, put_off: later})

    record_property("rows moved earlier, later: reached Novu after", ", ".join(f"{each:.3f} s" for each in late))
    assert min(late) >= 0
    assert max(late) < LATE_BY_AT_MOST_SECONDS


async def test_a_row_that_is_published_later_is_delivered_at_its_time_or_at_once(timed_system: System) -> None:
    [enterprise, *_] = timed_system.enterprises
    now = datetime.now(UTC)
    times = [now + timedelta(seconds=6), now + timedelta(seconds=1)]
    due = await _insert(timed_system, enterprise, times, publish_status="DRAFT")
    waits, missed = due

    await _publish(timed_system, waits)
    await _wait_past(timed_system, times[0])
    before = (await rows.read(timed_system, [missed]))[missed]
    published_at = await _publish(timed_system, missed)
    late = await _lateness_when_settled(timed_system, {waits: times[0], missed: published_at})

    assert before.is_untouched
    assert min(late) >= 0
    assert max(late) < LATE_BY_AT_MOST_SECONDS


async def test_a_row_retracted_before_its_time_is_never_sent_and_its_neighbours_are(timed_system: System) -> None:
    [enterprise, *_] = timed_system.enterprises
    at = datetime.now(UTC) + timedelta(seconds=4)
    due = await _insert(timed_system, enterprise, [at, at, at + timedelta(seconds=1)])
    by_update, by_function, kept = due

    await rows.execute(
        timed_system,
        "update notify.ent_notification set notification_status = 'RETRACTED' where id = $1",
        by_update,
    )
    await rows.execute(
        timed_system,
        "select notify.retract_notifications($1, $2, 'not now')",
        enterprise.enterprise_id,
        [by_function],
    )
    late = await _lateness_when_settled(timed_system, {kept: due[kept]})

    found = await rows.read(timed_system, [by_update, by_function])
    arrived = await arrivals(timed_system, enterprise.enterprise_id)
    assert {(row.status, row.transaction_id) for row in found.values()} == {("RETRACTED", None)}
    assert not {by_update, by_function} & set(arrived)
    assert 0 <= late[0] < LATE_BY_AT_MOST_SECONDS


async def test_a_row_that_nobody_rang_for_is_found_by_a_sweep_and_still_in_time(
    timed_system: System, record_property: Record
) -> None:
    enterprise = timed_system.enterprises[1]
    for seconds in (15, 60):  # the machine may be too busy to sweep within the first of them
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        await timed_system.edge_fault("lose_events", seconds=4)
        due = await _insert(timed_system, enterprise, [at])
        with suppress(AssertionError):
            await _scheduler_knows(timed_system, enterprise, at, within=seconds)
            break
    known_at = datetime.now(UTC)
    late = await _lateness_when_settled(timed_system, due)

    record_property("a scheduled row that nobody rang for: reached Novu after", f"{late[0]:.3f} s")
    assert known_at < at, "the scheduler was told before the row fell due"
    assert 0 <= late[0] < LATE_BY_AT_MOST_SECONDS


async def test_ten_thousand_rows_due_at_one_instant_are_delivered_once_each(
    timed_system: System, record_property: Record
) -> None:
    enterprise = timed_system.enterprises[2]
    at = datetime.now(UTC) + timedelta(seconds=8)
    due = await _insert(timed_system, enterprise, [at] * BURST_ROWS)

    late = await _lateness_when_settled(timed_system, due, within=BURST_WITHIN_SECONDS)

    arrived = await arrivals(timed_system, enterprise.enterprise_id)
    record_property("10,000 rows due at one instant: reached Novu after", describe(late))
    assert {len(arrived[notification_id]) for notification_id in due} == {1}
    assert min(late) >= 0


async def _insert(
    system: System, enterprise: SampleEnterprise, times: Sequence[datetime], **columns: Any
) -> dict[int, datetime]:
    """A row for each time, in this order; its time by its id."""
    row = {"notification_workflow_id": enterprise.static, **columns}
    ids = await rows.insert(
        system, enterprise.enterprise_id, *[{**row, "scheduled_for": time.isoformat()} for time in times]
    )
    return dict(zip(ids, times, strict=True))


async def _move(system: System, notification_id: int, time: datetime) -> bool:
    """False if it has fallen due meanwhile, and stays where it is."""
    moved = await rows.execute(
        system,
        "update notify.ent_notification set scheduled_for = $2 where id = $1 and scheduled_for > clock_timestamp()"
        " returning id",
        notification_id,
        time,
    )
    return moved is not None


async def _publish(system: System, notification_id: int) -> datetime:
    published_at: datetime = await rows.execute(
        system,
        "update notify.ent_notification set publish_status = 'PUBLISH' where id = $1 returning now()",
        notification_id,
    )
    return published_at


async def _wait_past(system: System, time: datetime) -> None:
    async def is_past() -> bool:
        past: bool = await rows.execute(system, "select now() > $1", time)
        return past

    await eventually(is_past, what=f"it is {time:%H:%M:%S}")


async def _scheduler_knows(
    system: System, enterprise: SampleEnterprise, time: datetime, *, within: float = PATIENCE_SECONDS
) -> None:
    """Wait until the enterprise's scheduler has noted this as its next instant."""

    async def knows() -> bool:
        next_due_at = await rows.execute(
            system,
            "select next_due_at from notify.scheduler_pass where scheduler = 'scheduled' and enterprise_id = $1",
            enterprise.enterprise_id,
        )
        return bool(next_due_at == time)

    await eventually(knows, within=within, what=f"the scheduler sleeps until {time:%H:%M:%S}")


async def _lateness_when_settled(
    system: System, due: Mapping[int, datetime], *, within: float = rows.SETTLED_WITHIN_SECONDS
) -> list[float]:
    """How late each of the rows reached Novu, once all of them are SENT."""
    found = await rows.settled(system, list(due), within=within)
    assert {row.status for row in found.values()} == {"SENT"}
    arrived: dict[int, list[Arrival]] = {}
    for enterprise in system.enterprises:
        arrived |= await arrivals(system, enterprise.enterprise_id)
    return lateness(due, arrived)
