"""What chaos does to its database: a witness that sees who records over another's claim (tests/chaos/claims.py), and
functions without one of their locks (tests/chaos/mutants.py), which do their work all the same.
"""

import pytest

from tests.chaos.claims import broken, watch
from tests.chaos.mutants import MUTANTS, Mutant, take_out
from tests.integration.database.project import (
    OURS,
    Project,
    call,
    claim,
    ids_of,
    insert_notification,
    insert_rule,
    insert_workflow,
    read,
    update,
)

[OWNER_GUARD] = [mutant for mutant in MUTANTS if mutant.lock == "owner guard in record"]


async def recorded_by_one_whose_claim_lapsed(project: Project) -> int:
    """The row's id; another has claimed it since."""
    async with project.connect() as connection:
        notification_id = await insert_notification(connection)
        await claim(connection, [notification_id], "frozen")
        await update(connection, [notification_id], "lease_expires_at = now() - interval '1 second'")
        await claim(connection, [notification_id], "another")
        outcome = {"id": notification_id, "status": "SENT", "transaction_id": "transaction"}
        for owner in ("frozen", "another"):
            await call(connection, "record_outcomes", p_enterprise_id=OURS, p_claim_owner=owner, p_outcomes=[outcome])
    return notification_id


@pytest.mark.parametrize("separate_project", ["fresh"], indirect=True)
async def test_who_records_over_anothers_claim_is_seen(separate_project: Project) -> None:
    await take_out(separate_project.url, OWNER_GUARD)
    await watch(separate_project.url)

    notification_id = await recorded_by_one_whose_claim_lapsed(separate_project)

    assert await broken(separate_project.url) == {notification_id: "recorded by frozen, claimed by another"}


@pytest.mark.parametrize("separate_project", ["fresh"], indirect=True)
async def test_who_is_refused_is_not(separate_project: Project) -> None:
    await watch(separate_project.url)

    await recorded_by_one_whose_claim_lapsed(separate_project)

    assert await broken(separate_project.url) == {}


@pytest.mark.parametrize("separate_project", ["fresh"], indirect=True)
@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each.functions], ids=lambda mutant: mutant.lock)
async def test_without_its_lock_a_function_still_does_its_work(separate_project: Project, mutant: Mutant) -> None:
    await take_out(separate_project.url, mutant)

    async with separate_project.connect() as connection:
        notification_id = await insert_notification(connection)
        claimed = ids_of(await claim(connection, [notification_id]))
        outcome = {"id": notification_id, "status": "SENT", "transaction_id": "transaction"}
        await call(connection, "record_outcomes", p_enterprise_id=OURS, p_claim_owner="owner", p_outcomes=[outcome])
        status = (await read(connection, notification_id))["notification_status"]
        rule_id = await insert_rule(connection, await insert_workflow(connection, publish_status="PUBLISH", name="w"))
        through = await connection.fetchval(
            "select schedule_changed_at from notify.ent_notification_rule where id = $1", rule_id
        )
        firing = {
            "rule_id": rule_id,
            "instants": [through.isoformat()],
            "decided_through": through.isoformat(),
            "expected_fired_through": through.isoformat(),
        }
        fired = await call(connection, "fire_rules", p_enterprise_id=OURS, p_firings=[firing], p_next_due_at=None)

    assert (claimed, status, fired["fired"]) == ([notification_id], "SENT", 1)
