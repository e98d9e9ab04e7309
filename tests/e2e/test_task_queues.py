"""A giant customer with a task queue of its own, beside everybody else's, in one database and one namespace
(docs/scale.md): what waits in one queue holds nothing up in the other.
"""

import sys
from pathlib import Path

import pytest
from temporalio.client import Client

from stack.processes import ChildProcess
from stack.sample_data import insert_notifications, sample_payload
from tests.e2e import rules
from tests.e2e.system import System, eventually, running_system

pytestmark = [pytest.mark.whole, pytest.mark.slow, pytest.mark.timeout(600)]

OWN_QUEUE = {"TEMPORAL_TASK_QUEUE": "xnovu-giant", "DAEMON_ENTERPRISE_IDS": "giant"}
OTHERS = ("acme", "globex")
FLOOD_ROWS, OTHERS_ROWS = 1_000, 40


async def statuses_of(system: System, enterprise_id: str) -> dict[str, int]:
    connection = await system.connect()
    try:
        found = await connection.fetch(
            "select notification_status::text as status, count(*) as rows from notify.ent_notification"
            " where enterprise_id = $1 group by 1",
            enterprise_id,
        )
        return {row["status"]: row["rows"] for row in found}
    finally:
        await connection.close()


async def write(system: System, enterprise_id: str, count: int) -> None:
    [enterprise] = [each for each in system.enterprises if each.enterprise_id == enterprise_id]
    row = {"notification_workflow_id": enterprise.static, "payload": sample_payload(1), "channels": ["EMAIL"]}
    connection = await system.connect()
    try:
        await insert_notifications(connection, enterprise_id, [row] * count)
    finally:
        await connection.close()


async def queues_of(system: System, query: str) -> set[str | None]:
    client = await Client.connect(system.environment["TEMPORAL_ADDRESS"])
    return {run.task_queue async for run in client.list_workflows(query)}


async def test_a_giants_flood_waits_in_its_own_queue_and_nobody_waits_behind_it(tmp_path: Path) -> None:
    async with running_system(tmp_path, ("giant", *OTHERS), DAEMON_ENTERPRISE_IDS=",".join(OTHERS)) as system:
        giants = {**system.environment, **OWN_QUEUE}
        listener = ChildProcess("listener giant", tmp_path / "listener-giant.log")
        worker = ChildProcess("worker giant", tmp_path / "worker-giant.log")
        try:
            await listener.start([sys.executable, "-m", "listener"], giants)
            await write(system, "giant", FLOOD_ROWS)
            await eventually(lambda: _waits_in(system, "xnovu-giant"), what="the flood is in the giant's queue")

            for enterprise_id in OTHERS:
                await write(system, enterprise_id, OTHERS_ROWS)
            for enterprise_id in OTHERS:
                await _until_sent(system, enterprise_id, OTHERS_ROWS)
            waiting = await statuses_of(system, "giant")

            await worker.start([sys.executable, "-m", "worker"], giants)
            await _until_sent(system, "giant", FLOOD_ROWS)
            await _a_rule_of_the_giants_fires(system)
            processing = "WorkflowType = 'NotificationProcessingWorkflow' AND TaskQueue = 'xnovu-giant'"
            runs = await queues_of(system, processing)
        finally:
            await listener.stop(within_seconds=60)
            await worker.stop(within_seconds=60)

        assert waiting == {"PENDING": FLOOD_ROWS}
        assert runs == {"xnovu-giant"}
        assert set((await system.deliveries()).values()) == {1}


async def _waits_in(system: System, task_queue: str) -> bool:
    return bool(await queues_of(system, f"TaskQueue = '{task_queue}' AND ExecutionStatus = 'Running'"))


async def _until_sent(system: System, enterprise_id: str, count: int) -> None:
    async def sent() -> bool:
        return (await statuses_of(system, enterprise_id)).get("SENT", 0) >= count

    await eventually(sent, what=f"all of {enterprise_id}'s rows are sent")


async def _a_rule_of_the_giants_fires(system: System) -> None:
    """Whoever's worker runs the one orchestration, every enterprise that any listener names is scheduled."""
    giant = system.enterprises[0]
    [rule_id] = await rules.insert(system, giant, rules.EVERY_SECOND)
    await eventually(lambda: _fired(system, rule_id), what="a rule of the giant's fires")
    await rules.pause(system, rule_id)
    await eventually(system.is_settled, what="what it made is sent")


async def _fired(system: System, rule_id: int) -> bool:
    return bool(await rules.instants(system, rule_id))
