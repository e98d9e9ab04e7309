"""Enterprises do not see each other, and do not wait for each other."""

import pytest

from stack.sample_data import sample_payload
from tests.e2e import rows
from tests.e2e.system import System

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="session"),
]

FLOOD_ROWS = 2_000


async def test_a_row_cannot_use_another_enterprises_workflow(system: System) -> None:
    acme, globex, _ = system.enterprises
    ids = await rows.insert(
        system,
        acme.enterprise_id,
        {"notification_workflow_id": globex.static},
        {"notification_workflow_id": globex.dynamic, "channels": ["EMAIL"], "payload": sample_payload(1)},
    )

    found = await rows.settled(system, ids)

    for notification_id in ids:
        row = found[notification_id]
        assert (row.status, row.error["code"]) == ("FAILED", "workflow_not_found")
        assert "globex" not in str(row.error)
        assert await rows.calls_for(system, "acme", notification_id) == []


@pytest.mark.parametrize("named_by", ["id", "key", "include"])
async def test_a_row_cannot_use_another_enterprises_template(system: System, named_by: str) -> None:
    key = f"globex-secret-{named_by}"
    template: int | str = await rows.insert_template(system, "globex", key, "<p>their words</p>")
    if named_by == "key":
        template = key
    elif named_by == "include":
        body = f'<p>ours</p>\n{{% xnovu_render "{key}" %}}'
        template = await rows.insert_template(system, "acme", f"acme-includes-{named_by}", body)
    workflow_id = await rows.insert_email_workflow(system, "acme", f"acme-borrows-by-{named_by}", template)

    [borrower] = await rows.insert(
        system, "acme", {"notification_workflow_id": workflow_id, "channels": ["EMAIL"], "payload": {"name": "Ada"}}
    )
    row = (await rows.settled(system, [borrower]))[borrower]

    assert (row.status, row.error["code"]) == ("FAILED", "template_not_found")
    assert "their words" not in str(row.error)
    assert await rows.calls_for(system, "acme", borrower) == []


async def test_a_neighbours_flood_does_not_come_first(system: System) -> None:
    acme, globex, _ = system.enterprises
    flood = await rows.insert(
        system,
        acme.enterprise_id,
        *(
            {"notification_workflow_id": acme.dynamic, "channels": ["EMAIL"], "payload": sample_payload(number)}
            for number in range(FLOOD_ROWS)
        ),
    )
    [single] = await rows.insert(system, globex.enterprise_id, {"notification_workflow_id": globex.static})

    await rows.settled(system, [*flood, single], within=120)

    order = [call["transaction_id"] for call in await system.sink_calls()]
    flooded = [f"xnovu.acme.{notification_id}" for notification_id in flood]
    sent_after_single = set(order[order.index(f"xnovu.globex.{single}") + 1 :])
    assert set(flooded) <= set(order)
    assert len(sent_after_single.intersection(flooded)) >= 100, "the last batch of the flood, at least, comes later"
