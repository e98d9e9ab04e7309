"""Workflows that began on an earlier release finish on this one: every recorded history replays.

A change of a workflow's steps that breaks one of these belongs behind `workflow.patched`.
"""

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.workflows.record_histories import HISTORIES, anonymous
from worker.registry import WORKFLOWS
from worker.workflows.notification_retraction import NotificationRetractionWorkflow

RECORDED = {path.stem: path.read_text() for path in sorted(HISTORIES.glob("*.json"))}


@pytest.mark.parametrize("recorded", RECORDED.values(), ids=RECORDED.keys())
async def test_a_recorded_history_replays(recorded: str) -> None:
    await Replayer(workflows=WORKFLOWS).replay_workflow(WorkflowHistory.from_json("recorded", recorded))


@pytest.mark.parametrize("recorded", RECORDED.values(), ids=RECORDED.keys())
def test_a_recorded_history_names_no_machine_and_no_path(recorded: str) -> None:
    assert anonymous(recorded) == recorded


def test_every_workflow_has_a_recorded_history() -> None:
    recorded = {name.split(".")[0] for name in RECORDED}

    assert recorded == {workflow.__module__.rpartition(".")[2] for workflow in WORKFLOWS}


async def test_a_changed_order_of_steps_is_noticed() -> None:
    recorded = next(text for name, text in RECORDED.items() if name.startswith("notification_processing.given_up"))
    disguised = recorded.replace("NotificationProcessingWorkflow", "NotificationRetractionWorkflow")

    with pytest.raises(NondeterminismError):
        await Replayer(workflows=[NotificationRetractionWorkflow]).replay_workflow(
            WorkflowHistory.from_json("recorded", disguised)
        )
