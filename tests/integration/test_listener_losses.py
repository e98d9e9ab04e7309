"""What the real Realtime server was seen to lose in silence, played on its stand-in: the listener notices, says so, and
brings what was lost (docs/decisions/0036, 0037).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import asyncpg
import pytest

from cli.doctor import realtime as doctor
from listener.heartbeat import observe
from shared.ports import FeedState
from tests.integration.listener_bench import IMPATIENT, NEVER, Bench, eventually, listening

pytestmark = pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning")  # the library's own use of it

SHOWS_WITHIN_SECONDS = 20.0
DEAF = replace(IMPATIENT, canary_every=NEVER, seat_probe_every=NEVER)
"""A feed that sings once, and notices nothing by itself afterwards."""


async def test_a_rule_whose_change_is_lost_in_silence_is_told_of_by_the_next_look(
    local_stack: Mapping[str, str],
) -> None:
    async with listening(local_stack, timing=DEAF, look_seconds=1.0) as bench:
        await bench.hears()
        bench.rules_told.clear()
        gaps = bench.listener.counters.gaps

        await bench.fault("kill_slot")
        rule = await bench.insert_rule()
        await eventually(lambda: bench.rules_told == [bench.enterprise_ids[0]])
        bench.rules_told.clear()
        await bench.fault("lose_events", seconds=60.0)
        await bench.update_rule(rule, "deactivated = true")

        await eventually(lambda: bench.rules_told == [bench.enterprise_ids[0]])

        assert bench.listener.counters.recovered_rules >= 1
        assert bench.listener.counters.gaps == gaps, "the feed itself has noticed nothing"
        await eventually(lambda: not bench.listener.unread_rules)


async def test_health_says_so_within_seconds_when_the_poller_gave_up_and_says_nothing_else_until_it_is_back(
    local_stack: Mapping[str, str],
) -> None:
    async with listening(local_stack, unheard_sweep_seconds=1.0) as bench:
        await bench.hears()

        await bench.fault("poller_gives_up")
        await bench.fault("kill_slot")
        await eventually(lambda: not heard(bench), within_seconds=SHOWS_WITHIN_SECONDS)
        assert "no beat of the canary came back" in (bench.feed.status.last_error or "")
        [row] = await bench.insert()
        await bench.starts(row)
        await stays_unheard(bench, reconnects=2)  # new sockets are confirmed meanwhile, and prove nothing

        await bench.end_faults()
        await bench.subscribed()


async def test_a_canary_whose_beats_are_lost_sings_on_while_other_changes_keep_coming_and_proves_nothing_by_them(
    local_stack: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**local_stack, "DAEMON_ENTERPRISE_IDS": "acme"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(doctor, "COMES_BACK_WITHIN_SECONDS", 2.0)
    async with listening(local_stack, look_seconds=1.0, unheard_sweep_seconds=1.0) as bench:
        await bench.hears()
        feed = bench.feed.status
        async with changing(local_stack, bench):
            gaps, lost_at = bench.listener.counters.gaps, datetime.now(UTC)
            async with beats_lost(bench):
                lost_after = await bench.beats()
                while await bench.beats() <= lost_after:  # noqa: ASYNC110 - the table to ask, not an event
                    await asyncio.sleep(0.02)
            await eventually(lambda: bench.listener.counters.gaps > gaps, within_seconds=SHOWS_WITHIN_SECONDS)
            await eventually(lambda: _is_later(feed.last_proof_of_life, lost_at))

            async with beats_lost(bench):
                await eventually(lambda: not heard(bench), within_seconds=SHOWS_WITHIN_SECONDS)
                assert "no beat of the canary came back" in (feed.last_error or "")
                received, beats = feed.changes_received, await bench.beats()
                bench.rules_told.clear()
                [row] = await bench.insert()
                await bench.insert_rule()
                await bench.starts(row)
                await eventually(lambda: bench.rules_told != [])
                [problem] = await doctor.check_realtime()
                assert "a beat that was rung did not come back" in problem.message
                await stays_unheard(bench, reconnects=1)
                assert feed.changes_received > received, "others have come all the time"
                assert await bench.beats() > beats

            await bench.subscribed()


async def test_nobody_is_heard_while_an_open_transaction_holds_up_the_slot(local_stack: Mapping[str, str]) -> None:
    async with listening(local_stack, unheard_sweep_seconds=1.0) as bench, open_transaction(local_stack) as commit:
        await bench.fault("kill_slot")
        await eventually(lambda: not heard(bench))
        [row] = await bench.insert()
        await bench.starts(row)
        until = time.monotonic() + 2 * IMPATIENT.silence_limit
        while time.monotonic() < until:
            assert not heard(bench)
            await asyncio.sleep(0.05)

        await commit()

        await bench.subscribed()


async def test_one_channel_is_enough_for_any_number_of_enterprises(local_stack: Mapping[str, str]) -> None:
    async with listening(local_stack) as bench:
        await bench.fault("limit_channels", channels=1)
        await bench.fault("drop")
        await eventually(lambda: bench.feed.status.reconnects >= 1)
        await bench.subscribed()

        for number in (0, 1):
            [row] = await bench.insert(enterprise=number)
            await bench.starts(row)
        assert bench.listener.counters.changes >= 2


async def test_what_is_no_longer_published_is_named_with_its_remedy_and_its_rows_are_swept(
    local_stack: Mapping[str, str],
) -> None:
    async with listening(local_stack, look_seconds=0.5, unheard_sweep_seconds=1.0) as bench:
        await bench.hears()
        await bench.execute("alter publication supabase_realtime drop table notify.doorbell")
        try:
            await eventually(lambda: not heard(bench), within_seconds=SHOWS_WITHIN_SECONDS)
            [flaw] = bench.listener.flaws
            assert flaw.what == "notify.doorbell is not in publication supabase_realtime"
            assert flaw.mend in observe(bench.listener).flaws[0]
            [row] = await bench.insert()
            await bench.starts(row)
        finally:
            await bench.execute("alter publication supabase_realtime add table notify.doorbell")

        await bench.subscribed()
        [row] = await bench.insert()
        await bench.starts(row)


async def test_a_socket_that_was_proven_is_taken_again_at_once_however_often_it_is_cut(
    local_stack: Mapping[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(local_stack, timing=replace(IMPATIENT, reconnect_cap=30.0)) as bench:
        for _ in range(4):
            lost = bench.feed.status.reconnects
            await bench.fault("drop")
            await eventually(partial(_has_lost_more_than, bench, lost))
            await bench.subscribed()

    failures = [vars(record)["failures"] for record in caplog.records if record.message == "realtime_socket_lost"]
    assert failures == [1, 1, 1, 1]


def _has_lost_more_than(bench: Bench, reconnects: int) -> bool:
    return bench.feed.status.reconnects > reconnects


def heard(bench: Bench) -> bool:
    """Whether anybody is, as far as health says."""
    return bool({FeedState.SUBSCRIBED, FeedState.CATCHING_UP} & set(bench.listener.states().values()))


def _is_later(instant: datetime | None, than: datetime) -> bool:
    return instant is not None and instant > than


async def stays_unheard(bench: Bench, *, reconnects: int) -> None:
    """Nobody is heard, as far as health says, until so many more sockets were given up."""
    until = bench.feed.status.reconnects + reconnects
    async with asyncio.timeout(60):
        while bench.feed.status.reconnects < until:
            assert not heard(bench)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def beats_lost(bench: Bench) -> AsyncIterator[None]:
    """Rings are rung, beats are not."""
    await bench.execute(
        "create function notify.lose() returns trigger language plpgsql as $$ begin return null; end $$;"
        "create trigger lose before insert on notify.doorbell for each row when (new.listener_id is not null)"
        " execute function notify.lose()"
    )
    try:
        yield
    finally:
        await bench.execute("drop trigger lose on notify.doorbell; drop function notify.lose")


@asynccontextmanager
async def changing(stack: Mapping[str, str], bench: Bench) -> AsyncIterator[None]:
    """A row that rings each time is changed all the while, more often than the canary sings."""
    [never_due] = await bench.insert(enterprise=1, publish_status="DRAFT")
    connection = await asyncpg.connect(stack["XNOVU_STACK_POSTGRES_URL"])
    await connection.execute(
        "update notify.ent_notification set publish_status = 'PUBLISH', scheduled_for = 'infinity' where id = $1",
        never_due,
    )

    async def change() -> None:
        while True:
            await connection.execute("update notify.ent_notification set tags = '{change}' where id = $1", never_due)
            await asyncio.sleep(IMPATIENT.canary_every / 5)

    changing = asyncio.create_task(change())
    try:
        yield
    finally:
        changing.cancel()
        with suppress(asyncio.CancelledError):
            await changing
        await connection.close()


@asynccontextmanager
async def open_transaction(stack: Mapping[str, str]) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """One that has written; yields what commits it."""
    connection = await asyncpg.connect(stack["XNOVU_STACK_POSTGRES_URL"])
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("select pg_current_xact_id()")
    try:
        yield transaction.commit
    finally:
        await connection.close()
