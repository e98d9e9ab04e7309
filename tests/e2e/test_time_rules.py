"""CRON rules fire at their instants, once each; what is done to a rule counts from that moment on."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from stack.sample_data import SampleEnterprise
from tests.e2e import rows, rules
from tests.e2e.arrivals import Arrival, arrivals, describe
from tests.e2e.promptness import promptly
from tests.e2e.rules import EVERY_SECOND, NOT_THIS_YEAR
from tests.e2e.system import System, eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="session"),
]

A_SECOND = timedelta(seconds=1)
WATCHED = timedelta(seconds=3)
"""How long a rule that should rest is watched by one beside it that does not."""

RULES_PER_ENTERPRISE = 100
TAKES_EFFECT_WITHIN_SECONDS = 30.0
LOST_FIRES_WITHIN_SECONDS = 40.0
LAST_OF_A_THOUSAND_WITHIN_SECONDS = 40.0
"""Generous, for a machine that does other things too: the figures are in the summary of the test run."""

Record = Callable[[str, object], None]


@pytest_asyncio.fixture(loop_scope="session")
async def acme(timed_system: System) -> AsyncIterator[SampleEnterprise]:
    """The first enterprise; no rule of any enterprise outlives its test."""
    yield timed_system.enterprises[0]
    await rows.execute(timed_system, "delete from notify.ent_notification_rule")


@pytest_asyncio.fixture(loop_scope="session")
async def companion(timed_system: System, acme: SampleEnterprise) -> int:
    """A rule that goes on firing every second, whatever becomes of others; it has begun."""
    [rule] = await rules.insert(timed_system, acme, EVERY_SECOND)
    await rules.fired_through(timed_system, rule, datetime.now(UTC))
    return rule


async def test_a_rule_whose_insertion_realtime_loses_fires_all_the_same(
    timed_system: System, acme: SampleEnterprise, record_property: Record
) -> None:
    await timed_system.edge_fault("kill_slot")
    [rule] = await rules.insert(timed_system, acme, {"cron": "*/5 * * * * *"})

    async def has_fired() -> bool:
        return bool((await rules.fired(timed_system, [rule])).get(rule))

    seconds = await promptly(has_fired, within=LOST_FIRES_WITHIN_SECONDS, what="a rule that was not told of has fired")
    record_property("a rule lost by Realtime fired after, s", round(seconds, 1))


async def test_a_thousand_rules_due_at_one_instant_fire_once_each(
    timed_system: System, acme: SampleEnterprise, record_property: Record
) -> None:
    system = timed_system
    instant = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=12)
    config = {"cron": f"{instant.second} {instant.minute} {instant.hour} {instant.day} {instant.month} *"}
    rule_ids = [
        rule_id
        for enterprise in system.enterprises
        for rule_id in await rules.insert(system, enterprise, *[config] * RULES_PER_ENTERPRISE)
    ]

    async def all_fired() -> bool:
        return all((await rules.fired(system, rule_ids)).values())

    await eventually(all_fired, what=f"{len(rule_ids)} rules fire")
    firings = await rules.fired(system, rule_ids)
    ids = [firing.notification_id for each in firings.values() for firing in each]
    await rows.settled(system, ids)

    assert {tuple(firing.instant for firing in each) for each in firings.values()} == {(instant,)}
    arrived: dict[int, list[Arrival]] = {}
    for enterprise in system.enterprises:
        arrived |= await arrivals(system, enterprise.enterprise_id)
    assert [len(arrived[notification_id]) for notification_id in ids] == [1] * 10 * RULES_PER_ENTERPRISE
    written = [firing.late_seconds for each in firings.values() for firing in each]
    reached = [arrived[notification_id][0].at - instant.timestamp() for notification_id in ids]
    record_property("1,000 rules due at one instant: rows written after", describe(written))
    record_property("1,000 rules due at one instant: reached Novu after", describe(reached))
    assert min(written) >= 0
    assert max(reached) < LAST_OF_A_THOUSAND_WITHIN_SECONDS


async def test_a_published_rule_fires_from_then_on(
    timed_system: System, acme: SampleEnterprise, companion: int, record_property: Record
) -> None:
    [draft] = await rules.insert(timed_system, acme, EVERY_SECOND, publish_status="DRAFT")
    await rules.fired_through(timed_system, companion, datetime.now(UTC) + A_SECOND)
    before = await rules.instants(timed_system, draft)

    published_at = await rules.publish(timed_system, draft)
    await rules.fired_through(timed_system, draft, published_at + WATCHED)

    assert before == []
    await _fires_every_second_after(published_at, timed_system, draft)
    record_property("a published rule: first row after its instant", await _first_effect(timed_system, draft))


async def test_a_paused_rule_fires_no_more(timed_system: System, acme: SampleEnterprise, companion: int) -> None:
    [rule] = await rules.insert(timed_system, acme, EVERY_SECOND)
    await rules.fired_through(timed_system, rule, datetime.now(UTC))

    paused_at = await rules.pause(timed_system, rule)
    await rules.fired_through(timed_system, companion, paused_at + WATCHED)

    assert max(await rules.instants(timed_system, rule)) <= paused_at


async def test_a_deleted_rule_fires_no_more_and_its_rows_stay(
    timed_system: System, acme: SampleEnterprise, companion: int
) -> None:
    [rule] = await rules.insert(timed_system, acme, EVERY_SECOND)
    await rules.fired_through(timed_system, rule, datetime.now(UTC))

    deleted_at = await rules.delete(timed_system, rule)
    await rules.fired_through(timed_system, companion, deleted_at + WATCHED)

    assert max(await rules.instants(timed_system, rule)) <= deleted_at


async def test_a_changed_rule_fires_by_its_new_expression_only(
    timed_system: System, acme: SampleEnterprise, companion: int, record_property: Record
) -> None:
    [rule] = await rules.insert(timed_system, acme, NOT_THIS_YEAR)
    await rules.fired_through(timed_system, companion, datetime.now(UTC) + A_SECOND)
    before = await rules.instants(timed_system, rule)

    hastened_at = await rules.change(timed_system, rule, EVERY_SECOND)
    await rules.fired_through(timed_system, rule, hastened_at + WATCHED)
    calmed_at = await rules.change(timed_system, rule, NOT_THIS_YEAR)
    await rules.fired_through(timed_system, companion, calmed_at + WATCHED)

    assert before == []
    assert max(await rules.instants(timed_system, rule)) <= calmed_at
    await _fires_every_second_after(hastened_at, timed_system, rule)
    record_property("a changed rule: first row after its instant", await _first_effect(timed_system, rule))


async def test_a_rule_that_cannot_fire_says_why_and_disturbs_no_other(
    timed_system: System, acme: SampleEnterprise, companion: int
) -> None:
    bad = {
        "no such date": {"cron": "0 0 30 2 *"},
        "seven fields": {"cron": "0 0 * * * * 2030"},
        "no such zone": {"cron": "0 9 * * *", "timezone": "Europe/Nowhere"},
        "no expression": {"timezone": "UTC"},
        "no object": "every now and then",
        "no such policy": {"cron": "0 9 * * *", "catch_up": "some"},
    }
    began = datetime.now(UTC)
    ids = await rules.insert(timed_system, acme, *bad.values())

    async def all_explained() -> bool:
        return all((await rules.schedule_errors(timed_system, ids)).values())

    await promptly(all_explained, within=TAKES_EFFECT_WITHIN_SECONDS, what="every bad rule has its reason")
    errors = dict(zip(bad, (await rules.schedule_errors(timed_system, ids)).values(), strict=True))
    corrected_at = await rules.change(timed_system, ids[0], EVERY_SECOND)
    await rules.fired_through(timed_system, ids[0], corrected_at + A_SECOND)

    assert "Europe/Nowhere" in str(errors["no such zone"])
    assert "trigger_config.cron" in str(errors["no expression"])
    assert len(set(errors.values())) == len(bad)
    assert (await rules.schedule_errors(timed_system, ids[:1]))[ids[0]] is None
    await _fires_every_second_after(corrected_at, timed_system, ids[0])
    assert [await rules.instants(timed_system, rule) for rule in ids[1:]] == [[]] * (len(bad) - 1)
    await rules.fired_through(timed_system, companion, corrected_at + WATCHED)
    await _fires_every_second_after(began, timed_system, companion)


async def test_a_rule_rests_while_its_workflow_does(
    timed_system: System, acme: SampleEnterprise, companion: int
) -> None:
    workflow = await _copy_of_workflow(timed_system, acme)
    [rule] = await rules.insert(timed_system, acme, EVERY_SECOND, notification_workflow_id=workflow)
    await rules.fired_through(timed_system, rule, datetime.now(UTC))

    paused_at = await _set_deactivated(timed_system, workflow, True)
    await rules.fired_through(timed_system, companion, paused_at + WATCHED)
    resumed_at = await _set_deactivated(timed_system, workflow, False)
    await rules.fired_through(timed_system, rule, resumed_at + A_SECOND)

    fired = await rules.instants(timed_system, rule)
    assert [instant for instant in fired if paused_at < instant <= resumed_at] == []
    await _fires_every_second_after(resumed_at, timed_system, rule)


async def _fires_every_second_after(since: datetime, system: System, rule: int) -> None:
    """From the first whole second after `since` to the last firing there is none missing and none twice."""
    fired = [instant for instant in await rules.instants(system, rule) if instant > since]
    assert fired == rules.multiples(A_SECOND, since, fired[-1])


async def _first_effect(system: System, rule: int) -> str:
    [first, *_] = (await rules.fired(system, [rule]))[rule]
    assert first.late_seconds < TAKES_EFFECT_WITHIN_SECONDS
    return f"{first.late_seconds:.3f} s"


async def _copy_of_workflow(system: System, enterprise: SampleEnterprise) -> int:
    workflow_id: int = await rows.execute(
        system,
        """
        insert into notify.ent_notification_workflow
               (name, enterprise_id, publish_status, workflow_key, workflow_type, template_overrides)
        select 'now and then', enterprise_id, publish_status, enterprise_id || '-now-and-then', workflow_type,
               template_overrides
          from notify.ent_notification_workflow where id = $1
        returning id
        """,
        enterprise.static,
    )
    return workflow_id


async def _set_deactivated(system: System, workflow: int, deactivated: bool) -> datetime:
    changed_at: datetime = await rows.execute(
        system,
        "update notify.ent_notification_workflow set deactivated = $2 where id = $1 returning now()",
        workflow,
        deactivated,
    )
    return changed_at
