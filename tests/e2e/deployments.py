"""Two builds of the worker beside each other: the changed one's source, `xnovu deploy`, and what histories tell."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import Client

SOURCE = Path(__file__).parents[2]
FIRST_STEP = (
    "                return await workflow.execute_activity_method(NotificationDelivery.deliver, input, **DELIVERY)\n"
)
EXTRA_STEP = "                await workflow.sleep(0.001)\n"
"""A timer before what an old history begins with: such a history cannot be replayed on the changed code."""

REPLAY = """
import asyncio, sys
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from worker.registry import WORKFLOWS
asyncio.run(Replayer(workflows=WORKFLOWS).replay_workflow(WorkflowHistory.from_json("recorded", sys.stdin.read())))
"""

FAILED_TASK = "Failing workflow task"
"""In a worker's log, for non-determinism too; its reason may hold a person, and is left out there."""


def changed_source(directory: Path) -> Path:
    """A copy of the worker whose NotificationProcessingWorkflow has one more step."""
    copy = directory / "changed"
    for package in ("worker", "shared"):
        shutil.copytree(SOURCE / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    workflow_file = copy / "worker" / "workflows" / "notification_processing.py"
    text = workflow_file.read_text()
    assert text.count(FIRST_STEP) == 1, "the step before which another one is put"
    workflow_file.write_text(text.replace(FIRST_STEP, EXTRA_STEP + FIRST_STEP))
    return copy


def worker_command(source: Path) -> list[str]:
    """`python -m worker` of that source: Python looks for modules where it is started."""
    env = shutil.which("env")
    assert env is not None
    return [env, "-C", str(source), sys.executable, "-m", "worker"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said."""

    code: int | None
    output: str
    errors: str

    @property
    def object(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.output)
        return answer


async def deploy(environment: Mapping[str, str], *arguments: str) -> Answer:
    """`xnovu deploy ...`, to its end."""
    return await _answer(sys.executable, "-m", "cli", "deploy", *arguments, env=dict(environment))


async def replay(source: Path, history: str) -> Answer:
    """Run that source's workflows over a history that was recorded."""
    return await _answer(sys.executable, "-c", REPLAY, cwd=source, told=history)


async def _answer(*command: str, told: str = "", **options: Any) -> Answer:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        **options,
    )
    output, errors = await process.communicate(told.encode())
    return Answer(process.returncode, output.decode(), errors.decode())


@dataclass(frozen=True, slots=True)
class Told:
    """What a workflow's history tells: the builds its tasks were done by, and whether it has the extra step."""

    workflow_type: str
    workflow_id: str
    builds: tuple[str, ...]
    has_extra_step: bool
    non_deterministic_tasks: int
    last_event_at: datetime


async def histories(client: Client) -> AsyncIterator[Told]:
    """Of every workflow in the namespace."""
    async for found in client.list_workflows():
        history = await client.get_workflow_handle(found.id, run_id=found.run_id).fetch_history()
        builds: list[str] = []
        has_timer = False
        failed = 0
        for event in history.events:
            match event.event_type:
                case EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                    builds.append(event.workflow_task_completed_event_attributes.deployment_version.build_id)
                case EventType.EVENT_TYPE_TIMER_STARTED:
                    has_timer = True
                case EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
                    failed += (
                        event.workflow_task_failed_event_attributes.cause
                        == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
                    )
                case _:
                    pass
        last_event_at = history.events[-1].event_time.ToDatetime(UTC)
        yield Told(found.workflow_type, found.id, tuple(dict.fromkeys(builds)), has_timer, failed, last_event_at)
