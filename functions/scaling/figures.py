"""Reads what a decision needs to know of Temporal."""

import asyncio
from dataclasses import dataclass

from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion

from functions.scaling.model import QueueFigures
from shared.health.observations import TaskQueueObservation
from shared.temporal.open_work import count_running_deliveries
from shared.temporal.task_queues import read_build_queues, read_task_queues


@dataclass(frozen=True, slots=True)
class Figures:
    """The task queue's two types, and the deliveries that run."""

    workflow: QueueFigures
    activity: QueueFigures
    running: int


async def read_figures(client: Client, task_queue: str, build: WorkerDeploymentVersion | None) -> Figures:
    """Ask for all of it at once: of all workers, or of a build and its workers. Raises RPCError."""
    queues, running = await asyncio.gather(
        read_task_queues(client, task_queue) if build is None else read_build_queues(client, task_queue, build),
        count_running_deliveries(client, task_queue, build),
    )
    return Figures(_figures(queues["workflow"]), _figures(queues["activity"]), running)


def _figures(read: TaskQueueObservation) -> QueueFigures:
    return QueueFigures(
        backlog=read.backlog,
        backlog_age_seconds=read.backlog_age_seconds,
        added_per_second=read.added_per_second,
        dispatched_per_second=read.dispatched_per_second,
        pollers=read.pollers,
    )
