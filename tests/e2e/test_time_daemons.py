"""Time goes on whatever dies: every instant of a rule fires once, every scheduled row is sent once.

XNOVU_SOAK_SECONDS says how long daemons are killed at random; `make soak-daemons` does so for five minutes.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import free_port
from tests.e2e import rows, rules
from tests.e2e.logs import events
from tests.e2e.program import Program
from tests.e2e.system import ENTERPRISES, SHORT_TIMES, System, eventually

SOAK_SECONDS = float(os.environ.get("XNOVU_SOAK_SECONDS", "35"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(SOAK_SECONDS + 600),
    pytest.mark.asyncio(loop_scope="module"),
]

PERIODS = {
    timedelta(seconds=5): "*/5 * * * * *",
    timedelta(seconds=10): "*/10 * * * * *",
    timedelta(minutes=1): "* * * * *",
}
SCHEDULED_EVERY_SECONDS = 2.0
SETTLED_WITHIN_SECONDS = 120.0
PAUSE_SECONDS = 5.0
OUTAGE = timedelta(minutes=10)
TWO_SECONDS = timedelta(seconds=2)
MOST_CAUGHT_UP = 100
"""Instants of one rule that policy "all" makes up for (docs/scheduling.md)."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """The stack, seeded, with no process of ours."""
    directory = tmp_path_factory.mktemp("daemons")
    async with LocalStack(directory, novu_settings=FORGIVING_NOVU) as stack:
        system = System(stack, directory, SHORT_TIMES)
        try:
            await system.seed()
            yield system
        finally:
            await system.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def system(module_system: System) -> AsyncIterator[System]:
    """No rule outlives its test."""
    yield module_system
    await rows.execute(module_system, "delete from notify.ent_notification_rule")


@pytest.mark.whole
async def test_three_daemons_killed_at_random_fire_every_instant_and_send_every_row_once(
    system: System, tmp_path: Path
) -> None:
    chance = Random(20261126)
    with _daemons(3, system, tmp_path) as daemons:
        await _are_ready(*daemons)
        began, periods = await _insert_rules(system)
        scheduling = asyncio.create_task(_schedule_for(SOAK_SECONDS, system, chance))
        await _kill_at_random_for(SOAK_SECONDS, daemons, chance)
        await _stop_all_for(PAUSE_SECONDS, daemons)
        scheduled = await scheduling
        ended = datetime.now(UTC)

        await _have_fired(system, periods, began, ended)
        await rules.pause(system, *periods)
        await eventually(system.is_settled, within=SETTLED_WITHIN_SECONDS, what="every row has a final status")

    for rule, period in periods.items():
        fired = [instant for instant in await rules.instants(system, rule) if instant <= ended]
        assert fired == rules.multiples(period, began, ended), f"rule {rule}, every {period}"
    assert len(scheduled) > SOAK_SECONDS / 2
    await _everything_was_sent_once(system)


async def test_what_an_outage_missed_is_caught_up_as_each_rule_says(system: System, tmp_path: Path) -> None:
    acme = system.enterprises[0]
    nearest_instant = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=30)
    minutely = {"cron": f"{nearest_instant.second} * * * * *"}
    last, every, none, bounded = await rules.insert(
        system,
        acme,
        minutely,
        {**minutely, "catch_up": "all"},
        {**minutely, "catch_up": "none"},
        {"cron": "*/2 * * * * *", "catch_up": "all"},
    )
    away_since = await _pretend_an_outage(system, last, every, none, bounded)

    with _daemons(1, system, tmp_path):
        await rules.fired_through(system, last, datetime.now(UTC) - timedelta(minutes=1))
        fired = await rules.fired(system, [last, every, none, bounded])
        await rules.fired_through(system, bounded, datetime.now(UTC))

    minutes = OUTAGE // timedelta(minutes=1)
    missed = [nearest_instant + timedelta(minutes=number) for number in range(-minutes, minutes)]
    missed = [instant for instant in missed if away_since < instant <= fired[last][0].written_at]
    assert len(missed) == minutes
    assert [firing.instant for firing in fired[last]] == missed[-1:]
    assert [firing.instant for firing in fired[every]] == missed
    assert fired[none] == []
    caught_up = [firing for firing in fired[bounded] if firing.written_at == fired[bounded][0].written_at]
    assert len(caught_up) == MOST_CAUGHT_UP
    assert caught_up[-1].late_seconds < OUTAGE.total_seconds() / 10, "the most recent ones"
    from_then_on = await rules.instants(system, bounded)
    assert from_then_on == rules.multiples(TWO_SECONDS, from_then_on[0] - TWO_SECONDS, from_then_on[-1])


async def test_temporal_may_forget_everything_and_no_instant_and_no_row_is_lost_or_doubled(
    system: System, tmp_path: Path
) -> None:
    with _daemons(1, system, tmp_path) as [daemon]:
        await _are_ready(daemon)
        began, periods = await _insert_rules(system)
        ahead = [await _schedule(system, seconds) for seconds in (2.0, 10.0, 18.0)]
        await _have_fired(system, periods, began, began + timedelta(seconds=5))

        await system.stack.temporal.kill()
        system.stack.temporal.delete_database()
        await system.stack.temporal.start()
        restored = datetime.now(UTC)
        daemon.require_running()

        ended = restored + timedelta(seconds=10)
        await _have_fired(system, periods, began, ended)
        await rules.pause(system, *periods)
        found = await rows.settled(system, ahead, within=SETTLED_WITHIN_SECONDS)
        await eventually(system.is_settled, within=SETTLED_WITHIN_SECONDS, what="every row has a final status")

    for rule, period in periods.items():
        fired = [instant for instant in await rules.instants(system, rule) if instant <= ended]
        assert fired == rules.multiples(period, began, ended), f"rule {rule}, every {period}"
    assert {row.status for row in found.values()} == {"SENT"}
    await _everything_was_sent_once(system)


@contextmanager
def _daemons(count: int, system: System, directory: Path) -> Iterator[list[Program]]:
    """So many daemons, each with its own directory and port."""
    with ExitStack() as started:
        daemons = []
        for number in range(count):
            own = directory / f"daemon-{number}"
            own.mkdir()
            environment = {**system.environment, "DAEMON_HEALTH_PORT": str(free_port())}
            daemons.append(started.enter_context(Program("daemon", own, environment)))
        yield daemons


async def _are_ready(*daemons: Program) -> None:
    async def are_ready() -> bool:
        for daemon in daemons:
            daemon.require_running()
        return all(
            len(events(daemon.log_file, "subscription_subscribed")) == len(ENTERPRISES)
            and events(daemon.log_file, "worker_started")
            for daemon in daemons
        )

    await eventually(are_ready, within=150, what="every daemon is subscribed and takes work")


async def _kill_at_random_for(seconds: float, daemons: list[Program], chance: Random) -> None:
    """One now and then, sometimes two at once or all; each is back within three seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(2, 6))
        victims = chance.sample(daemons, chance.choice([1, 1, 1, 2, 3]))
        for victim in victims:
            victim.signal(signal.SIGKILL)
        for victim in victims:
            assert await victim.exit_code() == -signal.SIGKILL, victim.log_file.read_text()[-3000:]
        await asyncio.sleep(chance.uniform(0, 3))
        for victim in victims:
            victim.start()


async def _stop_all_for(seconds: float, daemons: list[Program]) -> None:
    """The last one leaves the orchestration to itself; the first one finds it."""
    for daemon in daemons:
        daemon.signal(signal.SIGTERM)
    for daemon in daemons:
        await daemon.exit_code()
    await asyncio.sleep(seconds)
    for daemon in daemons:
        daemon.start()


async def _insert_rules(system: System) -> tuple[datetime, dict[int, timedelta]]:
    """Rules of every period for every enterprise: when they were written, and each one's period."""
    began = datetime.now(UTC)
    periods: dict[int, timedelta] = {}
    for enterprise in system.enterprises:
        # "all": on a machine that is too busy for half a minute, what comes late is an outage to a rule.
        configs = [{"cron": cron, "catch_up": "all"} for cron in PERIODS.values()]
        periods |= dict(zip(await rules.insert(system, enterprise, *configs), PERIODS, strict=True))
    return began, periods


async def _have_fired(system: System, periods: dict[int, timedelta], after: datetime, until: datetime) -> None:
    """Wait until each rule has fired its last instant in (after, until], if it has one."""
    for rule, period in periods.items():
        for instant in rules.multiples(period, after, until)[-1:]:
            await rules.fired_through(system, rule, instant, within=SETTLED_WITHIN_SECONDS)


async def _schedule(system: System, seconds_ahead: float, enterprise: int = 0) -> int:
    chosen = system.enterprises[enterprise]
    at = datetime.now(UTC) + timedelta(seconds=seconds_ahead)
    [notification_id] = await rows.insert(
        system,
        chosen.enterprise_id,
        {"notification_workflow_id": chosen.static, "scheduled_for": at.isoformat()},
    )
    return notification_id


async def _schedule_for(seconds: float, system: System, chance: Random) -> list[int]:
    """Write rows that are due some seconds later, for so long."""
    ids: list[int] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ids += [await _schedule(system, chance.uniform(2, 8), number) for number in range(len(ENTERPRISES))]
        await asyncio.sleep(SCHEDULED_EVERY_SECONDS)
    return ids


async def _pretend_an_outage(system: System, *rule_ids: int) -> datetime:
    """Set the rules back as if nobody had looked at them for so long; returns since when."""
    away_since: datetime = await rows.execute(
        system,
        """
        with older as (
            update notify.ent_notification_rule set schedule_changed_at = now() - $2::interval where id = any($1)
            returning id
        )
        insert into notify.rule_progress (rule_id, fired_through) select id, now() - $2::interval from older
        on conflict (rule_id) do update set fired_through = excluded.fired_through
        returning fired_through
        """,
        rule_ids,
        OUTAGE,
    )
    return away_since


async def _everything_was_sent_once(system: System) -> None:
    assert (await system.statuses()).keys() == {"SENT"}
    deliveries = await system.deliveries()
    assert set(deliveries) == await system.transaction_ids()
    assert set(deliveries.values()) == {1}
