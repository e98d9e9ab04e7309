"""What is sent, when, and to whom: once, in time, and to everybody it names."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e import rows
from tests.e2e.system import System

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="session"),
]

A_MOMENT = timedelta(seconds=2)


async def test_a_draft_is_left_alone_and_sent_once_when_it_is_published(system: System) -> None:
    acme = system.enterprises[0]
    [draft] = await rows.insert(
        system, acme.enterprise_id, {"notification_workflow_id": acme.static, "publish_status": "DRAFT"}
    )
    await _send_another(system)
    before = (await rows.read(system, [draft]))[draft]

    await rows.execute(system, "update notify.ent_notification set publish_status = 'PUBLISH' where id = $1", draft)
    after = (await rows.settled(system, [draft]))[draft]

    assert before.is_untouched
    assert after.status == "SENT"
    assert len(await rows.calls_for(system, draft)) == 1


async def test_a_row_retracted_before_it_is_due_is_never_sent(system: System) -> None:
    acme = system.enterprises[0]
    row = {"notification_workflow_id": acme.static, "scheduled_for": (datetime.now(UTC) + A_MOMENT).isoformat()}
    retracted, kept = await rows.insert(system, acme.enterprise_id, row, row)

    await rows.execute(system, "select notify.retract_notifications($1, $2, 'not now')", "acme", [retracted])
    await rows.settled(system, [kept])
    found = await rows.read(system, [retracted, kept])

    assert found[kept].status == "SENT"
    assert (found[retracted].status, found[retracted].transaction_id) == ("RETRACTED", None)
    assert await rows.calls_for(system, retracted) == []


async def test_a_row_past_its_deadline_fails_as_expired_and_is_not_sent(system: System) -> None:
    acme = system.enterprises[0]
    [late] = await rows.insert(
        system,
        acme.enterprise_id,
        {"notification_workflow_id": acme.static, "deliver_before": "2020-01-01T00:00:00Z"},
    )

    row = (await rows.settled(system, [late]))[late]

    assert (row.status, row.error["code"]) == ("FAILED", "expired")
    assert await rows.calls_for(system, late) == []


async def test_a_scheduled_row_is_sent_after_its_time_and_not_before(system: System) -> None:
    acme = system.enterprises[0]
    due_at = datetime.now(UTC) + A_MOMENT
    [scheduled] = await rows.insert(
        system,
        acme.enterprise_id,
        {"notification_workflow_id": acme.static, "scheduled_for": due_at.isoformat()},
    )

    row = (await rows.settled(system, [scheduled]))[scheduled]

    [call] = await rows.calls_for(system, scheduled)
    assert row.status == "SENT"
    assert call["received_at_ns"] / 1e9 >= due_at.timestamp()


@pytest.mark.parametrize("recipient_count", [250, 2_500])
async def test_a_row_for_many_reaches_each_of_them_once(system: System, recipient_count: int) -> None:
    acme = system.enterprises[0]
    recipients = [f"subscriber-{number}" for number in range(recipient_count)]
    [fan_out] = await rows.insert(
        system,
        acme.enterprise_id,
        {"notification_workflow_id": acme.static, "recipients": [*recipients, *recipients[:10]]},
    )

    row = (await rows.settled(system, [fan_out]))[fan_out]

    calls = await rows.calls_for(system, fan_out)
    assert row.status == "SENT"
    assert max(len(call["recipients"]) for call in calls) <= 100
    assert Counter(recipient for call in calls for recipient in call["recipients"]) == Counter(recipients)


async def _send_another(system: System) -> None:
    """Whatever would have been done by now has been done: a row written later is sent already."""
    acme = system.enterprises[0]
    ids = await rows.insert(system, acme.enterprise_id, {"notification_workflow_id": acme.static})
    await rows.settled(system, ids)
