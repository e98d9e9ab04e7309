"""Enterprises do not see each other, and do not wait for each other."""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError

from stack.sample_data import sample_payload, seed_enterprise
from tests.e2e import rows
from tests.e2e.logs import read_log
from tests.e2e.program import Program
from tests.e2e.system import System

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
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
        assert await rows.calls_for(system, notification_id) == []


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
    assert await rows.calls_for(system, borrower) == []


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
    bases = await rows.transaction_bases(system, [*flood, single])
    flooded = [bases[notification_id] for notification_id in flood]
    sent_after_single = set(order[order.index(bases[single]) + 1 :])
    assert set(flooded) <= set(order)
    assert len(sent_after_single.intersection(flooded)) >= 100, "the last batch of the flood, at least, comes later"


async def test_who_reaches_temporal_cannot_have_rows_sent_of_an_enterprise_that_nobody_serves(
    system: System, tmp_path: Path
) -> None:
    connection = await system.connect()
    try:
        victim = await seed_enterprise(connection, "victim")
    finally:
        await connection.close()
    [notification_id] = await rows.insert(system, "victim", {"notification_workflow_id": victim.static})
    temporal = await Client.connect(system.stack.temporal.address)
    environment = {**system.environment, "TEMPORAL_TASK_QUEUE": "of-some-deployment", "WORKER_ENTERPRISE_IDS": "acme"}

    with Program("worker", tmp_path, environment) as worker:
        with pytest.raises(WorkflowFailureError) as failed:
            await temporal.execute_workflow(
                "NotificationProcessingWorkflow",
                {"enterprise_id": "victim", "notification_ids": [notification_id]},
                id="notification-processing/victim/forged",
                task_queue="of-some-deployment",
                execution_timeout=timedelta(seconds=30),
            )
        worker.require_running()

    assert "EnterpriseNotServed" in str(failed.value.cause.__cause__)
    assert (await rows.read(system, [notification_id]))[notification_id].is_untouched
    refusals = [line for line in read_log(worker.log_file) if line["event"] == "enterprise_not_served"]
    assert [line["enterprise_id"] for line in refusals] == ["victim"]
    assert await rows.calls_for(system, notification_id) == []
