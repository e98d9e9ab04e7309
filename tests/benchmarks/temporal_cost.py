"""Temporal actions and history events, counted from real histories.

An action is what Temporal Cloud bills: here a workflow start and each activity attempt (source: Temporal Cloud's
documentation, "Actions").
"""

from dataclasses import dataclass

from temporalio.client import Client


@dataclass(frozen=True)
class Cost:
    """Of one workflow."""

    actions: int
    events: int


async def of_workflow(client: Client, workflow_id: str) -> Cost:
    """Count one closed workflow's history."""
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    actions = 1
    for event in history.events:
        if event.HasField("activity_task_started_event_attributes"):
            actions += event.activity_task_started_event_attributes.attempt
        if event.HasField("timer_started_event_attributes") or event.HasField("marker_recorded_event_attributes"):
            actions += 1
    return Cost(actions, len(history.events))
