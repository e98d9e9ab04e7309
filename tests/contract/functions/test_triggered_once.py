"""What a triggered row costs where a listener and a worker run, as they do."""

import sys
from pathlib import Path

from temporalio.client import Client

from shared.temporal.names import notification_processing_id
from shared.temporal.starters import NotificationProcessingStarter
from tests.contract.functions.bench import TENANT, Bench
from tests.contract.functions.framework import running
from tests.workflows.conftest import eventually

TRIGGERED = 5
RINGS_ALONE = {"SUBSCRIPTION_HEALTH_CHECK_INTERVAL": "3600000", "FEED": "postgres_changes"}
"""A listener past its start hears by rings, and of a triggered row when its run is over."""


async def test_a_row_that_is_triggered_costs_one_workflow(bench: Bench, temporal: Client, tmp_path: Path) -> None:
    """The listener, which hears of every other row, hears of none of these."""
    environment = {**bench.environment, **RINGS_ALONE}
    ids: list[int] = []

    async def is_rung_for() -> bool:
        """Whether the listener is there: the first rows may be found by its first sweep."""
        return bool(await bench.connection.fetchval("select exists (select from notify.listener_beat where beat > 1)"))

    with (
        running([sys.executable, "-m", "listener"], environment, tmp_path / "listener"),
        running([sys.executable, "-m", "worker"], environment, tmp_path / "worker"),
    ):
        await eventually(is_rung_for)
        heard_before = await bench.insert(bench.ours)
        await _is_sent(bench, heard_before)

        for _ in range(TRIGGERED):
            answer = await bench.trigger.post("/trigger", json=bench.new(), headers=TENANT)
            ids += answer.json()["notificationIds"]
            await _is_sent(bench, ids[-1])
        heard_after = await bench.insert(bench.ours)
        await _is_sent(bench, heard_after)

    begins = notification_processing_id(bench.ours.enterprise_id, [0]).removesuffix("0")
    listed = temporal.list_workflows(f"WorkflowId STARTS_WITH '{begins}'")
    runs = [run.id.removeprefix(begins) async for run in listed]
    assert sorted(runs) == sorted(map(str, [heard_before, *ids, heard_after]))


async def test_of_several_runs_of_a_row_the_state_is_that_of_the_one_that_had_it(
    bench: Bench, temporal: Client, tmp_path: Path
) -> None:
    """As where a listener hears of a row that was inserted and then triggered."""
    starter = NotificationProcessingStarter(temporal, bench.environment["TEMPORAL_TASK_QUEUE"])
    with running([sys.executable, "-m", "worker"], bench.environment, tmp_path / "worker"):
        answer = (await bench.trigger.post("/trigger", json=bench.new(), headers=TENANT)).json()
        await starter.wait(bench.ours.enterprise_id, answer["notificationIds"])
        for _ in range(2):
            assert await starter.start(bench.ours.enterprise_id, answer["notificationIds"])
            await starter.wait(bench.ours.enterprise_id, answer["notificationIds"])

    state = await bench.trigger.get("/trigger", params={"workflowId": answer["workflowId"]}, headers=TENANT)

    assert state.json()["result"] == {"sent": 1, "failed": {}, "notClaimed": 0}
    assert state.json()["runId"] == answer["runId"]


async def _is_sent(bench: Bench, row_id: int) -> None:
    async def is_so() -> bool:
        return bool((await bench.row(row_id))["notification_status"] == "SENT")

    await eventually(is_so)
