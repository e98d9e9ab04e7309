"""A changed workflow, deployed under load: each workflow ends on the code it began on. It could not on the other."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from stack.processes import ChildProcess
from tests.e2e import rows
from tests.e2e.deployments import FAILED_TASK, SOURCE, Told, changed_source, deploy, histories, replay, worker_command
from tests.e2e.system import System, eventually, running_system

DEPLOYMENT = "xnovu-test"
OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
OLD_ID, NEW_ID = "a" * 12, "b" * 12

PORTION, EVERY_SECONDS = 8, 0.3
SLOW_NOVU = {"kind": "latency", "milliseconds": 6000, "requests": None}
"""So that there are always workflows under way, to be left behind or not."""

PROCESSING = "NotificationProcessingWorkflow"
LONG_LIVED = {"CronSchedulingWorkflow", "ScheduledNotificationWorkflow", "MasterOrchestrationWorkflow"}


@pytest.mark.whole
async def test_a_changed_workflow_is_deployed_under_load_and_old_ones_end_on_the_old_code(tmp_path: Path) -> None:
    versioned = {"TEMPORAL_WORKER_DEPLOYMENT_NAME": DEPLOYMENT, "XNOVU_BUILD": OLD}
    async with running_system(tmp_path, **versioned) as system:
        await _succeeds(system, "set_current", "set-current", OLD, "--wait", "120")
        await _refuses_unknown_build(system)
        await system.sink_faults(SLOW_NOVU)
        deployed = asyncio.Event()
        loading = asyncio.create_task(_load_until(system, deployed))
        await _until_sent_after(system, 0)
        new_worker = ChildProcess("new-worker", tmp_path / "new-worker.log")
        changed = changed_source(tmp_path)
        try:
            await new_worker.start(worker_command(changed), {**system.environment, "XNOVU_BUILD": NEW})

            await _succeeds(system, "ramping", "ramp", NEW, "10", "--wait", "120")
            await _until_sent_after(system, (await system.statuses())["SENT"] + 20)
            await system.worker.kill()  # what is under way there has to be replayed
            await system.start_worker()
            await _succeeds(system, "ramping", "ramp", NEW, "50")
            await _until_sent_after(system, (await system.statuses())["SENT"] + 60)
            await _succeeds(system, "set_current", "set-current", NEW)
            changed_at = datetime.now(UTC)
            left_behind = await deploy(system.environment, "drained", OLD, "--json")
            deployed.set()
            loaded = await loading
            await _settles(system)
            await _drains(system)
            await system.worker.stop(within_seconds=15)
            scheduled = await _insert_scheduled(system)
            await system.insert(30)
            await _settles(system)

            assert left_behind.code == 3, "workflows that began on the old code still run there"
            assert left_behind.object["drained"] is False
            assert (await rows.read(system, scheduled))[scheduled[0]].status == "SENT"
            assert await system.statuses() == {"SENT": loaded + 30 + 1}
            deliveries = await system.deliveries()
            assert set(deliveries) == await system.transaction_ids()
            assert set(deliveries.values()) == {1}
            told = await _told(system)
            _assert_each_ended_where_it_began(told)
            assert [each for each in told if each.builds == (OLD_ID,) and each.last_event_at > changed_at], (
                "some ended on the old code after the new one was made current"
            )
            assert FAILED_TASK not in new_worker.log_file.read_text() + system.worker.log_file.read_text()
            old = await _history(system, _one_that_ended_on_the_old_code(told))
            assert (await replay(SOURCE, old)).code == 0
            assert "NondeterminismError" in (await replay(changed, old)).errors, "without versions it would have failed"
            again = await deploy(system.environment, "set-current", NEW)
            assert (again.code, again.output) == (0, f"already_current {NEW_ID}\n")
        finally:
            loading.cancel()
            await new_worker.stop(within_seconds=15)


def _assert_each_ended_where_it_began(told: list[Told]) -> None:
    assert [each for each in told if each.non_deterministic_tasks] == []
    processing = [each for each in told if each.workflow_type == PROCESSING]
    assert {each.builds for each in processing} == {(OLD_ID,), (NEW_ID,)}, "each on one build, and both had some"
    assert all(each.has_extra_step == (each.builds == (NEW_ID,)) for each in processing)
    assert {each.workflow_type for each in told if each.builds == (OLD_ID, NEW_ID)} <= LONG_LIVED
    assert "ScheduledNotificationWorkflow" in {each.workflow_type for each in told if each.builds[-1:] == (NEW_ID,)}, (
        "it went on to the new code when it woke"
    )


def _one_that_ended_on_the_old_code(told: list[Told]) -> Told:
    return next(each for each in told if (each.workflow_type, each.builds) == (PROCESSING, (OLD_ID,)))


async def _load_until(system: System, enough: asyncio.Event) -> int:
    """Insert a portion of rows again and again; returns how many."""
    inserted = 0
    while not enough.is_set():
        inserted += len(await system.insert(PORTION))
        with suppress(TimeoutError):
            await asyncio.wait_for(enough.wait(), EVERY_SECONDS)
    return inserted


async def _succeeds(system: System, result: str, *arguments: str) -> None:
    answer = await deploy(system.environment, *arguments, "--json")
    assert answer.code == 0, answer.errors
    assert answer.object["result"] == result


async def _refuses_unknown_build(system: System) -> None:
    for arguments in (("set-current", NEW), ("ramp", NEW, "10"), ("drained", NEW)):
        answer = await deploy(system.environment, *arguments)
        assert answer.code == 2
        assert f"has no build {NEW_ID}; it has: {OLD_ID}" in answer.errors


async def _until_sent_after(system: System, sent: int) -> None:
    async def more_is_sent() -> bool:
        return (await system.statuses())["SENT"] > sent

    await eventually(more_is_sent, what=f"more than {sent} rows are sent")


async def _settles(system: System) -> None:
    await eventually(system.is_settled, what="every row has a final status")


async def _drains(system: System) -> None:
    async def is_drained() -> bool:
        return (await deploy(system.environment, "drained", OLD)).code == 0

    await eventually(is_drained, what="Temporal says that the old build is drained")


async def _insert_scheduled(system: System) -> list[int]:
    enterprise = system.enterprises[0]
    soon = datetime.now(UTC) + timedelta(seconds=2)
    return await rows.insert(
        system,
        enterprise.enterprise_id,
        {"notification_workflow_id": enterprise.static, "channels": ["EMAIL"], "scheduled_for": soon.isoformat()},
    )


async def _told(system: System) -> list[Told]:
    client = await Client.connect(system.stack.environment["TEMPORAL_ADDRESS"])
    return [told async for told in histories(client)]


async def _history(system: System, told: Told) -> str:
    client = await Client.connect(system.stack.environment["TEMPORAL_ADDRESS"])
    return (await client.get_workflow_handle(told.workflow_id).fetch_history()).to_json()
